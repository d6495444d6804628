//! Automatic snapshot policies: rows with their schedule and target tags; decides neither what is allowed nor what is due.

use std::collections::HashMap;

use sqlx::FromRow;

use super::Flag;
use super::events::{Subject, effect, event};
use super::filter::{Cursor, Filter, Listed, Source};
use super::tags::TagRow;
use super::tombstones::bury;
use super::tx::Tx;
use super::value::bind;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// A policy as stored, without its schedule and target tags.
#[derive(Clone, Debug, FromRow)]
pub struct Policy {
    pub auto_snapshot_policy_id: String,
    pub account_id: String,
    pub region_id: String,
    pub auto_snapshot_policy_name: String,
    /// `AssociatedWithDisk` or `AssociatedWithInstanceTag`.
    pub association_type: String,
    /// -1 for ever.
    pub retention_days: i64,
    pub enable_cross_region_copy: Flag,
    /// Empty for none.
    pub target_copy_region: String,
    pub copied_snapshots_retention_days: i64,
    pub copy_encrypted: Flag,
    pub copy_kms_key_id: String,
    pub resource_group_id: String,
    pub creation_time: Timestamp,
}

impl Policy {
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject { account_id: &self.account_id, region_id: &self.region_id, resource_id: &self.auto_snapshot_policy_id }
    }

    /// Applied to disks by calls, not by the tags of instances.
    #[must_use]
    pub fn is_of_disks(&self) -> bool {
        self.association_type == "AssociatedWithDisk"
    }
}

/// A policy with the number of disks that it applies to.
#[derive(Clone, Debug, FromRow)]
pub struct Counted {
    #[sqlx(flatten)]
    pub policy: Policy,
    pub disk_nums: i64,
}

impl Listed for Counted {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.policy.creation_time, id: self.policy.auto_snapshot_policy_id.clone() }
    }
}

/// When a policy takes snapshots, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Hours of the day, UTC+8.
    pub time_points: Vec<i64>,
    /// 1 for Monday to 7 for Sunday.
    pub repeat_weekdays: Vec<i64>,
}

/// What a list of policies reads.
pub const SOURCE: Source = Source {
    table: "auto_snapshot_policies",
    id_column: "auto_snapshot_policy_id",
    columns: "auto_snapshot_policies.*,
        (SELECT COUNT(*) FROM auto_snapshot_policy_disks d
         WHERE d.auto_snapshot_policy_id = auto_snapshot_policies.auto_snapshot_policy_id) AS disk_nums",
};

/// The policy with this id, of the caller's account and, if it named one, region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find(tx: &mut Tx<'_>, policy_id: &str) -> Result<Option<Policy>, Fault> {
    let region = tx.named_region();
    let found = find_of_account(tx, policy_id).await?;
    Ok(found.filter(|policy| region.is_none_or(|named| policy.region_id == named)))
}

/// As [`find`], in whatever region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find_of_account(tx: &mut Tx<'_>, policy_id: &str) -> Result<Option<Policy>, Fault> {
    let account_id = tx.account_id().to_owned();
    let query =
        sqlx::query_as("SELECT * FROM auto_snapshot_policies WHERE auto_snapshot_policy_id = $1 AND account_id = $2");
    Ok(query.bind(policy_id).bind(account_id).fetch_optional(tx.conn().await?).await?)
}

/// As [`find`], of whatever account, with its schedule: for the engine, which acts for none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find_for_engine(tx: &mut Tx<'_>, policy_id: &str) -> Result<Option<(Policy, Schedule)>, Fault> {
    let query = sqlx::query_as("SELECT * FROM auto_snapshot_policies WHERE auto_snapshot_policy_id = $1");
    let Some(policy) = query.bind(policy_id).fetch_optional(tx.conn().await?).await? else { return Ok(None) };
    let schedule = schedules_of(tx, &[policy_id]).await?.remove(policy_id).unwrap_or_default();
    Ok(Some((policy, schedule)))
}

