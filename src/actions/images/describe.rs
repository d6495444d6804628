//! DescribeImages: its filters, pages and what it shows of an image.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::api::action::Action;
use crate::api::common::{KeyValue, PageLimits, Paging, Tag, Tags, check_one_of, tags_to_match};
use crate::api::describe::{self, CREATION, check_filters, narrow_by_creation, progress};
use crate::clock::Timestamp;
use crate::faults::Fault;
use crate::store::filter::{self, Filter};
use crate::store::images::{self, Image, Mapping};
use crate::store::tags::{self, ResourceType, TagRow};
use crate::store::tx::Tx;

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 100 };

/// Lists images, newest first: the caller's own and the public ones. Without Status only those that are Available.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeImages {
    image_id: Option<String>,
    status: Option<String>,
    snapshot_id: Option<String>,
    image_name: Option<String>,
    image_family: Option<String>,
    image_owner_alias: Option<String>,
    image_owner_id: Option<i64>,
    #[serde(rename = "OSType")]
    os_type: Option<String>,
    architecture: Option<String>,
    page_number: Option<i64>,
    page_size: Option<i64>,
    usage: Option<String>,
    resource_group_id: Option<String>,
    is_public: Option<bool>,
    action_type: Option<String>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    filter: Vec<KeyValue>,
    #[serde(default)]
    tag: Vec<Tag>,
}

impl Action for DescribeImages {
    const NAME: &'static str = "DescribeImages";
    type Response = Described;

    fn check(&self) -> Result<(), Fault> {
        let owners = ["system", "self", "others", "marketplace"];
        check_one_of(self.image_owner_alias.as_deref(), &owners, "InvalidImageOwnerAlias.ValueNotSupported")?;
        check_one_of(self.os_type.as_deref(), &["windows", "linux"], "InvalidOSType")?;
        check_one_of(self.architecture.as_deref(), &["i386", "x86_64", "arm64"], "InvalidArchitecture")?;
        check_one_of(self.usage.as_deref(), &["instance", "none"], "InvalidUsage")?;
        check_one_of(self.action_type.as_deref(), &["createecs", "changeos"], "InvalidParamter")?;
        check_filters(&self.filter, &CREATION, &["NetworkType", "platform"])?;
        tags_to_match(&self.tag).map(drop)?;
        self.paging().page(LIMITS).map(drop)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Described, Fault> {
        let paging = self.paging();
        let page = paging.page(LIMITS)?;
        let mut filter = self.filters(tx);
        for (key, value) in tags_to_match(&self.tag)? {
            filter.tag(tx, ResourceType::Image, "images.image_id", key, value);
        }
        let listing = filter::list::<Image>(tx, &images::SOURCE, &filter, &page).await?;
        let total = describe::total(tx, &images::SOURCE, &filter, &paging, (&page, &listing)).await?;
        let ids: Vec<&str> = listing.rows.iter().map(|row| row.image_id.as_str()).collect();
        let mut tags = tags::of_all(tx, &ids).await?;
        let mut mappings: HashMap<String, Vec<Mapping>> = HashMap::new();
        for mapping in images::mappings_of(tx, &ids).await? {
            mappings.entry(mapping.image_id.clone()).or_default().push(mapping);
        }
        let in_use = images::in_use(tx, &ids).await?;
        let now = tx.now;
        let item = |row: Image| {
            let mappings = mappings.remove(&row.image_id).unwrap_or_default();
            let usage = if in_use.contains(&row.image_id) { "instance" } else { "none" };
            Item::of(tags.remove(&row.image_id).unwrap_or_default(), mappings, usage, row, now)
        };
        Ok(Described {
            region_id: tx.region().id,
            page_number: self.page_number.unwrap_or(1),
            page_size: page.size,
            total_count: total,
            images: Items { image: listing.rows.into_iter().map(item).collect() },
        })
    }
}

impl DescribeImages {
    fn paging(&self) -> Paging<'_> {
        Paging { page_number: self.page_number, page_size: self.page_size, ..Paging::default() }
    }

