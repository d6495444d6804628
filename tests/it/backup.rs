//! `snapshotd backup` and `restore`: what is copied under load is whole, and what is put back is what was copied.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;

use crate::support::daemon::{Connection, Daemon, binary, furnish};
use crate::support::load::{self, Client};
use crate::support::{database, invariants};

const QUIET: [(&str, &str); 2] = [("SNAPSHOTD_LOG__LEVEL", "off"), ("SNAPSHOTD_LIFECYCLE__SNAPSHOT_MS", "20")];
const DISK: &str = "d-bp1backup";

/// A folder with a store in it, and room for files beside it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn furnished() -> Self {
        let place = Self::new();
        furnish(&place.data(), &[DISK.to_owned()]);
        place
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn database(&self) -> PathBuf {
        self.data().join("snapshotd.db")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The exit code of a command on this folder, and all it said.
    fn run(&self, arguments: &[&str], file: &Path) -> (Option<i32>, String) {
        let mut command = Command::new(binary());
        command.arg("--data-dir").arg(self.data()).arg(arguments[0]).arg(file).args(&arguments[1..]);
        let output = command.output().expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    }

    #[track_caller]
    fn does(&self, arguments: &[&str], file: &Path) {
        let (code, text) = self.run(arguments, file);
        assert_eq!(code, Some(0), "{text}");
    }

    #[track_caller]
    fn refuses(&self, arguments: &[&str], file: &Path, parts: &[&str]) {
        let before = self.bytes();
        let (code, text) = self.run(arguments, file);
        assert!(code.is_some_and(|code| code != 0), "{text}");
        for part in parts {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(self.bytes() == before, "a refusal changes nothing");
    }

    /// The files that are the store, and any draft of one.
    fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.data()) else { return BTreeMap::new() };
        let files = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
        let named = files.map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path));
        let kept = named.filter(|(name, _)| !["lock", "endpoint", "snapshotd.db-shm"].contains(&name.as_str()));
        let read = kept.map(|(name, path)| (name, fs::read(path).expect("the file")));
        // A log that holds nothing means nothing.
        read.filter(|(name, bytes)| !(name.ends_with("-wal") && bytes.is_empty())).collect()
    }

    fn dump(&self) -> BTreeMap<String, Vec<String>> {
        database::block_on(database::dump(&self.database()))
    }
}

fn dump(file: &Path) -> BTreeMap<String, Vec<String>> {
    database::block_on(database::dump(file))
}

fn snapshot(connection: &mut Connection) -> String {
    let params = [("DiskId", DISK), ("RegionId", "cn-hangzhou")];
    let reply = connection.call("CreateSnapshot", &params).expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body()["SnapshotId"].as_str().expect("an id").to_owned()
}

#[test]
fn a_backup_under_load_is_whole_and_is_the_state_of_one_moment() {
    let place = Place::new();
    let mut disks: Vec<String> = (0..4).map(|n| format!("d-bp1load{n}")).collect();
    disks.push(DISK.to_owned());
    furnish(&place.data(), &disks);
    let daemon = Daemon::start(&place.data(), &QUIET);
    let mut connection = daemon.connect();
    let mut clients: Vec<Client> = (0..4).map(|n| Client::new(n, &disks[n], 7)).collect();
    let acknowledged = AtomicUsize::new(0);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        for client in &mut clients {
            let (connection, acknowledged) = (daemon.connect(), &acknowledged);
            scope.spawn(move || client.run(connection, acknowledged));
        }
        for n in 0..3 {
            while acknowledged.load(Ordering::Relaxed) < (n + 1) * 40 {
                thread::yield_now();
            }
            before.push(snapshot(&mut connection));
            place.does(&["backup"], &place.file(&format!("{n}.db")));
            after.push(snapshot(&mut connection));
        }
        daemon.kill();
    });
    for n in 0..3 {
        let file = place.file(&format!("{n}.db"));
        assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o7777, 0o600);
        let broken = database::block_on(invariants::check(&file, &BTreeSet::new()));
        assert!(broken.is_empty(), "{broken:#?}");
        let copied = dump(&file);
        let has = |id: &str| copied["snapshots"].iter().any(|row| row.contains(id));
        assert!(has(&before[n]), "acknowledged before the backup");
        assert!(!has(&after[n]), "asked for after the backup");
        let other = Place::new();
        other.does(&["restore"], &file);
        assert_eq!(other.dump(), copied);
        let daemon = Daemon::start(&other.data(), &QUIET);
        let there = load::all(&mut daemon.connect());
        assert!(there.contains(&before[n]) && !there.contains(&after[n]));
        assert!(daemon.terminate().success());
    }
    assert_eq!(fs::read_dir(place.folder.path()).expect("a folder").count(), 4, "no draft is left");
}

