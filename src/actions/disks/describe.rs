//! DescribeDisks: its filters and pages; what it shows of a disk is in `item`.

mod item;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::performance::{Performance, Placement};
use crate::api::action::Action;
use crate::api::common::{KeyValue, PageLimits, Paging, Tag, check_given, check_one_of, spelled, tags_to_match};
use crate::api::describe::{self, CREATION, check_filters, narrow_by_creation, unless_all};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::regions::REGIONS;
use crate::store::disks::{self, Attachment, Disk, changes};
use crate::store::filter::{self, Filter};
use crate::store::operation_locks::{self, OperationLock};
use crate::store::policy_associations;
use crate::store::tags::{self, ResourceType};
use crate::store::tx::Tx;
use crate::wire::params::JsonList;
use item::{Item, OperationLocks};

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 500 };
const MOST_IDS: usize = 100;
const TYPES: [&str; 2] = ["system", "data"];
/// The last four are of disks that this daemon never makes: valid, and matching none.
#[rustfmt::skip]
const CATEGORIES: [&str; 13] = [
    "cloud", "cloud_efficiency", "cloud_ssd", "cloud_essd", "cloud_auto", "cloud_essd_entry",
    "cloud_regional_disk_auto", "elastic_ephemeral_disk_standard", "elastic_ephemeral_disk_premium",
    "local_ssd_pro", "local_hdd_pro", "ephemeral", "ephemeral_ssd",
];
const STATUSES: [&str; 6] = ["In_use", "Available", "Attaching", "Detaching", "Creating", "ReIniting"];
const CHARGE_TYPES: [&str; 2] = ["PrePaid", "PostPaid"];
const MULTI_ATTACH: [&str; 3] = ["Disabled", "Enabled", "LegacyShared"];
const LOCK_REASONS: [&str; 2] = ["financial", "security"];
/// What is told only on demand.
const ATTRIBUTES: [&str; 2] = ["IOPS", "Placement"];
const MOST_ATTRIBUTES: usize = 5;

/// Lists disks, newest first; all filters have to match.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeDisks {
    zone_id: Option<String>,
    disk_ids: Option<JsonList<String>>,
    instance_id: Option<String>,
    disk_type: Option<String>,
    category: Option<String>,
    status: Option<String>,
    snapshot_id: Option<String>,
    portable: Option<bool>,
    delete_with_instance: Option<bool>,
    delete_auto_snapshot: Option<bool>,
    page_number: Option<i64>,
    page_size: Option<i64>,
    next_token: Option<String>,
    max_results: Option<i64>,
    disk_name: Option<String>,
    auto_snapshot_policy_id: Option<String>,
    enable_auto_snapshot: Option<bool>,
    #[serde(default)]
    enable_automated_snapshot_policy: bool,
    disk_charge_type: Option<String>,
    lock_reason: Option<String>,
    #[serde(default)]
    filter: Vec<KeyValue>,
    resource_group_id: Option<String>,
    enable_shared: Option<bool>,
    #[serde(default)]
    encrypted: bool,
    #[serde(default)]
    dry_run: bool,
    #[serde(rename = "KMSKeyId")]
    kms_key_id: Option<String>,
    multi_attach: Option<String>,
    #[serde(default)]
    tag: Vec<Tag>,
    performance_level: Option<String>,
    #[serde(default)]
    additional_attributes: Vec<String>,
}

impl Action for DescribeDisks {
    const NAME: &'static str = "DescribeDisks";
    const MALFORMED: &'static [(&'static str, &'static str)] = &[("DiskIds", "InvalidParameter.DiskIds")];
    type Response = Described;

