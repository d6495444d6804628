//! Raw SQLite in process: the statements of one DeleteSnapshot and one CreateSnapshot through the same pragmas.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::seed;

/// Operations a second, and the time of one operation with a commit of its own.
pub struct Raw {
    pub delete: f64,
    pub create: f64,
    pub alone_micros: f64,
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
    let delete = grouped(first.len(), &conn, |i| delete(&conn, &first[i], i));
    let create = grouped(OPERATIONS, &conn, |i| create(&conn, &ids.disks[i % ids.disks.len()], i));
    let mut alone: Vec<Duration> = (0..ALONE).map(|i| one_alone(&conn, &rest[i], OPERATIONS * 2 + i)).collect();
    alone.sort_unstable();
    Raw { delete, create, alone_micros: alone[ALONE / 2].as_secs_f64() * 1e6 }
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

fn one_alone(conn: &Connection, id: &str, number: usize) -> Duration {
    let started = Instant::now();
    conn.execute_batch("BEGIN IMMEDIATE").expect("begin");
    delete(conn, id, number);
    conn.execute_batch("COMMIT").expect("commit");
    started.elapsed()
}

const EVENT: &str = "INSERT INTO events VALUES (?1, '1000000000000001', 'cn-hangzhou', 'Snapshot:Bench', ?2, 1, '')";

fn execute(conn: &Connection, sql: &str, arguments: impl rusqlite::Params) {
    conn.prepare_cached(sql).and_then(|mut statement| statement.execute(arguments)).expect("a statement");
}

fn delete(conn: &Connection, id: &str, number: usize) {
    let found: i64 = conn
        .prepare_cached(
            "SELECT source_disk_size + EXISTS (SELECT 1 FROM image_disk_mappings m WHERE m.snapshot_id = s.snapshot_id)
                + EXISTS (SELECT 1 FROM disk_snapshot_references r WHERE r.snapshot_id = s.snapshot_id)
                + EXISTS (SELECT 1 FROM tags WHERE tags.resource_id = s.snapshot_id)
                + EXISTS (SELECT 1 FROM row_locks l WHERE l.resource_id = s.snapshot_id)
                + EXISTS (SELECT 1 FROM row_locks l WHERE l.resource_id = s.snapshot_id AND l.mode = 'exclusive')
             FROM snapshots s WHERE snapshot_id = ?1 AND account_id = '1000000000000001'",
        )
        .and_then(|mut select| select.query_row([id], |row| row.get(0)))
        .expect("the snapshot");
    assert!(found > 0);
    execute(conn, "DELETE FROM snapshots WHERE snapshot_id = ?1", [id]);
    execute(conn, "DELETE FROM timers WHERE resource_id = ?1", [id]);
    execute(conn, EVENT, params![number as i64, id]);
    execute(
        conn,
        "INSERT INTO tombstones VALUES (?1, '1000000000000001', 'cn-hangzhou', 1, ?2)",
        params![id, number as i64],
    );
}

fn create(conn: &Connection, disk: &str, number: usize) {
    let number = number as i64 + OPERATIONS as i64;
    let id = format!("s-bp1raw{:013}", number * 48_271 % 99_999_989);
    let counted: i64 = conn
        .prepare_cached(
            "SELECT d.size + (SELECT COUNT(*) FROM snapshots s WHERE s.source_disk_id = d.disk_id AND s.snapshot_type = 'user')
                + (SELECT COUNT(*) FROM snapshots s WHERE s.source_disk_id = d.disk_id AND s.status = 'progressing')
                + EXISTS (SELECT 1 FROM row_locks l WHERE l.resource_id = d.disk_id)
             FROM disks d LEFT JOIN instances i ON i.instance_id = (
                 SELECT a.instance_id FROM disk_attachments a WHERE a.disk_id = d.disk_id LIMIT 1)
             WHERE d.disk_id = ?1",
        )
        .and_then(|mut select| select.query_row([disk], |row| row.get(0)))
        .expect("the disk");
    assert!(counted > 0);
    execute(
        conn,
        "INSERT INTO snapshots VALUES (?1, '1000000000000001', 'cn-hangzhou', '', '', 'progressing', 'none', 'user', 'standard',
         ?2, '1-2-3', ?2, 40, 'data', '', '', '', 0, '', '', 1, 0, NULL, NULL, 1000, ?3, ?3, ?3, ?3)",
        params![id, disk, number + 1_800_000_000_000],
    );
    execute(conn, "INSERT INTO timers VALUES ('snapshot_finish', ?1, ?2)", params![id, number]);
    execute(conn, "UPDATE disks SET snapshots_taken = snapshots_taken + 1 WHERE disk_id = ?1", [disk]);
    execute(conn, EVENT, params![number, id]);
}
