//! Disks: rows, their attachments and the snapshot each was made from; never decides whether a change is allowed.

pub mod changes;
mod examined;

use sqlx::FromRow;

use super::events::{Subject, effect, event};
use super::filter::{Cursor, Filter, Listed, Source};
use super::tombstones::bury;
use super::tx::Tx;
use super::value::bind;
use super::{Flag, snapshots};
use crate::clock::Timestamp;
use crate::faults::Fault;
pub(crate) use examined::examine;
pub use examined::{Examined, FIND, find, find_for_engine, has_manual_snapshots, of_instance};

/// A disk as stored.
#[derive(Clone, Debug, FromRow)]
pub struct Disk {
    pub disk_id: String,
    pub account_id: String,
    pub region_id: String,
    pub zone_id: String,
    pub disk_name: String,
    pub description: String,
    /// system or data.
    #[sqlx(rename = "type")]
    pub disk_type: String,
    pub category: String,
    /// `PL0` to `PL3` for `cloud_essd`, else empty.
    pub performance_level: String,
    /// GiB.
    pub size: i64,
    /// Creating, Available, Attaching, `In_use`, Detaching or `ReIniting`.
    pub status: String,
    pub portable: Flag,
    pub delete_with_instance: Flag,
    pub delete_auto_snapshot: Flag,
    pub enable_auto_snapshot: Flag,
    pub encrypted: Flag,
    pub kms_key_id: String,
    /// Disabled or Enabled.
    pub multi_attach: String,
    /// `PostPaid` or `PrePaid`.
    pub disk_charge_type: String,
    pub provisioned_iops: Option<i64>,
    pub bursting_enabled: Flag,
    pub storage_set_id: String,
    pub storage_set_partition_number: Option<i64>,
    /// The image of a system disk, else empty.
    pub image_id: String,
    /// What it was made from, kept when that is gone.
    pub source_snapshot_id: String,
    /// That is a snapshot of another account, whose image was shared: its id is told to nobody, and it may go.
    pub foreign_source: Flag,
    pub serial_number: String,
    pub resource_group_id: String,
    pub ever_attached: Flag,
    pub creation_time: Timestamp,
    pub attached_time: Option<Timestamp>,
    pub detached_time: Option<Timestamp>,
    /// Snapshots taken of it so far.
    pub snapshots_taken: i64,
    /// It must not be deleted, which only a seed can say.
    pub delete_protection: Flag,
}

impl Disk {
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject { account_id: &self.account_id, region_id: &self.region_id, resource_id: &self.disk_id }
    }

    /// Made from a snapshot of its own account, which then counts as used.
    #[must_use]
    pub fn refers_to_its_source(&self) -> bool {
        !self.source_snapshot_id.is_empty() && !bool::from(self.foreign_source)
    }

    #[must_use]
    pub fn is_system(&self) -> bool {
        self.disk_type == "system"
    }

    /// Of the kind that lives and dies with its instance and has no snapshots.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        self.category.starts_with("elastic_ephemeral_disk")
    }

    /// Of the kind that lives in several zones of its region at once.
    #[must_use]
    pub fn is_regional(&self) -> bool {
        self.category == "cloud_regional_disk_auto"
    }

    /// Of the ESSD family, whose snapshots are usable at once and may run side by side.
    #[must_use]
    pub fn is_essd_family(&self) -> bool {
        matches!(self.category.as_str(), "cloud_essd" | "cloud_auto" | "cloud_essd_entry" | "cloud_regional_disk_auto")
    }
}

impl Listed for Disk {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.creation_time, id: self.disk_id.clone() }
    }
}

/// Where a disk is attached.
#[derive(Clone, Debug, FromRow)]
pub struct Attachment {
    pub disk_id: String,
    pub instance_id: String,
    pub device: String,
    pub attached_time: Timestamp,
}

/// What a list of disks reads.
pub const SOURCE: Source = Source { table: "disks", id_column: "disk_id", columns: "disks.*" };

/// The attachments of these disks, by disk and time.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn attachments_of(tx: &mut Tx<'_>, disk_ids: &[&str]) -> Result<Vec<Attachment>, Fault> {
    let mut filter = Filter::default();
    filter.any("disk_id", disk_ids.iter().copied());
    let sql = format!(
        "SELECT * FROM disk_attachments WHERE {} ORDER BY disk_id, attached_time, instance_id",
        filter.conditions()
    );
    let query = bind!(sqlx::query_as::<_, Attachment>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?)
}

/// Stores a new disk and, where it is made from a snapshot, the reference to it.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn insert(tx: &mut Tx<'_>, new: &Disk) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "INSERT INTO disks (disk_id, account_id, region_id, zone_id, disk_name, description, type, category,
             performance_level, size, status, portable, delete_with_instance, delete_auto_snapshot, enable_auto_snapshot,
             encrypted, kms_key_id, multi_attach, disk_charge_type, provisioned_iops, bursting_enabled, storage_set_id,
             storage_set_partition_number, image_id, source_snapshot_id, serial_number, resource_group_id,
             ever_attached, creation_time, attached_time, detached_time, snapshots_taken, foreign_source)
         VALUES ($1, $2, $3, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
             $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37);",
        event!()
    );
    let statement = effect(tx, SQL, new.subject(), "Disk:CreateDiskStarted", &new.source_snapshot_id)
        .bind(&new.zone_id)
        .bind(&new.disk_name)
        .bind(&new.description)
        .bind(&new.disk_type)
        .bind(&new.category)
        .bind(&new.performance_level)
        .bind(new.size)
        .bind(&new.status)
        .bind(new.portable)
        .bind(new.delete_with_instance)
        .bind(new.delete_auto_snapshot)
        .bind(new.enable_auto_snapshot)
        .bind(new.encrypted)
        .bind(&new.kms_key_id)
        .bind(&new.multi_attach)
        .bind(&new.disk_charge_type)
        .bind(new.provisioned_iops)
        .bind(new.bursting_enabled)
        .bind(&new.storage_set_id)
        .bind(new.storage_set_partition_number)
        .bind(&new.image_id)
        .bind(&new.source_snapshot_id)
        .bind(&new.serial_number)
        .bind(&new.resource_group_id)
        .bind(new.ever_attached)
        .bind(new.creation_time)
        .bind(new.attached_time)
        .bind(new.detached_time)
        .bind(new.snapshots_taken)
        .bind(new.foreign_source);
    tx.execute(statement).await?;
    if !new.refers_to_its_source() {
        return Ok(());
    }
    let reference = sqlx::query("INSERT INTO disk_snapshot_references (disk_id, snapshot_id) VALUES ($1, $2)");
    tx.execute(reference.bind(&new.disk_id).bind(&new.source_snapshot_id)).await?;
    snapshots::refresh_usage(tx, &new.source_snapshot_id).await
}

