//! `ModifySnapshotCategory` and `ExportSnapshot`: the tasks of snapshots, and what archived ones refuse.

use serde_json::Value;

use crate::support::answer::text;
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};

const ARCHIVE: &str = "ModifySnapshotCategory";
const EXPORT: &str = "ExportSnapshot";
const BUCKET: (&str, &str) = ("OssBucket", "exports");

/// A snapshot that is old enough.
async fn old_snapshot(app: &TestApp, disk: &str) -> String {
    let id = app.accomplished_snapshot(disk).await;
    app.advance("14d").await;
    id
}

async fn archived(app: &TestApp, disk: &str) -> String {
    let id = old_snapshot(app, disk).await;
    app.ok(ARCHIVE, &[("SnapshotId", &id), ("Category", "Archive")]).await;
    app.advance("3s").await;
    assert_eq!(text(&app.described(&id).await, "/Category"), "archive");
    id
}

#[tokio::test]
async fn a_snapshot_is_in_the_archive_when_the_task_is_finished() {
    let mut app = TestApp::new().await;
    let id = old_snapshot(&app, &app.attached_disk().await).await;
    let body = app.ok(ARCHIVE, &[("SnapshotId", &id), ("Category", "Archive")]).await;
    assert!(text(&body, "/TaskId").starts_with("t-bp1"), "{body}");
    assert_eq!(text(&app.described(&id).await, "/Category"), "standard");
    app.refused(ARCHIVE, &[("SnapshotId", &id)], 400, "InvalidStatus.SnapshotInArchive").await;
    let delete = [("SnapshotId", id.as_str()), ("Force", "true")];
    app.refused("DeleteSnapshot", &delete, 403, "InvalidOperation.RelatedSnapshotNotFinished").await;
    let zone = format!("{REGION}-h");
    let make = [("ZoneId", zone.as_str()), ("SnapshotId", &id), ("DiskCategory", "cloud_essd")];
    app.refused("CreateDisk", &make, 403, "Operation.Conflict").await;
    app.restart().await;
    app.advance("3s").await;
    assert_eq!(text(&app.described(&id).await, "/Category"), "archive");
    assert_eq!(app.count("SELECT COUNT(*) FROM tasks WHERE task_status = 'Finished'").await, 1);
    let listed = app.ok("DescribeSnapshots", &[("RegionId", REGION), ("Category", "Archive")]).await;
    assert_eq!(listed["TotalCount"], 1);
    app.refused(ARCHIVE, &[("SnapshotId", &id)], 400, "InvalidParameter.SnapshotCategory").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
}

#[tokio::test]
async fn what_cannot_go_into_the_archive_is_refused() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let secret = app.disk_with(|disk| disk.encrypted = true.into()).await;
    let old = app.accomplished_snapshot(&disk).await;
    let encrypted = app.accomplished_snapshot(&secret).await;
    let quick = [("DiskId", disk.as_str()), ("InstantAccess", "true")];
    let instant = text(&app.ok("CreateSnapshot", &quick).await, "/SnapshotId");
    app.advance_to(crate::support::start().plus_days(14)).await;
    let young = app.accomplished_snapshot(&disk).await;
    let (failed, progressing) = (app.snapshot(&disk).await, app.snapshot(&disk).await);
    app.fail(&failed).await;
    let cases: [(&str, &[(&str, &str)], u16, &str); 10] = [
        ("s-bp1neverwasthere0000", &[], 404, "InvalidSnapshotId.NotFound"),
        (&old, &[("Category", "standard")], 400, "InvalidParameter.SnapshotCategory"),
        (&old, &[("RetentionDays", "73")], 400, "InvalidRetentionDays.Malformed"),
        (&old, &[("RetentionDays", "65537")], 400, "InvalidRetentionDays.Malformed"),
        (&young, &[], 400, "InvalidStatus.SnapshotAgeLimit"),
        (&progressing, &[], 400, "InvalidStatus.SnapshotUnfinished"),
        (&failed, &[], 400, "InvalidSnapshotId.NotReady"),
        (&encrypted, &[], 403, "InvalidOperation.EncryptedSnapshotUnsupport"),
        (&instant, &[], 403, "InvalidOperation.InstantAccessEnabledUnsupport"),
        ("", &[], 400, "MissingParameter"),
    ];
    let before = app.resources().await;
    for (id, others, status, code) in cases {
        let mut params = vec![("SnapshotId", id)];
        params.extend_from_slice(others);
        app.refused(ARCHIVE, &params, status, code).await;
    }
    app.call_as(OTHER_KEY, ARCHIVE, &[("SnapshotId", &old)]).await.refused(404, "InvalidSnapshotId.NotFound");
    let elsewhere = [("SnapshotId", old.as_str()), ("RegionId", OTHER_REGION)];
    app.refused(ARCHIVE, &elsewhere, 404, "InvalidSnapshotId.NotFound").await;
    assert_eq!(app.resources().await, before);
    app.sql(&format!("INSERT INTO row_locks VALUES ('{old}', 'operator:test', 'shared', 0)")).await;
    app.refused(ARCHIVE, &[("SnapshotId", &old)], 403, "Operation.Conflict").await;
    app.sql("DELETE FROM row_locks").await;
    app.ok(ARCHIVE, &[("SnapshotId", &old)]).await;
}

