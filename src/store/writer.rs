//! The writer: the only connection that writes, many operations to a commit; knows nothing of what they mean.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt as _;
use sqlx::Connection;
use tokio::sync::{mpsc, oneshot};

use super::deferred::{self, Failure};
use super::opening::Opening;
use super::row_locks::Guard;
use super::settling::{Happened, Retries, Step};
use super::timers::{self, Timer};
use super::tx::{Context, Marks, Scratch, Tx};
use super::{Conn, Operation, Shared};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::faults::{Fault, fault};

/// What happens when a timer fires; `lifecycle` provides it.
pub type Fire =
    for<'a, 'c> fn(&'a mut Tx<'c>, &'a Timer) -> Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'a>>;

/// After so many events what is beyond its bounds is forgotten.
const MOST_EVENTS_BETWEEN_PRUNINGS: i64 = 10_000;

/// Where fewer are kept, after as many.
pub fn events_between_prunings(config: &Config) -> i64 {
    config.limits.events.clamp(1, MOST_EVENTS_BETWEEN_PRUNINGS)
}

pub enum Request {
    Write(Box<dyn Job>),
    Settle {
        until: Timestamp,
        reply: oneshot::Sender<Result<Happened, Fault>>,
    },
    /// One step of an advance; the next one queues behind the calls that came meanwhile.
    Advance {
        until: Timestamp,
        reply: oneshot::Sender<Result<Step, Fault>>,
    },
    Restore {
        file: PathBuf,
        reply: oneshot::Sender<Result<(), Fault>>,
    },
    Close {
        reply: oneshot::Sender<()>,
    },
}

/// An operation on its way through the writer, its type forgotten.
pub trait Job: Send {
    /// Runs it once and keeps the outcome.
    fn run<'a>(
        &'a mut self,
        conn: &'a mut Conn,
        now: Timestamp,
        shared: &'a Shared,
        scratch: &'a mut Scratch,
    ) -> Pin<Box<dyn Future<Output = Kept> + Send + 'a>>;

    /// Answers the caller, with the kept outcome or with the fault that befell the commit.
    fn answer(self: Box<Self>, commit: Result<(), Fault>);
}

/// What is to become of an operation's changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It succeeded, or failed before it wrote: its neighbours can commit.
    Keep,
    /// It wrote and failed: what it wrote must go.
    Undo,
}

/// What an operation or a firing comes to; its panic is a failure of its own, and the writer goes on for all others.
pub async fn contained<T>(running: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    AssertUnwindSafe(running).catch_unwind().await.unwrap_or_else(|panic| Err(Fault::internal(told(&*panic))))
}

fn told(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a panic: {}", text.unwrap_or("without a word"))
}

/// The [`Job`] of an operation.
pub struct Task<O: Operation> {
    operation: O,
    context: Context,
    outcome: Option<Result<O::Output, Fault>>,
    reply: oneshot::Sender<Result<O::Output, Fault>>,
    /// Released with the answer, not before: a caller that hangs up must not free rows of a queued operation.
    guards: Vec<Guard>,
}

impl<O: Operation> Task<O> {
    pub fn new(operation: O, context: Context, guard: Guard, reply: oneshot::Sender<Result<O::Output, Fault>>) -> Self {
        Self { operation, context, outcome: None, reply, guards: vec![guard] }
    }
}

impl<O: Operation> Job for Task<O> {
    fn run<'a>(
        &'a mut self,
        conn: &'a mut Conn,
        now: Timestamp,
        shared: &'a Shared,
        scratch: &'a mut Scratch,
    ) -> Pin<Box<dyn Future<Output = Kept> + Send + 'a>> {
        Box::pin(async move {
            self.guards.truncate(1);
            scratch.guards = std::mem::take(&mut self.guards);
            let before = scratch.marks.clone();
            let mut tx = Tx::new(conn, now, &self.context, shared, scratch);
            let outcome = contained(self.operation.run(&mut tx)).await;
            self.guards = std::mem::take(&mut scratch.guards);
            if outcome.is_err() {
                // An id drawn before the refusal is drawn again by the next operation.
                scratch.marks = before;
            }
            let undo = scratch.was_misled || outcome.is_err() && scratch.wrote;
            self.outcome = Some(outcome);
            if undo { Kept::Undo } else { Kept::Keep }
        })
    }

    fn answer(self: Box<Self>, commit: Result<(), Fault>) {
        let Self { outcome, reply, guards, .. } = *self;
        let answer = commit.and_then(|()| outcome.unwrap_or_else(|| Err(fault("ServiceUnavailable"))));
        // The guards go first, so that a caller who has its answer finds the rows free.
        drop(guards);
        // A caller that hung up is owed no answer.
        let _ = reply.send(answer);
    }
}

