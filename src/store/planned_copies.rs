//! The copies that automatic snapshots are to get in another region; never decides when one begins.

use sqlx::FromRow;

use super::Flag;
use super::tx::Tx;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// A copy that is to be made of a snapshot once that is accomplished.
#[derive(Clone, Debug, FromRow)]
pub struct PlannedCopy {
    pub snapshot_id: String,
    pub region_id: String,
    /// None for ever.
    pub retention_days: Option<i64>,
    pub encrypted: Flag,
    /// Empty for the source's own key.
    pub kms_key_id: String,
}

/// Plans a copy, with the timer that begins it.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn insert(tx: &mut Tx<'_>, plan: &PlannedCopy, due_at: Timestamp) -> Result<(), Fault> {
    let statement = sqlx::query(
        "INSERT INTO planned_copies (snapshot_id, region_id, retention_days, encrypted, kms_key_id)
         VALUES ($1, $2, $3, $4, $5);
         INSERT INTO timers (kind, resource_id, due_at) VALUES ('start_copy', $1, $6)",
    )
    .bind(&plan.snapshot_id)
    .bind(&plan.region_id)
    .bind(plan.retention_days)
    .bind(plan.encrypted)
    .bind(&plan.kms_key_id)
    .bind(due_at);
    tx.execute(statement).await?;
    tx.timer_was_set(due_at);
    Ok(())
}

/// The copy that is planned of a snapshot.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<Option<PlannedCopy>, Fault> {
    let query = sqlx::query_as("SELECT * FROM planned_copies WHERE snapshot_id = $1");
    Ok(query.bind(snapshot_id).fetch_optional(tx.conn().await?).await?)
}

/// Forgets the copy that was planned of a snapshot.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn remove(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<(), Fault> {
    tx.execute(sqlx::query("DELETE FROM planned_copies WHERE snapshot_id = $1").bind(snapshot_id)).await
}
