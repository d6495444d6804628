//! The instance family: run, stopped, started and deleted, with the disks that come and go with an instance.

mod codes;
mod created;
mod listed;

use serde_json::Value;

use crate::support::answer::{column, text};
use crate::support::{OTHER_KEY, OTHER_REGION, TestApp};

pub const IMAGE: (&str, &str) = ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd");
pub const TYPE: (&str, &str) = ("InstanceType", "ecs.g7.large");

pub async fn run(app: &TestApp, more: &[(&str, &str)]) -> Vec<String> {
    let body = app.ok("RunInstances", &[&[IMAGE, TYPE], more].concat()).await;
    let ids = body.pointer("/InstanceIdSets/InstanceIdSet").and_then(Value::as_array).expect("ids");
    ids.iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
}

pub async fn shown(app: &TestApp, instance_id: &str) -> Value {
    let body = app.ok("DescribeInstances", &[("InstanceIds", &format!("[\"{instance_id}\"]"))]).await;
    body.pointer("/Instances/Instance/0").cloned().unwrap_or_default()
}

#[tokio::test]
async fn an_instance_runs_with_its_disks_and_its_system_disk_can_be_snapshotted_and_imaged() {
    let app = TestApp::new().await;
    let data = [("DataDisk.1.Size", "40"), ("DataDisk.1.Category", "cloud_essd")];
    let id = run(&app, &data).await.remove(0);
    assert_eq!(text(&shown(&app, &id).await, "/Status"), "Running");
    let disks = app.ok("DescribeDisks", &[("InstanceId", &id)]).await;
    assert_eq!(column(&disks, "/Disks/Disk", "DiskId").len(), 2);
    let system = app.ok("DescribeDisks", &[("InstanceId", &id), ("DiskType", "system")]).await;
    let disk = text(&system, "/Disks/Disk/0/DiskId");
    let snapshot = app.accomplished_snapshot(&disk).await;
    let image = text(&app.ok("CreateImage", &[("SnapshotId", &snapshot)]).await, "/ImageId");
    app.advance("3s").await;
    let second = app.ok("RunInstances", &[("ImageId", &image), TYPE]).await;
    assert!(second.pointer("/InstanceIdSets/InstanceIdSet/0").is_some(), "{second}");
    app.refused("DeleteSnapshot", &[("SnapshotId", &snapshot), ("Force", "true")], 403, "SnapshotCreatedImage").await;
}

#[tokio::test]
async fn several_run_at_once_and_a_token_runs_them_once() {
    let app = TestApp::new().await;
    let params = [("Amount", "3"), ("ClientToken", "t")];
    let first = run(&app, &params).await;
    assert_eq!(first.len(), 3);
    assert_eq!(run(&app, &params).await, first);
    assert_eq!(app.count("SELECT COUNT(*) FROM instances").await, 3);
}

#[tokio::test]
async fn an_instance_stops_starts_and_is_deleted() {
    let app = TestApp::new().await;
    let id = run(&app, &[]).await.remove(0);
    let instance = [("InstanceId", id.as_str())];
    let code = async |action: &str| app.call(action, &instance).await.code().to_owned();
    assert_eq!(code("StartInstance").await, "IncorrectInstanceStatus");
    assert_eq!(code("DeleteInstance").await, "IncorrectInstanceStatus");
    app.ok("StopInstance", &instance).await;
    assert_eq!(text(&shown(&app, &id).await, "/Status"), "Stopped");
    app.ok("StartInstance", &instance).await;
    assert_eq!(text(&shown(&app, &id).await, "/Status"), "Running");
    for action in ["StartInstance", "StopInstance", "DeleteInstance"] {
        app.call_as(OTHER_KEY, action, &instance).await.refused(404, "InvalidInstanceId.NotFound");
        let elsewhere = [instance[0], ("RegionId", OTHER_REGION)];
        app.refused(action, &elsewhere, 404, "InvalidInstanceId.NotFound").await;
        app.refused(action, &[], 400, "MissingParameter").await;
    }
    app.ok("DeleteInstance", &[instance[0], ("Force", "true")]).await;
    assert_eq!(shown(&app, &id).await, Value::Null);
    assert_eq!(app.count("SELECT COUNT(*) FROM disks").await, 0, "its system disk went with it");
}

