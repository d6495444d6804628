//! `DeleteSnapshot`: every line of its page, to the letter.

use serde_json::Value;

use crate::support::answer::text;
use crate::support::request::Request;
use crate::support::{ACCOUNT, OTHER_ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};
use snapshotd::config::Unknown;

const DELETE: &str = "DeleteSnapshot";

/// Refuses the call and shows that nothing changed by it.
async fn refused_without_a_trace(app: &TestApp, params: &[(&str, &str)], status: u16, code: &str, message: &str) {
    let before = app.dump().await;
    let answer = app.refused(DELETE, params, status, code).await;
    assert_eq!(answer.message(), message);
    let xml = app.xml(DELETE, params).await.refused(status, code);
    assert_eq!(xml.message(), message);
    assert_eq!(app.dump().await, before, "a refused call changed something");
}

#[tokio::test]
async fn an_accomplished_snapshot_is_deleted_at_once() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let (gone, kept) = (app.accomplished_snapshot(&disk).await, app.accomplished_snapshot(&disk).await);
    let body = app.ok(DELETE, &[("SnapshotId", &gone)]).await;
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "nothing but the RequestId: {body}");
    assert_eq!(app.described(&gone).await, Value::Null);
    assert_eq!(text(&app.described(&kept).await, "/SnapshotId"), kept);
    assert_eq!(app.count("SELECT COUNT(*) FROM tombstones").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM timers").await, 0);
}

#[tokio::test]
async fn a_missing_id_is_a_missing_parameter() {
    let app = TestApp::new().await;
    let message = "The input parameter SnapshotId that is mandatory for processing this request is not supplied.";
    refused_without_a_trace(&app, &[], 400, "MissingParameter", message).await;
    refused_without_a_trace(&app, &[("SnapshotId", "")], 400, "MissingParameter", message).await;
    refused_without_a_trace(&app, &[("Force", "maybe")], 400, "MissingParameter", message).await;
}

#[tokio::test]
async fn a_force_that_is_no_boolean_is_refused() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let message = "The specified parameter \"Force\" is not valid.";
    refused_without_a_trace(&app, &[("SnapshotId", &id), ("Force", "yes")], 400, "InvalidParameter", message).await;
}

const NOT_FOUND: &str = "The specified snapshot is not found";

#[tokio::test]
async fn an_id_that_never_existed_is_not_found() {
    let app = TestApp::new().await;
    for id in ["s-bp1neverwasthere0000", "x", "s-", "d-bp1disk", "快照", "s-1' OR '1'='1"] {
        refused_without_a_trace(&app, &[("SnapshotId", id)], 404, "InvalidSnapshotId.NotFound", NOT_FOUND).await;
    }
}

#[tokio::test]
async fn an_id_that_is_gone_is_ignored() {
    let mut app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    app.ok(DELETE, &[("SnapshotId", &id)]).await;
    let before = app.dump().await;
    for params in [vec![("SnapshotId", id.as_str())], vec![("SnapshotId", &id), ("Force", "true")]] {
        app.ok(DELETE, &params).await;
    }
    app.ok(DELETE, &[("SnapshotId", &id), ("RegionId", REGION)]).await;
    let mut after = app.dump().await;
    assert_eq!(after, before, "an ignored call changed something");
    app.restart().await;
    app.advance("400d").await;
    app.ok(DELETE, &[("SnapshotId", &id)]).await;
    after = app.resources().await;
    assert_eq!(after["tombstones"].len(), 1);
}

#[tokio::test]
async fn unknown_ids_are_all_ignored_where_it_is_so_configured() {
    let app = TestApp::with(|config| config.fidelity.unknown_snapshot = Unknown::Ignore).await;
    let before = app.dump().await;
    app.ok(DELETE, &[("SnapshotId", "s-bp1neverwasthere0000")]).await;
    app.ok(DELETE, &[("SnapshotId", "s-bp1neverwasthere0000"), ("RegionId", OTHER_REGION)]).await;
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn ids_that_are_gone_are_not_found_where_it_is_so_configured() {
    let app = TestApp::with(|config| config.fidelity.unknown_snapshot = Unknown::NotFound).await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    app.ok(DELETE, &[("SnapshotId", &id)]).await;
    refused_without_a_trace(&app, &[("SnapshotId", &id)], 404, "InvalidSnapshotId.NotFound", NOT_FOUND).await;
}

#[tokio::test]
async fn another_accounts_snapshot_is_not_found_alive_and_gone() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let before = app.dump().await;
    for force in ["false", "true"] {
        let params = [("SnapshotId", id.as_str()), ("Force", force)];
        let answer = app.call_as(OTHER_KEY, DELETE, &params).await.refused(404, "InvalidSnapshotId.NotFound");
        assert_eq!(answer.message(), NOT_FOUND);
    }
    assert_eq!(app.dump().await, before);
    app.ok(DELETE, &[("SnapshotId", &id)]).await;
    app.call_as(OTHER_KEY, DELETE, &[("SnapshotId", &id)]).await.refused(404, "InvalidSnapshotId.NotFound");
}

#[tokio::test]
async fn a_snapshot_is_found_in_any_region_unless_another_is_named() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.disk_in(OTHER_REGION).await).await;
    let elsewhere = [("SnapshotId", id.as_str()), ("RegionId", REGION)];
    refused_without_a_trace(&app, &elsewhere, 404, "InvalidSnapshotId.NotFound", NOT_FOUND).await;
    app.ok(DELETE, &[("SnapshotId", &id)]).await;
    refused_without_a_trace(&app, &elsewhere, 404, "InvalidSnapshotId.NotFound", NOT_FOUND).await;
    app.ok(DELETE, &[("SnapshotId", &id), ("RegionId", OTHER_REGION)]).await;
}

