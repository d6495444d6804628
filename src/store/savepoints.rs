//! Save points: whole copies of the state in files of their own, made while calls are served; bound to SQLite.

use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::oneshot;

use super::catalog::{self, Fields, Table};
use super::events::{self, Subject};
use super::row_locks::RowLocks;
use super::tx::{Context, Scratch, Tx};
use super::writer::{Request, Writer};
use super::{Conn, Operation, Store};
use super::{backup, folder, opening};
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};

/// The folder in `data_dir`.
const FOLDER: &str = "savepoints";
const ENDING: &str = "db";

/// A save point that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Savepoint {
    pub name: String,
    /// The instant of the resources that it was made at.
    pub present: Timestamp,
    pub bytes: u64,
}

/// Rows of a table of the state, with what tells them apart.
pub struct Contents {
    pub table: Table,
    pub rows: Vec<Fields>,
}

/// Brings the clock of the state up to date, so that the copy knows it.
struct Announce(String);

impl Operation for Announce {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        events::record(tx, "State:Saved", OF_NOBODY, &self.0).await
    }
}

const OF_NOBODY: Subject<'static> = Subject { account_id: "", region_id: "", resource_id: "" };

impl Store {
    fn savepoint_file(&self, name: &str) -> PathBuf {
        self.shared.config.data_dir.join(FOLDER).join(format!("{name}.{ENDING}"))
    }

    /// Whether there is a save point of this name, which must be one that a file can have.
    #[must_use]
    pub fn has_savepoint(&self, name: &str) -> bool {
        self.savepoint_file(name).is_file()
    }

    /// Copies the state as of now; one of the same name is replaced once the copy is whole.
    ///
    /// # Errors
    /// 500 `InternalError` when the database or the folder fails.
    pub async fn save(&self, name: &str) -> Result<Savepoint, Fault> {
        self.write(Context::engine(), RowLocks::none(), Announce(name.to_owned())).await?;
        let folder = self.shared.config.data_dir.join(FOLDER);
        folder::make_folder(&folder).map_err(Fault::internal)?;
        let (file, draft) = (self.savepoint_file(name), folder.join(format!("{name}.draft")));
        folder::remove(&draft).and_then(|()| folder::new_private_file(&draft)).map_err(Fault::internal)?;
        backup::copy_into(&draft, opening::connection(&folder::database(&self.shared.config))).await?;
        folder::put_in_place(&draft, &file).map_err(Fault::internal)?;
        self.describe_savepoint(name).await
    }

    /// All save points, by name.
    ///
    /// # Errors
    /// 500 `InternalError` when the folder or a file in it cannot be read.
    pub async fn savepoints(&self) -> Result<Vec<Savepoint>, Fault> {
        let entries = match std::fs::read_dir(self.shared.config.data_dir.join(FOLDER)) {
            Ok(entries) => entries,
            Err(error) => return absent_is_fine(error).map(|()| Vec::new()).map_err(Fault::internal),
        };
        let files = entries.filter_map(Result::ok).map(|entry| entry.path());
        let files = files.filter(|path| path.extension().is_some_and(|ending| ending == ENDING));
        let mut names: Vec<String> = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
        names.sort();
        let mut savepoints = Vec::new();
        for name in names {
            savepoints.push(self.describe_savepoint(&name).await?);
        }
        Ok(savepoints)
    }

    async fn describe_savepoint(&self, name: &str) -> Result<Savepoint, Fault> {
        let file = self.savepoint_file(name);
        let bytes = std::fs::metadata(&file).map_err(Fault::internal)?.len();
        let mut conn = opening::connection(&file).read_only(true).connect().await?;
        let present = sqlx::query_scalar("SELECT present FROM engine").fetch_one(&mut conn).await?;
        conn.close().await?;
        Ok(Savepoint { name: name.to_owned(), present, bytes })
    }

    /// Forgets a save point; `false` when there is none.
    ///
    /// # Errors
    /// 500 `InternalError` when the file cannot be removed.
    pub fn delete_savepoint(&self, name: &str) -> Result<bool, Fault> {
        let there = self.has_savepoint(name);
        if there {
            let file = self.savepoint_file(name);
            folder::remove(&file).map_err(Fault::internal)?;
            folder::sync_folder(file.parent().unwrap_or(&file)).map_err(Fault::internal)?;
        }
        Ok(there)
    }

