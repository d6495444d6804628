//! What puts other content on a disk: ReInitDisk here, ResetDisk(s) in `reset`, ReplaceSystemDisk in `replace`; no SQL.

mod replace;
mod reset;

use serde::Deserialize;

use crate::actions::instances::{check_key_pair, is_password};
use crate::actions::snapshots::check_age;
use crate::api::action::{Action, Entry, write, write_once};
use crate::api::common::{Empty, check_given, check_kms_key, check_one_of, check_unlocked_and_paid};
use crate::faults::{Fault, fault};
use crate::store::disks::changes;
use crate::store::disks::{self, Examined};
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use crate::store::{contents, image_shares, images, instances, snapshots};
use replace::ReplaceSystemDisk;
use reset::{ResetDisk, ResetDisks};

pub static ACTIONS: [Entry; 4] =
    [write::<ReInitDisk>(), write::<ResetDisk>(), write::<ResetDisks>(), write_once::<ReplaceSystemDisk>()];

/// Puts a disk back to what it was made from: its image, its snapshot, or nothing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReInitDisk {
    disk_id: String,
    password: Option<String>,
    key_pair_name: Option<String>,
    #[serde(default)]
    auto_start_instance: bool,
    security_enhancement_strategy: Option<String>,
}

impl Action for ReInitDisk {
    const NAME: &'static str = "ReInitDisk";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        check_given(self.password.as_deref(), is_password, "InvalidPassword.Malformed")?;
        check_strategy(self.security_enhancement_strategy.as_deref())
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.disk_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(found) = disks::find(tx, &self.disk_id).await? else {
            return Err(fault("InvalidDiskId.NotFound"));
        };
        if found.holds.is_held() {
            return Err(fault("Operation.Conflict"));
        }
        may_be_reinitialised(&found)?;
        check_kms_key(tx, &found.disk.kms_key_id)?;
        let disk = &found.disk;
        let source = disk.source_snapshot_id.as_str();
        if !source.is_empty() {
            if !disks::has_source(tx, &disk.disk_id).await? {
                return Err(fault("InvalidSourceSnapshot"));
            }
            if let Some(found) = snapshots::find_for_engine(tx, source).await? {
                check_age(&found.snapshot)?;
            }
        }
        // A snapshot of another account is not held: its owner could not see by what.
        let held = if disk.refers_to_its_source() { source } else { "" };
        if !held.is_empty() {
            tx.lock_rows(&RowLocks::shared(held))?;
            if row_locks::is_held(tx, held, Mode::Shared).await? {
                return Err(fault("Operation.Conflict"));
            }
        }
        // Documented: a clone has nothing to go back to.
        if !changes::history(tx, &disk.disk_id).await?.source_disk_id.is_empty() {
            return Err(fault("InvalidDiskId.OperationNotSupported"));
        }
        if disk.is_system() {
            let Some(found) = images::find(tx, &disk.image_id).await? else {
                let was_shared = image_shares::is_of_another(tx, &disk.image_id).await?;
                return Err(fault(if was_shared { "SharedImageDeleted" } else { "InvalidImageId.NotFound" }));
            };
            check_key_pair(self.key_pair_name.as_deref(), &found.image)?;
        }
        // Effect
        if !disks::set_status(tx, disk, "ReIniting", "Disk:ReInitDiskStarted").await? {
            return Err(fault("Operation.Conflict"));
        }
        hold_while_rewritten(tx, &disk.disk_id, held).await?;
        contents::bring_back(tx, &disk.disk_id, None).await?;
        let due = tx.now.plus_millis(tx.config().lifecycle.reinit_ms.into());
        timers::set(tx, TimerKind::DiskFinish, &disk.disk_id, due).await?;
        if let (true, Some(instance_id)) = (self.auto_start_instance, &found.instance_id) {
            start_after(tx, instance_id, due).await?;
        }
        Ok(Empty {})
    }
}

/// Refuses a strategy that is none.
fn check_strategy(strategy: Option<&str>) -> Result<(), Fault> {
    check_one_of(strategy, &["active", "deactive"], "InvalidParameter")
        .map_err(|_| Fault::invalid("SecurityEnhancementStrategy"))
}

fn may_be_reinitialised(found: &Examined) -> Result<(), Fault> {
    check_unlocked_and_paid(found.lock())?;
    if found.disk.is_ephemeral() {
        return Err(fault("DiskCategory.OperationNotSupported"));
    }
    if found.disk.multi_attach == "Enabled" {
        return Err(fault("InvalidOperation.MultiAttachDisk"));
    }
    if found.unfinished_snapshots > 0 {
        return Err(fault("DiskCreatingSnapshot"));
    }
    if found.disk.status != "In_use" {
        return Err(fault("IncorrectDiskStatus"));
    }
    let has_run = found.instance_started_once.is_some_and(bool::from);
    let is_stopped = found.instance_status.as_deref() == Some("Stopped");
    if has_run && is_stopped { Ok(()) } else { Err(fault("IncorrectInstanceStatus")) }
}

/// Starts a stopped instance as soon as its disk is ready.
async fn start_after(tx: &mut Tx<'_>, instance_id: &str, ready: crate::clock::Timestamp) -> Result<(), Fault> {
    let Some(found) = instances::find(tx, instance_id).await? else { return Ok(()) };
    if !instances::set_status(tx, &found.instance, "Starting", "").await? {
        return Err(fault("IncorrectInstanceStatus"));
    }
    let due = ready.plus_millis(tx.config().lifecycle.instance_start_ms.into());
    timers::set(tx, TimerKind::InstanceFinish, instance_id, due).await
}

/// The locks of the task, until the disk's timer ends it: nobody touches the disk, nobody deletes what it goes back to.
async fn hold_while_rewritten(tx: &mut Tx<'_>, disk_id: &str, snapshot_id: &str) -> Result<(), Fault> {
    row_locks::hold(tx, disk_id, disk_id, Mode::Exclusive).await?;
    if snapshot_id.is_empty() {
        return Ok(());
    }
    row_locks::hold(tx, snapshot_id, disk_id, Mode::Shared).await
}
