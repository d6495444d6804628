//! The rules of the calls: when each is refused, in the order of the checks, and what it changes else.

use std::collections::BTreeSet;

use super::{
    CONCURRENT_SNAPSHOTS, DAY, DISK, Disk, IMAGE, INSTANCE, Image, Outcome, Rewriting, SNAPSHOT, SNAPSHOTS_PER_DISK,
    Snapshot, World,
};
use crate::model::moves::Nth;

impl World {
    pub(super) fn create_disk(&mut self, source: Option<Nth>) -> Outcome {
        if let Some(source) = source {
            self.snapshot(source)?;
        }
        self.disks.push(Disk {
            is_there: true,
            is_system: false,
            status: "Creating",
            attached: false,
            ever_attached: false,
            unstarted: false,
            source,
            refers: source.is_some(),
            rewriting: None,
            until: Some(self.now + DISK),
        });
        Ok(())
    }

    pub(super) fn delete_disk(&mut self, nth: Nth) -> Outcome {
        let disk = match self.disks.get(nth) {
            Some(disk) if disk.is_there => disk,
            Some(_) => return Ok(()),
            None => return Err("InvalidDiskId.NotFound"),
        };
        if disk.rewriting.is_some() {
            return Err("Operation.Conflict");
        }
        match disk.status {
            "Creating" => return Err("IncorrectDiskStatus.Initializing"),
            _ if disk.is_system && disk.attached => return Err("DiskTypeViolation"),
            "Available" if self.unfinished(nth) > 0 => return Err("DiskCreatingSnapshot"),
            "Available" => {}
            _ => return Err("IncorrectDiskStatus"),
        }
        self.disks[nth].is_there = false;
        self.disks[nth].until = None;
        Ok(())
    }

    pub(super) fn attach(&mut self, nth: Nth) -> Outcome {
        self.disk(nth)?;
        self.is_instance_ready()?;
        let disk = self.disk(nth)?;
        if disk.rewriting.is_some() || disk.status != "Available" {
            return Err("IncorrectDiskStatus");
        }
        let until = Some(self.now + DISK);
        let disk = &mut self.disks[nth];
        (disk.status, disk.attached, disk.ever_attached, disk.until) = ("Attaching", true, true, until);
        disk.unstarted = self.instance == "Stopped" && !disk.is_system;
        Ok(())
    }

    pub(super) fn detach(&mut self, nth: Nth) -> Outcome {
        self.disk(nth)?;
        self.is_instance_ready()?;
        let disk = self.disk(nth)?;
        if !disk.attached {
            return Err("InvalidDisk.AlreadyDetached");
        }
        if disk.is_system && self.instance != "Stopped" {
            return Err("IncorrectInstanceStatus");
        }
        if disk.status != "In_use" || disk.rewriting.is_some() {
            return Err("IncorrectDiskStatus");
        }
        let until = Some(self.now + DISK);
        let disk = &mut self.disks[nth];
        (disk.status, disk.until) = ("Detaching", until);
        Ok(())
    }

    pub(super) fn reinitialise(&mut self, nth: Nth) -> Outcome {
        let disk = self.disk(nth)?;
        if disk.rewriting.is_some() {
            return Err("Operation.Conflict");
        }
        if self.unfinished(nth) > 0 {
            return Err("DiskCreatingSnapshot");
        }
        if disk.status != "In_use" {
            return Err("IncorrectDiskStatus");
        }
        if self.instance != "Stopped" {
            return Err("IncorrectInstanceStatus");
        }
        if disk.source.is_some() && !disk.refers {
            return Err("InvalidSourceSnapshot");
        }
        let until = Some(self.now + DISK);
        let disk = &mut self.disks[nth];
        (disk.status, disk.rewriting, disk.until) = ("ReIniting", Some(Rewriting(disk.source)), until);
        Ok(())
    }

    pub(super) fn reset(&mut self, nth: Nth, source: Nth) -> Outcome {
        let disk = self.disk(nth)?;
        let snapshot = self.snapshot(source)?;
        if disk.rewriting.is_some() {
            let is_reset = disk.status != "ReIniting";
            return Err(if is_reset { "InvalidOperation.DiskResetInProgress" } else { "Operation.Conflict" });
        }
        if snapshot.disk != nth {
            return Err("InvalidParameter.Mismatch");
        }
        if !matches!(disk.status, "In_use" | "Available") {
            return Err("IncorrectDiskStatus");
        }
        if disk.attached && self.instance != "Stopped" {
            return Err("IncorrectInstanceStatus");
        }
        if self.unfinished(nth) > 0 {
            return Err("IncorrectDiskStatus.HasUnfinishedSnapshot");
        }
        let until = Some(self.now + DISK);
        let disk = &mut self.disks[nth];
        (disk.rewriting, disk.until) = (Some(Rewriting(Some(source))), until);
        Ok(())
    }

