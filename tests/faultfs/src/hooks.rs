//! The functions of the C library that the program gets instead of its own: log and fail, else do what is asked for.

use std::ffi::{c_char, c_int, c_uint, c_void};

use libc::{mode_t, off_t, off64_t, size_t, ssize_t};

use super::log::Kind;
use super::rule::Operation;
use super::{Open, Turn, inside, is_known, set_errno, set_known};

macro_rules! hook {
    (fn $name:ident($($argument:ident: $kind:ty),*) -> $result:ty $body:block) => {
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $kind),*) -> $result $body
    };
}

/// A system call. Its arguments are the caller's own, or as alive as this call.
macro_rules! call {
    ($result:ty, $number:ident $(, $argument:expr)*) => {
        // SAFETY: the caller vouches for the arguments as for those of the hooked function.
        unsafe { libc::syscall(libc::$number $(, $argument)*) as $result }
    };
}

/// The mode is only there where a file may be made; whatever stands in its place is not looked at otherwise.
unsafe fn opened(at: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let plain = || call!(c_int, SYS_openat, at, path, flags, mode);
    // SAFETY: the caller's string.
    let Some(name) = (unsafe { inside(path) }) else { return plain() };
    let mut turn = Turn::take();
    let state = turn.state();
    if let Some(errno) = state.rules.fault(Operation::Open, name) {
        set_errno(errno);
        return -1;
    }
    let was_there = call!(c_int, SYS_faccessat, at, path, libc::F_OK) == 0;
    let descriptor = plain();
    if descriptor < 0 {
        return descriptor;
    }
    // SAFETY: all zeroes is a value of it.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: it is written to by this call alone.
    unsafe { libc::fstat(descriptor, &raw mut stat) };
    let is_folder = stat.st_mode & libc::S_IFMT == libc::S_IFDIR;
    let identity = (stat.st_dev, stat.st_ino);
    let number = match state.numbers.get(&identity) {
        Some(number) if was_there => *number,
        _ => {
            let number = state.next;
            state.next += 1;
            state.numbers.insert(identity, number);
            if !is_folder {
                state.log.add(Kind::Open, number, u64::from(!was_there), name);
            }
            number
        }
    };
    if was_there && flags & libc::O_TRUNC != 0 {
        state.log.add(Kind::Truncate, number, 0, &[]);
    }
    state.open.insert(descriptor, Open { number, name: name.to_vec(), is_folder });
    set_known(descriptor, true);
    descriptor
}

hook! { fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as of the caller.
    unsafe { opened(libc::AT_FDCWD, path, flags, mode) }
} }

hook! { fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as of the caller.
    unsafe { opened(libc::AT_FDCWD, path, flags, mode) }
} }

hook! { fn openat(at: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as of the caller.
    unsafe { opened(at, path, flags, mode) }
} }

hook! { fn openat64(at: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as of the caller.
    unsafe { opened(at, path, flags, mode) }
} }

hook! { fn close(descriptor: c_int) -> c_int {
    if !is_known(descriptor) {
        return call!(c_int, SYS_close, descriptor);
    }
    let mut turn = Turn::take();
    set_known(descriptor, false);
    turn.state().open.remove(&descriptor);
    call!(c_int, SYS_close, descriptor)
} }

/// Does `work` on a known descriptor, or fails by the rule; `log` tells what was done.
fn on_known(
    descriptor: c_int,
    operation: Operation,
    work: impl FnOnce() -> isize,
    log: impl FnOnce(&super::log::Log, &Open, isize),
) -> isize {
    if !is_known(descriptor) {
        return work();
    }
    let mut turn = Turn::take();
    let state = turn.state();
    let Some(open) = state.open.get(&descriptor) else { return work() };
    if !open.is_folder
        && let Some(errno) = state.rules.fault(operation, &open.name)
    {
        set_errno(errno);
        return -1;
    }
    let done = work();
    if done >= 0 {
        log(&state.log, open, done);
    }
    done
}

unsafe fn written(descriptor: c_int, bytes: *const c_void, count: size_t, offset: Option<off64_t>) -> ssize_t {
    let place = offset.unwrap_or_else(|| call!(off64_t, SYS_lseek, descriptor, 0, libc::SEEK_CUR));
    let work = || match offset {
        Some(offset) => call!(ssize_t, SYS_pwrite64, descriptor, bytes, count, offset),
        None => call!(ssize_t, SYS_write, descriptor, bytes, count),
    };
    on_known(descriptor, Operation::Write, work, |log, open, done| {
        // SAFETY: the caller's buffer, of which so many bytes were just written.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), done.unsigned_abs()) };
        log.add(Kind::Write, open.number, place.unsigned_abs(), bytes);
    })
}

hook! { fn write(descriptor: c_int, bytes: *const c_void, count: size_t) -> ssize_t {
    if !is_known(descriptor) {
        return call!(ssize_t, SYS_write, descriptor, bytes, count);
    }
    // SAFETY: as of the caller.
    unsafe { written(descriptor, bytes, count, None) }
} }

