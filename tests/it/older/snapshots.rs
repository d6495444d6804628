//! Of snapshots and images: before the cut, too old, on the way to another category, on an instance that was not started.

use crate::disk_specs::attached;
use crate::support::answer::text;
use crate::support::{OTHER_REGION, REGION, TestApp};

#[tokio::test]
async fn before_its_cut_a_snapshot_is_neither_changed_nor_deleted() {
    let app = TestApp::with(|config| config.lifecycle.cut_ms = 5_000).await;
    let id = app.snapshot(&app.attached_disk().await).await;
    let of = ("SnapshotId", id.as_str());
    app.refused("DeleteSnapshot", &[of], 400, "IncorrectDiskStatus.CreatingSnapshot").await;
    let rename = [of, ("SnapshotName", "other")];
    app.refused("ModifySnapshotAttribute", &rename, 400, "IncorrectDiskStatus.CreatingSnapshot").await;
    app.advance("5s").await;
    app.refused("ModifySnapshotAttribute", &rename, 400, "InvalidSnapshotId.NotReady").await;
    app.ok("DeleteSnapshot", &[of]).await;
}

#[tokio::test]
async fn what_is_older_than_july_2013_is_of_no_use() {
    let app = TestApp::new().await;
    let (disk, _) = attached(&app, "Stopped", |_| {}).await;
    let id = app.accomplished_snapshot(&disk).await;
    let (made, _) = attached(&app, "Stopped", |disk| id.clone_into(&mut disk.source_snapshot_id)).await;
    app.sql(&format!("UPDATE snapshots SET creation_time = 1373846399999 WHERE snapshot_id = '{id}'")).await;
    let of = ("SnapshotId", id.as_str());
    let pair = [("Disk.1.DiskId", disk.as_str()), ("Disk.1.SnapshotId", id.as_str())];
    let launch = [
        ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
        ("InstanceType", "ecs.g7.large"),
        ("DataDisk.1.SnapshotId", id.as_str()),
    ];
    let create = [("ZoneId", "cn-hangzhou-h"), of, ("DiskCategory", "cloud_essd")];
    let before = app.resources().await;
    app.refused("CreateDisk", &create, 403, "InvalidSnapshot.TooOld").await;
    app.refused("ReInitDisk", &[("DiskId", &made)], 403, "InvalidSnapshot.TooOld").await;
    app.refused("ResetDisk", &[("DiskId", &disk), of], 403, "InvalidSnapshot.TooOld").await;
    app.refused("ResetDisks", &pair, 403, "InvalidSnapshot.TooOld").await;
    app.refused("RunInstances", &launch, 400, "InvalidSnapshotId.BasedSnapshotTooOld").await;
    app.refused("CreateInstance", &launch, 400, "InvalidSnapshotId.BasedSnapshotTooOld").await;
    assert_eq!(app.resources().await, before);
}

#[tokio::test]
async fn a_disk_on_its_way_to_another_category_is_not_snapshotted() {
    let app = TestApp::with(|config| config.lifecycle.modify_disk_spec_ms = 60_000).await;
    let (disk, instance) = attached(&app, "Running", |_| {}).await;
    app.ok("ModifyDiskSpec", &[("DiskId", &disk), ("DiskCategory", "cloud_auto")]).await;
    let before = app.dump().await;
    for (action, params) in [
        ("CreateSnapshot", [("DiskId", disk.as_str())]),
        ("CreateSnapshotGroup", [("DiskId.1", disk.as_str())]),
        ("CreateImage", [("InstanceId", instance.as_str())]),
    ] {
        app.refused(action, &params, 403, "IncorrectDiskStatus.Transferring").await;
    }
    assert_eq!(app.dump().await, before);
    app.advance("1m").await;
    app.ok("CreateSnapshot", &[("DiskId", &disk)]).await;
}

#[tokio::test]
async fn a_disk_given_to_a_stopped_instance_is_not_snapshotted_before_that_is_started() {
    let app = TestApp::new().await;
    let run = [("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"), ("InstanceType", "ecs.g7.large")];
    let run = [&run[..], &[("ZoneId", "cn-hangzhou-h")]].concat();
    let instance = text(&app.ok("RunInstances", &run).await, "/InstanceIdSets/InstanceIdSet/0");
    app.advance("10m").await;
    let on = ("InstanceId", instance.as_str());
    app.ok("StopInstance", &[on]).await;
    app.advance("10m").await;
    let disk = app.disk_with(|_| {}).await;
    app.ok("AttachDisk", &[("DiskId", &disk), on]).await;
    app.advance("1m").await;
    let of = ("DiskId", disk.as_str());
    app.refused("CreateSnapshot", &[of], 403, "IncorrectDiskStatus.Invalid").await;
    app.refused("CreateSnapshotGroup", &[on], 403, "IncorrectDiskStatus.Invalid").await;
    app.refused("CreateImage", &[on], 403, "IncorrectInstanceStatus.NeedRestart").await;
    app.ok("StartInstance", &[on]).await;
    app.advance("10m").await;
    app.ok("CreateSnapshot", &[of]).await;
    app.advance("1m").await;
    app.ok("CreateImage", &[on]).await;
}

