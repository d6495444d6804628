//! Snapshot groups: modified and deleted; made in `create`, described in `describe`; no SQL, no transport.

mod create;
mod describe;

use serde::{Deserialize, Serialize};

use crate::actions::snapshots::may_be_deleted;
use crate::api::action::{Action, Entry, read, write, write_once};
use crate::api::common::{Empty, check_given, deleted_already, is_description, is_name};
use crate::faults::{Fault, fault};
use crate::store::row_locks::{Mode, RowLocks};
use crate::store::snapshot_groups;
use crate::store::snapshots::{self, Referenced};
use crate::store::tx::Tx;
use create::CreateSnapshotGroup;
use describe::DescribeSnapshotGroups;

pub static ACTIONS: [Entry; 4] = [
    write_once::<CreateSnapshotGroup>(),
    read::<DescribeSnapshotGroups>(),
    write::<ModifySnapshotGroup>(),
    write::<DeleteSnapshotGroup>(),
];

/// Refuses a name or a description that no group may have.
fn check_texts(name: Option<&str>, description: Option<&str>) -> Result<(), Fault> {
    check_given(name, is_name, "InvalidParameter.Name")?;
    check_given(description, is_description, "InvalidParameter.Description")
}

/// Changes name or description of a group; its snapshots keep theirs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifySnapshotGroup {
    snapshot_group_id: String,
    name: Option<String>,
    description: Option<String>,
}

impl Action for ModifySnapshotGroup {
    const NAME: &'static str = "ModifySnapshotGroup";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        check_texts(self.name.as_deref(), self.description.as_deref())
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(mut group) = snapshot_groups::find(tx, &self.snapshot_group_id).await? else {
            return Err(fault("InvalidSnapshotGroup.NotFound"));
        };
        if self.name.is_none() && self.description.is_none() {
            return Ok(Empty {});
        }
        // Effect
        group.name = self.name.clone().unwrap_or(group.name);
        group.description = self.description.clone().unwrap_or(group.description);
        snapshot_groups::update(tx, &group).await?;
        Ok(Empty {})
    }
}

/// Deletes a group with its snapshots. Those that something was made from stay and stand alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteSnapshotGroup {
    snapshot_group_id: String,
}

/// What became of each snapshot of the group.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Deleted {
    operation_progress_set: Progresses,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Progresses {
    operation_progress: Vec<Progress>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Progress {
    operation_status: &'static str,
    error_code: String,
    error_msg: String,
    related_item_set: RelatedItems,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RelatedItems {
    related_item: [RelatedItem; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RelatedItem {
    name: &'static str,
    value: String,
}

impl Action for DeleteSnapshotGroup {
    const NAME: &'static str = "DeleteSnapshotGroup";
    type Response = Deleted;

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.snapshot_group_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Deleted, Fault> {
        // Checks
        let Some(group) = snapshot_groups::find(tx, &self.snapshot_group_id).await? else {
            let (id, choice) = (&self.snapshot_group_id, tx.config().fidelity.unknown_snapshot_group);
            let ignored = deleted_already(tx, id, choice, "InvalidSnapshotGroup.NotFound").await;
            return ignored.map(|Empty {}| Deleted::default());
        };
        let verdicts = judge_members(tx, &group.snapshot_group_id).await?;
        // Effect: guarded, a row changed meanwhile is a refusal and never an overwrite
        let mut progresses = Vec::with_capacity(verdicts.len());
        for (found, verdict) in verdicts {
            if verdict.is_ok() && !snapshots::delete(tx, &found, "group deleted").await? {
                return Err(fault("Operation.Conflict"));
            }
            progresses.push(Progress::of(found, verdict));
        }
        if !snapshot_groups::delete(tx, &group).await? {
            return Err(fault("Operation.Conflict"));
        }
        Ok(Deleted { operation_progress_set: Progresses { operation_progress: progresses } })
    }
}

type Verdict = (Referenced, Result<(), Fault>);

/// The snapshots of a group and what stands in the way of deleting each.
///
/// One that is held may be free in a moment: the call is refused as a whole. So it is where none can go, as there would
/// be nothing left to do.
async fn judge_members(tx: &mut Tx<'_>, snapshot_group_id: &str) -> Result<Vec<Verdict>, Fault> {
    let members = snapshot_groups::members_of(tx, &[snapshot_group_id]).await?;
    let ids: Vec<&str> = members.iter().map(|member| member.snapshot.snapshot_id.as_str()).collect();
    tx.lock_rows(&ids.iter().fold(RowLocks::none(), |locks, id| locks.and(id, Mode::Exclusive)))?;
    let mut verdicts = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(found) = snapshots::find(tx, id).await? else { continue };
        if found.holds.is_held() {
            return Err(fault("Operation.Conflict"));
        }
        let verdict = may_be_deleted(&found, false);
        verdicts.push((found, verdict));
    }
    if verdicts.iter().all(|(_, verdict)| verdict.is_err())
        && let Some((_, Err(refusal))) = verdicts.pop()
    {
        return Err(as_of_a_group(refusal));
    }
    Ok(verdicts)
}

/// The refusals of DeleteSnapshot that the table of this action lacks.
fn as_of_a_group(refusal: Fault) -> Fault {
    match refusal.code() {
        "SnapshotCreatedImage" | "SnapshotCreatedDisk" => refusal,
        _ => fault("Operation.Forbidden"),
    }
}

impl Progress {
    fn of(found: Referenced, verdict: Result<(), Fault>) -> Self {
        // Each snapshot is told of as DeleteSnapshot would tell of it.
        let refusal =
            verdict.err().map(|refusal| (refusal.code().to_owned(), refusal.resolve("DeleteSnapshot").message));
        let related_item = [RelatedItem { name: "SnapshotId", value: found.snapshot.snapshot_id }];
        let operation_status = if refusal.is_some() { "Failed" } else { "Success" };
        let (error_code, error_msg) = refusal.unwrap_or_default();
        Self { operation_status, error_code, error_msg, related_item_set: RelatedItems { related_item } }
    }
}
