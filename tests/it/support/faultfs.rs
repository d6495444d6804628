//! The library of tests/faultfs: built when it is first asked for, and the variables that preload it; Linux alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The library, in a target folder of its own: that of the tests may be locked by who runs them.
fn library() -> &'static str {
    static LIBRARY: OnceLock<String> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faultfs");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--offline", "--package", "faultfs", "--target-dir"]).arg(&target);
        let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        target.join("debug/libfaultfs.so").to_string_lossy().into_owned()
    })
}

/// A folder that is watched, and the files of the watch beside it.
pub struct Watch {
    folder: tempfile::TempDir,
}

impl Watch {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("watched")).expect("a folder");
        Self { folder }
    }

    pub fn watched(&self) -> PathBuf {
        self.folder.path().join("watched")
    }

    pub fn data(&self) -> PathBuf {
        self.watched().join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The variables of a program that is to be watched; with a log of what it writes, if told so.
    pub fn variables(&self, with_log: bool) -> Vec<(&'static str, String)> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut variables = vec![
            ("LD_PRELOAD", library().to_owned()),
            ("FAULTFS_FOLDER", text(self.watched())),
            ("FAULTFS_RULE", text(self.rule())),
        ];
        if with_log {
            variables.push(("FAULTFS_LOG", text(self.log())));
        }
        variables
    }

    fn rule(&self) -> PathBuf {
        self.beside("rule")
    }

    /// From now on operations fail: `ERRNO OPERATIONS FILES FIRST TIMES`.
    pub fn fail(&self, rule: &str) {
        let draft = self.beside("rule.draft");
        fs::write(&draft, rule).expect("the rule");
        fs::rename(draft, self.rule()).expect("the rule");
    }

    /// The fault is gone; how often it showed.
    pub fn heal(&self) -> usize {
        let _ = fs::remove_file(self.rule());
        let fired = self.beside("rule.fired");
        let count = fs::read(&fired).map_or(0, |marks| marks.len());
        let _ = fs::remove_file(fired);
        count
    }
}
