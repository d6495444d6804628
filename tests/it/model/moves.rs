//! The moves of the model test: calls on the k-th resource of a kind, steps of the clock, restarts; never their outcome.

use proptest::prelude::*;

use super::reference::World;
use super::{copies, groups, images, instances, keeping, marks, policies, repeats, sizes, tasks};

/// Which resource of its kind, in the order of creation; beyond the last one it is an id that never existed.
pub type Nth = usize;

/// One step of a sequence.
#[derive(Clone, Debug)]
pub enum Move {
    CreateDisk,
    CreateDiskFromSnapshot(Nth),
    DeleteDisk(Nth),
    AttachDisk(Nth, Nth),
    DetachDisk(Nth, Nth),
    ReInitDisk(Nth),
    ResetDisk(Nth, Nth),
    CreateSnapshot(Nth),
    DeleteSnapshot {
        snapshot: Nth,
        force: bool,
    },
    ModifyRetention {
        snapshot: Nth,
        days: i64,
    },
    CreateImage(Nth),
    DeleteImage(Nth),
    TagSnapshot {
        snapshot: Nth,
        key: u8,
    },
    UntagSnapshot {
        snapshot: Nth,
        key: u8,
    },
    Copy(copies::Step),
    Group(groups::Step),
    Image(images::Step),
    Instance(instances::Step),
    Keep(keeping::Step),
    Mark(marks::Step),
    Policy(policies::Step),
    Repeat(repeats::Step),
    Size(sizes::Step),
    Task(tasks::Step),
    /// Seconds.
    Advance(i64),
    Restart,
}

/// One of those that there were so far, mostly one that is there still, or one more.
pub fn pick(is_there: impl Iterator<Item = bool>) -> BoxedStrategy<Nth> {
    let is_there: Vec<bool> = is_there.collect();
    let there: Vec<Nth> = (0..is_there.len()).filter(|nth| is_there[*nth]).collect();
    let any = 0..=is_there.len();
    if there.is_empty() {
        return any.boxed();
    }
    prop_oneof![9 => proptest::sample::select(there), 1 => any].boxed()
}

/// Any move, as the world is.
pub fn any(world: &World) -> BoxedStrategy<Move> {
    let disk = pick(world.disks.iter().map(|disk| disk.is_there));
    let snapshot = pick(world.snapshots.iter().map(|snapshot| snapshot.is_there));
    let image = pick(world.images.iter().map(|image| image.is_there));
    let days = prop_oneof![Just(3_i64), Just(16)].prop_map(|days| days * 86_400);
    let span = prop_oneof![4 => Just(1_i64), 3 => Just(3), 2 => Just(3_600), 2 => Just(86_400), 2 => days];
    // What there is nothing for yet is tried in vain now and then.
    let if_any = |is_there: bool, weight: u32| if is_there { 4 * weight } else { 1 };
    let has_snapshot = world.snapshots.iter().any(|snapshot| snapshot.is_there);
    let has_image = world.images.iter().any(|image| image.is_there);
    let is_stopped = world.instances.iter().any(|instance| instance.is_there && instance.status == "Stopped");
    let instance = pick(world.instances.iter().map(|instance| instance.is_there));
    let of = |(disk, on): (Nth, Nth), hosts: &[Option<Nth>]| (disk, hosts.get(disk).copied().flatten().unwrap_or(on));
    let hosts: Vec<Option<Nth>> = world.disks.iter().map(|disk| disk.on).collect();
    prop_oneof![
        4 => Just(Move::CreateDisk),
        if_any(has_snapshot, 2) => snapshot.clone().prop_map(Move::CreateDiskFromSnapshot),
        6 => disk.clone().prop_map(Move::DeleteDisk),
        10 => (disk.clone(), instance.clone()).prop_map(|(disk, on)| Move::AttachDisk(disk, on)),
        5 => (disk.clone(), instance.clone()).prop_map(move |pair| {
            // Mostly from the instance that has it.
            let (disk, from) = of(pair, &hosts);
            Move::DetachDisk(disk, from)
        }),
        1 => (disk.clone(), instance).prop_map(|(disk, from)| Move::DetachDisk(disk, from)),
        if_any(is_stopped, 2) => disk.clone().prop_map(Move::ReInitDisk),
        if_any(has_snapshot && is_stopped, 4) =>
            (disk.clone(), snapshot.clone()).prop_map(|(disk, snapshot)| Move::ResetDisk(disk, snapshot)),
        28 => disk.prop_map(Move::CreateSnapshot),
        if_any(has_snapshot, 5) =>
            (snapshot.clone(), any_bool()).prop_map(|(snapshot, force)| Move::DeleteSnapshot { snapshot, force }),
        if_any(has_snapshot, 2) =>
            (snapshot.clone(), 1..4_i64).prop_map(|(snapshot, days)| Move::ModifyRetention { snapshot, days }),
        if_any(has_snapshot, 4) => snapshot.clone().prop_map(Move::CreateImage),
        if_any(has_image, 1) => image.prop_map(Move::DeleteImage),
        20 => instances::any(world).prop_map(Move::Instance),
        16 => marks::any(world).prop_map(Move::Mark),
        if_any(has_snapshot, 1) =>
            (snapshot.clone(), 0..3_u8).prop_map(|(snapshot, key)| Move::TagSnapshot { snapshot, key }),
        if_any(has_snapshot, 1) =>
            (snapshot, 0..3_u8).prop_map(|(snapshot, key)| Move::UntagSnapshot { snapshot, key }),
        if_any(has_snapshot, 4) => copies::any(world).prop_map(Move::Copy),
        14 => groups::any(world).prop_map(Move::Group),
        if_any(has_image, 8) => images::any(world).prop_map(Move::Image),
        if_any(has_snapshot, 5) => keeping::any(world).prop_map(Move::Keep),
        28 => policies::any(world).prop_map(Move::Policy),
        16 => repeats::any(world).prop_map(Move::Repeat),
        14 => sizes::any(world).prop_map(Move::Size),
        if_any(has_snapshot, 6) => tasks::any(world).prop_map(Move::Task),
        56 => span.prop_map(Move::Advance),
        4 => Just(Move::Restart),
    ]
    .boxed()
}

fn any_bool() -> impl Strategy<Value = bool> {
    proptest::bool::ANY
}
