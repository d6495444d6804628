//! Who carries which tags: tags with the number of their resources, and resources by tags, in pages by number.

use super::filter::{Filter, Page, Start};
use super::tags::ResourceType;
use super::tx::Tx;
use super::value::{Value, bind};
use crate::faults::Fault;

/// Which tags are asked for, in the caller's account and region.
#[derive(Debug)]
pub struct Usage<'a> {
    pub resource_type: Option<ResourceType>,
    pub resource_id: Option<&'a str>,
    /// Keys, each with a value or any.
    pub tags: Vec<(&'a str, Option<&'a str>)>,
}

/// How many resources of a type carry a tag.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Count {
    pub tag_key: String,
    pub tag_value: String,
    pub resource_type: String,
    pub resource_count: i64,
}

/// A resource that carries tags.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Carrier {
    pub region_id: String,
    pub resource_id: String,
    pub resource_type: String,
}

impl Usage<'_> {
    fn of_caller(&self, tx: &Tx<'_>) -> Filter {
        let mut filter = Filter::default();
        filter.is("account_id", tx.account_id());
        filter.is("region_id", tx.region().id);
        filter.is_given("resource_type", self.resource_type.map(ResourceType::name));
        filter.is_given("resource_id", self.resource_id);
        filter
    }

    /// Tags that are any of those asked for.
    fn any_tag(&self, tx: &Tx<'_>) -> Filter {
        let mut filter = self.of_caller(tx);
        let one = |(_, value): &(&str, Option<&str>)| {
            if value.is_some() { "(tag_key = ? AND tag_value = ?)" } else { "tag_key = ?" }
        };
        if !self.tags.is_empty() {
            let any = self.tags.iter().map(one).collect::<Vec<_>>().join(" OR ");
            let values = self.tags.iter().flat_map(|(key, value)| std::iter::once(*key).chain(*value));
            filter.condition(&format!("({any})"), values.map(Value::from));
        }
        filter
    }

    /// Resources that carry all tags asked for, at least one.
    fn all_tags(&self, tx: &Tx<'_>) -> Filter {
        let mut filter = self.of_caller(tx);
        for (key, value) in &self.tags {
            let of_value = if value.is_some() { " AND o.tag_value = ?" } else { "" };
            let condition = format!(
                "EXISTS (SELECT 1 FROM tags o WHERE o.resource_id = tags.resource_id AND o.tag_key = ?{of_value})"
            );
            filter.condition(&condition, std::iter::once(*key).chain(*value).map(Value::from));
        }
        filter
    }

    /// The counters know all but single resources.
    const fn table(&self) -> (&'static str, &'static str) {
        if self.resource_id.is_some() { ("tags", "1") } else { ("tag_counts", "resource_count") }
    }
}

fn limits(page: &Page) -> String {
    let offset = match page.start {
        Start::Number(number) => number.saturating_sub(1).saturating_mul(page.size),
        Start::First | Start::After(_) => 0,
    };
    format!("LIMIT {} OFFSET {offset}", page.size)
}

/// One page of tags by key and value, with how many resources of each type carry them.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn counts(tx: &mut Tx<'_>, usage: &Usage<'_>, page: &Page) -> Result<Vec<Count>, Fault> {
    let (filter, (table, count)) = (usage.any_tag(tx), usage.table());
    let (conditions, limits) = (filter.conditions(), limits(page));
    let sql = format!(
        "SELECT tag_key, tag_value, resource_type, {count} AS resource_count FROM {table}
         WHERE {conditions} AND (tag_key, tag_value) IN (
             SELECT DISTINCT tag_key, tag_value FROM {table} WHERE {conditions}
             ORDER BY tag_key, tag_value {limits})
         ORDER BY tag_key, tag_value, resource_type"
    );
    let query = bind!(sqlx::query_as(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?)
}

/// How many different tags there are.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn total_of_tags(tx: &mut Tx<'_>, usage: &Usage<'_>) -> Result<i64, Fault> {
    let (filter, (table, _)) = (usage.any_tag(tx), usage.table());
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT DISTINCT tag_key, tag_value FROM {table} WHERE {}) AS t",
        filter.conditions()
    );
    let query = bind!(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_one(tx.conn().await?).await?)
}

/// One page of resources that carry all tags asked for, newest first.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn carriers(tx: &mut Tx<'_>, usage: &Usage<'_>, page: &Page) -> Result<Vec<Carrier>, Fault> {
    let filter = usage.all_tags(tx);
    let sql = format!(
        "SELECT DISTINCT region_id, resource_id, resource_type, resource_creation_time FROM tags WHERE {}
         ORDER BY resource_creation_time DESC, resource_id DESC {}",
        filter.conditions(),
        limits(page)
    );
    let query = bind!(sqlx::query_as(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?)
}

/// How many resources carry all tags asked for.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn total_of_carriers(tx: &mut Tx<'_>, usage: &Usage<'_>) -> Result<i64, Fault> {
    let filter = usage.all_tags(tx);
    let sql = format!("SELECT COUNT(DISTINCT resource_id) FROM tags WHERE {}", filter.conditions());
    let query = bind!(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_one(tx.conn().await?).await?)
}
