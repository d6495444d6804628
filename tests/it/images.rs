//! The image family: made from snapshots of system disks, listed, deleted, and what that means for the snapshots.

use serde_json::Value;

use crate::support::answer::{Answer, column, text};
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};
use snapshotd::config::Unknown;

/// A snapshot of a system disk, accomplished.
pub async fn system_snapshot(app: &TestApp) -> String {
    let disk = app.disk_with(|disk| "system".clone_into(&mut disk.disk_type)).await;
    app.accomplished_snapshot(&disk).await
}

pub async fn made(app: &TestApp, snapshot_id: &str) -> String {
    text(&app.ok("CreateImage", &[("SnapshotId", snapshot_id)]).await, "/ImageId")
}

pub async fn shown(app: &TestApp, image_id: &str) -> Value {
    let body = app.ok("DescribeImages", &[("ImageId", image_id), ("Status", "ALL")]).await;
    body.pointer("/Images/Image/0").cloned().unwrap_or_default()
}

#[tokio::test]
async fn an_image_is_made_of_a_snapshot_and_holds_it_until_it_is_deleted() {
    let app = TestApp::new().await;
    let snapshot = system_snapshot(&app).await;
    let params = [("SnapshotId", snapshot.as_str()), ("ImageName", "base-1"), ("Tag.1.Key", "k")];
    let image = text(&app.ok("CreateImage", &params).await, "/ImageId");
    let row = shown(&app, &image).await;
    assert_eq!((text(&row, "/Status"), text(&row, "/ImageName")), ("Creating".into(), "base-1".into()));
    assert_eq!(text(&row, "/DiskDeviceMappings/DiskDeviceMapping/0/SnapshotId"), snapshot);
    for force in ["false", "true"] {
        let delete = [("SnapshotId", snapshot.as_str()), ("Force", force)];
        app.refused("DeleteSnapshot", &delete, 403, "Operation.Conflict").await;
    }
    app.advance("3s").await;
    assert_eq!(text(&shown(&app, &image).await, "/Status"), "Available");
    assert_eq!(text(&app.described(&snapshot).await, "/Usage"), "image");
    for force in ["false", "true"] {
        let delete = [("SnapshotId", snapshot.as_str()), ("Force", force)];
        app.refused("DeleteSnapshot", &delete, 403, "SnapshotCreatedImage").await;
    }
    app.ok("DeleteImage", &[("ImageId", &image)]).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
}

#[tokio::test]
async fn an_image_in_the_making_can_be_deleted_and_its_snapshot_is_free_at_once() {
    let app = TestApp::new().await;
    let snapshot = system_snapshot(&app).await;
    let image = made(&app, &snapshot).await;
    app.ok("DeleteImage", &[("ImageId", &image), ("Force", "true")]).await;
    assert_eq!(shown(&app, &image).await, Value::Null);
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    app.advance("1h").await;
}

