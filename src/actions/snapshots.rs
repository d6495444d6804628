//! Snapshots: made, modified and deleted, described in `describe`, what they need of a disk in `state`; no SQL, no transport.

mod describe;
mod state;

use serde::{Deserialize, Serialize};

use crate::actions::snapshot_copies::ARCHIVE;
use crate::api::action::{Action, Entry, Idempotent, read, write, write_once};
use crate::api::common::{
    Empty, Tag, check_given, check_one_of, check_snapshot_service, check_tag_quota, deleted_already, is_description,
    is_name, is_resource_group, tags_to_set,
};
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::ids::{self, IdKind};
use crate::store::disks::{self, Examined};
use crate::store::row_locks::RowLocks;
use crate::store::snapshots::{self, Referenced, Snapshot};
use crate::store::tags::{self, ResourceType, Tagged};
use crate::store::tx::Tx;
use describe::DescribeSnapshots;
pub use state::{
    check_account_quota, check_age, check_disk_state, check_free, check_quota, check_unfinished, check_unmanaged,
    may_be_snapshotted, not_found,
};

pub static ACTIONS: [Entry; 4] = [
    write_once::<CreateSnapshot>(),
    write::<DeleteSnapshot>(),
    read::<DescribeSnapshots>(),
    write::<ModifySnapshotAttribute>(),
];

const GIB: i64 = 1 << 30;
const RETENTION_DAYS: std::ops::RangeInclusive<i64> = 1..=65_536;

/// Takes a snapshot of a disk; answers before it is accomplished.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateSnapshot {
    disk_id: String,
    snapshot_name: Option<String>,
    description: Option<String>,
    retention_days: Option<i64>,
    category: Option<String>,
    instant_access: Option<bool>,
    instant_access_retention_days: Option<i64>,
    resource_group_id: Option<String>,
    client_token: Option<String>,
    #[serde(default)]
    tag: Vec<Tag>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Created {
    snapshot_id: String,
}

impl Action for CreateSnapshot {
    const NAME: &'static str = "CreateSnapshot";
    type Response = Created;

