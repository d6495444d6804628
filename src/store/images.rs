//! Images and the snapshots that they map; never decides whether a change is allowed.

use std::collections::{HashMap, HashSet};

use sqlx::FromRow;

use super::events::{Subject, effect, event};
use super::filter::{Cursor, Filter, Listed, Source};
use super::row_locks::{Holds, held};
use super::tombstones::bury;
use super::tx::Tx;
use super::value::bind;
use super::{Flag, snapshots};
use crate::clock::Timestamp;
use crate::faults::Fault;

/// The account of the public base images.
pub const SYSTEM: &str = "system";

/// An image as stored.
#[derive(Clone, Debug, FromRow)]
pub struct Image {
    pub image_id: String,
    pub account_id: String,
    pub region_id: String,
    pub image_name: String,
    pub image_family: String,
    pub image_version: String,
    pub description: String,
    /// Creating, Waiting, Available, `UnAvailable`, `CreateFailed` or Deprecated.
    pub status: String,
    /// GiB of the system disk.
    pub size: i64,
    pub platform: String,
    pub os_name: String,
    /// linux or windows.
    pub os_type: String,
    /// i386, `x86_64` or arm64.
    pub architecture: String,
    pub boot_mode: String,
    pub license_type: String,
    pub imds_support: String,
    pub nvme_support: String,
    pub is_copied: Flag,
    pub resource_group_id: String,
    pub creation_time: Timestamp,
    /// When it will be, or was, Available.
    pub finish_time: Timestamp,
    /// Standard, or empty: whether the image is looked over once it is made.
    pub detection_strategy: String,
    pub secure_boot_support: String,
}

impl Image {
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject { account_id: &self.account_id, region_id: &self.region_id, resource_id: &self.image_id }
    }

    /// One of the public base images.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.account_id == SYSTEM
    }

    /// A copy that is not finished: under way, or waiting for its turn.
    #[must_use]
    pub fn is_copying(&self) -> bool {
        self.is_copied.into() && matches!(self.status.as_str(), "Creating" | "Waiting")
    }
}

impl Listed for Image {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.creation_time, id: self.image_id.clone() }
    }
}

/// An image with what stands in the way of changing it.
#[derive(Clone, Debug, FromRow)]
pub struct Examined {
    #[sqlx(flatten)]
    pub image: Image,
    /// Instances of the caller's that have it.
    pub instances: i64,
    /// Accounts that it is shared with.
    pub shares: i64,
    is_community: i64,
    source_of_copy: i64,
    #[sqlx(flatten)]
    pub holds: Holds,
}

impl Examined {
    /// Its owner published it for everybody.
    #[must_use]
    pub fn is_community(&self) -> bool {
        self.is_community != 0
    }

    /// It is the source or the target of a copy that is not finished.
    #[must_use]
    pub fn is_being_copied(&self) -> bool {
        self.source_of_copy != 0 || self.image.is_copying()
    }
}

/// A disk of an image.
#[derive(Clone, Debug, FromRow)]
pub struct Mapping {
    pub image_id: String,
    /// 0 for the system disk.
    pub position: i64,
    pub device: String,
    /// system or data.
    #[sqlx(rename = "type")]
    pub disk_type: String,
    /// GiB.
    pub size: i64,
    pub encrypted: Flag,
    /// `None` for the public base images.
    pub snapshot_id: Option<String>,
}

/// What a list of images reads.
pub const SOURCE: Source = Source { table: "images", id_column: "image_id", columns: "images.*" };

/// The image with this id that the caller may use: its own or one shared with it, in the region that it named if it named
/// one, or a public one. Whether the caller may also change it is for the action to tell.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find(tx: &mut Tx<'_>, image_id: &str) -> Result<Option<Examined>, Fault> {
    let (account_id, region) = (tx.account_id().to_owned(), tx.named_region());
    let found = sqlx::query_as(concat!(
        "SELECT images.*,
             (SELECT COUNT(*) FROM instances i WHERE i.image_id = images.image_id AND i.account_id = $2) AS instances,
             (SELECT COUNT(*) FROM image_shares s WHERE s.image_id = images.image_id AND s.account_id <> '*') AS shares,
             EXISTS (SELECT 1 FROM image_shares s WHERE s.image_id = images.image_id AND s.account_id = '*')
                 AS is_community,
             EXISTS (SELECT 1 FROM image_copies c JOIN row_locks l ON l.holder = c.image_id
                     WHERE c.source_image_id = images.image_id AND l.resource_id = images.image_id) AS source_of_copy, ",
        held!("images.image_id"),
        " FROM images
         WHERE image_id = $1 AND (account_id = 'system' OR ($3 IS NULL OR region_id = $3) AND (account_id = $2
             OR EXISTS (SELECT 1 FROM image_shares s WHERE s.image_id = images.image_id AND s.account_id IN ($2, '*'))))"
    ))
    .bind(image_id)
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
pub async fn find_for_engine(tx: &mut Tx<'_>, image_id: &str) -> Result<Option<Image>, Fault> {
    Ok(sqlx::query_as("SELECT * FROM images WHERE image_id = $1")
        .bind(image_id)
        .fetch_optional(tx.conn().await?)
        .await?)
}

