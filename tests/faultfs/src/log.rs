//! The log of all changes: a record for each, appended by one system call; reads nothing.

use std::ffi::c_int;

use super::variable;

/// What a record tells. `tests/it/support/disk.rs` reads them.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Kind {
    /// `place` is 1 where the file was made by this; the bytes are its name.
    Open = 1,
    /// `place` is the offset; the bytes are what was written there.
    Write = 2,
    /// `place` is the length.
    Truncate = 3,
    Sync = 4,
    /// The bytes are the folder's name.
    SyncFolder = 5,
    /// The bytes are a name.
    Unlink = 6,
    /// The bytes are two names with a zero between.
    Rename = 7,
    Link = 8,
    /// The bytes are a name.
    MakeFolder = 9,
}

/// Where records go, if anywhere.
pub struct Log(Option<c_int>);

impl Log {
    pub fn of_environment() -> Self {
        let Some(path) = variable(c"FAULTFS_LOG") else { return Self(None) };
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
        // SAFETY: the bytes of a variable end with a zero.
        let file = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o600) };
        if file < 0 {
            std::process::abort();
        }
        Self(c_int::try_from(file).ok())
    }

    /// A record: kind, number, place and length of the bytes, then these.
    pub fn add(&self, kind: Kind, number: u32, place: u64, bytes: &[u8]) {
        let Some(file) = self.0 else { return };
        let mut record = Vec::with_capacity(17 + bytes.len());
        record.push(kind as u8);
        record.extend_from_slice(&number.to_le_bytes());
        record.extend_from_slice(&place.to_le_bytes());
        record.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        record.extend_from_slice(bytes);
        // SAFETY: the record is there until the call returns.
        let written = unsafe { libc::syscall(libc::SYS_write, file, record.as_ptr(), record.len()) };
        if usize::try_from(written) != Ok(record.len()) {
            // A log with a hole would prove nothing.
            std::process::abort();
        }
    }
}
