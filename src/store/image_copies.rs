//! Copies of images: what each was copied from, and whose turn it is; never decides whether a copy is allowed.

use sqlx::FromRow;

use super::events::{effect, event};
use super::images::Image;
use super::tx::Tx;
use super::{Flag, snapshots};
use crate::clock::Timestamp;
use crate::faults::Fault;

/// What an image is copied from, and how.
#[derive(Clone, Debug, FromRow)]
pub struct ImageCopy {
    pub image_id: String,
    pub source_image_id: String,
    pub source_region_id: String,
    /// A plain image becomes an encrypted one.
    pub encrypted: Flag,
    /// Empty for the source's own key.
    pub kms_key_id: String,
}

/// An image that waits to be copied, and from what.
#[derive(Clone, Debug, FromRow)]
pub struct WaitingCopy {
    #[sqlx(flatten)]
    pub image: Image,
    source_image_id: String,
    source_region_id: String,
    encrypted: Flag,
    kms_key_id: String,
}

impl WaitingCopy {
    #[must_use]
    pub fn copy(&self) -> ImageCopy {
        ImageCopy {
            image_id: self.image.image_id.clone(),
            source_image_id: self.source_image_id.clone(),
            source_region_id: self.source_region_id.clone(),
            encrypted: self.encrypted,
            kms_key_id: self.kms_key_id.clone(),
        }
    }
}

/// Stores what an image is copied from.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn insert(tx: &mut Tx<'_>, new: &ImageCopy) -> Result<(), Fault> {
    let statement = sqlx::query(
        "INSERT INTO image_copies (image_id, source_image_id, source_region_id, encrypted, kms_key_id)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&new.image_id)
    .bind(&new.source_image_id)
    .bind(&new.source_region_id)
    .bind(new.encrypted)
    .bind(&new.kms_key_id);
    tx.execute(statement).await
}

/// The copy of an account in a region that waits longest, unless `most` are under way there.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn next_waiting(
    tx: &mut Tx<'_>,
    account_id: &str,
    region_id: &str,
    most: i64,
) -> Result<Option<WaitingCopy>, Fault> {
    let query = sqlx::query_as(
        "SELECT images.*, c.source_image_id, c.source_region_id, c.encrypted, c.kms_key_id
         FROM images JOIN image_copies c ON c.image_id = images.image_id
         WHERE images.account_id = $1 AND images.region_id = $2 AND images.status = 'Waiting'
           AND $3 > (SELECT COUNT(*) FROM images other WHERE other.account_id = $1 AND other.region_id = $2
                     AND other.status = 'Creating' AND other.is_copied = 1)
         ORDER BY images.creation_time, images.image_id LIMIT 1",
    );
    Ok(query.bind(account_id).bind(region_id).bind(most).fetch_optional(tx.conn().await?).await?)
}

/// Waiting becomes Creating, until `finish_time`.
///
/// `false`: it does not wait (any more), and the caller must fail.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn begin(tx: &mut Tx<'_>, image: &Image, finish_time: Timestamp) -> Result<bool, Fault> {
    const SQL: &str = concat!(
        "UPDATE images SET status = 'Creating', finish_time = $8 WHERE image_id = $1 AND status = 'Waiting';
         INSERT INTO timers (kind, resource_id, due_at) VALUES ('image_finish', $1, $8);",
        event!()
    );
    const GUARD: usize = 0;
    let statement = effect(tx, SQL, image.subject(), "Image:CopyImageStarted", "").bind(finish_time);
    let hit = tx.execute_guarded(statement, GUARD).await?;
    tx.timer_was_set(finish_time);
    Ok(hit)
}

/// Tells an image's disk its own snapshot.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn map(tx: &mut Tx<'_>, image_id: &str, position: i64, snapshot_id: &str) -> Result<(), Fault> {
    let statement =
        sqlx::query("UPDATE image_disk_mappings SET snapshot_id = $3 WHERE image_id = $1 AND position = $2")
            .bind(image_id)
            .bind(position)
            .bind(snapshot_id);
    tx.execute(statement).await?;
    snapshots::refresh_usage(tx, snapshot_id).await
}
