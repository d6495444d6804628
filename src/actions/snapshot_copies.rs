//! What is made of a finished snapshot elsewhere: copies in other regions, in `tasks` the archive and exports; no SQL, no
//! transport.

mod tasks;

use serde::{Deserialize, Serialize};

use crate::actions::snapshots::{check_account_quota, check_retention, is_snapshot_name, serial_number};
use crate::api::action::{Action, Entry, Idempotent, write, write_once};
use crate::api::common::{
    Tag, check_given, check_kms_key, check_snapshot_service, check_tag_quota, is_description, tags_to_set,
};
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::ids::{self, IdKind};
use crate::regions::{self, Region, is_region_id};
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::snapshot_copies;
use crate::store::snapshots::{self, Snapshot};
use crate::store::tags::{self, ResourceType, Tagged};
use crate::store::tx::Tx;
pub use tasks::{ARCHIVE, is_bucket_name};
use tasks::{ExportSnapshot, ModifySnapshotCategory};

pub static ACTIONS: [Entry; 3] =
    [write_once::<CopySnapshot>(), write::<ModifySnapshotCategory>(), write::<ExportSnapshot>()];

/// Copies a snapshot into another region; answers before the copy is accomplished.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CopySnapshot {
    snapshot_id: String,
    destination_region_id: String,
    destination_snapshot_name: String,
    destination_snapshot_description: String,
    retention_days: Option<i64>,
    encrypted: Option<bool>,
    #[serde(rename = "KMSKeyId")]
    kms_key_id: Option<String>,
    destination_storage_location_arn: Option<String>,
    resource_group_id: Option<String>,
    client_token: Option<String>,
    #[serde(default)]
    arn: Vec<Role>,
    #[serde(default)]
    tag: Vec<Tag>,
}

/// On whose authority a copy is made. There are no roles here, so that each is looked at and none is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Role {
    role_type: Option<String>,
    rolearn: Option<String>,
    assume_role_for: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Copied {
    snapshot_id: String,
}

const MOST_ROLES: usize = 10;

impl Action for CopySnapshot {
    const NAME: &'static str = "CopySnapshot";
    const MALFORMED: &'static [(&'static str, &'static str)] = &[
        ("Arn", "InvalidParameter.Arns"),
        ("Arn.N", "InvalidParameter.Arns"),
        ("Arn.N.AssumeRoleFor", "InvalidParameter.Arns"),
    ];
    const UNKNOWN_REGION: &'static str = "InvalidRegionId.NotExists";
    type Response = Copied;

    fn check(&self) -> Result<(), Fault> {
        let named = Some(self.destination_snapshot_name.as_str());
        check_given(named, is_snapshot_name, "InvalidSnapshotName.Malformed")?;
        let described = Some(self.destination_snapshot_description.as_str());
        check_given(described, is_description, "InvalidDescription.Malformed")?;
        check_retention(self.retention_days)?;
        let region = Some(self.destination_region_id.as_str());
        check_given(region, is_region_id, "InvalidRegionId.MalFormed")?;
        if self.kms_key_id.is_some() && self.encrypted != Some(true) {
            return Err(fault("InvalidEncrypted.NotMatchKmsKeyId"));
        }
        if self.arn.len() > MOST_ROLES || !self.arn.iter().all(Role::is_well_formed) {
            return Err(fault("InvalidParameter.Arns"));
        }
        tags_to_set(&self.tag).map(drop)
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::shared(&self.snapshot_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Copied, Fault> {
        // Checks
        check_snapshot_service(tx).await?;
        let Some(region) = regions::find(&self.destination_region_id) else {
            return Err(fault("InvalidRegionId.NotExists"));
        };
        self.check_location(region)?;
        let Some(found) = snapshots::find(tx, &self.snapshot_id).await? else {
            return Err(fault("InvalidSnapshotId.NotFound"));
        };
        if found.holds.is_held_exclusively() {
            return Err(fault("InvalidOperation.Conflict"));
        }
        let source = &found.snapshot;
        if source.region_id == region.id {
            return Err(fault("InvalidOperation.NotSupportCopyInSameRegion"));
        }
        if !source.is_accomplished() {
            return Err(fault("InvalidSnapshotId.NotReady"));
        }
        let (encrypted, kms_key_id) = self.encryption(source)?;
        check_kms_key(tx, &kms_key_id)?;
        if source.is_archived() {
            return Err(fault(if encrypted {
                "InvalidSnapshotCategory.NotSupportEncryptedCopy"
            } else {
                "OperationDenied.SnapshotCategoryNotSupportCopy"
            }));
        }
        match snapshot_copies::unfinished(tx, &source.source_disk_id, region.id).await? {
            Some(other) if other.encrypted.into() => {
                return Err(fault("InvalidOperation.UnfinishedEncryptedSnapshotCopy"));
            }
            Some(_) => return Err(fault("InvalidOperation.UnfinishedCrossRegionCopy")),
            None => {}
        }
        check_account_quota(tx, region.id, 1, "QuotaExceed.SnapshotQuota").await?;
        let tags = tags_to_set(&self.tag)?;
        // The table of this action has no code for too many tags but this one, in the vendor's spelling.
        check_tag_quota(tx, tags.len()).map_err(|_| fault("InvalidParamter").with(TOO_MANY_TAGS))?;
        // Effect
        let copy = Copy {
            region_id: region.id,
            snapshot_name: self.destination_snapshot_name.clone(),
            description: self.destination_snapshot_description.clone(),
            resource_group_id: self.resource_group_id.clone().unwrap_or_default(),
            retention_days: self.retention_days,
            encrypted,
            kms_key_id,
        };
        let copy = begin(tx, source, copy).await?;
        tags::set(tx, &Tagged::new(ResourceType::Snapshot, copy.subject(), copy.creation_time), &tags).await?;
        Ok(Copied { snapshot_id: copy.snapshot_id })
    }
}

const TOO_MANY_TAGS: &str = "The number of tags exceeds the quota.";

impl Idempotent for CopySnapshot {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl CopySnapshot {
    /// Storage locations are cloud boxes, of which no account here has any: the best that an ARN can be is one of another
    /// owner.
    fn check_location(&self, region: &Region) -> Result<(), Fault> {
        let Some(arn) = &self.destination_storage_location_arn else { return Ok(()) };
        let parts: Vec<&str> = arn.split(':').collect();
        let ["acs" | "arn", service, of_region, _owner, resource] = parts[..] else {
            return Err(fault("InvalidParameterDestinationStorageLocationArn.Malformed"));
        };
        if service.is_empty() || !resource.contains('/') {
            return Err(fault("InvalidParameterDestinationStorageLocationArn.Malformed"));
        }
        if of_region != region.id {
            return Err(fault("InvalidParameterDestinationStorageLocationArn.RegionNotMatch"));
        }
        Err(fault("InvalidParameterDestinationStorageLocationArn.Unauthorized"))
    }

    /// Decision 35: a plain snapshot may become an encrypted copy, never the reverse.
    fn encryption(&self, source: &Snapshot) -> Result<(bool, String), Fault> {
        let is_source_encrypted = bool::from(source.encrypted);
        if is_source_encrypted && self.encrypted == Some(false) {
            return Err(fault("InvalidEncrypted.NotSupportDecrypt"));
        }
        let encrypted = is_source_encrypted || self.encrypted == Some(true);
        Ok((encrypted, self.kms_key_id.clone().unwrap_or_else(|| source.kms_key_id.clone())))
    }
}

/// What a copy has of its own; its content and its disk are those of the source.
pub struct Copy<'a> {
    pub region_id: &'a str,
    pub snapshot_name: String,
    pub description: String,
    pub resource_group_id: String,
    pub retention_days: Option<i64>,
    pub encrypted: bool,
    pub kms_key_id: String,
}

/// Begins a copy of a snapshot. The source is held until the copy's own timer or deletion lets it go.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn begin(tx: &mut Tx<'_>, source: &Snapshot, copy: Copy<'_>) -> Result<Snapshot, Fault> {
    let finish_time = tx.now.plus_millis(tx.config().lifecycle.copy_ms.into());
    let copy = begun(tx, source, copy, finish_time);
    snapshots::insert(tx, &copy).await?;
    row_locks::hold(tx, &source.snapshot_id, &copy.snapshot_id, Mode::Shared).await?;
    Ok(copy)
}

