//! `snapshotd lag`: its arguments as the request of a lever.

use clap::Subcommand;
use hyper::Method;

use super::{Asked, body_of};
use crate::levers::lag::Lag as Setting;

/// Reads that trail the writes
#[derive(Debug, Subcommand)]
pub enum Lag {
    /// Let reads trail by so many milliseconds on the clock of the resources; 0 ends it
    Set {
        ms: i64,
        /// The reading action [default: all]
        #[arg(long)]
        action: Option<String>,
        /// 16 digits [default: all accounts]
        #[arg(long, value_name = "ID")]
        account: Option<String>,
    },
    /// List the lags that are set
    List,
    /// End all lags
    Clear,
}

impl Lag {
    pub fn request(self) -> Asked {
        match self {
            Self::Set { ms, action, account } => {
                (Method::POST, "/lag".to_owned(), body_of(&Setting { account, action, ms }))
            }
            Self::List => (Method::GET, "/lag".to_owned(), None),
            Self::Clear => (Method::DELETE, "/lag".to_owned(), None),
        }
    }
}
