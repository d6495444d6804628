//! Stores that earlier programs wrote: opened by this one they keep every row and go on living; those of later ones are left alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use snapshotd::App;
use snapshotd::config::{ClockMode, Config};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::support::daemon::{Connection, Daemon, binary};
use crate::support::{database, invariants};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Where the clock of these stores stands: 2026-01-01, moved by hand.
const SETTINGS: [(&str, &str); 2] = [("SNAPSHOTD_CLOCK__MODE", "manual"), ("SNAPSHOTD_LOG__LEVEL", "off")];
/// The triggers that keep counters came with this version; before, the program did.
const COUNTED: i64 = 9;
/// And with this one the timers of policies.
const SCHEDULED: i64 = 10;
/// The last version in which disks referred to snapshots of other accounts.
const BEFORE_FOREIGN_SOURCES: i64 = 22;
const FIRST: i64 = 1;
const LAST: i64 = i64::MAX;

/// What programs of these versions wrote, the first and the last of them.
const ROWS: &[(i64, i64, &str)] = &[
    (
        FIRST,
        LAST,
        "INSERT INTO engine (singleton, present, id_position, last_event) VALUES (1, 1767225600000, 40, 3);
         INSERT INTO events (event_id, account_id, region_id, name, resource_id, occurred_at, detail) VALUES
             (1, '1000000000000001', 'cn-hangzhou', 'Snapshot:CreateSnapshotStarted', 's-bp1free', 1767220000000, ''),
             (2, '1000000000000001', 'cn-hangzhou', 'Snapshot:CreateSnapshotStarted', 's-bp1gone', 1767220000000, ''),
             (3, '1000000000000001', 'cn-hangzhou', 'Snapshot:DeleteSnapshotCompleted', 's-bp1gone', 1767225600000, '');
         INSERT INTO tombstones (resource_id, account_id, region_id, deleted_at, event_id) VALUES
             ('s-bp1gone', '1000000000000001', 'cn-hangzhou', 1767225600000, 3);
         INSERT INTO client_tokens (account_id, region_id, action, client_token, fingerprint, response, created_at) VALUES
             ('1000000000000001', 'cn-hangzhou', 'CreateSnapshot', 'old', 'f', '{}', 1767225600000);",
    ),
    (
        FIRST,
        LAST,
        "INSERT INTO instances (instance_id, account_id, region_id, zone_id, instance_name, description, host_name,
             instance_type, image_id, status, started_once, deletion_protection, instance_charge_type, stopped_mode,
             security_group_id, vpc_id, vswitch_id, private_ip_address, key_pair_name, resource_group_id, creation_time,
             start_time)
         VALUES ('i-bp1old', '1000000000000001', 'cn-hangzhou', 'cn-hangzhou-h', 'old', '', 'old', 'ecs.g7.large', '',
             'Running', 1, 0, 'PostPaid', 'KeepCharging', '', '', '', '10.0.0.1', '', '', 1767220000000, 1767220000000);
         INSERT INTO disks (disk_id, account_id, region_id, zone_id, disk_name, description, type, category,
             performance_level, size, status, portable, delete_with_instance, delete_auto_snapshot, enable_auto_snapshot,
             encrypted, kms_key_id, multi_attach, disk_charge_type, bursting_enabled, storage_set_id, image_id,
             source_snapshot_id, serial_number, resource_group_id, ever_attached, creation_time, snapshots_taken)
         SELECT id, '1000000000000001', 'cn-hangzhou', 'cn-hangzhou-h', name, '', 'data', 'cloud_essd', 'PL1', 40, status,
             1, 0, 0, 1, 0, '', 'Disabled', 'PostPaid', 0, '', '', source, id, '', 1, 1767220000000, taken
         FROM (SELECT 'd-bp1used' AS id, 'used' AS name, 'In_use' AS status, '' AS source, 5 AS taken
               UNION ALL SELECT 'd-bp1made', 'made', 'Available', 's-bp1used', 0);
         INSERT INTO disk_attachments (disk_id, instance_id, device, attached_time) VALUES
             ('d-bp1used', 'i-bp1old', '/dev/xvdb', 1767220000000);",
    ),
    (
        FIRST,
        LAST,
        "INSERT INTO snapshots (snapshot_id, account_id, region_id, snapshot_name, description, status, usage,
             snapshot_type, category, snapshot_link_id, snapshot_sn, source_disk_id, source_disk_size, source_disk_type,
             source_snapshot_id, source_region_id, product_code, encrypted, kms_key_id, resource_group_id, available,
             instant_access, retention_days, full_size_bytes, creation_time, cut_time, finish_time, last_modified_time)
         SELECT id, '1000000000000001', 'cn-hangzhou', 'named ' || id, 'told', status, usage, 'user', 'standard',
             'sl-bp1used', id, 'd-bp1used', 40, 'data', '', '', '', 0, '', '', 1, 0, days, 1073741824, 1767220000000 + n,
             1767220000000 + n, finish, 1767220000000
         FROM (SELECT 's-bp1used' AS id, 'accomplished' AS status, 'disk' AS usage, NULL AS days, 1 AS n,
                   1767221000000 AS finish
               UNION ALL SELECT 's-bp1image', 'accomplished', 'image', NULL, 2, 1767221000000
               UNION ALL SELECT 's-bp1free', 'accomplished', 'none', 5, 3, 1767221000000
               UNION ALL SELECT 's-bp1short', 'accomplished', 'none', 1, 4, 1767221000000
               UNION ALL SELECT 's-bp1begun', 'progressing', 'none', NULL, 5, 1767225601000);
         INSERT INTO timers (kind, resource_id, due_at) VALUES ('snapshot_expire', 's-bp1free', 1767652000003),
             ('snapshot_expire', 's-bp1short', 1767306400004), ('snapshot_finish', 's-bp1begun', 1767225601000);
         INSERT INTO disk_snapshot_references (disk_id, snapshot_id) VALUES ('d-bp1made', 's-bp1used');
         INSERT INTO images (image_id, account_id, region_id, image_name, image_family, image_version, description, status,
             size, platform, os_name, os_type, architecture, boot_mode, license_type, imds_support, nvme_support,
             is_copied, resource_group_id, creation_time, finish_time)
         VALUES ('m-bp1old', '1000000000000001', 'cn-hangzhou', 'old', '', '', '', 'Available', 40, 'CentOS', 'CentOS 7.9',
             'linux', 'x86_64', 'BIOS', 'Auto', 'v1', 'unsupported', 0, '', 1767222000000, 1767222000000);
         INSERT INTO image_disk_mappings (image_id, position, device, type, size, encrypted, snapshot_id) VALUES
             ('m-bp1old', 0, '/dev/xvda', 'system', 40, 0, 's-bp1image');
         INSERT INTO tags (resource_id, tag_key, tag_value, account_id, region_id, resource_type, resource_creation_time)
         VALUES ('s-bp1free', 'k', 'v', '1000000000000001', 'cn-hangzhou', 'snapshot', 1767220000003);",
    ),
    (
        FIRST,
        COUNTED,
        "INSERT INTO snapshot_counts (account_id, region_id, status, usage, snapshot_type, source_disk_type, encrypted,
             snapshot_count)
         SELECT account_id, region_id, status, usage, snapshot_type, source_disk_type, encrypted, COUNT(*)
         FROM snapshots GROUP BY 1, 2, 3, 4, 5, 6, 7;
         INSERT INTO tag_counts (account_id, region_id, resource_type, tag_key, tag_value, resource_count)
         VALUES ('1000000000000001', 'cn-hangzhou', 'snapshot', 'k', 'v', 1);",
    ),
    (
        3,
        LAST,
        "INSERT INTO tasks (task_id, account_id, region_id, task_action, task_status, resource_id, creation_time, finish_time)
         VALUES ('t-bp1old', '1000000000000001', 'cn-hangzhou', 'ModifyDiskSpec', 'Finished', 'd-bp1used', 1767220000000,
             1767221000000);",
    ),
    (
        4,
        LAST,
        "INSERT INTO snapshot_locks (snapshot_id, account_id, region_id, lock_mode, lock_status, cool_off_period,
             lock_duration, creation_time, lock_duration_start_time, cool_off_period_expired_time, lock_expired_time)
         VALUES ('s-bp1image', '1000000000000001', 'cn-hangzhou', 'compliance', 'compliance', 0, 1, 1767222000000,
             1767222000000, 1767222000000, 1767308400000);
         INSERT INTO timers (kind, resource_id, due_at) VALUES ('lock_change', 's-bp1image', 1767308400000);",
    ),
    (
        5,
        LAST,
        "INSERT INTO snapshot_groups (snapshot_group_id, account_id, region_id, name, description, status, instance_id,
             resource_group_id, creation_time, finish_time)
         VALUES ('ssg-bp1old', '1000000000000001', 'cn-hangzhou', 'old', '', 'accomplished', 'i-bp1old', '', 1767220000000,
             1767221000000);
         INSERT INTO snapshot_group_members (snapshot_id, snapshot_group_id, position) VALUES ('s-bp1used', 'ssg-bp1old', 0);
         INSERT INTO auto_snapshot_policies (auto_snapshot_policy_id, account_id, region_id, auto_snapshot_policy_name,
             association_type, retention_days, enable_cross_region_copy, target_copy_region,
             copied_snapshots_retention_days, copy_encrypted, copy_kms_key_id, resource_group_id, creation_time)
         VALUES ('sp-bp1old', '1000000000000001', 'cn-hangzhou', 'old', 'AssociatedWithDisk', -1, 0, '', -1, 0, '', '',
             1767220000000);
         INSERT INTO auto_snapshot_policy_time_points (auto_snapshot_policy_id, time_point) VALUES ('sp-bp1old', 3);
         INSERT INTO auto_snapshot_policy_weekdays (auto_snapshot_policy_id, repeat_weekday)
         VALUES ('sp-bp1old', 1), ('sp-bp1old', 2), ('sp-bp1old', 3), ('sp-bp1old', 4), ('sp-bp1old', 5), ('sp-bp1old', 6),
             ('sp-bp1old', 7);
         INSERT INTO auto_snapshot_policy_associations (auto_snapshot_policy_id, disk_id, creation_time)
         VALUES ('sp-bp1old', 'd-bp1used', 1767220000000);",
    ),
    (
        SCHEDULED,
        LAST,
        "INSERT INTO timers (kind, resource_id, due_at) VALUES ('take_snapshots', 'sp-bp1old', 1767294000000);",
    ),
    (
        6,
        LAST,
        "INSERT INTO disk_spec_changes (task_id, category, performance_level) VALUES ('t-bp1old', 'cloud_essd', 'PL1');
         INSERT INTO task_groups (task_id, task_group_id) VALUES ('t-bp1old', 'tg-bp1old');
         INSERT INTO disk_histories (disk_id, expanded_at, source_disk_id, origin_instance_id)
         VALUES ('d-bp1used', 1767220000000, '', '');",
    ),
    (
        7,
        LAST,
        "INSERT INTO image_copies (image_id, source_image_id, source_region_id, encrypted, kms_key_id)
         VALUES ('m-bp1old', 'm-bj1source', 'cn-beijing', 0, '');
         INSERT INTO image_shares (image_id, account_id, creation_time) VALUES ('m-bp1old', '1000000000000002', 1767223000000);",
    ),
    (
        12,
        LAST,
        "INSERT INTO accounts (account_id, account_name) VALUES ('1000000000000009', 'made');
         INSERT INTO access_keys (access_key_id, account_id, access_key_secret, security_token, disabled)
         VALUES ('made', '1000000000000009', 'secret', '', 0);
         INSERT INTO contents (resource_id, content) VALUES ('d-bp1used', 'what is on it');
         INSERT INTO id_seeds (singleton, seed) VALUES (1, '7');",
    ),
    (
        13,
        LAST,
        "INSERT INTO snapshot_services (account_id, opened_at) VALUES ('1000000000000001', 1767220000000);",
    ),
];

