//! What snapshots take up: totals, chains, the series over time, packages and the service.

use serde_json::Value;

use crate::support::answer::{column, text};
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};

const USAGE: &str = "DescribeSnapshotsUsage";
const LINKS: &str = "DescribeSnapshotLinks";
const SERIES: &str = "DescribeSnapshotMonitorData";
const GIB: i64 = 1 << 30;

async fn usage(app: &TestApp, region: &str) -> (i64, i64) {
    let body = app.ok(USAGE, &[("RegionId", region)]).await;
    let number = |name: &str| body[name].as_i64().expect("a number");
    (number("SnapshotCount"), number("SnapshotSize"))
}

async fn links(app: &TestApp, others: &[(&str, &str)]) -> Vec<Value> {
    let body = app.ok(LINKS, &[&[("RegionId", REGION)], others].concat()).await;
    body["SnapshotLinks"]["SnapshotLink"].as_array().expect("a list").clone()
}

/// Ids as the JSON text that the vendor wants.
fn json(ids: &[&str]) -> String {
    serde_json::to_string(ids).expect("JSON")
}

#[tokio::test]
async fn usage_chains_and_snapshots_tell_the_same_sizes() {
    let app = TestApp::new().await;
    let (first, second) = (app.attached_disk().await, app.disk_with(|disk| disk.size = 100).await);
    for disk in [&first, &second, &first, &second] {
        app.accomplished_snapshot(disk).await;
    }
    let unfinished = app.snapshot(&first).await;
    // 20 percent of a disk's size for its first snapshot, 2 percent for each later one.
    let (of_first, of_second) = (40 * GIB / 5 + 40 * GIB / 50, 100 * GIB / 5 + 100 * GIB / 50);
    assert_eq!(usage(&app, REGION).await, (5, of_first + of_second));
    let shown = links(&app, &[]).await;
    let total = |name: &str| shown.iter().map(|link| link[name].as_i64().expect("a number")).sum::<i64>();
    assert_eq!((total("TotalCount"), total("TotalSize")), usage(&app, REGION).await);
    let body = app.ok("DescribeSnapshots", &[("RegionId", REGION)]).await;
    let sizes = body["Snapshots"]["Snapshot"].as_array().expect("a list").iter();
    assert_eq!(
        sizes.map(|item| item["FullSnapshotSizeInBytes"].as_i64().expect("a number")).sum::<i64>(),
        total("TotalSize")
    );
    app.ok("DeleteSnapshot", &[("SnapshotId", &unfinished)]).await;
    assert_eq!(usage(&app, REGION).await, (4, of_first + of_second));
    assert_eq!(usage(&app, OTHER_REGION).await, (0, 0));
    let foreign = app.call_as(OTHER_KEY, USAGE, &[("RegionId", REGION)]).await.accepted();
    assert_eq!(foreign["SnapshotCount"], 0);
    app.refused(USAGE, &[("RegionId", "cn-atlantis")], 403, "InvalidParam.RegionId").await;
}

#[tokio::test]
async fn a_copy_is_a_chain_of_the_other_region() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.accomplished_snapshot(&disk).await;
    let copy = [
        ("SnapshotId", id.as_str()),
        ("DestinationRegionId", OTHER_REGION),
        ("DestinationSnapshotName", "copied"),
        ("DestinationSnapshotDescription", "a copy"),
    ];
    app.ok("CopySnapshot", &copy).await;
    assert_eq!(usage(&app, OTHER_REGION).await, (1, 0), "nothing of it is there yet");
    app.advance("3s").await;
    assert_eq!(usage(&app, OTHER_REGION).await, usage(&app, REGION).await);
    let body = app.ok(LINKS, &[("RegionId", OTHER_REGION)]).await;
    let link = &body["SnapshotLinks"]["SnapshotLink"][0];
    assert_eq!((text(link, "/SourceDiskId"), text(link, "/InstanceId")), (disk, String::new()));
    assert_eq!(link["SourceDiskSize"], 40);
    app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
    assert_eq!(usage(&app, REGION).await, (0, 0));
    assert!(links(&app, &[]).await.is_empty(), "a chain ends with its last snapshot");
}

