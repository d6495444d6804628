//! Timers: changes that happen without a call, as rows; knows when, never what they do.

use sqlx::FromRow;

use super::Conn;
use super::tx::Tx;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// What a timer does when it fires; one function of `lifecycle` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerKind {
    SnapshotFinish,
    SnapshotExpire,
    SnapshotLock,
    ImageFinish,
    DiskFinish,
    InstanceFinish,
    TaskFinish,
    SnapshotGroupFinish,
    TakeSnapshots,
    StartCopy,
    OperatorLock,
}

impl TimerKind {
    const ALL: &[Self] = &[
        Self::SnapshotFinish,
        Self::SnapshotExpire,
        Self::SnapshotLock,
        Self::ImageFinish,
        Self::DiskFinish,
        Self::InstanceFinish,
        Self::TaskFinish,
        Self::SnapshotGroupFinish,
        Self::TakeSnapshots,
        Self::StartCopy,
        Self::OperatorLock,
    ];

    /// The name in the `kind` column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SnapshotFinish => "snapshot_finish",
            Self::SnapshotExpire => "snapshot_expire",
            // Before snapshot_expire in the order of ties: retention that ends with a lock finds it gone.
            Self::SnapshotLock => "lock_change",
            Self::ImageFinish => "image_finish",
            Self::DiskFinish => "disk_finish",
            Self::InstanceFinish => "instance_finish",
            Self::TaskFinish => "task_finish",
            Self::SnapshotGroupFinish => "snapshot_group_finish",
            // Both after all of snapshots: a schedule finds what ends at its instant finished or gone, a copy its source.
            Self::TakeSnapshots => "take_snapshots",
            Self::StartCopy => "start_copy",
            // Its resource is the holder.
            Self::OperatorLock => "operator_lock",
        }
    }

    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// When a timer is due that a rule of a test bench holds back; no clock gets there.
pub(super) const NEVER: Timestamp = Timestamp::from_millis(253_402_128_000_000);

/// A timer that is due.
#[derive(Clone, Debug, FromRow)]
pub struct Timer {
    pub kind: String,
    pub resource_id: String,
    pub due_at: Timestamp,
}

/// Sets a timer, or moves it.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn set(tx: &mut Tx<'_>, kind: TimerKind, resource_id: &str, due_at: Timestamp) -> Result<(), Fault> {
    let statement = sqlx::query(
        "INSERT INTO timers (kind, resource_id, due_at) VALUES ($1, $2, $3)
         ON CONFLICT (resource_id, kind) DO UPDATE SET due_at = excluded.due_at",
    )
    .bind(kind.name())
    .bind(resource_id)
    .bind(due_at);
    tx.execute(statement).await?;
    tx.timer_was_set(due_at);
    Ok(())
}

/// Clears a timer; none is no error.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn clear(tx: &mut Tx<'_>, kind: TimerKind, resource_id: &str) -> Result<(), Fault> {
    let statement = sqlx::query("DELETE FROM timers WHERE kind = $1 AND resource_id = $2");
    tx.execute(statement.bind(kind.name()).bind(resource_id)).await?;
    Ok(())
}

/// Sets a timer, or moves it, to an instant that never comes; [`let_go`] brings it back.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn hold_back(tx: &mut Tx<'_>, kind: TimerKind, resource_id: &str) -> Result<(), Fault> {
    set(tx, kind, resource_id, NEVER).await
}

/// The timers that were held back are due now.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn let_go(tx: &mut Tx<'_>) -> Result<(), Fault> {
    let now = tx.now;
    tx.execute(sqlx::query("UPDATE timers SET due_at = $1 WHERE due_at = $2").bind(now).bind(NEVER)).await?;
    tx.timer_was_set(now);
    Ok(())
}

/// As [`let_go`], at the start: the rules that held them are gone.
pub(super) async fn let_go_at_start(conn: &mut Conn, now: Timestamp) -> Result<(), sqlx::Error> {
    let statement = sqlx::query("UPDATE timers SET due_at = $1 WHERE due_at = $2").bind(now).bind(NEVER);
    statement.execute(conn).await.map(drop)
}

/// When a timer is due; `None` where there is none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn due_of(tx: &mut Tx<'_>, kind: TimerKind, resource_id: &str) -> Result<Option<Timestamp>, Fault> {
    let query = sqlx::query_scalar("SELECT due_at FROM timers WHERE kind = $1 AND resource_id = $2");
    Ok(query.bind(kind.name()).bind(resource_id).fetch_optional(tx.conn().await?).await?)
}

/// The earliest timers, at most `limit`, without those that are held back.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn upcoming(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Timer>, Fault> {
    let query = sqlx::query_as(
        "SELECT kind, resource_id, due_at FROM timers WHERE due_at < $1 ORDER BY due_at, kind, resource_id LIMIT $2",
    );
    Ok(query.bind(NEVER).bind(limit).fetch_all(tx.conn().await?).await?)
}

/// Takes the earliest timer due by `until` out of the table; ties go by kind, then id.
pub(super) async fn take_due(tx: &mut Tx<'_>, until: Timestamp) -> Result<Option<Timer>, Fault> {
    const SQL: &str = "DELETE FROM timers WHERE (resource_id, kind) = (
             SELECT resource_id, kind FROM timers WHERE due_at <= $1 ORDER BY due_at, kind, resource_id LIMIT 1)
         RETURNING kind, resource_id, due_at";
    tx.fetch_optional(SQL, &[until.into()]).await
}

pub(super) async fn postpone(conn: &mut Conn, timer: &Timer, due_at: Timestamp) -> Result<(), Fault> {
    sqlx::query("UPDATE timers SET due_at = $1 WHERE kind = $2 AND resource_id = $3")
        .bind(due_at)
        .bind(&timer.kind)
        .bind(&timer.resource_id)
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn earliest(conn: &mut Conn) -> Result<Option<i64>, Fault> {
    Ok(sqlx::query_scalar("SELECT MIN(due_at) FROM timers").fetch_one(conn).await?)
}
