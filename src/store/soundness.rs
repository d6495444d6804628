//! Whether a database is a store of this program and sound: a quick look for a start, all of it for the rest; writes nothing.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _};

use super::folder::{database, journal_of, length, log_of};
use super::opening::{MIGRATIONS, connection, is_damage};
use super::{Conn, Failure, Store};
use crate::config::Config;

/// Up to this size a start looks at every page: that takes a few milliseconds. Of a larger database it looks at the header,
/// the length, the schema and both ends of every table and index.
const SMALL_BYTES: u64 = 4 * 1_024 * 1_024;
/// What every SQLite file begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;
/// In the write-ahead log: its own header, with the salt that its frames repeat, and the header of each frame.
const LOG_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// How closely a database is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What a start can afford.
    Quick,
    /// Every page, every entry of every index, every reference.
    Whole,
}

/// What [`Store::check`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Checked {
    /// No database yet; the first start makes it.
    Absent,
    /// A sound database, with so many migrations still to come.
    Fine { pending: usize },
}

impl Store {
    /// Looks at the whole database without serving, locking or migrating it.
    ///
    /// # Errors
    /// See [`Failure`]; a folder without a database is none.
    pub async fn check(config: &Config) -> Result<Checked, Failure> {
        let file = database(config);
        if is_absent(&file)? {
            return Ok(Checked::Absent);
        }
        Ok(Checked::Fine { pending: look(&file, Depth::Whole).await? })
    }
}

/// Whether there is no store yet. A log without its database is none that may be begun anew.
pub(super) fn is_absent(file: &Path) -> Result<bool, Failure> {
    if file.exists() {
        return Ok(false);
    }
    if length(&log_of(file)) > 0 {
        return Err(Failure::Damaged("its file is gone, its write-ahead log is there".to_owned()));
    }
    Ok(true)
}

/// Looks at a database and tells how many migrations it lacks.
///
/// # Errors
/// See [`Failure`]. The file and its log are as they were, to the byte.
pub(super) async fn look(file: &Path, depth: Depth) -> Result<usize, Failure> {
    match look_once(file, depth).await {
        // SQLite has the same words for a page that could not be read just then.
        Err(Failure::Damaged(_)) => look_once(file, depth).await,
        seen => seen,
    }
}

async fn look_once(file: &Path, depth: Depth) -> Result<usize, Failure> {
    header(file)?;
    // One who only reads writes no log back when it closes; but it cannot undo what a crash left half done.
    let reads = length(&journal_of(file)) == 0;
    let options = connection(file).read_only(reads).pragma("cell_size_check", "ON");
    let mut conn = options.connect().await?;
    let pending = pending(&mut conn).await?;
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut conn).await?;
    let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut conn).await?;
    let (pages, page) = (pages.unsigned_abs(), page.unsigned_abs());
    is_long_enough(file, pages, page).map_err(|error| Failure::Folder(file.to_owned(), error))??;
    let found = match depth {
        Depth::Whole => whole(&mut conn).await?,
        Depth::Quick if pages * page <= SMALL_BYTES => first_word(&mut conn, "PRAGMA quick_check(1)").await?,
        Depth::Quick => {
            ends(&mut conn).await?;
            None
        }
    };
    conn.close().await?;
    found.map_or(Ok(pending), |fault| Err(Failure::Damaged(fault)))
}

fn header(file: &Path) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut bytes))
        .map_err(|error| Failure::Folder(file.to_owned(), error))?;
    let fault = match bytes.len() {
        0 => "its file is empty, which no start leaves it",
        HEADER_BYTES if bytes.starts_with(MAGIC) => return Ok(()),
        HEADER_BYTES => "its file does not begin as one of SQLite does",
        _ => "its file is cut off in the header",
    };
    Err(Failure::Damaged(fault.to_owned()))
}

/// How many migrations are still to come; all must be known that have been.
async fn pending(conn: &mut Conn) -> Result<usize, Failure> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&mut *conn).await?;
    if !tables.iter().any(|name| name == "_sqlx_migrations") {
        return Err(Failure::Foreign("it is no store of snapshotd".to_owned()));
    }
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version").fetch_all(conn).await?;
    for (version, checksum) in &applied {
        let known = MIGRATIONS.iter().find(|migration| migration.version == *version);
        if known.is_none_or(|migration| *migration.checksum != **checksum) {
            return Err(Failure::Foreign(format!("migration {version} is not known here")));
        }
    }
    Ok(MIGRATIONS.iter().count().saturating_sub(applied.len()))
}

