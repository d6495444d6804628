//! Reads, writes and syncs that fail: nothing is said to be done that is not, nothing refused is done, and service comes back.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::support::daemon::{Connection, Daemon, PATIENCE, Reply, binary, furnish};
use crate::support::faultfs::Watch;
use crate::support::{database, invariants, load};

const DISK: &str = "d-bp1faults";
const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");
/// More operations than any scenario has.
const ENDLESS: usize = 5_000;

/// So many snapshots are left for the next fault.
const MOST: usize = 10;

/// A daemon on a watched folder, and what must be there.
struct Bench {
    watch: Watch,
    daemon: Option<Daemon>,
    expected: BTreeSet<String>,
    tokens: usize,
}

impl Bench {
    fn new() -> Self {
        let watch = Watch::new();
        furnish(&watch.data(), &[DISK.to_owned()]);
        let mut bench = Self { watch, daemon: None, expected: BTreeSet::from([DISK.to_owned()]), tokens: 0 };
        bench.start();
        bench
    }

    fn start(&mut self) {
        let mut variables = self.watch.variables(false);
        variables.push(("SNAPSHOTD_LIFECYCLE__SNAPSHOT_MS", "5".to_owned()));
        variables.push(("SNAPSHOTD_LOG__LEVEL", "error".to_owned()));
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let stderr = File::options().create(true).append(true).open(self.watch.beside("stderr")).expect("a file");
        self.daemon = Some(Daemon::start_telling(&self.watch.data(), &variables, stderr.into()));
    }

    fn connect(&self) -> Connection {
        self.daemon.as_ref().expect("it runs").connect()
    }

    /// An answer in time, be it that nothing can be done.
    fn call(connection: &mut Connection, action: &str, params: &[(&str, &str)]) -> Reply {
        let reply = connection.call(action, &[&[REGION], params].concat()).expect("an answer in time");
        let is_failure = reply.status == 500 && reply.body()["Code"] == "InternalError";
        assert!(reply.status == 200 || is_failure || reply.status == 503, "{action}: {} {}", reply.status, reply.text);
        reply
    }

    /// Waits until nothing is under way: what is due is written before anything is read, and has a commit of its own.
    fn settle(connection: &mut Connection) {
        let under_way = [("Status", "progressing")];
        while Self::call(connection, "DescribeSnapshots", &under_way).body()["TotalCount"] != 0 {
            thread::yield_now();
        }
    }

    fn token(&mut self) -> String {
        self.tokens += 1;
        format!("token-{}", self.tokens)
    }

    fn snapshot(&mut self, connection: &mut Connection) -> bool {
        let token = self.token();
        let params = [("DiskId", DISK), ("ClientToken", &token), ("Tag.1.Key", "k"), ("RetentionDays", "9")];
        let reply = Self::call(connection, "CreateSnapshot", &params);
        if let Some(id) = reply.body()["SnapshotId"].as_str() {
            self.expected.insert(id.to_owned());
        }
        reply.status == 200
    }

    /// What a client does once: makes, reads, deletes.
    fn work(&mut self, connection: &mut Connection) {
        self.snapshot(connection);
        Self::call(connection, "DescribeSnapshots", &[]);
        self.snapshot(connection);
        let Some(id) = self.expected.iter().find(|id| id.starts_with("s-")).cloned() else { return };
        if Self::call(connection, "DeleteSnapshot", &[("SnapshotId", &id)]).status == 200 {
            self.expected.remove(&id);
        }
        Self::call(connection, "DescribeDisks", &[]);
    }

