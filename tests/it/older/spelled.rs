//! `[fidelity] older_codes`: each code of the table `api::older`, today's where it is off and the older one where it is on.

use std::collections::BTreeMap;

use snapshotd::config::Config;
use snapshotd::store::row_locks::RowLocks;

use crate::support::answer::text;
use crate::support::{ACCOUNT, OTHER_ACCOUNT, OTHER_KEY, TestApp};

pub const IMAGE: &str = "aliyun_3_x64_20G_alibase_20260101.vhd";
const LAUNCH: &str = "ImageId=aliyun_3_x64_20G_alibase_20260101.vhd InstanceType=ecs.g7.large ZoneId=cn-hangzhou-h";

/// Action; parameters, ids of the scene after `@`; the code of today; the one of before.
pub type Row = (&'static str, &'static str, &'static str, &'static str);
pub type Ids = BTreeMap<&'static str, String>;

/// Small quotas, so that few things are too many.
fn narrow(config: &mut Config) {
    config.quotas.tags = 3;
    config.quotas.disks_per_instance = 2;
    config.quotas.concurrent_snapshots = 2;
}

/// `Name=value` by `Name=value`; `Tag*21` stands for so many tags and `TagKey*21` for so many keys of tags.
pub fn params(text: &str, ids: &Ids) -> Vec<(String, String)> {
    let mut params = Vec::new();
    for word in text.split_whitespace() {
        match (word.split_once('='), word.split_once('*')) {
            (Some((name, value)), _) => {
                let value = value.strip_prefix('@').map_or(value, |id| ids[id].as_str());
                params.push((name.to_owned(), value.to_owned()));
            }
            (None, Some((list, count))) => {
                let part = if list == "Tag" { ".Key" } else { "" };
                let count: usize = count.parse().expect("a number");
                params.extend((1..=count).map(|i| (format!("{list}.{i}{part}"), format!("key-{i}"))));
            }
            (None, None) => panic!("{word}"),
        }
    }
    params
}

pub async fn code(app: &TestApp, action: &str, text: &str, ids: &Ids) -> String {
    let params = params(text, ids);
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = app.call(action, &params).await;
    assert!(answer.status == 200 || !answer.message().is_empty(), "{action}: {}", answer.text);
    answer.code().to_owned()
}

pub async fn both_ways(app: &mut TestApp, ids: &Ids, rows: &[Row]) {
    for is_older in [false, true] {
        app.reconfigure(|config| config.fidelity.older_codes = is_older).await;
        let before = app.resources().await;
        for (action, text, newer, older) in rows {
            let wanted = if is_older { older } else { newer };
            assert_eq!(code(app, action, text, ids).await, *wanted, "{action} {text}");
        }
        assert_eq!(app.resources().await, before);
    }
}

