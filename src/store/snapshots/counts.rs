//! The counters of snapshots, one for each combination of what lists filter by; never a look at the snapshots themselves.

use crate::faults::Fault;
use crate::store::filter::Filter;
use crate::store::tx::Tx;
use crate::store::value::bind;

/// The filters whose totals the counters know.
#[derive(Clone, Debug, Default)]
pub struct Counted<'a> {
    pub status: Option<&'a str>,
    pub usage: Option<&'a str>,
    pub snapshot_type: Option<&'a str>,
    pub source_disk_type: Option<&'a str>,
    pub encrypted: Option<bool>,
}

impl Counted<'_> {
    /// Adds these filters as conditions. A rare value also says that it is not the common one, word for word as the
    /// partial indexes do, or they could not be used.
    pub fn narrow(&self, filter: &mut Filter) {
        filter.is_given("status", self.status);
        if self.status.is_some_and(|status| status != "accomplished") {
            filter.condition("status <> 'accomplished'", []);
        }
        filter.is_given("usage", self.usage);
        if self.usage.is_some_and(|usage| usage != "none") {
            filter.condition("usage <> 'none'", []);
        }
        filter.is_given("snapshot_type", self.snapshot_type);
        filter.is_given("source_disk_type", self.source_disk_type);
        filter.is_given("encrypted", self.encrypted);
    }

    /// Whether none of them is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { status, usage, snapshot_type, source_disk_type, encrypted } = self;
        [status, usage, snapshot_type, source_disk_type].iter().all(|value| value.is_none()) && encrypted.is_none()
    }
}

/// How many snapshots of the caller's account and region match, without a look at them.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn count(tx: &mut Tx<'_>, counted: &Counted<'_>) -> Result<i64, Fault> {
    let mut filter = Filter::default();
    filter.is("account_id", tx.account_id());
    filter.is("region_id", tx.region().id);
    counted.narrow(&mut filter);
    let sql = format!("SELECT COALESCE(SUM(snapshot_count), 0) FROM snapshot_counts WHERE {}", filter.conditions());
    let query = bind!(sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_one(tx.conn().await?).await?)
}

/// How many snapshots the caller's account has in a region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn total(tx: &mut Tx<'_>, region_id: &str) -> Result<i64, Fault> {
    let account_id = tx.account_id().to_owned();
    let query = sqlx::query_scalar(
        "SELECT COALESCE(SUM(snapshot_count), 0) FROM snapshot_counts WHERE account_id = $1 AND region_id = $2",
    );
    Ok(query.bind(account_id).bind(region_id).fetch_one(tx.conn().await?).await?)
}
