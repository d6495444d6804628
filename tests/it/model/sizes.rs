//! How large disks are: ResizeDisk and its rules; never what the daemon answers.

use proptest::prelude::*;

use super::ids::Ids;
use super::moves::{Call, Nth, pick};
use super::reference::{Outcome, World};

const LARGEST_SYSTEM_DISK: i64 = 2_048;

#[derive(Clone, Copy, Debug)]
pub struct Step {
    disk: Nth,
    size: i64,
    online: bool,
}

pub fn any(world: &World) -> BoxedStrategy<Step> {
    let sizes: Vec<i64> = world.disks.iter().map(|disk| disk.size).collect();
    let disk = pick(world.disks.iter().map(|disk| disk.is_there));
    let more = prop_oneof![4 => Just(10_i64), 1 => Just(0), 1 => Just(-10), 3 => Just(450), 1 => Just(3_000)];
    let step = move |(disk, more, online): (Nth, i64, bool)| {
        let size = sizes.get(disk).copied().unwrap_or(40) + more;
        Step { disk, size, online }
    };
    (disk, more, proptest::bool::ANY).prop_map(step).boxed()
}

impl World {
    pub fn change_size(&mut self, Step { disk: nth, size, online }: Step) -> Outcome {
        let disk = self.disk(nth)?;
        if self.is_being_modified(nth) {
            return Err("LastOrderProcessing");
        }
        if self.is_disk_held(nth) {
            return Err("Operation.Conflict");
        }
        match disk.status {
            "Available" if disk.is_system => return Err("InvalidDisk.DetachedSystemDisk"),
            "Available" | "In_use" => {}
            _ => return Err("IncorrectDiskStatus"),
        }
        if self.unfinished(nth) > 0 {
            return Err("DiskCreatingSnapshot");
        }
        match self.host_status(nth) {
            None | Some("Running") => {}
            Some(_) if online => return Err("InvalidInstanceStatus.NotRunning"),
            Some("Stopped") => {}
            Some(_) => return Err("IncorrectInstanceStatus"),
        }
        if size < disk.size {
            return Err("InvalidDiskSize.TooSmall");
        }
        if size == disk.size {
            return Err("InvalidDiskSize");
        }
        if disk.is_system && size > LARGEST_SYSTEM_DISK {
            return Err("InvalidSystemDiskSize.ValueNotSupported");
        }
        let grew = (self.host_status(nth) == Some("Running") && !online).then_some(self.now);
        let disk = &mut self.disks[nth];
        (disk.size, disk.grew) = (size, grew.or(disk.grew));
        Ok(())
    }
}

pub fn call(ids: &Ids, Step { disk, size, online }: Step) -> Call {
    let kind = if online { "online" } else { "offline" };
    let params = [("DiskId", ids.disk(disk)), ("NewSize", size.to_string()), ("Type", kind.to_owned())];
    ("ResizeDisk", params.to_vec())
}
