//! The HTTP side of the daemon, from bytes to an authenticated call and back; this file only names the parts.

pub mod client;
pub mod credentials;
pub mod form;
mod gate;
pub mod http;
#[cfg(test)]
mod http_tests;
pub mod nonces;
pub mod params;
mod params_tree;
pub mod probe;
pub mod render;
mod request;
pub mod server;
pub mod signature_v1;
pub mod signature_v3;
pub mod tls;
#[cfg(test)]
mod vectors;
