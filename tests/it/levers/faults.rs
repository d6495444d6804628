//! Rules that disturb calls.

use serde_json::json;

use crate::support::daemon::{Daemon, furnish};
use crate::support::{OTHER_KEY, TestApp};

#[tokio::test]
async fn a_rule_refuses_the_calls_that_it_is_for_with_the_documented_status_and_counts_its_hits() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let body = format!(
        r#"{{"action": "DeleteSnapshot", "resource": "{id}", "account": "1000000000000001", "when": {{"nth": 2}},
            "effect": {{"error": "Throttling.User"}}}}"#
    );
    let rule = app.rule(&body).await;
    let params = [("SnapshotId", id.as_str())];
    app.refused("DeleteSnapshot", &[("SnapshotId", "s-other")], 404, "InvalidSnapshotId.NotFound").await;
    app.call_as(OTHER_KEY, "DeleteSnapshot", &params).await.refused(404, "InvalidSnapshotId.NotFound");
    app.ok("ModifySnapshotAttribute", &[("SnapshotId", &id), ("SnapshotName", "renamed")]).await;
    app.ok("DeleteSnapshot", &params).await;
    let refused = app.refused("DeleteSnapshot", &params, 400, "Throttling.User").await;
    assert_eq!(refused.message(), "Request was denied due to user flow control.");
    app.ok("DeleteSnapshot", &params).await;
    let (_, shown) = app.lever("GET", &format!("/faults/{rule}"), "").await;
    assert_eq!((&shown["occasions"], &shown["hits"], &shown["is_spent"]), (&json!(3), &json!(1), &json!(false)));
}

