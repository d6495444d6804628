//! `snapshotd operation-locks`: its arguments as the request of a lever.

use clap::Subcommand;
use hyper::Method;

use super::{Asked, body_of};
use crate::admin::operation_locks::InstanceLock;

/// Instances that the vendor locked: for security, for money, to be recycled
#[derive(Debug, Subcommand)]
pub enum OperationLocks {
    /// Lock an instance
    Set {
        /// Its id
        instance: String,
        /// security, financial, recycling, dedicatedhostfinancial or refunded
        #[arg(long, default_value = "security")]
        reason: String,
        /// What its owner reads
        #[arg(long, default_value = "")]
        message: String,
    },
    /// List who is locked, and why
    List,
    /// Unlock an instance
    Remove {
        /// Its id
        instance: String,
        /// For this reason only [default: all]
        #[arg(long)]
        reason: Option<String>,
    },
    /// Unlock all instances
    Clear,
}

impl OperationLocks {
    pub fn request(self) -> Asked {
        match self {
            Self::Set { instance, reason, message } => {
                let lock = InstanceLock { instance, reason, message };
                (Method::POST, "/operation-locks".to_owned(), body_of(&lock))
            }
            Self::List => (Method::GET, "/operation-locks".to_owned(), None),
            Self::Remove { instance, reason } => {
                let which = reason.map(|reason| format!("?reason={reason}")).unwrap_or_default();
                (Method::DELETE, format!("/operation-locks/{instance}{which}"), None)
            }
            Self::Clear => (Method::DELETE, "/operation-locks".to_owned(), None),
        }
    }
}
