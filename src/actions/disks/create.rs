//! CreateDisk: empty or from a snapshot, free in a zone or at once for an instance; what sizes a category allows.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::actions::disk_attachments;
use crate::actions::instances::{ALGORITHMS, check_algorithm};
use crate::actions::snapshots::check_age;
use crate::api::action::{Action, Idempotent};
use crate::api::common::{
    Tag, check_balance, check_given, check_kms_key, check_snapshot_service, check_tag_quota, is_description, is_name,
    is_resource_group, spelled, tags_to_set,
};
use crate::api::older::check_lifted;
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::regions::Region;
use crate::store::disks::{self, Disk};
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::snapshots::{self, Referenced};
use crate::store::tags::{self, ResourceType, Tagged};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;

/// Makes a disk.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateDisk {
    pub(super) zone_id: Option<String>,
    pub(super) instance_id: Option<String>,
    pub(super) snapshot_id: Option<String>,
    pub(super) disk_name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) size: Option<i64>,
    pub(super) disk_category: Option<String>,
    pub(super) performance_level: Option<String>,
    pub(super) encrypted: Option<bool>,
    #[serde(rename = "KMSKeyId")]
    pub(super) kms_key_id: Option<String>,
    pub(super) encrypt_algorithm: Option<String>,
    pub(super) multi_attach: Option<String>,
    pub(super) provisioned_iops: Option<i64>,
    pub(super) bursting_enabled: Option<bool>,
    pub(super) storage_set_id: Option<String>,
    pub(super) storage_set_partition_number: Option<i64>,
    pub(super) resource_group_id: Option<String>,
    pub(super) client_token: Option<String>,
    #[serde(default)]
    pub(super) tag: Vec<Tag>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Created {
    disk_id: String,
}

/// What a disk may be of.
pub const CATEGORIES: [&str; 9] = [
    "cloud",
    "cloud_efficiency",
    "cloud_ssd",
    "cloud_essd",
    "cloud_auto",
    "cloud_essd_entry",
    "cloud_regional_disk_auto",
    "elastic_ephemeral_disk_standard",
    "elastic_ephemeral_disk_premium",
];
/// GiB of a disk of the oldest category.
const LARGEST_CLOUD: i64 = 2_000;
/// The meaning of MissingParameter that is not about the size.
const NO_ZONE: usize = 1;
const PERFORMANCE_LEVELS: [&str; 4] = ["PL0", "PL1", "PL2", "PL3"];

/// The sizes in GiB that a category allows, for ESSDs at a performance level.
#[must_use]
pub fn sizes(category: &str, performance_level: &str) -> RangeInclusive<i64> {
    match (category, performance_level) {
        ("cloud", _) => 5..=LARGEST_CLOUD,
        ("cloud_efficiency" | "cloud_ssd", _) => 20..=32_768,
        ("cloud_essd", "PL0") | ("cloud_auto", _) => 1..=65_536,
        ("cloud_essd", "PL2") => 461..=65_536,
        ("cloud_essd", "PL3") => 1_261..=65_536,
        ("cloud_essd", _) => 20..=65_536,
        ("cloud_essd_entry", _) => 10..=32_768,
        ("cloud_regional_disk_auto", _) => 10..=65_536,
        _ => 64..=8_192,
    }
}

/// The IOPS that may be provisioned on top of the baseline of a size. Documented: 50,000 at most, both together no more
/// than 1,000 for each GiB, and none below 4 GiB.
#[must_use]
pub fn provisioned_iops(size: i64) -> RangeInclusive<i64> {
    let baseline = (1_800 + 50 * size).clamp(3_000, 50_000);
    0..=if size < 4 { 0 } else { (1_000 * size - baseline).min(50_000) }
}

impl Action for CreateDisk {
    const NAME: &'static str = "CreateDisk";
    const MALFORMED: &'static [(&'static str, &'static str)] = &[("Size", "InvalidSize.ValueNotSupported")];
    type Response = Created;

