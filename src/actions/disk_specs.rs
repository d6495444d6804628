//! How large, how fast and how paid for a disk is: ResizeDisk, ModifyDiskChargeType, and ModifyDiskSpec in `modify`; no SQL.

mod modify;

use serde::{Deserialize, Serialize};

use crate::actions::disks::sizes;
use crate::api::action::{Action, Entry, Idempotent, write, write_once};
use crate::api::common::{Empty, check_kms_key, check_one_of, check_unlocked_and_paid, spelled};
use crate::faults::{Fault, fault};
use crate::store::disks::changes::{self, History};
use crate::store::disks::{self, Disk, Examined};
use crate::store::row_locks::{Mode, RowLocks};
use crate::store::tx::Tx;
use crate::store::{images, instances};
use crate::wire::params::JsonList;
use modify::ModifyDiskSpec;

pub static ACTIONS: [Entry; 3] =
    [write_once::<ResizeDisk>(), write::<ModifyDiskSpec>(), write_once::<ModifyDiskChargeType>()];

/// Makes a disk larger; what is on it does not notice until its partitions are grown.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResizeDisk {
    disk_id: String,
    new_size: i64,
    #[serde(rename = "Type")]
    resize_type: Option<String>,
    client_token: Option<String>,
}

/// What NewSize can be at all.
const NEW_SIZES: std::ops::RangeInclusive<i64> = 1..=65_536;
/// Systems whose disk cannot grow under them (decision 72).
const FIXED_PLATFORMS: [&str; 2] = ["FreeBSD", "CoreOS"];

impl Action for ResizeDisk {
    const NAME: &'static str = "ResizeDisk";
    const MISSING: &'static [(&'static str, &'static str)] =
        &[("DiskId", "IncompleteParamter"), ("NewSize", "IncompleteParamter")];
    const MALFORMED: &'static [(&'static str, &'static str)] = &[("NewSize", "InvalidDataDiskSize.ValueNotSupported")];
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        check_one_of(self.resize_type.as_deref(), &["offline", "online"], "InvalidParam.Type")?;
        let is_size = NEW_SIZES.contains(&self.new_size);
        if is_size { Ok(()) } else { Err(fault("InvalidDataDiskSize.ValueNotSupported")) }
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.disk_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(found) = disks::find(tx, &self.disk_id).await? else {
            return Err(fault("InvalidDiskId.NotFound"));
        };
        self.may_be_resized(tx, &found).await?;
        self.check_size(tx, &found.disk).await?;
        check_kms_key(tx, &found.disk.kms_key_id)?;
        // Effect: the size is the new one at once, the instance sees it online or after a restart
        let is_running = found.instance_status.as_deref() == Some("Running");
        let mut disk = found.disk;
        disk.size = self.new_size;
        disks::update(tx, &disk, "Disk:ResizeDiskCompleted").await?;
        if is_running && !self.is_online() {
            let history = changes::history(tx, &disk.disk_id).await?;
            let history = History { expanded_at: Some(tx.now), ..history };
            changes::set_history(tx, &disk.disk_id, &history).await?;
        }
        Ok(Empty {})
    }
}

impl Idempotent for ResizeDisk {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl ResizeDisk {
    fn is_online(&self) -> bool {
        spelled(self.resize_type.as_deref(), &["online"]).is_some()
    }

    /// The disk and its instance are in a state for it.
    async fn may_be_resized(&self, tx: &mut Tx<'_>, found: &Examined) -> Result<(), Fault> {
        check_unlocked_and_paid(found.lock())?;
        let disk = &found.disk;
        // Documented: ephemeral disks grow under a running instance, the oldest category only under a stopped one.
        if disk.is_ephemeral() && !self.is_online() {
            return Err(fault("OperationDenied"));
        }
        if disk.category == "cloud" && self.is_online() {
            return Err(fault("InvalidDiskCategory.NotSupported"));
        }
        if disk.multi_attach == "Enabled" && self.is_online() {
            return Err(fault("InvalidOperation.MultiAttachDiskNotSupportResizeOnline"));
        }
        if changes::spec_tasks(tx, disk).await?.processing_of_disk > 0 {
            return Err(fault("LastOrderProcessing"));
        }
        if found.holds.is_held() {
            return Err(fault("Operation.Conflict"));
        }
        match disk.status.as_str() {
            "Available" if disk.is_system() => return Err(fault("InvalidDisk.DetachedSystemDisk")),
            "Available" | "In_use" => {}
            _ => return Err(fault("IncorrectDiskStatus")),
        }
        if found.unfinished_snapshots > 0 {
            return Err(fault("DiskCreatingSnapshot"));
        }
        match found.instance_status.as_deref() {
            None | Some("Running") => Ok(()),
            Some(_) if self.is_online() => Err(fault("InvalidInstanceStatus.NotRunning")),
            Some("Stopped") => Ok(()),
            Some(_) => Err(fault("IncorrectInstanceStatus")),
        }
    }

