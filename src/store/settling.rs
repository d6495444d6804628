//! What the writer does without a call: fires what is due, many firings to a commit; knows nothing of what they mean.

use std::collections::BTreeMap;

use super::timers::{self, Timer};
use super::tx::{Context, Scratch, Tx};
use super::writer::Writer;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// A timer whose firing failed is tried again after this long.
const RETRY_MS: i64 = 60_000;

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
    /// How often each event was recorded.
    pub events: BTreeMap<&'static str, i64>,
    /// The number of the first event, if there was one, and of the last one ever.
    pub first_event: Option<i64>,
    pub last_event: i64,
}

impl Happened {
    fn add(&mut self, more: Self) {
        self.firings += more.firings;
        for (name, count) in more.events {
            *self.events.entry(name).or_default() += count;
        }
    }
}

impl Writer {
    /// Moves the clock to `until` and lets everything happen on the way; where it stands is stored as well.
    pub async fn advance(&mut self, until: Timestamp) -> Result<Happened, Fault> {
        let happened = self.settle(until, Cause::Advance).await?;
        let scratch = Scratch { marks: self.marks.clone(), reached: Some(until), ..Scratch::default() };
        self.begin().await?;
        self.commit(&scratch).await?;
        Ok(happened)
    }

    /// Fires all timers due by `until`, earliest first, each at its own instant.
    pub async fn settle(&mut self, until: Timestamp, cause: Cause) -> Result<Happened, Fault> {
        let before = self.marks.last_event;
        let mut happened = Happened::default();
        while self.is_due(until) {
            self.begin().await?;
            let mut scratch = Scratch {
                marks: self.marks.clone(),
                happened: Some(Happened::default()),
                cause: Some(cause),
                ..Scratch::default()
            };
            match self.fire_some(until, &mut scratch).await {
                Ok(()) => {
                    self.commit(&scratch).await?;
                    happened.add(scratch.happened.take().unwrap_or_default());
                }
                Err((None, failure)) => {
                    self.roll_back().await;
                    return Err(failure);
                }
                Err((Some(timer), failure)) => {
                    self.roll_back().await;
                    tracing::error!(error = ?failure, timer = ?timer, "a timer could not fire; it is tried again later");
                    self.postpone(&timer).await?;
                }
            }
            self.find_next_due().await?;
        }
        happened.last_event = self.marks.last_event;
        happened.first_event = (happened.last_event > before).then_some(before + 1);
        Ok(happened)
    }

    /// One commit's worth of firings; on failure also the timer that failed, if it came to one.
    async fn fire_some(&mut self, until: Timestamp, scratch: &mut Scratch) -> Result<(), (Option<Timer>, Fault)> {
        let context = Context::engine();
        for _ in 0..self.shared.config.limits.batch {
            let mut tx = Tx::new(&mut self.conn, until, &context, &self.shared, scratch);
            let due = timers::take_due(&mut tx, until).await;
            let Some(timer) = due.map_err(|failure| (None, failure))? else { return Ok(()) };
            tx.fires_at(timer.due_at);
            (self.fire)(&mut tx, &timer).await.map_err(|failure| (Some(timer), failure))?;
        }
        Ok(())
    }

    async fn postpone(&mut self, timer: &Timer) -> Result<(), Fault> {
        let scratch = Scratch { marks: self.marks.clone(), ..Scratch::default() };
        self.begin().await?;
        let again = timer.due_at.max(self.shared.clock.now()).plus_millis(RETRY_MS);
        timers::postpone(&mut self.conn, timer, again).await?;
        self.commit(&scratch).await
    }
}
