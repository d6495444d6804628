//! What the writer does without a call: fires what is due, many firings to a commit; knows nothing of what they mean.

use std::collections::{BTreeMap, HashMap};

use super::timers::{self, Timer};
use super::tx::{Context, Scratch, Tx};
use super::writer::{Kept, Writer, contained};
use crate::clock::Timestamp;
use crate::faults::Fault;

/// A timer whose firing failed is tried again after this long, and each time that it fails again after twice as long.
const RETRY_MS: i64 = 60_000;
/// But at least once a day.
const LONGEST_RETRY_MS: i64 = 86_400_000;
/// Firings share a commit until so many events are recorded, so that calls wait for a moment only.
const EVENTS_A_COMMIT: i64 = 1_000;

/// Why timers are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The clock reached them, or passed them while nobody looked.
    Time,
    /// Somebody moves the clock past them.
    Advance,
}

/// What happened while the clock went on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    /// Timers that fired.
    pub firings: i64,
    /// Timers that could not fire and are tried again later.
    pub failures: i64,
    /// How often each event was recorded.
    pub events: BTreeMap<&'static str, i64>,
    /// The number of the first event, if there was one, and of the last one ever.
    pub first_event: Option<i64>,
    pub last_event: i64,
}

impl Happened {
    pub(super) fn add(&mut self, more: Self) {
        self.firings += more.firings;
        self.failures += more.failures;
        for (name, count) in more.events {
            *self.events.entry(name).or_default() += count;
        }
        self.first_event = self.first_event.or(more.first_event);
        self.last_event = self.last_event.max(more.last_event);
    }
}

/// A part of an advance; calls are served between two.
pub struct Step {
    pub happened: Happened,
    /// The clock is where it was to go, and everything due by then has happened.
    pub is_last: bool,
}

/// Timers that could not fire: when each is tried again, and how long that is after the last time.
pub type Retries = HashMap<(String, String), (Timestamp, i64)>;

impl Writer {
    /// Takes a step of an advance to `until`; where the clock stands then is stored as well.
    pub async fn advance(&mut self, until: Timestamp) -> Result<Step, Fault> {
        let happened =
            if self.is_due(until) { self.step(until, Cause::Advance).await? } else { self.nothing_happened() };
        let is_last = !self.is_due(until);
        if is_last && self.shared.clock.now() < until {
            let mut scratch = Scratch { marks: self.marks.clone(), reached: Some(until), ..Scratch::default() };
            self.begin().await?;
            self.commit(&mut scratch).await?;
        }
        Ok(Step { happened, is_last })
    }

    /// Fires all timers due by `until`, earliest first, each at its own instant.
    pub async fn settle(&mut self, until: Timestamp) -> Result<Happened, Fault> {
        let mut happened = self.nothing_happened();
        while self.is_due(until) {
            happened.add(self.step(until, Cause::Time).await?);
        }
        Ok(happened)
    }

    fn nothing_happened(&self) -> Happened {
        Happened { last_event: self.marks.last_event, ..Happened::default() }
    }

    /// Fires the earliest timers due by `until`, as many as share a commit.
    async fn step(&mut self, until: Timestamp, cause: Cause) -> Result<Happened, Fault> {
        let before = self.marks.last_event;
        let mut happened = match self.fire_and_commit(until, cause, true).await? {
            Some(happened) => happened,
            None => self.fire_and_commit(until, cause, false).await?.unwrap_or_default(),
        };
        self.find_next_due().await?;
        happened.last_event = self.marks.last_event;
        happened.first_event = (happened.last_event > before).then_some(before + 1);
        Ok(happened)
    }

    /// `None`: a deferred write failed, and nothing has happened.
    async fn fire_and_commit(
        &mut self,
        until: Timestamp,
        cause: Cause,
        may_defer: bool,
    ) -> Result<Option<Happened>, Fault> {
        self.begin().await?;
        let mut scratch = Scratch {
            marks: self.marks.clone(),
            may_defer,
            happened: Some(Happened::default()),
            cause: Some(cause),
            ..Scratch::default()
        };
        let fired = self.fire_some(until, &mut scratch).await;
        match fired {
            Ok(is_all) => {
                if is_all && cause == Cause::Advance {
                    scratch.reached = Some(until);
                }
                let kept = self.commit(&mut scratch).await?;
                Ok(scratch.happened.take().filter(|_| kept == Kept::Keep))
            }
            Err(_) if scratch.was_misled => {
                self.roll_back().await;
                Ok(None)
            }
            Err((None, failure)) => {
                self.roll_back().await;
                Err(failure)
            }
            Err((Some(timer), failure)) => {
                self.roll_back().await;
                tracing::error!(error = ?failure, timer = ?timer, "a timer could not fire; it is tried again later");
                self.postpone(&timer).await?;
                Ok(Some(Happened { failures: 1, ..Happened::default() }))
            }
        }
    }

    /// One commit's worth of firings; whether those were all. On failure also the timer that failed, if it came to one.
    async fn fire_some(&mut self, until: Timestamp, scratch: &mut Scratch) -> Result<bool, (Option<Timer>, Fault)> {
        let context = Context::engine();
        for _ in 0..self.shared.config.limits.batch {
            let mut tx = Tx::new(&mut self.conn, until, &context, &self.shared, scratch);
            let due = timers::take_due(&mut tx, until).await;
            let Some(timer) = due.map_err(|failure| (None, failure))? else { return Ok(true) };
            tx.fires_at(timer.due_at);
            contained((self.fire)(&mut tx, &timer)).await.map_err(|failure| (Some(timer), failure))?;
            if scratch.marks.last_event - self.marks.last_event >= EVENTS_A_COMMIT {
                break;
            }
        }
        Ok(false)
    }

    async fn postpone(&mut self, timer: &Timer) -> Result<(), Fault> {
        let key = (timer.kind.clone(), timer.resource_id.clone());
        let last = self.retries.remove(&key).filter(|(again, _)| *again == timer.due_at);
        let wait = last.map_or(RETRY_MS, |(_, wait)| (2 * wait).min(LONGEST_RETRY_MS));
        let again = timer.due_at.max(self.shared.clock.now()).plus_millis(wait);
        let mut scratch = Scratch { marks: self.marks.clone(), ..Scratch::default() };
        self.begin().await?;
        timers::postpone(&mut self.conn, timer, again).await?;
        self.commit(&mut scratch).await?;
        // Those whose instant is over have fired meanwhile.
        self.retries.retain(|_, (again, _)| *again > timer.due_at);
        self.retries.insert(key, (again, wait));
        Ok(())
    }
}
