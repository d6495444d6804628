//! `snapshotd standing`: its arguments as the request of a lever.

use clap::Subcommand;
use hyper::Method;

use super::{Asked, body_of};
use crate::admin::standing::Standing as Body;

/// Accounts that pay, and accounts in arrears
#[derive(Debug, Subcommand)]
pub enum Standing {
    /// Leave the bills of an account unpaid
    Arrears {
        /// 16 digits
        account: String,
    },
    /// Pay them
    Good {
        /// 16 digits
        account: String,
    },
    /// List how all accounts stand
    List,
}

impl Standing {
    pub fn request(self) -> Asked {
        let set = |account: &str, in_arrears| {
            (Method::PUT, format!("/accounts/{account}/standing"), body_of(&Body { in_arrears }))
        };
        match self {
            Self::Arrears { account } => set(&account, true),
            Self::Good { account } => set(&account, false),
            Self::List => (Method::GET, "/accounts/standing".to_owned(), None),
        }
    }
}
