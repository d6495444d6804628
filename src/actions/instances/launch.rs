//! What RunInstances and CreateInstance have in common: parameters checked, image, zone and disks found, one instance made.

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::address;
use super::describe::nominal;
use super::disk_params::{self, DataDisk, SystemDisk};
use super::plans::{self, DiskPlan};
use crate::api::common::{
    Tag, check_balance, check_given, check_one_of, check_tag_quota, is_description, is_name, is_resource_group,
    tags_to_set,
};
use crate::api::older::check_lifted;
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::disks;
use crate::store::images::{self, Image};
use crate::store::instances::{self, Instance};
use crate::store::policy_associations;
use crate::store::row_locks::{Mode, RowLocks};
use crate::store::tags::{self, ResourceType, Tagged};
use crate::store::tx::Tx;

/// The parameters of both actions.
#[derive(Debug, Default)]
pub struct Launch<'a> {
    pub image_id: Option<&'a str>,
    pub image_family: Option<&'a str>,
    pub instance_type: Option<&'a str>,
    pub zone_id: Option<&'a str>,
    pub instance_name: Option<&'a str>,
    pub description: Option<&'a str>,
    pub host_name: Option<&'a str>,
    pub password: Option<&'a str>,
    pub password_inherit: bool,
    pub user_data: Option<&'a str>,
    pub io_optimized: Option<&'a str>,
    pub instance_charge_type: Option<&'a str>,
    pub security_group_id: Option<&'a str>,
    pub vswitch_id: Option<&'a str>,
    pub private_ip_address: Option<&'a str>,
    pub key_pair_name: Option<&'a str>,
    pub resource_group_id: Option<&'a str>,
    pub deletion_protection: bool,
    pub system_disk: Option<SystemDisk>,
    pub data_disk: Vec<DataDisk>,
    pub tag: &'a [Tag],
    /// The action's code for a value of IoOptimized that is none.
    pub bad_io_optimized: &'static str,
}

/// All that has to be known before anything is made.
pub struct Planned {
    image: Image,
    pub region_id: &'static str,
    zone_id: String,
    tags: Vec<(String, String)>,
    disks: Vec<DiskPlan>,
}

const MOST_USER_DATA: usize = 32 * 1_024;

