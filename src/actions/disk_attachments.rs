//! Attaching disks to instances and detaching them; no SQL, no transport.

use serde::Deserialize;

use crate::actions::instances::check_key_pair;
use crate::api::action::{Action, Entry, write};
use crate::api::common::{Empty, check_kms_key, check_unlocked, check_unlocked_and_paid};
use crate::faults::{Fault, fault};
use crate::store::disks::changes::{self, History};
use crate::store::disks::{self, Disk, Examined};
use crate::store::images;
use crate::store::instances::{self, Instance};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;

pub static ACTIONS: [Entry; 2] = [write::<AttachDisk>(), write::<DetachDisk>()];

/// The instance that may take or give a disk now: Running or Stopped.
///
/// # Errors
/// 404 `InvalidInstanceId.NotFound`, `IncorrectInstanceStatus` with the status that the action documents.
pub async fn ready_instance(tx: &mut Tx<'_>, instance_id: &str) -> Result<instances::Examined, Fault> {
    let Some(found) = instances::find(tx, instance_id).await? else {
        return Err(fault("InvalidInstanceId.NotFound"));
    };
    match found.instance.status.as_str() {
        "Running" | "Stopped" => Ok(found),
        _ => Err(fault("IncorrectInstanceStatus")),
    }
}

/// As [`ready_instance`], if it is not locked either.
async fn unlocked_instance(tx: &mut Tx<'_>, instance_id: &str) -> Result<instances::Examined, Fault> {
    let found = ready_instance(tx, instance_id).await?;
    check_unlocked(found.lock())?;
    Ok(found)
}

/// Device letters after the one of the system disk.
const DATA_LETTERS: std::ops::RangeInclusive<char> = 'b'..='z';

/// The first device name of an instance that no disk has.
///
/// # Errors
/// 403 `InstanceDiskLimitExceeded` when its disks are as many as the quota allows.
pub async fn free_device(tx: &mut Tx<'_>, instance_id: &str) -> Result<String, Fault> {
    let found = disks::of_instance(tx, instance_id).await?;
    let data_disks = found.iter().filter(|found| !found.disk.is_system()).count();
    if i64::try_from(data_disks).unwrap_or(i64::MAX) >= tx.config().quotas.disks_per_instance {
        return Err(fault("InstanceDiskLimitExceeded"));
    }
    let ids: Vec<&str> = found.iter().map(|found| found.disk.disk_id.as_str()).collect();
    let attachments = disks::attachments_of(tx, &ids).await?;
    let is_taken =
        |device: &String| attachments.iter().any(|taken| taken.instance_id == instance_id && taken.device == *device);
    let free = DATA_LETTERS.map(device).find(|device| !is_taken(device));
    free.ok_or_else(|| fault("InstanceDiskLimitExceeded"))
}

/// `/dev/xvdb` for `b`.
#[must_use]
pub fn device(letter: char) -> String {
    format!("/dev/xvd{letter}")
}

/// Gives a disk to an instance.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttachDisk {
    instance_id: String,
    disk_id: String,
    device: Option<String>,
    #[serde(default)]
    delete_with_instance: bool,
    #[serde(default)]
    bootable: bool,
    password: Option<String>,
    key_pair_name: Option<String>,
    #[serde(default)]
    force: bool,
}

impl Action for AttachDisk {
    const NAME: &'static str = "AttachDisk";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        if self.device.as_deref().is_some_and(|device| !is_device(device)) {
            return Err(fault("InvalidDevice.Malformed"));
        }
        if self.bootable && self.password.is_none() && self.key_pair_name.is_none() {
            let why = "Password or KeyPairName is required with a system disk.";
            return Err(fault("InvalidParameter.AllEmpty").with(why));
        }
        Ok(())
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(found) = disks::find(tx, &self.disk_id).await? else {
            return Err(fault("InvalidDiskId.NotFound"));
        };
        let host = unlocked_instance(tx, &self.instance_id).await?;
        check_unlocked_and_paid(host.lock())?;
        let instance = host.instance;
        self.may_be_attached(&found, &instance)?;
        self.may_come_here(tx, &found.disk).await?;
        check_kms_key(tx, &found.disk.kms_key_id)?;
        let loser = self.loser(tx, &found, &instance).await?;
        let device = self.free_device(tx, &found.disk).await?;
        // Effect
        let mut disk = found.disk;
        disk.delete_with_instance = self.delete_with_instance.into();
        disks::update(tx, &disk, "Disk:AttachDiskStarted").await?;
        if let Some(loser) = &loser {
            disks::detach(tx, &disk.disk_id, loser).await?;
        }
        disks::attach(tx, &disk.disk_id, &instance.instance_id, &device).await?;
        if !disk.is_system() {
            // What another instance left behind at this very instant does not count for this one.
            let history = changes::history(tx, &disk.disk_id).await?;
            let attached_stopped_at = (instance.status == "Stopped").then_some(tx.now);
            if history.attached_stopped_at != attached_stopped_at {
                changes::set_history(tx, &disk.disk_id, &History { attached_stopped_at, ..history }).await?;
            }
        }
        if !disks::set_status(tx, &disk, "Attaching", "Disk:StateChange").await? {
            return Err(fault("IncorrectDiskStatus"));
        }
        let due = tx.now.plus_millis(tx.config().lifecycle.attach_ms.into());
        timers::set(tx, TimerKind::DiskFinish, &disk.disk_id, due).await?;
        Ok(Empty {})
    }
}