/// How many policies the caller's account has in a region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn count(tx: &mut Tx<'_>, region_id: &str) -> Result<i64, Fault> {
    let account_id = tx.account_id().to_owned();
    let query =
        sqlx::query_scalar("SELECT COUNT(*) FROM auto_snapshot_policies WHERE account_id = $1 AND region_id = $2");
    Ok(query.bind(account_id).bind(region_id).fetch_one(tx.conn().await?).await?)
}

/// The schedules of these policies.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn schedules_of(tx: &mut Tx<'_>, policy_ids: &[&str]) -> Result<HashMap<String, Schedule>, Fault> {
    let mut filter = Filter::default();
    filter.any("auto_snapshot_policy_id", policy_ids.iter().copied());
    let sql = format!(
        "SELECT auto_snapshot_policy_id, time_point, -1 FROM auto_snapshot_policy_time_points WHERE {0}
         UNION ALL
         SELECT auto_snapshot_policy_id, -1, repeat_weekday FROM auto_snapshot_policy_weekdays WHERE {0}
         ORDER BY 1, 2, 3",
        filter.conditions()
    );
    let query = bind!(sqlx::query_as::<_, (String, i64, i64)>(sqlx::AssertSqlSafe(sql)), filter.values());
    let mut schedules: HashMap<String, Schedule> = HashMap::new();
    for (policy_id, time_point, repeat_weekday) in query.fetch_all(tx.conn().await?).await? {
        let schedule = schedules.entry(policy_id).or_default();
        if time_point < 0 {
            schedule.repeat_weekdays.push(repeat_weekday);
        } else {
            schedule.time_points.push(time_point);
        }
    }
    Ok(schedules)
}

/// The target tags of these policies, by policy, keys in order.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn target_tags_of(tx: &mut Tx<'_>, policy_ids: &[&str]) -> Result<HashMap<String, Vec<TagRow>>, Fault> {
    let mut filter = Filter::default();
    filter.any("auto_snapshot_policy_id", policy_ids.iter().copied());
    let sql = format!(
        "SELECT auto_snapshot_policy_id AS resource_id, tag_key, tag_value FROM auto_snapshot_policy_target_tags
         WHERE {} ORDER BY resource_id, tag_key",
        filter.conditions()
    );
    let query = bind!(sqlx::query_as::<_, TagRow>(sqlx::AssertSqlSafe(sql)), filter.values());
    let mut by_policy: HashMap<String, Vec<TagRow>> = HashMap::new();
    for row in query.fetch_all(tx.conn().await?).await? {
        by_policy.entry(row.resource_id.clone()).or_default().push(row);
    }
    Ok(by_policy)
}

/// Stores a new policy; its schedule and target tags are set beside it.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn insert(tx: &mut Tx<'_>, new: &Policy) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "INSERT INTO auto_snapshot_policies (auto_snapshot_policy_id, account_id, region_id, auto_snapshot_policy_name,
             association_type, retention_days, enable_cross_region_copy, target_copy_region,
             copied_snapshots_retention_days, copy_encrypted, copy_kms_key_id, resource_group_id, creation_time)
         VALUES ($1, $2, $3, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17);",
        event!()
    );
    let statement = effect(tx, SQL, new.subject(), "AutoSnapshotPolicy:CreateAutoSnapshotPolicyCompleted", "")
        .bind(&new.auto_snapshot_policy_name)
        .bind(&new.association_type)
        .bind(new.retention_days)
        .bind(new.enable_cross_region_copy)
        .bind(&new.target_copy_region)
        .bind(new.copied_snapshots_retention_days)
        .bind(new.copy_encrypted)
        .bind(&new.copy_kms_key_id)
        .bind(&new.resource_group_id)
        .bind(new.creation_time);
    tx.execute(statement).await
}

