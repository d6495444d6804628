//! `LockSnapshot`, `UnlockSnapshot` and `DescribeLockedSnapshots`: compliance mode from the cool-off period to the end.

use serde_json::Value;

use crate::support::answer::{column, text};
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp, start};

const LOCK: &str = "LockSnapshot";
const UNLOCK: &str = "UnlockSnapshot";
const DESCRIBE: &str = "DescribeLockedSnapshots";
const LOCKED: &str = "InvalidOperation.SnapshotLocked";
const TOO_LATE: &str = "InvalidOperation.CoolOffPeriodExpired";

fn params<'a>(id: &'a str, days: &'a str, hours: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("RegionId", REGION),
        ("SnapshotId", id),
        ("LockMode", "compliance"),
        ("LockDuration", days),
        ("CoolOffPeriod", hours),
    ]
}

/// Locks a snapshot; what the answer tells of the lock.
async fn locked(app: &TestApp, id: &str, days: &str, hours: &str) -> Value {
    app.ok(LOCK, &params(id, days, hours)).await["LockedSnapshotInfo"].clone()
}

async fn listed(app: &TestApp, others: &[(&str, &str)]) -> Value {
    app.ok(DESCRIBE, &[&[("RegionId", REGION)], others].concat()).await
}

async fn lock_of(app: &TestApp, id: &str) -> Value {
    listed(app, &[("SnapshotIds.1", id)]).await["LockedSnapshotsInfo"][0].clone()
}

async fn snapshot(app: &TestApp) -> String {
    app.accomplished_snapshot(&app.attached_disk().await).await
}

#[tokio::test]
async fn a_lock_cools_off_holds_and_expires() {
    let mut app = TestApp::new().await;
    let id = snapshot(&app).await;
    let info = locked(&app, &id, "3", "2").await;
    assert_eq!(text(&info, "/SnapshotId"), id);
    assert_eq!(text(&info, "/LockMode"), "compliance");
    assert_eq!((&info["LockDuration"], &info["CoolOffPeriod"]), (&3.into(), &2.into()));
    for (pointer, time) in [
        ("/LockCreationTime", "2026-01-01T00:00:02Z"),
        ("/LockDurationStartTime", "2026-01-01T00:00:02Z"),
        ("/CoolOffPeriodExpiredTime", "2026-01-01T02:00:02Z"),
        ("/LockExpiredTime", "2026-01-04T00:00:02Z"),
    ] {
        assert_eq!(text(&info, pointer), time, "{pointer}");
    }
    assert_eq!(info, lock_of(&app, &id).await);
    app.advance_to(start().plus_millis(2 * 3_600_000 + 1_999)).await;
    assert_eq!(text(&lock_of(&app, &id).await, "/LockStatus"), "compliance-cooloff");
    app.advance("1s").await;
    assert_eq!(text(&lock_of(&app, &id).await, "/LockStatus"), "compliance");
    app.restart().await;
    app.advance_to(start().plus_days(3).plus_millis(1_999)).await;
    assert_eq!(text(&lock_of(&app, &id).await, "/LockStatus"), "compliance");
    app.refused("DeleteSnapshot", &[("SnapshotId", &id)], 403, LOCKED).await;
    app.advance("1s").await;
    assert_eq!(text(&lock_of(&app, &id).await, "/LockStatus"), "expired");
    app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshot_locks").await, 0);
    let events = "SELECT COUNT(*) FROM events WHERE name IN ('Snapshot:LockSnapshotCompleted',
        'Snapshot:LockCoolOffPeriodExpired', 'Snapshot:LockExpired')";
    assert_eq!(app.count(events).await, 3);
}

