//! Keys of the key management service: what a listed key answers, in every action that encrypts or decrypts.

use snapshotd::config::{Config, KmsKey, KmsKeyState};

use crate::support::answer::text;
use crate::support::{ACCOUNT, OTHER_ACCOUNT, REGION, TestApp};

const IMAGE: (&str, &str) = ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd");
const TYPE: (&str, &str) = ("InstanceType", "ecs.g7.large");
const ZONE: (&str, &str) = ("ZoneId", "cn-hangzhou-h");

fn key(id: &str, state: KmsKeyState) -> KmsKey {
    KmsKey { id: id.to_owned(), state, account: Some(ACCOUNT.to_owned()), symmetric: true, tagged: true }
}

fn keys(config: &mut Config) {
    config.kms_keys = vec![
        key("good", KmsKeyState::Enabled),
        key("off", KmsKeyState::Disabled),
        key("leaving", KmsKeyState::PendingDeletion),
        KmsKey { symmetric: false, ..key("pair", KmsKeyState::Enabled) },
        KmsKey { tagged: false, ..key("untagged", KmsKeyState::Enabled) },
        KmsKey { account: Some(OTHER_ACCOUNT.to_owned()), ..key("foreign", KmsKeyState::Enabled) },
        KmsKey { account: None, ..key("common", KmsKeyState::Enabled) },
    ];
}

/// Key and the code that it answers.
const BAD: [(&str, &str); 6] = [
    ("unlisted", "InvalidParameter.KMSKeyId.NotFound"),
    ("foreign", "InvalidParameter.KMSKeyId.NotFound"),
    ("off", "InvalidParameter.KMSKeyId.CMKNotEnabled"),
    ("leaving", "InvalidParameter.KMSKeyId.CMKNotEnabled"),
    ("untagged", "InvalidParameter.KMSKeyId.CMKUnauthorized"),
    ("pair", "InvalidKMSKeyId.NotSymmetric"),
];

/// The same code as the table of the action spells it, decision 163.
fn in_table_of<'c>(action: &str, code: &'c str) -> &'c str {
    match (action, code) {
        ("CreateSnapshotGroup", "InvalidParameter.KMSKeyId.NotFound") => "InvalidKMSKeyId.NotFound",
        ("CreateAutoSnapshotPolicy", "InvalidParameter.KMSKeyId.NotFound") => "InvalidOperation.KMSKeyIdNotFound",
        _ => code,
    }
}

async fn code(app: &TestApp, action: &str, params: &[(&str, &str)]) -> String {
    app.call(action, params).await.code().to_owned()
}

#[tokio::test]
async fn a_listed_key_answers_by_its_state_where_disks_are_made() {
    let app = TestApp::with(keys).await;
    let disk = [ZONE, ("Size", "20"), ("DiskCategory", "cloud_essd"), ("Encrypted", "true")];
    let instance = [IMAGE, TYPE];
    for (id, expected) in BAD {
        assert_eq!(code(&app, "CreateDisk", &[&disk[..], &[("KMSKeyId", id)]].concat()).await, expected, "{id}");
        let system = [("SystemDisk.Encrypted", "true"), ("SystemDisk.KMSKeyId", id)];
        assert_eq!(code(&app, "RunInstances", &[&instance[..], &system].concat()).await, expected, "{id}");
        let data = [("DataDisk.1.Size", "20"), ("DataDisk.1.Encrypted", "true"), ("DataDisk.1.KMSKeyId", id)];
        assert_eq!(code(&app, "RunInstances", &[&instance[..], &data].concat()).await, expected, "{id}");
        assert_eq!(code(&app, "CreateInstance", &[&instance[..], &data].concat()).await, expected, "{id}");
    }
    for good in ["good", "common"] {
        app.ok("CreateDisk", &[&disk[..], &[("KMSKeyId", good)]].concat()).await;
    }
    app.ok("CreateDisk", &disk).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM disks").await, 3);
}