#[tokio::test]
async fn a_region_that_does_not_exist_is_refused() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let params = [("SnapshotId", id.as_str()), ("RegionId", "cn-atlantis")];
    let message = "The specified RegionId does not exist.";
    refused_without_a_trace(&app, &params, 404, "InvalidRegionId.NotFound", message).await;
}

#[tokio::test]
async fn a_snapshot_that_an_image_uses_is_kept_even_with_force() {
    const MESSAGE: &str = "The snapshot has been used to create user defined image(s).";
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    for status in ["Creating", "Waiting", "Available", "UnAvailable", "CreateFailed", "Deprecated"] {
        let id = app.accomplished_snapshot(&disk).await;
        app.image_from(&id, status, ACCOUNT).await;
        for force in ["false", "true", "True"] {
            let params = [("SnapshotId", id.as_str()), ("Force", force)];
            refused_without_a_trace(&app, &params, 403, "SnapshotCreatedImage", MESSAGE).await;
        }
        assert_eq!(text(&app.described(&id).await, "/Usage"), "image");
    }
    let shared = app.accomplished_snapshot(&disk).await;
    app.image_from(&shared, "Available", OTHER_ACCOUNT).await;
    refused_without_a_trace(&app, &[("SnapshotId", &shared)], 403, "SnapshotCreatedImage", MESSAGE).await;
}

#[tokio::test]
async fn an_image_is_reported_before_a_disk() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    app.image_from(&id, "Available", ACCOUNT).await;
    app.disk_from(&id).await;
    assert_eq!(text(&app.described(&id).await, "/Usage"), "image_disk");
    app.refused(DELETE, &[("SnapshotId", &id)], 403, "SnapshotCreatedImage").await;
    app.refused(DELETE, &[("SnapshotId", &id), ("Force", "true")], 403, "SnapshotCreatedImage").await;
}

#[tokio::test]
async fn a_snapshot_that_a_disk_was_made_from_goes_only_with_force_and_the_disk_lives_on() {
    const MESSAGE: &str = "The snapshot has been used to create disk(s).";
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let disk = app.disk_from(&id).await;
    assert_eq!(text(&app.described(&id).await, "/Usage"), "disk");
    refused_without_a_trace(&app, &[("SnapshotId", &id)], 403, "SnapshotCreatedDisk", MESSAGE).await;
    let plain = [("SnapshotId", id.as_str()), ("Force", "false")];
    refused_without_a_trace(&app, &plain, 403, "SnapshotCreatedDisk", MESSAGE).await;
    let before = app.dump().await;
    app.ok(DELETE, &[("SnapshotId", &id), ("Force", "true")]).await;
    let after = app.dump().await;
    assert_eq!(after["disks"], before["disks"], "the disk is as it was, its source still named");
    assert!(after["disk_snapshot_references"].is_empty());
    assert!(after["disks"].iter().any(|row| row.contains(&disk) && row.contains(&id)));
}

#[tokio::test]
async fn a_snapshot_in_the_making_is_cancelled() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.snapshot(&disk).await;
    app.advance("1s").await;
    assert_eq!(text(&app.described(&id).await, "/Status"), "progressing");
    app.ok(DELETE, &[("SnapshotId", &id)]).await;
    app.advance("1h").await;
    assert_eq!(app.described(&id).await, Value::Null);
    let names = app.count("SELECT COUNT(*) FROM events WHERE name = 'Snapshot:CreateSnapshotCompleted'").await;
    assert_eq!(names, 0, "it was never accomplished");
}

#[tokio::test]
async fn a_snapshot_that_a_task_or_an_operator_holds_is_in_conflict() {
    const MESSAGE: &str = "The operation may conflicts with others, please retry later.";
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    for mode in ["shared", "exclusive"] {
        app.sql(&format!("INSERT INTO row_locks VALUES ('{id}', 'operator:test', '{mode}', 0)")).await;
        for force in ["false", "true"] {
            let params = [("SnapshotId", id.as_str()), ("Force", force)];
            refused_without_a_trace(&app, &params, 403, "Operation.Conflict", MESSAGE).await;
        }
        app.sql("DELETE FROM row_locks").await;
    }
    app.image_from(&id, "Available", ACCOUNT).await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{id}', 'operator:test', 'shared', 0)")).await;
    app.refused(DELETE, &[("SnapshotId", &id)], 403, "Operation.Conflict").await;
}

#[tokio::test]
async fn a_store_that_fails_is_an_internal_error_without_detail() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    app.app().store.stop_after_commits(0);
    app.expect_breakage(true);
    let message = "The request processing has failed due to some unknown error.";
    refused_without_a_trace(&app, &[("SnapshotId", &id)], 500, "InternalError", message).await;
    let answer = app.call(DELETE, &[("SnapshotId", &id)]).await.refused(500, "InternalError");
    for detail in ["commit", "sqlite", "database", "stopped", "src/"] {
        assert!(!answer.text.contains(detail), "{}", answer.text);
    }
    app.app().store.stop_after_commits(u64::MAX);
    app.expect_breakage(false);
    app.ok(DELETE, &[("SnapshotId", &id)]).await;
}

#[tokio::test]
async fn either_case_of_the_first_letter_and_either_signature_deletes() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    for request in [
        |id: &str| Request::new(DELETE, &[("snapshotId", id), ("force", "TRUE")]),
        |id: &str| Request::new(DELETE, &[("SnapshotId", id)]).v3(),
    ] {
        let id = app.accomplished_snapshot(&disk).await;
        app.send(request(&id)).await.accepted();
        assert_eq!(app.described(&id).await, Value::Null);
    }
}
