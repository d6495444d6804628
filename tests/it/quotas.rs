//! Quotas of accounts and instances that are off or out of reach by default, and what an operator's rules make of throttling.

use crate::images::{made, system_snapshot};
use crate::support::answer::text;
use crate::support::{OTHER_KEY, OTHER_REGION, TestApp};

#[tokio::test]
async fn an_account_has_no_more_snapshots_in_a_region_than_its_quota() {
    let app = TestApp::with(|config| config.quotas.snapshots = 1).await;
    let snapshot = system_snapshot(&app).await;
    let disk = app.attached_disk().await;
    let create = [("DiskId", disk.as_str())];
    app.refused("CreateSnapshot", &create, 403, "QuotaExceed.SnapshotQuota").await;
    let copy = [
        ("SnapshotId", snapshot.as_str()),
        ("DestinationRegionId", OTHER_REGION),
        ("DestinationSnapshotName", "copied"),
        ("DestinationSnapshotDescription", "copied"),
    ];
    app.ok("CopySnapshot", &copy).await;
    app.advance("1h").await;
    app.refused("CopySnapshot", &copy, 403, "QuotaExceed.SnapshotQuota").await;
    let image = made(&app, &snapshot).await;
    app.advance("1m").await;
    app.refused("CopyImage", &[("ImageId", &image)], 403, "QuotaExceed.Snapshot").await;
    app.ok("DeleteImage", &[("ImageId", &image)]).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    app.ok("CreateSnapshot", &create).await;
    let others = app.call_as(OTHER_KEY, "DescribeSnapshotsUsage", &[]).await.accepted();
    assert_eq!(others["SnapshotCount"], 0, "each account has its own");
}

#[tokio::test]
async fn an_instance_gives_up_no_more_disks_at_once_than_its_quota() {
    let limit = |config: &mut snapshotd::config::Config| {
        config.quotas.detaching_disks = 1;
        config.lifecycle.detach_ms = 10_000;
    };
    let app = TestApp::with(limit).await;
    let instance = app.instance().await;
    let mut disks = Vec::new();
    for _ in 0..2 {
        let disk = app.disk_with(|_| {}).await;
        app.ok("AttachDisk", &[("DiskId", &disk), ("InstanceId", &instance)]).await;
        disks.push(disk);
    }
    app.advance("1m").await;
    let detach = |disk: &str| [("InstanceId", instance.clone()), ("DiskId", disk.to_owned())];
    let call = async |disk: &str| {
        let params = detach(disk);
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        app.call("DetachDisk", &params).await
    };
    call(&disks[0]).await.accepted();
    call(&disks[1]).await.refused(400, "DisksDetachingOnEcsExceeded");
    app.advance("10s").await;
    call(&disks[1]).await.accepted();
    app.advance("10s").await;
}

/// Decision 114: throttling is what a rule asks for, and the table of the action says how it is told.
#[tokio::test]
async fn throttling_is_told_in_the_words_of_the_table() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let rule =
        |action: &str| format!(r#"{{"action": "{action}", "effect": {{"error": "Throttling"}}, "max_hits": 1}}"#);
    app.rule(&rule("CreateSnapshot")).await;
    let answer = app.refused("CreateSnapshot", &[("DiskId", &disk)], 403, "Throttling").await;
    assert_eq!(answer.message(), "Request was denied due to user flow control.");
    app.rule(&rule("DescribeSnapshotMonitorData")).await;
    let span = [("StartTime", "2026-01-01T00:00:00Z"), ("EndTime", "2026-01-01T00:01:00Z")];
    let answer = app.refused("DescribeSnapshotMonitorData", &span, 400, "Throttling").await;
    assert_eq!(answer.message(), "Request was denied due to request throttling.");
}

#[tokio::test]
async fn an_instance_with_local_disks_was_stopped_only_where_that_was_confirmed() {
    let mut app = TestApp::new().await;
    let image = ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd");
    let mut instances = Vec::new();
    for instance_type in ["ecs.i2.xlarge", "ecs.d1ne.2xlarge", "ecs.g7.large"] {
        let body = app.ok("RunInstances", &[image, ("InstanceType", instance_type)]).await;
        instances.push(text(&body, "/InstanceIdSets/InstanceIdSet/0"));
    }
    app.advance("1m").await;
    app.reconfigure(|config| config.fidelity.older_codes = true).await;
    for local in &instances[..2] {
        let id = ("InstanceId", local.as_str());
        app.refused("StopInstance", &[id], 403, "InstanceType.ParameterMismatch").await;
        app.ok("StopInstance", &[id, ("ConfirmStop", "true")]).await;
    }
    app.ok("StopInstance", &[("InstanceId", &instances[2])]).await;
}

#[tokio::test]
async fn tags_of_a_resource_group_and_of_a_resource_are_not_looked_for_together() {
    let app = TestApp::new().await;
    let both = [("ResourceType", "disk"), ("Tag.1.Key", "acs:rm:rgId"), ("Tag.1.Value", "rg-1"), ("Tag.2.Key", "k")];
    app.refused("ListTagResources", &both, 400, "InvalidTag.NotSupported").await;
}
