//! Snapshots: rows, the counters of each combination, and what refers to them; never decides whether a change is allowed.

mod counts;
mod referenced;

use sqlx::FromRow;

use super::events::{Subject, effect, event};
use super::filter::{Cursor, Listed, Source};
use super::row_locks::held;
use super::tombstones::bury;
use super::tx::Tx;
use super::{Flag, timers};
use crate::clock::Timestamp;
use crate::faults::Fault;
pub use counts::{Counted, count, total};
pub use referenced::Referenced;
use timers::TimerKind;

/// A snapshot as stored.
#[derive(Clone, Debug, FromRow)]
pub struct Snapshot {
    pub snapshot_id: String,
    pub account_id: String,
    pub region_id: String,
    pub snapshot_name: String,
    pub description: String,
    /// progressing, accomplished or failed.
    pub status: String,
    /// none, image, disk or `image_disk`: what exists that was made from it.
    pub usage: String,
    /// user or auto.
    pub snapshot_type: String,
    pub category: String,
    pub snapshot_link_id: String,
    pub snapshot_sn: String,
    pub source_disk_id: String,
    /// GiB.
    pub source_disk_size: i64,
    pub source_disk_type: String,
    /// The snapshot and the region that a copy came from, else empty.
    pub source_snapshot_id: String,
    /// That is a snapshot of another account, whose image was shared: its id is told to nobody.
    pub foreign_source: Flag,
    pub source_region_id: String,
    pub product_code: String,
    pub encrypted: Flag,
    pub kms_key_id: String,
    pub resource_group_id: String,
    /// Usable, for the ESSD family from the cut on.
    pub available: Flag,
    pub instant_access: Flag,
    pub instant_access_retention_days: Option<i64>,
    pub retention_days: Option<i64>,
    pub full_size_bytes: i64,
    pub creation_time: Timestamp,
    /// The instant that is captured.
    pub cut_time: Timestamp,
    /// When it will be, or was, accomplished.
    pub finish_time: Timestamp,
    pub last_modified_time: Timestamp,
    /// The cloud product that manages it, which only a seed can say; else empty. No copy has it.
    pub managed_by: String,
}

impl Snapshot {
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject { account_id: &self.account_id, region_id: &self.region_id, resource_id: &self.snapshot_id }
    }

    /// Its instant is still to come: until then it tells no CreationTime.
    #[must_use]
    pub fn is_before_its_cut(&self, now: Timestamp) -> bool {
        now < self.cut_time
    }

    #[must_use]
    pub fn is_accomplished(&self) -> bool {
        self.status == "accomplished"
    }

    /// Made by CopySnapshot: no snapshot of its disk as far as quotas and the disk's end are concerned.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        !self.source_snapshot_id.is_empty()
    }

    /// When its days of retention are over; one without such days stays for ever.
    #[must_use]
    pub fn expiry(&self) -> Option<Timestamp> {
        self.retention_days.map(|days| self.creation_time.plus_days(days))
    }

    /// In the archive, from where nothing can be made.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        self.category == "archive"
    }
}

impl Listed for Snapshot {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.creation_time, id: self.snapshot_id.clone() }
    }
}

/// What a list of snapshots reads.
pub const SOURCE: Source = Source { table: "snapshots", id_column: "snapshot_id", columns: "snapshots.*" };

macro_rules! examine {
    ($condition:literal) => {
        concat!(
            "SELECT snapshots.*,
                 EXISTS (SELECT 1 FROM image_disk_mappings m WHERE m.snapshot_id = snapshots.snapshot_id)
                     AS used_by_image,
                 EXISTS (SELECT 1 FROM disk_snapshot_references r WHERE r.snapshot_id = snapshots.snapshot_id)
                     AS used_by_disk,
                 EXISTS (SELECT 1 FROM tags WHERE tags.resource_id = snapshots.snapshot_id) AS tagged,
                 EXISTS (SELECT 1 FROM row_locks l JOIN snapshots c ON c.snapshot_id = l.holder
                     WHERE l.resource_id = snapshots.snapshot_id) AS copied,
                 (SELECT task_action FROM tasks t WHERE t.resource_id = snapshots.snapshot_id
                     AND t.task_status = 'Processing' LIMIT 1) AS running_task,
                 (SELECT lock_status FROM snapshot_locks k WHERE k.snapshot_id = snapshots.snapshot_id) AS lock_status,
                 (SELECT lock_expired_time FROM snapshot_locks k WHERE k.snapshot_id = snapshots.snapshot_id)
                     AS lock_expired_time,
                 EXISTS (SELECT 1 FROM row_locks l JOIN image_copies c ON c.image_id = l.holder
                     WHERE l.resource_id = snapshots.snapshot_id) AS in_image_copy, ",
            held!("snapshots.snapshot_id"),
            " FROM snapshots WHERE ",
            $condition
        )
    };
}