#[tokio::test]
async fn a_disk_has_so_many_archivings_at_once() {
    let app = TestApp::with(|config| config.quotas.concurrent_archives = 1).await;
    let disk = app.attached_disk().await;
    let (first, second) = (app.accomplished_snapshot(&disk).await, app.accomplished_snapshot(&disk).await);
    app.advance("14d").await;
    app.ok(ARCHIVE, &[("SnapshotId", &first)]).await;
    app.refused(ARCHIVE, &[("SnapshotId", &second)], 403, "QuotaExceed.ConcurrentArchiveSnapshotQuota").await;
    app.advance("3s").await;
    app.ok(ARCHIVE, &[("SnapshotId", &second)]).await;
}

#[tokio::test]
async fn the_archive_keeps_for_the_days_given_and_without_any_for_ever() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let made = |days: &'static str| [("DiskId", disk.clone()), ("RetentionDays", days.to_owned())];
    let mut ids = Vec::new();
    for days in ["20", "20", "80"] {
        let params = made(days);
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ids.push(text(&app.ok("CreateSnapshot", &params).await, "/SnapshotId"));
    }
    let [forever, bounded, long] = &ids[..] else { unreachable!("three") };
    app.advance_to(crate::support::start().plus_days(14)).await;
    app.ok(ARCHIVE, &[("SnapshotId", forever)]).await;
    app.ok(ARCHIVE, &[("SnapshotId", bounded), ("RetentionDays", "74")]).await;
    let fewer = [("SnapshotId", long.as_str()), ("RetentionDays", "79")];
    app.refused(ARCHIVE, &fewer, 400, "InvalidOperation.DecreaseRetentionDaysUnsupported").await;
    let lock =
        [("SnapshotId", long.as_str()), ("LockMode", "compliance"), ("LockDuration", "65"), ("CoolOffPeriod", "0")];
    app.ok("LockSnapshot", &lock).await;
    app.advance_to(crate::support::start().plus_days(20)).await;
    assert_eq!(app.described(forever).await["RetentionDays"], Value::Null);
    assert_eq!(app.described(bounded).await["RetentionDays"], 74);
    app.advance_to(crate::support::start().plus_days(74)).await;
    assert_eq!(app.described(bounded).await, Value::Null);
    assert_ne!(app.described(forever).await, Value::Null);
}

#[tokio::test]
async fn the_archive_keeps_longer_than_the_lock() {
    let app = TestApp::new().await;
    let id = old_snapshot(&app, &app.attached_disk().await).await;
    let lock =
        [("SnapshotId", id.as_str()), ("LockMode", "compliance"), ("LockDuration", "90"), ("CoolOffPeriod", "0")];
    app.ok("LockSnapshot", &lock).await;
    let shorter = [("SnapshotId", id.as_str()), ("RetentionDays", "100")];
    app.refused(ARCHIVE, &shorter, 400, "InvalidRetentionDays.LessThanLockExpiredTime").await;
    app.ok(ARCHIVE, &[("SnapshotId", &id), ("RetentionDays", "105")]).await;
}

