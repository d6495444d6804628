//! Seeds and exports.

use serde_json::{Value, json};

use super::savepoints::furnish;
use crate::support::{ACCOUNT, OTHER_ACCOUNT, OTHER_KEY, TestApp};

/// Everything but the diary, with its numbers on tombstones, and counters of nothing.
async fn comparable(app: &TestApp) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut dump = app.resources().await;
    dump.remove("events");
    for row in dump.get_mut("tombstones").expect("tombstones") {
        row.truncate(row.rfind(' ').expect("columns"));
    }
    dump.get_mut("snapshot_counts").expect("counts").retain(|row| !row.ends_with(" 0"));
    dump
}

#[tokio::test]
async fn an_export_seeds_an_empty_store_with_the_same_state() {
    let (app, empty) = (TestApp::new().await, TestApp::new().await);
    let (disk, _) = furnish(&app).await;
    app.moved("PUT", &format!("/disks/{disk}/content"), json!({"content": "marked"})).await;
    app.accomplished_snapshot(&disk).await;
    app.moved("POST", "/ids", json!({"seed": 5})).await;
    app.snapshot(&disk).await;
    let export = app.moved("GET", "/export", Value::Null).await;
    empty.moved("POST", "/seed", export.clone()).await;
    assert_eq!(comparable(&empty).await, comparable(&app).await);
    assert_eq!(empty.moved("GET", "/export", Value::Null).await, export);
    assert_eq!(empty.snapshot(&disk).await, app.snapshot(&disk).await, "the same ids follow");
    for app in [&app, &empty] {
        app.advance("5d").await;
    }
    assert_eq!(comparable(&empty).await, comparable(&app).await, "the same future follows");
}

const SEED: &str = r#"
[[instances]]
instance_id = "i-web"
status = "Running"
tags = { role = "web" }

[[disks]]
disk_id = "d-web"
instance_id = "i-web"
creation_time = "90d ago"
size = 100
content = "hello"

[[snapshots]]
snapshot_id = "s-old"
source_disk_id = "d-web"
creation_time = "30d ago"
content = "older"
tags = { keep = "yes" }

[[snapshots]]
snapshot_id = "s-new"
source_disk_id = "d-web"
status = "progressing"
retention_days = 7

[[disks]]
disk_id = "d-restored"
source_snapshot_id = "s-old"
"#;

#[tokio::test]
async fn a_short_seed_is_filled_up_and_lives_on() {
    let app = TestApp::new().await;
    app.advance("100d").await;
    let (status, answer) = app.lever("POST", "/seed", SEED).await;
    assert_eq!(status, 200, "{answer}");
    let old = app.described("s-old").await;
    assert_eq!((&old["Usage"], &old["CreationTime"]), (&json!("disk"), &json!("2026-03-12T00:00:00Z")));
    assert_eq!(app.described("s-new").await["Status"], "progressing");
    let content = app.moved("GET", "/snapshots/s-new/content", Value::Null).await;
    app.advance("2s").await;
    assert_eq!(app.described("s-new").await["Status"], "accomplished");
    app.refused("DeleteSnapshot", &[("SnapshotId", "s-old")], 403, "SnapshotCreatedDisk").await;
    app.advance("7d").await;
    assert_eq!(app.described("s-new").await, Value::Null);
    app.ok("CreateSnapshot", &[("DiskId", "d-web")]).await;
    assert_eq!(content["content"], "", "what a seeded snapshot holds is what the seed says");
    app.unmoved("POST", "/seed", SEED, 400, "disks[0].disk_id: d-web is taken already").await;
}