/// Stores everything about a disk that can change but its status and attachments.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn update(tx: &mut Tx<'_>, changed: &Disk, event: &'static str) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "UPDATE disks SET disk_name = $8, description = $9, category = $10, performance_level = $11, size = $12,
             portable = $13, delete_with_instance = $14, delete_auto_snapshot = $15, enable_auto_snapshot = $16,
             disk_charge_type = $17, provisioned_iops = $18, bursting_enabled = $19, resource_group_id = $20
         WHERE disk_id = $1;",
        event!()
    );
    let statement = effect(tx, SQL, changed.subject(), event, "")
        .bind(&changed.disk_name)
        .bind(&changed.description)
        .bind(&changed.category)
        .bind(&changed.performance_level)
        .bind(changed.size)
        .bind(changed.portable)
        .bind(changed.delete_with_instance)
        .bind(changed.delete_auto_snapshot)
        .bind(changed.enable_auto_snapshot)
        .bind(&changed.disk_charge_type)
        .bind(changed.provisioned_iops)
        .bind(changed.bursting_enabled)
        .bind(&changed.resource_group_id);
    tx.execute(statement).await?;
    Ok(())
}

/// Moves a disk from the status it was read with to another.
///
/// `false`: it is no longer as it was read, and the caller must fail.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn set_status(tx: &mut Tx<'_>, disk: &Disk, status: &str, event: &'static str) -> Result<bool, Fault> {
    const SQL: &str = concat!("UPDATE disks SET status = $8 WHERE disk_id = $1 AND status = $9;", event!());
    const GUARD: usize = 0;
    let statement = effect(tx, SQL, disk.subject(), event, status).bind(status).bind(&disk.status);
    tx.execute_guarded(statement, GUARD).await
}

/// Gives a disk to an instance.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn attach(tx: &mut Tx<'_>, disk_id: &str, instance_id: &str, device: &str) -> Result<(), Fault> {
    let now = tx.now;
    let statement = sqlx::query(
        "INSERT INTO disk_attachments (disk_id, instance_id, device, attached_time) VALUES ($1, $2, $3, $4);
         UPDATE disks SET ever_attached = 1, attached_time = $4, detached_time = NULL WHERE disk_id = $1",
    )
    .bind(disk_id)
    .bind(instance_id)
    .bind(device)
    .bind(now);
    tx.execute(statement).await?;
    Ok(())
}

/// Takes a disk from an instance.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn detach(tx: &mut Tx<'_>, disk_id: &str, instance_id: &str) -> Result<(), Fault> {
    let now = tx.now;
    let statement = sqlx::query(
        "DELETE FROM disk_attachments WHERE disk_id = $1 AND instance_id = $2;
         UPDATE disks SET detached_time = $3 WHERE disk_id = $1",
    )
    .bind(disk_id)
    .bind(instance_id)
    .bind(now);
    tx.execute(statement).await?;
    Ok(())
}

/// Deletes a disk with its attachments, its reference to a snapshot, timers and tags; leaves a tombstone and an event.
///
/// `false`: it is no longer as it was read, and the caller must fail. Its snapshots are the caller's affair.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn delete(tx: &mut Tx<'_>, disk: &Disk) -> Result<bool, Fault> {
    const SQL: &str = concat!(
        "DELETE FROM disks WHERE disk_id = $1 AND status = $8;
         DELETE FROM timers WHERE resource_id = $1;",
        bury!()
    );
    const GUARD: usize = 0;
    super::tags::remove(tx, &disk.disk_id, None).await?;
    let statement = effect(tx, SQL, disk.subject(), "Disk:DeleteDiskCompleted", "").bind(&disk.status);
    let hit = tx.execute_guarded(statement, GUARD).await?;
    if disk.refers_to_its_source() {
        snapshots::refresh_usage(tx, &disk.source_snapshot_id).await?;
    }
    Ok(hit)
}

/// Whether the snapshot that a disk was made from is still there and, where it is of the same account, referred to.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn has_source(tx: &mut Tx<'_>, disk_id: &str) -> Result<bool, Fault> {
    let query = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM disk_snapshot_references WHERE disk_id = $1) OR EXISTS (
             SELECT 1 FROM disks d JOIN snapshots s ON s.snapshot_id = d.source_snapshot_id
             WHERE d.disk_id = $1 AND d.foreign_source = 1)",
    );
    let found: i64 = query.bind(disk_id).fetch_one(tx.conn().await?).await?;
    Ok(found != 0)
}
