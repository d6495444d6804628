//! DescribeInstanceStatus: the status of instances alone, in pages by number.

use serde::{Deserialize, Serialize};

use crate::api::action::Action;
use crate::api::common::{PageLimits, Paging};
use crate::api::describe;
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::filter::{self, Filter};
use crate::store::instances::{self, Instance};
use crate::store::tx::Tx;

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 50, max_results: 50 };
const MOST_IDS: usize = 100;

/// Lists the status of instances, newest first.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeInstanceStatus {
    zone_id: Option<String>,
    #[serde(default)]
    instance_id: Vec<String>,
    page_number: Option<i64>,
    page_size: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statuses {
    page_number: i64,
    page_size: i64,
    total_count: i64,
    instance_statuses: Items,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    instance_status: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    instance_id: String,
    status: String,
}

impl Action for DescribeInstanceStatus {
    const NAME: &'static str = "DescribeInstanceStatus";
    type Response = Statuses;

    fn check(&self) -> Result<(), Fault> {
        if self.instance_id.len() > MOST_IDS {
            return Err(fault("InvalidParameter.TooManyInstanceIds"));
        }
        if !self.instance_id.iter().all(|id| id.starts_with(IdKind::Instance.prefix())) {
            return Err(fault("Abs.InvalidInstanceIds.MalFormed"));
        }
        self.paging().page(LIMITS).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Statuses, Fault> {
        if self.zone_id.as_ref().is_some_and(|zone| !tx.region().has_zone(zone)) {
            return Err(fault("InvalidZoneId.NotFound"));
        }
        let paging = self.paging();
        let page = paging.page(LIMITS)?;
        let mut filter = Filter::of_caller(tx, &instances::SOURCE, !self.instance_id.is_empty());
        filter.is_given("zone_id", self.zone_id.as_deref());
        if !self.instance_id.is_empty() {
            filter.any("instances.instance_id", self.instance_id.iter().map(String::as_str));
        }
        let listing = filter::list::<Instance>(tx, &instances::SOURCE, &filter, &page).await?;
        let total_count = describe::total(tx, &instances::SOURCE, &filter, &paging, (&page, &listing)).await?;
        let item = |row: Instance| Item { instance_id: row.instance_id, status: row.status };
        Ok(Statuses {
            page_number: self.page_number.unwrap_or(1),
            page_size: page.size,
            total_count,
            instance_statuses: Items { instance_status: listing.rows.into_iter().map(item).collect() },
        })
    }
}

impl DescribeInstanceStatus {
    fn paging(&self) -> Paging<'_> {
        Paging { page_number: self.page_number, page_size: self.page_size, ..Paging::default() }
    }
}