    fn check(&self) -> Result<(), Fault> {
        check_given(self.resource_group_id.as_deref(), is_resource_group, "InvalidResourceGroup.NotFound")?;
        check_given(self.storage_set_id.as_deref(), |id| id.starts_with("ss-"), "InvalidParameter.StorageSetId")?;
        check_given(self.disk_name.as_deref(), is_name, "InvalidDiskName.Malformed")?;
        check_given(self.description.as_deref(), is_description, "InvalidDescription.Malformed")?;
        if !CATEGORIES.contains(&self.category()) {
            return Err(self.of_disk("DiskCategory", "InvalidDiskCategory.ValueNotSupported"));
        }
        let is_level = |text: &str| PERFORMANCE_LEVELS.contains(&text);
        check_given(self.performance_level.as_deref(), is_level, "InvalidPerformanceLevel.Malformed")?;
        let is_switch = |text: &str| matches!(text, "Enabled" | "Disabled");
        check_given(self.multi_attach.as_deref(), is_switch, "InvalidParameter.MultiAttach")?;
        match (&self.zone_id, &self.instance_id) {
            (Some(_), Some(_)) => return Err(fault("InvalidParam.ZoneIdAndInstanceId.Conflict")),
            (Some(_), None) if self.is_regional() => return Err(fault("InvalidZoneId.DiskCategoryUnsupported")),
            (None, None) if !self.is_regional() => return Err(Fault::missing("ZoneId").variant(NO_ZONE)),
            _ => {}
        }
        if self.size.is_none() && self.snapshot_id.is_none() {
            return Err(Fault::missing("Size"));
        }
        if self.size.is_some_and(|size| size < 1) {
            return Err(fault("InvalidSize.ValueNotSupported"));
        }
        let is_plain = !self.encrypted.unwrap_or(self.snapshot_id.is_some());
        if is_plain && self.kms_key_id.is_some() {
            return Err(fault("InvalidEncrypted.NotMatchKmsKeyId"));
        }
        check_algorithm(self.encrypt_algorithm.as_deref(), !is_plain)?;
        if self.storage_set_partition_number.is_some_and(|number| number < 1) {
            return Err(fault("InvalidParameter.StorageSetPartitionNumber"));
        }
        self.check_category()?;
        tags_to_set(&self.tag).map(drop)
    }

    fn row_locks(&self) -> RowLocks {
        self.snapshot_id.as_deref().map_or_else(RowLocks::none, RowLocks::shared)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Created, Fault> {
        // Checks
        check_balance(tx)?;
        if self.snapshot_id.is_some() {
            check_snapshot_service(tx).await?;
        }
        let instance = match &self.instance_id {
            Some(id) => Some(disk_attachments::ready_instance(tx, id).await?.instance),
            None => None,
        };
        let source = match &self.snapshot_id {
            Some(id) => Some(usable_source(tx, id).await?),
            None => None,
        };
        if let Some(Referenced { snapshot, .. }) = &source {
            check_lifted(tx, snapshot.source_disk_type == "system", "InvalidSnapshotId.NotDataDiskSnapshot")?;
            let is_smaller = self.size.is_some_and(|size| size < snapshot.source_disk_size);
            check_lifted(tx, is_smaller, "InvalidDiskSize.TooSmall")?;
        }
        let of_source = source.as_ref().map(|found| found.snapshot.region_id.as_str());
        let region = tx.region_of(instance.as_ref().map(|instance| instance.region_id.as_str()).or(of_source));
        let zone_id = match (&instance, &self.zone_id) {
            (Some(instance), _) => instance.zone_id.clone(),
            (None, Some(zone)) if region.has_zone(zone) => zone.clone(),
            (None, None) if self.is_regional() => String::new(),
            (None, _) => return Err(fault("InvalidZoneId.NotFound")),
        };
        let device = match &instance {
            Some(instance) => Some(device_of_whole(tx, &instance.instance_id).await?),
            None => None,
        };
        let disk = self.disk_of(tx, region, zone_id, source.as_ref())?;
        let tags = tags_to_set(&self.tag)?;
        check_tag_quota(tx, tags.len())?;
        // Effect
        disks::insert(tx, &disk).await?;
        if let Some(id) = &self.snapshot_id {
            row_locks::hold(tx, id, &disk.disk_id, Mode::Shared).await?;
        }
        let tagged = Tagged::new(ResourceType::Disk, disk.subject(), disk.creation_time);
        tags::set(tx, &tagged, &tags).await?;
        if let (Some(instance), Some(device)) = (instance, device) {
            disks::attach(tx, &disk.disk_id, &instance.instance_id, &device).await?;
        }
        let due = tx.now.plus_millis(tx.config().lifecycle.disk_ms.into());
        timers::set(tx, TimerKind::DiskFinish, &disk.disk_id, due).await?;
        Ok(Created { disk_id: disk.disk_id })
    }
}

impl Idempotent for CreateDisk {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl CreateDisk {
    fn category(&self) -> &str {
        self.disk_category.as_deref().unwrap_or("cloud")
    }