pub struct Writer {
    pub conn: Conn,
    pub opening: Opening,
    pub shared: Arc<Shared>,
    pub marks: Marks,
    pub pruned_at_event: i64,
    pub retries: Retries,
    pub fire: Fire,
    /// A transaction is open in which nothing has happened. Deferred, it holds neither lock nor view: left open behind
    /// each commit, it saves the next batch a round trip to the connection's thread.
    pub stands_open: bool,
}

impl Writer {
    pub async fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(request) = queue.recv().await {
            let mut request = Some(request);
            while let Some(current) = request.take() {
                match current {
                    Request::Write(job) => request = self.batch(job, &mut queue).await,
                    // The askers may have been cancelled.
                    Request::Settle { until, reply } => drop(reply.send(self.settle(until).await)),
                    Request::Advance { until, reply } => drop(reply.send(self.advance(until).await)),
                    Request::Restore { file, reply } => drop(reply.send(self.restore(&file).await)),
                    Request::Close { reply } => {
                        queue.close();
                        while let Ok(Request::Write(job)) = queue.try_recv() {
                            self.batch(job, &mut queue).await;
                        }
                        self.close().await;
                        // The asker may have been cancelled.
                        let _ = reply.send(());
                        return;
                    }
                }
            }
        }
        self.close().await;
    }

    /// Runs `first` and what waits behind it in one transaction; returns a request of another kind met on the way.
    ///
    /// No savepoints: an operation that fails has as a rule written nothing. Where one did write, the whole batch is
    /// rolled back and its operations run again one by one, which they allow by touching the world only through `Tx`.
    async fn batch(&mut self, first: Box<dyn Job>, queue: &mut mpsc::Receiver<Request>) -> Option<Request> {
        let now = self.shared.clock.now();
        if self.is_due(now)
            && let Err(refusal) = self.settle(now).await
        {
            first.answer(Err(refusal));
            return None;
        }
        let mut scratch = Scratch { marks: self.marks.clone(), may_defer: true, ..Scratch::default() };
        let mut jobs = Vec::new();
        let (mut next, mut other) = (Some(first), None);
        let mut verdict = self.begin().await.map(|()| Kept::Keep);
        while let Some(mut job) = next.take() {
            if matches!(verdict, Ok(Kept::Keep)) {
                scratch.wrote = false;
                let now = self.shared.clock.now();
                verdict = Ok(job.run(&mut self.conn, now, &self.shared, &mut scratch).await);
            }
            jobs.push(job);
            let room = jobs.len() < self.shared.config.limits.batch && matches!(verdict, Ok(Kept::Keep));
            match room.then(|| queue.try_recv().ok()).flatten() {
                Some(Request::Write(job)) if !self.is_due(self.shared.clock.now()) => next = Some(job),
                stopped => other = stopped,
            }
        }
        if matches!(verdict, Ok(Kept::Keep)) {
            verdict = self.commit(&mut scratch).await;
        } else {
            self.roll_back().await;
        }
        match verdict {
            Ok(Kept::Keep) => Self::answer_all(jobs, Ok(())),
            Ok(Kept::Undo) => {
                for job in jobs {
                    self.alone(job).await;
                }
            }
            Err(refusal) => Self::answer_all(jobs, Err(refusal)),
        }
        other
    }

    /// Runs one operation in a transaction of its own, each of its writes at once.
    async fn alone(&mut self, mut job: Box<dyn Job>) {
        let mut scratch = Scratch { marks: self.marks.clone(), ..Scratch::default() };
        if let Err(refusal) = self.begin().await {
            job.answer(Err(refusal));
            return;
        }
        let now = self.shared.clock.now();
        let kept = job.run(&mut self.conn, now, &self.shared, &mut scratch).await;
        let committed = if kept == Kept::Keep {
            self.commit(&mut scratch).await.map(drop)
        } else {
            self.roll_back().await;
            Ok(())
        };
        job.answer(committed);
    }

    fn answer_all(jobs: Vec<Box<dyn Job>>, committed: Result<(), Fault>) {
        let failure = committed.err().map(|refusal| Arc::new(refusal.to_string()));
        if let Some(cause) = &failure {
            tracing::error!(cause = %cause, calls = jobs.len(), "a commit failed; none of its calls took effect");
        }
        for job in jobs {
            job.answer(failure.as_ref().map_or(Ok(()), |cause| Err(Fault::internal(cause.to_string()))));
        }
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.shared.next_due.load(Ordering::Acquire) <= now.millis()
    }

    pub async fn find_next_due(&mut self) -> Result<(), Fault> {
        self.step_out().await;
        let due = timers::earliest(&mut self.conn).await?;
        self.shared.next_due.store(due.unwrap_or(i64::MAX), Ordering::Release);
        Ok(())
    }

    pub(super) async fn begin(&mut self) -> Result<(), Fault> {
        if std::mem::take(&mut self.stands_open) {
            return Ok(());
        }
        if let Err(error) = sqlx::query("BEGIN").execute(&mut self.conn).await {
            self.reopen().await;
            return Err(Fault::internal(error));
        }
        Ok(())
    }

    /// Ends the transaction that stands open, for what runs outside of any: even a mere look would give it a view, which
    /// ages while it waits.
    pub(super) async fn step_out(&mut self) {
        if std::mem::take(&mut self.stands_open) {
            self.roll_back().await;
        }
    }

    /// Commits, or rolls back; [`Kept::Undo`] where a write that had waited for it failed, which is rolled back too.
    pub(super) async fn commit(&mut self, scratch: &mut Scratch) -> Result<Kept, Fault> {
        match self.try_commit(scratch).await {
            Ok(()) => {
                self.committed(scratch).await;
                Ok(Kept::Keep)
            }
            Err(Failure::Deferred(failure)) => {
                tracing::debug!(?failure, "a deferred write failed; its batch runs again");
                self.roll_back().await;
                Ok(Kept::Undo)
            }
            Err(Failure::Last(failure)) => {
                self.roll_back().await;
                self.bury().await;
                Err(failure)
            }
        }
    }

    /// A commit that failed may stand in the log, whole and unseen: a crash would bring it back. The next one overwrites it,
    /// so one comes at once that changes nothing. Where that fails as well the next call's does it.
    async fn bury(&mut self) {
        if self.shared.commits_allowed.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Err(error) = sqlx::query("PRAGMA user_version = 0").execute(&mut self.conn).await {
            tracing::debug!(%error, "the failed commit is not overwritten yet");
            self.roll_back().await;
        }
    }

    async fn try_commit(&mut self, scratch: &mut Scratch) -> Result<(), Failure> {
        const SQL: &str =
            "UPDATE engine SET present = $1, id_position = $2, last_event = $3, clock_offset = $4; COMMIT; BEGIN";
        let allowed = &self.shared.commits_allowed;
        let spend = |left: u64| if left == u64::MAX { Some(left) } else { left.checked_sub(1) };
        if allowed.fetch_update(Ordering::AcqRel, Ordering::Acquire, spend).is_err() {
            return Err(Failure::Last(Fault::internal("stopped before this commit")));
        }
        let mut deferred = scratch.deferred.take();
        if let Some(guarded) = deferred.take_if(|write| write.is_guarded()) {
            guarded.run_as_told(&mut self.conn).await.map_err(Failure::Deferred)?;
        }
        let clock = &self.shared.clock;
        let present = scratch.reached.map_or(clock.now(), |reached| reached.max(clock.now()));
        let values = [
            present.into(),
            scratch.marks.ids.position().into(),
            scratch.marks.last_event.into(),
            clock.offset_at(present).into(),
        ];
        deferred::run_behind(deferred, &mut self.conn, SQL, &values).await?;
        self.stands_open = true;
        Ok(())
    }

    /// Takes over what the committed operations left, and forgets what is beyond its bounds from time to time.
    async fn committed(&mut self, scratch: &Scratch) {
        self.shared.commits.fetch_add(1, Ordering::AcqRel);
        self.marks = scratch.marks.clone();
        if let Some(reached) = scratch.reached {
            self.shared.clock.advance_to(reached);
        }
        self.shared
            .last_event
            .send_if_modified(|last| std::mem::replace(last, self.marks.last_event) != self.marks.last_event);
        if let Some(due_at) = scratch.earliest_timer
            && self.shared.next_due.fetch_min(due_at.millis(), Ordering::AcqRel) > due_at.millis()
        {
            self.shared.due_changed.notify_one();
        }
        self.shared.past.committed(self.shared.clock.now()).await;
        if self.marks.last_event - self.pruned_at_event >= events_between_prunings(&self.shared.config) {
            self.pruned_at_event = self.marks.last_event;
            self.step_out().await;
            if let Err(error) = self.opening.prune(&mut self.conn, &self.shared, self.marks.last_event).await {
                tracing::warn!(%error, "old events, tombstones and tokens could not be pruned");
                self.roll_back().await;
            }
        }
    }

    /// Leaves the transaction. SQLite may have left it by itself (full disk, I/O error): then there is nothing to do;
    /// a connection that cannot even say so is opened anew.
    pub(super) async fn roll_back(&mut self) {
        let outcome = sqlx::query("ROLLBACK").execute(&mut self.conn).await;
        if let Err(error) = outcome
            && !error.to_string().contains("no transaction is active")
        {
            self.reopen().await;
        }
    }

    async fn reopen(&mut self) {
        match self.opening.connect_writer().await {
            Ok(conn) => drop(std::mem::replace(&mut self.conn, conn)),
            Err(error) => tracing::error!(%error, "the database cannot be opened anew; the next call tries again"),
        }
    }

    async fn close(mut self) {
        self.step_out().await;
        if let Err(error) = self.opening.finish(&mut self.conn).await {
            tracing::warn!(%error, "the write-ahead log could not be written back; it is read at the next start");
        }
        if let Err(error) = self.conn.close().await {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }
}
