//! Row locks, NOWAIT: of calls in flight in memory, of long-running tasks and operators as rows; never waits inside a transaction.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::tx::Tx;
use crate::faults::{Fault, fault};

/// How a row is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Shared,
    Exclusive,
}

impl Mode {
    /// As the `mode` column has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
        }
    }
}

/// Rows that an operation needs, all or none.
#[derive(Clone, Debug, Default)]
pub struct RowLocks(Vec<(String, Mode)>);

impl RowLocks {
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn exclusive(resource_id: &str) -> Self {
        Self::default().and(resource_id, Mode::Exclusive)
    }

    #[must_use]
    pub fn shared(resource_id: &str) -> Self {
        Self::default().and(resource_id, Mode::Shared)
    }

    /// These and one more.
    #[must_use]
    pub fn and(mut self, resource_id: &str, mode: Mode) -> Self {
        match self.0.iter_mut().find(|(id, _)| id == resource_id) {
            Some((_, held)) => *held = mode.max(*held),
            None => self.0.push((resource_id.to_owned(), mode)),
        }
        self
    }
}

type Key = (Arc<str>, String);

#[derive(Debug)]
enum Held {
    Exclusive,
    Shared(usize),
}

/// The locks of calls in flight, keyed by account and id, so that a foreign lock never shows.
#[derive(Clone, Default)]
pub struct LockTable(Arc<Rows>);

#[derive(Default)]
struct Rows {
    held: Mutex<HashMap<Key, Held>>,
    released: Notify,
}

/// A row that calls in flight hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlight {
    pub account_id: String,
    pub resource_id: String,
    pub mode: Mode,
}

/// Holds rows until it is dropped.
pub struct Guard {
    rows: Arc<Rows>,
    keys: Vec<(Key, Mode)>,
}

impl LockTable {
    /// Takes all of `locks` at once, waiting for at most `wait`.
    ///
    /// # Errors
    /// 403 `Operation.Conflict`; nothing is held then.
    pub async fn acquire(&self, account_id: &str, locks: &RowLocks, wait: Duration) -> Result<Guard, Fault> {
        let deadline = Instant::now() + wait;
        loop {
            let released = self.0.released.notified();
            let refusal = match self.try_acquire(account_id, locks, None) {
                Ok(guard) => return Ok(guard),
                Err(refusal) => refusal,
            };
            if wait.is_zero() || tokio::time::timeout_at(deadline, released).await.is_err() {
                return Err(refusal);
            }
        }
    }

    /// Takes all of `locks` at once or none; rows that `own` holds already are not taken again.
    ///
    /// # Errors
    /// 403 `Operation.Conflict`; nothing is held then.
    pub fn try_acquire(&self, account_id: &str, locks: &RowLocks, own: Option<&Guard>) -> Result<Guard, Fault> {
        let account: Arc<str> = Arc::from(account_id);
        let wanted = locks.0.iter().map(|(id, mode)| ((Arc::clone(&account), id.clone()), *mode));
        let wanted: Vec<_> = wanted.filter(|row| own.is_none_or(|guard| !guard.covers(row))).collect();
        let mut held = self.0.lock();
        let free = |(key, mode): &(Key, Mode)| match (held.get(key), mode) {
            (None, _) | (Some(Held::Shared(_)), Mode::Shared) => true,
            (Some(_), _) => false,
        };
        if !wanted.iter().all(free) {
            return Err(fault("Operation.Conflict"));
        }
        for (key, mode) in &wanted {
            match (held.entry(key.clone()), mode) {
                (Entry::Occupied(mut row), _) => {
                    if let Held::Shared(holders) = row.get_mut() {
                        *holders += 1;
                    }
                }
                (Entry::Vacant(row), Mode::Shared) => drop(row.insert(Held::Shared(1))),
                (Entry::Vacant(row), Mode::Exclusive) => drop(row.insert(Held::Exclusive)),
            }
        }
        Ok(Guard { rows: Arc::clone(&self.0), keys: wanted })
    }

    /// The rows that are held now, by account and id.
    #[must_use]
    pub fn list(&self) -> Vec<InFlight> {
        let row = |((account_id, resource_id), held): (&Key, &Held)| InFlight {
            account_id: account_id.to_string(),
            resource_id: resource_id.clone(),
            mode: if matches!(held, Held::Exclusive) { Mode::Exclusive } else { Mode::Shared },
        };
        let mut rows: Vec<_> = self.0.lock().iter().map(row).collect();
        rows.sort_by(|a, b| (&a.account_id, &a.resource_id).cmp(&(&b.account_id, &b.resource_id)));
        rows
    }
}

impl Rows {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guard {
    fn covers(&self, (key, mode): &(Key, Mode)) -> bool {
        self.keys.iter().any(|(held, held_mode)| held == key && held_mode >= mode)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut held = self.rows.lock();
        for (key, _) in &self.keys {
            if let Entry::Occupied(mut row) = held.entry(key.clone()) {
                match row.get_mut() {
                    Held::Shared(holders) if *holders > 1 => *holders -= 1,
                    _ => drop(row.remove()),
                }
            }
        }
        drop(held);
        self.rows.released.notify_waiters();
    }
}

/// The stored locks of a row, as the first statement of an operation reads them by [`held!`].
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Holds {
    held: i64,
    held_exclusively: i64,
}

impl Holds {
    /// A task or an operator holds it, in whatever mode: it may not be changed.
    #[must_use]
    pub fn is_held(self) -> bool {
        self.held != 0
    }