#[tokio::test]
async fn nothing_is_made_from_an_archived_snapshot() {
    let app = TestApp::new().await;
    let disk = app.disk_with(|disk| "system".clone_into(&mut disk.disk_type)).await;
    let id = archived(&app, &disk).await;
    let zone = format!("{REGION}-h");
    let make = [("ZoneId", zone.as_str()), ("SnapshotId", &id), ("DiskCategory", "cloud_essd")];
    app.refused("CreateDisk", &make, 403, "OperationDenied.SnapshotNotAllowed").await;
    app.refused("CreateImage", &[("SnapshotId", &id)], 403, "InvalidSnapshotCategory.NotSupportImageCreation").await;
    app.refused("ResetDisk", &[("DiskId", &disk), ("SnapshotId", &id)], 403, "OperationDenied").await;
    let copy = [
        ("SnapshotId", id.as_str()),
        ("DestinationRegionId", OTHER_REGION),
        ("DestinationSnapshotName", "copied"),
        ("DestinationSnapshotDescription", "a copy"),
    ];
    app.refused("CopySnapshot", &copy, 403, "OperationDenied.SnapshotCategoryNotSupportCopy").await;
    let encrypted = [&copy[..], &[("Encrypted", "true")]].concat();
    app.refused("CopySnapshot", &encrypted, 403, "InvalidSnapshotCategory.NotSupportEncryptedCopy").await;
    app.refused(EXPORT, &[("SnapshotId", &id), BUCKET], 403, "ExportSnapshotFailed").await;
    let run = [
        ("RegionId", REGION),
        ("InstanceType", "ecs.g7.large"),
        ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
        ("DataDisk.1.SnapshotId", &id),
    ];
    app.refused("RunInstances", &run, 403, "OperationDenied.SnapshotNotAllowed").await;
}

#[tokio::test]
async fn an_export_is_a_task_that_keeps_its_snapshot() {
    let mut app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let params = [("RegionId", REGION), ("SnapshotId", &id), BUCKET, ("RoleName", "AliyunECSExportDefaultRole")];
    assert!(text(&app.ok(EXPORT, &params).await, "/TaskId").starts_with("t-"));
    app.refused(EXPORT, &params, 403, "SNAPSHOT_IS_EXPORTING").await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &id)], 403, "Operation.Conflict").await;
    app.restart().await;
    app.advance("3s").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM tasks WHERE task_status = 'Finished'").await, 1);
    app.ok(EXPORT, &params).await;
    app.advance("3s").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let secret = app.disk_with(|disk| disk.encrypted = true.into()).await;
    let encrypted = app.accomplished_snapshot(&secret).await;
    let good = app.accomplished_snapshot(&disk).await;
    let (failed, progressing) = (app.snapshot(&disk).await, app.snapshot(&disk).await);
    app.fail(&failed).await;
    let cases: [(&str, &[(&str, &str)], u16, &str); 10] = [
        (&good, &[], 400, "MissingParameter"),
        ("s-bp1neverwasthere0000", &[BUCKET], 403, "InvalidSnapshotId.NotFound"),
        (&good, &[BUCKET, ("RegionId", OTHER_REGION)], 403, "InvalidSnapshotId.NotFound"),
        (&progressing, &[BUCKET], 403, "SNAPSHOT_CREATE_NOT_FINISHED"),
        (&failed, &[BUCKET], 403, "ExportSnapshotFailed"),
        (&encrypted, &[BUCKET], 403, "ExportSnapshotFailed"),
        (&good, &[("OssBucket", "My_Bucket")], 403, "InvalidOSSBucket.NotFound"),
        (&good, &[("OssBucket", "-x-")], 403, "InvalidOSSBucket.NotFound"),
        (&good, &[("OssBucket", "ab")], 403, "InvalidOSSBucket.NotFound"),
        (&good, &[BUCKET, ("RoleName", "no such role")], 403, "OSS_AUTHORIZED_FAILED"),
    ];
    for (id, others, status, code) in cases {
        let mut params = vec![("SnapshotId", id)];
        params.extend_from_slice(others);
        app.refused(EXPORT, &params, status, code).await;
    }
    app.call_as(OTHER_KEY, EXPORT, &[("SnapshotId", &good), BUCKET]).await.refused(403, "InvalidSnapshotId.NotFound");
    app.sql(&format!("INSERT INTO row_locks VALUES ('{good}', 'operator:test', 'exclusive', 0)")).await;
    app.refused(EXPORT, &[("SnapshotId", &good), BUCKET], 403, "Operation.Conflict").await;
    app.sql("DELETE FROM row_locks").await;
}
