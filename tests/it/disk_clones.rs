//! Clones of disks: what they take over, when they are ready, and what cannot be cloned.

use crate::disk_specs::{attached, shown};
use crate::support::answer::{column, text};
use crate::support::{OTHER_KEY, OTHER_REGION, TestApp};
use snapshotd::store::disks::Disk;

/// The rest of what a clone of a disk of 40 GiB needs.
const LIKE: [(&str, &str); 4] =
    [("DiskCategory", "cloud_essd"), ("PerformanceLevel", "PL1"), ("MultiAttach", "Disabled"), ("Size", "50")];

/// Begins a clone; the task group and the new disk.
async fn cloned(app: &TestApp, params: &[(&str, &str)]) -> (String, String) {
    let group = text(&app.ok("CloneDisks", params).await, "/TaskGroupId");
    let tasks = app.ok("DescribeTasks", &[("TaskGroupId", &group)]).await;
    let ids = column(&tasks, "/TaskSet/Task", "ResourceId");
    assert_eq!(ids.len(), 1, "{tasks}");
    (group, ids[0].clone())
}

/// Calls each action of tasks, specifications and changes of disks once, for the list of fields.
pub async fn answer_everything(app: &TestApp) {
    let (disk, instance) = attached(app, "Stopped", |_| {}).await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    let (_, clone) = cloned(app, &[&LIKE[..], &[("SourceDiskId", &disk)]].concat()).await;
    let task = text(&app.ok("DescribeTasks", &[]).await, "/TaskSet/Task/0/TaskId");
    app.ok("DescribeTaskAttribute", &[("TaskId", &task)]).await;
    app.advance("3s").await;
    app.ok("ModifyDiskSpec", &[("DiskId", &clone), ("DiskCategory", "cloud_auto")]).await;
    let back = [("Disk.1.DiskId", disk.as_str()), ("Disk.1.SnapshotId", &snapshot)];
    app.ok("ResetDisks", &back).await;
    let regional = [("DiskCategory", "cloud_regional_disk_auto"), ("Size", "40")];
    app.ok("CreateDisk", &regional).await;
    app.ok("DescribeDisks", &[("AdditionalAttributes.1", "IOPS"), ("AdditionalAttributes.2", "Placement")]).await;
    app.sql(&format!("UPDATE disks SET type = 'system' WHERE disk_id = '{disk}'")).await;
    let image = ("ImageId", "ubuntu_24_04_x64_20G_alibase_20260101.vhd");
    app.ok("ReplaceSystemDisk", &[("InstanceId", &instance), image]).await;
}

#[tokio::test]
async fn a_clone_is_a_disk_of_its_own_once_its_task_is_finished() {
    let app = TestApp::new().await;
    let (source, _) = attached(&app, "Running", |disk| {
        (disk.encrypted, disk.kms_key_id) = (true.into(), "key-1".to_owned());
    })
    .await;
    let params =
        [&LIKE[..], &[("SourceDiskId", &source), ("DiskName", "copy"), ("Tag.1.Key", "k"), ("ClientToken", "t")]];
    let params = params.concat();
    let before = app.dump().await;
    app.refused("CloneDisks", &[&params[..], &[("DryRun", "true")]].concat(), 400, "DryRunOperation").await;
    app.call_as(OTHER_KEY, "CloneDisks", &params).await.refused(404, "InvalidDiskId.NotFound");
    let elsewhere = [&params[..], &[("RegionId", OTHER_REGION)]].concat();
    app.refused("CloneDisks", &elsewhere, 404, "InvalidDiskId.NotFound").await;
    assert_eq!(app.dump().await, before);
    let (group, clone) = cloned(&app, &params).await;
    assert_eq!(cloned(&app, &params).await, (group.clone(), clone.clone()), "once for each token");
    let row = shown(&app, &clone).await;
    let told = ["Status", "SourceDiskId", "DiskName", "KMSKeyId", "ZoneId"].map(|name| text(&row, &format!("/{name}")));
    assert_eq!(told, ["Creating", &source, "copy", "key-1", "cn-hangzhou-h"].map(str::to_owned));
    assert_eq!((&row["Size"], &row["Encrypted"]), (&50.into(), &true.into()), "what is encrypted stays so");
    app.refused("ModifyDiskSpec", &[("DiskId", &source), ("PerformanceLevel", "PL2")], 403, "Operation.Conflict").await;
    app.advance("3s").await;
    assert_eq!(text(&shown(&app, &clone).await, "/Status"), "Available");
    let tasks = app.ok("DescribeTasks", &[("TaskGroupId", &group)]).await;
    assert_eq!(text(&tasks, "/TaskSet/Task/0/TaskStatus"), "Finished");
    let stopped = app.instance_in("cn-hangzhou", "Stopped").await;
    app.ok("AttachDisk", &[("DiskId", &clone), ("InstanceId", &stopped)]).await;
    app.refused("ReInitDisk", &[("DiskId", &clone)], 404, "InvalidDiskId.OperationNotSupported").await;
}

