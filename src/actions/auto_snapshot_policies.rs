//! Automatic snapshot policies: deleted, and the old one of the account; made in `create`, modified in `modify`, described
//! in `describe`, their values read in `values`; no SQL, no transport.

mod create;
mod describe;
mod modify;
mod values;

use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::api::action::{Action, Entry, read, write};
use crate::api::common::{Empty, deleted_already};
use crate::faults::{Fault, fault};
use crate::lifecycle::schedule;
use crate::store::policies;
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use create::CreateAutoSnapshotPolicy;
use describe::DescribeAutoSnapshotPolicyEx;
use modify::ModifyAutoSnapshotPolicyEx;

pub static ACTIONS: [Entry; 5] = [
    write::<CreateAutoSnapshotPolicy>(),
    write::<ModifyAutoSnapshotPolicyEx>(),
    write::<ModifyAutoSnapshotPolicy>(),
    write::<DeleteAutoSnapshotPolicy>(),
    read::<DescribeAutoSnapshotPolicyEx>(),
];

/// Deletes a policy; it no longer applies to any disk, and the snapshots that it took stay.
#[derive(Debug, Deserialize)]
pub struct DeleteAutoSnapshotPolicy {
    #[serde(rename = "autoSnapshotPolicyId")]
    auto_snapshot_policy_id: String,
}

impl Action for DeleteAutoSnapshotPolicy {
    const NAME: &'static str = "DeleteAutoSnapshotPolicy";
    type Response = Empty;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(policy) = policies::find(tx, &self.auto_snapshot_policy_id).await? else {
            let choice = tx.config().fidelity.unknown_policy;
            return deleted_already(tx, &self.auto_snapshot_policy_id, choice, "ParameterInvalid").await;
        };
        // Effect
        if policies::delete(tx, &policy).await? { Ok(Empty {}) } else { Err(fault("Operation.Conflict")) }
    }
}

/// Sets the timer of the next run of a policy, by the schedule that it has now.
///
/// # Errors
/// 500 `InternalError` when the database fails.
async fn set_timer(tx: &mut Tx<'_>, policy_id: &str) -> Result<(), Fault> {
    let schedule = policies::schedules_of(tx, &[policy_id]).await?.remove(policy_id).unwrap_or_default();
    match schedule::next_after(&schedule, tx.now) {
        Some(next) => timers::set(tx, TimerKind::TakeSnapshots, policy_id, next).await,
        None => Ok(()),
    }
}

/// The one policy of an account for all its disks, which came before those that are resources: the vendor has withdrawn
/// it, so values are read and nothing is done.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "the flags are read so that what is no boolean is refused")]
pub struct ModifyAutoSnapshotPolicy {
    system_disk_policy_enabled: Option<bool>,
    system_disk_policy_time_period: Option<i64>,
    system_disk_policy_retention_days: Option<i64>,
    system_disk_policy_retention_last_week: Option<bool>,
    data_disk_policy_enabled: Option<bool>,
    data_disk_policy_time_period: Option<i64>,
    data_disk_policy_retention_days: Option<i64>,
    data_disk_policy_retention_last_week: Option<bool>,
}

impl Action for ModifyAutoSnapshotPolicy {
    const NAME: &'static str = "ModifyAutoSnapshotPolicy";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        let ranges = [
            ("SystemDiskPolicyTimePeriod", self.system_disk_policy_time_period, 1..=4),
            ("SystemDiskPolicyRetentionDays", self.system_disk_policy_retention_days, 1..=3),
            ("DataDiskPolicyTimePeriod", self.data_disk_policy_time_period, 1..=4),
            ("DataDiskPolicyRetentionDays", self.data_disk_policy_retention_days, 1..=3),
        ];
        let is_outside =
            |value: Option<i64>, range: &RangeInclusive<i64>| value.is_some_and(|value| !range.contains(&value));
        match ranges.into_iter().find(|(_, value, range)| is_outside(*value, range)) {
            Some((name, ..)) => Err(Fault::invalid(name)),
            None => Ok(()),
        }
    }

    async fn run(&self, _: &mut Tx<'_>) -> Result<Empty, Fault> {
        Err(fault("InvalidAction.NotFound")
            .with(" ModifyAutoSnapshotPolicy was withdrawn: use ModifyAutoSnapshotPolicyEx."))
    }
}
