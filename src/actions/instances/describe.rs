//! DescribeInstances: its filters, pages and what it shows of an instance, which is a stub.

use serde::{Deserialize, Serialize};

use crate::api::action::Action;
use crate::api::common::{KeyValue, PageLimits, Paging, Tag, Tags, check_one_of, spelled, tags_to_match};
use crate::api::describe::{self, CREATION, check_filters, narrow_by_creation};
use crate::clock::Timestamp;
use crate::faults::Fault;
use crate::store::filter::{self, Filter};
use crate::store::images::{self, System};
use crate::store::instances::{self, Instance};
use crate::store::operation_locks::{self, OperationLock};
use crate::store::tags::{self, ResourceType, TagRow};
use crate::store::tx::Tx;
use crate::wire::params::JsonList;

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 100 };
const MOST_IDS: usize = 100;
const STATUSES: [&str; 5] = ["Pending", "Running", "Starting", "Stopping", "Stopped"];
const CHARGE_TYPES: [&str; 2] = ["PrePaid", "PostPaid"];
const TIMES: [&str; 4] = [CREATION[0], CREATION[1], "ExpiredStartTime", "ExpiredEndTime"];
const NETWORKS: [&str; 2] = ["vpc", "classic"];
/// Why the vendor locks an instance.
pub const LOCK_REASONS: [&str; 5] = ["financial", "security", "recycling", "dedicatedhostfinancial", "refunded"];
const INTERNET_CHARGE: &str = "PayByTraffic";
const NEVER: &str = "2099-12-31T15:59Z";

/// Lists instances, newest first; all filters have to match.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeInstances {
    instance_ids: Option<JsonList<String>>,
    zone_id: Option<String>,
    vpc_id: Option<String>,
    #[serde(rename = "VSwitchId")]
    vswitch_id: Option<String>,
    security_group_id: Option<String>,
    page_number: Option<i64>,
    page_size: Option<i64>,
    next_token: Option<String>,
    max_results: Option<i64>,
    private_ip_addresses: Option<JsonList<String>>,
    inner_ip_addresses: Option<JsonList<String>>,
    public_ip_addresses: Option<JsonList<String>>,
    eip_addresses: Option<JsonList<String>>,
    rdma_ip_addresses: Option<JsonList<String>>,
    #[serde(default)]
    ipv6_address: Vec<String>,
    hpc_cluster_id: Option<String>,
    instance_network_type: Option<String>,
    internet_charge_type: Option<String>,
    io_optimized: Option<bool>,
    device_available: Option<bool>,
    instance_charge_type: Option<String>,
    instance_name: Option<String>,
    image_id: Option<String>,
    status: Option<String>,
    lock_reason: Option<String>,
    #[serde(default)]
    filter: Vec<KeyValue>,
    instance_type: Option<String>,
    instance_type_family: Option<String>,
    key_pair_name: Option<String>,
    resource_group_id: Option<String>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    tag: Vec<Tag>,
}

impl Action for DescribeInstances {
    const NAME: &'static str = "DescribeInstances";
    type Response = Described;

    fn check(&self) -> Result<(), Fault> {
        if self.instance_ids.as_ref().is_some_and(|ids| ids.0.len() > MOST_IDS) {
            return Err(Fault::invalid("InstanceIds"));
        }
        check_one_of(self.status.as_deref(), &STATUSES, "InvalidStatus.NotFound")?;
        check_one_of(self.instance_charge_type.as_deref(), &CHARGE_TYPES, "InvalidInstanceChargeType.NotFound")?;
        check_one_of(self.instance_network_type.as_deref(), &NETWORKS, "InvalidNetworkType.NotFound")?;
        let charges = [INTERNET_CHARGE, "PayByBandwidth"];
        check_one_of(self.internet_charge_type.as_deref(), &charges, "InvalidInternetChargeType.ValueNotSupported")?;
        check_one_of(self.lock_reason.as_deref(), &LOCK_REASONS, "InvalidLockReason.NotFound")?;
        check_filters(&self.filter, &TIMES, &[])?;
        tags_to_match(&self.tag).map(drop)?;
        self.paging().page(LIMITS).map(drop)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Described, Fault> {
        let paging = self.paging();
        let page = paging.page(LIMITS)?;
        let mut filter = self.filters(tx);
        for (key, value) in tags_to_match(&self.tag)? {
            filter.tag(tx, ResourceType::Instance, "instances.instance_id", key, value);
        }
        let listing = filter::list::<Instance>(tx, &instances::SOURCE, &filter, &page).await?;
        let total = describe::total(tx, &instances::SOURCE, &filter, &paging, (&page, &listing)).await?;
        let fields = paging.fields(&page, &listing, total);
        let ids: Vec<&str> = listing.rows.iter().map(|row| row.instance_id.as_str()).collect();
        let mut tags = tags::of_all(tx, &ids).await?;
        let image_ids: Vec<&str> = listing.rows.iter().map(|row| row.image_id.as_str()).collect();
        let systems = images::systems_of(tx, &image_ids).await?;
        let locks = operation_locks::of_instances(tx, &ids).await?;
        let item = |row: Instance| {
            let tags = tags.remove(&row.instance_id).unwrap_or_default();
            let locks = locks.iter().filter(|lock| lock.instance_id == row.instance_id).map(LockReason::from).collect();
            Item::of(tags, systems.get(&row.image_id), locks, row)
        };
        Ok(Described {
            next_token: fields.next_token,
            page_number: fields.page_number,
            page_size: fields.page_size,
            total_count: fields.total_count,
            instances: Items { instance: listing.rows.into_iter().map(item).collect() },
        })
    }
}

impl DescribeInstances {
    fn paging(&self) -> Paging<'_> {
        Paging {
            page_number: self.page_number,
            page_size: self.page_size,
            max_results: self.max_results,
            next_token: self.next_token.as_deref(),
        }
    }

