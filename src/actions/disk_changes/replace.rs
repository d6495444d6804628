//! ReplaceSystemDisk: another system disk for a stopped instance, from an image or from a data disk; no SQL, no transport.

use serde::{Deserialize, Serialize};

use super::check_strategy;
use crate::actions::disk_specs::{can_grow, largest_system_disk};
use crate::actions::disks::{release, sizes};
use crate::actions::images::{ARCHITECTURES, platform};
use crate::actions::instances::{
    check_algorithm, check_key_pair, default_host_name, encryption, inherited_key, is_arm, is_password,
};
use crate::api::action::{Action, Idempotent};
use crate::api::common::{check_given, check_kms_key, check_one_of, check_unlocked_and_paid};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::disks::{self, Disk, Examined, changes};
use crate::store::images::{self, Image};
use crate::store::instances::{self, Instance};
use crate::store::row_locks::{Mode, RowLocks};
use crate::store::tx::Tx;

/// Gives a stopped instance another system disk; the one that it had is released.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReplaceSystemDisk {
    instance_id: Option<String>,
    image_id: Option<String>,
    system_disk: Option<SystemDisk>,
    client_token: Option<String>,
    #[serde(default)]
    use_additional_service: Option<bool>,
    password: Option<String>,
    #[serde(default)]
    password_inherit: bool,
    key_pair_name: Option<String>,
    disk_id: Option<String>,
    platform: Option<String>,
    architecture: Option<String>,
    security_enhancement_strategy: Option<String>,
    #[serde(default)]
    encrypted: bool,
    #[serde(rename = "KMSKeyId")]
    kms_key_id: Option<String>,
    encrypt_algorithm: Option<String>,
}

/// `SystemDisk`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SystemDisk {
    size: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Replaced {
    disk_id: String,
}

const DEFAULT_SIZE: i64 = 40;
/// Documented: Windows has up to fifteen letters, digits and hyphens.
const LONGEST_WINDOWS_NAME: usize = 15;
/// The meaning of MissingParameter that is not about ImageId.
const OTHER_THAN_IMAGE: usize = 1;
/// The meaning of OperationDenied that is about data disks of the image.
const HAS_DATA_DISKS: usize = 0;

impl Action for ReplaceSystemDisk {
    const NAME: &'static str = "ReplaceSystemDisk";
    const MALFORMED: &'static [(&'static str, &'static str)] = &[("SystemDisk.Size", "InvalidSystemDiskSize")];
    const UNKNOWN_REGION: &'static str = "InvalidRegionId.NotExists";
    type Response = Replaced;

    fn check(&self) -> Result<(), Fault> {
        self.instance_id()?;
        if self.size().is_some_and(|size| size < 1) {
            return Err(fault("InvalidSystemDiskSize.ValueNotSupported"));
        }
        if self.password.is_some() && self.password_inherit {
            return Err(fault("InvalidPasswordParam.Mismatch"));
        }
        check_given(self.password.as_deref(), is_password, "InvalidPassword.Malformed")?;
        check_strategy(self.security_enhancement_strategy.as_deref())?;
        if self.kms_key_id.is_some() && !self.encrypted {
            return Err(fault("InvalidEncrypted.NotMatchKmsKeyId"));
        }
        check_algorithm(self.encrypt_algorithm.as_deref(), self.encrypted)?;
        match (&self.image_id, &self.disk_id) {
            // What only goes with the one or the other is there, and neither is.
            (None, None) if self.architecture.is_some() || self.platform.is_some() => {
                Err(fault("InvalidParameter.AllEmpty").with("ImageId and DiskId are both empty."))
            }
            (None, None) => Err(Fault::missing("ImageId")),
            (Some(_), Some(_)) => {
                Err(fault("InvalidParameter.NotMatch").with("ImageId and DiskId cannot be given together."))
            }
            (Some(_), None) => Ok(()),
            (None, Some(_)) => self.check_system(),
        }
    }

