//! The domain, one family a file, each read top to bottom; no SQL, no transport.

pub mod account;
pub mod auto_snapshot_policies;
pub mod disk_attachments;
pub mod disk_changes;
pub mod disk_specs;
pub mod disks;
pub mod image_copies;
pub mod image_shares;
pub mod images;
pub mod instances;
pub mod neighbours;
pub mod policy_associations;
pub mod regions;
pub mod snapshot_copies;
pub mod snapshot_groups;
pub mod snapshot_locks;
pub mod snapshot_usage;
pub mod snapshots;
pub mod tags;
pub mod tasks;
