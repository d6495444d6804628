//! DescribeSnapshots: its filters, pages and what it shows of a snapshot.

use serde::{Deserialize, Serialize};

use crate::api::action::Action;
use crate::api::common::{KeyValue, PageLimits, Paging, Tag, Tags, check_one_of, spelled, tags_to_match};
use crate::api::describe::{CREATION, check_filters, narrow_by_creation, progress_of, total_of, unless_all};
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::ids;
use crate::store::filter::{self, Filter};
use crate::store::snapshots::{self, Counted, Snapshot};
use crate::store::tags::{self, ResourceType, TagRow};
use crate::store::tx::Tx;
use crate::wire::params::JsonList;

/// Lists snapshots, newest first; all filters have to match.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeSnapshots {
    instance_id: Option<String>,
    disk_id: Option<String>,
    snapshot_link_id: Option<String>,
    snapshot_ids: Option<JsonList<String>>,
    page_number: Option<i64>,
    page_size: Option<i64>,
    next_token: Option<String>,
    max_results: Option<i64>,
    snapshot_name: Option<String>,
    status: Option<String>,
    snapshot_type: Option<String>,
    #[serde(default)]
    filter: Vec<KeyValue>,
    usage: Option<String>,
    source_disk_type: Option<String>,
    #[serde(default)]
    encrypted: bool,
    resource_group_id: Option<String>,
    #[serde(default)]
    dry_run: bool,
    #[serde(rename = "KMSKeyId")]
    kms_key_id: Option<String>,
    category: Option<String>,
    #[serde(default)]
    tag: Vec<Tag>,
}

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 100 };
const MOST_IDS: usize = 100;
const STATUSES: [&str; 3] = ["progressing", "accomplished", "failed"];
const TYPES: [&str; 2] = ["auto", "user"];
const USAGES: [&str; 4] = ["image", "disk", "image_disk", "none"];
const SOURCE_TYPES: [&str; 2] = ["system", "data"];

impl Action for DescribeSnapshots {
    const NAME: &'static str = "DescribeSnapshots";
    /// `InvalidSnapshotIds.Malformed` is of a list that is too long (decision 251).
    const MALFORMED: &'static [(&'static str, &'static str)] = &[("SnapshotIds", "InvalidParameter")];
    type Response = Described;

    fn check(&self) -> Result<(), Fault> {
        if self.snapshot_ids.as_ref().is_some_and(|ids| ids.0.len() > MOST_IDS) {
            return Err(fault("InvalidSnapshotIds.Malformed"));
        }
        check_one_of(unless_all(self.status.as_deref()), &STATUSES, "InvalidStatus.NotFound")?;
        if unless_all(self.snapshot_type.as_deref()).is_some() && stored_type(self.snapshot_type.as_deref()).is_none() {
            return Err(fault("InvalidSnapshotType.NotFound"));
        }
        check_one_of(self.usage.as_deref(), &USAGES, "InvalidUsage")?;
        check_one_of(self.source_disk_type.as_deref(), &SOURCE_TYPES, "InvalidSourceDiskType")?;
        let categories = ["standard", "flash", "archive"];
        check_one_of(self.category.as_deref(), &categories, "InvalidSnapshotCategory.Malformed")?;
        if self.snapshot_link_id.as_deref().is_some_and(|id| !id.starts_with("sl-")) {
            return Err(fault("InvalidSnapshotLinkId.NotFound"));
        }
        check_filters(&self.filter, &CREATION, &[])?;
        tags_to_match(&self.tag).map(drop)?;
        self.paging().page(LIMITS).map(drop)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Described, Fault> {
        let paging = self.paging();
        let page = paging.page(LIMITS)?;
        let counted = self.counted();
        let others = self.other_filters(tx);
        let by_tags = tags_to_match(&self.tag)?;
        let mut filter = others.clone();
        counted.narrow(&mut filter);
        for (key, value) in &by_tags {
            filter.tag(tx, ResourceType::Snapshot, "snapshots.snapshot_id", key, *value);
        }
        let listing = filter::list::<Snapshot>(tx, &snapshots::SOURCE, &filter, &page).await?;
        let total = match (total_of(&page, &listing), by_tags.as_slice()) {
            (Some(total), _) => total,
            _ if !paging.wants_total() => 0,
            (None, []) if others.is_of_caller_alone() => snapshots::count(tx, &counted).await?,
            (None, [(key, Some(value))]) if others.is_of_caller_alone() && counted.is_empty() => {
                tags::count(tx, ResourceType::Snapshot, key, value).await?
            }
            _ => filter::count(tx, &snapshots::SOURCE, &filter).await?,
        };
        let fields = paging.fields(&page, &listing, total);
        let ids: Vec<&str> = listing.rows.iter().map(|row| row.snapshot_id.as_str()).collect();
        let mut tags = tags::of_all(tx, &ids).await?;
        let now = tx.now;
        let item = |row: Snapshot| Item::of(tags.remove(&row.snapshot_id).unwrap_or_default(), row, now);
        Ok(Described {
            next_token: fields.next_token,
            page_number: fields.page_number,
            page_size: fields.page_size,
            total_count: fields.total_count,
            snapshots: Items { snapshot: listing.rows.into_iter().map(item).collect() },
        })
    }
}

impl DescribeSnapshots {
    fn paging(&self) -> Paging<'_> {
        Paging {
            page_number: self.page_number,
            page_size: self.page_size,
            max_results: self.max_results,
            next_token: self.next_token.as_deref(),
        }
    }

