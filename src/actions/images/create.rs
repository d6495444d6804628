//! CreateImage: from a snapshot, from several as disks, or from an instance, whose disks are snapshotted for it.

use serde::{Deserialize, Serialize};

use crate::actions::disk_attachments::device;
use crate::actions::snapshots::{may_be_snapshotted, snapshot_for_image};
use crate::api::action::{Action, Idempotent};
use crate::api::common::{
    Tag, check_given, check_one_of, check_tag_quota, is_description, is_name, spelled, tags_to_set,
};
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::images::{self, Image, Mapping};
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::snapshots::{self, Snapshot};
use crate::store::tags::{self, ResourceType, Tagged};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use crate::store::{disks, instances};

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
pub struct Created {
    image_id: String,
}

const ARCHITECTURES: [&str; 3] = ["i386", "x86_64", "arm64"];
const BOOT_MODES: [&str; 3] = ["BIOS", "UEFI", "UEFI-Preferred"];
const MOST_MAPPINGS: usize = 17;
const LARGEST_DISK: i64 = 65_536;

impl Action for CreateImage {
    const NAME: &'static str = "CreateImage";
    type Response = Created;

    fn check(&self) -> Result<(), Fault> {
        check_given(self.image_name.as_deref(), is_name, "InvalidImageName.Malformed")?;
        check_given(self.description.as_deref(), is_description, "InvalidDescription.Malformed")?;
        check_given(self.image_family.as_deref(), is_family, "InvalidImageFamily.Malformed")?;
        check_given(self.image_version.as_deref(), |text| text.len() <= 40, "InvalidImageVersion.Malformed")?;
        check_one_of(self.architecture.as_deref(), &ARCHITECTURES, "InvalidArchitecture.Malformed")?;
        let modes = ["bios", "uefi", "uefi-preferred"];
        check_one_of(self.boot_mode.as_deref(), &modes, "InvalidBootMode.NotSupport")?;
        check_given(self.platform.as_deref(), |text| text.len() <= 40 && text.is_ascii(), "InvalidPlatform.Malformed")?;
        if self.snapshot_id.is_none() && self.instance_id.is_none() && self.disk_device_mapping.is_empty() {
            return Err(Fault::missing("SnapshotId"));
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
        let source = self.source(tx).await?;
        let Some(system) = source.disks.first() else {
            return Err(fault("InvalidInstance.NotFoundSystemDisk"));
        };
        let (region_id, size) = (system.snapshot.region_id.clone(), system.size);
        let tags = tags_to_set(&self.tag)?;
        check_tag_quota(tx, tags.len())?;
        let image_id = tx.new_id(IdKind::Image, &region_id);
        let name = self.image_name.clone().unwrap_or_else(|| image_id.clone());
        let (count, is_taken) = images::count_and_name(tx, &region_id, &name).await?;
        if is_taken {
            return Err(fault("InvalidImageName.Duplicated"));
        }
        if count >= tx.config().quotas.images {
            return Err(fault("QuotaExceed.Image"));
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

/// What an image is made of.
struct Source {
    /// The system disk first.
    disks: Vec<SourceDisk>,
    /// The image of the instance, whose system the new one has.
    system: Option<Image>,
    /// When all snapshots are accomplished.
    ready: Timestamp,
}

struct SourceDisk {
    snapshot: Snapshot,
    device: String,
    size: i64,
}

impl SourceDisk {
    fn mapping(&self, image: &Image, position: usize) -> Mapping {
        Mapping {
            image_id: image.image_id.clone(),
            position: i64::try_from(position).unwrap_or(i64::MAX),
            device: self.device.clone(),
            disk_type: if position == 0 { "system" } else { "data" }.to_owned(),
            size: self.size,
            encrypted: self.snapshot.encrypted,
            snapshot_id: Some(self.snapshot.snapshot_id.clone()),
        }
    }
}

impl CreateImage {
    async fn source(&self, tx: &mut Tx<'_>) -> Result<Source, Fault> {
        if let Some(instance_id) = &self.instance_id {
            return from_instance(tx, instance_id).await;
        }
        let disks = if self.disk_device_mapping.is_empty() {
            let id = self.snapshot_id.as_deref().unwrap_or_default();
            let snapshot = finished_snapshot(tx, id).await?;
            if snapshot.source_disk_type != "system" {
                return Err(fault("OperationDenied"));
            }
            vec![SourceDisk { size: snapshot.source_disk_size, snapshot, device: device('a') }]
        } else {
            self.disks_of_mappings(tx).await?
        };
        Ok(Source { disks, system: None, ready: tx.now })
    }

    async fn disks_of_mappings(&self, tx: &mut Tx<'_>) -> Result<Vec<SourceDisk>, Fault> {
        let mut disks: Vec<SourceDisk> = Vec::new();
        let mut system = None;
        for (i, mapping) in self.disk_device_mapping.iter().enumerate() {
            let Some(id) = mapping.snapshot_id.as_deref() else {
                return Err(Fault::missing(format!("DiskDeviceMapping.{}.SnapshotId", i + 1)));
            };
            let snapshot = finished_snapshot(tx, id).await?;
            let size = mapping.size.unwrap_or(snapshot.source_disk_size);
            if size < snapshot.source_disk_size {
                return Err(fault("InvalidSize.ValueNotSupported"));
            }
            let wanted = mapping.disk_type.as_deref().unwrap_or(&snapshot.source_disk_type);
            let is_system = wanted.eq_ignore_ascii_case("system");
            if is_system && snapshot.source_disk_type != "system" {
                let is_encrypted = bool::from(snapshot.encrypted);
                let denied = fault("OperationDenied").variant(1);
                return Err(if is_encrypted { fault("InvalidParameter.DiskType") } else { denied });
            }
            let place = mapping.device.clone().unwrap_or_else(|| self.free_device(is_system, &disks));
            let disk = SourceDisk { snapshot, device: place, size };
            let is_taken = |other: &SourceDisk| other.device == disk.device;
            if disks.iter().any(is_taken) || system.as_ref().is_some_and(is_taken) {
                return Err(fault("InvalidDevice.InUse"));
            }
            match (is_system, &system) {
                (true, Some(_)) => return Err(fault("InvalidDiskType.ValueNotSupported")),
                (true, None) => system = Some(disk),
                (false, _) => disks.push(disk),
            }
        }
        // Documented: without a snapshot of a system disk there is nothing to start from.
        let system = system.ok_or_else(|| fault("OperationDenied"))?;
        disks.insert(0, system);
        Ok(disks)
    }

    /// The device of a disk that names none: the first for the system, then the next that no other has or names.
    fn free_device(&self, is_system: bool, others: &[SourceDisk]) -> String {
        let is_free = |name: &String| {
            let named = self.disk_device_mapping.iter().any(|other| other.device.as_ref() == Some(name));
            !named && others.iter().all(|other| other.device != *name)
        };
        if is_system { device('a') } else { ('b'..='z').map(device).find(is_free).unwrap_or_default() }
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
        let platform = self.platform.clone().unwrap_or_else(|| inherited(|image| &image.platform, "Others Linux"));
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
            imds_support: self
                .features
                .as_ref()
                .and_then(|features| features.imds_support.clone())
                .unwrap_or_else(|| "v1".to_owned()),
            nvme_support: inherited(|image| &image.nvme_support, "unsupported"),
            is_copied: false.into(),
            resource_group_id: self.resource_group_id.clone().unwrap_or_default(),
            creation_time: tx.now,
            finish_time: source.ready.plus_millis(tx.config().lifecycle.image_ms.into()),
        }
    }
}

/// A snapshot of the caller's that an image can be made from.
async fn finished_snapshot(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<Snapshot, Fault> {
    let Some(found) = snapshots::find(tx, snapshot_id).await? else {
        return Err(fault("InvalidSnapshotId.NotFound"));
    };
    if found.is_held_exclusively() {
        return Err(fault("Operation.Conflict"));
    }
    if found.snapshot.is_archived() {
        return Err(fault("InvalidSnapshotCategory.NotSupportImageCreation"));
    }
    if found.snapshot.is_accomplished() { Ok(found.snapshot) } else { Err(fault("InvalidSnapshotId.NotReady")) }
}

/// Snapshots every disk of an instance; they belong to the account and outlive the image.
async fn from_instance(tx: &mut Tx<'_>, instance_id: &str) -> Result<Source, Fault> {
    let Some(found) = instances::find(tx, instance_id).await? else {
        return Err(fault("InvalidInstanceId.NotFound"));
    };
    if !matches!(found.instance.status.as_str(), "Running" | "Stopped") {
        return Err(fault("IncorrectInstanceStatus"));
    }
    let system = images::find(tx, &found.instance.image_id).await?.map(|found| found.image);
    let attached = disks::of_instance(tx, instance_id).await?;
    let ids: Vec<&str> = attached.iter().map(|found| found.disk.disk_id.as_str()).collect();
    tx.lock_rows(&ids.iter().fold(RowLocks::none(), |locks, id| locks.and(id, Mode::Shared)))?;
    let attachments = disks::attachments_of(tx, &ids).await?;
    let (mut sources, mut ready) = (Vec::new(), tx.now);
    for found in &attached {
        if found.is_held_exclusively() {
            return Err(fault("Operation.Conflict"));
        }
        may_be_snapshotted(tx, found).map_err(as_of_an_image)?;
        let snapshot = snapshot_for_image(tx, found);
        snapshots::insert(tx, &snapshot).await?;
        ready = ready.max(snapshot.finish_time);
        let place = attachments.iter().find(|attachment| attachment.disk_id == found.disk.disk_id);
        let device = place.map(|attachment| attachment.device.clone()).unwrap_or_default();
        sources.push(SourceDisk { size: found.disk.size, snapshot, device });
    }
    if attached.first().is_none_or(|found| !found.disk.is_system()) {
        return Err(fault("InvalidInstance.NotFoundSystemDisk"));
    }
    Ok(Source { disks: sources, system, ready })
}

/// The refusals of CreateSnapshot that the table of this action spells otherwise.
fn as_of_an_image(refusal: Fault) -> Fault {
    match refusal.code() {
        "DiskCategory.OperationNotSupported" => fault("InvalidDiskCategory.CreateImage"),
        "IncorrectDiskStatus.NeverUsed" => fault("IncorrectInstanceStatus"),
        "QuotaExceed.ConcurrentSnapshotQuota" => fault("TooManySnapshot.Unfinished"),
        _ => refusal,
    }
}

/// Documented: as a name, and not beginning with what the vendor keeps for itself.
fn is_family(text: &str) -> bool {
    is_name(text) && !text.starts_with("acs:") && !text.starts_with("aliyun")
}
