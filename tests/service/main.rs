//! The binary as a service manager and a shell meet it: readiness, watchdog, signals, files, exit codes and commands.

mod daemon;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use daemon::{Daemon, LIMIT, Outcome, Place};

/// `PRAGMA auto_vacuum` as SQLite numbers it.
const INCREMENTAL: i64 = 2;

/// What the daemon tells a service manager, one message at a time.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn bind(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a socket");
        socket.set_read_timeout(Some(LIMIT)).expect("a timeout");
        Self { socket }
    }

    fn hears(&self) -> String {
        let mut buffer = [0; 512];
        let length = self.socket.recv(&mut buffer).expect("a message in time");
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    }
}

#[test]
fn a_service_manager_hears_ready_then_alive_then_stopping() {
    let place = Place::new();
    let path = place.folder.path().join("notify");
    let manager = Manager::bind(&path);
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
    let daemon = Daemon::start(command);
    let first = manager.hears();
    // Both begin at once; which message is first is not said.
    let second = manager.hears();
    let mut both = [first.as_str(), second.as_str()];
    both.sort_unstable();
    assert_eq!(both, ["READY=1", "WATCHDOG=1"]);
    for _ in 0..3 {
        assert_eq!(manager.hears(), "WATCHDOG=1");
    }
    daemon.signal("TERM");
    while manager.hears() != "STOPPING=1" {}
    let mut daemon = daemon;
    assert_eq!(daemon.exit_code(), Some(0));
}

#[test]
fn a_watchdog_meant_for_another_process_is_not_fed() {
    let place = Place::new();
    let path = place.folder.path().join("notify");
    let manager = Manager::bind(&path);
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let daemon = Daemon::start(command);
    assert_eq!(manager.hears(), "READY=1");
    daemon.signal("TERM");
    assert_eq!(manager.hears(), "STOPPING=1");
}

#[test]
fn both_signals_stop_it_in_order() {
    for signal in ["TERM", "INT"] {
        let place = Place::new();
        assert_eq!(place.serve().stop(signal), Some(0), "{signal}");
        assert!(!place.data().join("endpoint").exists(), "{signal}");
        let size = fs::metadata(place.data().join("snapshotd.db-wal")).map_or(0, |file| file.len());
        assert_eq!(size, 0, "{signal}");
    }
}

#[test]
fn the_folder_is_private_and_so_is_every_file_in_it() {
    let place = Place::new();
    let _daemon = place.serve();
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o7777;
    assert_eq!(mode(&place.data()), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(place.data()).expect("a folder") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().expect("a name").to_string_lossy().into_owned());
    }
    for name in ["endpoint", "lock", "snapshotd.db", "snapshotd.db-wal"] {
        assert!(names.iter().any(|there| there == name), "{name} is not among {names:?}");
    }
}

#[test]
fn a_second_daemon_on_the_folder_is_refused_and_the_first_serves_on() {
    let place = Place::new();
    let first = place.serve();
    place.run(&["serve", "--listen", "127.0.0.1:0"]).refused(1, &["is in use by another snapshotd"]);
    assert_eq!(place.run(&["call", "DescribeRegions"]).code, Some(0));
    assert_eq!(first.stop("TERM"), Some(0));
}

#[test]
fn a_folder_whose_daemon_was_killed_can_be_served_again() {
    let place = Place::new();
    let first = place.serve();
    let endpoint = first.endpoint.clone();
    assert_eq!(first.stop("KILL"), None);
    assert_eq!(fs::read_to_string(place.data().join("endpoint")).expect("left behind").trim(), endpoint);
    let second = place.serve();
    assert_eq!(place.run(&["call", "DescribeRegions"]).code, Some(0));
    assert_eq!(second.stop("TERM"), Some(0));
}