    /// The filters that the counters know.
    fn counted(&self) -> Counted<'_> {
        Counted {
            status: spelled(self.status.as_deref(), &STATUSES),
            usage: spelled(self.usage.as_deref(), &USAGES),
            snapshot_type: stored_type(self.snapshot_type.as_deref()),
            source_disk_type: spelled(self.source_disk_type.as_deref(), &SOURCE_TYPES),
            // Documented with the default false, which cannot mean that encrypted ones are hidden: only true filters.
            encrypted: self.encrypted.then_some(true),
        }
    }

    fn other_filters(&self, tx: &Tx<'_>) -> Filter {
        let is_narrowed = self.snapshot_ids.is_some() || self.disk_id.is_some() || self.snapshot_link_id.is_some();
        let mut filter = Filter::of_caller(tx, &snapshots::SOURCE, is_narrowed);
        if let Some(JsonList(ids)) = &self.snapshot_ids {
            filter.any("snapshots.snapshot_id", ids.iter().map(String::as_str));
        }
        filter.is_given("source_disk_id", self.disk_id.as_deref());
        // The chain is known by its disk, which has an index.
        filter.is_given("source_disk_id", self.snapshot_link_id.as_deref().map(ids::disk_of_link).as_deref());
        filter.is_given("snapshot_name", self.snapshot_name.as_deref());
        filter.is_given("resource_group_id", self.resource_group_id.as_deref());
        filter.is_given("kms_key_id", self.kms_key_id.as_deref());
        filter.is_given("category", self.category.as_deref().map(str::to_ascii_lowercase).as_deref());
        if let Some(instance_id) = &self.instance_id {
            let of_instance = "source_disk_id IN (SELECT disk_id FROM disk_attachments WHERE instance_id = ?)";
            filter.condition(of_instance, [instance_id.as_str().into()]);
        }
        narrow_by_creation(&mut filter, &snapshots::SOURCE, &self.filter);
        filter
    }
}

/// The type as it is stored: `timer` is what events call `auto`.
fn stored_type(value: Option<&str>) -> Option<&'static str> {
    let is_timer = value.is_some_and(|text| text.eq_ignore_ascii_case("timer"));
    if is_timer { Some("auto") } else { spelled(value, &TYPES) }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_number: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_count: Option<i64>,
    snapshots: Items,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    snapshot: Vec<Item>,
}

/// A snapshot as DescribeSnapshots shows it; progress and remaining time are computed, never stored.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    snapshot_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    snapshot_name: String,
    description: String,
    status: String,
    progress: String,
    /// Seconds.
    remain_time: i64,
    available: bool,
    usage: String,
    snapshot_type: String,
    category: String,
    creation_time: String,
    last_modified_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_days: Option<i64>,
    snapshot_link_id: String,
    #[serde(rename = "SnapshotSN")]
    snapshot_sn: String,
    source_disk_id: String,
    /// A number as text: the typed SDKs declare it so (decision 12).
    source_disk_size: String,
    source_disk_type: String,
    source_storage_type: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    source_snapshot_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    source_region_id: String,
    encrypted: bool,
    #[serde(rename = "KMSKeyId")]
    kms_key_id: String,
    resource_group_id: String,
    region_id: String,
    instant_access: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    instant_access_retention_days: Option<i64>,
    full_snapshot_size_in_bytes: i64,
    product_code: String,
    tags: Tags,
}

impl Item {
    fn of(tags: Vec<TagRow>, row: Snapshot, now: Timestamp) -> Self {
        let (percent, remain_time) = progress_of(&row, now);
        let is_cut = now >= row.cut_time;
        Self {
            progress: format!("{percent}%"),
            remain_time,
            available: is_cut && row.available.into(),
            creation_time: if is_cut { row.creation_time.to_seconds() } else { String::new() },
            last_modified_time: if is_cut { row.last_modified_time.to_seconds() } else { String::new() },
            source_disk_size: row.source_disk_size.to_string(),
            source_storage_type: "disk",
            encrypted: row.encrypted.into(),
            instant_access: row.instant_access.into(),
            full_snapshot_size_in_bytes: if row.is_accomplished() { row.full_size_bytes } else { 0 },
            snapshot_id: row.snapshot_id,
            snapshot_name: row.snapshot_name,
            description: row.description,
            status: row.status,
            usage: row.usage,
            snapshot_type: row.snapshot_type,
            category: row.category,
            retention_days: row.retention_days,
            snapshot_link_id: row.snapshot_link_id,
            snapshot_sn: row.snapshot_sn,
            source_disk_id: row.source_disk_id,
            source_disk_type: row.source_disk_type,
            source_snapshot_id: if row.foreign_source.into() { String::new() } else { row.source_snapshot_id },
            source_region_id: row.source_region_id,
            kms_key_id: row.kms_key_id,
            resource_group_id: row.resource_group_id,
            region_id: row.region_id,
            instant_access_retention_days: row.instant_access_retention_days,
            product_code: row.product_code,
            tags: tags.into(),
        }
    }
}
