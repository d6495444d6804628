//! What people write on resources: tags, groups, names, descriptions and flags, the calls and their rules; never what the
//! daemon answers.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::moves::{Nth, pick};
use super::reference::{Outcome, World};
use super::{Call, Daemon, field, list, same};
use crate::support::REGION;

const KEYS: u8 = 3;

/// The kinds of resources but snapshots, whose tags are moves of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Disk,
    Image,
    Group,
    Policy,
    Instance,
}

const KINDS: [Kind; 5] = [Kind::Disk, Kind::Image, Kind::Group, Kind::Policy, Kind::Instance];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Image => "image",
            Self::Group => "snapshotgroup",
            Self::Policy => "snapshotpolicy",
            Self::Instance => "instance",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    Tag {
        kind: Kind,
        nth: Nth,
        key: u8,
        value: u8,
    },
    /// All of them where none is named.
    Untag {
        kind: Kind,
        nth: Nth,
        key: Option<u8>,
    },
    /// JoinResourceGroup of a disk.
    Join {
        disk: Nth,
        group: u8,
    },
    /// ModifyDiskAttribute: name and description, whether it goes with its instance, and its automatic snapshots with it.
    Disk {
        disk: Nth,
        name: u8,
        goes_along: Option<bool>,
        takes_automatic: Option<bool>,
    },
    /// ModifyImageAttribute.
    Image {
        image: Nth,
        name: u8,
    },
}

pub fn any(world: &World) -> BoxedStrategy<Step> {
    let disk = || pick(world.disks.iter().map(|disk| disk.is_there));
    let image = pick(world.images.iter().map(|image| image.is_there));
    let of_kind = || {
        let of = |kind: Kind| pick(world.all(kind).into_iter()).prop_map(move |nth| (kind, nth)).boxed();
        let kinds: Vec<Kind> = KINDS.into_iter().filter(|kind| !world.all(*kind).is_empty()).collect();
        proptest::strategy::Union::new(kinds.into_iter().map(of))
    };
    let flag = || proptest::option::of(proptest::bool::ANY);
    prop_oneof![
        4 => (of_kind(), 0..KEYS, 0..2_u8).prop_map(|((kind, nth), key, value)| Step::Tag { kind, nth, key, value }),
        2 => (of_kind(), proptest::option::of(0..KEYS)).prop_map(|((kind, nth), key)| Step::Untag { kind, nth, key }),
        2 => (disk(), 0..3_u8).prop_map(|(disk, group)| Step::Join { disk, group }),
        4 => (disk(), 0..9_u8, flag(), flag()).prop_map(|(disk, name, goes_along, takes_automatic)| {
            Step::Disk { disk, name, goes_along, takes_automatic }
        }),
        2 => (image, 0..2_u8).prop_map(|(image, name)| Step::Image { image, name }),
    ]
    .boxed()
}

/// By resource: its tags, its group, its name; what a resource has leaves with it.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    tags: BTreeMap<(Kind, Nth, u8), u8>,
    groups: BTreeMap<Nth, u8>,
    names: BTreeMap<(Kind, Nth), u8>,
}

impl World {
    /// Which of a kind are there.
    fn all(&self, kind: Kind) -> Vec<bool> {
        match kind {
            Kind::Disk => self.disks.iter().map(|disk| disk.is_there).collect(),
            Kind::Image => self.images.iter().map(|image| image.is_there).collect(),
            Kind::Group => self.groups.iter().map(|group| group.is_there).collect(),
            Kind::Policy => self.policies.iter().map(|policy| policy.is_there).collect(),
            Kind::Instance => self.instances.iter().map(|instance| instance.is_there).collect(),
        }
    }

    fn is_marked(&self, kind: Kind, nth: Nth) -> Outcome {
        if self.all(kind).get(nth) == Some(&true) { Ok(()) } else { Err("InvalidResourceId.NotFound") }
    }

    pub fn mark(&mut self, step: Step) -> Outcome {
        match step {
            Step::Tag { kind, nth, key, value } => {
                self.is_marked(kind, nth)?;
                self.marks.tags.insert((kind, nth, key), value);
            }
            Step::Untag { kind, nth, key } => {
                self.is_marked(kind, nth)?;
                let is_gone = |(of, other, known): &(Kind, Nth, u8)| {
                    (*of, *other) == (kind, nth) && key.is_none_or(|key| key == *known)
                };
                self.marks.tags.retain(|tag, _| !is_gone(tag));
            }
            Step::Join { disk, group } => {
                self.is_marked(Kind::Disk, disk)?;
                self.marks.groups.insert(disk, group);
            }
            Step::Disk { disk: nth, name, goes_along, takes_automatic } => {
                if matches!(self.disk(nth)?.status, "Creating" | "ReIniting") {
                    return Err("IncorrectDiskStatus");
                }
                let disk = &mut self.disks[nth];
                disk.goes_along = goes_along.unwrap_or(disk.goes_along);
                disk.takes_automatic = takes_automatic.unwrap_or(disk.takes_automatic);
                self.marks.names.insert((Kind::Disk, nth), name);
            }
            Step::Image { image, name } => self.rename_image(image, name)?,
        }
        Ok(())
    }

