//! Codes that look alike and are told apart: how many there are, of what, and what is left of what something was made of.

use snapshotd::store::disks::Disk;
use snapshotd::store::row_locks::RowLocks;

use super::spelled::IMAGE;
use crate::support::{ACCOUNT, REGION, TestApp};

const TYPE: (&str, &str) = ("InstanceType", "ecs.g7.large");

#[tokio::test]
async fn disks_of_the_image_and_those_asked_for_are_too_many_together() {
    let app = TestApp::with(|config| config.quotas.disks_per_instance = 1).await;
    let system = crate::images::system_snapshot(&app).await;
    let image = app.image_from(&system, "Available", ACCOUNT).await;
    app.sql(&format!("INSERT INTO image_disk_mappings VALUES ('{image}', 1, '/dev/xvdb', 'data', 40, 0, NULL)")).await;
    let launch = [("ImageId", image.as_str()), TYPE, ("DataDisk.1.Size", "40")];
    for action in ["RunInstances", "CreateInstance"] {
        app.refused(action, &launch, 400, "InstanceDiskNumber.LimitExceed").await;
        app.refused(action, &[&launch[..], &[("DataDisk.2.Size", "40")]].concat(), 403, "InstanceDiskLimitExceeded")
            .await;
        app.ok(action, &launch[..2]).await;
    }
}

#[tokio::test]
async fn more_tags_than_a_resource_can_have_are_neither_looked_for_nor_removed() {
    let app = TestApp::with(|config| config.quotas.tags = 1).await;
    let disk = app.disk_with(|_| {}).await;
    let of = [("ResourceType", "disk"), ("ResourceId.1", disk.as_str())];
    let (one, two) = ([("TagKey.1", "a")], [("TagKey.1", "a"), ("TagKey.2", "b")]);
    app.ok("UntagResources", &[&of[..], &one].concat()).await;
    app.refused("UntagResources", &[&of[..], &two].concat(), 400, "OperationDenied.QuotaExceed").await;
    let (one, two) = ([("Tag.1.Key", "a")], [("Tag.1.Key", "a"), ("Tag.2.Key", "b")]);
    app.ok("ListTagResources", &[&of[..1], &one].concat()).await;
    app.refused("ListTagResources", &[&of[..1], &two].concat(), 400, "OperationDenied.QuotaExceed").await;
}

#[tokio::test]
async fn where_one_snapshot_at_a_time_is_allowed_a_group_is_told_of_that_one() {
    let app = TestApp::with(|config| config.quotas.concurrent_snapshots = 1).await;
    let disk = app.attached_disk().await;
    app.snapshot(&disk).await;
    app.refused("CreateSnapshotGroup", &[("DiskId.1", &disk)], 403, "IncorrectDiskStatus.CreatingSnapshot").await;
    app.advance("1m").await;
    app.ok("CreateSnapshotGroup", &[("DiskId.1", &disk)]).await;
}

#[tokio::test]
async fn a_policy_by_tags_that_meets_ephemeral_disks_alone_is_refused() {
    let app = TestApp::new().await;
    let instance = app.instance().await;
    let ephemeral = |disk: &mut Disk| {
        "elastic_ephemeral_disk_standard".clone_into(&mut disk.category);
        disk.size = 64;
    };
    let disk = app.disk_with(ephemeral).await;
    let attach = [("DiskId", disk.as_str()), ("InstanceId", instance.as_str()), ("DeleteWithInstance", "true")];
    app.ok("AttachDisk", &attach).await;
    app.advance("1m").await;
    let tag = [("ResourceType", "instance"), ("ResourceId.1", instance.as_str()), ("Tag.1.Key", "backup")];
    app.ok("TagResources", &tag).await;
    let policy = [
        ("timePoints", "[1]"),
        ("repeatWeekdays", "[1]"),
        ("retentionDays", "1"),
        ("AssociationType", "AssociatedWithInstanceTag"),
        ("TargetTags.1.Key", "backup"),
    ];
    app.refused("CreateAutoSnapshotPolicy", &policy, 400, "DiskCategory.OperationNotSupported").await;
    let plain = app.disk_with(|_| {}).await;
    app.ok("AttachDisk", &[("DiskId", &plain), ("InstanceId", &instance)]).await;
    app.advance("1m").await;
    app.ok("CreateAutoSnapshotPolicy", &policy).await;
}

#[tokio::test]
async fn an_image_whose_system_snapshot_is_gone_is_not_copied() {
    let app = TestApp::new().await;
    let system = crate::images::system_snapshot(&app).await;
    let image = app.image_from(&system, "Available", ACCOUNT).await;
    app.ok("CopyImage", &[("ImageId", &image)]).await;
    app.advance("10m").await;
    app.sql(&format!("UPDATE image_disk_mappings SET snapshot_id = NULL WHERE image_id = '{image}'")).await;
    app.sql(&format!("UPDATE snapshots SET usage = 'none' WHERE snapshot_id = '{system}'")).await;
    app.refused("CopyImage", &[("ImageId", &image)], 400, "InvalidSnapshotId.NotFound").await;
}

#[tokio::test]
async fn what_a_new_system_disk_is_made_of_is_all_empty_only_where_more_is_said_about_it() {
    let app = TestApp::new().await;
    let instance = app.instance_in(REGION, "Stopped").await;
    let on = ("InstanceId", instance.as_str());
    app.refused("ReplaceSystemDisk", &[on, ("Platform", "Ubuntu")], 400, "InvalidParameter.AllEmpty").await;
    app.refused("ReplaceSystemDisk", &[on], 400, "MissingParameter").await;
}

#[tokio::test]
async fn an_instance_is_not_made_of_a_snapshot_that_another_call_has() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let guard = app.app().store.hold(ACCOUNT, &RowLocks::exclusive(&id)).await.expect("free");
    let launch = [("ImageId", IMAGE), TYPE, ("DataDisk.1.SnapshotId", id.as_str())];
    app.refused("CreateInstance", &launch, 409, "OperationConflict").await;
    drop(guard);
    app.ok("CreateInstance", &launch).await;
}
