//! Other content for disks: several that go back together, system disks that are replaced, and what refuses it.

use serde_json::Value;

use crate::disk_specs::{attached, shown};
use crate::support::answer::{column, text};
use crate::support::seed::disk_row;
use crate::support::{ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};
use snapshotd::store::disks::Disk;

const UBUNTU: (&str, &str) = ("ImageId", "ubuntu_24_04_x64_20G_alibase_20260101.vhd");
const WINDOWS: (&str, &str) = ("ImageId", "win2022_21H2_x64_dtc_en-us_40G_alibase_20260101.vhd");

async fn on(app: &TestApp, instance: &str, change: impl FnOnce(&mut Disk)) -> String {
    let mut disk = disk_row(&format!("d-bp1by{:0>15}", app.next_number()), REGION, app.now());
    "In_use".clone_into(&mut disk.status);
    change(&mut disk);
    app.insert_disk(disk, Some(instance.to_owned())).await
}

/// A stopped instance from an image and its system disk.
async fn stopped(app: &TestApp) -> (String, String) {
    let params = [UBUNTU, ("InstanceType", "ecs.g7.large"), ("ZoneId", "cn-hangzhou-h")];
    let id = text(&app.ok("RunInstances", &params).await, "/InstanceIdSets/InstanceIdSet/0");
    app.advance("1s").await;
    app.ok("StopInstance", &[("InstanceId", &id)]).await;
    app.advance("1s").await;
    let disk = system_disk(app, &id).await;
    (id, text(&disk, "/DiskId"))
}

async fn system_disk(app: &TestApp, instance: &str) -> Value {
    let disks = app.ok("DescribeDisks", &[("InstanceId", instance), ("DiskType", "system")]).await;
    assert_eq!(disks["TotalCount"], 1, "{disks}");
    disks["Disks"]["Disk"][0].clone()
}

#[tokio::test]
async fn disks_of_one_instance_go_back_together_or_not_at_all() {
    let app = TestApp::with(|config| config.lifecycle.reset_ms = 1_000).await;
    let (one, instance) = attached(&app, "Stopped", |_| {}).await;
    let two = on(&app, &instance, |_| {}).await;
    let elsewhere = app.disk_with(|_| {}).await;
    let (old_one, old_two) = (app.accomplished_snapshot(&one).await, app.accomplished_snapshot(&two).await);
    let old_elsewhere = app.accomplished_snapshot(&elsewhere).await;
    app.ok("ResizeDisk", &[("DiskId", &one), ("NewSize", "50")]).await;
    let first = [("Disk.1.DiskId", one.as_str()), ("Disk.1.SnapshotId", old_one.as_str())];
    let both = [&first[..], &[("Disk.2.DiskId", &two), ("Disk.2.SnapshotId", &old_two)]].concat();
    let with = |disk, snapshot| [&first[..], &[("Disk.2.DiskId", disk), ("Disk.2.SnapshotId", snapshot)]].concat();
    let before = app.dump().await;
    for (params, status, code) in [
        (vec![], 400, "MissingParameter"),
        (vec![first[0]], 400, "MissingParameter"),
        (with(&one, &old_one), 400, "InvalidParameter"),
        (with(&elsewhere, &old_elsewhere), 400, "InvalidParameter"),
        (with("d-none", &old_two), 404, "InvalidDiskId.NotFound"),
        (with(&two, "s-none"), 404, "InvalidSnapshotId.NotFound"),
        (with(&two, &old_one), 403, "InvalidParameter.Mismatch"),
        ([&both[..], &[("DryRun", "true")]].concat(), 400, "DryRunOperation"),
        ([&both[..], &[("RegionId", "cn-nowhere")]].concat(), 404, "InvalidRegionId.NotFound"),
        ([&both[..], &[("RegionId", OTHER_REGION)]].concat(), 404, "InvalidDiskId.NotFound"),
    ] {
        app.refused("ResetDisks", &params, status, code).await;
    }
    app.call_as(OTHER_KEY, "ResetDisks", &both).await.refused(404, "InvalidDiskId.NotFound");
    assert_eq!(app.dump().await, before);
    let progress = app.ok("ResetDisks", &both).await["OperationProgressSet"].clone();
    assert_eq!(column(&progress, "/OperationProgress", "OperationStatus"), ["Success", "Success"]);
    let told = column(&progress, "/OperationProgress/1/RelatedItemSet/RelatedItem", "Value");
    assert_eq!(told, [two.clone(), old_two.clone()]);
    assert_eq!(shown(&app, &one).await["Size"], 40, "the size goes back as well");
    app.refused("ResetDisks", &both, 403, "Operation.Conflict").await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &old_two)], 403, "Operation.Conflict").await;
    app.advance("1s").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &old_two)]).await;
}

