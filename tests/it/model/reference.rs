//! The reference: what the daemon must answer and show, in memory and by the plainest rules; never asks the daemon.

mod disk;
mod rules;

use super::copies::{Copied, PlannedCopy};
use super::groups::Group;
use super::images::CopiedImage;
use super::instances::Instance;
use super::keeping::Lock;
use super::marks::Marks;
use super::moves::{Move, Nth};
use super::policies::Policy;
use super::repeats::Answered;
use super::tasks::Task;
pub use disk::{Disk, Rewriting};

/// How long things take in the test, seconds.
pub const SNAPSHOT: i64 = 2;
pub const IMAGE: i64 = 3;
pub const DISK: i64 = 1;
/// Snapshots of a disk, and those in progress at once.
pub const SNAPSHOTS_PER_DISK: usize = 4;
pub const CONCURRENT_SNAPSHOTS: usize = 2;
pub const AUTO_SNAPSHOTS_PER_DISK: usize = 3;
pub const POLICIES_PER_DISK: usize = 2;
pub const DISK_SIZE: i64 = 40;
/// Where the clock of the reference begins, in seconds behind that of the daemon's first start.
pub const BEGIN: i64 = 60;
pub const DAY: i64 = 86_400;
const GIB: i64 = 1 << 30;

pub type Outcome = Result<(), &'static str>;

/// What took a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Call,
    Group(Nth),
    Policy(Nth),
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Snapshot {
    pub is_there: bool,
    /// It was there at the end of some move, so that its id is known.
    pub was_seen: bool,
    pub disk: Nth,
    pub size: i64,
    pub bytes: i64,
    pub origin: Origin,
    /// The group that it is in now.
    pub group: Option<Nth>,
    pub lock: Option<Lock>,
    pub is_archived: bool,
    pub status: &'static str,
    pub created: i64,
    pub finish: Option<i64>,
    pub days: Option<i64>,
    pub expire: Option<i64>,
    /// It has the tag that names the instance of its group.
    pub names_instance: bool,
    pub planned_copy: Option<PlannedCopy>,
}

impl Snapshot {
    pub fn is_automatic(&self) -> bool {
        matches!(self.origin, Origin::Policy(_))
    }

    pub fn category(&self) -> &'static str {
        if self.is_archived { "archive" } else { "standard" }
    }

    pub fn is_locked(&self) -> bool {
        self.lock.as_ref().is_some_and(|lock| lock.status != "expired")
    }

    /// When its lock ends, where it has one that runs.
    pub fn locked_until(&self) -> Option<i64> {
        self.lock.as_ref().filter(|lock| lock.status != "expired").and_then(Lock::end)
    }
}

#[derive(Clone, Debug)]
pub struct Image {
    pub is_there: bool,
    pub snapshot: Nth,
    pub status: &'static str,
    pub until: Option<i64>,
    /// With the other account.
    pub is_shared: bool,
    pub created: i64,
    pub family: Option<u8>,
}

/// All that there is, in the order of creation.
#[derive(Clone, Debug)]
pub struct World {
    pub now: i64,
    pub is_service_open: bool,
    pub instances: Vec<Instance>,
    pub disks: Vec<Disk>,
    pub snapshots: Vec<Snapshot>,
    pub images: Vec<Image>,
    pub image_copies: Vec<CopiedImage>,
    pub copies: Vec<Copied>,
    pub groups: Vec<Group>,
    pub policies: Vec<Policy>,
    pub tasks: Vec<Task>,
    pub answered: Vec<Answered>,
    pub marks: Marks,
    /// What the last move comes to.
    pub outcome: Outcome,
}

impl World {
    /// A running instance with a system disk and a data disk.
    pub fn begin(is_service_open: bool, is_prepaid: bool) -> Self {
        let instance = Instance { is_there: true, status: "Running", until: None, start: Some(0), is_prepaid };
        Self {
            now: BEGIN,
            is_service_open,
            instances: vec![instance],
            disks: vec![Disk::of_instance(0, true, is_prepaid), Disk::of_instance(0, false, is_prepaid)],
            snapshots: Vec::new(),
            images: Vec::new(),
            image_copies: Vec::new(),
            copies: Vec::new(),
            groups: Vec::new(),
            policies: Vec::new(),
            tasks: Vec::new(),
            answered: Vec::new(),
            marks: Marks::default(),
            outcome: Ok(()),
        }
    }