    /// Puts the state of a save point in the place of what is there, the time of a manual clock included, once no advance
    /// is under way.
    ///
    /// # Errors
    /// 500 `InternalError` when the database fails or the save point is of a newer program; nothing is changed then.
    pub async fn restore(&self, name: &str) -> Result<(), Fault> {
        let _turn = self.turn_to_advance().await;
        let file = self.savepoint_file(name);
        let (reply, answer) = oneshot::channel();
        let request = Request::Restore { file, reply };
        self.queue.send(request).await.map_err(|_| fault("ServiceUnavailable"))?;
        answer.await.unwrap_or_else(|_| Err(fault("ServiceUnavailable")))
    }

    /// All rows of the state in a save point, or as of now.
    ///
    /// # Errors
    /// 500 `InternalError` when the database fails.
    pub async fn contents(&self, savepoint: Option<&str>) -> Result<Vec<Contents>, Fault> {
        let file = match savepoint {
            Some(name) => self.savepoint_file(name),
            None => folder::database(&self.shared.config),
        };
        let mut conn = opening::connection(&file).read_only(true).connect().await?;
        sqlx::query("BEGIN").execute(&mut conn).await?;
        let mut contents = Vec::new();
        for table in catalog::tables(&mut conn).await? {
            let rows = catalog::rows(&mut conn, &table.name, "").await?;
            contents.push(Contents { table, rows });
        }
        conn.close().await?;
        Ok(contents)
    }
}

fn absent_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

impl Writer {
    /// Puts the contents of `file` in the place of the state; the one request that shares its commit with none.
    pub(super) async fn restore(&mut self, file: &Path) -> Result<(), Fault> {
        // One of an older program is brought up to this one's schema first.
        let mut conn = opening::connection(file).connect().await?;
        opening::migrate(&mut conn).await.map_err(Fault::internal)?;
        conn.close().await?;
        let name = file.to_string_lossy().into_owned();
        self.step_out().await;
        sqlx::query("ATTACH DATABASE $1 AS saved").bind(name).execute(&mut self.conn).await?;
        let before = self.shared.clock.now();
        let restored = self.restore_attached(file).await;
        if restored.is_err() {
            self.shared.clock.set_back(before);
        }
        self.step_out().await;
        sqlx::query("DETACH DATABASE saved").execute(&mut self.conn).await?;
        restored?;
        self.retries.clear();
        self.find_next_due().await?;
        self.shared.due_changed.notify_one();
        Ok(())
    }

    async fn restore_attached(&mut self, file: &Path) -> Result<(), Fault> {
        self.begin().await?;
        let outcome = self.replace_rows(file).await;
        match outcome {
            Ok(mut scratch) => self.commit(&mut scratch).await.map(drop),
            Err(failure) => {
                self.roll_back().await;
                Err(failure)
            }
        }
    }

    async fn replace_rows(&mut self, file: &Path) -> Result<Scratch, Fault> {
        copy_all(&mut self.conn).await?;
        let (present, position): (Timestamp, i64) =
            sqlx::query_as("SELECT present, id_position FROM saved.engine").fetch_one(&mut self.conn).await?;
        self.shared.clock.set_back(present);
        let ids = opening::id_generator(&mut self.conn, &self.shared.config, position).await?;
        let mut scratch = Scratch { marks: self.marks.clone(), ..Scratch::default() };
        scratch.marks.ids = ids;
        let context = Context::engine();
        let now = self.shared.clock.now();
        let mut tx = Tx::new(&mut self.conn, now, &context, &self.shared, &mut scratch);
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        events::record(&mut tx, "State:Restored", OF_NOBODY, &name).await?;
        Ok(scratch)
    }
}

/// Copies every table of the state. Its triggers are away meanwhile: what they would keep is copied as well.
async fn copy_all(conn: &mut Conn) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA defer_foreign_keys = ON").execute(&mut *conn).await?;
    let triggers: Vec<(String, String)> =
        sqlx::query_as("SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger'").fetch_all(&mut *conn).await?;
    for (name, _) in &triggers {
        execute(conn, format!("DROP TRIGGER main.{name}")).await?;
    }
    // The engine's row belongs to this process: its mode, its events, the time that it says.
    let mut tables = catalog::tables(conn).await?;
    tables.retain(|table| table.name != "engine");
    for table in &tables {
        execute(conn, format!("DELETE FROM main.{}", table.name)).await?;
    }
    for Table { name, columns, .. } in &tables {
        let columns: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let columns = columns.join(", ");
        execute(conn, format!("INSERT INTO main.{name} ({columns}) SELECT {columns} FROM saved.{name}")).await?;
    }
    for (_, sql) in triggers {
        execute(conn, sql).await?;
    }
    Ok(())
}

async fn execute(conn: &mut Conn, sql: String) -> Result<(), sqlx::Error> {
    sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(false).execute(conn).await.map(drop)
}
