//! Clients that never finish what they send: let go at the deadline, and no obstacle to the daemon's end.

use std::time::{Duration, Instant};

use crate::support::daemon::{Connection, Daemon, PATIENCE};
use crate::support::judge;

/// The deadline of these tests; a daemon that ignored it would keep the default of ten seconds.
const DEADLINE: [(&str, &str); 4] = [
    ("SNAPSHOTD_LIMITS__HEAD_MS", "300"),
    ("SNAPSHOTD_LIMITS__BODY_MS", "300"),
    ("SNAPSHOTD_LIMITS__SHUTDOWN_MS", "1000"),
    ("SNAPSHOTD_LOG__LEVEL", "off"),
];
const WELL_BELOW_THE_DEFAULT: Duration = Duration::from_secs(8);

const HALF_HEAD: &str = "POST / HTTP/1.1\r\nHost: ecs\r\nContent-Le";
const HALF_BODY: &str = "POST / HTTP/1.1\r\nHost: ecs\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nAction=";

fn started() -> (tempfile::TempDir, Daemon) {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = Daemon::start(folder.path(), &DEADLINE);
    (folder, daemon)
}

fn in_time(what: &str, work: impl FnOnce()) {
    let begun = Instant::now();
    work();
    assert!(begun.elapsed() < WELL_BELOW_THE_DEFAULT, "{what} took {:?}", begun.elapsed());
}

fn opened(daemon: &Daemon, text: &str) -> Connection {
    let mut connection = daemon.connect();
    connection.send(text).expect("sent");
    connection
}

#[test]
fn a_head_that_never_ends_is_let_go_at_the_deadline() {
    let (_folder, daemon) = started();
    for text in ["", "P", HALF_HEAD] {
        let mut connection = opened(&daemon, text);
        in_time("letting a slow head go", || {
            let rest = connection.rest();
            assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408"), "{rest}");
        });
    }
    assert_eq!(daemon.connect().call("DescribeSnapshots", &[]).expect("an answer").status, 200);
}

#[test]
fn a_body_that_never_ends_is_refused_at_the_deadline() {
    let (_folder, daemon) = started();
    let mut connection = opened(&daemon, HALF_BODY);
    in_time("refusing a slow body", || {
        let reply = connection.reply().expect("an answer");
        assert_eq!(reply.status, 408, "{}", reply.text);
        let body = judge::xml(&reply.text, "Error").expect("the vendor's form");
        assert_eq!(body["Code"], "RequestTimeout");
        assert!(reply.head.to_ascii_lowercase().contains("connection: close"), "{}", reply.head);
        assert_eq!(connection.rest(), "");
    });
}

#[test]
fn a_head_that_is_too_long_or_none_at_all_gets_a_bare_status() {
    let (_folder, daemon) = started();
    let mut long = opened(&daemon, &format!("GET /?{} HTTP/1.1\r\n\r\n", "a".repeat(200_000)));
    let rest = long.rest();
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 4"), "{rest}");
    let mut garbage = opened(&daemon, "\u{1}\u{2}\u{3}\r\n\r\n");
    assert!(garbage.rest().starts_with("HTTP/1.1 400"));
    assert_eq!(daemon.connect().call("DescribeSnapshots", &[]).expect("an answer").status, 200);
}

#[test]
fn slow_clients_do_not_hold_up_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    // The deadlines of head and body stay at ten seconds here: the end must not wait for them.
    let daemon = Daemon::start(folder.path(), &DEADLINE[2..]);
    let mut kept = daemon.connect();
    assert_eq!(kept.call("DescribeSnapshots", &[]).expect("an answer").status, 200);
    let _clients = ["", HALF_HEAD, HALF_BODY].map(|text| opened(&daemon, text));
    in_time("the end", || assert!(daemon.terminate().success()));
    assert_eq!(kept.rest(), "", "a kept connection is closed as well");
    assert!(PATIENCE > WELL_BELOW_THE_DEFAULT);
}
