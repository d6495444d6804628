//! Opening the store: migrations, connections and upkeep; never serves a call.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Notify, mpsc, watch};

use super::block_on::block_on;
use super::filter::Walks;
use super::folder::{FolderLock, database, log_of, make_folder, new_private_file, put_in_place, remove};
use super::past::Past;
use super::readers::Readers;
use super::row_locks::LockTable;
use super::settling::Retries;
use super::soundness::{self, Depth};
use super::tx::Marks;
use super::writer::{Fire, Request, Writer, events_between_prunings};
use super::{Conn, Shared, Store, Turns, timers, webhooks};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::ids::IdGenerator;
use crate::levers::Levers;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!();

/// Pages of the write-ahead log before it is written back: larger ones halve the longest waits.
const CHECKPOINT_PAGES: &str = "4000";
/// The log file is cut back to this many bytes after a checkpoint.
const LOG_BYTES: &str = "67108864";
const WRITER_CACHE_KIB: &str = "-16000";
const READER_CACHE_KIB: &str = "-4000";
/// Statements kept prepared for each connection.
const STATEMENTS: usize = 512;
/// Rows that a connection may hand over before they are taken: a whole page, so that its thread need not wait.
const ROWS_ON_THE_WAY: usize = 512;
/// Free pages handed back in one go.
const VACUUM_PAGES: &str = "PRAGMA incremental_vacuum(2000)";

/// A new database until it is whole, in the folder.
const DRAFT_FILE: &str = "snapshotd.db.new";
/// Whether SQLite's code is `SQLITE_CORRUPT` or `SQLITE_NOTADB`, whatever else the higher bits tell.
pub(super) fn is_damage(code: i64) -> bool {
    matches!(code & 0xff, 11 | 26)
}

/// Why a store cannot be opened, copied or put back.
#[derive(Debug)]
pub enum Failure {
    /// Another process has it.
    InUse(PathBuf),
    /// What was asked for would destroy something or makes no sense.
    Refused(String),
    /// It is not what was written.
    Damaged(String),
    /// It was written by a newer program, or a migration of its was altered.
    Foreign(String),
    /// The folder or a file in it.
    Folder(PathBuf, io::Error),
    /// The database itself.
    Database(sqlx::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(f, "{} is in use by another snapshotd", path.display()),
            Self::Refused(why) => f.write_str(why),
            Self::Damaged(why) => write!(f, "the database is damaged: {why}; it is left as it is"),
            Self::Foreign(why) => write!(f, "the database was not written by this version: {why}; it is left as it is"),
            Self::Folder(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Database(error) => write!(f, "the database cannot be used: {error}; it is left as it is"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code()?.parse::<i64>().ok());
        if code.is_some_and(is_damage) {
            return Self::Damaged(error.to_string());
        }
        Self::Database(error)
    }
}

/// How the writer's connection is made, and the lock that keeps other processes out while this value lives.
pub struct Opening {
    options: SqliteConnectOptions,
    _lock: FolderLock,
}

/// The engine's row as it was at the last commit.
#[derive(sqlx::FromRow)]
struct Stored {
    present: Timestamp,
    id_position: i64,
    last_event: i64,
    clock_mode: String,
    clock_configured: String,
    clock_offset: i64,
}

impl Store {
    /// Opens the store in `data_dir`, made and migrated if need be, and starts its writer.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn open(
        config: &Arc<Config>,
        clock: &Arc<Clock>,
        levers: &Arc<Levers>,
        fire: Fire,
    ) -> Result<Self, Failure> {
        let folder = &config.data_dir;
        make_folder(folder)?;
        let lock = FolderLock::take(folder)?;
        let file = database(config);
        if soundness::is_absent(&file)? {
            make(&folder.join(DRAFT_FILE), &file).await?;
        } else {
            soundness::look(&file, Depth::Quick).await?;
        }
        match Self::sound(config, clock, levers, fire, Opening { options: writing(&file), _lock: lock }).await {
            // SQLite calls damage, too, what could not be read just then: whoever reads it again knows.
            Err(Failure::Damaged(why)) => {
                soundness::look(&file, Depth::Quick).await?;
                Err(Failure::Database(sqlx::Error::Protocol(why)))
            }
            opened => opened,
        }
    }

