//! How large, how fast and how paid for disks are: what each change refuses, and when it comes true.

use serde_json::Value;

use crate::support::answer::{column, text};
use crate::support::seed::disk_row;
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};
use snapshotd::store::disks::Disk;

pub async fn shown(app: &TestApp, disk_id: &str) -> Value {
    let body = app.ok("DescribeDisks", &[("DiskIds", &format!("[\"{disk_id}\"]"))]).await;
    body.pointer("/Disks/Disk/0").cloned().unwrap_or_default()
}

/// A disk on an instance in this status; the disk, then the instance.
pub async fn attached(app: &TestApp, status: &str, change: impl FnOnce(&mut Disk)) -> (String, String) {
    let instance = app.instance_in(REGION, status).await;
    let mut disk = disk_row(&format!("d-bp1on{:0>15}", app.next_number()), REGION, app.now());
    "In_use".clone_into(&mut disk.status);
    change(&mut disk);
    (app.insert_disk(disk, Some(instance.clone())).await, instance)
}

fn is(field: fn(&mut Disk) -> &mut String, value: &'static str) -> impl FnOnce(&mut Disk) {
    move |disk| value.clone_into(field(disk))
}

fn category(disk: &mut Disk) -> &mut String {
    &mut disk.category
}

#[tokio::test]
async fn a_disk_grows_at_once_and_once_for_each_token() {
    let app = TestApp::new().await;
    let (disk, _) = attached(&app, "Running", |_| {}).await;
    let grow = [("DiskId", disk.as_str()), ("NewSize", "50"), ("Type", "online"), ("ClientToken", "t")];
    app.call_as(OTHER_KEY, "ResizeDisk", &grow[..2]).await.refused(404, "InvalidDiskId.NotFound");
    let elsewhere = [grow[0], grow[1], ("RegionId", OTHER_REGION)];
    app.refused("ResizeDisk", &elsewhere, 404, "InvalidDiskId.NotFound").await;
    app.ok("ResizeDisk", &grow).await;
    assert_eq!(shown(&app, &disk).await["Size"], 50);
    app.ok("ResizeDisk", &grow).await;
    app.refused("ResizeDisk", &grow[..3], 403, "InvalidDiskSize").await;
    let other = [grow[0], ("NewSize", "60"), grow[3]];
    app.refused("ResizeDisk", &other, 403, "IdempotentParameterMismatch").await;
    let free = app.disk_with(|_| {}).await;
    app.ok("ResizeDisk", &[("DiskId", &free), ("NewSize", "41")]).await;
    app.ok("ResizeDisk", &[("DiskId", &free), ("NewSize", "42"), ("Type", "Online")]).await;
}

