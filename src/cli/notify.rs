//! What the service manager is told: ready, stopping, alive; silent where there is none.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::App;
use crate::faults::Fault;
use crate::store::Operation;
use crate::store::events::{self, Selection};
use crate::store::tx::{Context, Tx};

/// Tells that calls are served.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Tells that the daemon is about to stop.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells that the daemon is alive, for as long as the store answers and the service manager asks for it.
pub async fn watchdog(app: Arc<App>) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(interval.min(Duration::from_hours(1)) / 2);
    loop {
        ticks.tick().await;
        match app.store.read(&Context::engine(), &Pulse).await {
            Ok(()) => tell(&[NotifyState::Watchdog]),
            Err(failure) => {
                tracing::error!(error = ?failure, "the store does not answer; the service manager is not told");
            }
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

/// The smallest question that the whole reading path answers.
struct Pulse;

impl Operation for Pulse {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        events::list(tx, &Selection { after: i64::MAX, limit: 1, ..Selection::default() }).await.map(drop)
    }
}
