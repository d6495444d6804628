//! Copies of images: CopyImage, which waits its turn, and CancelCopyImage; no SQL, no transport.

use serde::{Deserialize, Serialize};

use crate::actions::images::{check_room, is_image_name, own};
use crate::actions::instances::check_algorithm;
use crate::actions::snapshot_copies::{Copy, begun};
use crate::actions::snapshots::{check_account_quota, check_age};
use crate::api::action::{Action, Entry, Idempotent, write, write_once};
use crate::api::common::{
    Empty, Tag, check_given, check_kms_key, check_tag_quota, is_description, is_resource_group, tags_to_set,
};
use crate::api::older::check_lifted;
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::regions::{self, Region};
use crate::store::image_copies::{self, ImageCopy};
use crate::store::images::{self, Examined, Image, Mapping};
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::snapshots::{self, Snapshot};
use crate::store::tags::{self, ResourceType, Tagged};
use crate::store::tx::Tx;

pub static ACTIONS: [Entry; 2] = [write_once::<CopyImage>(), write::<CancelCopyImage>()];

/// Copies an image, and each of its snapshots, into a region; one that is shared with the caller into its own region only.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CopyImage {
    image_id: String,
    destination_region_id: Option<String>,
    destination_image_name: Option<String>,
    destination_description: Option<String>,
    encrypted: Option<bool>,
    #[serde(rename = "KMSKeyId")]
    kms_key_id: Option<String>,
    encrypt_algorithm: Option<String>,
    resource_group_id: Option<String>,
    client_token: Option<String>,
    #[serde(default)]
    tag: Vec<Tag>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Copied {
    image_id: String,
}

impl Action for CopyImage {
    const NAME: &'static str = "CopyImage";
    const UNKNOWN_REGION: &'static str = "SourceRegion.NotFound";
    type Response = Copied;