#[tokio::test]
async fn what_cannot_grow_is_refused_and_stays_as_it_is() {
    let app = TestApp::new().await;
    let (disk, _) = attached(&app, "Running", |_| {}).await;
    let (on_stopped, _) = attached(&app, "Stopped", |_| {}).await;
    let (on_starting, _) = attached(&app, "Starting", |_| {}).await;
    let (oldest, _) = attached(&app, "Running", is(category, "cloud")).await;
    let (ephemeral, _) = attached(&app, "Running", is(category, "elastic_ephemeral_disk_standard")).await;
    let (shared, _) = attached(&app, "Running", |disk| "Enabled".clone_into(&mut disk.multi_attach)).await;
    let (system, _) = attached(&app, "Stopped", |disk| "system".clone_into(&mut disk.disk_type)).await;
    let (detaching, _) = attached(&app, "Running", |disk| "Detaching".clone_into(&mut disk.status)).await;
    let lone = app.disk_with(|disk| "system".clone_into(&mut disk.disk_type)).await;
    let held = app.disk_with(|_| {}).await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{held}', 'operator:test', 'exclusive', 0)")).await;
    let busy = app.attached_disk().await;
    app.snapshot(&busy).await;
    let image = app.image_from(&app.accomplished_snapshot(&disk).await, "Available", crate::support::ACCOUNT).await;
    app.sql(&format!("UPDATE images SET platform = 'FreeBSD' WHERE image_id = '{image}'")).await;
    let (fixed, _) = attached(&app, "Stopped", |disk| {
        "system".clone_into(&mut disk.disk_type);
        image.clone_into(&mut disk.image_id);
    })
    .await;
    let busy_now = app.attached_disk().await;
    app.snapshot(&busy_now).await;
    let online = [("Type", "online")];
    let cases: Vec<(&str, &str, &[(&str, &str)], u16, &str)> = vec![
        ("d-none", "50", &[], 404, "InvalidDiskId.NotFound"),
        (&disk, "39", &[], 403, "InvalidDiskSize.TooSmall"),
        (&disk, "40", &[], 403, "InvalidDiskSize"),
        (&disk, "0", &[], 400, "InvalidDataDiskSize.ValueNotSupported"),
        (&disk, "65537", &[], 400, "InvalidDataDiskSize.ValueNotSupported"),
        (&disk, "much", &[], 400, "InvalidDataDiskSize.ValueNotSupported"),
        (&disk, "50", &[("Type", "magic")], 400, "InvalidParam.Type"),
        (&oldest, "2001", &[], 403, "InvalidDiskSize.TooLarge"),
        (&oldest, "50", &online, 403, "InvalidDiskCategory.NotSupported"),
        (&ephemeral, "64", &[], 403, "OperationDenied"),
        (&shared, "50", &online, 403, "InvalidOperation.MultiAttachDiskNotSupportResizeOnline"),
        (&on_stopped, "50", &online, 403, "InvalidInstanceStatus.NotRunning"),
        (&on_starting, "50", &[], 403, "IncorrectInstanceStatus"),
        (&system, "2049", &[], 400, "InvalidSystemDiskSize.ValueNotSupported"),
        (&fixed, "50", &[], 400, "InvalidSystemDiskSize.ImageNotSupportResize"),
        (&detaching, "50", &[], 403, "IncorrectDiskStatus"),
        (&lone, "50", &[], 400, "InvalidDisk.DetachedSystemDisk"),
        (&held, "50", &[], 403, "Operation.Conflict"),
        (&busy_now, "50", &[], 403, "DiskCreatingSnapshot"),
    ];
    let before = app.dump().await;
    for (disk, size, more, status, code) in cases {
        app.refused("ResizeDisk", &[&[("DiskId", disk), ("NewSize", size)], more].concat(), status, code).await;
    }
    app.refused("ResizeDisk", &[("DiskId", &disk)], 400, "IncompleteParamter").await;
    app.refused("ResizeDisk", &[("NewSize", "50")], 400, "IncompleteParamter").await;
    assert_eq!(app.dump().await, before);
    app.ok("ResizeDisk", &[("DiskId", &busy), ("NewSize", "50")]).await;
    app.ok("ResizeDisk", &[("DiskId", &system), ("NewSize", "50")]).await;
    app.ok("ResizeDisk", &[("DiskId", &ephemeral), ("NewSize", "64"), online[0]]).await;
}

#[tokio::test]
async fn a_specification_comes_true_when_its_task_is_finished() {
    let app = TestApp::new().await;
    let (disk, _) = attached(&app, "Running", |disk| disk.size = 500).await;
    let to_pl2 = [("DiskId", disk.as_str()), ("PerformanceLevel", "PL2")];
    let before = app.dump().await;
    app.refused("ModifyDiskSpec", &[to_pl2[0], to_pl2[1], ("DryRun", "true")], 400, "DryRunOperation").await;
    app.call_as(OTHER_KEY, "ModifyDiskSpec", &to_pl2).await.refused(404, "InvalidDiskId.NotFound");
    let elsewhere = [to_pl2[0], to_pl2[1], ("RegionId", OTHER_REGION)];
    app.refused("ModifyDiskSpec", &elsewhere, 404, "InvalidDiskId.NotFound").await;
    assert_eq!(app.dump().await, before);
    let task = text(&app.ok("ModifyDiskSpec", &to_pl2).await, "/TaskId");
    assert_eq!(text(&shown(&app, &disk).await, "/PerformanceLevel"), "PL1");
    app.refused("ModifyDiskSpec", &to_pl2, 403, "IncorrectDiskStatus").await;
    app.refused("ResizeDisk", &[to_pl2[0], ("NewSize", "600")], 400, "LastOrderProcessing").await;
    app.refused("CreateSnapshot", &to_pl2[..1], 403, "IncorrectDiskStatus.Transferring").await;
    app.refused("CancelTask", &[("TaskId", &task)], 403, "InvalidTaskId.TaskActionNotSupport").await;
    app.advance("3s").await;
    assert_eq!(text(&shown(&app, &disk).await, "/PerformanceLevel"), "PL2");
    let body = app.ok("DescribeTasks", &[("TaskAction", "ModifyDiskSpec"), ("TaskStatus", "Finished")]).await;
    assert_eq!(
        (text(&body, "/TaskSet/Task/0/TaskId"), text(&body, "/TaskSet/Task/0/ResourceId")),
        (task, disk.clone())
    );
    let auto = [("DiskId", disk.as_str()), ("DiskCategory", "cloud_auto"), ("ProvisionedIops", "100")];
    app.ok("ModifyDiskSpec", &auto).await;
    app.advance("3s").await;
    let row = shown(&app, &disk).await;
    assert_eq!((text(&row, "/Category"), &row["ProvisionedIops"]), ("cloud_auto".into(), &100.into()));
    assert_eq!(row["PerformanceLevel"], Value::Null);
    app.ok("ModifyDiskSpec", &[("DiskId", &disk), ("DiskCategory", "cloud_essd")]).await;
    app.advance("3s").await;
    let row = shown(&app, &disk).await;
    assert_eq!((text(&row, "/PerformanceLevel"), &row["ProvisionedIops"]), ("PL1".into(), &Value::Null));
}

