//! The reference: what the daemon must answer and show, in memory and by the plainest rules; never asks the daemon.

mod rules;

use std::collections::BTreeSet;

use super::moves::{Move, Nth};

/// How long things take in the test, seconds.
pub const SNAPSHOT: i64 = 2;
pub const IMAGE: i64 = 3;
pub const DISK: i64 = 1;
pub const INSTANCE: i64 = 1;
/// Snapshots of a disk, and those in progress at once.
pub const SNAPSHOTS_PER_DISK: usize = 4;
pub const CONCURRENT_SNAPSHOTS: usize = 2;
const DAY: i64 = 86_400;

pub type Outcome = Result<(), &'static str>;

/// A rewriting under way, from a snapshot or to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewriting(Option<Nth>);

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a disk")]
pub struct Disk {
    pub is_there: bool,
    pub is_system: bool,
    pub status: &'static str,
    attached: bool,
    ever_attached: bool,
    /// Its instance was stopped when it came, and was not started since.
    unstarted: bool,
    /// The snapshot that it was made from, and whether the reference to it lives.
    pub source: Option<Nth>,
    refers: bool,
    rewriting: Option<Rewriting>,
    until: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct Snapshot {
    pub is_there: bool,
    pub disk: Nth,
    pub status: &'static str,
    created: i64,
    finish: Option<i64>,
    pub days: Option<i64>,
    expire: Option<i64>,
    pub tags: BTreeSet<u8>,
}

#[derive(Clone, Debug)]
pub struct Image {
    pub is_there: bool,
    pub snapshot: Nth,
    pub status: &'static str,
    until: Option<i64>,
}

/// All that there is, in the order of creation.
#[derive(Clone, Debug)]
pub struct World {
    now: i64,
    pub instance: &'static str,
    instance_until: Option<i64>,
    pub disks: Vec<Disk>,
    pub snapshots: Vec<Snapshot>,
    pub images: Vec<Image>,
    /// What the last move comes to.
    pub outcome: Outcome,
}

impl World {
    /// A running instance with a system disk and a data disk.
    pub fn begin() -> Self {
        let disk = |is_system| Disk {
            is_there: true,
            is_system,
            status: "In_use",
            attached: true,
            ever_attached: true,
            unstarted: false,
            source: None,
            refers: false,
            rewriting: None,
            until: None,
        };
        Self {
            now: 0,
            instance: "Running",
            instance_until: None,
            disks: vec![disk(true), disk(false)],
            snapshots: Vec::new(),
            images: Vec::new(),
            outcome: Ok(()),
        }
    }

    pub fn make(&mut self, step: &Move) {
        self.settle(self.now);
        self.outcome = match *step {
            Move::CreateDisk => self.create_disk(None),
            Move::CreateDiskFromSnapshot(snapshot) => self.create_disk(Some(snapshot)),
            Move::DeleteDisk(disk) => self.delete_disk(disk),
            Move::AttachDisk(disk) => self.attach(disk),
            Move::DetachDisk(disk) => self.detach(disk),
            Move::ReInitDisk(disk) => self.reinitialise(disk),
            Move::ResetDisk(disk, snapshot) => self.reset(disk, snapshot),
            Move::CreateSnapshot(disk) => self.create_snapshot(disk),
            Move::DeleteSnapshot { snapshot, force } => self.delete_snapshot(snapshot, force),
            Move::ModifyRetention { snapshot, days } => self.modify_retention(snapshot, days),
            Move::CreateImage(snapshot) => self.create_image(snapshot),
            Move::DeleteImage(image) => self.delete_image(image),
            Move::StopInstance => self.stop_instance(),
            Move::StartInstance => self.start_instance(),
            Move::TagSnapshot { snapshot, key } => self.tag(snapshot, |tags| tags.insert(key)),
            Move::UntagSnapshot { snapshot, key } => self.tag(snapshot, |tags| tags.remove(&key)),
            Move::Advance(seconds) => {
                self.settle(self.now + seconds);
                Ok(())
            }
            Move::Restart => Ok(()),
        };
        self.settle(self.now);
    }