#[tokio::test]
async fn a_chain_tells_of_its_disk_as_long_as_it_is_there() {
    let app = TestApp::new().await;
    let instance = app.instance().await;
    let disk = app.disk_with(|disk| "data1".clone_into(&mut disk.disk_name)).await;
    let quick = [("DiskId", disk.as_str()), ("InstantAccess", "true")];
    let instant = text(&app.ok("CreateSnapshot", &quick).await, "/SnapshotId");
    app.accomplished_snapshot(&disk).await;
    app.ok("AttachDisk", &[("InstanceId", &instance), ("DiskId", &disk)]).await;
    app.sql(&format!("UPDATE disks SET size = 60 WHERE disk_id = '{disk}'")).await;
    let link = links(&app, &[]).await.remove(0);
    for (pointer, value) in [
        ("/SnapshotLinkId", disk.replace("d-", "sl-").as_str()),
        ("/RegionId", REGION),
        ("/SourceDiskId", &disk),
        ("/SourceDiskName", "data1"),
        ("/SourceDiskType", "data"),
        ("/InstanceId", &instance),
        ("/InstanceName", "seeded"),
        ("/Category", "standard"),
    ] {
        assert_eq!(text(&link, pointer), value, "{pointer}");
    }
    assert_eq!(
        (&link["SourceDiskSize"], &link["TotalCount"], &link["InstantAccess"]),
        (&60.into(), &2.into(), &true.into())
    );
    app.ok("DeleteSnapshot", &[("SnapshotId", &instant)]).await;
    app.ok("DetachDisk", &[("InstanceId", &instance), ("DiskId", &disk)]).await;
    app.ok("DeleteDisk", &[("DiskId", &disk)]).await;
    let link = links(&app, &[]).await.remove(0);
    assert_eq!((text(&link, "/InstanceId"), text(&link, "/SourceDiskName")), (String::new(), String::new()));
    assert_eq!((&link["SourceDiskSize"], &link["InstantAccess"]), (&40.into(), &false.into()));
}

#[tokio::test]
async fn chains_are_filtered_and_paged() {
    let app = TestApp::new().await;
    let mut disks = Vec::new();
    for _ in 0..12 {
        let disk = app.attached_disk().await;
        app.accomplished_snapshot(&disk).await;
        disks.push(disk);
    }
    let found = |links: Vec<Value>| links.iter().map(|link| text(link, "/SourceDiskId")).collect::<Vec<_>>();
    assert_eq!(found(links(&app, &[("DiskIds", &json(&[&disks[3]]))]).await), [disks[3].clone()]);
    let chain = disks[4].replace("d-", "sl-");
    assert_eq!(found(links(&app, &[("SnapshotLinkIds", &json(&[&chain]))]).await), [disks[4].clone()]);
    let instance = text(&links(&app, &[("DiskIds", &json(&[&disks[5]]))]).await[0], "/InstanceId");
    assert_eq!(found(links(&app, &[("InstanceId", &instance)]).await), [disks[5].clone()]);
    let both = [("InstanceId", instance.as_str()), ("DiskIds", &json(&[&disks[3]]))];
    assert!(links(&app, &both).await.is_empty(), "all filters have to match");
    assert!(links(&app, &[("DiskIds", "[]")]).await.is_empty(), "a list of nothing matches nothing");
    let page = app.ok(LINKS, &[("RegionId", REGION), ("PageNumber", "2"), ("PageSize", "5")]).await;
    assert_eq!((&page["TotalCount"], &page["PageNumber"], &page["PageSize"]), (&12.into(), &2.into(), &5.into()));
    let newest_first: Vec<String> = disks.iter().rev().cloned().collect();
    assert_eq!(column(&page, "/SnapshotLinks/SnapshotLink", "SourceDiskId"), newest_first[5..10]);
    let first = app.ok(LINKS, &[("RegionId", REGION), ("MaxResults", "10")]).await;
    let token = text(&first, "/NextToken");
    let second = app.ok(LINKS, &[("RegionId", REGION), ("NextToken", &token)]).await;
    assert_eq!(column(&second, "/SnapshotLinks/SnapshotLink", "SourceDiskId"), newest_first[10..]);
    let foreign = app.call_as(OTHER_KEY, LINKS, &[("RegionId", REGION)]).await.accepted();
    assert_eq!(foreign["TotalCount"], 0);
}

