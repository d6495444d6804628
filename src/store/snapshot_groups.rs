//! Snapshot groups: rows and which snapshots belong to them; never decides whether a change is allowed.

use sqlx::FromRow;

use super::events::{Subject, effect, event};
use super::filter::{Cursor, Filter, Listed, Source};
use super::snapshots::Snapshot;
use super::tombstones::bury;
use super::tx::Tx;
use super::value::bind;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// A group as stored.
#[derive(Clone, Debug, FromRow)]
pub struct SnapshotGroup {
    pub snapshot_group_id: String,
    pub account_id: String,
    pub region_id: String,
    pub name: String,
    pub description: String,
    /// progressing, accomplished or failed.
    pub status: String,
    /// The instance that had all the disks, else empty.
    pub instance_id: String,
    pub resource_group_id: String,
    pub creation_time: Timestamp,
    /// When it will be, or was, finished.
    pub finish_time: Timestamp,
}

impl SnapshotGroup {
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject { account_id: &self.account_id, region_id: &self.region_id, resource_id: &self.snapshot_group_id }
    }
}

impl Listed for SnapshotGroup {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.creation_time, id: self.snapshot_group_id.clone() }
    }
}

/// A snapshot of a group.
#[derive(Clone, Debug, FromRow)]
pub struct Member {
    pub snapshot_group_id: String,
    #[sqlx(flatten)]
    pub snapshot: Snapshot,
}

/// What a list of groups reads.
pub const SOURCE: Source =
    Source { table: "snapshot_groups", id_column: "snapshot_group_id", columns: "snapshot_groups.*" };

/// The group with this id, of the caller's account and, if it named one, region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find(tx: &mut Tx<'_>, snapshot_group_id: &str) -> Result<Option<SnapshotGroup>, Fault> {
    let (account_id, region) = (tx.account_id().to_owned(), tx.named_region());
    let query = sqlx::query_as(
        "SELECT * FROM snapshot_groups
         WHERE snapshot_group_id = $1 AND account_id = $2 AND ($3 IS NULL OR region_id = $3)",
    );
    Ok(query.bind(snapshot_group_id).bind(account_id).bind(region).fetch_optional(tx.conn().await?).await?)
}

/// As [`find`], of whatever account: for the engine, which acts for none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find_for_engine(tx: &mut Tx<'_>, snapshot_group_id: &str) -> Result<Option<SnapshotGroup>, Fault> {
    let query = sqlx::query_as("SELECT * FROM snapshot_groups WHERE snapshot_group_id = $1");
    Ok(query.bind(snapshot_group_id).fetch_optional(tx.conn().await?).await?)
}

/// The snapshots that these groups still have, each group's in the order of its disks.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn members_of(tx: &mut Tx<'_>, snapshot_group_ids: &[&str]) -> Result<Vec<Member>, Fault> {
    let mut filter = Filter::default();
    filter.any("m.snapshot_group_id", snapshot_group_ids.iter().copied());
    let sql = format!(
        "SELECT m.snapshot_group_id, snapshots.*
         FROM snapshot_group_members m JOIN snapshots ON snapshots.snapshot_id = m.snapshot_id
         WHERE {} ORDER BY m.snapshot_group_id, m.position",
        filter.conditions()
    );
    let query = bind!(sqlx::query_as::<_, Member>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?)
}

/// Stores a new group, whose snapshots are stored already, with the timer that finishes it.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn insert(tx: &mut Tx<'_>, new: &SnapshotGroup, members: &[Snapshot]) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "INSERT INTO snapshot_groups (snapshot_group_id, account_id, region_id, name, description, status, instance_id,
             resource_group_id, creation_time, finish_time)
         VALUES ($1, $2, $3, $8, $9, $10, $11, $12, $13, $14);
         INSERT INTO timers (kind, resource_id, due_at) VALUES ('snapshot_group_finish', $1, $14);",
        event!()
    );
    let statement = effect(tx, SQL, new.subject(), "SnapshotGroup:CreateSnapshotGroupStarted", &new.instance_id)
        .bind(&new.name)
        .bind(&new.description)
        .bind(&new.status)
        .bind(&new.instance_id)
        .bind(&new.resource_group_id)
        .bind(new.creation_time)
        .bind(new.finish_time);
    tx.execute(statement).await?;
    tx.timer_was_set(new.finish_time);
    for (snapshot, position) in members.iter().zip(0_i64..) {
        let statement = sqlx::query(
            "INSERT INTO snapshot_group_members (snapshot_id, snapshot_group_id, position) VALUES ($1, $2, $3)",
        );
        tx.execute(statement.bind(&snapshot.snapshot_id).bind(&new.snapshot_group_id).bind(position)).await?;
    }
    Ok(())
}

/// Ends the making of a group: progressing becomes `status`, which is accomplished or failed.
///
/// `false`: it is not progressing (any more).
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn finish(tx: &mut Tx<'_>, group: &SnapshotGroup, status: &'static str) -> Result<bool, Fault> {
    const SQL: &str = concat!(
        "UPDATE snapshot_groups SET status = $8, finish_time = $6
         WHERE snapshot_group_id = $1 AND status = 'progressing';",
        event!()
    );
    const GUARD: usize = 0;
    let is_accomplished = status == "accomplished";
    let names = ["SnapshotGroup:CreateSnapshotGroupFailed", "SnapshotGroup:CreateSnapshotGroupCompleted"];
    let statement = effect(tx, SQL, group.subject(), names[usize::from(is_accomplished)], status).bind(status);
    tx.execute_guarded(statement, GUARD).await
}

/// Stores the attributes that may change: name and description.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn update(tx: &mut Tx<'_>, changed: &SnapshotGroup) -> Result<(), Fault> {
    const SQL: &str =
        concat!("UPDATE snapshot_groups SET name = $8, description = $9 WHERE snapshot_group_id = $1;", event!());
    let statement = effect(tx, SQL, changed.subject(), "SnapshotGroup:ModifySnapshotGroupCompleted", "")
        .bind(&changed.name)
        .bind(&changed.description);
    tx.execute(statement).await
}

/// Deletes a group with its timer and tags; leaves a tombstone and an event. The snapshots that it still has stand alone.
///
/// `false`: it is no longer as it was read, and the caller must fail.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn delete(tx: &mut Tx<'_>, group: &SnapshotGroup) -> Result<bool, Fault> {
    const SQL: &str = concat!(
        "DELETE FROM snapshot_groups WHERE snapshot_group_id = $1 AND status = $8;
         DELETE FROM timers WHERE resource_id = $1;",
        bury!()
    );
    const GUARD: usize = 0;
    super::tags::remove(tx, &group.snapshot_group_id, None).await?;
    let statement = effect(tx, SQL, group.subject(), "SnapshotGroup:DeleteSnapshotGroupCompleted", "");
    tx.execute_guarded(statement.bind(&group.status), GUARD).await
}
