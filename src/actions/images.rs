//! Images: deleted here, made in `create`, modified in `modify`, described in `describe` and `family`; no SQL, no transport.

mod create;
mod describe;
mod family;
mod modify;

use serde::Deserialize;

use crate::api::action::{Action, Entry, read, write, write_once};
use crate::api::common::{Empty, deleted_already, is_name};
use crate::faults::{Fault, fault};
use crate::store::images::{self, Examined};
use crate::store::row_locks::RowLocks;
use crate::store::tx::Tx;
use create::CreateImage;
pub use create::platform;
use describe::DescribeImages;
use family::DescribeImageFromFamily;
use modify::ModifyImageAttribute;

pub static ACTIONS: [Entry; 5] = [
    write_once::<CreateImage>(),
    write::<DeleteImage>(),
    write::<ModifyImageAttribute>(),
    read::<DescribeImages>(),
    read::<DescribeImageFromFamily>(),
];

/// What a system can be made for.
pub const ARCHITECTURES: [&str; 3] = ["i386", "x86_64", "arm64"];
const BOOT_MODES: [&str; 3] = ["BIOS", "UEFI", "UEFI-Preferred"];
const IMDS_SUPPORT: [&str; 2] = ["v1", "v2"];
const SUPPORT: [&str; 2] = ["supported", "unsupported"];

/// An image that the caller owns; one that it may merely use is as if it were not there.
///
/// # Errors
/// 404 `InvalidImageId.NotFound`.
pub async fn own(tx: &mut Tx<'_>, image_id: &str) -> Result<Examined, Fault> {
    let found = images::find(tx, image_id).await?;
    found.filter(|found| found.image.account_id == tx.account_id()).ok_or_else(|| fault("InvalidImageId.NotFound"))
}

/// Whether `text` may name an image or a family: as a name, and not beginning with what the vendor keeps for itself.
#[must_use]
pub fn is_image_name(text: &str) -> bool {
    is_name(text) && !text.starts_with("acs:") && !text.starts_with("aliyun")
}

/// Refuses one more image of a family with the first code where the family is full, and with the second where there can be
/// no further family.
///
/// # Errors
/// One of `codes`.
async fn check_family(tx: &mut Tx<'_>, region_id: &str, family: &str, codes: [&'static str; 2]) -> Result<(), Fault> {
    let (families, images) = images::count_families(tx, region_id, family).await?;
    let quotas = &tx.config().quotas;
    if images >= quotas.images_per_family {
        return Err(fault(codes[0]));
    }
    if images == 0 && families >= quotas.image_families {
        return Err(fault(codes[1]));
    }
    Ok(())
}

/// Refuses a name that another image of the caller's in the region has.
///
/// # Errors
/// 400 `InvalidImageName.Duplicated`.
async fn check_name(tx: &mut Tx<'_>, region_id: &str, name: &str) -> Result<(), Fault> {
    let (_, is_taken) = images::count_and_name(tx, region_id, name).await?;
    if is_taken { Err(fault("InvalidImageName.Duplicated")) } else { Ok(()) }
}

/// Refuses one more image of the caller's in the region when its name is taken or the quota is used up.
///
/// # Errors
/// 400 `InvalidImageName.Duplicated`, 403 `QuotaExceed.Image`.
pub async fn check_room(tx: &mut Tx<'_>, region_id: &str, name: &str) -> Result<(), Fault> {
    let (count, is_taken) = images::count_and_name(tx, region_id, name).await?;
    if is_taken {
        return Err(fault("InvalidImageName.Duplicated"));
    }
    if count >= tx.config().quotas.images { Err(fault("QuotaExceed.Image")) } else { Ok(()) }
}

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
        let found = images::find(tx, &self.image_id).await?;
        if found.as_ref().is_some_and(|found| found.image.is_public()) {
            return Err(fault("ImageIsPublic"));
        }
        let Some(found) = found.filter(|found| found.image.account_id == tx.account_id()) else {
            let choice = tx.config().fidelity.unknown_image;
            return deleted_already(tx, &self.image_id, choice, "InvalidImageId.NotFound").await;
        };
        if found.is_being_copied() {
            return Err(fault("OperationDenied.ImageCopying"));
        }
        if found.holds.is_held() {
            return Err(fault("Operation.Conflict"));
        }
        if found.is_community() {
            return Err(fault("ImageIsPublic"));
        }
        if found.shares > 0 {
            return Err(fault("ImageUseShared"));
        }
        if found.instances > 0 && !self.force {
            return Err(fault("ImageUsingByInstance"));
        }
        // Effect
        if images::delete(tx, &found.image).await? { Ok(Empty {}) } else { Err(fault("Operation.Conflict")) }
    }
}
