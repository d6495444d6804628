//! Instances: stubs that have disks and a status; never decides whether a change is allowed.

use sqlx::FromRow;

use super::Flag;
use super::events::{Subject, effect, event};
use super::filter::{Cursor, Listed, Source};
use super::row_locks::{Holds, held};
use super::tombstones::bury;
use super::tx::Tx;
use crate::clock::Timestamp;
use crate::faults::Fault;
use crate::strictest_lock;

/// An instance as stored.
#[derive(Clone, Debug, FromRow)]
pub struct Instance {
    pub instance_id: String,
    pub account_id: String,
    pub region_id: String,
    pub zone_id: String,
    pub instance_name: String,
    pub description: String,
    pub host_name: String,
    pub instance_type: String,
    pub image_id: String,
    /// Pending, Starting, Running, Stopping or Stopped.
    pub status: String,
    pub started_once: Flag,
    pub deletion_protection: Flag,
    /// `PostPaid` or `PrePaid`.
    pub instance_charge_type: String,
    pub stopped_mode: String,
    pub security_group_id: String,
    pub vpc_id: String,
    pub vswitch_id: String,
    pub private_ip_address: String,
    pub key_pair_name: String,
    pub resource_group_id: String,
    pub creation_time: Timestamp,
    pub start_time: Option<Timestamp>,
}

impl Instance {
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject { account_id: &self.account_id, region_id: &self.region_id, resource_id: &self.instance_id }
    }
}

impl Listed for Instance {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.creation_time, id: self.instance_id.clone() }
    }
}

/// An instance with whether a task or an operator holds it.
#[derive(Clone, Debug, FromRow)]
pub struct Examined {
    #[sqlx(flatten)]
    pub instance: Instance,
    #[sqlx(flatten)]
    pub holds: Holds,
    lock: Option<String>,
}

impl Examined {
    /// The reason of the strictest operation lock that forbids anything.
    #[must_use]
    pub fn lock(&self) -> Option<&str> {
        self.lock.as_deref()
    }
}

/// What a list of instances reads.
pub const SOURCE: Source = Source { table: "instances", id_column: "instance_id", columns: "instances.*" };

/// The instance with this id, of the caller's account and, if it named one, region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find(tx: &mut Tx<'_>, instance_id: &str) -> Result<Option<Examined>, Fault> {
    let (account_id, region) = (tx.account_id().to_owned(), tx.named_region());
    let found = sqlx::query_as(concat!(
        "SELECT instances.*, ",
        held!("instances.instance_id"),
        ", ",
        strictest_lock!("o.instance_id = instances.instance_id"),
        " AS lock FROM instances WHERE instance_id = $1 AND account_id = $2 AND ($3 IS NULL OR region_id = $3)"
    ))
    .bind(instance_id)
    .bind(account_id)
    .bind(region)
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(found)
}

/// As [`find`], of whatever account: for the engine, which acts for none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find_for_engine(tx: &mut Tx<'_>, instance_id: &str) -> Result<Option<Instance>, Fault> {
    let found = sqlx::query_as("SELECT * FROM instances WHERE instance_id = $1").bind(instance_id);
    Ok(found.fetch_optional(tx.conn().await?).await?)
}

/// Whether an instance of the caller's in this region has this private address.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn has_address(tx: &mut Tx<'_>, region_id: &str, address: &str) -> Result<bool, Fault> {
    let account_id = tx.account_id().to_owned();
    let found: i64 = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM instances
             WHERE account_id = $1 AND region_id = $2 AND private_ip_address = $3)",
    )
    .bind(account_id)
    .bind(region_id)
    .bind(address)
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found != 0)
}

/// Stores a new instance.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn insert(tx: &mut Tx<'_>, new: &Instance) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "INSERT INTO instances (instance_id, account_id, region_id, zone_id, instance_name, description, host_name,
             instance_type, image_id, status, started_once, deletion_protection, instance_charge_type, stopped_mode,
             security_group_id, vpc_id, vswitch_id, private_ip_address, key_pair_name, resource_group_id, creation_time,
             start_time)
         VALUES ($1, $2, $3, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26);",
        event!()
    );
    let statement = effect(tx, SQL, new.subject(), "Instance:StateChange", &new.status)
        .bind(&new.zone_id)
        .bind(&new.instance_name)
        .bind(&new.description)
        .bind(&new.host_name)
        .bind(&new.instance_type)
        .bind(&new.image_id)
        .bind(&new.status)
        .bind(new.started_once)
        .bind(new.deletion_protection)
        .bind(&new.instance_charge_type)
        .bind(&new.stopped_mode)
        .bind(&new.security_group_id)
        .bind(&new.vpc_id)
        .bind(&new.vswitch_id)
        .bind(&new.private_ip_address)
        .bind(&new.key_pair_name)
        .bind(&new.resource_group_id)
        .bind(new.creation_time)
        .bind(new.start_time);
    tx.execute(statement).await?;
    Ok(())
}

/// Moves an instance from the status it was read with to another; Running notes the start.
///
/// `false`: it is no longer as it was read, and the caller must fail.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn set_status(tx: &mut Tx<'_>, instance: &Instance, status: &str, mode: &str) -> Result<bool, Fault> {
    const SQL: &str = concat!(
        "UPDATE instances SET status = $8, stopped_mode = $10,
             started_once = CASE $8 WHEN 'Running' THEN 1 ELSE started_once END,
             start_time = CASE $8 WHEN 'Running' THEN $6 ELSE start_time END
         WHERE instance_id = $1 AND status = $9;",
        event!()
    );
    const GUARD: usize = 0;
    let statement = effect(tx, SQL, instance.subject(), "Instance:StateChange", status);
    tx.execute_guarded(statement.bind(status).bind(&instance.status).bind(mode), GUARD).await
}

/// An instance is of another image from now on.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn set_image(tx: &mut Tx<'_>, instance: &Instance, image_id: &str) -> Result<(), Fault> {
    const SQL: &str = concat!("UPDATE instances SET image_id = $8 WHERE instance_id = $1;", event!());
    let statement = effect(tx, SQL, instance.subject(), "Instance:ReplaceSystemDiskCompleted", image_id);
    tx.execute(statement.bind(image_id)).await
}

/// Deletes an instance that has no disks any more, its timers and tags; leaves a tombstone and an event.
///
/// `false`: it is no longer as it was read, and the caller must fail.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn delete(tx: &mut Tx<'_>, instance: &Instance) -> Result<bool, Fault> {
    const SQL: &str = concat!(
        "DELETE FROM instances WHERE instance_id = $1 AND status = $8;
         DELETE FROM timers WHERE resource_id = $1;",
        bury!()
    );
    const GUARD: usize = 0;
    super::tags::remove(tx, &instance.instance_id, None).await?;
    let statement = effect(tx, SQL, instance.subject(), "Instance:StateChange", "Deleted").bind(&instance.status);
    tx.execute_guarded(statement, GUARD).await
}