#[tokio::test]
async fn each_disk_that_goes_back_is_held_to_the_same_rules() {
    let app = TestApp::new().await;
    let cases: [(fn(&mut Disk), &str, u16, &str); 5] = [
        (|disk| "Enabled".clone_into(&mut disk.multi_attach), "Stopped", 403, "InvalidOperation.MultiAttachDisk"),
        (|disk| "cloud_ssd".clone_into(&mut disk.category), "Running", 403, "IncorrectInstanceStatus"),
        (|disk| "Detaching".clone_into(&mut disk.status), "Stopped", 403, "IncorrectDiskStatus"),
        (
            |disk| "elastic_ephemeral_disk_premium".clone_into(&mut disk.category),
            "Stopped",
            400,
            "DiskCategory.OperationNotSupported",
        ),
        (|_| {}, "Stopped", 403, "OperationDenied"),
    ];
    for (change, status_of_instance, status, code) in cases {
        let (disk, _) = attached(&app, status_of_instance, |_| {}).await;
        let snapshot = app.accomplished_snapshot(&disk).await;
        if code == "OperationDenied" {
            app.sql(&format!("UPDATE snapshots SET category = 'archive' WHERE snapshot_id = '{snapshot}'")).await;
        }
        let mut row = disk_row(&disk, REGION, app.now());
        "In_use".clone_into(&mut row.status);
        change(&mut row);
        let Disk { category, multi_attach, status: now, .. } = row;
        app.sql(&format!(
            "UPDATE disks SET category = '{category}', multi_attach = '{multi_attach}', status = '{now}' WHERE disk_id = '{disk}'"
        ))
        .await;
        let many = [("Disk.1.DiskId", disk.as_str()), ("Disk.1.SnapshotId", snapshot.as_str())];
        app.refused("ResetDisks", &many, status, code).await;
        if code != "InvalidOperation.MultiAttachDisk" {
            let one = [("DiskId", disk.as_str()), ("SnapshotId", snapshot.as_str())];
            app.refused("ResetDisk", &one, status, code).await;
        }
    }
    let (disk, _) = attached(&app, "Stopped", |_| {}).await;
    let old = app.accomplished_snapshot(&disk).await;
    let young = app.snapshot(&disk).await;
    let to = |snapshot| [("Disk.1.DiskId", disk.as_str()), ("Disk.1.SnapshotId", snapshot)];
    app.refused("ResetDisks", &to(&old), 403, "IncorrectDiskStatus.HasUnfinishedSnapshot").await;
    app.advance("2s").await;
    app.sql(&format!("UPDATE snapshots SET status = 'failed' WHERE snapshot_id = '{young}'")).await;
    app.refused("ResetDisks", &to(&young), 403, "InvalidSnapshotId.NotReady").await;
    app.sql(&format!("UPDATE snapshots SET status = 'accomplished' WHERE snapshot_id = '{young}'")).await;
}

#[tokio::test]
async fn what_cannot_be_reinitialised_is_refused() {
    let app = TestApp::new().await;
    let (ephemeral, _) =
        attached(&app, "Stopped", |disk| "elastic_ephemeral_disk_premium".clone_into(&mut disk.category)).await;
    let (windows, _) = attached(&app, "Stopped", |disk| {
        "system".clone_into(&mut disk.disk_type);
        WINDOWS.1.clone_into(&mut disk.image_id);
    })
    .await;
    let before = app.dump().await;
    app.refused("ReInitDisk", &[("DiskId", &ephemeral)], 400, "DiskCategory.OperationNotSupported").await;
    let pair = [("DiskId", windows.as_str()), ("KeyPairName", "pair")];
    app.refused("ReInitDisk", &pair, 403, "DependencyViolation.WindowsInstance").await;
    for password in ["short1A", "alllowercase", "Has space 1"] {
        let params = [("DiskId", windows.as_str()), ("Password", password)];
        app.refused("ReInitDisk", &params, 400, "InvalidPassword.Malformed").await;
    }
    assert_eq!(app.dump().await, before);
    app.snapshot(&windows).await;
    app.refused("ReInitDisk", &[("DiskId", &windows)], 403, "DiskCreatingSnapshot").await;
    app.advance("2s").await;
    app.ok("ReInitDisk", &[("DiskId", &windows), ("Password", "Secret-123")]).await;
}