    pub fn make(&mut self, step: &Move) {
        self.settle(self.now);
        self.outcome = match *step {
            _ if self.lacks_service(step) => Err("InvalidAccountStatus.SnapshotServiceUnavailable"),
            Move::CreateDisk => self.create_disk(None, DISK_SIZE),
            Move::CreateDiskFromSnapshot(snapshot) => self.create_disk(Some(snapshot), DISK_SIZE),
            Move::DeleteDisk(disk) => self.delete_disk(disk),
            Move::AttachDisk(disk, instance) => self.attach(disk, instance),
            Move::DetachDisk(disk, instance) => self.detach(disk, instance),
            Move::ReInitDisk(disk) => self.reinitialise(disk),
            Move::ResetDisk(disk, snapshot) => self.reset(disk, snapshot),
            Move::ResetDisks(pairs) => self.reset_all(pairs),
            Move::CreateSnapshot(disk) => self.create_snapshot(disk),
            Move::DeleteSnapshot { snapshot, force } => self.delete_snapshot(snapshot, force),
            Move::ModifyRetention { snapshot, days } => self.modify_retention(snapshot, days),
            Move::CreateImage(snapshot) => self.create_image(snapshot),
            Move::DeleteImage(image) => self.delete_image(image),
            Move::Instance(step) => self.instance(step),
            Move::Mark(step) => self.mark(step),
            Move::Charge(step) => self.charge(step),
            Move::Copy(step) => self.copy(step),
            Move::Group(step) => self.group(step),
            Move::Image(step) => self.image(step),
            Move::Keep(step) => self.keep(step),
            Move::OpenSnapshotService => {
                self.is_service_open = true;
                Ok(())
            }
            Move::Policy(step) => self.policy(step),
            Move::Repeat(step) => self.repeat(step),
            Move::Size(step) => self.change_size(step),
            Move::Task(step) => self.task(step),
            Move::Advance(seconds) => {
                self.settle(self.now + seconds);
                Ok(())
            }
            Move::Restart => Ok(()),
        };
        self.settle(self.now);
        for snapshot in self.snapshots.iter_mut().filter(|snapshot| snapshot.is_there) {
            snapshot.was_seen = true;
        }
        for copy in self.copies.iter_mut().filter(|copy| copy.is_there) {
            copy.was_seen = true;
            // A copy tells of its source.
            self.snapshots[copy.source].was_seen = true;
        }
    }

