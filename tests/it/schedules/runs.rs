//! Runs of policies: at their hours, by their rules for each disk, as policies and disks are at that instant.

use serde_json::json;

use super::{HERE, ID, apply, every_day, skipped, taken};
use crate::auto_snapshot_policies::policy_with;
use crate::support::answer::{column, text};
use crate::support::{ACCOUNT, REGION, TestApp, start};

// The tests begin at 08:00 of UTC+8, on a Thursday.

#[tokio::test]
async fn a_policy_takes_snapshots_at_its_hours_of_utc_plus_8() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let policy = every_day(&app, r#"["1","8"]"#, "30", &[&disk], &[]).await;
    app.advance("3d").await;
    assert_eq!(taken(&app, &disk).await, [17, 24, 41, 48, 65, 72]);
    app.advance("2s").await;
    let body = app.ok("DescribeSnapshots", &[("SnapshotType", "auto"), ("DiskId", &disk)]).await;
    let names = column(&body, "/Snapshots/Snapshot", "SnapshotName");
    let wanted = ["20260104", "20260104", "20260103", "20260103", "20260102", "20260102"];
    assert_eq!(names, wanted.map(|date| format!("auto2.0_{date}_{policy}")));
    let newest = body.pointer("/Snapshots/Snapshot/0").expect("one");
    assert_eq!((text(newest, "/SnapshotType"), &newest["RetentionDays"]), ("auto".to_owned(), &json!(30)));
    assert_eq!(
        (text(newest, "/CreationTime"), text(newest, "/Status")),
        ("2026-01-04T00:00:00Z".into(), "accomplished".into())
    );
}

#[tokio::test]
async fn a_policy_keeps_to_its_weekdays() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    // Monday at 01:00 of UTC+8 is Sunday at 17:00.
    let policy = policy_with(&app, &[]).await;
    apply(&app, &policy, &[&disk]).await;
    app.advance("15d").await;
    assert_eq!(taken(&app, &disk).await, [3 * 24 + 17, 10 * 24 + 17]);
    assert_eq!(app.count("SELECT COUNT(*) FROM timers WHERE kind = 'snapshot_expire'").await, 0, "-1 is for ever");
}

#[tokio::test]
async fn snapshots_leave_after_the_days_that_the_policy_had_when_they_were_taken() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let policy = every_day(&app, "[9]", "2", &[&disk], &[]).await;
    app.advance("26h").await;
    app.ok("ModifyAutoSnapshotPolicyEx", &[HERE, (ID, &policy), ("retentionDays", "5")]).await;
    app.advance("24h").await;
    assert_eq!(taken(&app, &disk).await, [25, 49]);
    app.advance("5d").await;
    assert_eq!(taken(&app, &disk).await, [73, 97, 121, 145, 169], "each day one came and one left");
}

#[tokio::test]
async fn a_change_of_hours_holds_from_the_next_one_on() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let policy = every_day(&app, "[9]", "-1", &[&disk], &[]).await;
    app.advance("30m").await;
    app.ok("ModifyAutoSnapshotPolicyEx", &[HERE, (ID, &policy), ("timePoints", "[12]")]).await;
    app.advance("6h").await;
    assert_eq!(taken(&app, &disk).await, [4]);
    app.ok("ModifyAutoSnapshotPolicyEx", &[HERE, (ID, &policy), ("repeatWeekdays", "[6]")]).await;
    app.advance("3d").await;
    assert_eq!(taken(&app, &disk).await, [4, 52]);
}

