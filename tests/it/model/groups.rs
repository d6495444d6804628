//! Snapshot groups, the calls and their rules; never what the daemon answers.

use proptest::prelude::*;

use super::Daemon;
use super::ids::Ids;
use super::moves::{Call, Nth, pick};
use super::reference::{Origin, Outcome, SNAPSHOT, World};
use super::shown::{field, list, same};
use crate::support::REGION;

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Of two disks, which may be the same one.
    Create(Nth, Nth),
    Rename {
        group: Nth,
        name: u8,
    },
    Delete(Nth),
}

pub fn any(world: &World) -> BoxedStrategy<Step> {
    let disk = || pick(world.disks.iter().map(|disk| disk.is_there && disk.ever_attached));
    let group = pick(world.groups.iter().map(|group| group.is_there));
    prop_oneof![
        3 => (disk(), disk()).prop_map(|(one, other)| Step::Create(one, other)),
        1 => (group.clone(), 0..3_u8).prop_map(|(group, name)| Step::Rename { group, name }),
        2 => group.prop_map(Step::Delete),
    ]
    .boxed()
}

#[derive(Clone, Debug)]
pub struct Group {
    pub is_there: bool,
    pub name: String,
    pub status: &'static str,
    pub finish: Option<i64>,
}

impl World {
    pub fn group(&mut self, step: Step) -> Outcome {
        match step {
            Step::Create(one, other) => self.create_group(one, other),
            Step::Rename { group, name } => {
                self.find_group(group)?;
                self.groups[group].name = name_of(name);
                Ok(())
            }
            Step::Delete(group) => self.delete_group(group),
        }
    }

    fn find_group(&self, nth: Nth) -> Outcome {
        let is_there = self.groups.get(nth).is_some_and(|group| group.is_there);
        if is_there { Ok(()) } else { Err("InvalidSnapshotGroup.NotFound") }
    }

    fn create_group(&mut self, one: Nth, other: Nth) -> Outcome {
        let mut disks = vec![one, other];
        disks.dedup();
        for disk in &disks {
            self.disk(*disk)?;
        }
        for disk in &disks {
            self.may_be_snapshotted(*disk)?;
        }
        let nth = self.groups.len();
        for disk in disks {
            self.begin_snapshot(disk, Origin::Group(nth));
            if let Some(snapshot) = self.snapshots.last_mut() {
                snapshot.names_instance = self.disks[disk].on.is_some();
            }
        }
        let finish = Some(self.now + SNAPSHOT);
        self.groups.push(Group { is_there: true, name: String::new(), status: "progressing", finish });
        Ok(())
    }

    fn members(&self, group: Nth) -> Vec<Nth> {
        let is_one = |nth: &Nth| self.snapshots[*nth].is_there && self.snapshots[*nth].group == Some(group);
        (0..self.snapshots.len()).filter(is_one).collect()
    }

    /// All that nothing stands in the way of leave, the others stand alone; where none can leave nothing happens.
    fn delete_group(&mut self, nth: Nth) -> Outcome {
        self.find_group(nth)?;
        let members = self.members(nth);
        if members.iter().any(|member| self.is_held(*member)) {
            return Err("Operation.Conflict");
        }
        let verdicts: Vec<Outcome> = members.iter().map(|member| self.may_be_deleted(*member, false)).collect();
        if let Some(Err(last)) = verdicts.last()
            && verdicts.iter().all(Result::is_err)
        {
            return Err(if *last == "InvalidOperation.SnapshotLocked" { "Operation.Forbidden" } else { last });
        }
        for (member, verdict) in members.into_iter().zip(verdicts) {
            self.snapshots[member].group = None;
            if verdict.is_ok() {
                self.remove_snapshot(member);
            }
        }
        let group = &mut self.groups[nth];
        (group.is_there, group.finish) = (false, None);
        Ok(())
    }

    pub fn finish_group(&mut self, nth: Nth) {
        let group = &mut self.groups[nth];
        (group.status, group.finish) = ("accomplished", None);
    }
}

fn name_of(number: u8) -> String {
    format!("group-{number}")
}

pub fn call(ids: &Ids, step: Step) -> Call {
    let group = |nth| ("SnapshotGroupId", ids.group(nth));
    match step {
        Step::Create(one, other) => {
            ("CreateSnapshotGroup", vec![("DiskId.1", ids.disk(one)), ("DiskId.2", ids.disk(other))])
        }
        Step::Rename { group: nth, name } => ("ModifySnapshotGroup", vec![group(nth), ("Name", name_of(name))]),
        Step::Delete(nth) => ("DeleteSnapshotGroup", vec![group(nth)]),
    }
}

/// Compares the groups and who is in them.
pub async fn compare(daemon: &Daemon, world: &World, step: &super::Move) {
    let wanted = world.groups.iter().enumerate().filter(|(_, group)| group.is_there).map(|(nth, group)| {
        let mut members: Vec<String> =
            world.members(nth).into_iter().map(|member| daemon.ids.snapshot(member)).collect();
        members.sort();
        format!("{} {} {} {members:?}", daemon.ids.group(nth), group.status, group.name)
    });
    let groups = daemon.app.ok("DescribeSnapshotGroups", &[("RegionId", REGION), ("MaxResults", "100")]).await;
    let shown = list(&groups, "/SnapshotGroups/SnapshotGroup", |row| {
        let mut members = list(&row["Snapshots"], "/Snapshot", |member| field(member, "SnapshotId").to_owned());
        members.sort();
        format!("{} {} {} {members:?}", field(row, "SnapshotGroupId"), field(row, "Status"), field(row, "Name"))
    });
    same(wanted, shown, step);
}
