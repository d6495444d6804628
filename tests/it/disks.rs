//! The disk families: making, attaching, rewriting and deleting disks, and what that means for snapshots.

use serde_json::Value;

use crate::support::answer::{Answer, column, text};
use crate::support::{ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};
use snapshotd::config::Unknown;
use snapshotd::store::row_locks::RowLocks;

const ZONE: (&str, &str) = ("ZoneId", "cn-hangzhou-h");
const ESSD: (&str, &str) = ("DiskCategory", "cloud_essd");

async fn made(app: &TestApp, more: &[(&str, &str)]) -> String {
    text(&app.ok("CreateDisk", &[&[ZONE, ESSD], more].concat()).await, "/DiskId")
}

async fn shown(app: &TestApp, disk_id: &str) -> Value {
    let body = app.ok("DescribeDisks", &[("DiskIds", &format!("[\"{disk_id}\"]"))]).await;
    body.pointer("/Disks/Disk/0").cloned().unwrap_or_default()
}

/// A snapshot, a disk made from it, and the stopped instance that has the disk.
async fn restorable(app: &TestApp) -> (String, String, String) {
    let snapshot = app.accomplished_snapshot(&app.attached_disk().await).await;
    let disk = made(app, &[("SnapshotId", &snapshot)]).await;
    let instance = app.instance_in(REGION, "Stopped").await;
    app.ok("AttachDisk", &[("DiskId", &disk), ("InstanceId", &instance)]).await;
    (snapshot, disk, instance)
}

#[tokio::test]
async fn a_disk_from_a_snapshot_takes_over_its_size_and_marks_it_as_used() {
    let app = TestApp::new().await;
    let snapshot = app.accomplished_snapshot(&app.attached_disk().await).await;
    let disk = made(&app, &[("SnapshotId", &snapshot), ("DiskName", "data-1"), ("Tag.1.Key", "k")]).await;
    let row = shown(&app, &disk).await;
    assert_eq!(
        (text(&row, "/Status"), &row["Size"], text(&row, "/DiskName")),
        ("Available".into(), &40.into(), "data-1".into())
    );
    assert_eq!(text(&row, "/SourceSnapshotId"), snapshot);
    assert_eq!(text(&app.described(&snapshot).await, "/Usage"), "disk");
    app.ok("DeleteDisk", &[("DiskId", &disk)]).await;
    assert_eq!(text(&app.described(&snapshot).await, "/Usage"), "none", "a disk that is gone does not count");
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
}

#[tokio::test]
async fn a_disk_whose_source_was_deleted_by_force_lives_on_and_cannot_be_reinitialised() {
    let app = TestApp::new().await;
    let (snapshot, disk, instance) = restorable(&app).await;
    app.ok("ReInitDisk", &[("DiskId", &disk)]).await;
    assert_eq!(text(&shown(&app, &disk).await, "/Status"), "In_use");
    app.refused("DeleteSnapshot", &[("SnapshotId", &snapshot)], 403, "SnapshotCreatedDisk").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot), ("Force", "true")]).await;
    let row = shown(&app, &disk).await;
    assert_eq!((text(&row, "/Status"), text(&row, "/SourceSnapshotId")), ("In_use".into(), snapshot));
    let before = app.dump().await;
    app.refused("ReInitDisk", &[("DiskId", &disk)], 403, "InvalidSourceSnapshot").await;
    assert_eq!(app.dump().await, before);
    app.ok("DetachDisk", &[("DiskId", &disk), ("InstanceId", &instance)]).await;
    app.ok("DeleteDisk", &[("DiskId", &disk)]).await;
}

#[tokio::test]
async fn a_disk_goes_back_only_while_nobody_has_its_source_for_himself() {
    let app = TestApp::new().await;
    let (snapshot, disk, _) = restorable(&app).await;
    let reinitialise = [("DiskId", disk.as_str())];
    let call = app.app().store.hold(ACCOUNT, &RowLocks::exclusive(&snapshot)).await.expect("free");
    app.refused("ReInitDisk", &reinitialise, 403, "Operation.Conflict").await;
    drop(call);
    for (mode, code) in [("exclusive", "Operation.Conflict"), ("shared", "")] {
        app.sql("DELETE FROM row_locks WHERE holder = 'operator:test'").await;
        app.sql(&format!("INSERT INTO row_locks VALUES ('{snapshot}', 'operator:test', '{mode}', 0)")).await;
        assert_eq!(app.call("ReInitDisk", &reinitialise).await.code(), code, "{mode}");
    }
}