    fn row_locks(&self) -> RowLocks {
        let ids = self.instance_id.iter().chain(&self.disk_id);
        ids.fold(RowLocks::none(), |locks, id| locks.and(id, Mode::Exclusive))
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Replaced, Fault> {
        // Checks
        let instance_id = self.instance_id()?;
        let instance = stopped_instance(tx, instance_id).await?;
        let attached = disks::of_instance(tx, instance_id).await?;
        let Some(old) = attached.into_iter().find(|found| found.disk.is_system()) else {
            return Err(fault("InvalidInstance.NotFoundSystemDisk"));
        };
        tx.lock_rows(&RowLocks::exclusive(&old.disk.disk_id))?;
        may_be_replaced(tx, &old).await?;
        let device = disks::attachments_of(tx, &[&old.disk.disk_id]).await?.into_iter().next();
        let device = device.map(|attachment| attachment.device).unwrap_or_default();
        let new = match &self.disk_id {
            Some(id) => {
                self.check_architecture(&instance)?;
                New::Converted(convertible(tx, id, &instance, &old.disk).await?)
            }
            None => self.made_of_image(tx, &instance, &old.disk).await?,
        };
        // Effect
        disks::detach(tx, &old.disk.disk_id, instance_id).await?;
        release(tx, &old.disk).await?;
        let disk_id = match new {
            New::Made(disk) => {
                disks::insert(tx, &disk).await?;
                instances::set_image(tx, &instance, &disk.image_id).await?;
                disk.disk_id
            }
            New::Converted(disk) => {
                let moved = disks::set_status(tx, &disk, "In_use", "Disk:ReplaceSystemDiskCompleted").await?;
                if !moved {
                    return Err(fault("IncorrectDiskStatus"));
                }
                changes::become_system(tx, &disk.disk_id).await?;
                disk.disk_id
            }
        };
        disks::attach(tx, &disk_id, instance_id, &device).await?;
        Ok(Replaced { disk_id })
    }
}

/// The disk that is to be the system disk.
enum New {
    Made(Disk),
    Converted(Disk),
}

impl Idempotent for ReplaceSystemDisk {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

async fn stopped_instance(tx: &mut Tx<'_>, instance_id: &str) -> Result<Instance, Fault> {
    let Some(found) = instances::find(tx, instance_id).await? else {
        return Err(fault("InvalidInstanceId.NotFound"));
    };
    check_unlocked_and_paid(found.lock())?;
    if found.holds.is_held() {
        return Err(fault("Operation.Conflict"));
    }
    match found.instance.status.as_str() {
        "Stopped" => Ok(found.instance),
        "Pending" => Err(fault("OperationDenied.InstanceCreating")),
        _ => Err(fault("IncorrectInstanceStatus")),
    }
}

async fn may_be_replaced(tx: &mut Tx<'_>, old: &Examined) -> Result<(), Fault> {
    if old.disk.is_ephemeral() {
        return Err(fault("InvalidDiskCategory.ValueNotSupported"));
    }
    if changes::spec_tasks(tx, &old.disk).await?.processing_of_disk > 0 {
        return Err(fault("InvalidSystemDiskStatus.IsTransfering"));
    }
    if old.holds.is_held() {
        return Err(fault("Operation.Conflict"));
    }
    if old.disk.status != "In_use" {
        return Err(fault("IncorrectDiskStatus"));
    }
    if old.unfinished_snapshots > 0 { Err(fault("DiskCreatingSnapshot")) } else { Ok(()) }
}

/// Whether Windows can have the host name that the instance was given; one that nobody gave is made anew.
fn fits_windows(instance: &Instance) -> bool {
    let is_own = instance.host_name == default_host_name(&instance.instance_id);
    is_own || instance.host_name.len() <= LONGEST_WINDOWS_NAME && !instance.host_name.contains('.')
}

/// The data disk that may become the system disk of an instance.
async fn convertible(tx: &mut Tx<'_>, disk_id: &str, instance: &Instance, old: &Disk) -> Result<Disk, Fault> {
    let Some(found) = disks::find(tx, disk_id).await? else {
        return Err(fault("InvalidDiskId.NotFound"));
    };
    if found.holds.is_held() {
        return Err(fault("Operation.Conflict"));
    }
    let disk = found.disk;
    if disk.multi_attach == "Enabled" {
        return Err(fault("InvalidOperation.MultiAttachDisk"));
    }
    if disk.is_ephemeral() || disk.is_regional() {
        return Err(fault("InvalidDatadisk.DiskCategoryViolation"));
    }
    if disk.disk_charge_type != "PostPaid" {
        return Err(fault("InvalidDatadisk.ChargeTypeViolation"));
    }
    if disk.status != "Available" || found.unfinished_snapshots > 0 {
        return Err(fault("InvalidDatadisk.DiskStatusViolation"));
    }
    // What was encrypted does not become plain.
    if bool::from(old.encrypted) && !bool::from(disk.encrypted) {
        return Err(fault("InvalidDiskId.NotSupportReplaceEncryptedSystemDisk"));
    }
    if bool::from(disk.encrypted) && !disk.kms_key_id.is_empty() {
        return Err(fault("InvalidParameter.DiskType"));
    }
    if disk.zone_id == instance.zone_id { Ok(disk) } else { Err(fault("ResourcesNotInSameZone")) }
}

impl ReplaceSystemDisk {
    fn instance_id(&self) -> Result<&str, Fault> {
        self.instance_id.as_deref().ok_or_else(|| Fault::missing("InstanceId").variant(OTHER_THAN_IMAGE))
    }

