//! What time does to tasks: they are finished, and what they were for comes true.

use super::{disk, ending};
use crate::faults::Fault;
use crate::store::disks::changes::MODIFY_SPEC;
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use crate::store::{row_locks, snapshot_copies, snapshots, tasks};

/// Processing becomes Finished, and the rows that the task held are free again.
pub async fn finish(tx: &mut Tx<'_>, task_id: &str) -> Result<(), Fault> {
    let Some(task) = tasks::find_for_engine(tx, task_id).await? else { return Ok(()) };
    if ending::is_withheld(tx, &task.task_action, &task.account_id, task_id) {
        return timers::hold_back(tx, TimerKind::TaskFinish, task_id).await;
    }
    if task.task_action == "ArchiveSnapshot"
        && let Some(found) = snapshots::find_for_engine(tx, &task.resource_id).await?
    {
        snapshot_copies::archive(tx, &found.snapshot).await?;
    }
    if task.task_action == MODIFY_SPEC {
        disk::change_spec(tx, &task).await?;
    }
    tasks::finish(tx, &task, "Finished").await?;
    row_locks::release(tx, task_id).await
}
