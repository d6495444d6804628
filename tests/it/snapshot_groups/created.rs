//! `CreateSnapshotGroup`: of all disks or of none, and finished when its snapshots are.

use serde_json::Value;

use super::{CREATE, DESCRIBE, HERE, LIST, disk_on, group_of, instance_with_disks, members, shown};
use crate::support::answer::{column, text};
use crate::support::{ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};
use snapshotd::store::disks::Disk;
use snapshotd::store::row_locks::RowLocks;

#[tokio::test]
async fn the_disks_of_an_instance_are_snapshotted_together() {
    let app = TestApp::new().await;
    let (instance, system, data) = instance_with_disks(&app).await;
    let params = [
        HERE,
        ("InstanceId", instance.as_str()),
        ("Name", "nightly"),
        ("Description", "before the update"),
        ("ResourceGroupId", "rg-1"),
        ("InstantAccess", "true"),
        ("InstantAccessRetentionDays", "3"),
        ("Tag.1.Key", "team"),
        ("Tag.1.Value", "a"),
    ];
    let group = text(&app.ok(CREATE, &params).await, "/SnapshotGroupId");
    assert!(group.starts_with("ssg-bp1"), "{group}");
    let body = shown(&app, &group).await;
    for (field, value) in [
        ("Name", "nightly"),
        ("Description", "before the update"),
        ("Status", "progressing"),
        ("InstanceId", &*instance),
        ("ResourceGroupId", "rg-1"),
        ("CreationTime", "2026-01-01T00:00:00Z"),
    ] {
        assert_eq!(body[field], value, "{field}");
    }
    assert_eq!(body["Tags"]["Tag"], serde_json::json!([{"Key": "team", "Value": "a"}]));
    assert_eq!(column(&body, "/Snapshots/Snapshot", "SourceDiskId"), [system, data]);
    assert_eq!(column(&body, "/Snapshots/Snapshot", "SourceDiskType"), ["system", "data"]);
    let first = &body["Snapshots"]["Snapshot"][0];
    assert_eq!((&first["Available"], &first["InstantAccess"]), (&true.into(), &true.into()));
    assert_eq!((&first["InstantAccessRetentionDays"], &first["Progress"]), (&3.into(), &"0%".into()));
    assert_eq!(first["Tags"]["Tag"], serde_json::json!([{"Key": "acs:ecs:createFrom", "Value": instance}]));
    let single = app.described(&text(first, "/SnapshotId")).await;
    let origin = format!("Created_from_{group}");
    assert_eq!((text(&single, "/SnapshotName"), text(&single, "/Description")), (origin.clone(), origin));
    assert_eq!(text(&single, "/ResourceGroupId"), "rg-1");
}

#[tokio::test]
async fn a_group_is_accomplished_when_its_snapshots_are() {
    let mut app = TestApp::new().await;
    let (instance, ..) = instance_with_disks(&app).await;
    let group = text(&app.ok(CREATE, &[("InstanceId", &instance)]).await, "/SnapshotGroupId");
    app.advance("1s").await;
    let asked = [HERE, ("SnapshotGroupId.1", &*group), ("AdditionalAttributes.1", "SNAPSHOT_GROUP_PROGRESS_STATUS")];
    let body = app.ok(DESCRIBE, &asked).await;
    assert_eq!(column(&body, LIST, "ProgressStatus"), ["50%"]);
    assert_eq!(shown(&app, &group).await["ProgressStatus"], Value::Null, "it is told only where it was asked for");
    app.restart().await;
    app.advance("1s").await;
    let body = shown(&app, &group).await;
    assert_eq!(body["Status"], "accomplished");
    assert_eq!(column(&body, "/Snapshots/Snapshot", "Progress"), ["100%", "100%"]);
}

