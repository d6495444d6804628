//! A loss of power at any moment: what was acknowledged is there afterwards, what was not is there whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use snapshotd::App;
use snapshotd::config::Config;
use snapshotd::store::Store;
use snapshotd::store::soundness::Checked;

use crate::support::daemon::{Connection, Daemon, binary, furnish};
use crate::support::disk::{Disk, Log, Luck};
use crate::support::faultfs::Watch;
use crate::support::random::Random;
use crate::support::{database, invariants, run_seed};

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");
const ANY: [Luck; 3] = [Luck::Nothing, Luck::Some, Luck::Everything];

/// A call that was answered: how long the log was when it was sent, and when its answer was there.
#[derive(Clone, Copy, Debug)]
struct Span {
    sent: usize,
    acknowledged: usize,
}

/// A resource, and what the client was told of it.
#[derive(Clone, Debug)]
struct Told {
    id: String,
    made: Span,
    deleted: Option<Span>,
}

/// One client that calls, call by call, and knows how far the log was each time.
struct Client<'a> {
    watch: &'a Watch,
    told: Vec<Told>,
}

impl Client<'_> {
    fn log(&self) -> usize {
        let length = fs::metadata(self.watch.log()).expect("the log").len();
        usize::try_from(length).expect("a length")
    }

    fn call(&self, connection: &mut Connection, action: &str, params: &[(&str, &str)]) -> (serde_json::Value, Span) {
        let sent = self.log();
        let reply = connection.call(action, &[&[REGION], params].concat()).expect("an answer");
        assert_eq!(reply.status, 200, "{action}: {}", reply.text);
        (reply.body(), Span { sent, acknowledged: self.log() })
    }

    fn make(&mut self, connection: &mut Connection, action: &str, id: &str, params: &[(&str, &str)]) -> String {
        let (body, made) = self.call(connection, action, params);
        let id = body[id].as_str().expect("an id").to_owned();
        self.told.push(Told { id: id.clone(), made, deleted: None });
        id
    }

    fn delete(&mut self, connection: &mut Connection, action: &str, param: &str, id: &str) {
        let (_, deleted) = self.call(connection, action, &[(param, id)]);
        self.told.iter_mut().find(|told| told.id == id).expect("made before").deleted = Some(deleted);
    }

    fn work(&mut self, connection: &mut Connection, rounds: usize, disk: &str) {
        for round in 0..rounds {
            let token = format!("token-{}", self.told.len());
            let tag = [("Tag.1.Key", "k"), ("Tag.1.Value", token.as_str()), ("ClientToken", token.as_str())];
            let first =
                self.make(connection, "CreateSnapshot", "SnapshotId", &[&[("DiskId", disk)], &tag[..]].concat());
            let second =
                self.make(connection, "CreateSnapshot", "SnapshotId", &[("DiskId", disk), ("RetentionDays", "3")]);
            self.delete(connection, "DeleteSnapshot", "SnapshotId", &second);
            if round.is_multiple_of(2) {
                let params = [("ZoneId", "cn-hangzhou-h"), ("DiskCategory", "cloud_essd"), ("SnapshotId", &first)];
                let made = self.make(connection, "CreateDisk", "DiskId", &params);
                self.delete(connection, "DeleteDisk", "DiskId", &made);
            }
            self.delete(connection, "DeleteSnapshot", "SnapshotId", &first);
        }
    }
}

/// A first start, work, an orderly end that writes the log back, a second start, work, and no end.
fn record(watch: &Watch, rounds: usize) -> Vec<Told> {
    let mut variables = watch.variables(true);
    variables.push(("SNAPSHOTD_LIFECYCLE__SNAPSHOT_MS", "20".to_owned()));
    variables.push(("SNAPSHOTD_LOG__LEVEL", "off".to_owned()));
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut client = Client { watch, told: Vec::new() };
    let mut disk = String::new();
    for start in 0..2 {
        let daemon = Daemon::start(&watch.data(), &variables);
        let connection = &mut daemon.connect();
        if start == 0 {
            let image = "aliyun_3_x64_20G_alibase_20260101.vhd";
            client.call(connection, "RunInstances", &[("ImageId", image), ("InstanceType", "ecs.g7.large")]);
            let (disks, _) = client.call(connection, "DescribeDisks", &[]);
            disks["Disks"]["Disk"][0]["DiskId"].as_str().expect("a disk").clone_into(&mut disk);
        }
        client.work(connection, rounds, &disk);
        let maps = fs::read_to_string(format!("/proc/{}/maps", daemon.process_id())).expect("Linux tells");
        let mapped = maps.lines().any(|line| line.ends_with("snapshotd.db") || line.ends_with("-wal"));
        assert!(!mapped, "what is written by way of memory is in no log");
        if start == 0 {
            assert!(daemon.terminate().success());
        } else {
            daemon.kill();
        }
    }
    client.told
}

