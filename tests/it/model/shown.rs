//! How what the daemon shows is compared, and how snapshots and disks are shown; makes no moves and has no rules.

use serde_json::Value;

use super::moves::{Move, Nth};
use super::reference::{SNAPSHOT, Snapshot, World};
use super::{Daemon, PAGE, marks, tasks};

pub fn field<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

pub fn list(body: &Value, pointer: &str, line: impl Fn(&Value) -> String) -> Vec<String> {
    body.pointer(pointer).and_then(Value::as_array).expect("a list").iter().map(line).collect()
}

/// The daemon shows what the reference has, in whatever order.
#[track_caller]
pub fn same(wanted: impl Iterator<Item = String>, mut shown: Vec<String>, step: &Move) {
    let mut wanted: Vec<String> = wanted.collect();
    wanted.sort();
    shown.sort();
    assert_eq!(shown, wanted, "after {step:?}");
}

/// One of those that are there, another one at each turn: what is asked for one by one is not asked for all each time.
pub fn one_of(is_there: impl Iterator<Item = bool>, turn: usize) -> Option<Nth> {
    let there: Vec<Nth> = is_there.enumerate().filter_map(|(nth, is_there)| is_there.then_some(nth)).collect();
    (!there.is_empty()).then(|| there[turn % there.len()])
}

/// Compares the snapshots, after those that the daemon took by itself are recognised.
pub async fn compare_snapshots(daemon: &mut Daemon, world: &World, step: &Move) {
    let snapshots = daemon.app.ok("DescribeSnapshots", &PAGE).await;
    daemon.ids.recognise(world, &snapshots);
    let wanted = world.snapshots.iter().enumerate().filter(|(_, snapshot)| snapshot.is_there);
    let wanted = wanted.map(|(nth, snapshot)| wanted_snapshot(daemon, world, nth, snapshot));
    same(wanted, list(&snapshots, "/Snapshots/Snapshot", shown_snapshot), step);
}

fn wanted_snapshot(daemon: &Daemon, world: &World, nth: Nth, snapshot: &Snapshot) -> String {
    let days = snapshot.days.map_or_else(String::new, |days| format!(" {days} days"));
    let tags = world.count_tags(marks::Kind::Snapshot, nth) + usize::from(snapshot.names_instance);
    let (id, usage, of) = (daemon.ids.snapshot(nth), world.usage(nth), daemon.ids.disk(snapshot.disk));
    let (category, size) = (snapshot.category(), snapshot.size);
    let percent = if snapshot.status == "accomplished" { 100 } else { (world.now - snapshot.created) * 100 / SNAPSHOT };
    format!("{id} {category} {} {usage} of {of} {size} {tags} tags {percent}%{days}", snapshot.status)
}

fn shown_snapshot(row: &Value) -> String {
    let days = row["RetentionDays"].as_i64().map_or_else(String::new, |days| format!(" {days} days"));
    let tags = row["Tags"]["Tag"].as_array().map_or(0, Vec::len);
    let [id, category, status, usage] = ["SnapshotId", "Category", "Status", "Usage"].map(|name| field(row, name));
    let (of, size) = (field(row, "SourceDiskId"), field(row, "SourceDiskSize"));
    let progress = field(row, "Progress");
    format!("{id} {category} {status} {usage} of {of} {size} {tags} tags {progress}{days}")
}

/// Compares the disks.
pub async fn compare_disks(daemon: &Daemon, world: &World, step: &Move) {
    let disks = daemon.app.ok("DescribeDisks", &PAGE).await;
    let wanted = world.disks.iter().enumerate().filter(|(_, disk)| disk.is_there).map(|(nth, disk)| {
        let id = daemon.ids.disk(nth);
        let source = disk.source.map_or_else(String::new, |source| daemon.ids.snapshot(source));
        // Documented: told only while In_use or Detaching.
        let is_told = matches!(disk.status, "In_use" | "Detaching");
        let instance = disk.on.filter(|_| is_told).map_or_else(String::new, |on| daemon.ids.instance(on));
        let (level, charge) = (tasks::LEVELS[disk.level], disk.charge());
        let marks = (world.name_of(marks::Kind::Disk, nth), world.group_of(nth));
        let flags = [disk.goes_along, disk.takes_automatic, disk.may_be_taken, disk.is_portable];
        let what = format!("{id} {charge} {} {level} {} on {instance} from {source}", disk.status, disk.size);
        format!("{what}, {} {} {} {flags:?}", marks.0, marks.0, marks.1)
    });
    let shown = list(&disks, "/Disks/Disk", |row| {
        let [id, charge, status] = ["DiskId", "DiskChargeType", "Status"].map(|name| field(row, name));
        let (instance, source) = (field(row, "InstanceId"), field(row, "SourceSnapshotId"));
        let level = field(row, "PerformanceLevel");
        let [name, description, group] = ["DiskName", "Description", "ResourceGroupId"].map(|name| field(row, name));
        let flags = ["DeleteWithInstance", "DeleteAutoSnapshot", "EnableAutoSnapshot", "Portable"];
        let flags = flags.map(|name| row[name].as_bool().expect("a flag"));
        let what = format!("{id} {charge} {status} {level} {} on {instance} from {source}", row["Size"]);
        format!("{what}, {name} {description} {group} {flags:?}")
    });
    same(wanted, shown, step);
}
