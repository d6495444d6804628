//! ModifyDiskSpec: another category, performance level or provisioned IOPS, which come true when a task is finished.

use serde::{Deserialize, Serialize};

use super::is_waiting_for_restart;
use crate::actions::disks::{provisioned_iops, sizes};
use crate::api::action::Action;
use crate::api::common::{IN_ARREARS, check_one_of, check_paid, spelled};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::disks::changes::{self, MODIFY_SPEC, Spec};
use crate::store::disks::{self, Disk, Examined};
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::tasks::{self, Task};
use crate::store::tx::Tx;

/// Gives a disk another specification.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyDiskSpec {
    disk_id: String,
    performance_level: Option<String>,
    disk_category: Option<String>,
    provisioned_iops: Option<i64>,
    performance_control_options: Option<PerformanceControlOptions>,
    #[serde(default)]
    dry_run: bool,
}

/// What only disks of a dedicated block storage cluster have, of which there are none here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PerformanceControlOptions {
    #[serde(rename = "IOPS")]
    iops: Option<i64>,
    throughput: Option<i64>,
    recover: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Modifying {
    task_id: String,
}

const LEVELS: [&str; 4] = ["PL0", "PL1", "PL2", "PL3"];
const DEFAULT_LEVEL: &str = "PL1";
/// What a disk can be and become, as documented from the fastest to the slowest.
const CATEGORIES: [&str; 5] = ["cloud_essd", "cloud_auto", "cloud_ssd", "cloud_essd_entry", "cloud_efficiency"];
const MALFORMED_OPTIONS: &str = "MalformedParameter.PerformanceControlOptions";
const LEAST_IOPS: i64 = 900;
const IOPS_STEP: i64 = 100;
const LEAST_THROUGHPUT: i64 = 60;
/// The meaning of InvalidDiskCategory.ValueNotSupported that is about what the disk is, not about what is asked for.
const OF_DISK: usize = 1;

impl Action for ModifyDiskSpec {
    const NAME: &'static str = "ModifyDiskSpec";
    const MALFORMED: &'static [(&'static str, &'static str)] = &[
        ("PerformanceControlOptions.IOPS", MALFORMED_OPTIONS),
        ("PerformanceControlOptions.Throughput", MALFORMED_OPTIONS),
        ("ProvisionedIops", "InvalidProvisionedIops.LimitExceed"),
    ];
    type Response = Modifying;

    fn check(&self) -> Result<(), Fault> {
        check_one_of(self.performance_level.as_deref(), &LEVELS, "InvalidPerformanceLevel.Malformed")?;
        check_one_of(self.disk_category.as_deref(), &CATEGORIES, "InvalidDiskCategory.ValueNotSupported")?;
        let is_other = self.category().is_some_and(|category| category != "cloud_essd");
        if is_other && self.performance_level.is_some() {
            return Err(fault("InvalidPerformanceLevelParam.Mismatch"));
        }
        if self.provisioned_iops.is_some() && self.performance_level.is_some() {
            let why = "PerformanceLevel and ProvisionedIops are of different categories.";
            return Err(fault("InvalidParameter.Conflict").with(why));
        }
        let Some(options) = &self.performance_control_options else { return Ok(()) };
        options.check()?;
        let is_mixed =
            self.performance_level.is_some() || self.disk_category.is_some() || self.provisioned_iops.is_some();
        if is_mixed { Err(fault("InvalidPerformanceControlOptions.ModifyOperationUnsupported")) } else { Ok(()) }
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.disk_id)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Modifying, Fault> {
        // Checks
        let Some(found) = disks::find(tx, &self.disk_id).await? else {
            return Err(fault("InvalidDiskId.NotFound"));
        };
        if self.performance_control_options.is_some() {
            return Err(fault("InvalidPerformanceParameter.DiskNotInDedicatedStorageCluster"));
        }
        may_be_modified(tx, &found).await?;
        let disk = &found.disk;
        let spec = self.spec_of(disk)?;
        // Effect: nobody touches the disk until the task ends
        let task = Task {
            task_id: tx.new_id(IdKind::Task, &disk.region_id),
            account_id: disk.account_id.clone(),
            region_id: disk.region_id.clone(),
            task_action: MODIFY_SPEC.to_owned(),
            task_status: "Processing".to_owned(),
            resource_id: disk.disk_id.clone(),
            creation_time: tx.now,
            finish_time: tx.now.plus_millis(tx.config().lifecycle.modify_disk_spec_ms.into()),
        };
        tasks::insert(tx, &task).await?;
        changes::plan_spec(tx, &task.task_id, &spec).await?;
        row_locks::hold(tx, &disk.disk_id, &task.task_id, Mode::Exclusive).await?;
        Ok(Modifying { task_id: task.task_id })
    }
}

impl PerformanceControlOptions {
    fn check(&self) -> Result<(), Fault> {
        let malformed = |name: &str| Err(fault(MALFORMED_OPTIONS).with(name));
        match self {
            Self { recover: Some(what), .. } if what != "All" => malformed("Recover"),
            Self { iops: Some(iops), .. } if *iops < LEAST_IOPS || iops % IOPS_STEP != 0 => malformed("IOPS"),
            Self { throughput: Some(throughput), .. } if *throughput < LEAST_THROUGHPUT => malformed("Throughput"),
            Self { recover: None, iops: None, throughput: None } => malformed("PerformanceControlOptions"),
            _ => Ok(()),
        }
    }
}

