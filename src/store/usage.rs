//! What an account has in all: instances by type and capacity by category; never what it may have.

use sqlx::FromRow;

use super::tx::Tx;
use crate::faults::Fault;

/// How many of the caller's instances are of each type, by charge type, in one zone or all of the region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn types(tx: &mut Tx<'_>, charge_type: &str, zone_id: Option<&str>) -> Result<Vec<(String, i64)>, Fault> {
    let (account_id, region) = (tx.account_id().to_owned(), tx.region().id);
    let types = sqlx::query_as(
        "SELECT instance_type, COUNT(*) FROM instances
         WHERE account_id = $1 AND region_id = $2 AND instance_charge_type = $3 AND ($4 IS NULL OR zone_id = $4)
         GROUP BY instance_type",
    )
    .bind(account_id)
    .bind(region)
    .bind(charge_type)
    .bind(zone_id)
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(types)
}

/// GiB of a category in a zone.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Capacity {
    pub zone_id: String,
    pub category: String,
    pub size: i64,
}

/// How much the caller's disks of a charge type hold, in one zone or all of the region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn capacity(tx: &mut Tx<'_>, charge_type: &str, zone_id: Option<&str>) -> Result<Vec<Capacity>, Fault> {
    let (account_id, region) = (tx.account_id().to_owned(), tx.region().id);
    let capacity = sqlx::query_as(
        "SELECT zone_id, category, SUM(size) AS size FROM disks
         WHERE account_id = $1 AND region_id = $2 AND disk_charge_type = $3 AND ($4 IS NULL OR zone_id = $4)
         GROUP BY zone_id, category ORDER BY zone_id, category",
    )
    .bind(account_id)
    .bind(region)
    .bind(charge_type)
    .bind(zone_id)
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(capacity)
}