    /// Once nothing fails any more, the same process serves at once, and has what it said and nothing else.
    fn is_well(&mut self, when: &str) {
        let connection = &mut self.connect();
        for attempt in 1.. {
            let (reads, writes) = (Self::call(connection, "DescribeSnapshots", &[]).status, self.snapshot(connection));
            if reads == 200 && writes {
                break;
            }
            assert!(attempt < 3, "{when}: no service though nothing fails any more");
        }
        assert_eq!(load::all(connection), self.expected, "{when}");
        let snapshots: Vec<String> = self.expected.iter().filter(|id| id.starts_with("s-")).cloned().collect();
        for id in snapshots.iter().skip(MOST) {
            assert_eq!(Self::call(connection, "DeleteSnapshot", &[("SnapshotId", id)]).status, 200, "{when}");
            self.expected.remove(id);
        }
    }

    fn is_sound(&self, when: &str) {
        let file = self.watch.data().join("snapshotd.db");
        let broken = database::block_on(invariants::check(&file, &BTreeSet::new()));
        assert!(broken.is_empty(), "{when}: {broken:#?}");
        let said = fs::read_to_string(self.watch.beside("stderr")).expect("what it said");
        assert!(!said.contains("panicked"), "{when}: {said}");
    }

    fn restart(&mut self, orderly: bool) {
        let daemon = self.daemon.take().expect("it runs");
        if orderly {
            assert!(daemon.terminate().success());
        } else {
            daemon.kill();
        }
        self.start();
    }
}

/// The first operation fails, the second, and so on until the scenario has no more; `times` as tests/faultfs has it.
fn one_after_the_other(errno: &str, operations: &str, files: &str, times: usize, step: usize) -> usize {
    let mut bench = Bench::new();
    let mut failed = 0;
    for first in (1..ENDLESS).step_by(step) {
        let rule = format!("{errno} {operations} {files} {first} {times}");
        let connection = &mut bench.connect();
        bench.watch.fail(&rule);
        bench.work(connection);
        let fired = bench.watch.heal();
        bench.is_well(&rule);
        if fired == 0 {
            break;
        }
        failed += 1;
        if first % 5 == 0 {
            bench.restart(first % 2 == 0);
            bench.is_well(&rule);
        }
        bench.is_sound(&rule);
    }
    bench.restart(true);
    bench.is_well("at the end");
    bench.is_sound("at the end");
    println!("{errno} {operations} {files} x{times}: {failed} faults, one after the other");
    failed
}

#[test]
fn a_write_that_fails_is_a_refusal_and_nothing_else() {
    assert!(one_after_the_other("EIO", "write", "db,wal,shm", 1, 5) > 3);
}

#[test]
fn a_sync_that_fails_is_a_refusal_and_nothing_else() {
    assert!(one_after_the_other("EIO", "sync", "db,wal", 1, 1) > 2);
}

#[test]
fn a_read_that_fails_is_a_refusal_and_no_false_answer() {
    one_after_the_other("EIO", "read", "db,wal", 1, 1);
    one_after_the_other("EIO", "read", "db,wal", 0, 3);
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    assert!(one_after_the_other("ENOSPC", "write,truncate", "db,wal,shm", 0, 7) > 3);
}

#[test]
fn a_read_only_file_system_refuses_writes_until_it_is_writable() {
    assert!(one_after_the_other("EROFS", "open,write,truncate,sync", "db,wal,shm", 0, 9) > 3);
}

#[test]
#[ignore = "tests/reliability/faults runs it: every operation"]
fn whatever_operation_fails() {
    let (began, mut faults) = (Instant::now(), 0);
    for errno in ["EIO", "ENOSPC", "EROFS"] {
        for operations in ["open", "read", "write", "sync", "truncate"] {
            for times in [1, 2, 0] {
                faults += one_after_the_other(errno, operations, "db,wal,shm", times, 1);
                println!("{faults} faults so far, {:?}", began.elapsed());
            }
        }
    }
    println!("{faults} faults, one after the other, {:?}", began.elapsed());
}

#[test]
fn what_was_refused_for_a_failed_sync_is_not_there_after_a_kill() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        let connection = &mut bench.connect();
        assert!(bench.snapshot(connection));
        Bench::settle(connection);
        bench.watch.fail("EIO sync wal 1 1");
        assert!(!bench.snapshot(connection), "the sync failed");
        assert_eq!(bench.watch.heal(), 1);
        // The log had the refused call in full, and nothing was written since but by the daemon itself.
        bench.restart(false);
        assert_eq!(load::all(&mut bench.connect()), bench.expected);
        bench.is_sound("after a kill");
    }
}

