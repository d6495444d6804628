//! One call for each code of the disk actions that no other test of theirs meets, with the state that it needs.

use crate::disk_specs::attached;
use crate::support::answer::text;
use crate::support::{REGION, TestApp};
use snapshotd::store::disks::Disk;

const ZONE: (&str, &str) = ("ZoneId", "cn-hangzhou-h");
const SIZE: (&str, &str) = ("Size", "40");
const ESSD: (&str, &str) = ("DiskCategory", "cloud_essd");

type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, u16, &'a str);

fn on_instance<'a>(disk: &'a str, instance: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("DiskId", disk), ("InstanceId", instance)]
}

fn modify<'a>(disk: &'a str, name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("DiskId", disk), (name, value)]
}

fn reset<'a>(disk: &'a str, snapshot: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("DiskId", disk), ("SnapshotId", snapshot)]
}

async fn all_refused(app: &TestApp, cases: Vec<Case<'_>>) {
    let before = app.resources().await;
    for (action, params, status, code) in cases {
        app.refused(action, &params, status, code).await;
    }
    assert_eq!(app.resources().await, before);
}

#[tokio::test]
async fn creating_disks_meets_every_code_of_its_own() {
    let app = TestApp::with(|config| config.quotas.tags = 1).await;
    let auto = ("DiskCategory", "cloud_auto");
    let (multi, burst) = (("MultiAttach", "Enabled"), ("BurstingEnabled", "true"));
    let (level, iops) = (("PerformanceLevel", "PL1"), ("ProvisionedIops", "1"));
    let (one, two) = (("Tag.1.Key", "k"), ("Tag.2.Key", "k"));
    let create = |params: &[(&'static str, &'static str)], status, code| -> Case<'static> {
        ("CreateDisk", [&[ZONE, SIZE], params].concat(), status, code)
    };
    let cases = vec![
        create(&[ESSD, burst], 400, "BurstingEnabledForDiskCategoryUnsupported"),
        create(&[auto, burst, multi], 400, "BurstingEnabledForMultiAttachDiskUnsupported"),
        create(&[ESSD, one, two], 400, "Duplicate.TagKey"),
        create(&[ESSD, one, ("Tag.1.Value", "http://x")], 400, "InvalidTagValue.Malformed"),
        create(&[ESSD, one, ("Tag.2.Key", "l")], 403, "QuotaExceed.Tags"),
        create(&[("DiskCategory", "cloud_ssd"), multi], 403, "InvalidParameter.DiskCategoryAndMultiAttachConflict"),
        create(&[auto, level], 400, "InvalidPerformanceLevel.ValueNotSupported"),
        create(&[ESSD, iops], 400, "ProvisionedIopsForDiskCategoryUnsupported"),
        (
            "CreateDisk",
            vec![("InstanceId", "i-1"), SIZE, ESSD, multi],
            403,
            "InvalidParameter.MultiAttachAndInstanceIdConflict",
        ),
    ];
    all_refused(&app, cases).await;
}

#[tokio::test]
async fn describing_disks_meets_every_code_of_its_own() {
    let app = TestApp::new().await;
    let many = serde_json::to_string(&vec!["d-1"; 101]).expect("a list");
    let names: Vec<String> = (1..=21).map(|n| format!("Tag.{n}.Key")).collect();
    let tags: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "k")).collect();
    let cases = vec![
        ("DescribeDisks", vec![("DiskIds", many.as_str())], 403, "InvalidDiskIds.Malformed"),
        ("DescribeDisks", vec![("Filter.1.Key", "Colour"), ("Filter.1.Value", "x")], 404, "InvalidFilterKey.NotFound"),
        (
            "DescribeDisks",
            vec![("Filter.1.Key", "CreationStartTime"), ("Filter.1.Value", "x")],
            404,
            "InvalidFilterValue",
        ),
        ("DescribeDisks", vec![("Tag.1.Value", "v")], 400, "InvalidTag.Mismatch"),
        ("DescribeDisks", tags, 400, "InvalidTagCount"),
    ];
    all_refused(&app, cases).await;
}