    fn filters(&self, tx: &Tx<'_>) -> Filter {
        let mut filter = Filter::of_caller(tx, &instances::SOURCE, self.instance_ids.is_some());
        if let Some(JsonList(ids)) = &self.instance_ids {
            filter.any("instances.instance_id", ids.iter().map(String::as_str));
        }
        if let Some(JsonList(addresses)) = &self.private_ip_addresses {
            filter.any("private_ip_address", addresses.iter().map(String::as_str));
        }
        filter.is_given("zone_id", self.zone_id.as_deref());
        filter.is_given("vpc_id", self.vpc_id.as_deref());
        filter.is_given("vswitch_id", self.vswitch_id.as_deref());
        filter.is_given("security_group_id", self.security_group_id.as_deref());
        filter.is_given("image_id", self.image_id.as_deref());
        filter.is_given("instance_type", self.instance_type.as_deref());
        filter.is_given("key_pair_name", self.key_pair_name.as_deref());
        filter.is_given("resource_group_id", self.resource_group_id.as_deref());
        filter.is_given("status", spelled(self.status.as_deref(), &STATUSES));
        filter.is_given("instance_charge_type", spelled(self.instance_charge_type.as_deref(), &CHARGE_TYPES));
        if let Some(family) = &self.instance_type_family {
            filter.like("instance_type", &format!("{family}.*"));
        }
        if let Some(name) = &self.instance_name {
            filter.like("instance_name", name);
        }
        if let Some(reason) = spelled(self.lock_reason.as_deref(), &LOCK_REASONS) {
            let is_locked = "instances.instance_id IN (SELECT instance_id FROM operation_locks WHERE lock_reason = ?)";
            filter.condition(is_locked, [reason.into()]);
        }
        narrow_by_creation(&mut filter, &instances::SOURCE, &self.filter);
        if self.asks_for_what_none_has() {
            filter.condition("1 = 0", []);
        }
        filter
    }

