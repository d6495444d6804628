//! Images shared between accounts: neither is ever answered an id of the other's snapshots, disks and instances, nor held up by one.

use snapshotd::api::action::Kind;
use snapshotd::api::registry;

use crate::images::{made, system_snapshot};
use crate::support::answer::{Answer, column, snapshot_ids, text};
use crate::support::{KEY, OTHER_ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};

const BASE: &str = "aliyun_3_x64_20G_alibase_20260101.vhd";
const TYPE: (&str, &str) = ("InstanceType", "ecs.g7.large");

/// An instance with a data disk, its image, and what another account made of that.
struct World {
    app: TestApp,
    image: String,
    /// The snapshot of the data disk, which the image maps.
    snapshot: String,
    /// The instance of the other account and its data disk.
    instance: String,
    disk: String,
}

async fn instance_of(app: &TestApp, key: (&str, &str), image: &str, more: &[(&str, &str)]) -> String {
    let run = [&[("ImageId", image), TYPE], more].concat();
    let body = app.call_as(key, "RunInstances", &run).await.accepted();
    text(&body, "/InstanceIdSets/InstanceIdSet/0")
}

async fn share(app: &TestApp, image: &str) {
    app.ok("ModifyImageSharePermission", &[("ImageId", image), ("AddAccount.1", OTHER_ACCOUNT)]).await;
}

async fn data_disk(app: &TestApp, key: (&str, &str), instance: &str) -> String {
    let its = [("InstanceId", instance), ("DiskType", "data")];
    text(&app.call_as(key, "DescribeDisks", &its).await.accepted(), "/Disks/Disk/0/DiskId")
}

async fn world() -> World {
    let app = TestApp::new().await;
    let own = instance_of(&app, KEY, BASE, &[("DataDisk.1.Size", "40")]).await;
    app.advance("1m").await;
    let image = text(&app.ok("CreateImage", &[("InstanceId", &own)]).await, "/ImageId");
    app.advance("1m").await;
    let of_data = app.ok("DescribeSnapshots", &[("SourceDiskType", "data")]).await;
    let snapshot = snapshot_ids(&of_data).remove(0);
    share(&app, &image).await;
    let instance = instance_of(&app, OTHER_KEY, &image, &[]).await;
    app.advance("1m").await;
    let disk = data_disk(&app, OTHER_KEY, &instance).await;
    World { app, image, snapshot, instance, disk }
}

/// Everything that tells one resource from others, with the parameters that name it.
const NAMING: [(&str, &[&str]); 4] = [
    ("d-", &["DiskId", "DiskIds", "ResourceIds.1", "ResourceId.1"]),
    ("s-", &["SnapshotId", "SnapshotIds", "ResourceIds.1", "ResourceId.1"]),
    ("m-", &["ImageId", "ResourceId.1"]),
    ("i-", &["InstanceId", "InstanceIds", "InstanceId.1", "ResourceId.1"]),
];

/// The ids of all that an account has in both regions, chains of snapshots included.
async fn ids_of(app: &TestApp, key: (&str, &str)) -> Vec<String> {
    let mut ids = Vec::new();
    for region in [REGION, OTHER_REGION] {
        for (action, list, field) in [
            ("DescribeDisks", "/Disks/Disk", "DiskId"),
            ("DescribeSnapshots", "/Snapshots/Snapshot", "SnapshotId"),
            ("DescribeSnapshotLinks", "/SnapshotLinks/SnapshotLink", "SnapshotLinkId"),
            ("DescribeInstances", "/Instances/Instance", "InstanceId"),
        ] {
            let body = app.call_as(key, action, &[("RegionId", region), ("PageSize", "100")]).await.accepted();
            ids.extend(column(&body, list, field));
        }
    }
    ids
}

/// Every answer of every action that reads, for all of the account and for each resource that it can name.
async fn everything_told(app: &TestApp, key: (&str, &str), named: &[String]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for entry in registry::all().filter(|entry| entry.kind == Kind::Read) {
        for region in [REGION, OTHER_REGION] {
            for resource_type in ["disk", "snapshot", "image", "instance"] {
                let base = [("RegionId", region), ("ResourceType", resource_type), ("ImageOwnerAlias", "others")];
                answers.push(app.call_as(key, entry.name, &base[..2]).await);
                answers.push(app.call_as(key, entry.name, &base).await);
            }
            for id in named {
                for (_, names) in NAMING.iter().filter(|(prefix, _)| id.starts_with(prefix)) {
                    for name in *names {
                        let list = format!("[\"{id}\"]");
                        let value = if name.ends_with("Ids") { &list } else { id };
                        answers
                            .push(app.call_as(key, entry.name, &[("RegionId", region), (*name, value.as_str())]).await);
                    }
                }
            }
        }
    }
    answers
}