#[tokio::test]
async fn attaching_disks_meets_every_code_of_its_own() {
    let app = TestApp::with(|config| config.quotas.disks_per_instance = 1).await;
    let free = async |change: fn(&mut Disk)| app.disk_with(change).await;
    let disk = free(|_| {}).await;
    let shared = free(|disk| "Enabled".clone_into(&mut disk.multi_attach)).await;
    let prepaid = free(|disk| {
        "cloud_regional_disk_auto".clone_into(&mut disk.category);
        "PrePaid".clone_into(&mut disk.disk_charge_type);
    })
    .await;
    let fixed = free(|disk| disk.portable = false.into()).await;
    let far = free(|disk| "cn-hangzhou-k".clone_into(&mut disk.zone_id)).await;
    let (instance, starting) = (app.instance().await, app.instance_in(REGION, "Starting").await);
    let stopped = app.instance_in(REGION, "Stopped").await;
    let (_, full) = attached(&app, "Running", |_| {}).await;
    let crowded = free(|disk| "Enabled".clone_into(&mut disk.multi_attach)).await;
    for _ in 0..16 {
        let host = app.instance().await;
        app.ok("AttachDisk", &[("DiskId", &crowded), ("InstanceId", &host)]).await;
    }
    app.advance("1s").await;
    let wide = TestApp::new().await;
    let (on_wide, host) = attached(&wide, "Running", |disk| "Enabled".clone_into(&mut disk.multi_attach)).await;
    let second = wide.disk_with(|_| {}).await;
    let at_first = [("DiskId", second.as_str()), ("InstanceId", host.as_str()), ("Device", "/dev/xvdb")];
    wide.refused("AttachDisk", &at_first, 403, "InvalidDevice.InUse").await;
    wide.refused("AttachDisk", &[("DiskId", &on_wide), ("InstanceId", &host)], 404, "InvalidDisk.InUse").await;
    let (bootable, force) = (("Bootable", "true"), ("Force", "true"));
    let (password, with) = (("Password", "Secret-123"), ("DeleteWithInstance", "true"));
    let mut cases: Vec<Case<'_>> = Vec::new();
    for (disk, instance, more, status, code) in [
        (&disk, &instance, vec![("Device", "/dev/sda")], 400, "InvalidDevice.Malformed"),
        (&disk, &instance, vec![("DeleteWithInstance", "perhaps")], 400, "InvalidParameter"),
        (&disk, &starting, vec![], 400, "IncorrectInstanceStatus"),
        (&disk, &full, vec![], 403, "InstanceDiskLimitExceeded"),
        (&disk, &stopped, vec![bootable], 400, "InvalidParameter.AllEmpty"),
        (&disk, &stopped, vec![bootable, password], 400, "InvalidDisk.DiskNotBootable"),
        (&shared, &instance, vec![with], 403, "DeleteWithInstance.Conflict"),
        (&shared, &stopped, vec![bootable, password], 403, "InvalidOperation.CanNotAttachMultiAttachDiskAsSystemDisk"),
        (&shared, &instance, vec![force], 400, "InvalidParameterForce.MultiAttachDiskNotSupported"),
        (&prepaid, &instance, vec![force], 400, "InvalidParameterForce.PrepaidDiskNotSupported"),
        (&fixed, &instance, vec![], 403, "DiskNotPortable"),
        (&far, &instance, vec![], 403, "ResourcesNotInSameZone"),
        (&crowded, &instance, vec![], 403, "DiskAttachedNumberExceeded"),
    ] {
        let params = [&[("DiskId", disk.as_str()), ("InstanceId", instance.as_str())], more.as_slice()].concat();
        cases.push(("AttachDisk", params, status, code));
    }
    all_refused(&app, cases).await;
}