    /// The refusal of a value that no disk can have, or, in the words of that code, no data disk of an instance
    /// (decision 164).
    fn of_disk(&self, parameter: &str, code: &'static str) -> Fault {
        if self.instance_id.is_none() {
            return fault(code);
        }
        let of_instance = if parameter == "Size" { "Size" } else { "Category" };
        fault(format!("InvalidDataDisk{of_instance}.ValueNotSupported"))
            .with(format!("The specified parameter \"{parameter}\" is not valid for a data disk of an instance."))
    }

    fn is_regional(&self) -> bool {
        self.category() == "cloud_regional_disk_auto"
    }

    /// Parameters that only some categories take.
    fn check_category(&self) -> Result<(), Fault> {
        let category = self.category();
        if self.performance_level.is_some() && category != "cloud_essd" {
            return Err(fault("InvalidPerformanceLevel.ValueNotSupported"));
        }
        if self.provisioned_iops.is_some() && category != "cloud_auto" && category != "cloud_regional_disk_auto" {
            return Err(fault("ProvisionedIopsForDiskCategoryUnsupported"));
        }
        if self.snapshot_id.is_some() && category.starts_with("elastic_ephemeral_disk") {
            return Err(fault("InvalidOperation.CreateFromSnapshotUnsupported"));
        }
        let is_multi = self.multi_attach.as_deref() == Some("Enabled");
        if self.bursting_enabled == Some(true) && category != "cloud_auto" {
            return Err(fault("BurstingEnabledForDiskCategoryUnsupported"));
        }
        if self.bursting_enabled == Some(true) && is_multi {
            return Err(fault("BurstingEnabledForMultiAttachDiskUnsupported"));
        }
        if is_multi && self.instance_id.is_some() {
            return Err(fault("InvalidParameter.MultiAttachAndInstanceIdConflict"));
        }
        if is_multi && !matches!(category, "cloud_essd" | "cloud_auto" | "cloud_regional_disk_auto") {
            return Err(fault("InvalidParameter.DiskCategoryAndMultiAttachConflict"));
        }
        Ok(())
    }

    /// The disk as it begins.
    ///
    /// # Errors
    /// The documented codes of sizes, levels, provisioned IOPS and encryption.
    pub(super) fn disk_of(
        &self,
        tx: &mut Tx<'_>,
        region: &Region,
        zone_id: String,
        source: Option<&Referenced>,
    ) -> Result<Disk, Fault> {
        let category = self.category();
        let level = match (category, &self.performance_level) {
            ("cloud_essd", Some(level)) => level.as_str(),
            ("cloud_essd", None) => "PL1",
            _ => "",
        };
        let size = self.size_of(level, source)?;
        let (encrypted, kms_key_id) = self.encryption(source)?;
        check_kms_key(tx, &kms_key_id)?;
        let is_attached = self.instance_id.is_some();
        Ok(Disk {
            disk_id: tx.new_id(IdKind::Disk, region.id),
            account_id: tx.account_id().to_owned(),
            region_id: region.id.to_owned(),
            zone_id,
            disk_name: self.disk_name.clone().unwrap_or_default(),
            description: self.description.clone().unwrap_or_default(),
            disk_type: "data".to_owned(),
            category: category.to_owned(),
            performance_level: level.to_owned(),
            size,
            status: "Creating".to_owned(),
            portable: true.into(),
            delete_with_instance: is_attached.into(),
            delete_auto_snapshot: true.into(),
            enable_auto_snapshot: true.into(),
            encrypted: encrypted.into(),
            kms_key_id,
            multi_attach: self.multi_attach.clone().unwrap_or_else(|| "Disabled".to_owned()),
            disk_charge_type: if is_attached { "PrePaid" } else { "PostPaid" }.to_owned(),
            provisioned_iops: self.provisioned_iops,
            bursting_enabled: self.bursting_enabled.unwrap_or(false).into(),
            storage_set_id: self.storage_set_id.clone().unwrap_or_default(),
            storage_set_partition_number: self.storage_set_partition_number,
            image_id: String::new(),
            source_snapshot_id: self.snapshot_id.clone().unwrap_or_default(),
            foreign_source: false.into(),
            serial_number: tx.new_token(20),
            resource_group_id: self.resource_group_id.clone().unwrap_or_default(),
            ever_attached: false.into(),
            creation_time: tx.now,
            attached_time: None,
            detached_time: None,
            snapshots_taken: 0,
            delete_protection: false.into(),
        })
    }