impl AttachDisk {
    fn may_be_attached(&self, found: &Examined, instance: &Instance) -> Result<(), Fault> {
        let disk = &found.disk;
        let is_multi = disk.multi_attach == "Enabled";
        if disk.zone_id != instance.zone_id && !disk.is_regional() {
            return Err(fault("ResourcesNotInSameZone"));
        }
        if disk.is_ephemeral() && !self.delete_with_instance {
            return Err(fault("InvalidParameter.DeleteWithInstance"));
        }
        if is_multi && self.delete_with_instance {
            return Err(fault("DeleteWithInstance.Conflict"));
        }
        if is_multi && self.bootable {
            return Err(fault("InvalidOperation.CanNotAttachMultiAttachDiskAsSystemDisk"));
        }
        if self.bootable && (disk.is_ephemeral() || disk.is_regional()) {
            return Err(fault("DiskCategory.OperationNotSupported"));
        }
        if self.bootable && instance.status != "Stopped" {
            return Err(fault("IncorrectInstanceStatus"));
        }
        if self.bootable && !disk.is_system() {
            return Err(fault("InvalidDisk.DiskNotBootable"));
        }
        if self.force && is_multi {
            return Err(fault("InvalidParameterForce.MultiAttachDiskNotSupported"));
        }
        if self.force && disk.disk_charge_type == "PrePaid" {
            return Err(fault("InvalidParameterForce.PrepaidDiskNotSupported"));
        }
        // Documented: only regional disks.
        if self.force && !disk.is_regional() {
            return Err(fault("InvalidParameterForce.DiskCategoryNotSupported"));
        }
        if !bool::from(disk.portable) {
            return Err(fault("DiskNotPortable"));
        }
        let busy =
            || fault("IncorrectDiskStatus").with("The current status of the disk does not support this operation.");
        // A reset goes on under an unchanged status; its timer is the disk's only one.
        if found.holds.is_held_exclusively() {
            return Err(busy());
        }
        let may_join = is_multi && disk.status == "In_use" && found.attachments < MOST_ATTACHMENTS;
        match disk.status.as_str() {
            "Available" => Ok(()),
            _ if may_join => Ok(()),
            "In_use" if self.force => Ok(()),
            _ if is_multi && found.attachments >= MOST_ATTACHMENTS => Err(fault("DiskAttachedNumberExceeded")),
            _ => Err(busy()),
        }
    }

    /// Documented: a system disk, and an ephemeral one, goes back to the instance that it came from, and to no other.
    async fn may_come_here(&self, tx: &mut Tx<'_>, disk: &Disk) -> Result<(), Fault> {
        if !self.bootable && !disk.is_ephemeral() {
            return Ok(());
        }
        let origin = changes::history(tx, &disk.disk_id).await?.origin_instance_id;
        if !origin.is_empty() && origin != self.instance_id {
            let codes = ["InvalidInstance.NotOriginInstance", "InvalidOperation.OtherInstanceUnsupported"];
            return Err(fault(codes[usize::from(disk.is_ephemeral())]));
        }
        if !self.bootable {
            return Ok(());
        }
        let image = images::find(tx, &disk.image_id).await?;
        image.map_or(Ok(()), |found| check_key_pair(self.key_pair_name.as_deref(), &found.image))
    }

    /// The instance, in another zone, that Force takes the disk from.
    async fn loser(&self, tx: &mut Tx<'_>, found: &Examined, winner: &Instance) -> Result<Option<String>, Fault> {
        let Some(holder) = found.instance_id.as_deref().filter(|_| self.force) else { return Ok(None) };
        let in_same_zone =
            instances::find(tx, holder).await?.is_some_and(|found| found.instance.zone_id == winner.zone_id);
        if in_same_zone { Err(fault("InvalidInstance.ZoneConflict")) } else { Ok(Some(holder.to_owned())) }
    }