/// The store as the program of a version left it.
async fn write(file: &Path, version: i64) {
    let mut conn = open(file).await;
    let known = MIGRATIONS.iter().filter(|migration| migration.version <= version).cloned().collect();
    Migrator::with_migrations(known).run(&mut conn).await.expect("migrated");
    for (first, last, sql) in ROWS {
        if *first <= version && (version < *last || *last == LAST) {
            sqlx::raw_sql(*sql).execute(&mut conn).await.expect(sql);
        }
    }
    conn.close().await.expect("closed");
}

async fn open(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true).foreign_keys(true);
    options.journal_mode(SqliteJournalMode::Wal).connect().await.expect("it opens")
}

/// Every row that was there, column by column, is there still.
async fn keeps_all(before: &Path, after: &Path) {
    let mut conn = open(after).await;
    let attach = sqlx::query("ATTACH DATABASE $1 AS old").bind(before.to_string_lossy().into_owned());
    attach.execute(&mut conn).await.expect("attached");
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM old.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
            .fetch_all(&mut conn)
            .await
            .expect("the tables");
    for table in tables {
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info($1, 'old')")
            .bind(&table)
            .fetch_all(&mut conn)
            .await
            .expect("the columns");
        let columns = columns.join(", ");
        let lost = format!(
            "SELECT COUNT(*) FROM (SELECT {columns} FROM old.{table} EXCEPT SELECT {columns} FROM main.{table})"
        );
        let lost: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(lost)).fetch_one(&mut conn).await.expect(&table);
        assert_eq!(lost, 0, "rows of {table} were lost or changed");
    }
    conn.close().await.expect("closed");
}

