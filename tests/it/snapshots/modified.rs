//! `ModifySnapshotAttribute`: name, description and days of retention, which only grow.

use crate::support::answer::text;
use crate::support::{OTHER_KEY, OTHER_REGION, TestApp};

const MODIFY: &str = "ModifySnapshotAttribute";

#[tokio::test]
async fn name_description_and_retention_change_alone_or_together() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    app.advance("1h").await;
    app.ok(MODIFY, &[("SnapshotId", &id), ("SnapshotName", "renamed")]).await;
    let shown = app.described(&id).await;
    assert_eq!((text(&shown, "/SnapshotName"), text(&shown, "/Description")), ("renamed".into(), String::new()));
    assert_eq!(text(&shown, "/LastModifiedTime"), "2026-01-01T01:00:02Z");
    app.ok(MODIFY, &[("SnapshotId", &id), ("Description", "alone")]).await;
    let shown = app.described(&id).await;
    assert_eq!((text(&shown, "/SnapshotName"), text(&shown, "/Description")), ("renamed".into(), "alone".into()));
    let all = [("SnapshotId", id.as_str()), ("SnapshotName", "again"), ("Description", "text"), ("RetentionDays", "5")];
    app.ok(MODIFY, &all).await;
    app.ok(MODIFY, &all).await;
    let shown = app.described(&id).await;
    assert_eq!((text(&shown, "/SnapshotName"), text(&shown, "/Description")), ("again".into(), "text".into()));
    assert_eq!(shown["RetentionDays"], serde_json::Value::from(5));
}

#[tokio::test]
async fn days_of_retention_only_grow() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let params = [("DiskId", disk.as_str()), ("RetentionDays", "10")];
    let id = text(&app.ok("CreateSnapshot", &params).await, "/SnapshotId");
    app.advance("2s").await;
    let to = |days| [("SnapshotId", id.clone()), ("RetentionDays", days)];
    for (days, code) in
        [("9", "InvalidOperation.DecreaseRetentionDaysUnsupported"), ("0", "InvalidRetentionDays.Malformed")]
    {
        let params = to(days.to_owned());
        let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        app.refused(MODIFY, &params, 400, code).await;
    }
    app.ok(MODIFY, &[("SnapshotId", &id), ("RetentionDays", "10")]).await;
    app.ok(MODIFY, &[("SnapshotId", &id), ("RetentionDays", "11")]).await;
}

#[tokio::test]
async fn what_cannot_be_modified_is_refused() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.accomplished_snapshot(&disk).await;
    let name = ("SnapshotName", "renamed");
    let before = app.dump().await;
    app.refused(MODIFY, &[name], 400, "MissingParameter").await;
    app.refused(MODIFY, &[("SnapshotId", &id)], 400, "NoAttributeToModify").await;
    app.refused(MODIFY, &[("SnapshotId", &id), ("SnapshotName", "a")], 400, "InvalidSnapshotName.Malformed").await;
    app.refused(MODIFY, &[("SnapshotId", &id), ("Description", "a")], 404, "InvalidDescription.Malformed").await;
    let access = [("SnapshotId", id.as_str()), ("DisableInstantAccess", "false")];
    app.refused(MODIFY, &access, 404, "InvalidSnapshotDisableInstantAccess.Malformed").await;
    app.refused(MODIFY, &[("SnapshotId", "s-none"), name], 404, "InvalidSnapshotId.NotFound").await;
    let elsewhere = [("SnapshotId", id.as_str()), ("RegionId", OTHER_REGION), name];
    app.refused(MODIFY, &elsewhere, 404, "InvalidSnapshotId.NotFound").await;
    app.call_as(OTHER_KEY, MODIFY, &[("SnapshotId", &id), name]).await.refused(404, "InvalidSnapshotId.NotFound");
    assert_eq!(app.dump().await, before);
    let unfinished = app.snapshot(&disk).await;
    app.refused(MODIFY, &[("SnapshotId", &unfinished), name], 400, "InvalidSnapshotId.NotReady").await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{id}', 'operator:test', 'shared', 0)")).await;
    app.refused(MODIFY, &[("SnapshotId", &id), name], 403, "Operation.Conflict").await;
}

#[tokio::test]
async fn instant_access_can_be_switched_off_once_and_again() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let params = [("DiskId", disk.as_str()), ("InstantAccess", "true"), ("InstantAccessRetentionDays", "3")];
    let id = text(&app.ok("CreateSnapshot", &params).await, "/SnapshotId");
    app.advance("2s").await;
    assert_eq!(app.described(&id).await["InstantAccess"], serde_json::Value::from(true));
    for _ in 0..2 {
        app.ok(MODIFY, &[("SnapshotId", &id), ("DisableInstantAccess", "true")]).await;
        assert_eq!(app.described(&id).await["InstantAccess"], serde_json::Value::from(false));
    }
}