hook! { fn pwrite(descriptor: c_int, bytes: *const c_void, count: size_t, offset: off_t) -> ssize_t {
    // SAFETY: as of the caller.
    unsafe { written(descriptor, bytes, count, Some(offset)) }
} }

hook! { fn pwrite64(descriptor: c_int, bytes: *const c_void, count: size_t, offset: off64_t) -> ssize_t {
    // SAFETY: as of the caller.
    unsafe { written(descriptor, bytes, count, Some(offset)) }
} }

hook! { fn read(descriptor: c_int, bytes: *mut c_void, count: size_t) -> ssize_t {
    let work = || call!(ssize_t, SYS_read, descriptor, bytes, count);
    on_known(descriptor, Operation::Read, work, |_, _, _| {})
} }

hook! { fn pread(descriptor: c_int, bytes: *mut c_void, count: size_t, offset: off_t) -> ssize_t {
    let work = || call!(ssize_t, SYS_pread64, descriptor, bytes, count, offset);
    on_known(descriptor, Operation::Read, work, |_, _, _| {})
} }

hook! { fn pread64(descriptor: c_int, bytes: *mut c_void, count: size_t, offset: off64_t) -> ssize_t {
    let work = || call!(ssize_t, SYS_pread64, descriptor, bytes, count, offset);
    on_known(descriptor, Operation::Read, work, |_, _, _| {})
} }

fn truncated(descriptor: c_int, length: off64_t) -> c_int {
    let work = || call!(isize, SYS_ftruncate, descriptor, length);
    on_known(descriptor, Operation::Truncate, work, |log, open, _| {
        log.add(Kind::Truncate, open.number, length.unsigned_abs(), &[]);
    }) as c_int
}

hook! { fn ftruncate(descriptor: c_int, length: off_t) -> c_int {
    truncated(descriptor, length)
} }

hook! { fn ftruncate64(descriptor: c_int, length: off64_t) -> c_int {
    truncated(descriptor, length)
} }

fn synced(descriptor: c_int, work: impl FnOnce() -> isize) -> c_int {
    on_known(descriptor, Operation::Sync, work, |log, open, _| match open.is_folder {
        true => log.add(Kind::SyncFolder, open.number, 0, &open.name),
        false => log.add(Kind::Sync, open.number, 0, &[]),
    }) as c_int
}

hook! { fn fsync(descriptor: c_int) -> c_int {
    synced(descriptor, || call!(isize, SYS_fsync, descriptor))
} }

hook! { fn fdatasync(descriptor: c_int) -> c_int {
    synced(descriptor, || call!(isize, SYS_fdatasync, descriptor))
} }

/// Does `work` on one or two names inside of the folder, and logs it.
unsafe fn on_names(kind: Kind, from: *const c_char, to: *const c_char, work: impl FnOnce() -> c_int) -> c_int {
    // SAFETY: the caller's strings.
    let (from, to) = unsafe { (inside(from), inside(to)) };
    let Some(mut bytes) = from.map(<[u8]>::to_vec) else { return work() };
    if let Some(to) = to {
        bytes.push(0);
        bytes.extend_from_slice(to);
    }
    let mut turn = Turn::take();
    let done = work();
    if done == 0 {
        turn.state().log.add(kind, 0, 0, &bytes);
    }
    done
}

hook! { fn unlink(path: *const c_char) -> c_int {
    let work = || call!(c_int, SYS_unlinkat, libc::AT_FDCWD, path, 0);
    // SAFETY: as of the caller.
    unsafe { on_names(Kind::Unlink, path, std::ptr::null(), work) }
} }

hook! { fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let work = || call!(c_int, SYS_renameat2, libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0);
    // SAFETY: as of the caller.
    unsafe { on_names(Kind::Rename, from, to, work) }
} }

hook! { fn linkat(from_at: c_int, from: *const c_char, to_at: c_int, to: *const c_char, flags: c_int) -> c_int {
    let work = || call!(c_int, SYS_linkat, from_at, from, to_at, to, flags);
    // SAFETY: as of the caller.
    unsafe { on_names(Kind::Link, from, to, work) }
} }

hook! { fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    let work = || call!(c_int, SYS_mkdirat, libc::AT_FDCWD, path, mode);
    // SAFETY: as of the caller.
    unsafe { on_names(Kind::MakeFolder, path, std::ptr::null(), work) }
} }

// A copy that the kernel makes would pass unseen: without these two it is made by reading and writing.

hook! { fn copy_file_range(
    _from: c_int, _from_offset: *mut off64_t, _to: c_int, _to_offset: *mut off64_t, _count: size_t, _flags: c_uint
) -> ssize_t {
    set_errno(libc::ENOSYS);
    -1
} }

hook! { fn sendfile64(_to: c_int, _from: c_int, _offset: *mut off64_t, _count: size_t) -> ssize_t {
    set_errno(libc::ENOSYS);
    -1
} }
