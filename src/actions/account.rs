//! DescribeAccountAttributes: what an account may have and has of disks and instances; other products' limits are nominal.

use serde::{Deserialize, Serialize};

use crate::actions::instances::nominal;
use crate::actions::regions::INSTANCE_TYPES;
use crate::api::action::{Action, Entry, read};
use crate::faults::{Fault, fault};
use crate::store::tx::Tx;
use crate::store::usage::{self, Capacity};

pub static ACTIONS: [Entry; 1] = [read::<DescribeAccountAttributes>()];

/// The attributes in the vendor's order, with the value of those that nothing here changes.
const ATTRIBUTES: [(&str, &str); 14] = [
    ("instance-network-type", "vpc"),
    ("max-security-groups", "100"),
    ("max-elastic-network-interfaces", "5000"),
    (MOST_PROCESSORS, "10000"),
    ("max-spot-instance-vcpu-count", "0"),
    (PROCESSORS, ""),
    ("used-spot-instance-vcpu-count", "0"),
    (MOST_CAPACITY, "1048576"),
    (CAPACITY, ""),
    ("max-dedicated-hosts", "0"),
    (TYPES, ""),
    ("max-axt-command-count", "0"),
    ("max-axt-invocation-daily", "0"),
    ("real-name-authentication", "yes"),
];
const MOST_PROCESSORS: &str = "max-postpaid-instance-vcpu-count";
const PROCESSORS: &str = "used-postpaid-instance-vcpu-count";
const MOST_CAPACITY: &str = "max-postpaid-yundisk-capacity";
const CAPACITY: &str = "used-postpaid-yundisk-capacity";
const TYPES: &str = "supported-postpaid-instance-types";
const CHARGE: &str = "PostPaid";
const MOST_NAMES: usize = 30;

/// Tells limits and use in the region of the call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeAccountAttributes {
    zone_id: Option<String>,
    #[serde(default)]
    attribute_name: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attributes {
    account_attribute_items: Items,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    account_attribute_item: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    attribute_name: &'static str,
    attribute_values: Values,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Values {
    value_item: Vec<Value>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Value {
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_charge_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_type: Option<&'static str>,
}

impl Action for DescribeAccountAttributes {
    const NAME: &'static str = "DescribeAccountAttributes";
    type Response = Attributes;

    fn check(&self) -> Result<(), Fault> {
        let is_known = |name: &String| ATTRIBUTES.iter().any(|(known, _)| known == name);
        if self.attribute_name.len() > MOST_NAMES || !self.attribute_name.iter().all(is_known) {
            return Err(Fault::invalid("AttributeName"));
        }
        Ok(())
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Attributes, Fault> {
        if self.zone_id.as_ref().is_some_and(|zone| !tx.region().has_zone(zone)) {
            return Err(fault("InvalidZoneId.NotFound"));
        }
        let is_wanted = |name: &str| self.attribute_name.is_empty() || self.attribute_name.iter().any(|it| it == name);
        let mut account_attribute_item = Vec::new();
        for (attribute_name, value) in ATTRIBUTES.into_iter().filter(|(name, _)| is_wanted(name)) {
            let value_item = self.values(tx, attribute_name, value).await?;
            account_attribute_item.push(Item { attribute_name, attribute_values: Values { value_item } });
        }
        Ok(Attributes { account_attribute_items: Items { account_attribute_item } })
    }
}

impl DescribeAccountAttributes {
    async fn values(&self, tx: &mut Tx<'_>, name: &str, value: &str) -> Result<Vec<Value>, Fault> {
        let zone = self.zone_id.as_deref();
        let plain = |value: String| Value { value, ..Value::default() };
        Ok(match name {
            PROCESSORS => vec![plain(processors(tx, zone).await?.to_string())],
            CAPACITY => {
                let used = usage::capacity(tx, CHARGE, zone).await?;
                let value = |used: Capacity| Value {
                    zone_id: Some(used.zone_id),
                    disk_category: Some(used.category),
                    ..plain(used.size.to_string())
                };
                used.into_iter().map(value).collect()
            }
            TYPES => {
                let zones = tx.region().zones().filter(|known| zone.is_none_or(|zone| zone == known));
                let of_zone = |zone: String| {
                    INSTANCE_TYPES.map(|instance_type| Value {
                        zone_id: Some(zone.clone()),
                        instance_charge_type: Some(CHARGE),
                        instance_type: Some(instance_type),
                        ..plain(instance_type.to_owned())
                    })
                };
                zones.flat_map(of_zone).collect()
            }
            _ => vec![plain(value.to_owned())],
        })
    }
}

/// The processors of all instances, as their types tell.
async fn processors(tx: &mut Tx<'_>, zone: Option<&str>) -> Result<i64, Fault> {
    let types = usage::types(tx, CHARGE, zone).await?;
    Ok(types.iter().map(|(name, count)| nominal(name).0 * count).sum())
}
