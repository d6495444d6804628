//! Instances and the disks that come and go with them, the calls and their rules; never what the daemon answers.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::ids::Ids;
use super::moves::{Call, Nth, pick};
use super::reference::{DISK_SIZE, Disk, Outcome, World};
use super::shown::{field, list, same};
use super::tasks::{CLONE, Work};
use super::{Daemon, PAGE, charges};
use crate::support::REGION;

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
        is_prepaid: bool,
    },
    Create {
        data: Data,
        is_prepaid: bool,
    },
    Start(Nth),
    Stop(Nth),
    Reboot(Nth),
    /// With Force and TerminateSubscription, or with neither.
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
        2 => (1..3_usize, data(), proptest::bool::ANY)
            .prop_map(|(amount, data, is_prepaid)| Step::Run { amount, data, is_prepaid }),
        1 => (data(), proptest::bool::ANY).prop_map(|(data, is_prepaid)| Step::Create { data, is_prepaid }),
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
    pub is_prepaid: bool,
}

impl World {
    pub fn instance(&mut self, step: Step) -> Outcome {
        match step {
            Step::Run { amount, data, is_prepaid } => self.launch(amount, data, is_prepaid, "Pending"),
            Step::Create { data, is_prepaid } => self.launch(1, data, is_prepaid, "Stopped"),
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

    pub fn find_instance(&self, nth: Nth) -> Result<&Instance, &'static str> {
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

    fn launch(&mut self, amount: usize, data: Data, is_prepaid: bool, status: &'static str) -> Outcome {
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
            self.instances.push(Instance { is_there: true, status, until, start: None, is_prepaid });
            let on = self.instances.len() - 1;
            self.disks.push(Disk::of_instance(on, true, is_prepaid));
            let disk = Disk::of_instance(on, false, is_prepaid);
            match data {
                Data::None => {}
                Data::Empty { stays } => self.disks.push(Disk { goes_along: !stays, ..disk }),
                Data::From(nth) => {
                    let (source, size) = (Some(nth), self.snapshots[nth].size);
                    self.disks.push(Disk { source, refers: true, size, ..disk });
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
        if self.find_instance(nth)?.is_prepaid && !force {
            return Err("ChargeTypeViolation");
        }
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
            if self.disks[disk].goes_along || !self.disks[disk].is_portable {
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
        self.disks.push(Disk {
            size: LEAST_SYSTEM_DISKS[known.level],
            level: known.level,
            may_be_taken: known.may_be_taken,
            takes_automatic: known.takes_automatic,
            goes_along: known.goes_along,
            ..Disk::of_instance(nth, true, known.is_prepaid)
        });
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
        let clone_of = Some(nth);
        self.disks.push(Disk { clone_of, is_clone: true, ..Disk::alone(size, self.now + CLONE) });
        self.begin_task(Work::Clone(self.disks.len() - 1));
        Ok(())
    }
}

pub fn call(ids: &Ids, world: &World, step: Step) -> Call {
    let on = |instance| ("InstanceId", ids.instance(instance));
    let launched = |data: Data, is_prepaid: bool| {
        let base = [
            ("InstanceChargeType", charges::name_of(is_prepaid)),
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
            Data::From(snapshot) => params.push(("DataDisk.1.SnapshotId", ids.snapshot(snapshot))),
        }
        params
    };
    match step {
        Step::Run { amount, data, is_prepaid } => {
            ("RunInstances", [launched(data, is_prepaid), vec![("Amount", amount.to_string())]].concat())
        }
        Step::Create { data, is_prepaid } => ("CreateInstance", launched(data, is_prepaid)),
        Step::Start(nth) => ("StartInstance", vec![on(nth)]),
        Step::Stop(nth) => ("StopInstance", vec![on(nth)]),
        Step::Reboot(nth) => ("RebootInstance", vec![on(nth)]),
        Step::Delete { instance, force } => {
            let forced = ["Force", "TerminateSubscription"].map(|name| (name, force.to_string()));
            ("DeleteInstance", [&[on(instance)], &forced[..]].concat())
        }
        Step::Replace(nth) => {
            let image = ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd".to_owned());
            ("ReplaceSystemDisk", vec![on(nth), image])
        }
        Step::Clone { disk, more } => {
            let size = world.disks.get(disk).map_or(DISK_SIZE, |disk| disk.size) + more;
            let fixed = [("DiskCategory", "cloud_essd"), ("PerformanceLevel", "PL1"), ("MultiAttach", "Disabled")];
            let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
            ("CloneDisks", [&[("SourceDiskId", ids.disk(disk)), ("Size", size.to_string())], &fixed[..]].concat())
        }
    }
}

/// Compares the instances, and at every other turn their statuses alone.
pub async fn compare(daemon: &Daemon, world: &World, step: &super::Move) {
    let wanted = world.instances.iter().enumerate().filter(|(_, instance)| instance.is_there);
    let wanted = wanted.map(|(nth, instance)| format!("{} {}", daemon.ids.instance(nth), instance.status));
    let line = |row: &Value| format!("{} {}", field(row, "InstanceId"), field(row, "Status"));
    let instances = daemon.app.ok("DescribeInstances", &PAGE).await;
    same(wanted.clone(), list(&instances, "/Instances/Instance", line), step);
    if daemon.turn.is_multiple_of(2) {
        let page = [("RegionId", REGION), ("PageSize", "50")];
        let statuses = daemon.app.ok("DescribeInstanceStatus", &page).await;
        same(wanted, list(&statuses, "/InstanceStatuses/InstanceStatus", line), step);
    }
}