#[tokio::test]
async fn a_locked_snapshot_survives_every_deletion() {
    let app = TestApp::new().await;
    let disk = app.disk_with(|disk| disk.delete_auto_snapshot = true.into()).await;
    let id = app.accomplished_snapshot(&disk).await;
    locked(&app, &id, "2", "1").await;
    let before = app.dump().await;
    for force in ["false", "true"] {
        let params = [("SnapshotId", id.as_str()), ("Force", force)];
        let answer = app.refused("DeleteSnapshot", &params, 403, LOCKED).await;
        let message = "The specified snapshot is locked in compliance mode until 2026-01-03T00:00:02Z.";
        assert_eq!(answer.message(), message);
    }
    assert_eq!(app.dump().await, before);
    app.sql(&format!("UPDATE snapshots SET snapshot_type = 'auto' WHERE snapshot_id = '{id}'")).await;
    app.ok("DeleteDisk", &[("DiskId", &disk)]).await;
    assert_eq!(text(&app.described(&id).await, "/SnapshotId"), id);
}

#[tokio::test]
async fn retention_waits_for_the_end_of_the_lock() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.accomplished_snapshot(&disk).await;
    locked(&app, &id, "5", "0").await;
    app.ok("ModifySnapshotAttribute", &[("SnapshotId", &id), ("RetentionDays", "2")]).await;
    app.advance_to(start().plus_days(5)).await;
    assert_ne!(app.described(&id).await, Value::Null);
    let deferred = "SELECT COUNT(*) FROM events WHERE name = 'Snapshot:RetentionDeferred' AND detail = 'locked'";
    assert_eq!(app.count(deferred).await, 4, "at the end of days 2, 3, 4 and 5");
    app.advance("2s").await;
    assert_eq!(app.described(&id).await, Value::Null, "gone with the lock");
}

#[tokio::test]
async fn within_the_cool_off_period_a_lock_is_removed_or_replaced() {
    let app = TestApp::new().await;
    let id = snapshot(&app).await;
    locked(&app, &id, "30", "2").await;
    app.advance("1h").await;
    let info = locked(&app, &id, "1", "1").await;
    assert_eq!(text(&info, "/LockCreationTime"), "2026-01-01T01:00:02Z", "all begins anew");
    assert_eq!(text(&info, "/LockExpiredTime"), "2026-01-02T01:00:02Z");
    app.advance("59m").await;
    app.ok(UNLOCK, &[("RegionId", REGION), ("SnapshotId", &id)]).await;
    let answer = app.refused(UNLOCK, &[("SnapshotId", &id)], 404, "InvalidSnapshotLock.NotFound").await;
    assert_eq!(answer.message(), format!("The specified snapshot(s) {id} is(are) not locked."));
    assert_eq!(app.count("SELECT COUNT(*) FROM timers").await, 0);
    app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
}

#[tokio::test]
async fn after_the_cool_off_period_a_lock_only_grows() {
    let app = TestApp::new().await;
    let id = snapshot(&app).await;
    let made = locked(&app, &id, "10", "1").await;
    app.advance("1h").await;
    let before = app.resources().await;
    app.refused(UNLOCK, &[("SnapshotId", &id)], 403, TOO_LATE).await;
    for (days, hours) in [("10", "0"), ("9", "0"), ("20", "1")] {
        app.refused(LOCK, &params(&id, days, hours), 403, TOO_LATE).await;
    }
    assert_eq!(app.resources().await, before);
    let grown = locked(&app, &id, "11", "0").await;
    assert_eq!(grown["LockDurationStartTime"], made["LockDurationStartTime"], "it began when it began");
    assert_eq!(text(&grown, "/LockExpiredTime"), "2026-01-12T00:00:02Z");
    assert_eq!(text(&grown, "/LockStatus"), "compliance");
    app.advance("11d").await;
    app.refused(UNLOCK, &[("SnapshotId", &id)], 404, "InvalidSnapshotLock.NotFound").await;
    let anew = locked(&app, &id, "1", "3").await;
    assert_eq!(text(&anew, "/LockStatus"), "compliance-cooloff", "what has expired is no lock");
}

