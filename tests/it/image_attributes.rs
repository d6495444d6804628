//! Attributes of images: changed, enumerated, of families; and what CreateImage and DescribeImages make of their parameters.

use serde_json::{Value, json};

use crate::images::{made, shown, system_snapshot};
use crate::support::answer::{column, text};
use crate::support::seed::disk_row;
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};

const BASE: &str = "aliyun_3_x64_20G_alibase_20260101.vhd";

async fn of_family(app: &TestApp, family: &str) -> String {
    let snapshot = system_snapshot(app).await;
    let params = [("SnapshotId", snapshot.as_str()), ("ImageFamily", family)];
    text(&app.ok("CreateImage", &params).await, "/ImageId")
}

/// An instance with a system disk of the base image, running.
async fn instance(app: &TestApp) -> String {
    let run = [("ImageId", BASE), ("InstanceType", "ecs.g7.large")];
    text(&app.ok("RunInstances", &run).await, "/InstanceIdSets/InstanceIdSet/0")
}

#[tokio::test]
async fn every_attribute_of_an_own_image_can_be_changed() {
    let app = TestApp::new().await;
    let image = made(&app, &system_snapshot(&app).await).await;
    let id = ("ImageId", image.as_str());
    app.refused("ModifyImageAttribute", &[id, ("Description", "early")], 403, "ImageStatus.NotAvailable").await;
    app.advance("3s").await;
    let params = [
        id,
        ("ImageName", "new-name"),
        ("Description", "new description"),
        ("ImageFamily", "family-1"),
        ("BootMode", "uefi-preferred"),
        ("LicenseType", "byol"),
        ("Features.NvmeSupport", "Supported"),
        ("Features.ImdsSupport", "v2"),
    ];
    app.refused("ModifyImageAttribute", &[&params[..], &[("DryRun", "true")]].concat(), 400, "DryRunOperation").await;
    app.ok("ModifyImageAttribute", &params).await;
    app.ok("ModifyImageAttribute", &params).await;
    let row = shown(&app, &image).await;
    let fields = ["/ImageName", "/Description", "/ImageFamily", "/BootMode", "/LicenseType", "/Features/NvmeSupport"];
    let values = ["new-name", "new description", "family-1", "UEFI-Preferred", "BYOL", "supported"];
    assert_eq!(fields.map(|field| text(&row, field)), values);
    assert_eq!(text(&row, "/Features/ImdsSupport"), "v2");
    app.ok("ModifyImageAttribute", &[id, ("Description", "only this")]).await;
    let row = shown(&app, &image).await;
    assert_eq!((text(&row, "/ImageName"), text(&row, "/Description")), ("new-name".into(), "only this".into()));
}

#[tokio::test]
async fn a_deprecated_image_makes_no_instances_until_it_is_available_again() {
    let app = TestApp::new().await;
    let image = made(&app, &system_snapshot(&app).await).await;
    app.advance("3s").await;
    let id = ("ImageId", image.as_str());
    let status = async |status: &str| app.call("ModifyImageAttribute", &[id, ("Status", status)]).await;
    status("Available").await.refused(403, "ImageStatus.NotDeprecated");
    status("deprecated").await.accepted();
    status("Deprecated").await.refused(403, "ImageStatus.NotAvailable");
    assert_eq!(text(&shown(&app, &image).await, "/Status"), "Deprecated");
    app.refused("RunInstances", &[id, ("InstanceType", "ecs.g7.large")], 403, "OperationDenied.ImageNotValid").await;
    app.refused("CopyImage", &[id], 400, "IncorrectImageStatus").await;
    app.ok("ModifyImageAttribute", &[id, ("Description", "no longer used")]).await;
    status("Available").await.accepted();
    app.ok("RunInstances", &[id, ("InstanceType", "ecs.g7.large")]).await;
}

