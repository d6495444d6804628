//! Databases that are not what was written: refused at the start where a start can see it, and never answered from as if they were.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use snapshotd::App;
use snapshotd::config::Config;
use snapshotd::store::{Failure, Store};
use tempfile::TempDir;

use crate::support::daemon::{Connection, Daemon, binary, furnish};
use crate::support::database;
use crate::support::random::Random;

const PAGE: usize = 4_096;
const QUIET: [(&str, &str); 3] =
    [("SNAPSHOTD_LOG__LEVEL", "off"), ("SNAPSHOTD_LIMITS__READERS", "2"), ("SNAPSHOTD_LIFECYCLE__SNAPSHOT_MS", "5")];
const DISK: &str = "d-bp1damage";

/// A store, with the log of a killed daemon or without one.
struct Place {
    folder: TempDir,
    file: Vec<u8>,
    log: Vec<u8>,
}

impl Place {
    fn new(is_killed: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        furnish(folder.path(), &[DISK.to_owned()]);
        let daemon = Daemon::start(folder.path(), &QUIET);
        let connection = &mut daemon.connect();
        let mut made = 0;
        while made < 20 {
            let params = [("DiskId", DISK), ("Tag.1.Key", "k"), ("RetentionDays", "9")];
            // Some are refused for those that are under way.
            made += usize::from(connection.call("CreateSnapshot", &params).expect("an answer").status == 200);
        }
        if is_killed {
            daemon.kill();
        } else {
            assert!(daemon.terminate().success());
        }
        Self::of(folder)
    }

    fn of(folder: TempDir) -> Self {
        let file = fs::read(folder.path().join("snapshotd.db")).expect("the database");
        let log = fs::read(folder.path().join("snapshotd.db-wal")).unwrap_or_default();
        Self { folder, file, log }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("snapshotd.db")
    }

    fn put(&self, file: Option<&[u8]>, log: &[u8]) {
        for (name, bytes) in [("", file), ("-wal", (!log.is_empty()).then_some(log)), ("-shm", None)] {
            let path = self.folder.path().join(format!("snapshotd.db{name}"));
            match bytes {
                Some(bytes) => fs::write(path, bytes).expect("written"),
                None => drop(fs::remove_file(path)),
            }
        }
    }

    fn has(&self, file: Option<&[u8]>, log: &[u8]) -> bool {
        let there = |name: &str| fs::read(self.folder.path().join(name)).ok();
        there("snapshotd.db").as_deref() == file && there("snapshotd.db-wal").unwrap_or_default() == log
    }

    /// Why the store cannot be opened, if so; the files are as they were then.
    fn open(&self, file: &[u8], log: &[u8]) -> Result<(), Failure> {
        self.put(Some(file), log);
        let mut config = Config::embedded();
        self.folder.path().clone_into(&mut config.data_dir);
        let opened = database::block_on(async {
            let app = App::open(config).await?;
            app.store.close().await;
            Ok(())
        });
        if opened.is_err() {
            assert!(self.has(Some(file), log), "what is refused is left to the byte");
        }
        opened
    }
}

