//! What happens without a call: one function for each kind of timer, each guarded and repeatable; never answers anybody.

mod disk;
mod ending;
pub mod engine;
mod image;
mod instance;
mod policy;
pub mod schedule;
mod snapshot;
mod snapshot_copy;
mod snapshot_group;
mod task;

use std::pin::Pin;

use crate::faults::Fault;
use crate::store::row_locks;
use crate::store::timers::{Timer, TimerKind};
use crate::store::tx::Tx;

/// Does what a timer is for, at its own instant. A resource that is gone is no error.
pub fn fire<'a>(tx: &'a mut Tx<'_>, timer: &'a Timer) -> Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'a>> {
    Box::pin(async move {
        let id = timer.resource_id.as_str();
        match TimerKind::find(&timer.kind) {
            Some(TimerKind::SnapshotFinish) => snapshot::finish(tx, id).await,
            Some(TimerKind::SnapshotExpire) => snapshot::expire(tx, id).await,
            Some(TimerKind::SnapshotLock) => snapshot::lock_changes(tx, id).await,
            Some(TimerKind::ImageFinish) => image::finish(tx, id).await,
            Some(TimerKind::DiskFinish) => disk::finish(tx, id).await,
            Some(TimerKind::InstanceFinish) => instance::finish(tx, id).await,
            Some(TimerKind::TaskFinish) => task::finish(tx, id).await,
            Some(TimerKind::SnapshotGroupFinish) => snapshot_group::finish(tx, id).await,
            Some(TimerKind::TakeSnapshots) => policy::take_snapshots(tx, id).await,
            Some(TimerKind::StartCopy) => snapshot_copy::start(tx, id).await,
            Some(TimerKind::OperatorLock) => row_locks::release(tx, id).await,
            None => Err(Fault::internal(format!("no such kind of timer: {}", timer.kind))),
        }
    })
}
