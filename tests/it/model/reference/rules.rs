//! The rules of the calls: when each is refused, in the order of the checks, and what it changes else.

use super::disk::LATER_PERCENT;
use super::{
    CONCURRENT_SNAPSHOTS, DAY, DISK, Disk, GIB, IMAGE, Image, Origin, Outcome, Rewriting, SNAPSHOT, SNAPSHOTS_PER_DISK,
    Snapshot, World,
};
use crate::model::moves::Nth;

impl World {
    pub fn create_disk(&mut self, source: Option<Nth>, size: i64) -> Outcome {
        let mut size = size;
        if let Some(source) = source {
            size = self.snapshot(source)?.size;
            if self.is_being_archived(source) {
                return Err("Operation.Conflict");
            }
            if self.snapshots[source].is_archived {
                return Err("OperationDenied.SnapshotNotAllowed");
            }
        }
        let refers = source.is_some();
        self.disks.push(Disk { source, refers, ..Disk::alone(size, self.now + DISK) });
        Ok(())
    }

    pub fn delete_disk(&mut self, nth: Nth) -> Outcome {
        let disk = match self.disks.get(nth) {
            Some(disk) if disk.is_there => disk,
            Some(_) => return Ok(()),
            None => return Err("InvalidDiskId.NotFound"),
        };
        if self.is_disk_held(nth) {
            return Err("Operation.Conflict");
        }
        match disk.status {
            "Creating" => return Err("IncorrectDiskStatus.Initializing"),
            _ if disk.is_system && disk.on.is_some() => return Err("DiskTypeViolation"),
            _ if !disk.is_portable => return Err("DiskNotPortable"),
            "Available" if self.unfinished(nth) > 0 => return Err("DiskCreatingSnapshot"),
            "Available" => {}
            _ => return Err("IncorrectDiskStatus"),
        }
        self.release_disk(nth);
        Ok(())
    }

    /// It goes, with its unfinished snapshots and, where it takes them along, its automatic ones.
    pub fn release_disk(&mut self, nth: Nth) {
        let disk = &mut self.disks[nth];
        (disk.is_there, disk.until, disk.on, disk.clone_of, disk.rewriting) = (false, None, None, None, None);
        let is_unfinished = |other: &Nth| {
            let snapshot = &self.snapshots[*other];
            snapshot.is_there && snapshot.disk == nth && snapshot.status == "progressing"
        };
        for snapshot in (0..self.snapshots.len()).filter(is_unfinished).collect::<Vec<Nth>>() {
            if self.is_kept_by_nothing(snapshot) {
                self.remove_snapshot(snapshot);
            }
        }
        if self.disks[nth].takes_automatic {
            for snapshot in self.automatic(nth) {
                if self.is_kept_by_nothing(snapshot) {
                    self.remove_snapshot(snapshot);
                }
            }
        }
        for policy in &mut self.policies {
            policy.disks.remove(&nth);
        }
    }

    pub fn attach(&mut self, nth: Nth, on: Nth) -> Outcome {
        self.disk(nth)?;
        self.is_instance_ready(on)?;
        let disk = self.disk(nth)?;
        if !disk.is_portable {
            return Err("DiskNotPortable");
        }
        if self.is_busy(nth) || disk.status != "Available" {
            return Err("IncorrectDiskStatus");
        }
        let until = Some(self.now + DISK);
        let disk = &mut self.disks[nth];
        (disk.status, disk.on, disk.ever_attached, disk.until) = ("Attaching", Some(on), true, until);
        disk.unstarted = self.instances[on].status == "Stopped" && !disk.is_system;
        disk.goes_along = false;
        Ok(())
    }

    pub fn detach(&mut self, nth: Nth, from: Nth) -> Outcome {
        self.disk(nth)?;
        self.is_instance_ready(from)?;
        let disk = self.disk(nth)?;
        match disk.on {
            None => return Err("InvalidDisk.AlreadyDetached"),
            Some(on) if on != from => return Err("DependencyViolation"),
            Some(_) => {}
        }
        if disk.is_system && self.instances[from].status != "Stopped" {
            return Err("IncorrectInstanceStatus");
        }
        if disk.status != "In_use" || self.is_disk_held(nth) {
            return Err("IncorrectDiskStatus");
        }
        if !disk.is_portable {
            return Err(if disk.is_system { "DiskTypeViolation" } else { "DiskNotPortable" });
        }
        let until = Some(self.now + DISK);
        let disk = &mut self.disks[nth];
        (disk.status, disk.until) = ("Detaching", until);
        Ok(())
    }

