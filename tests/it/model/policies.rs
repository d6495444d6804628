//! Automatic snapshot policies, the calls, their rules and a small calendar; never what the daemon answers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::Daemon;
use super::copies::PlannedCopy;
use super::ids::Ids;
use super::moves::{Call, Nth, pick};
use super::reference::{
    AUTO_SNAPSHOTS_PER_DISK, CONCURRENT_SNAPSHOTS, DAY, Origin, Outcome, POLICIES_PER_DISK, SNAPSHOT, Snapshot, World,
};
use super::shown::{field, list, one_of, same};
use crate::support::{OTHER_REGION, REGION};

const HOUR: i64 = 3_600;
/// The hours of two policies never meet: each has one of its own in a third of the day.
const APART: usize = 8;

#[derive(Clone, Copy, Debug)]
pub enum Step {
    Create(Schedule),
    Modify(Nth, Schedule),
    Apply(Nth, Nth),
    /// From the policy, or from the only one that the disk has.
    Cancel(Option<Nth>, Nth),
    Delete(Nth),
    /// ModifyDiskAttribute: whether policies take snapshots of the disk.
    Permit {
        disk: Nth,
        permitted: bool,
    },
}

/// Which third of the day, two days of the week (Monday is 1), and days of retention, -1 for ever.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    third: usize,
    weekdays: [i64; 2],
    days: i64,
    /// Days of retention of copies in the other region, where such are made.
    copied_days: Option<i64>,
}

pub fn any(world: &World) -> BoxedStrategy<Step> {
    let disk = || pick(world.disks.iter().map(|disk| disk.is_there && disk.ever_attached));
    let policy = || pick(world.policies.iter().map(|policy| policy.is_there));
    let days = || prop_oneof![Just(-1_i64), 1..4_i64];
    let copied = proptest::option::of(days());
    let schedule = (0..3_usize, 1..7_i64, days(), copied).prop_map(|(third, weekday, days, copied_days)| {
        let weekdays = [weekday, 7];
        Schedule { third, weekdays, days, copied_days }
    });
    let has_policy = world.policies.iter().any(|policy| policy.is_there);
    let if_any = |weight: u32| if has_policy { 4 * weight } else { 1 };
    prop_oneof![
        8 => schedule.clone().prop_map(Step::Create),
        if_any(1) => (policy(), schedule).prop_map(|(policy, schedule)| Step::Modify(policy, schedule)),
        if_any(6) => (policy(), disk()).prop_map(|(policy, disk)| Step::Apply(policy, disk)),
        if_any(2) => (proptest::option::of(policy()), disk()).prop_map(|(policy, disk)| Step::Cancel(policy, disk)),
        if_any(1) => policy().prop_map(Step::Delete),
        4 => (disk(), any_bool()).prop_map(|(disk, permitted)| Step::Permit { disk, permitted }),
    ]
    .boxed()
}

fn any_bool() -> impl Strategy<Value = bool> {
    proptest::bool::ANY
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub is_there: bool,
    hour: i64,
    schedule: Schedule,
    pub disks: BTreeSet<Nth>,
    pub next: Option<i64>,
}

impl Policy {
    fn reschedule(&mut self, nth: Nth, schedule: Schedule, now: i64) {
        self.hour = i64::try_from(nth % APART + schedule.third * APART).expect("an hour");
        self.schedule = schedule;
        self.next = self.next_run(now);
    }

    /// Hour by hour, in UTC+8; the clock began on a Thursday.
    fn next_run(&self, now: i64) -> Option<i64> {
        let hours = (now / HOUR + 1..).take(7 * 24 + 1);
        let is_run = |hour: &i64| {
            let local = hour + 8;
            let weekday = (local / 24 + 3) % 7 + 1;
            local % 24 == self.hour && self.schedule.weekdays.contains(&weekday)
        };
        hours.into_iter().find(is_run).map(|hour| hour * HOUR)
    }
}