#[tokio::test]
async fn what_cannot_be_cloned_is_refused() {
    let app = TestApp::new().await;
    let of = async |change: fn(&mut Disk)| app.disk_with(change).await;
    let essd = of(|_| {}).await;
    let older = of(|disk| "cloud_ssd".clone_into(&mut disk.category)).await;
    let regional = of(|disk| "cloud_regional_disk_auto".clone_into(&mut disk.category)).await;
    let making = of(|disk| "Creating".clone_into(&mut disk.status)).await;
    let held = of(|_| {}).await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{held}', 'operator:test', 'exclusive', 0)")).await;
    let cases: [(&str, &[(&str, &str)], u16, &str); 20] = [
        ("d-none", &[], 404, "InvalidDiskId.NotFound"),
        (&older, &[], 400, "DiskCategory.OperationNotSupported"),
        (&regional, &[], 400, "InvalidDiskCategory.ValueNotSupported"),
        (&making, &[], 403, "IncorrectDiskStatus"),
        (&held, &[], 403, "Operation.Conflict"),
        (&essd, &[("DiskCategory", "cloud_ssd")], 400, "InvalidDiskCategory.ValueNotSupported"),
        (&essd, &[("Size", "39")], 403, "InvalidDiskSize.TooSmall"),
        (&essd, &[("Size", "0")], 400, "InvalidSize.ValueNotSupported"),
        (&essd, &[("Size", "65537")], 400, "InvalidDiskSize.NotSupported"),
        (&essd, &[("PerformanceLevel", "PL9")], 400, "InvalidPerformanceLevel.Malformed"),
        (&essd, &[("PerformanceLevel", "PL3")], 403, "OperationDenied.PerformanceLevelNotMatch"),
        (&essd, &[("PerformanceLevel", "")], 400, "MissingParameter"),
        (&essd, &[("DiskCategory", "cloud_auto")], 400, "InvalidPerformanceLevel.ValueNotSupported"),
        (&essd, &[("MultiAttach", "Some")], 403, "InvalidParameter.MultiAttach"),
        (&essd, &[("DiskName", "1")], 400, "InvalidDiskName.Malformed"),
        (&essd, &[("ProvisionedIops", "1")], 400, "ProvisionedIopsForDiskCategoryUnsupported"),
        (&essd, &[("BurstingEnabled", "true")], 400, "BurstingEnabledForDiskCategoryUnsupported"),
        (&essd, &[("KmsKeyId", "key-1")], 400, "InvalidEncrypted.NotMatchKmsKeyId"),
        (&essd, &[("Tag.1.Key", "acs:x")], 400, "InvalidTagKey.Malformed"),
        (&essd, &[("Tag.1.Key", "k"), ("Tag.1.Value", "http://x")], 400, "InvalidTagValue.Malformed"),
    ];
    let before = app.dump().await;
    for (source, more, status, code) in cases {
        let kept = LIKE.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name)).copied();
        let params: Vec<(&str, &str)> = kept.chain(more.iter().copied()).chain([("SourceDiskId", source)]).collect();
        app.refused("CloneDisks", &params, status, code).await;
    }
    app.refused("CloneDisks", &LIKE, 400, "MissingParameter").await;
    assert_eq!(app.dump().await, before);
}
