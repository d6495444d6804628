//! What time does to automatic snapshot policies: at their hours they take a snapshot of each of their disks.

use super::schedule;
use crate::actions::snapshots::{check_disk_state, check_unfinished, manual_snapshot};
use crate::clock::Timestamp;
use crate::config::CatchUp;
use crate::faults::Fault;
use crate::store::disks::Examined;
use crate::store::events;
use crate::store::planned_copies::{self, PlannedCopy};
use crate::store::policies::{self, Policy, Schedule};
use crate::store::policy_associations::{self as associations, Scheduled};
use crate::store::snapshots::{self, Snapshot};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;

/// A run of a policy: it sets the timer of the next one and takes the snapshots of this one.
pub async fn take_snapshots(tx: &mut Tx<'_>, policy_id: &str) -> Result<(), Fault> {
    let Some((policy, schedule)) = policies::find_for_engine(tx, policy_id).await? else { return Ok(()) };
    if let Some(instead) = passed_over_for(tx, &schedule) {
        events::record(tx, "AutoSnapshotPolicy:RunsMissed", policy.subject(), "nothing ran at their hours").await?;
        return timers::set(tx, TimerKind::TakeSnapshots, policy_id, instead).await;
    }
    if let Some(next) = schedule::next_after(&schedule, tx.now) {
        timers::set(tx, TimerKind::TakeSnapshots, policy_id, next).await?;
    }
    // A timer that was set to find its hour, or was moved out of it after a failure, has nothing to take.
    if !schedule::is_in_hour_of(&schedule, tx.now) {
        return Ok(());
    }
    for disk in associations::scheduled(tx, policy_id).await? {
        match may_be_taken(tx, &disk) {
            Ok(()) => take(tx, &policy, &disk).await?,
            Err(reason) => skip(tx, &policy, &disk.found, &reason).await?,
        }
    }
    Ok(())
}

/// The run to wait for instead of this one, where this one was slept through (decision 33).
fn passed_over_for(tx: &Tx<'_>, schedule: &Schedule) -> Option<Timestamp> {
    let present = tx.woke_up_at()?;
    match tx.config().clock.catch_up {
        CatchUp::All => None,
        CatchUp::Last => schedule::last_until(schedule, present).filter(|last| *last > tx.now),
        CatchUp::Skip => schedule::next_after(schedule, present),
    }
}

/// Nothing but the quota of automatic snapshots stands in the way; else the reason.
fn may_be_taken(tx: &Tx<'_>, disk: &Scheduled) -> Result<(), String> {
    let found = &disk.found;
    if !bool::from(found.disk.enable_auto_snapshot) {
        return Err("EnableAutoSnapshot is off".to_owned());
    }
    if found.holds.is_held_exclusively() {
        return Err("Operation.Conflict".to_owned());
    }
    let allowed = check_disk_state(tx, found).and_then(|()| check_unfinished(tx, found));
    allowed.map_err(|refusal| refusal.code().to_owned())
}

/// A snapshot that is not taken leaves an event that says why.
async fn skip(tx: &mut Tx<'_>, policy: &Policy, found: &Examined, reason: &str) -> Result<(), Fault> {
    let detail = format!("{}: {reason}", policy.auto_snapshot_policy_id);
    events::record(tx, "Disk:AutoSnapshotSkipped", found.disk.subject(), &detail).await
}

async fn take(tx: &mut Tx<'_>, policy: &Policy, disk: &Scheduled) -> Result<(), Fault> {
    if !make_room(tx, disk).await? {
        return skip(tx, policy, &disk.found, "QuotaExceed.Snapshot").await;
    }
    let snapshot = Snapshot {
        snapshot_name: format!("auto2.0_{}_{}", schedule::date_of(tx.now), policy.auto_snapshot_policy_id),
        snapshot_type: "auto".to_owned(),
        retention_days: days(policy.retention_days),
        ..manual_snapshot(tx, &disk.found)
    };
    snapshots::insert(tx, &snapshot).await?;
    if !bool::from(policy.enable_cross_region_copy) {
        return Ok(());
    }
    let plan = PlannedCopy {
        snapshot_id: snapshot.snapshot_id,
        region_id: policy.target_copy_region.clone(),
        retention_days: days(policy.copied_snapshots_retention_days),
        encrypted: policy.copy_encrypted,
        kms_key_id: policy.copy_kms_key_id.clone(),
    };
    planned_copies::insert(tx, &plan, snapshot.finish_time).await
}

/// At the quota the oldest automatic snapshots leave; `false`: too many are in use.
async fn make_room(tx: &mut Tx<'_>, disk: &Scheduled) -> Result<bool, Fault> {
    let quota = tx.config().quotas.auto_snapshots_per_disk;
    for _ in quota..=disk.automatic_snapshots {
        let Some(oldest) = snapshots::oldest_automatic(tx, &disk.found.disk.disk_id).await? else {
            return Ok(false);
        };
        snapshots::delete(tx, &oldest, "quota of automatic snapshots").await?;
    }
    Ok(true)
}

/// Policies say -1 for what has no end.
fn days(of_policy: i64) -> Option<i64> {
    (of_policy >= 0).then_some(of_policy)
}
