//! The whole state as rows, out and in: every table but what others imply; the schema's own rules judge what comes in.

use std::collections::BTreeMap;

use super::Operation;
use super::catalog::{self, Fields, IMPLIED, Table};
use super::events::{self, Subject};
use super::images::SYSTEM;
use super::reset::OWNED;
use super::snapshots;
use super::tx::Tx;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// Rows that triggers may have made before they come in.
const LAST: [&str; 2] = ["contents", "snapshot_links"];

/// Rows by table.
pub type Rows = BTreeMap<String, Vec<Fields>>;

/// A whole state.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    pub present: Option<Timestamp>,
    /// How many ids were drawn.
    pub id_position: i64,
    pub rows: Rows,
}

/// Why a state is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    pub table: String,
    /// From 0, in the table's list.
    pub index: usize,
    /// What the row has in the columns of its key.
    pub key: Vec<String>,
    /// The column that is wrong, where one alone is.
    pub column: Option<String>,
    pub why: String,
}

/// Tables of the state as a document has them, those first that others refer to.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn tables(tx: &mut Tx<'_>) -> Result<Vec<Table>, Fault> {
    let tables = catalog::in_order(tx.conn().await?, &LAST).await?.into_iter();
    Ok(tables.filter(|table| table.name == "snapshot_links" || !IMPLIED.contains(&table.name.as_str())).collect())
}

/// The tables that a document may have.
pub struct Shape;

impl Operation for Shape {
    type Output = Vec<Table>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Table>, Fault> {
        tables(tx).await
    }
}

/// Reads everything; base images are no part of it.
pub struct Export;

impl Operation for Export {
    type Output = Whole;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Whole, Fault> {
        let mut rows = Rows::new();
        for table in tables(tx).await? {
            let mut clauses = match table.name.as_str() {
                "images" => format!("WHERE account_id <> '{SYSTEM}'"),
                "image_disk_mappings" => {
                    format!("WHERE image_id NOT IN (SELECT image_id FROM images WHERE account_id = '{SYSTEM}')")
                }
                _ => String::new(),
            };
            clauses = format!("{clauses} ORDER BY {}", table.key.join(", "));
            let found = catalog::rows(tx.conn().await?, &table.name, &clauses).await?;
            if !found.is_empty() {
                rows.insert(table.name, found);
            }
        }
        let id_position = sqlx::query_scalar("SELECT id_position FROM engine").fetch_one(tx.conn().await?).await?;
        Ok(Whole { present: Some(tx.now), id_position, rows })
    }
}

/// Puts rows beside those that are there: all or none.
pub struct Import(pub Whole);

impl Operation for Import {
    type Output = Result<usize, Misfit>;

    /// A row that does not fit fails the operation after others were written, so the caller gets it by way of a trial.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, Fault> {
        sqlx::query("SAVEPOINT import").execute(tx.writing_conn().await?).await?;
        let outcome = put_all(tx, &self.0.rows).await?;
        if outcome.is_err() {
            sqlx::query("ROLLBACK TO import").execute(tx.writing_conn().await?).await?;
        }
        sqlx::query("RELEASE import").execute(tx.writing_conn().await?).await?;
        let Ok(count) = outcome else { return Ok(outcome) };
        follow_up(tx, &self.0).await?;
        Ok(Ok(count))
    }
}

async fn put_all(tx: &mut Tx<'_>, rows: &Rows) -> Result<Result<usize, Misfit>, Fault> {
    let mut count = 0;
    for table in tables(tx).await? {
        let replaces = LAST.contains(&table.name.as_str());
        for (index, row) in rows.get(&table.name).into_iter().flatten().enumerate() {
            count += 1;
            match catalog::insert(tx.writing_conn().await?, &table.name, row, replaces).await {
                Ok(()) => {}
                Err(sqlx::Error::Database(error)) => {
                    return Ok(Err(misfit(tx, &table, index, row, error.message()).await?));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(Ok(count))
}

/// The schema's own words say what is allowed; those of SQLite alone are put into ours.
async fn misfit(tx: &mut Tx<'_>, table: &Table, index: usize, row: &Fields, message: &str) -> Result<Misfit, Fault> {
    let told = |column: &str| row.get(column).map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
    let told = |column: &String| told(column).unwrap_or_default();
    let key: Vec<String> = table.key.iter().map(told).collect();
    let (column, why) = match message.split_once(": ") {
        Some((kind, _)) if kind.starts_with("UNIQUE") => {
            (table.key.last().cloned(), format!("{} is taken already", key.join(" with ")))
        }
        Some((kind, rule)) if kind.starts_with("CHECK") => {
            (rule.split(' ').next().map(str::to_owned), format!("what is allowed: {rule}"))
        }
        Some((kind, place)) if kind.starts_with("NOT NULL") => {
            (place.rsplit('.').next().map(str::to_owned), "it is needed".to_owned())
        }
        _ => match catalog::dangling(tx.conn().await?, &table.name, row).await?.into_iter().next() {
            Some((column, target)) => {
                let why = format!("there is no {} in {target}", told(&column));
                (Some(column), why)
            }
            None => (None, message.to_owned()),
        },
    };
    Ok(Misfit { table: table.name.clone(), index, key, column, why })
}

/// What rows imply: usages, the next timer, numbers of ids and events.
async fn follow_up(tx: &mut Tx<'_>, whole: &Whole) -> Result<(), Fault> {
    for row in whole.rows.get("snapshots").into_iter().flatten() {
        if let Some(id) = row.get("snapshot_id").and_then(|id| id.as_str()) {
            snapshots::refresh_usage(tx, id).await?;
        }
    }
    let seed: Option<String> = sqlx::query_scalar("SELECT seed FROM id_seeds").fetch_optional(tx.conn().await?).await?;
    if let Some(seed) = seed.and_then(|seed| seed.parse().ok()) {
        let position = tx.ids().position();
        tx.ids().reseed(Some(seed));
        tx.ids().rewind(position);
    }
    let position = tx.ids().position().max(whole.id_position);
    tx.ids().rewind(position);
    let earliest: Option<Timestamp> =
        sqlx::query_scalar("SELECT MIN(due_at) FROM timers").fetch_one(tx.conn().await?).await?;
    if let Some(earliest) = earliest {
        tx.timer_was_set(earliest);
    }
    let newest: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(event_id), 0) FROM tombstones").fetch_one(tx.conn().await?).await?;
    tx.events_went_on_to(newest);
    let of_nobody = Subject { account_id: "", region_id: "", resource_id: "" };
    events::record(tx, "State:Seeded", of_nobody, "").await
}

/// Whether there is nothing and never was: no resource, no tombstone, no id drawn.
pub struct IsUntouched;

impl Operation for IsUntouched {
    type Output = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        let mut count: i64 = sqlx::query_scalar("SELECT id_position + (SELECT COUNT(*) FROM tombstones) FROM engine")
            .fetch_one(tx.conn().await?)
            .await?;
        for (table, _) in OWNED {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE account_id <> '{SYSTEM}'");
            count += sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)).fetch_one(tx.conn().await?).await?;
        }
        Ok(count == 0)
    }
}
