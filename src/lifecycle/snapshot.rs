//! What time does to snapshots: they finish, and they leave when their days of retention are over.

use crate::faults::{Fault, fault};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use crate::store::{events, snapshots};

/// A snapshot kept beyond its days by what uses it is looked at again after so many days.
const RETENTION_RETRY_DAYS: i64 = 1;

/// progressing becomes accomplished.
pub async fn finish(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<(), Fault> {
    if let Some(found) = snapshots::find_for_engine(tx, snapshot_id).await?
        && found.snapshot.status == "progressing"
    {
        snapshots::finish(tx, &found.snapshot, "accomplished").await?;
    }
    Ok(())
}

/// The snapshot leaves, unless an image or disk uses it or a task holds it: then it stays, says why and is tried again.
pub async fn expire(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<(), Fault> {
    let Some(found) = snapshots::find_for_engine(tx, snapshot_id).await? else { return Ok(()) };
    let reason = match () {
        () if found.is_held() => Some("locked"),
        () if found.is_used_by_image() => Some("used by an image"),
        () if found.is_used_by_disk() => Some("used by a disk"),
        () => None,
    };
    if let Some(reason) = reason {
        events::record(tx, "Snapshot:RetentionDeferred", found.snapshot.subject(), reason).await?;
        let again = tx.now.plus_days(RETENTION_RETRY_DAYS);
        return timers::set(tx, TimerKind::SnapshotExpire, snapshot_id, again).await;
    }
    let gone = snapshots::delete(tx, &found, "retention").await?;
    if gone { Ok(()) } else { Err(fault("Operation.Conflict")) }
}
