//! `SystemDisk` and `DataDisk.N` of a new instance: what they may say whatever is stored; never looks at the store.

use serde::{Deserialize, Serialize};

use crate::api::common::{check_given, check_one_of, is_description, is_name};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;

pub const SYSTEM_CATEGORIES: [&str; 6] =
    ["cloud_efficiency", "cloud_ssd", "cloud_essd", "cloud", "cloud_auto", "cloud_essd_entry"];
pub const DATA_CATEGORIES: [&str; 7] = [
    "cloud_efficiency",
    "cloud_ssd",
    "cloud_essd",
    "cloud",
    "cloud_auto",
    "cloud_essd_entry",
    "cloud_regional_disk_auto",
];
/// The first one is what everything here is encrypted with.
pub const ALGORITHMS: [&str; 2] = ["aes-256", "sm4-128"];
pub const LEVELS: [&str; 4] = ["PL0", "PL1", "PL2", "PL3"];

/// `SystemDisk`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SystemDisk {
    pub size: Option<i64>,
    pub category: Option<String>,
    pub disk_name: Option<String>,
    pub description: Option<String>,
    pub performance_level: Option<String>,
    pub encrypted: Option<bool>,
    #[serde(rename = "KMSKeyId")]
    pub kms_key_id: Option<String>,
    pub provisioned_iops: Option<i64>,
    pub bursting_enabled: Option<bool>,
    pub encrypt_algorithm: Option<String>,
    pub auto_snapshot_policy_id: Option<String>,
}

/// `DataDisk.N`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DataDisk {
    pub size: Option<i64>,
    pub category: Option<String>,
    pub disk_name: Option<String>,
    pub description: Option<String>,
    pub performance_level: Option<String>,
    pub encrypted: Option<bool>,
    #[serde(rename = "KMSKeyId")]
    pub kms_key_id: Option<String>,
    pub snapshot_id: Option<String>,
    pub device: Option<String>,
    pub delete_with_instance: Option<bool>,
    pub provisioned_iops: Option<i64>,
    pub bursting_enabled: Option<bool>,
    pub encrypt_algorithm: Option<String>,
    pub auto_snapshot_policy_id: Option<String>,
}

/// Refuses values that are wrong whatever is stored.
///
/// # Errors
/// The documented code of the parameter.
pub fn check(system: Option<&SystemDisk>, data: &[DataDisk]) -> Result<(), Fault> {
    let of_system = system.map(|disk| (&disk.disk_name, &disk.description, &disk.performance_level));
    let of_data = data.iter().map(|disk| (&disk.disk_name, &disk.description, &disk.performance_level));
    for (name, description, level) in of_system.into_iter().chain(of_data) {
        check_given(name.as_deref(), is_name, "InvalidDiskName.Malformed")?;
        check_given(description.as_deref(), is_description, "InvalidDiskDescription.Malformed")?;
        check_one_of(level.as_deref(), &["pl0", "pl1", "pl2", "pl3"], "InvalidPerformanceLevel.Malformed")?;
    }
    let category = system.and_then(|disk| disk.category.as_deref());
    check_one_of(category, &SYSTEM_CATEGORIES, "InvalidSystemDiskCategory.ValueNotSupported")?;
    let keys = system.map(|disk| (disk.encrypted, &disk.kms_key_id)).into_iter();
    for (encrypted, key) in keys.chain(data.iter().map(|disk| (disk.encrypted, &disk.kms_key_id))) {
        if encrypted == Some(false) && key.is_some() {
            return Err(fault("InvalidEncrypted.NotMatchKmsKeyId"));
        }
    }
    if let Some(disk) = system {
        check_extras(disk.category.as_deref(), disk.provisioned_iops, disk.bursting_enabled)?;
        check_algorithm(disk.encrypt_algorithm.as_deref(), disk.encrypted == Some(true))?;
    }
    for (i, disk) in data.iter().enumerate() {
        check_extras(disk.category.as_deref(), disk.provisioned_iops, disk.bursting_enabled)?;
        check_algorithm(disk.encrypt_algorithm.as_deref(), disk.encrypted == Some(true))?;
        let is_snapshot = |text: &str| text.starts_with(IdKind::Snapshot.prefix());
        check_given(disk.snapshot_id.as_deref(), is_snapshot, "InvalidSnapshotId.Malformed")?;
        check_one_of(disk.category.as_deref(), &DATA_CATEGORIES, "InvalidDataDiskCategory.ValueNotSupported")?;
        check_given(disk.device.as_deref(), |text| text.starts_with("/dev/xvd"), "InvalidDataDevice.Malformed")?;
        if disk.device.is_some() && data[..i].iter().any(|other| other.device == disk.device) {
            return Err(fault("InvalidDevice.InUse"));
        }
        if disk.size.is_none() && disk.snapshot_id.is_none() {
            return Err(fault("InvalidDataDiskSize.ValueNotSupported"));
        }
    }
    Ok(())
}

/// Provisioned IOPS and bursting are those of one category.
fn check_extras(category: Option<&str>, iops: Option<i64>, bursting: Option<bool>) -> Result<(), Fault> {
    let is_auto = category.is_some_and(|category| category.eq_ignore_ascii_case("cloud_auto"));
    if iops.is_some() && !is_auto {
        return Err(fault("ProvisionedIopsForDiskCategoryUnsupported"));
    }
    if bursting == Some(true) && !is_auto {
        return Err(fault("BurstingEnabledForDiskCategoryUnsupported"));
    }
    Ok(())
}

/// The algorithm is one, and of something that is encrypted; it changes nothing here.
///
/// # Errors
/// `InvalidEncryptAlgorithm`, `InvalidEncrypted.NotMatchEncryptAlgorithm`.
pub fn check_algorithm(algorithm: Option<&str>, is_encrypted: bool) -> Result<(), Fault> {
    check_one_of(algorithm, &ALGORITHMS, "InvalidEncryptAlgorithm")?;
    if algorithm.is_some() && !is_encrypted { Err(fault("InvalidEncrypted.NotMatchEncryptAlgorithm")) } else { Ok(()) }
}

/// Whether a key is asked for.
#[must_use]
pub fn has_key(system: Option<&SystemDisk>, data: &[DataDisk]) -> bool {
    system.is_some_and(|disk| disk.kms_key_id.is_some()) || data.iter().any(|disk| disk.kms_key_id.is_some())
}
