//! Which automatic snapshot policies apply to which disks; never decides whether one may.

use sqlx::FromRow;

use super::disks::{Disk, Examined, examine};
use super::events::{effect, event};
use super::filter::{Cursor, Filter, Listed, Source};
use super::tx::Tx;
use super::value::bind;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// A policy and a disk that it applies to.
#[derive(Clone, Debug, FromRow)]
pub struct Association {
    pub auto_snapshot_policy_id: String,
    pub disk_id: String,
    pub creation_time: Timestamp,
}

/// A disk in the list of those that one policy applies to.
#[derive(Clone, Debug, FromRow)]
pub struct OfPolicy {
    #[sqlx(flatten)]
    pub association: Association,
}

/// A policy in the list of those that apply to one disk.
#[derive(Clone, Debug, FromRow)]
pub struct OfDisk {
    #[sqlx(flatten)]
    pub association: Association,
}

impl Listed for OfPolicy {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.association.creation_time, id: self.association.disk_id.clone() }
    }
}

impl Listed for OfDisk {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.association.creation_time, id: self.association.auto_snapshot_policy_id.clone() }
    }
}

/// A disk that a policy applies to, with what a run must know before it takes a snapshot.
#[derive(Clone, Debug, FromRow)]
pub struct Scheduled {
    #[sqlx(flatten)]
    pub found: Examined,
    pub automatic_snapshots: i64,
}

/// The disks that a policy applies to, in the order of their ids.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn scheduled(tx: &mut Tx<'_>, policy_id: &str) -> Result<Vec<Scheduled>, Fault> {
    let query = sqlx::query_as(examine!(
        "(SELECT COUNT(*) FROM snapshots s WHERE s.source_disk_id = disks.disk_id AND s.snapshot_type = 'auto'
             AND s.source_snapshot_id = '') AS automatic_snapshots, ",
        "disks.disk_id IN (SELECT d.disk_id FROM auto_snapshot_policy_disks d WHERE d.auto_snapshot_policy_id = $1)
         ORDER BY disks.disk_id"
    ));
    Ok(query.bind(policy_id).fetch_all(tx.conn().await?).await?)
}

/// Whether the instances with the target tags of a policy have disks, but none that can be snapshotted.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn meets_ephemeral_disks_alone(tx: &mut Tx<'_>, policy_id: &str) -> Result<bool, Fault> {
    let query = sqlx::query_scalar(
        "SELECT CASE WHEN EXISTS (
             SELECT 1 FROM auto_snapshot_policies p
             JOIN instances i ON i.account_id = p.account_id AND i.region_id = p.region_id
             JOIN disk_attachments a ON a.instance_id = i.instance_id
             WHERE p.auto_snapshot_policy_id = $1 AND p.association_type = 'AssociatedWithInstanceTag' AND NOT EXISTS (
                 SELECT 1 FROM auto_snapshot_policy_target_tags g
                 WHERE g.auto_snapshot_policy_id = p.auto_snapshot_policy_id AND NOT EXISTS (
                     SELECT 1 FROM tags t WHERE t.resource_id = i.instance_id AND t.tag_key = g.tag_key
                         AND (g.tag_value = '' OR t.tag_value = g.tag_value)))
         ) AND NOT EXISTS (SELECT 1 FROM auto_snapshot_policy_disks v WHERE v.auto_snapshot_policy_id = $1)
         THEN 1 ELSE 0 END",
    );
    let met: i64 = query.bind(policy_id).fetch_one(tx.conn().await?).await?;
    Ok(met == 1)
}

const TABLE: &str = "auto_snapshot_policy_disks";
const COLUMNS: &str = "auto_snapshot_policy_disks.*";
/// What a list of the disks of one policy reads.
pub const OF_POLICY: Source = Source { table: TABLE, id_column: "disk_id", columns: COLUMNS };
/// What a list of the policies of one disk reads.
pub const OF_DISK: Source = Source { table: TABLE, id_column: "auto_snapshot_policy_id", columns: COLUMNS };

/// What applies to these disks by a call or by the tags of their instances, newest first.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn of_disks(tx: &mut Tx<'_>, disk_ids: &[&str]) -> Result<Vec<Association>, Fault> {
    in_table(tx, TABLE, disk_ids).await
}

/// What was applied to these disks by a call, newest first.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn applied_to(tx: &mut Tx<'_>, disk_ids: &[&str]) -> Result<Vec<Association>, Fault> {
    in_table(tx, "auto_snapshot_policy_associations", disk_ids).await
}

async fn in_table(tx: &mut Tx<'_>, table: &str, disk_ids: &[&str]) -> Result<Vec<Association>, Fault> {
    let mut filter = Filter::default();
    filter.any("disk_id", disk_ids.iter().copied());
    let sql = format!(
        "SELECT * FROM {table} WHERE {} ORDER BY disk_id, creation_time DESC, auto_snapshot_policy_id DESC",
        filter.conditions()
    );
    let query = bind!(sqlx::query_as::<_, Association>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?)
}

/// Applies a policy to a disk; one that applies already is no error.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn apply(tx: &mut Tx<'_>, policy_id: &str, disk: &Disk) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "INSERT INTO auto_snapshot_policy_associations (auto_snapshot_policy_id, disk_id, creation_time)
         VALUES ($7, $1, $6) ON CONFLICT (auto_snapshot_policy_id, disk_id) DO NOTHING;",
        event!()
    );
    let statement = effect(tx, SQL, disk.subject(), "Disk:ApplyAutoSnapshotPolicyCompleted", policy_id);
    tx.execute(statement).await
}

/// Lets a policy no longer apply to a disk.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn cancel(tx: &mut Tx<'_>, policy_id: &str, disk: &Disk) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "DELETE FROM auto_snapshot_policy_associations WHERE auto_snapshot_policy_id = $7 AND disk_id = $1;",
        event!()
    );
    let statement = effect(tx, SQL, disk.subject(), "Disk:CancelAutoSnapshotPolicyCompleted", policy_id);
    tx.execute(statement).await
}