/// The text behind [`find`].
pub const FIND: &str = examine!("snapshot_id = $1 AND account_id = $2 AND ($3 IS NULL OR region_id = $3)");

/// The snapshot with this id, of the caller's account and, if it named one, region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<Option<Referenced>, Fault> {
    let values = [snapshot_id.into(), tx.account_id().into(), tx.named_region().into()];
    tx.fetch_optional(FIND, &values).await
}

/// As [`find`], of whatever account: for the engine, which acts for none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find_for_engine(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<Option<Referenced>, Fault> {
    tx.fetch_optional(examine!("snapshot_id = $1"), &[snapshot_id.into()]).await
}

/// The text behind [`insert`].
pub const INSERT: &str = concat!(
    "INSERT INTO snapshots (snapshot_id, account_id, region_id, snapshot_name, description, status, usage,
         snapshot_type, category, snapshot_link_id, snapshot_sn, source_disk_id, source_disk_size, source_disk_type,
         source_snapshot_id, source_region_id, product_code, encrypted, kms_key_id, resource_group_id, available,
         instant_access, instant_access_retention_days, retention_days, full_size_bytes, creation_time, cut_time,
         finish_time, last_modified_time, foreign_source)
     VALUES ($1, $2, $3, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
         $27, $28, $29, $30, $31, $32, $33, $34);
     INSERT INTO timers (kind, resource_id, due_at) VALUES ('snapshot_finish', $1, $32);
     INSERT INTO timers (kind, resource_id, due_at) SELECT 'snapshot_expire', $1, $35 WHERE $35 IS NOT NULL;
     UPDATE disks SET snapshots_taken = snapshots_taken + 1 WHERE disk_id = $16 AND $19 = '';",
    event!()
);

/// Stores a new snapshot with the timers that finish it and let it go after its days of retention; a copy leaves its source disk as it is.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn insert(tx: &mut Tx<'_>, new: &Snapshot) -> Result<(), Fault> {
    let (name, source) = if new.is_copy() {
        ("Snapshot:CopySnapshotStarted", &new.source_snapshot_id)
    } else {
        ("Snapshot:CreateSnapshotStarted", &new.source_disk_id)
    };
    let statement = effect(tx, INSERT, new.subject(), name, source)
        .bind(&new.snapshot_name)
        .bind(&new.description)
        .bind(&new.status)
        .bind(&new.usage)
        .bind(&new.snapshot_type)
        .bind(&new.category)
        .bind(&new.snapshot_link_id)
        .bind(&new.snapshot_sn)
        .bind(&new.source_disk_id)
        .bind(new.source_disk_size)
        .bind(&new.source_disk_type)
        .bind(&new.source_snapshot_id)
        .bind(&new.source_region_id)
        .bind(&new.product_code)
        .bind(new.encrypted)
        .bind(&new.kms_key_id)
        .bind(&new.resource_group_id)
        .bind(new.available)
        .bind(new.instant_access)
        .bind(new.instant_access_retention_days)
        .bind(new.retention_days)
        .bind(new.full_size_bytes)
        .bind(new.creation_time)
        .bind(new.cut_time)
        .bind(new.finish_time)
        .bind(new.last_modified_time)
        .bind(new.foreign_source)
        .bind(new.expiry());
    tx.execute(statement).await?;
    tx.timer_was_set(new.expiry().map_or(new.finish_time, |expiry| expiry.min(new.finish_time)));
    Ok(())
}

/// The text behind [`delete`], for a snapshot without tags that no disk refers to.
pub const DELETE: &str = concat!(
    "DELETE FROM snapshots WHERE snapshot_id = $1 AND status = $8 AND last_modified_time = $9;
     DELETE FROM timers WHERE resource_id = $1;
     DELETE FROM row_locks WHERE holder = $1;",
    bury!()
);

/// Deletes a snapshot with its references of disks, timers, lock and tags; leaves a tombstone and an event. A copy that
/// is unfinished lets its source go.
///
/// `false`: the row is no longer as it was read, and the caller must fail.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn delete(tx: &mut Tx<'_>, found: &Referenced, reason: &'static str) -> Result<bool, Fault> {
    const GUARD: usize = 0;
    let snapshot = &found.snapshot;
    if found.tagged != 0 {
        super::tags::remove(tx, &snapshot.snapshot_id, None).await?;
    }
    if found.is_used_by_disk() {
        let statement = sqlx::query("DELETE FROM disk_snapshot_references WHERE snapshot_id = $1");
        tx.execute(statement.bind(&snapshot.snapshot_id)).await?;
    }
    let statement = effect(tx, DELETE, snapshot.subject(), "Snapshot:DeleteSnapshotCompleted", reason)
        .bind(&snapshot.status)
        .bind(snapshot.last_modified_time);
    tx.execute_guarded(statement, GUARD).await
}