    /// Opens a store that is as it was written.
    async fn sound(
        config: &Arc<Config>,
        clock: &Arc<Clock>,
        levers: &Arc<Levers>,
        fire: Fire,
        opening: Opening,
    ) -> Result<Self, Failure> {
        let file = database(config);
        let mut conn = opening.connect_writer().await?;
        migrate(&mut conn).await?;
        let stored = load(&mut conn, config, clock).await?;
        timers::let_go_at_start(&mut conn, clock.now()).await?;
        let shared = Arc::new(Shared {
            config: Arc::clone(config),
            clock: Arc::clone(clock),
            locks: LockTable::default(),
            levers: Arc::clone(levers),
            past: Past::of(&file),
            walks: Walks::default(),
            next_due: AtomicI64::new(i64::MAX),
            due_changed: Notify::new(),
            turns: Turns::default(),
            commits: AtomicU64::new(0),
            last_event: watch::Sender::new(stored.last_event),
            commits_allowed: AtomicU64::new(u64::MAX),
        });
        let readers = Arc::new(Readers::of(&file, config.limits.readers));
        let ids = id_generator(&mut conn, config, stored.id_position).await?;
        let marks = Marks { ids, last_event: stored.last_event };
        // As if it had gone on: a daemon that restarts often prunes as often as any other.
        let pruned_at_event = marks.last_event - marks.last_event % events_between_prunings(config);
        let mut writer = Writer {
            conn,
            opening,
            shared: Arc::clone(&shared),
            marks,
            pruned_at_event,
            retries: Retries::default(),
            fire,
            stands_open: false,
        };
        writer.find_next_due().await.map_err(|error| Failure::Database(sqlx::Error::Protocol(error.to_string())))?;
        let (queue, requests) = mpsc::channel(config.limits.queue);
        start(writer, requests)?;
        Ok(Self { shared, queue, readers })
    }
}

/// How many times as many events are kept for a webhook that is behind.
const TIMES_FOR_WEBHOOKS: i64 = 10;

impl Opening {
    pub(super) async fn connect_writer(&self) -> Result<Conn, sqlx::Error> {
        self.options.connect().await
    }

    /// Forgets the oldest events, tombstones and tasks beyond their bounds and expired client tokens; hands free pages back.
    pub(super) async fn prune(&self, conn: &mut Conn, shared: &Shared, last_event: i64) -> Result<(), sqlx::Error> {
        let limits = &shared.config.limits;
        let token_ms = shared.config.fidelity.token_hours.saturating_mul(3_600_000);
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
        let most = last_event - limits.events.saturating_mul(TIMES_FOR_WEBHOOKS);
        let last = webhooks::forgettable(conn, last_event - limits.events, most).await?;
        sqlx::query("DELETE FROM events WHERE event_id <= $1").bind(last).execute(&mut *conn).await?;
        sqlx::query("DELETE FROM client_tokens WHERE created_at <= $1")
            .bind(shared.clock.now().plus_millis(-token_ms))
            .execute(&mut *conn)
            .await?;
        sqlx::query(
            "DELETE FROM tasks WHERE task_status <> 'Processing' AND finish_time < (
                 SELECT finish_time FROM tasks WHERE task_status <> 'Processing'
                 ORDER BY finish_time DESC LIMIT 1 OFFSET $1)",
        )
        .bind(limits.tombstones)
        .execute(&mut *conn)
        .await?;
        let accounts: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT account_id FROM tombstones").fetch_all(&mut *conn).await?;
        for account_id in &accounts {
            sqlx::query(
                "DELETE FROM tombstones WHERE account_id = $1 AND event_id <= (
                     SELECT event_id FROM tombstones WHERE account_id = $1 ORDER BY event_id DESC LIMIT 1 OFFSET $2)",
            )
            .bind(account_id)
            .bind(limits.tombstones)
            .execute(&mut *conn)
            .await?;
        }
        sqlx::query("COMMIT").execute(&mut *conn).await?;
        sqlx::query(VACUUM_PAGES).execute(conn).await?;
        Ok(())
    }

    /// Before closing: hands free pages back and empties the write-ahead log.
    pub(super) async fn finish(&self, conn: &mut Conn) -> Result<(), sqlx::Error> {
        sqlx::query("PRAGMA incremental_vacuum").execute(&mut *conn).await?;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(conn).await?;
        Ok(())
    }
}

pub(super) fn connection(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(STATEMENTS)
        .row_buffer_size(ROWS_ON_THE_WAY)
        .disable_statement_logging()
}

