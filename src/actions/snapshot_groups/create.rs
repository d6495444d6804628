//! CreateSnapshotGroup: which disks are meant, whether they may be snapshotted together, and their snapshots.

use serde::{Deserialize, Serialize};

use super::check_texts;
use crate::actions::snapshots::{check_free, manual_snapshot, may_be_snapshotted, not_found};
use crate::api::action::{Action, Idempotent};
use crate::api::common::{Tag, check_given, check_snapshot_service, check_tag_quota, is_resource_group, tags_to_set};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::disks::{self, Disk, Examined};
use crate::store::instances;
use crate::store::row_locks::{Mode, RowLocks};
use crate::store::snapshot_groups::{self, SnapshotGroup};
use crate::store::snapshots::{self, Snapshot};
use crate::store::tags::{self, ResourceType, Tagged};
use crate::store::tx::Tx;

/// Takes snapshots of several disks of one zone at the same instant: of all or of none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateSnapshotGroup {
    instance_id: Option<String>,
    instant_access: Option<bool>,
    instant_access_retention_days: Option<i64>,
    name: Option<String>,
    description: Option<String>,
    client_token: Option<String>,
    #[serde(default)]
    exclude_disk_id: Vec<String>,
    #[serde(default)]
    disk_id: Vec<String>,
    resource_group_id: Option<String>,
    #[serde(default)]
    tag: Vec<Tag>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Created {
    snapshot_group_id: String,
}

const MOST_DISKS: usize = 16;
/// 32 TiB.
const MOST_GIB: i64 = 32 << 10;
/// The tag of a member that tells the instance that had its disk.
const SOURCE_TAG: &str = "acs:ecs:createFrom";

impl Action for CreateSnapshotGroup {
    const NAME: &'static str = "CreateSnapshotGroup";
    const MALFORMED: &'static [(&'static str, &'static str)] =
        &[("InstantAccessRetentionDays", "InvalidRetentionDays.Malformed")];
    type Response = Created;

    fn check(&self) -> Result<(), Fault> {
        check_given(self.resource_group_id.as_deref(), is_resource_group, "InvalidResourceGroup.NotFound")?;
        check_texts(self.name.as_deref(), self.description.as_deref())?;
        if self.instant_access_retention_days.is_some_and(|days| !(1..=65_535).contains(&days)) {
            return Err(fault("InvalidRetentionDays.Malformed"));
        }
        if !self.disk_id.is_empty() && !self.exclude_disk_id.is_empty() {
            return Err(fault("InvalidParam.ExcludeDiskIdsAndDiskIds.Conflict"));
        }
        if self.instance_id.is_none() && self.disk_id.is_empty() {
            return Err(fault("MissingParamter.InstanceId"));
        }
        tags_to_set(&self.tag).map(drop)
    }

    fn row_locks(&self) -> RowLocks {
        self.disk_id.iter().fold(RowLocks::none(), |locks, id| locks.and(id, Mode::Shared))
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Created, Fault> {
        // Checks
        check_snapshot_service(tx).await?;
        let chosen = match &self.instance_id {
            Some(instance_id) => self.disks_of_instance(tx, instance_id).await?,
            None => self.named_disks(tx).await?,
        };
        may_be_grouped(&chosen)?;
        for found in &chosen {
            check_free(tx, found).await?;
            may_be_snapshotted(tx, found).await.map_err(|refusal| of_group(tx, refusal))?;
        }
        let tags = tags_to_set(&self.tag)?;
        check_tag_quota(tx, tags.len())?;
        // Effect
        let region_id = chosen.first().map(|found| found.disk.region_id.clone()).unwrap_or_default();
        let snapshot_group_id = tx.new_id(IdKind::SnapshotGroup, &region_id);
        let mut members = Vec::with_capacity(chosen.len());
        for found in &chosen {
            members.push(self.member(tx, &snapshot_group_id, found).await?);
        }
        let group = self.group_of(tx, snapshot_group_id, region_id, &chosen, &members);
        snapshot_groups::insert(tx, &group, &members).await?;
        tags::set(tx, &Tagged::new(ResourceType::SnapshotGroup, group.subject(), group.creation_time), &tags).await?;
        Ok(Created { snapshot_group_id: group.snapshot_group_id })
    }
}

impl Idempotent for CreateSnapshotGroup {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl CreateSnapshotGroup {
    /// The disks of the instance: those named, or all but the excluded ones.
    async fn disks_of_instance(&self, tx: &mut Tx<'_>, instance_id: &str) -> Result<Vec<Examined>, Fault> {
        let Some(found) = instances::find(tx, instance_id).await? else {
            return Err(fault("InvalidInstanceId.NotFound"));
        };
        if !matches!(found.instance.status.as_str(), "Running" | "Stopped") {
            return Err(fault("IncorrectInstanceStatus"));
        }
        let mut attached = disks::of_instance(tx, instance_id).await?;
        let is_attached = |id: &String| attached.iter().any(|found| found.disk.disk_id == *id);
        if let Some(stranger) = self.disk_id.iter().chain(&self.exclude_disk_id).find(|id| !is_attached(id)) {
            let exists = disks::find(tx, stranger).await?.is_some();
            return Err(fault(if exists { "DiskId.ValueNotSupported" } else { not_found(stranger) }));
        }
        attached.retain(|found| {
            let id = &found.disk.disk_id;
            if self.disk_id.is_empty() { !self.exclude_disk_id.contains(id) } else { self.disk_id.contains(id) }
        });
        if attached.is_empty() {
            return Err(fault("InvalidInstance.NoDisk"));
        }
        let ids = attached.iter().map(|found| found.disk.disk_id.as_str());
        tx.lock_rows(&ids.fold(RowLocks::none(), |locks, id| locks.and(id, Mode::Shared)))?;
        Ok(attached)
    }