#[tokio::test]
async fn a_key_that_fails_later_stops_whatever_needs_it() {
    let app = TestApp::with(keys).await;
    let good = [("SystemDisk.Encrypted", "true"), ("SystemDisk.KMSKeyId", "good")];
    let body = app.ok("RunInstances", &[&[IMAGE, TYPE, ZONE][..], &good].concat()).await;
    let instance = text(&body, "/InstanceIdSets/InstanceIdSet/0");
    let body = app.ok("DescribeDisks", &[("RegionId", REGION), ("InstanceId", &instance)]).await;
    let disk = text(&body, "/Disks/Disk/0/DiskId");
    let snapshot = app.accomplished_snapshot(&disk).await;
    let free = app.disk_with(|disk| "good".clone_into(&mut disk.kms_key_id)).await;
    let turn = async |key: &str| {
        let of = |table: &str| format!("UPDATE {table} SET kms_key_id = '{key}'");
        app.sql(&of("disks")).await;
        app.sql(&of("snapshots")).await;
    };
    let (on, of) = (("InstanceId", instance.as_str()), ("DiskId", disk.as_str()));
    for (id, expected) in BAD {
        turn(id).await;
        assert_eq!(code(&app, "CreateSnapshot", &[of]).await, expected, "{id}");
        assert_eq!(code(&app, "CreateImage", &[on]).await, expected, "{id}");
        assert_eq!(code(&app, "CreateImage", &[("SnapshotId", &snapshot)]).await, expected, "{id}");
        assert_eq!(code(&app, "AttachDisk", &[on, ("DiskId", &free)]).await, expected, "{id}");
        let from = [ZONE, ("DiskCategory", "cloud_essd"), ("SnapshotId", &snapshot)];
        assert_eq!(code(&app, "CreateDisk", &from).await, expected, "{id}");
        assert_eq!(code(&app, "StopInstance", &[on]).await, expected, "{id}");
    }
    turn("good").await;
    app.ok("StopInstance", &[on]).await;
    for (id, expected) in BAD {
        turn(id).await;
        assert_eq!(code(&app, "StartInstance", &[on]).await, expected, "{id}");
        assert_eq!(code(&app, "ReInitDisk", &[of]).await, expected, "{id}");
        assert_eq!(code(&app, "ResetDisk", &[of, ("SnapshotId", &snapshot)]).await, expected, "{id}");
    }
    turn("").await;
    app.ok("StartInstance", &[on]).await;
}

#[tokio::test]
async fn what_is_made_from_something_encrypted_keeps_its_key() {
    let app = TestApp::new().await;
    let key = [("SystemDisk.Encrypted", "true"), ("SystemDisk.KMSKeyId", "any")];
    let body = app.ok("RunInstances", &[&[IMAGE, TYPE][..], &key].concat()).await;
    let instance = text(&body, "/InstanceIdSets/InstanceIdSet/0");
    let body = app.ok("DescribeDisks", &[("RegionId", REGION), ("InstanceId", &instance)]).await;
    let snapshot = app.accomplished_snapshot(&text(&body, "/Disks/Disk/0/DiskId")).await;
    let from = [ZONE, ("DiskCategory", "cloud_essd"), ("SnapshotId", &snapshot)];
    let with = |id| [&from[..], &[("KMSKeyId", id)]].concat();
    app.refused("CreateDisk", &with("another"), 400, "InvalidKmsKeyId.NotMatchSnapshot").await;
    app.ok("CreateDisk", &with("any")).await;
}