/// The folder after a loss of power is that of a sound store which has all that was acknowledged by then.
fn check(folder: &Path, told: &[Told], by: usize, when: &str) {
    let mut config = Config::embedded();
    config.data_dir = folder.join("data");
    let file = config.data_dir.join("snapshotd.db");
    let there: BTreeSet<String> = database::block_on(async {
        let app = App::open(config).await.unwrap_or_else(|failure| panic!("{when}: {failure}"));
        app.store.close().await;
        let dump = database::dump(&file).await;
        let rows = ["snapshots", "disks"].iter().flat_map(|table| dump[*table].iter());
        rows.map(|row| row.split('\'').nth(1).expect("an id").to_owned()).collect()
    });
    for Told { id, made, deleted } in told {
        let is_there = there.contains(id);
        let is_gone = deleted.is_some_and(|deleted| deleted.acknowledged <= by);
        let may_be_gone = deleted.is_some_and(|deleted| deleted.sent <= by);
        if made.sent > by || is_gone {
            assert!(!is_there, "{when}: {id} is there");
        } else if made.acknowledged <= by && !may_be_gone {
            assert!(is_there, "{when}: {id} was acknowledged and is lost");
        }
    }
    let broken = database::block_on(invariants::check(&file, &BTreeSet::new()));
    assert!(broken.is_empty(), "{when}: {broken:#?}");
}

/// Loses power after the events that are picked, each time with so many kinds of luck.
fn lose_power(rounds: usize, picked: impl Fn(&Log, usize) -> usize, is_false: bool) -> usize {
    let (began, mut random) = (Instant::now(), Random::seeded(run_seed()));
    let watch = Watch::new();
    let told = record(&watch, rounds);
    let log = Log::read(&watch.log());
    let (mut disk, mut losses) = (Disk::default(), 0);
    disk.is_false = is_false;
    for event in 0..log.len() {
        disk.advance(&log, event);
        for _ in 0..picked(&log, event) {
            let luck = ANY[losses % ANY.len()];
            let folder = tempfile::tempdir().expect("a folder");
            disk.lose_power(folder.path(), luck, &mut random);
            let when = format!("power lost after event {event} of {}, {luck:?} of the rest there", log.len());
            check(folder.path(), &told, log.end_of(event + 1), &when);
            losses += 1;
            if losses.is_multiple_of(500) {
                println!("{losses} losses of power, after event {event} of {}, {:?}", log.len(), began.elapsed());
            }
        }
    }
    let (events, resources) = (log.len(), told.len());
    println!("{losses} losses of power in {events} events, {resources} resources, {:?}", began.elapsed());
    losses
}

#[test]
fn no_acknowledged_call_is_lost_with_the_power() {
    let picked = |log: &Log, event: usize| {
        // Around syncs, where it matters most, and here and there.
        let is_near_sync = log.is_sync(event) || (event + 1 < log.len() && log.is_sync(event + 1));
        usize::from(is_near_sync || event.is_multiple_of(41))
    };
    let losses = lose_power(2, picked, false);
    assert!(losses > 60, "{losses}");
}

#[test]
#[should_panic(expected = "power lost after event")]
fn on_a_disk_that_only_says_that_it_has_synced_calls_are_lost() {
    lose_power(1, |log, event| usize::from(event + 1 == log.len()), true);
}

