//! The store: one SQLite file, one writer with group commit, readers beside it; the only folder with SQL.

#![expect(clippy::disallowed_methods, reason = "the one place for SQL")]

pub mod accounts;
pub mod backup;
mod block_on;
pub mod catalog;
pub mod client_tokens;
pub mod clock_setting;
pub mod contents;
mod deferred;
pub mod disks;
pub mod events;
pub mod filter;
pub mod folder;
pub mod ids;
pub mod image_copies;
pub mod image_shares;
pub mod images;
pub mod instances;
pub mod opening;
pub mod operation_locks;
pub mod operator_locks;
mod past;
pub mod planned_copies;
pub mod policies;
pub mod policy_associations;
mod readers;
pub mod reset;
pub mod resource_groups;
pub mod row_locks;
pub mod savepoints;
mod settling;
pub mod snapshot_copies;
pub mod snapshot_groups;
pub mod snapshot_links;
pub mod snapshot_locks;
pub mod snapshot_services;
pub mod snapshots;
pub mod soundness;
pub mod tag_usage;
pub mod tags;
pub mod tasks;
pub mod timers;
pub mod tombstones;
pub mod tx;
pub mod usage;
pub mod value;
pub mod webhooks;
pub mod whole;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, Notify, mpsc, oneshot, watch};

use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::faults::{Fault, fault};
use crate::levers::Levers;
use filter::Walks;
use past::Past;
use readers::Readers;
use row_locks::{Guard, InFlight, LockTable, RowLocks};
use tx::{Context, Scratch, Tx};
use writer::{Request, Task};

pub use opening::Failure;
pub use settling::Happened;
pub use writer::Fire;

/// The driver in use; nothing outside this folder names it.
pub type Database = sqlx::Sqlite;
pub type Conn = sqlx::SqliteConnection;
pub type Row = sqlx::sqlite::SqliteRow;

/// A flag as the schema keeps it: 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct Flag(i64);

impl From<bool> for Flag {
    fn from(value: bool) -> Self {
        Self(i64::from(value))
    }
}

impl From<Flag> for bool {
    fn from(flag: Flag) -> Self {
        flag.0 != 0
    }
}

/// Something to do in one transaction.
///
/// It touches the world only through [`Tx`]; hence it can share a commit with others, be run again after its
/// neighbour failed, and be rolled back: an operation that fails changes nothing.
pub trait Operation: Send + Sync + 'static {
    type Output: Send + 'static;

    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// What the store's parts share.
pub(crate) struct Shared {
    pub config: Arc<Config>,
    pub clock: Arc<Clock>,
    pub locks: LockTable,
    pub levers: Arc<Levers>,
    pub past: Past,
    pub walks: Walks,
    /// The instant of the earliest timer, `i64::MAX` for none; kept by the writer.
    pub next_due: AtomicI64,
    /// Wakes the engine when `next_due` came nearer.
    pub due_changed: Notify,
    pub turns: Turns,
    /// Commits so far, for tests that stop after the k-th.
    pub commits: AtomicU64,
    /// The number of the last committed event.
    pub last_event: watch::Sender<i64>,
    /// How many commits may still happen; `u64::MAX` outside crash tests.
    pub commits_allowed: AtomicU64,
}

/// Who moves or changes the clock does so one after the other.
#[derive(Default)]
pub(crate) struct Turns {
    advance: Mutex<()>,
    mode: Mutex<()>,
}

/// The open store. Cheap to clone; closes when the last clone is gone and [`Store::close`] was awaited.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Request>,
    readers: Arc<Readers>,
}

impl Store {
    /// Runs `operation` on a reading connection; what is due by now has happened before.
    ///
    /// # Errors
    /// The operation's own fault, or 500 `InternalError` when the database fails.
    pub async fn read<O: Operation>(&self, context: &Context, operation: &O) -> Result<O::Output, Fault> {
        if self.shared.next_due.load(Ordering::Acquire) <= self.shared.clock.now().millis() {
            self.settle(self.shared.clock.now()).await?;
        }
        let mut reader = self.readers.lend().await?;
        let mut scratch = Scratch::default();
        let now = self.shared.clock.now();
        let outcome = operation.run(&mut Tx::new(&mut reader.conn, now, context, &self.shared, &mut scratch)).await;
        reader.give_back();
        outcome
    }

