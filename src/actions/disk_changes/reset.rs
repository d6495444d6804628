//! ResetDisk and ResetDisks: disks go back to snapshots of their own, each by the same rules; no SQL, no transport.

use serde::{Deserialize, Serialize};

use super::hold_while_rewritten;
use crate::actions::snapshots::check_age;
use crate::actions::tasks::{Progress, ProgressSet};
use crate::api::action::Action;
use crate::api::common::{Empty, check_kms_key, check_snapshot_service, check_unlocked_and_paid};
use crate::faults::{Fault, fault};
use crate::store::contents;
use crate::store::disks::{self, Examined};
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::snapshots::{self, Referenced};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;

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
        let (found, source) = resettable(tx, &self.disk_id, &self.snapshot_id).await?;
        begin(tx, found, &source).await?;
        Ok(Empty {})
    }
}

/// Rolls several disks of one instance back: all or none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResetDisks {
    #[serde(default)]
    disk: Vec<Pair>,
    #[serde(default)]
    dry_run: bool,
}

/// `Disk.N`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pair {
    disk_id: String,
    snapshot_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Resetting {
    operation_progress_set: ProgressSet,
}

const MOST_DISKS: usize = 10;

impl Action for ResetDisks {
    const NAME: &'static str = "ResetDisks";
    type Response = Resetting;

    fn check(&self) -> Result<(), Fault> {
        if self.disk.is_empty() {
            return Err(Fault::missing("Disk"));
        }
        let is_twice = |(i, pair): (usize, &Pair)| self.disk[..i].iter().any(|other| other.disk_id == pair.disk_id);
        let is_wrong = self.disk.len() > MOST_DISKS || self.disk.iter().enumerate().any(is_twice);
        if is_wrong { Err(Fault::invalid("Disk")) } else { Ok(()) }
    }

    fn row_locks(&self) -> RowLocks {
        let both = |locks: RowLocks, pair: &Pair| {
            locks.and(&pair.disk_id, Mode::Exclusive).and(&pair.snapshot_id, Mode::Shared)
        };
        self.disk.iter().fold(RowLocks::none(), both)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Resetting, Fault> {
        // Checks
        let mut begun: Vec<(Examined, Referenced)> = Vec::with_capacity(self.disk.len());
        for pair in &self.disk {
            let (found, source) = resettable(tx, &pair.disk_id, &pair.snapshot_id).await.map_err(of_several)?;
            if found.disk.multi_attach == "Enabled" {
                return Err(fault("InvalidOperation.MultiAttachDisk"));
            }
            if begun.first().is_some_and(|(first, _)| first.instance_id != found.instance_id) {
                return Err(Fault::invalid("Disk"));
            }
            begun.push((found, source));
        }
        // Effect
        for (found, source) in begun {
            begin(tx, found, &source).await?;
        }
        let progress = |pair: &Pair| Progress::of("Success", &[&pair.disk_id, &pair.snapshot_id]);
        let operation_progress = self.disk.iter().map(progress).collect();
        Ok(Resetting { operation_progress_set: ProgressSet { operation_progress } })
    }
}

/// The table of ResetDisks has no code of its own for a reset that is going on.
fn of_several(refusal: Fault) -> Fault {
    if refusal.code() == "InvalidOperation.DiskResetInProgress" { fault("Operation.Conflict") } else { refusal }
}

/// A disk that may go back to a snapshot, with that snapshot.
async fn resettable(tx: &mut Tx<'_>, disk_id: &str, snapshot_id: &str) -> Result<(Examined, Referenced), Fault> {
    check_snapshot_service(tx).await?;
    let Some(found) = disks::find(tx, disk_id).await? else {
        return Err(fault("InvalidDiskId.NotFound"));
    };
    let Some(source) = snapshots::find(tx, snapshot_id).await? else {
        return Err(fault("InvalidSnapshotId.NotFound"));
    };
    if found.disk.is_ephemeral() {
        return Err(fault("DiskCategory.OperationNotSupported"));
    }
    if found.holds.is_held() {
        let by_itself = row_locks::is_held_by(tx, disk_id, disk_id).await?;
        let is_resetting = by_itself && found.disk.status != "ReIniting";
        return Err(fault(if is_resetting { "InvalidOperation.DiskResetInProgress" } else { "Operation.Conflict" }));
    }
    if source.holds.is_held_exclusively() {
        return Err(fault("Operation.Conflict"));
    }
    // Documented: a copy does not roll back the disk that its original was taken of.
    if source.snapshot.source_disk_id != disk_id || source.snapshot.is_copy() {
        return Err(fault("InvalidParameter.Mismatch"));
    }
    if source.snapshot.is_archived() {
        return Err(fault("OperationDenied"));
    }
    check_age(&source.snapshot)?;
    may_be_reset(&found)?;
    check_kms_key(tx, &found.disk.kms_key_id)?;
    if !source.snapshot.is_accomplished() {
        return Err(fault("InvalidSnapshotId.NotReady"));
    }
    Ok((found, source))
}

fn may_be_reset(found: &Examined) -> Result<(), Fault> {
    check_unlocked_and_paid(found.lock())?;
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

/// The status stays as it is, the lock tells of the task.
async fn begin(tx: &mut Tx<'_>, found: Examined, source: &Referenced) -> Result<(), Fault> {
    let mut disk = found.disk;
    disk.size = source.snapshot.source_disk_size;
    disks::update(tx, &disk, "Disk:ResetDiskStarted").await?;
    hold_while_rewritten(tx, &disk.disk_id, &source.snapshot.snapshot_id).await?;
    contents::bring_back(tx, &disk.disk_id, Some(&source.snapshot.snapshot_id)).await?;
    let due = tx.now.plus_millis(tx.config().lifecycle.reset_ms.into());
    timers::set(tx, TimerKind::DiskFinish, &disk.disk_id, due).await
}
