//! Tags of resources and the counters of each tag, changed together; never judges keys or values.

use std::collections::HashMap;

use super::events::Subject;
use super::filter::Filter;
use super::tx::Tx;
use super::value::{Value, bind};
use crate::clock::Timestamp;
use crate::faults::Fault;

/// A kind of resource that carries tags, spelled as ECS spells ResourceType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceType {
    Instance,
    Disk,
    Snapshot,
    Image,
    SnapshotGroup,
    SnapshotPolicy,
}

impl ResourceType {
    pub const ALL: [Self; 6] =
        [Self::Instance, Self::Disk, Self::Snapshot, Self::Image, Self::SnapshotGroup, Self::SnapshotPolicy];

    /// The name in the API and in the `resource_type` column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Disk => "disk",
            Self::Snapshot => "snapshot",
            Self::Image => "image",
            Self::SnapshotGroup => "snapshotgroup",
            Self::SnapshotPolicy => "snapshotpolicy",
        }
    }

    /// The table of such resources and the column of their ids.
    #[must_use]
    pub const fn table(self) -> (&'static str, &'static str) {
        match self {
            Self::Instance => ("instances", "instance_id"),
            Self::Disk => ("disks", "disk_id"),
            Self::Snapshot => ("snapshots", "snapshot_id"),
            Self::Image => ("images", "image_id"),
            Self::SnapshotGroup => ("snapshot_groups", "snapshot_group_id"),
            Self::SnapshotPolicy => ("auto_snapshot_policies", "auto_snapshot_policy_id"),
        }
    }

    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A resource as its tags know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged<'a> {
    pub resource_type: ResourceType,
    pub resource_id: &'a str,
    pub account_id: &'a str,
    pub region_id: &'a str,
    pub creation_time: Timestamp,
}

impl<'a> Tagged<'a> {
    #[must_use]
    pub fn new(resource_type: ResourceType, subject: Subject<'a>, creation_time: Timestamp) -> Self {
        let Subject { account_id, region_id, resource_id } = subject;
        Self { resource_type, resource_id, account_id, region_id, creation_time }
    }

    #[must_use]
    pub fn subject(&self) -> Subject<'a> {
        Subject { account_id: self.account_id, region_id: self.region_id, resource_id: self.resource_id }
    }
}

/// A key and its value on a resource.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct TagRow {
    pub resource_id: String,
    pub tag_key: String,
    pub tag_value: String,
}

/// The tags of these resources, by resource, keys in order.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn of_all(tx: &mut Tx<'_>, resource_ids: &[&str]) -> Result<HashMap<String, Vec<TagRow>>, Fault> {
    let mut by_resource: HashMap<String, Vec<TagRow>> = HashMap::new();
    if resource_ids.is_empty() {
        return Ok(by_resource);
    }
    let mut filter = Filter::default();
    filter.any("resource_id", resource_ids.iter().copied());
    let sql = format!(
        "SELECT resource_id, tag_key, tag_value FROM tags WHERE {} ORDER BY resource_id, tag_key",
        filter.conditions()
    );
    let query = bind!(sqlx::query_as::<_, TagRow>(sqlx::AssertSqlSafe(sql)), filter.values());
    for row in query.fetch_all(tx.conn().await?).await? {
        by_resource.entry(row.resource_id.clone()).or_default().push(row);
    }
    Ok(by_resource)
}

/// Sets tags on a resource; a key that it has takes the new value.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn set(tx: &mut Tx<'_>, resource: &Tagged<'_>, tags: &[(String, String)]) -> Result<(), Fault> {
    for (key, value) in tags {
        let statement = sqlx::query(
            "INSERT INTO tags (resource_id, tag_key, tag_value, account_id, region_id, resource_type,
                               resource_creation_time)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (resource_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
        )
        .bind(resource.resource_id)
        .bind(key)
        .bind(value)
        .bind(resource.account_id)
        .bind(resource.region_id)
        .bind(resource.resource_type.name())
        .bind(resource.creation_time);
        tx.execute(statement).await?;
    }
    Ok(())
}

/// Removes one tag, or all of a resource when `key` is `None`; a key that it does not have is no error.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn remove(tx: &mut Tx<'_>, resource_id: &str, key: Option<&str>) -> Result<(), Fault> {
    let statement = sqlx::query("DELETE FROM tags WHERE resource_id = $1 AND ($2 IS NULL OR tag_key = $2)");
    tx.execute(statement.bind(resource_id).bind(key)).await
}

