//! DescribeImageFromFamily: the newest image of a family that can be used; no SQL.

use serde::{Deserialize, Serialize};

use super::describe::usage;
use crate::api::action::Action;
use crate::api::common::Tags;
use crate::faults::Fault;
use crate::store::images::{self, Image, Mapping};
use crate::store::tags::{self, TagRow};
use crate::store::tx::Tx;

/// Shows the newest available image of a family, the caller's own before a public one; nothing where there is none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeImageFromFamily {
    image_family: String,
}

impl Action for DescribeImageFromFamily {
    const NAME: &'static str = "DescribeImageFromFamily";
    type Response = Described;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Described, Fault> {
        let Some(image) = images::newest_of_family(tx, &self.image_family).await? else {
            return Ok(Described { image: None });
        };
        let ids = [image.image_id.as_str()];
        let tags = tags::of_all(tx, &ids).await?.remove(&image.image_id).unwrap_or_default();
        let mappings = images::mappings_of(tx, &ids).await?;
        let in_use = images::in_use(tx, &ids).await?;
        let usage = usage(in_use.contains(&image.image_id));
        Ok(Described { image: Some(Item::of(image, mappings, tags, usage)) })
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Item>,
}

/// An available image as DescribeImageFromFamily shows it: less than DescribeImages does.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the vendor's answer has so many")]
struct Item {
    image_id: String,
    image_name: String,
    image_family: String,
    image_version: String,
    description: String,
    status: String,
    progress: &'static str,
    usage: &'static str,
    image_owner_alias: &'static str,
    is_copied: bool,
    is_self_shared: &'static str,
    is_subscribed: bool,
    is_support_cloudinit: bool,
    is_support_io_optimized: bool,
    /// GiB.
    size: i64,
    platform: String,
    #[serde(rename = "OSName")]
    os_name: String,
    #[serde(rename = "OSType")]
    os_type: String,
    architecture: String,
    product_code: &'static str,
    creation_time: String,
    disk_device_mappings: DiskDeviceMappings,
    tags: Tags,
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
    /// GiB as text.
    size: String,
    snapshot_id: String,
    format: &'static str,
    #[serde(rename = "ImportOSSBucket")]
    import_oss_bucket: &'static str,
    #[serde(rename = "ImportOSSObject")]
    import_oss_object: &'static str,
}

impl Item {
    fn of(image: Image, mappings: Vec<Mapping>, tags: Vec<TagRow>, usage: &'static str) -> Self {
        let mapping = |mapping: Mapping| DiskDeviceMapping {
            device: mapping.device,
            disk_type: mapping.disk_type,
            size: mapping.size.to_string(),
            snapshot_id: mapping.snapshot_id.unwrap_or_default(),
            format: "",
            import_oss_bucket: "",
            import_oss_object: "",
        };
        Self {
            progress: "100%",
            usage,
            image_owner_alias: if image.is_public() { "system" } else { "self" },
            is_copied: image.is_copied.into(),
            is_self_shared: "",
            is_subscribed: false,
            is_support_cloudinit: true,
            is_support_io_optimized: true,
            product_code: "",
            creation_time: image.creation_time.to_seconds(),
            disk_device_mappings: DiskDeviceMappings {
                disk_device_mapping: mappings.into_iter().map(mapping).collect(),
            },
            tags: tags.into(),
            image_id: image.image_id,
            image_name: image.image_name,
            image_family: image.image_family,
            image_version: image.image_version,
            description: image.description,
            status: image.status,
            size: image.size,
            platform: image.platform,
            os_name: image.os_name,
            os_type: image.os_type,
            architecture: image.architecture,
        }
    }
}