    fn rename_image(&mut self, nth: Nth, name: u8) -> Outcome {
        let image = self.images.get(nth).filter(|image| image.is_there).ok_or("InvalidImageId.NotFound")?;
        if !matches!(image.status, "Available" | "Deprecated") {
            return Err("ImageStatus.NotAvailable");
        }
        let has_it = |(other, image): (Nth, &super::reference::Image)| {
            other != nth && image.is_there && self.marks.names.get(&(Kind::Image, other)) == Some(&name)
        };
        if self.images.iter().enumerate().any(has_it) {
            return Err("InvalidImageName.Duplicated");
        }
        self.marks.names.insert((Kind::Image, nth), name);
        Ok(())
    }

    /// A disk that takes another one's place is called as that was, and is in its group; its tags are its own.
    pub fn inherit_marks(&mut self, old: Nth, new: Nth) {
        if let Some(name) = self.marks.names.get(&(Kind::Disk, old)).copied() {
            self.marks.names.insert((Kind::Disk, new), name);
        }
        if let Some(group) = self.marks.groups.get(&old).copied() {
            self.marks.groups.insert(new, group);
        }
    }

    pub fn name_of(&self, kind: Kind, nth: Nth) -> String {
        self.marks.names.get(&(kind, nth)).map_or_else(String::new, |name| name_of(*name))
    }

    pub fn group_of(&self, disk: Nth) -> String {
        self.marks.groups.get(&disk).map_or_else(String::new, |group| format!("rg-{group}"))
    }
}

fn name_of(name: u8) -> String {
    format!("name-{name}")
}

fn id(daemon: &Daemon, kind: Kind, nth: Nth) -> String {
    match kind {
        Kind::Disk => daemon.disk(nth),
        Kind::Image => super::nth(&daemon.images, nth, "m-bp1never"),
        Kind::Group => super::nth(&daemon.groups, nth, "ssg-bp1never"),
        Kind::Policy => super::nth(&daemon.policies, nth, "sp-bp1never"),
        Kind::Instance => daemon.instance(nth),
    }
}

pub fn call(daemon: &Daemon, step: Step) -> Call {
    let of = |kind: Kind, nth| vec![("ResourceType", kind.name().to_owned()), ("ResourceId.1", id(daemon, kind, nth))];
    let key = |key: u8| format!("mark-{key}");
    match step {
        Step::Tag { kind, nth, key: number, value } => {
            let tag = [("Tag.1.Key", key(number)), ("Tag.1.Value", format!("value-{value}"))];
            ("TagResources", [of(kind, nth), tag.to_vec()].concat())
        }
        Step::Untag { kind, nth, key: number } => {
            let which = number.map_or_else(|| ("All", "true".to_owned()), |number| ("TagKey.1", key(number)));
            ("UntagResources", [of(kind, nth), vec![which]].concat())
        }
        Step::Join { disk, group } => {
            let group = ("ResourceGroupId", format!("rg-{group}"));
            let of = [("ResourceType", "disk".to_owned()), ("ResourceId", daemon.disk(disk))];
            ("JoinResourceGroup", [&of[..], &[group]].concat())
        }
        Step::Disk { disk, name, goes_along, takes_automatic } => {
            let named = ["DiskName", "Description"].map(|field| (field, name_of(name)));
            let flags = [("DeleteWithInstance", goes_along), ("DeleteAutoSnapshot", takes_automatic)];
            let flags = flags.into_iter().filter_map(|(name, flag)| Some((name, flag?.to_string())));
            let params = std::iter::once(("DiskId", daemon.disk(disk))).chain(named).chain(flags);
            ("ModifyDiskAttribute", params.collect())
        }
        Step::Image { image, name } => {
            let image = ("ImageId", super::nth(&daemon.images, image, "m-bp1never"));
            ("ModifyImageAttribute", vec![image, ("ImageName", name_of(name)), ("Description", name_of(name))])
        }
    }
}

/// Compares the tags: looked for by their keys, so that those of what is gone would show.
pub async fn compare(daemon: &Daemon, world: &World, step: &super::Move) {
    for kind in KINDS {
        let is_used = world.marks.tags.keys().any(|(of, ..)| *of == kind);
        for key in (0..KEYS).filter(|_| is_used) {
            let there = world.all(kind);
            let tags = world.marks.tags.iter();
            let tags = tags.filter(|((of, nth, known), _)| (*of, *known) == (kind, key) && there[*nth]);
            let wanted =
                tags.map(|((_, nth, key), value)| format!("{} mark-{key}=value-{value}", id(daemon, kind, *nth)));
            let key = format!("mark-{key}");
            let params = [("RegionId", REGION), ("ResourceType", kind.name()), ("Tag.1.Key", key.as_str())];
            let shown = daemon.app.ok("ListTagResources", &params).await;
            let shown = list(&shown, "/TagResources/TagResource", |row| {
                format!("{} {}={}", field(row, "ResourceId"), field(row, "TagKey"), field(row, "TagValue"))
            });
            // Tags that a resource was given otherwise are no marks.
            let shown: Vec<String> = shown.into_iter().filter(|line| line.contains(&format!(" {key}="))).collect();
            same(wanted, shown, step);
        }
    }
}
