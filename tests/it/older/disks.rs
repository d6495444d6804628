//! Of disks and the instances that have them.

use snapshotd::store::row_locks::RowLocks;

use crate::disk_specs::attached;
use crate::support::answer::text;
use crate::support::{ACCOUNT, REGION, TestApp};

const ZONE: (&str, &str) = ("ZoneId", "cn-hangzhou-h");

#[tokio::test]
async fn a_disk_for_an_instance_is_refused_as_a_data_disk_of_it() {
    let app = TestApp::new().await;
    let (_, instance) = attached(&app, "Running", |disk| "system".clone_into(&mut disk.disk_type)).await;
    let on = ("InstanceId", instance.as_str());
    let create = async |params: &[(&str, &str)]| app.call("CreateDisk", params).await.code().to_owned();
    let (tape, huge) = (("DiskCategory", "tape"), ("Size", "70000"));
    assert_eq!(create(&[on, tape, ("Size", "40")]).await, "InvalidDataDiskCategory.ValueNotSupported");
    assert_eq!(create(&[ZONE, tape, ("Size", "40")]).await, "InvalidDiskCategory.ValueNotSupported");
    assert_eq!(create(&[on, ("DiskCategory", "cloud_essd"), huge]).await, "InvalidDataDiskSize.ValueNotSupported");
    assert_eq!(create(&[ZONE, ("DiskCategory", "cloud_essd"), huge]).await, "InvalidDiskSize.NotSupported");
    let large = app.disk_with(|disk| disk.size = 2_001).await;
    let large = app.accomplished_snapshot(&large).await;
    let cloud = [ZONE, ("DiskCategory", "cloud"), ("SnapshotId", large.as_str())];
    assert_eq!(create(&cloud).await, "InvalidSnapshot.TooLarge");
}

#[tokio::test]
async fn a_repeat_of_a_token_whose_call_is_running_is_told_in_the_words_of_the_table() {
    let app = TestApp::with(|config| config.fidelity.conflict_wait_ms = 10_000).await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let params = [ZONE, ("SnapshotId", id.as_str()), ("DiskCategory", "cloud_essd"), ("ClientToken", "t")];
    let guard = app.app().store.hold(ACCOUNT, &RowLocks::exclusive(&id)).await.expect("free");
    let repeat = async {
        app.refused("CreateDisk", &params, 403, "LastTokenProcessing").await;
        drop(guard);
    };
    let (first, ()) = tokio::join!(app.ok("CreateDisk", &params), repeat);
    assert_eq!(app.ok("CreateDisk", &params).await["DiskId"], first["DiskId"]);
}

#[tokio::test]
async fn describing_disks_refuses_what_no_disk_can_be_asked_for() {
    let app = TestApp::new().await;
    let describe = async |params: &[(&str, &str)]| {
        let answer = app.call("DescribeDisks", params).await;
        (answer.status, answer.code().to_owned())
    };
    let told = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(describe(&[("Filter.1.Value", "2026-01-01T00:00Z")]).await, told(400, "IncompleteParamter"));
    assert_eq!(describe(&[("Filter.1.Key", "CreationStartTime")]).await, told(400, "IncompleteParamter"));
    assert_eq!(describe(&[("DiskIds", "[\"i-1\"]")]).await, told(404, "InvalidDiskIds.ValueNotSupported"));
    assert_eq!(describe(&[("SnapshotId", "d-1")]).await, told(400, "InvalidSnapshot.NotFound"));
    let exclusive = [("MultiAttach", "Disabled"), ("EnableShared", "true")];
    assert_eq!(describe(&exclusive).await, told(403, "InvalidParameter.MultiAttachAndEnableSharedNotMatch"));
    assert_eq!(app.ok("DescribeDisks", &[("DiskIds", "[]")]).await["TotalCount"], 0);
    for params in [vec![("NewSize", "50")], vec![("DiskId", "d-1")]] {
        app.refused("ResizeDisk", &params, 400, "IncompleteParamter").await;
    }
}

#[tokio::test]
async fn disks_whose_origin_is_gone_stay_where_they_are() {
    let app = TestApp::new().await;
    let (system, instance) = attached(&app, "Stopped", |disk| {
        "system".clone_into(&mut disk.disk_type);
        "m-gone".clone_into(&mut disk.image_id);
    })
    .await;
    let detach = [("DiskId", system.as_str()), ("InstanceId", instance.as_str())];
    app.refused("DetachDisk", &detach, 404, "InvalidDiskId.OperationNotSupported").await;
    let (local, first) = attached(&app, "Stopped", |disk| {
        "elastic_ephemeral_disk_standard".clone_into(&mut disk.category);
        disk.size = 64;
    })
    .await;
    app.ok("DeleteInstance", &[("InstanceId", &first)]).await;
    let second = app.instance_in(REGION, "Stopped").await;
    let attach = [("DiskId", local.as_str()), ("InstanceId", second.as_str()), ("DeleteWithInstance", "true")];
    app.refused("AttachDisk", &attach, 403, "InvalidOperation.OtherInstanceUnsupported").await;
}

#[tokio::test]
async fn an_encrypted_system_disk_is_not_replaced_by_a_plain_disk() {
    let app = TestApp::new().await;
    let run = [
        ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
        ("InstanceType", "ecs.g7.large"),
        ZONE,
        ("SystemDisk.Encrypted", "true"),
    ];
    let instance = text(&app.ok("RunInstances", &run).await, "/InstanceIdSets/InstanceIdSet/0");
    app.advance("10m").await;
    app.ok("StopInstance", &[("InstanceId", &instance)]).await;
    app.advance("10m").await;
    let (plain, secret) = (app.disk_with(|_| {}).await, app.disk_with(|disk| disk.encrypted = true.into()).await);
    let replace = |disk| {
        [("InstanceId", instance.as_str()), ("DiskId", disk), ("Architecture", "x86_64"), ("Platform", "Ubuntu")]
    };
    let code = "InvalidDiskId.NotSupportReplaceEncryptedSystemDisk";
    app.refused("ReplaceSystemDisk", &replace(plain.as_str()), 403, code).await;
    app.ok("ReplaceSystemDisk", &replace(secret.as_str())).await;
}

#[tokio::test]
async fn an_instance_whose_disk_is_on_its_way_stays_as_it_is() {
    let app = TestApp::new().await;
    let (_, running) = attached(&app, "Running", |disk| "Attaching".clone_into(&mut disk.status)).await;
    let (leaving, stopped) = attached(&app, "Stopped", |disk| "system".clone_into(&mut disk.disk_type)).await;
    app.sql(&format!("UPDATE disks SET status = 'Detaching' WHERE disk_id = '{leaving}'")).await;
    for (action, instance) in [("StopInstance", &running), ("RebootInstance", &running), ("StartInstance", &stopped)] {
        app.refused(action, &[("InstanceId", instance)], 403, "DiskError").await;
    }
    let pending = app.instance_in(REGION, "Pending").await;
    app.refused("StartInstance", &[("InstanceId", &pending)], 403, "InstanceNotReady").await;
}