#[tokio::test]
async fn attributes_that_cannot_be_are_refused() {
    let app = TestApp::with(|config| {
        config.quotas.image_families = 1;
        config.quotas.images_per_family = 1;
    })
    .await;
    let first = of_family(&app, "full").await;
    app.ok("RunInstances", &[("ImageId", BASE), ("InstanceType", "ecs.g7.large")]).await;
    let snapshot = system_snapshot(&app).await;
    let arm = [("SnapshotId", snapshot.as_str()), ("Architecture", "arm64"), ("ImageName", "taken")];
    let arm = text(&app.ok("CreateImage", &arm).await, "/ImageId");
    let image = made(&app, &snapshot).await;
    app.advance("3s").await;
    app.sql(&format!("UPDATE instances SET image_id = '{first}'")).await;
    let id = ("ImageId", image.as_str());
    let cases: Vec<(Vec<(&str, &str)>, u16, &str)> = vec![
        (vec![], 400, "MissingParameter"),
        (vec![("ImageId", "m-none")], 404, "InvalidImageId.NotFound"),
        (vec![("ImageId", BASE), ("Description", "mine")], 404, "InvalidImageId.NotFound"),
        (vec![id, ("RegionId", OTHER_REGION)], 404, "InvalidImageId.NotFound"),
        (vec![id, ("ImageName", "aliyun-x")], 400, "InvalidImageName.Malformed"),
        (vec![id, ("ImageName", "taken")], 400, "InvalidImageName.Duplicated"),
        (vec![id, ("Description", "http://x")], 400, "InvalidDescription.Malformed"),
        (vec![id, ("ImageFamily", "acs:x")], 400, "InvalidImageFamily.Malformed"),
        (vec![id, ("ImageFamily", "full")], 400, "ImageQuotaFull.ImageFamily"),
        (vec![id, ("ImageFamily", "another")], 400, "ImageFamilyQuotaFull"),
        (vec![id, ("BootMode", "coreboot")], 400, "InvalidBootMode.NotSupport"),
        (vec![("ImageId", &arm), ("BootMode", "BIOS")], 400, "InvalidBootMode.NotSupport"),
        (vec![("ImageId", &first), ("BootMode", "UEFI")], 403, "OperationDeined.ImageUsingByInstance"),
        (vec![id, ("LicenseType", "GPL")], 400, "InvalidLicenseType.NotSupported"),
        (vec![id, ("Status", "Broken")], 400, "InvalidParameter"),
        (vec![id, ("Features.NvmeSupport", "maybe")], 400, "InvalidParameter"),
        (vec![id, ("Features.ImdsSupport", "v3")], 400, "InvalidParameter"),
    ];
    let before = app.dump().await;
    for (params, status, code) in cases {
        let answer = app.call("ModifyImageAttribute", &params).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{params:?}: {}", answer.text);
    }
    app.call_as(OTHER_KEY, "ModifyImageAttribute", &[id]).await.refused(404, "InvalidImageId.NotFound");
    let source = ("SnapshotId", snapshot.as_str());
    app.refused("CreateImage", &[source, ("ImageFamily", "full")], 400, "ImageQuotaExceed.ImageFamily").await;
    app.refused("CreateImage", &[source, ("ImageFamily", "another")], 400, "ImageFamilyQuotaExceed").await;
    assert_eq!(app.dump().await, before);
    app.sql(&format!("INSERT INTO row_locks VALUES ('{image}', 'operator:test', 'exclusive', 0)")).await;
    app.refused("ModifyImageAttribute", &[id], 403, "Operation.Conflict").await;
    app.refused("ModifyImageSharePermission", &[id, ("IsPublic", "true")], 403, "Operation.Conflict").await;
}

#[tokio::test]
async fn a_family_shows_its_newest_available_image_the_own_before_the_public() {
    let app = TestApp::new().await;
    let family = async |family: &str| app.ok("DescribeImageFromFamily", &[("ImageFamily", family)]).await;
    assert_eq!(family("nothing").await.get("Image"), None);
    let public = family("acs:ubuntu_24_04_x64").await;
    assert_eq!(text(&public, "/Image/ImageId"), "ubuntu_24_04_x64_20G_alibase_20260101.vhd");
    assert_eq!(text(&public, "/Image/ImageOwnerAlias"), "system");
    let first = of_family(&app, "mine").await;
    assert_eq!(family("mine").await.get("Image"), None, "it is not available yet");
    app.advance("3s").await;
    let params = [("ResourceType", "image"), ("ResourceId.1", first.as_str()), ("Tag.1.Key", "k")];
    app.ok("TagResources", &params).await;
    let shown = family("mine").await["Image"].clone();
    assert_eq!((text(&shown, "/ImageId"), text(&shown, "/ImageOwnerAlias")), (first.clone(), "self".into()));
    assert_eq!((text(&shown, "/Status"), text(&shown, "/Tags/Tag/0/TagKey")), ("Available".into(), "k".into()));
    assert_eq!(shown["DiskDeviceMappings"]["DiskDeviceMapping"].as_array().map(Vec::len), Some(1));
    let second = of_family(&app, "mine").await;
    app.advance("3s").await;
    assert_eq!(text(&family("mine").await, "/Image/ImageId"), second);
    app.ok("ModifyImageAttribute", &[("ImageId", &second), ("Status", "Deprecated")]).await;
    assert_eq!(text(&family("mine").await, "/Image/ImageId"), first);
    app.sql(&format!("UPDATE images SET image_family = 'acs:ubuntu_24_04_x64' WHERE image_id = '{first}'")).await;
    assert_eq!(text(&family("acs:ubuntu_24_04_x64").await, "/Image/ImageId"), first);
    let mine = [("ImageFamily", "mine")];
    assert_eq!(app.call_as(OTHER_KEY, "DescribeImageFromFamily", &mine).await.accepted().get("Image"), None);
    let unknown = [mine[0], ("RegionId", "nowhere")];
    app.refused("DescribeImageFromFamily", &unknown, 404, "InvalidRegionId.NotFound").await;
    app.refused("DescribeImageFromFamily", &[], 400, "MissingParameter").await;
    let xml = app.xml("DescribeImageFromFamily", &[("ImageFamily", "nothing")]).await;
    assert_eq!(xml.status, 200, "{}", xml.text);
}

