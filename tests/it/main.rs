//! The integration tests: one binary that drives the whole daemon, in process or spawned, and judges all it answers.

#![expect(clippy::type_complexity, reason = "tables of cases")]

mod coverage;
mod crash;
mod disk_rules;
mod disks;
mod gateway;
mod golden;
mod images;
mod instances;
mod kill;
mod locks;
mod negatives;
mod regions;
mod slow;
mod snapshot_archive;
mod snapshot_copies;
mod snapshot_locks;
mod snapshot_usage;
mod snapshots;
mod support;
mod tags;
