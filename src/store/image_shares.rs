//! Shares of images: which accounts may use an image beside its owner; never decides whether a share is allowed.

use sqlx::FromRow;

use super::events::{effect, event};
use super::filter::{Cursor, Filter, Listed, Source};
use super::images::Image;
use super::tx::Tx;
use super::value::bind;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// The account that stands for everybody: an image shared with it is a community image.
pub const EVERYBODY: &str = "*";

/// An account that may use an image.
#[derive(Clone, Debug, FromRow)]
pub struct Share {
    pub image_id: String,
    pub account_id: String,
    pub creation_time: Timestamp,
}

impl Listed for Share {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.creation_time, id: self.account_id.clone() }
    }
}

/// What a list of shares reads.
pub const SOURCE: Source = Source { table: "image_shares", id_column: "account_id", columns: "image_shares.*" };

/// The shares of these images.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn of_images(tx: &mut Tx<'_>, image_ids: &[&str]) -> Result<Vec<Share>, Fault> {
    let mut filter = Filter::default();
    filter.any("image_id", image_ids.iter().copied());
    let sql = format!("SELECT * FROM image_shares WHERE {}", filter.conditions());
    let query = bind!(sqlx::query_as::<_, Share>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?)
}

/// How many images of an account in a region are shared with other accounts, this one left out.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn count_others(tx: &mut Tx<'_>, image: &Image) -> Result<i64, Fault> {
    let count = sqlx::query_scalar(
        "SELECT COUNT(DISTINCT s.image_id) FROM image_shares s JOIN images i ON i.image_id = s.image_id
         WHERE i.account_id = $1 AND i.region_id = $2 AND s.image_id <> $3 AND s.account_id <> '*'",
    )
    .bind(&image.account_id)
    .bind(&image.region_id)
    .bind(&image.image_id)
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(count)
}

/// Lets an account use an image; one that may already keeps its time.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn add(tx: &mut Tx<'_>, image: &Image, account_id: &str) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "INSERT INTO image_shares (image_id, account_id, creation_time) VALUES ($1, $7, $6)
         ON CONFLICT (image_id, account_id) DO NOTHING;",
        event!()
    );
    let statement = effect(tx, SQL, image.subject(), "Image:ImageShared", account_id);
    tx.execute(statement).await
}

/// No longer lets an account use an image; one that may not is no error.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn remove(tx: &mut Tx<'_>, image: &Image, account_id: &str) -> Result<(), Fault> {
    const SQL: &str = concat!("DELETE FROM image_shares WHERE image_id = $1 AND account_id = $7;", event!());
    let statement = effect(tx, SQL, image.subject(), "Image:ImageUnshared", account_id);
    tx.execute(statement).await
}

/// Whether an image that the caller cannot use (any more) is, or was, another account's.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn is_of_another(tx: &mut Tx<'_>, image_id: &str) -> Result<bool, Fault> {
    let account_id = tx.account_id().to_owned();
    let found: i64 = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM images WHERE image_id = $1 AND account_id <> $2)
             OR EXISTS (SELECT 1 FROM tombstones WHERE resource_id = $1 AND account_id <> $2)",
    )
    .bind(image_id)
    .bind(account_id)
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found != 0)
}
