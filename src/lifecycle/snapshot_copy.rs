//! What time does to copies that a policy planned: they begin when their source is accomplished.

use crate::actions::snapshot_copies::{self, Copy};
use crate::faults::Fault;
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use crate::store::{events, planned_copies, snapshot_copies as copies, snapshots};

/// A source that is held is looked at again after so many milliseconds.
const RETRY_MS: i64 = 3_600_000;

/// Begins the copy, or waits until the copy of the same disk in the same region is finished: there is one at a time.
pub async fn start(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<(), Fault> {
    let Some(plan) = planned_copies::find(tx, snapshot_id).await? else { return Ok(()) };
    let Some(found) = snapshots::find_for_engine(tx, snapshot_id).await? else { return Ok(()) };
    let source = &found.snapshot;
    let later = tx.now.plus_millis(RETRY_MS);
    let before = copies::unfinished(tx, &source.source_disk_id, &plan.region_id).await?;
    let again = match before {
        Some(other) if other.finish_time > tx.now => Some(other.finish_time),
        _ if source.status == "progressing" && source.finish_time > tx.now => Some(source.finish_time),
        Some(_) => Some(later),
        None if source.status == "progressing" || found.holds.is_held_exclusively() => Some(later),
        None => None,
    };
    if let Some(again) = again {
        return timers::set(tx, TimerKind::StartCopy, snapshot_id, again).await;
    }
    planned_copies::remove(tx, snapshot_id).await?;
    if !source.is_accomplished() || source.is_archived() {
        return events::record(tx, "Snapshot:CopySnapshotSkipped", source.subject(), &source.status).await;
    }
    let kms_key_id = if plan.kms_key_id.is_empty() { source.kms_key_id.clone() } else { plan.kms_key_id };
    let copy = Copy {
        region_id: &plan.region_id,
        snapshot_name: source.snapshot_name.clone(),
        description: source.description.clone(),
        resource_group_id: String::new(),
        retention_days: plan.retention_days,
        encrypted: source.encrypted.into() || plan.encrypted.into(),
        kms_key_id,
    };
    snapshot_copies::begin(tx, source, copy).await.map(drop)
}
