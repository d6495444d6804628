//! Commands that move a lever of a running daemon: each is one request to its admin API, the answer is printed as it came.

mod faults;
mod lag;
mod locks;
mod operation_locks;
mod requests;
mod standing;

use std::process::ExitCode;

use clap::Subcommand;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request};
use serde::Serialize;
use serde_json::Value;

use super::exchange::{exchange, report};
use crate::admin::PATH;
use crate::config::Config;
use crate::store::opening;

/// The levers, as commands.
#[derive(Debug, Subcommand)]
pub enum Lever {
    /// What runs: version, accounts and their key ids
    Info,
    #[command(subcommand)]
    Faults(faults::Faults),
    #[command(subcommand)]
    Locks(locks::Locks),
    #[command(subcommand)]
    OperationLocks(operation_locks::OperationLocks),
    #[command(subcommand)]
    Standing(standing::Standing),
    #[command(subcommand)]
    Lag(lag::Lag),
    #[command(subcommand)]
    Requests(requests::Requests),
}

/// A request: method, path below the admin API, body.
type Asked = (Method, String, Option<Value>);

fn body_of(value: &impl Serialize) -> Option<Value> {
    serde_json::to_value(value).ok()
}

impl Lever {
    /// The request that moves it.
    fn request(self) -> Asked {
        match self {
            Self::Info => (Method::GET, "/info".to_owned(), None),
            Self::Faults(faults) => faults.request(),
            Self::Locks(locks) => locks.request(),
            Self::OperationLocks(locks) => locks.request(),
            Self::Standing(standing) => standing.request(),
            Self::Lag(lag) => lag.request(),
            Self::Requests(requests) => requests.request(),
        }
    }
}

/// Moves a lever of the daemon on `data_dir`, else of the one at `listen`.
pub async fn run(config: Config, lever: Lever) -> ExitCode {
    let endpoint = opening::published_endpoint(&config.data_dir).unwrap_or_else(|| format!("http://{}", config.listen));
    let (method, path, body) = lever.request();
    let host = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let mut request = Request::builder().method(method).uri(format!("{PATH}{path}")).header("host", host);
    if !config.admin.token.is_empty() {
        request = request.header("authorization", format!("Bearer {}", config.admin.token));
    }
    let body = body.map_or_else(String::new, |body| body.to_string());
    let outcome = match request.header("content-type", "application/json").body(Full::new(Bytes::from(body))) {
        Ok(request) => exchange(host, request).await.map_err(|error| format!("no answer from {endpoint}: {error}")),
        Err(error) => Err(format!("{endpoint}: {error}")),
    };
    report(outcome)
}
