//! What changes of disks leave behind: specifications to come and what became of a disk; never decides what they mean.

use std::collections::HashMap;

use sqlx::FromRow;

use super::Disk;
use crate::clock::Timestamp;
use crate::faults::Fault;
use crate::store::filter::Filter;
use crate::store::tx::Tx;
use crate::store::value::bind;

/// The task of ModifyDiskSpec, as DescribeTasks spells it.
pub const MODIFY_SPEC: &str = "ModifyDiskSpec";

/// What a disk is to become when its task is finished.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Spec {
    pub category: String,
    pub performance_level: String,
    pub provisioned_iops: Option<i64>,
}

/// Stores what a task makes true when it is finished.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn plan_spec(tx: &mut Tx<'_>, task_id: &str, spec: &Spec) -> Result<(), Fault> {
    let statement = sqlx::query(
        "INSERT INTO disk_spec_changes (task_id, category, performance_level, provisioned_iops)
         VALUES ($1, $2, $3, $4)",
    )
    .bind(task_id)
    .bind(&spec.category)
    .bind(&spec.performance_level)
    .bind(spec.provisioned_iops);
    tx.execute(statement).await
}

/// What a task makes true when it is finished.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn planned_spec(tx: &mut Tx<'_>, task_id: &str) -> Result<Option<Spec>, Fault> {
    let query = sqlx::query_as(
        "SELECT category, performance_level, provisioned_iops FROM disk_spec_changes WHERE task_id = $1",
    );
    Ok(query.bind(task_id).fetch_optional(tx.conn().await?).await?)
}

/// The tasks of ModifyDiskSpec that matter for the next one.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct SpecTasks {
    pub processing_of_disk: i64,
    pub processing_of_region: i64,
    pub last_finished: Option<Timestamp>,
}

/// Counts the tasks of ModifyDiskSpec of a disk, and those of its account and region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn spec_tasks(tx: &mut Tx<'_>, disk: &Disk) -> Result<SpecTasks, Fault> {
    let query = sqlx::query_as(
        "SELECT COALESCE(SUM(CASE WHEN resource_id = $1 AND task_status = 'Processing' THEN 1 ELSE 0 END), 0) AS processing_of_disk,
             COALESCE(SUM(CASE WHEN task_status = 'Processing' THEN 1 ELSE 0 END), 0) AS processing_of_region,
             MAX(CASE WHEN resource_id = $1 AND task_status = 'Finished' THEN finish_time END) AS last_finished
         FROM tasks WHERE account_id = $2 AND region_id = $3 AND task_action = $4
             AND (resource_id = $1 OR task_status = 'Processing')",
    );
    let query = query.bind(&disk.disk_id).bind(&disk.account_id).bind(&disk.region_id).bind(MODIFY_SPEC);
    Ok(query.fetch_one(tx.conn().await?).await?)
}

/// What became of a disk, where a later rule asks for it.
#[derive(Clone, Debug, Default, FromRow)]
pub struct History {
    pub disk_id: String,
    /// When it last grew in a way that its running instance sees after a restart alone.
    pub expanded_at: Option<Timestamp>,
    pub charge_type_changed_at: Option<Timestamp>,
    /// The disk that it is a clone of, else empty.
    pub source_disk_id: String,
    /// The instance that a detached system disk, or an ephemeral one, came from, else empty.
    pub origin_instance_id: String,
    /// When it was last given to a stopped instance as a data disk.
    pub attached_stopped_at: Option<Timestamp>,
}

/// What became of a disk; nothing special for most.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn history(tx: &mut Tx<'_>, disk_id: &str) -> Result<History, Fault> {
    Ok(histories(tx, &[disk_id]).await?.remove(disk_id).unwrap_or_default())
}

/// What became of these disks, by id; those with nothing special have none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn histories(tx: &mut Tx<'_>, disk_ids: &[&str]) -> Result<HashMap<String, History>, Fault> {
    let mut filter = Filter::default();
    filter.any("disk_id", disk_ids.iter().copied());
    let sql = format!("SELECT * FROM disk_histories WHERE {}", filter.conditions());
    let query = bind!(sqlx::query_as::<_, History>(sqlx::AssertSqlSafe(sql)), filter.values());
    let rows = query.fetch_all(tx.conn().await?).await?.into_iter();
    Ok(rows.map(|row| (row.disk_id.clone(), row)).collect())
}

/// Stores what became of a disk.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn set_history(tx: &mut Tx<'_>, disk_id: &str, history: &History) -> Result<(), Fault> {
    let statement = sqlx::query(
        "INSERT INTO disk_histories (disk_id, expanded_at, charge_type_changed_at, source_disk_id, origin_instance_id,
             attached_stopped_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (disk_id) DO UPDATE SET expanded_at = excluded.expanded_at,
             charge_type_changed_at = excluded.charge_type_changed_at, source_disk_id = excluded.source_disk_id,
             origin_instance_id = excluded.origin_instance_id,
             attached_stopped_at = excluded.attached_stopped_at",
    )
    .bind(disk_id)
    .bind(history.expanded_at)
    .bind(history.charge_type_changed_at)
    .bind(&history.source_disk_id)
    .bind(&history.origin_instance_id)
    .bind(history.attached_stopped_at);
    tx.execute(statement).await
}

/// Puts a task into the group of those that one call started together.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn group_task(tx: &mut Tx<'_>, task_id: &str, task_group_id: &str) -> Result<(), Fault> {
    let statement = sqlx::query("INSERT INTO task_groups (task_id, task_group_id) VALUES ($1, $2)");
    tx.execute(statement.bind(task_id).bind(task_group_id)).await
}

/// A disk is a system disk from now on.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn become_system(tx: &mut Tx<'_>, disk_id: &str) -> Result<(), Fault> {
    tx.execute(sqlx::query("UPDATE disks SET type = 'system' WHERE disk_id = $1").bind(disk_id)).await
}
