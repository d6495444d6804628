//! What time does to snapshots: they finish, their locks harden and end, and they leave when their days are over.

use super::ending;
use crate::faults::{Fault, fault};
use crate::levers::rules::Ends;
use crate::store::snapshot_locks::SnapshotLock;
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use crate::store::{events, snapshot_locks, snapshots};

/// A snapshot kept beyond its days by what uses it is looked at again after so many days.
const RETENTION_RETRY_DAYS: i64 = 1;

/// progressing becomes accomplished, or what a test bench wants; a lock that waited for this begins to run.
pub async fn finish(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<(), Fault> {
    if let Some(found) = snapshots::find_for_engine(tx, snapshot_id).await?
        && found.snapshot.status == "progressing"
    {
        let snapshot = &found.snapshot;
        let began = if snapshot.is_copy() { "CopySnapshot" } else { "CreateSnapshot" };
        let status = match ending::of(tx, began, &snapshot.account_id, snapshot_id) {
            Some(Ends::Never) => return timers::hold_back(tx, TimerKind::SnapshotFinish, snapshot_id).await,
            Some(Ends::Failed) => "failed",
            None => "accomplished",
        };
        snapshots::finish(tx, snapshot, status).await?;
        if status == "accomplished"
            && found.is_locked()
            && let Some(lock) = snapshot_locks::find(tx, snapshot_id).await?
        {
            let now = tx.now;
            snapshot_locks::put(tx, &lock.running_from(now), "Snapshot:LockSnapshotStarted").await?;
        }
    }
    Ok(())
}

/// compliance-cooloff becomes compliance, from when on nobody can remove the lock, and compliance becomes expired.
pub async fn lock_changes(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<(), Fault> {
    let Some(lock) = snapshot_locks::find(tx, snapshot_id).await? else { return Ok(()) };
    let (status, event) = match lock.lock_status.as_str() {
        "compliance-cooloff" => ("compliance", "Snapshot:LockCoolOffPeriodExpired"),
        "compliance" => ("expired", "Snapshot:LockExpired"),
        _ => return Ok(()),
    };
    let changed = SnapshotLock { lock_status: status.to_owned(), ..lock };
    snapshot_locks::put(tx, &changed, event).await
}

/// The snapshot leaves, unless it is locked, an image or disk uses it or a task holds it: then it stays, says why and is
/// tried again, at the latest when its lock ends.
pub async fn expire(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<(), Fault> {
    let Some(found) = snapshots::find_for_engine(tx, snapshot_id).await? else { return Ok(()) };
    let reason = match () {
        () if found.holds.is_held() => Some("held by a task"),
        () if found.is_locked() => Some("locked"),
        () if found.is_used_by_image() => Some("used by an image"),
        () if found.is_used_by_disk() => Some("used by a disk"),
        () => None,
    };
    if let Some(reason) = reason {
        events::record(tx, "Snapshot:RetentionDeferred", found.snapshot.subject(), reason).await?;
        let tomorrow = tx.now.plus_days(RETENTION_RETRY_DAYS);
        let again = found
            .lock_expired_time
            .filter(|end| found.is_locked() && *end > tx.now)
            .map_or(tomorrow, |end| end.min(tomorrow));
        return timers::set(tx, TimerKind::SnapshotExpire, snapshot_id, again).await;
    }
    let gone = snapshots::delete(tx, &found, "retention").await?;
    if gone { Ok(()) } else { Err(fault("Operation.Conflict")) }
}
