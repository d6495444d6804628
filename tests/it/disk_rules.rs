//! Rules of disks that few clients meet: disks made for an instance, regional and ephemeral ones, tasks in each other's way.

use crate::support::answer::{column, text};
use crate::support::seed::disk_row;
use crate::support::{OTHER_REGION, TestApp};

const ZONE: (&str, &str) = ("ZoneId", "cn-hangzhou-h");
const ESSD: (&str, &str) = ("DiskCategory", "cloud_essd");
const SIZE: (&str, &str) = ("Size", "40");

async fn made(app: &TestApp, params: &[(&str, &str)]) -> String {
    text(&app.ok("CreateDisk", params).await, "/DiskId")
}

async fn shown(app: &TestApp, disk_id: &str) -> serde_json::Value {
    let body = app.ok("DescribeDisks", &[("DiskIds", &format!("[\"{disk_id}\"]"))]).await;
    body.pointer("/Disks/Disk/0").cloned().unwrap_or_default()
}

/// A running instance with its system disk.
async fn launched(app: &TestApp) -> String {
    let image = ("ImageId", "win2022_21H2_x64_dtc_en-us_40G_alibase_20260101.vhd");
    let body = app.ok("RunInstances", &[image, ("InstanceType", "ecs.g7.large"), ZONE]).await;
    app.advance("1s").await;
    text(&body, "/InstanceIdSets/InstanceIdSet/0")
}

#[tokio::test]
async fn a_disk_for_an_instance_is_attached_at_once_within_the_quota() {
    let app = TestApp::with(|config| config.quotas.disks_per_instance = 1).await;
    let instance = launched(&app).await;
    let disk = made(&app, &[("InstanceId", &instance), ESSD, SIZE]).await;
    let row = shown(&app, &disk).await;
    let told = ["/Status", "/InstanceId", "/Device", "/DiskChargeType"].map(|field| text(&row, field));
    assert_eq!(told, ["In_use", &instance, "/dev/xvdb", "PrePaid"].map(str::to_owned));
    let again = [("InstanceId", instance.as_str()), ESSD, SIZE];
    app.refused("CreateDisk", &again, 403, "InstanceDiskLimitExceeded").await;
    let starting = app.instance_in("cn-hangzhou", "Starting").await;
    let too_early = [("InstanceId", starting.as_str()), ESSD, SIZE];
    app.refused("CreateDisk", &too_early, 400, "IncorrectInstanceStatus").await;
    let bare = app.instance().await;
    let for_bare = [("InstanceId", bare.as_str()), ESSD, SIZE];
    app.refused("CreateDisk", &for_bare, 400, "InvalidInstance.NotFoundSystemDisk").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM disks WHERE type = 'data'").await, 1);
}

