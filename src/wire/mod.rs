//! The HTTP side of the daemon, from bytes to an authenticated call and back; this file only names the parts.

pub mod form;
pub mod params;
mod params_tree;
pub mod probe;
