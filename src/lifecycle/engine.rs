//! The engine: sleeps until the next timer is due, then has the store settle; what changes the clock. No state of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::App;
use crate::clock::{Mode, Timestamp};
use crate::config::RATES;
use crate::faults::Fault;
use crate::store::row_locks::RowLocks;
use crate::store::timers::{self, Timer};
use crate::store::tx::{Context, Tx};
use crate::store::{Happened, Operation, clock_setting};

/// The longest sleep, so that a suspended machine or a stepped clock is noticed.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// After a failure of the database the next try waits this long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// 9999-01-01T00:00:00Z: years of five digits can be neither written nor read.
pub const END_OF_TIME: Timestamp = Timestamp::from_millis(253_370_764_800_000);

/// Lets things happen as time goes by, until the task is dropped. A clock that stands still moves only by [`advance`].
pub async fn run(app: Arc<App>) {
    loop {
        let now = app.clock.now();
        let sleep = match app.store.next_due() {
            Some(due) if due <= now => match app.store.settle(now).await {
                Ok(_) => continue,
                Err(failure) => {
                    tracing::error!(error = ?failure, "what is due could not happen; it is tried again");
                    PAUSE_AFTER_FAILURE
                }
            },
            due => due.and_then(|due| app.clock.wall_until(due)).unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP),
        };
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = app.store.due_changed() => {}
        }
    }
}

/// The clock as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub now: Timestamp,
    pub wall_now: Timestamp,
    pub mode: Mode,
    /// When the next timer fires.
    pub next_due: Option<Timestamp>,
    /// Whether all that fell due before the start has happened.
    pub is_ready: bool,
}

/// What the clock says, how it runs and when the next thing happens.
#[must_use]
pub fn status(app: &App) -> Status {
    Status {
        now: app.clock.now(),
        wall_now: app.clock.wall_now(),
        mode: app.clock.mode(),
        next_due: app.store.next_due(),
        is_ready: app.is_ready.load(Ordering::Acquire),
    }
}

/// The next timers, the earliest first; those that a rule of a test bench holds back are not among them.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn upcoming(app: &App, limit: i64) -> Result<Vec<Timer>, Fault> {
    app.store.read(&Context::engine(), &Upcoming(limit)).await
}

struct Upcoming(i64);

impl Operation for Upcoming {
    type Output = Vec<Timer>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, Fault> {
        timers::upcoming(tx, self.0).await
    }
}

struct SetMode {
    mode: Mode,
    before: Mode,
}

impl Operation for SetMode {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        clock_setting::put(tx, self.mode, self.before).await
    }
}

struct Thawed;

impl Operation for Thawed {
    type Output = Option<Mode>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, Fault> {
        clock_setting::thawed(tx).await
    }
}

/// Lets the clock run in another way, from the present instant on and beyond restarts, until the configuration names
/// another mode than now.
///
/// # Errors
/// 400 `InvalidParameter` for a rate that no clock may have; 500 `InternalError` when the database fails.
pub async fn set_mode(app: &App, mode: Mode) -> Result<(), Fault> {
    #[expect(clippy::cast_precision_loss, reason = "paces are small")]
    if matches!(mode, Mode::Scaled(pace) if !RATES.contains(&(pace as f64 / 1_000.0))) {
        return Err(Fault::invalid("Rate"));
    }
    let _turn = app.store.turn_to_change_mode().await;
    change_mode(app, mode).await
}

async fn change_mode(app: &App, mode: Mode) -> Result<(), Fault> {
    // The clock comes first: the commit stores how far it is from the machine's in its new mode.
    let before = app.clock.mode();
    app.clock.set_mode(mode);
    let stored = app.store.write(Context::engine(), RowLocks::none(), SetMode { mode, before }).await;
    if stored.is_err() {
        app.clock.set_mode(before);
    }
    app.store.clock_was_changed();
    stored
}

/// Stops the clock where it stands; one that stands still stays as it is.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn freeze(app: &App) -> Result<(), Fault> {
    let _turn = app.store.turn_to_change_mode().await;
    if app.clock.mode() == Mode::Manual { Ok(()) } else { change_mode(app, Mode::Manual).await }
}

/// Lets a clock that stands still run as it did before, else as it is configured, else as the machine's; one that runs
/// goes on.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn thaw(app: &App) -> Result<(), Fault> {
    let _turn = app.store.turn_to_change_mode().await;
    if app.clock.mode() != Mode::Manual {
        return Ok(());
    }
    let before = app.store.read(&Context::engine(), &Thawed).await?;
    let configured = Some(app.config.clock.running()).filter(|mode| *mode != Mode::Manual);
    change_mode(app, before.or(configured).unwrap_or(Mode::System)).await
}

/// An advance of the clock, and what happened on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advanced {
    pub from: Timestamp,
    pub to: Timestamp,
    pub happened: Happened,
}

/// Moves the clock to `instant`, from where it runs on as before; returns after everything due by then has happened. An
/// instant that is over moves nothing. Calls are served meanwhile, other advances wait.
///
/// # Errors
/// 400 `InvalidParameter` for an instant beyond the year 9998; 500 `InternalError` when the database fails: then the clock
/// stands somewhere on the way, and all due by there has happened.
pub async fn advance(app: &App, instant: Timestamp) -> Result<Advanced, Fault> {
    let _turn = app.store.turn_to_advance().await;
    go_to(app, instant).await
}

/// As [`advance`], by so many milliseconds from where the clock stands when it is this one's turn.
///
/// # Errors
/// As [`advance`].
pub async fn advance_by(app: &App, millis: i64) -> Result<Advanced, Fault> {
    let _turn = app.store.turn_to_advance().await;
    go_to(app, app.clock.now().plus_millis(millis)).await
}

/// Moves the clock to the next thing that happens; `None` where nothing is to come.
///
/// # Errors
/// As [`advance`].
pub async fn advance_to_next(app: &App) -> Result<Option<Advanced>, Fault> {
    let _turn = app.store.turn_to_advance().await;
    match app.store.next_due() {
        Some(due) => go_to(app, due).await.map(Some),
        None => Ok(None),
    }
}

async fn go_to(app: &App, instant: Timestamp) -> Result<Advanced, Fault> {
    if instant >= END_OF_TIME {
        return Err(Fault::invalid("Instant"));
    }
    let from = app.clock.now();
    let happened = app.store.advance(instant.max(from)).await?;
    app.store.clock_was_changed();
    Ok(Advanced { from, to: instant.max(from), happened })
}
