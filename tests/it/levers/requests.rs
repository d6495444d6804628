//! The log of requests.

use serde_json::{Value, json};

use crate::support::request::Request;
use crate::support::{OTHER_KEY, TestApp};

async fn listed(app: &TestApp, query: &str) -> Vec<Value> {
    let (status, body) = app.lever("GET", &format!("/requests{query}"), "").await;
    assert_eq!(status, 200, "{body}");
    body.as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_request_is_remembered_with_its_answer_and_without_secrets() {
    let app = TestApp::new().await;
    let key = Request::new("DescribeRegions", &[]).key(("stsid", "stssecret")).set("SecurityToken", "ststoken");
    app.send(key).await.accepted();
    let refused = app.refused("DeleteSnapshot", &[("SnapshotId", "s-none")], 404, "InvalidSnapshotId.NotFound").await;
    app.send(Request::new("DescribeRegions", &[]).signature("wrong")).await.refused(400, "SignatureDoesNotMatch");
    let all = listed(&app, "").await;
    assert_eq!(all.len(), 3);
    assert_eq!((&all[0]["status"], &all[0]["access_key_id"]), (&json!(200), &json!("stsid")));
    assert_eq!((&all[1]["code"], &all[1]["number"]), (&json!("InvalidSnapshotId.NotFound"), &json!(2)));
    assert_eq!(all[1]["request_id"], refused.body["RequestId"]);
    assert_eq!(all[1]["parameters"]["SnapshotId"], "s-none");
    assert_eq!((&all[1]["account"], &all[1]["time"]), (&json!("1000000000000001"), &json!("2026-01-01T00:00:00.000Z")));
    assert!(all[1]["duration_us"].as_u64().is_some_and(|span| span > 0));
    assert_eq!((&all[2]["account"], &all[2]["access_key_id"]), (&json!(""), &json!("testid")), "claimed, not proven");
    let text = Value::from(all).to_string();
    assert!(!text.contains("ststoken") && !text.contains("\"Signature\"") && !text.contains("wrong"), "{text}");
}

#[tokio::test]
async fn requests_are_found_by_what_they_are() {
    let app = TestApp::new().await;
    app.ok("DescribeRegions", &[]).await;
    app.refused("DeleteSnapshot", &[("SnapshotId", "s-none")], 404, "InvalidSnapshotId.NotFound").await;
    app.call_as(OTHER_KEY, "DescribeRegions", &[]).await.accepted();
    for (query, numbers) in [
        ("?action=DescribeRegions", vec![1, 3]),
        ("?code=InvalidSnapshotId.NotFound", vec![2]),
        ("?code=", vec![1, 3]),
        ("?account=1000000000000002", vec![3]),
        ("?since=2026-01-01T00:00:00Z", vec![1, 2, 3]),
        ("?since=2026-01-01T00:00:01Z", vec![]),
        ("?after=1", vec![2, 3]),
        ("?limit=1&action=DescribeRegions", vec![3]),
    ] {
        let found = listed(&app, query).await;
        let found: Vec<_> = found.iter().map(|request| request["number"].as_i64().expect("a number")).collect();
        assert_eq!(found, numbers, "{query}");
    }
    for query in ["?since=yesterday", "?colour=red", "?limit=many"] {
        assert_eq!(app.lever("GET", &format!("/requests{query}"), "").await.0, 400, "{query}");
    }
    assert_eq!(app.lever("DELETE", "/requests", "").await, (200, json!({"removed": 3})));
    assert_eq!(listed(&app, "").await.len(), 0);
}

#[tokio::test]
async fn the_oldest_make_room_and_none_is_remembered_where_that_is_off() {
    let app = TestApp::with(|config| config.admin.requests = 2).await;
    for _ in 0..3 {
        app.ok("DescribeRegions", &[]).await;
    }
    assert_eq!(listed(&app, "").await[0]["number"], 2);
    let app = TestApp::with(|config| config.admin.requests = 0).await;
    app.ok("DescribeRegions", &[]).await;
    assert_eq!(listed(&app, "").await.len(), 0);
}

#[tokio::test]
async fn a_disturbed_request_names_the_rule() {
    let app = TestApp::new().await;
    let rule = app.rule(r#"{"effect": {"error": "Throttling"}}"#).await;
    app.refused("DescribeRegions", &[], 400, "Throttling").await;
    let request = listed(&app, "").await.remove(0);
    assert_eq!(
        (&request["rules"], &request["code"], &request["drop"]),
        (&json!([rule]), &json!("Throttling"), &json!(null))
    );
}