#[tokio::test]
async fn a_stopped_instance_gets_another_system_disk_and_the_old_one_leaves() {
    let app = TestApp::new().await;
    let (instance, old) = stopped(&app).await;
    let manual = app.accomplished_snapshot(&old).await;
    let automatic = app.accomplished_snapshot(&old).await;
    app.sql(&format!("UPDATE snapshots SET snapshot_type = 'auto' WHERE snapshot_id = '{automatic}'")).await;
    let replace = [("InstanceId", instance.as_str()), WINDOWS, ("SystemDisk.Size", "60"), ("ClientToken", "t")];
    app.call_as(OTHER_KEY, "ReplaceSystemDisk", &replace).await.refused(404, "InvalidInstanceId.NotFound");
    let new = text(&app.ok("ReplaceSystemDisk", &replace).await, "/DiskId");
    assert_eq!(text(&app.ok("ReplaceSystemDisk", &replace).await, "/DiskId"), new, "once for each token");
    let row = system_disk(&app, &instance).await;
    assert_eq!((text(&row, "/DiskId"), text(&row, "/Device")), (new, "/dev/xvda".into()));
    assert_eq!((text(&row, "/ImageId"), &row["Size"]), (WINDOWS.1.to_owned(), &60.into()));
    assert_eq!(shown(&app, &old).await, Value::Null);
    assert_eq!(text(&app.described(&manual).await, "/SnapshotId"), manual, "manual snapshots stay");
    assert_eq!(app.described(&automatic).await, Value::Null, "automatic ones leave with the disk");
    let body = app.ok("DescribeInstances", &[("InstanceIds", &format!("[\"{instance}\"]"))]).await;
    assert_eq!(text(&body, "/Instances/Instance/0/ImageId"), WINDOWS.1);
    app.ok("StartInstance", &[("InstanceId", &instance)]).await;
}

#[tokio::test]
async fn a_replaced_system_disk_is_as_large_as_documented_and_encrypted_as_asked_for() {
    let app = TestApp::new().await;
    let (instance, _) = stopped(&app).await;
    let key = [("InstanceId", instance.as_str()), UBUNTU, ("Encrypted", "true"), ("KMSKeyId", "key-1")];
    app.ok("ReplaceSystemDisk", &key).await;
    let row = system_disk(&app, &instance).await;
    assert_eq!((&row["Size"], &row["Encrypted"], text(&row, "/KMSKeyId")), (&40.into(), &true.into(), "key-1".into()));
    app.ok("StartInstance", &key[..1]).await;
    app.ok("StopInstance", &key[..1]).await;
    let image = text(&app.ok("CreateImage", &key[..1]).await, "/ImageId");
    app.advance("5s").await;
    app.ok("ReplaceSystemDisk", &[key[0], UBUNTU]).await;
    assert_eq!(system_disk(&app, &instance).await["Encrypted"], false);
    app.ok("ReplaceSystemDisk", &[key[0], ("ImageId", &image)]).await;
    let row = system_disk(&app, &instance).await;
    assert_eq!((&row["Encrypted"], text(&row, "/KMSKeyId")), (&true.into(), "key-1".into()), "the image's");
}

#[tokio::test]
async fn a_replaced_system_disk_keeps_what_was_chosen_for_the_old_one() {
    let app = TestApp::new().await;
    let (instance, old) = stopped(&app).await;
    let chosen = [("DeleteWithInstance", "false"), ("DeleteAutoSnapshot", "false"), ("EnableAutoSnapshot", "false")];
    app.ok("ModifyDiskAttribute", &[&[("DiskId", old.as_str())], &chosen[..]].concat()).await;
    app.ok("ReplaceSystemDisk", &[("InstanceId", &instance), UBUNTU]).await;
    let row = system_disk(&app, &instance).await;
    assert_eq!(chosen.map(|(name, _)| row[name].clone()), [false, false, false].map(Value::from));
}

#[tokio::test]
async fn a_data_disk_becomes_the_system_disk() {
    let app = TestApp::new().await;
    let (instance, old) = stopped(&app).await;
    let data = app.disk_with(|_| {}).await;
    let replace = [
        ("InstanceId", instance.as_str()),
        ("DiskId", data.as_str()),
        ("Architecture", "x86_64"),
        ("Platform", "Ubuntu"),
    ];
    assert_eq!(text(&app.ok("ReplaceSystemDisk", &replace).await, "/DiskId"), data);
    let row = system_disk(&app, &instance).await;
    let told = ["DiskId", "Status", "Device", "InstanceId"].map(|name| text(&row, &format!("/{name}")));
    assert_eq!(told, [&data, "In_use", "/dev/xvda", &instance].map(str::to_owned));
    assert_eq!(shown(&app, &old).await, Value::Null);
    app.ok("StartInstance", &replace[..1]).await;
}

