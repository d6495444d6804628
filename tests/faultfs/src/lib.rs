//! A library to preload (LD_PRELOAD): logs what a program writes into a folder and lets its file operations fail; Linux alone.
//!
//! `FAULTFS_FOLDER` is the folder. `FAULTFS_LOG` names the file of the log, outside of it: every change and every sync in
//! their order, from which a test makes the folder as a loss of power would leave it. `FAULTFS_RULE` names a file that may
//! come, change and go while the program runs: `ERRNO OPERATION FILES FIRST TIMES`, such as `EIO write db,wal 3 1`. The
//! operations that match are counted from the moment that the rule is there; those from the FIRST on fail, so many TIMES or,
//! where that is 0, until the rule is gone. For each that fails a byte is added to the file of the rule's name with `.fired`.
//!
//! Every hook does its work by a plain system call, so that nothing of this library comes back to itself.

#![cfg(target_os = "linux")]

mod hooks;
mod log;
mod rule;

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use log::Log;
use rule::Rules;

/// What an open descriptor stands for.
struct Open {
    /// The number of the file in the log: the same for all descriptors of it, another one for each file ever made.
    number: u32,
    name: Vec<u8>,
    is_folder: bool,
}

struct State {
    open: HashMap<c_int, Open>,
    numbers: HashMap<(u64, u64), u32>,
    next: u32,
    log: Log,
    rules: Rules,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

/// Descriptors that are known to the state, so that sockets pass without a lock.
static KNOWN: [AtomicBool; 4_096] = [const { AtomicBool::new(false) }; 4_096];

fn is_known(descriptor: c_int) -> bool {
    usize::try_from(descriptor)
        .ok()
        .and_then(|place| KNOWN.get(place))
        .is_some_and(|known| known.load(Ordering::Acquire))
}

fn set_known(descriptor: c_int, is: bool) {
    if let Some(known) = usize::try_from(descriptor).ok().and_then(|place| KNOWN.get(place)) {
        known.store(is, Ordering::Release);
    }
}

/// The state, for one operation: what is done and what is logged have the same order.
struct Turn(MutexGuard<'static, Option<State>>);

impl Turn {
    fn take() -> Self {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        state.get_or_insert_with(|| State {
            open: HashMap::new(),
            numbers: HashMap::new(),
            next: 1,
            log: Log::of_environment(),
            rules: Rules::of_environment(),
        });
        Self(state)
    }

    fn state(&mut self) -> &mut State {
        match self.0.as_mut() {
            Some(state) => state,
            None => std::process::abort(),
        }
    }
}

/// A variable of the environment, without a copy: these are never changed.
fn variable(name: &CStr) -> Option<&'static [u8]> {
    // SAFETY: the C library gives a string that stays.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: as above.
    Some(unsafe { CStr::from_ptr(value) }.to_bytes())
}

/// What is left of a path below the folder, empty for the folder itself; `None` where it is elsewhere.
///
/// # Safety
/// `path` is a string of C's.
unsafe fn inside<'a>(path: *const c_char) -> Option<&'a [u8]> {
    if path.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    match path.strip_prefix(variable(c"FAULTFS_FOLDER")?)? {
        [] => Some(&[]),
        [b'/', rest @ ..] => Some(rest),
        _ => None,
    }
}

fn set_errno(number: c_int) {
    // SAFETY: it is the thread's own.
    unsafe { *libc::__errno_location() = number };
}