#[test]
fn a_backup_never_takes_the_place_of_a_file() {
    let place = Place::furnished();
    let file = place.file("kept");
    fs::write(&file, "mine").expect("written");
    place.refuses(&["backup"], &file, &["is there already"]);
    assert_eq!(fs::read(&file).expect("the file"), b"mine");
    let draft = place.file("other.partial");
    fs::write(&draft, "mine too").expect("written");
    place.refuses(&["backup"], &place.file("other"), &["other.partial"]);
    assert_eq!(fs::read(&draft).expect("the file"), b"mine too");
    Place::new().refuses(&["backup"], &place.file("none"), &["there is no database"]);
    assert!(!place.file("none").exists());
}

#[test]
fn what_only_the_log_of_a_killed_daemon_has_is_in_a_backup() {
    let place = Place::furnished();
    let daemon = Daemon::start(&place.data(), &QUIET);
    let id = snapshot(&mut daemon.connect());
    daemon.kill();
    let file = place.file("copy.db");
    let before = place.bytes();
    assert!(!before["snapshotd.db-wal"].is_empty());
    place.does(&["backup"], &file);
    assert!(place.bytes() == before, "a backup leaves the store as it is");
    assert!(dump(&file)["snapshots"].iter().any(|row| row.contains(&id)));
    assert_eq!(dump(&file), place.dump());
}

#[test]
fn a_restore_replaces_a_store_only_when_told_and_never_one_in_use() {
    let place = Place::furnished();
    let file = place.file("copy.db");
    place.does(&["backup"], &file);
    let wanted = dump(&file);
    let daemon = Daemon::start(&place.data(), &QUIET);
    snapshot(&mut daemon.connect());
    let (code, text) = place.run(&["restore", "--replace"], &file);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("in use by another snapshotd"), "{text}");
    // Its log stays behind, and is not taken for that of the database that comes.
    daemon.kill();
    place.refuses(&["restore"], &file, &["--replace"]);
    assert_ne!(place.dump(), wanted);
    let daemon = Daemon::start(&place.data(), &QUIET);
    snapshot(&mut daemon.connect());
    daemon.kill();
    assert!(!place.bytes()["snapshotd.db-wal"].is_empty());
    place.does(&["restore", "--replace"], &file);
    assert_eq!(place.bytes().len(), 1, "the database and nothing else");
    assert_eq!(place.dump(), wanted);
    let daemon = Daemon::start(&place.data(), &QUIET);
    snapshot(&mut daemon.connect());
    assert!(daemon.terminate().success());
    let broken = database::block_on(invariants::check(&place.database(), &BTreeSet::new()));
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_restore_takes_the_place_of_a_store_that_is_beyond_repair() {
    let place = Place::furnished();
    let file = place.file("copy.db");
    place.does(&["backup"], &file);
    let wanted = dump(&file);
    for broken in [b"no database".to_vec(), vec![0xa5; 40_000], Vec::new()] {
        fs::write(place.database(), broken).expect("written");
        fs::write(place.data().join("snapshotd.db-wal"), [7; 5_000]).expect("written");
        place.refuses(&["restore"], &file, &["--replace"]);
        place.does(&["restore", "--replace"], &file);
        assert_eq!(place.dump(), wanted);
    }
}

#[test]
fn what_is_no_sound_store_of_this_program_is_not_restored() {
    let place = Place::furnished();
    let good = place.file("good.db");
    place.does(&["backup"], &good);
    let bytes = fs::read(&good).expect("the file");
    let bad = place.file("bad.db");
    let mut middle = bytes.clone();
    let half = bytes.len() / 8192 * 4096;
    middle[half..half + 4096].fill(0x5a);
    let cases: [(&[u8], &str); 5] = [
        (b"", "damaged"),
        (&[0x11; 8192], "damaged"),
        (&bytes[..bytes.len() / 2], "damaged"),
        (&bytes[..50], "damaged"),
        (&middle, "damaged"),
    ];
    for arguments in [&["restore"][..], &["restore", "--replace"]] {
        for (content, part) in cases {
            fs::write(&bad, content).expect("written");
            let place = if arguments.len() == 1 { &Place::new() } else { &place };
            place.refuses(arguments, &bad, &[part, "bad.db"]);
        }
    }
    fs::write(&bad, &bytes).expect("written");
    let newer = rusqlite::Connection::open(&bad).expect("it opens");
    newer.execute("UPDATE _sqlx_migrations SET version = 99999 WHERE version = 1", []).expect("altered");
    newer.close().expect("it closes");
    place.refuses(&["restore", "--replace"], &bad, &["migration 99999 is not known here"]);
    let other = rusqlite::Connection::open(place.file("other.db")).expect("it opens");
    other.execute("CREATE TABLE engine (singleton)", []).expect("a table");
    other.close().expect("it closes");
    place.refuses(&["restore", "--replace"], &place.file("other.db"), &["no store of snapshotd"]);
    place.refuses(&["restore"], &place.file("none.db"), &["none.db"]);
}
