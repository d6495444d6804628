//! `DeleteSnapshotGroup`: the snapshots go with it, but for those that something was made from.

use serde_json::Value;

use super::{CREATE, HERE, group_of, instance_with_disks, members, shown};
use crate::support::answer::{column, text};
use crate::support::{ACCOUNT, OTHER_ACCOUNT, OTHER_KEY, OTHER_REGION, TestApp};
use snapshotd::config::Unknown;
use snapshotd::store::row_locks::RowLocks;

const DELETE: &str = "DeleteSnapshotGroup";
const SET: &str = "/OperationProgressSet/OperationProgress";

/// A group of two accomplished snapshots.
async fn accomplished(app: &TestApp) -> (String, Vec<String>) {
    let (instance, ..) = instance_with_disks(app).await;
    let group = text(&app.ok(CREATE, &[("InstanceId", &instance), ("Tag.1.Key", "k")]).await, "/SnapshotGroupId");
    app.advance("2s").await;
    let members = members(app, &group).await;
    (group, members)
}

#[tokio::test]
async fn the_snapshots_go_with_the_group() {
    let app = TestApp::new().await;
    let (group, snapshots) = accomplished(&app).await;
    let body = app.ok(DELETE, &[HERE, ("SnapshotGroupId", &group)]).await;
    assert_eq!(column(&body, SET, "OperationStatus"), ["Success", "Success"]);
    assert_eq!(
        body.pointer(&format!("{SET}/0/RelatedItemSet/RelatedItem/0/Value")),
        Some(&snapshots[0].as_str().into())
    );
    assert_eq!(shown(&app, &group).await, Value::Null);
    for table in ["snapshots", "snapshot_group_members", "tags", "timers"] {
        assert!(app.dump().await[table].is_empty(), "{table}");
    }
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshots[0])]).await;
    app.refused(DELETE, &[("SnapshotGroupId", &group)], 404, "InvalidSnapshotGroup.NotFound").await;
}

#[tokio::test]
async fn a_group_that_is_being_made_is_cancelled() {
    let app = TestApp::new().await;
    let group = group_of(&app, &[&app.attached_disk().await]).await;
    app.ok(DELETE, &[("SnapshotGroupId", &group)]).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots").await, 0);
    app.advance("5s").await;
}

#[tokio::test]
async fn a_snapshot_that_an_image_or_a_disk_was_made_from_stays_and_stands_alone() {
    let app = TestApp::new().await;
    for is_image in [true, false] {
        let (group, snapshots) = accomplished(&app).await;
        let code = if is_image {
            app.image_from(&snapshots[0], "Available", OTHER_ACCOUNT).await;
            "SnapshotCreatedImage"
        } else {
            app.disk_from(&snapshots[0]).await;
            "SnapshotCreatedDisk"
        };
        let body = app.ok(DELETE, &[("SnapshotGroupId", &group)]).await;
        assert_eq!(column(&body, SET, "OperationStatus"), ["Failed", "Success"]);
        assert_eq!(column(&body, SET, "ErrorCode"), [code, ""]);
        let alone = app.refused("DeleteSnapshot", &[("SnapshotId", &snapshots[0])], 403, code).await;
        assert_eq!(column(&body, SET, "ErrorMsg"), [alone.message(), ""]);
        assert_eq!(shown(&app, &group).await, Value::Null);
        assert_eq!(text(&app.described(&snapshots[0]).await, "/Description"), format!("Created_from_{group}"));
        assert_eq!(app.described(&snapshots[1]).await, Value::Null);
    }
}

#[tokio::test]
async fn a_group_none_of_whose_snapshots_may_go_is_kept() {
    let app = TestApp::new().await;
    let (group, snapshots) = accomplished(&app).await;
    let of = [("SnapshotGroupId", group.as_str())];
    for snapshot in &snapshots {
        app.disk_from(snapshot).await;
    }
    let before = app.dump().await;
    app.refused(DELETE, &of, 403, "SnapshotCreatedDisk").await;
    assert_eq!(app.dump().await, before);
    for snapshot in &snapshots {
        app.image_from(snapshot, "Available", ACCOUNT).await;
    }
    app.refused(DELETE, &of, 403, "SnapshotCreatedImage").await;
    assert_eq!(members(&app, &group).await, snapshots);
}

