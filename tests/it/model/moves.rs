//! The moves of the model test: calls on the k-th resource of a kind, steps of the clock, restarts; never their outcome.

use proptest::prelude::*;

use super::ids::Ids;
use super::reference::World;
use super::{charges, copies, groups, images, instances, keeping, marks, policies, repeats, sizes, tasks};

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
    /// Each to its snapshot.
    ResetDisks([(Nth, Nth); 2]),
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
    Charge(charges::Step),
    Copy(copies::Step),
    Group(groups::Step),
    Image(images::Step),
    Instance(instances::Step),
    Keep(keeping::Step),
    Mark(marks::Step),
    OpenSnapshotService,
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
        if_any(has_snapshot && is_stopped, 2) => any_pairs(world).prop_map(Move::ResetDisks),
        28 => disk.prop_map(Move::CreateSnapshot),
        if_any(has_snapshot, 5) =>
            (snapshot.clone(), any_bool()).prop_map(|(snapshot, force)| Move::DeleteSnapshot { snapshot, force }),
        if_any(has_snapshot, 2) =>
            (snapshot.clone(), 1..4_i64).prop_map(|(snapshot, days)| Move::ModifyRetention { snapshot, days }),
        if_any(has_snapshot, 4) => snapshot.prop_map(Move::CreateImage),
        if_any(has_image, 1) => image.prop_map(Move::DeleteImage),
        20 => instances::any(world).prop_map(Move::Instance),
        18 => marks::any(world).prop_map(Move::Mark),
        charges::weight(world) => charges::any(world).prop_map(Move::Charge),
        if_any(has_snapshot, 4) => copies::any(world).prop_map(Move::Copy),
        14 => groups::any(world).prop_map(Move::Group),
        if_any(has_image, 8) => images::any(world).prop_map(Move::Image),
        if_any(has_snapshot, 5) => keeping::any(world).prop_map(Move::Keep),
        if world.is_service_open { 1 } else { 12 } => Just(Move::OpenSnapshotService),
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

/// Two disks, mostly each with a snapshot of its own.
fn any_pairs(world: &World) -> BoxedStrategy<[(Nth, Nth); 2]> {
    let of: Vec<Nth> = world.snapshots.iter().map(|snapshot| snapshot.disk).collect();
    let disk = pick(world.disks.iter().map(|disk| disk.is_there));
    let snapshot = pick(world.snapshots.iter().map(|snapshot| snapshot.is_there));
    let pair = (snapshot, disk, proptest::bool::weighted(0.9)).prop_map(move |(snapshot, other, is_own)| {
        (of.get(snapshot).copied().filter(|_| is_own).unwrap_or(other), snapshot)
    });
    proptest::array::uniform2(pair).boxed()
}

/// An action and its parameters.
pub type Call = (&'static str, Vec<(&'static str, String)>);

/// The call that a move is, with the world as it is after it; none for those of the clock.
pub fn call(ids: &Ids, world: &World, step: &Move) -> Option<Call> {
    let disk = |nth: Nth| ("DiskId", ids.disk(nth));
    let snapshot = |nth: Nth| ("SnapshotId", ids.snapshot(nth));
    let on = |instance| ("InstanceId", ids.instance(instance));
    let made = || vec![("ZoneId", "cn-hangzhou-h".to_owned()), ("DiskCategory", "cloud_essd".to_owned())];
    Some(match *step {
        Move::CreateDisk => ("CreateDisk", [made(), vec![("Size", "40".to_owned())]].concat()),
        Move::CreateDiskFromSnapshot(nth) => ("CreateDisk", [made(), vec![snapshot(nth)]].concat()),
        Move::DeleteDisk(nth) => ("DeleteDisk", vec![disk(nth)]),
        Move::AttachDisk(nth, to) => ("AttachDisk", vec![disk(nth), on(to)]),
        Move::DetachDisk(nth, from) => ("DetachDisk", vec![disk(nth), on(from)]),
        Move::ReInitDisk(nth) => ("ReInitDisk", vec![disk(nth)]),
        Move::ResetDisk(nth, source) => ("ResetDisk", vec![disk(nth), snapshot(source)]),
        Move::ResetDisks([one, other]) => {
            let one = [("Disk.1.DiskId", ids.disk(one.0)), ("Disk.1.SnapshotId", ids.snapshot(one.1))];
            let other = [("Disk.2.DiskId", ids.disk(other.0)), ("Disk.2.SnapshotId", ids.snapshot(other.1))];
            ("ResetDisks", [one, other].concat())
        }
        Move::CreateSnapshot(nth) => ("CreateSnapshot", vec![disk(nth)]),
        Move::DeleteSnapshot { snapshot: nth, force } => {
            ("DeleteSnapshot", vec![snapshot(nth), ("Force", force.to_string())])
        }
        Move::ModifyRetention { snapshot: nth, days } => {
            ("ModifySnapshotAttribute", vec![snapshot(nth), ("RetentionDays", days.to_string())])
        }
        Move::CreateImage(nth) => ("CreateImage", vec![snapshot(nth)]),
        Move::DeleteImage(image) => ("DeleteImage", vec![("ImageId", ids.image(image))]),
        Move::Charge(step) => charges::call(ids, step),
        Move::Copy(step) => copies::call(ids, step),
        Move::Group(step) => groups::call(ids, step),
        Move::Image(step) => images::call(ids, step),
        Move::Instance(step) => instances::call(ids, world, step),
        Move::Keep(step) => keeping::call(ids, step),
        Move::Mark(step) => marks::call(ids, step),
        Move::OpenSnapshotService => ("OpenSnapshotService", Vec::new()),
        Move::Policy(step) => policies::call(ids, world, step),
        Move::Repeat(step) => repeats::call(ids, step),
        Move::Size(step) => sizes::call(ids, step),
        Move::Task(step) => tasks::call(ids, step),
        Move::Advance(_) | Move::Restart => return None,
    })
}
