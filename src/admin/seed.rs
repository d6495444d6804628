//! A whole state as one document: what a seed puts in and an export gives out in the same form; no SQL.

mod fill;
mod implied;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::moment::Moment;
use super::{Problem, Refusal, body};
use crate::App;
use crate::clock::{Mode, Timestamp};
use crate::lifecycle::engine;
use crate::store::accounts::StoredAccounts;
use crate::store::catalog::{Fields, Table};
use crate::store::row_locks::RowLocks;
use crate::store::tx::Context;
use crate::store::whole::{Export, Import, IsUntouched, Misfit, Shape, Whole};

/// A state: a list of rows for each table, each with the columns of that table. Rows may leave out what has a default.
///
/// Beside its columns a resource may have `tags` (a table of keys and values), a disk or snapshot `content`, a disk
/// `instance_id` and `device`. Times are exact, or such as `30d ago`.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Document {
    /// The time of the state. A manual clock that is behind goes on to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    present: Option<Moment>,
    /// How many ids were drawn; those of a seeded generator go on from here.
    #[serde(default)]
    id_position: i64,
    #[serde(flatten)]
    #[schema(value_type = BTreeMap<String, Vec<Object>>)]
    tables: BTreeMap<String, Value>,
}

/// What was put in.
#[derive(Serialize, ToSchema)]
pub struct Seeded {
    /// Rows, those that others imply included.
    rows: usize,
}

/// What rows are filled up from.
pub struct Surroundings {
    tables: Vec<Table>,
    now: Timestamp,
    account_id: String,
    accounts: BTreeSet<String>,
    region_id: String,
    snapshot_ms: i64,
}

impl Surroundings {
    async fn of(app: &App) -> Result<Self, Refusal> {
        let engine = Context::engine();
        let made = app.store.read(&engine, &StoredAccounts).await?;
        let configured = &app.config.accounts;
        Ok(Self {
            tables: app.store.read(&engine, &Shape).await?,
            now: app.clock.now(),
            account_id: configured.first().map(|account| account.id.clone()).unwrap_or_default(),
            accounts: configured.iter().chain(&made).map(|account| account.id.clone()).collect(),
            region_id: app.config.fidelity.default_region.clone(),
            snapshot_ms: app.config.lifecycle.snapshot_ms.into(),
        })
    }
}

/// Puts disks, snapshots, images, instances, policies, groups, tags … with ids, times and states of one's choice beside
/// what is there; all or, where something is wrong, nothing. The body is TOML or JSON, in the form of an export.
#[utoipa::path(post, path = "/seed", request_body = Document,
    responses((status = 200, body = Seeded), (status = 400, body = Problem)))]
pub async fn seed(State(app): State<Arc<App>>, bytes: Bytes) -> Result<Json<Seeded>, Refusal> {
    let document = if bytes.trim_ascii_start().starts_with(b"{") { body::json(&bytes)? } else { body::toml(&bytes)? };
    Ok(Json(Seeded { rows: plant(&app, document).await? }))
}

/// Gives out the whole state but events; a seed of it in an empty store makes the same state.
#[utoipa::path(get, path = "/export", responses((status = 200, body = Document)))]
pub async fn export(State(app): State<Arc<App>>) -> Result<Json<Document>, Refusal> {
    let whole = app.store.read(&Context::engine(), &Export).await?;
    let tables = app.store.read(&Context::engine(), &Shape).await?;
    let mut document = Document { present: whole.present.map(Moment::from), ..Document::default() };
    document.id_position = whole.id_position;
    for table in tables {
        let Some(rows) = whole.rows.get(&table.name) else { continue };
        let rows = rows.iter().map(|row| row.iter().map(|(name, value)| told(&table, name, value)).collect::<Value>());
        document.tables.insert(table.name.clone(), rows.collect());
    }
    Ok(Json(document))
}

/// A value as a document has it.
fn told(table: &Table, name: &str, value: &Value) -> (String, Value) {
    let column = table.columns.iter().find(|column| column.name == name);
    let value = match (value.as_i64(), column) {
        (Some(millis), Some(column)) if column.is_time() => {
            Moment::from(Timestamp::from_millis(millis)).to_string().into()
        }
        (Some(number), Some(column)) if column.is_flag => (number != 0).into(),
        _ => value.clone(),
    };
    (name.to_owned(), value)
}

async fn plant(app: &App, document: Document) -> Result<usize, Refusal> {
    let surroundings = Surroundings::of(app).await?;
    let Document { present, id_position, tables } = document;
    let mut rows = fill::rows(&surroundings, tables)?;
    let given: BTreeMap<String, usize> = rows.iter().map(|(table, rows)| (table.clone(), rows.len())).collect();
    implied::add(&surroundings, &mut rows)?;
    let present = present.map(|present| present.seen_from(surroundings.now));
    let import = Import(Whole { present, id_position, rows });
    let outcome = app.store.write(Context::engine(), RowLocks::none(), import).await?;
    let count = outcome.map_err(|misfit| placed(&given, &misfit))?;
    if let Some(present) = present.filter(|present| app.clock.mode() == Mode::Manual && *present > app.clock.now()) {
        engine::advance(app, present).await?;
    }
    Ok(count)
}

/// A misfit with its place: the row by its number where the document has it, else by its key.
fn placed(given: &BTreeMap<String, usize>, misfit: &Misfit) -> Refusal {
    let Misfit { table, index, key, column, why } = misfit;
    let row = match given.get(table) {
        Some(count) if index < count => format!("{table}[{index}]"),
        _ => format!("{table} of {}", key.join(" with ")),
    };
    let column = column.as_ref().map(|column| format!(".{column}")).unwrap_or_default();
    Refusal::bad(format!("{row}{column}: {why}"))
}

/// Plants the file that the configuration names, in a store that never held anything.
///
/// # Errors
/// The file cannot be read, or its seed is refused: why, in words.
pub async fn plant_file(app: &App, file: &Path) -> Result<(), String> {
    let place = |why: String| format!("[seed] file {}: {why}", file.display());
    let is_untouched =
        app.store.read(&Context::engine(), &IsUntouched).await.map_err(|fault| place(fault.to_string()))?;
    if !is_untouched {
        return Ok(());
    }
    let bytes = std::fs::read(file).map_err(|error| place(error.to_string()))?;
    let is_json = file.extension().is_some_and(|ending| ending == "json");
    let document = if is_json { body::json(&bytes) } else { body::toml(&bytes) };
    let document = document.map_err(|refusal| place(refusal.why))?;
    plant(app, document).await.map(drop).map_err(|refusal| place(refusal.why))
}

/// A row's text in this column; empty for none.
fn text<'r>(row: &'r Fields, column: &str) -> &'r str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}
