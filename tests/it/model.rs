//! The model test: random sequences of calls, steps of the clock and restarts, each answer and all that is shown compared
//! with a small reference; a sequence that fails is shrunk to the shortest one.

mod moves;
mod reference;

use std::rc::Rc;

use proptest::prelude::*;
use proptest::test_runner::Config as Cases;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::answer::{Answer, column, text};
use crate::support::{REGION, TestApp};
use moves::{Move, Nth};
use reference::World;

struct Reference;

impl ReferenceStateMachine for Reference {
    type State = World;
    type Transition = Move;

    fn init_state() -> BoxedStrategy<World> {
        Just(World::begin()).boxed()
    }

    fn transitions(world: &World) -> BoxedStrategy<Move> {
        moves::any(world.disks.len(), world.snapshots.len(), world.images.len())
    }

    fn apply(mut world: World, step: &Move) -> World {
        world.make(step);
        world
    }
}

/// The daemon, with the ids of what the reference only counts.
struct Daemon {
    runtime: Rc<Runtime>,
    app: TestApp,
    instance: String,
    disks: Vec<String>,
    snapshots: Vec<String>,
    images: Vec<String>,
}

impl StateMachineTest for Daemon {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(_: &World) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (app, instance, disks) = runtime.block_on(begin());
        Self { runtime: Rc::new(runtime), app, instance, disks, snapshots: Vec::new(), images: Vec::new() }
    }

    fn apply(mut daemon: Self, world: &World, step: Move) -> Self {
        let runtime = Rc::clone(&daemon.runtime);
        runtime.block_on(async {
            daemon.make(&step, world).await;
            daemon.compare(world, &step).await;
        });
        daemon
    }
}

/// A daemon with an instance, and the ids of that and of its disks, the system disk first.
async fn begin() -> (TestApp, String, Vec<String>) {
    let app = TestApp::with(|config| {
        let millis = |seconds: i64| u32::try_from(seconds * 1_000).expect("short");
        let lifecycle = &mut config.lifecycle;
        lifecycle.snapshot_ms = millis(reference::SNAPSHOT);
        lifecycle.image_ms = millis(reference::IMAGE);
        for time in [
            &mut lifecycle.disk_ms,
            &mut lifecycle.attach_ms,
            &mut lifecycle.detach_ms,
            &mut lifecycle.reset_ms,
            &mut lifecycle.reinit_ms,
        ] {
            *time = millis(reference::DISK);
        }
        lifecycle.instance_start_ms = millis(reference::INSTANCE);
        lifecycle.instance_stop_ms = millis(reference::INSTANCE);
        config.quotas.snapshots_per_disk = reference::SNAPSHOTS_PER_DISK.try_into().expect("few");
        config.quotas.concurrent_snapshots = reference::CONCURRENT_SNAPSHOTS.try_into().expect("few");
    })
    .await;
    let params = [
        ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
        ("InstanceType", "ecs.g7.large"),
        ("ZoneId", "cn-hangzhou-h"),
        ("SystemDisk.Category", "cloud_essd"),
        ("DataDisk.1.Category", "cloud_essd"),
        ("DataDisk.1.Size", "40"),
    ];
    let made = app.ok("RunInstances", &params).await;
    let instance = text(&made, "/InstanceIdSets/InstanceIdSet/0");
    app.advance("1m").await;
    let shown = app.ok("DescribeDisks", &[("RegionId", REGION)]).await;
    let mut disks: Vec<(String, String)> =
        column(&shown, "/Disks/Disk", "Type").into_iter().zip(column(&shown, "/Disks/Disk", "DiskId")).collect();
    disks.sort_by(|one, other| other.cmp(one));
    let disks = disks.into_iter().map(|(_, id)| id).collect();
    (app, instance, disks)
}

fn nth(ids: &[String], nth: Nth, unknown: &str) -> String {
    ids.get(nth).cloned().unwrap_or_else(|| unknown.to_owned())
}