    pub fn disk(&self, disk: Nth) -> Result<&Disk, &'static str> {
        self.disks.get(disk).filter(|disk| disk.is_there).ok_or("InvalidDiskId.NotFound")
    }

    pub fn snapshot(&self, snapshot: Nth) -> Result<&Snapshot, &'static str> {
        self.snapshots.get(snapshot).filter(|snapshot| snapshot.is_there).ok_or("InvalidSnapshotId.NotFound")
    }

    pub fn is_used_by_image(&self, snapshot: Nth) -> bool {
        self.images.iter().any(|image| image.is_there && image.snapshot == snapshot)
    }

    pub fn is_used_by_disk(&self, snapshot: Nth) -> bool {
        self.disks.iter().any(|disk| disk.is_there && disk.refers && disk.source == Some(snapshot))
    }

    /// `image_disk` and the like, as DescribeSnapshots shows it.
    pub fn usage(&self, snapshot: Nth) -> &'static str {
        match (self.is_used_by_image(snapshot), self.is_used_by_disk(snapshot)) {
            (false, false) => "none",
            (true, false) => "image",
            (false, true) => "disk",
            (true, true) => "image_disk",
        }
    }

    /// Something is being made from it or rewritten to it.
    pub fn is_held(&self, snapshot: Nth) -> bool {
        let by_image = |image: &Image| image.is_there && image.snapshot == snapshot && image.status == "Creating";
        let by_disk = |disk: &Disk| {
            disk.is_there
                && (disk.rewriting == Some(Rewriting(Some(snapshot)))
                    || (disk.status == "Creating" && disk.source == Some(snapshot)))
        };
        self.images.iter().any(by_image)
            || self.disks.iter().any(by_disk)
            || self.is_being_copied(snapshot)
            || self.is_in_image_copy(snapshot)
            || self.is_being_archived(snapshot)
            || self.is_being_exported(snapshot)
    }

    /// It is being rewritten, or given another specification.
    pub fn is_busy(&self, disk: Nth) -> bool {
        self.disks[disk].rewriting.is_some() || self.is_being_modified(disk)
    }

    /// As [`World::is_busy`], or a clone of it is being made.
    pub fn is_disk_held(&self, nth: Nth) -> bool {
        self.is_busy(nth) || self.disks.iter().any(|disk| disk.is_there && disk.clone_of == Some(nth))
    }

    pub fn unfinished(&self, disk: Nth) -> usize {
        let is_one =
            |snapshot: &&Snapshot| snapshot.is_there && snapshot.disk == disk && snapshot.status == "progressing";
        self.snapshots.iter().filter(is_one).count()
    }

    /// Lets happen what is due by `until`, earliest first.
    pub fn settle(&mut self, until: i64) {
        while let Some((due, kind, nth)) = self.next_due().filter(|(due, ..)| *due <= until) {
            self.now = self.now.max(due);
            match kind {
                0 => self.finish_disk(nth),
                1 => {
                    let image = &mut self.images[nth];
                    (image.status, image.until) = ("Available", None);
                }
                2 => self.finish_instance(nth),
                3 => self.change_lock(nth),
                4 => self.expire(nth, due),
                5 => self.finish_snapshot(nth),
                6 => self.finish_copy(nth),
                7 => self.finish_group(nth),
                8 => self.begin_planned_copy(nth),
                9 => self.run_policy(nth),
                10 => self.finish_task(nth),
                11 => self.finish_image_copy(nth),
                _ => self.copies[nth].remove(),
            }
        }
        self.now = self.now.max(until);
    }

    /// The earliest of what is to happen: when, in the order of kinds that breaks ties, and to which.
    fn next_due(&self) -> Option<(i64, u8, Nth)> {
        fn of<T>(all: &[T], kind: u8, due: impl Fn(&T) -> Option<i64>) -> impl Iterator<Item = (i64, u8, Nth)> {
            all.iter().enumerate().filter_map(move |(nth, one)| Some((due(one)?, kind, nth)))
        }
        of(&self.disks, 0, |disk| disk.until)
            .chain(of(&self.images, 1, |image| image.until))
            .chain(of(&self.instances, 2, |instance| instance.until))
            .chain(of(&self.snapshots, 3, |snapshot| snapshot.lock.as_ref().and_then(Lock::next_change)))
            .chain(of(&self.snapshots, 4, |snapshot| snapshot.expire))
            .chain(of(&self.snapshots, 5, |snapshot| snapshot.finish))
            .chain(of(&self.copies, 6, |copy| copy.finish))
            .chain(of(&self.groups, 7, |group| group.finish))
            .chain(of(&self.snapshots, 8, |snapshot| snapshot.planned_copy.map(|copy| copy.due)))
            .chain(of(&self.policies, 9, |policy| policy.next))
            .chain(of(&self.tasks, 10, |task| task.until))
            .chain(of(&self.image_copies, 11, |copy| copy.finish))
            .chain(of(&self.copies, 12, |copy| copy.expire))
            .min()
    }

    fn finish_disk(&mut self, nth: Nth) {
        let disk = &mut self.disks[nth];
        disk.until = None;
        (disk.rewriting, disk.clone_of) = (None, None);
        disk.status = match disk.status {
            "Attaching" | "ReIniting" => "In_use",
            "Creating" => "Available",
            "Detaching" => {
                disk.on = None;
                "Available"
            }
            unchanged => unchanged,
        };
    }

    fn finish_snapshot(&mut self, nth: Nth) {
        let now = self.now;
        let snapshot = &mut self.snapshots[nth];
        (snapshot.status, snapshot.finish) = ("accomplished", None);
        if let Some(lock) = &mut snapshot.lock {
            lock.start = Some(now);
        }
    }

    /// A snapshot leaves after its days, unless something uses, holds or locks it: then it is looked at a day later, or when
    /// its lock ends.
    fn expire(&mut self, nth: Nth, due: i64) {
        let snapshot = &self.snapshots[nth];
        if self.is_held(nth) || snapshot.is_locked() || self.usage(nth) != "none" {
            let (unlocked, tomorrow) = (snapshot.locked_until().filter(|end| *end > due), due + DAY);
            self.snapshots[nth].expire = Some(unlocked.map_or(tomorrow, |end| end.min(tomorrow)));
        } else {
            self.remove_snapshot(nth);
        }
    }
}