#[tokio::test]
async fn a_snapshot_that_is_held_keeps_the_whole_group() {
    let app = TestApp::new().await;
    let (group, snapshots) = accomplished(&app).await;
    let of = [("SnapshotGroupId", group.as_str())];
    for held in [&group, &snapshots[1]] {
        let guard = app.app().store.hold(ACCOUNT, &RowLocks::shared(held)).await.expect("free");
        app.refused(DELETE, &of, 403, "Operation.Conflict").await;
        drop(guard);
    }
    app.sql(&format!("INSERT INTO row_locks VALUES ('{}', 'operator:test', 'shared', 0)", snapshots[1])).await;
    app.refused(DELETE, &of, 403, "Operation.Conflict").await;
    app.sql("DELETE FROM row_locks").await;
    app.ok(DELETE, &of).await;
}

#[tokio::test]
async fn a_single_snapshot_leaves_its_group() {
    let app = TestApp::new().await;
    let (group, snapshots) = accomplished(&app).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshots[0])]).await;
    assert_eq!(members(&app, &group).await, snapshots[1..]);
    app.ok("ModifySnapshotAttribute", &[("SnapshotId", &snapshots[1]), ("RetentionDays", "1")]).await;
    app.advance("2d").await;
    let body = shown(&app, &group).await;
    assert_eq!((&body["Status"], &body["Snapshots"]["Snapshot"]), (&"accomplished".into(), &Value::Array(vec![])));
    let body = app.ok(DELETE, &[("SnapshotGroupId", &group)]).await;
    assert_eq!(column(&body, SET, "ErrorCode"), Vec::<String>::new());
}

#[tokio::test]
async fn a_group_that_is_not_there_is_not_found_unless_configured_otherwise() {
    let app = TestApp::new().await;
    let (group, _) = accomplished(&app).await;
    let cases: [(&[(&str, &str)], u16, &str); 4] = [
        (&[], 400, "MissingParameter"),
        (&[("SnapshotGroupId", "ssg-none")], 404, "InvalidSnapshotGroup.NotFound"),
        (&[("SnapshotGroupId", &group), ("RegionId", OTHER_REGION)], 404, "InvalidSnapshotGroup.NotFound"),
        (&[("SnapshotGroupId", &group), ("RegionId", "cn-atlantis")], 404, "InvalidRegionId.NotFound"),
    ];
    for (params, status, code) in cases {
        app.refused(DELETE, params, status, code).await;
    }
    app.call_as(OTHER_KEY, DELETE, &[("SnapshotGroupId", &group)]).await.refused(404, "InvalidSnapshotGroup.NotFound");
    let lenient = TestApp::with(|config| config.fidelity.unknown_snapshot_group = Unknown::Idempotent).await;
    let (group, _) = accomplished(&lenient).await;
    for _ in 0..2 {
        lenient.ok(DELETE, &[("SnapshotGroupId", &group)]).await;
    }
}

#[tokio::test]
async fn a_snapshot_that_is_locked_stays_and_stands_alone() {
    let app = TestApp::new().await;
    let (group, snapshots) = accomplished(&app).await;
    for (id, is_last) in [(&snapshots[0], false), (&snapshots[1], true)] {
        let lock =
            [("SnapshotId", id.as_str()), ("LockMode", "compliance"), ("LockDuration", "1"), ("CoolOffPeriod", "1")];
        app.ok("LockSnapshot", &lock).await;
        if is_last {
            app.refused(DELETE, &[("SnapshotGroupId", &group)], 403, "Operation.Forbidden").await;
        }
    }
    app.ok("UnlockSnapshot", &[("SnapshotId", &snapshots[0])]).await;
    let body = app.ok(DELETE, &[("SnapshotGroupId", &group)]).await;
    let mut codes = column(&body, SET, "ErrorCode");
    codes.sort();
    assert_eq!(codes, ["", "InvalidOperation.SnapshotLocked"]);
    assert_eq!(app.described(&snapshots[0]).await, Value::Null);
    assert_ne!(app.described(&snapshots[1]).await, Value::Null);
}