#[tokio::test]
async fn a_lock_of_an_unfinished_snapshot_runs_from_its_end() {
    let mut app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.snapshot(&disk).await;
    let info = locked(&app, &id, "1", "2").await;
    assert_eq!((&info["LockDurationStartTime"], &info["LockExpiredTime"]), (&Value::Null, &Value::Null));
    assert_eq!(text(&info, "/LockStatus"), "compliance-cooloff");
    app.refused("DeleteSnapshot", &[("SnapshotId", &id)], 403, LOCKED).await;
    app.restart().await;
    app.advance("2s").await;
    let info = lock_of(&app, &id).await;
    assert_eq!(text(&info, "/LockCreationTime"), "2026-01-01T00:00:00Z");
    assert_eq!(text(&info, "/LockDurationStartTime"), "2026-01-01T00:00:02Z");
    assert_eq!(text(&info, "/CoolOffPeriodExpiredTime"), "2026-01-01T02:00:02Z");
    assert_eq!(text(&info, "/LockExpiredTime"), "2026-01-02T00:00:02Z");
    let failing = app.snapshot(&disk).await;
    locked(&app, &failing, "1", "0").await;
    app.fail(&failing).await;
    app.refused(LOCK, &params(&failing, "1", "0"), 403, "InvalidOperation.SnapshotNotAvailable").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &failing)]).await;
}

#[tokio::test]
async fn a_lock_ends_before_the_retention_does() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let made = [("DiskId", disk.as_str()), ("RetentionDays", "10")];
    let id = text(&app.ok("CreateSnapshot", &made).await, "/SnapshotId");
    let too_long = "InvalidLockDuration.ExceedRetentionDays";
    app.refused(LOCK, &params(&id, "10", "0"), 400, too_long).await;
    app.advance("1d").await;
    app.refused(LOCK, &params(&id, "9", "0"), 400, too_long).await;
    locked(&app, &id, "8", "0").await;
    app.refused(LOCK, &params(&id, "10", "0"), 400, too_long).await;
    app.ok("ModifySnapshotAttribute", &[("SnapshotId", &id), ("RetentionDays", "12")]).await;
    locked(&app, &id, "10", "0").await;
}

#[tokio::test]
async fn values_that_are_wrong_are_refused() {
    let app = TestApp::new().await;
    let id = snapshot(&app).await;
    let with = |name: &'static str, value: &'static str| {
        let mut all = params(&id, "2", "1").to_vec();
        all.retain(|(known, _)| *known != name);
        all.push((name, value));
        all
    };
    for (name, value, status, code) in [
        ("LockMode", "governance", 400, "InvalidLockMode.Malformed"),
        ("LockMode", "", 400, "MissingParameter"),
        ("LockDuration", "0", 400, "InvalidParameter"),
        ("LockDuration", "36501", 400, "InvalidParameter"),
        ("LockDuration", "long", 400, "InvalidParameter"),
        ("CoolOffPeriod", "-1", 400, "InvalidParameter"),
        ("CoolOffPeriod", "73", 400, "InvalidParameter"),
        ("CoolOffPeriod", "48", 400, "InvalidCoolOffPeriod.ExceedLockDuration"),
        ("SnapshotId", "s-bp1neverwasthere0000", 404, "InvalidSnapshotId.NotFound"),
        ("RegionId", OTHER_REGION, 404, "InvalidSnapshotId.NotFound"),
    ] {
        app.refused(LOCK, &with(name, value), status, code).await;
    }
    app.call_as(OTHER_KEY, LOCK, &params(&id, "2", "1")).await.refused(404, "InvalidSnapshotId.NotFound");
    locked(&app, &id, "2", "1").await;
    app.call_as(OTHER_KEY, UNLOCK, &[("SnapshotId", &id)]).await.refused(404, "InvalidSnapshotId.NotFound");
    app.refused(UNLOCK, &[("SnapshotId", &id), ("RegionId", OTHER_REGION)], 404, "InvalidSnapshotId.NotFound").await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{id}', 'operator:test', 'shared', 0)")).await;
    app.refused(LOCK, &params(&id, "2", "1"), 403, "Operation.Conflict").await;
    app.refused(UNLOCK, &[("SnapshotId", &id)], 403, "Operation.Conflict").await;
    app.sql("DELETE FROM row_locks").await;
}