#[tokio::test]
async fn what_cannot_be_made_is_refused() {
    let app = TestApp::new().await;
    let snapshot = system_snapshot(&app).await;
    let data_disk = app.attached_disk().await;
    let data = app.accomplished_snapshot(&data_disk).await;
    let unready = app.snapshot(&data_disk).await;
    let image = text(&app.ok("CreateImage", &[("SnapshotId", &snapshot), ("ImageName", "taken")]).await, "/ImageId");
    let source = ("SnapshotId", snapshot.as_str());
    let cases: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (vec![], "MissingParameter"),
        (vec![("SnapshotId", "s-none")], "InvalidSnapshotId.NotFound"),
        (vec![("SnapshotId", &unready)], "InvalidSnapshotId.NotReady"),
        (vec![("SnapshotId", &data)], "OperationDenied"),
        (vec![source, ("ImageName", "taken")], "InvalidImageName.Duplicated"),
        (vec![source, ("ImageName", "1")], "InvalidImageName.Malformed"),
        (vec![source, ("Description", "http://x")], "InvalidDescription.Malformed"),
        (vec![source, ("RegionId", OTHER_REGION)], "InvalidSnapshotId.NotFound"),
        (vec![("InstanceId", "i-none")], "InvalidInstanceId.NotFound"),
        (vec![source, ("DryRun", "true")], "DryRunOperation"),
    ];
    let before = app.dump().await;
    for (params, code) in cases {
        let answer = app.call("CreateImage", &params).await;
        assert_eq!(answer.code(), code, "{params:?}: {}", answer.text);
    }
    app.call_as(OTHER_KEY, "CreateImage", &[source]).await.refused(404, "InvalidSnapshotId.NotFound");
    app.call_as(OTHER_KEY, "DeleteImage", &[("ImageId", &image)]).await.refused(404, "InvalidImageId.NotFound");
    app.refused("DeleteImage", &[("ImageId", &image), ("RegionId", OTHER_REGION)], 404, "InvalidImageId.NotFound")
        .await;
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn an_instance_with_too_many_snapshots_in_progress_makes_no_image() {
    let app = TestApp::new().await;
    let run = [("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"), ("InstanceType", "ecs.g7.large")];
    let instance = text(&app.ok("RunInstances", &run).await, "/InstanceIdSets/InstanceIdSet/0");
    let disks = app.ok("DescribeDisks", &[("InstanceId", &instance)]).await;
    let disk = text(&disks, "/Disks/Disk/0/DiskId");
    for _ in 0..10 {
        app.snapshot(&disk).await;
    }
    let source = [("InstanceId", instance.as_str())];
    let before = app.dump().await;
    app.refused("CreateImage", &source, 403, "TooManySnapshot.Unfinished").await;
    assert_eq!(app.dump().await, before);
    app.advance("2s").await;
    app.ok("CreateImage", &source).await;
}

#[tokio::test]
async fn values_of_any_case_are_stored_as_the_vendor_spells_them() {
    let app = TestApp::new().await;
    let snapshot = system_snapshot(&app).await;
    let params =
        [("SnapshotId", snapshot.as_str()), ("Architecture", "ARM64"), ("BootMode", "uefi"), ("ImageName", "arm")];
    app.ok("CreateImage", &params).await;
    app.advance("3s").await;
    let listed = app.ok("DescribeImages", &[("ImageName", "arm"), ("Architecture", "Arm64")]).await;
    assert_eq!(text(&listed, "/Images/Image/0/Architecture"), "arm64");
    assert_eq!(text(&listed, "/Images/Image/0/BootMode"), "UEFI");
    let bios = [params[0], params[1], ("BootMode", "BIOS")];
    app.refused("CreateImage", &bios, 400, "InvalidBootMode.NotSupport").await;
}

#[tokio::test]
async fn mapped_disks_take_the_devices_that_no_other_names() {
    let app = TestApp::new().await;
    let system = system_snapshot(&app).await;
    let disk = app.attached_disk().await;
    let data = app.accomplished_snapshot(&disk).await;
    let params = [
        ("DiskDeviceMapping.1.SnapshotId", data.as_str()),
        ("DiskDeviceMapping.1.Device", "/dev/xvdc"),
        ("DiskDeviceMapping.2.SnapshotId", system.as_str()),
        ("DiskDeviceMapping.2.DiskType", "System"),
        ("DiskDeviceMapping.3.SnapshotId", data.as_str()),
        ("DiskDeviceMapping.4.SnapshotId", data.as_str()),
    ];
    let image = text(&app.ok("CreateImage", &params).await, "/ImageId");
    let listed = app.ok("DescribeImages", &[("ImageId", &image), ("Status", "ALL")]).await;
    let devices = column(&listed, "/Images/Image/0/DiskDeviceMappings/DiskDeviceMapping", "Device");
    assert_eq!(devices, ["/dev/xvda", "/dev/xvdc", "/dev/xvdb", "/dev/xvdd"]);
    let denied = [("DiskDeviceMapping.1.SnapshotId", data.as_str()), ("DiskDeviceMapping.1.DiskType", "system")];
    app.refused("CreateImage", &denied, 403, "OperationDenied").await;
}