const DISKS: &[Row] = &[
    (
        "AttachDisk",
        "DiskId=@local InstanceId=@on Bootable=true Password=Passw0rd! DeleteWithInstance=true",
        "DiskCategory.OperationNotSupported",
        "DiskId.ValueNotSupported",
    ),
    ("AttachDisk", "DiskId=@attaching InstanceId=@on", "IncorrectDiskStatus", "DiskError"),
    ("AttachDisk", "DiskId=@shared InstanceId=@on", "InvalidDisk.InUse", "DiskId.StatusNotSupported"),
    (
        "CreateDisk",
        "ZoneId=cn-hangzhou-h Size=70000 DiskCategory=cloud_essd",
        "InvalidDiskSize.NotSupported",
        "InvalidDiskSizeOrCategory",
    ),
    (
        "CreateDisk",
        "ZoneId=cn-hangzhou-h InstanceId=@on Size=40",
        "InvalidParam.ZoneIdAndInstanceId.Conflict",
        "InvalidParameter.Conflict",
    ),
    (
        "CreateDisk",
        "ZoneId=cn-hangzhou-h Size=40 DiskCategory=cloud_efficiency MultiAttach=Enabled",
        "InvalidParameter.DiskCategoryAndMultiAttachConflict",
        "InvalidParameter.DiskCategoryAndMultiAttachNotMatch",
    ),
    (
        "CreateDisk",
        "ZoneId=cn-hangzhou-h SnapshotId=@unready DiskCategory=cloud_essd",
        "InvalidSnapshotId.NotReady",
        "InvalidSnapshot.NotReady",
    ),
    ("CreateSnapshot", "DiskId=@local", "DiskCategory.OperationNotSupported", "DiskId.ValueNotSupported"),
    ("ModifyDiskAttribute", "DiskName=name", "MissingParameter.DiskIdOrDiskIds", "IncompleteParamter"),
    ("ReInitDisk", "DiskId=@orphan", "InvalidSourceSnapshot", "OperationDenied"),
    (
        "ReplaceSystemDisk",
        "InstanceId=@stopped DiskId=d-bp1none Architecture=x86_64 Platform=Ubuntu",
        "InvalidDiskId.NotFound",
        "NoSuchResource",
    ),
    ("ResetDisk", "DiskId=d-bp1none SnapshotId=@ready", "InvalidDiskId.NotFound", "Disk.NotFound"),
    ("ResetDisks", "Disk.1.DiskId=d-bp1none Disk.1.SnapshotId=@ready", "InvalidDiskId.NotFound", "Disk.NotFound"),
    (
        "ResetDisks",
        "Disk.1.DiskId=@local Disk.1.SnapshotId=s-bp1none",
        "InvalidSnapshotId.NotFound",
        "InvalidSnapshot.NotFound",
    ),
    (
        "ResetDisks",
        "Disk.1.DiskId=@multi Disk.1.SnapshotId=@ready",
        "InvalidOperation.MultiAttachDisk",
        "InvalidDisk.ShareVolume",
    ),
    ("ResizeDisk", "DiskId=@attaching NewSize=60", "IncorrectDiskStatus", "DiskError"),
    (
        "ResizeDisk",
        "DiskId=@cloud NewSize=60 Type=online",
        "InvalidDiskCategory.NotSupported",
        "InvalidDataDiskCategory.ValueNotSupported",
    ),
    (
        "ResizeDisk",
        "DiskId=@multi NewSize=60 Type=online",
        "InvalidOperation.MultiAttachDiskNotSupportResizeOnline",
        "InvalidParameter.Conflict",
    ),
];

#[tokio::test]
async fn disks_answer_their_older_codes() {
    let mut app = TestApp::with(narrow).await;
    let on = app.instance().await;
    let shared = app.disk_with(|disk| "Enabled".clone_into(&mut disk.multi_attach)).await;
    app.ok("AttachDisk", &[("DiskId", &shared), ("InstanceId", &on)]).await;
    let ephemeral = |disk: &mut snapshotd::store::disks::Disk| {
        "elastic_ephemeral_disk_standard".clone_into(&mut disk.category);
        disk.size = 64;
    };
    let multi = app.disk_with(|disk| "Enabled".clone_into(&mut disk.multi_attach)).await;
    let (ready, gone) = (app.accomplished_snapshot(&multi).await, app.accomplished_snapshot(&multi).await);
    let (orphan, _) =
        crate::disk_specs::attached(&app, "Stopped", |disk| gone.clone_into(&mut disk.source_snapshot_id)).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &gone), ("Force", "true")]).await;
    let (_, stopped) =
        crate::disk_specs::attached(&app, "Stopped", |disk| "system".clone_into(&mut disk.disk_type)).await;
    app.advance("1m").await;
    let slow = app.disk_with(|disk| "cloud_efficiency".clone_into(&mut disk.category)).await;
    let ids = Ids::from([
        ("attaching", app.disk_with(|disk| "Attaching".clone_into(&mut disk.status)).await),
        ("cloud", app.disk_with(|disk| "cloud".clone_into(&mut disk.category)).await),
        ("local", app.disk_with(ephemeral).await),
        ("orphan", orphan),
        ("unready", app.snapshot(&slow).await),
        ("multi", multi),
        ("on", on),
        ("ready", ready),
        ("shared", shared),
        ("stopped", stopped),
    ]);
    both_ways(&mut app, &ids, DISKS).await;
    app.sql("UPDATE disks SET status = 'Available' WHERE status = 'Attaching'").await;
}

