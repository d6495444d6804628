//! Resource groups, as a column of each resource; the groups themselves are another product's and never stored.

use super::events;
use super::tags::{ResourceType, Tagged};
use super::tx::Tx;
use crate::faults::Fault;

/// Puts a resource into a group.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn join(tx: &mut Tx<'_>, resource: &Tagged<'_>, resource_group_id: &str) -> Result<(), Fault> {
    let (table, id_column) = ResourceType::table(resource.resource_type);
    let sql = format!("UPDATE {table} SET resource_group_id = $2 WHERE {id_column} = $1");
    let statement = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(resource.resource_id).bind(resource_group_id);
    tx.execute(statement).await?;
    events::record(tx, "ResourceGroup:JoinResourceGroup", resource.subject(), resource_group_id).await
}
