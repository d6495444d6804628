//! Copies of snapshots in another region, the calls and their rules; never what the daemon answers.

use proptest::prelude::*;

use super::moves::{Nth, pick};
use super::reference::{Outcome, World};
use super::{Call, Daemon, field, list, same};
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

#[derive(Clone, Debug)]
pub struct Copied {
    pub is_there: bool,
    pub source: Nth,
    pub status: &'static str,
    pub finish: Option<i64>,
    /// Made with a copy of an image, which is not looked at here.
    pub is_of_image: bool,
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
        let of_disk = |other: &Nth| self.snapshots[*other].disk == snapshot.disk;
        if (0..self.snapshots.len()).filter(of_disk).any(|other| self.is_being_copied(other)) {
            return Err("InvalidOperation.UnfinishedCrossRegionCopy");
        }
        let finish = Some(self.now + COPY);
        self.copies.push(Copied { is_there: true, source: nth, status: "progressing", finish, is_of_image: false });
        Ok(())
    }

    fn delete_copy(&mut self, nth: Nth, is_there: bool) -> Outcome {
        match self.copies.get_mut(nth) {
            Some(copy) if is_there && !copy.is_of_image => {
                (copy.is_there, copy.finish) = (false, None);
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

pub fn call(daemon: &Daemon, step: Step) -> Call {
    match step {
        Step::Copy(nth) => {
            let named =
                ["DestinationSnapshotName", "DestinationSnapshotDescription"].map(|name| (name, "copy".to_owned()));
            let to = [("SnapshotId", daemon.snapshot(nth)), ("DestinationRegionId", OTHER_REGION.to_owned())];
            ("CopySnapshot", [to, named].concat())
        }
        Step::Delete { copy, is_there } => {
            let region = if is_there { OTHER_REGION } else { REGION };
            let id = daemon.copies.get(&copy).cloned().unwrap_or_else(|| "s-2zenever".to_owned());
            ("DeleteSnapshot", vec![("SnapshotId", id), ("RegionId", region.to_owned())])
        }
    }
}

/// Compares the snapshots of the other region.
pub async fn compare(daemon: &Daemon, world: &World, step: &super::Move) {
    let (of_images, copies): (Vec<_>, Vec<_>) =
        world.copies.iter().enumerate().filter(|(_, copy)| copy.is_there).partition(|(_, copy)| copy.is_of_image);
    let wanted = copies.into_iter().map(|(nth, copy)| {
        let (source, disk) = (daemon.snapshot(copy.source), daemon.disk(world.snapshots[copy.source].disk));
        format!("{} {} of {source} of {disk}", daemon.copies[&nth], copy.status)
    });
    let page = [("RegionId", OTHER_REGION), ("PageSize", "100")];
    let copies = daemon.app.ok("DescribeSnapshots", &page).await;
    let shown = list(&copies, "/Snapshots/Snapshot", |row| {
        if field(row, "SnapshotName").starts_with("Created_for_image_") {
            return format!("{OF_IMAGE} {}", field(row, "Status"));
        }
        let of = [field(row, "SourceSnapshotId"), field(row, "SourceDiskId")];
        format!("{} {} of {} of {}", field(row, "SnapshotId"), field(row, "Status"), of[0], of[1])
    });
    let of_images = of_images.into_iter().map(|(_, copy)| format!("{OF_IMAGE} {}", copy.status));
    same(wanted.chain(of_images), shown, step);
}
