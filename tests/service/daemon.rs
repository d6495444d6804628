//! A place for one daemon, the daemon itself and what a run of the binary came to; asserts nothing about them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The longest that anything here may take; reached only when the test fails.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A place for one daemon: its configuration file, empty at first, and its data, not there at first.
pub struct Place {
    pub folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        place.configure("");
        place
    }

    pub fn configure(&self, toml: &str) {
        fs::write(self.folder.path().join("config.toml"), toml).expect("the configuration is written");
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn database(&self) -> PathBuf {
        self.data().join("snapshotd.db")
    }

    /// The binary with this place's files and an environment of nothing else.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_snapshotd"));
        command.env_clear().stdin(Stdio::null());
        command.arg("--config").arg(self.folder.path().join("config.toml"));
        command.arg("--data-dir").arg(self.data()).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().expect("the binary runs"))
    }

    pub fn serve(&self) -> Daemon {
        Daemon::start(self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }

    /// A database with the marks of a stopped daemon and nothing else.
    pub fn with_database() -> Self {
        let place = Self::new();
        assert_eq!(place.serve().stop("TERM"), Some(0));
        place
    }
}

/// How a command ended.
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Expects this exit code and all of `parts` on standard error.
    pub fn refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "{part} is not in {}", self.stderr);
        }
    }
}

/// A daemon that serves; killed if it is still there at the end.
pub struct Daemon {
    pub child: Child,
    pub endpoint: String,
}

impl Daemon {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let stdout = child.stdout.take().expect("a pipe");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut daemon = Self { child, endpoint: String::new() };
        let line = lines.recv_timeout(LIMIT).expect("a first line on standard output");
        line.strip_prefix("listening on ").expect("where it listens").clone_into(&mut daemon.endpoint);
        daemon
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill runs").success());
    }

    /// The exit code after a signal.
    pub fn stop(mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.exit_code()
    }

    pub fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status.code();
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the daemon does not stop");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // An error means that it is gone, as it should be.
        self.child.kill().and_then(|()| self.child.wait()).ok();
    }
}