    async fn named_disks(&self, tx: &mut Tx<'_>) -> Result<Vec<Examined>, Fault> {
        let mut named: Vec<Examined> = Vec::with_capacity(self.disk_id.len());
        for id in &self.disk_id {
            // Named twice is meant once.
            if named.iter().any(|found| found.disk.disk_id == *id) {
                continue;
            }
            named.push(disks::find(tx, id).await?.ok_or_else(|| fault(not_found(id)))?);
        }
        Ok(named)
    }

    /// The snapshot of one disk, which tells the group that it is of and the instance that has the disk.
    async fn member(&self, tx: &mut Tx<'_>, group_id: &str, found: &Examined) -> Result<Snapshot, Fault> {
        let origin = format!("Created_from_{group_id}");
        let snapshot = Snapshot {
            snapshot_name: origin.clone(),
            description: origin,
            resource_group_id: self.resource_group_id.clone().unwrap_or_default(),
            instant_access: self.instant_access.unwrap_or(false).into(),
            instant_access_retention_days: self.instant_access_retention_days,
            ..manual_snapshot(tx, found)
        };
        snapshots::insert(tx, &snapshot).await?;
        if let Some(instance_id) = &found.instance_id {
            let tagged = Tagged::new(ResourceType::Snapshot, snapshot.subject(), snapshot.creation_time);
            tags::set(tx, &tagged, &[(SOURCE_TAG.to_owned(), instance_id.clone())]).await?;
        }
        Ok(snapshot)
    }

    fn group_of(
        &self,
        tx: &Tx<'_>,
        snapshot_group_id: String,
        region_id: String,
        chosen: &[Examined],
        members: &[Snapshot],
    ) -> SnapshotGroup {
        let instance = chosen.first().and_then(|found| found.instance_id.clone());
        let instance = instance.filter(|_| chosen.windows(2).all(|pair| pair[0].instance_id == pair[1].instance_id));
        SnapshotGroup {
            snapshot_group_id,
            account_id: tx.account_id().to_owned(),
            region_id,
            name: self.name.clone().unwrap_or_default(),
            description: self.description.clone().unwrap_or_default(),
            status: "progressing".to_owned(),
            instance_id: instance.unwrap_or_default(),
            resource_group_id: self.resource_group_id.clone().unwrap_or_default(),
            creation_time: tx.now,
            finish_time: members.iter().map(|snapshot| snapshot.finish_time).max().unwrap_or(tx.now),
        }
    }
}

/// Where a disk may have one unfinished snapshot alone, that one is told of, and not the quota.
fn of_group(tx: &Tx<'_>, refusal: Fault) -> Fault {
    let is_of_one =
        refusal.code() == "QuotaExceed.ConcurrentSnapshotQuota" && tx.config().quotas.concurrent_snapshots == 1;
    if is_of_one { fault("IncorrectDiskStatus.CreatingSnapshot") } else { refusal }
}

/// The disks may be snapshotted together, whatever the state of each.
///
/// # Errors
/// The documented codes of number, kind, place and size.
fn may_be_grouped(chosen: &[Examined]) -> Result<(), Fault> {
    let all = || chosen.iter().map(|found| &found.disk);
    if chosen.len() > MOST_DISKS {
        return Err(fault("NumberExceed.TooManyDisks"));
    }
    // An ephemeral disk has no snapshots at all, which is refused with a code of its own.
    if all().any(|disk| !disk.is_essd_family() && !disk.is_ephemeral()) {
        return Err(fault("IncorrectDiskType.NotSupport"));
    }
    if all().any(|disk| disk.multi_attach == "Enabled") {
        return Err(fault("InvalidOperation.MultiAttachDisk"));
    }
    if all().any(Disk::is_regional) && !all().all(Disk::is_regional) {
        return Err(fault("InvalidDisk.DiskCategoryInconsistent"));
    }
    if chosen.windows(2).any(|pair| pair[0].disk.zone_id != pair[1].disk.zone_id) {
        return Err(fault("InvalidDiskIds.NotInSameZone"));
    }
    if all().map(|disk| disk.size).sum::<i64>() > MOST_GIB {
        return Err(fault("CapacityExceed.TooManyDisks"));
    }
    Ok(())
}