#[tokio::test]
async fn a_client_token_makes_one_image() {
    let app = TestApp::new().await;
    let snapshot = system_snapshot(&app).await;
    let params = [("SnapshotId", snapshot.as_str()), ("ClientToken", "t")];
    let first = app.ok("CreateImage", &params).await["ImageId"].clone();
    assert_eq!(app.ok("CreateImage", &params).await["ImageId"], first);
    assert_eq!(app.count("SELECT COUNT(*) FROM images WHERE account_id <> 'system'").await, 1);
}

#[tokio::test]
async fn the_quota_of_images_is_kept() {
    let app = TestApp::with(|config| config.quotas.images = 1).await;
    let snapshot = system_snapshot(&app).await;
    made(&app, &snapshot).await;
    let answer = app.call("CreateImage", &[("SnapshotId", &snapshot)]).await;
    assert_eq!(answer.code(), "QuotaExceed.Image", "{}", answer.text);
}

#[tokio::test]
async fn a_deleted_image_is_ignored_an_unknown_one_not_found_and_a_public_one_kept() {
    let app = TestApp::new().await;
    let image = made(&app, &system_snapshot(&app).await).await;
    app.ok("DeleteImage", &[("ImageId", &image)]).await;
    app.ok("DeleteImage", &[("ImageId", &image)]).await;
    app.refused("DeleteImage", &[("ImageId", "m-none")], 404, "InvalidImageId.NotFound").await;
    app.refused("DeleteImage", &[], 400, "MissingParameter").await;
    let public = [("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"), ("Force", "true")];
    let answer = app.call("DeleteImage", &public).await;
    assert_eq!(answer.code(), "ImageIsPublic", "{}", answer.text);
    let strict = TestApp::with(|config| config.fidelity.unknown_image = Unknown::NotFound).await;
    let image = made(&strict, &system_snapshot(&strict).await).await;
    strict.ok("DeleteImage", &[("ImageId", &image)]).await;
    strict.refused("DeleteImage", &[("ImageId", &image)], 404, "InvalidImageId.NotFound").await;
}

#[tokio::test]
async fn an_image_that_an_instance_uses_goes_only_with_force() {
    let app = TestApp::new().await;
    let image = made(&app, &system_snapshot(&app).await).await;
    app.advance("3s").await;
    app.instance().await;
    app.sql(&format!("UPDATE instances SET image_id = '{image}'")).await;
    let answer = app.call("DeleteImage", &[("ImageId", &image)]).await;
    assert_eq!(answer.code(), "ImageUsingByInstance", "{}", answer.text);
    app.ok("DeleteImage", &[("ImageId", &image), ("Force", "true")]).await;
}

#[tokio::test]
async fn images_are_listed_by_status_owner_region_and_snapshot() {
    let app = TestApp::new().await;
    let snapshot = system_snapshot(&app).await;
    let ready = made(&app, &snapshot).await;
    app.advance("3s").await;
    let unready = made(&app, &system_snapshot(&app).await).await;
    let ids = |answer: Answer| column(&answer.accepted(), "/Images/Image", "ImageId");
    let own = ("ImageOwnerAlias", "self");
    let list = async |params: &[(&str, &str)]| ids(app.call("DescribeImages", &[&[own], params].concat()).await);
    let both = list(&[("Status", "Creating,Available")]).await;
    assert_eq!(both.len(), 2, "{both:?}");
    assert_eq!(list(&[]).await, std::slice::from_ref(&ready), "without a status the available ones alone");
    assert_eq!(list(&[("Status", "Creating")]).await, std::slice::from_ref(&unready));
    assert_eq!(list(&[("SnapshotId", &snapshot)]).await, std::slice::from_ref(&ready));
    assert_eq!(list(&[("RegionId", OTHER_REGION)]).await, Vec::<String>::new());
    assert_eq!(ids(app.call_as(OTHER_KEY, "DescribeImages", &[own]).await), Vec::<String>::new());
    for region in [REGION, OTHER_REGION] {
        let public = app.call("DescribeImages", &[("RegionId", region), ("ImageOwnerAlias", "system")]).await;
        assert!(ids(public).contains(&"aliyun_3_x64_20G_alibase_20260101.vhd".to_owned()), "{region}");
    }
}
