//! snapshotd: the ECS block-storage control plane as one local daemon; this file only names the parts.

pub mod clock;
pub mod config;
pub mod faults;
pub mod ids;
pub mod regions;
pub mod wire;