#[tokio::test]
async fn no_answer_tells_one_account_an_id_of_another_whose_image_it_shares() {
    let World { app, image, snapshot, instance, disk } = world().await;
    let other = async |action: &str, params: &[(&str, &str)]| app.call_as(OTHER_KEY, action, params).await.accepted();
    let plain = made(&app, &system_snapshot(&app).await).await;
    app.advance("1m").await;
    share(&app, &plain).await;
    let on = ("InstanceId", instance.as_str());
    other("CopyImage", &[("ImageId", &image), ("RegionId", REGION)]).await;
    app.advance("1m").await;
    other("CreateSnapshot", &[("DiskId", &disk)]).await;
    other("CreateImage", &[on]).await;
    app.advance("1m").await;
    other("StopInstance", &[on]).await;
    app.advance("1m").await;
    other("ReplaceSystemDisk", &[on, ("ImageId", &plain)]).await;
    other("ReInitDisk", &[("DiskId", &disk)]).await;
    app.advance("1m").await;
    let (ours, theirs) = (ids_of(&app, KEY).await, ids_of(&app, OTHER_KEY).await);
    assert!(ours.len() >= 9 && theirs.len() >= 12, "{ours:?} {theirs:?}");
    assert!(ours.contains(&snapshot));
    for (key, own, foreign) in [(OTHER_KEY, &theirs, &ours), (KEY, &ours, &theirs)] {
        let named = [&own[..], &[image.clone(), plain.clone()]].concat();
        let answers = everything_told(&app, key, &named).await;
        let told = answers.iter().filter(|answer| answer.status == 200);
        assert!(told.clone().count() > 500, "too little is told: {}", told.count());
        for answer in &answers {
            let leaked: Vec<&String> = foreign.iter().filter(|id| answer.text.contains(id.as_str())).collect();
            assert!(leaked.is_empty(), "{} tells {leaked:?}: {}", answer.sent.action, answer.text);
        }
        // Nor does a filter find what was made from a foreign one.
        for id in foreign.iter().filter(|id| id.starts_with("s-")) {
            let body = app.call_as(key, "DescribeDisks", &[("SnapshotId", id)]).await.accepted();
            assert_eq!(column(&body, "/Disks/Disk", "DiskId"), Vec::<String>::new(), "{id}");
        }
    }
}

#[tokio::test]
async fn a_disk_of_another_account_does_not_hold_the_snapshot_of_the_image_that_was_shared() {
    let World { app, image, snapshot, instance, disk } = world().await;
    let other = async |action: &str, params: &[(&str, &str)]| app.call_as(OTHER_KEY, action, params).await;
    let delete = [("SnapshotId", snapshot.as_str())];
    assert_eq!(text(&app.described(&snapshot).await, "/Usage"), "image");
    app.refused("DeleteSnapshot", &delete, 403, "SnapshotCreatedImage").await;
    app.ok("ModifyImageSharePermission", &[("ImageId", &image), ("RemoveAccount.1", OTHER_ACCOUNT)]).await;
    app.ok("DeleteImage", &[("ImageId", &image)]).await;
    assert_eq!(text(&app.described(&snapshot).await, "/Usage"), "none");
    other("StopInstance", &[("InstanceId", &instance)]).await.accepted();
    app.advance("1m").await;
    // As long as the snapshot is there the disk goes back to it, and holds it no more than before.
    other("ReInitDisk", &[("DiskId", &disk)]).await.accepted();
    app.ok("DeleteSnapshot", &delete).await;
    app.advance("1m").await;
    other("ReInitDisk", &[("DiskId", &disk)]).await.refused(403, "InvalidSourceSnapshot");
    other("DeleteInstance", &[("InstanceId", &instance), ("Force", "true")]).await.accepted();
}