#[test]
fn port_0_is_told_on_standard_output_and_in_the_endpoint_file() {
    let place = Place::new();
    let daemon = place.serve();
    let port = daemon.endpoint.strip_prefix("http://127.0.0.1:").expect("the loopback address");
    assert_ne!(port.parse::<u16>().expect("a port"), 0);
    assert_eq!(fs::read_to_string(place.data().join("endpoint")).expect("the file").trim(), daemon.endpoint);
}

#[test]
fn a_port_that_is_taken_is_refused_by_name() {
    let (place, other) = (Place::new(), Place::new());
    let daemon = place.serve();
    let address = daemon.endpoint.trim_start_matches("http://");
    other.run(&["serve", "--listen", address]).refused(1, &[address]);
}

#[test]
fn call_asks_the_daemon_on_the_same_folder_and_shows_its_refusals() {
    let place = Place::new();
    let _daemon = place.serve();
    let regions = place.run(&["call", "DescribeRegions"]);
    assert_eq!(regions.code, Some(0), "{}", regions.stderr);
    assert!(regions.stdout.contains("cn-hangzhou"), "{}", regions.stdout);
    let refused = place.run(&["call", "DeleteSnapshot", "--SnapshotId", "s-bp1neverexisted00000"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stdout.contains("InvalidSnapshotId.NotFound"), "{}", refused.stdout);
}

#[test]
fn call_without_a_daemon_says_where_it_looked() {
    let place = Place::new();
    place.run(&["--listen", "127.0.0.1:1", "call", "DescribeRegions"]).refused(1, &["http://127.0.0.1:1"]);
}

#[test]
fn actions_lists_the_registry_and_needs_neither_configuration_nor_data() {
    let place = Place::new();
    place.configure("nonsense = 1");
    let outcome = place.run(&["actions"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let line =
        outcome.stdout.lines().find(|line| line.starts_with("2014-05-26 DeleteSnapshot ")).expect("a line for it");
    assert!(line.contains("SnapshotId") && line.contains("Force"), "{line}");
    assert!(!place.data().exists());
}

#[test]
fn check_is_fine_before_the_first_start_and_makes_nothing() {
    let place = Place::new();
    let outcome = place.run(&["check"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(!place.data().exists());
}

#[test]
fn check_is_fine_beside_a_running_daemon() {
    let place = Place::new();
    let daemon = place.serve();
    let outcome = place.run(&["check"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("database: fine"), "{}", outcome.stdout);
    assert_eq!(daemon.stop("TERM"), Some(0));
}

#[test]
fn check_refuses_a_bad_configuration_by_key_and_says_what_is_allowed() {
    let cases: [(&str, &[&str]); 9] = [
        ("lissen = \"127.0.0.1:1\"", &["lissen", "listen"]),
        ("[lifecycle]\nsnapshot_msec = 1", &["snapshot_msec", "snapshot_ms"]),
        ("[lifecycle]\nsnapshot_ms = \"soon\"", &["lifecycle.snapshot_ms", "soon"]),
        ("[clock]\nmode = \"atomic\"", &["clock.mode", "atomic", "system", "manual"]),
        ("[fidelity]\ndefault_region = \"cn-atlantis\"", &["fidelity.default_region", "cn-hangzhou"]),
        ("[limits]\nbatch = 0", &["limits.batch", "above 0"]),
        ("[[accounts]]\nid = \"7\"\nname = \"x\"\nkeys = []", &["accounts[0].id", "16 decimal digits"]),
        ("[[kms_keys]]\nid = \"k\"\nstate = \"enabled\"\naccount = \"7\"", &["kms_keys[0]", "one of [[accounts]]"]),
        ("[[kms_keys]]\nid = \"k\"\nstate = \"tired\"", &["kms_keys", "pending-deletion"]),
    ];
    for (toml, parts) in cases {
        let place = Place::new();
        place.configure(toml);
        place.run(&["check"]).refused(1, parts);
        place.run(&["serve"]).refused(1, parts);
        assert!(!place.data().exists(), "{toml}");
    }
}

#[test]
fn a_broken_database_is_refused_and_left_as_it_is() {
    let place = Place::with_database();
    let mut bytes = fs::read(place.database()).expect("a database");
    assert!(bytes.len() > 3 * 4096);
    bytes[4096..3 * 4096].fill(0xa5);
    for broken in [bytes, b"this was never a database, whatever its name says ".repeat(100)] {
        fs::write(place.database(), &broken).expect("the file is written");
        place.run(&["check"]).refused(2, &["database", "left as it is"]);
        assert!(fs::read(place.database()).expect("the file") == broken);
        place.run(&["serve", "--listen", "127.0.0.1:0"]).refused(2, &["database", "left as it is"]);
        assert!(fs::read(place.database()).expect("the file") == broken);
    }
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
    let place = Place::with_database();
    let newer = rusqlite::Connection::open(place.database()).expect("the database opens");
    newer.execute("UPDATE _sqlx_migrations SET checksum = x'00'", []).expect("a migration is altered");
    newer.close().expect("it closes");
    let bytes = fs::read(place.database()).expect("the file");
    place.run(&["check"]).refused(2, &["not written by this version"]);
    place.run(&["serve", "--listen", "127.0.0.1:0"]).refused(2, &["not written by this version"]);
    assert!(fs::read(place.database()).expect("the file") == bytes);
}

#[test]
fn the_database_hands_back_free_pages_step_by_step() {
    let place = Place::with_database();
    let database = rusqlite::Connection::open(place.database()).expect("the database opens");
    let mode: i64 = database.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)).expect("a mode");
    assert_eq!(mode, INCREMENTAL);
}

#[test]
fn variables_of_test_benches_are_left_alone_and_other_unknown_ones_refused() {
    let place = Place::new();
    let check = |name: &str, value: &str| {
        Outcome::of(place.command(&["check"]).env(name, value).output().expect("the binary runs"))
    };
    assert_eq!(check("SNAPSHOTD_TEST_FOO", "x").code, Some(0));
    assert_eq!(check("SNAPSHOTD_LIFECYCLE__SNAPSHOT_MS", "300").code, Some(0));
    check("SNAPSHOTD_FOO", "x").refused(1, &["foo"]);
    check("SNAPSHOTD_LIFECYCLE__FOO", "x").refused(1, &["foo"]);
    check("SNAPSHOTD_LIFECYCLE__SNAPSHOT_MS", "soon").refused(1, &["LIFECYCLE.SNAPSHOT_MS", "soon"]);
}

#[test]
fn the_shipped_key_is_not_accepted_where_others_can_reach_it_unless_told() {
    let place = Place::new();
    for address in ["0.0.0.0:0", "[::]:0"] {
        place.run(&["check", "--listen", address]).refused(1, &["listen", "--allow-default-key"]);
        assert_eq!(place.run(&["check", "--listen", address, "--allow-default-key"]).code, Some(0));
    }
    place.run(&["serve", "--listen", "0.0.0.0:0"]).refused(1, &["listen", "--allow-default-key"]);
    assert_eq!(place.run(&["check", "--listen", "[::1]:0"]).code, Some(0));
    place.configure(
        "[[accounts]]\nid = \"1000000000000002\"\nname = \"own\"\nkeys = [{ id = \"own\", secret = \"own\" }]",
    );
    assert_eq!(place.run(&["check", "--listen", "0.0.0.0:0"]).code, Some(0));
}

#[test]
fn keys_of_ones_own_are_those_that_call_signs_with() {
    let place = Place::new();
    place.configure(
        "[[accounts]]\nid = \"1000000000000002\"\nname = \"own\"\nkeys = [{ id = \"own\", secret = \"own\" }]",
    );
    let _daemon = place.serve();
    assert_eq!(place.run(&["call", "DescribeRegions"]).code, Some(0));
    let shipped = ["call", "DescribeRegions", "--access-key-id", "testid", "--access-key-secret", "testsecret"];
    let refused = place.run(&shipped);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stdout.contains("InvalidAccessKeyId.NotFound"), "{}", refused.stdout);
}
