//! Client tokens: answers already given, stored in the transaction of their effect; never judges whether they match.

use super::tx::Tx;
use crate::faults::Fault;

/// An answer given under a client token.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Answer {
    /// SHA-256 of the parameters as parsed values, in hexadecimal.
    pub fingerprint: String,
    /// The response as JSON.
    pub response: String,
}

/// The scope of a client token beside the account.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub region_id: &'a str,
    pub action: &'a str,
    pub client_token: &'a str,
}

/// The answer given under this token within the hours that tokens are remembered.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find(tx: &mut Tx<'_>, scope: Scope<'_>) -> Result<Option<Answer>, Fault> {
    let oldest = tx.now.plus_millis(-tx.config().fidelity.token_hours.saturating_mul(3_600_000));
    let account_id = tx.account_id().to_owned();
    let answer = sqlx::query_as(
        "SELECT fingerprint, response FROM client_tokens
         WHERE account_id = $1 AND region_id = $2 AND action = $3 AND client_token = $4 AND created_at > $5",
    )
    .bind(account_id)
    .bind(scope.region_id)
    .bind(scope.action)
    .bind(scope.client_token)
    .bind(oldest)
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(answer)
}

/// Remembers an answer; one under the same token that has expired is replaced.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn remember(tx: &mut Tx<'_>, scope: Scope<'_>, answer: &Answer) -> Result<(), Fault> {
    let (account_id, now) = (tx.account_id().to_owned(), tx.now);
    let statement = sqlx::query(
        "INSERT INTO client_tokens (account_id, region_id, action, client_token, fingerprint, response, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (account_id, region_id, action, client_token) DO UPDATE
         SET fingerprint = excluded.fingerprint, response = excluded.response, created_at = excluded.created_at",
    )
    .bind(account_id)
    .bind(scope.region_id)
    .bind(scope.action)
    .bind(scope.client_token)
    .bind(&answer.fingerprint)
    .bind(&answer.response)
    .bind(now);
    tx.execute(statement).await?;
    Ok(())
}