    pub fn reinitialise(&mut self, nth: Nth) -> Outcome {
        let disk = self.disk(nth)?;
        if self.is_disk_held(nth) {
            return Err("Operation.Conflict");
        }
        if self.unfinished(nth) > 0 {
            return Err("DiskCreatingSnapshot");
        }
        if disk.status != "In_use" {
            return Err("IncorrectDiskStatus");
        }
        let has_run = self.host(nth).is_some_and(|host| host.start.is_some());
        if !has_run || self.host_status(nth) != Some("Stopped") {
            return Err("IncorrectInstanceStatus");
        }
        if disk.source.is_some() && !disk.refers {
            return Err("InvalidSourceSnapshot");
        }
        if disk.source.is_some_and(|source| self.is_being_archived(source)) {
            return Err("Operation.Conflict");
        }
        if disk.is_clone {
            return Err("InvalidDiskId.OperationNotSupported");
        }
        let until = Some(self.now + DISK);
        let disk = &mut self.disks[nth];
        (disk.status, disk.rewriting, disk.until) = ("ReIniting", Some(Rewriting(disk.source)), until);
        Ok(())
    }

    pub fn reset(&mut self, nth: Nth, source: Nth) -> Outcome {
        self.may_be_reset(nth, source)?;
        self.begin_reset(nth, source);
        Ok(())
    }

    /// All or none, of one instance or of none.
    pub fn reset_all(&mut self, pairs: [(Nth, Nth); 2]) -> Outcome {
        let [(first, _), (second, _)] = pairs;
        if first == second {
            return Err("InvalidParameter");
        }
        for (disk, source) in pairs {
            self.may_be_reset(disk, source).map_err(|code| match code {
                // It has no code of its own for this.
                "InvalidOperation.DiskResetInProgress" => "Operation.Conflict",
                other => other,
            })?;
            if self.disks[disk].on != self.disks[first].on {
                return Err("InvalidParameter");
            }
        }
        for (disk, source) in pairs {
            self.begin_reset(disk, source);
        }
        Ok(())
    }

    fn may_be_reset(&self, nth: Nth, source: Nth) -> Outcome {
        let disk = self.disk(nth)?;
        let snapshot = self.snapshot(source)?;
        if self.is_disk_held(nth) {
            let is_reset = disk.rewriting.is_some() && disk.status != "ReIniting";
            return Err(if is_reset { "InvalidOperation.DiskResetInProgress" } else { "Operation.Conflict" });
        }
        if self.is_being_archived(source) {
            return Err("Operation.Conflict");
        }
        if snapshot.disk != nth {
            return Err("InvalidParameter.Mismatch");
        }
        if snapshot.is_archived {
            return Err("OperationDenied");
        }
        if !matches!(disk.status, "In_use" | "Available") {
            return Err("IncorrectDiskStatus");
        }
        if self.host_status(nth).is_some_and(|status| status != "Stopped") {
            return Err("IncorrectInstanceStatus");
        }
        if self.unfinished(nth) > 0 {
            return Err("IncorrectDiskStatus.HasUnfinishedSnapshot");
        }
        Ok(())
    }

    fn begin_reset(&mut self, nth: Nth, source: Nth) {
        let (until, size) = (Some(self.now + DISK), self.snapshots[source].size);
        let disk = &mut self.disks[nth];
        (disk.rewriting, disk.until, disk.size) = (Some(Rewriting(Some(source))), until, size);
    }

    pub fn create_snapshot(&mut self, nth: Nth) -> Outcome {
        self.disk(nth)?;
        self.may_be_snapshotted(nth)?;
        self.begin_snapshot(nth, Origin::Call);
        Ok(())
    }

    pub fn may_be_snapshotted(&self, nth: Nth) -> Outcome {
        self.is_state_for_snapshot(nth)?;
        if self.is_full(nth) {
            return Err("QuotaExceed.Snapshot");
        }
        if self.unfinished(nth) >= CONCURRENT_SNAPSHOTS {
            return Err("QuotaExceed.ConcurrentSnapshotQuota");
        }
        Ok(())
    }

    /// It has as many manual snapshots as it may have.
    pub fn is_full(&self, disk: Nth) -> bool {
        let counts = |snapshot: &&Snapshot| snapshot.is_there && snapshot.disk == disk && !snapshot.is_automatic();
        self.snapshots.iter().filter(counts).count() >= SNAPSHOTS_PER_DISK
    }

