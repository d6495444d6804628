//! ModifyImageAttribute: what may change of an image that its owner has, its being deprecated included; no SQL.

use serde::Deserialize;

use super::{BOOT_MODES, IMDS_SUPPORT, SUPPORT, check_family, check_name, is_image_name, own};
use crate::api::action::Action;
use crate::api::common::{Empty, check_given, check_one_of, is_description, spelled};
use crate::faults::{Fault, fault};
use crate::store::images::{self, Examined, Image};
use crate::store::row_locks::RowLocks;
use crate::store::tx::Tx;

/// Changes attributes of the caller's own image, once it is made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyImageAttribute {
    image_id: String,
    image_name: Option<String>,
    description: Option<String>,
    image_family: Option<String>,
    status: Option<String>,
    boot_mode: Option<String>,
    license_type: Option<String>,
    features: Option<Features>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Features {
    nvme_support: Option<String>,
    imds_support: Option<String>,
}

const STATUSES: [&str; 2] = ["Available", "Deprecated"];
const LICENSE_TYPES: [&str; 3] = ["Auto", "Aliyun", "BYOL"];

impl Action for ModifyImageAttribute {
    const NAME: &'static str = "ModifyImageAttribute";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        check_given(self.image_name.as_deref(), is_image_name, "InvalidImageName.Malformed")?;
        check_given(self.description.as_deref(), is_description, "InvalidDescription.Malformed")?;
        check_given(self.image_family.as_deref(), is_image_name, "InvalidImageFamily.Malformed")?;
        check_one_of(self.boot_mode.as_deref(), &BOOT_MODES, "InvalidBootMode.NotSupport")?;
        check_one_of(self.license_type.as_deref(), &LICENSE_TYPES, "InvalidLicenseType.NotSupported")?;
        let invalid = |name: &'static str| move |_| Fault::invalid(name);
        check_one_of(self.status.as_deref(), &STATUSES, "InvalidParameter").map_err(invalid("Status"))?;
        let nvme = check_one_of(self.nvme_support(), &SUPPORT, "InvalidParameter");
        nvme.map_err(invalid("Features.NvmeSupport"))?;
        let imds = check_one_of(self.imds_support(), &IMDS_SUPPORT, "InvalidParameter");
        imds.map_err(invalid("Features.ImdsSupport"))
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.image_id)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let found = own(tx, &self.image_id).await?;
        if found.holds.is_held_exclusively() {
            return Err(fault("Operation.Conflict"));
        }
        let status = self.status_of(&found)?;
        let image = &found.image;
        if let Some(name) = self.image_name.as_ref().filter(|name| **name != image.image_name) {
            check_name(tx, &image.region_id, name).await?;
        }
        if let Some(family) = self.image_family.as_ref().filter(|family| **family != image.image_family) {
            check_family(tx, &image.region_id, family, ["ImageQuotaFull.ImageFamily", "ImageFamilyQuotaFull"]).await?;
        }
        let changed = self.changed(image.clone(), status);
        if changed.boot_mode != image.boot_mode {
            may_boot_so(&found, &changed)?;
        }
        // Effect
        if images::update_attributes(tx, &changed, &image.status).await? {
            Ok(Empty {})
        } else {
            Err(fault("Operation.Conflict"))
        }
    }
}

/// Documented: ARM knows UEFI alone, and what instances boot from keeps its mode.
fn may_boot_so(found: &Examined, changed: &Image) -> Result<(), Fault> {
    if changed.architecture == "arm64" && changed.boot_mode == "BIOS" {
        return Err(fault("InvalidBootMode.NotSupport"));
    }
    if found.instances > 0 { Err(fault("OperationDeined.ImageUsingByInstance")) } else { Ok(()) }
}

impl ModifyImageAttribute {
    fn nvme_support(&self) -> Option<&str> {
        self.features.as_ref().and_then(|features| features.nvme_support.as_deref())
    }

    fn imds_support(&self) -> Option<&str> {
        self.features.as_ref().and_then(|features| features.imds_support.as_deref())
    }

    /// The status that it shall have: Available becomes Deprecated and back, whatever else there is stays what it is.
    fn status_of(&self, found: &Examined) -> Result<&'static str, Fault> {
        let wanted = spelled(self.status.as_deref(), &STATUSES);
        match (found.image.status.as_str(), wanted) {
            ("Available", Some("Available")) => Err(fault("ImageStatus.NotDeprecated")),
            ("Available", Some("Deprecated")) if found.shares > 0 || found.is_community() => {
                Err(fault("ImageUseShared"))
            }
            ("Available", None) | ("Deprecated", Some("Available")) => Ok("Available"),
            ("Available", Some(_)) | ("Deprecated", None) => Ok("Deprecated"),
            (_, Some("Available")) => Err(fault("ImageStatus.NotDeprecated")),
            _ => Err(fault("ImageStatus.NotAvailable")),
        }
    }

    fn changed(&self, image: Image, status: &str) -> Image {
        let given = |value: &Option<String>, known: String| value.clone().unwrap_or(known);
        let named = |value: Option<&'static str>, known: String| value.map_or(known, str::to_owned);
        Image {
            image_name: given(&self.image_name, image.image_name),
            description: given(&self.description, image.description),
            image_family: given(&self.image_family, image.image_family),
            status: status.to_owned(),
            boot_mode: named(spelled(self.boot_mode.as_deref(), &BOOT_MODES), image.boot_mode),
            license_type: named(spelled(self.license_type.as_deref(), &LICENSE_TYPES), image.license_type),
            nvme_support: named(spelled(self.nvme_support(), &SUPPORT), image.nvme_support),
            imds_support: named(spelled(self.imds_support(), &IMDS_SUPPORT), image.imds_support),
            ..image
        }
    }
}
