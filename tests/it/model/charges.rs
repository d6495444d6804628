//! How instances and disks are paid for: ModifyDiskChargeType and its rules, and what an account uses; never what the daemon
//! answers.

use proptest::prelude::*;

use super::ids::Ids;
use super::moves::{Call, Nth, pick};
use super::reference::{Disk, Outcome, World};
use super::shown::{field, list, same};
use super::{Daemon, Move};
use crate::support::REGION;

/// Seconds after a change in which there is no other.
const COOLING: i64 = 300;
/// Of an instance.
const PROCESSORS: usize = 2;

#[derive(Clone, Copy, Debug)]
pub struct Step {
    instance: Nth,
    disks: [Nth; 2],
    is_prepaid: bool,
}

/// Whether it is a data disk of an instance that is paid for in advance.
fn is_fit(world: &World, disk: &Disk) -> bool {
    disk.is_there && !disk.is_system && disk.on.is_some_and(|on| world.instances[on].is_prepaid)
}

/// How often it is tried beside the other moves.
pub fn weight(world: &World) -> u32 {
    if world.disks.iter().any(|disk| is_fit(world, disk)) { 10 } else { 2 }
}

pub fn any(world: &World) -> BoxedStrategy<Step> {
    let hosts: Vec<Option<Nth>> = world.disks.iter().map(|disk| disk.on).collect();
    let instance = pick(world.instances.iter().map(|instance| instance.is_there && instance.is_prepaid));
    let disk = pick(world.disks.iter().map(|disk| is_fit(world, disk)));
    let any = (instance, proptest::array::uniform2(disk), proptest::bool::ANY);
    any.prop_map(move |(instance, disks, is_prepaid)| {
        let instance = hosts.get(disks[0]).copied().flatten().unwrap_or(instance);
        Step { instance, disks, is_prepaid }
    })
    .boxed()
}

impl Disk {
    pub fn charge(&self) -> &'static str {
        name_of(self.is_prepaid)
    }
}

pub fn name_of(is_prepaid: bool) -> &'static str {
    if is_prepaid { "PrePaid" } else { "PostPaid" }
}

impl World {
    /// All disks or none.
    pub fn charge(&mut self, Step { instance, disks, is_prepaid }: Step) -> Outcome {
        if !self.find_instance(instance)?.is_prepaid {
            return Err("ChargeTypeViolation");
        }
        for disk in disks {
            self.may_be_charged(disk, instance)?;
        }
        for nth in disks {
            let disk = &mut self.disks[nth];
            if disk.is_prepaid != is_prepaid {
                // What is paid in advance stays with its instance.
                (disk.is_prepaid, disk.is_portable, disk.charged) = (is_prepaid, !is_prepaid, Some(self.now));
            }
        }
        Ok(())
    }

    fn may_be_charged(&self, nth: Nth, instance: Nth) -> Outcome {
        let disk = self.disk(nth)?;
        if disk.is_system {
            return Err("DiskTypeViolation");
        }
        if disk.on != Some(instance) {
            return Err("DependencyViolation");
        }
        if disk.status != "In_use" {
            return Err("IncorrectDiskStatus");
        }
        if self.is_disk_held(nth) {
            return Err("Operation.Conflict");
        }
        if disk.charged.is_some_and(|charged| self.now - charged < COOLING) {
            return Err("DiskInCoolingPeriod");
        }
        Ok(())
    }
}

pub fn call(ids: &Ids, Step { instance, disks: [one, other], is_prepaid }: Step) -> Call {
    let disks = format!("[\"{}\",\"{}\"]", ids.disk(one), ids.disk(other));
    let charge = ("DiskChargeType", name_of(is_prepaid).to_owned());
    ("ModifyDiskChargeType", vec![("InstanceId", ids.instance(instance)), ("DiskIds", disks), charge])
}

/// Compares at every other turn what the account uses and does not pay for in advance: processors, and GiB of disks of the
/// one kind in the one zone.
pub async fn compare(daemon: &Daemon, world: &World, step: &Move) {
    if daemon.turn.is_multiple_of(2) {
        return;
    }
    let names = ["used-postpaid-instance-vcpu-count", "used-postpaid-yundisk-capacity"];
    let params = [("RegionId", REGION), ("AttributeName.1", names[0]), ("AttributeName.2", names[1])];
    let shown = daemon.app.ok("DescribeAccountAttributes", &params).await;
    let shown = list(&shown, "/AccountAttributeItems/AccountAttributeItem", |row| {
        let values = list(row, "/AttributeValues/ValueItem", |value| field(value, "Value").to_owned());
        format!("{} {values:?}", field(row, "AttributeName"))
    });
    let instances = world.instances.iter().filter(|instance| instance.is_there && !instance.is_prepaid).count();
    let sizes = world.disks.iter().filter(|disk| disk.is_there && !disk.is_prepaid).map(|disk| disk.size);
    let sum = (sizes.clone().count() > 0).then(|| sizes.sum::<i64>().to_string());
    let wanted = [vec![(PROCESSORS * instances).to_string()], sum.into_iter().collect()];
    same(names.iter().zip(wanted).map(|(name, values)| format!("{name} {values:?}")), shown, step);
}
