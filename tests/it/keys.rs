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