/// Every page that the file lacks at its end must be in the log: SQLite itself takes a missing one for an empty one.
fn is_long_enough(file: &Path, pages: u64, page: u64) -> io::Result<Result<(), Failure>> {
    let there = fs::metadata(file)?.len() / page;
    if there >= pages {
        return Ok(Ok(()));
    }
    let mut missing: Vec<bool> = vec![true; usize::try_from(pages - there).unwrap_or(usize::MAX)];
    if let Ok(log) = File::open(log_of(file)) {
        let mut header = [0; LOG_HEADER_BYTES];
        let end = log.metadata()?.len();
        let frame_bytes = FRAME_HEADER_BYTES as u64 + page;
        let mut at = LOG_HEADER_BYTES as u64;
        if end > at {
            log.read_exact_at(&mut header, 0)?;
        }
        while at + frame_bytes <= end {
            let mut frame = [0; FRAME_HEADER_BYTES];
            log.read_exact_at(&mut frame, at)?;
            let number = u64::from(u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]));
            let place = number.checked_sub(there + 1).and_then(|place| usize::try_from(place).ok());
            // Frames of another salt are left from an earlier round of the log.
            if frame[8..16] == header[16..24]
                && let Some(missing) = place.and_then(|place| missing.get_mut(place))
            {
                *missing = false;
            }
            at += frame_bytes;
        }
    }
    let lost = missing.into_iter().filter(|missing| *missing).count();
    let fault = || Failure::Damaged(format!("its file is cut off: {lost} of {pages} pages are missing"));
    Ok(if lost == 0 { Ok(()) } else { Err(fault()) })
}

/// The first thing that is wrong anywhere.
async fn whole(conn: &mut Conn) -> Result<Option<String>, Failure> {
    if let Some(fault) = first_word(conn, "PRAGMA integrity_check(1)").await? {
        return Ok(Some(fault));
    }
    let dangling: Option<String> =
        sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1").fetch_optional(conn).await?;
    Ok(dangling.map(|table| format!("a row of {table} refers to one that is not there")))
}

async fn first_word(conn: &mut Conn, pragma: &'static str) -> Result<Option<String>, Failure> {
    let word: String = sqlx::query_scalar(pragma).fetch_one(conn).await?;
    // A page that could not be read is told among the faults, and may be sound.
    let code = word.split_once("error code=").and_then(|(_, code)| code.trim().parse().ok());
    if code.is_some_and(|code| !is_damage(code)) {
        return Err(Failure::Database(sqlx::Error::Protocol(word)));
    }
    Ok((word != "ok").then_some(word))
}

/// Reads the first and the last entry of every table and index, and the pages on the way there.
async fn ends(conn: &mut Conn) -> Result<(), Failure> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
            .fetch_all(&mut *conn)
            .await?;
    for table in tables {
        for order in ["ASC", "DESC"] {
            read(conn, format!("SELECT * FROM {table} ORDER BY rowid {order} LIMIT 1")).await?;
        }
    }
    let indexes: Vec<(String, String, Option<String>, String)> = sqlx::query_as(
        "SELECT m.name, m.tbl_name, m.sql, i.name FROM sqlite_master m, pragma_index_info(m.name) i
         WHERE m.type = 'index' AND i.seqno = 0",
    )
    .fetch_all(&mut *conn)
    .await?;
    for (index, table, sql, column) in indexes {
        // A partial index serves only who asks for its part.
        let part = sql.as_deref().and_then(|sql| sql.split_once(" WHERE ")).map_or("1", |(_, part)| part);
        for end in ["MIN", "MAX"] {
            read(conn, format!("SELECT {end}({column}) FROM {table} INDEXED BY {index} WHERE {part}")).await?;
        }
    }
    Ok(())
}

async fn read(conn: &mut Conn, sql: String) -> Result<(), sqlx::Error> {
    sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(false).fetch_optional(conn).await.map(drop)
}
