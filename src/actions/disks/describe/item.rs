//! A disk as DescribeDisks shows it; never decides which ones.

use serde::Serialize;

use super::super::performance::{Performance, Placement};
use crate::api::common::Tags;
use crate::clock::Timestamp;
use crate::store::disks::{Attachment, Disk};
use crate::store::operation_locks::OperationLock;
use crate::store::tags::TagRow;

/// Documented for disks that are paid by use: they never expire.
const NEVER: &str = "2999-09-08T16:00Z";

/// A disk as DescribeDisks shows it. Flags are always there: Terraform reads them without asking.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the vendor's answer has so many")]
pub struct Item {
    pub(super) disk_id: String,
    pub(super) disk_name: String,
    pub(super) description: String,
    pub(super) status: String,
    #[serde(rename = "Type")]
    pub(super) disk_type: String,
    pub(super) category: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) performance_level: String,
    /// GiB.
    pub(super) size: i64,
    pub(super) region_id: String,
    pub(super) zone_id: String,
    pub(super) instance_id: String,
    pub(super) device: String,
    pub(super) image_id: String,
    pub(super) source_snapshot_id: String,
    /// The disk that it is a clone of.
    pub(super) source_disk_id: String,
    pub(super) serial_number: String,
    pub(super) product_code: &'static str,
    pub(super) disk_charge_type: String,
    pub(super) creation_time: String,
    pub(super) attached_time: String,
    pub(super) detached_time: String,
    pub(super) expired_time: &'static str,
    pub(super) portable: bool,
    pub(super) delete_with_instance: bool,
    pub(super) delete_auto_snapshot: bool,
    pub(super) enable_auto_snapshot: bool,
    pub(super) enable_automated_snapshot_policy: bool,
    pub(super) auto_snapshot_policy_id: String,
    pub(super) encrypted: bool,
    #[serde(rename = "KMSKeyId")]
    pub(super) kms_key_id: String,
    pub(super) multi_attach: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provisioned_iops: Option<i64>,
    pub(super) bursting_enabled: bool,
    pub(super) storage_set_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) storage_set_partition_number: Option<i64>,
    pub(super) resource_group_id: String,
    pub(super) mount_instance_num: usize,
    pub(super) mount_instances: MountInstances,
    pub(super) attachments: Attachments,
    pub(super) operation_locks: OperationLocks,
    #[serde(flatten)]
    pub(super) performance: Option<Performance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) placement: Option<Placement>,
    pub(super) tags: Tags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MountInstances {
    mount_instance: Vec<Attached>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attachments {
    attachment: Vec<Attached>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attached {
    instance_id: String,
    device: String,
    attached_time: String,
}

/// Those of the instances that have the disk.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OperationLocks {
    operation_lock: Vec<LockReason>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LockReason {
    lock_reason: String,
}

impl OperationLocks {
    pub fn of<'l>(locks: impl Iterator<Item = &'l OperationLock>) -> Self {
        let item = |lock: &OperationLock| LockReason { lock_reason: lock.lock_reason.clone() };
        Self { operation_lock: locks.map(item).collect() }
    }
}

impl Item {
    pub fn of(tags: Vec<TagRow>, attachments: &[Attachment], policy_id: Option<String>, row: Disk) -> Self {
        let attached = |attachment: &Attachment| Attached {
            instance_id: attachment.instance_id.clone(),
            device: attachment.device.clone(),
            attached_time: attachment.attached_time.to_seconds(),
        };
        let list = || attachments.iter().map(attached).collect::<Vec<_>>();
        // Documented: told only while In_use or Detaching, and never for a multi-attach disk.
        let is_told = row.multi_attach != "Enabled" && matches!(row.status.as_str(), "In_use" | "Detaching");
        let told = attachments.first().filter(|_| is_told);
        let time = |instant: Option<Timestamp>| instant.map(Timestamp::to_seconds).unwrap_or_default();
        Self {
            instance_id: told.map(|attachment| attachment.instance_id.clone()).unwrap_or_default(),
            device: told.map(|attachment| attachment.device.clone()).unwrap_or_default(),
            mount_instance_num: attachments.len(),
            mount_instances: MountInstances { mount_instance: list() },
            attachments: Attachments { attachment: list() },
            operation_locks: OperationLocks::default(),
            performance: None,
            placement: None,
            source_disk_id: String::new(),
            creation_time: row.creation_time.to_seconds(),
            attached_time: time(row.attached_time),
            detached_time: time(row.detached_time),
            expired_time: NEVER,
            product_code: "",
            enable_automated_snapshot_policy: policy_id.is_some(),
            auto_snapshot_policy_id: policy_id.unwrap_or_default(),
            portable: row.portable.into(),
            delete_with_instance: row.delete_with_instance.into(),
            delete_auto_snapshot: row.delete_auto_snapshot.into(),
            enable_auto_snapshot: row.enable_auto_snapshot.into(),
            encrypted: row.encrypted.into(),
            bursting_enabled: row.bursting_enabled.into(),
            disk_id: row.disk_id,
            disk_name: row.disk_name,
            description: row.description,
            status: row.status,
            disk_type: row.disk_type,
            category: row.category,
            performance_level: row.performance_level,
            size: row.size,
            region_id: row.region_id,
            zone_id: row.zone_id,
            image_id: row.image_id,
            source_snapshot_id: if row.foreign_source.into() { String::new() } else { row.source_snapshot_id },
            serial_number: row.serial_number,
            disk_charge_type: row.disk_charge_type,
            kms_key_id: row.kms_key_id,
            multi_attach: row.multi_attach,
            provisioned_iops: row.provisioned_iops,
            storage_set_id: row.storage_set_id,
            storage_set_partition_number: row.storage_set_partition_number,
            resource_group_id: row.resource_group_id,
            tags: tags.into(),
        }
    }
}
