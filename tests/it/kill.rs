//! `kill -9` under load: what was acknowledged is there afterwards, and nothing is there by half.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::answer::snapshot_ids;
use crate::support::daemon::{Connection, Daemon, furnish};
use crate::support::{database, invariants};

const CLIENTS: usize = 8;
/// Acknowledged calls before the daemon dies.
const CALLS: usize = 400;
const VARIABLES: [(&str, &str); 2] = [("SNAPSHOTD_LIFECYCLE__SNAPSHOT_MS", "20"), ("SNAPSHOTD_LOG__LEVEL", "off")];

/// What a client knows when its connection ends.
#[derive(Default)]
struct Known {
    /// By client token: the ids of acknowledged snapshots; none where no answer came.
    made: BTreeMap<String, Option<String>>,
    /// Acknowledged deletions.
    deleted: BTreeSet<String>,
    /// Deletions without an answer: either is fine.
    in_doubt: BTreeSet<String>,
}

/// Makes snapshots, each with a token of its own, and deletes every second one, until nobody answers.
fn load(mut connection: Connection, client: usize, disk: &str, acknowledged: &AtomicUsize) -> Known {
    let mut known = Known::default();
    for number in 0.. {
        let token = format!("{client}-{number}");
        known.made.insert(token.clone(), None);
        let Some(reply) = connection.call("CreateSnapshot", &[("DiskId", disk), ("ClientToken", &token)]) else {
            break;
        };
        if reply.status != 200 {
            assert!(reply.text.contains("QuotaExceed"), "{}", reply.text);
            known.made.remove(&token);
            continue;
        }
        acknowledged.fetch_add(1, Ordering::Relaxed);
        let id = reply.body()["SnapshotId"].as_str().expect("an id").to_owned();
        known.made.insert(token, Some(id.clone()));
        if number % 2 == 0 {
            continue;
        }
        let Some(reply) = connection.call("DeleteSnapshot", &[("SnapshotId", &id)]) else {
            known.in_doubt.insert(id);
            break;
        };
        assert_eq!(reply.status, 200, "{}", reply.text);
        acknowledged.fetch_add(1, Ordering::Relaxed);
        known.deleted.insert(id);
    }
    known
}

fn all_ids(connection: &mut Connection) -> BTreeSet<String> {
    let (mut ids, mut token) = (BTreeSet::new(), String::new());
    loop {
        let params = [("RegionId", "cn-hangzhou"), ("MaxResults", "100"), ("NextToken", token.as_str())];
        let body = connection.call("DescribeSnapshots", &params).expect("an answer").body();
        ids.extend(snapshot_ids(&body));
        let next = body["NextToken"].as_str().expect("a token").to_owned();
        if next.is_empty() {
            return ids;
        }
        token = next;
    }
}

fn check_after(folder: &Path, disks: &[String], known: &[Known]) {
    let daemon = Daemon::start(folder, &VARIABLES);
    let mut connection = daemon.connect();
    let there = all_ids(&mut connection);
    let mut expected = BTreeSet::new();
    for (client, known) in known.iter().enumerate() {
        for (token, id) in &known.made {
            let params = [("DiskId", disks[client].as_str()), ("ClientToken", token)];
            match id {
                Some(id) if known.deleted.contains(id) => {
                    assert!(!there.contains(id), "{id} was deleted and is back");
                    let again = connection.call("DeleteSnapshot", &[("SnapshotId", id)]).expect("an answer");
                    assert_eq!(again.status, 200, "its tombstone is lost: {}", again.text);
                }
                Some(id) if known.in_doubt.contains(id) => {}
                Some(id) => {
                    assert!(there.contains(id), "{id} was acknowledged and is lost");
                    let again = connection.call("CreateSnapshot", &params).expect("an answer");
                    assert_eq!(again.body()["SnapshotId"].as_str(), Some(id.as_str()), "its token is lost");
                    expected.insert(id.clone());
                }
                None => {
                    let again = connection.call("CreateSnapshot", &params).expect("an answer");
                    assert_eq!(again.status, 200, "{}", again.text);
                    expected.insert(again.body()["SnapshotId"].as_str().expect("an id").to_owned());
                }
            }
        }
        expected.extend(known.in_doubt.intersection(&there).cloned());
    }
    assert_eq!(all_ids(&mut connection), expected, "what is there is what was asked for");
    drop(connection);
    assert!(daemon.terminate().success());
    let broken = database::block_on(invariants::check(&folder.join("snapshotd.db"), &BTreeSet::new()));
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn no_acknowledged_call_is_lost_by_a_kill_under_load() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("data");
    let disks: Vec<String> = (0..CLIENTS).map(|n| format!("d-bp1load{n}")).collect();
    furnish(&folder, &disks);
    let daemon = Daemon::start(&folder, &VARIABLES);
    let acknowledged = AtomicUsize::new(0);
    let known: Vec<Known> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (connection, disk, acknowledged) = (daemon.connect(), &disks[client], &acknowledged);
                scope.spawn(move || load(connection, client, disk, acknowledged))
            })
            .collect();
        while acknowledged.load(Ordering::Relaxed) < CALLS && clients.iter().any(|client| !client.is_finished()) {
            thread::yield_now();
        }
        daemon.kill();
        clients.into_iter().map(|client| client.join().expect("a client's own checks")).collect()
    });
    assert!(known.iter().any(|known| !known.deleted.is_empty()));
    check_after(&folder, &disks, &known);
}

#[test]
fn a_second_daemon_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let _first = Daemon::start(folder.path(), &VARIABLES);
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_snapshotd"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .output()
        .expect("it runs");
    assert!(!second.status.success());
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains("in use by another snapshotd"), "{text}");
}
