//! The rule that lets operations fail: read anew before each of them, so that a test can set it and take it away.

use std::ffi::c_int;

use super::variable;

/// What is done to a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Open,
    Read,
    Write,
    Truncate,
    Sync,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Truncate => "truncate",
            Self::Sync => "sync",
        }
    }
}

pub struct Rules {
    file: Option<&'static [u8]>,
    /// The rule as it was last read.
    text: Vec<u8>,
    matched: u64,
}

impl Rules {
    pub fn of_environment() -> Self {
        Self { file: variable(c"FAULTFS_RULE"), text: Vec::new(), matched: 0 }
    }

    /// The error that this operation is to fail with, if any.
    pub fn fault(&mut self, operation: Operation, name: &[u8]) -> Option<c_int> {
        let file = self.file?;
        let text = read(file);
        if text != self.text {
            self.text = text;
            self.matched = 0;
        }
        let mut words = std::str::from_utf8(&self.text).ok()?.split_whitespace();
        let errno = match words.next()? {
            "EIO" => libc::EIO,
            "ENOSPC" => libc::ENOSPC,
            "EROFS" => libc::EROFS,
            _ => std::process::abort(),
        };
        let (operations, files) = (words.next()?, words.next()?);
        let (first, times): (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let is_meant = operations.split(',').any(|meant| meant == operation.name())
            && files.split(',').any(|meant| name.ends_with(ending(meant)));
        if !is_meant {
            return None;
        }
        self.matched += 1;
        let fires = self.matched >= first && (times == 0 || self.matched < first + times);
        fires.then(|| {
            fired(file);
            errno
        })
    }
}

fn ending(file: &str) -> &[u8] {
    match file {
        "db" => b"snapshotd.db",
        "wal" => b"-wal",
        "shm" => b"-shm",
        other => other.as_bytes(),
    }
}

fn read(file: &'static [u8]) -> Vec<u8> {
    let mut text = [0_u8; 128];
    // SAFETY: the name ends with a zero, the buffer is as long as said, the descriptor is this function's own.
    let length = unsafe {
        let opened = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, file.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if opened < 0 {
            return Vec::new();
        }
        let length = libc::syscall(libc::SYS_read, opened, text.as_mut_ptr(), text.len());
        libc::syscall(libc::SYS_close, opened);
        length
    };
    text[..usize::try_from(length).unwrap_or(0)].to_vec()
}

fn fired(file: &'static [u8]) {
    let mut name = file.to_vec();
    name.extend_from_slice(b".fired\0");
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
    // SAFETY: as above.
    unsafe {
        let opened = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, name.as_ptr(), flags, 0o600);
        if opened >= 0 {
            libc::syscall(libc::SYS_write, opened, b"x".as_ptr(), 1);
            libc::syscall(libc::SYS_close, opened);
        }
    }
}
