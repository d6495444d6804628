//! The integration tests: one binary that drives the whole daemon, in process or spawned, and judges all it answers.

#![expect(clippy::type_complexity, reason = "tables of cases")]
#![expect(clippy::disallowed_methods, reason = "tests look into the database beside the daemon")]

mod admin;
mod auto_snapshot_policies;
mod backup;
mod bytes;
mod clock;
mod coverage;
mod crash;
mod damage;
mod deferred;
mod dependencies;
mod disk_changes;
mod disk_clones;
mod disk_codes;
mod disk_rules;
mod disk_specs;
mod disks;
mod foreign_ids;
mod gateway;
mod golden;
mod held;
mod histories;
mod image_attributes;
mod image_copies;
mod image_shares;
mod images;
mod instances;
#[cfg(target_os = "linux")]
mod io_faults;
mod keys;
mod kill;
mod levers;
mod locks;
mod model;
mod negatives;
mod neighbours;
mod older;
mod once;
mod operation_locks;
mod overload;
mod panics;
mod policy_associations;
#[cfg(target_os = "linux")]
mod power;
mod quotas;
mod regions;
mod rust_helper;
mod schedules;
mod slow;
mod smuggling;
mod snapshot_archive;
mod snapshot_copies;
mod snapshot_groups;
mod snapshot_locks;
mod snapshot_usage;
mod snapshots;
mod soak;
mod state;
mod support;
mod tags;
mod tasks;
mod tls;
mod upgrade;
