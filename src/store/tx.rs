//! The transaction as an operation sees it: all that it may touch, and nothing that outlives it.

use std::sync::Arc;

use sqlx::FromRow;
use sqlx::sqlite::SqliteRow;

use super::deferred::{self, Deferred, Failure};
use super::row_locks::{Guard, RowLocks};
use super::settling::{Cause, Happened};
use super::value::Value;
use super::{Conn, Shared};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::faults::Fault;
use crate::ids::{IdGenerator, IdKind};
use crate::levers::Levers;
use crate::regions::{self, Region};

pub use super::deferred::Statement;

/// On whose behalf an operation runs.
#[derive(Clone, Debug)]
pub struct Context {
    pub account_id: Arc<str>,
    /// The region that the caller named; resources of others are not found then.
    pub region: Option<&'static Region>,
}

impl Context {
    /// The engine itself, which is no account and sees all.
    #[must_use]
    pub fn engine() -> Self {
        Self { account_id: Arc::from(""), region: None }
    }
}

/// Counters that move with each transaction and are stored in it.
#[derive(Clone, Debug)]
pub struct Marks {
    pub ids: IdGenerator,
    pub last_event: i64,
}

impl Default for Marks {
    fn default() -> Self {
        Self { ids: IdGenerator::new(None, 0), last_event: 0 }
    }
}

/// What an operation leaves behind in memory while it runs.
#[derive(Default)]
pub struct Scratch {
    pub marks: Marks,
    /// The earliest timer that it set, `None` for none.
    pub earliest_timer: Option<Timestamp>,
    pub guards: Vec<Guard>,
    pub wrote: bool,
    /// A write goes with the next statement, and is taken to succeed until then.
    pub may_defer: bool,
    pub deferred: Option<Deferred>,
    /// One did not succeed: all is to be rolled back and run again, with nothing deferred.
    pub was_misled: bool,
    /// The instant of the last firing; the clock is moved there by the commit.
    pub reached: Option<Timestamp>,
    /// Why a timer fires; `None` for a call.
    pub cause: Option<Cause>,
    /// Counts what firings do; calls are not counted.
    pub happened: Option<Happened>,
}

/// One transaction: a connection inside it, one instant, and the caller.
pub struct Tx<'c> {
    conn: &'c mut Conn,
    /// The instant of this operation; all that it writes bears it.
    pub now: Timestamp,
    context: &'c Context,
    shared: &'c Shared,
    scratch: &'c mut Scratch,
}

impl<'c> Tx<'c> {
    pub(super) fn new(
        conn: &'c mut Conn,
        now: Timestamp,
        context: &'c Context,
        shared: &'c Shared,
        scratch: &'c mut Scratch,
    ) -> Self {
        Self { conn, now, context, shared, scratch }
    }

    /// The caller's account.
    #[must_use]
    pub fn account_id(&self) -> &str {
        &self.context.account_id
    }

