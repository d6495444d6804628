//! Requests of which two readers could see two different numbers, and other bytes that no client sends: one answer at most
//! for what is unclear, then the connection ends; nothing behind it is taken for a request.

use std::time::{Duration, Instant};

use crate::support::daemon::{Connection, Daemon};
use crate::support::judge;

const VARIABLES: [(&str, &str); 5] = [
    ("SNAPSHOTD_LIMITS__HEAD_MS", "500"),
    ("SNAPSHOTD_LIMITS__BODY_MS", "500"),
    ("SNAPSHOTD_LIMITS__ANSWER_MS", "1000"),
    ("SNAPSHOTD_LIMITS__BODY_BYTES", "10000"),
    ("SNAPSHOTD_LOG__LEVEL", "off"),
];
/// What a second reader could take for a request of its own.
const HIDDEN: &str = "GET /readyz HTTP/1.1\r\nHost: ecs\r\n\r\n";
const MIB: u64 = 1_024 * 1_024;

fn started() -> (tempfile::TempDir, Daemon) {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = Daemon::start(folder.path(), &VARIABLES);
    (folder, daemon)
}

/// All that comes back for `text` until the other side closes.
fn said(daemon: &Daemon, text: &str) -> String {
    let mut connection = daemon.connect();
    // It may be refused before all is sent.
    let _ = connection.send(text);
    let begun = Instant::now();
    let rest = connection.rest();
    assert!(begun.elapsed() < Duration::from_secs(8), "{text:.80} took {:?}", begun.elapsed());
    rest
}

fn statuses(text: &str) -> Vec<&str> {
    text.match_indices("HTTP/1.1 ").filter_map(|(at, _)| text.get(at + 9..at + 12)).collect()
}

fn is_alive(daemon: &Daemon) {
    assert_eq!(daemon.connect().call("DescribeSnapshots", &[]).expect("an answer").status, 200);
}

fn post(headers: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: ecs\r\n{headers}\r\n{body}")
}

#[test]
fn a_length_told_in_two_ways_is_one_refusal_and_the_end() {
    let (_folder, daemon) = started();
    for headers in [
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3, 4\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: 3x\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 18446744073709551619\r\n",
        "Content-Length:\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "Content-Length : 3\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Content-Length: 3\r\n",
        "X: a\r\n b: c\r\n",
        "X: a\r\n\tContent-Length: 3\r\n",
        "Content-Length: 3\0\r\n",
        "X\u{7f}: a\r\n",
        ": nameless\r\n",
    ] {
        let text = said(&daemon, &post(headers, &format!("A=1{HIDDEN}")));
        let seen = statuses(&text);
        assert!(seen.is_empty() || seen.len() == 1 && seen[0] == "400", "{headers:?}: {text}");
    }
    is_alive(&daemon);
}

#[test]
fn chunks_rule_over_a_length_and_what_follows_them_is_not_read() {
    let (_folder, daemon) = started();
    // RFC 9112, 6.3: the encoding overrides the length, and the connection has to be closed after the answer.
    for headers in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"]
    {
        let text = said(&daemon, &post(headers, &format!("0\r\n\r\n{HIDDEN}")));
        assert_eq!(statuses(&text), ["400"], "{headers:?}: {text}");
    }
    is_alive(&daemon);
}

#[test]
fn malformed_chunks_are_one_refusal_and_the_end() {
    let (_folder, daemon) = started();
    for body in [
        "ffffffffffffffff1\r\nA=1\r\n0\r\n\r\n",
        "10000000000000000\r\nA=1\r\n0\r\n\r\n",
        "-1\r\nA=1\r\n0\r\n\r\n",
        "0x3\r\nA=1\r\n0\r\n\r\n",
        "3 3\r\nA=1\r\n0\r\n\r\n",
        "\r\nA=1\r\n0\r\n\r\n",
        "3\r\nA=1XX0\r\n\r\n",
        "g\r\nA=1\r\n0\r\n\r\n",
        "3\r\nA=1\r\n",
        "3\r\nA",
    ] {
        let text = said(&daemon, &post("Transfer-Encoding: chunked\r\n", &format!("{body}{HIDDEN}")));
        let seen = statuses(&text);
        assert!(
            seen.len() <= 1 && seen.iter().all(|status| ["400", "408", "413"].contains(status)),
            "{body:?}: {text}"
        );
    }
    let endless = format!("3;{}\r\nA=1\r\n0\r\n\r\n", "x".repeat(100_000));
    let text = said(&daemon, &post("Transfer-Encoding: chunked\r\n", &endless));
    assert!(statuses(&text).iter().all(|status| status.starts_with('4')), "{text}");
    let trailers = format!("3\r\nA=1\r\n0\r\n{}\r\n", "X: y\r\n".repeat(20_000));
    let text = said(&daemon, &post("Transfer-Encoding: chunked\r\n", &trailers));
    assert!(statuses(&text).iter().all(|status| status.starts_with('4')), "{text}");
    is_alive(&daemon);
}

