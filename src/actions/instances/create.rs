//! CreateInstance: one instance, stopped and never started, so that its disks hold nothing to be snapshotted yet.

use serde::{Deserialize, Serialize};

use super::disk_params::{DataDisk, SystemDisk};
use super::launch::Launch;
use crate::api::action::{Action, Idempotent};
use crate::api::common::Tag;
use crate::faults::Fault;
use crate::store::row_locks::RowLocks;
use crate::store::tx::Tx;

/// Makes an instance, which StartInstance then starts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateInstance {
    image_id: Option<String>,
    image_family: Option<String>,
    instance_type: String,
    zone_id: Option<String>,
    instance_name: Option<String>,
    description: Option<String>,
    host_name: Option<String>,
    password: Option<String>,
    #[serde(default)]
    password_inherit: bool,
    user_data: Option<String>,
    io_optimized: Option<String>,
    instance_charge_type: Option<String>,
    security_group_id: Option<String>,
    #[serde(rename = "VSwitchId")]
    vswitch_id: Option<String>,
    private_ip_address: Option<String>,
    key_pair_name: Option<String>,
    #[serde(default)]
    deletion_protection: bool,
    resource_group_id: Option<String>,
    system_disk: Option<FirstDisk>,
    #[serde(default)]
    data_disk: Vec<FurtherDisk>,
    client_token: Option<String>,
    #[serde(default)]
    tag: Vec<Tag>,
    #[serde(default)]
    dry_run: bool,
}

/// `SystemDisk` of this action, which has fewer members than that of RunInstances.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FirstDisk {
    size: Option<i64>,
    category: Option<String>,
    disk_name: Option<String>,
    description: Option<String>,
    performance_level: Option<String>,
}

impl From<&FirstDisk> for SystemDisk {
    fn from(disk: &FirstDisk) -> Self {
        Self {
            size: disk.size,
            category: disk.category.clone(),
            disk_name: disk.disk_name.clone(),
            description: disk.description.clone(),
            performance_level: disk.performance_level.clone(),
            ..Self::default()
        }
    }
}

/// `DataDisk.N` of this action, likewise.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FurtherDisk {
    size: Option<i64>,
    category: Option<String>,
    disk_name: Option<String>,
    description: Option<String>,
    performance_level: Option<String>,
    encrypted: Option<bool>,
    #[serde(rename = "KMSKeyId")]
    kms_key_id: Option<String>,
    snapshot_id: Option<String>,
    device: Option<String>,
    delete_with_instance: Option<bool>,
    encrypt_algorithm: Option<String>,
}

impl From<&FurtherDisk> for DataDisk {
    fn from(disk: &FurtherDisk) -> Self {
        Self {
            size: disk.size,
            category: disk.category.clone(),
            disk_name: disk.disk_name.clone(),
            description: disk.description.clone(),
            performance_level: disk.performance_level.clone(),
            encrypted: disk.encrypted,
            kms_key_id: disk.kms_key_id.clone(),
            snapshot_id: disk.snapshot_id.clone(),
            device: disk.device.clone(),
            delete_with_instance: disk.delete_with_instance,
            encrypt_algorithm: disk.encrypt_algorithm.clone(),
            ..Self::default()
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Created {
    instance_id: String,
}

impl Action for CreateInstance {
    const NAME: &'static str = "CreateInstance";
    const MALFORMED: &'static [(&'static str, &'static str)] =
        &[("SystemDisk.Size", "InvalidSystemDiskSize"), ("DataDisk.N.Size", "InvalidDataDiskSize.ValueNotSupported")];
    type Response = Created;

    fn check(&self) -> Result<(), Fault> {
        self.launch().check()
    }

    fn row_locks(&self) -> RowLocks {
        self.launch().row_locks()
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Created, Fault> {
        let launch = self.launch();
        let planned = launch.plan(tx).await?;
        let instance = launch.make(tx, &planned, "Stopped").await?;
        Ok(Created { instance_id: instance.instance_id })
    }
}

impl Idempotent for CreateInstance {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl CreateInstance {
    fn launch(&self) -> Launch<'_> {
        Launch {
            image_id: self.image_id.as_deref(),
            image_family: self.image_family.as_deref(),
            instance_type: Some(&self.instance_type),
            zone_id: self.zone_id.as_deref(),
            instance_name: self.instance_name.as_deref(),
            description: self.description.as_deref(),
            host_name: self.host_name.as_deref(),
            password: self.password.as_deref(),
            password_inherit: self.password_inherit,
            user_data: self.user_data.as_deref(),
            io_optimized: self.io_optimized.as_deref(),
            bad_io_optimized: "InvalidIoOptimizedValue.ValueNotSupported",
            instance_charge_type: self.instance_charge_type.as_deref(),
            security_group_id: self.security_group_id.as_deref(),
            vswitch_id: self.vswitch_id.as_deref(),
            private_ip_address: self.private_ip_address.as_deref(),
            key_pair_name: self.key_pair_name.as_deref(),
            resource_group_id: self.resource_group_id.as_deref(),
            deletion_protection: self.deletion_protection,
            system_disk: self.system_disk.as_ref().map(SystemDisk::from),
            data_disk: self.data_disk.iter().map(DataDisk::from).collect(),
            tag: &self.tag,
        }
    }
}
