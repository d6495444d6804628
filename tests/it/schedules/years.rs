//! Long times: one advance, many steps, restarts and stops at any firing end alike.

use std::collections::BTreeMap;

use snapshotd::config::Config;
use snapshotd::lifecycle::engine;

use super::every_day;
use crate::support::{TestApp, start};

/// Some disks with daily snapshots, kept for a week.
async fn daily(disks: usize, change: impl FnOnce(&mut Config)) -> TestApp {
    let app = TestApp::with(change).await;
    let mut ids = Vec::new();
    for _ in 0..disks {
        ids.push(app.attached_disk().await);
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for some in ids.chunks(100) {
        every_day(&app, "[3]", "7", some, &[]).await;
    }
    app
}

#[track_caller]
fn same(found: &BTreeMap<String, Vec<String>>, wanted: &BTreeMap<String, Vec<String>>, when: &str) {
    for (table, rows) in wanted {
        assert_eq!(&found[table], rows, "{table} differs {when}");
    }
}

/// One advance against daily steps, with and without a restart after each. All events are kept: where they are pruned
/// depends on how many share a commit.
async fn a_year(disks: usize) {
    let keep_events = |config: &mut Config| config.limits.events = 1_000_000;
    let one = daily(disks, keep_events).await;
    let end = start().plus_days(365);
    let advanced = engine::advance(one.app(), end).await.expect("it moves");
    let count = i64::try_from(disks).expect("few");
    assert_eq!(advanced.happened.events["Snapshot:CreateSnapshotStarted"], 365 * count);
    assert_eq!(advanced.happened.events["Snapshot:DeleteSnapshotCompleted"], 358 * count);
    let wanted = one.dump().await;
    assert_eq!(wanted["snapshots"].len(), disks * 7);
    for with_restart in [false, true] {
        let mut stepped = daily(disks, keep_events).await;
        for day in 1..=365 {
            stepped.advance_to(start().plus_days(day)).await;
            if with_restart {
                stepped.reopen().await;
            }
        }
        same(&stepped.dump().await, &wanted, if with_restart { "with restarts" } else { "in daily steps" });
    }
}

#[tokio::test]
async fn a_year_at_once_in_daily_steps_and_with_a_restart_each_day_end_alike() {
    a_year(2).await;
}

#[tokio::test]
#[ignore = "takes minutes; cargo test --release -- --ignored a_year_of_a_hundred_disks"]
async fn a_year_of_a_hundred_disks_ends_alike_however_it_passes() {
    a_year(100).await;
}

/// Two disks of different families, copies, a quota and days that end; each firing has a commit of its own.
async fn varied() -> TestApp {
    let change = |config: &mut Config| {
        config.limits.batch = 1;
        config.quotas.auto_snapshots_per_disk = 2;
        config.lifecycle.snapshot_ms = 90 * 60_000;
    };
    let app = TestApp::with(change).await;
    let old = app.disk_with(|disk| "cloud_ssd".clone_into(&mut disk.category)).await;
    let essd = app.attached_disk().await;
    let copied = [
        ("EnableCrossRegionCopy", "true"),
        ("TargetCopyRegions", r#"["cn-beijing"]"#),
        ("CopiedSnapshotsRetentionDays", "1"),
    ];
    every_day(&app, "[9,10]", "-1", &[&old, &essd], &copied).await;
    every_day(&app, "[9,21]", "1", &[&essd], &[]).await;
    app
}

#[tokio::test]
async fn a_stop_between_any_two_firings_changes_nothing() {
    let undisturbed = varied().await;
    let end = start().plus_days(4);
    let before = undisturbed.app().store.commits();
    let firings = engine::advance(undisturbed.app(), end).await.expect("it moves").happened.firings;
    let commits = undisturbed.app().store.commits() - before;
    assert!(firings > 50 && commits > firings.unsigned_abs(), "{firings} firings in {commits} commits");
    let wanted = undisturbed.dump().await;
    for k in 0..commits {
        let mut app = varied().await;
        app.app().store.stop_after_commits(k);
        engine::advance(app.app(), end).await.expect_err("it stops on the way");
        app.reopen().await;
        app.advance_to(end).await;
        same(&app.dump().await, &wanted, &format!("stopped after {k} of {commits} commits"));
    }
}