#[tokio::test]
async fn a_dry_run_checks_everything_and_changes_nothing() {
    let app = TestApp::new().await;
    let id = snapshot(&app).await;
    let dry = [&params(&id, "2", "1")[..], &[("DryRun", "true")]].concat();
    let before = app.resources().await;
    app.refused(LOCK, &dry, 400, "DryRunOperation").await;
    assert_eq!(app.resources().await, before);
    let unlock = [("SnapshotId", id.as_str()), ("DryRun", "true")];
    app.refused(UNLOCK, &unlock, 404, "InvalidSnapshotLock.NotFound").await;
    locked(&app, &id, "2", "1").await;
    app.refused(UNLOCK, &unlock, 400, "DryRunOperation").await;
    assert_eq!(text(&lock_of(&app, &id).await, "/LockStatus"), "compliance-cooloff");
    app.refused(DESCRIBE, &[("RegionId", REGION), ("DryRun", "true")], 400, "DryRunOperation").await;
}

#[tokio::test]
async fn a_client_token_locks_once() {
    let app = TestApp::new().await;
    let id = snapshot(&app).await;
    let once = [&params(&id, "2", "1")[..], &[("ClientToken", "t-1")]].concat();
    let first = app.ok(LOCK, &once).await;
    app.advance("30m").await;
    assert_eq!(app.ok(LOCK, &once).await["LockedSnapshotInfo"], first["LockedSnapshotInfo"]);
    let unlock = [("SnapshotId", id.as_str()), ("ClientToken", "t-2")];
    app.ok(UNLOCK, &unlock).await;
    app.ok(UNLOCK, &unlock).await;
}

#[tokio::test]
async fn locks_are_listed_by_status_by_snapshot_and_by_page() {
    let app = TestApp::with(|config| config.quotas.concurrent_snapshots = 100).await;
    let disk = app.attached_disk().await;
    let mut ids = Vec::new();
    for n in 0..12 {
        let id = app.snapshot(&disk).await;
        locked(&app, &id, "1", if n < 2 { "0" } else { "10" }).await;
        ids.push(id);
    }
    app.advance("2s").await;
    let all = |body: &Value| column(body, "/LockedSnapshotsInfo", "SnapshotId");
    let first = listed(&app, &[]).await;
    let token = text(&first, "/NextToken");
    let second = listed(&app, &[("NextToken", &token), ("MaxResults", "5")]).await;
    let mut seen = [all(&first), all(&second)].concat();
    assert_eq!((all(&first).len(), all(&second).len()), (10, 2));
    assert_eq!(text(&second, "/NextToken"), "");
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
    assert_eq!(all(&listed(&app, &[("LockStatus", "compliance")]).await).len(), 2);
    assert_eq!(all(&listed(&app, &[("LockStatus", "compliance-cooloff"), ("MaxResults", "100")]).await).len(), 10);
    assert!(all(&listed(&app, &[("LockStatus", "expired")]).await).is_empty());
    let both = [("SnapshotIds.1", ids[0].as_str()), ("SnapshotIds.2", &ids[1])];
    assert_eq!(all(&listed(&app, &both).await).len(), 2);
    let free = app.accomplished_snapshot(&disk).await;
    let answer = app.refused(DESCRIBE, &[both[0], ("SnapshotIds.2", &free)], 404, "InvalidSnapshotLock.NotFound").await;
    assert_eq!(answer.message(), format!("The specified snapshot(s) {free} is(are) not locked."));
    app.refused(DESCRIBE, &[("LockStatus", "open")], 400, "InvalidLockStatus.Malformed").await;
    app.refused(DESCRIBE, &[("NextToken", "?")], 400, "InvalidParameter").await;
    let many: Vec<(String, String)> = (1..=101).map(|n| (format!("SnapshotIds.{n}"), free.clone())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
    app.refused(DESCRIBE, &many, 400, "InvalidParameter").await;
    let foreign = app.call_as(OTHER_KEY, DESCRIBE, &[("RegionId", REGION)]).await.accepted();
    assert!(all(&foreign).is_empty());
    assert!(all(&app.ok(DESCRIBE, &[("RegionId", OTHER_REGION)]).await).is_empty());
    app.xml(DESCRIBE, &[("RegionId", REGION)]).await;
}
