//! RunInstances: several instances at once, started as they are made.

use serde::{Deserialize, Serialize};

use super::disk_params::{DataDisk, SystemDisk};
use super::launch::{self, Launch};
use super::naming;
use crate::api::action::{Action, Idempotent};
use crate::api::common::Tag;
use crate::faults::{Fault, fault};
use crate::store::row_locks::RowLocks;
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;

/// Makes and starts instances.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the vendor's call has so many")]
pub struct RunInstances {
    image_id: Option<String>,
    image_family: Option<String>,
    instance_type: Option<String>,
    zone_id: Option<String>,
    instance_name: Option<String>,
    description: Option<String>,
    host_name: Option<String>,
    #[serde(default)]
    host_names: Vec<String>,
    #[serde(default)]
    unique_suffix: bool,
    password: Option<String>,
    #[serde(default)]
    password_inherit: bool,
    user_data: Option<String>,
    io_optimized: Option<String>,
    amount: Option<i64>,
    min_amount: Option<i64>,
    instance_charge_type: Option<String>,
    security_group_id: Option<String>,
    #[serde(default)]
    security_group_ids: Vec<String>,
    #[serde(rename = "VSwitchId")]
    vswitch_id: Option<String>,
    private_ip_address: Option<String>,
    key_pair_name: Option<String>,
    #[serde(default)]
    deletion_protection: bool,
    resource_group_id: Option<String>,
    system_disk: Option<SystemDisk>,
    #[serde(default)]
    data_disk: Vec<DataDisk>,
    client_token: Option<String>,
    #[serde(default)]
    tag: Vec<Tag>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Started {
    instance_id_sets: InstanceIdSets,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceIdSets {
    instance_id_set: Vec<String>,
}

const MOST_INSTANCES: i64 = 100;
const MOST_TAGS: usize = 20;
const LONGEST_NAME: usize = 128;
const LONGEST_HOST_NAME: usize = 64;

impl Action for RunInstances {
    const NAME: &'static str = "RunInstances";
    const MALFORMED: &'static [(&'static str, &'static str)] = &[
        ("Amount", "InvalidParam.Amount"),
        ("SystemDisk.Size", "InvalidSystemDiskSize.ValueNotSupported"),
        ("DataDisk.N.Size", "InvalidDataDiskSize.ValueNotSupported"),
    ];
    type Response = Started;

    fn check(&self) -> Result<(), Fault> {
        let amount = self.amount.unwrap_or(1);
        if !(1..=MOST_INSTANCES).contains(&amount) {
            let code = if self.dry_run { "DryRun.InvalidAmount" } else { "InvalidParam.Amount" };
            return Err(fault(code).with("The specified parameter Amount is not valid."));
        }
        if self.min_amount.is_some_and(|least| !(1..=amount).contains(&least)) {
            return Err(fault("InvalidMinAmount.Malformed"));
        }
        // One address is one instance's.
        if self.private_ip_address.is_some() && amount > 1 {
            let why = "PrivateIpAddress is the address of one instance.";
            return Err(fault("InvalidParameter.PrivateIpAddressRepeated").with(why));
        }
        if self.tag.len() > MOST_TAGS {
            return Err(fault("InvalidTagCount"));
        }
        if self.tag.iter().any(|tag| tag.key.is_none()) {
            return Err(fault("InvalidTag.Mismatch"));
        }
        self.check_names(amount)?;
        self.launch().check()
    }

    fn row_locks(&self) -> RowLocks {
        self.launch().row_locks()
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Started, Fault> {
        // Checks
        let launch = self.launch();
        let planned = launch.plan(tx).await?;
        // Effect
        let due = tx.now.plus_millis(tx.config().lifecycle.instance_start_ms.into());
        let mut instance_id_set = Vec::new();
        for index in 0..self.amount.unwrap_or(1) {
            let (instance_name, host_name) = self.names(index)?;
            let (instance_name, host_name) = (instance_name.as_deref(), host_name.as_deref());
            let named = Launch { instance_name, host_name, ..self.launch() };
            let instance = named.make(tx, &planned, "Pending").await?;
            timers::set(tx, TimerKind::InstanceFinish, &instance.instance_id, due).await?;
            instance_id_set.push(instance.instance_id);
        }
        Ok(Started { instance_id_sets: InstanceIdSets { instance_id_set } })
    }
}

impl Idempotent for RunInstances {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl RunInstances {
    fn check_names(&self, amount: i64) -> Result<(), Fault> {
        let (name, host) = (self.instance_name.as_deref(), self.host_name.as_deref());
        naming::check(name, self.unique_suffix, LONGEST_NAME, "InvalidParams.InstanceNameExceed")?;
        naming::check(host, self.unique_suffix, LONGEST_HOST_NAME, "InvalidParams.HostnameExceed")?;
        if self.host_names.is_empty() {
            return Ok(());
        }
        if host.is_some() {
            let why = "HostName and HostNames cannot be specified at the same time.";
            return Err(fault("InvalidHostname.SingleAndMultiConflict").with(why));
        }
        if i64::try_from(self.host_names.len()) != Ok(amount) {
            let why = "The number of HostNames must be that of the instances.";
            return Err(fault("InvalidHostname.SizeInvalid").with(why));
        }
        let is_malformed = |name: &String| !launch::is_host_name(name);
        if self.host_names.iter().any(is_malformed) { Err(fault("InvalidHostName.Malformed")) } else { Ok(()) }
    }

    /// Name and host name of the instance with this index.
    fn names(&self, index: i64) -> Result<(Option<String>, Option<String>), Fault> {
        let number = |name: &String| naming::nth(name, self.unique_suffix, index);
        let own = usize::try_from(index).ok().and_then(|index| self.host_names.get(index)).cloned();
        let host_name = match own {
            Some(name) => Some(name),
            None => self.host_name.as_ref().map(number).transpose()?,
        };
        Ok((self.instance_name.as_ref().map(number).transpose()?, host_name))
    }

    fn launch(&self) -> Launch<'_> {
        Launch {
            image_id: self.image_id.as_deref(),
            image_family: self.image_family.as_deref(),
            instance_type: self.instance_type.as_deref(),
            zone_id: self.zone_id.as_deref(),
            instance_name: self.instance_name.as_deref(),
            description: self.description.as_deref(),
            host_name: self.host_name.as_deref(),
            password: self.password.as_deref(),
            password_inherit: self.password_inherit,
            user_data: self.user_data.as_deref(),
            io_optimized: self.io_optimized.as_deref(),
            bad_io_optimized: "InvalidIoOptimize.ValueNotSupported",
            instance_charge_type: self.instance_charge_type.as_deref(),
            security_group_id: self
                .security_group_id
                .as_deref()
                .or(self.security_group_ids.first().map(String::as_str)),
            vswitch_id: self.vswitch_id.as_deref(),
            private_ip_address: self.private_ip_address.as_deref(),
            key_pair_name: self.key_pair_name.as_deref(),
            resource_group_id: self.resource_group_id.as_deref(),
            deletion_protection: self.deletion_protection,
            system_disk: self.system_disk.clone(),
            data_disk: self.data_disk.clone(),
            tag: &self.tag,
        }
    }
}
