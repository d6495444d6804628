//! The clock's mode as it was changed at run time, in the engine's row; never moves the clock itself.

use super::events::{Subject, effect, event};
use super::tx::Tx;
use crate::clock::Mode;
use crate::faults::Fault;

/// Stores how the clock runs from now on, with an event; one that is stopped is to go on as it ran before.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn put(tx: &mut Tx<'_>, mode: Mode, before: Mode) -> Result<(), Fault> {
    const SQL: &str =
        concat!("UPDATE engine SET clock_mode = $8, clock_configured = $9, clock_thawed = $10;", event!());
    const NOBODY: Subject<'_> = Subject { account_id: "", region_id: "", resource_id: "" };
    let thawed = match (mode, before) {
        (Mode::Manual, Mode::Manual) => thawed(tx).await?,
        (Mode::Manual, running) => Some(running),
        _ => None,
    };
    let thawed = thawed.map_or_else(String::new, |mode| mode.to_string());
    let (mode, configured) = (mode.to_string(), tx.config().clock.running().to_string());
    let statement = effect(tx, SQL, NOBODY, "Clock:ModeChanged", &mode).bind(&mode).bind(configured).bind(thawed);
    tx.execute(statement).await
}

/// How a clock that was stopped ran before; `None` where it was not.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn thawed(tx: &mut Tx<'_>) -> Result<Option<Mode>, Fault> {
    let stored: String = sqlx::query_scalar("SELECT clock_thawed FROM engine").fetch_one(tx.conn().await?).await?;
    Ok(stored.parse().ok())
}
