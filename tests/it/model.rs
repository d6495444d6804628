//! The model test: random sequences of calls, steps of the clock and restarts, each answer and all that is shown compared
//! with a small reference; a sequence that fails is shrunk to the shortest one.

mod begin;
mod copies;
mod groups;
mod images;
mod instances;
mod keeping;
mod marks;
mod moves;
mod policies;
mod reference;
mod repeats;
mod sizes;
mod tasks;

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;
use proptest::test_runner::Config as Cases;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::answer::{Answer, text};
use crate::support::{REGION, TestApp, start};
use moves::{Move, Nth};
use reference::{Origin, SNAPSHOT, Snapshot, World};

const PAGE: [(&str, &str); 2] = [("RegionId", REGION), ("PageSize", "100")];

struct Reference;

impl ReferenceStateMachine for Reference {
    type State = World;
    type Transition = Move;

    fn init_state() -> BoxedStrategy<World> {
        Just(World::begin()).boxed()
    }

    fn transitions(world: &World) -> BoxedStrategy<Move> {
        moves::any(world)
    }

    fn preconditions(world: &World, step: &Move) -> bool {
        match *step {
            Move::Image(step) => world.is_turn_clear(step),
            Move::Instance(step) => world.is_order_clear(step),
            _ => true,
        }
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
    instances: Vec<String>,
    disks: Vec<String>,
    /// Those that were seen.
    snapshots: BTreeMap<Nth, String>,
    images: Vec<String>,
    image_copies: Vec<String>,
    copies: BTreeMap<Nth, String>,
    groups: Vec<String>,
    policies: Vec<String>,
    tasks: Vec<String>,
}

/// An action and its parameters.
type Call = (&'static str, Vec<(&'static str, String)>);

impl StateMachineTest for Daemon {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(_: &World) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (app, instance, disks) = runtime.block_on(begin::begin());
        Self {
            runtime: Rc::new(runtime),
            app,
            instances: vec![instance],
            disks,
            snapshots: BTreeMap::new(),
            images: Vec::new(),
            image_copies: Vec::new(),
            copies: BTreeMap::new(),
            groups: Vec::new(),
            policies: Vec::new(),
            tasks: Vec::new(),
        }
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

/// The id of the `nth` one, else one that never was.
fn nth(ids: &[String], nth: Nth, unknown: &str) -> String {
    ids.get(nth).cloned().unwrap_or_else(|| unknown.to_owned())
}

impl Daemon {
    fn disk(&self, disk: Nth) -> String {
        nth(&self.disks, disk, "d-bp1never")
    }

    fn instance(&self, instance: Nth) -> String {
        nth(&self.instances, instance, "i-bp1never")
    }

    fn snapshot(&self, snapshot: Nth) -> String {
        self.snapshots.get(&snapshot).cloned().unwrap_or_else(|| "s-bp1never".to_owned())
    }

    /// Makes the move and compares how it ended.
    async fn make(&mut self, step: &Move, world: &World) {
        let (action, params) = match *step {
            Move::Advance(seconds) => {
                let instant = self.app.now().plus_millis(seconds * 1_000);
                return self.app.advance_to(instant).await;
            }
            Move::Restart => return self.app.restart().await,
            _ => self.call(step, world),
        };
        let mut params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if !params.iter().any(|(name, _)| name.eq_ignore_ascii_case("RegionId")) {
            params.push(("RegionId", REGION));
        }
        let answer = self.app.call(action, &params).await;
        let code = (answer.status != 200).then(|| answer.code().to_owned());
        assert_eq!(code.as_deref(), world.outcome.err(), "{step:?}: {}", answer.text);
        self.remember(step, world, &answer);
        if let (Move::Instance(step), 200) = (step, answer.status) {
            instances::remember(self, world, *step, &answer.body).await;
        }
    }

