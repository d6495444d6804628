//! What time does to images: they become available, and what they were made from is free again.

use crate::faults::Fault;
use crate::store::tx::Tx;
use crate::store::{images, row_locks};

/// Creating becomes Available.
pub async fn finish(tx: &mut Tx<'_>, image_id: &str) -> Result<(), Fault> {
    let Some(image) = images::find_for_engine(tx, image_id).await? else { return Ok(()) };
    if image.status == "Creating" {
        images::finish(tx, &image).await?;
    }
    row_locks::release(tx, image_id).await
}