/// The newest available image of a family: the caller's own before a public one.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn newest_of_family(tx: &mut Tx<'_>, family: &str) -> Result<Option<Image>, Fault> {
    let (account_id, region) = (tx.account_id().to_owned(), tx.region().id);
    let found = sqlx::query_as(
        "SELECT * FROM images WHERE image_family = $1 AND status = 'Available'
             AND (account_id = 'system' OR account_id = $2 AND region_id = $3)
         ORDER BY CASE account_id WHEN 'system' THEN 1 ELSE 0 END, creation_time DESC, image_id DESC LIMIT 1",
    )
    .bind(family)
    .bind(account_id)
    .bind(region)
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(found)
}

/// How many custom images the caller has in a region, and whether one of them has this name.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn count_and_name(tx: &mut Tx<'_>, region_id: &str, name: &str) -> Result<(i64, bool), Fault> {
    let account_id = tx.account_id().to_owned();
    let (count, named): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COALESCE(MAX(image_name = $3), 0) FROM images WHERE account_id = $1 AND region_id = $2",
    )
    .bind(account_id)
    .bind(region_id)
    .bind(name)
    .fetch_one(tx.conn().await?)
    .await?;
    Ok((count, named != 0))
}

/// How many families the caller has in a region beside this one, and how many images are in this one.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn count_families(tx: &mut Tx<'_>, region_id: &str, family: &str) -> Result<(i64, i64), Fault> {
    let account_id = tx.account_id().to_owned();
    let counts = sqlx::query_as(
        "SELECT COUNT(DISTINCT NULLIF(image_family, $3)), COALESCE(SUM(image_family = $3), 0) FROM images
         WHERE account_id = $1 AND region_id = $2 AND image_family <> ''",
    )
    .bind(account_id)
    .bind(region_id)
    .bind(family)
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(counts)
}

/// The disks of these images, by image and position.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn mappings_of(tx: &mut Tx<'_>, image_ids: &[&str]) -> Result<Vec<Mapping>, Fault> {
    let mut filter = Filter::default();
    filter.any("image_id", image_ids.iter().copied());
    let sql = format!("SELECT * FROM image_disk_mappings WHERE {} ORDER BY image_id, position", filter.conditions());
    let query = bind!(sqlx::query_as::<_, Mapping>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?)
}

/// Stores a new image with its disks, each a reference to a snapshot.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn insert(tx: &mut Tx<'_>, new: &Image, mappings: &[Mapping]) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "INSERT INTO images (image_id, account_id, region_id, image_name, image_family, image_version, description, status,
             size, platform, os_name, os_type, architecture, boot_mode, license_type, imds_support, nvme_support, is_copied,
             resource_group_id, creation_time, finish_time, detection_strategy, secure_boot_support)
         VALUES ($1, $2, $3, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
             $27);",
        event!()
    );
    let statement = effect(tx, SQL, new.subject(), "Image:CreateImageStarted", &new.image_name)
        .bind(&new.image_name)
        .bind(&new.image_family)
        .bind(&new.image_version)
        .bind(&new.description)
        .bind(&new.status)
        .bind(new.size)
        .bind(&new.platform)
        .bind(&new.os_name)
        .bind(&new.os_type)
        .bind(&new.architecture)
        .bind(&new.boot_mode)
        .bind(&new.license_type)
        .bind(&new.imds_support)
        .bind(&new.nvme_support)
        .bind(new.is_copied)
        .bind(&new.resource_group_id)
        .bind(new.creation_time)
        .bind(new.finish_time)
        .bind(&new.detection_strategy)
        .bind(&new.secure_boot_support);
    tx.execute(statement).await?;
    for mapping in mappings {
        let statement = sqlx::query(
            "INSERT INTO image_disk_mappings (image_id, position, device, type, size, encrypted, snapshot_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&mapping.image_id)
        .bind(mapping.position)
        .bind(&mapping.device)
        .bind(&mapping.disk_type)
        .bind(mapping.size)
        .bind(mapping.encrypted)
        .bind(&mapping.snapshot_id);
        tx.execute(statement).await?;
        if let Some(snapshot_id) = &mapping.snapshot_id {
            snapshots::refresh_usage(tx, snapshot_id).await?;
        }
    }
    Ok(())
}