#[tokio::test]
async fn a_group_fails_with_one_of_its_snapshots() {
    let app = TestApp::new().await;
    let (instance, ..) = instance_with_disks(&app).await;
    let group = text(&app.ok(CREATE, &[("InstanceId", &instance)]).await, "/SnapshotGroupId");
    let first = members(&app, &group).await.remove(0);
    app.sql(&format!(
        "UPDATE snapshots SET status = 'failed', available = 0 WHERE snapshot_id = '{first}';
         DELETE FROM timers WHERE resource_id = '{first}'"
    ))
    .await;
    app.advance("2s").await;
    assert_eq!(shown(&app, &group).await["Status"], "failed");
}

#[tokio::test]
async fn disks_of_several_instances_and_free_ones_make_a_group_of_no_instance() {
    let app = TestApp::new().await;
    let (one, two) = (app.attached_disk().await, app.attached_disk().await);
    let free = app.disk_with(|_| {}).await;
    let group = group_of(&app, &[&two, &free, &one, &two]).await;
    let body = shown(&app, &group).await;
    assert_eq!(body["InstanceId"], "");
    assert_eq!(column(&body, "/Snapshots/Snapshot", "SourceDiskId"), [two.clone(), free, one], "as named, each once");
    let group = group_of(&app, &[&two]).await;
    assert_ne!(shown(&app, &group).await["InstanceId"], "", "all its disks are of one");
}

#[tokio::test]
async fn disks_of_an_instance_are_named_or_left_out() {
    let app = TestApp::new().await;
    let (instance, system, data) = instance_with_disks(&app).await;
    for param in [("DiskId.1", data.as_str()), ("ExcludeDiskId.1", &system)] {
        let group = text(&app.ok(CREATE, &[("InstanceId", &instance), param]).await, "/SnapshotGroupId");
        let body = shown(&app, &group).await;
        assert_eq!(column(&body, "/Snapshots/Snapshot", "SourceDiskId"), [data.as_str()]);
    }
}

#[tokio::test]
async fn values_that_are_wrong_whatever_is_stored_are_refused() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let before = app.dump().await;
    let cases: [(&[(&str, &str)], u16, &str); 16] = [
        (&[], 400, "MissingParamter.InstanceId"),
        (&[("ExcludeDiskId.1", "d-1")], 400, "MissingParamter.InstanceId"),
        (&[("DiskId.1", "d-1"), ("ExcludeDiskId.1", "d-2")], 400, "InvalidParam.ExcludeDiskIdsAndDiskIds.Conflict"),
        (&[("DiskId.1", "d-1"), ("Name", "1a")], 400, "InvalidParameter.Name"),
        (&[("DiskId.1", "d-1"), ("Name", "http://x")], 400, "InvalidParameter.Name"),
        (&[("DiskId.1", "d-1"), ("Description", "x")], 400, "InvalidParameter.Description"),
        (&[("DiskId.1", "d-1"), ("InstantAccessRetentionDays", "0")], 400, "InvalidRetentionDays.Malformed"),
        (&[("DiskId.1", "d-1"), ("InstantAccessRetentionDays", "x")], 400, "InvalidRetentionDays.Malformed"),
        (&[("DiskId.1", "d-1"), ("InstantAccess", "x")], 400, "InvalidParameter"),
        (&[("DiskId.1", "d-1"), ("Tag.1.Key", "acs:x")], 400, "InvalidTagKey.Malformed"),
        (&[("DiskId.1", "d-1"), ("Tag.1.Key", "k"), ("Tag.1.Value", "http://x")], 400, "InvalidTagValue.Malformed"),
        (&[("DiskId.1", "d-1"), ("Tag.1.Key", "k"), ("Tag.2.Key", "k")], 400, "Duplicate.TagKey"),
        (&[("DiskId.1", "d-none")], 404, "InvalidDiskId.NotFound"),
        (&[("InstanceId", "i-none")], 404, "InvalidInstanceId.NotFound"),
        (&[("DiskId.1", &disk), ("RegionId", OTHER_REGION)], 404, "InvalidDiskId.NotFound"),
        (&[("DiskId.1", &disk), ("RegionId", "cn-atlantis")], 404, "InvalidRegionId.NotFound"),
    ];
    for (params, status, code) in cases {
        app.refused(CREATE, params, status, code).await;
    }
    app.call_as(OTHER_KEY, CREATE, &[("DiskId.1", &disk)]).await.refused(404, "InvalidDiskId.NotFound");
    assert_eq!(app.dump().await, before);
}

