//! The snapshot service of each account: opened or not; never decides what needs it.

use super::tx::Tx;
use crate::faults::Fault;

/// Whether the caller's account opened it.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn is_open(tx: &mut Tx<'_>) -> Result<bool, Fault> {
    let account_id = tx.account_id().to_owned();
    let query = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM snapshot_services WHERE account_id = $1)");
    let found: i64 = query.bind(account_id).fetch_one(tx.conn().await?).await?;
    Ok(found != 0)
}

/// Opens it for the caller's account; once more is no error.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn open(tx: &mut Tx<'_>) -> Result<(), Fault> {
    let (account_id, now) = (tx.account_id().to_owned(), tx.now);
    let statement = sqlx::query(
        "INSERT INTO snapshot_services (account_id, opened_at) VALUES ($1, $2) ON CONFLICT (account_id) DO NOTHING",
    );
    tx.execute(statement.bind(account_id).bind(now)).await
}
