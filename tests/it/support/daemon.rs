//! The binary itself, spawned on a folder of its own, and a client that speaks HTTP/1.1 over a plain socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use snapshotd::App;
use snapshotd::clock::Clock;
use snapshotd::config::Config;
use snapshotd::store::row_locks::RowLocks;
use snapshotd::store::tx::Context;

use super::request::{HOST, Request};
use super::{ACCOUNT, KEY, REGION, database, seed};

/// No read and no wait of these tests lasts longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The binary under test: the one that cargo built, or the one that `SNAPSHOTD_TEST_BINARY` names.
pub fn binary() -> PathBuf {
    std::env::var_os("SNAPSHOTD_TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_snapshotd").into(), PathBuf::from)
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Option<Child>,
    pub address: String,
    /// Where it speaks HTTPS, if anywhere.
    pub tls_address: Option<String>,
}

impl Daemon {
    /// Starts it on `folder` with these variables, and waits for the line that says where it listens.
    pub fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        Self::start_telling(folder, variables, Stdio::null())
    }

    /// As [`Daemon::start`]; what it says to people goes to `stderr`.
    pub fn start_telling(folder: &Path, variables: &[(&str, &str)], stderr: Stdio) -> Self {
        let child = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the binary starts");
        // From here on the process is ended whatever fails.
        let mut daemon = Self { child: Some(child), address: String::new(), tls_address: None };
        let mut line = String::new();
        let output = daemon.child.as_mut().and_then(|child| child.stdout.take()).expect("a pipe");
        let mut output = BufReader::new(output);
        output.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("it said {line:?}"));
        let published = std::fs::read_to_string(folder.join("endpoint")).expect("the file endpoint");
        assert_eq!(published.trim(), format!("http://{address}"));
        address.clone_into(&mut daemon.address);
        if variables.iter().any(|(name, _)| *name == "SNAPSHOTD_TLS__LISTEN") {
            let mut line = String::new();
            output.read_line(&mut line).expect("a second line");
            daemon.tls_address = line.trim().strip_prefix("listening on https://").map(str::to_owned);
        }
        daemon
    }

    pub fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.address).expect("it accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Connection(BufReader::new(stream))
    }

    pub fn process_id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Bytes of memory that it has.
    pub fn memory(&self) -> u64 {
        let id = self.process_id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("Linux tells");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("how much");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("killed");
        child.wait().expect("gone");
    }

    /// `kill -TERM`, and how it ended; a failure when it does not end in time.
    pub fn terminate(mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || ended.send(child.wait()));
        end.recv_timeout(PATIENCE).expect("it ends in time").expect("a status")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A kept connection.
pub struct Connection(BufReader<TcpStream>);

/// An answer as it came over the socket.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub text: String,
}

impl Reply {
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Connection {
    /// Calls an action, signed by v1 at the machine's own time; `None` when the daemon is gone.
    pub fn call(&mut self, action: &str, params: &[(&str, &str)]) -> Option<Reply> {
        self.call_as(KEY, action, params)
    }

    /// As [`Connection::call`] with another key.
    pub fn call_as(&mut self, key: (&str, &str), action: &str, params: &[(&str, &str)]) -> Option<Reply> {
        let now = Clock::system().wall_now().to_seconds();
        let (query, _, _) = Request::new(action, params).key(key).set("Timestamp", &now).parts();
        self.send(&format!("POST /?{query} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n"))?;
        self.reply()
    }

    /// Moves a lever.
    pub fn lever(&mut self, method: &str, path: &str, body: &str) -> Option<Reply> {
        let length = body.len();
        self.send(&format!(
            "{method} /_snapshotd{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))?;
        self.reply()
    }

    pub fn send(&mut self, text: &str) -> Option<()> {
        self.0.get_mut().write_all(text.as_bytes()).ok()
    }

    /// Reads one answer; `None` when the connection ends before it is whole.
    pub fn reply(&mut self) -> Option<Reply> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length =
            |line: &str| line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().to_owned());
        let length: usize = head.lines().find_map(length)?.parse().ok()?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some(Reply { status, head, text: String::from_utf8(body).expect("UTF-8") })
    }

    /// The next line of an answer that has no end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line in time");
        assert!(!line.is_empty(), "the connection ended");
        line
    }

    /// All that comes until the other side closes.
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset is an end as well; a timeout is none.
        if let Err(error) = self.0.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it was not closed in time");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Puts free disks into a database that a daemon will serve.
pub fn furnish(folder: &Path, disk_ids: &[String]) {
    let mut config = Config::embedded();
    config.data_dir = PathBuf::from(folder);
    database::block_on(async {
        let app = App::open(config).await.expect("it opens");
        for disk_id in disk_ids {
            let context = Context { account_id: ACCOUNT.into(), region: None };
            let operation =
                seed::InsertDisk { disk: seed::disk_row(disk_id, REGION, app.clock.now()), instance_id: None };
            app.store.write(context, RowLocks::none(), operation).await.expect("a disk");
        }
        app.store.close().await;
    });
}
