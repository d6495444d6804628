//! Copies and archived snapshots: what is under way for a disk, and the change of category; never decides whether it may be.

use sqlx::FromRow;

use super::events::{effect, event};
use super::snapshots::Snapshot;
use super::timers::{self, TimerKind};
use super::tx::Tx;
use crate::clock::Timestamp;
use crate::faults::Fault;
use crate::store::Flag;

/// A copy that is being made.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Unfinished {
    pub encrypted: Flag,
    pub finish_time: Timestamp,
}

/// The copy of a snapshot of this disk that is being made in a region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn unfinished(tx: &mut Tx<'_>, source_disk_id: &str, region_id: &str) -> Result<Option<Unfinished>, Fault> {
    let copy = sqlx::query_as(
        "SELECT encrypted, finish_time FROM snapshots WHERE source_disk_id = $1 AND region_id = $2 AND status = 'progressing'
             AND source_snapshot_id <> '' ORDER BY finish_time DESC LIMIT 1",
    )
    .bind(source_disk_id)
    .bind(region_id)
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(copy)
}

/// How many snapshots of a disk are on their way into the archive.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn archiving(tx: &mut Tx<'_>, source_disk_id: &str) -> Result<i64, Fault> {
    let count = sqlx::query_scalar(
        "SELECT COUNT(*) FROM snapshots s JOIN tasks t ON t.resource_id = s.snapshot_id
         WHERE s.source_disk_id = $1 AND t.task_action = 'ArchiveSnapshot' AND t.task_status = 'Processing'",
    )
    .bind(source_disk_id)
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(count)
}

/// Stores for how many days a snapshot is to be kept in the archive; for ever without any.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn keep_archived(tx: &mut Tx<'_>, snapshot: &Snapshot, until: Option<Timestamp>) -> Result<(), Fault> {
    const SQL: &str =
        concat!("UPDATE snapshots SET retention_days = $8, last_modified_time = $6 WHERE snapshot_id = $1;", event!());
    let statement = effect(tx, SQL, snapshot.subject(), "Snapshot:ModifySnapshotCategoryStarted", "archive")
        .bind(snapshot.retention_days);
    tx.execute(statement).await?;
    match until {
        Some(until) => timers::set(tx, TimerKind::SnapshotExpire, &snapshot.snapshot_id, until).await,
        None => timers::clear(tx, TimerKind::SnapshotExpire, &snapshot.snapshot_id).await,
    }
}

/// Puts a snapshot into the archive.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn archive(tx: &mut Tx<'_>, snapshot: &Snapshot) -> Result<(), Fault> {
    const SQL: &str =
        concat!("UPDATE snapshots SET category = 'archive', last_modified_time = $6 WHERE snapshot_id = $1;", event!());
    let statement = effect(tx, SQL, snapshot.subject(), "Snapshot:ModifySnapshotCategoryCompleted", "archive");
    tx.execute(statement).await
}
