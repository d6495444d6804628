//! DescribeSnapshotGroups: its filters, pages and what it shows of a group and its snapshots.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::api::action::Action;
use crate::api::common::{PageLimits, Paging, Tag, spelled, tags_to_match};
use crate::api::describe;
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::store::filter::{self, Filter};
use crate::store::snapshot_groups::{self, Member, SnapshotGroup};
use crate::store::snapshots::Snapshot;
use crate::store::tags::{self, ResourceType, TagRow};
use crate::store::tx::Tx;

/// Lists snapshot groups, newest first; all filters have to match.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeSnapshotGroups {
    instance_id: Option<String>,
    name: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    #[serde(default)]
    snapshot_group_id: Vec<String>,
    #[serde(default)]
    status: Vec<String>,
    #[serde(default)]
    additional_attributes: Vec<String>,
    #[serde(default)]
    tag: Vec<Tag>,
    resource_group_id: Option<String>,
}

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 100 };
const MOST_IDS: usize = 10;
const STATUSES: [&str; 3] = ["progressing", "accomplished", "failed"];
const PROGRESS_STATUS: &str = "SNAPSHOT_GROUP_PROGRESS_STATUS";

impl Action for DescribeSnapshotGroups {
    const NAME: &'static str = "DescribeSnapshotGroups";
    type Response = Described;

    fn check(&self) -> Result<(), Fault> {
        if self.snapshot_group_id.len() > MOST_IDS {
            return Err(Fault::invalid("SnapshotGroupId"));
        }
        if self.status.iter().any(|status| spelled(Some(status), &STATUSES).is_none()) {
            return Err(fault("InvalidStatus.ValueNotSupported").with("The specified Status is not supported."));
        }
        if self.additional_attributes.iter().any(|name| name != PROGRESS_STATUS) {
            return Err(Fault::invalid("AdditionalAttributes"));
        }
        if self.shows_progress() && self.snapshot_group_id.len() != 1 {
            return Err(fault("InvalidSnapshotGroupId.MustBeOne"));
        }
        // The table of this action has no code for tags.
        tags_to_match(&self.tag).map_err(|_| Fault::invalid("Tag"))?;
        self.paging().page(LIMITS).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Described, Fault> {
        let paging = self.paging();
        let page = paging.page(LIMITS)?;
        let mut filter = self.filters(tx);
        for (key, value) in tags_to_match(&self.tag)? {
            filter.tag(tx, ResourceType::SnapshotGroup, "snapshot_groups.snapshot_group_id", key, value);
        }
        let listing = filter::list::<SnapshotGroup>(tx, &snapshot_groups::SOURCE, &filter, &page).await?;
        let fields = paging.fields(&page, &listing, 0);
        let ids: Vec<&str> = listing.rows.iter().map(|row| row.snapshot_group_id.as_str()).collect();
        let members = snapshot_groups::members_of(tx, &ids).await?;
        let of_members = members.iter().map(|member| member.snapshot.snapshot_id.as_str());
        let tagged: Vec<&str> = ids.into_iter().chain(of_members).collect();
        let mut tags = tags::of_all(tx, &tagged).await?;
        let mut by_group: HashMap<String, Vec<SnapshotItem>> = HashMap::new();
        for Member { snapshot_group_id, snapshot } in members {
            let tags = tags.remove(&snapshot.snapshot_id).unwrap_or_default();
            by_group.entry(snapshot_group_id).or_default().push(SnapshotItem::of(tags, snapshot, tx.now));
        }
        let item = |row: SnapshotGroup| {
            let tags = tags.remove(&row.snapshot_group_id).unwrap_or_default();
            let members = by_group.remove(&row.snapshot_group_id).unwrap_or_default();
            Item::of(tags, members, self.shows_progress(), row)
        };
        Ok(Described {
            next_token: fields.next_token.unwrap_or_default(),
            snapshot_groups: Items { snapshot_group: listing.rows.into_iter().map(item).collect() },
        })
    }
}

impl DescribeSnapshotGroups {
    fn paging(&self) -> Paging<'_> {
        Paging { max_results: self.max_results, next_token: self.next_token.as_deref(), ..Paging::default() }
    }

    fn shows_progress(&self) -> bool {
        !self.additional_attributes.is_empty()
    }

    fn filters(&self, tx: &Tx<'_>) -> Filter {
        let mut filter = Filter::of_caller(tx, &snapshot_groups::SOURCE, !self.snapshot_group_id.is_empty());
        if !self.snapshot_group_id.is_empty() {
            let ids = self.snapshot_group_id.iter().map(String::as_str);
            filter.any("snapshot_groups.snapshot_group_id", ids);
        }
        if !self.status.is_empty() {
            filter.any("status", self.status.iter().filter_map(|status| spelled(Some(status), &STATUSES)));
        }
        filter.is_given("instance_id", self.instance_id.as_deref());
        filter.is_given("name", self.name.as_deref());
        filter.is_given("resource_group_id", self.resource_group_id.as_deref());
        filter
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    next_token: String,
    snapshot_groups: Items,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    snapshot_group: Vec<Item>,
}

/// A group as DescribeSnapshotGroups shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    snapshot_group_id: String,
    name: String,
    description: String,
    status: String,
    /// Percent done of all its snapshots, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress_status: Option<String>,
    creation_time: String,
    instance_id: String,
    resource_group_id: String,
    snapshots: SnapshotItems,
    tags: Tags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SnapshotItems {
    snapshot: Vec<SnapshotItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SnapshotItem {
    #[serde(skip)]
    percent: i64,
    snapshot_id: String,
    source_disk_id: String,
    source_disk_type: String,
    progress: String,
    available: bool,
    instant_access: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    instant_access_retention_days: Option<i64>,
    tags: Tags,
}

/// Tags as this action alone names their parts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tags {
    tag: Vec<TagItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagItem {
    key: String,
    value: String,
}

impl From<Vec<TagRow>> for Tags {
    fn from(rows: Vec<TagRow>) -> Self {
        let item = |row: TagRow| TagItem { key: row.tag_key, value: row.tag_value };
        Self { tag: rows.into_iter().map(item).collect() }
    }
}

impl Item {
    fn of(tags: Vec<TagRow>, members: Vec<SnapshotItem>, shows_progress: bool, row: SnapshotGroup) -> Self {
        let count = i64::try_from(members.len()).unwrap_or(i64::MAX).max(1);
        let percent = members.iter().map(|member| member.percent).sum::<i64>() / count;
        Self {
            progress_status: shows_progress.then(|| format!("{percent}%")),
            creation_time: row.creation_time.to_seconds(),
            snapshot_group_id: row.snapshot_group_id,
            name: row.name,
            description: row.description,
            status: row.status,
            instance_id: row.instance_id,
            resource_group_id: row.resource_group_id,
            snapshots: SnapshotItems { snapshot: members },
            tags: tags.into(),
        }
    }
}

impl SnapshotItem {
    fn of(tags: Vec<TagRow>, row: Snapshot, now: Timestamp) -> Self {
        let (percent, _) = describe::progress_of(&row, now);
        Self {
            percent,
            progress: format!("{percent}%"),
            available: now >= row.cut_time && row.available.into(),
            instant_access: row.instant_access.into(),
            instant_access_retention_days: row.instant_access_retention_days,
            snapshot_id: row.snapshot_id,
            source_disk_id: row.source_disk_id,
            source_disk_type: row.source_disk_type,
            tags: tags.into(),
        }
    }
}
