//! Disks: modified, deleted and released; made in `create` and `clone`, described in `describe`; no SQL, no transport.

mod clone;
mod create;
mod describe;
mod performance;

use serde::Deserialize;

use crate::actions::snapshots::check_quota;
use crate::api::action::{Action, Entry, read, write, write_once};
use crate::api::common::{Empty, check_given, deleted_already, is_description, is_name};
use crate::faults::{Fault, fault};
use crate::store::disks::{self, Disk, Examined, changes};
use crate::store::row_locks::{self, RowLocks};
use crate::store::snapshots::{self, OfDisk};
use crate::store::tx::Tx;
use clone::CloneDisks;
use create::CreateDisk;
pub use create::{key_of, provisioned_iops, sizes, usable_source};
use describe::DescribeDisks;

pub static ACTIONS: [Entry; 5] = [
    write_once::<CreateDisk>(),
    write_once::<CloneDisks>(),
    read::<DescribeDisks>(),
    write::<ModifyDiskAttribute>(),
    write::<DeleteDisk>(),
];

/// Changes names and flags of one disk, or the same of up to a hundred: all or none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyDiskAttribute {
    disk_id: Option<String>,
    #[serde(default)]
    disk_ids: Vec<String>,
    disk_name: Option<String>,
    description: Option<String>,
    delete_with_instance: Option<bool>,
    delete_auto_snapshot: Option<bool>,
    enable_auto_snapshot: Option<bool>,
    bursting_enabled: Option<bool>,
}

const MOST_DISKS: usize = 100;

impl Action for ModifyDiskAttribute {
    const NAME: &'static str = "ModifyDiskAttribute";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        match (&self.disk_id, self.disk_ids.len()) {
            (None, 0) => return Err(fault("MissingParameter.DiskIdOrDiskIds")),
            (Some(_), 1..) => return Err(fault("ParameterConflict.DiskIdAndDiskIds")),
            (None, count) if count > MOST_DISKS => return Err(Fault::invalid("DiskIds")),
            _ => {}
        }
        check_given(self.disk_name.as_deref(), is_name, "InvalidDiskName.Malformed")?;
        check_given(self.description.as_deref(), is_description, "InvalidDescription.Malformed")?;
        let flags =
            [self.delete_with_instance, self.delete_auto_snapshot, self.enable_auto_snapshot, self.bursting_enabled];
        let nothing = self.disk_name.is_none() && self.description.is_none() && flags.iter().all(Option::is_none);
        if nothing { Err(fault("NoAttributeToModify")) } else { Ok(()) }
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        for disk_id in self.disk_id.iter().chain(&self.disk_ids) {
            let Some(found) = disks::find(tx, disk_id).await? else {
                return Err(fault("InvalidDiskId.NotFound"));
            };
            self.may_be_applied(tx, &found).await?;
            let mut disk = found.disk;
            if let Some(name) = &self.disk_name {
                disk.disk_name.clone_from(name);
            }
            if let Some(description) = &self.description {
                disk.description.clone_from(description);
            }
            disk.delete_with_instance = self.delete_with_instance.map_or(disk.delete_with_instance, Into::into);
            disk.delete_auto_snapshot = self.delete_auto_snapshot.map_or(disk.delete_auto_snapshot, Into::into);
            disk.enable_auto_snapshot = self.enable_auto_snapshot.map_or(disk.enable_auto_snapshot, Into::into);
            disk.bursting_enabled = self.bursting_enabled.map_or(disk.bursting_enabled, Into::into);
            disks::update(tx, &disk, "Disk:ModifyDiskAttributeCompleted").await?;
        }
        Ok(Empty {})
    }
}