#[tokio::test]
async fn what_a_category_does_not_take_is_refused() {
    let app = TestApp::new().await;
    let plain = app.accomplished_snapshot(&app.attached_disk().await).await;
    let (auto, snapshot) = (("DiskCategory", "cloud_auto"), ("SnapshotId", plain.as_str()));
    let ephemeral = ("DiskCategory", "elastic_ephemeral_disk_standard");
    let key = ("KMSKeyId", "key-1");
    let cases: Vec<(Vec<(&str, &str)>, u16, &str)> = vec![
        (vec![ZONE, ephemeral, snapshot], 403, "InvalidOperation.CreateFromSnapshotUnsupported"),
        (vec![ZONE, auto, ("Size", "3"), ("ProvisionedIops", "1")], 400, "InvalidProvisionedIops.LimitExceed"),
        (vec![ZONE, auto, ("Size", "4"), ("ProvisionedIops", "1001")], 400, "InvalidProvisionedIops.LimitExceed"),
        (vec![ZONE, ("DiskCategory", "cloud_regional_disk_auto"), SIZE], 400, "InvalidZoneId.DiskCategoryUnsupported"),
        (vec![ZONE, ESSD, SIZE, key], 400, "InvalidEncrypted.NotMatchKmsKeyId"),
        (vec![ZONE, ESSD, snapshot, key], 400, "InvalidEncrypted.NotMatchKmsKeyId"),
        (vec![ZONE, ESSD, SIZE, key, ("Encrypted", "false")], 400, "InvalidEncrypted.NotMatchKmsKeyId"),
        (vec![ZONE, ESSD, SIZE, ("PerformanceLevel", "PL2")], 403, "OperationDenied.PerformanceLevelNotMatch"),
    ];
    for (params, status, code) in cases {
        app.refused("CreateDisk", &params, status, code).await;
    }
    let no_zone = app.refused("CreateDisk", &[ESSD, SIZE], 400, "MissingParameter").await;
    assert!(no_zone.text.contains("ZoneId"), "{}", no_zone.text);
    made(&app, &[ZONE, auto, ("Size", "4"), ("ProvisionedIops", "1000")]).await;
    let encrypted = made(&app, &[ZONE, ESSD, snapshot, key, ("Encrypted", "true")]).await;
    let source = app.disk_with(|disk| (disk.encrypted, disk.kms_key_id) = (true.into(), "key-0".to_owned())).await;
    let secret = app.accomplished_snapshot(&source).await;
    let inherited = made(&app, &[ZONE, ESSD, ("SnapshotId", &secret)]).await;
    let opened = [ZONE, ESSD, ("SnapshotId", secret.as_str()), ("Encrypted", "false")];
    app.refused("CreateDisk", &opened, 400, "InvalidEncrypted.NotMatchSnapshot").await;
    for (disk, key) in [(encrypted, "key-1"), (inherited, "key-0")] {
        let row = shown(&app, &disk).await;
        assert_eq!((&row["Encrypted"], text(&row, "/KMSKeyId")), (&true.into(), key.to_owned()));
    }
}

#[tokio::test]
async fn a_regional_disk_names_no_zone_and_moves_by_force_between_zones() {
    let app = TestApp::new().await;
    let disk = made(&app, &[("DiskCategory", "cloud_regional_disk_auto"), SIZE]).await;
    let (here, near, far) = (app.instance().await, app.instance().await, app.instance().await);
    app.sql(&format!("UPDATE instances SET zone_id = 'cn-hangzhou-k' WHERE instance_id = '{far}'")).await;
    let to = |instance: &str| [("DiskId".to_owned(), disk.clone()), ("InstanceId".to_owned(), instance.to_owned())];
    let call = async |instance: &str, more: &[(&str, &str)]| {
        let named = to(instance);
        let named = named.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        app.call("AttachDisk", &named.chain(more.iter().copied()).collect::<Vec<_>>()).await
    };
    call(&here, &[]).await.accepted();
    assert_eq!(call(&far, &[]).await.code(), "IncorrectDiskStatus");
    assert_eq!(call(&near, &[("Force", "true")]).await.code(), "InvalidInstance.ZoneConflict");
    call(&far, &[("Force", "true")]).await.accepted();
    let row = shown(&app, &disk).await;
    assert_eq!((text(&row, "/InstanceId"), &row["MountInstanceNum"]), (far, &1.into()));
    let zonal = made(&app, &[ZONE, ESSD, SIZE]).await;
    let forced = [("DiskId", zonal.as_str()), ("InstanceId", here.as_str()), ("Force", "true")];
    app.refused("AttachDisk", &forced, 400, "InvalidParameterForce.DiskCategoryNotSupported").await;
}

