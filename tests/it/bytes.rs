//! What passes over the socket, byte by byte: heads, framing, connections; never what an action does.

mod spellings;

use std::fmt::Write as _;

use snapshotd::clock::Clock;

use crate::support::daemon::{Connection, Daemon, Reply, furnish};
use crate::support::judge;
use crate::support::request::{HOST, Place, Request};

const JSON: &str = "application/json;charset=utf-8";
const XML: &str = "text/xml;charset=utf-8";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const DISK: &str = "d-bp1bytes000000000000";

struct Running {
    _folder: tempfile::TempDir,
    daemon: Daemon,
}

/// A daemon with one free disk.
fn started() -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    furnish(folder.path(), &[DISK.to_owned()]);
    let quiet = [("SNAPSHOTD_LOG__LEVEL", "off"), ("SNAPSHOTD_LIMITS__BODY_BYTES", "100000")];
    let daemon = Daemon::start(folder.path(), &quiet);
    Running { _folder: folder, daemon }
}

fn request(action: &str, params: &[(&str, &str)]) -> Request {
    Request::new(action, params).set("Timestamp", &Clock::system().wall_now().to_seconds())
}

fn list() -> Request {
    request("DescribeDisks", &[])
}

/// The text of a request: its line, Host, these further header lines, and the body with its length.
fn wire(method: &str, target: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

/// A signed request with all of it in the query.
fn query(request: &Request) -> String {
    wire("POST", &format!("/?{}", request.parts().0), "", "")
}

fn said(connection: &mut Connection, text: &str) -> Reply {
    connection.send(text).expect("sent");
    connection.reply().unwrap_or_else(|| panic!("no answer to {text:.300}"))
}

/// The values of a header of the answer.
fn header<'a>(reply: &'a Reply, name: &str) -> Vec<&'a str> {
    let pair = |line: &'a str| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name));
    reply.head.lines().filter_map(pair).map(|(_, value)| value.trim()).collect()
}

#[track_caller]
fn listed(reply: &Reply) {
    assert_eq!((reply.status, header(reply, "content-type")), (200, vec![JSON]), "{}{}", reply.head, reply.text);
    assert_eq!(reply.body()["TotalCount"], 1, "{}", reply.text);
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    let body = match header(reply, "content-type")[..] {
        [JSON] => reply.body(),
        [XML] => judge::xml(&reply.text, "Error").expect("the vendor's form"),
        ref other => panic!("its type is {other:?}"),
    };
    assert_eq!((reply.status, &body["Code"]), (status, &code.into()), "{}", reply.text);
    let mut names: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["Code", "HostId", "Message", "Recommend", "RequestId"]);
}

#[test]
fn an_answer_has_one_type_one_length_and_nothing_that_was_not_asked_for() {
    let running = started();
    let mut kept = running.daemon.connect();
    let absent = "DescribeEverything";
    let cases = [
        (list(), 200, JSON),
        (list().format("XML"), 200, XML),
        (list().without("Format"), 200, XML),
        (list().set("Action", absent), 404, JSON),
        (list().set("Action", absent).format("XML"), 404, XML),
    ];
    for (request, status, kind) in cases {
        for asking in ["", "Accept-Encoding: gzip, deflate, br\r\n", "Accept-Encoding: identity;q=1, *;q=0\r\n"] {
            let target = format!("/?{}", request.clone().set("SignatureNonce", &snapshotd::ids::nonce()).parts().0);
            let reply = said(&mut kept, &wire("POST", &target, asking, ""));
            assert_eq!(reply.status, status, "{}", reply.text);
            assert!(reply.head.starts_with("HTTP/1.1 "));
            assert_eq!(header(&reply, "content-type"), [kind]);
            assert_eq!(header(&reply, "content-length"), [reply.text.len().to_string()]);
            assert_eq!(header(&reply, "date").len(), 1);
            for never in ["content-encoding", "transfer-encoding", "set-cookie", "connection", "server", "location"] {
                assert!(header(&reply, never).is_empty(), "{never} in {}", reply.head);
            }
            // Tools take a body with any of these for a failure.
            let told = ["Code", "Message", "Success", "HostId"].map(|name| match kind {
                JSON => reply.body().get(name).is_some(),
                _ => reply.text.contains(&format!("<{name}>")),
            });
            assert_eq!(told, if status == 200 { [false; 4] } else { [true, true, false, true] });
        }
    }
}

#[test]
fn a_body_may_come_in_chunks_that_cut_anywhere() {
    let running = started();
    let mut kept = running.daemon.connect();
    for size in [1, 2, 7, 1_000] {
        let (query, body, _) = list().place(Place::Form).parts();
        assert_eq!(query, "");
        let mut text = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n");
        for chunk in body.as_bytes().chunks(size) {
            let chunk = std::str::from_utf8(chunk).expect("ASCII");
            // Extensions and either case of the size are HTTP's.
            let _ = write!(text, "{:X};name=\"value\"\r\n{chunk}\r\n", chunk.len());
        }
        text += "0\r\nX-Trailer: ignored\r\n\r\n";
        listed(&said(&mut kept, &text));
    }
    let headers = format!("{FORM}Transfer-Encoding: CHUNKED\r\n");
    let empty = format!("POST /?{} HTTP/1.1\r\nHost: {HOST}\r\n{headers}\r\n0\r\n\r\n", list().parts().0);
    listed(&said(&mut kept, &empty));
}