#[test]
#[ignore = "tests/reliability/power runs it: every event"]
fn no_acknowledged_call_is_lost_with_the_power_at_any_event() {
    lose_power(8, |_, _| ANY.len(), false);
}

/// Runs a command of the binary on the watched folder and gives the log of it.
fn run_watched(watch: &Watch, command: &str, arguments: &[&str], file: &Path) -> Log {
    let mut program = Command::new(binary());
    program.arg("--data-dir").arg(watch.data()).arg(command).args(arguments).arg(file);
    let output = program.envs(watch.variables(true)).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Log::read(&watch.log())
}

fn dump(file: &Path) -> BTreeMap<String, Vec<String>> {
    database::block_on(database::dump(file))
}

#[test]
fn a_restore_that_loses_its_power_leaves_the_old_store_or_the_new_one() {
    let watch = Watch::new();
    let backup = watch.beside("backup.db");
    furnish(&watch.data(), &["d-bp1new".to_owned()]);
    let file = watch.data().join("snapshotd.db");
    fs::rename(&file, &backup).expect("moved");
    let new = dump(&backup);
    // The old one has what is in its log alone.
    furnish(&watch.data(), &["d-bp1old".to_owned()]);
    let daemon = Daemon::start(&watch.data(), &[("SNAPSHOTD_LOG__LEVEL", "off")]);
    let made = [REGION, ("ZoneId", "cn-hangzhou-h"), ("DiskCategory", "cloud_essd"), ("Size", "40")];
    assert_eq!(daemon.connect().call("CreateDisk", &made).expect("an answer").status, 200);
    daemon.kill();
    let mut disk = Disk::of(&watch.watched());
    let folder = tempfile::tempdir().expect("a folder");
    disk.lose_power(folder.path(), Luck::Everything, &mut Random::seeded(0));
    let old = dump(&folder.path().join("data/snapshotd.db"));
    assert!(old["disks"].len() == 2 && old != new);
    let log = run_watched(&watch, "restore", &["--replace"], &backup);
    let (mut random, mut seen) = (Random::seeded(run_seed()), BTreeSet::new());
    for event in 0..log.len() {
        disk.advance(&log, event);
        if !event.is_multiple_of(7) && event + 60 < log.len() && !log.is_sync(event) {
            continue;
        }
        for luck in ANY {
            let folder = tempfile::tempdir().expect("a folder");
            disk.lose_power(folder.path(), luck, &mut random);
            let found = dump(&folder.path().join("data/snapshotd.db"));
            assert!(found == old || found == new, "power lost after event {event} of {}, {luck:?}", log.len());
            seen.insert(found == new);
        }
    }
    assert_eq!(seen.len(), 2, "both were seen");
    let folder = tempfile::tempdir().expect("a folder");
    disk.lose_power(folder.path(), Luck::Nothing, &mut random);
    assert!(dump(&folder.path().join("data/snapshotd.db")) == new, "what is done is done for good");
}

#[test]
fn a_backup_that_loses_its_power_is_whole_or_has_no_name() {
    let watch = Watch::new();
    furnish(&watch.data(), &["d-bp1kept".to_owned()]);
    let wanted = dump(&watch.data().join("snapshotd.db"));
    let backup = watch.watched().join("backup.db");
    let mut disk = Disk::of(&watch.watched());
    let log = run_watched(&watch, "backup", &[], &backup);
    let mut random = Random::seeded(run_seed());
    for event in 0..log.len() {
        disk.advance(&log, event);
        if !event.is_multiple_of(19) && event + 20 < log.len() {
            continue;
        }
        for luck in ANY {
            let folder = tempfile::tempdir().expect("a folder");
            disk.lose_power(folder.path(), luck, &mut random);
            let file = folder.path().join("backup.db");
            assert!(!file.exists() || dump(&file) == wanted, "power lost after event {event} of {}", log.len());
            let mut config = Config::embedded();
            config.data_dir = folder.path().join("data");
            let checked = database::block_on(Store::check(&config)).expect("a sound store");
            assert_eq!(checked, Checked::Fine { pending: 0 });
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    disk.lose_power(folder.path(), Luck::Nothing, &mut random);
    assert!(dump(&folder.path().join("backup.db")) == wanted, "what is done is done for good");
}
