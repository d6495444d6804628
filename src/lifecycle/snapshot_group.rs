//! What time does to snapshot groups: they are finished when their snapshots are.

use crate::faults::Fault;
use crate::store::snapshot_groups;
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;

/// progressing becomes failed when one of its snapshots is, else accomplished, once none of them is progressing.
pub async fn finish(tx: &mut Tx<'_>, snapshot_group_id: &str) -> Result<(), Fault> {
    let Some(group) = snapshot_groups::find_for_engine(tx, snapshot_group_id).await? else { return Ok(()) };
    if group.status != "progressing" {
        return Ok(());
    }
    let members = snapshot_groups::members_of(tx, &[snapshot_group_id]).await?;
    let mut latest = None;
    for member in members.iter().filter(|member| member.snapshot.status == "progressing") {
        let due = timers::due_of(tx, TimerKind::SnapshotFinish, &member.snapshot.snapshot_id).await?;
        latest = latest.max(due);
    }
    if let Some(latest) = latest {
        // A snapshot whose own timer was put off, or is held back: then the group's is with it.
        let again = latest.max(tx.now.plus_millis(1));
        return timers::set(tx, TimerKind::SnapshotGroupFinish, snapshot_group_id, again).await;
    }
    let has_failed = members.iter().any(|member| member.snapshot.status == "failed");
    snapshot_groups::finish(tx, &group, if has_failed { "failed" } else { "accomplished" }).await.map(drop)
}