/// Ends the making of a snapshot: progressing becomes `status`, which is accomplished or failed. A copy lets its source
/// go, a lock of what failed is void.
///
/// `false`: it is not progressing (any more).
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn finish(tx: &mut Tx<'_>, snapshot: &Snapshot, status: &'static str) -> Result<bool, Fault> {
    const SQL: &str = concat!(
        "UPDATE snapshots SET status = $8, available = CASE $8 WHEN 'accomplished' THEN 1 ELSE 0 END,
             last_modified_time = $6
         WHERE snapshot_id = $1 AND status = 'progressing';
         DELETE FROM row_locks WHERE holder = $1;
         DELETE FROM snapshot_locks WHERE snapshot_id = $1 AND $8 <> 'accomplished';",
        event!()
    );
    const GUARD: usize = 0;
    let name = match (status, snapshot.is_copy()) {
        ("accomplished", false) => "Snapshot:CreateSnapshotCompleted",
        ("accomplished", true) => "Snapshot:CopySnapshotCompleted",
        (_, false) => "Snapshot:CreateSnapshotFailed",
        (_, true) => "Snapshot:CopySnapshotFailed",
    };
    let statement = effect(tx, SQL, snapshot.subject(), name, status).bind(status);
    tx.execute_guarded(statement, GUARD).await
}

/// Stores the attributes that may change: name, description and retention; moves the retention timer with it.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn update_attributes(tx: &mut Tx<'_>, changed: &Snapshot) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "UPDATE snapshots SET snapshot_name = $8, description = $9, retention_days = $10, instant_access = $11,
             last_modified_time = $6
         WHERE snapshot_id = $1;",
        event!()
    );
    let statement = effect(tx, SQL, changed.subject(), "Snapshot:ModifySnapshotAttributeCompleted", "")
        .bind(&changed.snapshot_name)
        .bind(&changed.description)
        .bind(changed.retention_days)
        .bind(changed.instant_access);
    tx.execute(statement).await?;
    match changed.expiry() {
        Some(expiry) => timers::set(tx, TimerKind::SnapshotExpire, &changed.snapshot_id, expiry).await,
        None => Ok(()),
    }
}

/// Brings `usage` in line with the references that exist, after one came or went.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn refresh_usage(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<(), Fault> {
    let statement = sqlx::query(
        "UPDATE snapshots SET usage = CASE
             WHEN EXISTS (SELECT 1 FROM image_disk_mappings WHERE snapshot_id = $1) THEN
                 CASE WHEN EXISTS (SELECT 1 FROM disk_snapshot_references WHERE snapshot_id = $1)
                     THEN 'image_disk' ELSE 'image' END
             WHEN EXISTS (SELECT 1 FROM disk_snapshot_references WHERE snapshot_id = $1) THEN 'disk'
             ELSE 'none' END
         WHERE snapshot_id = $1",
    );
    tx.execute(statement.bind(snapshot_id)).await
}

/// The unfinished or the automatic snapshots of a disk, oldest first: those that go with it. Copies never do.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn of_disk(tx: &mut Tx<'_>, disk_id: &str, which: OfDisk) -> Result<Vec<Snapshot>, Fault> {
    let condition = match which {
        OfDisk::Unfinished => "status = 'progressing'",
        OfDisk::Automatic => "snapshot_type = 'auto'",
    };
    let sql = format!(
        "SELECT * FROM snapshots WHERE source_disk_id = $1 AND {condition} AND source_snapshot_id = ''
         ORDER BY creation_time"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(disk_id).fetch_all(tx.conn().await?).await?)
}

/// The oldest finished automatic snapshot of a disk that nothing uses, holds or locks; copies are none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn oldest_automatic(tx: &mut Tx<'_>, disk_id: &str) -> Result<Option<Referenced>, Fault> {
    let query = sqlx::query_as(examine!(
        "snapshot_id = (
             SELECT s.snapshot_id FROM snapshots s
             WHERE s.source_disk_id = $1 AND s.snapshot_type = 'auto' AND s.source_snapshot_id = ''
               AND s.status <> 'progressing' AND s.usage = 'none'
               AND NOT EXISTS (SELECT 1 FROM row_locks l WHERE l.resource_id = s.snapshot_id)
               AND NOT EXISTS (
                   SELECT 1 FROM snapshot_locks k WHERE k.snapshot_id = s.snapshot_id AND k.lock_status <> 'expired')
             ORDER BY s.creation_time, s.snapshot_id LIMIT 1)"
    ));
    Ok(query.bind(disk_id).fetch_optional(tx.conn().await?).await?)
}

/// Which snapshots of a disk are meant.
#[derive(Clone, Copy, Debug)]
pub enum OfDisk {
    Unfinished,
    Automatic,
}
