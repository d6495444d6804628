//! Copies that policies make in another region: after their source, with days and encryption of their own, one at a time.

use serde_json::{Value, json};

use super::{HERE, ID, every_day, taken};
use crate::support::answer::text;
use crate::support::{OTHER_REGION, TestApp};

const COPIED: [(&str, &str); 5] = [
    ("EnableCrossRegionCopy", "true"),
    ("TargetCopyRegions", r#"["cn-beijing"]"#),
    ("CopiedSnapshotsRetentionDays", "3"),
    ("CopyEncryptionConfiguration.Encrypted", "true"),
    ("CopyEncryptionConfiguration.KMSKeyId", "key-1"),
];

async fn copies(app: &TestApp) -> Vec<Value> {
    let body = app.ok("DescribeSnapshots", &[("RegionId", OTHER_REGION)]).await;
    body.pointer("/Snapshots/Snapshot").and_then(Value::as_array).expect("a list").clone()
}

#[tokio::test]
async fn a_copy_begins_when_its_source_is_accomplished_and_has_its_own_days() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let policy = every_day(&app, "[9]", "1", &[&disk], &COPIED).await;
    app.advance("1h").await;
    assert_eq!(copies(&app).await, Vec::<Value>::new());
    app.advance("2s").await;
    let begun = copies(&app).await;
    assert_eq!((begun.len(), text(&begun[0], "/Status")), (1, "progressing".to_owned()));
    assert_eq!(text(&begun[0], "/SnapshotName"), format!("auto2.0_20260101_{policy}"));
    let source = text(&begun[0], "/SourceSnapshotId");
    assert_eq!(text(&app.described(&source).await, "/SnapshotType"), "auto");
    app.refused("DeleteSnapshot", &[("SnapshotId", &source)], 403, "InvalidOperation.RelatedSnapshotNotFinished").await;
    app.advance("3s").await;
    let copy = &copies(&app).await[0];
    assert_eq!((text(copy, "/Status"), text(copy, "/KMSKeyId")), ("accomplished".to_owned(), "key-1".to_owned()));
    assert_eq!((&copy["Encrypted"], &copy["RetentionDays"]), (&json!(true), &json!(3)));
    app.ok("ModifyAutoSnapshotPolicyEx", &[HERE, (ID, &policy), ("EnableCrossRegionCopy", "false")]).await;
    app.advance("50h").await;
    assert_eq!((copies(&app).await.len(), app.described(&source).await), (1, Value::Null), "it outlives its source");
    app.advance("1d").await;
    assert_eq!(copies(&app).await, Vec::<Value>::new());
}

#[tokio::test]
async fn copies_of_a_disk_are_made_one_after_the_other() {
    let app = TestApp::with(|config| config.lifecycle.copy_ms = 150 * 60_000).await;
    let disk = app.attached_disk().await;
    every_day(&app, "[9,10,11]", "-1", &[&disk], &COPIED).await;
    app.advance("4h").await;
    let under_way = "SELECT COUNT(*) FROM snapshots WHERE source_snapshot_id <> '' AND status = 'progressing'";
    assert_eq!((app.count(under_way).await, copies(&app).await.len()), (1, 2));
    app.advance("5h").await;
    assert_eq!((app.count(under_way).await, copies(&app).await.len()), (0, 3));
    assert_eq!(app.count("SELECT COUNT(*) FROM planned_copies").await, 0);
}

#[tokio::test]
async fn what_is_gone_before_its_copy_is_not_copied() {
    let app = TestApp::new().await;
    let (deleted, failed) = (app.attached_disk().await, app.attached_disk().await);
    every_day(&app, "[9]", "-1", &[&deleted, &failed], &COPIED).await;
    app.advance("1h").await;
    let of = async |disk: &str| {
        text(&app.ok("DescribeSnapshots", &[("DiskId", disk)]).await, "/Snapshots/Snapshot/0/SnapshotId")
    };
    app.fail(&of(&failed).await).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &of(&deleted).await)]).await;
    app.advance("1h").await;
    assert_eq!((copies(&app).await.len(), taken(&app, &deleted).await.len()), (0, 0));
    assert_eq!(app.count("SELECT COUNT(*) FROM planned_copies").await, 0);
    let told = "SELECT COUNT(*) FROM events WHERE name = 'Snapshot:CopySnapshotSkipped'";
    assert_eq!(app.count(told).await, 1);
}

#[tokio::test]
async fn a_copy_waits_for_a_source_that_is_held() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    every_day(&app, "[9]", "-1", &[&disk], &COPIED).await;
    app.advance("1h").await;
    app.sql("INSERT INTO row_locks SELECT snapshot_id, 'operator:test', 'exclusive', 0 FROM snapshots").await;
    app.advance("30m").await;
    assert_eq!(copies(&app).await.len(), 0);
    app.sql("DELETE FROM row_locks").await;
    app.advance("1h").await;
    assert_eq!(copies(&app).await.len(), 1);
}