#[tokio::test]
async fn the_code_has_the_status_of_the_action() {
    let app = TestApp::new().await;
    app.expect_breakage(true);
    let disk = app.attached_disk().await;
    for (action, code, status) in [
        ("CreateSnapshot", "Throttling", 403),
        ("DescribeSnapshots", "Throttling", 400),
        ("CreateSnapshot", "InternalError", 500),
        ("CreateSnapshot", "ServiceUnavailable", 503),
        ("CreateSnapshot", "Operation.Conflict", 403),
        ("CreateSnapshot", "CreateSnapshot.Failed", 400),
    ] {
        app.rule(&format!(r#"{{"action": "{action}", "effect": {{"error": "{code}"}}, "max_hits": 1}}"#)).await;
        app.refused(action, &[("DiskId", &disk)], status, code).await;
    }
    app.ok("CreateSnapshot", &[("DiskId", &disk)]).await;
}

#[tokio::test]
async fn a_rule_may_wait_for_a_progress_of_what_the_call_names() {
    let app = TestApp::with(|config| config.lifecycle.snapshot_ms = 100_000).await;
    let id = app.snapshot(&app.attached_disk().await).await;
    let when = r#""when": {"progress": {"from": 40, "to": 60}}, "effect": {"error": "Operation.Conflict"}"#;
    app.rule(&format!(r#"{{"action": "DescribeSnapshots", {when}}}"#)).await;
    let ids = format!(r#"["{id}"]"#);
    let params = [("RegionId", "cn-hangzhou"), ("SnapshotIds", ids.as_str())];
    for (span, disturbed) in [("39s", false), ("1s", true), ("20s", true), ("1s", false), ("60s", false)] {
        app.advance(span).await;
        let answer = app.call("DescribeSnapshots", &params).await;
        assert_eq!(answer.status == 403, disturbed, "{span}: {}", answer.text);
    }
    app.ok("DescribeSnapshots", &[("RegionId", "cn-hangzhou")]).await;
}

#[tokio::test]
async fn rules_are_listed_taken_away_and_used_up() {
    let app = TestApp::new().await;
    let first = app.rule(r#"{"effect": {"error": "Throttling"}, "max_hits": 1}"#).await;
    let second = app.rule(r#"{"effect": {"error": "Operation.Conflict"}}"#).await;
    app.refused("DescribeRegions", &[], 400, "Throttling").await;
    app.refused("DescribeRegions", &[], 403, "Operation.Conflict").await;
    let (_, listed) = app.lever("GET", "/faults", "").await;
    assert_eq!(
        (&listed[0]["id"], &listed[0]["is_spent"], &listed[1]["id"]),
        (&json!(first), &json!(true), &json!(second))
    );
    assert_eq!(app.lever("DELETE", &format!("/faults/{second}"), "").await.0, 200);
    assert_eq!(app.lever("DELETE", &format!("/faults/{second}"), "").await.0, 404);
    assert_eq!(app.lever("GET", &format!("/faults/{second}"), "").await.0, 404);
    app.ok("DescribeRegions", &[]).await;
    assert_eq!(app.lever("DELETE", "/faults", "").await, (200, json!({"removed": 1})));
    assert_eq!(app.lever("GET", "/faults", "").await.1, json!([]));
}

#[tokio::test]
async fn a_rule_that_could_never_do_what_it_says_is_refused_in_words() {
    let app = TestApp::new().await;
    for (body, word) in [
        ("{}", "effect"),
        (r#"{"effect": {}}"#, "effect"),
        (r#"{"effect": {"error": "NoSuchCode"}}"#, "NoSuchCode"),
        (r#"{"effect": {"error": "SnapshotCreatedImage"}}"#, "SnapshotCreatedImage"),
        (r#"{"action": "DescribeDisks", "effect": {"error": "SnapshotCreatedImage"}}"#, "SnapshotCreatedImage"),
        (r#"{"action": "NoSuchAction", "effect": {"latency_ms": 1}}"#, "NoSuchAction"),
        (r#"{"effect": {"error": "Throttling", "drop": "after"}}"#, "drop"),
        (r#"{"effect": {"error": "Throttling", "ends": "never"}}"#, "ends"),
        (r#"{"action": "CreateDisk", "effect": {"ends": "failed"}}"#, "failed"),
        (r#"{"effect": {"drop": "sometimes"}}"#, "sometimes"),
        (r#"{"effect": {"latency_ms": 1}, "when": {"nth": 0}}"#, "nth"),
        (r#"{"effect": {"latency_ms": 1}, "when": {"probability": 1.5}}"#, "probability"),
        (r#"{"effect": {"latency_ms": 1}, "when": {"progress": {"from": 2, "to": 1}}}"#, "progress"),
        (r#"{"effect": {"ends": "never"}, "when": {"progress": {"from": 1, "to": 2}}}"#, "progress"),
        (r#"{"effect": {"latency_ms": 1}, "expires_ms": 0}"#, "expires_ms"),
        (r#"{"effect": {"latency_ms": 1}, "colour": "red"}"#, "colour"),
    ] {
        let (status, problem) = app.lever("POST", "/faults", body).await;
        let text = problem["error"].as_str().unwrap_or_default();
        assert!(status == 400 && text.contains(word), "{body}: {status} {problem}");
    }
    assert_eq!(app.lever("GET", "/faults", "").await.1, json!([]));
}

#[tokio::test]
async fn latency_delays_a_call_and_changes_nothing_else() {
    let app = TestApp::new().await;
    app.rule(r#"{"action": "DescribeRegions", "effect": {"latency_ms": 40}}"#).await;
    let begun = std::time::Instant::now();
    app.ok("DescribeRegions", &[]).await;
    assert!(begun.elapsed().as_millis() >= 40);
}

#[test]
fn a_dropped_connection_has_no_answer_and_only_after_the_commit_an_effect() {
    let folder = tempfile::tempdir().expect("a folder");
    furnish(folder.path(), &["d-bp100000000000000001".to_owned()]);
    let daemon = Daemon::start(folder.path(), &[]);
    let mut connection = daemon.connect();
    let count = || {
        let reply = daemon.connect().call("DescribeSnapshots", &[("RegionId", "cn-hangzhou")]).expect("an answer");
        reply.body()["TotalCount"].as_i64().expect("a total")
    };
    for (drop, made) in [("before", 0), ("after", 1)] {
        let body = format!(r#"{{"action": "CreateSnapshot", "effect": {{"drop": "{drop}"}}, "max_hits": 1}}"#);
        assert_eq!(connection.lever("POST", "/faults", &body).expect("an answer").status, 201);
        let params = [("DiskId", "d-bp100000000000000001"), ("ClientToken", "the-token")];
        let lost = daemon.connect().call("CreateSnapshot", &params);
        assert!(lost.is_none(), "{lost:?}");
        assert_eq!(count(), made, "{drop}");
        if made == 1 {
            let again = daemon.connect().call("CreateSnapshot", &params).expect("an answer");
            assert_eq!((again.status, count()), (200, 1), "the token answers what was lost");
        }
    }
    let requests = connection.lever("GET", "/requests?action=CreateSnapshot", "").expect("an answer").body();
    let drops: Vec<_> = requests.as_array().expect("a list").iter().map(|request| request["drop"].clone()).collect();
    assert_eq!(drops, [json!("before"), json!("after"), json!(null)]);
}
