//! Operation locks of instances: why the vendor would have locked each; never decides what a lock forbids.

use sqlx::FromRow;

use super::filter::Filter;
use super::tx::Tx;
use super::value::bind;
use crate::faults::Fault;

/// A lock of an instance.
#[derive(Clone, Debug, FromRow)]
pub struct OperationLock {
    pub instance_id: String,
    pub lock_reason: String,
    pub lock_msg: String,
}

/// An expression: the lock of an instance that forbids most, of those that forbid anything; NULL for none.
///
/// `of` is an SQL condition on `o`, never input.
#[macro_export]
macro_rules! strictest_lock {
    ($of:literal) => {
        concat!(
            "(SELECT MAX(o.lock_reason) FROM operation_locks o
              WHERE o.lock_reason IN ('financial', 'security') AND ",
            $of,
            ")"
        )
    };
}

/// The locks of all instances, by instance and reason.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<OperationLock>, Fault> {
    Ok(sqlx::query_as("SELECT * FROM operation_locks ORDER BY instance_id, lock_reason")
        .fetch_all(tx.conn().await?)
        .await?)
}

/// The locks of these instances, by instance and reason.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn of_instances(tx: &mut Tx<'_>, instance_ids: &[&str]) -> Result<Vec<OperationLock>, Fault> {
    let mut filter = Filter::default();
    filter.any("instance_id", instance_ids.iter().copied());
    let sql = format!("SELECT * FROM operation_locks WHERE {} ORDER BY instance_id, lock_reason", filter.conditions());
    let query = bind!(sqlx::query_as::<_, OperationLock>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?)
}

/// Locks an instance that exists for a reason; once more changes the message.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn set(tx: &mut Tx<'_>, lock: &OperationLock) -> Result<(), Fault> {
    let statement = sqlx::query(
        "INSERT INTO operation_locks (instance_id, lock_reason, lock_msg) VALUES ($1, $2, $3)
         ON CONFLICT (instance_id, lock_reason) DO UPDATE SET lock_msg = excluded.lock_msg",
    );
    tx.execute(statement.bind(&lock.instance_id).bind(&lock.lock_reason).bind(&lock.lock_msg)).await
}

/// Takes locks away: of one instance or of all, for one reason or for each; how many they were.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn clear(tx: &mut Tx<'_>, instance_id: Option<&str>, reason: Option<&str>) -> Result<usize, Fault> {
    let is_meant = |lock: &OperationLock| {
        instance_id.is_none_or(|id| id == lock.instance_id) && reason.is_none_or(|reason| reason == lock.lock_reason)
    };
    let meant: Vec<OperationLock> = list(tx).await?.into_iter().filter(is_meant).collect();
    for lock in &meant {
        let statement = sqlx::query("DELETE FROM operation_locks WHERE instance_id = $1 AND lock_reason = $2");
        tx.execute(statement.bind(&lock.instance_id).bind(&lock.lock_reason)).await?;
    }
    Ok(meant.len())
}
