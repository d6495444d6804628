//! Calls with a client token, and dry runs of other steps; never what the daemon answers.

use proptest::prelude::*;

use super::ids::Ids;
use super::keeping;
use super::moves::{Call, Nth, pick};
use super::reference::{DAY, Outcome, World};

#[derive(Clone, Copy, Debug)]
pub enum Step {
    CreateDisk { token: u8, size: i64 },
    CreateSnapshot { token: u8, disk: Nth },
    DryReset(Nth, Nth),
    DryKeep(keeping::Step),
}

pub fn any(world: &World) -> BoxedStrategy<Step> {
    let disk = || pick(world.disks.iter().map(|disk| disk.is_there && disk.ever_attached));
    let snapshot = pick(world.snapshots.iter().map(|snapshot| snapshot.is_there));
    prop_oneof![
        2 => (0..2_u8, prop_oneof![4 => Just(40_i64), 1 => Just(50)])
            .prop_map(|(token, size)| Step::CreateDisk { token, size }),
        3 => (0..2_u8, disk()).prop_map(|(token, disk)| Step::CreateSnapshot { token, disk }),
        1 => (disk(), snapshot).prop_map(|(disk, snapshot)| Step::DryReset(disk, snapshot)),
        1 => keeping::any(world).prop_map(Step::DryKeep),
    ]
    .boxed()
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Disk { size: i64 },
    Snapshot { disk: Nth },
}

/// An answer given under a token: what it made can be asked for again, for a day.
#[derive(Clone, Debug)]
pub struct Answered {
    token: u8,
    asked: Asked,
    at: i64,
    made: Nth,
}

impl World {
    pub fn repeat(&mut self, step: Step) -> Outcome {
        match step {
            Step::CreateDisk { token, size } => self.once(token, Asked::Disk { size }),
            Step::CreateSnapshot { token, disk } => self.once(token, Asked::Snapshot { disk }),
            Step::DryReset(disk, snapshot) => self.dry_run(|world| world.reset(disk, snapshot)),
            Step::DryKeep(step) => self.dry_run(|world| world.keep(step)),
        }
    }

    /// All is checked and nothing changes.
    fn dry_run(&self, step: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        step(&mut self.clone()).and(Err("DryRunOperation"))
    }

    fn once(&mut self, token: u8, asked: Asked) -> Outcome {
        if let Some(known) = self.known(token, asked) {
            return if known.asked == asked { Ok(()) } else { Err("IdempotentParameterMismatch") };
        }
        let made = match asked {
            Asked::Disk { size } => {
                self.create_disk(None, size)?;
                self.disks.len()
            }
            Asked::Snapshot { disk } => {
                self.create_snapshot(disk)?;
                self.snapshots.len()
            }
        };
        self.answered.push(Answered { token, asked, at: self.now, made: made - 1 });
        Ok(())
    }

    fn known(&self, token: u8, asked: Asked) -> Option<&Answered> {
        let is_same_action = |one: Asked| matches!(one, Asked::Disk { .. }) == matches!(asked, Asked::Disk { .. });
        let is_known = |one: &&Answered| one.token == token && is_same_action(one.asked) && self.now - one.at < DAY;
        self.answered.iter().rev().find(is_known)
    }

    /// Which disk or snapshot the answer to this step, which succeeded, has to name.
    pub fn made_by(&self, step: Step) -> Option<Nth> {
        let (token, asked) = match step {
            Step::CreateDisk { token, size } => (token, Asked::Disk { size }),
            Step::CreateSnapshot { token, disk } => (token, Asked::Snapshot { disk }),
            Step::DryReset(..) | Step::DryKeep(_) => return None,
        };
        self.known(token, asked).map(|known| known.made)
    }
}

pub fn call(ids: &Ids, step: Step) -> Call {
    let token = |token: u8| ("ClientToken", format!("token-{token}"));
    let dry_run = || vec![("DryRun", "true".to_owned())];
    match step {
        Step::CreateDisk { token: number, size } => {
            let made = [("ZoneId", "cn-hangzhou-h"), ("DiskCategory", "cloud_essd")];
            let made = made.map(|(name, value)| (name, value.to_owned()));
            ("CreateDisk", [&made[..], &[("Size", size.to_string()), token(number)]].concat())
        }
        Step::CreateSnapshot { token: number, disk } => {
            ("CreateSnapshot", vec![("DiskId", ids.disk(disk)), token(number)])
        }
        Step::DryReset(disk, snapshot) => {
            let params = vec![("DiskId", ids.disk(disk)), ("SnapshotId", ids.snapshot(snapshot))];
            ("ResetDisk", [params, dry_run()].concat())
        }
        Step::DryKeep(step) => {
            let (action, params) = keeping::call(ids, step);
            (action, [params, dry_run()].concat())
        }
    }
}
