//! Copies and shares of images and their being deprecated, the calls and their rules; never what the daemon answers.

use proptest::prelude::*;

use super::Daemon;
use super::copies::Copied;
use super::ids::Ids;
use super::moves::{Call, Nth, pick};
use super::reference::{Image, Outcome, World};
use super::shown::{field, list, one_of, same};
use crate::support::{OTHER_ACCOUNT, OTHER_KEY, OTHER_REGION, REGION};

pub const IMAGE_COPY: i64 = 5;
pub const CONCURRENT_COPIES: usize = 1;
const FAMILIES: u8 = 2;

#[derive(Clone, Copy, Debug)]
pub enum Step {
    Copy(Nth),
    CancelCopy(Nth),
    /// With the other account, or no longer.
    Share {
        image: Nth,
        shared: bool,
    },
    Deprecate {
        image: Nth,
        deprecated: bool,
    },
    /// ModifyImageAttribute: the family that it is in.
    Join {
        image: Nth,
        family: u8,
    },
}

pub fn any(world: &World) -> BoxedStrategy<Step> {
    let image = || pick(world.images.iter().map(|image| image.is_there));
    let copy = pick(world.image_copies.iter().map(|copy| copy.is_there));
    let flag = || proptest::bool::weighted(0.7);
    prop_oneof![
        3 => image().prop_map(Step::Copy),
        2 => copy.prop_map(Step::CancelCopy),
        2 => (image(), flag()).prop_map(|(image, shared)| Step::Share { image, shared }),
        1 => (image(), flag()).prop_map(|(image, deprecated)| Step::Deprecate { image, deprecated }),
        2 => (image(), 0..FAMILIES).prop_map(|(image, family)| Step::Join { image, family }),
    ]
    .boxed()
}

/// A copy of an image in the other region.
#[derive(Clone, Debug)]
pub struct CopiedImage {
    pub is_there: bool,
    source: Nth,
    pub status: &'static str,
    pub finish: Option<i64>,
    /// The copy of its snapshot, once it has begun.
    snapshot: Option<Nth>,
    asked: i64,
}

impl World {
    pub fn image(&mut self, step: Step) -> Outcome {
        match step {
            Step::Copy(nth) => self.copy_image(nth),
            Step::CancelCopy(nth) => self.cancel_copy(nth),
            Step::Share { image, shared } => {
                let status = self.find_image(image)?;
                if shared && status != "Available" {
                    return Err("OperationDenied.InvalidImageStatus");
                }
                self.images[image].is_shared = shared;
                Ok(())
            }
            Step::Join { image, family } => self.join_family(image, family),
            Step::Deprecate { image, deprecated } => {
                self.images[image].status = match (self.find_image(image)?, deprecated) {
                    ("Available", true) if self.images[image].is_shared => return Err("ImageUseShared"),
                    ("Available", true) => "Deprecated",
                    ("Deprecated", false) => "Available",
                    (_, true) => return Err("ImageStatus.NotAvailable"),
                    (_, false) => return Err("ImageStatus.NotDeprecated"),
                };
                Ok(())
            }
        }
    }

    fn join_family(&mut self, nth: Nth, family: u8) -> Outcome {
        if !matches!(self.find_image(nth)?, "Available" | "Deprecated") {
            return Err("ImageStatus.NotAvailable");
        }
        self.images[nth].family = Some(family);
        Ok(())
    }

    fn find_image(&self, nth: Nth) -> Result<&'static str, &'static str> {
        let image = self.images.get(nth).filter(|image| image.is_there);
        image.map(|image| image.status).ok_or("InvalidImageId.NotFound")
    }

    fn unfinished_copies(&self) -> impl Iterator<Item = &CopiedImage> {
        self.image_copies.iter().filter(|copy| copy.is_there && copy.status != "Available")
    }

    pub fn is_image_being_copied(&self, image: Nth) -> bool {
        self.unfinished_copies().any(|copy| copy.source == image)
    }

    pub fn is_in_image_copy(&self, snapshot: Nth) -> bool {
        self.unfinished_copies().any(|copy| self.images[copy.source].snapshot == snapshot)
    }

    fn copy_image(&mut self, nth: Nth) -> Outcome {
        if self.find_image(nth)? != "Available" {
            return Err("IncorrectImageStatus");
        }
        if self.is_being_archived(self.images[nth].snapshot) {
            return Err("Operation.Conflict");
        }
        let asked = self.now;
        let copy = CopiedImage { is_there: true, source: nth, status: "Waiting", finish: None, snapshot: None, asked };
        self.image_copies.push(copy);
        self.begin_image_copies();
        Ok(())
    }

    /// Which of two begins that were asked for at one instant is left to the daemon: the test does not ask.
    pub fn is_turn_clear(&self, step: Step) -> bool {
        let is_rival = |copy: &CopiedImage| copy.is_there && copy.status == "Waiting" && copy.asked == self.now;
        !matches!(step, Step::Copy(_)) || !self.image_copies.iter().any(is_rival)
    }

    /// One after the other, the oldest first.
    fn begin_image_copies(&mut self) {
        let begun = self.image_copies.iter().filter(|copy| copy.is_there && copy.status == "Creating").count();
        let next = self.image_copies.iter().position(|copy| copy.is_there && copy.status == "Waiting");
        if let Some(next) = next.filter(|_| begun < CONCURRENT_COPIES) {
            let finish = Some(self.now + IMAGE_COPY);
            let source = self.images[self.image_copies[next].source].snapshot;
            self.copies.push(Copied { is_of_image: true, finish, ..Copied::of(source, self.now) });
            let snapshot = Some(self.copies.len() - 1);
            let copy = &mut self.image_copies[next];
            (copy.status, copy.finish, copy.snapshot) = ("Creating", finish, snapshot);
        }
    }