#[tokio::test]
async fn disks_made_from_an_encrypted_image_are_encrypted_with_its_key() {
    let app = TestApp::new().await;
    let key = ("SystemDisk.KMSKeyId", "key-1");
    let id = run(&app, &[key, ("DataDisk.1.Size", "20"), ("DataDisk.1.Encrypted", "true")]).await.remove(0);
    let image = text(&app.ok("CreateImage", &[("InstanceId", &id)]).await, "/ImageId");
    app.advance("5s").await;
    let copy = app.ok("RunInstances", &[("ImageId", &image), TYPE]).await;
    let copy = text(&copy, "/InstanceIdSets/InstanceIdSet/0");
    for (kind, key) in [("system", "key-1"), ("data", "")] {
        let disks = app.ok("DescribeDisks", &[("InstanceId", &copy), ("DiskType", kind)]).await;
        assert_eq!(disks.pointer("/Disks/Disk/0/Encrypted"), Some(&true.into()), "{kind}");
        assert_eq!(text(&disks, "/Disks/Disk/0/KMSKeyId"), key, "{kind}");
    }
    let plain = [("ImageId", image.as_str()), TYPE, ("SystemDisk.Encrypted", "false")];
    app.refused("RunInstances", &plain, 400, "InvalidEncrypted.NotMatchSnapshot").await;
}

#[tokio::test]
async fn refusals_tell_their_reason_in_the_code_and_the_text() {
    let app = TestApp::new().await;
    let snapshot = app.accomplished_snapshot(&app.attached_disk().await).await;
    let (data, source) = (("DataDisk.1.Size", "40"), ("DataDisk.1.SnapshotId", snapshot.as_str()));
    let level = ("DataDisk.1.PerformanceLevel", "PL3");
    for (params, status, code) in [
        (&[("SystemDisk.PerformanceLevel", "PL9")][..], 400, "InvalidPerformanceLevel.Malformed"),
        (&[("SystemDisk.Size", "70000")], 404, "InvalidSystemDiskSize.MoreThanMaxSize"),
        (&[data, level], 403, "OperationDenied.PerformanceLevelNotMatch"),
        (&[source, ("DataDisk.1.Size", "1")], 403, "InvalidDiskSize.TooSmall"),
        (&[data, ("DataDisk.1.Device", "/dev/xvda")], 403, "InvalidDevice.InUse"),
    ] {
        let answer = app.refused("RunInstances", &[&[IMAGE, TYPE], params].concat(), status, code).await;
        assert!(!answer.message().is_empty(), "{code}");
    }
    let family = [("ImageFamily", "none"), TYPE];
    app.refused("RunInstances", &family, 403, "InvalidImageFamily.MissingAvailableImage").await;
    let id = run(&app, &[("DeletionProtection", "true")]).await.remove(0);
    let delete = [("InstanceId", id.as_str()), ("Force", "true")];
    let answer = app.refused("DeleteInstance", &delete, 403, "InvalidOperation.DeletionProtection").await;
    assert!(!answer.message().is_empty());
}

#[tokio::test]
async fn an_instance_shows_its_system_and_what_its_type_has() {
    let app = TestApp::new().await;
    let windows = ("ImageId", "win2022_21H2_x64_dtc_en-us_40G_alibase_20260101.vhd");
    let body = app.ok("RunInstances", &[windows, ("InstanceType", "ecs.r7.2xlarge")]).await;
    let instance = shown(&app, &text(&body, "/InstanceIdSets/InstanceIdSet/0")).await;
    assert_eq!(text(&instance, "/OSType"), "windows");
    assert!(text(&instance, "/OSName").starts_with("Windows Server"));
    assert_eq!(instance.pointer("/Cpu"), Some(&8.into()));
    assert_eq!(instance.pointer("/Memory"), Some(&65_536.into()));
    let id = text(&instance, "/InstanceId");
    app.ok("StopInstance", &[("InstanceId", &id), ("StoppedMode", "stopcharging")]).await;
    assert_eq!(text(&shown(&app, &id).await, "/StoppedMode"), "StopCharging");
}

#[tokio::test]
async fn what_cannot_run_is_refused_and_leaves_nothing() {
    let app = TestApp::new().await;
    let before = app.dump().await;
    for params in [
        vec![("ImageId", "m-none"), TYPE],
        vec![IMAGE, TYPE, ("Amount", "0")],
        vec![IMAGE, TYPE, ("Amount", "101")],
        vec![IMAGE, TYPE, ("ZoneId", "nowhere-a")],
        vec![IMAGE, TYPE, ("DataDisk.1.SnapshotId", "s-none")],
        vec![IMAGE, TYPE, ("DryRun", "true")],
    ] {
        let answer = app.call("RunInstances", &params).await;
        assert!((400..500).contains(&answer.status), "{params:?}: {}", answer.text);
    }
    assert_eq!(app.dump().await, before);
}