/// The disk is of a kind and in a state to be modified.
async fn may_be_modified(tx: &mut Tx<'_>, found: &Examined) -> Result<(), Fault> {
    check_paid(found.lock(), IN_ARREARS)?;
    let disk = &found.disk;
    if disk.is_ephemeral() {
        return Err(fault("OperationDenied"));
    }
    if !CATEGORIES.contains(&disk.category.as_str()) {
        return Err(fault("InvalidDiskCategory.NotSupported"));
    }
    if disk.multi_attach == "Enabled" {
        return Err(fault("InvalidOperation.MultiAttachDisk"));
    }
    let known = changes::spec_tasks(tx, disk).await?;
    if known.processing_of_disk > 0 {
        return Err(fault("IncorrectDiskStatus"));
    }
    if found.holds.is_held() {
        return Err(fault("Operation.Conflict"));
    }
    if !matches!(disk.status.as_str(), "In_use" | "Available") {
        return Err(fault("InvalidStatus.DiskNotReady"));
    }
    if found.unfinished_snapshots > 0 {
        return Err(fault("DiskCreatingSnapshot"));
    }
    if is_waiting_for_restart(tx, found).await? {
        return Err(fault("OperationDenied.DiskExpansionUnfinished"));
    }
    let cooling = i64::from(tx.config().lifecycle.modify_disk_spec_cooling_ms);
    if known.last_finished.is_some_and(|finished| tx.now.since(finished) < cooling) {
        return Err(fault("DiskInCoolingPeriod"));
    }
    if known.processing_of_region >= tx.config().quotas.modifying_disks {
        return Err(fault("ModifyingDiskCategoryLimitExceed"));
    }
    Ok(())
}

/// Documented: ESSD Entry becomes ESSD or AutoPL only, and nothing that is paid in advance becomes slower.
fn check_category(disk: &Disk, category: &str) -> Result<(), Fault> {
    let rank = |name: &str| CATEGORIES.iter().position(|known| *known == name);
    let is_entry = disk.category == "cloud_essd_entry";
    if is_entry && !matches!(category, "cloud_essd_entry" | "cloud_essd" | "cloud_auto") {
        return Err(fault("InvalidDiskCategory.ValueNotSupported").variant(OF_DISK));
    }
    if disk.disk_charge_type == "PrePaid" && rank(category) > rank(&disk.category) {
        return Err(fault("Downgrade.NotSupported"));
    }
    Ok(())
}

impl ModifyDiskSpec {
    fn category(&self) -> Option<&'static str> {
        spelled(self.disk_category.as_deref(), &CATEGORIES)
    }

    /// What the disk becomes.
    fn spec_of(&self, disk: &Disk) -> Result<Spec, Fault> {
        let category = self.category().unwrap_or(&disk.category);
        check_category(disk, category)?;
        let level = self.level_of(disk, category)?;
        if !sizes(category, level).contains(&disk.size) {
            return Err(match category {
                "cloud_essd" => fault("OperationDenied.PerformanceLevelNotMatch"),
                _ => fault("InvalidDiskCategory.ValueNotSupported").variant(OF_DISK),
            });
        }
        let provisioned_iops = match self.provisioned_iops {
            Some(_) if category != "cloud_auto" => return Err(fault("ProvisionedIopsForDiskCategoryUnsupported")),
            Some(iops) if !provisioned_iops(disk.size).contains(&iops) => {
                return Err(fault("InvalidProvisionedIops.LimitExceed"));
            }
            Some(iops) => Some(iops),
            None => disk.provisioned_iops.filter(|_| category == "cloud_auto"),
        };
        let spec = Spec { category: category.to_owned(), performance_level: level.to_owned(), provisioned_iops };
        let is_same = spec.category == disk.category
            && spec.performance_level == disk.performance_level
            && spec.provisioned_iops == disk.provisioned_iops;
        if is_same { Err(fault("NoChangeInDiskCategoryAndPerformanceLevel")) } else { Ok(spec) }
    }

    /// Documented: PL0 is never gone back to, and a disk that is paid in advance never goes back at all.
    fn level_of<'a>(&self, disk: &'a Disk, category: &str) -> Result<&'a str, Fault> {
        let given = spelled(self.performance_level.as_deref(), &LEVELS);
        if category != "cloud_essd" {
            return if given.is_some() { Err(fault("InvalidPerformanceLevelParam.Mismatch")) } else { Ok("") };
        }
        let was_essd = disk.category == "cloud_essd";
        let level = match given {
            Some(level) => level,
            None if was_essd => &disk.performance_level,
            None => DEFAULT_LEVEL,
        };
        if was_essd && level < disk.performance_level.as_str() {
            match (disk.disk_charge_type.as_str(), level) {
                ("PrePaid", _) => return Err(fault("Downgrade.NotSupported")),
                (_, "PL0") => return Err(fault("InvalidPerformanceLevel.TooLow")),
                _ => {}
            }
        }
        Ok(level)
    }
}
