//! What time does to disks: they are made, attached, detached and rewritten; the status tells which of these ends.

use crate::faults::Fault;
use crate::store::tx::Tx;
use crate::store::{disks, row_locks};

/// Ends what is going on with a disk and releases the locks that it held.
pub async fn finish(tx: &mut Tx<'_>, disk_id: &str) -> Result<(), Fault> {
    let Some(found) = disks::find_for_engine(tx, disk_id).await? else { return Ok(()) };
    let disk = &found.disk;
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