impl ModifyDiskAttribute {
    async fn may_be_applied(&self, tx: &mut Tx<'_>, found: &Examined) -> Result<(), Fault> {
        let disk = &found.disk;
        if matches!(disk.status.as_str(), "Creating" | "ReIniting") {
            return Err(fault("IncorrectDiskStatus"));
        }
        if self.bursting_enabled == Some(true) && disk.category != "cloud_auto" {
            return Err(fault("BurstingEnabledForDiskCategoryUnsupported"));
        }
        if self.bursting_enabled == Some(true) && disk.multi_attach == "Enabled" {
            return Err(fault("BurstingEnabledForMultiAttachDiskUnsupported"));
        }
        if self.bursting_enabled == Some(true) && changes::spec_tasks(tx, disk).await?.processing_of_disk > 0 {
            return Err(fault("BurstingEnabledForModifyingDiskUnsupported"));
        }
        if self.delete_with_instance == Some(true) && disk.multi_attach == "Enabled" {
            return Err(fault("DeleteWithInstance.Conflict"));
        }
        // What never leaves its instance goes with it.
        if self.delete_with_instance == Some(false) && !bool::from(disk.portable) {
            return Err(fault("DiskNotPortable"));
        }
        if self.enable_auto_snapshot == Some(true) { check_quota(tx, found).await } else { Ok(()) }
    }
}

/// Deletes a disk that is attached to nothing. Its manual snapshots stay; automatic ones go if it says so.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteDisk {
    disk_id: String,
}

impl Action for DeleteDisk {
    const NAME: &'static str = "DeleteDisk";
    type Response = Empty;

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.disk_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(found) = disks::find(tx, &self.disk_id).await? else {
            let choice = tx.config().fidelity.unknown_disk;
            return deleted_already(tx, &self.disk_id, choice, "InvalidDiskId.NotFound").await;
        };
        may_be_deleted(&found)?;
        // Effect
        release(tx, &found.disk).await?;
        Ok(Empty {})
    }
}

fn may_be_deleted(found: &Examined) -> Result<(), Fault> {
    if found.holds.is_held() {
        return Err(fault("Operation.Conflict"));
    }
    match found.disk.status.as_str() {
        "Creating" => Err(fault("IncorrectDiskStatus.Initializing")),
        _ if bool::from(found.disk.delete_protection) => Err(fault("InvalidDiskStatus.DeleteProtection")),
        _ if found.disk.is_system() && found.attachments > 0 => Err(fault("DiskTypeViolation")),
        _ if !bool::from(found.disk.portable) => Err(fault("DiskNotPortable")),
        "In_use" if found.disk.multi_attach == "Enabled" => Err(fault("DiskStillAttached")),
        "Available" if found.unfinished_snapshots > 0 => Err(fault("DiskCreatingSnapshot")),
        "Available" => Ok(()),
        _ => Err(fault("IncorrectDiskStatus")),
    }
}

/// Lets a disk go, with its unfinished snapshots and, if it says so, the automatic ones; not those that are used or locked.
///
/// # Errors
/// 403 `Operation.Conflict` when a row is no longer as it was read.
pub async fn release(tx: &mut Tx<'_>, disk: &Disk) -> Result<(), Fault> {
    let mut leaving = snapshots::of_disk(tx, &disk.disk_id, OfDisk::Unfinished).await?;
    if bool::from(disk.delete_auto_snapshot) {
        leaving.extend(snapshots::of_disk(tx, &disk.disk_id, OfDisk::Automatic).await?);
    }
    for snapshot in leaving {
        let Some(found) = snapshots::find_for_engine(tx, &snapshot.snapshot_id).await? else { continue };
        if found.holds.is_held() || found.is_locked() || found.is_used_by_image() || found.is_used_by_disk() {
            continue;
        }
        if !snapshots::delete(tx, &found, "disk released").await? {
            return Err(fault("Operation.Conflict"));
        }
    }
    // One that is still being made holds the snapshot that it is made from.
    row_locks::release(tx, &disk.disk_id).await?;
    if disks::delete(tx, disk).await? { Ok(()) } else { Err(fault("Operation.Conflict")) }
}
