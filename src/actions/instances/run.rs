//! RunInstances: stubs with their system and data disks; everything about network, stock and price is taken as given.

mod plans;

use serde::{Deserialize, Serialize};

use crate::api::action::{Action, Idempotent};
use crate::api::common::{Tag, check_given, check_one_of, check_tag_quota, is_description, is_name, tags_to_set};
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::disks;
use crate::store::images::{self, Image};
use crate::store::instances::{self, Instance};
use crate::store::policy_associations;
use crate::store::row_locks::{Mode, RowLocks};
use crate::store::tags::{self, ResourceType, Tagged};
use crate::store::timers::{self, TimerKind};
use crate::store::tx::Tx;
use plans::{DataDisk, SystemDisk};
pub use plans::{encryption, inherited_key};

/// Makes and starts instances.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunInstances {
    image_id: Option<String>,
    image_family: Option<String>,
    instance_type: Option<String>,
    zone_id: Option<String>,
    instance_name: Option<String>,
    description: Option<String>,
    host_name: Option<String>,
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
            return Err(fault("InvalidParam.Amount").with("The specified parameter Amount is not valid."));
        }
        if self.min_amount.is_some_and(|least| !(1..=amount).contains(&least)) {
            return Err(fault("InvalidMinAmount.Malformed"));
        }
        match (&self.image_id, &self.image_family) {
            (Some(_), Some(_)) => return Err(fault("UnexpectedImageFamily.ImageIdSupplied")),
            (None, None) => return Err(Fault::missing("ImageId")),
            _ => {}
        }
        check_given(self.instance_name.as_deref(), is_instance_name, "InvalidInstanceName.Malformed")?;
        check_given(self.description.as_deref(), is_description, "InvalidDescription.Malformed")?;
        let charges = ["prepaid", "postpaid"];
        check_one_of(self.instance_charge_type.as_deref(), &charges, "InvalidParameter")
            .map_err(|_| Fault::invalid("InstanceChargeType"))?;
        plans::check(self.system_disk.as_ref(), &self.data_disk)?;
        tags_to_set(&self.tag).map(drop)
    }

    fn row_locks(&self) -> RowLocks {
        let sources = self.data_disk.iter().filter_map(DataDisk::source);
        sources.fold(RowLocks::none(), |locks, id| locks.and(id, Mode::Shared))
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Started, Fault> {
        // Checks
        let image = self.image(tx).await?;
        let region = tx.region_of(Some(image.region_id.as_str()).filter(|_| !image.is_public()));
        let zone_id = match &self.zone_id {
            Some(zone) if region.has_zone(zone) => zone.clone(),
            Some(_) => return Err(fault("InvalidZoneId.NotFound")),
            None => region.zones().next().unwrap_or_default(),
        };
        let tags = tags_to_set(&self.tag)?;
        check_tag_quota(tx, tags.len())?;
        let plans = plans::of(tx, (region.id, &image), self.system_disk.as_ref(), &self.data_disk).await?;
        // Effect
        let mut ids = Vec::new();
        for _ in 0..self.amount.unwrap_or(1) {
            let instance = self.instance_of(tx, region.id, &zone_id, &image);
            instances::insert(tx, &instance).await?;
            let tagged = Tagged::new(ResourceType::Instance, instance.subject(), instance.creation_time);
            tags::set(tx, &tagged, &tags).await?;
            for plan in &plans {
                let disk = plan.disk_of(tx, &instance);
                disks::insert(tx, &disk).await?;
                disks::attach(tx, &disk.disk_id, &instance.instance_id, &plan.device).await?;
                let tagged = Tagged::new(ResourceType::Disk, disk.subject(), disk.creation_time);
                tags::set(tx, &tagged, &tags).await?;
                if let Some(policy_id) = &plan.auto_snapshot_policy_id {
                    policy_associations::apply(tx, policy_id, &disk).await?;
                }
            }
            let due = tx.now.plus_millis(tx.config().lifecycle.instance_start_ms.into());
            timers::set(tx, TimerKind::InstanceFinish, &instance.instance_id, due).await?;
            ids.push(instance.instance_id);
        }
        Ok(Started { instance_id_sets: InstanceIdSets { instance_id_set: ids } })
    }
}

/// The host name of an instance that was given none.
#[must_use]
pub fn default_host_name(instance_id: &str) -> String {
    instance_id.replace('-', "") + "Z"
}

impl Idempotent for RunInstances {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl RunInstances {
    async fn image(&self, tx: &mut Tx<'_>) -> Result<Image, Fault> {
        let found = match (&self.image_id, &self.image_family) {
            (Some(id), _) => images::find(tx, id).await?.map(|found| found.image),
            (None, Some(family)) => match images::newest_of_family(tx, family).await? {
                None => return Err(fault("InvalidImageFamily.MissingAvailableImage")),
                found => found,
            },
            (None, None) => None,
        };
        let image = found.ok_or_else(|| fault("InvalidImageId.NotFound"))?;
        if image.status == "Available" { Ok(image) } else { Err(fault("IncorrectImageStatus")) }
    }

    fn instance_of(&self, tx: &mut Tx<'_>, region_id: &str, zone_id: &str, image: &Image) -> Instance {
        let instance_id = tx.new_id(IdKind::Instance, region_id);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let charge = self.instance_charge_type.as_deref().unwrap_or("PostPaid");
        let is_prepaid = charge.eq_ignore_ascii_case("PrePaid");
        Instance {
            instance_name: self.instance_name.clone().unwrap_or_else(|| instance_id.clone()),
            host_name: self.host_name.clone().unwrap_or_else(|| default_host_name(&instance_id)),
            instance_id,
            account_id: tx.account_id().to_owned(),
            region_id: region_id.to_owned(),
            zone_id: zone_id.to_owned(),
            description: text(&self.description),
            instance_type: self.instance_type.clone().unwrap_or_else(|| "ecs.g7.large".to_owned()),
            image_id: image.image_id.clone(),
            status: "Pending".to_owned(),
            started_once: false.into(),
            deletion_protection: self.deletion_protection.into(),
            instance_charge_type: if is_prepaid { "PrePaid" } else { "PostPaid" }.to_owned(),
            stopped_mode: "Not-applicable".to_owned(),
            security_group_id: self
                .security_group_id
                .clone()
                .or_else(|| self.security_group_ids.first().cloned())
                .unwrap_or_default(),
            vpc_id: self.vswitch_id.as_ref().map(|id| id.replacen("vsw-", "vpc-", 1)).unwrap_or_default(),
            vswitch_id: text(&self.vswitch_id),
            private_ip_address: text(&self.private_ip_address),
            key_pair_name: text(&self.key_pair_name),
            resource_group_id: text(&self.resource_group_id),
            creation_time: tx.now,
            start_time: None,
        }
    }
}

/// As a resource name, with the brackets that number several instances.
fn is_instance_name(name: &str) -> bool {
    is_name(&name.replace(['[', ']', ','], "-"))
}