    fn check(&self) -> Result<(), Fault> {
        if self.disk_ids.as_ref().is_some_and(|ids| ids.0.len() > MOST_IDS) {
            return Err(fault("InvalidDiskIds.Malformed"));
        }
        check_one_of(unless_all(self.disk_type.as_deref()), &TYPES, "InvalidDiskType.ValueNotSupported")?;
        check_one_of(unless_all(self.category.as_deref()), &CATEGORIES, "InvalidCategory.ValueNotSupported")?;
        check_one_of(unless_all(self.status.as_deref()), &STATUSES, "InvalidStatus.ValueNotSupported")?;
        check_one_of(self.disk_charge_type.as_deref(), &CHARGE_TYPES, "InvalidDiskChargeType.NotFound")?;
        check_one_of(self.lock_reason.as_deref(), &LOCK_REASONS, "InvalidLockReason.NotFound")?;
        check_one_of(self.multi_attach.as_deref(), &MULTI_ATTACH, "InvalidParameter.MultiAttach")?;
        if self.zone_id.as_deref().is_some_and(|zone| !REGIONS.iter().any(|region| region.has_zone(zone))) {
            return Err(fault("InvalidZoneId.NotFound"));
        }
        if self.filter.iter().any(|filter| filter.key.is_empty() || filter.value.is_empty()) {
            return Err(fault("IncompleteParamter"));
        }
        check_filters(&self.filter, &CREATION, &[])?;
        let is_disk = |id: &String| id.starts_with(IdKind::Disk.prefix());
        if self.disk_ids.as_ref().is_some_and(|ids| !ids.0.iter().all(is_disk)) {
            return Err(fault("InvalidDiskIds.ValueNotSupported"));
        }
        let is_snapshot = |id: &str| id.starts_with(IdKind::Snapshot.prefix());
        check_given(self.snapshot_id.as_deref(), is_snapshot, "InvalidSnapshot.NotFound")?;
        let is_exclusive = spelled(self.multi_attach.as_deref(), &MULTI_ATTACH[..1]).is_some();
        if self.enable_shared == Some(true) && is_exclusive {
            return Err(fault("InvalidParameter.MultiAttachAndEnableSharedNotMatch"));
        }
        let is_unknown = |name: &String| !ATTRIBUTES.contains(&name.as_str());
        if self.additional_attributes.len() > MOST_ATTRIBUTES || self.additional_attributes.iter().any(is_unknown) {
            return Err(fault("InvalidParamter"));
        }
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
            filter.tag(tx, ResourceType::Disk, "disks.disk_id", key, value);
        }
        let listing = filter::list::<Disk>(tx, &disks::SOURCE, &filter, &page).await?;
        let total = describe::total(tx, &disks::SOURCE, &filter, &paging, (&page, &listing)).await?;
        let fields = paging.fields(&page, &listing, total);
        let ids: Vec<&str> = listing.rows.iter().map(|row| row.disk_id.as_str()).collect();
        let mut tags = tags::of_all(tx, &ids).await?;
        let mut attachments: HashMap<String, Vec<Attachment>> = HashMap::new();
        for attachment in disks::attachments_of(tx, &ids).await? {
            attachments.entry(attachment.disk_id.clone()).or_default().push(attachment);
        }
        let policies = self.policies_of(tx, &ids).await?;
        let hosts: Vec<&str> = attachments.values().flatten().map(|of| of.instance_id.as_str()).collect();
        let locks = operation_locks::of_instances(tx, &hosts).await?;
        let mut histories = changes::histories(tx, &ids).await?;
        let item = |row: Disk| {
            let policy_id = policies.get(&row.disk_id).cloned();
            let attachments = attachments.remove(&row.disk_id).unwrap_or_default();
            let has_disk = |lock: &&OperationLock| attachments.iter().any(|of| of.instance_id == lock.instance_id);
            let history = histories.remove(&row.disk_id);
            Item {
                performance: self.asks_for("IOPS").then(|| Performance::of(&row)),
                placement: self.asks_for("Placement").then(|| Placement::of(&row)).flatten(),
                operation_locks: OperationLocks::of(locks.iter().filter(has_disk)),
                source_disk_id: history.map(|history| history.source_disk_id).unwrap_or_default(),
                ..Item::of(tags.remove(&row.disk_id).unwrap_or_default(), &attachments, policy_id, row)
            }
        };
        Ok(Described {
            next_token: fields.next_token,
            page_number: fields.page_number,
            page_size: fields.page_size,
            total_count: fields.total_count,
            disks: Items { disk: listing.rows.into_iter().map(item).collect() },
        })
    }
}

