//! What DescribeDisks tells on demand: how fast a disk is by the published formulas, and where it is; nothing is measured.

use serde::Serialize;

use crate::regions;
use crate::store::disks::Disk;

/// What DescribeDisks shows when it is asked for `IOPS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Performance {
    #[serde(rename = "IOPS", skip_serializing_if = "Option::is_none")]
    iops: Option<i64>,
    #[serde(rename = "IOPSRead", skip_serializing_if = "Option::is_none")]
    iops_read: Option<i64>,
    #[serde(rename = "IOPSWrite", skip_serializing_if = "Option::is_none")]
    iops_write: Option<i64>,
    /// MB/s.
    #[serde(rename = "Throughput", skip_serializing_if = "Option::is_none")]
    throughput: Option<i64>,
    #[serde(rename = "ThroughputRead", skip_serializing_if = "Option::is_none")]
    throughput_read: Option<i64>,
    #[serde(rename = "ThroughputWrite", skip_serializing_if = "Option::is_none")]
    throughput_write: Option<i64>,
}

/// A figure that grows with the size: so much at first, so many hundredths for each GiB, and no more than that.
struct Growth(i64, i64, i64);

impl Growth {
    fn at(&self, size: i64) -> i64 {
        let Self(base, hundredths, most) = self;
        (base + hundredths * size / 100).min(*most)
    }
}

/// KB/s that each provisioned IOPS adds, of which 1,024 are a MB/s.
const KB_OF_IOPS: i64 = 16;
const KB_OF_MB: i64 = 1_024;

impl Performance {
    /// Reads and writes share one figure in all categories that have a published formula; the others tell nothing.
    ///
    /// ESSD AutoPL: baseline and provisioned figures of `help/en/ecs/user-guide/essd-autopl-disks` (January 2026), floors
    /// included. ESSD PL1 is the same without floors, as its older edition says. All others: the caps of
    /// `help/en/ecs/user-guide/block-storage-performance`; their growth by GiB is from memory and could not be read there.
    #[must_use]
    pub fn of(disk: &Disk) -> Self {
        let (iops, throughput) = match (disk.category.as_str(), disk.performance_level.as_str()) {
            ("cloud_efficiency", _) => (Growth(1_800, 800, 5_000), Growth(100, 15, 140)),
            ("cloud_ssd", _) => (Growth(1_800, 3_000, 25_000), Growth(120, 50, 300)),
            ("cloud_essd", "PL0") => (Growth(1_800, 1_200, 10_000), Growth(100, 25, 180)),
            ("cloud_essd", "PL2") => (Growth(1_800, 5_000, 100_000), Growth(120, 50, 750)),
            ("cloud_essd", "PL3") => (Growth(1_800, 5_000, 1_000_000), Growth(120, 50, 4_000)),
            ("cloud_essd" | "cloud_regional_disk_auto" | "cloud_auto", _) => {
                (Growth(1_800, 5_000, 50_000), Growth(120, 50, 350))
            }
            ("cloud_essd_entry", _) => (Growth(1_800, 800, 6_000), Growth(100, 15, 150)),
            _ => return Self::default(),
        };
        let (least_iops, least_throughput) = if disk.category == "cloud_auto" { (3_000, 125) } else { (0, 0) };
        let provisioned = disk.provisioned_iops.unwrap_or(0);
        let iops = Some(iops.at(disk.size).max(least_iops) + provisioned);
        let throughput = Some(throughput.at(disk.size).max(least_throughput) + provisioned * KB_OF_IOPS / KB_OF_MB);
        Self {
            iops,
            iops_read: iops,
            iops_write: iops,
            throughput,
            throughput_read: throughput,
            throughput_write: throughput,
        }
    }
}

/// Where the data of a regional disk is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Placement {
    /// With commas.
    zone_ids: String,
}

impl Placement {
    /// Documented: only regional disks have one. Theirs is three zones, or all that the region has.
    #[must_use]
    pub fn of(disk: &Disk) -> Option<Self> {
        let region = regions::find(&disk.region_id).filter(|_| disk.is_regional())?;
        Some(Self { zone_ids: region.zones().take(3).collect::<Vec<_>>().join(",") })
    }
}
