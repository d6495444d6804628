//! The data folder: its files with their modes, the lock that keeps a second process out, the published endpoint; no SQL.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
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

pub(super) fn make_folder(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Failure::Folder(folder.to_owned(), error))
}

/// Makes the file with mode 0600 if it is not there and tells whether it is empty; the database's side files take their
/// mode from it.
pub(super) fn private_file(path: &Path) -> io::Result<bool> {
    Ok(private().open(path)?.metadata()?.len() == 0)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}