/// How many resources of a type carry this key and value in the caller's account and region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn count(tx: &mut Tx<'_>, resource_type: ResourceType, key: &str, value: &str) -> Result<i64, Fault> {
    let (account_id, region) = (tx.account_id().to_owned(), tx.region().id);
    let count: Option<i64> = sqlx::query_scalar(
        "SELECT resource_count FROM tag_counts
         WHERE account_id = $1 AND region_id = $2 AND resource_type = $3 AND tag_key = $4 AND tag_value = $5",
    )
    .bind(account_id)
    .bind(region)
    .bind(resource_type.name())
    .bind(key)
    .bind(value)
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(count.unwrap_or(0))
}

/// Where a resource is and since when, as its tags need it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Found {
    pub account_id: String,
    pub region_id: String,
    pub creation_time: Timestamp,
}

impl Found {
    #[must_use]
    pub fn tagged<'a>(&'a self, resource_type: ResourceType, resource_id: &'a str) -> Tagged<'a> {
        let Self { account_id, region_id, creation_time } = self;
        Tagged { resource_type, resource_id, account_id, region_id, creation_time: *creation_time }
    }
}

/// The resource of the caller's with this type and id, in the region that it named if it named one.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn resource(tx: &mut Tx<'_>, resource_type: ResourceType, id: &str) -> Result<Option<Found>, Fault> {
    let (account_id, region) = (tx.account_id().to_owned(), tx.named_region());
    let (table, id_column) = resource_type.table();
    let sql = format!(
        "SELECT account_id, region_id, creation_time FROM {table}
         WHERE {id_column} = $1 AND account_id = $2 AND ($3 IS NULL OR region_id = $3)"
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(account_id).bind(region);
    Ok(query.fetch_optional(tx.conn().await?).await?)
}

/// Which tags are asked for.
#[derive(Debug)]
pub struct Query<'a> {
    pub resource_type: ResourceType,
    /// Empty for all resources.
    pub resource_ids: &'a [String],
    /// Each key that the resources have to carry, with the values it may have; none for any.
    pub tags: Vec<(String, Vec<String>)>,
    /// Resource and key of the last row of the page before.
    pub after: Option<(String, String)>,
}

/// Rows of a page and whether there are more behind it.
#[derive(Debug)]
pub struct Listed {
    pub rows: Vec<TagRow>,
    pub more: bool,
}

/// One page of tags, by resource and key: of resources all tags, of tags those that were asked for.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn list(tx: &mut Tx<'_>, query: &Query<'_>, size: usize) -> Result<Listed, Fault> {
    let mut filter = Filter::default();
    filter.is("account_id", tx.account_id());
    filter.is("region_id", tx.region().id);
    filter.is("resource_type", query.resource_type.name());
    if !query.resource_ids.is_empty() {
        filter.any("resource_id", query.resource_ids.iter().map(String::as_str));
    }
    for (key, values) in &query.tags {
        let marks = vec!["?"; values.len()].join(", ");
        let of_values = if values.is_empty() { String::new() } else { format!(" AND o.tag_value IN ({marks})") };
        let condition = format!(
            "EXISTS (SELECT 1 FROM tags o WHERE o.resource_id = tags.resource_id AND o.tag_key = ?{of_values})"
        );
        let texts = std::iter::once(key).chain(values).map(|text| Value::from(text.as_str()));
        filter.condition(&condition, texts);
    }
    if query.resource_ids.is_empty() {
        filter.any("tag_key", query.tags.iter().map(|(key, _)| key.as_str()));
    }
    if let Some((id, key)) = &query.after {
        filter.condition("(resource_id, tag_key) > (?, ?)", [id.as_str().into(), key.as_str().into()]);
    }
    let sql = format!(
        "SELECT resource_id, tag_key, tag_value FROM tags WHERE {} ORDER BY resource_id, tag_key LIMIT {}",
        filter.conditions(),
        size + 1
    );
    let statement = bind!(sqlx::query_as::<_, TagRow>(sqlx::AssertSqlSafe(sql)), filter.values());
    let mut rows = statement.fetch_all(tx.conn().await?).await?;
    let more = rows.len() > size;
    rows.truncate(size);
    Ok(Listed { rows, more })
}