    /// Documented: that of the snapshot where it is the larger one.
    fn size_of(&self, level: &str, source: Option<&Referenced>) -> Result<i64, Fault> {
        let least = source.map_or(0, |found| found.snapshot.source_disk_size);
        let size = self.size.unwrap_or(least).max(least);
        if !sizes(self.category(), level).contains(&size) {
            let is_level_too_high = matches!(level, "PL2" | "PL3") && sizes(self.category(), "PL1").contains(&size);
            return Err(match (self.category(), level) {
                _ if is_level_too_high => fault("OperationDenied.PerformanceLevelNotMatch"),
                // Documented for the oldest category, which no larger snapshot fits.
                ("cloud", _) if least > LARGEST_CLOUD => fault("InvalidSnapshot.TooLarge"),
                _ => self.of_disk("Size", "InvalidDiskSize.NotSupported"),
            });
        }
        if self.provisioned_iops.is_some_and(|iops| !provisioned_iops(size).contains(&iops)) {
            return Err(fault("InvalidProvisionedIops.LimitExceed"));
        }
        Ok(size)
    }

    /// Decision 35: inherited from the snapshot; a plain snapshot may become an encrypted disk, never the reverse.
    fn encryption(&self, source: Option<&Referenced>) -> Result<(bool, String), Fault> {
        let inherited = source.map(|found| &found.snapshot).filter(|snapshot| snapshot.encrypted.into());
        if inherited.is_some() && self.encrypted == Some(false) {
            return Err(fault("InvalidEncrypted.NotMatchSnapshot"));
        }
        if inherited.is_none() && self.encrypted.is_none() && self.kms_key_id.is_some() {
            return Err(fault("InvalidEncrypted.NotMatchKmsKeyId"));
        }
        // What everything here is encrypted with is the first one.
        if inherited.is_some() && spelled(self.encrypt_algorithm.as_deref(), &ALGORITHMS[1..]).is_some() {
            return Err(fault("InvalidEncryptAlgorithm.NotMatchSnapshot"));
        }
        let encrypted = inherited.is_some() || self.encrypted.unwrap_or(false);
        let inherited_key = inherited.map(|snapshot| &snapshot.kms_key_id);
        Ok((encrypted, key_of(self.kms_key_id.as_ref(), inherited_key)?))
    }
}

/// The key of a disk: that of what it is made from, which no other may replace (decision 91), else the one given.
///
/// # Errors
/// 400 `InvalidKmsKeyId.NotMatchSnapshot`.
pub fn key_of(given: Option<&String>, inherited: Option<&String>) -> Result<String, Fault> {
    match (given, inherited) {
        (Some(given), Some(inherited)) if given != inherited => Err(fault("InvalidKmsKeyId.NotMatchSnapshot")),
        (given, inherited) => Ok(inherited.or(given).cloned().unwrap_or_default()),
    }
}

/// A free device of an instance that has its system disk.
async fn device_of_whole(tx: &mut Tx<'_>, instance_id: &str) -> Result<String, Fault> {
    let has_system = disks::of_instance(tx, instance_id).await?.iter().any(|found| found.disk.is_system());
    if !has_system {
        return Err(fault("InvalidInstance.NotFoundSystemDisk"));
    }
    disk_attachments::free_device(tx, instance_id).await
}

/// The snapshot that a disk is to be made from, if it can be used.
///
/// # Errors
/// 404 `InvalidSnapshotId.NotFound`, 403 `InvalidSnapshotId.NotReady`, 403 `OperationDenied.SnapshotNotAllowed`,
/// 403 `InvalidSnapshot.TooOld`, 403 `Operation.Conflict`.
pub async fn usable_source(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<Referenced, Fault> {
    let Some(found) = snapshots::find(tx, snapshot_id).await? else {
        return Err(fault("InvalidSnapshotId.NotFound"));
    };
    if found.holds.is_held_exclusively() {
        return Err(fault("Operation.Conflict"));
    }
    if found.snapshot.is_archived() {
        return Err(fault("OperationDenied.SnapshotNotAllowed"));
    }
    check_age(&found.snapshot)?;
    let is_usable = bool::from(found.snapshot.available) && tx.now >= found.snapshot.cut_time;
    if is_usable { Ok(found) } else { Err(fault("InvalidSnapshotId.NotReady")) }
}

#[cfg(test)]
mod tests {
    use super::provisioned_iops;

    #[test]
    fn provisioned_iops_grow_with_the_size_above_the_baseline() {
        let most = |size| *provisioned_iops(size).end();
        assert_eq!([1, 3, 4, 40, 64, 65_536].map(most), [0, 0, 1_000, 36_200, 50_000, 50_000]);
    }
}
