//! What time does to images: they become available, what they were made from is free again, and copies that wait begin.

use super::ending;
use crate::actions::image_copies::begin_copies;
use crate::faults::Fault;
use crate::levers::rules::Ends;
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use crate::store::{images, row_locks};

/// Creating becomes Available, or what a test bench wants. A copy makes room for the next one that waits.
pub async fn finish(tx: &mut Tx<'_>, image_id: &str) -> Result<(), Fault> {
    let Some(image) = images::find_for_engine(tx, image_id).await? else { return Ok(()) };
    if image.status == "Creating" {
        let began = if image.is_copied.into() { "CopyImage" } else { "CreateImage" };
        let status = match ending::of(tx, began, &image.account_id, image_id) {
            Some(Ends::Never) => return timers::hold_back(tx, TimerKind::ImageFinish, image_id).await,
            Some(Ends::Failed) => "CreateFailed",
            None => "Available",
        };
        images::finish(tx, &image, status).await?;
    }
    row_locks::release(tx, image_id).await?;
    if bool::from(image.is_copied) { begin_copies(tx, &image.account_id, &image.region_id).await } else { Ok(()) }
}
