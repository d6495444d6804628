//! What time does to images: they become available, what they were made from is free again, and copies that wait begin.

use crate::actions::image_copies::begin_copies;
use crate::faults::Fault;
use crate::store::tx::Tx;
use crate::store::{images, row_locks};

/// Creating becomes Available. A copy makes room for the next one that waits.
pub async fn finish(tx: &mut Tx<'_>, image_id: &str) -> Result<(), Fault> {
    let Some(image) = images::find_for_engine(tx, image_id).await? else { return Ok(()) };
    if image.status == "Creating" {
        images::finish(tx, &image).await?;
    }
    row_locks::release(tx, image_id).await?;
    if bool::from(image.is_copied) { begin_copies(tx, &image.account_id, &image.region_id).await } else { Ok(()) }
}
