//! The moves of the model test: calls on the k-th resource of a kind, steps of the clock, restarts; never their outcome.

use proptest::prelude::*;

use super::reference::World;
use super::{copies, groups, keeping, policies, repeats, sizes};

/// Which resource of its kind, in the order of creation; beyond the last one it is an id that never existed.
pub type Nth = usize;

/// One step of a sequence.
#[derive(Clone, Debug)]
pub enum Move {
    CreateDisk,
    CreateDiskFromSnapshot(Nth),
    DeleteDisk(Nth),
    AttachDisk(Nth),
    DetachDisk(Nth),
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
    StopInstance,
    StartInstance,
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
    Keep(keeping::Step),
    Policy(policies::Step),
    Repeat(repeats::Step),
    Size(sizes::Step),
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
    prop_oneof![
        1 => Just(Move::CreateDisk),
        2 => snapshot.clone().prop_map(Move::CreateDiskFromSnapshot),
        2 => disk.clone().prop_map(Move::DeleteDisk),
        3 => disk.clone().prop_map(Move::AttachDisk),
        2 => disk.clone().prop_map(Move::DetachDisk),
        2 => disk.clone().prop_map(Move::ReInitDisk),
        2 => (disk.clone(), snapshot.clone()).prop_map(|(disk, snapshot)| Move::ResetDisk(disk, snapshot)),
        6 => disk.prop_map(Move::CreateSnapshot),
        5 => (snapshot.clone(), any_bool()).prop_map(|(snapshot, force)| Move::DeleteSnapshot { snapshot, force }),
        2 => (snapshot.clone(), 1..4_i64).prop_map(|(snapshot, days)| Move::ModifyRetention { snapshot, days }),
        3 => snapshot.clone().prop_map(Move::CreateImage),
        2 => image.prop_map(Move::DeleteImage),
        1 => Just(Move::StopInstance),
        1 => Just(Move::StartInstance),
        1 => (snapshot.clone(), 0..3_u8).prop_map(|(snapshot, key)| Move::TagSnapshot { snapshot, key }),
        1 => (snapshot, 0..3_u8).prop_map(|(snapshot, key)| Move::UntagSnapshot { snapshot, key }),
        4 => copies::any(world).prop_map(Move::Copy),
        4 => groups::any(world).prop_map(Move::Group),
        6 => keeping::any(world).prop_map(Move::Keep),
        6 => policies::any(world).prop_map(Move::Policy),
        4 => repeats::any(world).prop_map(Move::Repeat),
        3 => sizes::any(world).prop_map(Move::Size),
        12 => span.prop_map(Move::Advance),
        1 => Just(Move::Restart),
    ]
    .boxed()
}

fn any_bool() -> impl Strategy<Value = bool> {
    proptest::bool::ANY
}
