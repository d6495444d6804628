//! What people write on resources: tags, groups, names, descriptions and flags, the calls and their rules; never what the
//! daemon answers.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::Daemon;
use super::ids::Ids;
use super::moves::{Call, Nth, pick};
use super::reference::{Outcome, World};
use super::shown::{field, list, same};
use crate::support::REGION;

const KEYS: u8 = 3;

/// The kinds of resources that have tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Disk,
    Snapshot,
    Image,
    Group,
    Policy,
    Instance,
}

const KINDS: [Kind; 6] = [Kind::Disk, Kind::Snapshot, Kind::Image, Kind::Group, Kind::Policy, Kind::Instance];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Snapshot => "snapshot",
            Self::Image => "image",
            Self::Group => "snapshotgroup",
            Self::Policy => "snapshotpolicy",
            Self::Instance => "instance",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// TagResources, or AddTags.
    Tag { kind: Kind, nth: Nth, key: u8, value: u8, by_older: bool },
    /// UntagResources: all of them where none is named.
    Untag { kind: Kind, nth: Nth, key: Option<u8> },
    /// RemoveTags: likewise, and one with a value only where it has that one.
    Remove { kind: Kind, nth: Nth, tag: Option<(u8, Option<u8>)> },
    /// JoinResourceGroup of a disk.
    Join { disk: Nth, group: u8 },
    /// ModifyDiskAttribute: name and description, whether it goes with its instance, and its automatic snapshots with it.
    Disk { disk: Nth, name: u8, goes_along: Option<bool>, takes_automatic: Option<bool> },
    /// ModifyImageAttribute.
    Image { image: Nth, name: u8 },
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
        5 => (of_kind(), 0..KEYS, 0..2_u8, proptest::bool::weighted(0.3))
            .prop_map(|((kind, nth), key, value, by_older)| Step::Tag { kind, nth, key, value, by_older }),
        2 => (of_kind(), proptest::option::of(0..KEYS)).prop_map(|((kind, nth), key)| Step::Untag { kind, nth, key }),
        1 => (of_kind(), proptest::option::of((0..KEYS, proptest::option::of(0..2_u8))))
            .prop_map(|((kind, nth), tag)| Step::Remove { kind, nth, tag }),
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
            Kind::Snapshot => self.snapshots.iter().map(|snapshot| snapshot.is_there).collect(),
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
            Step::Tag { kind, nth, key, value, .. } => {
                self.is_marked(kind, nth)?;
                self.marks.tags.insert((kind, nth, key), value);
            }
            Step::Untag { kind, nth, key } => self.untag(kind, nth, key.map(|key| (key, None)))?,
            Step::Remove { kind, nth, tag } => self.untag(kind, nth, tag)?,
            Step::Join { disk, group } => {
                self.is_marked(Kind::Disk, disk)?;
                self.marks.groups.insert(disk, group);
            }
            Step::Disk { disk: nth, name, goes_along, takes_automatic } => {
                if matches!(self.disk(nth)?.status, "Creating" | "ReIniting") {
                    return Err("IncorrectDiskStatus");
                }
                if goes_along == Some(false) && !self.disks[nth].is_portable {
                    return Err("DiskNotPortable");
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

    /// The tag of this key, with this value where one is given; all of them where no tag is named.
    fn untag(&mut self, kind: Kind, nth: Nth, tag: Option<(u8, Option<u8>)>) -> Outcome {
        self.is_marked(kind, nth)?;
        let is_meant = |key: u8, value: u8| {
            tag.is_none_or(|(named, wanted)| key == named && wanted.is_none_or(|wanted| value == wanted))
        };
        self.marks.tags.retain(|(of, other, key), value| (*of, *other) != (kind, nth) || !is_meant(*key, *value));
        if kind == Kind::Snapshot && tag.is_none() {
            self.snapshots[nth].names_instance = false;
        }
        Ok(())
    }

    pub fn count_tags(&self, kind: Kind, nth: Nth) -> usize {
        self.marks.tags.keys().filter(|(of, other, _)| (*of, *other) == (kind, nth)).count()
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

fn id(ids: &Ids, kind: Kind, nth: Nth) -> String {
    match kind {
        Kind::Disk => ids.disk(nth),
        Kind::Snapshot => ids.snapshot(nth),
        Kind::Image => ids.image(nth),
        Kind::Group => ids.group(nth),
        Kind::Policy => ids.policy(nth),
        Kind::Instance => ids.instance(nth),
    }
}

fn key_of(key: u8) -> String {
    format!("mark-{key}")
}

fn value_of(value: u8) -> String {
    format!("value-{value}")
}

pub fn call(ids: &Ids, step: Step) -> Call {
    let of = |kind: Kind, nth, name| vec![("ResourceType", kind.name().to_owned()), (name, id(ids, kind, nth))];
    match step {
        Step::Tag { kind, nth, key, value, by_older } => {
            let (action, resource) =
                if by_older { ("AddTags", "ResourceId") } else { ("TagResources", "ResourceId.1") };
            let tag = vec![("Tag.1.Key", key_of(key)), ("Tag.1.Value", value_of(value))];
            (action, [of(kind, nth, resource), tag].concat())
        }
        Step::Untag { kind, nth, key } => {
            let which = key.map_or_else(|| ("All", "true".to_owned()), |key| ("TagKey.1", key_of(key)));
            ("UntagResources", [of(kind, nth, "ResourceId.1"), vec![which]].concat())
        }
        Step::Remove { kind, nth, tag } => {
            let key = tag.map(|(key, _)| ("Tag.1.Key", key_of(key)));
            let value = tag.and_then(|(_, value)| Some(("Tag.1.Value", value_of(value?))));
            ("RemoveTags", of(kind, nth, "ResourceId").into_iter().chain(key).chain(value).collect())
        }
        Step::Join { disk, group } => {
            let group = ("ResourceGroupId", format!("rg-{group}"));
            let of = [("ResourceType", "disk".to_owned()), ("ResourceId", ids.disk(disk))];
            ("JoinResourceGroup", [&of[..], &[group]].concat())
        }
        Step::Disk { disk, name, goes_along, takes_automatic } => {
            let named = ["DiskName", "Description"].map(|field| (field, name_of(name)));
            let flags = [("DeleteWithInstance", goes_along), ("DeleteAutoSnapshot", takes_automatic)];
            let flags = flags.into_iter().filter_map(|(name, flag)| Some((name, flag?.to_string())));
            let params = std::iter::once(("DiskId", ids.disk(disk))).chain(named).chain(flags);
            ("ModifyDiskAttribute", params.collect())
        }
        Step::Image { image, name } => {
            let image = ("ImageId", ids.image(image));
            ("ModifyImageAttribute", vec![image, ("ImageName", name_of(name)), ("Description", name_of(name))])
        }
    }
}

/// Compares the tags: all with how many carry them, and at turns those of a kind and those who carry one; they are looked
/// for by their keys, so that those of what is gone would show.
pub async fn compare(daemon: &Daemon, world: &World, step: &super::Move) {
    if world.marks.tags.is_empty() {
        return;
    }
    compare_counts(daemon, world, step).await;
    let key = u8::try_from(daemon.turn % usize::from(KEYS)).expect("few");
    compare_carriers(daemon, world, step, key).await;
    let kind = KINDS[daemon.turn % KINDS.len()];
    for key in 0..KEYS {
        compare_of_kind(daemon, world, step, (kind, key)).await;
    }
}

impl World {
    /// Kind, resource, key and value of each tag that is there.
    fn tags(&self) -> Vec<(Kind, Nth, u8, u8)> {
        let all = self.marks.tags.iter().map(|((kind, nth, key), value)| (*kind, *nth, *key, *value));
        all.filter(|(kind, nth, ..)| self.all(*kind)[*nth]).collect()
    }
}

async fn compare_counts(daemon: &Daemon, world: &World, step: &super::Move) {
    // Groups are counted nowhere, though their tags are told.
    let counted = [
        (Kind::Disk, "Disk"),
        (Kind::Snapshot, "Snapshot"),
        (Kind::Image, "Image"),
        (Kind::Policy, "SnapshotPolicy"),
        (Kind::Instance, "Instance"),
    ];
    let tags = world.tags();
    let told: BTreeSet<(u8, u8)> = tags.iter().map(|(.., key, value)| (*key, *value)).collect();
    let wanted = told.into_iter().map(|tag| {
        let of = |kind: Kind| tags.iter().filter(|(of, _, key, value)| *of == kind && (*key, *value) == tag).count();
        let counts = counted.map(|(kind, _)| of(kind).to_string());
        format!("{}={} {counts:?}", key_of(tag.0), value_of(tag.1))
    });
    let page = [("RegionId", REGION), ("PageSize", "100")];
    let shown = list(&daemon.app.ok("DescribeTags", &page).await, "/Tags/Tag", |row| {
        let counts = counted.map(|(_, name)| row["ResourceTypeCount"][name].to_string());
        format!("{}={} {counts:?}", field(row, "TagKey"), field(row, "TagValue"))
    });
    // Tags that a resource was given otherwise are no marks.
    let shown = shown.into_iter().filter(|line| line.starts_with("mark-")).collect();
    same(wanted, shown, step);
}

async fn compare_carriers(daemon: &Daemon, world: &World, step: &super::Move, key: u8) {
    let tags = world.tags().into_iter().filter(|(_, _, known, _)| *known == key);
    let wanted = tags.map(|(kind, nth, ..)| format!("{} {}", kind.name(), id(&daemon.ids, kind, nth)));
    let key = key_of(key);
    let params = [("RegionId", REGION), ("PageSize", "100"), ("Tag.1.Key", key.as_str())];
    let shown = daemon.app.ok("DescribeResourceByTags", &params).await;
    let line = |row: &serde_json::Value| format!("{} {}", field(row, "ResourceType"), field(row, "ResourceId"));
    same(wanted, list(&shown, "/Resources/Resource", line), step);
}

async fn compare_of_kind(daemon: &Daemon, world: &World, step: &super::Move, (kind, key): (Kind, u8)) {
    let tags = world.tags().into_iter().filter(|(of, _, known, _)| (*of, *known) == (kind, key));
    let key = key_of(key);
    let wanted = tags.map(|(_, nth, _, value)| format!("{} {key}={}", id(&daemon.ids, kind, nth), value_of(value)));
    let params = [("RegionId", REGION), ("ResourceType", kind.name()), ("Tag.1.Key", key.as_str())];
    let shown = daemon.app.ok("ListTagResources", &params).await;
    let shown = list(&shown, "/TagResources/TagResource", |row| {
        format!("{} {}={}", field(row, "ResourceId"), field(row, "TagKey"), field(row, "TagValue"))
    });
    // The other tags of these resources are told as well.
    let shown = shown.into_iter().filter(|line| line.contains(&format!(" {key}="))).collect();
    same(wanted, shown, step);
}