impl World {
    pub fn policy(&mut self, step: Step) -> Outcome {
        match step {
            Step::Create(schedule) => {
                let (disks, nth) = (BTreeSet::new(), self.policies.len());
                let mut policy = Policy { is_there: true, hour: 0, schedule, disks, next: None };
                policy.reschedule(nth, schedule, self.now);
                self.policies.push(policy);
            }
            Step::Modify(nth, schedule) => {
                self.find_policy(nth).ok_or("ParameterInvalid")?;
                self.policies[nth].reschedule(nth, schedule, self.now);
            }
            Step::Apply(policy, disk) => self.apply(policy, disk)?,
            Step::Cancel(policy, disk) => self.cancel(policy, disk)?,
            Step::Delete(nth) => {
                self.find_policy(nth).ok_or("ParameterInvalid")?;
                let policy = &mut self.policies[nth];
                (policy.is_there, policy.next) = (false, None);
                policy.disks.clear();
            }
            Step::Permit { disk, permitted } => {
                let status = self.disk(disk)?.status;
                if matches!(status, "Creating" | "ReIniting") {
                    return Err("IncorrectDiskStatus");
                }
                if permitted && self.is_full(disk) {
                    return Err("QuotaExceed.Snapshot");
                }
                self.disks[disk].may_be_taken = permitted;
            }
        }
        Ok(())
    }

    fn find_policy(&self, nth: Nth) -> Option<&Policy> {
        self.policies.get(nth).filter(|policy| policy.is_there)
    }

    fn apply(&mut self, nth: Nth, disk: Nth) -> Outcome {
        let policy = self.find_policy(nth).ok_or("InvalidAutoSnapshotPolicyId.NotFound")?;
        self.disk(disk)?;
        let applied = self.policies.iter().filter(|policy| policy.disks.contains(&disk)).count();
        if applied >= POLICIES_PER_DISK && !policy.disks.contains(&disk) {
            return Err("QuotaExceed.AppliedAutoSnapshotPolicyQuota");
        }
        self.policies[nth].disks.insert(disk);
        Ok(())
    }

    fn cancel(&mut self, nth: Option<Nth>, disk: Nth) -> Outcome {
        if nth.is_some_and(|nth| self.find_policy(nth).is_none()) {
            return Err("InvalidAutoSnapshotPolicyId.NotFound");
        }
        self.disk(disk)?;
        let applied = self.policies.iter().filter(|policy| policy.disks.contains(&disk)).count();
        if nth.is_none() && applied > 1 {
            return Err("OperationDenied.TooManyAutoSnapshotPolicies");
        }
        for (other, policy) in self.policies.iter_mut().enumerate() {
            if nth.is_none_or(|nth| nth == other) {
                policy.disks.remove(&disk);
            }
        }
        Ok(())
    }

    pub fn run_policy(&mut self, nth: Nth) {
        self.policies[nth].next = self.policies[nth].next_run(self.now);
        for disk in self.policies[nth].disks.clone() {
            let is_fit = self.disks[disk].may_be_taken
                && self.is_state_for_snapshot(disk).is_ok()
                && self.unfinished(disk) < CONCURRENT_SNAPSHOTS;
            if is_fit && self.has_room(disk) {
                self.begin_snapshot(disk, Origin::Policy(nth));
                let Schedule { days, copied_days, .. } = self.policies[nth].schedule;
                if let Some(snapshot) = self.snapshots.last_mut() {
                    let until = |days: i64| snapshot.created + days * DAY;
                    snapshot.days = (days > 0).then_some(days);
                    snapshot.expire = snapshot.days.map(until);
                    let due = snapshot.created + SNAPSHOT;
                    snapshot.planned_copy =
                        copied_days.map(|days| PlannedCopy { due, days: (days > 0).then_some(days) });
                }
            }
        }
    }

    /// The oldest automatic snapshot that nothing keeps makes room.
    fn has_room(&mut self, disk: Nth) -> bool {
        let all = self.automatic(disk);
        if all.len() < AUTO_SNAPSHOTS_PER_DISK {
            return true;
        }
        let is_free = |nth: &&Nth| self.snapshots[**nth].status == "accomplished" && self.is_kept_by_nothing(**nth);
        let Some(oldest) = all.iter().find(is_free).copied() else { return false };
        self.remove_snapshot(oldest);
        true
    }

    pub fn automatic(&self, disk: Nth) -> Vec<Nth> {
        let is_one = |snapshot: &Snapshot| snapshot.is_there && snapshot.disk == disk && snapshot.is_automatic();
        (0..self.snapshots.len()).filter(|nth| is_one(&self.snapshots[*nth])).collect()
    }

    pub fn is_kept_by_nothing(&self, snapshot: Nth) -> bool {
        !self.is_held(snapshot) && !self.snapshots[snapshot].is_locked() && self.usage(snapshot) == "none"
    }
}

fn json(numbers: &[i64]) -> String {
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("{texts:?}").replace(' ', "")
}