#[tokio::test]
async fn an_image_is_looked_over_when_that_is_asked_for() {
    let app = TestApp::new().await;
    let snapshot = system_snapshot(&app).await;
    let params = [
        ("SnapshotId", snapshot.as_str()),
        ("DetectionStrategy", "Standard"),
        ("SecureBootOptions.SecureBootSupport", "supported"),
        ("Features.ImdsSupport", "v2"),
        ("Platform", "ubuntu"),
    ];
    let image = text(&app.ok("CreateImage", &params).await, "/ImageId");
    let row = shown(&app, &image).await;
    assert_eq!(text(&row, "/DetectionOptions/Status"), "Processing");
    app.advance("3s").await;
    let row = shown(&app, &image).await;
    assert_eq!(text(&row, "/DetectionOptions/Status"), "Finished");
    assert_eq!(text(&row, "/SecureBootOptions/SecureBootSupport"), "supported");
    assert_eq!((text(&row, "/Features/ImdsSupport"), text(&row, "/Platform")), ("v2".into(), "Ubuntu".into()));
    let plain = made(&app, &snapshot).await;
    assert_eq!(shown(&app, &plain).await.get("DetectionOptions"), None);
}

#[tokio::test]
async fn parameters_of_create_image_that_cannot_be_are_refused() {
    let app = TestApp::new().await;
    let snapshot = system_snapshot(&app).await;
    let source = ("SnapshotId", snapshot.as_str());
    let disk = app.attached_disk().await;
    let data = app.accomplished_snapshot(&disk).await;
    let secret = app
        .disk_with(|disk| {
            disk.encrypted = true.into();
            "key-1".clone_into(&mut disk.kms_key_id);
        })
        .await;
    let secret = app.accomplished_snapshot(&secret).await;
    let archived = system_snapshot(&app).await;
    let old = system_snapshot(&app).await;
    app.sql(&format!(
        "UPDATE snapshots SET category = 'archive' WHERE snapshot_id = '{archived}';
         UPDATE snapshots SET creation_time = 1373000000000 WHERE snapshot_id = '{old}'"
    ))
    .await;
    let (empty, long) = (app.instance().await, "9".repeat(41));
    let first = |name: &'static str| format!("DiskDeviceMapping.1.{name}");
    let (of_first, device, size, kind) = (first("SnapshotId"), first("Device"), first("Size"), first("DiskType"));
    let mapped = (of_first.as_str(), snapshot.as_str());
    let second = ("DiskDeviceMapping.2.SnapshotId", data.as_str());
    let cases: Vec<(Vec<(&str, &str)>, u16, &str)> = vec![
        (vec![source, ("ImageName", "aliyun-x")], 400, "InvalidImageName.Malformed"),
        (vec![source, ("ImageFamily", "acs:x")], 400, "InvalidImageFamily.Malformed"),
        (vec![source, ("ImageVersion", &long)], 400, "InvalidImageVersion.Malformed"),
        (vec![source, ("Platform", "TempleOS")], 400, "InvalidPlatform.Malformed"),
        (vec![source, ("Architecture", "mips")], 400, "InvalidArchitecture.Malformed"),
        (vec![source, ("BootMode", "coreboot")], 400, "InvalidBootMode.NotSupport"),
        (vec![source, ("DetectionStrategy", "Thorough")], 400, "InvalidParameter"),
        (vec![source, ("Features.ImdsSupport", "v3")], 400, "InvalidParameter"),
        (vec![source, ("SecureBootOptions.SecureBootSupport", "maybe")], 400, "InvalidParameter"),
        (vec![source, ("Tag.1.Key", "aliyun")], 400, "InvalidTagKey.Malformed"),
        (vec![source, ("Tag.1.Key", "k"), ("Tag.1.Value", "http://x")], 400, "InvalidTagValue.Malformed"),
        (vec![source, ("Tag.1.Key", "k"), ("Tag.2.Key", "k")], 400, "Duplicate.TagKey"),
        (vec![("SnapshotId", &archived)], 403, "InvalidSnapshotCategory.NotSupportImageCreation"),
        (vec![("SnapshotId", &old)], 403, "InvalidSnapshot.TooOld"),
        (vec![mapped, (&device, "/dev/sda")], 400, "InvalidDevice.Malformed"),
        (vec![mapped, (&size, "0")], 400, "InvalidSize.ValueNotSupported"),
        (vec![mapped, (&size, "39")], 400, "InvalidSize.ValueNotSupported"),
        (vec![mapped, (&kind, "tape")], 400, "InvalidDiskType.ValueNotSupported"),
        (vec![mapped, second, ("DiskDeviceMapping.2.Device", "/dev/xvda")], 400, "InvalidDevice.InUse"),
        (vec![(&device, "/dev/xvda")], 400, "InvalidParameter.AllEmpty"),
        (vec![("DiskDeviceMapping.2.Device", "/dev/xvda"), mapped], 400, "MissingParameter"),
        (vec![(&of_first, &data)], 403, "InvalidSystemSnapshot.Missing"),
        (vec![(&of_first, &secret), (&kind, "system")], 400, "InvalidParameter.DiskType"),
        (vec![("InstanceId", &empty)], 400, "InvalidInstance.NotFoundSystemDisk"),
    ];
    let before = app.dump().await;
    for (params, status, code) in cases {
        let answer = app.call("CreateImage", &params).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{params:?}: {}", answer.text);
    }
    let keys: Vec<String> = (1..=21).map(|i| format!("Tag.{i}.Key")).collect();
    let mut many: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), key.as_str())).collect();
    many.push(source);
    app.refused("CreateImage", &many, 403, "QuotaExceed.Tags").await;
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn an_instance_whose_disks_cannot_be_snapshotted_makes_no_image() {
    let app = TestApp::with(|config| {
        config.quotas.snapshots_per_disk = 2;
        config.lifecycle.detach_ms = 60_000;
        config.lifecycle.instance_stop_ms = 60_000;
    })
    .await;
    let with_disk = async |change: fn(&mut snapshotd::store::disks::Disk)| {
        let instance = instance(&app).await;
        app.advance("1s").await;
        let number = app.next_number();
        let mut disk = disk_row(&format!("d-bp1{number:017}"), REGION, app.now());
        "In_use".clone_into(&mut disk.status);
        change(&mut disk);
        let id = app.insert_disk(disk, Some(instance.clone())).await;
        (instance, id)
    };
    let refused = async |instance: &str, code: &str| {
        let answer = app.call("CreateImage", &[("InstanceId", instance)]).await;
        assert_eq!(answer.code(), code, "{}", answer.text);
    };
    let (local, _) = with_disk(|disk| "elastic_ephemeral_disk_standard".clone_into(&mut disk.category)).await;
    refused(&local, "InvalidDiskCategory.CreateImage").await;
    let (never, disk) = with_disk(|_| {}).await;
    app.sql(&format!("UPDATE disks SET ever_attached = 0 WHERE disk_id = '{disk}'")).await;
    refused(&never, "IncorrectDiskStatus.NeverAttached").await;
    let (busy, disk) = with_disk(|disk| "cloud_efficiency".clone_into(&mut disk.category)).await;
    app.snapshot(&disk).await;
    refused(&busy, "IncorrectDiskStatus.CreatingSnapshot").await;
    app.advance("2s").await;
    app.accomplished_snapshot(&disk).await;
    refused(&busy, "QuotaExceed.Snapshot").await;
    let (leaving, disk) = with_disk(|_| {}).await;
    app.ok("DetachDisk", &[("DiskId", &disk), ("InstanceId", &leaving)]).await;
    refused(&leaving, "IncorrectDiskStatus").await;
    let stopping = instance(&app).await;
    app.advance("1s").await;
    app.ok("StopInstance", &[("InstanceId", &stopping)]).await;
    refused(&stopping, "IncorrectInstanceStatus").await;
}

