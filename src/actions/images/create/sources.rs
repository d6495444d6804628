//! What CreateImage makes an image of: a snapshot, several as disks, or the disks of an instance; no SQL.

use super::CreateImage;
use crate::actions::disk_attachments::device;
use crate::actions::snapshots::{check_age, check_free, may_be_snapshotted, snapshot_for_image};
use crate::api::common::check_kms_key;
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::store::images::{self, Image, Mapping};
use crate::store::row_locks::{Mode, RowLocks};
use crate::store::snapshots::{self, Snapshot};
use crate::store::tx::Tx;
use crate::store::{disks, instances};

/// What an image is made of.
pub struct Source {
    /// The system disk first.
    pub disks: Vec<SourceDisk>,
    /// The image of the instance, whose system the new one has.
    pub system: Option<Image>,
    /// When all snapshots are accomplished.
    pub ready: Timestamp,
}

pub struct SourceDisk {
    pub snapshot: Snapshot,
    device: String,
    /// GiB.
    pub size: i64,
}

impl SourceDisk {
    pub fn mapping(&self, image: &Image, position: usize) -> Mapping {
        Mapping {
            image_id: image.image_id.clone(),
            position: i64::try_from(position).unwrap_or(i64::MAX),
            device: self.device.clone(),
            disk_type: if position == 0 { "system" } else { "data" }.to_owned(),
            size: self.size,
            encrypted: self.snapshot.encrypted,
            snapshot_id: Some(self.snapshot.snapshot_id.clone()),
        }
    }
}

impl CreateImage {
    /// The disks that the image gets, the system disk first; those of an instance are snapshotted for it.
    ///
    /// # Errors
    /// The documented codes of snapshots, instances and disks.
    pub async fn source(&self, tx: &mut Tx<'_>) -> Result<Source, Fault> {
        if let Some(instance_id) = &self.instance_id {
            return from_instance(tx, instance_id).await;
        }
        let disks = if self.disk_device_mapping.is_empty() {
            let id = self.snapshot_id.as_deref().unwrap_or_default();
            let snapshot = finished_snapshot(tx, id).await?;
            if snapshot.source_disk_type != "system" {
                return Err(fault("OperationDenied"));
            }
            vec![SourceDisk { size: snapshot.source_disk_size, snapshot, device: device('a') }]
        } else {
            self.disks_of_mappings(tx).await?
        };
        Ok(Source { disks, system: None, ready: tx.now })
    }

    async fn disks_of_mappings(&self, tx: &mut Tx<'_>) -> Result<Vec<SourceDisk>, Fault> {
        let mut disks: Vec<SourceDisk> = Vec::new();
        let mut system = None;
        for (i, mapping) in self.disk_device_mapping.iter().enumerate() {
            let Some(id) = mapping.snapshot_id.as_deref() else {
                return Err(Fault::missing(format!("DiskDeviceMapping.{}.SnapshotId", i + 1)));
            };
            let snapshot = finished_snapshot(tx, id).await?;
            let size = mapping.size.unwrap_or(snapshot.source_disk_size);
            if size < snapshot.source_disk_size {
                return Err(fault("InvalidSize.ValueNotSupported"));
            }
            let wanted = mapping.disk_type.as_deref().unwrap_or(&snapshot.source_disk_type);
            let is_system = wanted.eq_ignore_ascii_case("system");
            if is_system && snapshot.source_disk_type != "system" {
                let is_encrypted = bool::from(snapshot.encrypted);
                let denied = fault("OperationDenied").variant(1);
                return Err(if is_encrypted { fault("InvalidParameter.DiskType") } else { denied });
            }
            let place = mapping.device.clone().unwrap_or_else(|| self.free_device(is_system, &disks));
            let disk = SourceDisk { snapshot, device: place, size };
            let is_taken = |other: &SourceDisk| other.device == disk.device;
            if disks.iter().any(is_taken) || system.as_ref().is_some_and(is_taken) {
                return Err(fault("InvalidDevice.InUse"));
            }
            match (is_system, &system) {
                (true, Some(_)) => return Err(fault("InvalidDiskType.ValueNotSupported")),
                (true, None) => system = Some(disk),
                (false, _) => disks.push(disk),
            }
        }
        // Documented: without a snapshot of a system disk there is nothing to start from.
        let why = "No DiskDeviceMapping.n.SnapshotId is of a system disk.";
        let system = system.ok_or_else(|| fault("InvalidSystemSnapshot.Missing").with(why))?;
        disks.insert(0, system);
        Ok(disks)
    }

