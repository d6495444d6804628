//! CloneDisks: a disk made from another one as it is, without a snapshot between; checked as every disk that is made.

use serde::{Deserialize, Serialize};

use super::create::CreateDisk;
use crate::api::action::{Action, Idempotent};
use crate::api::common::{Tag, check_tag_quota, tags_to_set};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::disks::changes::{self, History};
use crate::store::disks::{self, Disk, Examined};
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::tags::{self, ResourceType, Tagged};
use crate::store::tasks::{self, Task};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;

/// Makes a disk with the content of another.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CloneDisks {
    source_disk_id: String,
    disk_category: String,
    multi_attach: String,
    size: i64,
    disk_name: Option<String>,
    performance_level: Option<String>,
    provisioned_iops: Option<i64>,
    bursting_enabled: Option<bool>,
    #[serde(default)]
    encrypted: bool,
    kms_key_id: Option<String>,
    resource_group_id: Option<String>,
    client_token: Option<String>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    tag: Vec<Tag>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cloning {
    task_group_id: String,
}

/// The task, as DescribeTasks spells it.
const CLONE: &str = "CloneDisks";
const CATEGORIES: [&str; 4] = ["cloud_essd", "cloud_auto", "cloud_essd_entry", "cloud_regional_disk_auto"];
const REGIONAL: &str = "cloud_regional_disk_auto";

impl Action for CloneDisks {
    const NAME: &'static str = "CloneDisks";
    const MALFORMED: &'static [(&'static str, &'static str)] = &[("Size", "InvalidSize.ValueNotSupported")];
    type Response = Cloning;

    fn check(&self) -> Result<(), Fault> {
        if !CATEGORIES.contains(&self.disk_category.as_str()) {
            return Err(fault("InvalidDiskCategory.ValueNotSupported"));
        }
        // Documented: required for ESSDs.
        if self.disk_category == "cloud_essd" && self.performance_level.is_none() {
            return Err(Fault::missing("PerformanceLevel"));
        }
        self.as_creation().check()
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::shared(&self.source_disk_id)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Cloning, Fault> {
        // Checks
        let Some(found) = disks::find(tx, &self.source_disk_id).await? else {
            return Err(fault("InvalidDiskId.NotFound"));
        };
        self.may_be_cloned(&found)?;
        let disk = self.clone_of(tx, &found.disk)?;
        let tags = tags_to_set(&self.tag)?;
        check_tag_quota(tx, tags.len())?;
        // Effect: the source is held until the clone is made
        disks::insert(tx, &disk).await?;
        let history = History { source_disk_id: self.source_disk_id.clone(), ..History::default() };
        changes::set_history(tx, &disk.disk_id, &history).await?;
        tags::set(tx, &Tagged::new(ResourceType::Disk, disk.subject(), disk.creation_time), &tags).await?;
        row_locks::hold(tx, &self.source_disk_id, &disk.disk_id, Mode::Shared).await?;
        let finish_time = tx.now.plus_millis(tx.config().lifecycle.clone_disk_ms.into());
        timers::set(tx, TimerKind::DiskFinish, &disk.disk_id, finish_time).await?;
        let task = Task {
            task_id: tx.new_id(IdKind::Task, &disk.region_id),
            account_id: disk.account_id,
            task_action: CLONE.to_owned(),
            task_status: "Processing".to_owned(),
            resource_id: disk.disk_id,
            creation_time: tx.now,
            finish_time,
            region_id: disk.region_id,
        };
        tasks::insert(tx, &task).await?;
        let task_group_id = tx.new_id(IdKind::TaskGroup, &task.region_id);
        changes::group_task(tx, &task.task_id, &task_group_id).await?;
        Ok(Cloning { task_group_id })
    }
}

impl Idempotent for CloneDisks {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl CloneDisks {
    /// The clone as a disk that is made from nothing; the zone, which is the source's, only has to be there.
    fn as_creation(&self) -> CreateDisk {
        CreateDisk {
            zone_id: (self.disk_category != REGIONAL).then(String::new),
            disk_name: self.disk_name.clone(),
            size: Some(self.size),
            disk_category: Some(self.disk_category.clone()),
            performance_level: self.performance_level.clone(),
            encrypted: Some(self.encrypted),
            kms_key_id: self.kms_key_id.clone(),
            multi_attach: Some(self.multi_attach.clone()),
            provisioned_iops: self.provisioned_iops,
            bursting_enabled: self.bursting_enabled,
            resource_group_id: self.resource_group_id.clone(),
            tag: self.tag.clone(),
            ..CreateDisk::default()
        }
    }

    fn may_be_cloned(&self, found: &Examined) -> Result<(), Fault> {
        if !found.disk.is_essd_family() {
            return Err(fault("DiskCategory.OperationNotSupported"));
        }
        // Documented: disks of one zone become such, regional ones regional ones.
        if found.disk.is_regional() != (self.disk_category == REGIONAL) {
            return Err(fault("InvalidDiskCategory.ValueNotSupported"));
        }
        if found.holds.is_held_exclusively() {
            return Err(fault("Operation.Conflict"));
        }
        if !matches!(found.disk.status.as_str(), "In_use" | "Available") {
            return Err(fault("IncorrectDiskStatus"));
        }
        if self.size < found.disk.size { Err(fault("InvalidDiskSize.TooSmall")) } else { Ok(()) }
    }

    /// Documented: what is encrypted stays so.
    fn clone_of(&self, tx: &mut Tx<'_>, source: &Disk) -> Result<Disk, Fault> {
        let region = tx.region_of(Some(source.region_id.as_str()));
        let clone = self.as_creation().disk_of(tx, region, source.zone_id.clone(), None)?;
        if !bool::from(source.encrypted) || self.encrypted {
            return Ok(clone);
        }
        Ok(Disk { encrypted: true.into(), kms_key_id: source.kms_key_id.clone(), ..clone })
    }
}
