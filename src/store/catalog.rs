//! The tables that there are, as SQLite's own catalog tells, and their rows without types; knows what state is and what is kept.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::filter::bind;
use super::tx::Tx;
use super::{Conn, Row, filter};
use crate::faults::Fault;

/// Tables that are no state: neither reset nor saved nor restored. Events are a diary and never go back; webhooks and
/// accounts belong to whoever runs the bench.
const KEPT: [&str; 4] = ["events", "webhooks", "accounts", "access_keys"];

/// What other rows imply and triggers keep, beside the engine's own row: no difference by itself.
pub const IMPLIED: [&str; 4] = ["engine", "snapshot_counts", "snapshot_links", "tag_counts"];

/// A table of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub columns: Vec<String>,
    /// The columns of its primary key.
    pub key: Vec<String>,
}

/// A row without types: texts, numbers and nulls by column.
pub type Fields = BTreeMap<String, Value>;

/// The tables of the state, by name.
///
/// # Errors
/// The database fails.
pub async fn tables(conn: &mut Conn) -> Result<Vec<Table>, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> '_sqlx_migrations'
         ORDER BY name",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut tables = Vec::new();
    for name in names.into_iter().filter(|name| !KEPT.contains(&name.as_str())) {
        let described: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, pk FROM pragma_table_info($1)").bind(&name).fetch_all(&mut *conn).await?;
        let columns = described.iter().map(|(column, _)| column.clone()).collect();
        let mut key: Vec<_> = described.into_iter().filter(|(_, place)| *place > 0).collect();
        key.sort_by_key(|(_, place)| *place);
        tables.push(Table { name, columns, key: key.into_iter().map(|(column, _)| column).collect() });
    }
    Ok(tables)
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

/// As [`rows`], inside of an operation.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn select(tx: &mut Tx<'_>, table: &str, clauses: &str) -> Result<Vec<Fields>, Fault> {
    Ok(rows(tx.conn(), table, clauses).await?)
}

/// Inserts a row; columns and table come from the code.
///
/// # Errors
/// 500 `InternalError` when the database fails or a rule of the schema is broken.
pub async fn insert(tx: &mut Tx<'_>, table: &str, fields: &Fields) -> Result<(), Fault> {
    let given: Vec<(&str, filter::Value)> = fields
        .iter()
        .filter_map(|(column, value)| {
            let value = match value {
                Value::String(text) => filter::Value::Text(text.clone()),
                Value::Bool(flag) => filter::Value::from(*flag),
                Value::Number(number) => filter::Value::Number(number.as_i64()?),
                // A column that is left out is null.
                _ => return None,
            };
            Some((column.as_str(), value))
        })
        .collect();
    let columns: Vec<&str> = given.iter().map(|(column, _)| *column).collect();
    let marks: Vec<String> = (1..=given.len()).map(|n| format!("${n}")).collect();
    let sql = format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), marks.join(", "));
    let statement = bind!(sqlx::query(sqlx::AssertSqlSafe(sql)), given.iter().map(|(_, value)| value));
    tx.execute(statement).await
}
