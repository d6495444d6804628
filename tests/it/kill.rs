//! `kill -9` under load, again and again on one folder: what was acknowledged is there, and nothing is there by half.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::daemon::{Daemon, binary, furnish};
use crate::support::load::{self, Client};
use crate::support::random::Random;
use crate::support::{database, invariants, run_seed};

const CLIENTS: usize = 8;
const VARIABLES: [(&str, &str); 3] = [
    ("SNAPSHOTD_LIFECYCLE__SNAPSHOT_MS", "20"),
    ("SNAPSHOTD_LIFECYCLE__IMAGE_MS", "20"),
    ("SNAPSHOTD_LOG__LEVEL", "off"),
];

/// So many times: start, look whether all is as the clients were told, load, kill.
fn rounds(count: usize) {
    let seed = run_seed();
    let mut random = Random::seeded(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("data");
    let disks: Vec<String> = (0..CLIENTS).map(|n| format!("d-bp1load{n}")).collect();
    furnish(&folder, &disks);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|number| Client::new(number, &disks[number], seed)).collect();
    let (began, mut acknowledged) = (Instant::now(), 0);
    for round in 0..=count {
        let daemon = Daemon::start(&folder, &VARIABLES);
        load::check(&mut daemon.connect(), &mut clients, &disks);
        let broken = database::block_on(invariants::check(&folder.join("snapshotd.db"), &BTreeSet::new()));
        assert!(broken.is_empty(), "after {round} kills: {broken:#?}");
        if round == count {
            assert!(daemon.terminate().success());
            break;
        }
        // Any moment: of a call, between two, and a while after so many of them.
        let (calls, pause) = (random.below(400), Duration::from_micros(random.below(3_000) as u64));
        acknowledged += load_and_kill(daemon, &mut clients, calls, pause);
        if (round + 1).is_multiple_of(50) {
            println!("{} kills, {acknowledged} calls acknowledged, {:?}", round + 1, began.elapsed());
        }
    }
    println!("{count} kills, {acknowledged} calls acknowledged, none lost, none twice, {:?}", began.elapsed());
}

fn load_and_kill(daemon: Daemon, clients: &mut [Client], calls: usize, pause: Duration) -> usize {
    let acknowledged = AtomicUsize::new(0);
    thread::scope(|scope| {
        let running: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                let (connection, acknowledged) = (daemon.connect(), &acknowledged);
                scope.spawn(move || client.run(connection, acknowledged))
            })
            .collect();
        while acknowledged.load(Ordering::Relaxed) < calls && running.iter().any(|client| !client.is_finished()) {
            thread::yield_now();
        }
        thread::sleep(pause);
        daemon.kill();
    });
    acknowledged.load(Ordering::Relaxed)
}

#[test]
fn no_acknowledged_call_is_lost_by_kills_under_load() {
    rounds(4);
}

#[test]
#[ignore = "tests/reliability/kill runs it a thousand times"]
fn no_acknowledged_call_is_lost_by_any_of_many_kills() {
    let count = std::env::var("SNAPSHOTD_TEST_ROUNDS").map_or(100, |rounds| rounds.parse().expect("a number"));
    rounds(count);
}

#[test]
fn a_second_daemon_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let _first = Daemon::start(folder.path(), &VARIABLES);
    let second = std::process::Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .output()
        .expect("it runs");
    assert!(!second.status.success());
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains("in use by another snapshotd"), "{text}");
}
