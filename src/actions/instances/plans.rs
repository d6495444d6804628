//! The disks of a new instance: the system disk, those that the image maps and those asked for, checked and planned; no SQL.

use super::disk_params::{ALGORITHMS, DATA_CATEGORIES, DataDisk, LEVELS, SYSTEM_CATEGORIES, SystemDisk};
use crate::actions::disk_attachments::device;
use crate::actions::disk_specs::{can_grow, largest_system_disk};
use crate::actions::disks::{key_of, provisioned_iops, sizes, usable_source};
use crate::api::common::{check_kms_key, spelled};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::disks::Disk;
use crate::store::images::{self, Image, Mapping};
use crate::store::instances::Instance;
use crate::store::tx::Tx;
use crate::store::{Flag, policies, snapshots};

const SMALLEST_SYSTEM_DISK: i64 = 20;
const DEFAULT_SYSTEM_DISK: i64 = 40;
const DEFAULT_CATEGORY: &str = "cloud_essd";
const DEFAULT_LEVEL: &str = "PL1";

fn check_iops(iops: Option<i64>, size: i64) -> Result<(), Fault> {
    let is_beyond = iops.is_some_and(|iops| !provisioned_iops(size).contains(&iops));
    if is_beyond { Err(fault("InvalidProvisionedIops.LimitExceed")) } else { Ok(()) }
}

/// The system disk, the data disks that the image maps, then those that were asked for.
///
/// # Errors
/// The documented codes of sizes, snapshots, policies and the quota of disks.
pub async fn of(
    tx: &mut Tx<'_>,
    (region_id, image): (&str, &Image),
    system: Option<&SystemDisk>,
    data: &[DataDisk],
) -> Result<Vec<DiskPlan>, Fault> {
    let mut plans = Vec::new();
    let is_foreign = !image.is_public() && image.account_id != tx.account_id();
    for mapping in images::mappings_of(tx, &[&image.image_id]).await? {
        let mut key = inherited_key(tx, &mapping).await?;
        // The key of a shared image is its owner's: another one takes its place.
        if key.is_some() && is_foreign {
            key = system.and_then(|disk| disk.kms_key_id.clone());
            if key.is_none() {
                return Err(fault("InvalidParam.EncryptedMismatch"));
            }
        }
        plans.push(if mapping.disk_type == "system" {
            system.unwrap_or(&SystemDisk::default()).plan(image, key.as_ref())?
        } else {
            mapped(mapping, is_foreign, key)
        });
    }
    for disk in data {
        let plan = disk.plan(tx, &plans, data).await?;
        plans.push(plan);
    }
    for plan in &plans {
        check_kms_key(tx, &plan.kms_key_id)?;
    }
    check_count(tx, &plans, data)?;
    for policy_id in plans.iter().filter_map(|plan| plan.auto_snapshot_policy_id.as_deref()) {
        if policies::find(tx, policy_id)
            .await?
            .is_none_or(|policy| !policy.is_of_disks() || policy.region_id != region_id)
        {
            return Err(fault("InvalidAutoSnapshotPolicyId.NotFound"));
        }
    }
    Ok(plans)
}

/// Not more data disks than an instance may have: of those asked for, and together with those that the image maps.
fn check_count(tx: &Tx<'_>, plans: &[DiskPlan], data: &[DataDisk]) -> Result<(), Fault> {
    let is_beyond = |count: usize| i64::try_from(count).unwrap_or(i64::MAX) > tx.config().quotas.disks_per_instance;
    if is_beyond(data.len()) {
        return Err(fault("InstanceDiskLimitExceeded"));
    }
    let all = plans.iter().filter(|plan| plan.disk_type == "data").count();
    if is_beyond(all) { Err(fault("InstanceDiskNumber.LimitExceed")) } else { Ok(()) }
}

/// Whether the system disk has fewer GiB than these.
#[must_use]
pub fn has_system_disk_below(plans: &[DiskPlan], gib: i64) -> bool {
    plans.iter().any(|plan| plan.disk_type == "system" && plan.size < gib)
}

/// The key of a disk whose image is encrypted, empty for the default key (decision 35); `None` for a plain one.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn inherited_key(tx: &mut Tx<'_>, mapping: &Mapping) -> Result<Option<String>, Fault> {
    match &mapping.snapshot_id {
        Some(id) if bool::from(mapping.encrypted) => {
            let found = snapshots::find(tx, id).await?;
            Ok(Some(found.map(|found| found.snapshot.kms_key_id).unwrap_or_default()))
        }
        _ => Ok(None),
    }
}

/// `is_foreign`: another account shares the image.
fn mapped(mapping: Mapping, is_foreign: bool, key: Option<String>) -> DiskPlan {
    DiskPlan {
        disk_type: "data",
        category: DEFAULT_CATEGORY,
        performance_level: DEFAULT_LEVEL,
        size: mapping.size,
        name: String::new(),
        description: String::new(),
        encrypted: key.is_some(),
        kms_key_id: key.unwrap_or_default(),
        image_id: String::new(),
        foreign_source: (is_foreign && mapping.snapshot_id.is_some()).into(),
        snapshot_id: mapping.snapshot_id.unwrap_or_default(),
        device: mapping.device,
        delete_with_instance: true,
        auto_snapshot_policy_id: None,
        provisioned_iops: None,
        bursting_enabled: false,
    }
}