fn call(connection: &mut Connection, action: &str, params: &[(&str, &str)]) -> Value {
    let reply = connection.call(action, &[&[("RegionId", "cn-hangzhou")], params].concat()).expect("an answer");
    assert_eq!(reply.status, 200, "{action}: {}", reply.text);
    reply.body()
}

fn refused(connection: &mut Connection, action: &str, params: &[(&str, &str)], code: &str) {
    let reply = connection.call(action, params).expect("an answer");
    assert_eq!(reply.body()["Code"], code, "{action}: {}", reply.text);
}

fn count(connection: &mut Connection, params: &[(&str, &str)]) -> i64 {
    call(connection, "DescribeSnapshots", params)["TotalCount"].as_i64().expect("a number")
}

fn advance(connection: &mut Connection, by: &str) {
    let reply = connection.lever("POST", "/clock/advance", &json!({"by": by}).to_string()).expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.body()["failures"], 0, "{}", reply.text);
}

/// What an old store goes on to: its rules, its timers, its counters and new resources beside the old ones.
fn lives_on(folder: &Path, version: i64) {
    let daemon = Daemon::start(folder, &SETTINGS);
    let connection = &mut daemon.connect();
    assert_eq!(count(connection, &[]), 5);
    assert_eq!(count(connection, &[("Usage", "disk")]), 1);
    assert_eq!(count(connection, &[("Tag.1.Key", "k"), ("Tag.1.Value", "v")]), 1);
    refused(connection, "DeleteSnapshot", &[("SnapshotId", "s-bp1used")], "SnapshotCreatedDisk");
    call(connection, "DeleteSnapshot", &[("SnapshotId", "s-bp1gone")]);
    let (disk, snapshot) = (("DiskId", "d-bp1used"), ("SnapshotId", "s-bp1free"));
    if version < 4 {
        refused(connection, "DeleteSnapshot", &[("SnapshotId", "s-bp1image")], "SnapshotCreatedImage");
    }
    call(connection, "CreateSnapshot", &[disk]);
    let made = [("ZoneId", "cn-hangzhou-h"), ("DiskCategory", "cloud_essd"), snapshot];
    call(connection, "CreateDisk", &made);
    advance(connection, "1h");
    assert_eq!(count(connection, &[("Status", "accomplished")]), 6);
    advance(connection, "2d");
    // One expired on the way, and a policy took one each night.
    let taken = if version >= 5 { 2 } else { 0 };
    assert_eq!(count(connection, &[]), 5 + taken);
    assert_eq!(count(connection, &[("SnapshotType", "auto")]), taken);
    let (image, used) = (("ImageId", "m-bp1old"), ("SnapshotId", "s-bp1image"));
    // From then on it is shared.
    let is_shared = version >= 7;
    if is_shared {
        refused(connection, "DeleteImage", &[image], "ImageUseShared");
        refused(connection, "DeleteSnapshot", &[used], "SnapshotCreatedImage");
    } else {
        call(connection, "DeleteImage", &[image]);
        call(connection, "DeleteSnapshot", &[used]);
    }
    call(connection, "DetachDisk", &[disk, ("InstanceId", "i-bp1old")]);
    call(connection, "ResizeDisk", &[("DiskId", "d-bp1made"), ("NewSize", "60")]);
    call(connection, "AttachDisk", &[("DiskId", "d-bp1made"), ("InstanceId", "i-bp1old")]);
    let base = ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd");
    let instance = call(connection, "RunInstances", &[base, ("InstanceType", "ecs.g7.large")]);
    let instance = instance["InstanceIdSets"]["InstanceIdSet"][0].as_str().expect("an id").to_owned();
    let image = call(connection, "CreateImage", &[("InstanceId", &instance), ("ImageName", "new")]);
    assert!(image["ImageId"].is_string(), "{image}");
    let images = if is_shared { 9 } else { 8 };
    assert_eq!(call(connection, "DescribeImages", &[])["TotalCount"], images, "eight of them are base images");
    advance(connection, "1h");
    assert!(daemon.terminate().success());
    let broken = database::block_on(invariants::check(&folder.join("snapshotd.db"), &BTreeSet::new()));
    assert!(broken.is_empty(), "of version {version}: {broken:#?}");
}

