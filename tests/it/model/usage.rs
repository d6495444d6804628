//! The snapshot service and what snapshots take up: which calls need it, totals, chains and series; never what the daemon
//! answers.

use super::reference::{DAY, SNAPSHOT, Snapshot, World};
use super::shown::{field, list, same};
use super::{Daemon, Move, PAGE, copies, groups, marks, policies, repeats};
use crate::support::{REGION, start};

/// A series: how far back it begins, and what lies between two points.
const SPAN: i64 = 16 * DAY;
const PERIOD: i64 = 3_600;
/// How many moves lie between two series.
const SERIES: usize = 8;

impl World {
    /// What makes snapshots, makes something of them or promises to needs the service.
    pub fn lacks_service(&self, step: &Move) -> bool {
        let needs_it = match *step {
            Move::ResetDisks([(one, _), (other, _)]) => one != other,
            Move::Policy(step) => matches!(step, policies::Step::Create(_) | policies::Step::Apply(..)),
            Move::Repeat(step) => {
                matches!(step, repeats::Step::CreateSnapshot { .. } | repeats::Step::DryReset(..))
            }
            Move::CreateSnapshot(_)
            | Move::Group(groups::Step::Create(..))
            | Move::Copy(copies::Step::Copy(_))
            | Move::CreateImage(_)
            | Move::CreateDiskFromSnapshot(_)
            | Move::ResetDisk(..) => true,
            _ => false,
        };
        needs_it && !self.is_service_open
    }
}

/// The bytes of those that are accomplished.
fn bytes<'a>(snapshots: impl Iterator<Item = &'a Snapshot>) -> i64 {
    snapshots.filter(|snapshot| snapshot.status == "accomplished").map(|snapshot| snapshot.bytes).sum()
}

/// Compares totals and chains, and a series now and then.
pub async fn compare(daemon: &Daemon, world: &World, step: &Move) {
    let there = || world.snapshots.iter().filter(|snapshot| snapshot.is_there);
    let usage = daemon.app.ok("DescribeSnapshotsUsage", &[("RegionId", REGION)]).await;
    let wanted = (Some(bytes(there())), i64::try_from(there().count()).ok());
    assert_eq!((usage["SnapshotSize"].as_i64(), usage["SnapshotCount"].as_i64()), wanted, "after {step:?}");
    if !world.snapshots.is_empty() {
        compare_chains(daemon, world, step).await;
    }
    if daemon.turn.is_multiple_of(SERIES) {
        compare_series(daemon, world, step).await;
        let packages = daemon.app.ok("DescribeSnapshotPackage", &PAGE).await;
        assert_eq!(packages["TotalCount"], 0, "after {step:?}");
    }
}

/// Of each disk, be it gone, that has snapshots.
async fn compare_chains(daemon: &Daemon, world: &World, step: &Move) {
    let wanted = world.disks.iter().enumerate().filter_map(|(nth, disk)| {
        let of_disk = || world.snapshots.iter().filter(|snapshot| snapshot.is_there && snapshot.disk == nth);
        let largest = of_disk().map(|snapshot| snapshot.size).max()?;
        let size = if disk.is_there { disk.size } else { largest };
        let name = if disk.is_there { world.name_of(marks::Kind::Disk, nth) } else { String::new() };
        let kind = if disk.is_system { "system" } else { "data" };
        let on = disk.on.map_or_else(String::new, |on| daemon.ids.instance(on));
        let category = if of_disk().all(|snapshot| snapshot.is_archived) { "archive" } else { "standard" };
        let (count, bytes) = (of_disk().count(), bytes(of_disk()));
        Some(format!("{} {name} {kind} {size} on {on}: {category} {count} {bytes}", daemon.ids.disk(nth)))
    });
    let links = daemon.app.ok("DescribeSnapshotLinks", &PAGE).await;
    let shown = list(&links, "/SnapshotLinks/SnapshotLink", |row| {
        let [disk, name, kind] = ["SourceDiskId", "SourceDiskName", "SourceDiskType"].map(|name| field(row, name));
        let [on, category] = ["InstanceId", "Category"].map(|name| field(row, name));
        let [size, count, bytes] = ["SourceDiskSize", "TotalCount", "TotalSize"].map(|name| &row[name]);
        format!("{disk} {name} {kind} {size} on {on}: {category} {count} {bytes}")
    });
    same(wanted, shown, step);
}

/// At each point all count that are there today and were accomplished then.
async fn compare_series(daemon: &Daemon, world: &World, step: &Move) {
    let category = ["standard", "archive"][daemon.turn / SERIES % 2];
    let text = |second: i64| start().plus_millis(second * 1_000).to_seconds();
    let begin = world.now - SPAN;
    let (from, to, period) = (text(begin), text(world.now), PERIOD.to_string());
    let params = [("StartTime", from.as_str()), ("EndTime", &to), ("Period", &period), ("Category", category)];
    let series = daemon.app.ok("DescribeSnapshotMonitorData", &[&params[..], &[("RegionId", REGION)]].concat()).await;
    let shown = list(&series, "/MonitorData/DataPoint", |row| format!("{} {}", field(row, "TimeStamp"), row["Size"]));
    let points = (0..=SPAN / PERIOD).map(|nth| begin + nth * PERIOD);
    let wanted = points.map(|point| {
        let counts = |snapshot: &&Snapshot| {
            snapshot.is_there && snapshot.category() == category && snapshot.created + SNAPSHOT <= point
        };
        format!("{} {}", text(point), bytes(world.snapshots.iter().filter(counts)))
    });
    same(wanted, shown, step);
}
