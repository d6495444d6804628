//! The engine: sleeps until the next timer is due, then has the store settle; holds no state of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::App;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// The longest sleep, so that a suspended machine or a stepped clock is noticed.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// After a failure of the database the next try waits this long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Lets things happen as time goes by, until the task is dropped. A manual clock moves only by [`advance`].
pub async fn run(app: Arc<App>) {
    if app.clock.is_manual() {
        return;
    }
    loop {
        let now = app.clock.now();
        let sleep = match app.store.next_due() {
            Some(due) if due <= now => match app.store.settle(now).await {
                Ok(()) => continue,
                Err(failure) => {
                    tracing::error!(error = ?failure, "what is due could not happen; it is tried again");
                    PAUSE_AFTER_FAILURE
                }
            },
            Some(due) => Duration::from_millis(due.since(now).unsigned_abs()).min(LONGEST_SLEEP),
            None => LONGEST_SLEEP,
        };
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = app.store.due_changed() => {}
        }
    }
}

/// Moves a manual clock to `instant`; returns after everything due by then has happened.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn advance(app: &App, instant: Timestamp) -> Result<(), Fault> {
    app.store.settle(instant).await?;
    app.clock.advance_to(instant);
    Ok(())
}
