//! `snapshotd requests`: its arguments as the request of a lever.

use clap::{Args, Subcommand};
use hyper::Method;

use super::{Asked, with_query};

/// The last requests
#[derive(Debug, Subcommand)]
pub enum Requests {
    /// List them, the oldest first
    List(Wanted),
    /// Forget them
    Clear,
}

#[derive(Debug, Args)]
pub struct Wanted {
    /// Of this action
    #[arg(long)]
    action: Option<String>,
    /// Refused with this code; empty for successes
    #[arg(long)]
    code: Option<String>,
    /// 16 digits
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Not before, such as 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Numbered above
    #[arg(long, value_name = "N")]
    after: Option<u64>,
    /// The last so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl Wanted {
    fn path(self) -> String {
        let Self { action, code, account, since, after, limit } = self;
        let (after, limit) = (after.map(|after| after.to_string()), limit.map(|limit| limit.to_string()));
        let pairs = [
            ("action", action),
            ("code", code),
            ("account", account),
            ("since", since),
            ("after", after),
            ("limit", limit),
        ];
        with_query("/requests", pairs)
    }
}

impl Requests {
    pub fn request(self) -> Asked {
        match self {
            Self::List(wanted) => (Method::GET, wanted.path(), None),
            Self::Clear => (Method::DELETE, "/requests".to_owned(), None),
        }
    }
}
