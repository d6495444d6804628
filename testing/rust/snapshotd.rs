//! A snapshotd of one's own for tests in Rust: copy this file into `tests/`, it needs nothing but `std` and the binary.

use std::io::{Error, Read, Result, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running daemon on a free port; its clock stands still at 2026-01-01T00:00:00Z. It ends, and its data goes, when dropped.
pub struct Snapshotd {
    child: Child,
    folder: PathBuf,
    endpoint: String,
}

impl Snapshotd {
    pub const ACCESS_KEY_ID: &str = "testid";
    pub const ACCESS_KEY_SECRET: &str = "testsecret";
    pub const REGION_ID: &str = "cn-hangzhou";

    /// Starts what `SNAPSHOTD_BIN` names, else `snapshotd` on the PATH.
    ///
    /// # Errors
    /// It cannot be started, or does not say where it listens.
    pub fn start() -> Result<Self> {
        let binary = std::env::var_os("SNAPSHOTD_BIN").unwrap_or_else(|| "snapshotd".into());
        Self::start_binary(Path::new(&binary), &[])
    }

    /// Starts this binary; `settings` are keys of the configuration such as `("lifecycle.snapshot_ms", "0")`.
    ///
    /// # Errors
    /// As [`Snapshotd::start`].
    pub fn start_binary(binary: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("snapshotd-{}-{number}", std::process::id()));
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&folder);
        for (key, value) in [("clock.mode", "manual"), ("seed.ids", "1")].iter().chain(settings) {
            command.env(format!("SNAPSHOTD_{}", key.to_uppercase().replace('.', "__")), value);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut daemon = Self { child, folder, endpoint: String::new() };
        daemon.endpoint = daemon.published()?;
        Ok(daemon)
    }

    fn published(&mut self) -> Result<String> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && self.child.try_wait()?.is_none() {
            let text = std::fs::read_to_string(self.folder.join("endpoint")).unwrap_or_default();
            if let Some(url) = text.strip_suffix('\n') {
                return Ok(url.trim_start_matches("http://").to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(Error::other("snapshotd did not start"))
    }

    /// Host and port, as SDKs take them.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Moves the clock on by `30d`, `90m` or `1h30m`; the report, JSON, after everything has happened.
    ///
    /// # Errors
    /// Refused, with the reason; or no answer.
    pub fn advance(&self, by: &str) -> Result<String> {
        self.lever("POST", "/clock/advance", &format!(r#"{{"by": "{by}"}}"#))
    }

    /// Moves the clock on to an instant such as `2027-01-01T00:00:00Z`.
    ///
    /// # Errors
    /// As [`Snapshotd::advance`].
    pub fn advance_to(&self, instant: &str) -> Result<String> {
        self.lever("POST", "/clock/advance", &format!(r#"{{"to": "{instant}"}}"#))
    }

    /// Moves the clock on to the next thing that happens.
    ///
    /// # Errors
    /// As [`Snapshotd::advance`]; also where nothing is to come.
    pub fn advance_to_next(&self) -> Result<String> {
        self.lever("POST", "/clock/next", "")
    }

    /// Moves any lever of `/_snapshotd`; its answer, JSON.
    ///
    /// # Errors
    /// As [`Snapshotd::advance`].
    pub fn lever(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.endpoint)?;
        write!(
            stream,
            "{method} /_snapshotd{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.endpoint,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| Error::other("no answer"))?;
        let is_fine = head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'));
        if is_fine { Ok(body.to_owned()) } else { Err(Error::other(body.to_owned())) }
    }
}

impl Drop for Snapshotd {
    fn drop(&mut self) {
        // It may have ended by itself; what cannot be removed is left to the system.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
