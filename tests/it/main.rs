//! The integration tests: one binary that drives the whole daemon, in process or spawned, and judges all it answers.

mod coverage;
mod crash;
mod disks;
mod gateway;
mod golden;
mod kill;
mod locks;
mod slow;
mod snapshots;
mod support;