#[tokio::test]
async fn system_disks_that_cannot_be_replaced_stay() {
    let app = TestApp::new().await;
    let (instance, _) = stopped(&app).await;
    let (running, bare, pending) =
        (app.instance().await, app.instance_in(REGION, "Stopped").await, app.instance_in(REGION, "Pending").await);
    let system = async |change: fn(&mut Disk)| {
        let id = app.instance_in(REGION, "Stopped").await;
        let disk = on(&app, &id, |disk| {
            "system".clone_into(&mut disk.disk_type);
            change(disk);
        })
        .await;
        (id, disk)
    };
    let (on_ephemeral, _) = system(|disk| "elastic_ephemeral_disk_premium".clone_into(&mut disk.category)).await;
    let (on_oldest, _) = system(|disk| "cloud".clone_into(&mut disk.category)).await;
    let (on_fast, _) = system(|disk| {
        disk.size = 500;
        "PL2".clone_into(&mut disk.performance_level);
    })
    .await;
    let (on_detaching, _) = system(|disk| "Detaching".clone_into(&mut disk.status)).await;
    let (on_held, held) = system(|_| {}).await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{held}', 'operator:test', 'shared', 0)")).await;
    let (on_transfer, transferred) = system(|_| {}).await;
    let (on_busy, busy) = system(|_| {}).await;
    let (named, _) = system(|_| {}).await;
    app.sql(&format!("UPDATE instances SET host_name = 'a.host.of.linux' WHERE instance_id = '{named}'")).await;
    let data = app.disk_with(|_| {}).await;
    let source = app.accomplished_snapshot(&data).await;
    let [fixed, with_data, creating] = [
        app.image_from(&source, "Available", ACCOUNT).await,
        app.image_from(&source, "Available", ACCOUNT).await,
        app.image_from(&source, "Waiting", ACCOUNT).await,
    ];
    app.sql(&format!(
        "UPDATE images SET platform = 'FreeBSD' WHERE image_id = '{fixed}';
         INSERT INTO image_disk_mappings VALUES ('{with_data}', 1, '/dev/xvdb', 'data', 40, 0, '{source}')"
    ))
    .await;
    app.snapshot(&busy).await;
    app.ok("ModifyDiskSpec", &[("DiskId", &transferred), ("DiskCategory", "cloud_auto")]).await;
    let size = |number| ("SystemDisk.Size", number);
    let cases: Vec<(&str, Vec<(&str, &str)>, u16, &str)> = vec![
        ("i-none", vec![UBUNTU], 404, "InvalidInstanceId.NotFound"),
        (&running, vec![UBUNTU], 403, "IncorrectInstanceStatus"),
        (&pending, vec![UBUNTU], 403, "OperationDenied.InstanceCreating"),
        (&bare, vec![UBUNTU], 400, "InvalidInstance.NotFoundSystemDisk"),
        (&on_ephemeral, vec![UBUNTU], 400, "InvalidDiskCategory.ValueNotSupported"),
        (&on_detaching, vec![UBUNTU], 403, "IncorrectDiskStatus"),
        (&on_held, vec![UBUNTU], 403, "Operation.Conflict"),
        (&on_transfer, vec![UBUNTU], 403, "InvalidSystemDiskStatus.IsTransfering"),
        (&on_busy, vec![UBUNTU], 403, "DiskCreatingSnapshot"),
        (&instance, vec![], 400, "MissingParameter"),
        (&instance, vec![("ImageId", "m-none")], 404, "InvalidImageId.NotFound"),
        (&instance, vec![("ImageId", &creating)], 403, "OperationDenied.ImageNotValid"),
        (&instance, vec![("ImageId", &with_data)], 400, "OperationDenied"),
        (&instance, vec![("ImageId", &fixed), size("60")], 400, "InvalidSystemDiskSize.ImageNotSupportResize"),
        (&instance, vec![UBUNTU, size("big")], 400, "InvalidSystemDiskSize"),
        (&instance, vec![UBUNTU, size("0")], 400, "InvalidSystemDiskSize.ValueNotSupported"),
        (&instance, vec![UBUNTU, size("19")], 404, "InvalidSystemDiskSize.LessThanImageSize"),
        (&on_fast, vec![UBUNTU, size("460")], 404, "InvalidSystemDiskSize.LessThanMinSize"),
        (&instance, vec![UBUNTU, size("2049")], 404, "InvalidSystemDiskSize.MoreThanMaxSize"),
        (&instance, vec![UBUNTU, ("Password", "weak")], 400, "InvalidPassword.Malformed"),
        (
            &instance,
            vec![UBUNTU, ("Password", "Secret-123"), ("PasswordInherit", "true")],
            400,
            "InvalidPasswordParam.Mismatch",
        ),
        (&instance, vec![WINDOWS, ("KeyPairName", "pair")], 403, "DependencyViolation.WindowsInstance"),
        (&named, vec![WINDOWS], 403, "InvalidHostname.MismatchImage"),
        (&instance, vec![UBUNTU, ("SecurityEnhancementStrategy", "None")], 400, "InvalidParameter"),
        (&instance, vec![UBUNTU, ("KMSKeyId", "key-1")], 403, "InvalidEncrypted.NotMatchKmsKeyId"),
        (&on_oldest, vec![UBUNTU, ("Encrypted", "true")], 403, "NotSupportSnapshotEncrypted.DiskCategory"),
    ];
    let before = app.dump().await;
    for (instance, params, status, code) in cases {
        app.refused("ReplaceSystemDisk", &[&[("InstanceId", instance)], params.as_slice()].concat(), status, code)
            .await;
    }
    let missing = app.refused("ReplaceSystemDisk", &[UBUNTU], 400, "MissingParameter").await;
    assert!(missing.message().contains("InstanceId"), "{}", missing.text);
    let elsewhere = [("InstanceId", instance.as_str()), UBUNTU, ("RegionId", OTHER_REGION)];
    app.refused("ReplaceSystemDisk", &elsewhere, 404, "InvalidInstanceId.NotFound").await;
    assert_eq!(app.dump().await, before);
    app.ok("ReplaceSystemDisk", &[("InstanceId", &instance), ("ImageId", &fixed)]).await;
}