    /// A task or an operator holds it exclusively: nothing may be made from it either.
    #[must_use]
    pub fn is_held_exclusively(self) -> bool {
        self.held_exclusively != 0
    }
}

/// The two columns of [`Holds`] for the row `id`.
///
/// `id` is an SQL expression, never input.
macro_rules! held {
    ($id:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM row_locks WHERE row_locks.resource_id = ",
            $id,
            ") AS held, EXISTS (SELECT 1 FROM row_locks WHERE row_locks.resource_id = ",
            $id,
            " AND row_locks.mode = 'exclusive') AS held_exclusively"
        )
    };
}
pub(crate) use held;

/// Whether a stored lock forbids to hold any of these rows in the mode asked for.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn is_held(tx: &mut Tx<'_>, resource_id: &str, mode: Mode) -> Result<bool, Fault> {
    let held: i64 = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM row_locks WHERE resource_id = $1 AND (mode = 'exclusive' OR $2 = 1))",
    )
    .bind(resource_id)
    .bind(i64::from(mode == Mode::Exclusive))
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(held != 0)
}

/// Whether this holder has a stored lock on the row.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn is_held_by(tx: &mut Tx<'_>, resource_id: &str, holder: &str) -> Result<bool, Fault> {
    let held: i64 =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM row_locks WHERE resource_id = $1 AND holder = $2)")
            .bind(resource_id)
            .bind(holder)
            .fetch_one(tx.conn().await?)
            .await?;
    Ok(held != 0)
}

/// Locks a row for a task or an operator until [`release`]; part of the transaction that starts the task.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn hold(tx: &mut Tx<'_>, resource_id: &str, holder: &str, mode: Mode) -> Result<(), Fault> {
    let now = tx.now;
    let statement = sqlx::query(
        "INSERT INTO row_locks (resource_id, holder, mode, acquired_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (resource_id, holder) DO UPDATE SET mode = excluded.mode",
    )
    .bind(resource_id)
    .bind(holder)
    .bind(mode.name())
    .bind(now);
    tx.execute(statement).await?;
    Ok(())
}

/// Releases all rows of a holder.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn release(tx: &mut Tx<'_>, holder: &str) -> Result<(), Fault> {
    tx.execute(sqlx::query("DELETE FROM row_locks WHERE holder = $1").bind(holder)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_rows_are_shared_and_exclusive_ones_are_not() {
        let table = LockTable::default();
        let shared = RowLocks::shared("s-1");
        let first = table.try_acquire("a", &shared, None).expect("free");
        let second = table.try_acquire("a", &shared, None).expect("shared");
        let refused = table.try_acquire("a", &RowLocks::exclusive("s-1"), None);
        assert_eq!(refused.err().expect("held").code(), "Operation.Conflict");
        drop((first, second));
        let exclusive = table.try_acquire("a", &RowLocks::exclusive("s-1"), None).expect("free again");
        assert!(table.try_acquire("a", &shared, None).is_err());
        drop(exclusive);
        assert!(table.list().is_empty());
    }

    #[test]
    fn all_rows_are_taken_or_none() {
        let table = LockTable::default();
        let _held = table.try_acquire("a", &RowLocks::exclusive("s-2"), None).expect("free");
        let both = RowLocks::exclusive("s-1").and("s-2", Mode::Shared);
        assert!(table.try_acquire("a", &both, None).is_err());
        assert_eq!(table.list().len(), 1);
    }

    #[test]
    fn rows_that_are_held_already_are_neither_taken_nor_released_again() {
        let table = LockTable::default();
        let (exclusive, shared) = (RowLocks::exclusive("s-1"), RowLocks::shared("s-1"));
        let own = table.try_acquire("a", &exclusive, None).expect("free");
        for more in [&exclusive, &shared] {
            drop(table.try_acquire("a", more, Some(&own)).expect("held already"));
        }
        assert!(table.try_acquire("a", &shared, None).is_err());
        drop(own);
        let own = table.try_acquire("a", &shared, None).expect("free again");
        assert!(table.try_acquire("a", &exclusive, Some(&own)).is_err(), "it is held in common with others");
        drop(table.try_acquire("a", &shared, Some(&own)).expect("held already"));
        assert_eq!(table.list().len(), 1);
    }

    #[test]
    fn held_rows_are_listed_with_their_account_by_account_and_id() {
        let table = LockTable::default();
        let _second = table.try_acquire("b", &RowLocks::shared("s-1"), None).expect("free");
        let _first = table.try_acquire("a", &RowLocks::exclusive("s-2").and("s-1", Mode::Shared), None).expect("free");
        let row = |row: InFlight| (row.account_id, row.resource_id, row.mode);
        let wanted = [("a", "s-1", Mode::Shared), ("a", "s-2", Mode::Exclusive), ("b", "s-1", Mode::Shared)];
        let wanted = wanted.map(|(account_id, id, mode)| (account_id.to_owned(), id.to_owned(), mode));
        assert_eq!(table.list().into_iter().map(row).collect::<Vec<_>>(), wanted);
    }

    #[tokio::test]
    async fn a_wait_for_a_row_ends_at_its_deadline() {
        let table = LockTable::default();
        let locks = RowLocks::exclusive("s-1");
        let _held = table.try_acquire("a", &locks, None).expect("free");
        let waited = table.acquire("a", &locks, Duration::from_millis(20));
        let answer = tokio::time::timeout(Duration::from_mins(1), waited).await.expect("an end");
        assert_eq!(answer.err().expect("held").code(), "Operation.Conflict");
    }

    #[test]
    fn another_account_does_not_feel_a_lock() {
        let table = LockTable::default();
        let _held = table.try_acquire("a", &RowLocks::exclusive("s-1"), None).expect("free");
        assert!(table.try_acquire("b", &RowLocks::exclusive("s-1"), None).is_ok());
    }
}
