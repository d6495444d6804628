//! Webhooks: who is told of events and how far each has come; never sends anything.

use sqlx::FromRow;

use super::Conn;
use super::events::Selection;
use super::tx::Tx;
use super::value::bind;
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
    /// How many events were forgotten before it was told of them.
    pub lost: i64,
}

impl Webhook {
    /// The events that it is yet to be told.
    #[must_use]
    pub fn outstanding(&self, limit: i64) -> Selection {
        Selection {
            after: self.position,
            limit,
            name: self.event_name.clone(),
            resource_id: self.resource_id.clone(),
            account_id: self.account_id.clone(),
        }
    }
}

/// The last event that can be forgotten: `asked`, or less where a webhook is yet to be told of one up to there, but never
/// less than `most`. What a webhook so loses is counted with it.
///
/// # Errors
/// The database fails.
pub(super) async fn forgettable(conn: &mut Conn, asked: i64, most: i64) -> Result<i64, sqlx::Error> {
    let mut last = asked;
    let webhooks: Vec<Webhook> = sqlx::query_as("SELECT * FROM webhooks ORDER BY name").fetch_all(&mut *conn).await?;
    for webhook in webhooks {
        let mut filter = webhook.outstanding(0).filter();
        let oldest = format!("SELECT MIN(event_id) FROM events WHERE {}", filter.conditions());
        let oldest = bind!(sqlx::query_scalar(sqlx::AssertSqlSafe(oldest)), filter.values());
        let oldest: Option<i64> = oldest.fetch_one(&mut *conn).await?;
        let Some(oldest) = oldest.filter(|oldest| *oldest <= last) else { continue };
        last = most.max(oldest - 1);
        if oldest > most {
            continue;
        }
        filter.condition("event_id <= ?", [most.into()]);
        let lost = format!("SELECT COUNT(*) FROM events WHERE {}", filter.conditions());
        let lost = bind!(sqlx::query_scalar(sqlx::AssertSqlSafe(lost)), filter.values());
        let lost: i64 = lost.fetch_one(&mut *conn).await?;
        tracing::warn!(webhook = webhook.name, lost, "a webhook is too far behind; events go that it was not told of");
        let count = sqlx::query("UPDATE webhooks SET lost = lost + $2 WHERE name = $1");
        count.bind(&webhook.name).bind(lost).execute(&mut *conn).await?;
    }
    Ok(last)
}

/// All of them, by name.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<Webhook>, Fault> {
    Ok(sqlx::query_as("SELECT * FROM webhooks ORDER BY name").fetch_all(tx.conn().await?).await?)
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