#[tokio::test]
async fn data_disks_that_cannot_become_system_disks_stay() {
    let app = TestApp::new().await;
    let (instance, _) = stopped(&app).await;
    let free = async |change: fn(&mut Disk)| app.disk_with(change).await;
    let data = free(|_| {}).await;
    let transferred = free(|_| {}).await;
    let shared = free(|disk| "Enabled".clone_into(&mut disk.multi_attach)).await;
    let regional = free(|disk| "cloud_regional_disk_auto".clone_into(&mut disk.category)).await;
    let prepaid = free(|disk| "PrePaid".clone_into(&mut disk.disk_charge_type)).await;
    let making = free(|disk| "Creating".clone_into(&mut disk.status)).await;
    let secret = free(|disk| {
        disk.encrypted = true.into();
        "key-1".clone_into(&mut disk.kms_key_id);
    })
    .await;
    let far = free(|disk| "cn-hangzhou-k".clone_into(&mut disk.zone_id)).await;
    app.ok("ModifyDiskSpec", &[("DiskId", &transferred), ("DiskCategory", "cloud_auto")]).await;
    let (arch, platform) = (("Architecture", "x86_64"), ("Platform", "Ubuntu"));
    let from = |id| vec![("DiskId", id), arch, platform];
    let cases: Vec<(Vec<(&str, &str)>, u16, &str)> = vec![
        (vec![UBUNTU, ("DiskId", &data)], 403, "InvalidParameter.NotMatch"),
        (vec![("DiskId", &data), platform], 400, "MissingParameter.Architecture"),
        (vec![("DiskId", &data), platform, ("Architecture", "vax")], 400, "InvalidArchitecture.Malformed"),
        (vec![("DiskId", &data), arch], 400, "MissingParameter.Platform"),
        (vec![("DiskId", &data), arch, ("Platform", "快照")], 400, "InvalidPlatform.Malformed"),
        (from("d-none"), 400, "InvalidDiskId.NotFound"),
        (from(&shared), 403, "InvalidOperation.MultiAttachDisk"),
        (from(&regional), 400, "InvalidDatadisk.DiskCategoryViolation"),
        (from(&prepaid), 400, "InvalidDatadisk.ChargeTypeViolation"),
        (from(&making), 400, "InvalidDatadisk.DiskStatusViolation"),
        (from(&secret), 400, "InvalidParameter.DiskType"),
        (from(&far), 403, "ResourcesNotInSameZone"),
        (from(&transferred), 403, "Operation.Conflict"),
    ];
    let before = app.dump().await;
    for (params, status, code) in cases {
        app.refused(
            "ReplaceSystemDisk",
            &[&[("InstanceId", instance.as_str())], params.as_slice()].concat(),
            status,
            code,
        )
        .await;
    }
    assert_eq!(app.dump().await, before);
}
