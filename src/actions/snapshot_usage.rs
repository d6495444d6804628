//! What snapshots take up: totals, chains, a series over time, packages, and the service as such; no SQL, no transport.

use serde::{Deserialize, Serialize};

use crate::api::action::{Action, Entry, read, write};
use crate::api::common::{Empty, PageLimits, Paging, spelled};
use crate::api::describe::total;
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::ids;
use crate::store::filter::{self, Filter};
use crate::store::instances;
use crate::store::snapshot_links::{self, SnapshotLink};
use crate::store::snapshot_services;
use crate::store::tx::Tx;
use crate::wire::params::JsonList;

pub static ACTIONS: [Entry; 5] = [
    read::<DescribeSnapshotsUsage>(),
    read::<DescribeSnapshotLinks>(),
    read::<DescribeSnapshotMonitorData>(),
    read::<DescribeSnapshotPackage>(),
    write::<OpenSnapshotService>(),
];

/// How many snapshots of whatever status the account has in a region, and the bytes of those that are accomplished.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeSnapshotsUsage {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Usage {
    snapshot_count: i64,
    /// Bytes.
    snapshot_size: i64,
}

impl Action for DescribeSnapshotsUsage {
    const NAME: &'static str = "DescribeSnapshotsUsage";
    const UNKNOWN_REGION: &'static str = "InvalidParam.RegionId";
    type Response = Usage;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Usage, Fault> {
        let usage = snapshot_links::usage(tx).await?;
        Ok(Usage { snapshot_count: usage.snapshot_count, snapshot_size: usage.snapshot_size })
    }
}

/// Lists the chains of snapshots, newest first; all filters have to match.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeSnapshotLinks {
    instance_id: Option<String>,
    disk_ids: Option<JsonList<String>>,
    snapshot_link_ids: Option<JsonList<String>>,
    page_number: Option<i64>,
    page_size: Option<i64>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 100 };
const MOST_IDS: usize = 100;

impl Action for DescribeSnapshotLinks {
    const NAME: &'static str = "DescribeSnapshotLinks";
    const MALFORMED: &'static [(&'static str, &'static str)] =
        &[("DiskIds", "InvalidDiskIds"), ("SnapshotLinkIds", "InvalidSnapshotLinkIds")];
    const UNKNOWN_REGION: &'static str = "InvalidRegionId";
    type Response = Links;

    fn check(&self) -> Result<(), Fault> {
        check_ids(self.disk_ids.as_ref(), "d-", "InvalidDiskIds")?;
        check_ids(self.snapshot_link_ids.as_ref(), "sl-", "InvalidSnapshotLinkIds")?;
        self.paging().page(LIMITS).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Links, Fault> {
        // Checks
        if let Some(id) = &self.instance_id
            && instances::find(tx, id).await?.is_none()
        {
            return Err(fault("InvalidInstanceId.NotFound"));
        }
        // Effect
        let paging = self.paging();
        let page = paging.page(LIMITS)?;
        let source = &snapshot_links::SOURCE;
        let filter = self.filter(tx);
        let listing = filter::list::<SnapshotLink>(tx, source, &filter, &page).await?;
        let total = total(tx, source, &filter, &paging, (&page, &listing)).await?;
        let fields = paging.fields(&page, &listing, total);
        Ok(Links {
            next_token: fields.next_token,
            page_number: fields.page_number,
            page_size: fields.page_size,
            total_count: fields.total_count,
            snapshot_links: LinkItems { snapshot_link: listing.rows.into_iter().map(LinkItem::from).collect() },
        })
    }
}

fn check_ids(ids: Option<&JsonList<String>>, prefix: &str, code: &'static str) -> Result<(), Fault> {
    let is_fine =
        |JsonList(ids): &JsonList<String>| ids.len() <= MOST_IDS && ids.iter().all(|id| id.starts_with(prefix));
    if ids.is_none_or(is_fine) { Ok(()) } else { Err(fault(code)) }
}

impl DescribeSnapshotLinks {
    fn paging(&self) -> Paging<'_> {
        Paging {
            page_number: self.page_number,
            page_size: self.page_size,
            max_results: self.max_results,
            next_token: self.next_token.as_deref(),
        }
    }

