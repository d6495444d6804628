//! Row locks held from outside.

use serde_json::json;
use snapshotd::store::row_locks::RowLocks;

use crate::support::{ACCOUNT, TestApp};

#[tokio::test]
async fn a_held_snapshot_is_in_conflict_until_it_is_released() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let (status, lock) = app.lever("POST", "/locks", &format!(r#"{{"resource": "{id}", "name": "bench"}}"#)).await;
    assert_eq!((status, &lock["name"], &lock["mode"]), (201, &json!("bench"), &json!("exclusive")), "{lock}");
    let before = app.dump().await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &id)], 403, "Operation.Conflict").await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &id), ("Force", "true")], 403, "Operation.Conflict").await;
    assert_eq!(app.dump().await, before);
    let (_, locks) = app.lever("GET", "/locks", "").await;
    assert_eq!(locks["stored"][0]["resource"], json!(id));
    assert_eq!(app.lever("DELETE", "/locks/bench", "").await, (200, json!({"removed": 1})));
    app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
}

#[tokio::test]
async fn a_shared_lock_lets_others_make_something_from_it() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let params = [("ZoneId", "cn-hangzhou-h"), ("SnapshotId", id.as_str()), ("DiskCategory", "cloud_essd")];
    for (mode, status) in [("exclusive", 403), ("shared", 200)] {
        let body = format!(r#"{{"resource": "{id}", "mode": "{mode}"}}"#);
        assert_eq!(app.lever("POST", "/locks", &body).await.0, 201);
        assert_eq!(app.call("CreateDisk", &params).await.status, status, "{mode}");
        app.refused("DeleteSnapshot", &[("SnapshotId", &id), ("Force", "true")], 403, "Operation.Conflict").await;
        app.lever("DELETE", "/locks", "").await;
    }
}

#[tokio::test]
async fn a_lock_survives_a_restart_and_ends_at_its_time() {
    let mut app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let body = format!(r#"{{"resource": "{disk}", "name": "bench", "expires_ms": 60000}}"#);
    assert_eq!(app.lever("POST", "/locks", &body).await.1["expires_at"], "2026-01-01T00:01:00Z");
    app.restart().await;
    app.refused("CreateSnapshot", &[("DiskId", &disk)], 403, "Operation.Conflict").await;
    app.advance("59s").await;
    app.refused("CreateSnapshot", &[("DiskId", &disk)], 403, "Operation.Conflict").await;
    app.advance("1s").await;
    app.ok("CreateSnapshot", &[("DiskId", &disk)]).await;
    assert_eq!(app.lever("DELETE", "/locks/bench", "").await.0, 404);
}

#[tokio::test]
async fn who_holds_what_is_listed_calls_in_flight_and_what_is_under_way_included() {
    let app = TestApp::with(|config| config.lifecycle.disk_ms = 5_000).await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    app.ok("CreateDisk", &[("ZoneId", "cn-hangzhou-h"), ("SnapshotId", &id), ("DiskCategory", "cloud_essd")]).await;
    let guard = app.app().store.hold(ACCOUNT, &RowLocks::exclusive(&id)).await.expect("free");
    let (_, locks) = app.lever("GET", "/locks", "").await;
    assert_eq!(locks["in_flight"], json!([{"account": ACCOUNT, "resource": id, "mode": "exclusive"}]));
    assert!(locks["stored"][0]["holder"].as_str().is_some_and(|holder| holder.starts_with("d-")), "{locks}");
    let (status, problem) = app.lever("POST", "/locks", &format!(r#"{{"resource": "{id}"}}"#)).await;
    assert_eq!((status, &problem["error"]), (409, &json!("Operation.Conflict")), "a call has it");
    drop(guard);
    let (status, problem) = app.lever("POST", "/locks", &format!(r#"{{"resource": "{id}"}}"#)).await;
    assert!(status == 409 && problem["error"].as_str().is_some_and(|text| text.contains("d-")), "{problem}");
    assert_eq!(app.lever("POST", "/locks", &format!(r#"{{"resource": "{id}", "mode": "shared"}}"#)).await.0, 201);
    app.lever("DELETE", "/locks", "").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM row_locks").await, 1, "that of the disk is none of an operator");
}

#[tokio::test]
async fn what_cannot_be_held_is_refused() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let other = format!(r#"{{"resource": "{disk}", "account": "1000000000000002"}}"#);
    for (body, status) in [
        (r#"{"resource": "s-unknown"}"#.to_owned(), 404),
        (other, 404),
        (format!(r#"{{"resource": "{disk}", "name": "a/b"}}"#), 400),
        (format!(r#"{{"resource": "{disk}", "name": ""}}"#), 400),
        (format!(r#"{{"resource": "{disk}", "mode": "strict"}}"#), 400),
        (format!(r#"{{"resource": "{disk}", "expires_ms": 0}}"#), 400),
    ] {
        assert_eq!(app.lever("POST", "/locks", &body).await.0, status, "{body}");
    }
    let body = format!(r#"{{"resource": "{disk}", "name": "n", "mode": "shared"}}"#);
    assert_eq!((app.lever("POST", "/locks", &body).await.0, app.lever("POST", "/locks", &body).await.0), (201, 409));
    app.lever("DELETE", "/locks", "").await;
}