/// Stores the attributes that may change.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn update(tx: &mut Tx<'_>, changed: &Policy) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "UPDATE auto_snapshot_policies SET auto_snapshot_policy_name = $8, retention_days = $9,
             enable_cross_region_copy = $10, target_copy_region = $11, copied_snapshots_retention_days = $12,
             copy_encrypted = $13, copy_kms_key_id = $14
         WHERE auto_snapshot_policy_id = $1;",
        event!()
    );
    let statement = effect(tx, SQL, changed.subject(), "AutoSnapshotPolicy:ModifyAutoSnapshotPolicyCompleted", "")
        .bind(&changed.auto_snapshot_policy_name)
        .bind(changed.retention_days)
        .bind(changed.enable_cross_region_copy)
        .bind(&changed.target_copy_region)
        .bind(changed.copied_snapshots_retention_days)
        .bind(changed.copy_encrypted)
        .bind(&changed.copy_kms_key_id);
    tx.execute(statement).await
}

/// Replaces the hours of a policy.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn set_time_points(tx: &mut Tx<'_>, policy_id: &str, time_points: &[i64]) -> Result<(), Fault> {
    let cleared = sqlx::query("DELETE FROM auto_snapshot_policy_time_points WHERE auto_snapshot_policy_id = $1");
    tx.execute(cleared.bind(policy_id)).await?;
    for time_point in time_points {
        let statement = sqlx::query(
            "INSERT INTO auto_snapshot_policy_time_points (auto_snapshot_policy_id, time_point) VALUES ($1, $2)",
        );
        tx.execute(statement.bind(policy_id).bind(time_point)).await?;
    }
    Ok(())
}

/// Replaces the days of a policy.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn set_weekdays(tx: &mut Tx<'_>, policy_id: &str, weekdays: &[i64]) -> Result<(), Fault> {
    let cleared = sqlx::query("DELETE FROM auto_snapshot_policy_weekdays WHERE auto_snapshot_policy_id = $1");
    tx.execute(cleared.bind(policy_id)).await?;
    for weekday in weekdays {
        let statement = sqlx::query(
            "INSERT INTO auto_snapshot_policy_weekdays (auto_snapshot_policy_id, repeat_weekday) VALUES ($1, $2)",
        );
        tx.execute(statement.bind(policy_id).bind(weekday)).await?;
    }
    Ok(())
}

/// Replaces the target tags of a policy.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn set_target_tags(tx: &mut Tx<'_>, policy_id: &str, tags: &[(String, String)]) -> Result<(), Fault> {
    let cleared = sqlx::query("DELETE FROM auto_snapshot_policy_target_tags WHERE auto_snapshot_policy_id = $1");
    tx.execute(cleared.bind(policy_id)).await?;
    for (key, value) in tags {
        let statement = sqlx::query(
            "INSERT INTO auto_snapshot_policy_target_tags (auto_snapshot_policy_id, tag_key, tag_value)
             VALUES ($1, $2, $3)",
        );
        tx.execute(statement.bind(policy_id).bind(key).bind(value)).await?;
    }
    Ok(())
}

/// Deletes a policy with its schedule, associations and tags; leaves a tombstone and an event.
///
/// `false`: it is not there any more, and the caller must fail.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn delete(tx: &mut Tx<'_>, policy: &Policy) -> Result<bool, Fault> {
    const SQL: &str = concat!(
        "DELETE FROM auto_snapshot_policies WHERE auto_snapshot_policy_id = $1;
         DELETE FROM timers WHERE resource_id = $1;",
        bury!()
    );
    const GUARD: usize = 0;
    super::tags::remove(tx, &policy.auto_snapshot_policy_id, None).await?;
    let statement = effect(tx, SQL, policy.subject(), "AutoSnapshotPolicy:DeleteAutoSnapshotPolicyCompleted", "");
    tx.execute_guarded(statement, GUARD).await
}