#[test]
fn a_store_of_every_earlier_version_keeps_its_rows_and_lives_on() {
    for version in MIGRATIONS.iter().map(|migration| migration.version) {
        println!("version {version}");
        let folder = tempfile::tempdir().expect("a folder");
        let (file, old) = (folder.path().join("snapshotd.db"), folder.path().join("old.db"));
        database::block_on(async {
            write(&file, version).await;
            std::fs::copy(&file, &old).expect("a copy");
            let mut config = Config::embedded();
            config.data_dir = folder.path().to_owned();
            config.clock.mode = ClockMode::Manual;
            let app = App::open(config).await.expect("it opens");
            app.store.close().await;
            keeps_all(&old, &file).await;
            let mut conn = open(&file).await;
            let applied: Vec<i64> = sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut conn)
                .await
                .expect("versions");
            assert!(applied.into_iter().eq(MIGRATIONS.iter().map(|migration| migration.version)));
            conn.close().await.expect("closed");
        });
        lives_on(folder.path(), version);
    }
}

/// The files of a store, byte by byte; shared memory is none.
fn bytes(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries
        .filter(|path| path.to_string_lossy().contains("snapshotd.db") && !path.to_string_lossy().ends_with("-shm"))
        .map(|path| (path.clone(), std::fs::read(path).expect("the file")))
        .collect();
    files.sort();
    files
}