#[tokio::test]
async fn a_bad_seed_is_refused_whole_with_its_place_and_what_is_allowed() {
    let app = TestApp::new().await;
    let before = app.dump().await;
    for (seed, words) in [
        (json!({"disk": []}), "disk: one of present, id_position"),
        (json!({"disks": {}}), "disks: a list"),
        (json!({"disks": [{"disk_id": "d-1"}, {"disk_id": "d-2", "sise": 1}]}), "disks[1].sise: one of disk_id"),
        (json!({"disks": [{"disk_id": "d-1", "size": "big"}]}), "disks[0].size: a whole number"),
        (json!({"disks": [{"disk_id": "d-1", "size": true}]}), "disks[0].size: a whole number"),
        (json!({"disks": [{"disk_id": "d-1", "portable": 2}]}), "disks[0].portable: true or false"),
        (json!({"disks": [{"size": 1}]}), "disks[0].disk_id: it is needed"),
        (json!({"disks": [{"disk_id": "d-1", "creation_time": "soon"}]}), "disks[0].creation_time: a time such as"),
        (json!({"disks": [{"disk_id": "d-1", "status": "Gone"}]}), "disks[0].status: what is allowed: status IN"),
        (json!({"disks": [{"disk_id": "d-1", "status": "In_use"}]}), "disks[0].status: In_use: it needs"),
        (
            json!({"disks": [{"disk_id": "d-1", "instance_id": "i-1"}]}),
            "disk_attachments of d-1 with i-1.instance_id: there is no i-1 in instances",
        ),
        (json!({"disks": [{"disk_id": "d-1", "account_id": "7"}]}), "disks[0].account_id: an account"),
        (json!({"disks": [{"disk_id": "d-1", "region_id": "cn-x"}]}), "disks[0].region_id: one of cn-hangzhou"),
        (json!({"disks": [{"disk_id": "d-1", "tags": {"a": 1}}]}), "disks[0].tags: "),
        (json!({"disks": [{"disk_id": "d-1"}, {"disk_id": "d-1"}]}), "disks[1].disk_id: d-1 is taken"),
        (json!({"present": "now"}), "now"),
    ] {
        app.unmoved("POST", "/seed", &seed.to_string(), 400, words).await;
    }
    app.unmoved("POST", "/seed", "[[disks]\n", 400, "line 1").await;
    let mut after = app.dump().await;
    after.insert("engine".to_owned(), before["engine"].clone());
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_file_seeds_a_store_that_never_held_anything() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("seed.toml");
    std::fs::write(&file, SEED).expect("written");
    let mut app = TestApp::new().await;
    for _ in 0..2 {
        snapshotd::admin::seed::plant_file(app.app(), &file).await.expect("a seed");
        app.restart().await;
    }
    let owned = app.moved("GET", &format!("/owned?account={ACCOUNT}"), Value::Null).await;
    assert_eq!(owned["snapshots"], json!(["s-new", "s-old"]));
    std::fs::write(&file, "disks = 1").expect("written");
    let refused = snapshotd::admin::seed::plant_file(TestApp::new().await.app(), &file).await;
    assert!(refused.is_err_and(|why| why.contains("seed.toml: disks: a list")));
}

#[tokio::test]
async fn a_snapshot_that_a_cloud_product_manages_and_a_protected_disk_are_seeded_as_such_and_stay() {
    let app = TestApp::new().await;
    let seed = json!({
        "snapshots": [{"snapshot_id": "s-managed", "source_disk_id": "d-gone", "managed_by": "hbr"}],
        "disks": [{"disk_id": "d-kept", "delete_protection": true}],
    });
    app.moved("POST", "/seed", seed).await;
    let of = ("SnapshotId", "s-managed");
    for (action, more) in [
        ("DeleteSnapshot", vec![]),
        ("DeleteSnapshot", vec![("Force", "true")]),
        ("ModifySnapshotAttribute", vec![("Description", "another")]),
        ("ModifySnapshotCategory", vec![("Category", "Archive")]),
        ("LockSnapshot", vec![("LockMode", "compliance"), ("LockDuration", "1"), ("CoolOffPeriod", "0")]),
    ] {
        let params = [&[of][..], &more].concat();
        let answer = app.refused(action, &params, 403, "InvalidOperation.ResourceManagedByCloudProduct").await;
        assert_eq!(answer.message().contains("[hbr]"), action == "LockSnapshot", "{}", answer.text);
    }
    app.refused("DeleteDisk", &[("DiskId", "d-kept")], 403, "InvalidDiskStatus.DeleteProtection").await;
    assert_eq!(app.described("s-managed").await["SnapshotId"], "s-managed");
    let made = [("SnapshotId", "s-managed"), ("ZoneId", "cn-hangzhou-h"), ("DiskCategory", "cloud_essd")];
    app.ok("CreateDisk", &made).await;
}

#[tokio::test]
async fn a_seeded_disk_of_a_snapshot_of_another_account_does_not_hold_it() {
    let app = TestApp::new().await;
    let seed = json!({
        "snapshots": [{"snapshot_id": "s-ours", "source_disk_id": "d-ours"}],
        "disks": [{"disk_id": "d-theirs", "account_id": OTHER_ACCOUNT, "source_snapshot_id": "s-ours"}],
        "disk_snapshot_references": [{"disk_id": "d-theirs", "snapshot_id": "s-ours"}],
    });
    app.moved("POST", "/seed", seed).await;
    assert_eq!(app.described("s-ours").await["Usage"], "none");
    let listed = app.call_as(OTHER_KEY, "DescribeDisks", &[]).await.accepted();
    assert_eq!(listed["Disks"]["Disk"][0]["SourceSnapshotId"], "");
    app.ok("DeleteSnapshot", &[("SnapshotId", "s-ours")]).await;
}