#[tokio::test]
async fn deleted_cancelled_and_released_ones_take_no_part() {
    let app = TestApp::new().await;
    let (kept, cancelled) = (app.attached_disk().await, app.attached_disk().await);
    let released = app.disk_with(|_| {}).await;
    let first = every_day(&app, "[9]", "-1", &[&kept, &cancelled, &released], &[]).await;
    let second = every_day(&app, "[9]", "-1", &[&kept], &[]).await;
    app.advance("2h").await;
    assert_eq!(taken(&app, &kept).await, [1, 1], "two policies, two snapshots");
    assert_eq!(taken(&app, &released).await, [1]);
    app.ok("CancelAutoSnapshotPolicy", &[HERE, (ID, &first), ("diskIds", &json!([cancelled]).to_string())]).await;
    app.ok("DeleteDisk", &[("DiskId", &released)]).await;
    app.ok("DeleteAutoSnapshotPolicy", &[HERE, (ID, &second)]).await;
    app.advance("24h").await;
    assert_eq!(taken(&app, &kept).await, [1, 1, 25], "what a deleted policy took stays");
    assert_eq!((taken(&app, &cancelled).await, taken(&app, &released).await), (vec![1], vec![]));
}

#[tokio::test]
async fn disks_that_cannot_be_snapshotted_are_passed_over_with_the_reason() {
    let app = TestApp::new().await;
    let off = app.disk_with(|disk| disk.enable_auto_snapshot = false.into()).await;
    let fresh = app.disk_with(|disk| disk.ever_attached = false.into()).await;
    let attaching = app.attached_disk().await;
    let held = app.attached_disk().await;
    app.sql(&format!("UPDATE disks SET status = 'Detaching' WHERE disk_id = '{attaching}'")).await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{held}', 'operator:test', 'exclusive', 0)")).await;
    every_day(&app, "[9]", "1", &[&off, &fresh, &attaching, &held], &[]).await;
    app.advance("2h").await;
    let cases = [
        (&off, "EnableAutoSnapshot is off"),
        (&fresh, "IncorrectDiskStatus.NeverAttached"),
        (&attaching, "IncorrectDiskStatus"),
        (&held, "Operation.Conflict"),
    ];
    for (disk, reason) in cases {
        assert_eq!((taken(&app, disk).await, skipped(&app, disk).await), (vec![], vec![reason.to_owned()]));
    }
    app.sql("DELETE FROM row_locks").await;
    app.ok("ModifyDiskAttribute", &[("DiskId", &off), ("EnableAutoSnapshot", "true")]).await;
    app.advance("24h").await;
    assert_eq!((taken(&app, &off).await, taken(&app, &held).await), (vec![25], vec![25]));
}

#[tokio::test]
async fn old_categories_skip_a_run_and_the_essd_family_runs_side_by_side() {
    let app = TestApp::with(|config| {
        config.lifecycle.snapshot_ms = 90 * 60_000;
        config.quotas.concurrent_snapshots = 2;
    })
    .await;
    let old = app.disk_with(|disk| "cloud_efficiency".clone_into(&mut disk.category)).await;
    let essd = app.attached_disk().await;
    every_day(&app, "[9,10,11,12]", "-1", &[&old, &essd], &[]).await;
    app.advance("5h").await;
    assert_eq!(taken(&app, &old).await, [1, 3], "each takes an hour and a half");
    assert_eq!(skipped(&app, &old).await, ["IncorrectDiskStatus.CreatingSnapshot"; 2]);
    assert_eq!((taken(&app, &essd).await, skipped(&app, &essd).await.len()), (vec![1, 2, 3, 4], 0));
    let slow = TestApp::with(|config| {
        config.lifecycle.snapshot_ms = 150 * 60_000;
        config.quotas.concurrent_snapshots = 2;
    })
    .await;
    let essd = slow.attached_disk().await;
    every_day(&slow, "[9,10,11,12]", "-1", &[&essd], &[]).await;
    slow.advance("5h").await;
    assert_eq!(taken(&slow, &essd).await, [1, 2, 4]);
    assert_eq!(skipped(&slow, &essd).await, ["QuotaExceed.ConcurrentSnapshotQuota"]);
}

