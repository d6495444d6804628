//! Years of use: whatever is kept by the way has a bound, in rows, in bytes of the file and in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::daemon::{Connection, Daemon};
use crate::support::{OTHER_REGION, REGION, database, invariants};

const DISKS: usize = 3;
const EVENTS: usize = 1_000;
const TOMBSTONES: usize = 300;
const REQUESTS: usize = 50;
const SETTINGS: [(&str, &str); 6] = [
    ("SNAPSHOTD_CLOCK__MODE", "manual"),
    ("SNAPSHOTD_SEED__IDS", "42"),
    ("SNAPSHOTD_LOG__LEVEL", "off"),
    ("SNAPSHOTD_LIMITS__EVENTS", "1000"),
    ("SNAPSHOTD_LIMITS__TOMBSTONES", "300"),
    ("SNAPSHOTD_ADMIN__REQUESTS", "50"),
];
const MIB: u64 = 1_024 * 1_024;

fn ok(connection: &mut Connection, action: &str, params: &[(&str, &str)]) -> Value {
    let reply = connection.call(action, &[&[("RegionId", REGION)], params].concat()).expect("an answer");
    assert_eq!(reply.status, 200, "{action}: {}", reply.text);
    reply.body()
}

fn advance(connection: &mut Connection, by: &str) -> Value {
    let reply = connection.lever("POST", "/clock/advance", &json!({"by": by}).to_string()).expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body()
}

/// Instances whose disks have daily snapshots that are kept for a week and copied.
fn set_up(connection: &mut Connection) -> Vec<String> {
    let policy = [
        ("timePoints", "[3]"),
        ("repeatWeekdays", "[1,2,3,4,5,6,7]"),
        ("retentionDays", "7"),
        ("EnableCrossRegionCopy", "true"),
        ("TargetCopyRegions", &format!(r#"["{OTHER_REGION}"]"#)),
        ("CopiedSnapshotsRetentionDays", "14"),
    ];
    let policy = ok(connection, "CreateAutoSnapshotPolicy", &policy);
    let instances = [
        ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
        ("InstanceType", "ecs.g7.large"),
        ("SystemDisk.Category", "cloud_essd"),
        ("SystemDisk.Size", "500"),
        ("SystemDisk.AutoSnapshotPolicyId", policy["AutoSnapshotPolicyId"].as_str().expect("an id")),
        ("Amount", &DISKS.to_string()),
    ];
    ok(connection, "RunInstances", &instances);
    // Never at the instant of a run, when a snapshot has just begun.
    advance(connection, "30m");
    let disks = ok(connection, "DescribeDisks", &[]);
    let disks = disks["Disks"]["Disk"].as_array().expect("disks").iter();
    disks.map(|disk| disk["DiskId"].as_str().expect("an id").to_owned()).collect()
}

/// What people do in a month, and the month.
fn a_month(connection: &mut Connection, disks: &[String], number: usize) {
    for disk in disks {
        let token = format!("{disk}-{number}");
        let made =
            ok(connection, "CreateSnapshot", &[("DiskId", disk), ("ClientToken", &token), ("RetentionDays", "20")]);
        let id = made["SnapshotId"].as_str().expect("an id");
        advance(connection, "1h");
        let level = if number.is_multiple_of(2) { "PL1" } else { "PL2" };
        ok(connection, "ModifyDiskSpec", &[("DiskId", disk), ("PerformanceLevel", level)]);
        let lock = json!({"resource": id, "expires_ms": 60_000}).to_string();
        assert_eq!(connection.lever("POST", "/locks", &lock).expect("an answer").status, 201);
    }
    // Twelve of them are a year.
    let report = advance(connection, &format!("{}h", 730 - disks.len()));
    assert_eq!(report["failures"], 0, "{report}");
}

/// Rows by table, and the bytes of the database.
fn measured(folder: &Path) -> (BTreeMap<String, usize>, u64) {
    let file = folder.join("snapshotd.db");
    let dump = database::block_on(database::dump(&file));
    let rows = dump.into_iter().map(|(table, rows)| (table, rows.len())).collect();
    (rows, std::fs::metadata(file).expect("the file").len())
}

/// Years of use with a restart after each, every second one by a kill.
fn soak(years: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut daemon = Daemon::start(folder.path(), &SETTINGS);
    let disks = set_up(&mut daemon.connect());
    let mut first = None;
    for year in 1..=years {
        let mut connection = daemon.connect();
        let mut half = None;
        for month in 1..=12 {
            a_month(&mut connection, &disks, year * 12 + month);
            if month == 6 {
                half = Some(daemon.memory());
            }
        }
        let remembered = connection.lever("GET", "/requests", "").expect("an answer").body();
        assert_eq!(remembered.as_array().map(Vec::len), Some(REQUESTS));
        let grown = daemon.memory().saturating_sub(half.expect("a half")) / MIB;
        assert!(grown < 24, "{grown} MiB more after another half of a year");
        let memory = daemon.memory() / MIB;
        drop(connection);
        if year.is_multiple_of(2) {
            daemon.kill();
            daemon = Daemon::start(folder.path(), &SETTINGS);
        }
        assert!(daemon.terminate().success());
        let (rows, bytes) = measured(folder.path());
        println!("year {year}: {} KiB, {memory} MiB of memory, rows {rows:?}", bytes / 1_024);
        // What is beyond its bound is forgotten whenever as many events have come as are kept.
        let bounds = [
            ("events", 2 * EVENTS + 200),
            ("tombstones", TOMBSTONES + EVENTS),
            ("tasks", TOMBSTONES + EVENTS),
            ("client_tokens", 4 * DISKS),
            ("snapshots", DISKS * (7 + 14 + 1)),
            ("timers", DISKS * (7 + 14 + 1) + 1),
            ("row_locks", 0),
            ("planned_copies", 0),
            ("snapshot_counts", 20),
            ("snapshot_links", 2 * DISKS),
        ];
        for (table, most) in bounds {
            assert!(rows[table] <= most, "{table} has {} rows after {year} years", rows[table]);
        }
        let first = *first.get_or_insert(bytes);
        assert!(bytes < first + first / 4 + MIB / 2, "{bytes} bytes after {year} years, {first} after one");
        daemon = Daemon::start(folder.path(), &SETTINGS);
    }
    assert!(daemon.terminate().success());
    let broken = database::block_on(invariants::check(&folder.path().join("snapshotd.db"), &BTreeSet::new()));
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_year_of_use_leaves_bounded_rows_files_and_memory() {
    soak(1);
}

#[test]
#[ignore = "takes minutes; cargo test --release --test it -- --ignored --nocapture ten_years_of_use"]
fn ten_years_of_use_leave_bounded_rows_files_and_memory() {
    soak(10);
}