#[tokio::test]
async fn chains_are_not_sought_by_what_is_none() {
    let app = TestApp::new().await;
    let many = json(&vec!["d-1"; 101]);
    for (others, code) in [
        ([("InstanceId", "i-neverwasthere")], "InvalidInstanceId.NotFound"),
        ([("RegionId", "cn-atlantis")], "InvalidRegionId"),
        ([("DiskIds", "d-1")], "InvalidDiskIds"),
        ([("DiskIds", "[\"s-1\"]")], "InvalidDiskIds"),
        ([("DiskIds", &many)], "InvalidDiskIds"),
        ([("SnapshotLinkIds", "{}")], "InvalidSnapshotLinkIds"),
        ([("SnapshotLinkIds", "[\"d-1\"]")], "InvalidSnapshotLinkIds"),
        ([("PageSize", "101")], "InvalidParameter"),
        ([("PageNumber", "0")], "InvalidParameter"),
        ([("NextToken", "?")], "InvalidParameter"),
    ] {
        app.refused(LINKS, &others, 400, code).await;
    }
}

#[tokio::test]
async fn a_series_tells_how_sizes_grew() {
    let app = TestApp::new().await;
    let disk = app.disk_with(|disk| disk.size = 50).await;
    app.accomplished_snapshot(&disk).await;
    app.advance("90s").await;
    app.accomplished_snapshot(&disk).await;
    app.advance("86s").await;
    let range = [("StartTime", "2026-01-01T00:00:00Z"), ("EndTime", "2026-01-01T00:10:00Z")];
    let sizes = async |others: &[(&str, &str)]| -> Vec<(String, i64)> {
        let body = app.ok(SERIES, &[&[("RegionId", REGION)], &range[..], others].concat()).await;
        let points = body["MonitorData"]["DataPoint"].as_array().expect("a list").clone();
        points.iter().map(|point| (text(point, "/TimeStamp"), point["Size"].as_i64().expect("a number"))).collect()
    };
    let expected = [("00", 0), ("01", 10 * GIB), ("02", 11 * GIB), ("03", 11 * GIB)]
        .map(|(minute, size)| (format!("2026-01-01T00:{minute}:00Z"), size));
    assert_eq!(sizes(&[]).await, expected, "nothing is told of the future");
    assert_eq!(sizes(&[("Period", "600")]).await, expected[..1]);
    assert_eq!(sizes(&[("Category", "Archive")]).await.iter().map(|point| point.1).sum::<i64>(), 0);
    let body = app.ok(SERIES, &[("RegionId", OTHER_REGION), range[0], range[1]]).await;
    assert_eq!(body["MonitorData"]["DataPoint"][3]["Size"], 0);
    let foreign = app.call_as(OTHER_KEY, SERIES, &[("RegionId", REGION), range[0], range[1]]).await.accepted();
    assert_eq!(foreign["MonitorData"]["DataPoint"][3]["Size"], 0);
}

