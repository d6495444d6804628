//! Markers on disks and where they get to.

use serde_json::{Value, json};

use crate::support::answer::text;
use crate::support::{OTHER_REGION, REGION, TestApp};

pub async fn write(app: &TestApp, disk: &str, content: &str) {
    app.moved("PUT", &format!("/disks/{disk}/content"), json!({"content": content})).await;
}

pub async fn read(app: &TestApp, kind: &str, id: &str) -> String {
    text(&app.moved("GET", &format!("/{kind}/{id}/content"), Value::Null).await, "/content")
}

#[tokio::test]
async fn a_snapshot_and_what_is_made_from_it_carry_what_was_on_the_disk() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    write(&app, &disk, "first").await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    write(&app, &disk, "second").await;
    assert_eq!(read(&app, "snapshots", &snapshot).await, "first");
    let made =
        [("RegionId", REGION), ("ZoneId", "cn-hangzhou-h"), ("SnapshotId", &snapshot), ("DiskCategory", "cloud_essd")];
    let made = text(&app.ok("CreateDisk", &made).await, "/DiskId");
    assert_eq!(read(&app, "disks", &made).await, "first");
    let copy = [("SnapshotId", snapshot.as_str()), ("RegionId", REGION), ("DestinationRegionId", OTHER_REGION)];
    let named = [("DestinationSnapshotName", "copied"), ("DestinationSnapshotDescription", "copied")];
    let copy = text(&app.ok("CopySnapshot", &[&copy[..], &named].concat()).await, "/SnapshotId");
    assert_eq!(read(&app, "snapshots", &copy).await, "first");
    let image = app.image_from(&snapshot, "Available", crate::support::ACCOUNT).await;
    let of_image = app.moved("GET", &format!("/images/{image}/content"), Value::Null).await;
    assert_eq!(of_image, json!([{"device": "/dev/xvda", "content": "first"}]));
    app.ok("DeleteSnapshot", &[("SnapshotId", &app.accomplished_snapshot(&disk).await)]).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM contents").await, 4);
}

#[tokio::test]
async fn what_rewrites_a_disk_brings_back_what_was_there() {
    let app = TestApp::new().await;
    let instance = app.instance_in(REGION, "Stopped").await;
    let origin = app.attached_disk().await;
    write(&app, &origin, "origin").await;
    let source = app.accomplished_snapshot(&origin).await;
    let mut row = crate::support::seed::disk_row("d-bp100000000000000999", REGION, app.now());
    "In_use".clone_into(&mut row.status);
    source.clone_into(&mut row.source_snapshot_id);
    let disk = app.insert_disk(row, Some(instance)).await;
    assert_eq!(read(&app, "disks", &disk).await, "origin");
    write(&app, &disk, "changed").await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    write(&app, &disk, "").await;
    assert_eq!(read(&app, "disks", &disk).await, "");
    app.ok("ResetDisk", &[("DiskId", &disk), ("SnapshotId", &snapshot)]).await;
    app.advance("1s").await;
    assert_eq!(read(&app, "disks", &disk).await, "changed");
    app.ok("ReInitDisk", &[("DiskId", &disk)]).await;
    assert_eq!(read(&app, "disks", &disk).await, "origin");
}

#[tokio::test]
async fn a_snapshot_whose_instant_is_to_come_has_what_is_written_until_then() {
    let app = TestApp::with(|config| config.lifecycle.cut_ms = 1_000).await;
    let disk = app.attached_disk().await;
    let snapshot = app.snapshot(&disk).await;
    write(&app, &disk, "in time").await;
    app.advance("1s").await;
    write(&app, &disk, "too late").await;
    assert_eq!(read(&app, "snapshots", &snapshot).await, "in time");
}

#[tokio::test]
async fn markers_are_of_disks_and_short() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    assert_eq!(read(&app, "disks", &disk).await, "");
    let long = json!({"content": "x".repeat(4_097)}).to_string();
    app.unmoved("PUT", &format!("/disks/{disk}/content"), &long, 400, "content: ").await;
    app.unmoved("PUT", &format!("/disks/{snapshot}/content"), r#"{"content":"x"}"#, 404, "there is no").await;
    app.unmoved("GET", "/images/m-1/content", "", 404, "there is no").await;
    app.unmoved("GET", "/snapshots/s-1/content", "", 404, "there is no").await;
}