#[tokio::test]
async fn an_ephemeral_disk_goes_with_its_instance_and_is_never_detached() {
    let app = TestApp::new().await;
    let category = ("DiskCategory", "elastic_ephemeral_disk_standard");
    let (disk, instance) = (made(&app, &[ZONE, category, ("Size", "64")]).await, app.instance().await);
    let both = [("DiskId", disk.as_str()), ("InstanceId", instance.as_str())];
    app.refused("AttachDisk", &both, 403, "InvalidParameter.DeleteWithInstance").await;
    app.ok("AttachDisk", &[both[0], both[1], ("DeleteWithInstance", "true")]).await;
    app.refused("DetachDisk", &both, 403, "InvalidOperation.DiskCategoryUnsupported").await;
}

#[tokio::test]
async fn a_disk_that_is_being_reset_is_not_attached_and_its_reset_takes_its_time() {
    let app = TestApp::with(|config| config.lifecycle.reset_ms = 10_000).await;
    let disk = app.disk_with(|_| {}).await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    let (instance, back) = (app.instance().await, [("DiskId", disk.as_str()), ("SnapshotId", snapshot.as_str())]);
    app.ok("ResetDisk", &back).await;
    let attach = [back[0], ("InstanceId", instance.as_str())];
    app.refused("AttachDisk", &attach, 403, "IncorrectDiskStatus").await;
    app.advance("9s").await;
    app.refused("ResetDisk", &back, 403, "InvalidOperation.DiskResetInProgress").await;
    app.advance("1s").await;
    app.ok("AttachDisk", &attach).await;
}

#[tokio::test]
async fn a_disk_that_something_else_holds_is_in_conflict_and_not_in_a_reset() {
    let app = TestApp::new().await;
    let disk = app.disk_with(|_| {}).await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{disk}', 'operator:test', 'exclusive', 0)")).await;
    let back = [("DiskId", disk.as_str()), ("SnapshotId", snapshot.as_str())];
    app.refused("ResetDisk", &back, 403, "Operation.Conflict").await;
}

#[tokio::test]
async fn a_disk_released_while_it_is_made_leaves_its_snapshot_free() {
    let app = TestApp::with(|config| config.lifecycle.disk_ms = 60_000).await;
    let snapshot = app.accomplished_snapshot(&app.attached_disk().await).await;
    let instance = launched(&app).await;
    made(&app, &[("InstanceId", &instance), ESSD, ("SnapshotId", &snapshot)]).await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &snapshot), ("Force", "true")], 403, "Operation.Conflict").await;
    app.ok("DeleteInstance", &[("InstanceId", &instance), ("Force", "true")]).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
}

#[tokio::test]
async fn a_multi_attach_disk_serves_several_instances_and_never_goes_with_one() {
    let app = TestApp::new().await;
    let disk = made(&app, &[ZONE, ESSD, SIZE, ("MultiAttach", "Enabled")]).await;
    let (one, two) = (app.instance().await, app.instance().await);
    for instance in [&one, &two] {
        app.ok("AttachDisk", &[("DiskId", &disk), ("InstanceId", instance)]).await;
    }
    let row = shown(&app, &disk).await;
    assert_eq!((&row["MountInstanceNum"], text(&row, "/InstanceId")), (&2.into(), String::new()));
    let with = ("DeleteWithInstance", "true");
    let detach = [("DiskId", disk.as_str()), ("InstanceId", one.as_str()), with];
    app.refused("DetachDisk", &detach, 403, "DeleteWithInstance.Conflict").await;
    app.ok("DetachDisk", &detach[..2]).await;
    app.refused("DeleteDisk", &[("DiskId", &disk)], 403, "DiskStillAttached").await;
    app.ok("DetachDisk", &[("DiskId", &disk), ("InstanceId", &two)]).await;
    app.ok("DeleteDisk", &[("DiskId", &disk)]).await;
}

