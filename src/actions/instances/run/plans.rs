//! The disks that RunInstances makes: the system disk, those of the image, those asked for; stores nothing.

use super::{DEFAULT_CATEGORY, DEFAULT_SYSTEM_DISK, DataDisk, RunInstances, SMALLEST_SYSTEM_DISK, SystemDisk};
use crate::actions::disk_attachments::device;
use crate::actions::disks::{sizes, usable_source};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::disks::Disk;
use crate::store::images::{self, Image};
use crate::store::instances::Instance;
use crate::store::tx::Tx;

/// A disk that each instance gets.
pub struct DiskPlan {
    disk_type: &'static str,
    category: String,
    performance_level: String,
    size: i64,
    name: String,
    description: String,
    encrypted: bool,
    kms_key_id: String,
    image_id: String,
    snapshot_id: String,
    pub device: String,
    delete_with_instance: bool,
}

impl DiskPlan {
    pub fn disk_of(&self, tx: &mut Tx<'_>, instance: &Instance) -> Disk {
        let is_system = self.disk_type == "system";
        Disk {
            disk_id: tx.new_id(IdKind::Disk, &instance.region_id),
            account_id: instance.account_id.clone(),
            region_id: instance.region_id.clone(),
            zone_id: instance.zone_id.clone(),
            disk_name: self.name.clone(),
            description: self.description.clone(),
            disk_type: self.disk_type.to_owned(),
            category: self.category.clone(),
            performance_level: self.performance_level.clone(),
            size: self.size,
            status: "In_use".to_owned(),
            portable: (!is_system || instance.instance_charge_type == "PostPaid").into(),
            delete_with_instance: self.delete_with_instance.into(),
            delete_auto_snapshot: true.into(),
            enable_auto_snapshot: true.into(),
            encrypted: self.encrypted.into(),
            kms_key_id: self.kms_key_id.clone(),
            multi_attach: "Disabled".to_owned(),
            disk_charge_type: instance.instance_charge_type.clone(),
            provisioned_iops: None,
            bursting_enabled: false.into(),
            storage_set_id: String::new(),
            storage_set_partition_number: None,
            image_id: self.image_id.clone(),
            source_snapshot_id: self.snapshot_id.clone(),
            serial_number: tx.new_token(20),
            resource_group_id: instance.resource_group_id.clone(),
            ever_attached: true.into(),
            creation_time: tx.now,
            attached_time: Some(tx.now),
            detached_time: None,
            snapshots_taken: 0,
        }
    }
}

impl RunInstances {
    /// The system disk, the data disks that the image maps, then those that were asked for.
    pub async fn disk_plans(&self, tx: &mut Tx<'_>, image: &Image) -> Result<Vec<DiskPlan>, Fault> {
        let mut plans = vec![self.system_plan(image)?];
        for mapping in images::mappings_of(tx, &[&image.image_id]).await? {
            if mapping.disk_type != "data" {
                continue;
            }
            plans.push(DiskPlan {
                disk_type: "data",
                category: DEFAULT_CATEGORY.to_owned(),
                performance_level: level(DEFAULT_CATEGORY, None),
                size: mapping.size,
                name: String::new(),
                description: String::new(),
                encrypted: mapping.encrypted.into(),
                kms_key_id: String::new(),
                image_id: String::new(),
                snapshot_id: mapping.snapshot_id.unwrap_or_default(),
                device: mapping.device,
                delete_with_instance: true,
            });
        }
        for disk in &self.data_disk {
            let plan = disk.plan(tx, &plans).await?;
            plans.push(plan);
        }
        let data_disks = i64::try_from(plans.len() - 1).unwrap_or(i64::MAX);
        if data_disks > tx.config().quotas.disks_per_instance {
            return Err(fault("InstanceDiskLimitExceeded"));
        }
        Ok(plans)
    }

    fn system_plan(&self, image: &Image) -> Result<DiskPlan, Fault> {
        let default = SystemDisk::default();
        let given = self.system_disk.as_ref().unwrap_or(&default);
        let category = given.category.clone().unwrap_or_else(|| DEFAULT_CATEGORY.to_owned());
        let size = given.size.unwrap_or_else(|| image.size.max(DEFAULT_SYSTEM_DISK));
        if size < image.size {
            return Err(fault("InvalidSystemDiskSize.LessThanImageSize"));
        }
        if size < SMALLEST_SYSTEM_DISK {
            return Err(fault("InvalidSystemDiskSize.LessThanMinSize"));
        }
        let performance_level = level(&category, given.performance_level.as_deref());
        if !sizes(&category, &performance_level).contains(&size) {
            return Err(fault("InvalidSystemDiskSize.ValueNotSupported"));
        }
        Ok(DiskPlan {
            disk_type: "system",
            category,
            performance_level,
            size,
            name: given.disk_name.clone().unwrap_or_default(),
            description: given.description.clone().unwrap_or_default(),
            encrypted: given.encrypted.unwrap_or(given.kms_key_id.is_some()),
            kms_key_id: given.kms_key_id.clone().unwrap_or_default(),
            image_id: image.image_id.clone(),
            snapshot_id: String::new(),
            device: device('a'),
            delete_with_instance: true,
        })
    }
}

impl DataDisk {
    async fn plan(&self, tx: &mut Tx<'_>, others: &[DiskPlan]) -> Result<DiskPlan, Fault> {
        let source = match &self.snapshot_id {
            // The table of this action has a spelling of its own for the same refusal.
            Some(id) => Some(usable_source(tx, id).await.map_err(|refusal| match refusal.code() {
                "InvalidSnapshotId.NotFound" => fault("InvalidDataDiskSnapshotId.NotFound"),
                _ => refusal,
            })?),
            None => None,
        };
        let snapshot = source.as_ref().map(|found| &found.snapshot);
        let category = self.category.clone().unwrap_or_else(|| DEFAULT_CATEGORY.to_owned());
        let performance_level = level(&category, self.performance_level.as_deref());
        let least = snapshot.map_or(0, |snapshot| snapshot.source_disk_size);
        let size = self.size.unwrap_or(least).max(least);
        if !sizes(&category, &performance_level).contains(&size) {
            return Err(fault("InvalidDataDiskSize.ValueNotSupported"));
        }
        let is_taken = |name: &String| others.iter().any(|plan| plan.device == *name);
        let free = ('b'..='z').map(device).find(|name| !is_taken(name)).unwrap_or_default();
        let device = self.device.clone().filter(|name| !is_taken(name)).unwrap_or(free);
        let inherited = snapshot.filter(|snapshot| snapshot.encrypted.into());
        if inherited.is_some() && self.encrypted == Some(false) {
            return Err(fault("InvalidEncrypted.NotMatchSnapshot"));
        }
        let inherited_key = inherited.map(|snapshot| snapshot.kms_key_id.clone());
        Ok(DiskPlan {
            disk_type: "data",
            category,
            performance_level,
            size,
            name: self.disk_name.clone().unwrap_or_default(),
            description: self.description.clone().unwrap_or_default(),
            encrypted: inherited.is_some() || self.encrypted.unwrap_or(self.kms_key_id.is_some()),
            kms_key_id: self.kms_key_id.clone().or(inherited_key).unwrap_or_default(),
            image_id: String::new(),
            snapshot_id: self.snapshot_id.clone().unwrap_or_default(),
            device,
            delete_with_instance: self.delete_with_instance.unwrap_or(true),
        })
    }
}

fn level(category: &str, given: Option<&str>) -> String {
    if category == "cloud_essd" { given.unwrap_or("PL1").to_owned() } else { String::new() }
}
