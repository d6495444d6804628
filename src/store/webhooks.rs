//! Webhooks: who is told of events and how far each has come; never sends anything.

use sqlx::FromRow;

use super::tx::Tx;
use crate::faults::Fault;

/// A listener by HTTP.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Webhook {
    pub name: String,
    pub url: String,
    /// Which events it is told; empty for all.
    pub event_name: String,
    pub resource_id: String,
    pub account_id: String,
    /// The number of the last event that was delivered.
    pub position: i64,
}

/// All of them, by name.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<Webhook>, Fault> {
    Ok(sqlx::query_as("SELECT * FROM webhooks ORDER BY name").fetch_all(tx.conn()).await?)
}

/// Stores a webhook; `false` when the name is taken.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn insert(tx: &mut Tx<'_>, webhook: &Webhook) -> Result<bool, Fault> {
    let statement = sqlx::query(
        "INSERT INTO webhooks (name, url, event_name, resource_id, account_id, position) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(&webhook.name)
    .bind(&webhook.url)
    .bind(&webhook.event_name)
    .bind(&webhook.resource_id)
    .bind(&webhook.account_id)
    .bind(webhook.position);
    tx.execute_guarded(statement, 0).await
}

/// Forgets a webhook; `false` when there is none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn delete(tx: &mut Tx<'_>, name: &str) -> Result<bool, Fault> {
    tx.execute_guarded(sqlx::query("DELETE FROM webhooks WHERE name = $1").bind(name), 0).await
}

/// Everything up to event `to` was delivered to a webhook that was at `from`; `false` when it is elsewhere, or gone.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn go_on(tx: &mut Tx<'_>, name: &str, from: i64, to: i64) -> Result<bool, Fault> {
    let statement = sqlx::query("UPDATE webhooks SET position = $3 WHERE name = $1 AND position = $2");
    tx.execute_guarded(statement.bind(name).bind(from).bind(to), 0).await
}