#[tokio::test]
async fn filters_take_their_values_in_any_case_and_refuse_unknown_ones() {
    let app = TestApp::new().await;
    let disk = made(&app, &[ZONE, ESSD, SIZE]).await;
    let list =
        async |key: &str, value: &str| column(&app.ok("DescribeDisks", &[(key, value)]).await, "/Disks/Disk", "DiskId");
    for (key, value) in [
        ("Status", "available"),
        ("Status", "ALL"),
        ("DiskChargeType", "postpaid"),
        ("MultiAttach", "disabled"),
        ("DiskType", "Data"),
        ("Category", "all"),
        ZONE,
    ] {
        assert_eq!(list(key, value).await, std::slice::from_ref(&disk), "{key}={value}");
    }
    for (key, value) in [("Category", "local_ssd_pro"), ("MultiAttach", "LegacyShared"), ("LockReason", "security")] {
        assert_eq!(list(key, value).await, Vec::<String>::new(), "{key}={value}");
    }
    app.refused("DescribeDisks", &[("ZoneId", "cn-hangzhou-zz")], 400, "InvalidZoneId.NotFound").await;
    app.refused("DescribeDisks", &[("Category", "floppy")], 400, "InvalidCategory.ValueNotSupported").await;
    assert_eq!(list("RegionId", OTHER_REGION).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_system_disk_goes_back_to_the_instance_that_it_came_from_alone() {
    let app = TestApp::new().await;
    let (instance, other) = (launched(&app).await, app.instance_in("cn-hangzhou", "Stopped").await);
    let disks = app.ok("DescribeDisks", &[("InstanceId", &instance)]).await;
    let disk = text(&disks, "/Disks/Disk/0/DiskId");
    app.ok("StopInstance", &[("InstanceId", &instance)]).await;
    app.advance("1s").await;
    app.ok("DetachDisk", &[("DiskId", &disk), ("InstanceId", &instance)]).await;
    let boot = |instance| [("DiskId", disk.as_str()), ("InstanceId", instance), ("Bootable", "true")];
    let password = ("Password", "Secret-123");
    let to = |instance, credential| [&boot(instance)[..], &[credential]].concat();
    app.refused("AttachDisk", &to(&other, password), 400, "InvalidInstance.NotOriginInstance").await;
    let pair = ("KeyPairName", "pair");
    app.refused("AttachDisk", &to(&instance, pair), 403, "DependencyViolation.WindowsInstance").await;
    app.ok("AttachDisk", &to(&instance, password)).await;
    let regional = made(&app, &[("DiskCategory", "cloud_regional_disk_auto"), SIZE]).await;
    let params = [("DiskId", regional.as_str()), ("InstanceId", &other), ("Bootable", "true"), password];
    app.refused("AttachDisk", &params, 400, "DiskCategory.OperationNotSupported").await;
}

#[tokio::test]
async fn a_disk_that_belongs_to_its_instance_stays_with_it() {
    let app = TestApp::new().await;
    let instance = app.instance_in("cn-hangzhou", "Stopped").await;
    let mut ids = Vec::new();
    for (n, kind) in ["data", "system"].into_iter().enumerate() {
        let mut disk = disk_row(&format!("d-bp1fixed{n:0>12}"), "cn-hangzhou", app.now());
        "In_use".clone_into(&mut disk.status);
        kind.clone_into(&mut disk.disk_type);
        disk.portable = false.into();
        ids.push(app.insert_disk(disk, Some(instance.clone())).await);
    }
    let on = |disk| [("DiskId", disk), ("InstanceId", instance.as_str())];
    app.refused("DetachDisk", &on(&ids[0]), 403, "DiskNotPortable").await;
    app.refused("DetachDisk", &on(&ids[1]), 403, "DiskTypeViolation").await;
    app.refused("DeleteDisk", &[("DiskId", &ids[0])], 403, "DiskNotPortable").await;
    let free = [("DiskId", ids[0].as_str()), ("DeleteWithInstance", "false")];
    app.refused("ModifyDiskAttribute", &free, 403, "DiskNotPortable").await;
}

#[tokio::test]
async fn attributes_that_a_disk_cannot_have_now_are_refused() {
    let app = TestApp::with(|config| {
        config.quotas.snapshots_per_disk = 1;
        config.lifecycle.disk_ms = 10_000;
    })
    .await;
    let making = made(&app, &[ZONE, ESSD, SIZE]).await;
    app.refused("ModifyDiskAttribute", &[("DiskId", &making), ("DiskName", "new")], 403, "IncorrectDiskStatus").await;
    let full = app.attached_disk().await;
    app.accomplished_snapshot(&full).await;
    let watched = [("DiskId", full.as_str()), ("EnableAutoSnapshot", "true")];
    app.refused("ModifyDiskAttribute", &watched, 403, "QuotaExceed.Snapshot").await;
    let auto = app.disk_with(|disk| "cloud_auto".clone_into(&mut disk.category)).await;
    app.ok("ModifyDiskSpec", &[("DiskId", &auto), ("ProvisionedIops", "100")]).await;
    let burst = [("DiskId", auto.as_str()), ("BurstingEnabled", "true")];
    app.refused("ModifyDiskAttribute", &burst, 400, "BurstingEnabledForModifyingDiskUnsupported").await;
    app.advance("3s").await;
    app.ok("ModifyDiskAttribute", &burst).await;
}

#[tokio::test]
async fn performance_and_placement_are_told_on_demand() {
    let app = TestApp::new().await;
    let told = async |more: &[(&str, &str)], attribute: &str| {
        let disk = made(&app, more).await;
        let ids = format!("[\"{disk}\"]");
        let body = app.ok("DescribeDisks", &[("DiskIds", &ids), ("AdditionalAttributes.1", attribute)]).await;
        body["Disks"]["Disk"][0].clone()
    };
    let category = |name| ("DiskCategory", name);
    for (params, iops, throughput) in [
        (vec![ZONE, category("cloud_efficiency"), SIZE], 2_120, 106),
        (vec![ZONE, category("cloud_ssd"), ("Size", "1000")], 25_000, 300),
        (vec![ZONE, ESSD, SIZE, ("PerformanceLevel", "PL0")], 2_280, 110),
        (vec![ZONE, ESSD, SIZE], 3_800, 140),
        (vec![ZONE, ESSD, ("Size", "2000"), ("PerformanceLevel", "PL2")], 100_000, 750),
        (vec![ZONE, ESSD, ("Size", "20000"), ("PerformanceLevel", "PL3")], 1_000_000, 4_000),
        (vec![ZONE, category("cloud_auto"), ("Size", "4"), ("ProvisionedIops", "1000")], 4_000, 140),
        (vec![ZONE, category("cloud_essd_entry"), SIZE], 2_120, 106),
    ] {
        let row = told(&params, "IOPS").await;
        assert_eq!([&row["IOPS"], &row["IOPSRead"], &row["IOPSWrite"]], [iops; 3], "{params:?}");
        let figures = ["Throughput", "ThroughputRead", "ThroughputWrite"].map(|name| row[name].as_i64());
        assert_eq!(figures, [Some(throughput); 3], "{params:?}");
    }
    let oldest = told(&[ZONE, SIZE], "IOPS").await;
    assert_eq!(oldest.get("IOPS"), None, "no formula is published");
    let regional = [category("cloud_regional_disk_auto"), SIZE];
    let placement = told(&regional, "Placement").await;
    assert_eq!(text(&placement, "/Placement/ZoneIds"), "cn-hangzhou-b,cn-hangzhou-g,cn-hangzhou-h");
    assert_eq!(told(&regional, "IOPS").await.get("Placement"), None);
    let xml = app.xml("DescribeDisks", &[("AdditionalAttributes.1", "IOPS")]).await;
    assert!(xml.text.contains("<IOPSRead>2120</IOPSRead>"), "{}", xml.text);
    app.refused("DescribeDisks", &[("AdditionalAttributes.1", "Colour")], 400, "InvalidParamter").await;
}