/// Each case: how the second disk differs from a good one, and the code that it meets.
#[tokio::test]
async fn one_disk_that_cannot_be_snapshotted_keeps_all_from_it() {
    let app = TestApp::new().await;
    let good = app.attached_disk().await;
    let cases: [(fn(&mut Disk), u16, &str); 9] = [
        (|disk| "cloud_efficiency".clone_into(&mut disk.category), 403, "IncorrectDiskType.NotSupport"),
        (
            |disk| "elastic_ephemeral_disk_standard".clone_into(&mut disk.category),
            400,
            "DiskCategory.OperationNotSupported",
        ),
        (|disk| "Enabled".clone_into(&mut disk.multi_attach), 403, "InvalidOperation.MultiAttachDisk"),
        (|disk| "cloud_regional_disk_auto".clone_into(&mut disk.category), 403, "InvalidDisk.DiskCategoryInconsistent"),
        (|disk| "cn-hangzhou-i".clone_into(&mut disk.zone_id), 400, "InvalidDiskIds.NotInSameZone"),
        (|disk| disk.size = 32_729, 403, "CapacityExceed.TooManyDisks"),
        (|disk| "Creating".clone_into(&mut disk.status), 403, "IncorrectDiskStatus"),
        (|disk| disk.ever_attached = false.into(), 403, "IncorrectDiskStatus.NeverAttached"),
        (|disk| disk.size = 32_728, 200, ""),
    ];
    for (change, status, code) in cases {
        let odd = app.disk_with(change).await;
        let before = app.dump().await;
        let answer = app.call(CREATE, &[("DiskId.1", &good), ("DiskId.2", &odd)]).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{}", answer.text);
        assert!(status == 200 || app.dump().await == before, "{code}: a refused call changed something");
    }
}

#[tokio::test]
async fn seventeen_disks_are_too_many() {
    let app = TestApp::new().await;
    let mut disks = Vec::new();
    for _ in 0..17 {
        disks.push(app.disk_with(|disk| disk.size = 20).await);
    }
    let ids: Vec<&str> = disks.iter().map(String::as_str).collect();
    let names: Vec<String> = (1..=17).map(|n| format!("DiskId.{n}")).collect();
    let params: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(ids.iter().copied()).collect();
    app.refused(CREATE, &params, 403, "NumberExceed.TooManyDisks").await;
    let group = group_of(&app, &ids[1..]).await;
    assert_eq!(members(&app, &group).await.len(), 16);
}

#[tokio::test]
async fn instances_and_their_disks_have_to_fit() {
    let app = TestApp::new().await;
    let (instance, system, data) = instance_with_disks(&app).await;
    let stranger = app.attached_disk().await;
    let of = ("InstanceId", instance.as_str());
    app.refused(CREATE, &[of, ("DiskId.1", &stranger)], 403, "DiskId.ValueNotSupported").await;
    app.refused(CREATE, &[of, ("ExcludeDiskId.1", "d-none")], 404, "InvalidDiskId.NotFound").await;
    let all = [of, ("ExcludeDiskId.1", &*system), ("ExcludeDiskId.2", &data)];
    app.refused(CREATE, &all, 403, "InvalidInstance.NoDisk").await;
    let bare = app.instance().await;
    app.refused(CREATE, &[("InstanceId", &bare)], 403, "InvalidInstance.NoDisk").await;
    let starting = app.instance_in(REGION, "Starting").await;
    app.refused(CREATE, &[("InstanceId", &starting)], 400, "IncorrectInstanceStatus").await;
    let disk = disk_on(&app, &starting, |_| {}).await;
    app.refused(CREATE, &[("DiskId.1", &disk)], 400, "IncorrectInstanceStatus").await;
    app.sql(&format!("UPDATE instances SET started_once = 0 WHERE instance_id = '{instance}'")).await;
    app.refused(CREATE, &[of], 403, "IncorrectDiskStatus.NeverUsed").await;
}

