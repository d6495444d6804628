//! The ids of what the reference only counts: told by the daemon, or recognised in what it shows; compares nothing else.

use std::collections::BTreeMap;

use serde_json::Value;

use super::instances::Step;
use super::moves::{Move, Nth};
use super::reference::{Origin, Snapshot, World};
use super::shown::{field, list};
use super::{Daemon, PAGE, copies, groups, images, policies, repeats, tasks};
use crate::support::answer::{Answer, text};
use crate::support::start;

/// By kind, in the order of creation.
#[derive(Debug, Default)]
pub struct Ids {
    pub instances: Vec<String>,
    pub disks: Vec<String>,
    /// Those that were seen.
    pub snapshots: BTreeMap<Nth, String>,
    pub images: Vec<String>,
    pub image_copies: Vec<String>,
    /// Those that were seen.
    pub copies: BTreeMap<Nth, String>,
    pub groups: Vec<String>,
    pub policies: Vec<String>,
    pub tasks: Vec<String>,
}

/// The id of the `nth` one, else one that never was.
fn nth_of(ids: &[String], nth: Nth, unknown: &str) -> String {
    ids.get(nth).cloned().unwrap_or_else(|| unknown.to_owned())
}

fn seen(ids: &BTreeMap<Nth, String>, nth: Nth, unknown: &str) -> String {
    ids.get(&nth).cloned().unwrap_or_else(|| unknown.to_owned())
}

impl Ids {
    pub fn instance(&self, nth: Nth) -> String {
        nth_of(&self.instances, nth, "i-bp1never")
    }

    pub fn disk(&self, nth: Nth) -> String {
        nth_of(&self.disks, nth, "d-bp1never")
    }

    pub fn snapshot(&self, nth: Nth) -> String {
        seen(&self.snapshots, nth, "s-bp1never")
    }

    pub fn image(&self, nth: Nth) -> String {
        nth_of(&self.images, nth, "m-bp1never")
    }

    pub fn image_copy(&self, nth: Nth) -> String {
        nth_of(&self.image_copies, nth, "m-2zenever")
    }

    pub fn copy(&self, nth: Nth) -> String {
        seen(&self.copies, nth, "s-2zenever")
    }

    pub fn group(&self, nth: Nth) -> String {
        nth_of(&self.groups, nth, "ssg-bp1never")
    }

    pub fn policy(&self, nth: Nth) -> String {
        nth_of(&self.policies, nth, "sp-bp1never")
    }

    pub fn task(&self, nth: Nth) -> String {
        nth_of(&self.tasks, nth, "t-bp1never")
    }

    /// Learns what an answer tells.
    pub fn remember(&mut self, step: &Move, world: &World, answer: &Answer) {
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
    pub fn recognise(&mut self, world: &World, shown: &Value) {
        for (nth, snapshot) in world.snapshots.iter().enumerate() {
            if let Some(row) = self.taken(shown, snapshot, snapshot.created) {
                self.snapshots.insert(nth, field(row, "SnapshotId").to_owned());
            }
        }
    }

    /// Finds the ids of the copies that policies planned, with those of their sources, which may be gone since.
    pub fn recognise_copies(&mut self, world: &World, shown: &Value) {
        for (nth, copy) in world.copies.iter().enumerate() {
            if self.copies.contains_key(&nth) || copy.is_of_image {
                continue;
            }
            if let Some(row) = self.taken(shown, &world.snapshots[copy.source], copy.created) {
                self.copies.insert(nth, field(row, "SnapshotId").to_owned());
                self.snapshots.insert(copy.source, field(row, "SourceSnapshotId").to_owned());
            }
        }
    }

    /// A snapshot that a group or a policy took, or a copy of it, which has its name: known by who took it, of what and when
    /// it was made.
    fn taken<'a>(&self, shown: &'a Value, snapshot: &Snapshot, created: i64) -> Option<&'a Value> {
        let taken_by = match snapshot.origin {
            Origin::Call => return None,
            Origin::Group(group) => &self.groups[group],
            Origin::Policy(policy) => &self.policies[policy],
        };
        let created = start().plus_millis(created * 1_000).to_seconds();
        let is_it = |row: &&Value| {
            field(row, "SnapshotName").ends_with(taken_by.as_str())
                && field(row, "SourceDiskId") == self.disks[snapshot.disk]
                && field(row, "CreationTime") == created
        };
        shown.pointer("/Snapshots/Snapshot").and_then(Value::as_array).expect("a list").iter().find(is_it)
    }
}

/// Learns the ids of what the step made, which its answer does not tell.
pub async fn learn(daemon: &mut Daemon, world: &World, step: Step, body: &Value) {
    match step {
        Step::Run { .. } => {
            let new = list(body, "/InstanceIdSets/InstanceIdSet", |id| id.as_str().expect("an id").to_owned());
            daemon.ids.instances.extend(new);
        }
        Step::Create { .. } => daemon.ids.instances.push(text(body, "/InstanceId")),
        Step::Replace(_) => daemon.ids.disks.push(text(body, "/DiskId")),
        Step::Clone { .. } => {
            let tasks = daemon.app.ok("DescribeTasks", &PAGE).await;
            let ids = list(&tasks, "/TaskSet/Task", |row| field(row, "TaskId").to_owned());
            let new = ids.into_iter().find(|id| !daemon.ids.tasks.contains(id)).expect("its task");
            daemon.ids.tasks.push(new);
        }
        _ => return,
    }
    let shown = daemon.app.ok("DescribeDisks", &PAGE).await;
    let rows = shown.pointer("/Disks/Disk").and_then(Value::as_array).expect("a list");
    for disk in &world.disks[daemon.ids.disks.len()..] {
        let on = disk.on.map_or_else(String::new, |on| daemon.ids.instance(on));
        let kind = if disk.is_system { "system" } else { "data" };
        let is_it = |row: &&Value| {
            let is_known = daemon.ids.disks.iter().any(|known| known == field(row, "DiskId"));
            !is_known && field(row, "InstanceId") == on && field(row, "Type") == kind
        };
        let id = rows.iter().find(is_it).map(|row| field(row, "DiskId").to_owned());
        daemon.ids.disks.push(id.expect("its disk"));
    }
}
