//! Copies of snapshots in another region, the calls and their rules; never what the daemon answers.

use proptest::prelude::*;
use serde_json::Value;

use super::Daemon;
use super::ids::Ids;
use super::moves::{Call, Nth, pick};
use super::reference::{DAY, Outcome, World};
use super::shown::{field, list, same};
use crate::support::{OTHER_REGION, REGION};

pub const COPY: i64 = 3;
/// What stands for the id of a copy that was made with an image.
const OF_IMAGE: &str = "of an image,";

#[derive(Clone, Copy, Debug)]
pub enum Step {
    Copy(Nth),
    /// In the region of the copy or, in vain, in that of its source.
    Delete {
        copy: Nth,
        is_there: bool,
    },
}

pub fn any(world: &World) -> BoxedStrategy<Step> {
    let snapshot = pick(world.snapshots.iter().map(|snapshot| snapshot.is_there));
    let copy = pick(world.copies.iter().map(|copy| copy.is_there && !copy.is_of_image));
    prop_oneof![
        3 => snapshot.prop_map(Step::Copy),
        2 => (copy, prop::bool::weighted(0.9)).prop_map(|(copy, is_there)| Step::Delete { copy, is_there }),
    ]
    .boxed()
}

/// A copy that a policy has planned of a snapshot: when it is to begin, and its days of retention.
#[derive(Clone, Copy, Debug)]
pub struct PlannedCopy {
    pub due: i64,
    pub days: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct Copied {
    pub is_there: bool,
    /// It was there at the end of some move, so that its id is known.
    pub was_seen: bool,
    pub source: Nth,
    pub status: &'static str,
    pub created: i64,
    pub finish: Option<i64>,
    pub days: Option<i64>,
    pub expire: Option<i64>,
    /// Made with a copy of an image, which is not looked at here.
    pub is_of_image: bool,
}

impl Copied {
    pub fn of(source: Nth, created: i64) -> Self {
        Self {
            is_there: true,
            was_seen: false,
            source,
            status: "progressing",
            created,
            finish: Some(created + COPY),
            days: None,
            expire: None,
            is_of_image: false,
        }
    }

    pub fn remove(&mut self) {
        (self.is_there, self.finish, self.expire) = (false, None, None);
    }
}

impl World {
    pub fn copy(&mut self, step: Step) -> Outcome {
        match step {
            Step::Copy(snapshot) => self.copy_snapshot(snapshot),
            Step::Delete { copy, is_there } => self.delete_copy(copy, is_there),
        }
    }

    pub fn is_being_copied(&self, snapshot: Nth) -> bool {
        self.copies.iter().any(|copy| copy.is_there && copy.source == snapshot && copy.status == "progressing")
    }

    fn copy_snapshot(&mut self, nth: Nth) -> Outcome {
        let snapshot = self.snapshot(nth)?;
        if self.is_being_archived(nth) {
            return Err("InvalidOperation.Conflict");
        }
        if snapshot.status != "accomplished" {
            return Err("InvalidSnapshotId.NotReady");
        }
        if snapshot.is_archived {
            return Err("OperationDenied.SnapshotCategoryNotSupportCopy");
        }
        if self.copied_until(snapshot.disk).is_some() {
            return Err("InvalidOperation.UnfinishedCrossRegionCopy");
        }
        self.copies.push(Copied::of(nth, self.now));
        Ok(())
    }

    /// When the last copy of the disk's snapshots that is being made is finished.
    fn copied_until(&self, disk: Nth) -> Option<i64> {
        let is_one = |copy: &&Copied| copy.is_there && self.snapshots[copy.source].disk == disk;
        self.copies.iter().filter(is_one).filter_map(|copy| copy.finish).max()
    }

    /// There is one at a time: the planned one waits.
    pub fn begin_planned_copy(&mut self, nth: Nth) {
        let Some(PlannedCopy { days, .. }) = self.snapshots[nth].planned_copy.take() else { return };
        if let Some(due) = self.copied_until(self.snapshots[nth].disk) {
            self.snapshots[nth].planned_copy = Some(PlannedCopy { due, days });
            return;
        }
        let expire = days.map(|days| self.now + days * DAY);
        self.copies.push(Copied { days, expire, ..Copied::of(nth, self.now) });
    }

    fn delete_copy(&mut self, nth: Nth, is_there: bool) -> Outcome {
        match self.copies.get_mut(nth) {
            Some(copy) if is_there && !copy.is_of_image && (copy.is_there || copy.was_seen) => {
                copy.remove();
                Ok(())
            }
            _ => Err("InvalidSnapshotId.NotFound"),
        }
    }

    pub fn finish_copy(&mut self, nth: Nth) {
        let copy = &mut self.copies[nth];
        (copy.status, copy.finish) = ("accomplished", None);
    }
}

pub fn call(ids: &Ids, step: Step) -> Call {
    match step {
        Step::Copy(nth) => {
            let named =
                ["DestinationSnapshotName", "DestinationSnapshotDescription"].map(|name| (name, "copy".to_owned()));
            let to = [("SnapshotId", ids.snapshot(nth)), ("DestinationRegionId", OTHER_REGION.to_owned())];
            ("CopySnapshot", [to, named].concat())
        }
        Step::Delete { copy, is_there } => {
            let region = if is_there { OTHER_REGION } else { REGION };
            ("DeleteSnapshot", vec![("SnapshotId", ids.copy(copy)), ("RegionId", region.to_owned())])
        }
    }
}

pub fn is_of_image(row: &Value) -> bool {
    field(row, "SnapshotName").starts_with("Created_for_image_")
}

/// Compares the snapshots of the other region, after those copies that policies planned are recognised.
pub async fn compare(daemon: &mut Daemon, world: &World, step: &super::Move) {
    let (of_images, copies): (Vec<_>, Vec<_>) =
        world.copies.iter().enumerate().filter(|(_, copy)| copy.is_there).partition(|(_, copy)| copy.is_of_image);
    let page = [("RegionId", OTHER_REGION), ("PageSize", "100")];
    let shown = daemon.app.ok("DescribeSnapshots", &page).await;
    daemon.ids.recognise_copies(world, &shown);
    let wanted = copies.into_iter().map(|(nth, copy)| {
        let (source, disk) = (daemon.ids.snapshot(copy.source), daemon.ids.disk(world.snapshots[copy.source].disk));
        format!("{} {} of {source} of {disk} {:?} days", daemon.ids.copy(nth), copy.status, copy.days)
    });
    let shown = list(&shown, "/Snapshots/Snapshot", |row| {
        if is_of_image(row) {
            return format!("{OF_IMAGE} {}", field(row, "Status"));
        }
        let of = [field(row, "SourceSnapshotId"), field(row, "SourceDiskId")];
        let (id, days) = (field(row, "SnapshotId"), row["RetentionDays"].as_i64());
        format!("{id} {} of {} of {} {days:?} days", field(row, "Status"), of[0], of[1])
    });
    let of_images = of_images.into_iter().map(|(_, copy)| format!("{OF_IMAGE} {}", copy.status));
    same(wanted.chain(of_images), shown, step);
}
