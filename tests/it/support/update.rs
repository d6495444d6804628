//! Files that tests compare with and that `SNAPSHOTD_TEST_UPDATE=1` rewrites.

use std::path::{Path, PathBuf};

/// Whether files may be rewritten.
pub fn is_asked_for() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, not of the daemon")]
    std::env::var("SNAPSHOTD_TEST_UPDATE").is_ok_and(|value| value == "1")
}

pub fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

pub fn read(relative: &str) -> String {
    std::fs::read_to_string(path(relative)).unwrap_or_default()
}

pub fn write(relative: &str, text: &str) {
    std::fs::write(path(relative), text).expect("the file can be written");
}

/// Compares `text` with the file, or writes it there.
#[track_caller]
pub fn golden(name: &str, text: &str) {
    let relative = format!("tests/it/golden/{name}");
    if is_asked_for() {
        write(&relative, text);
    }
    assert_eq!(read(&relative), text, "{relative} differs; SNAPSHOTD_TEST_UPDATE=1 rewrites it");
}