#[test]
fn the_case_of_header_names_and_of_the_form_type_does_not_matter() {
    let running = started();
    let mut kept = running.daemon.connect();
    for kind in [
        "content-type: application/x-www-form-urlencoded\r\n",
        "CONTENT-TYPE:application/X-WWW-Form-URLEncoded;charset=UTF-8\r\n",
        "Content-Type:   application/x-www-form-urlencoded ; charset=utf-8  \r\n",
        "Content-Type: text/plain\r\n",
        "",
    ] {
        listed(&said(&mut kept, &wire("POST", "/", kind, &list().place(Place::Form).parts().1)));
    }
    for change in [str::to_ascii_lowercase, str::to_ascii_uppercase] {
        let (_, _, headers) = list().v3().parts();
        let mut lines = String::new();
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            let _ = write!(lines, "{}: {value}\r\n", change(name));
        }
        listed(&said(&mut kept, &wire("POST", "/", &lines, "")));
    }
}

#[test]
fn a_connection_is_kept_through_answers_and_refusals_until_it_is_to_close() {
    let running = started();
    let mut kept = running.daemon.connect();
    for _ in 0..50 {
        listed(&said(&mut kept, &query(&list())));
        refused(&said(&mut kept, &query(&list().signature("x"))), 400, "SignatureDoesNotMatch");
        refused(&said(&mut kept, &wire("POST", "/nowhere", FORM, "A=%zz")), 404, "InvalidAction.NotFound");
        refused(&said(&mut kept, &wire("POST", "/", FORM, "A=%zz")), 400, "MalformedRequest");
    }
    for asked in ["Connection: close\r\n", "CONNECTION: Close\r\n", "Connection: te, close\r\n"] {
        let mut closing = running.daemon.connect();
        let reply = said(&mut closing, &wire("POST", &format!("/?{}", list().parts().0), asked, ""));
        listed(&reply);
        assert_eq!(header(&reply, "connection"), ["close"]);
        assert_eq!(closing.rest(), "", "{asked}");
    }
}

#[test]
fn http_1_0_is_answered_in_its_own_version_and_kept_only_if_it_asks() {
    let running = started();
    let one_0 = |headers: &str| format!("GET /?{} HTTP/1.0\r\n{headers}\r\n", list().method("GET").parts().0);
    let mut once = running.daemon.connect();
    let reply = said(&mut once, &one_0(""));
    listed(&reply);
    assert!(reply.head.starts_with("HTTP/1.0 200"), "{}", reply.head);
    assert_eq!(once.rest(), "", "closed");

    let mut kept = running.daemon.connect();
    for _ in 0..3 {
        let reply = said(&mut kept, &one_0(&format!("Host: {HOST}\r\nConnection: keep-alive\r\n")));
        listed(&reply);
        assert!(reply.head.starts_with("HTTP/1.0 200"), "{}", reply.head);
        assert_eq!(header(&reply, "connection"), ["keep-alive"], "without it the client closes");
    }
    let (_, body, _) = list().place(Place::Form).parts();
    let post = format!("POST / HTTP/1.0\r\n{FORM}Content-Length: {}\r\n\r\n{body}", body.len());
    listed(&said(&mut kept, &post));
    assert_eq!(kept.rest(), "");
    // A client of 1.0 has no Host that an error could name.
    let mut nameless = running.daemon.connect();
    refused(&said(&mut nameless, "GET / HTTP/1.0\r\n\r\n"), 400, "MissingParameter");
}

#[test]
fn pipelined_requests_are_answered_in_order_whatever_becomes_of_each() {
    let running = started();
    let mut kept = running.daemon.connect();
    let get = format!("GET /?{} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", list().method("GET").parts().0);
    let form = wire("POST", "/", FORM, &list().place(Place::Form).parts().1);
    let (_, body, _) = list().place(Place::Form).parts();
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let wrong = query(&list().signature("x"));
    let nowhere = wire("DELETE", "/nowhere", "", "body");
    // Empty lines before a request are skipped, as HTTP wants it.
    kept.send(&format!("{get}{form}{wrong}\r\n{chunked}{nowhere}{form_again}", form_again = query(&list())))
        .expect("sent");
    let mut next = || kept.reply().expect("an answer");
    listed(&next());
    listed(&next());
    refused(&next(), 400, "SignatureDoesNotMatch");
    listed(&next());
    refused(&next(), 403, "UnsupportedHTTPMethod");
    listed(&next());
}

