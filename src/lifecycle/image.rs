//! What time does to images: they become available, what they were made from is free again, and copies that wait begin.

use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::image_copies::{self, ImageCopy};
use crate::store::images::{self, Image};
use crate::store::row_locks;
use crate::store::snapshots::{self, Snapshot};
use crate::store::tx::Tx;

/// Creating becomes Available. A copy makes room for the next one that waits.
pub async fn finish(tx: &mut Tx<'_>, image_id: &str) -> Result<(), Fault> {
    let Some(image) = images::find_for_engine(tx, image_id).await? else { return Ok(()) };
    if image.status == "Creating" {
        images::finish(tx, &image).await?;
    }
    row_locks::release(tx, image_id).await?;
    if bool::from(image.is_copied) { begin_copies(tx, &image.account_id, &image.region_id).await } else { Ok(()) }
}

/// Lets the copies of an account that wait in a region begin, the oldest first, as long as there is room.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn begin_copies(tx: &mut Tx<'_>, account_id: &str, region_id: &str) -> Result<(), Fault> {
    let most = tx.config().quotas.concurrent_image_copies;
    while let Some(waiting) = image_copies::next_waiting(tx, account_id, region_id, most).await? {
        begin(tx, &waiting.image, &waiting.copy()).await?;
    }
    Ok(())
}

/// The image gets a copy of each snapshot of its source, which its locks have kept; all are finished at the same time.
async fn begin(tx: &mut Tx<'_>, image: &Image, copy: &ImageCopy) -> Result<(), Fault> {
    let finish_time = tx.now.plus_millis(tx.config().lifecycle.image_copy_ms.into());
    for mapping in images::mappings_of(tx, &[&copy.source_image_id]).await? {
        let Some(source_id) = mapping.snapshot_id else { continue };
        let Some(source) = snapshots::find_for_engine(tx, &source_id).await? else { continue };
        let snapshot = copied_snapshot(tx, &source.snapshot, image, copy, finish_time);
        snapshots::insert(tx, &snapshot).await?;
        image_copies::map(tx, &image.image_id, mapping.position, &snapshot.snapshot_id).await?;
    }
    if image_copies::begin(tx, image, finish_time).await? { Ok(()) } else { Err(fault("Operation.Conflict")) }
}

/// A snapshot of the image's account and region with the content of another one; it belongs to no disk and no chain.
fn copied_snapshot(
    tx: &mut Tx<'_>,
    source: &Snapshot,
    image: &Image,
    copy: &ImageCopy,
    finish_time: Timestamp,
) -> Snapshot {
    let becomes_encrypted = bool::from(copy.encrypted);
    Snapshot {
        snapshot_id: tx.new_id(IdKind::Snapshot, &image.region_id),
        account_id: image.account_id.clone(),
        region_id: image.region_id.clone(),
        snapshot_name: format!("Created_for_image_{}", image.image_id),
        description: String::new(),
        status: "progressing".to_owned(),
        usage: "none".to_owned(),
        snapshot_type: "user".to_owned(),
        category: "standard".to_owned(),
        snapshot_link_id: String::new(),
        snapshot_sn: source.snapshot_sn.clone(),
        source_disk_id: String::new(),
        source_snapshot_id: source.snapshot_id.clone(),
        source_region_id: source.region_id.clone(),
        product_code: source.product_code.clone(),
        encrypted: (becomes_encrypted || source.encrypted.into()).into(),
        kms_key_id: if copy.kms_key_id.is_empty() && !becomes_encrypted {
            source.kms_key_id.clone()
        } else {
            copy.kms_key_id.clone()
        },
        resource_group_id: image.resource_group_id.clone(),
        available: false.into(),
        instant_access: false.into(),
        instant_access_retention_days: None,
        retention_days: None,
        creation_time: tx.now,
        cut_time: tx.now,
        finish_time,
        last_modified_time: tx.now,
        ..source.clone()
    }
}