const SNAPSHOTS: &[Row] = &[
    (
        "CopyImage",
        "ImageId=@image KMSKeyId=k-1",
        "InvalidEncrypted.NotMatchKmsKeyId",
        "InvalidParameter.EncryptedIllegal",
    ),
    (
        "CopyImage",
        "ImageId=@foreign DestinationRegionId=cn-beijing",
        "OperationDenied.SameRegionOnly",
        "IncorrectDestinationRegion",
    ),
    (
        "CopySnapshot",
        "SnapshotId=@archived DestinationRegionId=cn-beijing DestinationSnapshotName=copy \
         DestinationSnapshotDescription=copy Encrypted=true",
        "InvalidSnapshotCategory.NotSupportEncryptedCopy",
        "InvalidSnapshotCategory.NotSupportCrossRegionCopy",
    ),
    (
        "CopySnapshot",
        "SnapshotId=@archived DestinationRegionId=cn-beijing DestinationSnapshotName=copy \
         DestinationSnapshotDescription=copy",
        "OperationDenied.SnapshotCategoryNotSupportCopy",
        "InvalidSnapshotCategory.NotSupportCopy",
    ),
    (
        "CreateImage",
        "SnapshotId=@system ClientToken=token ImageName=other",
        "IdempotenceParamNotMatch",
        "InvalidParamter.Conflict",
    ),
    ("CreateImage", "InstanceId=@stopped", "IncorrectInstanceStatus.NeedRestart", "IncorrectDiskStatus.Invalid"),
    (
        "CreateImage",
        "SnapshotId=@archived",
        "InvalidSnapshotCategory.NotSupportImageCreation",
        "OperationDenied.InvalidSnapshotCategory",
    ),
    ("CreateSnapshot", "DiskId=@slow", "IncorrectDiskStatus.CreatingSnapshot", "DISK_HAS_CREATING_SNAPSHOT"),
    ("CreateSnapshotGroup", "DiskId.1=@busy Name=1", "InvalidParameter.Name", "InvalidSnapshotName.Malformed"),
    (
        "CreateSnapshotGroup",
        "DiskId.1=@busy Description=1",
        "InvalidParameter.Description",
        "InvalidDescription.Malformed",
    ),
    (
        "CreateSnapshotGroup",
        "DiskId.1=@busy",
        "QuotaExceed.ConcurrentSnapshotQuota",
        "IncorrectDiskStatus.TooManyCreatingSnapshots",
    ),
];

#[tokio::test]
async fn snapshots_and_images_answer_their_older_codes() {
    let mut app = TestApp::with(|config| config.quotas.concurrent_snapshots = 2).await;
    let run = [("ImageId", IMAGE), ("InstanceType", "ecs.g7.large"), ("ZoneId", "cn-hangzhou-h")];
    let stopped = text(&app.ok("RunInstances", &run).await, "/InstanceIdSets/InstanceIdSet/0");
    app.advance("10m").await;
    app.ok("StopInstance", &[("InstanceId", &stopped)]).await;
    app.advance("10m").await;
    let late = app.disk_with(|_| {}).await;
    app.ok("AttachDisk", &[("DiskId", &late), ("InstanceId", &stopped)]).await;
    let system = crate::images::system_snapshot(&app).await;
    let image = app.ok("CreateImage", &[("SnapshotId", &system), ("ClientToken", "token")]).await;
    let archived = crate::images::system_snapshot(&app).await;
    app.sql(&format!("UPDATE snapshots SET category = 'archive' WHERE snapshot_id = '{archived}'")).await;
    let foreign = app.image_from(&system, "Available", OTHER_ACCOUNT).await;
    let share = [("ImageId", foreign.as_str()), ("AddAccount.1", ACCOUNT)];
    app.call_as(OTHER_KEY, "ModifyImageSharePermission", &share).await.accepted();
    app.advance("1m").await;
    let slow = app.disk_with(|disk| "cloud_efficiency".clone_into(&mut disk.category)).await;
    let busy = app.attached_disk().await;
    for disk in [&slow, &busy, &busy] {
        app.snapshot(disk).await;
    }
    let ids = Ids::from([
        ("image", text(&image, "/ImageId")),
        ("archived", archived),
        ("busy", busy),
        ("foreign", foreign),
        ("slow", slow),
        ("stopped", stopped),
        ("system", system),
    ]);
    both_ways(&mut app, &ids, SNAPSHOTS).await;
}

