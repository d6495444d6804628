//! `snapshotd faults`: its arguments as the request of a lever.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use super::{Asked, body_of};
use crate::levers::rules::{ANY, Drop, Effect, Ends, Rule, When, Window};

/// Rules that disturb calls and endings
#[derive(Debug, Subcommand)]
pub enum Faults {
    /// Make a rule stand
    Add(Box<New>),
    /// List the rules that stand, with their hits
    List,
    /// Show one rule
    Show { id: u64 },
    /// Take one rule away
    Remove { id: u64 },
    /// Take all rules away
    Clear,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  snapshotd faults add DeleteSnapshot --error Throttling.User --nth 2\n  \
                        snapshotd faults add CreateSnapshot --ends failed --max-hits 1\n  \
                        snapshotd faults add --drop after --probability 0.1 --seed 7")]
pub struct New {
    /// The action; of an ending the one that began it
    #[arg(default_value = ANY)]
    action: String,
    /// An id that the call names, or that ends
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// 16 digits
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// On this occasion only
    #[arg(long, value_name = "N")]
    nth: Option<u64>,
    /// From this occasion on
    #[arg(long, value_name = "N")]
    from: Option<u64>,
    /// On every so many occasions
    #[arg(long, value_name = "N")]
    every: Option<u64>,
    /// By chance, 0 to 1
    #[arg(long, value_name = "P")]
    probability: Option<f64>,
    /// Where chance begins
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// While a snapshot or image named is done by so many percent, such as 40-60
    #[arg(long, value_name = "FROM-TO", value_parser = window)]
    progress: Option<Window>,
    /// Refuse the call with this code
    #[arg(long, value_name = "CODE")]
    error: Option<String>,
    /// Let the call wait first
    #[arg(long, value_name = "MS")]
    latency_ms: Option<u64>,
    /// Close the connection before the call or after its commit
    #[arg(long)]
    drop: Option<Drop>,
    /// How what was begun ends
    #[arg(long)]
    ends: Option<Ends>,
    /// Used up after so many hits
    #[arg(long, value_name = "N")]
    max_hits: Option<u64>,
    /// Gone after so many milliseconds
    #[arg(long, value_name = "MS")]
    expires_ms: Option<i64>,
}

fn window(text: &str) -> Result<Window, String> {
    let ends = text.split_once('-').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    ends.map(|(from, to)| Window { from, to }).ok_or_else(|| "such as 40-60".to_owned())
}

impl New {
    fn body(self) -> Option<Value> {
        let Self { action, resource, account, nth, from, every, probability, seed, progress, .. } = self;
        let Self { error, latency_ms, drop, ends, max_hits, expires_ms, .. } = self;
        let when = When { nth, from, every, probability, seed, progress };
        let effect = Effect { error, latency_ms, drop, ends };
        body_of(&Rule { action, resource, account, when, effect, max_hits, expires_ms })
    }
}

impl Faults {
    pub fn request(self) -> Asked {
        match self {
            Self::Add(new) => (Method::POST, "/faults".to_owned(), new.body()),
            Self::List => (Method::GET, "/faults".to_owned(), None),
            Self::Show { id } => (Method::GET, format!("/faults/{id}"), None),
            Self::Remove { id } => (Method::DELETE, format!("/faults/{id}"), None),
            Self::Clear => (Method::DELETE, "/faults".to_owned(), None),
        }
    }
}
