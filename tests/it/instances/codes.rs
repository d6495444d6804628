//! Every code of RunInstances and CreateInstance that parameters and stored state can mean, by tables.

use super::{IMAGE, TYPE, run};
use crate::support::answer::text;
use crate::support::{ACCOUNT, OTHER_KEY, OTHER_REGION, TestApp};

type Case = (Vec<(&'static str, &'static str)>, &'static str);

const DATA: (&str, &str) = ("DataDisk.1.Size", "40");

/// What both actions refuse whatever is stored.
fn malformed() -> Vec<Case> {
    vec![
        (vec![("ImageFamily", "f")], "UnexpectedImageFamily.ImageIdSupplied"),
        (vec![("InstanceType", "large")], "InvalidInstanceType.ValueNotSupported"),
        (vec![("InstanceName", "1a")], "InvalidInstanceName.Malformed"),
        (vec![("Description", "x")], "InvalidDescription.Malformed"),
        (vec![("HostName", "-a")], "InvalidHostName.Malformed"),
        (vec![("Password", "password")], "InvalidPassword.Malformed"),
        (vec![("Password", "Passw0rd"), ("PasswordInherit", "true")], "InvalidPasswordParam.Mismatch"),
        (vec![("UserData", "!")], "InvalidUserData.Base64FormatInvalid"),
        (vec![("PrivateIpAddress", "10.0.0")], "InvalidPrivateIpAddress.Malformed"),
        (vec![("InstanceChargeType", "free")], "InvalidInstanceChargeType.NotFound"),
        (vec![("ResourceGroupId", "group")], "InvalidResourceGroup.NotFound"),
        (
            vec![("InstanceChargeType", "PrePaid"), ("DeletionProtection", "true")],
            "InvalidChargeType.ValueNotSupported",
        ),
        (vec![("SystemDisk.Category", "tape")], "InvalidSystemDiskCategory.ValueNotSupported"),
        (vec![("SystemDisk.DiskName", "1")], "InvalidDiskName.Malformed"),
        (vec![("SystemDisk.Description", "x")], "InvalidDiskDescription.Malformed"),
        (vec![DATA, ("DataDisk.1.DiskName", "1")], "InvalidDiskName.Malformed"),
        (vec![DATA, ("DataDisk.1.Category", "tape")], "InvalidDataDiskCategory.ValueNotSupported"),
        (vec![("DataDisk.1.Category", "cloud_essd")], "InvalidDataDiskSize.ValueNotSupported"),
        (vec![("DataDisk.1.Size", "many")], "InvalidDataDiskSize.ValueNotSupported"),
        (vec![DATA, ("DataDisk.1.Device", "sda")], "InvalidDataDevice.Malformed"),
        (
            vec![
                DATA,
                ("DataDisk.1.Device", "/dev/xvdb"),
                ("DataDisk.2.Size", "40"),
                ("DataDisk.2.Device", "/dev/xvdb"),
            ],
            "InvalidDevice.InUse",
        ),
        (vec![DATA, ("DataDisk.1.SnapshotId", "x")], "InvalidSnapshotId.Malformed"),
        (vec![DATA, ("DataDisk.1.EncryptAlgorithm", "rot13")], "InvalidEncryptAlgorithm"),
        (vec![DATA, ("DataDisk.1.EncryptAlgorithm", "AES-256")], "InvalidEncrypted.NotMatchEncryptAlgorithm"),
        (
            vec![DATA, ("DataDisk.1.Encrypted", "false"), ("DataDisk.1.KMSKeyId", "k")],
            "InvalidEncrypted.NotMatchKmsKeyId",
        ),
        (vec![DATA, ("DataDisk.1.KMSKeyId", "k"), ("IoOptimized", "none")], "IoOptimized.NotSupported"),
        (vec![("Tag.1.Key", "acs:k")], "InvalidTagKey.Malformed"),
        (vec![("Tag.1.Key", "k"), ("Tag.1.Value", "http://v")], "InvalidTagValue.Malformed"),
        (vec![("Tag.1.Key", "k"), ("Tag.2.Key", "k")], "Duplicate.TagKey"),
        (vec![("SystemDisk.Size", "19")], "InvalidSystemDiskSize.LessThanImageSize"),
        (vec![("SystemDisk.Size", "70000")], "InvalidSystemDiskSize.MoreThanMaxSize"),
        (
            vec![("SystemDisk.Size", "40"), ("SystemDisk.PerformanceLevel", "PL2")],
            "InvalidSystemDiskSize.ValueNotSupported",
        ),
        (vec![("DataDisk.1.Size", "70000")], "InvalidDataDiskSize.ValueNotSupported"),
        (vec![("ZoneId", "cn-hangzhou-z")], "InvalidZoneId.NotFound"),
        (vec![("RegionId", "nowhere")], "InvalidRegionId.NotFound"),
        (vec![("DryRun", "true")], "DryRunOperation"),
    ]
}

async fn each(app: &TestApp, action: &str, cases: Vec<Case>) {
    for (params, code) in cases {
        let base = [IMAGE, TYPE].into_iter().filter(|(name, _)| !params.iter().any(|(other, _)| other == name));
        let all: Vec<_> = base.chain(params.iter().copied()).collect();
        let answer = app.call(action, &all).await;
        assert_eq!(answer.code(), code, "{action} {params:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_is_malformed_is_refused_with_the_code_of_its_parameter_and_leaves_nothing() {
    let app = TestApp::new().await;
    let before = app.dump().await;
    let long = "A".repeat(32 * 1_024 + 4);
    for action in ["RunInstances", "CreateInstance"] {
        each(&app, action, malformed()).await;
        let data = [IMAGE, TYPE, ("UserData", long.as_str())];
        assert_eq!(app.call(action, &data).await.code(), "InvalidUserData.SizeExceeded");
        assert_eq!(app.call(action, &[TYPE]).await.code(), "MissingParameter");
    }
    let of_run = vec![
        (vec![("Amount", "none")], "InvalidParam.Amount"),
        (vec![("MinAmount", "2")], "InvalidMinAmount.Malformed"),
        (vec![("IoOptimized", "fast")], "InvalidIoOptimize.ValueNotSupported"),
        (vec![("Amount", "2"), ("PrivateIpAddress", "172.16.0.9")], "InvalidParameter.PrivateIpAddressRepeated"),
        (vec![DATA, ("DataDisk.1.ProvisionedIops", "9")], "ProvisionedIopsForDiskCategoryUnsupported"),
        (vec![("SystemDisk.BurstingEnabled", "true")], "BurstingEnabledForDiskCategoryUnsupported"),
        (
            vec![DATA, ("DataDisk.1.Category", "cloud_auto"), ("DataDisk.1.ProvisionedIops", "99000")],
            "InvalidProvisionedIops.LimitExceed",
        ),
        (vec![("SystemDisk.Size", "much")], "InvalidSystemDiskSize.ValueNotSupported"),
        (vec![("SystemDisk.EncryptAlgorithm", "rot13")], "InvalidEncryptAlgorithm"),
        (vec![("ClientToken", "ü")], "InvalidClientToken.ValueNotSupported"),
        (vec![("InstanceName", "web-[1]")], "InvalidInstanceName.CustomMalformed"),
        (vec![("HostName", "web-[1]")], "InvalidInstanceName.CustomMalformed"),
        (vec![("HostName", "web"), ("HostNames.1", "web")], "InvalidHostname.SingleAndMultiConflict"),
        (vec![("HostNames.1", "web"), ("HostNames.2", "web")], "InvalidHostname.SizeInvalid"),
        (vec![("HostNames.1", "-")], "InvalidHostName.Malformed"),
        (vec![("Tag.1.Value", "v")], "InvalidTag.Mismatch"),
    ];
    each(&app, "RunInstances", of_run).await;
    let of_create = vec![
        (vec![("IoOptimized", "fast")], "InvalidIoOptimizedValue.ValueNotSupported"),
        (vec![("SystemDisk.Size", "much")], "InvalidSystemDiskSize"),
        (vec![("ClientToken", "ü")], "InvalidClientToken.ValueNotSupported"),
    ];
    each(&app, "CreateInstance", of_create).await;
    let names: Vec<String> = (1..=21).map(|n| format!("Tag.{n}.Key")).collect();
    let tags: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    assert_eq!(app.call("RunInstances", &[&[IMAGE, TYPE], &tags[..]].concat()).await.code(), "InvalidTagCount");
    for (name, length, code) in
        [("InstanceName", 126, "InvalidParams.InstanceNameExceed"), ("HostName", 62, "InvalidParams.HostnameExceed")]
    {
        let long = "x".repeat(length);
        let params = [IMAGE, TYPE, (name, long.as_str()), ("UniqueSuffix", "true")];
        assert_eq!(app.call("RunInstances", &params).await.code(), code);
    }
    assert_eq!(app.call("CreateInstance", &[IMAGE]).await.code(), "MissingParameter");
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn what_the_stored_state_forbids_is_refused() {
    let app = TestApp::with(|config| {
        config.quotas.tags = 1;
        config.quotas.disks_per_instance = 2;
    })
    .await;
    let disk = app.attached_disk().await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    let unfinished = app.snapshot(&app.disk_with(|disk| "cloud_ssd".clone_into(&mut disk.category)).await).await;
    let system = app.disk_with(|disk| "system".clone_into(&mut disk.disk_type)).await;
    let of_system = app.accomplished_snapshot(&system).await;
    let encrypted = app.disk_with(|disk| disk.encrypted = true.into()).await;
    let encrypted = app.accomplished_snapshot(&encrypted).await;
    let unfinished_now = app.snapshot(&app.disk_with(|disk| "cloud_ssd".clone_into(&mut disk.category)).await).await;
    assert_ne!(unfinished, unfinished_now);
    let busy = app.image_from(&snapshot, "Creating", ACCOUNT).await;
    let arm = app.image_from(&snapshot, "Available", ACCOUNT).await;
    app.sql(&format!("UPDATE images SET architecture = 'arm64' WHERE image_id = '{arm}'")).await;
    let small = app.image_from(&snapshot, "Available", ACCOUNT).await;
    app.sql(&format!("UPDATE images SET size = 5 WHERE image_id = '{small}'")).await;
    let windows = ("ImageId", "win2022_21H2_x64_dtc_en-us_40G_alibase_20260101.vhd");
    let taken = run(&app, &[("PrivateIpAddress", "172.16.7.7")]).await;
    assert_eq!(taken.len(), 1);
    let data = |id| [("DataDisk.1.SnapshotId", id)];
    let cases: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (vec![("ImageId", "m-none"), TYPE], "InvalidImageId.NotFound"),
        (vec![("ImageFamily", "none"), TYPE], "InvalidImageFamily.MissingAvailableImage"),
        (vec![("ImageId", &busy), TYPE], "IncorrectImageStatus"),
        (vec![("ImageId", &small), TYPE, ("SystemDisk.Size", "6")], "InvalidSystemDiskSize.LessThanMinSize"),
        (vec![("ImageId", &arm), TYPE], "ImageNotSupportInstanceType"),
        (vec![IMAGE, ("InstanceType", "ecs.g8y.large")], "ImageNotSupportInstanceType"),
        (vec![windows, TYPE, ("KeyPairName", "k")], "DependencyViolation.WindowsInstance"),
        (vec![IMAGE, TYPE, ("PrivateIpAddress", "172.16.7.7")], "InvalidPrivateIpAddress.Duplicated"),
        (vec![IMAGE, TYPE, ("Tag.1.Key", "a"), ("Tag.2.Key", "b")], "QuotaExceed.Tags"),
        (vec![IMAGE, TYPE, DATA, ("DataDisk.2.Size", "40"), ("DataDisk.3.Size", "40")], "InstanceDiskLimitExceeded"),
        ([vec![IMAGE, TYPE], data("s-none").to_vec()].concat(), "InvalidDataDiskSnapshotId.NotFound"),
        ([vec![IMAGE, TYPE], data(&unfinished_now).to_vec()].concat(), "InvalidSnapshotId.NotReady"),
        ([vec![IMAGE, TYPE], data(&of_system).to_vec()].concat(), "InvalidSnapshotId.NotDataDiskSnapshot"),
        ([vec![IMAGE, TYPE, ("DataDisk.1.Size", "20")], data(&snapshot).to_vec()].concat(), "InvalidDiskSize.TooSmall"),
        (
            [vec![IMAGE, TYPE, ("DataDisk.1.Encrypted", "false")], data(&encrypted).to_vec()].concat(),
            "InvalidEncrypted.NotMatchSnapshot",
        ),
        (
            [vec![IMAGE, TYPE, ("DataDisk.1.KMSKeyId", "other")], data(&encrypted).to_vec()].concat(),
            "InvalidKmsKeyId.NotMatchSnapshot",
        ),
        (vec![IMAGE, TYPE, DATA, ("DataDisk.1.PerformanceLevel", "PL3")], "OperationDenied.PerformanceLevelNotMatch"),
        (vec![IMAGE, TYPE, DATA, ("DataDisk.1.PerformanceLevel", "PL9")], "InvalidPerformanceLevel.Malformed"),
    ];
    app.advance("0s").await;
    let before = app.dump().await;
    for action in ["RunInstances", "CreateInstance"] {
        for (params, code) in &cases {
            let answer = app.call(action, params).await;
            assert_eq!(answer.code(), *code, "{action} {params:?}: {}", answer.text);
        }
        for params in [[IMAGE, TYPE, data(&snapshot)[0], ("RegionId", OTHER_REGION)]] {
            let answer = app.call(action, &params).await;
            assert_eq!(answer.code(), "InvalidDataDiskSnapshotId.NotFound", "{action} elsewhere");
        }
        let foreign = app.call_as(OTHER_KEY, action, &[IMAGE, TYPE, data(&snapshot)[0]]).await;
        assert_eq!(foreign.code(), "InvalidDataDiskSnapshotId.NotFound", "{action} by another account");
    }
    assert_eq!(app.dump().await, before);
    app.ok("RunInstances", &[("ImageId", &arm)]).await;
}

#[tokio::test]
async fn a_token_that_was_used_for_something_else_is_refused() {
    let app = TestApp::new().await;
    for action in ["RunInstances", "CreateInstance"] {
        let first = app.ok(action, &[IMAGE, TYPE, ("ClientToken", "t")]).await;
        let again = app.ok(action, &[IMAGE, TYPE, ("ClientToken", "t")]).await;
        let id = |body: &serde_json::Value| match action {
            "RunInstances" => text(body, "/InstanceIdSets/InstanceIdSet/0"),
            _ => text(body, "/InstanceId"),
        };
        assert_eq!(id(&first), id(&again), "{action}");
        let other = [IMAGE, TYPE, ("ClientToken", "t"), ("InstanceName", "other")];
        app.refused(action, &other, 403, "IdempotentParameterMismatch").await;
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM instances").await, 2);
}