    pub fn is_state_for_snapshot(&self, nth: Nth) -> Outcome {
        let disk = &self.disks[nth];
        if self.is_being_modified(nth) {
            return Err("IncorrectDiskStatus.Transferring");
        }
        if disk.rewriting.is_some() {
            return Err("Operation.Conflict");
        }
        if !matches!(disk.status, "In_use" | "Available") {
            return Err("IncorrectDiskStatus");
        }
        if !disk.ever_attached {
            return Err("IncorrectDiskStatus.NeverAttached");
        }
        if let Some(on) = disk.on {
            if self.instances[on].start.is_none() {
                return Err("IncorrectDiskStatus.NeverUsed");
            }
            self.is_instance_ready(on)?;
        }
        if disk.on.is_some() && disk.unstarted { Err("IncorrectDiskStatus.Invalid") } else { Ok(()) }
    }

    pub fn begin_snapshot(&mut self, disk: Nth, origin: Origin) {
        let group = if let Origin::Group(group) = origin { Some(group) } else { None };
        let (percent, size) = (self.disks[disk].next_percent, self.disks[disk].size);
        self.disks[disk].next_percent = LATER_PERCENT;
        self.snapshots.push(Snapshot {
            is_there: true,
            was_seen: false,
            disk,
            size,
            bytes: size * GIB * percent / 100,
            origin,
            group,
            lock: None,
            is_archived: false,
            status: "progressing",
            created: self.now,
            finish: Some(self.now + SNAPSHOT),
            days: None,
            expire: None,
            names_instance: false,
            planned_copy: None,
        });
    }

    pub fn delete_snapshot(&mut self, nth: Nth, force: bool) -> Outcome {
        match self.snapshots.get(nth) {
            Some(snapshot) if snapshot.is_there => {}
            Some(snapshot) if snapshot.was_seen => return Ok(()),
            _ => return Err("InvalidSnapshotId.NotFound"),
        }
        self.may_be_deleted(nth, force)?;
        self.remove_snapshot(nth);
        Ok(())
    }

    pub fn may_be_deleted(&self, nth: Nth, force: bool) -> Outcome {
        if self.is_being_copied(nth) || self.is_in_image_copy(nth) || self.is_being_archived(nth) {
            return Err("InvalidOperation.RelatedSnapshotNotFinished");
        }
        if self.is_held(nth) {
            return Err("Operation.Conflict");
        }
        if self.snapshots[nth].is_locked() {
            return Err("InvalidOperation.SnapshotLocked");
        }
        if self.is_used_by_image(nth) {
            return Err("SnapshotCreatedImage");
        }
        if self.is_used_by_disk(nth) && !force {
            return Err("SnapshotCreatedDisk");
        }
        Ok(())
    }

    pub fn remove_snapshot(&mut self, nth: Nth) {
        let snapshot = &mut self.snapshots[nth];
        (snapshot.is_there, snapshot.finish, snapshot.expire) = (false, None, None);
        (snapshot.lock, snapshot.planned_copy) = (None, None);
        for disk in self.disks.iter_mut().filter(|disk| disk.source == Some(nth)) {
            disk.refers = false;
        }
    }

    pub fn modify_retention(&mut self, nth: Nth, days: i64) -> Outcome {
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

    pub fn create_image(&mut self, nth: Nth) -> Outcome {
        let snapshot = self.snapshot(nth)?;
        if self.is_being_archived(nth) {
            return Err("Operation.Conflict");
        }
        if snapshot.status != "accomplished" {
            return Err("InvalidSnapshotId.NotReady");
        }
        if snapshot.is_archived {
            return Err("InvalidSnapshotCategory.NotSupportImageCreation");
        }
        if !self.disks[snapshot.disk].is_system {
            return Err("OperationDenied");
        }
        let (created, until) = (self.now, Some(self.now + IMAGE));
        let image =
            Image { is_there: true, snapshot: nth, status: "Creating", until, is_shared: false, created, family: None };
        self.images.push(image);
        Ok(())
    }

    pub fn delete_image(&mut self, nth: Nth) -> Outcome {
        if self.is_image_being_copied(nth) {
            return Err("OperationDenied.ImageCopying");
        }
        match self.images.get_mut(nth) {
            Some(image) if image.is_there && image.is_shared => Err("ImageUseShared"),
            Some(image) => {
                (image.is_there, image.until) = (false, None);
                Ok(())
            }
            None => Err("InvalidImageId.NotFound"),
        }
    }
}
