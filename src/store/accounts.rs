//! Accounts that were made at run time, with their keys, beside those of the configuration; never checks a signature.

use super::tx::Tx;
use super::{Flag, Operation};
use crate::config::{AccessKey, Account};
use crate::faults::Fault;

/// All stored accounts, by id.
pub struct StoredAccounts;

impl Operation for StoredAccounts {
    type Output = Vec<Account>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Account>, Fault> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT account_id, account_name FROM accounts ORDER BY account_id")
                .fetch_all(tx.conn().await?)
                .await?;
        let mut accounts = Vec::new();
        for (id, name) in rows {
            let keys: Vec<(String, String, String, Flag)> = sqlx::query_as(
                "SELECT access_key_id, access_key_secret, security_token, disabled FROM access_keys
                 WHERE account_id = $1 ORDER BY access_key_id",
            )
            .bind(&id)
            .fetch_all(tx.conn().await?)
            .await?;
            let keys = keys.into_iter().map(|(id, secret, token, disabled)| AccessKey {
                id,
                secret,
                security_token: (!token.is_empty()).then_some(token),
                disabled: disabled.into(),
            });
            accounts.push(Account { id, name, keys: keys.collect() });
        }
        Ok(accounts)
    }
}

/// Stores an account; `false` when the id or that of a key is taken among the stored ones.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn insert(tx: &mut Tx<'_>, account: &Account) -> Result<bool, Fault> {
    let keys: Vec<&str> = account.keys.iter().map(|key| key.id.as_str()).collect();
    for key in keys {
        let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM access_keys WHERE access_key_id = $1")
            .bind(key)
            .fetch_one(tx.conn().await?)
            .await?;
        if known > 0 {
            return Ok(false);
        }
    }
    let statement =
        sqlx::query("INSERT INTO accounts (account_id, account_name) VALUES ($1, $2) ON CONFLICT DO NOTHING");
    if !tx.execute_guarded(statement.bind(&account.id).bind(&account.name), 0).await? {
        return Ok(false);
    }
    for key in &account.keys {
        let statement = sqlx::query(
            "INSERT INTO access_keys (access_key_id, account_id, access_key_secret, security_token, disabled)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&key.id)
        .bind(&account.id)
        .bind(&key.secret)
        .bind(key.security_token.as_deref().unwrap_or_default())
        .bind(Flag::from(key.disabled));
        tx.execute(statement).await?;
    }
    Ok(true)
}

/// Forgets an account and its keys, and what others share with it; `false` when there is none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn delete(tx: &mut Tx<'_>, account_id: &str) -> Result<bool, Fault> {
    let statement =
        sqlx::query("DELETE FROM accounts WHERE account_id = $1; DELETE FROM image_shares WHERE account_id = $1");
    tx.execute_guarded(statement.bind(account_id), 0).await
}

/// Whether there is such an account, configured or made.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn is_known(tx: &mut Tx<'_>, account_id: &str) -> Result<bool, Fault> {
    if tx.config().accounts.iter().any(|account| account.id == account_id) {
        return Ok(true);
    }
    let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM accounts WHERE account_id = $1")
        .bind(account_id)
        .fetch_one(tx.conn().await?)
        .await?;
    Ok(known > 0)
}
