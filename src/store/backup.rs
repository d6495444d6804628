//! Backups: the whole database in a file of its own, beside a daemon or without one, and back; nothing of the folder's other files.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::Failure;
use super::folder::{
    FolderLock, beside, database, index_of, journal_of, length, log_of, make_folder, new_private_file, put_in_place,
    remove, sync_folder,
};
use super::opening::{self, connection};
use super::soundness::{self, Depth, look};
use crate::config::Config;

/// In the folder of the database, until it takes its place.
const DRAFT_FILE: &str = "restore.draft";

/// Copies the database as it is at the last commit into `file`, which is not there yet, and tells how large it is. A daemon
/// may serve meanwhile. The copy is checked before it has its name.
///
/// # Errors
/// See [`Failure`]; `file` is not there then.
pub async fn back_up(config: &Config, file: &Path) -> Result<u64, Failure> {
    let source = database(config);
    if soundness::is_absent(&source)? {
        return Err(Failure::Refused(format!("there is no database in {}", config.data_dir.display())));
    }
    let is_there = || Failure::Refused(format!("{} is there already and is left as it is", file.display()));
    if file.symlink_metadata().is_ok() {
        return Err(is_there());
    }
    let draft = beside(file, ".partial");
    new_private_file(&draft).map_err(of(&draft))?;
    let copied = copy(&source, &draft).await;
    // A name is given to it only if nobody else took that meanwhile, which a renaming would not ask.
    let named = copied.and_then(|bytes| match fs::hard_link(&draft, file) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(is_there()),
        Err(error) => Err(Failure::Folder(file.to_owned(), error)),
    });
    remove(&draft).map_err(of(&draft))?;
    let bytes = named?;
    sync_folder(file.parent().unwrap_or(file)).map_err(of(file))?;
    Ok(bytes)
}

async fn copy(source: &Path, draft: &Path) -> Result<u64, Failure> {
    copy_into(draft, connection(source).read_only(true)).await?;
    look(draft, Depth::Whole).await?;
    let file = File::open(draft).map_err(of(draft))?;
    file.sync_all().map_err(of(draft))?;
    Ok(length(draft))
}

/// Copies a database as it is at the last commit into an empty file.
pub(super) async fn copy_into(draft: &Path, source: SqliteConnectOptions) -> Result<(), sqlx::Error> {
    let mut conn = source.connect().await?;
    sqlx::query("VACUUM INTO $1").bind(draft.to_string_lossy().into_owned()).execute(&mut conn).await?;
    conn.close().await
}

/// Puts the database in `file` in the place of that of a folder that no daemon serves; one that is there already is replaced
/// only if told so, and stays whole until it is.
///
/// # Errors
/// See [`Failure`]; what was there is there then.
pub async fn put_back(config: &Config, file: &Path, replace: bool) -> Result<(), Failure> {
    let folder = &config.data_dir;
    if length(&log_of(file)) > 0 {
        let why =
            "has a write-ahead log beside it, so it is no backup; `snapshotd backup` makes one of a database in use";
        return Err(Failure::Refused(format!("{} {why}", file.display())));
    }
    let source = File::open(file).map_err(of(file))?;
    make_folder(folder)?;
    let _lock = FolderLock::take(folder)?;
    let target = database(config);
    let is_there = target.exists() || length(&log_of(&target)) > 0;
    if is_there && !replace {
        let why = "has a database; --replace puts the backup in its place";
        return Err(Failure::Refused(format!("{} {why}", folder.display())));
    }
    let draft = folder.join(DRAFT_FILE);
    let outcome = bring(source, file, &draft, &target).await;
    clear(&draft)?;
    outcome
}

async fn bring(mut source: File, file: &Path, draft: &Path, target: &Path) -> Result<(), Failure> {
    clear(draft)?;
    // What is looked at is what takes the place, whatever becomes of the file meanwhile.
    let mut to = new_private_file(draft).map_err(of(draft))?;
    io::copy(&mut source, &mut to).map_err(of(draft))?;
    let named = |failure| Failure::Refused(format!("{}: {failure}", file.display()));
    look(draft, Depth::Whole).await.map_err(named)?;
    opening::keep_log(draft).await.map_err(named)?;
    retire(target).await?;
    put_in_place(draft, target).map_err(of(target))
}

/// Takes a draft away, with what goes with it.
fn clear(draft: &Path) -> Result<(), Failure> {
    let left = [log_of(draft), index_of(draft), draft.to_owned()];
    left.iter().try_for_each(|file| remove(file).map_err(of(file)))
}

/// Brings the log of the old database into its file and takes it away, so that it is never taken for that of the new one.
async fn retire(old: &Path) -> Result<(), Failure> {
    if old.exists() {
        match write_back(old).await.map_err(Failure::from) {
            // What cannot be read cannot be kept.
            Ok(()) | Err(Failure::Damaged(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    for left in [log_of(old), index_of(old), journal_of(old)] {
        remove(&left).map_err(of(&left))?;
    }
    sync_folder(old.parent().unwrap_or(old)).map_err(of(old))
}

async fn write_back(old: &Path) -> Result<(), sqlx::Error> {
    let mut conn = connection(old).connect().await?;
    let busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut conn).await?;
    conn.close().await?;
    if busy == 0 { Ok(()) } else { Err(sqlx::Error::Protocol("another process reads it".to_owned())) }
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    move |error| Failure::Folder(path, error)
}