#[tokio::test]
async fn a_disk_whose_stopped_instance_went_at_once_is_snapshotted_on_a_running_one() {
    let app = TestApp::new().await;
    let (running, stopped) = (app.instance().await, app.instance_in(REGION, "Stopped").await);
    app.advance("1m").await;
    let disk = app.disk_with(|_| {}).await;
    let of = ("DiskId", disk.as_str());
    app.ok("AttachDisk", &[of, ("InstanceId", &stopped)]).await;
    app.ok("DeleteInstance", &[("InstanceId", &stopped)]).await;
    app.ok("AttachDisk", &[of, ("InstanceId", &running)]).await;
    app.advance("1m").await;
    app.ok("CreateSnapshot", &[of]).await;
}

#[tokio::test]
async fn an_encrypted_copy_under_way_keeps_its_disk_from_being_snapshotted() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.accomplished_snapshot(&disk).await;
    let copy = [
        ("SnapshotId", id.as_str()),
        ("DestinationRegionId", OTHER_REGION),
        ("DestinationSnapshotName", "copy"),
        ("DestinationSnapshotDescription", "a copy"),
        ("Encrypted", "true"),
    ];
    let copy = text(&app.ok("CopySnapshot", &copy).await, "/SnapshotId");
    let code = "InvalidOperation.UnfinishedEncryptedSnapshotCopy";
    app.refused("CreateSnapshot", &[("DiskId", &disk)], 403, code).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &copy), ("RegionId", OTHER_REGION)]).await;
    app.ok("CreateSnapshot", &[("DiskId", &disk)]).await;
}

#[tokio::test]
async fn what_a_snapshot_or_an_image_is_to_be_made_of_is_told_in_its_own_words() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let usable = [("DiskId", disk.as_str()), ("Category", "standard"), ("InstantAccess", "true")];
    app.refused("CreateSnapshot", &usable, 403, "InvalidCategoryAndInstantAccess.Malformed").await;
    app.refused("CreateSnapshot", &[("DiskId", "v-none")], 404, "InvalidVolumeId.NotFound").await;
    let data = app.accomplished_snapshot(&disk).await;
    let failed = app.snapshot(&disk).await;
    app.fail(&failed).await;
    let mapped = "DiskDeviceMapping.1.SnapshotId";
    app.refused("CreateImage", &[("DiskDeviceMapping.1.Size", "40")], 400, "InvalidParameter.AllEmpty").await;
    app.refused("CreateImage", &[(mapped, &data)], 403, "InvalidSystemSnapshot.Missing").await;
    app.refused("CreateImage", &[("SnapshotId", &failed)], 403, "SnapshotNotReady").await;
    let system = crate::images::system_snapshot(&app).await;
    let image = [("SnapshotId", system.as_str()), ("ClientToken", "t")];
    app.ok("CreateImage", &image).await;
    let other = [&image[..], &[("ImageName", "other")]].concat();
    app.refused("CreateImage", &other, 400, "IdempotenceParamNotMatch").await;
}

#[tokio::test]
async fn a_copy_that_an_operator_holds_is_not_cancelled() {
    let app = TestApp::new().await;
    let image =
        text(&app.ok("CreateImage", &[("SnapshotId", &crate::images::system_snapshot(&app).await)]).await, "/ImageId");
    app.advance("1m").await;
    let copy = [("ImageId", image.as_str()), ("RegionId", REGION), ("DestinationRegionId", OTHER_REGION)];
    let copy = text(&app.ok("CopyImage", &copy).await, "/ImageId");
    let cancel = [("ImageId", copy.as_str()), ("RegionId", OTHER_REGION)];
    assert_eq!(app.lever("POST", "/locks", &format!(r#"{{"resource": "{copy}"}}"#)).await.0, 201);
    app.refused("CancelCopyImage", &cancel, 400, "CancelNotSupported").await;
    app.lever("DELETE", "/locks", "").await;
    app.ok("CancelCopyImage", &cancel).await;
}
