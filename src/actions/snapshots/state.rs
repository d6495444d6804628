//! Whether a disk can be snapshotted and a snapshot be used: states, quotas and ages; no SQL, no transport.

use crate::api::common::{check_kms_key, check_unlocked};
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::store::disks::{self, Examined, changes};
use crate::store::snapshots::{self, Snapshot};
use crate::store::tx::Tx;

/// The code for a disk that is not there: volumes, which were shared among instances, are told apart by their ids.
#[must_use]
pub fn not_found(disk_id: &str) -> &'static str {
    if disk_id.starts_with("v-") { "InvalidVolumeId.NotFound" } else { "InvalidDiskId.NotFound" }
}

/// No task and no operator has the disk for itself.
///
/// # Errors
/// `IncorrectDiskStatus.Transferring` where it is becoming one of another kind, else `Operation.Conflict`.
pub async fn check_free(tx: &mut Tx<'_>, found: &Examined) -> Result<(), Fault> {
    if !found.holds.is_held_exclusively() {
        return Ok(());
    }
    let is_transferring = changes::spec_tasks(tx, &found.disk).await?.processing_of_disk > 0;
    Err(fault(if is_transferring { "IncorrectDiskStatus.Transferring" } else { "Operation.Conflict" }))
}

/// The disk is in a state to be snapshotted and within its quotas.
///
/// # Errors
/// The documented codes of CreateSnapshot, those of CreateImage among them.
pub async fn may_be_snapshotted(tx: &mut Tx<'_>, found: &Examined) -> Result<(), Fault> {
    check_disk_state(tx, found)?;
    check_quota(tx, found).await?;
    check_unfinished(tx, found)
}

/// The disk has room for one more manual snapshot.
///
/// # Errors
/// `QuotaExceed.Snapshot`.
pub async fn check_quota(tx: &mut Tx<'_>, found: &Examined) -> Result<(), Fault> {
    let quota = tx.config().quotas.snapshots_per_disk;
    let is_full = disks::has_manual_snapshots(tx, found, quota).await?;
    if is_full { Err(fault("QuotaExceed.Snapshot")) } else { Ok(()) }
}

/// The disk is in a state to be snapshotted, by a call or by a policy.
///
/// # Errors
/// Some of [`may_be_snapshotted`].
pub fn check_disk_state(tx: &Tx<'_>, found: &Examined) -> Result<(), Fault> {
    check_unlocked(found.lock())?;
    let disk = &found.disk;
    if disk.category.starts_with("elastic_ephemeral_disk") {
        return Err(fault("DiskCategory.OperationNotSupported"));
    }
    if !matches!(disk.status.as_str(), "In_use" | "Available") {
        return Err(fault("IncorrectDiskStatus"));
    }
    if !bool::from(disk.ever_attached) && !tx.config().fidelity.allow_never_attached {
        return Err(fault("IncorrectDiskStatus.NeverAttached"));
    }
    if let Some(status) = &found.instance_status {
        if !found.instance_started_once.is_some_and(bool::from) {
            return Err(fault("IncorrectDiskStatus.NeverUsed"));
        }
        if !matches!(status.as_str(), "Running" | "Stopped") {
            return Err(fault("IncorrectInstanceStatus"));
        }
    }
    if found.waits_for_start() { Err(fault("IncorrectDiskStatus.Invalid")) } else { Ok(()) }
}

/// Not too many snapshots of the disk are being made (decision 11).
///
/// # Errors
/// `QuotaExceed.ConcurrentSnapshotQuota` for the ESSD family, `IncorrectDiskStatus.CreatingSnapshot` for older categories.
pub fn check_unfinished(tx: &Tx<'_>, found: &Examined) -> Result<(), Fault> {
    let disk = &found.disk;
    let at_once = tx.config().quotas.concurrent_snapshots;
    if disk.is_essd_family() && found.unfinished_snapshots >= at_once {
        let refusal = fault("QuotaExceed.ConcurrentSnapshotQuota");
        return Err(refusal.with(&disk.disk_id).with(at_once.to_string()));
    }
    if !disk.is_essd_family() && found.unfinished_snapshots > 0 {
        return Err(fault("IncorrectDiskStatus.CreatingSnapshot"));
    }
    check_kms_key(tx, &disk.kms_key_id)
}

/// Documented: what was made before 2013-07-15 is of a kind that no image, disk or copy is made from and no disk goes back to.
const OLDEST_SNAPSHOT: Timestamp = Timestamp::from_millis(1_373_846_400_000);

/// The snapshot is not of the kind that is of no use any more.
///
/// # Errors
/// 403 `InvalidSnapshot.TooOld`.
pub fn check_age(snapshot: &Snapshot) -> Result<(), Fault> {
    if snapshot.creation_time < OLDEST_SNAPSHOT { Err(fault("InvalidSnapshot.TooOld")) } else { Ok(()) }
}

/// No cloud product has the snapshot for itself.
///
/// # Errors
/// 403 `InvalidOperation.ResourceManagedByCloudProduct`.
pub fn check_unmanaged(snapshot: &Snapshot) -> Result<(), Fault> {
    if snapshot.managed_by.is_empty() {
        return Ok(());
    }
    Err(fault("InvalidOperation.ResourceManagedByCloudProduct").with(&snapshot.managed_by))
}

/// The caller's account has room for so many more snapshots in a region, of whatever kind.
///
/// # Errors
/// `code`.
pub async fn check_account_quota(
    tx: &mut Tx<'_>,
    region_id: &str,
    more: usize,
    code: &'static str,
) -> Result<(), Fault> {
    let most = tx.config().quotas.snapshots;
    // Without a quota nothing is counted: snapshots are made more often than anything else.
    if most == 0 {
        return Ok(());
    }
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    let is_beyond = snapshots::total(tx, region_id).await?.saturating_add(more) > most;
    if is_beyond { Err(fault(code)) } else { Ok(()) }
}
