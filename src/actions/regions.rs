//! Regions and zones, from a fixed table; never stored.

use serde::{Deserialize, Serialize};

use crate::api::action::{Action, Entry, read};
use crate::api::common::check_one_of;
use crate::faults::Fault;
use crate::regions::{REGIONS, Region};
use crate::store::tx::Tx;

pub static ACTIONS: [Entry; 2] = [read::<DescribeRegions>(), read::<DescribeZones>()];

const LANGUAGES: [&str; 7] = ["zh-cn", "zh-tw", "en-us", "ja", "fr", "de", "ko"];
const DISK_CATEGORIES: [&str; 6] =
    ["cloud_essd", "cloud_auto", "cloud_essd_entry", "cloud_ssd", "cloud_efficiency", "cloud"];
/// The types that are told where types are listed; any other of their form is taken as well.
pub const INSTANCE_TYPES: [&str; 4] = ["ecs.g7.large", "ecs.g7.xlarge", "ecs.c7.large", "ecs.t6-c1m1.large"];
const INSTANCE_FAMILIES: [&str; 3] = ["ecs.g7", "ecs.c7", "ecs.t6"];

/// Lists the regions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeRegions {
    instance_charge_type: Option<String>,
    resource_type: Option<String>,
    accept_language: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RegionList {
    regions: RegionItems,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RegionItems {
    region: Vec<RegionItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RegionItem {
    region_id: &'static str,
    region_endpoint: String,
    local_name: &'static str,
    status: &'static str,
}

impl Action for DescribeRegions {
    const NAME: &'static str = "DescribeRegions";
    type Response = RegionList;

    fn check(&self) -> Result<(), Fault> {
        let charges = ["prepaid", "postpaid", "spotwithpricelimit", "spotaspricego"];
        check_one_of(self.instance_charge_type.as_deref(), &charges, "Invalid.InstanceChargeType")?;
        let types = ["instance", "disk", "reservedinstance", "scu"];
        check_one_of(self.resource_type.as_deref(), &types, "InvalidResourceType.NotFound")?;
        check_one_of(self.accept_language.as_deref(), &LANGUAGES, "InvalidAcceptLanguage.NotFound")
    }

    async fn run(&self, _tx: &mut Tx<'_>) -> Result<RegionList, Fault> {
        let item = |region: &Region| RegionItem {
            region_id: region.id,
            region_endpoint: format!("ecs.{}.aliyuncs.com", region.id),
            local_name: region.local_name,
            status: "available",
        };
        Ok(RegionList { regions: RegionItems { region: REGIONS.iter().map(item).collect() } })
    }
}

/// Lists the zones of a region, with what each can have in general.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeZones {
    #[serde(default = "yes")]
    verbose: bool,
    instance_charge_type: Option<String>,
    spot_strategy: Option<String>,
    accept_language: Option<String>,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ZoneList {
    zones: ZoneItems,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ZoneItems {
    zone: Vec<ZoneItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ZoneItem {
    zone_id: String,
    local_name: String,
    zone_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    available_disk_categories: Option<DiskCategories>,
    #[serde(skip_serializing_if = "Option::is_none")]
    available_instance_types: Option<InstanceTypes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    available_resource_creation: Option<ResourceTypes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    available_resources: Option<AvailableResources>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DiskCategories {
    disk_categories: [&'static str; 6],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceTypes {
    instance_types: [&'static str; 4],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceTypes {
    resource_types: [&'static str; 3],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AvailableResources {
    resources_info: [ResourcesInfo; 1],
}

/// The lists inside begin with a lower-case letter, as the vendor spells them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourcesInfo {
    io_optimized: bool,
    instance_type_families: Families,
    instance_types: Types,
    network_types: Networks,
    system_disk_categories: SystemCategories,
    data_disk_categories: DataCategories,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Families {
    supported_instance_type_family: [&'static str; 3],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Types {
    supported_instance_type: [&'static str; 4],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Networks {
    supported_network_category: [&'static str; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SystemCategories {
    supported_system_disk_category: [&'static str; 6],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DataCategories {
    supported_data_disk_category: [&'static str; 6],
}

impl Action for DescribeZones {
    const NAME: &'static str = "DescribeZones";
    type Response = ZoneList;

    fn check(&self) -> Result<(), Fault> {
        let charges = ["prepaid", "postpaid"];
        check_one_of(self.instance_charge_type.as_deref(), &charges, "InvalidInstanceChargeType.NotFound")?;
        let strategies = ["nospot", "spotwithpricelimit", "spotaspricego"];
        check_one_of(self.spot_strategy.as_deref(), &strategies, "InvalidSpotStrategy")?;
        check_one_of(self.accept_language.as_deref(), &LANGUAGES, "InvalidAcceptLanguage.NotFound")
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<ZoneList, Fault> {
        let region = tx.region();
        let zone = region.zones().map(|zone_id| self.item(region, zone_id)).collect();
        Ok(ZoneList { zones: ZoneItems { zone } })
    }
}

impl DescribeZones {
    fn item(&self, region: &Region, zone_id: String) -> ZoneItem {
        let letter = zone_id.chars().next_back().unwrap_or('?').to_ascii_uppercase();
        let resources = AvailableResources {
            resources_info: [ResourcesInfo {
                io_optimized: true,
                instance_type_families: Families { supported_instance_type_family: INSTANCE_FAMILIES },
                instance_types: Types { supported_instance_type: INSTANCE_TYPES },
                network_types: Networks { supported_network_category: ["vpc"] },
                system_disk_categories: SystemCategories { supported_system_disk_category: DISK_CATEGORIES },
                data_disk_categories: DataCategories { supported_data_disk_category: DISK_CATEGORIES },
            }],
        };
        let types = ResourceTypes { resource_types: ["Instance", "Disk", "VSwitch"] };
        ZoneItem {
            local_name: format!("{} Zone {letter}", region.local_name),
            zone_id,
            zone_type: "AvailabilityZone",
            available_disk_categories: self.verbose.then_some(DiskCategories { disk_categories: DISK_CATEGORIES }),
            available_instance_types: self.verbose.then_some(InstanceTypes { instance_types: INSTANCE_TYPES }),
            available_resource_creation: self.verbose.then_some(types),
            available_resources: self.verbose.then_some(resources),
        }
    }
}