#[tokio::test]
async fn a_specification_survives_a_restart() {
    let mut app = TestApp::new().await;
    let disk = app.disk_with(|_| {}).await;
    app.ok("ModifyDiskSpec", &[("DiskId", &disk), ("DiskCategory", "cloud_auto")]).await;
    app.restart().await;
    app.advance("3s").await;
    assert_eq!(text(&shown(&app, &disk).await, "/Category"), "cloud_auto");
}

#[tokio::test]
async fn specifications_that_cannot_be_are_refused() {
    let app = TestApp::new().await;
    let essd = app.disk_with(|_| {}).await;
    let prepaid = app
        .disk_with(|disk| {
            disk.size = 500;
            "PL2".clone_into(&mut disk.performance_level);
            "PrePaid".clone_into(&mut disk.disk_charge_type);
        })
        .await;
    let of = async |name: &'static str| app.disk_with(is(category, name)).await;
    let (auto, entry, oldest) = (of("cloud_auto").await, of("cloud_essd_entry").await, of("cloud").await);
    let ephemeral = of("elastic_ephemeral_disk_premium").await;
    let huge = app.disk_with(|disk| disk.size = 40_000).await;
    let shared = app.disk_with(|disk| "Enabled".clone_into(&mut disk.multi_attach)).await;
    let making = app.disk_with(|disk| "Creating".clone_into(&mut disk.status)).await;
    let held = app.disk_with(|_| {}).await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{held}', 'operator:test', 'shared', 0)")).await;
    let busy = app.attached_disk().await;
    app.snapshot(&busy).await;
    let level = |name| ("PerformanceLevel", name);
    let to = |name| ("DiskCategory", name);
    let iops = |number| ("ProvisionedIops", number);
    let control = |name| ("PerformanceControlOptions.Recover", name);
    let cases: Vec<(&str, Vec<(&str, &str)>, u16, &str)> = vec![
        ("d-none", vec![level("PL2")], 404, "InvalidDiskId.NotFound"),
        (&essd, vec![level("PL9")], 400, "InvalidPerformanceLevel.Malformed"),
        (&essd, vec![to("cloud_regional_disk_auto")], 400, "InvalidDiskCategory.ValueNotSupported"),
        (&essd, vec![to("cloud_auto"), level("PL1")], 400, "InvalidPerformanceLevelParam.Mismatch"),
        (&auto, vec![level("PL1")], 400, "InvalidPerformanceLevelParam.Mismatch"),
        (&essd, vec![level("PL1"), iops("1")], 400, "InvalidParameter.Conflict"),
        (&essd, vec![], 403, "NoChangeInDiskCategoryAndPerformanceLevel"),
        (&essd, vec![level("PL1")], 403, "NoChangeInDiskCategoryAndPerformanceLevel"),
        (&essd, vec![level("PL2")], 403, "OperationDenied.PerformanceLevelNotMatch"),
        (&essd, vec![level("PL0")], 403, "InvalidPerformanceLevel.TooLow"),
        (&essd, vec![iops("1")], 400, "ProvisionedIopsForDiskCategoryUnsupported"),
        (&auto, vec![iops("50001")], 400, "InvalidProvisionedIops.LimitExceed"),
        (&auto, vec![iops("many")], 400, "InvalidProvisionedIops.LimitExceed"),
        (&prepaid, vec![level("PL1")], 403, "Downgrade.NotSupported"),
        (&prepaid, vec![to("cloud_auto")], 403, "Downgrade.NotSupported"),
        (&entry, vec![to("cloud_ssd")], 403, "InvalidDiskCategory.ValueNotSupported"),
        (&huge, vec![to("cloud_ssd")], 403, "InvalidDiskCategory.ValueNotSupported"),
        (&oldest, vec![to("cloud_essd")], 403, "InvalidDiskCategory.NotSupported"),
        (&ephemeral, vec![to("cloud_essd")], 403, "OperationDenied"),
        (&shared, vec![to("cloud_auto")], 403, "InvalidOperation.MultiAttachDisk"),
        (&making, vec![to("cloud_auto")], 403, "InvalidStatus.DiskNotReady"),
        (&held, vec![to("cloud_auto")], 403, "Operation.Conflict"),
        (&busy, vec![to("cloud_auto")], 403, "DiskCreatingSnapshot"),
        (&essd, vec![control("Some")], 400, "MalformedParameter.PerformanceControlOptions"),
        (&essd, vec![("PerformanceControlOptions.IOPS", "950")], 400, "MalformedParameter.PerformanceControlOptions"),
        (&essd, vec![("PerformanceControlOptions.IOPS", "x")], 400, "MalformedParameter.PerformanceControlOptions"),
        (
            &essd,
            vec![("PerformanceControlOptions.Throughput", "1")],
            400,
            "MalformedParameter.PerformanceControlOptions",
        ),
        (&essd, vec![control("All"), level("PL2")], 400, "InvalidPerformanceControlOptions.ModifyOperationUnsupported"),
        (&essd, vec![control("All")], 403, "InvalidPerformanceParameter.DiskNotInDedicatedStorageCluster"),
    ];
    let before = app.dump().await;
    for (disk, params, status, code) in cases {
        app.refused("ModifyDiskSpec", &[&[("DiskId", disk)], params.as_slice()].concat(), status, code).await;
    }
    app.refused("ModifyDiskSpec", &[], 400, "MissingParameter").await;
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn modified_disks_are_limited_in_number_and_cool_down() {
    let app = TestApp::with(|config| {
        config.quotas.modifying_disks = 1;
        config.lifecycle.modify_disk_spec_cooling_ms = 60_000;
    })
    .await;
    let (one, two) = (app.disk_with(|_| {}).await, app.disk_with(|_| {}).await);
    let to = |disk| [("DiskId", disk), ("DiskCategory", "cloud_auto")];
    app.ok("ModifyDiskSpec", &to(&one)).await;
    app.refused("ModifyDiskSpec", &to(&two), 403, "ModifyingDiskCategoryLimitExceed").await;
    app.advance("3s").await;
    app.ok("ModifyDiskSpec", &to(&two)).await;
    let back = [("DiskId", one.as_str()), ("DiskCategory", "cloud_essd")];
    app.refused("ModifyDiskSpec", &back, 403, "DiskInCoolingPeriod").await;
    app.advance("1m").await;
    app.ok("ModifyDiskSpec", &back).await;
}

#[tokio::test]
async fn a_disk_that_grew_offline_is_modified_after_a_restart_of_its_instance() {
    let app = TestApp::new().await;
    let (disk, instance) = attached(&app, "Running", |_| {}).await;
    app.advance("1s").await;
    app.ok("ResizeDisk", &[("DiskId", &disk), ("NewSize", "50")]).await;
    let modify = [("DiskId", disk.as_str()), ("DiskCategory", "cloud_auto")];
    app.refused("ModifyDiskSpec", &modify, 403, "OperationDenied.DiskExpansionUnfinished").await;
    app.ok("StopInstance", &[("InstanceId", &instance)]).await;
    app.advance("1s").await;
    app.ok("ModifyDiskSpec", &modify).await;
}

#[tokio::test]
async fn disks_of_a_subscription_are_paid_for_in_either_way() {
    let app = TestApp::new().await;
    let (one, instance) = attached(&app, "Running", |_| {}).await;
    let (elsewhere, by_use) = attached(&app, "Running", |_| {}).await;
    app.sql(&format!("UPDATE instances SET instance_charge_type = 'PrePaid' WHERE instance_id = '{instance}'")).await;
    let on = async |change: fn(&mut Disk)| {
        let mut disk = disk_row(&format!("d-bp1on{:0>15}", app.next_number()), REGION, app.now());
        "In_use".clone_into(&mut disk.status);
        change(&mut disk);
        app.insert_disk(disk, Some(instance.clone())).await
    };
    let two = on(|_| {}).await;
    let system = on(|disk| "system".clone_into(&mut disk.disk_type)).await;
    let shared = on(|disk| "Enabled".clone_into(&mut disk.multi_attach)).await;
    let leaving = on(|disk| "Detaching".clone_into(&mut disk.status)).await;
    let held = on(|_| {}).await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{held}', 'operator:test', 'shared', 0)")).await;
    let list = |ids: &[&str]| serde_json::to_string(ids).expect("a list");
    let both = list(&[&one, &two]);
    let many = list(&["d-1"; 17]);
    let cases: Vec<(String, &str, &[(&str, &str)], u16, &str)> = vec![
        (both.clone(), "i-none", &[], 404, "InvalidInstanceId.NotFound"),
        (both.clone(), &by_use, &[], 403, "ChargeTypeViolation"),
        (list(&[&one, "d-none"]), &instance, &[], 404, "InvalidDiskId.NotFound"),
        (list(&[&one, &system]), &instance, &[], 403, "DiskTypeViolation"),
        (list(&[&one, &shared]), &instance, &[], 403, "InvalidOperation.MultiAttachDisk"),
        (list(&[&one, &elsewhere]), &instance, &[], 403, "DependencyViolation"),
        (list(&[&one, &leaving]), &instance, &[], 403, "IncorrectDiskStatus"),
        (list(&[&one, &held]), &instance, &[], 403, "Operation.Conflict"),
        ("[]".to_owned(), &instance, &[], 400, "InvalidDiskIds.ValueNotSupported"),
        ("d-1".to_owned(), &instance, &[], 400, "InvalidDiskIds.ValueNotSupported"),
        (many, &instance, &[], 400, "InvalidDiskIds.ValueNotSupported"),
        (both.clone(), &instance, &[("DiskChargeType", "Free")], 400, "InvalidDiskChargeType.ValueNotSupported"),
    ];
    let before = app.dump().await;
    for (ids, instance, more, status, code) in cases {
        let params = [&[("DiskIds", ids.as_str()), ("InstanceId", instance)], more].concat();
        app.refused("ModifyDiskChargeType", &params, status, code).await;
    }
    let change = [("DiskIds", both.as_str()), ("InstanceId", instance.as_str()), ("ClientToken", "t")];
    app.call_as(OTHER_KEY, "ModifyDiskChargeType", &change[..2]).await.refused(404, "InvalidInstanceId.NotFound");
    assert_eq!(app.dump().await, before);
    app.ok("ModifyDiskChargeType", &change).await;
    app.ok("ModifyDiskChargeType", &change).await;
    for disk in [&one, &two] {
        let row = shown(&app, disk).await;
        assert_eq!((text(&row, "/DiskChargeType"), &row["Portable"]), ("PrePaid".into(), &false.into()));
    }
    let detach = [("DiskId", one.as_str()), ("InstanceId", instance.as_str())];
    app.refused("DetachDisk", &detach, 403, "DiskNotPortable").await;
    let back = [change[0], change[1], ("DiskChargeType", "PostPaid"), ("AutoPay", "true")];
    app.refused("ModifyDiskChargeType", &back, 403, "DiskInCoolingPeriod").await;
    app.advance("5m").await;
    app.ok("ModifyDiskChargeType", &back).await;
    app.ok("DetachDisk", &detach).await;
}

#[tokio::test]
async fn a_disk_that_is_not_portable_goes_with_its_instance() {
    let app = TestApp::new().await;
    let (fixed, instance) = attached(&app, "Stopped", |disk| disk.portable = false.into()).await;
    let mut free = disk_row("d-bp1stays00000000000", REGION, app.now());
    "In_use".clone_into(&mut free.status);
    let free = app.insert_disk(free, Some(instance.clone())).await;
    app.ok("DeleteInstance", &[("InstanceId", &instance)]).await;
    let disks = app.ok("DescribeDisks", &[("RegionId", REGION)]).await;
    assert_eq!(column(&disks, "/Disks/Disk", "DiskId"), [free], "and not {fixed}");
}
