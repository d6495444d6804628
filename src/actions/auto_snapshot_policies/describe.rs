//! DescribeAutoSnapshotPolicyEx: its filters, pages and what it shows of a policy.

use serde::{Deserialize, Serialize};

use crate::api::action::Action;
use crate::api::common::{PageLimits, Paging, Tag, Tags, tags_to_match};
use crate::api::describe;
use crate::faults::Fault;
use crate::store::filter::{self, Filter};
use crate::store::policies::{self, Counted, Policy, Schedule};
use crate::store::tags::{self, ResourceType, TagRow};
use crate::store::tx::Tx;

/// Lists policies, newest first; all filters have to match.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeAutoSnapshotPolicyEx {
    auto_snapshot_policy_id: Option<String>,
    auto_snapshot_policy_name: Option<String>,
    page_number: Option<i64>,
    page_size: Option<i64>,
    #[serde(default)]
    tag: Vec<Tag>,
    resource_group_id: Option<String>,
}

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 100 };

impl Action for DescribeAutoSnapshotPolicyEx {
    const NAME: &'static str = "DescribeAutoSnapshotPolicyEx";
    type Response = Described;

    fn check(&self) -> Result<(), Fault> {
        tags_to_match(&self.tag).map(drop)?;
        self.paging().page(LIMITS).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Described, Fault> {
        let paging = self.paging();
        let page = paging.page(LIMITS)?;
        let source = &policies::SOURCE;
        let mut filter = Filter::of_caller(tx, source, self.auto_snapshot_policy_id.is_some());
        filter.is_given("auto_snapshot_policies.auto_snapshot_policy_id", self.auto_snapshot_policy_id.as_deref());
        filter.is_given("auto_snapshot_policy_name", self.auto_snapshot_policy_name.as_deref());
        filter.is_given("resource_group_id", self.resource_group_id.as_deref());
        for (key, value) in tags_to_match(&self.tag)? {
            let id_column = "auto_snapshot_policies.auto_snapshot_policy_id";
            filter.tag(tx, ResourceType::SnapshotPolicy, id_column, key, value);
        }
        let listing = filter::list::<Counted>(tx, source, &filter, &page).await?;
        let total = describe::total(tx, source, &filter, &paging, (&page, &listing)).await?;
        let ids: Vec<&str> = listing.rows.iter().map(|row| row.policy.auto_snapshot_policy_id.as_str()).collect();
        let mut schedules = policies::schedules_of(tx, &ids).await?;
        let mut target_tags = policies::target_tags_of(tx, &ids).await?;
        let mut tags = tags::of_all(tx, &ids).await?;
        let item = |row: Counted| {
            let id = &row.policy.auto_snapshot_policy_id;
            let schedule = schedules.remove(id).unwrap_or_default();
            let target_tags = target_tags.remove(id).unwrap_or_default();
            let tags = tags.remove(id).unwrap_or_default();
            Item::of(row.policy, row.disk_nums, &schedule, target_tags, tags)
        };
        Ok(Described {
            page_number: self.page_number.unwrap_or(1),
            page_size: page.size,
            total_count: total,
            auto_snapshot_policies: Items { auto_snapshot_policy: listing.rows.into_iter().map(item).collect() },
        })
    }
}

impl DescribeAutoSnapshotPolicyEx {
    fn paging(&self) -> Paging<'_> {
        Paging { page_number: self.page_number, page_size: self.page_size, ..Paging::default() }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    page_number: i64,
    page_size: i64,
    total_count: i64,
    auto_snapshot_policies: Items,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    auto_snapshot_policy: Vec<Item>,
}

/// A policy as DescribeAutoSnapshotPolicyEx shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    auto_snapshot_policy_id: String,
    auto_snapshot_policy_name: String,
    region_id: String,
    /// Never Expire: nobody is in arrears.
    status: &'static str,
    #[serde(rename = "Type")]
    policy_type: &'static str,
    association_type: String,
    /// A JSON array of numbers as text, itself text.
    time_points: String,
    /// As `time_points`.
    repeat_weekdays: String,
    retention_days: i64,
    enable_cross_region_copy: bool,
    /// A JSON array as text: Terraform reads it so, the empty one too.
    target_copy_regions: String,
    copied_snapshots_retention_days: i64,
    copy_encryption_configuration: CopyEncryptionItem,
    disk_nums: i64,
    /// Of the volumes that came before disks.
    volume_nums: i64,
    creation_time: String,
    resource_group_id: String,
    target_tags: TargetTags,
    tags: Tags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CopyEncryptionItem {
    encrypted: bool,
    #[serde(rename = "KMSKeyId")]
    kms_key_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetTags {
    target_tag: Vec<TargetTag>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetTag {
    tag_key: String,
    tag_value: String,
}

impl Item {
    fn of(row: Policy, disk_nums: i64, schedule: &Schedule, target_tags: Vec<TagRow>, tags: Vec<TagRow>) -> Self {
        let target = |tag: TagRow| TargetTag { tag_key: tag.tag_key, tag_value: tag.tag_value };
        let numbers = |list: &[i64]| json_list(list.iter().map(i64::to_string));
        Self {
            status: "Normal",
            policy_type: "Custom",
            time_points: numbers(&schedule.time_points),
            repeat_weekdays: numbers(&schedule.repeat_weekdays),
            target_copy_regions: json_list(Some(row.target_copy_region).filter(|region| !region.is_empty())),
            copy_encryption_configuration: CopyEncryptionItem {
                encrypted: row.copy_encrypted.into(),
                kms_key_id: row.copy_kms_key_id,
            },
            disk_nums,
            volume_nums: 0,
            creation_time: row.creation_time.to_seconds(),
            auto_snapshot_policy_id: row.auto_snapshot_policy_id,
            auto_snapshot_policy_name: row.auto_snapshot_policy_name,
            region_id: row.region_id,
            association_type: row.association_type,
            retention_days: row.retention_days,
            enable_cross_region_copy: row.enable_cross_region_copy.into(),
            copied_snapshots_retention_days: row.copied_snapshots_retention_days,
            resource_group_id: row.resource_group_id,
            target_tags: TargetTags { target_tag: target_tags.into_iter().map(target).collect() },
            tags: tags.into(),
        }
    }
}

/// `["0","23"]`.
fn json_list(texts: impl IntoIterator<Item = String>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}