/// A disk that each instance gets.
pub struct DiskPlan {
    disk_type: &'static str,
    category: &'static str,
    performance_level: &'static str,
    size: i64,
    name: String,
    description: String,
    encrypted: bool,
    kms_key_id: String,
    image_id: String,
    snapshot_id: String,
    /// The snapshot is of the account that shares the image.
    foreign_source: Flag,
    pub device: String,
    delete_with_instance: bool,
    /// The policy that is to apply to it.
    pub auto_snapshot_policy_id: Option<String>,
    provisioned_iops: Option<i64>,
    bursting_enabled: bool,
}

impl DiskPlan {
    pub fn disk_of(&self, tx: &mut Tx<'_>, instance: &Instance) -> Disk {
        let is_system = self.disk_type == "system";
        Disk {
            disk_id: tx.new_id(IdKind::Disk, &instance.region_id),
            account_id: instance.account_id.clone(),
            region_id: instance.region_id.clone(),
            zone_id: instance.zone_id.clone(),
            disk_name: self.name.clone(),
            description: self.description.clone(),
            disk_type: self.disk_type.to_owned(),
            category: self.category.to_owned(),
            performance_level: self.performance_level.to_owned(),
            size: self.size,
            status: "In_use".to_owned(),
            portable: (!is_system || instance.instance_charge_type == "PostPaid").into(),
            delete_with_instance: self.delete_with_instance.into(),
            delete_auto_snapshot: true.into(),
            enable_auto_snapshot: true.into(),
            encrypted: self.encrypted.into(),
            kms_key_id: self.kms_key_id.clone(),
            multi_attach: "Disabled".to_owned(),
            disk_charge_type: instance.instance_charge_type.clone(),
            provisioned_iops: self.provisioned_iops,
            bursting_enabled: self.bursting_enabled.into(),
            storage_set_id: String::new(),
            storage_set_partition_number: None,
            image_id: self.image_id.clone(),
            source_snapshot_id: self.snapshot_id.clone(),
            foreign_source: self.foreign_source,
            serial_number: tx.new_token(20),
            resource_group_id: instance.resource_group_id.clone(),
            ever_attached: true.into(),
            creation_time: tx.now,
            attached_time: Some(tx.now),
            detached_time: None,
            snapshots_taken: 0,
            delete_protection: false.into(),
        }
    }
}

impl SystemDisk {
    /// `key`: that of the image, if it is encrypted.
    fn plan(&self, image: &Image, key: Option<&String>) -> Result<DiskPlan, Fault> {
        let category = spelled(self.category.as_deref(), &SYSTEM_CATEGORIES).unwrap_or(DEFAULT_CATEGORY);
        let least = if can_grow(&image.platform) { DEFAULT_SYSTEM_DISK } else { 0 };
        let size = self.size.unwrap_or_else(|| image.size.max(least));
        if size < image.size {
            return Err(fault("InvalidSystemDiskSize.LessThanImageSize"));
        }
        if size < SMALLEST_SYSTEM_DISK {
            return Err(fault("InvalidSystemDiskSize.LessThanMinSize"));
        }
        if self.size.is_some_and(|size| size > image.size) && !can_grow(&image.platform) {
            return Err(fault("InvalidSystemDiskSize.ImageNotSupportResize"));
        }
        if size > largest_system_disk(category) {
            return Err(fault("InvalidSystemDiskSize.MoreThanMaxSize"));
        }
        let performance_level = level(category, self.performance_level.as_deref());
        if !sizes(category, performance_level).contains(&size) {
            let why = "The specified SystemDisk.Size is beyond the permitted range of the category.";
            return Err(fault("InvalidSystemDiskSize.ValueNotSupported").with(why));
        }
        check_iops(self.provisioned_iops, size)?;
        let (encrypted, kms_key_id) = encryption(self.encrypted, self.kms_key_id.as_ref(), key)?;
        Ok(DiskPlan {
            disk_type: "system",
            category,
            performance_level,
            size,
            name: self.disk_name.clone().unwrap_or_default(),
            description: self.description.clone().unwrap_or_default(),
            encrypted,
            kms_key_id,
            image_id: image.image_id.clone(),
            snapshot_id: String::new(),
            foreign_source: false.into(),
            device: device('a'),
            delete_with_instance: true,
            auto_snapshot_policy_id: self.auto_snapshot_policy_id.clone(),
            provisioned_iops: self.provisioned_iops,
            bursting_enabled: self.bursting_enabled.unwrap_or(false),
        })
    }
}