#[test]
fn extensions_and_trailers_are_passed_over() {
    let (_folder, daemon) = started();
    let body = "3;name=value;other=\"quoted\"\r\nA=1\r\n0\r\nAction: DeleteSnapshot\r\nContent-Length: 100\r\n\r\n";
    let headers = "Transfer-Encoding: chunked\r\nConnection: close\r\n";
    let text = said(&daemon, &post(headers, body));
    // Nothing of the trailer is a parameter: the version is the first thing that is missed.
    assert_eq!(statuses(&text), ["400"], "{text}");
    assert!(text.contains("<Code>MissingParameter</Code>") && text.contains("Version"), "{text}");
    is_alive(&daemon);
}

#[test]
fn bare_line_feeds_and_requests_in_pieces_are_read_one_way() {
    let (_folder, daemon) = started();
    let bare = said(&daemon, "GET /healthz HTTP/1.1\nHost: ecs\nConnection: close\n\n");
    assert!(statuses(&bare).len() == 1, "{bare}");
    let last = HIDDEN.replace("Host: ecs", "Host: ecs\r\nConnection: close");
    // A body that is announced is read and never taken for a request, whatever the method.
    for method in ["GET", "DELETE", "BREW"] {
        let text =
            format!("{method} /x HTTP/1.1\r\nHost: ecs\r\nContent-Length: {}\r\n\r\n{HIDDEN}{last}", HIDDEN.len());
        let said = said(&daemon, &text);
        let seen = statuses(&said);
        assert!(seen.len() <= 2 && seen.iter().filter(|status| **status == "200").count() <= 1, "{method}: {said}");
    }
    for first in [
        "GET / HTTP/9.9\r\n\r\n",
        "GET /\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "\r\n\r\n\r\nX\r\n\r\n",
        "GET / HTTP/1.1 x\r\n\r\n",
    ] {
        let text = said(&daemon, &format!("{first}{HIDDEN}"));
        assert!(statuses(&text).iter().all(|status| *status == "400"), "{first:?}: {text}");
    }
    is_alive(&daemon);
}

#[test]
fn large_heads_and_bodies_are_refused_and_not_kept() {
    let (_folder, daemon) = started();
    is_alive(&daemon);
    let before = daemon.memory();
    for _ in 0..20 {
        let text = said(&daemon, &post(&format!("X: {}\r\n", "a".repeat(4_000_000)), ""));
        assert!(statuses(&text).iter().all(|status| *status == "431" || *status == "400"), "{text:.300}");
        let many = "X-A: b\r\n".repeat(100_000);
        let text = said(&daemon, &post(&many, ""));
        assert!(statuses(&text).iter().all(|status| *status == "431" || *status == "400"), "{text:.300}");
        let text = said(&daemon, &post("Content-Length: 99999999999\r\n", &"a".repeat(1_000_000)));
        assert!(statuses(&text).iter().all(|status| *status == "413"), "{text:.300}");
    }
    let mut connection: Connection = daemon.connect();
    connection.send(&post("Content-Length: 20000\r\n", &"a".repeat(20_000))).expect("sent");
    let reply = connection.reply().expect("an answer");
    assert_eq!(reply.status, 413, "{}", reply.text);
    assert_eq!(judge::xml(&reply.text, "Error").expect("the vendor's form")["Code"], "RequestTooLarge");
    let grown = daemon.memory().saturating_sub(before);
    assert!(grown < 64 * MIB, "{grown} bytes more");
    is_alive(&daemon);
}

/// Holds `count` connections in each of some unfinished states, with calls in between; bytes that they cost.
fn besieged(daemon: &Daemon, count: usize) -> u64 {
    is_alive(daemon);
    let before = daemon.memory();
    let states = ["", "POST / HTT", "POST / HTTP/1.1\r\nHost: ecs\r\nX: y\r\n", &post("Content-Length: 100\r\n", "A=")];
    let held: Vec<Connection> = (0..count)
        .map(|nth| {
            let mut connection = daemon.connect();
            connection.send(states[nth % states.len()]).expect("sent");
            connection
        })
        .collect();
    let begun = Instant::now();
    is_alive(daemon);
    assert!(begun.elapsed() < Duration::from_secs(5), "others waited for {:?}", begun.elapsed());
    let cost = daemon.memory().saturating_sub(before);
    drop(held);
    is_alive(daemon);
    cost
}

#[test]
fn many_clients_that_never_finish_cost_little_and_hold_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = Daemon::start(folder.path(), &[("SNAPSHOTD_LOG__LEVEL", "off")]);
    let cost = besieged(&daemon, 400);
    assert!(cost < 32 * MIB, "{cost} bytes for 400");
}

/// `ulimit -n 20000` before: this process has one end of each connection, and the daemon the other.
#[test]
#[ignore = "needs more file descriptors than most shells give"]
fn ten_thousand_clients_that_never_finish_are_bounded_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let patient = [
        ("SNAPSHOTD_LOG__LEVEL", "off"),
        ("SNAPSHOTD_LIMITS__CONNECTIONS", "12000"),
        ("SNAPSHOTD_LIMITS__HEAD_MS", "120000"),
        ("SNAPSHOTD_LIMITS__BODY_MS", "120000"),
    ];
    let daemon = Daemon::start(folder.path(), &patient);
    let cost = besieged(&daemon, 10_000);
    println!("10,000 unfinished connections cost {} KiB, {} bytes each", cost / 1_024, cost / 10_000);
    assert!(cost < 256 * MIB, "{cost} bytes");
}