    async fn free_device(&self, tx: &mut Tx<'_>, disk: &Disk) -> Result<String, Fault> {
        let mine = disks::of_instance(tx, &self.instance_id).await?;
        if mine.iter().any(|found| found.disk.disk_id == disk.disk_id) {
            return Err(fault("InvalidDisk.InUse"));
        }
        if self.bootable {
            let has_system = mine.iter().any(|found| found.disk.is_system());
            return if has_system { Err(fault("InvalidDevice.InUse")) } else { Ok(device('a')) };
        }
        let free = free_device(tx, &self.instance_id).await?;
        let Some(wanted) = &self.device else { return Ok(free) };
        let ids: Vec<&str> = mine.iter().map(|found| found.disk.disk_id.as_str()).collect();
        let attachments = disks::attachments_of(tx, &ids).await?;
        let is_taken = attachments.iter().any(|taken| taken.device == *wanted);
        if is_taken { Err(fault("InvalidDevice.InUse")) } else { Ok(wanted.clone()) }
    }
}

/// Documented: a multi-attach disk serves sixteen instances at once.
const MOST_ATTACHMENTS: i64 = 16;

fn is_device(name: &str) -> bool {
    name.strip_prefix("/dev/xvd").is_some_and(|rest| rest.len() == 1 && rest.starts_with(|c| DATA_LETTERS.contains(&c)))
}

/// Takes a disk from an instance.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DetachDisk {
    instance_id: String,
    disk_id: String,
    delete_with_instance: Option<bool>,
}

impl Action for DetachDisk {
    const NAME: &'static str = "DetachDisk";
    type Response = Empty;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(found) = disks::find(tx, &self.disk_id).await? else {
            return Err(fault("InvalidDiskId.NotFound"));
        };
        let instance = unlocked_instance(tx, &self.instance_id).await?.instance;
        let attachments = disks::attachments_of(tx, &[&self.disk_id]).await?;
        if attachments.is_empty() {
            return Err(fault("InvalidDisk.AlreadyDetached"));
        }
        if !attachments.iter().any(|attachment| attachment.instance_id == self.instance_id) {
            return Err(fault("DependencyViolation"));
        }
        if found.disk.is_ephemeral() {
            return Err(fault("InvalidOperation.DiskCategoryUnsupported"));
        }
        if found.disk.multi_attach == "Enabled" && self.delete_with_instance == Some(true) {
            return Err(fault("DeleteWithInstance.Conflict"));
        }
        if found.disk.is_system() && instance.status != "Stopped" {
            return Err(fault("IncorrectInstanceStatus"));
        }
        if found.disk.status != "In_use" || found.holds.is_held() {
            return Err(fault("IncorrectDiskStatus"));
        }
        if !bool::from(found.disk.portable) {
            return Err(fault(if found.disk.is_system() { "DiskTypeViolation" } else { "DiskNotPortable" }));
        }
        let is_of_image = found.disk.is_system() && !found.disk.image_id.is_empty();
        if is_of_image && images::find(tx, &found.disk.image_id).await?.is_none() {
            return Err(fault("InvalidDiskId.OperationNotSupported"));
        }
        check_detaching(tx, &self.instance_id).await?;
        // Effect
        let mut disk = found.disk;
        if disk.is_system() {
            let history = changes::history(tx, &disk.disk_id).await?;
            let history = History { origin_instance_id: self.instance_id.clone(), ..history };
            changes::set_history(tx, &disk.disk_id, &history).await?;
        }
        disk.delete_with_instance = self.delete_with_instance.map_or(disk.delete_with_instance, Into::into);
        disks::update(tx, &disk, "Disk:DetachDiskStarted").await?;
        if attachments.len() > 1 {
            disks::detach(tx, &disk.disk_id, &self.instance_id).await?;
            return Ok(Empty {});
        }
        if !disks::set_status(tx, &disk, "Detaching", "Disk:StateChange").await? {
            return Err(fault("IncorrectDiskStatus"));
        }
        let due = tx.now.plus_millis(tx.config().lifecycle.detach_ms.into());
        timers::set(tx, TimerKind::DiskFinish, &disk.disk_id, due).await?;
        Ok(Empty {})
    }
}

/// Not too many disks are on their way from the instance.
async fn check_detaching(tx: &mut Tx<'_>, instance_id: &str) -> Result<(), Fault> {
    let attached = disks::of_instance(tx, instance_id).await?;
    let detaching = attached.iter().filter(|found| found.disk.status == "Detaching").count();
    let is_full = i64::try_from(detaching).unwrap_or(i64::MAX) >= tx.config().quotas.detaching_disks;
    if is_full { Err(fault("DisksDetachingOnEcsExceeded")) } else { Ok(()) }
}
