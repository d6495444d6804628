//! The processes that are measured: the daemon itself, and a bare axum handler for comparison.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// A spawned daemon, killed when it is dropped.
pub struct Daemon {
    child: Child,
    address: SocketAddr,
}

impl Daemon {
    /// Starts the binary that cargo built beside this bench; snapshots take an hour, so that none finishes meanwhile.
    pub fn start(data_dir: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_snapshotd"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
        command.env("SNAPSHOTD_LIFECYCLE__SNAPSHOT_MS", "3600000");
        command.env("SNAPSHOTD_QUOTAS__SNAPSHOTS_PER_DISK", "1000000");
        command.env("SNAPSHOTD_QUOTAS__CONCURRENT_SNAPSHOTS", "1000000");
        command.env("SNAPSHOTD_LOG__LEVEL", "error");
        let (child, address) = spawn(command);
        Self { child, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it in order.
    pub fn stop(&mut self) {
        Command::new("kill").arg(self.child.id().to_string()).status().expect("kill");
        self.child.wait().expect("the daemon ends");
    }

    pub fn resident_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
    }

    /// Time on the processor so far, of a hundred ticks a second.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |i: usize| fields.get(i).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long a daemon on `data_dir` takes from its start to its first answer; it is stopped in order.
pub fn first_answer(data_dir: &Path) -> Duration {
    let started = Instant::now();
    let mut daemon = Daemon::start(data_dir);
    let mut stream = TcpStream::connect(daemon.address).expect("a connection");
    stream.write_all(b"GET /?Action=DescribeRegions HTTP/1.0\r\n\r\n").expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let elapsed = started.elapsed();
    assert!(answer.contains("RequestId"), "{answer}");
    daemon.stop();
    elapsed
}

/// A spawned copy of this bench that serves a bare axum handler.
pub struct Bare(Daemon);

impl Bare {
    pub fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg("serve-bare");
        let (child, address) = spawn(command);
        Self(Daemon { child, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }
}

fn spawn(mut command: Command) -> (Child, SocketAddr) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the process starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("the first line");
    let address = line.trim().rsplit("http://").next().and_then(|text| text.parse().ok()).expect("an address");
    (child, address)
}

/// Serves a handler that reads the body and answers a small JSON body, on a free port.
pub fn serve_bare() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("listening on http://{}", listener.local_addr().expect("an address"));
        let answer = || async { ([("content-type", "application/json;charset=utf-8")], "{\"RequestId\":\"0\"}") };
        let router = axum::Router::new().fallback(move |_: axum::body::Bytes| answer());
        axum::serve(listener, router).await.expect("serving");
    });
    ExitCode::SUCCESS
}
