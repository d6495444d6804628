//! What time does to instances: they start and they stop; the status tells which of these ends.

use crate::faults::Fault;
use crate::store::instances;
use crate::store::tx::Tx;

/// Pending and Starting become Running, Stopping becomes Stopped.
pub async fn finish(tx: &mut Tx<'_>, instance_id: &str) -> Result<(), Fault> {
    let Some(instance) = instances::find_for_engine(tx, instance_id).await? else { return Ok(()) };
    let status = match instance.status.as_str() {
        "Pending" | "Starting" => "Running",
        "Stopping" => "Stopped",
        _ => return Ok(()),
    };
    let mode = if status == "Stopped" { instance.stopped_mode.clone() } else { "Not-applicable".to_owned() };
    instances::set_status(tx, &instance, status, &mode).await.map(drop)
}
