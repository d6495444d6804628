//! What only `[fidelity] older_codes` brings back: parameters that actions no longer have, and rules that were lifted.

use super::spelled::{IMAGE, Ids, code, params};
use crate::support::answer::text;
use crate::support::{REGION, TestApp};

async fn older(is_older: bool) -> TestApp {
    TestApp::with(|config| config.fidelity.older_codes = is_older).await
}

/// Action, what it needs, the parameter that it no longer has with a bad value and with a good one, the code.
const PARAMETERS: &[(&str, &str, &str, &str, &str)] = &[
    ("CancelCopyImage", "ImageId=@copy", "Description=1", "Description=text", "InvalidDescription.Malformed"),
    ("CreateSnapshotGroup", "DiskId.1=@disk", "Category=tape", "Category=flash", "InvalidSnapshotCategory.Malformed"),
    (
        "CreateSnapshotGroup",
        "DiskId.1=@disk InstantAccess=true",
        "Category=standard",
        "Name=group",
        "InvalidCategoryAndInstantAccess.Malformed",
    ),
    (
        "ModifyImageSharePermission",
        "ImageId=@image AddAccount.1=1000000000000002",
        "AddGroup.1=some",
        "AddGroup.1=all",
        "InvalidGroup.Malformed",
    ),
    (
        "UntagResources",
        "ResourceType=disk ResourceId.1=@disk TagKey.1=k",
        "Tag.1.Value=v",
        "Tag.1.Key=k",
        "InvalidTag.Mismatch",
    ),
    (
        "UntagResources",
        "ResourceType=disk ResourceId.1=@disk TagKey.1=k",
        "Tag.1.Key=k Tag.1.Value=http://v",
        "Tag.1.Key=k",
        "InvalidTagValue.Malformed",
    ),
    ("CreateSnapshot", "DiskId=@disk", "InstanceId=i-bp1none", "InstanceId=@instance", "InvalidInstanceId.NotFound"),
    (
        "ModifyDiskAttribute",
        "DiskId=@disk DiskName=name",
        "InstanceId=i-bp1none",
        "InstanceId=@instance",
        "InvalidInstanceId.NotFound",
    ),
    (
        "ModifyDiskSpec",
        "DiskId=@spec DiskCategory=cloud_auto",
        "InstanceId=i-bp1none",
        "InstanceId=@instance",
        "InvalidInstanceId.NotFound",
    ),
    (
        "ResetDisk",
        "DiskId=@free SnapshotId=@ready",
        "InstanceId=i-bp1none",
        "InstanceId=@instance",
        "InvalidInstanceId.NotFound",
    ),
    (
        "ResetDisks",
        "Disk.1.DiskId=@again Disk.1.SnapshotId=@other",
        "InstanceId=i-bp1none",
        "InstanceId=@instance",
        "InvalidInstanceId.NotFound",
    ),
    (
        "ResizeDisk",
        "DiskId=@grown NewSize=50",
        "InstanceId=i-bp1none",
        "InstanceId=@instance",
        "InvalidInstanceId.NotFound",
    ),
    (
        "RunInstances",
        "ImageId=@base InstanceType=ecs.g7.large",
        "InstanceId=i-bp1none",
        "InstanceId=@instance",
        "Invalid.InstanceId",
    ),
    (
        "CreateInstance",
        "ImageId=@base InstanceType=ecs.g7.large",
        "InstanceId=i-bp1none",
        "InstanceId=@instance",
        "Invalid.InstanceId",
    ),
];

async fn scene(app: &TestApp) -> Ids {
    let disk = app.attached_disk().await;
    let (free, again) = (app.disk_with(|_| {}).await, app.disk_with(|_| {}).await);
    let (ready, other) = (app.accomplished_snapshot(&free).await, app.accomplished_snapshot(&again).await);
    let system = crate::images::system_snapshot(app).await;
    let image = text(&app.ok("CreateImage", &[("SnapshotId", &system)]).await, "/ImageId");
    app.advance("10m").await;
    let copy = text(&app.ok("CopyImage", &[("ImageId", &image), ("RegionId", REGION)]).await, "/ImageId");
    Ids::from([
        ("base", IMAGE.to_owned()),
        ("grown", app.disk_with(|_| {}).await),
        ("instance", app.instance().await),
        ("spec", app.disk_with(|_| {}).await),
        ("again", again),
        ("copy", copy),
        ("disk", disk),
        ("free", free),
        ("image", image),
        ("other", other),
        ("ready", ready),
    ])
}

#[tokio::test]
async fn parameters_that_were_withdrawn_are_read_where_that_is_asked_for_and_change_nothing() {
    let app = older(true).await;
    let ids = scene(&app).await;
    for (action, needed, bad, good, wanted) in PARAMETERS {
        let before = app.resources().await;
        assert_eq!(code(&app, action, &format!("{needed} {bad}"), &ids).await, *wanted, "{action} {bad}");
        assert_eq!(app.resources().await, before, "{action}");
        assert_eq!(code(&app, action, &format!("{needed} {good}"), &ids).await, "", "{action} {good}");
        app.advance("1m").await;
    }
}

#[tokio::test]
async fn parameters_that_were_withdrawn_are_otherwise_ignored() {
    let app = older(false).await;
    let ids = scene(&app).await;
    for (action, needed, bad, _, _) in PARAMETERS.iter().filter(|row| row.4 != "InvalidTagValue.Malformed") {
        assert_eq!(code(&app, action, &format!("{needed} {bad}"), &ids).await, "", "{action} {bad}");
        app.advance("2h").await;
    }
}

/// Action, parameters, and the code of the rule that holds no longer.
const RULES: &[(&str, &str, &str)] = &[
    (
        "CopyImage",
        "ImageId=@image DestinationRegionId=cn-beijing Encrypted=true",
        "OperationDenied.EncryptSnapshotAcrossRegion",
    ),
    (
        "CreateDisk",
        "ZoneId=cn-hangzhou-h DiskCategory=cloud_essd SnapshotId=@system",
        "InvalidSnapshotId.NotDataDiskSnapshot",
    ),
    (
        "CreateDisk",
        "ZoneId=cn-hangzhou-h DiskCategory=cloud_essd SnapshotId=@ready Size=39",
        "InvalidDiskSize.TooSmall",
    ),
    (
        "RunInstances",
        "ImageId=@base InstanceType=ecs.g7.16xlarge SystemDisk.Size=255",
        "InvalidSystemDiskSize.LessThanMemSize",
    ),
    (
        "CreateInstance",
        "ImageId=@base InstanceType=ecs.g7.16xlarge SystemDisk.Size=255",
        "InvalidSystemDiskSize.LessThanMemSize",
    ),
];

#[tokio::test]
async fn rules_that_were_lifted_hold_where_that_is_asked_for() {
    for is_older in [true, false] {
        let app = older(is_older).await;
        let mut ids = scene(&app).await;
        ids.insert("system", crate::images::system_snapshot(&app).await);
        for (action, text, wanted) in RULES {
            let wanted = if is_older { *wanted } else { "" };
            assert_eq!(code(&app, action, text, &ids).await, wanted, "{action} {:?}", params(text, &ids));
        }
    }
}