impl Launch<'_> {
    /// Refuses values that are wrong whatever is stored.
    ///
    /// # Errors
    /// The documented code of the parameter.
    pub fn check(&self) -> Result<(), Fault> {
        match (self.image_id, self.image_family) {
            (Some(_), Some(_)) => return Err(fault("UnexpectedImageFamily.ImageIdSupplied")),
            (None, None) => return Err(Fault::missing("ImageId")),
            _ => {}
        }
        check_given(self.instance_type, is_instance_type, "InvalidInstanceType.ValueNotSupported")?;
        check_given(self.instance_name, is_instance_name, "InvalidInstanceName.Malformed")?;
        check_given(self.description, is_description, "InvalidDescription.Malformed")?;
        check_given(self.host_name, is_host_name, "InvalidHostName.Malformed")?;
        check_given(self.password, is_password, "InvalidPassword.Malformed")?;
        if self.password.is_some() && self.password_inherit {
            return Err(fault("InvalidPasswordParam.Mismatch"));
        }
        check_given(self.user_data, |text| STANDARD.decode(text).is_ok(), "InvalidUserData.Base64FormatInvalid")?;
        check_given(self.user_data, |text| text.len() <= MOST_USER_DATA, "InvalidUserData.SizeExceeded")?;
        check_one_of(self.io_optimized, &["none", "optimized"], self.bad_io_optimized)?;
        let is_address = |text: &str| text.parse::<Ipv4Addr>().is_ok();
        check_given(self.private_ip_address, is_address, "InvalidPrivateIpAddress.Malformed")?;
        let charges = ["prepaid", "postpaid"];
        check_one_of(self.instance_charge_type, &charges, "InvalidInstanceChargeType.NotFound")?;
        check_given(self.resource_group_id, is_resource_group, "InvalidResourceGroup.NotFound")?;
        if self.deletion_protection && self.is_prepaid() {
            return Err(fault("InvalidChargeType.ValueNotSupported"));
        }
        disk_params::check(self.system_disk.as_ref(), &self.data_disk)?;
        if self.io_optimized == Some("none") && disk_params::has_key(self.system_disk.as_ref(), &self.data_disk) {
            return Err(fault("IoOptimized.NotSupported"));
        }
        if self.io_optimized == Some("none") && !self.instance_type.is_some_and(is_of_first_generation) {
            return Err(fault("DependencyViolation.IoOptimized"));
        }
        tags_to_set(self.tag).map(drop)
    }

    /// The snapshots that data disks are to be made from.
    #[must_use]
    pub fn row_locks(&self) -> RowLocks {
        let sources = self.data_disk.iter().filter_map(DataDisk::source);
        sources.fold(RowLocks::none(), |locks, id| locks.and(id, Mode::Shared))
    }

    /// Finds all that an instance needs and changes nothing.
    ///
    /// # Errors
    /// The documented codes of images, zones, snapshots, disks, tags and addresses.
    pub async fn plan(&self, tx: &mut Tx<'_>) -> Result<Planned, Fault> {
        check_balance(tx)?;
        let image = self.image(tx).await?;
        let region = tx.region_of(Some(image.region_id.as_str()).filter(|_| !image.is_public()));
        let zone_id = match self.zone_id {
            Some(zone) if region.has_zone(zone) => zone.to_owned(),
            Some(_) => return Err(fault("InvalidZoneId.NotFound")),
            None => region.zones().next().unwrap_or_default(),
        };
        check_key_pair(self.key_pair_name, &image)?;
        if self.instance_type.is_some_and(|name| is_arm(name) != (image.architecture == "arm64")) {
            return Err(fault("ImageNotSupportInstanceType"));
        }
        let tags = tags_to_set(self.tag)?;
        check_tag_quota(tx, tags.len())?;
        if let Some(address) = self.private_ip_address
            && instances::has_address(tx, region.id, address).await?
        {
            return Err(fault("InvalidPrivateIpAddress.Duplicated"));
        }
        let disks = plans::of(tx, (region.id, &image), self.system_disk.as_ref(), &self.data_disk).await?;
        let (_, memory) = self.instance_type.map_or((0, 0), nominal);
        let is_below_memory = plans::has_system_disk_below(&disks, memory / 1_024);
        check_lifted(tx, is_below_memory, "InvalidSystemDiskSize.LessThanMemSize")?;
        Ok(Planned { image, region_id: region.id, zone_id, tags, disks })
    }

    async fn image(&self, tx: &mut Tx<'_>) -> Result<Image, Fault> {
        let found = match (self.image_id, self.image_family) {
            (Some(id), _) => images::find(tx, id).await?.map(|found| found.image),
            (None, Some(family)) => match images::newest_of_family(tx, family).await? {
                None => return Err(fault("InvalidImageFamily.MissingAvailableImage")),
                found => found,
            },
            (None, None) => None,
        };
        let image = found.ok_or_else(|| fault("InvalidImageId.NotFound"))?;
        match image.status.as_str() {
            "Available" => Ok(image),
            "Deprecated" | "UnAvailable" => Err(fault("OperationDenied.ImageNotValid")),
            _ => Err(fault("IncorrectImageStatus")),
        }
    }

    fn is_prepaid(&self) -> bool {
        self.instance_charge_type.is_some_and(|charge| charge.eq_ignore_ascii_case("PrePaid"))
    }

    /// Makes one instance with its disks, in this status.
    ///
    /// # Errors
    /// 500 `InternalError` when the database fails.
    pub async fn make(&self, tx: &mut Tx<'_>, planned: &Planned, status: &str) -> Result<Instance, Fault> {
        let instance_id = tx.new_id(IdKind::Instance, planned.region_id);
        let address = match self.private_ip_address {
            Some(address) => address.to_owned(),
            None => address::free(tx, planned.region_id, &instance_id).await?,
        };
        let instance = self.instance_of(tx, planned, instance_id, address, status);
        instances::insert(tx, &instance).await?;
        let tagged = Tagged::new(ResourceType::Instance, instance.subject(), instance.creation_time);
        tags::set(tx, &tagged, &planned.tags).await?;
        for plan in &planned.disks {
            let disk = plan.disk_of(tx, &instance);
            disks::insert(tx, &disk).await?;
            disks::attach(tx, &disk.disk_id, &instance.instance_id, &plan.device).await?;
            let tagged = Tagged::new(ResourceType::Disk, disk.subject(), disk.creation_time);
            tags::set(tx, &tagged, &planned.tags).await?;
            if let Some(policy_id) = &plan.auto_snapshot_policy_id {
                policy_associations::apply(tx, policy_id, &disk).await?;
            }
        }
        Ok(instance)
    }

    fn instance_of(
        &self,
        tx: &Tx<'_>,
        planned: &Planned,
        instance_id: String,
        private_ip_address: String,
        status: &str,
    ) -> Instance {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let default_type = if planned.image.architecture == "arm64" { "ecs.g8y.large" } else { "ecs.g7.large" };
        Instance {
            instance_name: self.instance_name.map_or_else(|| instance_id.clone(), str::to_owned),
            host_name: self.host_name.map_or_else(|| default_host_name(&instance_id), str::to_owned),
            instance_id,
            account_id: tx.account_id().to_owned(),
            region_id: planned.region_id.to_owned(),
            zone_id: planned.zone_id.clone(),
            description: text(self.description),
            instance_type: self.instance_type.unwrap_or(default_type).to_owned(),
            image_id: planned.image.image_id.clone(),
            status: status.to_owned(),
            started_once: false.into(),
            deletion_protection: self.deletion_protection.into(),
            instance_charge_type: if self.is_prepaid() { "PrePaid" } else { "PostPaid" }.to_owned(),
            stopped_mode: if status == "Stopped" { "KeepCharging" } else { "Not-applicable" }.to_owned(),
            security_group_id: text(self.security_group_id),
            vpc_id: self.vswitch_id.map(|id| id.replacen("vsw-", "vpc-", 1)).unwrap_or_default(),
            vswitch_id: text(self.vswitch_id),
            private_ip_address,
            key_pair_name: text(self.key_pair_name),
            resource_group_id: text(self.resource_group_id),
            creation_time: tx.now,
            start_time: None,
        }
    }
}

