//! What resets and restores leave alone, and how the state stands when they come between calls.

use serde_json::{Value, json};

use super::savepoints::furnish;
use crate::support::answer::text;
use crate::support::{ACCOUNT, OTHER_ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};

/// A disk with a tagged, dying snapshot in a region.
async fn settle_in(app: &TestApp, key: (&str, &str), region: &str) {
    let zone = format!("{region}-h");
    let disk = [("RegionId", region), ("ZoneId", &zone), ("DiskCategory", "cloud_essd"), ("Size", "40")];
    let disk = [&disk[..], &[("Tag.1.Key", "k"), ("Tag.1.Value", "v"), ("ClientToken", region)]].concat();
    app.call_as(key, "CreateDisk", &disk).await.accepted();
    let policy =
        [("regionId", region), ("timePoints", "[\"1\"]"), ("repeatWeekdays", "[\"1\"]"), ("retentionDays", "-1")];
    app.call_as(key, "CreateAutoSnapshotPolicy", &policy).await.accepted();
}

/// All rows but the diary and empty counters, with their tables.
async fn rows(app: &TestApp) -> Vec<String> {
    let mut dump = app.resources().await;
    dump.remove("events");
    dump.get_mut("snapshot_counts").expect("counts").retain(|row| !row.ends_with(" 0"));
    dump.into_iter().flat_map(|(table, rows)| rows.into_iter().map(move |row| format!("{table} {row}"))).collect()
}

/// The ids of what an account has in a region, or in any.
async fn ids_of(app: &TestApp, account: &str, region: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let place = format!("'{account}' '{region}");
    for (table, rows) in app.resources().await {
        let is_of_resources = ["disks", "snapshots", "images", "auto_snapshot_policies", "tasks"].contains(&&*table);
        let mine = rows.into_iter().filter(|row| is_of_resources && row.contains(&place));
        ids.extend(mine.filter_map(|row| row.split(' ').next().map(str::to_owned)));
    }
    ids
}

#[tokio::test]
async fn a_reset_takes_what_is_of_one_account_in_one_region_and_no_row_of_others() {
    let app = TestApp::new().await;
    furnish(&app).await;
    for key in [crate::support::KEY, OTHER_KEY] {
        for region in [REGION, OTHER_REGION] {
            settle_in(&app, key, region).await;
        }
    }
    for (body, account, region) in [
        (json!({"account": OTHER_ACCOUNT, "region": REGION}), OTHER_ACCOUNT, REGION),
        (json!({"account": OTHER_ACCOUNT}), OTHER_ACCOUNT, ""),
    ] {
        let doomed = ids_of(&app, account, region).await;
        assert_eq!(doomed.len(), 2, "a disk and a policy");
        let place = format!("'{account}' '{region}");
        let mut kept = rows(&app).await;
        kept.retain(|row| !row.contains(&place) && !doomed.iter().any(|id| row.contains(id.as_str())));
        assert_eq!(app.moved("POST", "/reset", body).await, json!({"removed": 2}));
        assert_eq!(rows(&app).await, kept);
    }
    let foreign = app.call_as(OTHER_KEY, "DescribeDisks", &[]).await.accepted();
    assert_eq!(foreign["TotalCount"], 0);
    assert!(app.ok("DescribeDisks", &[]).await["TotalCount"].as_i64() > Some(0));
}

#[tokio::test]
async fn save_points_made_between_calls_are_each_whole_and_live_on_when_restored() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let load = async {
        for number in 0..30 {
            let snapshot = app.snapshot(&disk).await;
            app.moved("PUT", &format!("/disks/{disk}/content"), json!({"content": number.to_string()})).await;
            if number % 3 == 0 {
                app.advance("2s").await;
                app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
            } else {
                app.advance("3s").await;
            }
        }
    };
    let saves = async {
        for number in 0..10 {
            app.moved("POST", "/savepoints", json!({"name": format!("at-{number}")})).await;
        }
    };
    tokio::join!(load, saves);
    for number in 0..10 {
        app.moved("POST", &format!("/savepoints/at-{number}/restore"), Value::Null).await;
        let name = format!("/savepoints/at-{number}/diff/now");
        assert_eq!(app.moved("GET", &name, Value::Null).await, json!({}), "nothing is missing");
        app.advance("1h").await;
        let unfinished = "SELECT COUNT(*) FROM snapshots WHERE status <> 'accomplished'";
        assert_eq!(app.count(unfinished).await, 0, "timers fire");
        assert_eq!(app.count("SELECT COUNT(*) FROM row_locks").await, 0);
        app.accomplished_snapshot(&disk).await;
    }
}

#[tokio::test]
async fn a_restore_between_calls_leaves_ids_timers_and_locks_that_fit_each_other() {
    let app = TestApp::new().await;
    let (disk, first) = furnish(&app).await;
    app.moved("POST", "/savepoints", json!({"name": "before"})).await;
    let load = async {
        for _ in 0..40 {
            let made = app.call("CreateSnapshot", &[("DiskId", &disk)]).await;
            let is_full = made.status != 200 && made.code() == "QuotaExceed.ConcurrentSnapshotQuota";
            assert!(made.status == 200 || is_full, "{}", made.text);
            let copy = [("SnapshotId", first.as_str()), ("DestinationRegionId", OTHER_REGION), ("RegionId", REGION)];
            let named = [("DestinationSnapshotName", "copied"), ("DestinationSnapshotDescription", "copied")];
            app.call("CopySnapshot", &[&copy[..], &named].concat()).await;
            tokio::task::yield_now().await;
        }
    };
    let restores = async {
        for _ in 0..10 {
            app.moved("POST", "/savepoints/before/restore", Value::Null).await;
        }
    };
    tokio::join!(load, restores);
    app.moved("POST", "/savepoints/before/restore", Value::Null).await;
    assert_eq!(app.moved("GET", "/savepoints/before/diff/now", Value::Null).await, json!({}));
    let again = app.snapshot(&disk).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM row_locks").await, 1, "the copy that was saved on its way");
    app.advance("1h").await;
    assert_eq!(app.described(&again).await["Status"], "accomplished");
    assert_eq!(app.count("SELECT COUNT(*) FROM row_locks").await, 0);
    let owned = app.moved("GET", &format!("/owned?account={ACCOUNT}"), Value::Null).await;
    assert!(owned["snapshots"].as_array().is_some_and(|ids| ids.contains(&json!(again))), "{owned}");
    assert!(!text(&app.described(&first).await, "/SnapshotId").is_empty());
}