    fn call(&self, step: &Move, world: &World) -> Call {
        let disk = |nth: Nth| ("DiskId", self.disk(nth));
        let snapshot = |nth: Nth| ("SnapshotId", self.snapshot(nth));
        let on = |instance| ("InstanceId", self.instance(instance));
        let made = || vec![("ZoneId", "cn-hangzhou-h".to_owned()), ("DiskCategory", "cloud_essd".to_owned())];
        let key = |key: u8| format!("key-{key}");
        let tagged = |nth: Nth| vec![("ResourceType", "snapshot".to_owned()), ("ResourceId.1", self.snapshot(nth))];
        match *step {
            Move::CreateDisk => ("CreateDisk", [made(), vec![("Size", "40".to_owned())]].concat()),
            Move::CreateDiskFromSnapshot(nth) => ("CreateDisk", [made(), vec![snapshot(nth)]].concat()),
            Move::DeleteDisk(nth) => ("DeleteDisk", vec![disk(nth)]),
            Move::AttachDisk(nth, to) => ("AttachDisk", vec![disk(nth), on(to)]),
            Move::DetachDisk(nth, from) => ("DetachDisk", vec![disk(nth), on(from)]),
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
            Move::TagSnapshot { snapshot, key: number } => {
                ("TagResources", [tagged(snapshot), vec![("Tag.1.Key", key(number))]].concat())
            }
            Move::UntagSnapshot { snapshot, key: number } => {
                ("UntagResources", [tagged(snapshot), vec![("TagKey.1", key(number))]].concat())
            }
            Move::Copy(step) => copies::call(self, step),
            Move::Group(step) => groups::call(self, step),
            Move::Image(step) => images::call(self, step),
            Move::Instance(step) => instances::call(self, world, step),
            Move::Keep(step) => keeping::call(self, step),
            Move::Mark(step) => marks::call(self, step),
            Move::Policy(step) => policies::call(self, world, step),
            Move::Repeat(step) => repeats::call(self, step),
            Move::Size(step) => sizes::call(self, step),
            Move::Task(step) => tasks::call(self, step),
            Move::Advance(_) | Move::Restart => unreachable!("no calls"),
        }
    }

    fn remember(&mut self, step: &Move, world: &World, answer: &Answer) {
        if answer.status != 200 {
            return;
        }
        let id = |field: &str| text(&answer.body, field);
        match *step {
            Move::CreateDisk | Move::CreateDiskFromSnapshot(_) => self.disks.push(id("/DiskId")),
            Move::CreateSnapshot(_) => drop(self.snapshots.insert(world.snapshots.len() - 1, id("/SnapshotId"))),
            Move::CreateImage(_) => self.images.push(id("/ImageId")),
            Move::Copy(copies::Step::Copy(_)) => drop(self.copies.insert(world.copies.len() - 1, id("/SnapshotId"))),
            Move::Image(images::Step::Copy(_)) => self.image_copies.push(id("/ImageId")),
            Move::Group(groups::Step::Create(..)) => self.groups.push(id("/SnapshotGroupId")),
            Move::Policy(policies::Step::Create(_)) => self.policies.push(id("/AutoSnapshotPolicyId")),
            Move::Task(step) if !matches!(step, tasks::Step::Cancel(_)) => self.tasks.push(id("/TaskId")),
            Move::Repeat(repeated) => self.remember_once(repeated, world, answer),
            _ => {}
        }
    }

    /// What is answered under a client token is new, or the same as before.
    fn remember_once(&mut self, step: repeats::Step, world: &World, answer: &Answer) {
        let Some(nth) = world.made_by(step) else { return };
        let known = if matches!(step, repeats::Step::CreateDisk { .. }) {
            let id = text(&answer.body, "/DiskId");
            if nth == self.disks.len() {
                self.disks.push(id.clone());
            }
            (self.disk(nth), id)
        } else {
            let id = text(&answer.body, "/SnapshotId");
            (self.snapshots.entry(nth).or_insert_with(|| id.clone()).clone(), id)
        };
        assert_eq!(known.0, known.1, "{step:?}");
    }

    /// Finds the ids of the snapshots that groups and policies took.
    fn recognise(&mut self, world: &World, shown: &Value) {
        let rows = shown.pointer("/Snapshots/Snapshot").and_then(Value::as_array).expect("a list");
        for (nth, snapshot) in world.snapshots.iter().enumerate() {
            let taken_by = match snapshot.origin {
                Origin::Call => continue,
                Origin::Group(group) => &self.groups[group],
                Origin::Policy(policy) => &self.policies[policy],
            };
            let created = start().plus_millis(snapshot.created * 1_000).to_seconds();
            let is_it = |row: &&Value| {
                field(row, "SnapshotName").ends_with(taken_by.as_str())
                    && field(row, "SourceDiskId") == self.disks[snapshot.disk]
                    && field(row, "CreationTime") == created
            };
            if let Some(row) = rows.iter().find(is_it) {
                self.snapshots.insert(nth, field(row, "SnapshotId").to_owned());
            }
        }
    }

    fn wanted_snapshot(&self, world: &World, nth: Nth, snapshot: &Snapshot) -> String {
        let days = snapshot.days.map_or_else(String::new, |days| format!(" {days} days"));
        let (id, usage, tags) = (self.snapshot(nth), world.usage(nth), snapshot.tags.len());
        let category = if snapshot.is_archived { "archive" } else { "standard" };
        let (of, size) = (self.disk(snapshot.disk), snapshot.size);
        let percent =
            if snapshot.status == "accomplished" { 100 } else { (world.now - snapshot.created) * 100 / SNAPSHOT };
        format!("{id} {category} {} {usage} of {of} {size} {tags} tags {percent}%{days}", snapshot.status)
    }

