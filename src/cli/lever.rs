//! Commands that move a lever of a running daemon: each is one request to its admin API, the answer is printed as it came.

mod clock;
mod faults;
mod lag;
mod locks;
mod operation_locks;
mod requests;
mod standing;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Subcommand;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use serde::Serialize;
use serde_json::Value;

use super::state_lever::StateLever;
use crate::admin::PATH;
use crate::config::Config;
use crate::store::folder;
use crate::wire::client;
use crate::wire::form;

/// The levers, as commands.
#[derive(Debug, Subcommand)]
pub enum Lever {
    /// What runs: version, accounts and their key ids
    Info,
    #[command(subcommand)]
    Clock(clock::Clock),
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
    #[command(flatten)]
    State(StateLever),
}

impl Lever {
    /// The request that moves it.
    fn request(self) -> Result<Move, String> {
        match self {
            Self::Info => Ok(Move::get("/info")),
            Self::Clock(clock) => Ok(clock.request().into()),
            Self::Faults(faults) => Ok(faults.request().into()),
            Self::Locks(locks) => Ok(locks.request().into()),
            Self::OperationLocks(locks) => Ok(locks.request().into()),
            Self::Standing(standing) => Ok(standing.request().into()),
            Self::Lag(lag) => Ok(lag.request().into()),
            Self::Requests(requests) => Ok(requests.request().into()),
            Self::State(lever) => lever.request(),
        }
    }
}

/// A request: method, path below the admin API, body.
type Asked = (Method, String, Option<Value>);

fn body_of(value: &impl Serialize) -> Option<Value> {
    serde_json::to_value(value).ok()
}

impl From<Asked> for Move {
    fn from((method, path, body): Asked) -> Self {
        Self { method, path, body: body.map_or_else(Vec::new, |body| body.to_string().into_bytes()) }
    }
}

/// A path with those pairs that have a value.
pub fn with_query<const N: usize>(path: &str, pairs: [(&str, Option<String>); N]) -> String {
    let mut text = path.to_owned();
    let mut sign = '?';
    for (name, value) in pairs {
        if let Some(value) = value {
            text.push(sign);
            text.push_str(name);
            text.push('=');
            form::encode(&value, &mut text);
            sign = '&';
        }
    }
    text
}

/// A request that moves a lever.
pub struct Move {
    pub method: Method,
    /// Below the admin API.
    pub path: String,
    /// Empty for none.
    pub body: Vec<u8>,
}

impl Move {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: Vec::new() }
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), body: Vec::new() }
    }

    pub fn post(path: impl Into<String>, body: &Value) -> Self {
        Self { method: Method::POST, path: path.into(), body: body.to_string().into_bytes() }
    }

    pub fn put(path: impl Into<String>, body: &Value) -> Self {
        Self { method: Method::PUT, ..Self::post(path, body) }
    }
}

/// Moves a lever of the daemon on `data_dir`, else of the one at `listen`.
pub async fn run(config: Config, lever: Lever) -> ExitCode {
    let endpoint = folder::published_endpoint(&config.data_dir).unwrap_or_else(|| format!("http://{}", config.listen));
    let outcome = match lever.request() {
        Ok(requested) => send(&config, &endpoint, requested).await,
        Err(why) => Err(why),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("snapshotd: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Sends it and prints the answer as it comes, for some never end; whether it was accepted.
async fn send(config: &Config, endpoint: &str, requested: Move) -> Result<bool, String> {
    let Move { method, path, body } = requested;
    let host = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let mut request = Request::builder().method(method).uri(format!("{PATH}{path}")).header("host", host);
    if !config.admin.token.is_empty() {
        request = request.header("authorization", format!("Bearer {}", config.admin.token));
    }
    let request = request.header("content-type", "application/json").body(Full::new(Bytes::from(body)));
    let request = request.map_err(|error| format!("{endpoint}: {error}"))?;
    let unanswered = |error: client::Unanswered| format!("no answer from {endpoint}: {error}");
    let mut response = client::send(host, request).await.map_err(unanswered)?;
    let mut last = b'\n';
    while let Some(frame) = response.frame().await {
        let Ok(chunk) = frame.map_err(|error| unanswered(error.into()))?.into_data() else { continue };
        let mut output = std::io::stdout().lock();
        output.write_all(&chunk).and_then(|()| output.flush()).map_err(|error| error.to_string())?;
        last = chunk.last().copied().unwrap_or(last);
    }
    if last != b'\n' {
        println!();
    }
    Ok(response.status().is_success())
}
