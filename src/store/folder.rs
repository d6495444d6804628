//! The data folder: its files with their modes, the lock that keeps a second process out, the published endpoint; no SQL.
//!
//! A file is as durable as its name: who makes or renames one that counts syncs the folder as well.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::config::Config;

const DATABASE_FILE: &str = "snapshotd.db";
const LOCK_FILE: &str = "lock";
const ENDPOINT_FILE: &str = "endpoint";

/// Keeps other processes out of the folder while it lives.
pub(super) struct FolderLock(File);

impl FolderLock {
    /// # Errors
    /// Another process has it, or the file cannot be made.
    pub(super) fn take(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(LOCK_FILE);
        let opened = private().open(&path);
        let file = opened.map_err(|error| Failure::Folder(path.clone(), error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Failure::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => Err(Failure::Folder(path, error)),
        }
    }
}

impl Drop for FolderLock {
    /// To close the file is not enough: a child of this process may have it as well until it runs a program of its own.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "the lock of the data folder goes with the process");
        }
    }
}

/// Writes the endpoint into `data_dir`, for programs that started the daemon on port 0.
///
/// # Errors
/// The file cannot be written.
pub fn publish_endpoint(data_dir: &Path, endpoint: &str) -> io::Result<()> {
    let path = data_dir.join(ENDPOINT_FILE);
    let mut file = private().truncate(true).open(&path)?;
    writeln!(file, "{endpoint}")
}

/// Removes what [`publish_endpoint`] wrote, when the daemon stops.
pub fn withdraw_endpoint(data_dir: &Path) {
    if let Err(error) = std::fs::remove_file(data_dir.join(ENDPOINT_FILE)) {
        tracing::debug!(%error, "the file `endpoint` could not be removed");
    }
}

/// The endpoint that a running daemon has published, if any.
#[must_use]
pub fn published_endpoint(data_dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data_dir.join(ENDPOINT_FILE)).ok()?;
    Some(text.trim().to_owned())
}

/// The file of the database.
pub(super) fn database(config: &Config) -> PathBuf {
    config.data_dir.join(DATABASE_FILE)
}

/// The name of a file that goes with `file`.
pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.to_owned().into_os_string();
    name.push(ending);
    PathBuf::from(name)
}

/// The write-ahead log of a database.
pub(super) fn log_of(file: &Path) -> PathBuf {
    beside(file, "-wal")
}

/// The index of the log, which is shared memory and means nothing once nobody has the database open.
pub(super) fn index_of(file: &Path) -> PathBuf {
    beside(file, "-shm")
}

/// The rollback journal of a database that is not in the mode of write-ahead logs yet.
pub(super) fn journal_of(file: &Path) -> PathBuf {
    beside(file, "-journal")
}

/// The bytes of a file; 0 where there is none.
pub(super) fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |data| data.len())
}

/// Makes the folder, and what is above it, with mode 0700 if it is not there.
pub(super) fn make_folder(folder: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::Folder(folder.to_owned(), error);
    let made: Vec<&Path> =
        folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    made.iter().try_for_each(|path| sync_folder(path.parent().unwrap_or(path))).map_err(failed)
}

/// Makes the file with mode 0600, which the database's side files take from it; it must not be there yet.
pub(super) fn new_private_file(path: &Path) -> io::Result<File> {
    private().create_new(true).open(path)
}

/// Gives a finished file its name for good, in the place of what had it.
pub(super) fn put_in_place(draft: &Path, file: &Path) -> io::Result<()> {
    File::open(draft)?.sync_all()?;
    fs::rename(draft, file)?;
    sync_folder(file.parent().unwrap_or(file))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Removes a file that may not be there.
pub(super) fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}
