//! Fills a store with disks and accomplished snapshots, straight into the file; for measurements only.

use std::path::Path;

use rusqlite::{Connection, params};

/// What was put in.
pub struct Ids {
    pub disks: Vec<String>,
    pub snapshots: Vec<String>,
}

pub const ACCOUNT: &str = "1000000000000001";
pub const REGION: &str = "cn-hangzhou";
/// Disks beyond what the snapshots need, so that creating spreads.
const DISKS: usize = 5_000;
const SNAPSHOTS_A_DISK: usize = 50;
/// One in so many carries the rare tag, has failed, or is used by an image.
const ONE_IN: usize = 200;
const START: i64 = 1_700_000_000_000;

/// Stores `count` snapshots, counted and tagged as the daemon does it.
pub fn fill(file: &Path, count: usize) -> Ids {
    let mut conn = Connection::open(file).expect("the store");
    conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -200000")
        .expect("pragmas");
    let disks: Vec<String> = (0..DISKS.max(count / SNAPSHOTS_A_DISK)).map(|i| format!("d-bp1bench{i:011}")).collect();
    let snapshots: Vec<String> = (0..count).map(|i| format!("s-bp1bench{:011}", i * 48_271 % 99_999_989)).collect();
    let tx = conn.transaction().expect("a transaction");
    for (i, disk) in disks.iter().enumerate() {
        tx.prepare_cached(
            "INSERT INTO disks (disk_id, account_id, region_id, zone_id, disk_name, description, type, category,
                 performance_level, size, status, portable, delete_with_instance,
                 delete_auto_snapshot, enable_auto_snapshot, encrypted, kms_key_id, multi_attach,
                 disk_charge_type, provisioned_iops, bursting_enabled, storage_set_id,
                 storage_set_partition_number, image_id, source_snapshot_id, serial_number,
                 resource_group_id, ever_attached, creation_time, attached_time, detached_time,
                 snapshots_taken)
             VALUES (?1, ?2, ?3, 'cn-hangzhou-h', '', '', 'data', 'cloud_essd', 'PL1', 40, 'Available', 1, 0,
             1, 1, 0, '', 'Disabled', 'PostPaid', NULL, 0, '', NULL, '', '', ?1, '', 1, ?4, NULL, NULL, 1)",
        )
        .and_then(|mut insert| insert.execute(params![disk, ACCOUNT, REGION, START + i as i64]))
        .expect("a disk");
    }
    for (i, id) in snapshots.iter().enumerate() {
        let (disk, at) = (&disks[i / SNAPSHOTS_A_DISK % disks.len()], START + i as i64);
        let status = if i % ONE_IN == 1 { "failed" } else { "accomplished" };
        let usage = if i % ONE_IN == 2 { "image" } else { "none" };
        tx.prepare_cached(
            "INSERT INTO snapshots (snapshot_id, account_id, region_id, snapshot_name, description, status, usage,
                 snapshot_type, category, snapshot_link_id, snapshot_sn, source_disk_id,
                 source_disk_size, source_disk_type, source_snapshot_id, source_region_id,
                 product_code, encrypted, kms_key_id, resource_group_id, available, instant_access,
                 instant_access_retention_days, retention_days, full_size_bytes, creation_time,
                 cut_time, finish_time, last_modified_time)
             VALUES (?1, ?2, ?3, 'bench', '', ?4, ?5, 'user', 'standard', ?6, '1-2-3', ?7, 40, 'data', '',
             '', '', 0, '', '', 1, 0, NULL, NULL, 1000, ?8, ?8, ?8, ?8)",
        )
        .and_then(|mut insert| insert.execute(params![id, ACCOUNT, REGION, status, usage, &disk[2..], disk, at]))
        .expect("a snapshot");
        if i % ONE_IN == 0 {
            tx.prepare_cached("INSERT INTO tags VALUES (?1, 'team', 'rare', ?2, ?3, 'snapshot', ?4)")
                .and_then(|mut insert| insert.execute(params![id, ACCOUNT, REGION, at]))
                .expect("a tag");
        }
    }
    tx.commit().expect("committed");
    // Those with a usage or a status of their own stand out: what is deleted must be free of use.
    let snapshots = snapshots.into_iter().enumerate().filter(|(i, _)| i % ONE_IN != 2).map(|(_, id)| id).collect();
    Ids { disks, snapshots }
}
