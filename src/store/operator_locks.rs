//! Row locks that an operator holds by name, and all that is held: for the levers alone; never waits.

use sqlx::FromRow;

use super::row_locks::{self, Mode};
use super::timers::{self, TimerKind};
use super::tx::Tx;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// What the holder of an operator's lock begins with; its name follows.
pub const PREFIX: &str = "operator:";

/// A stored lock.
#[derive(Clone, Debug, FromRow)]
pub struct StoredLock {
    pub resource_id: String,
    /// `operator:` and a name, or the id of what is being made.
    pub holder: String,
    /// shared or exclusive.
    pub mode: String,
    pub acquired_at: Timestamp,
    /// When it is released by itself; operators' locks only.
    pub expires_at: Option<Timestamp>,
}

/// All stored locks, by resource and holder.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<StoredLock>, Fault> {
    let query = sqlx::query_as(
        "SELECT l.resource_id, l.holder, l.mode, l.acquired_at, t.due_at AS expires_at
         FROM row_locks l LEFT JOIN timers t ON t.resource_id = l.holder AND t.kind = 'operator_lock'
         ORDER BY l.resource_id, l.holder",
    );
    Ok(query.fetch_all(tx.conn().await?).await?)
}

/// The account of a resource that calls lock; `None` where there is no such resource.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn owner_of(tx: &mut Tx<'_>, resource_id: &str) -> Result<Option<String>, Fault> {
    let query = sqlx::query_scalar(
        "SELECT account_id FROM snapshots WHERE snapshot_id = $1
         UNION ALL SELECT account_id FROM disks WHERE disk_id = $1
         UNION ALL SELECT account_id FROM images WHERE image_id = $1
         UNION ALL SELECT account_id FROM instances WHERE instance_id = $1",
    );
    Ok(query.bind(resource_id).fetch_optional(tx.conn().await?).await?)
}

/// Who holds rows under this holder's name, or a row in a way that forbids `mode`; `None` for nobody.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn in_the_way(tx: &mut Tx<'_>, resource_id: &str, holder: &str, mode: Mode) -> Result<Option<String>, Fault> {
    let query = sqlx::query_scalar(
        "SELECT holder FROM row_locks
         WHERE holder = $2 OR resource_id = $1 AND (mode = 'exclusive' OR $3 = 'exclusive') LIMIT 1",
    );
    Ok(query.bind(resource_id).bind(holder).bind(mode.name()).fetch_optional(tx.conn().await?).await?)
}

/// Locks a row for an operator, until it is released or `until`.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn hold(
    tx: &mut Tx<'_>,
    resource_id: &str,
    holder: &str,
    mode: Mode,
    until: Option<Timestamp>,
) -> Result<(), Fault> {
    row_locks::hold(tx, resource_id, holder, mode).await?;
    match until {
        Some(until) => timers::set(tx, TimerKind::OperatorLock, holder, until).await,
        None => Ok(()),
    }
}

/// Releases the locks of an operator, or of all of them where none is named; how many they were.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn release(tx: &mut Tx<'_>, holder: Option<&str>) -> Result<usize, Fault> {
    let held: Vec<String> = list(tx).await?.into_iter().map(|lock| lock.holder).collect();
    let meant = |held: &String| holder.map_or_else(|| held.starts_with(PREFIX), |holder| holder == held);
    let held: Vec<String> = held.into_iter().filter(meant).collect();
    for holder in &held {
        timers::clear(tx, TimerKind::OperatorLock, holder).await?;
        row_locks::release(tx, holder).await?;
    }
    Ok(held.len())
}