#[test]
fn reads_are_served_while_nothing_can_be_written() {
    let mut bench = Bench::new();
    let connection = &mut bench.connect();
    assert!(bench.snapshot(connection));
    Bench::settle(connection);
    bench.watch.fail("ENOSPC write,truncate db,wal 1 0");
    for _ in 0..5 {
        assert!(!bench.snapshot(connection));
        assert_eq!(load::all(connection), bench.expected);
    }
    assert!(bench.watch.heal() > 0);
    bench.is_well("there is room again");
}

/// Starts while an operation fails: it serves or says why not, and the next start has everything.
fn start_with(operations: &str, errno: &str, step: usize) -> (usize, usize) {
    let mut bench = Bench::new();
    let connection = &mut bench.connect();
    for _ in 0..10 {
        assert!(bench.snapshot(connection));
    }
    bench.daemon.take().expect("it runs").kill();
    let (mut served, mut refused) = (0, 0);
    for first in (1..ENDLESS).step_by(step) {
        let rule = format!("{errno} {operations} db,wal,shm {first} 1");
        bench.watch.fail(&rule);
        let mut program = Command::new(binary());
        program.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(bench.watch.data());
        program.envs(bench.watch.variables(false)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().expect("it starts");
        let mut stdout = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, heard) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            std::io::BufRead::read_line(&mut stdout, &mut line).expect("a line or an end");
            sender.send(line)
        });
        let line = heard.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{rule}: it hangs"));
        if line.is_empty() {
            let output = child.wait_with_output().expect("it ended");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{rule}: {said}");
            assert!(said.contains("snapshotd: ") && !said.contains("panicked"), "{rule}: {said}");
            refused += 1;
        } else {
            child.kill().and_then(|()| child.wait()).expect("ended");
            served += 1;
        }
        let fired = bench.watch.heal();
        bench.start();
        assert_eq!(load::all(&mut bench.connect()), bench.expected, "{rule}");
        bench.is_sound(&rule);
        bench.daemon.take().expect("it runs").kill();
        if fired == 0 {
            break;
        }
    }
    println!("starts with {errno} of a {operations}: {served} served, {refused} refused");
    (served, refused)
}

#[test]
fn a_start_that_meets_a_fault_serves_or_says_why_not_and_loses_nothing() {
    assert!(start_with("read", "EIO", 40).1 > 0);
    assert!(start_with("open,write,truncate", "EIO", 3).1 > 0);
}

/// Ends in order while an operation fails: it ends all the same, and the next start has everything.
fn end_with(operations: &str, errno: &str, times: usize, step: usize) -> usize {
    let mut bench = Bench::new();
    let mut failed = 0;
    for first in (1..ENDLESS).step_by(step) {
        let rule = format!("{errno} {operations} db,wal,shm {first} {times}");
        assert!(bench.snapshot(&mut bench.connect()), "{rule}");
        Bench::settle(&mut bench.connect());
        bench.watch.fail(&rule);
        let end = bench.daemon.take().expect("it runs").terminate();
        assert!(end.code().is_some(), "{rule}: {end}");
        let fired = bench.watch.heal();
        bench.start();
        bench.is_well(&rule);
        bench.is_sound(&rule);
        if fired == 0 {
            break;
        }
        failed += 1;
    }
    println!("ends with {errno} of a {operations} x{times}: {failed} faults");
    failed
}

#[test]
fn an_end_that_meets_a_fault_loses_nothing() {
    for operations in ["write", "sync", "truncate"] {
        assert!(end_with(operations, "EIO", 1, 1) > 0, "{operations}");
    }
    assert!(end_with("write,sync,truncate", "ENOSPC", 0, 3) > 0);
}
