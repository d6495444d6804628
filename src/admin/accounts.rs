//! Levers on accounts: more of them while the daemon runs, and away with them and all that they own; no SQL.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::info::AccountInfo;
use super::state::ResetAnswer;
use super::{Named, Problem, Refusal, body};
use crate::App;
use crate::config::{AccessKey, Account};
use crate::faults::Fault;
use crate::store::Operation;
use crate::store::accounts::{self, StoredAccounts};
use crate::store::reset::{Reset, reset};
use crate::store::row_locks::RowLocks;
use crate::store::tx::{Context, Tx};

/// An account to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// 16 decimal digits.
    id: String,
    #[serde(default)]
    name: String,
    keys: Vec<NewKey>,
}

/// An access key to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    id: String,
    secret: String,
    /// Makes it an STS credential, which must be sent with each call.
    security_token: Option<String>,
    #[serde(default)]
    disabled: bool,
}

struct Insert(Account);

impl Operation for Insert {
    type Output = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        accounts::insert(tx, &self.0).await
    }
}

struct Drop(String);

impl Operation for Drop {
    type Output = Option<i64>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<i64>, Fault> {
        if !accounts::delete(tx, &self.0).await? {
            return Ok(None);
        }
        reset(tx, &Reset { account_id: Some(self.0.clone()), region_id: None }).await.map(Some)
    }
}

/// All accounts, those of the configuration first.
///
/// # Errors
/// The database fails.
pub(super) async fn all(app: &App) -> Result<Vec<Account>, Refusal> {
    let made = app.store.read(&Context::engine(), &StoredAccounts).await?;
    Ok(app.config.accounts.iter().cloned().chain(made).collect())
}

/// Lists all accounts, those of the configuration first; secrets are never told.
#[utoipa::path(get, path = "/accounts", responses((status = 200, body = Vec<AccountInfo>)))]
pub async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<AccountInfo>>, Refusal> {
    Ok(Json(all(&app).await?.iter().map(AccountInfo::from).collect()))
}

/// Makes an account with keys; it is there after a restart as well.
#[utoipa::path(post, path = "/accounts", request_body = NewAccount,
    responses((status = 200, body = AccountInfo), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn add(State(app): State<Arc<App>>, bytes: Bytes) -> Result<Json<AccountInfo>, Refusal> {
    let NewAccount { id, name, keys } = body::json(&bytes)?;
    if id.len() != 16 || !id.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::bad("id: 16 decimal digits"));
    }
    for (i, key) in keys.iter().enumerate() {
        let is_twice = keys[..i].iter().any(|other| other.id == key.id);
        if key.id.is_empty() || key.secret.is_empty() || key.security_token.as_deref() == Some("") || is_twice {
            return Err(Refusal::bad(format!("keys[{i}]: an id of its own and a secret, neither empty")));
        }
    }
    let is_taken = keys.iter().any(|key| app.credentials.has(&key.id));
    let keys = keys.into_iter().map(|NewKey { id, secret, security_token, disabled }| AccessKey {
        id,
        secret,
        security_token,
        disabled,
    });
    let account = Account { id, name, keys: keys.collect() };
    let is_taken = is_taken || app.config.accounts.iter().any(|known| known.id == account.id);
    if is_taken || !app.store.write(Context::engine(), RowLocks::none(), Insert(account.clone())).await? {
        return Err(Refusal::conflict("an account or a key of this id is there"));
    }
    app.levers.dropped.put(&account.id, false);
    app.credentials.add(&account);
    Ok(Json(AccountInfo::from(&account)))
}

/// Drops an account that was made so, with its keys and all that it owns.
#[utoipa::path(delete, path = "/accounts/{id}", params(("id" = String, Path)),
    responses((status = 200, body = ResetAnswer), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn remove(State(app): State<Arc<App>>, Named(id): Named<String>) -> Result<Json<ResetAnswer>, Refusal> {
    if app.config.accounts.iter().any(|known| known.id == id) {
        return Err(Refusal::conflict("an account of the configuration stays; a reset takes what it owns"));
    }
    let made = app.store.read(&Context::engine(), &StoredAccounts).await?;
    let absent = || Refusal::absent("there is no such account");
    let account = made.into_iter().find(|account| account.id == id).ok_or_else(absent)?;
    // The keys go first, and what was let in by them is refused when it is run: nothing is made that nobody would own.
    app.credentials.remove(&id);
    app.levers.dropped.put(&id, true);
    app.levers.arrears.put(&id, false);
    match app.store.write(Context::engine(), RowLocks::none(), Drop(id)).await {
        Ok(removed) => Ok(Json(ResetAnswer { removed: removed.ok_or_else(absent)? })),
        Err(failure) => {
            app.levers.dropped.put(&account.id, false);
            app.credentials.add(&account);
            Err(failure.into())
        }
    }
}
