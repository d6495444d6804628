//! The tables that there are, as SQLite's own catalog tells, and their rows without types; knows what state is and what is kept.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::value::{Value as Bound, bind};
use super::{Conn, Row};

/// Tables that are no state: neither reset nor saved nor restored. Events are a diary and never go back; webhooks and
/// accounts belong to whoever runs the bench.
const KEPT: [&str; 4] = ["events", "webhooks", "accounts", "access_keys"];

/// What other rows imply and triggers keep, beside the engine's own row: no difference by itself.
pub const IMPLIED: [&str; 4] = ["engine", "snapshot_counts", "snapshot_links", "tag_counts"];

/// A table of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// The columns of its primary key.
    pub key: Vec<String>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub is_number: bool,
    /// Holds 0 or 1 alone, as its own check says.
    pub is_flag: bool,
    /// Never null.
    pub is_required: bool,
}

impl Column {
    /// Milliseconds since 1970, by its name.
    #[must_use]
    pub fn is_time(&self) -> bool {
        self.is_number && (self.name.ends_with("_time") || self.name.ends_with("_at"))
    }
}

/// A row without types: texts, numbers and nulls by column.
pub type Fields = BTreeMap<String, Value>;

/// The tables of the state, by name.
///
/// # Errors
/// The database fails.
pub async fn tables(conn: &mut Conn) -> Result<Vec<Table>, sqlx::Error> {
    let names: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM sqlite_master
         WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> '_sqlx_migrations' ORDER BY name",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut tables = Vec::new();
    for (name, sql) in names.into_iter().filter(|(name, _)| !KEPT.contains(&name.as_str())) {
        let described: Vec<(String, String, i64, i64)> =
            sqlx::query_as("SELECT name, type, \"notnull\", pk FROM pragma_table_info($1)")
                .bind(&name)
                .fetch_all(&mut *conn)
                .await?;
        let mut key: Vec<(i64, String)> =
            described.iter().filter(|(.., place)| *place > 0).map(|(name, .., place)| (*place, name.clone())).collect();
        key.sort();
        let columns = described.into_iter().map(|(name, kind, required, place)| Column {
            is_flag: sql.contains(&format!("CHECK ({name} IN (0, 1))")),
            name,
            is_number: kind == "BIGINT",
            is_required: required != 0 || place > 0,
        });
        let (columns, key) = (columns.collect(), key.into_iter().map(|(_, column)| column).collect());
        tables.push(Table { name, columns, key });
    }
    Ok(tables)
}

/// The tables with those first that others refer to; `last` comes after all.
///
/// # Errors
/// The database fails.
pub async fn in_order(conn: &mut Conn, last: &[&str]) -> Result<Vec<Table>, sqlx::Error> {
    let mut rest = tables(conn).await?;
    let mut ordered: Vec<Table> = Vec::new();
    while !rest.is_empty() {
        let mut ready = None;
        for (i, table) in rest.iter().enumerate() {
            let targets: Vec<String> = sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_list($1)")
                .bind(&table.name)
                .fetch_all(&mut *conn)
                .await?;
            let waits = |target: &String| *target != table.name && rest.iter().any(|other| other.name == *target);
            if !targets.iter().any(waits) {
                ready = Some(i);
                break;
            }
        }
        // Tables that refer to each other in a ring have no order; there are none.
        ordered.push(rest.remove(ready.unwrap_or(0)));
    }
    ordered.sort_by_key(|table| last.contains(&table.name.as_str()));
    Ok(ordered)
}

/// The columns of a row that name something which is not there, each with the table where it would be.
///
/// # Errors
/// The database fails.
pub async fn dangling(conn: &mut Conn, table: &str, row: &Fields) -> Result<Vec<(String, String)>, sqlx::Error> {
    let references: Vec<(String, String, String)> =
        sqlx::query_as("SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list($1)")
            .bind(table)
            .fetch_all(&mut *conn)
            .await?;
    let mut dangling = Vec::new();
    for (column, target, key) in references {
        let Some(value) = row.get(&column).and_then(Value::as_str) else { continue };
        let sql = format!("SELECT COUNT(*) FROM {target} WHERE {key} = $1");
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(value).fetch_one(&mut *conn).await?;
        if found == 0 {
            dangling.push((column, target));
        }
    }
    Ok(dangling)
}

/// The rows of a table that meet a condition of the code's own, in order.
///
/// # Errors
/// The database fails.
pub async fn rows(conn: &mut Conn, table: &str, clauses: &str) -> Result<Vec<Fields>, sqlx::Error> {
    let sql = format!("SELECT * FROM {table} {clauses}");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(conn).await?;
    rows.iter().map(fields).collect()
}

fn fields(row: &Row) -> Result<Fields, sqlx::Error> {
    let mut fields = Fields::new();
    for (i, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(i)?;
        let value = if raw.is_null() {
            Value::Null
        } else if raw.type_info().name() == "INTEGER" {
            row.try_get::<i64, _>(i)?.into()
        } else {
            row.try_get::<String, _>(i)?.into()
        };
        fields.insert(column.name().to_owned(), value);
    }
    Ok(fields)
}

/// Puts a row in, in the place of one with the same key where `replaces` says so.
///
/// # Errors
/// The database fails, or a rule of the schema is broken.
pub async fn insert(conn: &mut Conn, table: &str, fields: &Fields, replaces: bool) -> Result<(), sqlx::Error> {
    let given: Vec<(&str, Bound)> = fields
        .iter()
        .filter_map(|(column, value)| {
            let value = match value {
                Value::String(text) => Bound::Text(text.clone()),
                Value::Bool(flag) => Bound::from(*flag),
                Value::Number(number) => Bound::Number(number.as_i64()?),
                // A column that is left out is null.
                _ => return None,
            };
            Some((column.as_str(), value))
        })
        .collect();
    let columns: Vec<&str> = given.iter().map(|(column, _)| *column).collect();
    let marks: Vec<String> = (1..=given.len()).map(|n| format!("${n}")).collect();
    let verb = if replaces { "INSERT OR REPLACE" } else { "INSERT" };
    let sql = format!("{verb} INTO {table} ({}) VALUES ({})", columns.join(", "), marks.join(", "));
    let statement = bind!(sqlx::query(sqlx::AssertSqlSafe(sql)), given.iter().map(|(_, value)| value));
    statement.execute(conn).await.map(drop)
}
