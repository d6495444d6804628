//! Operation locks of instances and accounts in arrears, set from outside.

use std::collections::BTreeSet;

use serde_json::json;

use crate::disk_specs::attached;
use crate::support::contract::contract;
use crate::support::{ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};

const CODE: &str = "InstanceLockedForSecurity";

async fn lock(app: &TestApp, instance: &str, reason: &str) {
    let body = json!({"instance": instance, "reason": reason, "message": "seen mining"}).to_string();
    assert_eq!(app.lever("POST", "/operation-locks", &body).await.0, 201);
}

#[tokio::test]
async fn an_instance_locked_for_security_refuses_whatever_has_the_code() {
    let app = TestApp::new().await;
    let (disk, instance) = attached(&app, "Stopped", |_| {}).await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    let free = app.disk_with(|_| {}).await;
    lock(&app, &instance, "security").await;
    let (of, on) = (("DiskId", disk.as_str()), ("InstanceId", instance.as_str()));
    let pair = [("Disk.1.DiskId", disk.as_str()), ("Disk.1.SnapshotId", snapshot.as_str())];
    let cases = [
        ("AttachDisk", vec![("DiskId", free.as_str()), on]),
        ("CreateImage", vec![on]),
        ("CreateSnapshot", vec![of]),
        ("CreateSnapshotGroup", vec![on]),
        ("DeleteInstance", vec![on]),
        ("DetachDisk", vec![of, on]),
        ("ReInitDisk", vec![of]),
        ("RebootInstance", vec![on]),
        ("ReplaceSystemDisk", vec![on, ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd")]),
        ("ResetDisk", vec![of, ("SnapshotId", &snapshot)]),
        ("ResetDisks", pair.to_vec()),
        ("ResizeDisk", vec![of, ("NewSize", "50")]),
        ("StartInstance", vec![on]),
        ("StopInstance", vec![on]),
    ];
    let documented = contract().refusals.iter().filter(|row| row.code == CODE && row.is_vendors);
    let documented: BTreeSet<&str> = documented.map(|row| row.action.as_str()).collect();
    assert_eq!(cases.iter().map(|(action, _)| *action).collect::<BTreeSet<_>>(), documented);
    let before = app.dump().await;
    for (action, params) in &cases {
        assert_eq!(app.call(action, params).await.code(), CODE, "{action}");
    }
    app.call_as(OTHER_KEY, "StartInstance", &[on]).await.refused(404, "InvalidInstanceId.NotFound");
    assert_eq!(app.dump().await, before);
    let removed = app.lever("DELETE", &format!("/operation-locks/{instance}"), "").await;
    assert_eq!(removed, (200, json!({"removed": 1})));
    app.ok("CreateSnapshot", &[of]).await;
}

#[tokio::test]
async fn locks_are_shown_and_looked_for_and_those_for_security_forbid() {
    let mut app = TestApp::new().await;
    let (disk, instance) = attached(&app, "Running", |_| {}).await;
    let (other_disk, _) = attached(&app, "Running", |_| {}).await;
    for reason in ["security", "financial"] {
        lock(&app, &instance, reason).await;
    }
    app.restart().await;
    let body = app.ok("DescribeInstances", &[("RegionId", REGION), ("LockReason", "financial")]).await;
    let locks = json!([{"LockReason": "financial", "LockMsg": "seen mining"}, {"LockReason": "security", "LockMsg": "seen mining"}]);
    assert_eq!(body["TotalCount"], 1);
    assert_eq!(body["Instances"]["Instance"][0]["OperationLocks"]["LockReason"], locks);
    assert_eq!(
        app.ok("DescribeInstances", &[("RegionId", REGION), ("LockReason", "recycling")]).await["TotalCount"],
        0
    );
    let body = app.ok("DescribeDisks", &[("RegionId", REGION), ("LockReason", "security")]).await;
    assert_eq!((&body["TotalCount"], &body["Disks"]["Disk"][0]["DiskId"]), (&json!(1), &json!(disk)));
    let locks = json!([{"LockReason": "financial"}, {"LockReason": "security"}]);
    assert_eq!(body["Disks"]["Disk"][0]["OperationLocks"]["OperationLock"], locks);
    let which = format!("/operation-locks/{instance}?reason=security");
    assert_eq!(app.lever("DELETE", &which, "").await, (200, json!({"removed": 1})));
    assert_eq!(app.lever("DELETE", &which, "").await.0, 404);
    app.ok("CreateSnapshot", &[("DiskId", &disk)]).await;
    app.ok("CreateSnapshot", &[("DiskId", &other_disk)]).await;
}

#[tokio::test]
async fn a_lock_leaves_with_its_instance_and_what_is_none_is_refused() {
    let app = TestApp::new().await;
    let instance = app.instance_in(REGION, "Stopped").await;
    let disk = app.disk_with(|_| {}).await;
    for (body, status) in [
        (json!({"instance": "i-none"}), 404),
        (json!({"instance": disk}), 404),
        (json!({"instance": instance, "reason": "mood"}), 400),
        (json!({"instance": instance, "until": "tomorrow"}), 400),
        (json!({"instance": instance, "reason": "recycling"}), 201),
    ] {
        assert_eq!(app.lever("POST", "/operation-locks", &body.to_string()).await.0, status, "{body}");
    }
    assert_eq!(app.lever("DELETE", &format!("/operation-locks/{instance}?why=x"), "").await.0, 400);
    let (_, list) = app.lever("GET", "/operation-locks", "").await;
    assert_eq!(list, json!([{"instance": instance, "reason": "recycling", "message": ""}]));
    app.ok("DeleteInstance", &[("InstanceId", &instance)]).await;
    assert_eq!(app.lever("GET", "/operation-locks", "").await.1, json!([]));
    assert_eq!(app.lever("DELETE", "/operation-locks", "").await, (200, json!({"removed": 0})));
}

#[tokio::test]
async fn an_instance_that_is_not_paid_for_is_neither_stopped_nor_started_nor_changed() {
    let app = TestApp::new().await;
    let (disk, instance) = attached(&app, "Stopped", |_| {}).await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    let free = app.disk_with(|_| {}).await;
    lock(&app, &instance, "financial").await;
    let (of, on) = (("DiskId", disk.as_str()), ("InstanceId", instance.as_str()));
    let pair = [("Disk.1.DiskId", disk.as_str()), ("Disk.1.SnapshotId", snapshot.as_str())];
    let before = app.dump().await;
    for (action, params) in [
        ("AttachDisk", vec![("DiskId", free.as_str()), on]),
        ("ModifyDiskSpec", vec![of, ("DiskCategory", "cloud_auto")]),
        ("ReInitDisk", vec![of]),
        ("ReplaceSystemDisk", vec![on, ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd")]),
        ("ResetDisk", vec![of, ("SnapshotId", &snapshot)]),
        ("ResetDisks", pair.to_vec()),
        ("ResizeDisk", vec![of, ("NewSize", "50")]),
        ("StopInstance", vec![on]),
    ] {
        app.refused(action, &params, 403, "InstanceExpiredOrInArrears").await;
    }
    app.refused("StartInstance", &[on], 403, "InstanceExpired").await;
    assert_eq!(app.dump().await, before);
    app.ok("CreateSnapshot", &[of]).await;
    app.ok("DetachDisk", &[of, on]).await;
}

#[tokio::test]
async fn an_account_in_arrears_is_given_nothing_that_costs_money() {
    let app = TestApp::new().await;
    let (disk, _) = attached(&app, "Stopped", |_| {}).await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    let policy = [("TimePoints", "[1]"), ("RepeatWeekdays", "[1]"), ("RetentionDays", "1")];
    let made =
        crate::support::answer::text(&app.ok("CreateAutoSnapshotPolicy", &policy).await, "/AutoSnapshotPolicyId");
    let path = format!("/accounts/{ACCOUNT}/standing");
    assert_eq!(app.lever("PUT", &path, r#"{"in_arrears": true}"#).await.0, 200);
    assert_eq!(app.lever("PUT", "/accounts/1/standing", r#"{"in_arrears": true}"#).await.0, 404);
    let (_, list) = app.lever("GET", "/accounts/standing", "").await;
    assert_eq!(list[0], json!({"account": ACCOUNT, "in_arrears": true}));
    let (of, from) = (("DiskId", disk.as_str()), ("SnapshotId", snapshot.as_str()));
    let pair = [("Disk.1.DiskId", disk.as_str()), ("Disk.1.SnapshotId", snapshot.as_str())];
    let disks = format!("[\"{disk}\"]");
    let apply = [("autoSnapshotPolicyId", made.as_str()), ("diskIds", disks.as_str())];
    let copy = [
        from,
        ("DestinationRegionId", OTHER_REGION),
        ("DestinationSnapshotName", "copy"),
        ("DestinationSnapshotDescription", "a copy"),
    ];
    let launch = [("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"), ("InstanceType", "ecs.g7.large")];
    let create = [("ZoneId", "cn-hangzhou-h"), ("Size", "40"), ("DiskCategory", "cloud_essd")];
    let cases = [
        ("ApplyAutoSnapshotPolicy", apply.to_vec()),
        ("CopySnapshot", copy.to_vec()),
        ("CreateAutoSnapshotPolicy", policy.to_vec()),
        ("CreateDisk", create.to_vec()),
        ("CreateImage", vec![from]),
        ("CreateInstance", launch.to_vec()),
        ("CreateSnapshot", vec![of]),
        ("CreateSnapshotGroup", vec![("DiskId.1", disk.as_str())]),
        ("ResetDisk", vec![of, from]),
        ("ResetDisks", pair.to_vec()),
        ("RunInstances", launch.to_vec()),
    ];
    let code = "InvalidAccountStatus.NotEnoughBalance";
    let documented = contract().refusals.iter().filter(|row| row.code == code && row.is_vendors);
    let documented: BTreeSet<&str> = documented.map(|row| row.action.as_str()).collect();
    assert_eq!(cases.iter().map(|(action, _)| *action).collect::<BTreeSet<_>>(), documented);
    let before = app.dump().await;
    for (action, params) in &cases {
        assert_eq!(app.call(action, params).await.code(), code, "{action}");
    }
    assert_eq!(app.dump().await, before);
    app.call_as(OTHER_KEY, "CreateDisk", &create).await.accepted();
    app.ok("DescribeSnapshots", &[]).await;
    assert_eq!(app.lever("PUT", &path, r#"{"in_arrears": false}"#).await.0, 200);
    app.ok("CreateSnapshot", &[of]).await;
}
