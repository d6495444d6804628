//! Tags of resources and the counters of each tag, changed together; never judges keys or values.

use std::collections::HashMap;

use super::filter::{Filter, bind};
use super::tx::Tx;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// A kind of resource that carries tags, spelled as ECS spells ResourceType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceType {
    Instance,
    Disk,
    Snapshot,
    Image,
}

impl ResourceType {
    pub const ALL: [Self; 4] = [Self::Instance, Self::Disk, Self::Snapshot, Self::Image];

    /// The name in the API and in the `resource_type` column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Disk => "disk",
            Self::Snapshot => "snapshot",
            Self::Image => "image",
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
    for row in query.fetch_all(tx.conn()).await? {
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
        // The counter of the old value goes down first, while the old row still tells it.
        let statement = sqlx::query(
            "UPDATE tag_counts SET resource_count = resource_count - 1
             WHERE account_id = $1 AND region_id = $2 AND resource_type = $3 AND tag_key = $4
               AND tag_value = (SELECT tag_value FROM tags WHERE resource_id = $5 AND tag_key = $4);
             INSERT INTO tags (resource_id, tag_key, tag_value, account_id, region_id, resource_type,
                               resource_creation_time)
             VALUES ($5, $4, $6, $1, $2, $3, $7)
             ON CONFLICT (resource_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value;
             INSERT INTO tag_counts (account_id, region_id, resource_type, tag_key, tag_value, resource_count)
             VALUES ($1, $2, $3, $4, $6, 1)
             ON CONFLICT (account_id, region_id, resource_type, tag_key, tag_value) DO UPDATE
             SET resource_count = resource_count + 1;
             DELETE FROM tag_counts
             WHERE account_id = $1 AND region_id = $2 AND resource_type = $3 AND tag_key = $4 AND resource_count = 0",
        )
        .bind(resource.account_id)
        .bind(resource.region_id)
        .bind(resource.resource_type.name())
        .bind(key)
        .bind(resource.resource_id)
        .bind(value)
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
    let statement = sqlx::query(
        "UPDATE tag_counts SET resource_count = resource_count - 1
         WHERE (account_id, region_id, resource_type, tag_key, tag_value) IN (
             SELECT account_id, region_id, resource_type, tag_key, tag_value FROM tags
             WHERE resource_id = $1 AND ($2 IS NULL OR tag_key = $2));
         DELETE FROM tag_counts
         WHERE resource_count = 0 AND (account_id, region_id, resource_type, tag_key, tag_value) IN (
             SELECT account_id, region_id, resource_type, tag_key, tag_value FROM tags
             WHERE resource_id = $1 AND ($2 IS NULL OR tag_key = $2));
         DELETE FROM tags WHERE resource_id = $1 AND ($2 IS NULL OR tag_key = $2)",
    )
    .bind(resource_id)
    .bind(key);
    tx.execute(statement).await?;
    Ok(())
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
    .fetch_optional(tx.conn())
    .await?;
    Ok(count.unwrap_or(0))
}