#[tokio::test]
async fn what_cannot_be_made_is_refused() {
    let app = TestApp::new().await;
    let snapshot = app.accomplished_snapshot(&app.attached_disk().await).await;
    let older = app.disk_with(|disk| "cloud_ssd".clone_into(&mut disk.category)).await;
    let unready = app.snapshot(&older).await;
    let size = ("Size", "40");
    let cases: Vec<(Vec<(&str, &str)>, u16, &str)> = vec![
        (vec![ZONE, ESSD], 400, "MissingParameter"),
        (vec![size, ESSD], 400, "MissingParameter"),
        (vec![("ZoneId", "cn-hangzhou-zz"), size, ESSD], 404, "InvalidZoneId.NotFound"),
        (vec![ZONE, size, ("SnapshotId", "s-none")], 404, "InvalidSnapshotId.NotFound"),
        (vec![ZONE, size, ESSD, ("SnapshotId", &unready)], 403, "InvalidSnapshotId.NotReady"),
        (vec![ZONE, size, ("DiskName", "1")], 400, "InvalidDiskName.Malformed"),
        (vec![ZONE, size, ("Description", "http://x")], 400, "InvalidDescription.Malformed"),
        (vec![ZONE, ESSD, ("Size", "19")], 400, "InvalidDiskSize.NotSupported"),
        (vec![ZONE, ESSD, ("Size", "x")], 400, "InvalidSize.ValueNotSupported"),
        (vec![ZONE, size, ("DiskCategory", "floppy")], 400, "InvalidDiskCategory.ValueNotSupported"),
        (vec![ZONE, ESSD, size, ("Tag.1.Key", "acs:x")], 400, "InvalidTagKey.Malformed"),
        (vec![ESSD, size, ("InstanceId", "i-none")], 404, "InvalidInstanceId.NotFound"),
    ];
    let before = app.dump().await;
    for (params, status, code) in cases {
        let answer = app.call("CreateDisk", &params).await;
        assert_eq!(answer.code(), code, "{params:?}: {}", answer.text);
        assert!(answer.status == status || answer.status / 100 == 4, "{params:?}: {}", answer.text);
    }
    let elsewhere = [ZONE, size, ("SnapshotId", &snapshot)];
    let foreign = app.call_as(OTHER_KEY, "CreateDisk", &elsewhere).await;
    foreign.refused(404, "InvalidSnapshotId.NotFound");
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn a_client_token_makes_one_disk() {
    let app = TestApp::new().await;
    let params = [ZONE, ESSD, ("Size", "40"), ("ClientToken", "t")];
    let first = app.ok("CreateDisk", &params).await["DiskId"].clone();
    assert_eq!(app.ok("CreateDisk", &params).await["DiskId"], first);
    let other = [ZONE, ESSD, ("Size", "41"), ("ClientToken", "t")];
    app.refused("CreateDisk", &other, 403, "IdempotentParameterMismatch").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM disks").await, 1);
}

#[tokio::test]
async fn a_disk_is_attached_and_detached_again() {
    let app = TestApp::with(|config| (config.lifecycle.attach_ms, config.lifecycle.detach_ms) = (1_000, 1_000)).await;
    let disk = made(&app, &[("Size", "40")]).await;
    let instance = app.instance().await;
    let both = [("DiskId", disk.as_str()), ("InstanceId", instance.as_str())];
    app.ok("AttachDisk", &both).await;
    assert_eq!(text(&shown(&app, &disk).await, "/Status"), "Attaching");
    app.refused("DeleteDisk", &[("DiskId", &disk)], 403, "IncorrectDiskStatus").await;
    app.advance("1s").await;
    let row = shown(&app, &disk).await;
    assert_eq!(
        (text(&row, "/Status"), text(&row, "/InstanceId"), text(&row, "/Device")),
        ("In_use".into(), instance.clone(), "/dev/xvdb".into())
    );
    let again = app.call("AttachDisk", &both).await;
    assert!(again.status == 403 || again.status == 400, "{}", again.text);
    app.ok("DetachDisk", &both).await;
    assert_eq!(text(&shown(&app, &disk).await, "/Status"), "Detaching");
    app.advance("1s").await;
    assert_eq!(text(&shown(&app, &disk).await, "/Status"), "Available");
    let detached = app.call("DetachDisk", &both).await;
    assert_eq!(detached.code(), "InvalidDisk.AlreadyDetached", "{}", detached.text);
    app.refused("AttachDisk", &[("DiskId", "d-none"), both[1]], 404, "InvalidDiskId.NotFound").await;
    app.refused("AttachDisk", &[both[0], ("InstanceId", "i-none")], 404, "InvalidInstanceId.NotFound").await;
    app.call_as(OTHER_KEY, "AttachDisk", &both).await.refused(404, "InvalidDiskId.NotFound");
    app.call_as(OTHER_KEY, "DetachDisk", &both).await.refused(404, "InvalidDiskId.NotFound");
}

#[tokio::test]
async fn a_deleted_disk_is_ignored_and_an_unknown_one_not_found() {
    let app = TestApp::new().await;
    let disk = made(&app, &[("Size", "40")]).await;
    let delete = [("DiskId", disk.as_str())];
    app.call_as(OTHER_KEY, "DeleteDisk", &delete).await.refused(404, "InvalidDiskId.NotFound");
    app.refused("DeleteDisk", &[delete[0], ("RegionId", OTHER_REGION)], 404, "InvalidDiskId.NotFound").await;
    app.ok("DeleteDisk", &delete).await;
    app.ok("DeleteDisk", &delete).await;
    app.refused("DeleteDisk", &[("DiskId", "d-none")], 404, "InvalidDiskId.NotFound").await;
    app.refused("DeleteDisk", &[], 400, "MissingParameter").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM tombstones").await, 1);
}

#[tokio::test]
async fn the_switch_for_unknown_disks_is_one_of_its_own() {
    let strict = TestApp::with(|config| config.fidelity.unknown_disk = Unknown::NotFound).await;
    let disk = made(&strict, &[("Size", "40")]).await;
    strict.ok("DeleteDisk", &[("DiskId", &disk)]).await;
    strict.refused("DeleteDisk", &[("DiskId", &disk)], 404, "InvalidDiskId.NotFound").await;
    let lax = TestApp::with(|config| config.fidelity.unknown_disk = Unknown::Ignore).await;
    lax.ok("DeleteDisk", &[("DiskId", "d-none")]).await;
    lax.refused("DeleteSnapshot", &[("SnapshotId", "s-none")], 404, "InvalidSnapshotId.NotFound").await;
}

#[tokio::test]
async fn a_disk_in_use_or_being_snapshotted_is_not_deleted() {
    let app = TestApp::new().await;
    let attached = app.attached_disk().await;
    app.refused("DeleteDisk", &[("DiskId", &attached)], 403, "IncorrectDiskStatus").await;
    let free = app.disk_with(|_| {}).await;
    app.snapshot(&free).await;
    app.refused("DeleteDisk", &[("DiskId", &free)], 403, "DiskCreatingSnapshot").await;
    app.advance("2s").await;
    app.ok("DeleteDisk", &[("DiskId", &free)]).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots").await, 1, "manual snapshots stay");
}

#[tokio::test]
async fn a_disk_goes_back_to_its_own_snapshot_only() {
    let app = TestApp::with(|config| config.lifecycle.reset_ms = 1_000).await;
    let disk = app.disk_with(|_| {}).await;
    let (own, foreign) =
        (app.accomplished_snapshot(&disk).await, app.accomplished_snapshot(&app.attached_disk().await).await);
    let to = |snapshot: &'static str| [("DiskId", disk.as_str()), ("SnapshotId", snapshot)];
    app.refused("ResetDisk", &to("s-none"), 404, "InvalidSnapshotId.NotFound").await;
    app.refused("ResetDisk", &[("DiskId", &disk), ("SnapshotId", &foreign)], 403, "InvalidParameter.Mismatch").await;
    let back = [("DiskId", disk.as_str()), ("SnapshotId", own.as_str())];
    let before = app.dump().await;
    app.refused("ResetDisk", &[back[0], back[1], ("DryRun", "true")], 400, "DryRunOperation").await;
    app.call_as(OTHER_KEY, "ResetDisk", &back).await.refused(404, "InvalidDiskId.NotFound");
    assert_eq!(app.dump().await, before);
    app.ok("ResetDisk", &back).await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &own), ("Force", "true")], 403, "Operation.Conflict").await;
    app.refused("ResetDisk", &back, 403, "InvalidOperation.DiskResetInProgress").await;
    app.refused("DeleteDisk", &[("DiskId", &disk)], 403, "Operation.Conflict").await;
    app.advance("1s").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &own)]).await;
}

