//! Instances and the disks that come and go with them, the calls and their rules; never what the daemon answers.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::moves::{Nth, pick};
use super::reference::{DISK_SIZE, Disk, Outcome, World};
use super::tasks::{CLONE, Work};
use super::{Call, Daemon, PAGE, field, list, same};
use crate::support::answer::text;

pub const INSTANCE: i64 = 1;
/// GiB that a system disk of each performance level has at least.
const LEAST_SYSTEM_DISKS: [i64; 4] = [DISK_SIZE, DISK_SIZE, 461, 1_261];

/// The data disk of a new instance: none, an empty one that goes along or stays, one of a snapshot.
#[derive(Clone, Copy, Debug)]
pub enum Data {
    None,
    Empty { stays: bool },
    From(Nth),
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// RunInstances: one or two.
    Run {
        amount: usize,
        data: Data,
    },
    Create(Data),
    Start(Nth),
    Stop(Nth),
    Reboot(Nth),
    Delete {
        instance: Nth,
        force: bool,
    },
    /// ReplaceSystemDisk, from the base image.
    Replace(Nth),
    /// CloneDisks, with so many GiB more.
    Clone {
        disk: Nth,
        more: i64,
    },
}

pub fn any(world: &World) -> BoxedStrategy<Step> {
    let instance = || pick(world.instances.iter().map(|instance| instance.is_there));
    let of_status = |status| {
        let is_it = world.instances.iter().map(|instance| instance.is_there && instance.status == status);
        pick(is_it)
    };
    let disk = pick(world.disks.iter().map(|disk| disk.is_there));
    let data = || {
        let snapshot = pick(world.snapshots.iter().map(|snapshot| snapshot.is_there));
        prop_oneof![
            2 => Just(Data::None),
            2 => proptest::bool::ANY.prop_map(|stays| Data::Empty { stays }),
            1 => snapshot.prop_map(Data::From),
        ]
    };
    prop_oneof![
        2 => (1..3_usize, data()).prop_map(|(amount, data)| Step::Run { amount, data }),
        1 => data().prop_map(Step::Create),
        6 => of_status("Running").prop_map(Step::Stop),
        4 => of_status("Stopped").prop_map(Step::Start),
        2 => instance().prop_map(Step::Reboot),
        3 => (instance(), proptest::bool::ANY).prop_map(|(instance, force)| Step::Delete { instance, force }),
        2 => of_status("Stopped").prop_map(Step::Replace),
        3 => (disk, prop_oneof![4 => Just(0_i64), 1 => Just(10), 1 => Just(-10)])
            .prop_map(|(disk, more)| Step::Clone { disk, more }),
    ]
    .boxed()
}

#[derive(Clone, Debug)]
pub struct Instance {
    pub is_there: bool,
    pub status: &'static str,
    pub until: Option<i64>,
    /// When it was started last.
    pub start: Option<i64>,
}

impl World {
    pub fn instance(&mut self, step: Step) -> Outcome {
        match step {
            Step::Run { amount, data } => self.launch(amount, data, "Pending"),
            Step::Create(data) => self.launch(1, data, "Stopped"),
            Step::Start(nth) => self.start_instance(nth),
            Step::Stop(nth) => {
                if self.find_instance(nth)?.status == "Running" {
                    self.is_settled(nth)?;
                }
                self.change_instance(nth, "Stopping", INSTANCE)
            }
            Step::Reboot(nth) => {
                if self.find_instance(nth)?.status == "Running" {
                    self.is_settled(nth)?;
                }
                self.change_instance(nth, "Starting", 2 * INSTANCE)
            }
            Step::Delete { instance, force } => self.delete_instance(instance, force),
            Step::Replace(nth) => self.replace_system_disk(nth),
            Step::Clone { disk, more } => self.clone_disk(disk, more),
        }
    }