/// Stores the attributes that may change, and the status.
///
/// `false`: its status is no longer `status`, and the caller must fail.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn update_attributes(tx: &mut Tx<'_>, changed: &Image, status: &str) -> Result<bool, Fault> {
    const SQL: &str = concat!(
        "UPDATE images SET image_name = $9, image_family = $10, description = $11, status = $12, boot_mode = $13,
             license_type = $14, imds_support = $15, nvme_support = $16
         WHERE image_id = $1 AND status = $8;",
        event!()
    );
    const GUARD: usize = 0;
    let statement = effect(tx, SQL, changed.subject(), "Image:ModifyImageAttributeCompleted", &changed.status)
        .bind(status)
        .bind(&changed.image_name)
        .bind(&changed.image_family)
        .bind(&changed.description)
        .bind(&changed.status)
        .bind(&changed.boot_mode)
        .bind(&changed.license_type)
        .bind(&changed.imds_support)
        .bind(&changed.nvme_support);
    tx.execute_guarded(statement, GUARD).await
}

/// Ends the making of an image: Creating becomes `status`, which is Available or `CreateFailed`.
///
/// `false`: it is not Creating (any more).
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn finish(tx: &mut Tx<'_>, image: &Image, status: &'static str) -> Result<bool, Fault> {
    const SQL: &str = concat!("UPDATE images SET status = $8 WHERE image_id = $1 AND status = 'Creating';", event!());
    const GUARD: usize = 0;
    let name = if status == "Available" { "Image:CreateImageCompleted" } else { "Image:CreateImageFailed" };
    let statement = effect(tx, SQL, image.subject(), name, status).bind(status);
    tx.execute_guarded(statement, GUARD).await
}

/// Deletes an image with its references to snapshots, timers, locks and tags; leaves a tombstone and an event.
///
/// `false`: it is no longer as it was read, and the caller must fail.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn delete(tx: &mut Tx<'_>, image: &Image) -> Result<bool, Fault> {
    const SQL: &str = concat!(
        "DELETE FROM images WHERE image_id = $1 AND status = $8;
         DELETE FROM timers WHERE resource_id = $1;
         DELETE FROM row_locks WHERE holder = $1;",
        bury!()
    );
    const GUARD: usize = 0;
    let mappings = mappings_of(tx, &[&image.image_id]).await?;
    super::tags::remove(tx, &image.image_id, None).await?;
    let statement = effect(tx, SQL, image.subject(), "Image:DeleteImageCompleted", "").bind(&image.status);
    let hit = tx.execute_guarded(statement, GUARD).await?;
    for snapshot_id in mappings.iter().filter_map(|mapping| mapping.snapshot_id.as_deref()) {
        snapshots::refresh_usage(tx, snapshot_id).await?;
    }
    Ok(hit)
}

/// The operating system of an image.
#[derive(Clone, Debug, FromRow)]
pub struct System {
    image_id: String,
    /// linux or windows.
    pub os_type: String,
    pub os_name: String,
}

/// The operating systems of these images, by image; one that is gone has none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn systems_of(tx: &mut Tx<'_>, image_ids: &[&str]) -> Result<HashMap<String, System>, Fault> {
    let mut filter = Filter::default();
    filter.any("image_id", image_ids.iter().copied());
    let sql = format!("SELECT image_id, os_type, os_name FROM images WHERE {}", filter.conditions());
    let query = bind!(sqlx::query_as::<_, System>(sqlx::AssertSqlSafe(sql)), filter.values());
    let systems = query.fetch_all(tx.conn().await?).await?.into_iter();
    Ok(systems.map(|system| (system.image_id.clone(), system)).collect())
}

/// Which of these images the caller's instances have.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn in_use(tx: &mut Tx<'_>, image_ids: &[&str]) -> Result<HashSet<String>, Fault> {
    let mut filter = Filter::default();
    filter.is("account_id", tx.account_id());
    filter.any("image_id", image_ids.iter().copied());
    let sql = format!("SELECT DISTINCT image_id FROM instances WHERE {}", filter.conditions());
    let query = bind!(sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?.into_iter().collect())
}
