//! Reads that trail the writes.

use serde_json::json;

use crate::support::{OTHER_KEY, TestApp};

const REGION: [(&str, &str); 1] = [("RegionId", "cn-hangzhou")];

async fn total(app: &TestApp) -> i64 {
    app.ok("DescribeSnapshots", &REGION).await["TotalCount"].as_i64().expect("a total")
}

#[tokio::test]
async fn a_write_is_seen_when_the_lag_has_passed_and_not_before() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let (status, settings) = app.lever("POST", "/lag", r#"{"ms": 5000, "action": "DescribeSnapshots"}"#).await;
    assert!(status == 200 && settings["warning"].as_str().is_some_and(|text| text.contains("log")), "{settings}");
    app.advance("10s").await;
    app.snapshot(&disk).await;
    assert_eq!(total(&app).await, 0);
    app.advance("1s").await;
    app.snapshot(&disk).await;
    app.advance("3s").await;
    assert_eq!(total(&app).await, 0);
    app.advance("1s").await;
    assert_eq!(total(&app).await, 1, "the first one, five seconds old");
    let body = app.ok("DescribeSnapshots", &REGION).await;
    assert_eq!(body["Snapshots"]["Snapshot"][0]["Status"], "progressing", "as it was then");
    app.advance("1s").await;
    assert_eq!(total(&app).await, 2);
    app.lever("DELETE", "/lag", "").await;
    app.snapshot(&disk).await;
    assert_eq!(total(&app).await, 3);
}

#[tokio::test]
async fn writes_are_decided_by_the_present_and_other_reads_show_it() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.accomplished_snapshot(&disk).await;
    app.lever("POST", "/lag", r#"{"ms": 60000, "account": "1000000000000001", "action": "DescribeSnapshots"}"#).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
    app.refused("CreateDisk", &[("ZoneId", "cn-hangzhou-h"), ("SnapshotId", &id)], 404, "InvalidSnapshotId.NotFound")
        .await;
    assert_eq!(total(&app).await, 1, "deleted, and still shown");
    let links = app.ok("DescribeSnapshotLinks", &REGION).await;
    assert_eq!(links["TotalCount"], 0);
    let others = app.call_as(OTHER_KEY, "DescribeSnapshots", &REGION).await.accepted();
    assert_eq!(others["TotalCount"], 0);
    app.advance("60s").await;
    assert_eq!(total(&app).await, 0);
}

#[tokio::test]
async fn of_writes_that_follow_each_other_closely_none_is_hidden_for_longer_than_the_lag() {
    let app = TestApp::new().await;
    app.lever("POST", "/lag", r#"{"ms": 16000}"#).await;
    let mut made = Vec::new();
    for _ in 0..40 {
        let disk = app.attached_disk().await;
        app.snapshot(&disk).await;
        made.push(app.now());
        app.advance("1s").await;
        let seen = usize::try_from(total(&app).await).expect("a number");
        let least = made.iter().filter(|at| app.now().since(**at) >= 16_000).count();
        assert!((least..=made.len()).contains(&seen), "{least} ≤ {seen} ≤ {}", made.len());
        assert!(seen + 13 >= made.len().min(13) && seen <= least + 2, "close to the lag: {seen}, {least}");
    }
}

#[tokio::test]
async fn settings_are_replaced_ended_and_bounded() {
    let app = TestApp::new().await;
    app.lever("POST", "/lag", r#"{"ms": 5000}"#).await;
    app.lever("POST", "/lag", r#"{"ms": 6000, "action": "DescribeDisks"}"#).await;
    let (_, settings) = app.lever("POST", "/lag", r#"{"ms": 7000}"#).await;
    assert_eq!(settings["lags"].as_array().map(Vec::len), Some(2));
    let (_, settings) = app.lever("POST", "/lag", r#"{"ms": 0}"#).await;
    assert_eq!(settings["lags"], json!([{"account": null, "action": "DescribeDisks", "ms": 6000}]));
    for (body, word) in [
        (r#"{"ms": 60001}"#, "60000"),
        (r#"{"ms": -1}"#, "60000"),
        (r#"{"ms": 1, "action": "DeleteSnapshot"}"#, "DeleteSnapshot"),
        ("{}", "ms"),
    ] {
        let (status, problem) = app.lever("POST", "/lag", body).await;
        assert!(status == 400 && problem["error"].as_str().is_some_and(|text| text.contains(word)), "{problem}");
    }
    assert_eq!(app.lever("DELETE", "/lag", "").await, (200, json!({"removed": 1})));
    assert_eq!(app.lever("GET", "/lag", "").await.1, json!({"lags": []}));
}
