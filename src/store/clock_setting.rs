//! The clock's mode as it was changed at run time, in the engine's row; never moves the clock itself.

use super::events::{Subject, effect, event};
use super::tx::Tx;
use crate::clock::Mode;
use crate::faults::Fault;

/// Stores how the clock runs from now on, with an event.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn put(tx: &mut Tx<'_>, mode: Mode) -> Result<(), Fault> {
    const SQL: &str = concat!("UPDATE engine SET clock_mode = $8, clock_configured = $9;", event!());
    const NOBODY: Subject<'_> = Subject { account_id: "", region_id: "", resource_id: "" };
    let (mode, configured) = (mode.to_string(), tx.config().clock.running().to_string());
    let statement = effect(tx, SQL, NOBODY, "Clock:ModeChanged", &mode).bind(&mode).bind(configured);
    tx.execute(statement).await
}
