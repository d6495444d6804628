//! The moves of the model test: calls on the k-th resource of a kind, steps of the clock, restarts; never their outcome.

use proptest::prelude::*;

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
    /// Seconds.
    Advance(i64),
    Restart,
}

/// Any move, the ids drawn from `disks`, `snapshots` and `images` that there were so far and one more.
pub fn any(disks: usize, snapshots: usize, images: usize) -> BoxedStrategy<Move> {
    let (disk, snapshot, image) = (0..=disks, 0..=snapshots, 0..=images);
    let span = prop_oneof![3 => Just(1_i64), 2 => Just(3), 1 => Just(3_600), 1 => Just(86_400), 1 => Just(3 * 86_400)];
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
        8 => span.prop_map(Move::Advance),
        1 => Just(Move::Restart),
    ]
    .boxed()
}

fn any_bool() -> impl Strategy<Value = bool> {
    proptest::bool::ANY
}
