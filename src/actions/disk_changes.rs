//! What brings a disk's content back: ReInitDisk and ResetDisk; no SQL, no transport.

use serde::Deserialize;

use crate::api::action::{Action, Entry, write};
use crate::api::common::{Empty, check_kms_key, check_one_of};
use crate::faults::{Fault, fault};
use crate::store::disks::{self, Examined};
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use crate::store::{image_shares, images, instances, snapshots};

pub static ACTIONS: [Entry; 2] = [write::<ReInitDisk>(), write::<ResetDisk>()];

/// Puts a disk back to what it was made from: its image, its snapshot, or nothing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReInitDisk {
    disk_id: String,
    #[serde(default)]
    auto_start_instance: bool,
    security_enhancement_strategy: Option<String>,
}

impl Action for ReInitDisk {
    const NAME: &'static str = "ReInitDisk";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        let strategies = ["active", "deactive"];
        check_one_of(self.security_enhancement_strategy.as_deref(), &strategies, "InvalidParameter")
            .map_err(|_| Fault::invalid("SecurityEnhancementStrategy"))
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.disk_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(found) = disks::find(tx, &self.disk_id).await? else {
            return Err(fault("InvalidDiskId.NotFound"));
        };
        if found.is_held() {
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
            tx.lock_rows(&RowLocks::shared(source))?;
            if row_locks::is_held(tx, source, Mode::Shared).await? {
                return Err(fault("Operation.Conflict"));
            }
        }
        if disk.is_system() && images::find(tx, &disk.image_id).await?.is_none() {
            let was_shared = image_shares::is_of_another(tx, &disk.image_id).await?;
            return Err(fault(if was_shared { "SharedImageDeleted" } else { "InvalidImageId.NotFound" }));
        }
        // Effect
        if !disks::set_status(tx, disk, "ReIniting", "Disk:ReInitDiskStarted").await? {
            return Err(fault("Operation.Conflict"));
        }
        hold_while_rewritten(tx, &disk.disk_id, source).await?;
        let due = tx.now.plus_millis(tx.config().lifecycle.reinit_ms.into());
        timers::set(tx, TimerKind::DiskFinish, &disk.disk_id, due).await?;
        if let (true, Some(instance_id)) = (self.auto_start_instance, &found.instance_id) {
            start_after(tx, instance_id, due).await?;
        }
        Ok(Empty {})
    }
}

fn may_be_reinitialised(found: &Examined) -> Result<(), Fault> {
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

/// Rolls a disk back to one of its own snapshots; its size goes back too.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResetDisk {
    disk_id: String,
    snapshot_id: String,
    #[serde(default)]
    dry_run: bool,
}

impl Action for ResetDisk {
    const NAME: &'static str = "ResetDisk";
    type Response = Empty;

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.disk_id).and(&self.snapshot_id, Mode::Shared)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(found) = disks::find(tx, &self.disk_id).await? else {
            return Err(fault("InvalidDiskId.NotFound"));
        };
        let Some(source) = snapshots::find(tx, &self.snapshot_id).await? else {
            return Err(fault("InvalidSnapshotId.NotFound"));
        };
        if found.is_held() {
            let by_itself = row_locks::is_held_by(tx, &self.disk_id, &self.disk_id).await?;
            let is_resetting = by_itself && found.disk.status != "ReIniting";
            return Err(fault(if is_resetting {
                "InvalidOperation.DiskResetInProgress"
            } else {
                "Operation.Conflict"
            }));
        }
        if source.is_held_exclusively() {
            return Err(fault("Operation.Conflict"));
        }
        if source.snapshot.source_disk_id != self.disk_id || source.snapshot.is_copy() {
            return Err(fault("InvalidParameter.Mismatch"));
        }
        if source.snapshot.is_archived() {
            return Err(fault("OperationDenied"));
        }
        may_be_reset(&found)?;
        check_kms_key(tx, &found.disk.kms_key_id)?;
        if !source.snapshot.is_accomplished() {
            return Err(fault("InvalidSnapshotId.NotReady"));
        }
        // Effect: the status stays as it is, the lock tells of the task
        let mut disk = found.disk;
        disk.size = source.snapshot.source_disk_size;
        disks::update(tx, &disk, "Disk:ResetDiskStarted").await?;
        hold_while_rewritten(tx, &self.disk_id, &self.snapshot_id).await?;
        let due = tx.now.plus_millis(tx.config().lifecycle.reset_ms.into());
        timers::set(tx, TimerKind::DiskFinish, &self.disk_id, due).await?;
        Ok(Empty {})
    }
}

fn may_be_reset(found: &Examined) -> Result<(), Fault> {
    if !matches!(found.disk.status.as_str(), "In_use" | "Available") {
        return Err(fault("IncorrectDiskStatus"));
    }
    if found.instance_status.as_deref().is_some_and(|status| status != "Stopped") {
        return Err(fault("IncorrectInstanceStatus"));
    }
    if found.unfinished_snapshots > 0 {
        return Err(fault("IncorrectDiskStatus.HasUnfinishedSnapshot"));
    }
    Ok(())
}