pub fn call(ids: &Ids, world: &World, step: Step) -> Call {
    let id = |nth| ("autoSnapshotPolicyId", ids.policy(nth));
    let disks = |disk| ("diskIds", format!("[\"{}\"]", ids.disk(disk)));
    let values = |nth: Nth, schedule: Schedule| {
        let hour = world.policies.get(nth).map_or(0, |policy| policy.hour);
        vec![
            ("timePoints", json(&[hour])),
            ("repeatWeekdays", json(&schedule.weekdays)),
            ("retentionDays", schedule.days.to_string()),
            ("EnableCrossRegionCopy", schedule.copied_days.is_some().to_string()),
            ("TargetCopyRegions", format!("[\"{OTHER_REGION}\"]")),
            ("CopiedSnapshotsRetentionDays", schedule.copied_days.unwrap_or(-1).to_string()),
        ]
    };
    let (action, params) = match step {
        Step::Create(schedule) => {
            ("CreateAutoSnapshotPolicy", values(world.policies.len().saturating_sub(1), schedule))
        }
        Step::Modify(nth, schedule) => ("ModifyAutoSnapshotPolicyEx", [vec![id(nth)], values(nth, schedule)].concat()),
        Step::Apply(policy, disk) => ("ApplyAutoSnapshotPolicy", vec![id(policy), disks(disk)]),
        Step::Cancel(policy, disk) => {
            ("CancelAutoSnapshotPolicy", std::iter::once(disks(disk)).chain(policy.map(id)).collect())
        }
        Step::Delete(policy) => ("DeleteAutoSnapshotPolicy", vec![id(policy)]),
        Step::Permit { disk, permitted } => {
            let permitted = ("EnableAutoSnapshot", permitted.to_string());
            return ("ModifyDiskAttribute", vec![("DiskId", ids.disk(disk)), permitted]);
        }
    };
    (action, [params, vec![("regionId", REGION.to_owned())]].concat())
}

/// Compares the policies, their schedules and how many disks they have, and which ones one of them has and one disk has.
pub async fn compare(daemon: &Daemon, world: &World, step: &super::Move) {
    let wanted = world.policies.iter().enumerate().filter(|(_, policy)| policy.is_there).map(|(nth, policy)| {
        let (hours, days) = (json(&[policy.hour]), json(&policy.schedule.weekdays));
        format!("{} {hours} {days} {} of {}", daemon.ids.policy(nth), policy.schedule.days, policy.disks.len())
    });
    let page = [("RegionId", REGION), ("PageSize", "100")];
    let policies = daemon.app.ok("DescribeAutoSnapshotPolicyEx", &page).await;
    let shown = list(&policies, "/AutoSnapshotPolicies/AutoSnapshotPolicy", |row| {
        let [id, hours, days] = ["AutoSnapshotPolicyId", "TimePoints", "RepeatWeekdays"].map(|name| field(row, name));
        format!("{id} {hours} {days} {} of {}", row["RetentionDays"], row["DiskNums"])
    });
    same(wanted, shown, step);
    let policy = one_of(world.policies.iter().map(|policy| policy.is_there), daemon.turn);
    if let Some(nth) = policy {
        let ids = world.policies[nth].disks.iter().map(|disk| daemon.ids.disk(*disk));
        compare_associations(daemon, step, ("AutoSnapshotPolicyId", daemon.ids.policy(nth)), "DiskId", ids).await;
    }
    let disk = one_of(world.disks.iter().map(|disk| disk.is_there), daemon.turn);
    if let Some(nth) = disk {
        let ids = world.policies.iter().enumerate().filter(|(_, policy)| policy.disks.contains(&nth));
        let ids = ids.map(|(policy, _)| daemon.ids.policy(policy));
        compare_associations(daemon, step, ("DiskId", daemon.ids.disk(nth)), "AutoSnapshotPolicyId", ids).await;
    }
}

async fn compare_associations(
    daemon: &Daemon,
    step: &super::Move,
    (name, id): (&str, String),
    others: &str,
    wanted: impl Iterator<Item = String>,
) {
    let params = [("RegionId", REGION), ("MaxResults", "100"), (name, id.as_str())];
    let shown = daemon.app.ok("DescribeAutoSnapshotPolicyAssociations", &params).await;
    let pointer = "/AutoSnapshotPolicyAssociations/AutoSnapshotPolicyAssociation";
    same(wanted, list(&shown, pointer, |row| field(row, others).to_owned()), step);
}
