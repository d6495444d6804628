//! Tasks: archiving and exporting snapshots, other specifications of disks, CancelTask; never what the daemon answers.

use proptest::prelude::*;

use super::Daemon;
use super::ids::Ids;
use super::moves::{Call, Nth, pick};
use super::reference::{DAY, Outcome, World};
use super::shown::{field, list, one_of, same};
use crate::support::REGION;

pub const TASK: i64 = 3;
pub const CLONE: i64 = TASK;
const LEAST_AGE: i64 = 14 * DAY;
pub const LEVELS: [&str; 4] = ["PL0", "PL1", "PL2", "PL3"];
/// GiB that a disk of each level has at least.
const LEAST_SIZES: [i64; 4] = [1, 20, 461, 1_261];

#[derive(Clone, Copy, Debug)]
pub enum Step {
    Archive { snapshot: Nth, days: Option<i64> },
    Export(Nth),
    ModifySpec { disk: Nth, level: usize },
    Cancel(Nth),
}

pub fn any(world: &World) -> BoxedStrategy<Step> {
    let snapshot = || pick(world.snapshots.iter().map(|snapshot| snapshot.is_there));
    // Mostly one that is large enough for another level.
    let disk = pick(world.disks.iter().map(|disk| disk.is_there && disk.size >= LEAST_SIZES[2]));
    let task = pick(world.tasks.iter().map(|task| task.status == "Processing"));
    let days = prop_oneof![3 => Just(None), 1 => Just(Some(80))];
    prop_oneof![
        4 => (snapshot(), days).prop_map(|(snapshot, days)| Step::Archive { snapshot, days }),
        3 => snapshot().prop_map(Step::Export),
        3 => (disk, 0..4_usize).prop_map(|(disk, level)| Step::ModifySpec { disk, level }),
        2 => task.prop_map(Step::Cancel),
    ]
    .boxed()
}

/// What a task does, to which snapshot or disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Archive(Nth),
    Export(Nth),
    ModifySpec {
        disk: Nth,
        level: usize,
    },
    /// The new disk.
    Clone(Nth),
}

#[derive(Clone, Copy, Debug)]
pub struct Task {
    work: Work,
    pub status: &'static str,
    pub until: Option<i64>,
}

impl World {
    pub fn task(&mut self, step: Step) -> Outcome {
        match step {
            Step::Archive { snapshot, days } => self.archive(snapshot, days),
            Step::Export(snapshot) => self.export(snapshot),
            Step::ModifySpec { disk, level } => self.modify_spec(disk, level),
            Step::Cancel(task) => self.cancel_task(task),
        }
    }

    pub fn begin_task(&mut self, work: Work) {
        self.tasks.push(Task { work, status: "Processing", until: Some(self.now + TASK) });
    }

    fn is_at_work(&self, is_it: impl Fn(Work) -> bool) -> bool {
        self.tasks.iter().any(|task| task.status == "Processing" && is_it(task.work))
    }

    pub fn is_being_archived(&self, snapshot: Nth) -> bool {
        self.is_at_work(|work| work == Work::Archive(snapshot))
    }

    pub fn is_being_exported(&self, snapshot: Nth) -> bool {
        self.is_at_work(|work| work == Work::Export(snapshot))
    }

    pub fn is_being_modified(&self, nth: Nth) -> bool {
        self.is_at_work(|work| matches!(work, Work::ModifySpec { disk, .. } if disk == nth))
    }

    fn archive(&mut self, nth: Nth, days: Option<i64>) -> Outcome {
        let snapshot = self.snapshot(nth)?;
        if self.is_being_archived(nth) {
            return Err("InvalidStatus.SnapshotInArchive");
        }
        if self.is_held(nth) {
            return Err("Operation.Conflict");
        }
        if snapshot.is_archived {
            return Err("InvalidParameter.SnapshotCategory");
        }
        if snapshot.status != "accomplished" {
            return Err("InvalidStatus.SnapshotUnfinished");
        }
        if self.now < snapshot.created + LEAST_AGE {
            return Err("InvalidStatus.SnapshotAgeLimit");
        }
        let until = days.map(|days| snapshot.created + days * DAY);
        if until.zip(snapshot.locked_until()).is_some_and(|(until, end)| until <= end) {
            return Err("InvalidRetentionDays.LessThanLockExpiredTime");
        }
        let snapshot = &mut self.snapshots[nth];
        (snapshot.days, snapshot.expire) = (days, until);
        self.begin_task(Work::Archive(nth));
        Ok(())
    }

    fn export(&mut self, nth: Nth) -> Outcome {
        let snapshot = self.snapshot(nth)?;
        if self.is_being_exported(nth) {
            return Err("SNAPSHOT_IS_EXPORTING");
        }
        if self.is_being_archived(nth) {
            return Err("Operation.Conflict");
        }
        if snapshot.status != "accomplished" {
            return Err("SNAPSHOT_CREATE_NOT_FINISHED");
        }
        if snapshot.is_archived {
            return Err("ExportSnapshotFailed");
        }
        self.begin_task(Work::Export(nth));
        Ok(())
    }