#[tokio::test]
async fn the_quotas_of_each_disk_and_of_tags_are_kept() {
    let app = TestApp::with(|config| (config.quotas.snapshots_per_disk, config.quotas.tags) = (12, 1)).await;
    let (one, two) = (app.attached_disk().await, app.attached_disk().await);
    for _ in 0..10 {
        app.snapshot(&one).await;
    }
    let both = [("DiskId.1", two.as_str()), ("DiskId.2", &one)];
    app.refused(CREATE, &both, 403, "QuotaExceed.ConcurrentSnapshotQuota").await;
    app.advance("2s").await;
    app.ok(CREATE, &both).await;
    app.ok(CREATE, &both).await;
    app.refused(CREATE, &both, 403, "QuotaExceed.Snapshot").await;
    let tags = [("DiskId.1", two.as_str()), ("Tag.1.Key", "a"), ("Tag.2.Key", "b")];
    app.refused(CREATE, &tags, 403, "QuotaExceed.Tags").await;
}

#[tokio::test]
async fn a_disk_that_is_held_exclusively_is_in_conflict() {
    let app = TestApp::new().await;
    let (instance, system, _) = instance_with_disks(&app).await;
    let free = app.disk_with(|_| {}).await;
    for (held, params) in [(&free, ("DiskId.1", &free)), (&system, ("InstanceId", &instance))] {
        let guard = app.app().store.hold(ACCOUNT, &RowLocks::exclusive(held)).await.expect("free");
        app.refused(CREATE, &[(params.0, params.1)], 403, "Operation.Conflict").await;
        drop(guard);
        app.sql(&format!("INSERT INTO row_locks VALUES ('{held}', 'operator:test', 'exclusive', 0)")).await;
        app.refused(CREATE, &[(params.0, params.1)], 403, "Operation.Conflict").await;
        app.sql("UPDATE row_locks SET mode = 'shared'").await;
        app.ok(CREATE, &[(params.0, params.1)]).await;
    }
}

#[tokio::test]
async fn a_token_makes_one_group() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let params = [("DiskId.1", disk.as_str()), ("ClientToken", "t")];
    let first = app.ok(CREATE, &params).await;
    assert_eq!(text(&app.ok(CREATE, &params).await, "/SnapshotGroupId"), text(&first, "/SnapshotGroupId"));
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots").await, 1);
    let other = [("DiskId.1", disk.as_str()), ("ClientToken", "t"), ("Name", "other")];
    app.refused(CREATE, &other, 403, "IdempotentParameterMismatch").await;
}

#[tokio::test]
async fn a_repeat_of_a_token_whose_call_is_running_is_refused() {
    let app = TestApp::with(|config| config.fidelity.conflict_wait_ms = 10_000).await;
    let disk = app.attached_disk().await;
    let params = [("DiskId.1", disk.as_str()), ("ClientToken", "t")];
    let guard = app.app().store.hold(ACCOUNT, &RowLocks::exclusive(&disk)).await.expect("free");
    let repeat = async {
        app.refused(CREATE, &params, 403, "IdempotentProcessing").await;
        drop(guard);
    };
    let (first, ()) = tokio::join!(app.ok(CREATE, &params), repeat);
    assert_eq!(app.ok(CREATE, &params).await["SnapshotGroupId"], first["SnapshotGroupId"]);
}
