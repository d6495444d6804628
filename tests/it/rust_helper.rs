//! The file that Rust users copy, `testing/rust/snapshotd.rs`, as they use it.

use std::path::Path;

#[path = "../../testing/rust/snapshotd.rs"]
mod snapshotd;

use snapshotd::Snapshotd;

use crate::support::daemon::binary;

#[test]
fn a_copied_file_starts_a_daemon_and_moves_its_clock() {
    let binary = binary();
    let daemon = Snapshotd::start_binary(&binary, &[("lifecycle.snapshot_ms", "0")]).expect("it starts");
    assert!(daemon.endpoint().starts_with("127.0.0.1:"));
    let key = (Snapshotd::ACCESS_KEY_ID, Snapshotd::ACCESS_KEY_SECRET, Snapshotd::REGION_ID);
    assert_eq!(key, ("testid", "testsecret", "cn-hangzhou"));
    assert!(daemon.advance("90d").expect("it moves").contains("2026-04-01T00:00:00.000Z"));
    assert!(daemon.advance_to("2027-01-01T00:00:00Z").expect("it moves").contains("2027-01-01T00:00:00.000Z"));
    assert!(daemon.advance("soon").expect_err("no span").to_string().contains("no length of time"));
    assert!(daemon.advance_to_next().expect_err("nothing").to_string().contains("nothing is to come"));
    assert!(daemon.lever("GET", "/info", "").expect("an answer").contains(Snapshotd::ACCESS_KEY_ID));
    let other = Snapshotd::start_binary(&binary, &[]).expect("a second one");
    assert_ne!(daemon.endpoint(), other.endpoint());
    Snapshotd::start_binary(Path::new("/nowhere/snapshotd"), &[]).err().expect("no such program");
}

#[test]
fn what_cannot_start_is_told_soon() {
    let binary = binary();
    let refused = Snapshotd::start_binary(&binary, &[("no_such_key", "1")]).err().expect("refused");
    assert!(refused.to_string().contains("did not start"));
    // SNAPSHOTD_BIN is not set where these tests run, or names a daemon.
    drop(Snapshotd::start());
}