fn run(command: &str, folder: &Path) -> Output {
    let mut program = Command::new(binary());
    program.args([command, "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder).output().expect("it runs")
}

#[test]
fn a_damaged_database_is_told_by_command_and_start_and_left_to_the_byte() {
    for is_killed in [false, true] {
        let place = Place::new(is_killed);
        let (file, log) = (&place.file[..], &place.log[..]);
        assert_eq!(log.is_empty(), !is_killed);
        let overwritten = |from: usize, to: usize| {
            let mut bytes = file.to_vec();
            bytes[from..to].fill(0xa5);
            bytes
        };
        let half = file.len() / PAGE / 2 * PAGE;
        let cases = [
            ("the header overwritten", Some(overwritten(0, 100))),
            ("a page in the middle overwritten", Some(overwritten(half, half + PAGE))),
            ("cut off in the middle", Some(file[..half].to_vec())),
            ("cut off within a page", Some(file[..file.len() - 10 * PAGE - 700].to_vec())),
            ("cut off in the header", Some(file[..60].to_vec())),
            ("empty", Some(Vec::new())),
            ("no database", Some(b"a text of somebody's own, and a long one\n".repeat(500))),
            ("gone, with its log there", if is_killed { None } else { Some(Vec::new()) }),
        ];
        for (case, bytes) in cases {
            place.put(bytes.as_deref(), log);
            for command in ["check", "serve"] {
                let output = run(command, place.folder.path());
                let text = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(2), "{case}: {text}");
                assert!(text.contains("the database is damaged: ") && text.contains("left as it is"), "{case}: {text}");
                assert!(place.has(bytes.as_deref(), log), "{case}, {command}: left to the byte");
            }
        }
        place.put(Some(file), log);
        assert_eq!(run("check", place.folder.path()).status.code(), Some(0));
    }
}

#[test]
fn a_start_finds_whichever_page_of_a_small_database_is_overwritten() {
    let place = Place::new(false);
    assert!(place.open(&place.file, &[]).is_ok());
    let free = free_pages(&place.database());
    let file = fs::read(place.database()).expect("the database");
    let (pages, mut found) = (file.len() / PAGE, 0);
    for page in 0..pages {
        let mut bytes = file.clone();
        bytes[page * PAGE..(page + 1) * PAGE].fill(0x5a);
        match place.open(&bytes, &[]) {
            Err(Failure::Damaged(_)) => found += 1,
            other => assert!(free.contains(&(page + 1)), "page {} of {pages}: {other:?}", page + 1),
        }
    }
    assert!(found > 60, "{found} of {pages}");
}

/// The pages that hold nothing, by their numbers from 1: the list of them begins in the header, and goes from trunk to trunk.
fn free_pages(file: &Path) -> BTreeSet<usize> {
    let bytes = fs::read(file).expect("the database");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    let (mut free, mut trunk) = (BTreeSet::new(), number(32));
    while trunk != 0 {
        let at = (trunk - 1) * PAGE;
        free.extend((0..number(at + 4)).map(|leaf| number(at + 8 + 4 * leaf)));
        trunk = number(at);
    }
    free
}

/// A store too large to be read as a whole at a start, with this many snapshots.
fn large(snapshots: usize) -> Place {
    let place = Place::new(false);
    let conn = rusqlite::Connection::open(place.database()).expect("it opens");
    let mut statement = conn.prepare("SELECT name FROM pragma_table_info('snapshots')").expect("prepared");
    let names = statement.query_map([], |row| row.get::<_, String>(0)).expect("columns");
    let columns: Vec<String> = names.map(|name| name.expect("a name")).collect();
    drop(statement);
    let values: Vec<String> = columns
        .iter()
        .map(|column| match column.as_str() {
            "snapshot_id" => "'s-bp1many' || n".to_owned(),
            "description" => "'of number ' || n || ', ' || hex(randomblob(100))".to_owned(),
            "retention_days" => "NULL".to_owned(),
            "creation_time" => "creation_time + n".to_owned(),
            other => other.to_owned(),
        })
        .collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    conn.execute_batch(&format!(
        "INSERT INTO snapshots ({columns}) WITH RECURSIVE many (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many
             WHERE n < {snapshots}) SELECT {values} FROM many, (SELECT * FROM snapshots LIMIT 1);"
    ))
    .expect("many rows");
    conn.close().expect("it closes");
    let Place { folder, .. } = place;
    let place = Place::of(folder);
    assert!(place.file.len() > 5 * 1_024 * 1_024, "{} bytes", place.file.len());
    place
}

