//! Resets, save points, differences, and what is left.

use serde_json::{Value, json};

use crate::support::{ACCOUNT, OTHER_ACCOUNT, OTHER_REGION, REGION, TestApp};

/// All that a reset may leave: base images, the diary, what the bench keeps.
async fn is_bare(app: &TestApp) {
    let mut dump = app.resources().await;
    for kept in ["events", "webhooks", "accounts", "access_keys", "id_seeds"] {
        dump.remove(kept);
    }
    dump.get_mut("images").expect("images").retain(|row| !row.contains("'system'"));
    dump.get_mut("image_disk_mappings").expect("mappings").retain(|row| !row.contains("alibase"));
    dump.get_mut("snapshot_counts").expect("counts").retain(|row| !row.ends_with(" 0"));
    dump.retain(|_, rows| !rows.is_empty());
    assert!(dump.is_empty(), "{dump:?}");
}

/// Something of everything: in the making, used, locked, tagged, copied, deleted.
pub async fn furnish(app: &TestApp) -> (String, String) {
    let disk = app.attached_disk().await;
    let first = app.accomplished_snapshot(&disk).await;
    let gone = app.accomplished_snapshot(&disk).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &gone)]).await;
    app.disk_from(&first).await;
    let token = ("ClientToken", "furnish");
    app.ok(
        "CreateSnapshot",
        &[("DiskId", &disk), ("RetentionDays", "3"), ("Tag.1.Key", "k"), ("Tag.1.Value", "v"), token],
    )
    .await;
    app.ok(
        "LockSnapshot",
        &[("SnapshotId", &first), ("LockMode", "compliance"), ("LockDuration", "2"), ("CoolOffPeriod", "0")],
    )
    .await;
    let copy = [("SnapshotId", first.as_str()), ("DestinationRegionId", OTHER_REGION), ("RegionId", REGION)];
    app.ok(
        "CopySnapshot",
        &[&copy[..], &[("DestinationSnapshotName", "copied"), ("DestinationSnapshotDescription", "copied")]].concat(),
    )
    .await;
    app.image_from(&first, "Available", ACCOUNT).await;
    let policy =
        [("regionId", REGION), ("timePoints", "[\"1\"]"), ("repeatWeekdays", "[\"1\"]"), ("retentionDays", "-1")];
    app.ok("CreateAutoSnapshotPolicy", &policy).await;
    (disk, first)
}

#[tokio::test]
async fn a_reset_leaves_nothing_but_base_images_and_begins_ids_anew() {
    let app = TestApp::new().await;
    let (disk, first) = furnish(&app).await;
    let removed = app.moved("POST", "/reset", json!({})).await;
    assert!(removed["removed"].as_i64() > Some(5), "{removed}");
    is_bare(&app).await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &first)], 404, "InvalidSnapshotId.NotFound").await;
    app.refused("CreateSnapshot", &[("DiskId", &disk)], 404, "InvalidDiskId.NotFound").await;
    app.advance("400d").await;
    assert_eq!(app.count("SELECT id_position FROM engine").await, 0);
}

#[tokio::test]
async fn a_reset_of_an_account_or_a_region_leaves_the_others_as_they_were() {
    let app = TestApp::new().await;
    let (_, first) = furnish(&app).await;
    app.moved("POST", "/reset", json!({"account": OTHER_ACCOUNT})).await;
    let (kept, elsewhere) = (app.resources().await, app.disk_in(OTHER_REGION).await);
    app.moved("POST", "/reset", json!({"region": OTHER_REGION})).await;
    let after = app.resources().await;
    assert_eq!(after["disks"], kept["disks"], "{elsewhere} is gone");
    assert_eq!(after["row_locks"].iter().filter(|row| row.contains(&first)).count(), 0, "the copy held its source");
    app.image_from(&first, "Available", OTHER_ACCOUNT).await;
    app.moved("POST", "/reset", json!({"account": ACCOUNT})).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM images WHERE account_id = '1000000000000002'").await, 1);
    app.unmoved("POST", "/reset", r#"{"region":"cn-atlantis"}"#, 400, "region: one of").await;
    app.unmoved("POST", "/reset", r#"{"zone":"x"}"#, 400, "zone").await;
    app.moved("POST", "/reset", json!({})).await;
    is_bare(&app).await;
}

#[tokio::test]
async fn the_source_of_a_copy_takes_the_copy_with_it() {
    let app = TestApp::new().await;
    furnish(&app).await;
    app.moved("POST", "/reset", json!({"region": REGION})).await;
    is_bare(&app).await;
}

#[tokio::test]
async fn a_restored_state_is_the_saved_one_with_its_time_and_its_ids() {
    let mut app = TestApp::new().await;
    let (disk, first) = furnish(&app).await;
    let saved = app.moved("POST", "/savepoints", json!({"name": "before"})).await;
    assert_eq!(saved["present"].as_str(), Some("2026-01-01T00:00:04.000Z"), "{saved}");
    let (mut before, now) = (app.resources().await, app.now());
    let next = app.snapshot(&disk).await;
    app.advance("10d").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &next)]).await;
    app.moved("POST", "/savepoints/before/restore", Value::Null).await;
    let mut after = app.resources().await;
    assert_eq!((before.remove("events"), app.now()).1, now);
    assert_eq!(after.remove("events").map(|events| events.len() > 10), Some(true), "the diary goes on");
    assert_eq!(after, before);
    assert_eq!(app.snapshot(&disk).await, next, "the same ids come again");
    app.restart().await;
    app.moved("POST", "/savepoints/before/restore", Value::Null).await;
    app.advance("1h").await;
    assert_eq!(app.described(&first).await["Status"], "accomplished");
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots WHERE status = 'progressing'").await, 0);
}