    /// As [`Store::read`], as things stood `lag` milliseconds ago or at some instant since then; 0 for the present.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn read_past<O: Operation>(
        &self,
        context: &Context,
        lag: i64,
        operation: &O,
    ) -> Result<O::Output, Fault> {
        if lag == 0 {
            return self.read(context, operation).await;
        }
        let now = self.shared.clock.now();
        if self.shared.next_due.load(Ordering::Acquire) <= now.millis() {
            self.settle(now).await?;
        }
        let wanted = now.plus_millis(-lag);
        let Some(view) = self.shared.past.view(wanted).await else { return self.read(context, operation).await };
        let mut conn = view.conn.lock().await;
        let mut scratch = Scratch::default();
        operation.run(&mut Tx::new(&mut conn, view.nearest(wanted), context, &self.shared, &mut scratch)).await
    }

    /// Keeps the states of the last `lag` milliseconds for [`Store::read_past`]; 0 forgets them.
    ///
    /// # Errors
    /// 500 `InternalError` when the database fails.
    pub async fn keep_past(&self, lag: i64) -> Result<(), Fault> {
        Ok(self.shared.past.keep(lag, self.shared.clock.now()).await?)
    }

    /// The rows that calls in flight hold.
    #[must_use]
    pub fn rows_in_flight(&self) -> Vec<InFlight> {
        self.shared.locks.list()
    }

    /// Takes the row locks, runs `operation` in the writer and returns after its commit.
    ///
    /// # Errors
    /// 403 `Operation.Conflict` when a row is locked, 503 `ServiceUnavailable` when the queue is full or the store is
    /// closing, the operation's own fault, or 500 `InternalError`. Nothing is changed then.
    pub async fn write<O: Operation>(
        &self,
        context: Context,
        locks: RowLocks,
        operation: O,
    ) -> Result<O::Output, Fault> {
        let wait = Duration::from_millis(self.shared.config.fidelity.conflict_wait_ms);
        let guard = self.shared.locks.acquire(&context.account_id, &locks, wait).await?;
        let (reply, answer) = oneshot::channel();
        let task = Task::new(operation, context, guard, reply);
        self.queue.try_send(Request::Write(Box::new(task))).map_err(|_| fault("ServiceUnavailable"))?;
        answer.await.unwrap_or_else(|_| Err(fault("ServiceUnavailable")))
    }

    /// Lets everything happen that is due by `until`, in order, each change at its own instant.
    ///
    /// # Errors
    /// 500 `InternalError` when the database fails; 503 `ServiceUnavailable` when the store is closing.
    pub async fn settle(&self, until: Timestamp) -> Result<Happened, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Settle { until, reply }, answer).await
    }

    /// Moves the clock to `until`, unless it is there already, and lets everything happen on the way; calls are served
    /// meanwhile.
    ///
    /// # Errors
    /// As [`Store::settle`].
    pub async fn advance(&self, until: Timestamp) -> Result<Happened, Fault> {
        let mut happened = Happened::default();
        loop {
            let (reply, answer) = oneshot::channel();
            let step = self.ask(Request::Advance { until, reply }, answer).await?;
            happened.add(step.happened);
            if step.is_last {
                return Ok(happened);
            }
        }
    }

    async fn ask<T>(&self, request: Request, answer: oneshot::Receiver<Result<T, Fault>>) -> Result<T, Fault> {
        self.queue.send(request).await.map_err(|_| fault("ServiceUnavailable"))?;
        answer.await.unwrap_or_else(|_| Err(fault("ServiceUnavailable")))
    }

    /// Waits until no other advance is under way, and keeps others waiting.
    pub async fn turn_to_advance(&self) -> MutexGuard<'_, ()> {
        self.shared.turns.advance.lock().await
    }

    /// Waits until the clock's mode is not being changed, and keeps others waiting.
    pub async fn turn_to_change_mode(&self) -> MutexGuard<'_, ()> {
        self.shared.turns.mode.lock().await
    }

    /// Holds rows of an account as a call in flight does, until the guard is dropped; for tests and operators.
    ///
    /// # Errors
    /// 403 `Operation.Conflict` when one of them is held already.
    pub async fn hold(&self, account_id: &str, locks: &RowLocks) -> Result<Guard, Fault> {
        self.shared.locks.acquire(account_id, locks, Duration::ZERO).await
    }

    /// The instant of the earliest timer that no rule of a test bench holds back.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = Timestamp::from_millis(self.shared.next_due.load(Ordering::Acquire));
        (due < timers::NEVER).then_some(due)
    }

    /// Wakes who waits for [`Store::due_changed`], after the clock was changed.
    pub fn clock_was_changed(&self) {
        self.shared.due_changed.notify_one();
    }

    /// Returns when [`Store::next_due`] may have come nearer.
    pub async fn due_changed(&self) {
        self.shared.due_changed.notified().await;
    }

    /// The number of the last committed event, and when it moves.
    #[must_use]
    pub fn last_event(&self) -> watch::Receiver<i64> {
        self.shared.last_event.subscribe()
    }

    /// Commits since the store was opened.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Acquire)
    }

    /// Lets only `count` further commits happen; every later one fails as if the process had died before it.
    pub fn stop_after_commits(&self, count: u64) {
        self.shared.commits_allowed.store(count, Ordering::Release);
    }

    /// Finishes what is queued, writes the log back into the database file and closes it.
    pub async fn close(&self) {
        self.shared.past.close().await;
        let (reply, done) = oneshot::channel();
        if self.queue.send(Request::Close { reply }).await.is_ok() {
            self.readers.close().await;
            // The writer is gone either way; an error here means that it was gone before.
            let _ = done.await;
        }
    }
}
