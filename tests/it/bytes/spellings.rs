//! The spellings that a parameter may have on its way: each means the same value; never what an action does with it.

use std::fmt::Write as _;

use snapshotd::wire::form;

use super::{DISK, FORM, list, listed, query, refused, request, said, started, wire};
use crate::support::daemon::Connection;
use crate::support::judge;
use crate::support::request::Place;

/// A description of a disk, in the spelling that the second value says, is what a signature over the first is for.
fn spelled(kept: &mut Connection, text: &str, encoded: &str) {
    for (place, v3) in [(Place::Query, false), (Place::Form, false), (Place::Query, true)] {
        let change = request("ModifyDiskAttribute", &[("DiskId", DISK), ("Description", text)]).place(place);
        let change = if v3 { change.v3() } else { change };
        let (query, body, headers) = change.parts();
        let canonical = form::encoded(text);
        let respelled = |pairs: &str| {
            let pair = format!("Description={canonical}");
            pairs
                .split('&')
                .map(|each| if each == pair { format!("Description={encoded}") } else { each.to_owned() })
                .collect::<Vec<_>>()
                .join("&")
        };
        let mut lines = String::from(if body.is_empty() { "" } else { FORM });
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            let _ = write!(lines, "{name}: {value}\r\n");
        }
        let reply = said(kept, &wire("POST", &format!("/?{}", respelled(&query)), &lines, &respelled(&body)));
        assert_eq!(reply.status, 200, "{place:?} {v3} {text} as {encoded}: {}", reply.text);
        let reply = said(kept, &super::query(&list()));
        assert_eq!(reply.body()["Disks"]["Disk"][0]["Description"], text, "{place:?} {v3} {encoded}");
        let reply = said(kept, &super::query(&list().format("XML")));
        let rows = judge::xml(&reply.text, "DescribeDisksResponse").expect("XML");
        assert!(rows.to_string().contains(&serde_json::json!(text).to_string()), "{encoded}: {}", reply.text);
    }
}

#[test]
fn every_spelling_of_a_value_is_that_value() {
    let running = started();
    let mut kept = running.daemon.connect();
    let cases = [
        ("快照", ["快照", "%E5%BF%AB照", "快%e7%85%a7"]),
        ("two words", ["two%20words", "two+words", "%74wo%20words"]),
        ("a+b plus", ["a%2Bb%20plus", "a%2bb+plus", "a%2Bb%20%70lus"]),
        ("star * tilde ~", ["star%20%2A%20tilde%20~", "star+*+tilde+%7E", "star%20%2a%20tilde%20%7e"]),
        (
            "twice %20 and %2B",
            ["twice%20%2520%20and%20%252B", "twice+%2520+and+%252B", "twice%20%25%32%30%20and%20%252%42"],
        ),
        ("like a=b&c=d;e", ["like%20a%3Db%26c%3Dd%3Be", "like+a=b%26c=d;e", "like%20a%3db%26c%3dd%3be"]),
        (
            "快照 ü 😀",
            [
                "%E5%BF%AB%E7%85%A7%20%C3%BC%20%F0%9F%98%80",
                "%e5%bf%ab%e7%85%a7+%c3%bc+%f0%9f%98%80",
                "%E5%bf%AB%e7%85%A7%20%c3%BC%20%f0%9f%98%80",
            ],
        ),
        (
            "<tag> & \"quote\" 'mark'",
            [
                "%3Ctag%3E%20%26%20%22quote%22%20%27mark%27",
                "%3ctag%3e+%26+%22quote%22+'mark'",
                "%3Ctag%3E%20%26%20%22quote%22%20%27mark%27",
            ],
        ),
        (
            "path/../?#[]@!$(),",
            [
                "path%2F..%2F%3F%23%5B%5D%40%21%24%28%29%2C",
                "path/../?%23%5b%5d@!$(),",
                "path%2f..%2f%3f%23%5b%5d%40%21%24%28%29%2c",
            ],
        ),
    ];
    for (text, spellings) in cases {
        for encoded in spellings {
            spelled(&mut kept, text, encoded);
        }
    }
}

#[test]
fn a_name_may_be_encoded_as_well_and_what_is_no_encoding_is_refused() {
    let running = started();
    let mut kept = running.daemon.connect();
    let plain = request("DescribeDisks", &[("Tag.1.Key", "none")]).parts().0;
    let reply = said(&mut kept, &wire("POST", &format!("/?{}", plain.replace("Tag.1.Key", "%54ag%2E1.%4bey")), "", ""));
    assert_eq!((reply.status, &reply.body()["TotalCount"]), (200, &0.into()), "{}", reply.text);
    for broken in ["%", "%2", "%zz", "%ff", "%C3", "%ed%a0%80", "%u5feb"] {
        for text in [
            wire("POST", &format!("/?{plain}&DiskName={broken}"), "", ""),
            wire("POST", &format!("/?{plain}"), FORM, &format!("DiskName={broken}")),
        ] {
            let reply = said(&mut kept, &text);
            refused(&reply, 400, "MalformedRequest");
        }
    }
    listed(&said(&mut kept, &query(&list())));
}