/// The rows of one page after the other, those that could be had; what else is said must be that nothing can be.
fn readable(connection: &mut Connection, size: usize) -> (Vec<(String, String)>, usize) {
    let (mut rows, mut failures) = (Vec::new(), 0);
    for page in 1..=size.div_ceil(50) {
        let (page, size) = (page.to_string(), "50");
        let params = [("RegionId", "cn-hangzhou"), ("PageSize", size), ("PageNumber", &page)];
        let reply = connection.call("DescribeSnapshots", &params).expect("an answer");
        if reply.status != 200 {
            assert_eq!((reply.status, reply.body()["Code"].as_str()), (500, Some("InternalError")), "{}", reply.text);
            failures += 1;
            continue;
        }
        let body = reply.body();
        for item in body["Snapshots"]["Snapshot"].as_array().expect("a list") {
            let text = |name: &str| item[name].as_str().expect("a text").to_owned();
            rows.push((text("SnapshotId"), text("Description")));
        }
    }
    (rows, failures)
}

#[test]
fn what_a_start_passes_over_in_a_large_database_is_found_by_check_and_never_answered_from() {
    const ROWS: usize = 9_000;
    let place = large(ROWS);
    let daemon = Daemon::start(place.folder.path(), &QUIET);
    let (known, failures) = readable(&mut daemon.connect(), ROWS);
    assert_eq!(failures, 0);
    assert!(daemon.terminate().success());
    let known: BTreeSet<_> = known.into_iter().collect();
    assert_eq!(known.len(), ROWS);
    let pages = place.file.len() / PAGE;
    let (mut random, mut refused, mut failures) = (Random::seeded(11), 0, 0);
    for round in 0..8 {
        let mut bytes = place.file.clone();
        // In the first rounds one page, in the others a tenth of all.
        let count = if round < 4 { 1 } else { pages / 10 };
        for _ in 0..count {
            let at = (10 + random.below(pages - 10)) * PAGE;
            let fill = [0, 0x5a, 0xff][random.below(3)];
            bytes[at..at + PAGE].fill(fill);
        }
        place.put(Some(&bytes), &[]);
        let mut config = Config::embedded();
        config.data_dir = place.folder.path().to_owned();
        let checked = database::block_on(Store::check(&config));
        assert!(matches!(checked, Err(Failure::Damaged(_))), "{checked:?}");
        match place.open(&bytes, &[]) {
            Err(Failure::Damaged(_)) => {
                refused += 1;
                continue;
            }
            other => other.expect("it opens"),
        }
        let daemon = Daemon::start(place.folder.path(), &QUIET);
        let (rows, failed) = readable(&mut daemon.connect(), ROWS);
        failures += failed;
        for row in rows {
            assert!(known.contains(&row), "{row:?} was never there");
        }
        daemon.kill();
    }
    println!("{refused} of 8 starts refused, {failures} calls failed");
    assert!(failures > 0 || refused > 4, "something was damaged");
}

#[test]
fn damage_done_while_calls_are_served_is_an_internal_error_and_no_false_answer() {
    const ROWS: usize = 9_000;
    let place = large(ROWS);
    let daemon = Daemon::start(place.folder.path(), &QUIET);
    let connection = &mut daemon.connect();
    let (known, _) = readable(connection, ROWS);
    let known: BTreeSet<_> = known.into_iter().collect();
    let file = fs::OpenOptions::new().write(true).open(place.database()).expect("the database");
    for page in (20..place.file.len() / PAGE).step_by(3) {
        file.write_all_at(&[0x5a; PAGE], (page * PAGE) as u64).expect("overwritten");
    }
    // A commit lets the readers forget what they remember.
    let reply = connection.call("CreateSnapshot", &[("DiskId", DISK)]).expect("an answer");
    assert!([200, 500].contains(&reply.status), "{}", reply.text);
    let made = reply.body()["SnapshotId"].as_str().map(str::to_owned);
    let (rows, failures) = readable(connection, ROWS);
    assert!(failures > 0, "nothing was noticed");
    for row in rows {
        assert!(known.contains(&row) || Some(&row.0) == made.as_ref(), "{row:?} was never there");
    }
    daemon.kill();
}