    fn filter(&self, tx: &Tx<'_>) -> Filter {
        let is_narrowed = self.disk_ids.is_some() || self.snapshot_link_ids.is_some() || self.instance_id.is_some();
        let mut filter = Filter::of_caller(tx, &snapshot_links::SOURCE, is_narrowed);
        if let Some(JsonList(ids)) = &self.disk_ids {
            filter.any("source_disk_id", ids.iter().map(String::as_str));
        }
        if let Some(JsonList(ids)) = &self.snapshot_link_ids {
            // The chain is known by its disk, which has an index.
            let disks: Vec<String> = ids.iter().map(|id| ids::disk_of_link(id)).collect();
            filter.any("source_disk_id", disks.iter().map(String::as_str));
        }
        if let Some(id) = &self.instance_id {
            let of_instance = "source_disk_id IN (SELECT disk_id FROM disk_attachments WHERE instance_id = ?)";
            filter.condition(of_instance, [id.as_str().into()]);
        }
        filter
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Links {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_number: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_count: Option<i64>,
    snapshot_links: LinkItems,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LinkItems {
    snapshot_link: Vec<LinkItem>,
}

/// A chain as it is shown; what is not known of its disk is empty.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LinkItem {
    snapshot_link_id: String,
    region_id: String,
    source_disk_id: String,
    source_disk_name: String,
    /// A number, unlike in DescribeSnapshots.
    source_disk_size: i64,
    source_disk_type: String,
    instance_id: String,
    instance_name: String,
    category: String,
    instant_access: bool,
    total_count: i64,
    /// Bytes.
    total_size: i64,
}

impl From<SnapshotLink> for LinkItem {
    fn from(row: SnapshotLink) -> Self {
        Self {
            snapshot_link_id: row.snapshot_link_id,
            region_id: row.region_id,
            source_disk_id: row.source_disk_id,
            source_disk_name: row.source_disk_name.unwrap_or_default(),
            source_disk_size: row.source_disk_size,
            source_disk_type: row.source_disk_type,
            instance_id: row.instance_id.unwrap_or_default(),
            instance_name: row.instance_name.unwrap_or_default(),
            category: row.category,
            instant_access: row.instant_access.into(),
            total_count: row.total_count,
            total_size: row.total_size,
        }
    }
}

/// The bytes of a region's snapshots of one category over time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeSnapshotMonitorData {
    start_time: String,
    end_time: String,
    /// Seconds between two points.
    period: Option<i64>,
    category: Option<String>,
}

const PERIODS: [i64; 3] = [60, 600, 3_600];
const CATEGORIES: [&str; 3] = ["standard", "flash", "archive"];
/// Points that one call may ask for.
const MOST_POINTS: i64 = 400;
/// How far back a series may begin.
const REMEMBERED_DAYS: i64 = 30;

impl Action for DescribeSnapshotMonitorData {
    const NAME: &'static str = "DescribeSnapshotMonitorData";
    type Response = Series;

    fn check(&self) -> Result<(), Fault> {
        if !PERIODS.contains(&self.period_seconds()) {
            return Err(fault("InvalidPeriod.ValueNotSupported"));
        }
        if self.category.is_some() && spelled(self.category.as_deref(), &CATEGORIES).is_none() {
            return Err(Fault::invalid("Category"));
        }
        let (start, end) = self.range()?;
        if end < start {
            return Err(fault("InvalidEndTime.Malformed"));
        }
        if end.since(start) / self.period_millis() > MOST_POINTS {
            return Err(fault("InvalidParameter.TooManyDataQueried"));
        }
        Ok(())
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Series, Fault> {
        let (start, end) = self.range()?;
        if start < tx.now.plus_days(-REMEMBERED_DAYS) {
            return Err(fault("InvalidStartTime.TooEarly"));
        }
        let end = end.min(tx.now);
        let category = spelled(self.category.as_deref(), &CATEGORIES).unwrap_or("standard");
        let period = self.period_millis();
        let growth = snapshot_links::growth(tx, category, (start, end), period).await?;
        let (mut size, mut steps, mut points) = (0, growth.into_iter().peekable(), Vec::new());
        let instants = (0..).map(|step| (step, start.plus_millis(step * period)));
        for (step, instant) in instants.take_while(|(_, instant)| *instant <= end) {
            while let Some(more) = steps.next_if(|more| more.step <= step) {
                size += more.bytes;
            }
            points.push(DataPoint { size, time_stamp: instant.to_seconds() });
        }
        Ok(Series { monitor_data: DataPoints { data_point: points } })
    }
}

impl DescribeSnapshotMonitorData {
    fn period_seconds(&self) -> i64 {
        self.period.unwrap_or(PERIODS[0])
    }

    fn period_millis(&self) -> i64 {
        self.period_seconds() * 1_000
    }

    fn range(&self) -> Result<(Timestamp, Timestamp), Fault> {
        let start = Timestamp::parse(&self.start_time).ok_or_else(|| fault("InvalidStartTime.Malformed"))?;
        let end = Timestamp::parse(&self.end_time).ok_or_else(|| fault("InvalidEndTime.Malformed"))?;
        Ok((start, end))
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Series {
    monitor_data: DataPoints,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DataPoints {
    data_point: Vec<DataPoint>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DataPoint {
    size: i64,
    time_stamp: String,
}

/// Lists the packages of storage that the account bought: none, nothing is sold here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeSnapshotPackage {
    page_number: Option<i64>,
    page_size: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Packages {
    page_number: i64,
    page_size: i64,
    total_count: i64,
    snapshot_packages: PackageItems,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PackageItems {
    snapshot_package: [Empty; 0],
}

impl Action for DescribeSnapshotPackage {
    const NAME: &'static str = "DescribeSnapshotPackage";
    type Response = Packages;

    fn check(&self) -> Result<(), Fault> {
        self.paging().page(LIMITS).map(drop)
    }

    async fn run(&self, _tx: &mut Tx<'_>) -> Result<Packages, Fault> {
        Ok(Packages {
            page_number: self.page_number.unwrap_or(1),
            page_size: self.paging().page(LIMITS)?.size,
            total_count: 0,
            snapshot_packages: PackageItems { snapshot_package: [] },
        })
    }
}

impl DescribeSnapshotPackage {
    fn paging(&self) -> Paging<'_> {
        Paging { page_number: self.page_number, page_size: self.page_size, ..Paging::default() }
    }
}

/// Opens the snapshot service, which is open from the start unless the configuration says otherwise (decision 30).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OpenSnapshotService {}

impl Action for OpenSnapshotService {
    const NAME: &'static str = "OpenSnapshotService";
    type Response = Empty;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Nothing to store where it is open from the start.
        if !tx.config().fidelity.snapshot_service_open {
            snapshot_services::open(tx).await?;
        }
        Ok(Empty {})
    }
}
