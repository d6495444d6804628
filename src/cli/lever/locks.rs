//! `snapshotd locks`: its arguments as the request of a lever.

use clap::Subcommand;
use hyper::Method;

use super::{Asked, body_of};
use crate::admin::locks::{LockMode, NewLock};

/// Row locks, held from outside
#[derive(Debug, Subcommand)]
pub enum Locks {
    /// Hold a snapshot, a disk, an image or an instance
    Hold {
        /// Its id
        resource: String,
        /// What the lock is to be called [default: the id]
        #[arg(long)]
        name: Option<String>,
        #[arg(long, default_value = "exclusive")]
        mode: LockMode,
        /// The account that must have it, 16 digits
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Released after so many milliseconds on the clock of the resources
        #[arg(long, value_name = "MS")]
        expires_ms: Option<i64>,
    },
    /// List who holds what
    List,
    /// Release one lock by its name
    Release { name: String },
    /// Release the locks of all operators
    Clear,
}

impl Locks {
    pub fn request(self) -> Asked {
        match self {
            Self::Hold { resource, name, mode, account, expires_ms } => {
                let new = NewLock { resource, name, mode, account, expires_ms };
                (Method::POST, "/locks".to_owned(), body_of(&new))
            }
            Self::List => (Method::GET, "/locks".to_owned(), None),
            Self::Release { name } => (Method::DELETE, format!("/locks/{name}"), None),
            Self::Clear => (Method::DELETE, "/locks".to_owned(), None),
        }
    }
}
