//! What happens around every action: parameters, region, client token, row locks, DryRun; knows no action by name.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::App;
use crate::api::action::{Action, Call, Idempotent};
use crate::api::older;
use crate::faults::{self, Fault, fault};
use crate::regions;
use crate::store::Operation;
use crate::store::client_tokens::{self, Answer, Scope};
use crate::store::row_locks::RowLocks;
use crate::store::tx::{Context, Tx};
use crate::wire::params::{self, ParamError, Params};
use crate::wire::render;

/// Serves an action that changes nothing.
///
/// # Errors
/// Whatever the action refuses.
pub async fn read<A: Action>(app: Arc<App>, call: Call) -> Result<Vec<u8>, Fault> {
    let (step, context) = prepare::<A>(&app, &call)?;
    let lag = app.levers.lags.of(&context.account_id, A::NAME);
    let response = app.store.read_past(&context, lag, &step).await?;
    render::success(call.format, A::NAME, &call.request_id, &response)
}

/// Serves an action that changes something.
///
/// # Errors
/// Whatever the action refuses, 403 `Operation.Conflict` when a row is locked.
pub async fn write<A: Action>(app: Arc<App>, call: Call) -> Result<Vec<u8>, Fault> {
    let (step, context) = prepare::<A>(&app, &call)?;
    let locks = step.action.row_locks();
    let response = app.store.write(context, locks, step).await?;
    render::success(call.format, A::NAME, &call.request_id, &response)
}

/// Serves an action that changes something once for each client token.
///
/// The token is looked up before the rows are locked: a replay needs no lock. Until the answer is there, a claim in
/// memory keeps a second call with the same token out.
///
/// # Errors
/// As [`write`]; 403 `IdempotentProcessing`, 403 `IdempotentParameterMismatch`.
pub async fn write_once<A: Idempotent>(app: Arc<App>, call: Call) -> Result<Vec<u8>, Fault> {
    let (step, context) = prepare::<A>(&app, &call)?;
    let Some(token) = step.action.client_token().map(str::to_owned) else {
        let locks = step.action.row_locks();
        let response = app.store.write(context, locks, step).await?;
        return render::success(call.format, A::NAME, &call.request_id, &response);
    };
    if token.len() > 64 || !token.is_ascii() {
        return Err(fault("InvalidClientToken.Malformed"));
    }
    let region =
        context.region.map_or_else(|| app.config.fidelity.default_region.clone(), |region| region.id.to_owned());
    let claim = (Arc::clone(&context.account_id), region.clone(), A::NAME, token.clone());
    let _claim = app.claims.claim(claim).ok_or_else(|| fault("IdempotentProcessing"))?;
    let key = TokenKey { region, action: A::NAME, token, fingerprint: fingerprint(&step.action)? };
    if let Some(answer) = app.store.read(&context, &Replay(key.clone())).await? {
        if answer.fingerprint != key.fingerprint {
            return Err(fault("IdempotentParameterMismatch"));
        }
        let response: A::Response = serde_json::from_str(&answer.response).map_err(Fault::internal)?;
        return render::success(call.format, A::NAME, &call.request_id, &response);
    }
    let locks: RowLocks = step.action.row_locks();
    let response = app.store.write(context, locks, Once { step, key }).await?;
    render::success(call.format, A::NAME, &call.request_id, &response)
}

/// Reads and checks the parameters; finds out for whom and where the call is.
fn prepare<A: Action>(app: &App, call: &Call) -> Result<(Step<A>, Context), Fault> {
    let mut action: A = params::parse(&call.params).map_err(|error| refusal::<A>(error))?;
    if let Some(host) = &call.host {
        action.reached_at(host, call.is_secure);
    } else {
        let listen = app.config.tls.listen.filter(|_| call.is_secure).unwrap_or(app.config.listen);
        action.reached_at(&listen.to_string(), call.is_secure);
    }
    let region = named_region::<A>(app, &call.params)?;
    let in_older_codes = app.config.fidelity.older_codes;
    if in_older_codes {
        older::check_withdrawn(A::NAME, &call.params)?;
    }
    action.check()?;
    let named_instance = in_older_codes.then(|| older::named_instance(A::NAME, &call.params)).flatten();
    Ok((Step { action, named_instance }, Context { account_id: Arc::clone(&call.caller.account_id), region }))
}

fn named_region<A: Action>(app: &App, params: &Params) -> Result<Option<&'static regions::Region>, Fault> {
    let fidelity = &app.config.fidelity;
    let named = params.get("RegionId").filter(|id| !id.is_empty());
    let named = named.or_else(|| fidelity.strict_region.then_some(fidelity.default_region.as_str()));
    if named.is_none()
        && fidelity.require_region
        && let Some(code) = faults::missing_region(A::NAME)
    {
        return Err(fault(code).with("RegionId"));
    }
    named.map(|id| regions::find(id).ok_or_else(|| fault(region_code::<A>(id)))).transpose()
}