#[tokio::test]
async fn at_the_quota_the_oldest_automatic_snapshot_leaves_unless_it_is_used() {
    let app = TestApp::with(|config| config.quotas.auto_snapshots_per_disk = 2).await;
    let disk = app.attached_disk().await;
    let manual = app.accomplished_snapshot(&disk).await;
    every_day(&app, "[9]", "-1", &[&disk], &[]).await;
    app.advance("3d").await;
    assert_eq!(taken(&app, &disk).await, [25, 49]);
    let gone = "SELECT COUNT(*) FROM events WHERE detail = 'quota of automatic snapshots'";
    assert_eq!(app.count(gone).await, 1);
    let body = app.ok("DescribeSnapshots", &[("SnapshotType", "auto")]).await;
    let ids = column(&body, "/Snapshots/Snapshot", "SnapshotId");
    app.image_from(&ids[1], "Available", ACCOUNT).await;
    app.advance("1d").await;
    assert_eq!(taken(&app, &disk).await, [25, 73], "the one that an image uses is passed over");
    let body = app.ok("DescribeSnapshots", &[("SnapshotType", "auto")]).await;
    let newest = column(&body, "/Snapshots/Snapshot", "SnapshotId")[0].clone();
    app.ok(
        "LockSnapshot",
        &[
            ("RegionId", REGION),
            ("SnapshotId", &newest),
            ("LockMode", "compliance"),
            ("LockDuration", "1"),
            ("CoolOffPeriod", "0"),
        ],
    )
    .await;
    app.advance("1d").await;
    assert_eq!(taken(&app, &disk).await, [25, 73]);
    assert_eq!(skipped(&app, &disk).await, ["QuotaExceed.Snapshot"], "one used, one locked");
    app.advance("1d").await;
    assert_eq!(taken(&app, &disk).await, [25, 121], "the lock has ended");
    assert_ne!(app.described(&manual).await, json!(null), "manual ones never leave");
}

#[tokio::test]
async fn policies_by_tag_go_by_the_tags_of_the_instant() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let by_tag = [("AssociationType", "AssociatedWithInstanceTag"), ("TargetTags.1.Key", "backup")];
    every_day(&app, "[9]", "-1", &[], &by_tag).await;
    app.advance("1d").await;
    let body = app.ok("DescribeDisks", &[("DiskIds", &json!([disk]).to_string())]).await;
    let instance = text(&body, "/Disks/Disk/0/InstanceId");
    let of = [("RegionId", REGION), ("ResourceType", "instance"), ("ResourceId.1", instance.as_str())];
    app.ok("TagResources", &[&of[..], &[("Tag.1.Key", "backup")]].concat()).await;
    app.advance("1d").await;
    app.ok("UntagResources", &[&of[..], &[("TagKey.1", "backup")]].concat()).await;
    app.advance("1d").await;
    assert_eq!(taken(&app, &disk).await, [25]);
}

#[tokio::test]
async fn a_lock_and_retention_that_end_together_never_loop() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    every_day(&app, "[9]", "2", &[&disk], &[]).await;
    app.advance("1h").await;
    app.advance("2s").await;
    let body = app.ok("DescribeSnapshots", &[("SnapshotType", "auto")]).await;
    let id = text(&body, "/Snapshots/Snapshot/0/SnapshotId");
    app.ok(
        "LockSnapshot",
        &[
            ("RegionId", REGION),
            ("SnapshotId", &id),
            ("LockMode", "compliance"),
            ("LockDuration", "1"),
            ("CoolOffPeriod", "0"),
        ],
    )
    .await;
    // The lock ends with the days; and one whose timer is missing ends by nothing.
    let end = start().plus_days(2).plus_millis(3_600_000).millis();
    app.sql(&format!(
        "UPDATE snapshot_locks SET lock_expired_time = {end}; DELETE FROM timers WHERE kind = 'lock_change'"
    ))
    .await;
    app.advance("3d").await;
    let deferred = "SELECT COUNT(*) FROM events WHERE name = 'Snapshot:RetentionDeferred'";
    assert_eq!(app.count(deferred).await, 2, "once a day, not at one instant for ever");
    app.sql("UPDATE snapshot_locks SET lock_status = 'expired'").await;
    app.advance("1d").await;
    assert_eq!(app.described(&id).await, json!(null));
}