#[tokio::test]
async fn a_series_has_bounds() {
    let app = TestApp::new().await;
    app.advance("60d").await;
    let (start, end) = ("2026-02-20T00:00:00Z", "2026-02-20T01:00:00Z");
    for (from, to, others, code) in [
        ("yesterday", end, [("Period", "60")], "InvalidStartTime.Malformed"),
        (start, "tomorrow", [("Period", "60")], "InvalidEndTime.Malformed"),
        (end, start, [("Period", "60")], "InvalidEndTime.Malformed"),
        (start, end, [("Period", "61")], "InvalidPeriod.ValueNotSupported"),
        (start, end, [("Period", "often")], "InvalidPeriod.ValueNotSupported"),
        (start, end, [("Category", "gold")], "InvalidParameter"),
        (start, "2026-02-20T06:41:00Z", [("Period", "60")], "InvalidParameter.TooManyDataQueried"),
        ("2026-01-30T23:59:59Z", "2026-01-31T01:00:00Z", [("Period", "60")], "InvalidStartTime.TooEarly"),
        ("", end, [("Period", "60")], "MissingParameter"),
    ] {
        app.refused(SERIES, &[&[("StartTime", from), ("EndTime", to)], &others[..]].concat(), 400, code).await;
    }
    app.ok(SERIES, &[("StartTime", start), ("EndTime", "2026-02-20T06:40:00Z")]).await;
}

#[tokio::test]
async fn nothing_is_sold_and_the_service_is_open() {
    let app = TestApp::new().await;
    let body =
        app.ok("DescribeSnapshotPackage", &[("RegionId", REGION), ("PageNumber", "2"), ("PageSize", "20")]).await;
    assert_eq!((&body["TotalCount"], &body["PageNumber"], &body["PageSize"]), (&0.into(), &2.into(), &20.into()));
    assert_eq!(body["SnapshotPackages"]["SnapshotPackage"], Value::Array(vec![]));
    app.refused("DescribeSnapshotPackage", &[("PageSize", "101")], 400, "InvalidParameter").await;
    let before = app.dump().await;
    for _ in 0..2 {
        let body = app.ok("OpenSnapshotService", &[("RegionId", REGION)]).await;
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(1));
    }
    assert_eq!(app.dump().await, before);
}

/// Has every action of the families around snapshots answer each of its fields.
pub async fn every_field(app: &TestApp) {
    let instance = app.instance().await;
    let disk = app.disk_with(|_| {}).await;
    app.ok("AttachDisk", &[("DiskId", &disk), ("InstanceId", &instance)]).await;
    let id = app.accomplished_snapshot(&disk).await;
    let mode = ("LockMode", "compliance");
    app.ok("LockSnapshot", &[("SnapshotId", &id), mode, ("LockDuration", "1"), ("CoolOffPeriod", "1")]).await;
    app.ok("DescribeLockedSnapshots", &[("RegionId", REGION)]).await;
    app.xml("DescribeLockedSnapshots", &[("RegionId", REGION)]).await;
    app.ok("UnlockSnapshot", &[("SnapshotId", &id)]).await;
    let copy = [
        ("SnapshotId", id.as_str()),
        ("DestinationRegionId", OTHER_REGION),
        ("DestinationSnapshotName", "copied"),
        ("DestinationSnapshotDescription", "a copy"),
    ];
    app.ok("CopySnapshot", &copy).await;
    app.ok("ExportSnapshot", &[("SnapshotId", &id), ("OssBucket", "exports")]).await;
    app.advance("14d").await;
    app.ok("ModifySnapshotCategory", &[("SnapshotId", &id)]).await;
    for paging in [&[][..], &[("MaxResults", "10")], &[("PageSize", "10")]] {
        app.ok(LINKS, paging).await;
    }
    app.xml(LINKS, &[]).await;
    app.ok(USAGE, &[]).await;
    let now = app.now().to_seconds();
    app.ok(SERIES, &[("StartTime", &now), ("EndTime", &now)]).await;
    app.ok("DescribeSnapshotPackage", &[]).await;
    app.ok("OpenSnapshotService", &[]).await;
}