/// The code of this action for a region that does not exist, or for what cannot be the id of one.
fn region_code<A: Action>(id: &str) -> &'static str {
    let malformed = ["InvalidRegionId.MalFormed", "InvalidRegion.NotFound"];
    let own = malformed.into_iter().find(|code| faults::is_documented(A::NAME, code));
    own.filter(|_| !regions::is_region_id(id)).unwrap_or(A::UNKNOWN_REGION)
}

/// The code of this action for a parameter that is missing or cannot be read.
fn refusal<A: Action>(error: ParamError) -> Fault {
    match error {
        ParamError::Missing(parameter) => match code_in(A::MISSING, &parameter) {
            Some(code) => fault(code).with(parameter),
            None => Fault::missing(parameter),
        },
        ParamError::Invalid { path: parameter, .. } => {
            if let Some(code) = code_in(A::MALFORMED, &parameter) {
                return fault(code).with(parameter);
            }
            let documented = ["Malformed", "ValueNotSupported"].map(|kind| format!("Invalid{parameter}.{kind}"));
            match documented.into_iter().find(|code| faults::is_documented(A::NAME, code)) {
                Some(code) => fault(code),
                None => Fault::invalid(parameter),
            }
        }
    }
}

/// The code that an action's table has for a parameter.
fn code_in(table: &[(&str, &'static str)], parameter: &str) -> Option<&'static str> {
    let general = general_name(parameter);
    table.iter().find(|(name, _)| *name == general).map(|(_, code)| *code)
}

/// `Tag.3.Key` is `Tag.N.Key`.
fn general_name(parameter: &str) -> String {
    let is_index = |segment: &str| !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit());
    let segments = parameter.split('.').map(|segment| if is_index(segment) { "N" } else { segment });
    segments.collect::<Vec<_>>().join(".")
}

/// An action as the store's operation.
struct Step<A> {
    action: A,
    /// As [`older::named_instance`] tells it.
    named_instance: Option<(String, &'static str)>,
}

impl<A: Action> Operation for Step<A> {
    type Output = A::Response;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<A::Response, Fault> {
        // Whoever dropped the account has taken away all that it owned, or is about to.
        if tx.levers().dropped.has(tx.account_id()) {
            return Err(fault("InvalidAccessKeyId.NotFound"));
        }
        older::check_instance(tx, self.named_instance.as_ref()).await?;
        let response = self.action.run(tx).await?;
        // As an error it rolls back what was done.
        if self.action.is_dry_run() { Err(fault("DryRunOperation")) } else { Ok(response) }
    }
}

/// An action whose answer is remembered under its token, in the same transaction.
struct Once<A> {
    step: Step<A>,
    key: TokenKey,
}

impl<A: Idempotent> Operation for Once<A> {
    type Output = A::Response;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<A::Response, Fault> {
        let response = self.step.run(tx).await?;
        let answer = Answer {
            fingerprint: self.key.fingerprint.clone(),
            response: serde_json::to_string(&response).map_err(Fault::internal)?,
        };
        client_tokens::remember(tx, self.key.scope(), &answer).await?;
        Ok(response)
    }
}

struct Replay(TokenKey);

impl Operation for Replay {
    type Output = Option<Answer>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Answer>, Fault> {
        client_tokens::find(tx, self.0.scope()).await
    }
}

#[derive(Clone)]
struct TokenKey {
    region: String,
    action: &'static str,
    token: String,
    fingerprint: String,
}

impl TokenKey {
    fn scope(&self) -> Scope<'_> {
        Scope { region_id: &self.region, action: self.action, client_token: &self.token }
    }
}

/// The parameters as parsed values, hashed: `True` and `true` are the same call.
fn fingerprint<A: Serialize>(action: &A) -> Result<String, Fault> {
    let parsed = serde_json::to_vec(action).map_err(Fault::internal)?;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(parsed) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

type ClaimKey = (Arc<str>, String, &'static str, String);

/// The client tokens whose calls are running.
#[derive(Default)]
pub struct Claims(Mutex<HashSet<ClaimKey>>);

/// Keeps other calls with the same token out until it is dropped.
struct Claim<'a> {
    claims: &'a Claims,
    key: ClaimKey,
}

impl Claims {
    fn claim(&self, key: ClaimKey) -> Option<Claim<'_>> {
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        // Not `then_some`: a claim that is made and dropped at once would free the one that stands.
        is_new.then(|| Claim { claims: self, key })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