#[test]
fn a_client_that_expects_100_is_told_to_go_on_or_why_not() {
    let running = started();
    let mut kept = running.daemon.connect();
    for _ in 0..2 {
        let (_, body, _) = list().place(Place::Form).parts();
        let length = body.len();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {HOST}\r\n{FORM}Expect: 100-Continue\r\nContent-Length: {length}\r\n\r\n"
        );
        kept.send(&head).expect("sent");
        assert_eq!((kept.line(), kept.line()), ("HTTP/1.1 100 Continue\r\n".to_owned(), "\r\n".to_owned()));
        listed(&said(&mut kept, &body));
    }
    // No body to wait for, and none that would be taken.
    let target = format!("/?{}", list().parts().0);
    listed(&said(&mut kept, &wire("POST", &target, "Expect: 100-continue\r\n", "")));
    let head =
        format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n{FORM}Expect: 100-continue\r\nContent-Length: 99000000\r\n\r\n");
    let reply = said(&mut kept, &head);
    refused(&reply, 413, "RequestTooLarge");
    assert_eq!(header(&reply, "connection"), ["close"]);
}

#[test]
fn head_and_options_are_refused_and_leave_the_connection_in_step() {
    let running = started();
    let mut kept = running.daemon.connect();
    // Of HEAD only the head comes, with the length that a body would have.
    kept.send(&format!("HEAD /?{} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", list().parts().0)).expect("sent");
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head += &kept.line();
    }
    assert!(head.starts_with("HTTP/1.1 403") && head.to_ascii_lowercase().contains("content-length: "), "{head}");
    listed(&said(&mut kept, &query(&list())));
    for target in ["/", "/?Action=DescribeDisks", "*"] {
        refused(
            &said(&mut kept, &wire("OPTIONS", target, "Origin: http://page\r\n", "")),
            403,
            "UnsupportedHTTPMethod",
        );
    }
    for method in ["PUT", "DELETE", "PATCH", "post", "Get"] {
        refused(&said(&mut kept, &wire(method, "/", FORM, "A=1")), 403, "UnsupportedHTTPMethod");
    }
    listed(&said(&mut kept, &query(&list())));
}

#[test]
fn a_refusal_before_the_parameters_are_read_has_the_format_that_the_query_asks_for() {
    let running = started();
    let large = "a".repeat(100_001);
    let cases: [(&str, &str, &str, u16); 8] = [
        ("PUT", "/?{}", "", 403),
        ("OPTIONS", "/?Action=DescribeDisks&{}&A=1", "", 403),
        ("POST", "/nowhere?{}", "", 404),
        ("GET", "/nowhere?A=%zz&{}", "", 404),
        ("POST", "/?{}&Version=2014-05-26", &large, 413),
        ("POST", "/?{}&DiskName=%zz", "", 400),
        ("POST", "/?DiskName=%ff&{}", "", 400),
        ("POST", "/?{}", "DiskName=%", 400),
    ];
    for (method, target, body, status) in cases {
        for (asked, headers, kind) in [
            ("Format=JSON", "", JSON),
            ("Format=json", "", JSON),
            ("format=JSON", "", JSON),
            ("Format=XML", "Accept: application/json\r\n", XML),
            ("Format=&Format=JSON", "", JSON),
            ("Format=YAML", "", XML),
            ("Format=YAML", "Accept: application/json\r\n", JSON),
            ("B=1", "x-acs-version: 2014-05-26\r\n", JSON),
            ("Formats=JSON&B=Format", "", XML),
        ] {
            let text = wire(method, &target.replace("{}", asked), &format!("{FORM}{headers}"), body);
            let reply = said(&mut running.daemon.connect(), &text);
            assert_eq!((reply.status, header(&reply, "content-type")), (status, vec![kind]), "{text:.200}");
        }
    }
    // A HEAD tells its kind as well.
    let mut kept = running.daemon.connect();
    kept.send(&format!("HEAD /?Format=JSON HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).expect("sent");
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head += &kept.line();
    }
    assert!(head.to_ascii_lowercase().contains(&format!("content-type: {JSON}")), "{head}");
}

#[test]
fn a_target_may_be_absolute_and_a_host_anything() {
    let running = started();
    let mut kept = running.daemon.connect();
    let get = || list().method("GET").parts().0;
    // As through a proxy.
    for target in [format!("http://{HOST}/?{}", get()), format!("http://{HOST}?{}", get()), format!("/?{}&", get())] {
        listed(&said(&mut kept, &wire("GET", &target, "", "")));
    }
    for host in ["127.0.0.1", "[::1]:20140", "ecs.cn-hangzhou.aliyuncs.com", ""] {
        let text = format!("GET /?{} HTTP/1.1\r\nHost: {host}\r\n\r\n", get());
        listed(&said(&mut kept, &text));
    }
    refused(&said(&mut kept, "GET /?Action=X HTTP/1.1\r\nHost: \r\n\r\n"), 400, "MissingParameter");
    refused(&said(&mut kept, "GET / HTTP/1.1\r\n\r\n"), 400, "MissingParameter");
}
