//! The daemon as every sequence finds it; makes no moves.

use super::ids::Ids;
use super::reference::World;
use super::{charges, copies, images, instances, reference, tasks};
use crate::support::answer::{column, text};
use crate::support::{REGION, TestApp};

/// A daemon with an instance, and the ids of that and of its disks, the system disk first.
pub async fn begin(world: &World) -> (TestApp, Ids) {
    let app = TestApp::with(|config| {
        let millis = |seconds: i64| u32::try_from(seconds * 1_000).expect("short");
        let lifecycle = &mut config.lifecycle;
        lifecycle.snapshot_ms = millis(reference::SNAPSHOT);
        lifecycle.image_ms = millis(reference::IMAGE);
        lifecycle.copy_ms = millis(copies::COPY);
        lifecycle.image_copy_ms = millis(images::IMAGE_COPY);
        for time in [
            &mut lifecycle.archive_ms,
            &mut lifecycle.export_ms,
            &mut lifecycle.modify_disk_spec_ms,
            &mut lifecycle.clone_disk_ms,
        ] {
            *time = millis(tasks::TASK);
        }
        for time in [
            &mut lifecycle.disk_ms,
            &mut lifecycle.attach_ms,
            &mut lifecycle.detach_ms,
            &mut lifecycle.reset_ms,
            &mut lifecycle.reinit_ms,
        ] {
            *time = millis(reference::DISK);
        }
        lifecycle.instance_start_ms = millis(instances::INSTANCE);
        lifecycle.instance_stop_ms = millis(instances::INSTANCE);
        config.fidelity.snapshot_service_open = false;
        config.quotas.snapshots_per_disk = reference::SNAPSHOTS_PER_DISK.try_into().expect("few");
        config.quotas.auto_snapshots_per_disk = reference::AUTO_SNAPSHOTS_PER_DISK.try_into().expect("few");
        config.quotas.policies_per_disk = reference::POLICIES_PER_DISK.try_into().expect("few");
        config.quotas.concurrent_image_copies = images::CONCURRENT_COPIES.try_into().expect("few");
        config.quotas.concurrent_snapshots = reference::CONCURRENT_SNAPSHOTS.try_into().expect("few");
    })
    .await;
    if world.is_service_open {
        app.ok("OpenSnapshotService", &[("RegionId", REGION)]).await;
    }
    let params = [
        ("InstanceChargeType", charges::name_of(world.instances[0].is_prepaid)),
        ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
        ("InstanceType", "ecs.g7.large"),
        ("ZoneId", "cn-hangzhou-h"),
        ("SystemDisk.Category", "cloud_essd"),
        ("SystemDisk.Size", "40"),
        ("DataDisk.1.Category", "cloud_essd"),
        ("DataDisk.1.Size", "40"),
    ];
    let made = app.ok("RunInstances", &params).await;
    let instance = text(&made, "/InstanceIdSets/InstanceIdSet/0");
    app.advance("1m").await;
    let shown = app.ok("DescribeDisks", &[("RegionId", REGION)]).await;
    let mut disks: Vec<(String, String)> =
        column(&shown, "/Disks/Disk", "Type").into_iter().zip(column(&shown, "/Disks/Disk", "DiskId")).collect();
    disks.sort_by(|one, other| other.cmp(one));
    let disks = disks.into_iter().map(|(_, id)| id).collect();
    (app, Ids { instances: vec![instance], disks, ..Ids::default() })
}