    fn modify_spec(&mut self, nth: Nth, level: usize) -> Outcome {
        let disk = self.disk(nth)?;
        if self.is_being_modified(nth) {
            return Err("IncorrectDiskStatus");
        }
        if self.is_disk_held(nth) {
            return Err("Operation.Conflict");
        }
        if !matches!(disk.status, "In_use" | "Available") {
            return Err("InvalidStatus.DiskNotReady");
        }
        if self.unfinished(nth) > 0 {
            return Err("DiskCreatingSnapshot");
        }
        let is_before = |grew: i64| self.host(nth).is_some_and(|host| host.start.is_none_or(|start| start < grew));
        if self.host_status(nth) == Some("Running") && disk.grew.is_some_and(is_before) {
            return Err("OperationDenied.DiskExpansionUnfinished");
        }
        if level < disk.level && disk.is_prepaid {
            return Err("Downgrade.NotSupported");
        }
        if level == 0 && disk.level > 0 {
            return Err("InvalidPerformanceLevel.TooLow");
        }
        if disk.size < LEAST_SIZES[level] {
            return Err("OperationDenied.PerformanceLevelNotMatch");
        }
        if level == disk.level {
            return Err("NoChangeInDiskCategoryAndPerformanceLevel");
        }
        self.begin_task(Work::ModifySpec { disk: nth, level });
        Ok(())
    }

    fn cancel_task(&mut self, nth: Nth) -> Outcome {
        let task = self.tasks.get_mut(nth).ok_or("InvalidTaskId.NotFound")?;
        if !matches!(task.work, Work::Export(_)) {
            return Err("InvalidTaskId.TaskActionNotSupport");
        }
        if task.status != "Processing" {
            return Err("InvalidTaskId.IncorrectTaskStatus");
        }
        (task.status, task.until) = ("Failed", None);
        Ok(())
    }

    pub fn finish_task(&mut self, nth: Nth) {
        let task = &mut self.tasks[nth];
        (task.status, task.until) = ("Finished", None);
        match task.work {
            Work::Archive(snapshot) => self.snapshots[snapshot].is_archived = true,
            Work::Export(_) | Work::Clone(_) => {}
            Work::ModifySpec { disk, level } => self.disks[disk].level = level,
        }
    }
}

pub fn call(ids: &Ids, step: Step) -> Call {
    let snapshot = |nth| ("SnapshotId", ids.snapshot(nth));
    match step {
        Step::Archive { snapshot: nth, days } => {
            let days = days.map(|days| ("RetentionDays", days.to_string()));
            ("ModifySnapshotCategory", std::iter::once(snapshot(nth)).chain(days).collect())
        }
        Step::Export(nth) => ("ExportSnapshot", vec![snapshot(nth), ("OssBucket", "bucket".to_owned())]),
        Step::ModifySpec { disk, level } => {
            ("ModifyDiskSpec", vec![("DiskId", ids.disk(disk)), ("PerformanceLevel", LEVELS[level].to_owned())])
        }
        Step::Cancel(task) => ("CancelTask", vec![("TaskId", ids.task(task))]),
    }
}

/// Compares the tasks, and at each turn more of one of them.
pub async fn compare(daemon: &Daemon, world: &World, step: &super::Move) {
    let wanted = world.tasks.iter().enumerate().map(|(nth, task)| {
        let (action, of) = match task.work {
            Work::Archive(snapshot) => ("ArchiveSnapshot", daemon.ids.snapshot(snapshot)),
            Work::Export(snapshot) => ("ExportSnapshot", daemon.ids.snapshot(snapshot)),
            Work::ModifySpec { disk, .. } => ("ModifyDiskSpec", daemon.ids.disk(disk)),
            Work::Clone(disk) => ("CloneDisks", daemon.ids.disk(disk)),
        };
        format!("{} {action} {} of {of}", daemon.ids.task(nth), task.status)
    });
    let tasks = daemon.app.ok("DescribeTasks", &[("RegionId", REGION), ("PageSize", "100")]).await;
    let shown = list(&tasks, "/TaskSet/Task", |row| {
        let [id, action, status, of] =
            ["TaskId", "TaskAction", "TaskStatus", "ResourceId"].map(|name| field(row, name));
        format!("{id} {action} {status} of {of}")
    });
    same(wanted, shown, step);
    if let Some(nth) = one_of(world.tasks.iter().map(|_| true), daemon.turn) {
        compare_progress(daemon, world, step, nth).await;
    }
}

async fn compare_progress(daemon: &Daemon, world: &World, step: &super::Move, nth: Nth) {
    let Task { work, status, until } = world.tasks[nth];
    let percent = match (status, until) {
        ("Processing", Some(until)) => (world.now + TASK - until) * 100 / TASK,
        ("Finished", _) => 100,
        _ => 0,
    };
    let can_be_cancelled = matches!(work, Work::Export(_));
    let counts = ["Finished", "Failed"].map(|ended| i32::from(status == ended).to_string());
    let wanted = format!("{status} {percent}% {can_be_cancelled} {counts:?}");
    let id = daemon.ids.task(nth);
    let row = daemon.app.ok("DescribeTaskAttribute", &[("RegionId", REGION), ("TaskId", id.as_str())]).await;
    let counts = ["SuccessCount", "FailedCount"].map(|name| row[name].to_string());
    let [status, percent, cancel] = ["TaskStatus", "TaskProcess", "SupportCancel"].map(|name| field(&row, name));
    assert_eq!(format!("{status} {percent} {cancel} {counts:?}"), wanted, "after {step:?}");
}
