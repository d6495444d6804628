//! Locks in compliance mode: rows and the timer of their next change; never decides whether a lock may be set or removed.

use sqlx::FromRow;

use super::events::{Subject, effect, event};
use super::filter::{Cursor, Filter, Listed, Source};
use super::timers::{self, TimerKind};
use super::tx::Tx;
use super::value::bind;
use crate::clock::Timestamp;
use crate::faults::Fault;

const HOUR: i64 = 3_600_000;

/// A lock as stored.
#[derive(Clone, Debug, FromRow)]
pub struct SnapshotLock {
    pub snapshot_id: String,
    pub account_id: String,
    pub region_id: String,
    pub lock_mode: String,
    /// compliance-cooloff, compliance or expired.
    pub lock_status: String,
    /// Hours in which the lock can still be removed.
    pub cool_off_period: i64,
    /// Days, the cool-off period included.
    pub lock_duration: i64,
    pub creation_time: Timestamp,
    /// From here on both run; `None` until the snapshot is accomplished.
    pub lock_duration_start_time: Option<Timestamp>,
    pub cool_off_period_expired_time: Option<Timestamp>,
    pub lock_expired_time: Option<Timestamp>,
}

impl SnapshotLock {
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject { account_id: &self.account_id, region_id: &self.region_id, resource_id: &self.snapshot_id }
    }

    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.lock_status == "expired"
    }

    /// Whether it can still be removed or replaced.
    #[must_use]
    pub fn is_cooling_off(&self) -> bool {
        self.lock_status == "compliance-cooloff"
    }

    /// As it is when its time runs from `start` on.
    #[must_use]
    pub fn running_from(self, start: Timestamp) -> Self {
        Self {
            lock_duration_start_time: Some(start),
            cool_off_period_expired_time: Some(start.plus_millis(self.cool_off_period * HOUR)),
            lock_expired_time: Some(start.plus_days(self.lock_duration)),
            ..self
        }
    }

    /// When its status changes next.
    fn next_change(&self) -> Option<Timestamp> {
        match self.lock_status.as_str() {
            "compliance-cooloff" => self.cool_off_period_expired_time,
            "compliance" => self.lock_expired_time,
            _ => None,
        }
    }
}

impl Listed for SnapshotLock {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.creation_time, id: self.snapshot_id.clone() }
    }
}

/// What a list of locks reads.
pub const SOURCE: Source = Source { table: "snapshot_locks", id_column: "snapshot_id", columns: "snapshot_locks.*" };

/// The lock of a snapshot, which the caller has found to be its own.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<Option<SnapshotLock>, Fault> {
    let query = sqlx::query_as("SELECT * FROM snapshot_locks WHERE snapshot_id = $1");
    Ok(query.bind(snapshot_id).fetch_optional(tx.conn().await?).await?)
}

/// Which of these snapshots of the caller's account and region have a lock, expired ones included.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn locked_among(tx: &mut Tx<'_>, snapshot_ids: &[String]) -> Result<Vec<String>, Fault> {
    let mut filter = Filter::of_caller(tx, &SOURCE, true);
    filter.any("snapshot_id", snapshot_ids.iter().map(String::as_str));
    let sql = format!("SELECT snapshot_id FROM snapshot_locks WHERE {}", filter.conditions());
    let query = bind!(sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?)
}

/// Stores a lock, in place of the one that the snapshot has, with the timer of its next change.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn put(tx: &mut Tx<'_>, lock: &SnapshotLock, event: &'static str) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "INSERT INTO snapshot_locks (snapshot_id, account_id, region_id, lock_mode, lock_status, cool_off_period,
             lock_duration, creation_time, lock_duration_start_time, cool_off_period_expired_time, lock_expired_time)
         VALUES ($1, $2, $3, $8, $7, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (snapshot_id) DO UPDATE SET lock_mode = excluded.lock_mode, lock_status = excluded.lock_status,
             cool_off_period = excluded.cool_off_period, lock_duration = excluded.lock_duration,
             creation_time = excluded.creation_time, lock_duration_start_time = excluded.lock_duration_start_time,
             cool_off_period_expired_time = excluded.cool_off_period_expired_time,
             lock_expired_time = excluded.lock_expired_time;",
        event!()
    );
    let statement = effect(tx, SQL, lock.subject(), event, &lock.lock_status)
        .bind(&lock.lock_mode)
        .bind(lock.cool_off_period)
        .bind(lock.lock_duration)
        .bind(lock.creation_time)
        .bind(lock.lock_duration_start_time)
        .bind(lock.cool_off_period_expired_time)
        .bind(lock.lock_expired_time);
    tx.execute(statement).await?;
    match lock.next_change() {
        Some(due) => timers::set(tx, TimerKind::SnapshotLock, &lock.snapshot_id, due).await,
        None => Ok(()),
    }
}

/// Removes a lock and its timer.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn remove(tx: &mut Tx<'_>, lock: &SnapshotLock, event: &'static str) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "DELETE FROM snapshot_locks WHERE snapshot_id = $1;
         DELETE FROM timers WHERE resource_id = $1 AND kind = 'lock_change';",
        event!()
    );
    let statement = effect(tx, SQL, lock.subject(), event, &lock.lock_status);
    tx.execute(statement).await
}
