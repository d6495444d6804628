//! Commands for events and for the state as a whole: the request of each; sends nothing itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::json;

use super::lever::{Move, with_query};
use crate::ids::IdKind;
use crate::wire::form;

/// The levers of events and of the state.
#[derive(Debug, Subcommand)]
pub enum StateLever {
    /// List what happened, oldest first; --follow tells it as it happens
    Events(Events),
    /// Post events to a URL, or list and remove such webhooks
    #[command(subcommand)]
    Webhooks(Webhooks),
    /// Take everything away, or what is of one account or region
    Reset {
        #[arg(long)]
        account: Option<String>,
        #[arg(long)]
        region: Option<String>,
    },
    /// Save, list, restore, compare and delete whole states
    #[command(subcommand)]
    Savepoints(Savepoints),
    /// Put the rows of a TOML or JSON file beside what is there
    Seed { file: PathBuf },
    /// Give out the whole state, in the form of a seed
    Export,
    /// Seed the generator of ids, or name the next id of a kind
    Ids {
        #[arg(long)]
        seed: Option<u64>,
        /// The next id of its kind, such as s-bp1first
        #[arg(long)]
        next: Option<String>,
    },
    /// Write a text to a disk as a program inside would, or read that of a disk, snapshot or image
    Content {
        id: String,
        /// The text; without it what is there is read
        text: Option<String>,
    },
    /// Make accounts, list and drop them
    #[command(subcommand)]
    Accounts(Accounts),
    /// Tell what an account still owns
    Owned { account: String },
}

#[derive(Debug, Subcommand)]
pub enum Accounts {
    /// List all
    List,
    /// Make one with a key
    Add {
        /// 16 digits
        id: String,
        access_key_id: String,
        access_key_secret: String,
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Drop one with all that it owns
    Remove { id: String },
}

#[derive(Debug, Subcommand)]
pub enum Savepoints {
    /// List them
    List,
    /// Save the state under a name
    Save {
        name: String,
        /// In the place of one of the same name
        #[arg(long)]
        replace: bool,
    },
    /// Put a saved state in the place of what is there
    Restore { name: String },
    /// Forget one
    Delete { name: String },
    /// Tell in what two differ; `now` is the state as it is
    Diff {
        before: String,
        #[arg(default_value = "now")]
        after: String,
    },
}

#[derive(Debug, Args)]
pub struct Events {
    /// Only those after this number
    #[arg(long)]
    after: Option<i64>,
    /// At most so many
    #[arg(long)]
    limit: Option<i64>,
    /// Only this name; * stands for any characters
    #[arg(long)]
    name: Option<String>,
    /// Only this resource
    #[arg(long)]
    resource: Option<String>,
    /// Only this account
    #[arg(long)]
    account: Option<String>,
    /// Go on until interrupted
    #[arg(long)]
    follow: bool,
}

#[derive(Debug, Subcommand)]
pub enum Webhooks {
    /// List them with their places
    List,
    /// Add one: http://HOST:PORT/PATH
    Add {
        name: String,
        url: String,
        /// Only events of this name; * stands for any characters
        #[arg(long, default_value = "")]
        event_name: String,
        /// Only events of this resource
        #[arg(long, default_value = "")]
        resource: String,
        /// Only events of this account
        #[arg(long, default_value = "")]
        account: String,
        /// Begin after the event of this number
        #[arg(long)]
        after: Option<i64>,
    },
    /// Remove one
    Remove { name: String },
}

impl StateLever {
    /// The request that moves it.
    pub fn request(self) -> Result<Move, String> {
        Ok(match self {
            Self::Events(events) => events.request(),
            Self::Webhooks(webhooks) => webhooks.request(),
            Self::Reset { account, region } => Move::post("/reset", &json!({"account": account, "region": region})),
            Self::Savepoints(savepoints) => savepoints.request(),
            Self::Seed { file } => {
                let body = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                Move { method: Method::POST, path: "/seed".to_owned(), body }
            }
            Self::Export => Move::get("/export"),
            Self::Ids { seed, next } => Move::post("/ids", &json!({"seed": seed, "next": next})),
            Self::Content { id, text } => content(&id, text)?,
            Self::Accounts(accounts) => accounts.request(),
            Self::Owned { account } => Move::get(with_query("/owned", [("account", Some(account))])),
        })
    }
}

impl Accounts {
    fn request(self) -> Move {
        match self {
            Self::List => Move::get("/accounts"),
            Self::Add { id, access_key_id, access_key_secret, name } => {
                let key = json!({"id": access_key_id, "secret": access_key_secret});
                Move::post("/accounts", &json!({"id": id, "name": name, "keys": [key]}))
            }
            Self::Remove { id } => Move::delete(format!("/accounts/{}", form::encoded(&id))),
        }
    }
}

/// The kind of a resource is that of its id.
fn content(id: &str, text: Option<String>) -> Result<Move, String> {
    let kind = match IdKind::of(id) {
        Some(IdKind::Disk) => "disks",
        Some(IdKind::Snapshot) => "snapshots",
        Some(IdKind::Image) => "images",
        _ => return Err(format!("{id}: the id of a disk, a snapshot or an image")),
    };
    let path = format!("/{kind}/{}/content", form::encoded(id));
    Ok(match text {
        Some(text) => Move::put(path, &json!({"content": text})),
        None => Move::get(path),
    })
}

impl Savepoints {
    fn request(self) -> Move {
        match self {
            Self::List => Move::get("/savepoints"),
            Self::Save { name, replace } => Move::post("/savepoints", &json!({"name": name, "replace": replace})),
            Self::Restore { name } => Move::post(format!("/savepoints/{}/restore", form::encoded(&name)), &json!({})),
            Self::Delete { name } => Move::delete(format!("/savepoints/{}", form::encoded(&name))),
            Self::Diff { before, after } => {
                Move::get(format!("/savepoints/{}/diff/{}", form::encoded(&before), form::encoded(&after)))
            }
        }
    }
}

impl Events {
    fn request(self) -> Move {
        let Self { after, limit, name, resource, account, follow } = self;
        let number = |number: Option<i64>| number.map(|number| number.to_string());
        let path = if follow { "/events/stream" } else { "/events" };
        let pairs = [
            ("after", number(after)),
            ("limit", number(limit)),
            ("name", name),
            ("resource", resource),
            ("account", account),
        ];
        Move::get(with_query(path, pairs))
    }
}

impl Webhooks {
    fn request(self) -> Move {
        match self {
            Self::List => Move::get("/webhooks"),
            Self::Add { name, url, event_name, resource, account, after } => Move::post(
                "/webhooks",
                &json!({
                    "name": name, "url": url, "event_name": event_name, "resource_id": resource,
                    "account_id": account, "after": after,
                }),
            ),
            Self::Remove { name } => Move::delete(format!("/webhooks/{}", form::encoded(&name))),
        }
    }
}
