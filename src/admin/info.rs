//! What runs here: the version, the accounts, the clock's mode; changes nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;

/// What runs here.
#[derive(Serialize, ToSchema)]
pub struct Info {
    /// Of snapshotd.
    version: &'static str,
    accounts: Vec<AccountInfo>,
}

#[derive(Serialize, ToSchema)]
struct AccountInfo {
    /// 16 digits.
    id: String,
    name: String,
    /// Ids of its access keys; secrets are never told.
    access_key_ids: Vec<String>,
}

/// Tells what runs here.
#[utoipa::path(get, path = "/info", responses((status = 200, body = Info)))]
pub async fn show(State(app): State<Arc<App>>) -> Json<Info> {
    let account = |account: &crate::config::Account| AccountInfo {
        id: account.id.clone(),
        name: account.name.clone(),
        access_key_ids: account.keys.iter().map(|key| key.id.clone()).collect(),
    };
    let accounts = app.config.accounts.iter().map(account).collect();
    Json(Info { version: env!("CARGO_PKG_VERSION"), accounts })
}
