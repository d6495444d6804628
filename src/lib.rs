//! snapshotd: the ECS block-storage control plane as one local daemon; this file only names the parts.

pub mod actions;
pub mod admin;
pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod faults;
pub mod ids;
pub mod levers;
pub mod lifecycle;
pub mod regions;
pub mod store;
pub mod wire;

pub use app::App;