/// An encrypted disk on a stopped instance, its snapshot and an image of that.
async fn encrypted(app: &TestApp, key: &str) -> [(&'static str, String); 4] {
    let good = [("SystemDisk.Encrypted", "true"), ("SystemDisk.KMSKeyId", key), ("SystemDisk.Category", "cloud_essd")];
    let body = app.ok("RunInstances", &[&[IMAGE, TYPE, ZONE][..], &good].concat()).await;
    let instance = text(&body, "/InstanceIdSets/InstanceIdSet/0");
    let body = app.ok("DescribeDisks", &[("RegionId", REGION), ("InstanceId", &instance)]).await;
    let disk = text(&body, "/Disks/Disk/0/DiskId");
    let snapshot = app.accomplished_snapshot(&disk).await;
    let image = text(&app.ok("CreateImage", &[("SnapshotId", &snapshot)]).await, "/ImageId");
    app.advance("1m").await;
    app.ok("StopInstance", &[("InstanceId", &instance)]).await;
    app.advance("1m").await;
    [("InstanceId", instance), ("DiskId", disk), ("SnapshotId", snapshot), ("ImageId", image)]
}

#[tokio::test]
async fn a_listed_key_answers_by_its_state_where_copies_policies_and_groups_need_it() {
    let app = TestApp::with(keys).await;
    let [(_, instance), (_, disk), (_, snapshot), (_, image)] = encrypted(&app, "good").await;
    let policy = [("TimePoints", "[1]"), ("RepeatWeekdays", "[1]"), ("RetentionDays", "1")];
    let made = text(&app.ok("CreateAutoSnapshotPolicy", &policy).await, "/AutoSnapshotPolicyId");
    let other = ("DestinationRegionId", "cn-beijing");
    for (id, expected) in BAD {
        let key = [("Encrypted", "true"), ("KMSKeyId", id)];
        let named = [other, ("DestinationSnapshotName", "copied"), ("DestinationSnapshotDescription", "copied")];
        let copy = [&[("SnapshotId", snapshot.as_str())][..], &named, &key].concat();
        assert_eq!(code(&app, "CopySnapshot", &copy).await, expected, "{id}");
        let copy = [&[("ImageId", image.as_str()), other][..], &key].concat();
        assert_eq!(code(&app, "CopyImage", &copy).await, expected, "{id}");
        let encryption = format!("{{\"Encrypted\":true,\"KMSKeyId\":\"{id}\"}}");
        let encryption = [("CopyEncryptionConfiguration", encryption.as_str())];
        let encrypting = [&policy[..], &encryption].concat();
        let of_policy = in_table_of("CreateAutoSnapshotPolicy", expected);
        assert_eq!(code(&app, "CreateAutoSnapshotPolicy", &encrypting).await, of_policy, "{id}");
        let modified = [&[("AutoSnapshotPolicyId", made.as_str())][..], &encryption].concat();
        assert_eq!(code(&app, "ModifyAutoSnapshotPolicyEx", &modified).await, expected, "{id}");
        let replaced = [&[("InstanceId", instance.as_str()), IMAGE][..], &key].concat();
        assert_eq!(code(&app, "ReplaceSystemDisk", &replaced).await, expected, "{id}");
        app.sql(&format!("UPDATE disks SET kms_key_id = '{id}'")).await;
        let of_group = in_table_of("CreateSnapshotGroup", expected);
        assert_eq!(code(&app, "CreateSnapshotGroup", &[("DiskId.1", &disk)]).await, of_group, "{id}");
        assert_eq!(code(&app, "ResizeDisk", &[("DiskId", &disk), ("NewSize", "80")]).await, expected, "{id}");
        let back = [("Disk.1.DiskId", disk.as_str()), ("Disk.1.SnapshotId", snapshot.as_str())];
        assert_eq!(code(&app, "ResetDisks", &back).await, expected, "{id}");
        app.sql("UPDATE disks SET kms_key_id = 'good'").await;
    }
}

#[tokio::test]
async fn without_the_authorization_no_key_but_the_default_one_can_be_used() {
    let mut app = TestApp::new().await;
    let [(_, instance), (_, disk), (_, snapshot), (_, image)] = encrypted(&app, "any").await;
    let policy = [("TimePoints", "[1]"), ("RepeatWeekdays", "[1]"), ("RetentionDays", "1")];
    let made = text(&app.ok("CreateAutoSnapshotPolicy", &policy).await, "/AutoSnapshotPolicyId");
    let free = app.disk_with(|disk| "any".clone_into(&mut disk.kms_key_id)).await;
    app.reconfigure(|config| config.fidelity.kms_authorized = false).await;
    let (on, of, from) =
        (("InstanceId", instance.as_str()), ("DiskId", disk.as_str()), ("SnapshotId", snapshot.as_str()));
    let other = ("DestinationRegionId", "cn-beijing");
    let key = [("Encrypted", "true"), ("KMSKeyId", "any")];
    let encryption = ("CopyEncryptionConfiguration", "{\"Encrypted\":true,\"KMSKeyId\":\"any\"}");
    let named = [("DestinationSnapshotName", "copied"), ("DestinationSnapshotDescription", "copied")];
    let calls: [(&str, Vec<(&str, &str)>); 15] = [
        ("CreateDisk", vec![ZONE, ("DiskCategory", "cloud_essd"), from]),
        ("CreateSnapshot", vec![of]),
        ("CreateSnapshotGroup", vec![("DiskId.1", &disk)]),
        ("CreateImage", vec![from]),
        ("CopySnapshot", [&[from, other][..], &named, &key].concat()),
        ("CopyImage", [&[("ImageId", image.as_str()), other][..], &key].concat()),
        ("CreateAutoSnapshotPolicy", [&policy[..], &[encryption]].concat()),
        ("ModifyAutoSnapshotPolicyEx", vec![("AutoSnapshotPolicyId", &made), encryption]),
        ("ReplaceSystemDisk", [&[on, IMAGE][..], &key].concat()),
        ("ResizeDisk", vec![of, ("NewSize", "80")]),
        ("ReInitDisk", vec![of]),
        ("ResetDisk", vec![of, from]),
        ("ResetDisks", vec![("Disk.1.DiskId", &disk), ("Disk.1.SnapshotId", &snapshot)]),
        ("AttachDisk", vec![on, ("DiskId", &free)]),
        ("StartInstance", vec![on]),
    ];
    for (action, params) in calls {
        assert_eq!(code(&app, action, &params).await, "InvalidParameter.KMSKeyId.KMSUnauthorized", "{action}");
    }
    let copy = [("ImageId", image.as_str()), other, key[0], key[1]];
    app.reconfigure(|config| config.fidelity.older_codes = true).await;
    assert_eq!(code(&app, "CopyImage", &copy).await, "OperationDenied.KmsServiceUnauthorized");
    app.reconfigure(|config| config.fidelity.older_codes = false).await;
    app.reconfigure(|config| config.fidelity.kms_authorized = true).await;
    app.ok("StartInstance", &[on]).await;
    app.advance("1m").await;
    app.reconfigure(|config| config.fidelity.kms_authorized = false).await;
    assert_eq!(code(&app, "StopInstance", &[on]).await, "InvalidParameter.KMSKeyId.KMSUnauthorized");
    let plain = [ZONE, ("Size", "20"), ("DiskCategory", "cloud_essd"), ("Encrypted", "true")];
    app.ok("CreateDisk", &plain).await;
}

#[tokio::test]
async fn a_closed_snapshot_service_has_to_be_opened_first() {
    let mut app = TestApp::new().await;
    let [(_, instance), (_, disk), (_, snapshot), _] = encrypted(&app, "any").await;
    let policy = [("TimePoints", "[1]"), ("RepeatWeekdays", "[1]"), ("RetentionDays", "1")];
    let made = text(&app.ok("CreateAutoSnapshotPolicy", &policy).await, "/AutoSnapshotPolicyId");
    app.reconfigure(|config| config.fidelity.snapshot_service_open = false).await;
    let (of, from) = (("DiskId", disk.as_str()), ("SnapshotId", snapshot.as_str()));
    let named = [("DestinationSnapshotName", "copied"), ("DestinationSnapshotDescription", "copied")];
    let disks = format!("[\"{disk}\"]");
    let calls: [(&str, Vec<(&str, &str)>); 9] = [
        ("CreateSnapshot", vec![of]),
        ("CreateSnapshotGroup", vec![("InstanceId", &instance)]),
        ("CopySnapshot", [&[from, ("DestinationRegionId", "cn-beijing")][..], &named].concat()),
        ("CreateDisk", vec![ZONE, ("DiskCategory", "cloud_essd"), from]),
        ("CreateImage", vec![from]),
        ("ResetDisk", vec![of, from]),
        ("ResetDisks", vec![("Disk.1.DiskId", &disk), ("Disk.1.SnapshotId", &snapshot)]),
        ("CreateAutoSnapshotPolicy", policy.to_vec()),
        ("ApplyAutoSnapshotPolicy", vec![("AutoSnapshotPolicyId", &made), ("DiskIds", &disks)]),
    ];
    for (action, params) in &calls {
        app.refused(action, params, 403, "InvalidAccountStatus.SnapshotServiceUnavailable").await;
    }
    app.ok("OpenSnapshotService", &[]).await;
    app.restart().await;
    for (action, params) in &calls[..3] {
        app.ok(action, params).await;
    }
}

#[tokio::test]
async fn a_resource_group_is_named_by_an_id_of_one() {
    let app = TestApp::new().await;
    let [(_, _), (_, disk), (_, snapshot), (_, image)] = encrypted(&app, "any").await;
    let group = ("ResourceGroupId", "group");
    let calls: [(&str, Vec<(&str, &str)>); 6] = [
        ("CreateSnapshot", vec![("DiskId", &disk), group]),
        ("CreateSnapshotGroup", vec![("DiskId.1", &disk), group]),
        ("CreateDisk", vec![ZONE, ("Size", "20"), group]),
        ("CreateImage", vec![("SnapshotId", &snapshot), group]),
        ("CopyImage", vec![("ImageId", &image), ("DestinationRegionId", "cn-beijing"), group]),
        (
            "CreateAutoSnapshotPolicy",
            vec![("TimePoints", "[1]"), ("RepeatWeekdays", "[1]"), ("RetentionDays", "1"), group],
        ),
    ];
    for (action, params) in calls {
        app.refused(action, &params, 404, "InvalidResourceGroup.NotFound").await;
    }
}

#[tokio::test]
async fn a_replaced_system_disk_may_have_another_key_than_its_image() {
    let app = TestApp::new().await;
    let [(_, instance), _, _, (_, image)] = encrypted(&app, "any").await;
    let replaced =
        [("InstanceId", instance.as_str()), ("ImageId", &image), ("Encrypted", "true"), ("KMSKeyId", "another")];
    let disk = text(&app.ok("ReplaceSystemDisk", &replaced).await, "/DiskId");
    app.advance("1m").await;
    let shown = app.ok("DescribeDisks", &[("RegionId", REGION), ("DiskIds", &format!("[\"{disk}\"]"))]).await;
    assert_eq!(text(&shown, "/Disks/Disk/0/KMSKeyId"), "another");
}
