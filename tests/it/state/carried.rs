//! Markers through what actions make of images and disks.

use serde_json::{Value, json};

use super::contents::{read, write};
use crate::instances::{TYPE, run};
use crate::support::answer::{column, text};
use crate::support::{OTHER_REGION, REGION, TestApp};

/// The disks of an instance, the system disk first.
async fn disks_of(app: &TestApp, instance: &str) -> Vec<String> {
    let mut disks = Vec::new();
    for kind in ["system", "data"] {
        let body = app.ok("DescribeDisks", &[("InstanceId", instance), ("DiskType", kind)]).await;
        disks.extend(column(&body, "/Disks/Disk", "DiskId"));
    }
    disks
}

async fn of_image(app: &TestApp, image: &str) -> Vec<String> {
    let body = app.moved("GET", &format!("/images/{image}/content"), Value::Null).await;
    body.as_array().expect("a list").iter().map(|disk| text(disk, "/content")).collect()
}

/// An image of an instance whose disks are marked `system` and `data`.
async fn marked_image(app: &TestApp) -> String {
    let data = [("DataDisk.1.Size", "40"), ("DataDisk.1.Category", "cloud_essd")];
    let instance = run(app, &data).await.remove(0);
    app.advance("5s").await;
    for (disk, content) in disks_of(app, &instance).await.iter().zip(["system", "data"]) {
        write(app, disk, content).await;
    }
    let image = text(&app.ok("CreateImage", &[("InstanceId", &instance)]).await, "/ImageId");
    app.advance("5s").await;
    image
}

/// An instance of an image; its disks.
async fn launched(app: &TestApp, image: &str) -> (String, Vec<String>) {
    let body = app.ok("RunInstances", &[("ImageId", image), TYPE]).await;
    let instance = text(&body, "/InstanceIdSets/InstanceIdSet/0");
    app.advance("5s").await;
    let disks = disks_of(app, &instance).await;
    (instance, disks)
}

#[tokio::test]
async fn instances_of_an_image_have_what_was_on_the_disks_that_it_was_made_of() {
    let app = TestApp::new().await;
    let image = marked_image(&app).await;
    assert_eq!(of_image(&app, &image).await, ["system", "data"]);
    let (_, disks) = launched(&app, &image).await;
    assert_eq!(disks.len(), 2);
    assert_eq!(read(&app, "disks", &disks[0]).await, "system");
    assert_eq!(read(&app, "disks", &disks[1]).await, "data");
}

#[tokio::test]
async fn a_copied_image_and_a_copied_snapshot_have_what_their_sources_have() {
    let app = TestApp::new().await;
    let image = marked_image(&app).await;
    let elsewhere = [("RegionId", REGION), ("DestinationRegionId", OTHER_REGION)];
    let of_image_itself = [("ImageId", image.as_str()), ("DestinationImageName", "copy")];
    let copy = text(&app.ok("CopyImage", &[elsewhere, of_image_itself].concat()).await, "/ImageId");
    app.advance("1h").await;
    assert_eq!(of_image(&app, &copy).await, ["system", "data"]);
    let (_, disks) = launched(&app, &image).await;
    let snapshot = app.accomplished_snapshot(&disks[1]).await;
    write(&app, &disks[1], "later").await;
    let named = [("DestinationSnapshotName", "copy"), ("DestinationSnapshotDescription", "copy")];
    let copy = app.ok("CopySnapshot", &[&elsewhere[..], &named, &[("SnapshotId", &snapshot)]].concat()).await;
    app.advance("1h").await;
    assert_eq!(read(&app, "snapshots", &text(&copy, "/SnapshotId")).await, "data");
}

#[tokio::test]
async fn a_replaced_system_disk_has_what_its_image_has() {
    let app = TestApp::new().await;
    let marked = marked_image(&app).await;
    let (instance, disks) = launched(&app, &marked).await;
    let snapshot = app.accomplished_snapshot(&disks[0]).await;
    let image = text(&app.ok("CreateImage", &[("SnapshotId", &snapshot)]).await, "/ImageId");
    write(&app, &disks[0], "broken").await;
    app.ok("StopInstance", &[("InstanceId", &instance)]).await;
    app.advance("1m").await;
    let replace = [("InstanceId", instance.as_str()), ("ImageId", &image)];
    let replaced = text(&app.ok("ReplaceSystemDisk", &replace).await, "/DiskId");
    assert_eq!(read(&app, "disks", &replaced).await, "system");
    app.unmoved("GET", &format!("/disks/{}/content", disks[0]), "", 404, "there is no").await;
    let bare = [("InstanceId", instance.as_str()), ("ImageId", "ubuntu_24_04_x64_20G_alibase_20260101.vhd")];
    let bare = text(&app.ok("ReplaceSystemDisk", &bare).await, "/DiskId");
    assert_eq!(read(&app, "disks", &bare).await, "", "a base image is empty");
}

#[tokio::test]
async fn a_clone_has_what_is_on_its_source_and_not_what_the_image_of_that_had() {
    let app = TestApp::new().await;
    let image = marked_image(&app).await;
    let (_, disks) = launched(&app, &image).await;
    let like = [("SourceDiskId", disks[1].as_str()), ("DiskCategory", "cloud_essd"), ("PerformanceLevel", "PL1")];
    let like = [&like[..], &[("MultiAttach", "Disabled"), ("Size", "50")]].concat();
    for content in ["data", "rewritten", ""] {
        app.moved("PUT", &format!("/disks/{}/content", disks[1]), json!({"content": content})).await;
        let group = text(&app.ok("CloneDisks", &like).await, "/TaskGroupId");
        let tasks = app.ok("DescribeTasks", &[("TaskGroupId", &group)]).await;
        app.advance("1m").await;
        let clone = text(&tasks, "/TaskSet/Task/0/ResourceId");
        assert_eq!(read(&app, "disks", &clone).await, content);
    }
}
