//! Tombstones: ids that existed and are gone; bounded by count, never by time, so that moving the clock changes no answer.

use super::tx::Tx;
use crate::faults::Fault;

/// The statements that record a deletion, its event and its tombstone, with the arguments of [`super::events::effect`].
macro_rules! bury {
    () => {
        concat!(
            $crate::store::events::event!(),
            "INSERT INTO tombstones (resource_id, account_id, region_id, deleted_at, event_id) VALUES ($1, $2, $3, $6, $4)
             ON CONFLICT (resource_id) DO UPDATE SET deleted_at = excluded.deleted_at, event_id = excluded.event_id;"
        )
    };
}
pub(crate) use bury;

/// Whether the caller's account had such a resource, in the region that it named if it named one.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn remembers(tx: &mut Tx<'_>, resource_id: &str) -> Result<bool, Fault> {
    let account_id = tx.account_id().to_owned();
    let region = tx.named_region();
    let found: i64 = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM tombstones
             WHERE resource_id = $1 AND account_id = $2 AND ($3 IS NULL OR region_id = $3))",
    )
    .bind(resource_id)
    .bind(account_id)
    .bind(region)
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found != 0)
}