fn writing(file: &Path) -> SqliteConnectOptions {
    connection(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("journal_size_limit", LOG_BYTES)
        .pragma("cache_size", WRITER_CACHE_KIB)
        .pragma("temp_store", "MEMORY")
        .pragma("cell_size_check", "ON")
}

/// Makes an empty store in one step, under another name until it is whole: what has the name was never half done, and where
/// the power fails there is either none or one.
async fn make(draft: &Path, file: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::Folder(draft.to_owned(), error);
    remove(draft).and_then(|()| new_private_file(draft)).map_err(failed)?;
    let options = connection(draft).auto_vacuum(SqliteAutoVacuum::Incremental).journal_mode(SqliteJournalMode::Off);
    let mut conn = options.synchronous(SqliteSynchronous::Off).connect().await?;
    migrate(&mut conn).await?;
    conn.close().await?;
    keep_log(draft).await?;
    put_in_place(draft, file).map_err(failed)
}

/// Puts a database that is not in its place yet into the mode of write-ahead logs: later, a crash in the middle of that would
/// leave a journal to be undone.
pub(super) async fn keep_log(draft: &Path) -> Result<(), Failure> {
    let conn = connection(draft).journal_mode(SqliteJournalMode::Wal).connect().await?;
    conn.close().await?;
    remove(&log_of(draft)).map_err(|error| Failure::Folder(draft.to_owned(), error))
}

pub(super) fn reading(file: &Path) -> SqliteConnectOptions {
    connection(file).pragma("query_only", "ON").pragma("cache_size", READER_CACHE_KIB).pragma("temp_store", "MEMORY")
}

/// What makes ids: seeded by a lever, else by the configuration.
pub(super) async fn id_generator(conn: &mut Conn, config: &Config, position: i64) -> Result<IdGenerator, sqlx::Error> {
    let stored: Option<String> = sqlx::query_scalar("SELECT seed FROM id_seeds").fetch_optional(conn).await?;
    let seed = stored.map_or_else(|| config.seed.ids(), |seed| seed.parse().ok());
    Ok(IdGenerator::new(seed, position))
}

/// Gives the writer a thread of its own, so that its turn never waits behind the requests of others.
fn start(writer: Writer, requests: mpsc::Receiver<Request>) -> Result<(), Failure> {
    let failed = |error| Failure::Database(sqlx::Error::Io(error));
    let work = move || block_on(writer.run(requests));
    std::thread::Builder::new().name("writer".to_owned()).spawn(work).map_err(failed)?;
    Ok(())
}

pub(super) async fn migrate(conn: &mut Conn) -> Result<(), Failure> {
    MIGRATIONS.run(conn).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error) => Failure::Database(error),
        other => Failure::Foreign(other.to_string()),
    })
}

/// Reads the engine's row, written at first start, and sets the clock by it.
async fn load(conn: &mut Conn, config: &Config, clock: &Clock) -> Result<Stored, sqlx::Error> {
    sqlx::query(
        "INSERT INTO engine (singleton, present, id_position, last_event) VALUES (1, $1, 0, 0)
         ON CONFLICT (singleton) DO NOTHING",
    )
    .bind(clock.now())
    .execute(&mut *conn)
    .await?;
    let mut stored: Stored = sqlx::query_as("SELECT * FROM engine").fetch_one(&mut *conn).await?;
    // What was set at run time gives way to another mode in the configuration.
    let is_as_configured = stored.clock_configured == config.clock.running().to_string();
    let set = stored.clock_mode.parse().ok().filter(|_| is_as_configured);
    if clock.restore(stored.present, set, stored.clock_offset, config.clock.max_lead) {
        return Ok(stored);
    }
    tracing::warn!(
        stored = stored.present.to_seconds(),
        "the stored time is far ahead of this machine's clock; time is set back to the machine's"
    );
    stored.last_event += 1;
    sqlx::query(
        "INSERT INTO events (event_id, account_id, region_id, name, resource_id, occurred_at, detail)
         VALUES ($1, '', '', 'Clock:Reanchored', '', $2, $3)",
    )
    .bind(stored.last_event)
    .bind(clock.now())
    .bind(stored.present.to_seconds())
    .execute(&mut *conn)
    .await?;
    sqlx::query("UPDATE engine SET present = $1, last_event = $2")
        .bind(clock.now())
        .bind(stored.last_event)
        .execute(conn)
        .await?;
    Ok(stored)
}