    fn size(&self) -> Option<i64> {
        self.system_disk.as_ref().and_then(|disk| disk.size)
    }

    /// Nothing but the caller knows what is on a data disk.
    fn check_system(&self) -> Result<(), Fault> {
        let Some(architecture) = &self.architecture else { return Err(fault("MissingParameter.Architecture")) };
        check_one_of(Some(architecture), &ARCHITECTURES, "InvalidArchitecture.Malformed")?;
        let Some(name) = &self.platform else { return Err(fault("MissingParameter.Platform")) };
        if platform(name).is_some() { Ok(()) } else { Err(fault("InvalidPlatform.Malformed")) }
    }

    /// The type of the instance can run what is said to be on the data disk.
    fn check_architecture(&self, instance: &Instance) -> Result<(), Fault> {
        let wants_arm = self.architecture.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("arm64"));
        let runs = wants_arm == is_arm(&instance.instance_type);
        if runs { Ok(()) } else { Err(fault("InvalidInstanceType.NotSupported")) }
    }

    /// A new disk from the image, of the kind of the old one.
    async fn made_of_image(&self, tx: &mut Tx<'_>, instance: &Instance, old: &Disk) -> Result<New, Fault> {
        let found = match &self.image_id {
            Some(id) => images::find(tx, id).await?,
            None => None,
        };
        let Some(image) = found.map(|found| found.image) else {
            return Err(fault("InvalidImageId.NotFound"));
        };
        if image.status != "Available" {
            return Err(fault("OperationDenied.ImageNotValid").with("The specified image is not available."));
        }
        check_key_pair(self.key_pair_name.as_deref(), &image)?;
        if is_arm(&instance.instance_type) != (image.architecture == "arm64") {
            return Err(fault("ImageNotSupportInstanceType"));
        }
        if image.os_type == "windows" && !fits_windows(instance) {
            return Err(fault("InvalidHostname.MismatchImage"));
        }
        let mappings = images::mappings_of(tx, &[&image.image_id]).await?;
        if mappings.iter().any(|mapping| mapping.disk_type == "data") {
            return Err(fault("OperationDenied").variant(HAS_DATA_DISKS));
        }
        let size = self.size_of(&image, old)?;
        let key = match mappings.first() {
            Some(mapping) => inherited_key(tx, mapping).await?,
            None => None,
        };
        // The table of this action has no code for another key: it takes the place of the image's.
        let (encrypted, inherited) = encryption(self.encrypted.then_some(true), None, key.as_ref())?;
        let kms_key_id = self.kms_key_id.clone().unwrap_or(inherited);
        check_kms_key(tx, &kms_key_id)?;
        if encrypted && old.category == "cloud" {
            return Err(fault("NotSupportSnapshotEncrypted.DiskCategory"));
        }
        Ok(New::Made(Disk {
            disk_id: tx.new_id(IdKind::Disk, &instance.region_id),
            size,
            encrypted: encrypted.into(),
            kms_key_id,
            image_id: image.image_id,
            source_snapshot_id: String::new(),
            foreign_source: false.into(),
            serial_number: tx.new_token(20),
            creation_time: tx.now,
            attached_time: Some(tx.now),
            detached_time: None,
            snapshots_taken: 0,
            delete_protection: false.into(),
            ..old.clone()
        }))
    }

    /// Documented: the larger of 40 GiB and the image where none is given.
    fn size_of(&self, image: &Image, old: &Disk) -> Result<i64, Fault> {
        let least = *sizes(&old.category, &old.performance_level).start();
        let is_fixed = !can_grow(&image.platform);
        let Some(size) = self.size() else {
            return Ok(if is_fixed { image.size } else { image.size.max(DEFAULT_SIZE).max(least) });
        };
        if size < image.size {
            return Err(fault("InvalidSystemDiskSize.LessThanImageSize"));
        }
        if size < least {
            return Err(fault("InvalidSystemDiskSize.LessThanMinSize"));
        }
        if size > largest_system_disk(&old.category) {
            return Err(fault("InvalidSystemDiskSize.MoreThanMaxSize"));
        }
        let is_larger = size > image.size;
        if is_fixed && is_larger { Err(fault("InvalidSystemDiskSize.ImageNotSupportResize")) } else { Ok(size) }
    }
}