    fn filters(&self, tx: &Tx<'_>) -> Filter {
        let mut filter = Filter::default();
        let own = "images.account_id = ? AND images.region_id = ?";
        let values = [tx.account_id().into(), tx.region().id.into()];
        let owner = self.image_owner_alias.as_deref().map(str::to_ascii_lowercase);
        match (owner.as_deref(), self.is_public) {
            // Nobody shares images with anybody yet, and there is no market.
            (Some("others" | "marketplace"), _) | (Some("self"), Some(true)) => filter.condition("1 = 0", []),
            (Some("self"), _) => filter.condition(own, values),
            (Some("system"), _) | (None, Some(true)) => filter.condition("images.account_id = 'system'", []),
            _ => filter.condition(&format!("(images.account_id = 'system' OR {own})"), values),
        }
        if let Some(owner_id) = self.image_owner_id {
            filter.is("images.account_id", owner_id.to_string().as_str());
        }
        match self.status.as_deref() {
            None => filter.is("images.status", "Available"),
            Some(text) if text.eq_ignore_ascii_case("all") => {}
            Some(list) => filter.any("images.status", list.split(',').map(str::trim)),
        }
        if let Some(ids) = &self.image_id {
            filter.any("images.image_id", ids.split(',').map(str::trim));
        }
        if let Some(name) = &self.image_name {
            filter.like("image_name", name);
        }
        filter.is_given("image_family", self.image_family.as_deref());
        filter.is_given("os_type", self.os_type.as_deref().map(str::to_ascii_lowercase).as_deref());
        filter.is_given("architecture", self.architecture.as_deref().map(str::to_ascii_lowercase).as_deref());
        filter.is_given("resource_group_id", self.resource_group_id.as_deref());
        if let Some(snapshot_id) = &self.snapshot_id {
            let mapped = "images.image_id IN (SELECT image_id FROM image_disk_mappings WHERE snapshot_id = ?)";
            filter.condition(mapped, [snapshot_id.as_str().into()]);
        }
        if let Some(usage) = &self.usage {
            let not = if usage.eq_ignore_ascii_case("none") { "NOT " } else { "" };
            let used = "EXISTS (SELECT 1 FROM instances i WHERE i.image_id = images.image_id AND i.account_id = ?)";
            filter.condition(&format!("{not}{used}"), [tx.account_id().into()]);
        }
        narrow_by_creation(&mut filter, &images::SOURCE, &self.filter);
        for KeyValue { value, .. } in self.filter.iter().filter(|filter| filter.key == "platform") {
            filter.is("platform", value.as_str());
        }
        filter
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    region_id: &'static str,
    page_number: i64,
    page_size: i64,
    total_count: i64,
    images: Items,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    image: Vec<Item>,
}

/// An image as DescribeImages shows it. Description is there even when empty: Terraform waits for it to be equal.
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
    disk_device_mappings: DiskDeviceMappings,
    tags: Tags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Features {
    nvme_support: String,
    imds_support: String,
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

impl Item {
    fn of(tags: Vec<TagRow>, mappings: Vec<Mapping>, usage: &'static str, row: Image, now: Timestamp) -> Self {
        let is_made = row.status != "Creating";
        let (percent, remain_time) = if is_made { (100, 0) } else { progress(row.creation_time, row.finish_time, now) };
        let is_public = row.is_public();
        let mapping = |mapping: Mapping| DiskDeviceMapping {
            device: mapping.device,
            disk_type: mapping.disk_type,
            size: mapping.size.to_string(),
            snapshot_id: mapping.snapshot_id.unwrap_or_default(),
            encrypted: mapping.encrypted.into(),
            format: "",
            progress: format!("{percent}%"),
            remain_time,
            import_oss_bucket: "",
            import_oss_object: "",
        };
        Self {
            progress: format!("{percent}%"),
            usable: row.status == "Available",
            usage,
            image_owner_alias: if is_public { "system" } else { "self" },
            image_owner_id: row.account_id.parse().ok(),
            is_public,
            is_copied: row.is_copied.into(),
            is_self_shared: "",
            is_subscribed: false,
            is_support_cloudinit: true,
            is_support_io_optimized: true,
            login_as_non_root_supported: false,
            product_code: "",
            creation_time: row.creation_time.to_seconds(),
            features: Features { nvme_support: row.nvme_support, imds_support: row.imds_support },
            disk_device_mappings: DiskDeviceMappings {
                disk_device_mapping: mappings.into_iter().map(mapping).collect(),
            },
            tags: tags.into(),
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
            resource_group_id: row.resource_group_id,
        }
    }
}
