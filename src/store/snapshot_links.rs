//! Chains of snapshots, one for each disk and region, with their totals; read alone, since triggers of snapshots keep them.

use sqlx::FromRow;

use super::Flag;
use super::filter::{Cursor, Filter, Listed, Source};
use super::tx::Tx;
use super::value::bind;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// A chain with what is known of its disk; of a disk that is gone or in another region only what its snapshots tell.
#[derive(Clone, Debug, FromRow)]
pub struct SnapshotLink {
    pub source_disk_id: String,
    pub region_id: String,
    pub snapshot_link_id: String,
    pub source_disk_type: String,
    pub creation_time: Timestamp,
    pub total_count: i64,
    pub total_size: i64,
    /// GiB: that of the disk, else the largest that a snapshot captured.
    pub source_disk_size: i64,
    pub source_disk_name: Option<String>,
    /// The first instance that has the disk.
    pub instance_id: Option<String>,
    pub instance_name: Option<String>,
    /// standard as long as one snapshot is, else archive.
    pub category: String,
    pub instant_access: Flag,
}

impl Listed for SnapshotLink {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.creation_time, id: self.snapshot_link_id.clone() }
    }
}

/// The disk of a chain, where it exists in the chain's region.
macro_rules! disk {
    ($column:literal) => {
        concat!(
            "(SELECT d.",
            $column,
            " FROM disks d WHERE d.disk_id = snapshot_links.source_disk_id AND d.region_id = snapshot_links.region_id)"
        )
    };
}

/// The first instance that has the disk of a chain.
macro_rules! instance {
    ($column:literal) => {
        concat!(
            "(SELECT i.",
            $column,
            " FROM disk_attachments a JOIN instances i ON i.instance_id = a.instance_id
              WHERE a.disk_id = snapshot_links.source_disk_id AND i.region_id = snapshot_links.region_id
              ORDER BY a.attached_time, a.instance_id LIMIT 1)"
        )
    };
}

/// What all snapshots of a chain tell together.
macro_rules! snapshots {
    ($expression:literal) => {
        concat!(
            "(SELECT ",
            $expression,
            " FROM snapshots s WHERE s.source_disk_id = snapshot_links.source_disk_id
                  AND s.region_id = snapshot_links.region_id)"
        )
    };
}

/// What a list of chains reads.
pub const SOURCE: Source = Source {
    table: "snapshot_links",
    id_column: "snapshot_link_id",
    columns: concat!(
        "snapshot_links.*, COALESCE(",
        disk!("size"),
        ", ",
        snapshots!("MAX(s.source_disk_size)"),
        ", 0) AS source_disk_size, ",
        disk!("disk_name"),
        " AS source_disk_name, ",
        instance!("instance_id"),
        " AS instance_id, ",
        instance!("instance_name"),
        " AS instance_name, ",
        // In the order of the alphabet standard is the greater one.
        snapshots!("COALESCE(MAX(s.category), 'standard')"),
        " AS category, ",
        snapshots!("COALESCE(MAX(s.instant_access), 0)"),
        " AS instant_access"
    ),
};

/// How many snapshots there are and how many bytes they hold.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Usage {
    pub snapshot_count: i64,
    pub snapshot_size: i64,
}

/// The totals of the caller's account in the region of the call.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn usage(tx: &mut Tx<'_>) -> Result<Usage, Fault> {
    let (account_id, region_id) = (tx.account_id().to_owned(), tx.region().id);
    let query = sqlx::query_as(
        "SELECT COALESCE(SUM(total_count), 0) AS snapshot_count, COALESCE(SUM(total_size), 0) AS snapshot_size
         FROM snapshot_links WHERE account_id = $1 AND region_id = $2",
    );
    Ok(query.bind(account_id).bind(region_id).fetch_one(tx.conn().await?).await?)
}

/// Bytes of a category that came to be stored in a step of a series.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Growth {
    /// 0 for all that was there at the start, then the first point at which it counts.
    pub step: i64,
    pub bytes: i64,
}

/// What was accomplished until `start` and in each `period` milliseconds from there until `end`, by the snapshots of the
/// caller's region that still exist.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn growth(
    tx: &mut Tx<'_>,
    category: &str,
    (start, end): (Timestamp, Timestamp),
    period: i64,
) -> Result<Vec<Growth>, Fault> {
    let mut filter = Filter::default();
    filter.is("account_id", tx.account_id());
    filter.is("region_id", tx.region().id);
    filter.is("category", category);
    filter.is("status", "accomplished");
    filter.condition("finish_time <= ?", [end.into()]);
    let step = format!(
        "CASE WHEN finish_time <= {start} THEN 0 ELSE (finish_time - {start} + {period} - 1) / {period} END",
        start = start.millis()
    );
    let sql = format!(
        "SELECT {step} AS step, SUM(full_size_bytes) AS bytes FROM snapshots WHERE {} GROUP BY 1 ORDER BY 1",
        filter.conditions()
    );
    let query = bind!(sqlx::query_as::<_, Growth>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?)
}
