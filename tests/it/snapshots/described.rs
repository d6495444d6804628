//! `DescribeSnapshots`: its filters, what they refuse, and whose snapshots it shows.

use serde_json::Value;

use crate::support::answer::{snapshot_ids, text};
use crate::support::{ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};

const DESCRIBE: &str = "DescribeSnapshots";

/// Four snapshots that differ in every filter: oldest first.
async fn four(app: &TestApp) -> [String; 4] {
    let system = app
        .disk_with(|disk| {
            "system".clone_into(&mut disk.disk_type);
            disk.encrypted = true.into();
            "key-1".clone_into(&mut disk.kms_key_id);
        })
        .await;
    let data = app.attached_disk().await;
    let with = async |disk: &str, more: &[(&str, &str)]| {
        let id = text(&app.ok("CreateSnapshot", &[&[("DiskId", disk)], more].concat()).await, "/SnapshotId");
        app.advance("1m").await;
        id
    };
    let first = with(&system, &[("SnapshotName", "first"), ("Tag.1.Key", "k"), ("Tag.1.Value", "1")]).await;
    let second =
        with(&data, &[("ResourceGroupId", "rg-2"), ("Tag.1.Key", "k"), ("Tag.1.Value", "2"), ("Tag.2.Key", "m")]).await;
    let third = with(&data, &[]).await;
    app.image_from(&second, "Available", ACCOUNT).await;
    app.disk_from(&third).await;
    let fourth = app.snapshot(&data).await;
    [first, second, third, fourth]
}

#[tokio::test]
async fn each_filter_finds_what_it_says() {
    let app = TestApp::new().await;
    let [first, second, third, fourth] = four(&app).await;
    let shown = app.described(&second).await;
    let (disk, link) = (text(&shown, "/SourceDiskId"), text(&shown, "/SnapshotLinkId"));
    let instance = format!("i-bp1{}", &disk["d-bp1".len()..]);
    let list = format!("[\"{first}\",\"{fourth}\",\"s-none\"]");
    let data = vec![&fourth, &third, &second];
    let all = vec![&fourth, &third, &second, &first];
    let cases: Vec<(Vec<(&str, &str)>, Vec<&String>)> = vec![
        (vec![], all.clone()),
        (vec![("SnapshotIds", &list)], vec![&fourth, &first]),
        (vec![("SnapshotIds", "[]")], vec![]),
        (vec![("DiskId", &disk)], data.clone()),
        (vec![("DiskId", "d-none")], vec![]),
        (vec![("SnapshotLinkId", &link)], data.clone()),
        (vec![("SnapshotName", "first")], vec![&first]),
        (vec![("Status", "progressing")], vec![&fourth]),
        (vec![("Status", "accomplished")], vec![&third, &second, &first]),
        (vec![("Status", "failed")], vec![]),
        (vec![("Status", "all")], all.clone()),
        (vec![("SnapshotType", "user")], all.clone()),
        (vec![("SnapshotType", "auto")], vec![]),
        (vec![("SnapshotType", "timer")], vec![]),
        (vec![("SourceDiskType", "SYSTEM")], vec![&first]),
        (vec![("SourceDiskType", "data")], data.clone()),
        (vec![("Usage", "image")], vec![&second]),
        (vec![("Usage", "disk")], vec![&third]),
        (vec![("Usage", "image_disk")], vec![]),
        (vec![("Usage", "none")], vec![&fourth, &first]),
        (vec![("Encrypted", "true")], vec![&first]),
        (vec![("Encrypted", "false")], all.clone()),
        (vec![("KMSKeyId", "key-1")], vec![&first]),
        (vec![("ResourceGroupId", "rg-2")], vec![&second]),
        (vec![("Category", "Standard")], all.clone()),
        (vec![("Category", "archive")], vec![]),
        (vec![("Tag.1.Key", "k")], vec![&second, &first]),
        (vec![("Tag.1.Key", "k"), ("Tag.1.Value", "1")], vec![&first]),
        (vec![("Tag.1.Key", "k"), ("Tag.2.Key", "m")], vec![&second]),
        (vec![("Tag.1.Key", "k"), ("Tag.1.Value", "1"), ("Tag.2.Key", "m")], vec![]),
        (vec![("Filter.1.Key", "CreationStartTime"), ("Filter.1.Value", "2026-01-01T00:01Z")], data.clone()),
        (vec![("Filter.1.Key", "CreationEndTime"), ("Filter.1.Value", "2026-01-01T00:00:00Z")], vec![&first]),
        (
            vec![
                ("Filter.1.Key", "CreationStartTime"),
                ("Filter.1.Value", "2026-01-01T00:01Z"),
                ("Filter.2.Key", "CreationEndTime"),
                ("Filter.2.Value", "2026-01-01T00:02Z"),
            ],
            vec![&third, &second],
        ),
        (vec![("DiskId", &disk), ("Usage", "none")], vec![&fourth]),
    ];
    for (params, wanted) in cases {
        let body = app.ok(DESCRIBE, &params).await;
        assert_eq!(snapshot_ids(&body).iter().collect::<Vec<_>>(), wanted, "{params:?} {instance}");
        assert_eq!(body["TotalCount"], Value::from(wanted.len()), "{params:?}");
        let small = app.ok(DESCRIBE, &[params.as_slice(), &[("PageSize", "1")]].concat()).await;
        assert_eq!(small["TotalCount"], Value::from(wanted.len()), "{params:?}");
    }
}