    fn find_instance(&self, nth: Nth) -> Result<&Instance, &'static str> {
        self.instances.get(nth).filter(|instance| instance.is_there).ok_or("InvalidInstanceId.NotFound")
    }

    pub fn is_instance_ready(&self, nth: Nth) -> Outcome {
        let is_ready = matches!(self.find_instance(nth)?.status, "Running" | "Stopped");
        if is_ready { Ok(()) } else { Err("IncorrectInstanceStatus") }
    }

    /// The instance that has the disk.
    pub fn host(&self, disk: Nth) -> Option<&Instance> {
        self.disks[disk].on.map(|nth| &self.instances[nth])
    }

    pub fn host_status(&self, disk: Nth) -> Option<&'static str> {
        self.host(disk).map(|host| host.status)
    }

    /// The disks of an instance, the system disk first.
    fn disks_of(&self, nth: Nth) -> Vec<Nth> {
        let is_one = |disk: &Nth| self.disks[*disk].is_there && self.disks[*disk].on == Some(nth);
        let mut disks: Vec<Nth> = (0..self.disks.len()).filter(is_one).collect();
        disks.sort_by_key(|disk| !self.disks[*disk].is_system);
        disks
    }

    fn is_settled(&self, nth: Nth) -> Outcome {
        let is_moving = |disk: Nth| matches!(self.disks[disk].status, "Attaching" | "Detaching");
        if self.disks_of(nth).into_iter().any(is_moving) { Err("DiskError") } else { Ok(()) }
    }

    fn launch(&mut self, amount: usize, data: Data, status: &'static str) -> Outcome {
        if let Data::From(nth) = data {
            let snapshot = self.snapshot(nth).map_err(|_| "InvalidDataDiskSnapshotId.NotFound")?;
            if self.is_being_archived(nth) {
                return Err("OperationConflict");
            }
            if snapshot.is_archived {
                return Err("OperationDenied.SnapshotNotAllowed");
            }
            if self.disks[snapshot.disk].is_system {
                return Err("InvalidSnapshotId.NotDataDiskSnapshot");
            }
        }
        for _ in 0..amount {
            let until = (status == "Pending").then_some(self.now + INSTANCE);
            self.instances.push(Instance { is_there: true, status, until, start: None });
            let on = self.instances.len() - 1;
            self.disks.push(Disk::of_instance(on, true));
            match data {
                Data::None => {}
                Data::Empty { stays } => self.disks.push(Disk { goes_along: !stays, ..Disk::of_instance(on, false) }),
                Data::From(nth) => {
                    let (source, size) = (Some(nth), self.snapshots[nth].size);
                    self.disks.push(Disk { source, refers: true, size, ..Disk::of_instance(on, false) });
                }
            }
        }
        Ok(())
    }

    fn change_instance(&mut self, nth: Nth, to: &'static str, time: i64) -> Outcome {
        let from = if to == "Starting" && time == INSTANCE { "Stopped" } else { "Running" };
        if self.find_instance(nth)?.status != from {
            return Err("IncorrectInstanceStatus");
        }
        let until = Some(self.now + time);
        let instance = &mut self.instances[nth];
        (instance.status, instance.until) = (to, until);
        Ok(())
    }

    fn start_instance(&mut self, nth: Nth) -> Outcome {
        match self.find_instance(nth)?.status {
            "Stopped" => {}
            "Pending" => return Err("InstanceNotReady"),
            _ => return Err("IncorrectInstanceStatus"),
        }
        let disks = self.disks_of(nth);
        if !disks.iter().any(|disk| self.disks[*disk].is_system) {
            return Err("InvalidInstance.NotFoundSystemDisk");
        }
        if disks.into_iter().any(|disk| self.is_busy(disk)) {
            return Err("Operation.Conflict");
        }
        self.is_settled(nth)?;
        self.change_instance(nth, "Starting", INSTANCE)
    }

    pub fn finish_instance(&mut self, nth: Nth) {
        let instance = &mut self.instances[nth];
        instance.until = None;
        if instance.status == "Stopping" {
            instance.status = "Stopped";
            return;
        }
        (instance.status, instance.start) = ("Running", Some(self.now));
        for disk in self.disks_of(nth) {
            self.disks[disk].unstarted = false;
        }
    }

    fn delete_instance(&mut self, nth: Nth, force: bool) -> Outcome {
        match self.find_instance(nth)?.status {
            "Stopped" => {}
            "Pending" => return Err("IncorrectInstanceStatus.Initializing"),
            _ if force => {}
            _ => return Err("IncorrectInstanceStatus"),
        }
        let disks = self.disks_of(nth);
        if disks.iter().any(|disk| self.is_disk_held(*disk)) {
            return Err("Operation.Conflict");
        }
        for disk in disks {
            if self.disks[disk].goes_along {
                self.release_disk(disk);
            } else {
                let disk = &mut self.disks[disk];
                (disk.on, disk.until, disk.status) = (None, None, "Available");
            }
        }
        let instance = &mut self.instances[nth];
        (instance.is_there, instance.until) = (false, None);
        Ok(())
    }

    /// Two system disks on one instance, or disks whose snapshots need each other, leave an order to the daemon: the test
    /// does not ask.
    pub fn is_order_clear(&self, step: Step) -> bool {
        let (Step::Delete { instance, .. } | Step::Replace(instance)) = step else { return true };
        let disks = self.disks_of(instance);
        let systems = disks.iter().filter(|disk| self.disks[**disk].is_system).count();
        let sources: BTreeSet<Nth> = disks.iter().filter_map(|disk| self.disks[*disk].source).collect();
        systems <= 1 && sources.iter().all(|source| !disks.contains(&self.snapshots[*source].disk))
    }

    fn replace_system_disk(&mut self, nth: Nth) -> Outcome {
        match self.find_instance(nth)?.status {
            "Stopped" => {}
            "Pending" => return Err("OperationDenied.InstanceCreating"),
            _ => return Err("IncorrectInstanceStatus"),
        }
        let disks = self.disks_of(nth);
        let Some(old) = disks.into_iter().find(|disk| self.disks[*disk].is_system) else {
            return Err("InvalidInstance.NotFoundSystemDisk");
        };
        if self.is_being_modified(old) {
            return Err("InvalidSystemDiskStatus.IsTransfering");
        }
        if self.is_disk_held(old) {
            return Err("Operation.Conflict");
        }
        if self.disks[old].status != "In_use" {
            return Err("IncorrectDiskStatus");
        }
        if self.unfinished(old) > 0 {
            return Err("DiskCreatingSnapshot");
        }
        let known = self.disks[old].clone();
        self.release_disk(old);
        let (goes_along, takes_automatic, may_be_taken) = (known.goes_along, known.takes_automatic, known.may_be_taken);
        let level = known.level;
        let disk = Disk::of_instance(nth, true);
        let size = LEAST_SYSTEM_DISKS[level];
        self.disks.push(Disk { size, level, may_be_taken, takes_automatic, goes_along, ..disk });
        self.inherit_marks(old, self.disks.len() - 1);
        Ok(())
    }

    fn clone_disk(&mut self, nth: Nth, more: i64) -> Outcome {
        let source = self.disk(nth)?;
        if self.is_busy(nth) {
            return Err("Operation.Conflict");
        }
        if !matches!(source.status, "In_use" | "Available") {
            return Err("IncorrectDiskStatus");
        }
        if more < 0 {
            return Err("InvalidDiskSize.TooSmall");
        }
        let size = source.size + more;
        self.disks.push(Disk {
            status: "Creating",
            on: None,
            ever_attached: false,
            until: Some(self.now + CLONE),
            size,
            goes_along: false,
            clone_of: Some(nth),
            is_clone: true,
            ..Disk::of_instance(0, false)
        });
        self.begin_task(Work::Clone(self.disks.len() - 1));
        Ok(())
    }
}