    /// The region that the caller named, if any: a lookup by id then sees this region alone.
    #[must_use]
    pub fn named_region(&self) -> Option<&'static str> {
        self.context.region.map(|region| region.id)
    }

    /// The region of a call whose resource tells none.
    #[must_use]
    pub fn region(&self) -> &'static Region {
        let default = || regions::find(&self.shared.config.fidelity.default_region).unwrap_or(&regions::REGIONS[0]);
        self.context.region.unwrap_or_else(default)
    }

    /// The region of a call that names a resource: the one that the caller named, else the resource's (decision 16).
    #[must_use]
    pub fn region_of(&self, of_resource: Option<&str>) -> &'static Region {
        let of_resource = of_resource.and_then(regions::find);
        self.context.region.or(of_resource).unwrap_or_else(|| self.region())
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// What a test bench set.
    #[must_use]
    pub fn levers(&self) -> &'c Levers {
        &self.shared.levers
    }

    /// The machine's own clock, by which rules of a test bench expire.
    #[must_use]
    pub fn wall_now(&self) -> Timestamp {
        self.shared.clock.wall_now()
    }

    /// What makes ids, for those who change how it does.
    pub(super) fn ids(&mut self) -> &mut IdGenerator {
        &mut self.scratch.marks.ids
    }

    /// A new id of `kind` in `region_id`.
    pub fn new_id(&mut self, kind: IdKind, region_id: &str) -> String {
        let mark = regions::find(region_id).map_or("000", |region| region.mark);
        self.scratch.marks.ids.next(kind, mark)
    }

    /// `length` fresh letters and digits, for what is no resource id: serial numbers.
    pub fn new_token(&mut self, length: usize) -> String {
        self.scratch.marks.ids.token(length)
    }

    /// `length` fresh decimal digits.
    pub fn new_digits(&mut self, length: usize) -> String {
        self.scratch.marks.ids.digits(length)
    }

    /// Locks rows that the operation learned of only by reading, until its answer is given.
    ///
    /// # Errors
    /// 403 `Operation.Conflict` when another call in flight holds one of them.
    pub fn lock_rows(&mut self, locks: &RowLocks) -> Result<(), Fault> {
        let guard = self.shared.locks.try_acquire(&self.context.account_id, locks, self.scratch.guards.last())?;
        self.scratch.guards.push(guard);
        Ok(())
    }

    /// The connection; what waits goes first.
    pub(super) async fn conn(&mut self) -> Result<&mut Conn, Fault> {
        if let Some(deferred) = self.scratch.deferred.take() {
            let outcome = deferred.run_as_told(self.conn).await;
            self.scratch.was_misled |= outcome.is_err();
            outcome?;
        }
        Ok(self.conn)
    }

    pub(super) fn shared(&self) -> &'c Shared {
        self.shared
    }

    /// What was written before by others has numbers up to this one.
    pub(super) fn events_went_on_to(&mut self, event_id: i64) {
        self.scratch.marks.last_event = self.scratch.marks.last_event.max(event_id);
    }

    /// A connection for statements that no function of the store has; what runs on it counts as writing.
    pub(super) async fn writing_conn(&mut self) -> Result<&mut Conn, Fault> {
        self.scratch.wrote = true;
        self.conn().await
    }

    pub(super) fn next_event_id(&mut self, name: &'static str) -> i64 {
        self.scratch.marks.last_event += 1;
        if let Some(happened) = &mut self.scratch.happened {
            *happened.events.entry(name).or_default() += 1;
        }
        self.scratch.marks.last_event
    }

    /// What follows happens at the instant of a timer.
    pub(super) fn fires_at(&mut self, due_at: Timestamp) {
        self.now = due_at;
        self.scratch.reached = Some(due_at);
        if let Some(happened) = &mut self.scratch.happened {
            happened.firings += 1;
        }
    }

    /// The clock's present, where a timer fires long after its instant: the daemon was down or the machine suspended.
    #[must_use]
    pub fn woke_up_at(&self) -> Option<Timestamp> {
        let slept = self.scratch.cause == Some(Cause::Time) && self.shared.clock.slept_through(self.now);
        slept.then(|| self.shared.clock.now())
    }

    pub(super) fn timer_was_set(&mut self, due_at: Timestamp) {
        let earliest = self.scratch.earliest_timer.map_or(due_at, |known| known.min(due_at));
        self.scratch.earliest_timer = Some(earliest);
    }

    /// Runs one writing statement, or several in one string; they may go with the next statement.
    pub(super) async fn execute(&mut self, statement: Statement<'_>) -> Result<(), Fault> {
        self.write(Deferred::new(statement, None)?).await.map(drop)
    }

    /// Runs several statements in one string; whether the one at `guard`, counted from 0, changed exactly one row.
    ///
    /// On `false` the caller must fail, so that what the others did is rolled back.
    pub(super) async fn execute_guarded(&mut self, statement: Statement<'_>, guard: usize) -> Result<bool, Fault> {
        self.write(Deferred::new(statement, Some(guard))?).await
    }

    async fn write(&mut self, write: Deferred) -> Result<bool, Fault> {
        let may_defer = self.scratch.may_defer;
        let conn = self.writing_conn().await?;
        if may_defer {
            self.scratch.deferred = Some(write);
            return Ok(true);
        }
        write.run(conn).await
    }

    /// The first row of a statement, with which goes what waits.
    pub(super) async fn fetch_optional<R>(&mut self, sql: &'static str, values: &[Value]) -> Result<Option<R>, Fault>
    where
        R: for<'r> FromRow<'r, SqliteRow>,
    {
        let found = deferred::run_behind(self.scratch.deferred.take(), self.conn, sql, values).await;
        let row = found.map_err(|failure| match failure {
            Failure::Deferred(failure) => {
                self.scratch.was_misled = true;
                failure
            }
            Failure::Last(failure) => failure,
        })?;
        Ok(row.as_ref().map(R::from_row).transpose()?)
    }
}
