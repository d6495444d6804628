//! Snapshot groups: what their tests share.

mod created;
mod deleted;
mod described;

use serde_json::Value;

use crate::support::answer::{column, text};
use crate::support::seed::disk_row;
use crate::support::{REGION, TestApp};
use snapshotd::store::disks::Disk;

const CREATE: &str = "CreateSnapshotGroup";
const DESCRIBE: &str = "DescribeSnapshotGroups";
const LIST: &str = "/SnapshotGroups/SnapshotGroup";
const HERE: (&str, &str) = ("RegionId", REGION);

/// A disk on that instance, changed by `change`.
async fn disk_on(app: &TestApp, instance: &str, change: impl FnOnce(&mut Disk)) -> String {
    let mut disk = disk_row(&format!("d-bp1{:017}", app.next_number()), REGION, app.now());
    "In_use".clone_into(&mut disk.status);
    change(&mut disk);
    app.insert_disk(disk, Some(instance.to_owned())).await
}

/// An instance with a system disk and a data disk.
async fn instance_with_disks(app: &TestApp) -> (String, String, String) {
    let instance = app.instance().await;
    let system = disk_on(app, &instance, |disk| "system".clone_into(&mut disk.disk_type)).await;
    let data = disk_on(app, &instance, |_| {}).await;
    (instance, system, data)
}

async fn group_of(app: &TestApp, disks: &[&str]) -> String {
    let names: Vec<String> = (1..=disks.len()).map(|n| format!("DiskId.{n}")).collect();
    let params: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(disks.iter().copied()).collect();
    text(&app.ok(CREATE, &params).await, "/SnapshotGroupId")
}

/// The one group with this id as DescribeSnapshotGroups shows it; null for none.
async fn shown(app: &TestApp, group: &str) -> Value {
    let body = app.ok(DESCRIBE, &[HERE, ("SnapshotGroupId.1", group)]).await;
    body.pointer(&format!("{LIST}/0")).cloned().unwrap_or_default()
}

async fn members(app: &TestApp, group: &str) -> Vec<String> {
    column(&shown(app, group).await, "/Snapshots/Snapshot", "SnapshotId")
}