#[tokio::test]
async fn attributes_of_one_or_many_disks_change_together_or_not_at_all() {
    let app = TestApp::new().await;
    let (one, two) = (made(&app, &[("Size", "40")]).await, made(&app, &[("Size", "40")]).await);
    app.ok("ModifyDiskAttribute", &[("DiskId", &one), ("DiskName", "renamed"), ("DeleteAutoSnapshot", "false")]).await;
    let row = shown(&app, &one).await;
    assert_eq!((text(&row, "/DiskName"), &row["DeleteAutoSnapshot"]), ("renamed".into(), &false.into()));
    let both = [("DiskIds.1", one.as_str()), ("DiskIds.2", two.as_str()), ("Description", "together")];
    app.ok("ModifyDiskAttribute", &both).await;
    assert_eq!(text(&shown(&app, &two).await, "/Description"), "together");
    let before = app.dump().await;
    let bad = [("DiskIds.1", one.as_str()), ("DiskIds.2", "d-none"), ("Description", "never")];
    app.refused("ModifyDiskAttribute", &bad, 404, "InvalidDiskId.NotFound").await;
    let code = async |params: &[(&str, &str)]| app.call("ModifyDiskAttribute", params).await.code().to_owned();
    assert_eq!(code(&[("DiskName", "renamed")]).await, "MissingParameter.DiskIdOrDiskIds");
    assert_eq!(
        code(&[("DiskId", &one), ("DiskIds.1", &two), ("DiskName", "ab")]).await,
        "ParameterConflict.DiskIdAndDiskIds"
    );
    assert_eq!(code(&[("DiskId", &one)]).await, "NoAttributeToModify");
    assert_eq!(code(&[("DiskId", &one), ("DiskName", "1")]).await, "InvalidDiskName.Malformed");
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn disks_are_listed_by_filter_region_and_account() {
    let app = TestApp::new().await;
    let plain = made(&app, &[("Size", "40"), ("DiskName", "plain"), ("Tag.1.Key", "k"), ("Tag.1.Value", "v")]).await;
    app.advance("1m").await;
    let attached = app.attached_disk().await;
    let there = app.disk_in(OTHER_REGION).await;
    let ids = |answer: Answer| column(&answer.accepted(), "/Disks/Disk", "DiskId");
    let list = async |params: &[(&str, &str)]| ids(app.call("DescribeDisks", params).await);
    let both = vec![attached.clone(), plain.clone()];
    assert_eq!(list(&[]).await, both);
    assert_eq!(list(&[("RegionId", OTHER_REGION)]).await, [there]);
    assert_eq!(list(&[("Status", "In_use")]).await, std::slice::from_ref(&attached));
    assert_eq!(list(&[("Status", "Available")]).await, std::slice::from_ref(&plain));
    assert_eq!(list(&[("DiskName", "plain")]).await, std::slice::from_ref(&plain));
    assert_eq!(list(&[("Tag.1.Key", "k"), ("Tag.1.Value", "v")]).await, std::slice::from_ref(&plain));
    assert_eq!(list(&[("DiskType", "data")]).await, both);
    assert_eq!(list(&[("DiskType", "system")]).await, Vec::<String>::new());
    assert_eq!(list(&[("DiskIds", "[]")]).await, Vec::<String>::new());
    assert_eq!(ids(app.call_as(OTHER_KEY, "DescribeDisks", &[]).await), Vec::<String>::new());
    app.refused("DescribeDisks", &[("Status", "broken")], 400, "InvalidStatus.ValueNotSupported").await;
    let malformed = app.call("DescribeDisks", &[("DiskIds", "d-1")]).await;
    assert_eq!(malformed.code(), "InvalidParameter.DiskIds", "{}", malformed.text);
}