#[tokio::test]
async fn detaching_and_deleting_disks_meets_every_code_of_its_own() {
    let app = TestApp::new().await;
    let (disk, instance) = attached(&app, "Running", |_| {}).await;
    let (leaving, host) = attached(&app, "Running", |disk| "Detaching".clone_into(&mut disk.status)).await;
    let (on_starting, starting) = attached(&app, "Starting", |_| {}).await;
    let (system, _) = attached(&app, "Stopped", |disk| "system".clone_into(&mut disk.disk_type)).await;
    let making = app.disk_with(|disk| "Creating".clone_into(&mut disk.status)).await;
    let perhaps = [on_instance(&disk, &instance), vec![("DeleteWithInstance", "perhaps")]].concat();
    let cases: Vec<Case<'_>> = vec![
        ("DetachDisk", perhaps, 400, "InvalidParameter"),
        ("DetachDisk", on_instance(&leaving, &host), 403, "IncorrectDiskStatus"),
        ("DetachDisk", on_instance(&on_starting, &starting), 403, "IncorrectInstanceStatus"),
        ("DeleteDisk", vec![("DiskId", &system)], 403, "DiskTypeViolation"),
        ("DeleteDisk", vec![("DiskId", &making)], 403, "IncorrectDiskStatus.Initializing"),
    ];
    all_refused(&app, cases).await;
}

#[tokio::test]
async fn changing_disks_meets_every_code_of_its_own() {
    let app = TestApp::new().await;
    let shared = app.disk_with(|disk| "Enabled".clone_into(&mut disk.multi_attach)).await;
    let shared_auto = app
        .disk_with(|disk| {
            "Enabled".clone_into(&mut disk.multi_attach);
            "cloud_auto".clone_into(&mut disk.category);
        })
        .await;
    let free = app.disk_with(|_| {}).await;
    let (on_shared, _) = attached(&app, "Stopped", |disk| "Enabled".clone_into(&mut disk.multi_attach)).await;
    let (running, _) = attached(&app, "Running", |_| {}).await;
    let (bare, _) = attached(&app, "Stopped", |disk| {
        "system".clone_into(&mut disk.disk_type);
        "m-gone".clone_into(&mut disk.image_id);
    })
    .await;
    let old = app.accomplished_snapshot(&free).await;
    let other = app.disk_with(|_| {}).await;
    let failed = app.accomplished_snapshot(&other).await;
    app.sql(&format!("UPDATE snapshots SET status = 'failed' WHERE snapshot_id = '{failed}'")).await;
    let young = app.snapshot(&free).await;
    let cases: Vec<Case<'_>> = vec![
        (
            "ModifyDiskAttribute",
            modify(&free, "BurstingEnabled", "true"),
            400,
            "BurstingEnabledForDiskCategoryUnsupported",
        ),
        (
            "ModifyDiskAttribute",
            modify(&shared_auto, "BurstingEnabled", "true"),
            400,
            "BurstingEnabledForMultiAttachDiskUnsupported",
        ),
        ("ModifyDiskAttribute", modify(&shared, "DeleteWithInstance", "true"), 403, "DeleteWithInstance.Conflict"),
        ("ModifyDiskAttribute", modify(&free, "Description", "http://x"), 404, "InvalidDescription.Malformed"),
        ("ReInitDisk", vec![("DiskId", &free)], 403, "DiskCreatingSnapshot"),
        ("ReInitDisk", vec![("DiskId", &other)], 403, "IncorrectDiskStatus"),
        ("ReInitDisk", vec![("DiskId", &running)], 403, "IncorrectInstanceStatus"),
        ("ReInitDisk", vec![("DiskId", &bare)], 404, "InvalidImageId.NotFound"),
        ("ReInitDisk", vec![("DiskId", &on_shared)], 403, "InvalidOperation.MultiAttachDisk"),
        ("ResetDisk", reset(&free, &old), 403, "IncorrectDiskStatus.HasUnfinishedSnapshot"),
        ("ResetDisk", reset(&other, &failed), 403, "InvalidSnapshotId.NotReady"),
    ];
    all_refused(&app, cases).await;
    assert_eq!(text(&app.described(&young).await, "/Status"), "progressing");
    app.sql(&format!("UPDATE snapshots SET status = 'accomplished' WHERE snapshot_id = '{failed}'")).await;
}