    fn check(&self) -> Result<(), Fault> {
        check_given(self.resource_group_id.as_deref(), is_resource_group, "InvalidResourceGroup.NotFound")?;
        check_given(self.destination_image_name.as_deref(), is_image_name, "InvalidImageName.Malformed")?;
        check_given(self.destination_description.as_deref(), is_description, "InvalidDescription.Malformed")?;
        let is_region = |id: &str| regions::find(id).is_some();
        check_given(self.destination_region_id.as_deref(), is_region, "DestinationRegion.NotFound")?;
        if self.encrypted != Some(true) && self.kms_key_id.is_some() {
            return Err(fault("InvalidEncrypted.NotMatchKmsKeyId"));
        }
        check_algorithm(self.encrypt_algorithm.as_deref(), self.encrypted == Some(true))?;
        tags_to_set(&self.tag).map(drop)
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::shared(&self.image_id)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Copied, Fault> {
        // Checks
        let Some(found) = images::find(tx, &self.image_id).await? else {
            return Err(fault("InvalidImageId.NotFound"));
        };
        let region = self.destination(tx, &found.image);
        may_be_copied(tx, &found, region)?;
        let mappings = images::mappings_of(tx, &[&self.image_id]).await?;
        self.check_encryption(tx, &found.image, region, &mappings)?;
        check_snapshots(tx, &mappings).await?;
        let copied = mappings.iter().filter(|mapping| mapping.snapshot_id.is_some()).count();
        check_account_quota(tx, region.id, copied, "QuotaExceed.Snapshot").await?;
        let tags = tags_to_set(&self.tag)?;
        check_tag_quota(tx, tags.len())?;
        let image_id = tx.new_id(IdKind::Image, region.id);
        let name = self.destination_image_name.clone().unwrap_or_else(|| image_id.clone());
        check_room(tx, region.id, &name).await?;
        // Effect: it waits, and begins at once where there is room
        let source = found.image;
        let copy = ImageCopy {
            image_id: image_id.clone(),
            source_image_id: source.image_id.clone(),
            source_region_id: source.region_id.clone(),
            encrypted: self.encrypted.unwrap_or(false).into(),
            kms_key_id: self.kms_key_id.clone().unwrap_or_default(),
        };
        let image = self.image_of(tx, image_id, name, region, source);
        let disks: Vec<Mapping> = mappings.iter().map(|mapping| copied_disk(mapping, &copy)).collect();
        images::insert(tx, &image, &disks).await?;
        image_copies::insert(tx, &copy).await?;
        row_locks::hold(tx, &copy.source_image_id, &image.image_id, Mode::Shared).await?;
        for snapshot_id in mappings.iter().filter_map(|mapping| mapping.snapshot_id.as_deref()) {
            row_locks::hold(tx, snapshot_id, &image.image_id, Mode::Shared).await?;
        }
        tags::set(tx, &Tagged::new(ResourceType::Image, image.subject(), image.creation_time), &tags).await?;
        begin_copies(tx, &image.account_id, &image.region_id).await?;
        Ok(Copied { image_id: image.image_id })
    }
}

impl Idempotent for CopyImage {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

/// The image can be copied by the caller into this region.
///
/// # Errors
/// The documented codes of CopyImage.
fn may_be_copied(tx: &Tx<'_>, found: &Examined, region: &Region) -> Result<(), Fault> {
    let image = &found.image;
    if image.is_public() {
        return Err(fault("OperationDenied"));
    }
    if found.is_community() {
        return Err(fault("OperationDenied.CommunityImage"));
    }
    if image.account_id != tx.account_id() && image.region_id != region.id {
        return Err(fault("OperationDenied.SameRegionOnly"));
    }
    if found.holds.is_held_exclusively() {
        return Err(fault("Operation.Conflict"));
    }
    if image.is_copying() {
        return Err(fault("OperationDenied.ImageCopying"));
    }
    if image.status == "Available" { Ok(()) } else { Err(fault("IncorrectImageStatus")) }
}

/// The snapshots of the image can be copied.
async fn check_snapshots(tx: &mut Tx<'_>, mappings: &[Mapping]) -> Result<(), Fault> {
    // A data disk may be empty, a system disk never is: what it was made of is gone (decision 121).
    if mappings.iter().any(|mapping| mapping.disk_type == "system" && mapping.snapshot_id.is_none()) {
        return Err(fault("InvalidSnapshotId.NotFound"));
    }
    for snapshot_id in mappings.iter().filter_map(|mapping| mapping.snapshot_id.as_deref()) {
        // Of whatever account: whoever may copy the image may copy what it is made of.
        let Some(found) = snapshots::find_for_engine(tx, snapshot_id).await? else {
            return Err(fault("InvalidSnapshotId.NotFound"));
        };
        if found.holds.is_held_exclusively() {
            return Err(fault("Operation.Conflict"));
        }
        check_age(&found.snapshot)?;
    }
    Ok(())
}

/// The disk of a copy, which gets its snapshot when the copying begins.
fn copied_disk(mapping: &Mapping, copy: &ImageCopy) -> Mapping {
    let encrypted = bool::from(copy.encrypted) || mapping.encrypted.into();
    Mapping { image_id: copy.image_id.clone(), encrypted: encrypted.into(), snapshot_id: None, ..mapping.clone() }
}

impl CopyImage {
    /// The region of the source where no other is named.
    fn destination(&self, tx: &Tx<'_>, source: &Image) -> &'static Region {
        let named = self.destination_region_id.as_deref().and_then(regions::find);
        named.unwrap_or_else(|| tx.region_of(Some(source.region_id.as_str())))
    }

    /// Decision 35: what is encrypted stays so. The key of another account's image is not the caller's to use.
    fn check_encryption(
        &self,
        tx: &Tx<'_>,
        source: &Image,
        region: &Region,
        mappings: &[Mapping],
    ) -> Result<(), Fault> {
        let is_encrypted = mappings.iter().any(|mapping| mapping.encrypted.into());
        let keeps_foreign_key = source.account_id != tx.account_id() && self.kms_key_id.is_none();
        if is_encrypted && (self.encrypted == Some(false) || keeps_foreign_key) {
            return Err(fault("OperationDeined.EncryptedSnapshot"));
        }
        let becomes_encrypted_elsewhere =
            !is_encrypted && self.encrypted == Some(true) && region.id != source.region_id;
        check_lifted(tx, becomes_encrypted_elsewhere, "OperationDenied.EncryptSnapshotAcrossRegion")?;
        check_kms_key(tx, self.kms_key_id.as_deref().unwrap_or_default())
    }

    fn image_of(&self, tx: &Tx<'_>, image_id: String, name: String, region: &Region, source: Image) -> Image {
        Image {
            image_id,
            account_id: tx.account_id().to_owned(),
            region_id: region.id.to_owned(),
            image_name: name,
            image_family: String::new(),
            description: self.destination_description.clone().unwrap_or_default(),
            status: "Waiting".to_owned(),
            is_copied: true.into(),
            resource_group_id: self.resource_group_id.clone().unwrap_or_default(),
            creation_time: tx.now,
            finish_time: tx.now,
            ..source
        }
    }
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

/// The snapshot of a copied image as it begins: a copy of the source's, under the name of its image.
fn copied_snapshot(
    tx: &mut Tx<'_>,
    source: &Snapshot,
    image: &Image,
    copy: &ImageCopy,
    finish_time: Timestamp,
) -> Snapshot {
    let becomes_encrypted = bool::from(copy.encrypted);
    // The chain of another account's disk is no place for it: it begins one of its own, of a disk that nobody has.
    let is_foreign = source.account_id != image.account_id;
    let source_disk_id =
        if is_foreign { tx.new_id(IdKind::Disk, &image.region_id) } else { source.source_disk_id.clone() };
    let source = Snapshot { account_id: image.account_id.clone(), source_disk_id, ..source.clone() };
    let keeps_key = copy.kms_key_id.is_empty() && !becomes_encrypted;
    let copy = Copy {
        region_id: &image.region_id,
        snapshot_name: format!("Created_for_image_{}", image.image_id),
        description: String::new(),
        resource_group_id: image.resource_group_id.clone(),
        retention_days: None,
        encrypted: becomes_encrypted || source.encrypted.into(),
        kms_key_id: if keeps_key { source.kms_key_id.clone() } else { copy.kms_key_id.clone() },
    };
    Snapshot { foreign_source: is_foreign.into(), ..begun(tx, &source, copy, finish_time) }
}

/// Stops a copy that is not finished; the image and its snapshots leave, and the next copy that waits begins.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CancelCopyImage {
    image_id: String,
}

impl Action for CancelCopyImage {
    const NAME: &'static str = "CancelCopyImage";
    type Response = Empty;

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.image_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let found = own(tx, &self.image_id).await?;
        let image = &found.image;
        if !bool::from(image.is_copied) {
            return Err(fault("ImageCreatedNotFromCopy"));
        }
        if !image.is_copying() {
            return Err(fault("IncorrectImageStatus"));
        }
        // As CancelTask has it: what an operator holds goes on.
        if found.holds.is_held() {
            return Err(fault("CancelNotSupported"));
        }
        // Effect
        let mappings = images::mappings_of(tx, &[&self.image_id]).await?;
        let mut gone = images::delete(tx, image).await?;
        for snapshot_id in mappings.iter().filter_map(|mapping| mapping.snapshot_id.as_deref()) {
            if let Some(snapshot) = snapshots::find_for_engine(tx, snapshot_id).await? {
                gone &= snapshots::delete(tx, &snapshot, "cancelled").await?;
            }
        }
        if !gone {
            return Err(fault("Operation.Conflict"));
        }
        begin_copies(tx, &image.account_id, &image.region_id).await?;
        Ok(Empty {})
    }
}
