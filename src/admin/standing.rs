//! The standing of accounts: which are in arrears; what that forbids is the affair of each action.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Named, Problem, Refusal, accounts};
use crate::App;
use crate::config::Account;

/// How an account stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Its bills are unpaid: what costs money is refused with InvalidAccountStatus.NotEnoughBalance.
    pub in_arrears: bool,
}

/// An account and how it stands.
#[derive(Serialize, ToSchema)]
pub struct AccountStanding {
    account: String,
    in_arrears: bool,
}

/// Lists how all accounts stand.
#[utoipa::path(get, path = "/accounts/standing", responses((status = 200, body = [AccountStanding])))]
pub async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<AccountStanding>>, Refusal> {
    let standing =
        |account: Account| AccountStanding { in_arrears: app.levers.arrears.has(&account.id), account: account.id };
    Ok(Json(accounts::all(&app).await?.into_iter().map(standing).collect()))
}

/// Puts an account into arrears, or out of them; a restart forgets it.
#[utoipa::path(put, path = "/accounts/{id}/standing", request_body = Standing,
    params(("id" = String, Path, description = "16 digits")),
    responses((status = 200, body = Standing), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn set(
    State(app): State<Arc<App>>,
    Named(id): Named<String>,
    standing: Result<Json<Standing>, JsonRejection>,
) -> Result<Json<Standing>, Refusal> {
    let Json(standing) = standing?;
    if !accounts::all(&app).await?.iter().any(|account| account.id == id) {
        return Err(Refusal::absent(format!("{id}: no such account")));
    }
    app.levers.arrears.put(&id, standing.in_arrears);
    Ok(Json(standing))
}