    fn cancel_copy(&mut self, nth: Nth) -> Outcome {
        let copy = self.image_copies.get_mut(nth).filter(|copy| copy.is_there).ok_or("InvalidImageId.NotFound")?;
        if copy.status == "Available" {
            return Err("IncorrectImageStatus");
        }
        (copy.is_there, copy.finish) = (false, None);
        if let Some(snapshot) = copy.snapshot {
            self.copies[snapshot].remove();
        }
        self.begin_image_copies();
        Ok(())
    }

    pub fn finish_image_copy(&mut self, nth: Nth) {
        let copy = &mut self.image_copies[nth];
        (copy.status, copy.finish) = ("Available", None);
        self.begin_image_copies();
    }
}

fn name_of(family: u8) -> String {
    format!("family-{family}")
}

pub fn call(ids: &Ids, step: Step) -> Call {
    let image = |nth| ("ImageId", ids.image(nth));
    match step {
        Step::Copy(nth) => ("CopyImage", vec![image(nth), ("DestinationRegionId", OTHER_REGION.to_owned())]),
        Step::CancelCopy(nth) => {
            let copy = ids.image_copy(nth);
            ("CancelCopyImage", vec![("ImageId", copy), ("RegionId", OTHER_REGION.to_owned())])
        }
        Step::Share { image: nth, shared } => {
            let change = if shared { "AddAccount.1" } else { "RemoveAccount.1" };
            ("ModifyImageSharePermission", vec![image(nth), (change, OTHER_ACCOUNT.to_owned())])
        }
        Step::Join { image: nth, family } => {
            ("ModifyImageAttribute", vec![image(nth), ("ImageFamily", name_of(family))])
        }
        Step::Deprecate { image: nth, deprecated } => {
            let status = if deprecated { "Deprecated" } else { "Available" };
            ("ModifyImageAttribute", vec![image(nth), ("Status", status.to_owned())])
        }
    }
}

/// Compares the images here, the copies in the other region, what the other account sees, and of one image and one family at
/// each turn who has it and which is the newest.
pub async fn compare(daemon: &Daemon, world: &World, step: &super::Move) {
    let line = |row: &serde_json::Value| format!("{} {}", field(row, "ImageId"), field(row, "Status"));
    let described = |row: &serde_json::Value| format!("{} {}", line(row), field(row, "Description"));
    let images = world.images.iter().enumerate().filter(|(_, image)| image.is_there);
    let wanted = images.clone().map(|(nth, image)| {
        format!("{} {} {}", daemon.ids.image(nth), image.status, world.name_of(super::marks::Kind::Image, nth))
    });
    same(wanted, list(&own_images(daemon, REGION).await, "/Images/Image", described), step);
    let copies = world.image_copies.iter().enumerate().filter(|(_, copy)| copy.is_there);
    let wanted = copies.map(|(nth, copy)| format!("{} {}", daemon.ids.image_copy(nth), copy.status));
    same(wanted, list(&own_images(daemon, OTHER_REGION).await, "/Images/Image", line), step);
    let params = [("RegionId", REGION), ("PageSize", "100"), ("ImageOwnerAlias", "others")];
    let shared = daemon.app.call_as(OTHER_KEY, "DescribeImages", &params).await.accepted();
    let wanted = images
        .filter(|(_, image)| image.is_shared)
        .map(|(nth, image)| format!("{} {}", daemon.ids.image(nth), image.status));
    same(wanted, list(&shared, "/Images/Image", line), step);
    compare_shares(daemon, world, step).await;
    compare_family(daemon, world, step).await;
}

async fn compare_shares(daemon: &Daemon, world: &World, step: &super::Move) {
    let Some(nth) = one_of(world.images.iter().map(|image| image.is_there), daemon.turn) else { return };
    let image = daemon.ids.image(nth);
    let params = [("RegionId", REGION), ("ImageId", image.as_str())];
    let shown = daemon.app.ok("DescribeImageSharePermission", &params).await;
    let wanted = world.images[nth].is_shared.then(|| OTHER_ACCOUNT.to_owned());
    same(wanted.into_iter(), list(&shown, "/Accounts/Account", |row| field(row, "AliyunId").to_owned()), step);
}

/// Which of two that were made at one instant is the newer one is left to the daemon.
async fn compare_family(daemon: &Daemon, world: &World, step: &super::Move) {
    let family = u8::try_from(daemon.turn % usize::from(FAMILIES)).expect("few");
    let is_one = |image: &Image| image.is_there && image.status == "Available" && image.family == Some(family);
    let newest = world.images.iter().filter(|image| is_one(image)).map(|image| image.created).max();
    let is_newest = |nth: &Nth| is_one(&world.images[*nth]) && Some(world.images[*nth].created) == newest;
    let wanted: Vec<String> = (0..world.images.len()).filter(is_newest).map(|nth| daemon.ids.image(nth)).collect();
    let name = name_of(family);
    let params = [("RegionId", REGION), ("ImageFamily", name.as_str())];
    let shown = daemon.app.ok("DescribeImageFromFamily", &params).await;
    let shown = shown.get("Image").map(|image| field(image, "ImageId").to_owned());
    let is_right = shown.as_ref().map_or(wanted.is_empty(), |shown| wanted.contains(shown));
    assert!(is_right, "{shown:?} is none of {wanted:?} after {step:?}");
}

async fn own_images(daemon: &Daemon, region: &str) -> serde_json::Value {
    let statuses = "Waiting,Creating,Available,Deprecated";
    let params = [("RegionId", region), ("PageSize", "100"), ("ImageOwnerAlias", "self"), ("Status", statuses)];
    daemon.app.ok("DescribeImages", &params).await
}