#[tokio::test]
async fn an_image_of_an_instance_has_a_snapshot_of_each_disk_that_outlives_it() {
    let app = TestApp::new().await;
    let run = [("ImageId", BASE), ("InstanceType", "ecs.g7.large"), ("DataDisk.1.Size", "20")];
    let instance = text(&app.ok("RunInstances", &run).await, "/InstanceIdSets/InstanceIdSet/0");
    app.advance("1s").await;
    // Of several sources the instance wins.
    let params = [("InstanceId", instance.as_str()), ("SnapshotId", "s-none"), ("ImageName", "of-instance")];
    let image = text(&app.ok("CreateImage", &params).await, "/ImageId");
    let row = shown(&app, &image).await;
    let snapshots = column(&row, "/DiskDeviceMappings/DiskDeviceMapping", "SnapshotId");
    let devices = column(&row, "/DiskDeviceMappings/DiskDeviceMapping", "Device");
    assert_eq!((snapshots.len(), devices), (2, vec!["/dev/xvda".to_owned(), "/dev/xvdb".to_owned()]));
    assert_eq!(text(&row, "/Platform"), "Aliyun");
    app.advance("2s").await;
    assert_eq!(text(&shown(&app, &image).await, "/Status"), "Creating", "first the snapshots, then the image");
    app.advance("3s").await;
    assert_eq!(text(&shown(&app, &image).await, "/Status"), "Available");
    app.ok("DeleteImage", &[("ImageId", &image)]).await;
    for snapshot in snapshots {
        let made = app.described(&snapshot).await;
        let name = format!("Created_for_image_of_{}", text(&made, "/SourceDiskId"));
        assert_eq!((text(&made, "/Status"), text(&made, "/SnapshotName")), ("accomplished".into(), name));
        app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    }
}