impl DataDisk {
    /// The snapshot that it is to be made from.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.snapshot_id.as_deref()
    }

    /// `planned`: the disks before it; `asked_for`: all that were asked for, whose devices are taken as well.
    async fn plan(&self, tx: &mut Tx<'_>, planned: &[DiskPlan], asked_for: &[DataDisk]) -> Result<DiskPlan, Fault> {
        let source = match &self.snapshot_id {
            // The table of this action has a spelling of its own for the same refusal.
            Some(id) => Some(usable_source(tx, id).await.map_err(|refusal| match refusal.code() {
                "InvalidSnapshotId.NotFound" => fault("InvalidDataDiskSnapshotId.NotFound"),
                "InvalidSnapshot.TooOld" => fault("InvalidSnapshotId.BasedSnapshotTooOld"),
                _ => refusal,
            })?),
            None => None,
        };
        let snapshot = source.as_ref().map(|found| &found.snapshot);
        if snapshot.is_some_and(|snapshot| snapshot.source_disk_type == "system") {
            return Err(fault("InvalidSnapshotId.NotDataDiskSnapshot"));
        }
        let least = snapshot.map_or(0, |snapshot| snapshot.source_disk_size);
        let size = self.size.unwrap_or(least);
        if size < least {
            return Err(fault("InvalidDiskSize.TooSmall"));
        }
        let category = spelled(self.category.as_deref(), &DATA_CATEGORIES).unwrap_or(DEFAULT_CATEGORY);
        let performance_level = level(category, self.performance_level.as_deref());
        if !sizes(category, performance_level).contains(&size) {
            if least > *sizes(category, performance_level).end() {
                return Err(fault("InstanceDiskCategoryLimitExceed"));
            }
            let is_level_too_high = category == "cloud_essd" && sizes(category, DEFAULT_LEVEL).contains(&size);
            let refusal = ["InvalidDataDiskSize.ValueNotSupported", "OperationDenied.PerformanceLevelNotMatch"];
            return Err(fault(refusal[usize::from(is_level_too_high)]));
        }
        check_iops(self.provisioned_iops, size)?;
        let is_encrypted = snapshot.is_some_and(|snapshot| snapshot.encrypted.into());
        if is_encrypted && spelled(self.encrypt_algorithm.as_deref(), &ALGORITHMS[1..]).is_some() {
            return Err(fault("InvalidEncryptAlgorithm.NotMatchSnapshot"));
        }
        let key = snapshot.filter(|snapshot| snapshot.encrypted.into()).map(|snapshot| snapshot.kms_key_id.clone());
        let (encrypted, kms_key_id) = encryption(self.encrypted, self.kms_key_id.as_ref(), key.as_ref())?;
        Ok(DiskPlan {
            disk_type: "data",
            category,
            performance_level,
            size,
            name: self.disk_name.clone().unwrap_or_default(),
            description: self.description.clone().unwrap_or_default(),
            encrypted,
            kms_key_id,
            image_id: String::new(),
            snapshot_id: self.snapshot_id.clone().unwrap_or_default(),
            foreign_source: false.into(),
            device: self.place(planned, asked_for)?,
            delete_with_instance: self.delete_with_instance.unwrap_or(true),
            auto_snapshot_policy_id: self.auto_snapshot_policy_id.clone(),
            provisioned_iops: self.provisioned_iops,
            bursting_enabled: self.bursting_enabled.unwrap_or(false),
        })
    }

    /// The device asked for, else the first that no other disk has or asks for.
    fn place(&self, planned: &[DiskPlan], asked_for: &[DataDisk]) -> Result<String, Fault> {
        let is_taken = |name: &str| planned.iter().any(|plan| plan.device == name);
        let is_asked_for = |name: &str| asked_for.iter().any(|other| other.device.as_deref() == Some(name));
        match &self.device {
            Some(name) if is_taken(name) => Err(fault("InvalidDevice.InUse")),
            Some(name) => Ok(name.clone()),
            None => {
                let free = ('b'..='z').map(device).find(|name| !is_taken(name) && !is_asked_for(name));
                free.ok_or_else(|| fault("InstanceDiskLimitExceeded"))
            }
        }
    }
}

/// Whether a disk is encrypted, and with which key: what is made from something encrypted never becomes plain.
///
/// # Errors
/// `InvalidEncrypted.NotMatchSnapshot`, `InvalidKmsKeyId.NotMatchSnapshot`.
pub fn encryption(
    given: Option<bool>,
    key: Option<&String>,
    inherited: Option<&String>,
) -> Result<(bool, String), Fault> {
    if inherited.is_some() && given == Some(false) {
        return Err(fault("InvalidEncrypted.NotMatchSnapshot"));
    }
    let encrypted = inherited.is_some() || given.unwrap_or(key.is_some());
    Ok((encrypted, key_of(key, inherited)?))
}

fn level(category: &str, given: Option<&str>) -> &'static str {
    if category == "cloud_essd" { spelled(given, &LEVELS).unwrap_or(DEFAULT_LEVEL) } else { "" }
}