    pub(super) fn create_snapshot(&mut self, nth: Nth) -> Outcome {
        let disk = self.disk(nth)?;
        if disk.rewriting.is_some() {
            return Err("Operation.Conflict");
        }
        if !matches!(disk.status, "In_use" | "Available") {
            return Err("IncorrectDiskStatus");
        }
        if !disk.ever_attached {
            return Err("IncorrectDiskStatus.NeverAttached");
        }
        if disk.attached {
            self.is_instance_ready()?;
        }
        if disk.attached && disk.unstarted {
            return Err("IncorrectDiskStatus.Invalid");
        }
        let taken = self.snapshots.iter().filter(|snapshot| snapshot.is_there && snapshot.disk == nth).count();
        if taken >= SNAPSHOTS_PER_DISK {
            return Err("QuotaExceed.Snapshot");
        }
        if self.unfinished(nth) >= CONCURRENT_SNAPSHOTS {
            return Err("QuotaExceed.ConcurrentSnapshotQuota");
        }
        self.snapshots.push(Snapshot {
            is_there: true,
            disk: nth,
            status: "progressing",
            created: self.now,
            finish: Some(self.now + SNAPSHOT),
            days: None,
            expire: None,
            tags: BTreeSet::new(),
        });
        Ok(())
    }

    pub(super) fn delete_snapshot(&mut self, nth: Nth, force: bool) -> Outcome {
        match self.snapshots.get(nth) {
            Some(snapshot) if snapshot.is_there => {}
            Some(_) => return Ok(()),
            None => return Err("InvalidSnapshotId.NotFound"),
        }
        if self.is_held(nth) {
            return Err("Operation.Conflict");
        }
        if self.is_used_by_image(nth) {
            return Err("SnapshotCreatedImage");
        }
        if self.is_used_by_disk(nth) && !force {
            return Err("SnapshotCreatedDisk");
        }
        self.remove_snapshot(nth);
        Ok(())
    }

    pub(super) fn remove_snapshot(&mut self, nth: Nth) {
        let snapshot = &mut self.snapshots[nth];
        (snapshot.is_there, snapshot.finish, snapshot.expire) = (false, None, None);
        for disk in self.disks.iter_mut().filter(|disk| disk.source == Some(nth)) {
            disk.refers = false;
        }
    }

    pub(super) fn modify_retention(&mut self, nth: Nth, days: i64) -> Outcome {
        let snapshot = self.snapshot(nth)?;
        if self.is_held(nth) {
            return Err("Operation.Conflict");
        }
        if snapshot.status != "accomplished" {
            return Err("InvalidSnapshotId.NotReady");
        }
        if snapshot.days.is_some_and(|known| days < known) {
            return Err("InvalidOperation.DecreaseRetentionDaysUnsupported");
        }
        let snapshot = &mut self.snapshots[nth];
        (snapshot.days, snapshot.expire) = (Some(days), Some(snapshot.created + days * DAY));
        Ok(())
    }

    pub(super) fn create_image(&mut self, nth: Nth) -> Outcome {
        let snapshot = self.snapshot(nth)?;
        if snapshot.status != "accomplished" {
            return Err("InvalidSnapshotId.NotReady");
        }
        if !self.disks[snapshot.disk].is_system {
            return Err("OperationDenied");
        }
        let until = Some(self.now + IMAGE);
        self.images.push(Image { is_there: true, snapshot: nth, status: "Creating", until });
        Ok(())
    }

    pub(super) fn delete_image(&mut self, nth: Nth) -> Outcome {
        match self.images.get_mut(nth) {
            Some(image) => {
                (image.is_there, image.until) = (false, None);
                Ok(())
            }
            None => Err("InvalidImageId.NotFound"),
        }
    }

    fn is_settled(&self) -> Outcome {
        let is_moving = |disk: &Disk| disk.is_there && matches!(disk.status, "Attaching" | "Detaching");
        if self.disks.iter().any(is_moving) { Err("DiskError") } else { Ok(()) }
    }

    pub(super) fn stop_instance(&mut self) -> Outcome {
        if self.instance == "Running" {
            self.is_settled()?;
        }
        self.change_instance("Running", "Stopping")
    }

    fn change_instance(&mut self, from: &str, to: &'static str) -> Outcome {
        if self.instance != from {
            return Err("IncorrectInstanceStatus");
        }
        (self.instance, self.instance_until) = (to, Some(self.now + INSTANCE));
        Ok(())
    }

    pub(super) fn start_instance(&mut self) -> Outcome {
        if self.instance != "Stopped" {
            return Err("IncorrectInstanceStatus");
        }
        if !self.disks.iter().any(|disk| disk.is_there && disk.is_system && disk.attached) {
            return Err("InvalidInstance.NotFoundSystemDisk");
        }
        if self.disks.iter().any(|disk| disk.is_there && disk.attached && disk.rewriting.is_some()) {
            return Err("Operation.Conflict");
        }
        self.is_settled()?;
        self.change_instance("Stopped", "Starting")
    }

    pub(super) fn tag(&mut self, nth: Nth, change: impl FnOnce(&mut BTreeSet<u8>) -> bool) -> Outcome {
        self.snapshot(nth).map_err(|_| "InvalidResourceId.NotFound")?;
        change(&mut self.snapshots[nth].tags);
        Ok(())
    }
}