#[tokio::test]
async fn images_are_filtered_by_what_they_support() {
    let app = TestApp::new().await;
    let image = made(&app, &system_snapshot(&app).await).await;
    let count = async |params: &[(&str, &str)]| {
        let params = [&[("PageSize", "100"), ("Status", "ALL")], params].concat();
        app.ok("DescribeImages", &params).await["TotalCount"].as_i64().expect("a number")
    };
    let all = count(&[]).await;
    assert_eq!(count(&[("Usable", "true")]).await, all - 1);
    assert_eq!(count(&[("Usable", "false")]).await, 1);
    for name in ["IsSupportIoOptimized", "IsSupportCloudinit"] {
        assert_eq!((count(&[(name, "true")]).await, count(&[(name, "false")]).await), (all, 0), "{name}");
    }
    let on_arm = count(&[("InstanceType", "ecs.g8y.large")]).await;
    assert_eq!((on_arm, count(&[("InstanceType", "ecs.g7.large")]).await), (1, all - 1));
    for bad in ["g7.large", "ecs.g7", "ecs..large", "ecs.g7.large.x"] {
        let answer = app.call("DescribeImages", &[("InstanceType", bad)]).await;
        assert_eq!(answer.code(), "InvalidInstanceType.ValueNotSupported", "{bad}: {}", answer.text);
    }
    let row = shown(&app, &image).await;
    assert_eq!(row["Features"]["CpuOnlineUpgrade"], json!("unsupported"));
    let cases: [(&[(&str, &str)], u16, &str); 9] = [
        (&[("ImageOwnerAlias", "nobody")], 400, "InvalidImageOwnerAlias.ValueNotSupported"),
        (&[("ActionType", "Dance")], 400, "InvalidParamter"),
        (&[("Tag.1.Value", "v")], 400, "InvalidTag.Mismatch"),
        (&[("Filter.1.Key", "Colour"), ("Filter.1.Value", "red")], 404, "InvalidFilterKey.NotFound"),
        (&[("Filter.1.Key", "CreationStartTime"), ("Filter.1.Value", "soon")], 404, "InvalidFilterValue"),
        (&[("Usage", "often")], 404, "InvalidUsage"),
        (&[("OSType", "beos")], 404, "InvalidOSType"),
        (&[("Architecture", "mips")], 404, "InvalidArchitecture"),
        (&[("DryRun", "true")], 400, "DryRunOperation"),
    ];
    for (params, status, code) in cases {
        app.refused("DescribeImages", params, status, code).await;
    }
    let keys: Vec<String> = (1..=21).map(|i| format!("Tag.{i}.Key")).collect();
    let many: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "k")).collect();
    app.refused("DescribeImages", &many, 400, "InvalidTagCount").await;
    assert_ne!(row, Value::Null);
}
