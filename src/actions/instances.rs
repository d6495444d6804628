//! Instances, as far as disks need them: started, stopped, rebooted and deleted here, made in `launch`; no SQL.

mod address;
mod create;
mod describe;
mod disk_params;
mod launch;
mod naming;
mod plans;
mod run;
mod status;

use serde::Deserialize;

use crate::actions::disks::release;
use crate::api::action::{Action, Entry, read, write, write_once};
use crate::api::common::{Empty, IN_ARREARS, check_kms_key, check_paid, check_unlocked, spelled};
use crate::api::older::check_lifted;
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::disks::changes::{self, History};
use crate::store::disks::{self, Examined};
use crate::store::instances::{self, Instance};
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use create::CreateInstance;
use describe::DescribeInstances;
pub use describe::{LOCK_REASONS, nominal};
pub use disk_params::{ALGORITHMS, check_algorithm};
pub use launch::{check_key_pair, default_host_name, is_arm, is_password};
pub use plans::{encryption, inherited_key};
use run::RunInstances;
use status::DescribeInstanceStatus;

pub static ACTIONS: [Entry; 8] = [
    write_once::<RunInstances>(),
    write_once::<CreateInstance>(),
    write::<RebootInstance>(),
    read::<DescribeInstanceStatus>(),
    write::<StartInstance>(),
    write::<StopInstance>(),
    write::<DeleteInstance>(),
    read::<DescribeInstances>(),
];

/// The instance, if nothing holds or locks it; `unpaid` is the action's code for one that is not paid for, if it has one.
async fn find(tx: &mut Tx<'_>, instance_id: &str, unpaid: Option<&'static str>) -> Result<Instance, Fault> {
    let Some(found) = instances::find(tx, instance_id).await? else {
        return Err(fault("InvalidInstanceId.NotFound"));
    };
    check_unlocked(found.lock())?;
    unpaid.map_or(Ok(()), |code| check_paid(found.lock(), code))?;
    if found.holds.is_held() { Err(fault("Operation.Conflict")) } else { Ok(found.instance) }
}

/// Starts an instance that is Stopped.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StartInstance {
    instance_id: String,
    #[serde(default)]
    dry_run: bool,
}

impl Action for StartInstance {
    const NAME: &'static str = "StartInstance";
    type Response = Empty;

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let instance = find(tx, &self.instance_id, Some("InstanceExpired")).await?;
        match instance.status.as_str() {
            "Stopped" => {}
            "Pending" => return Err(fault("InstanceNotReady")),
            _ => return Err(fault("IncorrectInstanceStatus")),
        }
        let attached = disks::of_instance(tx, &self.instance_id).await?;
        if attached.first().is_none_or(|found| !found.disk.is_system()) {
            return Err(fault("InvalidInstance.NotFoundSystemDisk"));
        }
        if attached.iter().any(|found| found.holds.is_held_exclusively()) {
            return Err(fault("Operation.Conflict"));
        }
        check_settled(&attached)?;
        check_keys(tx, &attached)?;
        // Effect
        let due = tx.now.plus_millis(tx.config().lifecycle.instance_start_ms.into());
        change(tx, &instance, "Starting", "Not-applicable", due).await
    }
}

/// Stops an instance that is Running.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StopInstance {
    instance_id: String,
    stopped_mode: Option<String>,
    #[serde(default)]
    confirm_stop: bool,
    #[serde(default)]
    force_stop: bool,
    #[serde(default)]
    dry_run: bool,
}

impl Action for StopInstance {
    const NAME: &'static str = "StopInstance";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        let is_unknown = self.stopped_mode.is_some() && self.mode().is_none();
        if is_unknown { Err(Fault::invalid("StoppedMode")) } else { Ok(()) }
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        let instance = find(tx, &self.instance_id, Some(IN_ARREARS)).await?;
        if instance.status != "Running" {
            return Err(fault("IncorrectInstanceStatus"));
        }
        let is_unconfirmed = !self.confirm_stop && has_local_storage(&instance.instance_type);
        check_lifted(tx, is_unconfirmed, "InstanceType.ParameterMismatch")?;
        let attached = disks::of_instance(tx, &self.instance_id).await?;
        check_settled(&attached)?;
        check_keys(tx, &attached)?;
        let mode = self.mode().unwrap_or("KeepCharging");
        let due = tx.now.plus_millis(stopping(tx, self.force_stop));
        change(tx, &instance, "Stopping", mode, due).await
    }
}

impl StopInstance {
    fn mode(&self) -> Option<&'static str> {
        spelled(self.stopped_mode.as_deref(), &["StopCharging", "KeepCharging"])
    }
}

