//! What runs here: the version, the accounts, the clock's mode; changes nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::config::Account;

/// What runs here.
#[derive(Serialize, ToSchema)]
pub struct Info {
    /// Of snapshotd.
    version: &'static str,
    /// Those of the configuration.
    accounts: Vec<AccountInfo>,
}

/// An account and its keys.
#[derive(Serialize, ToSchema)]
pub struct AccountInfo {
    /// 16 digits.
    id: String,
    name: String,
    /// Ids of its access keys; secrets are never told.
    access_key_ids: Vec<String>,
}

impl From<&Account> for AccountInfo {
    fn from(account: &Account) -> Self {
        let access_key_ids = account.keys.iter().map(|key| key.id.clone()).collect();
        Self { id: account.id.clone(), name: account.name.clone(), access_key_ids }
    }
}

/// Tells what runs here.
#[utoipa::path(get, path = "/info", responses((status = 200, body = Info)))]
pub async fn show(State(app): State<Arc<App>>) -> Json<Info> {
    let accounts = app.config.accounts.iter().map(AccountInfo::from).collect();
    Json(Info { version: env!("CARGO_PKG_VERSION"), accounts })
}