#[tokio::test]
async fn an_algorithm_is_one_and_of_what_is_encrypted() {
    let app = TestApp::new().await;
    let disk = app.disk_with(|disk| disk.encrypted = true.into()).await;
    let secret = app.accomplished_snapshot(&disk).await;
    let essd = [("ZoneId", "cn-hangzhou-h"), ("DiskCategory", "cloud_essd")];
    let empty = [&essd[..], &[("Size", "40")]].concat();
    let encrypted = ("Encrypted", "true");
    let from = [&essd[..], &[("SnapshotId", secret.as_str())]].concat();
    let (aes, sm4) = (("EncryptAlgorithm", "aes-256"), ("EncryptAlgorithm", "sm4-128"));
    for (params, code) in [
        ([&empty[..], &[encrypted, ("EncryptAlgorithm", "rot13")]].concat(), "InvalidEncryptAlgorithm"),
        ([&empty[..], &[aes]].concat(), "InvalidEncrypted.NotMatchEncryptAlgorithm"),
        ([&from[..], &[sm4]].concat(), "InvalidEncryptAlgorithm.NotMatchSnapshot"),
        ([&empty[..], &[("StorageSetId", "set")]].concat(), "InvalidParameter.StorageSetId"),
        ([&empty[..], &[("StorageSetPartitionNumber", "0")]].concat(), "InvalidParameter.StorageSetPartitionNumber"),
    ] {
        assert_eq!(app.call("CreateDisk", &params).await.code(), code, "{params:?}");
    }
    app.ok("CreateDisk", &[&empty[..], &[encrypted, sm4]].concat()).await;
    app.ok("CreateDisk", &[&from[..], &[aes]].concat()).await;
    let replace = [("InstanceId", "i-none"), ("ImageId", "m-none")];
    for (more, code) in [
        (vec![encrypted, ("EncryptAlgorithm", "rot13")], "InvalidEncryptAlgorithm"),
        (vec![aes], "InvalidEncrypted.NotMatchEncryptAlgorithm"),
    ] {
        assert_eq!(app.call("ReplaceSystemDisk", &[&replace[..], &more].concat()).await.code(), code);
    }
}

#[tokio::test]
async fn a_system_disk_of_another_architecture_than_the_type_of_the_instance_is_refused() {
    let app = TestApp::new().await;
    let (_, instance) = attached(&app, "Stopped", |disk| "system".clone_into(&mut disk.disk_type)).await;
    let data = app.disk_with(|_| {}).await;
    let replace = [("InstanceId", instance.as_str()), ("DiskId", &data), ("Platform", "Ubuntu")];
    let of = |architecture| [&replace[..], &[("Architecture", architecture)]].concat();
    app.refused("ReplaceSystemDisk", &of("arm64"), 400, "InvalidInstanceType.NotSupported").await;
    app.ok("ReplaceSystemDisk", &of("x86_64")).await;
    app.advance("1m").await;
}

#[tokio::test]
async fn volumes_are_told_apart_from_disks_by_their_ids() {
    let app = TestApp::new().await;
    app.refused("CreateSnapshotGroup", &[("DiskId.1", "v-none")], 404, "InvalidVolumeId.NotFound").await;
    let on = [("InstanceId", app.instance().await), ("DiskId.1", "v-none".to_owned())];
    let on: Vec<(&str, &str)> = on.iter().map(|(name, value)| (*name, value.as_str())).collect();
    app.refused("CreateSnapshotGroup", &on, 404, "InvalidVolumeId.NotFound").await;
}