    fn check(&self) -> Result<(), Fault> {
        check_given(self.resource_group_id.as_deref(), is_resource_group, "InvalidResourceGroup.NotFound")?;
        check_given(self.snapshot_name.as_deref(), is_snapshot_name, "InvalidSnapshotName.Malformed")?;
        check_given(self.description.as_deref(), is_description, "InvalidDescription.Malformed")?;
        check_retention(self.retention_days)?;
        // Documented as without effect today; a value that was never valid is still refused.
        check_one_of(self.category.as_deref(), &["standard", "flash"], "InvalidSnapshotCategory.Malformed")?;
        if self.instant_access_retention_days.is_some_and(|days| !(1..=65_535).contains(&days)) {
            return Err(fault("InvalidInstantAccessRetentionDays.Malformed"));
        }
        // Documented: one or the other makes a snapshot that is usable at once.
        if self.category.is_some() && self.instant_access == Some(true) {
            return Err(fault("InvalidCategoryAndInstantAccess.Malformed"));
        }
        tags_to_set(&self.tag).map(drop)
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::shared(&self.disk_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Created, Fault> {
        // Checks
        check_snapshot_service(tx).await?;
        let Some(found) = disks::find(tx, &self.disk_id).await? else {
            return Err(fault(not_found(&self.disk_id)));
        };
        check_free(tx, &found).await?;
        may_be_snapshotted(tx, &found).await?;
        check_account_quota(tx, &found.disk.region_id, 1, "QuotaExceed.SnapshotQuota").await?;
        if found.has_encrypted_copies_under_way() {
            return Err(fault("InvalidOperation.UnfinishedEncryptedSnapshotCopy"));
        }
        let tags = tags_to_set(&self.tag)?;
        check_tag_quota(tx, tags.len())?;
        // Effect
        let snapshot = self.described(manual_snapshot(tx, &found));
        snapshots::insert(tx, &snapshot).await?;
        tags::set(tx, &Tagged::new(ResourceType::Snapshot, snapshot.subject(), snapshot.creation_time), &tags).await?;
        Ok(Created { snapshot_id: snapshot.snapshot_id })
    }
}

impl Idempotent for CreateSnapshot {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl CreateSnapshot {
    fn described(&self, snapshot: Snapshot) -> Snapshot {
        Snapshot {
            snapshot_name: self.snapshot_name.clone().unwrap_or_default(),
            description: self.description.clone().unwrap_or_default(),
            resource_group_id: self.resource_group_id.clone().unwrap_or_default(),
            instant_access: self.instant_access.unwrap_or(false).into(),
            instant_access_retention_days: self.instant_access_retention_days,
            retention_days: self.retention_days,
            ..snapshot
        }
    }
}

/// The snapshot of a disk that an image of its instance needs: a manual one with a name that tells why it is there.
pub fn snapshot_for_image(tx: &mut Tx<'_>, found: &Examined) -> Snapshot {
    let snapshot = manual_snapshot(tx, found);
    Snapshot { snapshot_name: format!("Created_for_image_of_{}", found.disk.disk_id), ..snapshot }
}

/// A manual snapshot of a disk as it begins, without a name.
pub fn manual_snapshot(tx: &mut Tx<'_>, found: &Examined) -> Snapshot {
    let disk = &found.disk;
    let lifecycle = &tx.config().lifecycle;
    let percent =
        if disk.snapshots_taken == 0 { lifecycle.first_snapshot_percent } else { lifecycle.later_snapshot_percent };
    let cut_time = tx.now.plus_millis(lifecycle.cut_ms.into());
    let finish_time = cut_time.plus_millis(lifecycle.snapshot_ms.into());
    Snapshot {
        snapshot_id: tx.new_id(IdKind::Snapshot, &disk.region_id),
        account_id: disk.account_id.clone(),
        region_id: disk.region_id.clone(),
        snapshot_name: String::new(),
        description: String::new(),
        status: "progressing".to_owned(),
        usage: "none".to_owned(),
        snapshot_type: "user".to_owned(),
        category: "standard".to_owned(),
        snapshot_link_id: ids::snapshot_link_id(&disk.disk_id),
        snapshot_sn: serial_number(&tx.new_digits(23)),
        source_disk_id: disk.disk_id.clone(),
        source_disk_size: disk.size,
        source_disk_type: disk.disk_type.clone(),
        source_snapshot_id: String::new(),
        foreign_source: false.into(),
        source_region_id: String::new(),
        product_code: String::new(),
        encrypted: disk.encrypted,
        kms_key_id: disk.kms_key_id.clone(),
        resource_group_id: String::new(),
        available: disk.is_essd_family().into(),
        instant_access: false.into(),
        instant_access_retention_days: None,
        retention_days: None,
        full_size_bytes: disk.size * GIB * i64::from(percent) / 100,
        creation_time: cut_time,
        cut_time,
        finish_time,
        last_modified_time: cut_time,
        managed_by: String::new(),
    }
}

/// `64588-429372675-857161235`, the form that ECS shows.
#[must_use]
pub fn serial_number(digits: &str) -> String {
    format!("{}-{}-{}", &digits[..5], &digits[5..14], &digits[14..])
}

/// Deletes a snapshot; with Force also one that disks were made from. One that is still being made is cancelled.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteSnapshot {
    snapshot_id: String,
    #[serde(default)]
    force: bool,
}

impl Action for DeleteSnapshot {
    const NAME: &'static str = "DeleteSnapshot";
    type Response = Empty;

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.snapshot_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks: one statement brings the row and what refers to it
        let Some(found) = snapshots::find(tx, &self.snapshot_id).await? else {
            let choice = tx.config().fidelity.unknown_snapshot;
            return deleted_already(tx, &self.snapshot_id, choice, "InvalidSnapshotId.NotFound").await;
        };
        check_unmanaged(&found.snapshot)?;
        may_be_deleted(&found, self.force)?;
        if found.snapshot.is_before_its_cut(tx.now) {
            return Err(fault("IncorrectDiskStatus.CreatingSnapshot"));
        }
        // Effect: guarded, a row changed meanwhile is a refusal and never an overwrite
        if snapshots::delete(tx, &found, "call").await? { Ok(Empty {}) } else { Err(fault("Operation.Conflict")) }
    }
}

/// Nothing stands in the way of deleting the snapshot.
///
/// # Errors
/// 403 `InvalidOperation.RelatedSnapshotNotFinished`, `Operation.Conflict`, `InvalidOperation.SnapshotLocked`,
/// `SnapshotCreatedImage`, and without `force` `SnapshotCreatedDisk`.
pub fn may_be_deleted(found: &Referenced, force: bool) -> Result<(), Fault> {
    if found.is_being_copied() || found.is_in_image_copy() || found.is_in_task(ARCHIVE) {
        return Err(fault("InvalidOperation.RelatedSnapshotNotFinished"));
    }
    if found.holds.is_held() {
        return Err(fault("Operation.Conflict"));
    }
    if found.is_locked() {
        return Err(fault("InvalidOperation.SnapshotLocked").with(lock_end(found)));
    }
    if found.is_used_by_image() {
        return Err(fault("SnapshotCreatedImage"));
    }
    if found.is_used_by_disk() && !force {
        return Err(fault("SnapshotCreatedDisk"));
    }
    Ok(())
}

fn lock_end(found: &Referenced) -> String {
    let waiting = || "its lock runs out, which begins to run when the snapshot is accomplished".to_owned();
    found.lock_expired_time.map_or_else(waiting, Timestamp::to_seconds)
}

/// Changes name, description or days of retention; the latter may only grow and count from the creation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifySnapshotAttribute {
    snapshot_id: String,
    snapshot_name: Option<String>,
    description: Option<String>,
    retention_days: Option<i64>,
    disable_instant_access: Option<bool>,
}