#[tokio::test]
async fn an_instance_shows_the_snapshots_of_its_disks() {
    let app = TestApp::new().await;
    let instance = app.instance().await;
    let mut row = crate::support::seed::disk_row("d-bp1ofinstance", REGION, app.now());
    "In_use".clone_into(&mut row.status);
    let disk = app.insert_disk(row, Some(instance.clone())).await;
    let id = app.snapshot(&disk).await;
    app.snapshot(&app.attached_disk().await).await;
    assert_eq!(snapshot_ids(&app.ok(DESCRIBE, &[("InstanceId", &instance)]).await), [id]);
    assert_eq!(snapshot_ids(&app.ok(DESCRIBE, &[("InstanceId", "i-none")]).await), Vec::<String>::new());
}

#[tokio::test]
async fn bad_filters_have_their_own_codes() {
    let app = TestApp::new().await;
    let many: Vec<String> = (0..101).map(|n| format!("\"s-{n}\"")).collect();
    let many = format!("[{}]", many.join(","));
    let cases: [(&str, &str, u16, &str); 21] = [
        ("Status", "done", 404, "InvalidStatus.NotFound"),
        ("SnapshotType", "manual", 404, "InvalidSnapshotType.NotFound"),
        ("Usage", "disks", 404, "InvalidUsage"),
        ("SourceDiskType", "floppy", 404, "InvalidSourceDiskType"),
        ("Category", "gold", 403, "InvalidSnapshotCategory.Malformed"),
        ("SnapshotLinkId", "x", 404, "InvalidSnapshotLinkId.NotFound"),
        ("SnapshotIds", &many, 403, "InvalidSnapshotIds.Malformed"),
        ("SnapshotIds", "s-1", 400, "InvalidParameter"),
        ("SnapshotIds", "s-1,s-2", 400, "InvalidParameter"),
        ("SnapshotIds", "null", 400, "InvalidParameter"),
        ("SnapshotIds", "\"s-1\"", 400, "InvalidParameter"),
        ("SnapshotIds", "[\"s-1\",]", 400, "InvalidParameter"),
        ("SnapshotIds", "{}", 400, "InvalidParameter"),
        ("Filter.1.Key", "Size", 404, "InvalidFilterKey.NotFound"),
        ("Tag.1.Value", "v", 400, "InvalidTag.Mismatch"),
        ("Tag.21.Value", "v", 400, "InvalidTag.Mismatch"),
        ("PageNumber", "0", 400, "InvalidParameter"),
        ("PageSize", "101", 400, "InvalidParameter"),
        ("PageSize", "ten", 400, "InvalidParameter"),
        ("NextToken", "nonsense", 400, "InvalidParameter"),
        ("MaxResults", "99999999999999999999", 400, "InvalidParameter"),
    ];
    for (name, value, status, code) in cases {
        app.refused(DESCRIBE, &[(name, value)], status, code).await;
    }
    let time = [("Filter.1.Key", "CreationStartTime"), ("Filter.1.Value", "yesterday")];
    app.refused(DESCRIBE, &time, 404, "InvalidFilterValue").await;
    let names: Vec<String> = (1..=21).map(|n| format!("Tag.{n}.Key")).collect();
    let tags: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "k")).collect();
    app.refused(DESCRIBE, &tags, 400, "InvalidTagCount").await;
    app.refused(DESCRIBE, &[("DryRun", "true")], 400, "DryRunOperation").await;
}

#[tokio::test]
async fn a_hundred_ids_are_taken() {
    let app = TestApp::new().await;
    let here = app.snapshot(&app.attached_disk().await).await;
    let ids: Vec<String> = (0..99).map(|n| format!("s-{n}")).chain([here.clone()]).collect();
    let ids = serde_json::Value::from(ids).to_string();
    assert_eq!(snapshot_ids(&app.ok(DESCRIBE, &[("SnapshotIds", &ids)]).await), [here]);
}

#[tokio::test]
async fn the_total_counts_what_the_tag_and_every_other_filter_match() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    for name in ["one", "one", "two"] {
        let params = [("DiskId", disk.as_str()), ("SnapshotName", name), ("Tag.1.Key", "team"), ("Tag.1.Value", "a")];
        app.advance("2s").await;
        app.ok("CreateSnapshot", &params).await;
    }
    let cases =
        [(("Status", "all"), 3), (("Status", "accomplished"), 2), (("SnapshotName", "one"), 2), (("Usage", "disk"), 0)];
    for (filter, total) in cases {
        let params = [("Tag.1.Key", "team"), ("Tag.1.Value", "a"), ("PageSize", "1"), filter];
        assert_eq!(app.ok(DESCRIBE, &params).await["TotalCount"], total, "{filter:?}");
    }
}

#[tokio::test]
async fn only_the_callers_snapshots_of_the_region_are_shown() {
    let app = TestApp::new().await;
    let here = app.snapshot(&app.attached_disk().await).await;
    let there = app.snapshot(&app.disk_in(OTHER_REGION).await).await;
    assert_eq!(snapshot_ids(&app.ok(DESCRIBE, &[("RegionId", REGION)]).await), std::slice::from_ref(&here));
    assert_eq!(snapshot_ids(&app.ok(DESCRIBE, &[("RegionId", OTHER_REGION)]).await), [there]);
    assert_eq!(snapshot_ids(&app.ok(DESCRIBE, &[]).await), [here], "the default region");
    let foreign = app.call_as(OTHER_KEY, DESCRIBE, &[("RegionId", REGION)]).await.accepted();
    assert_eq!((snapshot_ids(&foreign), &foreign["TotalCount"]), (Vec::new(), &0.into()));
    app.refused(DESCRIBE, &[("RegionId", "nowhere")], 404, "InvalidRegionId.NotFound").await;
}
