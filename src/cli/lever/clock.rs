//! `snapshotd clock`: its arguments as the request of a lever.

use clap::{Args, Subcommand};
use hyper::Method;

use super::{Asked, body_of};
use crate::admin::clock::{Destination, NewMode};
use crate::config::ClockMode;

/// The clock of the resources
#[derive(Debug, Subcommand)]
pub enum Clock {
    /// Show what it says, how it runs and what happens next
    Show {
        /// The next so many things that happen
        #[arg(long, value_name = "N", default_value_t = 10)]
        limit: u32,
    },
    /// Let it run in another way
    Set {
        mode: ClockMode,
        /// Seconds to each second of the machine's, for scaled
        #[arg(long, value_name = "N")]
        factor: Option<f64>,
    },
    /// Stop it where it stands
    Freeze,
    /// Let it run on as it ran before it was stopped
    Thaw,
    /// Move it on and let all happen that is due on the way
    Advance(Where),
    /// Move it to the next thing that happens
    Next,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Where {
    /// So far, such as 30d, 90m or 1h30m
    #[arg(value_name = "SPAN")]
    by: Option<String>,
    /// To this instant, such as 2027-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl Clock {
    pub fn request(self) -> Asked {
        let post = |path: &str, body| (Method::POST, format!("/clock{path}"), body);
        match self {
            Self::Show { limit } => (Method::GET, format!("/clock?limit={limit}"), None),
            Self::Set { mode, factor } => post("/mode", body_of(&NewMode { mode, factor })),
            Self::Freeze => post("/freeze", None),
            Self::Thaw => post("/thaw", None),
            Self::Advance(Where { by, to }) => post("/advance", body_of(&Destination { by, to })),
            Self::Next => post("/next", None),
        }
    }
}
