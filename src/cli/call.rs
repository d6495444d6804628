//! `snapshotd call`: signs one call, sends it to a running daemon and prints the answer as it came.

use std::process::ExitCode;

use clap::Args;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;

use super::exchange::report;
use crate::api::action::ECS;
use crate::clock::Clock;
use crate::config::Config;
use crate::ids;
use crate::store::folder;
use crate::wire::client::exchange;
use crate::wire::{form, signature_v1};

/// The arguments of `snapshotd call`.
#[derive(Debug, Args)]
#[command(
    after_help = "Options before the parameters' own: --endpoint URL [default: that of the daemon on data_dir, else \
                        `listen`], --access-key-id ID and --access-key-secret SECRET [default: the first key of the \
                        configuration], --security-token TOKEN.\nExample: snapshotd call DeleteSnapshot --SnapshotId s-1 \
                        --Force true"
)]
pub struct Arguments {
    /// The action, such as DescribeSnapshots
    action: String,
    /// Its parameters, such as --SnapshotId s-1 --Tag.1.Key team
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "--PARAMETER VALUE")]
    parameters: Vec<String>,
}

/// Where a call goes and who signs it.
struct Target {
    endpoint: String,
    key_id: String,
    secret: String,
    security_token: Option<String>,
}

pub async fn run(config: Config, arguments: Arguments) -> ExitCode {
    let Arguments { action, parameters } = arguments;
    let outcome = match prepare(&config, &parameters) {
        Ok((target, pairs)) => send(&target, &action, pairs).await,
        Err(why) => Err(why),
    };
    report(outcome)
}

type Pairs = Vec<(String, String)>;

fn prepare(config: &Config, arguments: &[String]) -> Result<(Target, Pairs), String> {
    let key = config.accounts.iter().flat_map(|account| &account.keys).find(|key| !key.disabled);
    let endpoint = folder::published_endpoint(&config.data_dir).unwrap_or_else(|| format!("http://{}", config.listen));
    let mut target = Target {
        endpoint,
        key_id: key.map(|key| key.id.clone()).unwrap_or_default(),
        secret: key.map(|key| key.secret.clone()).unwrap_or_default(),
        security_token: key.and_then(|key| key.security_token.clone()),
    };
    let mut pairs = Pairs::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let name = word.strip_prefix("--").filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| format!("{word}: a parameter begins with --"))?;
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => (name, words.next().ok_or_else(|| format!("--{name} needs a value"))?.clone()),
        };
        match name {
            "endpoint" => target.endpoint = value,
            "access-key-id" => target.key_id = value,
            "access-key-secret" => target.secret = value,
            "security-token" => target.security_token = Some(value),
            _ => pairs.push((name.to_owned(), value)),
        }
    }
    Ok((target, pairs))
}

async fn send(target: &Target, action: &str, mut pairs: Pairs) -> Result<(bool, String), String> {
    let host = target.endpoint.trim_start_matches("http://").trim_end_matches('/');
    let mut common = vec![
        ("Action", action.to_owned()),
        ("AccessKeyId", target.key_id.clone()),
        ("SignatureMethod", "HMAC-SHA1".to_owned()),
        ("SignatureVersion", "1.0".to_owned()),
        ("SignatureNonce", ids::nonce()),
        ("Timestamp", Clock::system().wall_now().to_seconds()),
    ];
    common.extend(target.security_token.clone().map(|token| ("SecurityToken", token)));
    for (name, value) in [("Version", ECS), ("Format", "JSON")] {
        if !pairs.iter().any(|(given, _)| given == name) {
            common.push((name, value.to_owned()));
        }
    }
    pairs.extend(common.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let signature = signature_v1::sign(&target.secret, &signature_v1::string_to_sign("POST", &pairs));
    pairs.push(("Signature".to_owned(), signature));
    let request = Request::post("/")
        .header("host", host)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form::encoded_pairs(&pairs))))
        .map_err(|error| format!("{}: {error}", target.endpoint))?;
    exchange(host, request).await.map_err(|error| format!("no answer from {}: {error}", target.endpoint))
}