pub fn call(daemon: &Daemon, world: &World, step: Step) -> Call {
    let on = |instance| ("InstanceId", daemon.instance(instance));
    let launched = |data: Data| {
        let base = [
            ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
            ("InstanceType", "ecs.g7.large"),
            ("ZoneId", "cn-hangzhou-h"),
        ];
        let mut params: Vec<(&'static str, String)> =
            base.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        match data {
            Data::None => {}
            Data::Empty { stays } => {
                params.push(("DataDisk.1.Size", DISK_SIZE.to_string()));
                params.push(("DataDisk.1.DeleteWithInstance", (!stays).to_string()));
            }
            Data::From(snapshot) => params.push(("DataDisk.1.SnapshotId", daemon.snapshot(snapshot))),
        }
        params
    };
    match step {
        Step::Run { amount, data } => ("RunInstances", [launched(data), vec![("Amount", amount.to_string())]].concat()),
        Step::Create(data) => ("CreateInstance", launched(data)),
        Step::Start(nth) => ("StartInstance", vec![on(nth)]),
        Step::Stop(nth) => ("StopInstance", vec![on(nth)]),
        Step::Reboot(nth) => ("RebootInstance", vec![on(nth)]),
        Step::Delete { instance, force } => ("DeleteInstance", vec![on(instance), ("Force", force.to_string())]),
        Step::Replace(nth) => {
            let image = ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd".to_owned());
            ("ReplaceSystemDisk", vec![on(nth), image])
        }
        Step::Clone { disk, more } => {
            let size = world.disks.get(disk).map_or(DISK_SIZE, |disk| disk.size) + more;
            let fixed = [("DiskCategory", "cloud_essd"), ("PerformanceLevel", "PL1"), ("MultiAttach", "Disabled")];
            let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
            ("CloneDisks", [&[("SourceDiskId", daemon.disk(disk)), ("Size", size.to_string())], &fixed[..]].concat())
        }
    }
}

/// Learns the ids of what the step made, which its answer does not tell.
pub async fn remember(daemon: &mut Daemon, world: &World, step: Step, body: &Value) {
    match step {
        Step::Run { .. } => {
            let ids = body.pointer("/InstanceIdSets/InstanceIdSet").and_then(Value::as_array).expect("ids");
            daemon.instances.extend(ids.iter().map(|id| id.as_str().expect("an id").to_owned()));
        }
        Step::Create(_) => daemon.instances.push(text(body, "/InstanceId")),
        Step::Replace(_) => daemon.disks.push(text(body, "/DiskId")),
        Step::Clone { .. } => {
            let tasks = daemon.app.ok("DescribeTasks", &PAGE).await;
            let ids = list(&tasks, "/TaskSet/Task", |row| field(row, "TaskId").to_owned());
            let new = ids.into_iter().find(|id| !daemon.tasks.contains(id)).expect("its task");
            daemon.tasks.push(new);
        }
        _ => return,
    }
    let shown = daemon.app.ok("DescribeDisks", &PAGE).await;
    let rows = shown.pointer("/Disks/Disk").and_then(Value::as_array).expect("a list");
    for disk in &world.disks[daemon.disks.len()..] {
        let on = disk.on.map_or("", |on| daemon.instances[on].as_str());
        let kind = if disk.is_system { "system" } else { "data" };
        let is_it = |row: &&Value| {
            let is_known = daemon.disks.iter().any(|known| known == field(row, "DiskId"));
            !is_known && field(row, "InstanceId") == on && field(row, "Type") == kind
        };
        let id = rows.iter().find(is_it).map(|row| field(row, "DiskId").to_owned());
        daemon.disks.push(id.expect("its disk"));
    }
}

/// Compares the instances.
pub async fn compare(daemon: &Daemon, world: &World, step: &super::Move) {
    let wanted = world.instances.iter().enumerate().filter(|(_, instance)| instance.is_there);
    let wanted = wanted.map(|(nth, instance)| format!("{} {}", daemon.instances[nth], instance.status));
    let instances = daemon.app.ok("DescribeInstances", &PAGE).await;
    let shown =
        list(&instances, "/Instances/Instance", |row| format!("{} {}", field(row, "InstanceId"), field(row, "Status")));
    same(wanted, shown, step);
}