#[tokio::test]
async fn savepoints_are_listed_replaced_on_request_and_deleted() {
    let app = TestApp::new().await;
    for name in ["b", "a.1"] {
        app.moved("POST", "/savepoints", json!({"name": name})).await;
    }
    let list = app.moved("GET", "/savepoints", Value::Null).await;
    assert_eq!((list[0]["name"].as_str(), list[1]["name"].as_str()), (Some("a.1"), Some("b")));
    app.unmoved("POST", "/savepoints", r#"{"name":"b"}"#, 409, "replace").await;
    app.moved("POST", "/savepoints", json!({"name": "b", "replace": true})).await;
    app.moved("DELETE", "/savepoints/b", Value::Null).await;
    for path in ["/savepoints/b/restore", "/savepoints/..%2Flock/restore", "/savepoints/%2e%2e/restore"] {
        app.unmoved("POST", path, "", 404, "no save point").await;
    }
    app.unmoved("DELETE", "/savepoints/b", "", 404, "no save point").await;
    for name in ["", "now", "../x", ".x", "a/b", "a b", "ü"] {
        app.unmoved("POST", "/savepoints", &json!({"name": name}).to_string(), 400, "name").await;
    }
}

#[tokio::test]
async fn two_states_are_compared_by_table_and_column() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let snapshot = app.snapshot(&disk).await;
    app.moved("POST", "/savepoints", json!({"name": "a"})).await;
    assert_eq!(app.moved("GET", "/savepoints/a/diff/now", Value::Null).await, json!({}));
    app.advance("2s").await;
    app.moved("POST", "/savepoints", json!({"name": "b"})).await;
    let diff = app.moved("GET", "/savepoints/a/diff/b", Value::Null).await;
    let changed = &diff["snapshots"]["changed"][0];
    assert_eq!(changed["key"], json!({"snapshot_id": snapshot}));
    assert_eq!(
        (&changed["before"]["status"], &changed["after"]["status"]),
        (&json!("progressing"), &json!("accomplished"))
    );
    assert_eq!(diff["timers"]["removed"][0]["resource_id"], json!(snapshot), "{diff}");
    assert_eq!(diff.as_object().map(serde_json::Map::len), Some(2), "{diff}");
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    let diff = app.moved("GET", "/savepoints/b/diff/now", Value::Null).await;
    assert_eq!(diff["snapshots"]["removed"][0]["snapshot_id"], json!(snapshot));
    assert_eq!(diff["tombstones"]["added"][0]["resource_id"], json!(snapshot));
    app.unmoved("GET", "/savepoints/a/diff/c", "", 404, "c").await;
}

#[tokio::test]
async fn what_is_left_of_an_account_is_told_by_kind() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    let owned = app.moved("GET", &format!("/owned?account={ACCOUNT}"), Value::Null).await;
    assert_eq!((&owned["disks"], &owned["snapshots"]), (&json!([disk]), &json!([snapshot])));
    assert_eq!(owned["instances"].as_array().map(Vec::len), Some(1));
    let owned = app.moved("GET", &format!("/owned?account={OTHER_ACCOUNT}"), Value::Null).await;
    assert!(owned.as_object().expect("kinds").values().all(|ids| *ids == json!([])), "{owned}");
    app.unmoved("GET", "/owned", "", 400, "account").await;
}