/// The copy of a snapshot as it begins.
pub fn begun(tx: &mut Tx<'_>, source: &Snapshot, copy: Copy<'_>, finish_time: Timestamp) -> Snapshot {
    let now = tx.now;
    Snapshot {
        snapshot_id: tx.new_id(IdKind::Snapshot, copy.region_id),
        region_id: copy.region_id.to_owned(),
        snapshot_name: copy.snapshot_name,
        description: copy.description,
        status: "progressing".to_owned(),
        usage: "none".to_owned(),
        snapshot_type: "user".to_owned(),
        category: "standard".to_owned(),
        snapshot_link_id: ids::snapshot_link_id(&source.source_disk_id),
        snapshot_sn: serial_number(&tx.new_digits(23)),
        source_snapshot_id: source.snapshot_id.clone(),
        source_region_id: source.region_id.clone(),
        foreign_source: false.into(),
        managed_by: String::new(),
        encrypted: copy.encrypted.into(),
        kms_key_id: copy.kms_key_id,
        resource_group_id: copy.resource_group_id,
        available: false.into(),
        instant_access: false.into(),
        instant_access_retention_days: None,
        retention_days: copy.retention_days,
        creation_time: now,
        cut_time: now,
        finish_time,
        last_modified_time: now,
        ..source.clone()
    }
}

impl Role {
    /// `acs:ram::1000000000000001:role/name` of a known type.
    fn is_well_formed(&self) -> bool {
        let is_type = |text: &str| ["PRIMARY", "SERVICE", "ROOT"].iter().any(|known| known.eq_ignore_ascii_case(text));
        let is_role = |text: &str| {
            let owner = text.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":role/"));
            owner.is_some_and(|(account, name)| is_digits(account) && is_role_name(name))
        };
        self.role_type.as_deref().is_none_or(is_type)
            && self.rolearn.as_deref().is_some_and(is_role)
            && self.assume_role_for.is_none_or(|account| account > 0)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// RAM's rule: 1 to 64 letters, digits, dots and dashes.
fn is_role_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
}
