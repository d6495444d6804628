//! What DescribeImages shows of an image, and how much of it to whom; no SQL.

use serde::Serialize;

use crate::api::common::Tags;
use crate::api::describe::progress;
use crate::clock::Timestamp;
use crate::store::images::{Image, Mapping};
use crate::store::tags::TagRow;

/// An image as DescribeImages shows it. Description is there even when empty: Terraform waits for it to be equal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the vendor's answer has so many")]
pub struct Item {
    image_id: String,
    image_name: String,
    image_family: String,
    image_version: String,
    description: String,
    status: String,
    progress: String,
    usable: bool,
    usage: &'static str,
    image_owner_alias: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_owner_id: Option<i64>,
    is_public: bool,
    is_copied: bool,
    is_self_shared: &'static str,
    is_subscribed: bool,
    is_support_cloudinit: bool,
    is_support_io_optimized: bool,
    login_as_non_root_supported: bool,
    /// GiB.
    size: i64,
    platform: String,
    #[serde(rename = "OSName")]
    os_name: String,
    #[serde(rename = "OSNameEn")]
    os_name_en: String,
    #[serde(rename = "OSType")]
    os_type: String,
    architecture: String,
    boot_mode: String,
    license_type: String,
    product_code: &'static str,
    resource_group_id: String,
    creation_time: String,
    features: Features,
    secure_boot_options: SecureBootOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    detection_options: Option<DetectionOptions>,
    disk_device_mappings: DiskDeviceMappings,
    tags: Tags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Features {
    nvme_support: String,
    imds_support: String,
    cpu_online_upgrade: &'static str,
    cpu_online_downgrade: &'static str,
    memory_online_upgrade: &'static str,
    memory_online_downgrade: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SecureBootOptions {
    secure_boot_support: String,
}

/// Where the looking over of an image stands; an image without content has no findings.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DetectionOptions {
    status: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DiskDeviceMappings {
    disk_device_mapping: Vec<DiskDeviceMapping>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DiskDeviceMapping {
    device: String,
    #[serde(rename = "Type")]
    disk_type: String,
    /// GiB as text: the typed SDKs declare it so.
    size: String,
    snapshot_id: String,
    encrypted: bool,
    format: &'static str,
    progress: String,
    /// Seconds.
    remain_time: i64,
    #[serde(rename = "ImportOSSBucket")]
    import_oss_bucket: &'static str,
    #[serde(rename = "ImportOSSObject")]
    import_oss_object: &'static str,
}

/// An image with what belongs to it, as one caller sees it.
pub struct Viewed {
    pub row: Image,
    pub tags: Vec<TagRow>,
    pub mappings: Vec<Mapping>,
    pub usage: &'static str,
    pub is_own: bool,
    pub is_community: bool,
    /// Its owner shares it with somebody.
    pub is_shared: bool,
    pub now: Timestamp,
}

impl Viewed {
    fn owner_alias(&self) -> &'static str {
        match () {
            () if self.row.is_public() => "system",
            () if self.is_own => "self",
            () => "others",
        }
    }

    fn progress(&self) -> (i64, i64) {
        match self.row.status.as_str() {
            "Creating" => progress(self.row.creation_time, self.row.finish_time, self.now),
            "Waiting" => (0, 0),
            _ => (100, 0),
        }
    }

    fn detection_options(&self) -> Option<DetectionOptions> {
        let status = if matches!(self.row.status.as_str(), "Creating" | "Waiting") { "Processing" } else { "Finished" };
        (!self.row.detection_strategy.is_empty()).then_some(DetectionOptions { status })
    }
}

impl Features {
    /// Instances are stubs: none grows or shrinks while it runs.
    fn of(nvme_support: String, imds_support: String) -> Self {
        Self {
            nvme_support,
            imds_support,
            cpu_online_upgrade: "unsupported",
            cpu_online_downgrade: "unsupported",
            memory_online_upgrade: "unsupported",
            memory_online_downgrade: "unsupported",
        }
    }
}

impl DiskDeviceMapping {
    fn of(mapping: Mapping, is_own: bool, (percent, remain_time): (i64, i64)) -> Self {
        Self {
            device: mapping.device,
            disk_type: mapping.disk_type,
            size: mapping.size.to_string(),
            // The snapshots of a foreign image are nothing to the caller.
            snapshot_id: mapping.snapshot_id.filter(|_| is_own).unwrap_or_default(),
            encrypted: mapping.encrypted.into(),
            format: "",
            progress: format!("{percent}%"),
            remain_time,
            import_oss_bucket: "",
            import_oss_object: "",
        }
    }
}

impl Item {
    pub fn of(viewed: Viewed) -> Self {
        let (percent, remain_time) = viewed.progress();
        let (alias, detection_options) = (viewed.owner_alias(), viewed.detection_options());
        let Viewed { row, tags, mappings, usage, is_own, is_community, is_shared, .. } = viewed;
        let disk = |mapping| DiskDeviceMapping::of(mapping, is_own, (percent, remain_time));
        Self {
            progress: format!("{percent}%"),
            usable: row.status == "Available",
            usage,
            image_owner_alias: alias,
            image_owner_id: row.account_id.parse().ok(),
            is_public: row.is_public() || is_community,
            is_copied: row.is_copied.into(),
            is_self_shared: if is_own && is_shared { "True" } else { "" },
            is_subscribed: false,
            is_support_cloudinit: true,
            is_support_io_optimized: true,
            login_as_non_root_supported: false,
            product_code: "",
            creation_time: row.creation_time.to_seconds(),
            features: Features::of(row.nvme_support, row.imds_support),
            secure_boot_options: SecureBootOptions { secure_boot_support: row.secure_boot_support },
            detection_options,
            disk_device_mappings: DiskDeviceMappings { disk_device_mapping: mappings.into_iter().map(disk).collect() },
            // Neither are its tags and its resource group.
            tags: if is_own { tags.into() } else { Tags::default() },
            resource_group_id: if is_own { row.resource_group_id } else { String::new() },
            image_id: row.image_id,
            image_name: row.image_name,
            image_family: row.image_family,
            image_version: row.image_version,
            description: row.description,
            status: row.status,
            size: row.size,
            platform: row.platform,
            os_name_en: row.os_name.clone(),
            os_name: row.os_name,
            os_type: row.os_type,
            architecture: row.architecture,
            boot_mode: row.boot_mode,
            license_type: row.license_type,
        }
    }
}