    /// The device of a disk that names none: the first for the system, then the next that no other has or names.
    fn free_device(&self, is_system: bool, others: &[SourceDisk]) -> String {
        let is_free = |name: &String| {
            let named = self.disk_device_mapping.iter().any(|other| other.device.as_ref() == Some(name));
            !named && others.iter().all(|other| other.device != *name)
        };
        if is_system { device('a') } else { ('b'..='z').map(device).find(is_free).unwrap_or_default() }
    }
}

/// A snapshot of the caller's that an image can be made from.
async fn finished_snapshot(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<Snapshot, Fault> {
    let Some(found) = snapshots::find(tx, snapshot_id).await? else {
        return Err(fault("InvalidSnapshotId.NotFound"));
    };
    if found.holds.is_held_exclusively() {
        return Err(fault("Operation.Conflict"));
    }
    let snapshot = found.snapshot;
    if snapshot.status == "failed" {
        return Err(fault("SnapshotNotReady"));
    }
    if !snapshot.is_accomplished() {
        return Err(fault("InvalidSnapshotId.NotReady"));
    }
    if snapshot.category == "archive" {
        return Err(fault("InvalidSnapshotCategory.NotSupportImageCreation"));
    }
    check_kms_key(tx, &snapshot.kms_key_id)?;
    check_age(&snapshot)?;
    Ok(snapshot)
}

/// Snapshots every disk of an instance; they belong to the account and outlive the image.
async fn from_instance(tx: &mut Tx<'_>, instance_id: &str) -> Result<Source, Fault> {
    let Some(found) = instances::find(tx, instance_id).await? else {
        return Err(fault("InvalidInstanceId.NotFound"));
    };
    if !matches!(found.instance.status.as_str(), "Running" | "Stopped") {
        return Err(fault("IncorrectInstanceStatus"));
    }
    let system = images::find(tx, &found.instance.image_id).await?.map(|found| found.image);
    let attached = disks::of_instance(tx, instance_id).await?;
    let ids: Vec<&str> = attached.iter().map(|found| found.disk.disk_id.as_str()).collect();
    tx.lock_rows(&ids.iter().fold(RowLocks::none(), |locks, id| locks.and(id, Mode::Shared)))?;
    let attachments = disks::attachments_of(tx, &ids).await?;
    let (mut sources, mut ready) = (Vec::new(), tx.now);
    for found in &attached {
        check_free(tx, found).await?;
        may_be_snapshotted(tx, found).await.map_err(as_of_an_image)?;
        let snapshot = snapshot_for_image(tx, found);
        snapshots::insert(tx, &snapshot).await?;
        ready = ready.max(snapshot.finish_time);
        let place = attachments.iter().find(|attachment| attachment.disk_id == found.disk.disk_id);
        let device = place.map(|attachment| attachment.device.clone()).unwrap_or_default();
        sources.push(SourceDisk { size: found.disk.size, snapshot, device });
    }
    if attached.first().is_none_or(|found| !found.disk.is_system()) {
        return Err(fault("InvalidInstance.NotFoundSystemDisk"));
    }
    Ok(Source { disks: sources, system, ready })
}

/// The refusals of CreateSnapshot that the table of this action spells otherwise.
fn as_of_an_image(refusal: Fault) -> Fault {
    match refusal.code() {
        "DiskCategory.OperationNotSupported" => fault("InvalidDiskCategory.CreateImage"),
        "IncorrectDiskStatus.Invalid" => fault("IncorrectInstanceStatus.NeedRestart"),
        "IncorrectDiskStatus.NeverUsed" => fault("IncorrectInstanceStatus"),
        "QuotaExceed.ConcurrentSnapshotQuota" => fault("TooManySnapshot.Unfinished"),
        _ => refusal,
    }
}