    /// Stubs are all alike: none expires, has a public address or another network than the private one.
    fn asks_for_what_none_has(&self) -> bool {
        let addresses =
            [&self.inner_ip_addresses, &self.public_ip_addresses, &self.eip_addresses, &self.rdma_ip_addresses];
        let is_other = |value: &Option<String>, of_all: &str| {
            value.as_ref().is_some_and(|value| !value.eq_ignore_ascii_case(of_all))
        };
        self.hpc_cluster_id.is_some()
            || self.filter.iter().any(|filter| filter.key == "ExpiredEndTime")
            || addresses.iter().any(|list| list.is_some())
            || !self.ipv6_address.is_empty()
            || is_other(&self.instance_network_type, NETWORKS[0])
            || is_other(&self.internet_charge_type, INTERNET_CHARGE)
            || self.io_optimized == Some(false)
            || self.device_available == Some(false)
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_number: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_count: Option<i64>,
    instances: Items,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    instance: Vec<Item>,
}

/// An instance as DescribeInstances shows it. Processors and memory are nominal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the vendor's answer has so many")]
struct Item {
    instance_id: String,
    instance_name: String,
    description: String,
    host_name: String,
    status: String,
    stopped_mode: String,
    instance_type: String,
    instance_type_family: String,
    cpu: i64,
    /// MiB.
    memory: i64,
    region_id: String,
    zone_id: String,
    image_id: String,
    #[serde(rename = "OSType")]
    os_type: String,
    #[serde(rename = "OSName")]
    os_name: String,
    #[serde(rename = "OSNameEn")]
    os_name_en: String,
    instance_charge_type: String,
    instance_network_type: &'static str,
    internet_charge_type: &'static str,
    io_optimized: bool,
    recyclable: bool,
    device_available: bool,
    deletion_protection: bool,
    creation_time: String,
    start_time: String,
    expired_time: &'static str,
    key_pair_name: String,
    resource_group_id: String,
    security_group_ids: SecurityGroupIds,
    vpc_attributes: VpcAttributes,
    inner_ip_address: IpAddresses,
    public_ip_address: IpAddresses,
    operation_locks: OperationLocks,
    tags: Tags,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SecurityGroupIds {
    security_group_id: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct VpcAttributes {
    vpc_id: String,
    #[serde(rename = "VSwitchId")]
    vswitch_id: String,
    private_ip_address: IpAddresses,
    nat_ip_address: &'static str,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct IpAddresses {
    ip_address: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct OperationLocks {
    lock_reason: Vec<LockReason>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LockReason {
    lock_reason: String,
    lock_msg: String,
}

impl From<&OperationLock> for LockReason {
    fn from(lock: &OperationLock) -> Self {
        Self { lock_reason: lock.lock_reason.clone(), lock_msg: lock.lock_msg.clone() }
    }
}

impl Item {
    fn of(tags: Vec<TagRow>, system: Option<&System>, lock_reason: Vec<LockReason>, row: Instance) -> Self {
        let some = |text: String| if text.is_empty() { Vec::new() } else { vec![text] };
        let family = row.instance_type.rsplit_once('.').map_or("", |(family, _)| family);
        let (cpu, memory) = nominal(&row.instance_type);
        // An image that was deleted with Force tells no more of its system.
        let (os_type, os_name) = system.map_or(("linux", ""), |system| (&system.os_type, &system.os_name));
        Self {
            instance_type_family: family.to_owned(),
            cpu,
            memory,
            os_type: os_type.to_owned(),
            os_name: os_name.to_owned(),
            os_name_en: os_name.to_owned(),
            instance_network_type: NETWORKS[0],
            internet_charge_type: INTERNET_CHARGE,
            io_optimized: true,
            recyclable: false,
            device_available: true,
            deletion_protection: row.deletion_protection.into(),
            creation_time: row.creation_time.to_minutes(),
            start_time: row.start_time.map(Timestamp::to_minutes).unwrap_or_default(),
            expired_time: NEVER,
            security_group_ids: SecurityGroupIds { security_group_id: some(row.security_group_id) },
            vpc_attributes: VpcAttributes {
                vpc_id: row.vpc_id,
                vswitch_id: row.vswitch_id,
                private_ip_address: IpAddresses { ip_address: some(row.private_ip_address) },
                nat_ip_address: "",
            },
            inner_ip_address: IpAddresses::default(),
            public_ip_address: IpAddresses::default(),
            operation_locks: OperationLocks { lock_reason },
            tags: tags.into(),
            instance_id: row.instance_id,
            instance_name: row.instance_name,
            description: row.description,
            host_name: row.host_name,
            status: row.status,
            stopped_mode: row.stopped_mode,
            instance_type: row.instance_type,
            region_id: row.region_id,
            zone_id: row.zone_id,
            image_id: row.image_id,
            instance_charge_type: row.instance_charge_type,
            key_pair_name: row.key_pair_name,
            resource_group_id: row.resource_group_id,
        }
    }
}

/// Processors and MiB that the name of a type tells: `ecs.g7.2xlarge` has 8, and the g series 4 GiB for each.
#[must_use]
pub fn nominal(instance_type: &str) -> (i64, i64) {
    let mut parts = instance_type.split('.').skip(1);
    let (family, size) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let cpu = match size.strip_suffix("xlarge") {
        Some(times) => 4 * times.parse::<u16>().map_or(1, i64::from),
        None if size == "large" => 2,
        None => 1,
    };
    let gib = match family.bytes().next() {
        Some(b'c') => 2,
        Some(b'r') => 8,
        _ => 4,
    };
    (cpu, cpu * gib * 1_024)
}
