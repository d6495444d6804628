//! The database file as a second process would see it: rows for set-ups that no call makes, counts, and dumps to compare.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row as _};

use super::TestApp;

/// Runs a future where no runtime is.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

pub async fn open(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file).foreign_keys(true);
    options.busy_timeout(std::time::Duration::from_secs(10)).connect().await.expect("the database opens")
}

/// Every row of every table as text, tables and rows in order.
pub async fn dump(file: &Path) -> BTreeMap<String, Vec<String>> {
    let mut conn = open(file).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'
           AND name NOT LIKE 'sqlite%' ORDER BY name",
    )
    .fetch_all(&mut conn)
    .await
    .expect("the tables");
    let mut dump = BTreeMap::new();
    for table in tables {
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info($1)")
            .bind(&table)
            .fetch_all(&mut conn)
            .await
            .expect(&table);
        let quoted: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
        let sql = format!("SELECT {} AS line FROM {table} ORDER BY line", quoted.join(" || ' ' || "));
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut conn).await.expect(&table);
        dump.insert(table, rows.iter().map(|row| row.get::<String, _>("line")).collect());
    }
    conn.close().await.expect("closed");
    dump
}

impl TestApp {
    /// A number that SQL tells.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let mut conn = open(&self.database()).await;
        let count = sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect(sql);
        conn.close().await.expect("closed");
        count
    }

    /// A column of numbers, of rows that `id` picks.
    pub async fn numbers(&self, sql: &'static str, id: &str) -> Vec<i64> {
        let mut conn = open(&self.database()).await;
        let found = sqlx::query_scalar(sql).bind(id).fetch_all(&mut conn).await.expect(sql);
        conn.close().await.expect("closed");
        found
    }

    /// As [`TestApp::numbers`], of texts.
    pub async fn texts(&self, sql: &'static str, id: &str) -> Vec<String> {
        let mut conn = open(&self.database()).await;
        let found = sqlx::query_scalar(sql).bind(id).fetch_all(&mut conn).await.expect(sql);
        conn.close().await.expect("closed");
        found
    }

    /// Runs SQL beside the daemon, for states that no call can make.
    pub async fn sql(&self, sql: &str) {
        let mut conn = open(&self.database()).await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.expect(sql);
        conn.close().await.expect("closed");
    }

    pub async fn dump(&self) -> BTreeMap<String, Vec<String>> {
        dump(&self.database()).await
    }

    /// What all tables but those that any committed call moves look like.
    pub async fn resources(&self) -> BTreeMap<String, Vec<String>> {
        let mut dump = self.dump().await;
        dump.remove("engine");
        dump
    }

    /// Takes the tables away, so that every statement fails.
    pub async fn lose_tables(&self) {
        self.rename_tables("name", "'lost_' || name", "name NOT LIKE 'lost\\_%' ESCAPE '\\'").await;
    }

    pub async fn find_tables_again(&self) {
        self.rename_tables("name", "substr(name, 6)", "name LIKE 'lost\\_%' ESCAPE '\\'").await;
    }

    async fn rename_tables(&self, from: &str, to: &str, which: &str) {
        let mut conn = open(&self.database()).await;
        let sql = format!(
            "SELECT 'ALTER TABLE ' || {from} || ' RENAME TO ' || {to} FROM sqlite_master
             WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND {which}"
        );
        let renames: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut conn).await.expect("the tables");
        conn.close().await.expect("closed");
        for rename in renames {
            self.sql(&rename).await;
        }
    }
}
