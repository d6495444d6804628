//! Images: deleted here, made in `create`, described in `describe`; no SQL, no transport.

mod create;
mod describe;

use serde::Deserialize;

use crate::api::action::{Action, Entry, read, write, write_once};
use crate::api::common::{Empty, deleted_already};
use crate::faults::{Fault, fault};
use crate::store::images;
use crate::store::row_locks::RowLocks;
use crate::store::tx::Tx;
use create::CreateImage;
use describe::DescribeImages;

pub static ACTIONS: [Entry; 3] = [write_once::<CreateImage>(), write::<DeleteImage>(), read::<DescribeImages>()];

/// Deletes an image; its snapshots stay and are free at once (decision 15).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteImage {
    image_id: String,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    dry_run: bool,
}

impl Action for DeleteImage {
    const NAME: &'static str = "DeleteImage";
    type Response = Empty;

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.image_id)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(found) = images::find(tx, &self.image_id).await? else {
            let choice = tx.config().fidelity.unknown_image;
            return deleted_already(tx, &self.image_id, choice, "InvalidImageId.NotFound").await;
        };
        if found.image.is_public() {
            return Err(fault("ImageIsPublic"));
        }
        if found.is_held() {
            return Err(fault("Operation.Conflict"));
        }
        if found.instances > 0 && !self.force {
            return Err(fault("ImageUsingByInstance"));
        }
        // Effect
        if images::delete(tx, &found.image).await? { Ok(Empty {}) } else { Err(fault("Operation.Conflict")) }
    }
}
