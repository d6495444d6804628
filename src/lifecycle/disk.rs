//! What time does to disks: they are made, attached, detached and rewritten; the status tells which of these ends.

use super::ending;
use crate::faults::Fault;
use crate::store::disks::changes;
use crate::store::tasks::Task;
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use crate::store::{disks, row_locks};

/// Ends what is going on with a disk and releases the locks that it held.
pub async fn finish(tx: &mut Tx<'_>, disk_id: &str) -> Result<(), Fault> {
    let Some(found) = disks::find_for_engine(tx, disk_id).await? else { return Ok(()) };
    let disk = &found.disk;
    let began = match disk.status.as_str() {
        "Creating" => "CreateDisk",
        "Attaching" => "AttachDisk",
        "Detaching" => "DetachDisk",
        "ReIniting" => "ReInitDisk",
        _ => "ResetDisk",
    };
    if ending::is_withheld(tx, began, &disk.account_id, disk_id) {
        return timers::hold_back(tx, TimerKind::DiskFinish, disk_id).await;
    }
    let (status, event) = match disk.status.as_str() {
        "Creating" if found.attachments == 0 => ("Available", "Disk:CreateDiskCompleted"),
        "Creating" => ("In_use", "Disk:CreateDiskCompleted"),
        "Attaching" => ("In_use", "Disk:AttachDiskCompleted"),
        "Detaching" => ("Available", "Disk:DetachDiskCompleted"),
        "ReIniting" => ("In_use", "Disk:ReInitDiskCompleted"),
        unchanged => (unchanged, "Disk:ResetDiskCompleted"),
    };
    if let ("Detaching", Some(instance_id)) = (disk.status.as_str(), &found.instance_id) {
        disks::detach(tx, disk_id, instance_id).await?;
    }
    disks::set_status(tx, disk, status, event).await?;
    row_locks::release(tx, disk_id).await
}

/// What a task of ModifyDiskSpec was for comes true.
pub async fn change_spec(tx: &mut Tx<'_>, task: &Task) -> Result<(), Fault> {
    let Some(spec) = changes::planned_spec(tx, &task.task_id).await? else { return Ok(()) };
    let Some(found) = disks::find_for_engine(tx, &task.resource_id).await? else { return Ok(()) };
    let mut disk = found.disk;
    // Bursting belongs to a category, and not to the disk.
    if spec.category != disk.category {
        disk.bursting_enabled = false.into();
    }
    (disk.category, disk.performance_level) = (spec.category, spec.performance_level);
    disk.provisioned_iops = spec.provisioned_iops;
    disks::update(tx, &disk, "Disk:ModifyDiskSpecCompleted").await
}