    /// Compares all that the Describe actions show.
    async fn compare(&mut self, world: &World, step: &Move) {
        let snapshots = self.app.ok("DescribeSnapshots", &PAGE).await;
        self.recognise(world, &snapshots);
        let wanted = world.snapshots.iter().enumerate().filter(|(_, snapshot)| snapshot.is_there);
        let wanted = wanted.map(|(nth, snapshot)| self.wanted_snapshot(world, nth, snapshot));
        same(wanted, list(&snapshots, "/Snapshots/Snapshot", shown_snapshot), step);
        self.compare_disks(world, step).await;
        instances::compare(self, world, step).await;
        marks::compare(self, world, step).await;
        // Where there never was one there is nothing to see.
        if !world.copies.is_empty() {
            copies::compare(self, world, step).await;
        }
        if !world.groups.is_empty() {
            groups::compare(self, world, step).await;
        }
        if !world.images.is_empty() {
            images::compare(self, world, step).await;
        }
        if world.snapshots.iter().any(|snapshot| snapshot.lock.is_some()) || matches!(step, Move::Keep(_)) {
            keeping::compare(self, world, step).await;
        }
        if !world.policies.is_empty() {
            policies::compare(self, world, step).await;
        }
        if !world.tasks.is_empty() {
            tasks::compare(self, world, step).await;
        }
    }

    async fn compare_disks(&self, world: &World, step: &Move) {
        let disks = self.app.ok("DescribeDisks", &PAGE).await;
        let wanted = world.disks.iter().enumerate().filter(|(_, disk)| disk.is_there).map(|(nth, disk)| {
            let source = disk.source.map_or_else(String::new, |source| self.snapshot(source));
            // Documented: told only while In_use or Detaching.
            let is_told = matches!(disk.status, "In_use" | "Detaching");
            let instance = disk.on.filter(|_| is_told).map_or("", |on| self.instances[on].as_str());
            let level = tasks::LEVELS[disk.level];
            let marks = (world.name_of(marks::Kind::Disk, nth), world.group_of(nth));
            let flags = [disk.goes_along, disk.takes_automatic, disk.may_be_taken];
            let what = format!("{} {} {level} {} on {instance} from {source}", self.disk(nth), disk.status, disk.size);
            format!("{what}, {} {} {} {flags:?}", marks.0, marks.0, marks.1)
        });
        let shown = list(&disks, "/Disks/Disk", |row| {
            let (id, status) = (field(row, "DiskId"), field(row, "Status"));
            let (instance, source) = (field(row, "InstanceId"), field(row, "SourceSnapshotId"));
            let level = field(row, "PerformanceLevel");
            let [name, description, group] =
                ["DiskName", "Description", "ResourceGroupId"].map(|name| field(row, name));
            let flags = ["DeleteWithInstance", "DeleteAutoSnapshot", "EnableAutoSnapshot"];
            let flags = flags.map(|name| row[name].as_bool().expect("a flag"));
            let what = format!("{id} {status} {level} {} on {instance} from {source}", row["Size"]);
            format!("{what}, {name} {description} {group} {flags:?}")
        });
        same(wanted, shown, step);
    }
}

fn shown_snapshot(row: &Value) -> String {
    let days = row["RetentionDays"].as_i64().map_or_else(String::new, |days| format!(" {days} days"));
    let tags = row["Tags"]["Tag"].as_array().map_or(0, Vec::len);
    let [id, category, status, usage] = ["SnapshotId", "Category", "Status", "Usage"].map(|name| field(row, name));
    let (of, size) = (field(row, "SourceDiskId"), field(row, "SourceDiskSize"));
    let progress = field(row, "Progress");
    format!("{id} {category} {status} {usage} of {of} {size} {tags} tags {progress}{days}")
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

/// How many sequences, of either test: a few each time, thousands in both where `PROPTEST_CASES` says so.
fn cases() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, not of the daemon")]
    let asked = std::env::var("PROPTEST_CASES");
    asked.ok().and_then(|text| text.parse().ok()).unwrap_or(16) / 2
}

prop_state_machine! {
    #![proptest_config(Cases { cases: cases(), max_shrink_iters: 4_096, failure_persistence: None, ..Cases::default() })]

    #[test]
    fn random_sequences_end_as_in_the_reference(sequential 1..60 => Daemon);

    /// For the second core.
    #[test]
    fn further_sequences_end_as_in_the_reference(sequential 1..60 => Daemon);
}
