//! What time does to instances: they start and they stop; the status tells which of these ends.

use super::ending;
use crate::faults::Fault;
use crate::store::instances;
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;

/// Pending and Starting become Running, Stopping becomes Stopped.
pub async fn finish(tx: &mut Tx<'_>, instance_id: &str) -> Result<(), Fault> {
    let Some(instance) = instances::find_for_engine(tx, instance_id).await? else { return Ok(()) };
    let began = match instance.status.as_str() {
        "Pending" => "RunInstances",
        "Starting" => "StartInstance",
        _ => "StopInstance",
    };
    let status = match instance.status.as_str() {
        "Pending" | "Starting" => "Running",
        "Stopping" => "Stopped",
        _ => return Ok(()),
    };
    if ending::is_withheld(tx, began, &instance.account_id, instance_id) {
        return timers::hold_back(tx, TimerKind::InstanceFinish, instance_id).await;
    }
    let mode = if status == "Stopped" { instance.stopped_mode.clone() } else { "Not-applicable".to_owned() };
    instances::set_status(tx, &instance, status, &mode).await.map(drop)
}