const TAGS: &[Row] = &[
    ("AddTags", "ResourceType=disk ResourceId=@disk Tag*4", "QuotaExceed.Tags", "OperationDenied.QuotaExceed"),
    ("TagResources", "ResourceType=disk ResourceId.1=@disk Tag*4", "QuotaExceed.Tags", "OperationDenied.QuotaExceed"),
    ("TagResources", "ResourceType=disk ResourceId.1=@disk Tag*21", "NumberExceed.Tags", "InvalidTagCount"),
    ("UntagResources", "ResourceType=disk ResourceId.1=@disk TagKey*21", "NumberExceed.Tags", "InvalidTagCount"),
    ("ListTagResources", "ResourceType=disk Tag*21", "NumberExceed.Tags", "InvalidTagCount"),
    ("ListTagResources", "ResourceType=disk", "BothEmpty.TagsAndResources", "MissingParameter.ResourceIds"),
    ("ListTagResources", "ResourceType=disk Tag.1.Value=v", "InvalidTag.Mismatch", "MissingParameter.Tags"),
    (
        "ListTagResources",
        "ResourceType=disk TagFilter.1.TagValues.1=v",
        "InvalidTagFilter.Malformed",
        "InvalidFilter.Malformed",
    ),
];

#[tokio::test]
async fn tags_answer_their_older_codes() {
    let mut app = TestApp::with(narrow).await;
    let ids = Ids::from([("disk", app.disk_with(|_| {}).await)]);
    both_ways(&mut app, &ids, TAGS).await;
}

/// What follows an image, a type and a zone: of both actions that make instances, then of each.
const INSTANCES: &[(&str, &str, &str)] = &[
    ("InstanceType=ecs.g8y.large", "ImageNotSupportInstanceType", "InvalidParameter.Conflict"),
    ("ImageId=@making", "IncorrectImageStatus", "IncorrectInstanceStatus"),
    (
        "DataDisk.1.Size=40 DataDisk.2.Size=40 DataDisk.3.Size=40",
        "InstanceDiskLimitExceeded",
        "InstanceDiskNumLimitExceed",
    ),
    (
        "DataDisk.1.Size=40 DataDisk.1.Category=tape",
        "InvalidDataDiskCategory.ValueNotSupported",
        "InvalidDiskCategory.ValueNotSupported",
    ),
    (
        "DataDisk.1.Size=40 DataDisk.1.Encrypted=false DataDisk.1.KMSKeyId=k-1",
        "InvalidEncrypted.NotMatchKmsKeyId",
        "InvalidParameter.EncryptedIllegal",
    ),
    ("HostName=-a", "InvalidHostName.Malformed", "HOSTNAME_ILLEGAL"),
    (
        "DataDisk.1.SnapshotId=@secret DataDisk.1.KMSKeyId=k-1",
        "InvalidKmsKeyId.NotMatchSnapshot",
        "InvalidParameter.NotMatch",
    ),
    (
        "SystemDisk.Category=cloud_essd SystemDisk.PerformanceLevel=PL2 SystemDisk.Size=40",
        "InvalidSystemDiskSize.ValueNotSupported",
        "InvalidDisk.SystemDiskSize",
    ),
];
const CREATE_INSTANCE: &[(&str, &str, &str)] = &[
    (
        "DataDisk.1.SnapshotId=@secret DataDisk.1.Encrypted=false",
        "InvalidEncrypted.NotMatchSnapshot",
        "EncryptedOption.Conflict",
    ),
    ("PrivateIpAddress=10.0.0.1", "InvalidPrivateIpAddress.Duplicated", "InvalidIPAddress.AlreadyUsed"),
];
const RUN_INSTANCES: &[(&str, &str, &str)] = &[
    (
        "DataDisk.1.SnapshotId=@large DataDisk.1.Category=cloud",
        "InstanceDiskCategoryLimitExceed",
        "OperationDenied.SnapshotParamsNotValid",
    ),
    ("DataDisk.1.SnapshotId=s-bp1none", "InvalidDataDiskSnapshotId.NotFound", "InvalidSnapshotId.NotFound"),
    (
        "DataDisk.1.SnapshotId=@secret DataDisk.1.Encrypted=true DataDisk.1.EncryptAlgorithm=SM4-128",
        "InvalidEncryptAlgorithm.NotMatchSnapshot",
        "NotSupport.SnapshotEncryptedAlgorithmConflict",
    ),
    ("Amount=101", "InvalidParam.Amount", "InvalidMaxAmount.Malformed"),
    ("Tag*21", "InvalidTagCount", "NumberExceed.Tags"),
    ("Tag*4", "QuotaExceed.Tags", "OperationDenied.QuotaExceed"),
    ("DataDisk.1.SnapshotId=@archived", "OperationDenied.SnapshotNotAllowed", "OperationDenied.SnapshotNotValid"),
];