    /// The size is larger than the present one and within what the disk can have.
    async fn check_size(&self, tx: &mut Tx<'_>, disk: &Disk) -> Result<(), Fault> {
        if self.new_size < disk.size {
            return Err(fault("InvalidDiskSize.TooSmall"));
        }
        if self.new_size == disk.size {
            return Err(fault("InvalidDiskSize"));
        }
        if !disk.is_system() {
            let is_allowed = self.new_size <= *sizes(&disk.category, &disk.performance_level).end();
            return if is_allowed { Ok(()) } else { Err(fault("InvalidDiskSize.TooLarge")) };
        }
        if self.new_size > largest_system_disk(&disk.category) {
            let why = "The specified NewSize is beyond the permitted range of a system disk.";
            return Err(fault("InvalidSystemDiskSize.ValueNotSupported").with(why));
        }
        let image = images::find(tx, &disk.image_id).await?;
        let is_fixed = image.is_some_and(|found| !can_grow(&found.image.platform));
        if is_fixed { Err(fault("InvalidSystemDiskSize.ImageNotSupportResize")) } else { Ok(()) }
    }
}

/// GiB that a system disk of a category can have, as documented.
#[must_use]
pub fn largest_system_disk(category: &str) -> i64 {
    if category == "cloud" { 500 } else { 2_048 }
}

/// Whether a system of this platform lives with a larger disk than its image has.
#[must_use]
pub fn can_grow(platform: &str) -> bool {
    !FIXED_PLATFORMS.contains(&platform)
}

/// Whether the instance of a disk that grew offline has not been started anew since.
async fn is_waiting_for_restart(tx: &mut Tx<'_>, found: &Examined) -> Result<bool, Fault> {
    let Some(expanded_at) = changes::history(tx, &found.disk.disk_id).await?.expanded_at else { return Ok(false) };
    let Some(instance_id) = &found.instance_id else { return Ok(false) };
    let instance = instances::find(tx, instance_id).await?.map(|found| found.instance);
    Ok(instance.is_some_and(|instance| {
        instance.status == "Running" && instance.start_time.is_none_or(|start| start < expanded_at)
    }))
}

/// Changes how data disks of an instance are paid for: all or none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyDiskChargeType {
    instance_id: String,
    disk_ids: JsonList<String>,
    disk_charge_type: Option<String>,
    #[serde(default)]
    auto_pay: Option<bool>,
    client_token: Option<String>,
}

const CHARGE_TYPES: [&str; 2] = ["PrePaid", "PostPaid"];
const MOST_DISKS: usize = 16;
/// Documented: how long after a change the next one has to wait.
const CHARGE_COOLING_MS: i64 = 5 * 60 * 1_000;

impl Action for ModifyDiskChargeType {
    const NAME: &'static str = "ModifyDiskChargeType";
    const MALFORMED: &'static [(&'static str, &'static str)] = &[("DiskIds", "InvalidDiskIds.ValueNotSupported")];
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        check_one_of(self.disk_charge_type.as_deref(), &CHARGE_TYPES, "InvalidDiskChargeType.ValueNotSupported")?;
        let is_count = (1..=MOST_DISKS).contains(&self.disk_ids.0.len());
        if is_count { Ok(()) } else { Err(fault("InvalidDiskIds.ValueNotSupported")) }
    }

    fn row_locks(&self) -> RowLocks {
        self.disk_ids.0.iter().fold(RowLocks::none(), |locks, id| locks.and(id, Mode::Exclusive))
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let Some(found) = instances::find(tx, &self.instance_id).await? else {
            return Err(fault("InvalidInstanceId.NotFound"));
        };
        if found.instance.instance_charge_type != "PrePaid" {
            return Err(fault("ChargeTypeViolation"));
        }
        let mut changed = Vec::new();
        for disk_id in &self.disk_ids.0 {
            let Some(found) = disks::find(tx, disk_id).await? else {
                return Err(fault("InvalidDiskId.NotFound"));
            };
            let history = changes::history(tx, disk_id).await?;
            self.may_be_changed(tx, &found, &history)?;
            changed.push((found.disk, history));
        }
        // Effect
        for (mut disk, history) in changed {
            if disk.disk_charge_type == self.charge_type() {
                continue;
            }
            self.charge_type().clone_into(&mut disk.disk_charge_type);
            // Documented: what is paid in advance stays with its instance.
            disk.portable = (self.charge_type() == "PostPaid").into();
            disks::update(tx, &disk, "Disk:ModifyDiskChargeTypeCompleted").await?;
            let history = History { charge_type_changed_at: Some(tx.now), ..history };
            changes::set_history(tx, &disk.disk_id, &history).await?;
        }
        Ok(Empty {})
    }
}

impl Idempotent for ModifyDiskChargeType {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl ModifyDiskChargeType {
    fn charge_type(&self) -> &'static str {
        spelled(self.disk_charge_type.as_deref(), &CHARGE_TYPES).unwrap_or("PrePaid")
    }

    fn may_be_changed(&self, tx: &Tx<'_>, found: &Examined, history: &History) -> Result<(), Fault> {
        let disk = &found.disk;
        if disk.is_system() {
            return Err(fault("DiskTypeViolation"));
        }
        if disk.multi_attach == "Enabled" {
            return Err(fault("InvalidOperation.MultiAttachDisk"));
        }
        if found.instance_id.as_deref() != Some(&self.instance_id) {
            return Err(fault("DependencyViolation"));
        }
        if disk.status != "In_use" {
            return Err(fault("IncorrectDiskStatus"));
        }
        if found.holds.is_held() {
            return Err(fault("Operation.Conflict"));
        }
        if history.charge_type_changed_at.is_some_and(|changed| tx.now.since(changed) < CHARGE_COOLING_MS) {
            return Err(fault("DiskInCoolingPeriod"));
        }
        Ok(())
    }
}
