//! The domain, one family a file, each read top to bottom; no SQL, no transport.

pub mod snapshots;