impl DescribeDisks {
    fn paging(&self) -> Paging<'_> {
        Paging {
            page_number: self.page_number,
            page_size: self.page_size,
            max_results: self.max_results,
            next_token: self.next_token.as_deref(),
        }
    }

    /// The one policy that each disk shows: the one that was asked for, else the one that came last.
    async fn policies_of(&self, tx: &mut Tx<'_>, ids: &[&str]) -> Result<HashMap<String, String>, Fault> {
        let mut shown: HashMap<String, String> = HashMap::new();
        for association in policy_associations::of_disks(tx, ids).await? {
            let policy_id = association.auto_snapshot_policy_id;
            if self.auto_snapshot_policy_id.as_ref() == Some(&policy_id) {
                shown.insert(association.disk_id, policy_id);
            } else {
                shown.entry(association.disk_id).or_insert(policy_id);
            }
        }
        Ok(shown)
    }

    fn asks_for(&self, attribute: &str) -> bool {
        self.additional_attributes.iter().any(|name| name == attribute)
    }

    fn filters(&self, tx: &Tx<'_>) -> Filter {
        let is_narrowed = self.disk_ids.is_some() || self.instance_id.is_some();
        let mut filter = Filter::of_caller(tx, &disks::SOURCE, is_narrowed);
        if let Some(JsonList(ids)) = &self.disk_ids {
            filter.any("disks.disk_id", ids.iter().map(String::as_str));
        }
        filter.is_given("zone_id", self.zone_id.as_deref());
        filter.is_given("type", spelled(self.disk_type.as_deref(), &TYPES));
        filter.is_given("category", spelled(self.category.as_deref(), &CATEGORIES));
        filter.is_given("status", spelled(self.status.as_deref(), &STATUSES));
        if let Some(snapshot_id) = &self.snapshot_id {
            filter.is("source_snapshot_id", snapshot_id.as_str());
            filter.is("foreign_source", false);
        }
        filter.is_given("portable", self.portable);
        filter.is_given("delete_with_instance", self.delete_with_instance);
        filter.is_given("delete_auto_snapshot", self.delete_auto_snapshot);
        filter.is_given("enable_auto_snapshot", self.enable_auto_snapshot);
        filter.is_given("disk_charge_type", spelled(self.disk_charge_type.as_deref(), &CHARGE_TYPES));
        filter.is_given("resource_group_id", self.resource_group_id.as_deref());
        filter.is_given("kms_key_id", self.kms_key_id.as_deref());
        filter.is_given("multi_attach", spelled(self.multi_attach.as_deref(), &MULTI_ATTACH));
        filter.is_given("performance_level", self.performance_level.as_deref());
        // As for snapshots, only true filters: the documented default false cannot hide the encrypted ones.
        filter.is_given("encrypted", self.encrypted.then_some(true));
        if let Some(name) = &self.disk_name {
            filter.like("disk_name", name);
        }
        if let Some(instance_id) = &self.instance_id {
            let of_instance = "disks.disk_id IN (SELECT disk_id FROM disk_attachments WHERE instance_id = ?)";
            filter.condition(of_instance, [instance_id.as_str().into()]);
        }
        if let Some(policy_id) = &self.auto_snapshot_policy_id {
            let of_policy = "disks.disk_id IN (SELECT disk_id FROM auto_snapshot_policy_disks
                 WHERE auto_snapshot_policy_id = ?)";
            filter.condition(of_policy, [policy_id.as_str().into()]);
        }
        // As with encrypted, only true filters.
        if self.enable_automated_snapshot_policy {
            filter.condition("disks.disk_id IN (SELECT disk_id FROM auto_snapshot_policy_disks)", []);
        }
        if let Some(reason) = spelled(self.lock_reason.as_deref(), &LOCK_REASONS) {
            let is_locked = "disks.disk_id IN (SELECT a.disk_id FROM disk_attachments a
                 JOIN operation_locks o ON o.instance_id = a.instance_id WHERE o.lock_reason = ?)";
            filter.condition(is_locked, [reason.into()]);
        }
        // Legacy shared disks do not exist.
        if self.enable_shared == Some(true) {
            filter.condition("1 = 0", []);
        }
        narrow_by_creation(&mut filter, &disks::SOURCE, &self.filter);
        filter
    }
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
    disks: Items,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    disk: Vec<Item>,
}
