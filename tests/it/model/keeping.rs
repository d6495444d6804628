//! Locks of snapshots, the calls and their rules; never what the daemon answers.

use proptest::prelude::*;

use super::Daemon;
use super::ids::Ids;
use super::moves::{Call, Nth, pick};
use super::reference::{DAY, Outcome, SNAPSHOT, World};
use super::shown::{field, list, same};
use crate::support::REGION;

const HOUR: i64 = 3_600;

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Hours in which the lock can be removed, days until it ends.
    Lock {
        snapshot: Nth,
        cool_off: i64,
        days: i64,
    },
    Unlock(Nth),
}

pub fn any(world: &World) -> BoxedStrategy<Step> {
    let snapshot = pick(world.snapshots.iter().map(|snapshot| snapshot.is_there));
    let cool_off = prop_oneof![Just(0_i64), Just(1), Just(24)];
    prop_oneof![
        4 => (snapshot.clone(), cool_off, 1..4_i64)
            .prop_map(|(snapshot, cool_off, days)| Step::Lock { snapshot, cool_off, days }),
        2 => snapshot.prop_map(Step::Unlock),
    ]
    .boxed()
}

#[derive(Clone, Debug)]
pub struct Lock {
    pub status: &'static str,
    pub cool_off: i64,
    pub days: i64,
    /// Both run from here on: from when the snapshot is accomplished.
    pub start: Option<i64>,
}

impl Lock {
    pub fn end(&self) -> Option<i64> {
        Some(self.start? + self.days * DAY)
    }

    pub fn next_change(&self) -> Option<i64> {
        match self.status {
            "compliance-cooloff" => Some(self.start? + self.cool_off * HOUR),
            "compliance" => self.end(),
            _ => None,
        }
    }
}

impl World {
    pub fn keep(&mut self, step: Step) -> Outcome {
        match step {
            Step::Lock { snapshot, cool_off, days } => self.lock(snapshot, cool_off, days),
            Step::Unlock(snapshot) => self.unlock(snapshot),
        }
    }

    fn lock(&mut self, nth: Nth, cool_off: i64, days: i64) -> Outcome {
        if cool_off >= days * 24 {
            return Err("InvalidCoolOffPeriod.ExceedLockDuration");
        }
        let snapshot = self.snapshot(nth)?;
        if self.is_held(nth) {
            return Err("Operation.Conflict");
        }
        let lock = match &snapshot.lock {
            Some(lock) if lock.status == "compliance" => {
                if cool_off != 0 || days <= lock.days {
                    return Err("InvalidOperation.CoolOffPeriodExpired");
                }
                Lock { days, ..lock.clone() }
            }
            _ => {
                let status = if cool_off == 0 { "compliance" } else { "compliance-cooloff" };
                let start = (snapshot.status == "accomplished").then_some(self.now);
                Lock { status, cool_off, days, start }
            }
        };
        let earliest = lock.start.unwrap_or(snapshot.created + SNAPSHOT) + days * DAY;
        if snapshot.days.is_some_and(|kept| earliest >= snapshot.created + kept * DAY) {
            return Err("InvalidLockDuration.ExceedRetentionDays");
        }
        self.snapshots[nth].lock = Some(lock);
        Ok(())
    }

    fn unlock(&mut self, nth: Nth) -> Outcome {
        let snapshot = self.snapshot(nth)?;
        if self.is_held(nth) {
            return Err("Operation.Conflict");
        }
        match &snapshot.lock {
            Some(lock) if lock.status == "compliance-cooloff" => {}
            Some(lock) if lock.status == "compliance" => return Err("InvalidOperation.CoolOffPeriodExpired"),
            _ => return Err("InvalidSnapshotLock.NotFound"),
        }
        self.snapshots[nth].lock = None;
        Ok(())
    }

    pub fn change_lock(&mut self, nth: Nth) {
        if let Some(lock) = &mut self.snapshots[nth].lock {
            lock.status = if lock.status == "compliance" { "expired" } else { "compliance" };
        }
    }
}

pub fn call(ids: &Ids, step: Step) -> Call {
    let snapshot = |nth| ("SnapshotId", ids.snapshot(nth));
    match step {
        Step::Lock { snapshot: nth, cool_off, days } => {
            let lock = [
                ("LockMode", "compliance".to_owned()),
                ("CoolOffPeriod", cool_off.to_string()),
                ("LockDuration", days.to_string()),
            ];
            ("LockSnapshot", [&[snapshot(nth)], &lock[..]].concat())
        }
        Step::Unlock(nth) => ("UnlockSnapshot", vec![snapshot(nth)]),
    }
}

/// Compares the locks.
pub async fn compare(daemon: &Daemon, world: &World, step: &super::Move) {
    let wanted = world.snapshots.iter().enumerate().filter_map(|(nth, snapshot)| {
        let lock = snapshot.lock.as_ref()?;
        Some(format!("{} {} {} days", daemon.ids.snapshot(nth), lock.status, lock.days))
    });
    let locks = daemon.app.ok("DescribeLockedSnapshots", &[("RegionId", REGION), ("MaxResults", "100")]).await;
    let shown = list(&locks, "/LockedSnapshotsInfo", |row| {
        format!("{} {} {} days", field(row, "SnapshotId"), field(row, "LockStatus"), row["LockDuration"])
    });
    same(wanted, shown, step);
}