impl Action for ModifySnapshotAttribute {
    const NAME: &'static str = "ModifySnapshotAttribute";
    const MALFORMED: &'static [(&'static str, &'static str)] =
        &[("DisableInstantAccess", "InvalidSnapshotDisableInstantAccess.Malformed")];
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        check_given(self.snapshot_name.as_deref(), is_snapshot_name, "InvalidSnapshotName.Malformed")?;
        check_given(self.description.as_deref(), is_description, "InvalidDescription.Malformed")?;
        check_retention(self.retention_days)?;
        // Documented: only true is taken; it no longer has an effect.
        if self.disable_instant_access == Some(false) {
            return Err(fault("InvalidSnapshotDisableInstantAccess.Malformed"));
        }
        let nothing = self.snapshot_name.is_none()
            && self.description.is_none()
            && self.retention_days.is_none()
            && self.disable_instant_access.is_none();
        if nothing { Err(fault("NoAttributeToModify")) } else { Ok(()) }
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.snapshot_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(found) = snapshots::find(tx, &self.snapshot_id).await? else {
            return Err(fault("InvalidSnapshotId.NotFound"));
        };
        check_unmanaged(&found.snapshot)?;
        if found.holds.is_held() {
            return Err(fault("Operation.Conflict"));
        }
        let mut snapshot = found.snapshot;
        if snapshot.is_before_its_cut(tx.now) {
            return Err(fault("IncorrectDiskStatus.CreatingSnapshot"));
        }
        if !snapshot.is_accomplished() {
            return Err(fault("InvalidSnapshotId.NotReady"));
        }
        if let Some(days) = self.retention_days {
            // No days at all is for ever: any number would be fewer.
            if snapshot.retention_days.is_some_and(|known| days < known) {
                return Err(fault("InvalidOperation.DecreaseRetentionDaysUnsupported"));
            }
            snapshot.retention_days = Some(days);
        }
        // Effect
        if let Some(name) = &self.snapshot_name {
            snapshot.snapshot_name.clone_from(name);
        }
        if let Some(description) = &self.description {
            snapshot.description.clone_from(description);
        }
        if self.disable_instant_access == Some(true) {
            snapshot.instant_access = false.into();
        }
        snapshots::update_attributes(tx, &snapshot).await?;
        Ok(Empty {})
    }
}

/// Days of retention are in their documented range.
///
/// # Errors
/// `InvalidRetentionDays.Malformed`.
pub fn check_retention(days: Option<i64>) -> Result<(), Fault> {
    match days {
        Some(days) if !RETENTION_DAYS.contains(&days) => Err(fault("InvalidRetentionDays.Malformed")),
        _ => Ok(()),
    }
}

/// A resource name that does not begin with `auto`, which automatic snapshots keep for themselves.
#[must_use]
pub fn is_snapshot_name(name: &str) -> bool {
    is_name(name) && !name.starts_with("auto")
}
