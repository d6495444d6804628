//! CreateImage: its parameters and the image it makes; what that is made of is found in `sources`; no SQL.

mod sources;

use serde::{Deserialize, Serialize};

use super::{ARCHITECTURES, BOOT_MODES, IMDS_SUPPORT, SUPPORT, check_family, check_room, is_image_name};
use crate::api::action::{Action, Idempotent};
use crate::api::common::{
    Tag, check_given, check_one_of, check_snapshot_service, check_tag_quota, is_description, is_resource_group,
    spelled, tags_to_set,
};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::images::{self, Image, Mapping};
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::tags::{self, ResourceType, Tagged};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use sources::Source;

/// Makes a custom image. Of several sources the instance wins over the mappings, and these over the snapshot.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateImage {
    snapshot_id: Option<String>,
    instance_id: Option<String>,
    #[serde(default)]
    disk_device_mapping: Vec<DiskDeviceMapping>,
    image_name: Option<String>,
    image_family: Option<String>,
    image_version: Option<String>,
    description: Option<String>,
    platform: Option<String>,
    boot_mode: Option<String>,
    architecture: Option<String>,
    resource_group_id: Option<String>,
    features: Option<Features>,
    secure_boot_options: Option<SecureBootOptions>,
    detection_strategy: Option<String>,
    client_token: Option<String>,
    #[serde(default)]
    tag: Vec<Tag>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DiskDeviceMapping {
    snapshot_id: Option<String>,
    size: Option<i64>,
    device: Option<String>,
    disk_type: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Features {
    imds_support: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SecureBootOptions {
    secure_boot_support: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Created {
    image_id: String,
}

/// The systems that the vendor knows, the newer list first; a Windows carries its year and edition behind its name.
const PLATFORMS: [&str; 21] = [
    "Aliyun",
    "Anolis",
    "CentOS",
    "Ubuntu",
    "CoreOS",
    "SUSE",
    "Debian",
    "OpenSUSE",
    "FreeBSD",
    "RedHat",
    "Kylin",
    "UOS",
    "Fedora",
    "AlmaLinux",
    "Gentoo",
    "Fedora CoreOS",
    "Rocky Linux",
    "Red Hat Enterprise Linux",
    "Aliyun Linux",
    "Others Linux",
    "Customized Linux",
];
/// The one way to look an image over.
const DETECTION_STRATEGIES: [&str; 1] = ["Standard"];
const MOST_MAPPINGS: usize = 17;
const LARGEST_DISK: i64 = 65_536;

impl Action for CreateImage {
    const NAME: &'static str = "CreateImage";
    type Response = Created;

    fn check(&self) -> Result<(), Fault> {
        check_given(self.resource_group_id.as_deref(), is_resource_group, "InvalidResourceGroup.NotFound")?;
        check_given(self.image_name.as_deref(), is_image_name, "InvalidImageName.Malformed")?;
        check_given(self.description.as_deref(), is_description, "InvalidDescription.Malformed")?;
        check_given(self.image_family.as_deref(), is_image_name, "InvalidImageFamily.Malformed")?;
        check_given(self.image_version.as_deref(), |text| text.len() <= 40, "InvalidImageVersion.Malformed")?;
        check_one_of(self.architecture.as_deref(), &ARCHITECTURES, "InvalidArchitecture.Malformed")?;
        check_one_of(self.boot_mode.as_deref(), &BOOT_MODES, "InvalidBootMode.NotSupport")?;
        check_given(self.platform.as_deref(), |text| platform(text).is_some(), "InvalidPlatform.Malformed")?;
        self.check_traits()?;
        let is_empty = |mapping: &DiskDeviceMapping| mapping.snapshot_id.is_none();
        if self.snapshot_id.is_none() && self.instance_id.is_none() && self.disk_device_mapping.iter().all(is_empty) {
            if self.disk_device_mapping.is_empty() {
                return Err(Fault::missing("SnapshotId"));
            }
            let why = "No DiskDeviceMapping.n has a SnapshotId.";
            return Err(fault("InvalidParameter.AllEmpty").with(why));
        }
        if self.disk_device_mapping.len() > MOST_MAPPINGS {
            return Err(Fault::invalid("DiskDeviceMapping"));
        }
        for mapping in &self.disk_device_mapping {
            check_one_of(mapping.disk_type.as_deref(), &["system", "data"], "InvalidDiskType.ValueNotSupported")?;
            check_given(mapping.device.as_deref(), |text| text.starts_with("/dev/xvd"), "InvalidDevice.Malformed")?;
            if mapping.size.is_some_and(|size| !(1..=LARGEST_DISK).contains(&size)) {
                return Err(fault("InvalidSize.ValueNotSupported"));
            }
        }
        tags_to_set(&self.tag).map(drop)
    }

    fn row_locks(&self) -> RowLocks {
        let mappings = self.disk_device_mapping.iter().filter_map(|mapping| mapping.snapshot_id.as_deref());
        let named = self.snapshot_id.as_deref().into_iter().chain(mappings);
        named.fold(RowLocks::none(), |locks, id| locks.and(id, Mode::Shared))
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Created, Fault> {
        // Checks, and the snapshots of an instance's disks
        check_snapshot_service(tx).await?;
        let source = self.source(tx).await?;
        let Some(system) = source.disks.first() else {
            return Err(fault("InvalidInstance.NotFoundSystemDisk"));
        };
        let (region_id, size) = (system.snapshot.region_id.clone(), system.size);
        let tags = tags_to_set(&self.tag)?;
        check_tag_quota(tx, tags.len())?;
        let image_id = tx.new_id(IdKind::Image, &region_id);
        let name = self.image_name.clone().unwrap_or_else(|| image_id.clone());
        check_room(tx, &region_id, &name).await?;
        if let Some(family) = &self.image_family {
            check_family(tx, &region_id, family, ["ImageQuotaExceed.ImageFamily", "ImageFamilyQuotaExceed"]).await?;
        }
        let image = self.image_of(tx, image_id, name, region_id, size, &source);
        // Documented: ARM knows UEFI alone.
        if image.architecture == "arm64" && image.boot_mode == "BIOS" {
            return Err(fault("InvalidBootMode.NotSupport"));
        }
        // Effect
        let mappings: Vec<Mapping> = source.disks.iter().enumerate().map(|(i, disk)| disk.mapping(&image, i)).collect();
        images::insert(tx, &image, &mappings).await?;
        for disk in &source.disks {
            row_locks::hold(tx, &disk.snapshot.snapshot_id, &image.image_id, Mode::Shared).await?;
        }
        let tagged = Tagged::new(ResourceType::Image, image.subject(), image.creation_time);
        tags::set(tx, &tagged, &tags).await?;
        timers::set(tx, TimerKind::ImageFinish, &image.image_id, image.finish_time).await?;
        Ok(Created { image_id: image.image_id })
    }
}

impl Idempotent for CreateImage {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl CreateImage {
    fn imds_support(&self) -> Option<&str> {
        self.features.as_ref().and_then(|features| features.imds_support.as_deref())
    }

    fn secure_boot_support(&self) -> Option<&str> {
        self.secure_boot_options.as_ref().and_then(|options| options.secure_boot_support.as_deref())
    }

    /// Values that have no code of their own.
    fn check_traits(&self) -> Result<(), Fault> {
        let traits: [(Option<&str>, &[&str], &str); 3] = [
            (self.imds_support(), &IMDS_SUPPORT, "Features.ImdsSupport"),
            (self.secure_boot_support(), &SUPPORT, "SecureBootOptions.SecureBootSupport"),
            (self.detection_strategy.as_deref(), &DETECTION_STRATEGIES, "DetectionStrategy"),
        ];
        traits.into_iter().try_for_each(|(value, allowed, name)| {
            check_one_of(value, allowed, "InvalidParameter").map_err(|_| Fault::invalid(name))
        })
    }

    fn image_of(
        &self,
        tx: &Tx<'_>,
        image_id: String,
        name: String,
        region_id: String,
        size: i64,
        source: &Source,
    ) -> Image {
        let system = source.system.as_ref();
        let inherited = |of: fn(&Image) -> &String, default: &str| {
            system.map_or_else(|| default.to_owned(), |image| of(image).clone())
        };
        let platform = self.platform.as_deref().and_then(platform);
        let platform = platform.unwrap_or_else(|| inherited(|image| &image.platform, "Others Linux"));
        let is_windows = platform.to_ascii_lowercase().contains("windows");
        let architecture = spelled(self.architecture.as_deref(), &ARCHITECTURES)
            .map_or_else(|| inherited(|image| &image.architecture, "x86_64"), str::to_owned);
        let default_mode = if architecture == "arm64" { "UEFI" } else { "BIOS" };
        let boot_mode = spelled(self.boot_mode.as_deref(), &BOOT_MODES)
            .map_or_else(|| inherited(|image| &image.boot_mode, default_mode), str::to_owned);
        Image {
            image_id,
            account_id: tx.account_id().to_owned(),
            region_id,
            image_name: name,
            image_family: self.image_family.clone().unwrap_or_default(),
            image_version: self.image_version.clone().unwrap_or_default(),
            description: self.description.clone().unwrap_or_default(),
            status: "Creating".to_owned(),
            size,
            os_name: inherited(|image| &image.os_name, &platform),
            os_type: if is_windows { "windows" } else { "linux" }.to_owned(),
            platform,
            architecture,
            boot_mode,
            license_type: String::new(),
            imds_support: spelled(self.imds_support(), &IMDS_SUPPORT).unwrap_or("v1").to_owned(),
            nvme_support: inherited(|image| &image.nvme_support, "unsupported"),
            is_copied: false.into(),
            resource_group_id: self.resource_group_id.clone().unwrap_or_default(),
            creation_time: tx.now,
            finish_time: source.ready.plus_millis(tx.config().lifecycle.image_ms.into()),
            detection_strategy: spelled(self.detection_strategy.as_deref(), &DETECTION_STRATEGIES)
                .unwrap_or_default()
                .to_owned(),
            secure_boot_support: spelled(self.secure_boot_support(), &SUPPORT).unwrap_or("unsupported").to_owned(),
        }
    }
}

/// A platform as the vendor spells it, whatever the case it was sent in; `None` for what is none.
#[must_use]
pub fn platform(text: &str) -> Option<String> {
    let is_windows = text.to_ascii_lowercase().starts_with("windows") && text.len() <= 40 && text.is_ascii();
    spelled(Some(text), &PLATFORMS).map(str::to_owned).or_else(|| is_windows.then(|| text.to_owned()))
}
