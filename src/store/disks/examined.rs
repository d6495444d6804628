//! Disks with what an action must know before it changes them, in one statement; never decides whether it may.

use sqlx::FromRow;

use super::Disk;
use crate::faults::Fault;
use crate::store::Flag;
use crate::store::row_locks::Holds;
use crate::store::tx::Tx;

/// A disk with what an action must know before it changes it.
#[derive(Clone, Debug, FromRow)]
pub struct Examined {
    #[sqlx(flatten)]
    pub disk: Disk,
    /// The first instance that has it, and that instance's status; `None` when it is attached to none.
    pub instance_id: Option<String>,
    pub instance_status: Option<String>,
    /// That instance ran at least once.
    pub instance_started_once: Option<Flag>,
    pub attachments: i64,
    /// Snapshots of its chain, of whatever kind: never fewer than the manual ones.
    chain: i64,
    pub unfinished_snapshots: i64,
    #[sqlx(flatten)]
    pub holds: Holds,
    lock: Option<String>,
    unstarted: i64,
    encrypted_copies: i64,
}

impl Examined {
    /// The reason of the strictest operation lock that forbids anything, of the instances that have it.
    #[must_use]
    pub fn lock(&self) -> Option<&str> {
        self.lock.as_deref()
    }

    /// It was given to its instance while that was Stopped, and the instance has not been started since.
    #[must_use]
    pub fn waits_for_start(&self) -> bool {
        self.unstarted != 0
    }

    /// Encrypted copies of its snapshots are under way.
    #[must_use]
    pub fn has_encrypted_copies_under_way(&self) -> bool {
        self.encrypted_copies != 0
    }
}

macro_rules! examine {
    ($condition:literal) => {
        $crate::store::disks::examine!("", $condition)
    };
    ($more_columns:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            $more_columns,
            "disks.*, i.instance_id, i.status AS instance_status, i.started_once AS instance_started_once,
                 (SELECT COUNT(*) FROM disk_attachments a WHERE a.disk_id = disks.disk_id) AS attachments,
                 COALESCE((SELECT total_count FROM snapshot_links c
                     WHERE c.source_disk_id = disks.disk_id AND c.region_id = disks.region_id), 0) AS chain,
                 (SELECT COUNT(*) FROM snapshots s WHERE s.source_disk_id = disks.disk_id AND s.status = 'progressing'
                     AND s.source_snapshot_id = '') AS unfinished_snapshots, ",
            $crate::store::row_locks::held!("disks.disk_id"),
            ", ",
            $crate::strictest_lock!(
                "o.instance_id IN (SELECT a.instance_id FROM disk_attachments a WHERE a.disk_id = disks.disk_id)"
            ),
            " AS lock,
                 EXISTS (SELECT 1 FROM disk_histories h WHERE h.disk_id = disks.disk_id
                     AND h.attached_stopped_at >= disks.attached_time AND h.attached_stopped_at > i.start_time) AS unstarted,
                 EXISTS (SELECT 1 FROM snapshots s WHERE s.source_disk_id = disks.disk_id AND s.status = 'progressing'
                     AND s.source_snapshot_id <> '' AND s.encrypted = 1) AS encrypted_copies
             FROM disks LEFT JOIN instances i ON i.instance_id = (
                 SELECT a.instance_id FROM disk_attachments a WHERE a.disk_id = disks.disk_id
                 ORDER BY a.attached_time, a.instance_id LIMIT 1)
             WHERE ",
            $condition
        )
    };
}
pub(crate) use examine;

/// Whether the disk has so many manual snapshots or more; copies are none. They are counted only where they may be.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn has_manual_snapshots(tx: &mut Tx<'_>, found: &Examined, count: i64) -> Result<bool, Fault> {
    if found.chain < count {
        return Ok(false);
    }
    let manual: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM snapshots
         WHERE source_disk_id = $1 AND snapshot_type = 'user' AND source_snapshot_id = ''",
    )
    .bind(&found.disk.disk_id)
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(manual >= count)
}

/// The text behind [`find`].
pub const FIND: &str =
    examine!("disks.disk_id = $1 AND disks.account_id = $2 AND ($3 IS NULL OR disks.region_id = $3)");

/// The disk with this id, of the caller's account and, if it named one, region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find(tx: &mut Tx<'_>, disk_id: &str) -> Result<Option<Examined>, Fault> {
    let values = [disk_id.into(), tx.account_id().into(), tx.named_region().into()];
    tx.fetch_optional(FIND, &values).await
}

/// As [`find`], of whatever account: for the engine, which acts for none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find_for_engine(tx: &mut Tx<'_>, disk_id: &str) -> Result<Option<Examined>, Fault> {
    tx.fetch_optional(examine!("disks.disk_id = $1"), &[disk_id.into()]).await
}

/// The disks that an instance has, the system disk first, then by device.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn of_instance(tx: &mut Tx<'_>, instance_id: &str) -> Result<Vec<Examined>, Fault> {
    let found = sqlx::query_as(examine!(
        "disks.disk_id IN (SELECT disk_id FROM disk_attachments WHERE instance_id = $1)
         ORDER BY disks.type DESC, (SELECT device FROM disk_attachments a
             WHERE a.disk_id = disks.disk_id AND a.instance_id = $1), disks.disk_id"
    ))
    .bind(instance_id)
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(found)
}
