//! Markers: texts that stand for what is on disks and in snapshots; triggers carry them along, never judges them.

use super::tx::Tx;
use crate::faults::Fault;

/// Writes a marker to a disk, or takes it away; snapshots whose instant is still to come will have it as well.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn write(tx: &mut Tx<'_>, disk_id: &str, content: &str) -> Result<(), Fault> {
    let now = tx.now;
    let statement = sqlx::query(
        "DELETE FROM contents WHERE resource_id = $1 OR resource_id IN (
             SELECT snapshot_id FROM snapshots WHERE source_disk_id = $1 AND source_snapshot_id = '' AND cut_time > $3);
         INSERT INTO contents (resource_id, content) SELECT $1, $2 WHERE $2 <> '';
         INSERT INTO contents (resource_id, content) SELECT snapshot_id, $2 FROM snapshots
         WHERE source_disk_id = $1 AND source_snapshot_id = '' AND cut_time > $3 AND $2 <> '';",
    );
    tx.execute(statement.bind(disk_id).bind(content).bind(now)).await
}

/// Gives a disk the marker of a snapshot, else of what it was made from; none where that has none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn bring_back(tx: &mut Tx<'_>, disk_id: &str, snapshot_id: Option<&str>) -> Result<(), Fault> {
    let statement = sqlx::query(
        "DELETE FROM contents WHERE resource_id = $1;
         INSERT INTO contents (resource_id, content) SELECT $1, content FROM contents
         WHERE resource_id = COALESCE($2, (SELECT snapshot_id FROM disk_origins WHERE disk_id = $1));",
    );
    tx.execute(statement.bind(disk_id).bind(snapshot_id)).await
}

/// The marker of a disk or snapshot, empty for none; `None` where there is no such resource.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn read(tx: &mut Tx<'_>, resource_id: &str) -> Result<Option<String>, Fault> {
    let query = sqlx::query_scalar(
        "SELECT COALESCE((SELECT content FROM contents WHERE resource_id = $1), '')
         WHERE EXISTS (SELECT 1 FROM disks WHERE disk_id = $1)
            OR EXISTS (SELECT 1 FROM snapshots WHERE snapshot_id = $1)",
    );
    Ok(query.bind(resource_id).fetch_optional(tx.conn().await?).await?)
}

/// The markers of the disks of an image, by device; `None` where there is no such image.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn of_image(tx: &mut Tx<'_>, image_id: &str) -> Result<Option<Vec<(String, String)>>, Fault> {
    let known: i64 = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM images WHERE image_id = $1)")
        .bind(image_id)
        .fetch_one(tx.conn().await?)
        .await?;
    let query = sqlx::query_as(
        "SELECT m.device, COALESCE(c.content, '') FROM image_disk_mappings m
         LEFT JOIN contents c ON c.resource_id = m.snapshot_id WHERE m.image_id = $1 ORDER BY m.position",
    );
    let disks = query.bind(image_id).fetch_all(tx.conn().await?).await?;
    Ok((known != 0).then_some(disks))
}