#[tokio::test]
async fn makers_of_instances_answer_their_older_codes() {
    let mut app = TestApp::with(narrow).await;
    app.instance().await;
    let large = app.disk_with(|disk| disk.size = 2_001).await;
    let secret = app.disk_with(|disk| disk.encrypted = true.into()).await;
    let archived = app.accomplished_snapshot(&app.attached_disk().await).await;
    app.sql(&format!("UPDATE snapshots SET category = 'archive' WHERE snapshot_id = '{archived}'")).await;
    let large = app.accomplished_snapshot(&large).await;
    let ids = Ids::from([
        ("making", app.image_from(&large, "Creating", ACCOUNT).await),
        ("secret", app.accomplished_snapshot(&secret).await),
        ("archived", archived),
        ("large", large),
    ]);
    let of = |action: &'static str, rows: &'static [(&str, &str, &str)]| {
        rows.iter().map(move |(more, newer, older)| {
            // The first of two counts.
            let text: &'static str = format!("{more} {LAUNCH}").leak();
            (action, text, *newer, *older)
        })
    };
    let rows: Vec<Row> = of("RunInstances", INSTANCES)
        .chain(of("RunInstances", RUN_INSTANCES))
        .chain(of("CreateInstance", INSTANCES))
        .chain(of("CreateInstance", CREATE_INSTANCE))
        .collect();
    both_ways(&mut app, &ids, &rows).await;
}

#[tokio::test]
async fn a_repeat_while_instances_are_being_made_is_another_instance_being_created() {
    let app = TestApp::with(|config| {
        config.fidelity.conflict_wait_ms = 10_000;
        config.fidelity.older_codes = true;
    })
    .await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let run = [("ImageId", IMAGE), ("InstanceType", "ecs.g7.large"), ("DataDisk.1.SnapshotId", id.as_str())];
    let run = [&run[..], &[("ClientToken", "token")]].concat();
    let guard = app.app().store.hold(ACCOUNT, &RowLocks::exclusive(&id)).await.expect("free");
    let repeat = async {
        app.refused("RunInstances", &run, 404, "OperationDenied.CreatingConflict").await;
        drop(guard);
    };
    let (first, ()) = tokio::join!(app.ok("RunInstances", &run), repeat);
    assert_eq!(app.ok("RunInstances", &run).await["InstanceIdSets"], first["InstanceIdSets"]);
}
