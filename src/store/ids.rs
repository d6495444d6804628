//! What the store keeps of the generator of ids: its seed, and which ids are taken; makes none.

use super::reset::OWNED;
use super::tx::Tx;
use crate::faults::Fault;
use crate::ids::{IdGenerator, IdKind};

/// How many of the first ids of a seed must be free.
const FIRST: usize = 64;

/// Seeds the generator from here on, restarts included; `false` when ids of this seed are there already.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn seed(tx: &mut Tx<'_>, seed: u64) -> Result<bool, Fault> {
    let tokens = IdGenerator::first_tokens(seed, FIRST);
    let marks: Vec<String> = (1..=FIRST).map(|n| format!("${n}")).collect();
    for (table, id) in OWNED {
        let length = tokens.first().map_or(0, String::len);
        let sql = format!(
            "SELECT COUNT(*) FROM {table} WHERE substr({id}, length({id}) - {length} + 1) IN ({})",
            marks.join(", ")
        );
        let mut query = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql));
        for token in &tokens {
            query = query.bind(token);
        }
        if query.fetch_one(tx.conn().await?).await? > 0 {
            return Ok(false);
        }
    }
    let statement = sqlx::query(
        "INSERT INTO id_seeds (singleton, seed) VALUES (1, $1) ON CONFLICT (singleton) DO UPDATE SET seed = excluded.seed",
    );
    tx.execute(statement.bind(seed.to_string())).await?;
    tx.ids().reseed(Some(seed));
    Ok(true)
}

/// Makes `id` the next of its kind; `false` when it is taken, by what is there, was there or is named already.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn name(tx: &mut Tx<'_>, kind: IdKind, id: &str) -> Result<bool, Fault> {
    Ok(!is_taken(tx, id).await? && tx.ids().name(kind, id.to_owned()))
}

/// Whether something has, or had, this id.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn is_taken(tx: &mut Tx<'_>, id: &str) -> Result<bool, Fault> {
    for (table, column) in OWNED.into_iter().chain([("tombstones", "resource_id")]) {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} = $1");
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(tx.conn().await?).await?;
        if found > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