    fn disk(&self, disk: Nth) -> Result<&Disk, &'static str> {
        self.disks.get(disk).filter(|disk| disk.is_there).ok_or("InvalidDiskId.NotFound")
    }

    fn snapshot(&self, snapshot: Nth) -> Result<&Snapshot, &'static str> {
        self.snapshots.get(snapshot).filter(|snapshot| snapshot.is_there).ok_or("InvalidSnapshotId.NotFound")
    }

    fn is_used_by_image(&self, snapshot: Nth) -> bool {
        self.images.iter().any(|image| image.is_there && image.snapshot == snapshot)
    }

    fn is_used_by_disk(&self, snapshot: Nth) -> bool {
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
    fn is_held(&self, snapshot: Nth) -> bool {
        let by_image = |image: &Image| image.is_there && image.snapshot == snapshot && image.status == "Creating";
        let by_disk = |disk: &Disk| {
            disk.is_there
                && (disk.rewriting == Some(Rewriting(Some(snapshot)))
                    || (disk.status == "Creating" && disk.source == Some(snapshot)))
        };
        self.images.iter().any(by_image) || self.disks.iter().any(by_disk)
    }

    fn unfinished(&self, disk: Nth) -> usize {
        let is_one =
            |snapshot: &&Snapshot| snapshot.is_there && snapshot.disk == disk && snapshot.status == "progressing";
        self.snapshots.iter().filter(is_one).count()
    }

    fn is_instance_ready(&self) -> Outcome {
        if matches!(self.instance, "Running" | "Stopped") { Ok(()) } else { Err("IncorrectInstanceStatus") }
    }

    /// Lets happen what is due by `until`, earliest first.
    fn settle(&mut self, until: i64) {
        while let Some((due, kind, nth)) = self.next_due().filter(|(due, ..)| *due <= until) {
            self.now = self.now.max(due);
            match kind {
                0 => self.finish_disk(nth),
                1 => {
                    let image = &mut self.images[nth];
                    (image.status, image.until) = ("Available", None);
                }
                2 => {
                    self.instance = if self.instance == "Starting" { "Running" } else { "Stopped" };
                    self.instance_until = None;
                    if self.instance == "Running" {
                        self.disks.iter_mut().for_each(|disk| disk.unstarted = false);
                    }
                }
                3 => self.expire(nth, due),
                _ => {
                    let snapshot = &mut self.snapshots[nth];
                    (snapshot.status, snapshot.finish) = ("accomplished", None);
                }
            }
        }
        self.now = self.now.max(until);
    }

    /// The earliest of what is to happen: when, in the order of kinds that breaks ties, and to which.
    fn next_due(&self) -> Option<(i64, u8, Nth)> {
        let disks = self.disks.iter().enumerate().filter_map(|(nth, disk)| Some((disk.until?, 0, nth)));
        let images = self.images.iter().enumerate().filter_map(|(nth, image)| Some((image.until?, 1, nth)));
        let instance = self.instance_until.map(|until| (until, 2, 0));
        let expire = self.snapshots.iter().enumerate().filter_map(|(nth, snapshot)| Some((snapshot.expire?, 3, nth)));
        let finish = self.snapshots.iter().enumerate().filter_map(|(nth, snapshot)| Some((snapshot.finish?, 4, nth)));
        disks.chain(images).chain(instance).chain(expire).chain(finish).min()
    }

    fn finish_disk(&mut self, nth: Nth) {
        let disk = &mut self.disks[nth];
        disk.until = None;
        disk.rewriting = None;
        disk.status = match disk.status {
            "Attaching" | "ReIniting" => "In_use",
            "Creating" => "Available",
            "Detaching" => {
                disk.attached = false;
                "Available"
            }
            unchanged => unchanged,
        };
    }

    /// A snapshot leaves after its days, unless something uses or holds it: then it is looked at a day later.
    fn expire(&mut self, nth: Nth, due: i64) {
        if self.is_held(nth) || self.usage(nth) != "none" {
            self.snapshots[nth].expire = Some(due + DAY);
        } else {
            self.remove_snapshot(nth);
        }
    }
}