impl Daemon {
    fn disk(&self, disk: Nth) -> String {
        nth(&self.disks, disk, "d-bp1never")
    }

    fn snapshot(&self, snapshot: Nth) -> String {
        nth(&self.snapshots, snapshot, "s-bp1never")
    }

    /// Makes the move and compares how it ended.
    async fn make(&mut self, step: &Move, world: &World) {
        let (action, params) = match *step {
            Move::Advance(seconds) => {
                let instant = self.app.now().plus_millis(seconds * 1_000);
                return self.app.advance_to(instant).await;
            }
            Move::Restart => return self.app.restart().await,
            _ => self.call(step),
        };
        let mut params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        params.push(("RegionId", REGION));
        let answer = self.app.call(action, &params).await;
        let code = (answer.status != 200).then(|| answer.code().to_owned());
        assert_eq!(code.as_deref(), world.outcome.err(), "{step:?}: {}", answer.text);
        self.remember(step, &answer);
    }

    fn call(&self, step: &Move) -> (&'static str, Vec<(&'static str, String)>) {
        let disk = |nth: Nth| ("DiskId", self.disk(nth));
        let snapshot = |nth: Nth| ("SnapshotId", self.snapshot(nth));
        let instance = || ("InstanceId", self.instance.clone());
        let made = || vec![("ZoneId", "cn-hangzhou-h".to_owned()), ("DiskCategory", "cloud_essd".to_owned())];
        let key = |key: u8| format!("key-{key}");
        let tagged = |nth: Nth| vec![("ResourceType", "snapshot".to_owned()), ("ResourceId.1", self.snapshot(nth))];
        match *step {
            Move::CreateDisk => ("CreateDisk", [made(), vec![("Size", "40".to_owned())]].concat()),
            Move::CreateDiskFromSnapshot(nth) => ("CreateDisk", [made(), vec![snapshot(nth)]].concat()),
            Move::DeleteDisk(nth) => ("DeleteDisk", vec![disk(nth)]),
            Move::AttachDisk(nth) => ("AttachDisk", vec![disk(nth), instance()]),
            Move::DetachDisk(nth) => ("DetachDisk", vec![disk(nth), instance()]),
            Move::ReInitDisk(nth) => ("ReInitDisk", vec![disk(nth)]),
            Move::ResetDisk(nth, source) => ("ResetDisk", vec![disk(nth), snapshot(source)]),
            Move::CreateSnapshot(nth) => ("CreateSnapshot", vec![disk(nth)]),
            Move::DeleteSnapshot { snapshot: nth, force } => {
                ("DeleteSnapshot", vec![snapshot(nth), ("Force", force.to_string())])
            }
            Move::ModifyRetention { snapshot: nth, days } => {
                ("ModifySnapshotAttribute", vec![snapshot(nth), ("RetentionDays", days.to_string())])
            }
            Move::CreateImage(nth) => ("CreateImage", vec![snapshot(nth)]),
            Move::DeleteImage(image) => ("DeleteImage", vec![("ImageId", nth(&self.images, image, "m-bp1never"))]),
            Move::StopInstance => ("StopInstance", vec![instance()]),
            Move::StartInstance => ("StartInstance", vec![instance()]),
            Move::TagSnapshot { snapshot, key: number } => {
                ("TagResources", [tagged(snapshot), vec![("Tag.1.Key", key(number))]].concat())
            }
            Move::UntagSnapshot { snapshot, key: number } => {
                ("UntagResources", [tagged(snapshot), vec![("TagKey.1", key(number))]].concat())
            }
            Move::Advance(_) | Move::Restart => unreachable!("no calls"),
        }
    }

    fn remember(&mut self, step: &Move, answer: &Answer) {
        if answer.status != 200 {
            return;
        }
        let id = |field: &str| text(&answer.body, field);
        match step {
            Move::CreateDisk | Move::CreateDiskFromSnapshot(_) => self.disks.push(id("/DiskId")),
            Move::CreateSnapshot(_) => self.snapshots.push(id("/SnapshotId")),
            Move::CreateImage(_) => self.images.push(id("/ImageId")),
            _ => {}
        }
    }

    /// Compares all that the Describe actions show.
    async fn compare(&self, world: &World, step: &Move) {
        let page = [("RegionId", REGION), ("PageSize", "100")];
        let snapshots = self.app.ok("DescribeSnapshots", &page).await;
        let wanted =
            world.snapshots.iter().enumerate().filter(|(_, snapshot)| snapshot.is_there).map(|(nth, snapshot)| {
                let days = snapshot.days.map_or_else(String::new, |days| format!(" {days} days"));
                let (id, usage, tags) = (self.snapshot(nth), world.usage(nth), snapshot.tags.len());
                format!("{id} {} {usage} of {} {tags} tags{days}", snapshot.status, self.disk(snapshot.disk))
            });
        let shown = list(&snapshots, "/Snapshots/Snapshot", |row| {
            let days = row["RetentionDays"].as_i64().map_or_else(String::new, |days| format!(" {days} days"));
            let tags = row["Tags"]["Tag"].as_array().map_or(0, Vec::len);
            format!(
                "{} {} {} of {} {tags} tags{days}",
                field(row, "SnapshotId"),
                field(row, "Status"),
                field(row, "Usage"),
                field(row, "SourceDiskId")
            )
        });
        same(wanted, shown, step);
        let disks = self.app.ok("DescribeDisks", &page).await;
        let wanted = world.disks.iter().enumerate().filter(|(_, disk)| disk.is_there).map(|(nth, disk)| {
            let source = disk.source.map_or_else(String::new, |source| self.snapshot(source));
            // Documented: told only while In_use or Detaching.
            let is_told = matches!(disk.status, "In_use" | "Detaching");
            let instance = if is_told { self.instance.as_str() } else { "" };
            format!("{} {} on {instance} from {source}", self.disk(nth), disk.status)
        });
        let shown = list(&disks, "/Disks/Disk", |row| {
            let (id, status) = (field(row, "DiskId"), field(row, "Status"));
            format!("{id} {status} on {} from {}", field(row, "InstanceId"), field(row, "SourceSnapshotId"))
        });
        same(wanted, shown, step);
        let images = [&page[..], &[("ImageOwnerAlias", "self"), ("Status", "Creating,Available")]].concat();
        let images = self.app.ok("DescribeImages", &images).await;
        let wanted = world.images.iter().enumerate().filter(|(_, image)| image.is_there);
        let wanted = wanted.map(|(nth, image)| format!("{} {}", self.images[nth], image.status));
        let shown = list(&images, "/Images/Image", |row| format!("{} {}", field(row, "ImageId"), field(row, "Status")));
        same(wanted, shown, step);
        let instances = self.app.ok("DescribeInstances", &page).await;
        let shown = list(&instances, "/Instances/Instance", |row| field(row, "Status").to_owned());
        same(std::iter::once(world.instance.to_owned()), shown, step);
    }
}

fn field<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

fn list(body: &Value, pointer: &str, line: impl Fn(&Value) -> String) -> Vec<String> {
    body.pointer(pointer).and_then(Value::as_array).expect("a list").iter().map(line).collect()
}

/// The daemon shows what the reference has, in whatever order.
#[track_caller]
fn same(wanted: impl Iterator<Item = String>, mut shown: Vec<String>, step: &Move) {
    let mut wanted: Vec<String> = wanted.collect();
    wanted.sort();
    shown.sort();
    assert_eq!(shown, wanted, "after {step:?}");
}

/// How many sequences: a few each time, thousands where `PROPTEST_CASES` says so.
fn cases() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, not of the daemon")]
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(32)
}

prop_state_machine! {
    #![proptest_config(Cases { cases: cases(), max_shrink_iters: 4_096, failure_persistence: None, ..Cases::default() })]

    #[test]
    fn random_sequences_end_as_in_the_reference(sequential 1..40 => Daemon);
}
