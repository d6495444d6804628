//! Raw SQLite in process: the daemon's own statements of one DeleteSnapshot and one CreateSnapshot through the same pragmas.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::types::Value;
use snapshotd::store::{disks, snapshots};

use crate::seed::{self, ACCOUNT, REGION};

macro_rules! values {
    ($($value:expr),* $(,)?) => {
        [$(Value::from($value.to_owned())),*]
    };
}

/// Operations a second, and the times of one operation with a commit of its own.
pub struct Raw {
    pub delete: f64,
    pub create: f64,
    pub delete_alone_micros: f64,
    pub create_alone_micros: f64,
}

const OPERATIONS: usize = 10_000;
const A_COMMIT: usize = 100;
const ALONE: usize = 500;

/// `rows`: how many snapshots it holds, at least those that are deleted.
pub fn measure(folder: &Path, rows: usize) -> Raw {
    std::fs::create_dir_all(folder).expect("a folder");
    let file = folder.join("raw.db");
    let conn = Connection::open(&file).expect("a database");
    conn.execute_batch(
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY",
    )
    .expect("pragmas");
    for migration in sqlx::migrate!().iter() {
        conn.execute_batch(migration.sql.as_str()).expect("the schema");
    }
    let ids = seed::fill(&file, rows);
    let (first, rest) = ids.snapshots.split_at(OPERATIONS);
    let raw = Statements::on(conn);
    let before = raw.snapshots();
    let delete = grouped(first.len(), &raw.conn, |i| raw.delete(&first[i], i));
    assert_eq!(raw.snapshots(), before - OPERATIONS as i64, "each is deleted");
    let create = grouped(OPERATIONS, &raw.conn, |i| raw.create(&ids.disks[i % ids.disks.len()], i));
    let alone = |operation: &dyn Fn(usize)| {
        let mut times: Vec<Duration> = (0..ALONE).map(|i| one_alone(&raw.conn, || operation(i))).collect();
        times.sort_unstable();
        times[ALONE / 2].as_secs_f64() * 1e6
    };
    let create_alone_micros = alone(&|i| raw.create(&ids.disks[i % ids.disks.len()], OPERATIONS * 2 + i));
    let delete_alone_micros = alone(&|i| raw.delete(&rest[i], OPERATIONS * 4 + i));
    Raw { delete, create, delete_alone_micros, create_alone_micros }
}

fn grouped(count: usize, conn: &Connection, operation: impl Fn(usize)) -> f64 {
    let started = Instant::now();
    for batch in 0..count / A_COMMIT {
        conn.execute_batch("BEGIN IMMEDIATE").expect("begin");
        for i in 0..A_COMMIT {
            conn.execute_batch("SAVEPOINT operation").expect("savepoint");
            operation(batch * A_COMMIT + i);
            conn.execute_batch("RELEASE operation").expect("release");
        }
        conn.execute_batch("COMMIT").expect("commit");
    }
    (count / A_COMMIT * A_COMMIT) as f64 / started.elapsed().as_secs_f64()
}

fn one_alone(conn: &Connection, operation: impl FnOnce()) -> Duration {
    let started = Instant::now();
    conn.execute_batch("BEGIN IMMEDIATE").expect("begin");
    operation();
    conn.execute_batch("COMMIT").expect("commit");
    started.elapsed()
}

/// The statements of one text, each with the places of its parameters: `$5` is place 5.
struct Text(Vec<(&'static str, Vec<usize>)>);

impl Text {
    fn of(conn: &Connection, sql: &'static str) -> Self {
        let texts = sql.split(';').filter(|text| !text.trim().is_empty());
        Self(texts.map(|text| (text, places(conn, text))).collect())
    }

    /// Runs them all; `columns` of the last row that there was.
    fn run<const N: usize>(&self, conn: &Connection, arguments: &[Value], columns: [&str; N]) -> Option<[Value; N]> {
        let mut found = None;
        for (text, places) in &self.0 {
            let mut statement = conn.prepare_cached(text).expect("a statement");
            for (index, place) in places.iter().enumerate() {
                statement.raw_bind_parameter(index + 1, &arguments[place - 1]).expect("bound");
            }
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next().expect("a row") {
                found = Some(columns.map(|column| row.get(column).expect("a value")));
            }
        }
        found
    }
}

fn places(conn: &Connection, text: &str) -> Vec<usize> {
    let statement = conn.prepare(text).expect("a statement");
    let name = |index| statement.parameter_name(index).expect("$ and a number")[1..].parse().expect("a number");
    (1..=statement.parameter_count()).map(name).collect()
}

/// The texts that the daemon itself runs, and the connection they run on.
struct Statements {
    conn: Connection,
    find_snapshot: Text,
    delete: Text,
    find_disk: Text,
    insert: Text,
}

impl Statements {
    fn on(conn: Connection) -> Self {
        Self {
            find_snapshot: Text::of(&conn, snapshots::FIND),
            delete: Text::of(&conn, snapshots::DELETE),
            find_disk: Text::of(&conn, disks::FIND),
            insert: Text::of(&conn, snapshots::INSERT),
            conn,
        }
    }

    fn snapshots(&self) -> i64 {
        self.conn.query_row("SELECT COUNT(*) FROM snapshots", [], |row| row.get(0)).expect("a count")
    }

    fn delete(&self, id: &str, number: usize) {
        let columns = ["status", "last_modified_time"];
        let found = self.find_snapshot.run(&self.conn, &values![id, ACCOUNT, REGION], columns);
        let [status, last_modified_time] = found.expect("the snapshot is there");
        let number = number as i64;
        let arguments = values![id, ACCOUNT, REGION, number, "Snapshot:Bench", number, "", status, last_modified_time];
        self.delete.run(&self.conn, &arguments, []);
    }

    fn create(&self, disk: &str, number: usize) {
        let found = self.find_disk.run(&self.conn, &values![disk, ACCOUNT, REGION], ["size"]);
        let [size] = found.expect("the disk is there");
        let number = number as i64 + OPERATIONS as i64;
        let (id, at) = (format!("s-bp1raw{:013}", number * 48_271 % 99_999_989), number + 1_800_000_000_000);
        let arguments = values![
            id,
            ACCOUNT,
            REGION,
            number,
            "Snapshot:Bench",
            at,
            disk,
            "",
            "",
            "progressing",
            "none",
            "user",
            "standard",
            disk,
            "1-2-3",
            disk,
            size,
            "data",
            "",
            "",
            "",
            0,
            "",
            "",
            1,
            0,
            Value::Null,
            Value::Null,
            1000,
            at,
            at,
            at,
            at,
            0,
            Value::Null
        ];
        self.insert.run(&self.conn, &arguments, []);
    }
}