/// As a resource name, with the brackets that number several instances.
fn is_instance_name(name: &str) -> bool {
    is_name(&name.replace(['[', ']', ','], "-"))
}

/// `ecs.g7.large`: family and size, both of letters, digits and dashes.
fn is_instance_type(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let mut parts = name.split('.');
    parts.next() == Some("ecs") && (2..=3).contains(&parts.clone().count()) && parts.all(is_part)
}

/// Documented: all later families are I/O optimized, with no choice.
fn is_of_first_generation(instance_type: &str) -> bool {
    let family = instance_type.split('.').nth(1).unwrap_or_default();
    ["t1", "s1", "s2", "s3", "m1", "m2", "c1", "c2"].contains(&family)
}

/// Families with ARM processors end in `r` or `y` behind their generation: `g6r`, `c8y`.
#[must_use]
pub fn is_arm(instance_type: &str) -> bool {
    let family = instance_type.split('.').nth(1).unwrap_or_default();
    let (generation, last) = family.split_at(family.len().saturating_sub(1));
    matches!(last, "r" | "y") && generation.ends_with(|c: char| c.is_ascii_digit())
}

/// The host name of an instance that was given none.
#[must_use]
pub fn default_host_name(instance_id: &str) -> String {
    instance_id.replace('-', "") + "Z"
}

/// Letters, digits, dots and dashes, 2 to 64 of them; neither dot nor dash at an end or twice in a row.
#[must_use]
pub fn is_host_name(name: &str) -> bool {
    let is_mark = |b: u8| matches!(b, b'.' | b'-');
    let is_doubled = name.as_bytes().windows(2).any(|pair| pair.iter().all(|b| is_mark(*b)));
    (2..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || is_mark(b) || matches!(b, b'[' | b']' | b',' | b'_'))
        && !name.starts_with(['.', '-'])
        && !name.ends_with(['.', '-'])
        && !is_doubled
}

/// Windows has no key pairs.
///
/// # Errors
/// 403 `DependencyViolation.WindowsInstance`.
pub fn check_key_pair(key_pair_name: Option<&str>, image: &Image) -> Result<(), Fault> {
    let is_wrong = key_pair_name.is_some() && image.os_type == "windows";
    if is_wrong { Err(fault("DependencyViolation.WindowsInstance")) } else { Ok(()) }
}

/// Whether this may be the password of an instance: 8 to 30 characters of at least three of four kinds.
#[must_use]
pub fn is_password(text: &str) -> bool {
    let kinds: [fn(&u8) -> bool; 4] =
        [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit, u8::is_ascii_punctuation];
    let used = kinds.iter().filter(|kind| text.bytes().any(|b| kind(&b))).count();
    (8..=30).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) && used >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_names_and_passwords_follow_their_rules() {
        for (name, is_type) in
            [("ecs.g7.large", true), ("ecs.t5-lc1m1.small", true), ("g7.large", false), ("ecs..x", false)]
        {
            assert_eq!(is_instance_type(name), is_type, "{name}");
        }
        assert_eq!(
            ["ecs.g6r.large", "ecs.c8y.xlarge", "ecs.g7.large", "ecs.hfc7.large"].map(is_arm),
            [true, true, false, false]
        );
        for (name, is_fine) in [("web-01", true), ("a.b", true), ("-a", false), ("a--b", false), ("a", false)] {
            assert_eq!(is_host_name(name), is_fine, "{name}");
        }
        assert_eq!(["Passw0rd", "password", "P4ss"].map(is_password), [true, false, false]);
    }
}