/// The families with local disks: `ecs.i2.xlarge`, `ecs.d1ne.4xlarge`.
fn has_local_storage(instance_type: &str) -> bool {
    let family = instance_type.strip_prefix("ecs.").and_then(|rest| rest.strip_prefix(['d', 'i']));
    family.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// No disk is on its way to the instance or away from it.
fn check_settled(attached: &[Examined]) -> Result<(), Fault> {
    let is_moving = |found: &Examined| matches!(found.disk.status.as_str(), "Attaching" | "Detaching");
    if attached.iter().any(is_moving) { Err(fault("DiskError")) } else { Ok(()) }
}

/// The keys of all disks can decrypt.
fn check_keys(tx: &Tx<'_>, attached: &[Examined]) -> Result<(), Fault> {
    attached.iter().try_for_each(|found| check_kms_key(tx, &found.disk.kms_key_id))
}

/// How long an instance takes to stop: no time at all where it is as if its power were cut.
fn stopping(tx: &Tx<'_>, force: bool) -> i64 {
    if force { 0 } else { tx.config().lifecycle.instance_stop_ms.into() }
}

/// Stops an instance that is Running and starts it again; meanwhile it is Starting.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RebootInstance {
    instance_id: String,
    #[serde(default)]
    force_stop: bool,
    #[serde(default)]
    dry_run: bool,
}

impl Action for RebootInstance {
    const NAME: &'static str = "RebootInstance";
    type Response = Empty;

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        let instance = find(tx, &self.instance_id, None).await?;
        if instance.status != "Running" {
            return Err(fault("IncorrectInstanceStatus"));
        }
        check_settled(&disks::of_instance(tx, &self.instance_id).await?)?;
        let starting = i64::from(tx.config().lifecycle.instance_start_ms);
        let due = tx.now.plus_millis(stopping(tx, self.force_stop) + starting);
        change(tx, &instance, "Starting", "Not-applicable", due).await
    }
}

async fn change(
    tx: &mut Tx<'_>,
    instance: &Instance,
    status: &str,
    mode: &str,
    due: Timestamp,
) -> Result<Empty, Fault> {
    if !instances::set_status(tx, instance, status, mode).await? {
        return Err(fault("IncorrectInstanceStatus"));
    }
    timers::set(tx, TimerKind::InstanceFinish, &instance.instance_id, due).await?;
    Ok(Empty {})
}

/// Deletes an instance that is Stopped, or any with Force. Its disks go with it or become free, as each says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteInstance {
    instance_id: String,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    terminate_subscription: bool,
    #[serde(default)]
    dry_run: bool,
}

impl Action for DeleteInstance {
    const NAME: &'static str = "DeleteInstance";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        let is_id = self.instance_id.starts_with(IdKind::Instance.prefix());
        if is_id { Ok(()) } else { Err(Fault::invalid("InstanceId")) }
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.instance_id)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let instance = find(tx, &self.instance_id, None).await?;
        if bool::from(instance.deletion_protection) {
            let why = "Deletion protection of the instance is on.";
            return Err(fault("InvalidOperation.DeletionProtection").with(why));
        }
        if instance.instance_charge_type == "PrePaid" && !self.terminate_subscription {
            return Err(fault("ChargeTypeViolation"));
        }
        match instance.status.as_str() {
            "Stopped" => {}
            "Pending" => return Err(fault("IncorrectInstanceStatus.Initializing")),
            _ if self.force => {}
            _ => return Err(fault("IncorrectInstanceStatus")),
        }
        let attached = disks::of_instance(tx, &self.instance_id).await?;
        let ids = attached.iter().map(|found| found.disk.disk_id.as_str());
        tx.lock_rows(&ids.fold(RowLocks::none(), |locks, id| locks.and(id, Mode::Exclusive)))?;
        if attached.iter().any(|found| found.holds.is_held()) {
            return Err(fault("Operation.Conflict"));
        }
        // Effect
        for found in &attached {
            disks::detach(tx, &found.disk.disk_id, &self.instance_id).await?;
            // A disk that another instance has as well stays with that one.
            let is_free = found.attachments <= 1;
            // What never leaves its instance goes with it: alone it could neither be attached nor deleted.
            let goes_along = bool::from(found.disk.delete_with_instance) || !bool::from(found.disk.portable);
            if is_free && goes_along {
                release(tx, &found.disk).await?;
                continue;
            }
            // Whatever was going on with it ends here, so its locks go with its timer.
            timers::clear(tx, TimerKind::DiskFinish, &found.disk.disk_id).await?;
            row_locks::release(tx, &found.disk.disk_id).await?;
            if is_free && found.disk.is_ephemeral() {
                let history = changes::history(tx, &found.disk.disk_id).await?;
                let history = History { origin_instance_id: self.instance_id.clone(), ..history };
                changes::set_history(tx, &found.disk.disk_id, &history).await?;
            }
            if is_free && !disks::set_status(tx, &found.disk, "Available", "Disk:DetachDiskCompleted").await? {
                return Err(fault("Operation.Conflict"));
            }
        }
        if instances::delete(tx, &instance).await? { Ok(Empty {}) } else { Err(fault("Operation.Conflict")) }
    }
}