#[test]
fn a_store_of_a_later_version_is_refused_and_left_to_the_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("snapshotd.db");
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (999, 'later', 1, x'00', 0); CREATE TABLE later (id TEXT PRIMARY KEY);";
    database::block_on(write(&file, LAST));
    let later = rusqlite::Connection::open(&file).expect("it opens");
    later.pragma_update(None, "wal_autocheckpoint", 0).expect("no checkpoints");
    later.execute_batch(newer).expect("altered");
    // As its own daemon leaves it when it is killed: all of that is in the log alone.
    let killed = tempfile::tempdir().expect("a folder");
    for name in ["snapshotd.db", "snapshotd.db-wal"] {
        std::fs::copy(folder.path().join(name), killed.path().join(name)).expect("a copy");
    }
    later.close().expect("it closes");
    for folder in [folder.path(), killed.path()] {
        let before = bytes(folder);
        for command in ["check", "serve"] {
            let mut program = std::process::Command::new(binary());
            let output = program.args([command, "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder).output();
            let output = output.expect("it runs");
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert!(text.contains("migration 999 is not known here") && text.contains("left as it is"), "{text}");
        }
        let after = bytes(folder).into_iter().filter(|(_, bytes)| !bytes.is_empty());
        assert!(after.eq(before.into_iter().filter(|(_, bytes)| !bytes.is_empty())), "left to the byte");
    }
}

#[test]
fn in_an_older_store_a_disk_of_another_account_no_longer_holds_the_snapshot_of_a_shared_image() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("snapshotd.db");
    let left = database::block_on(async {
        write(&file, BEFORE_FOREIGN_SOURCES).await;
        let mut conn = open(&file).await;
        let theirs = "UPDATE disks SET account_id = '1000000000000002' WHERE disk_id = 'd-bp1made'";
        sqlx::raw_sql(theirs).execute(&mut conn).await.expect("changed");
        conn.close().await.expect("closed");
        let mut config = Config::embedded();
        config.data_dir = folder.path().to_owned();
        config.clock.mode = ClockMode::Manual;
        App::open(config).await.expect("it opens").store.close().await;
        let mut conn = open(&file).await;
        let left = sqlx::query_as::<_, (i64, i64, String)>(
            "SELECT foreign_source, (SELECT COUNT(*) FROM disk_snapshot_references),
                 (SELECT usage FROM snapshots WHERE snapshot_id = 's-bp1used') FROM disks WHERE disk_id = 'd-bp1made'",
        );
        left.fetch_one(&mut conn).await.expect("the disk")
    });
    assert_eq!(left, (1, 0, "none".to_owned()));
    let broken = database::block_on(invariants::check(&file, &BTreeSet::new()));
    assert!(broken.is_empty(), "{broken:#?}");
}
