//! Shares of images: what the other account may do with one, what its owner may not, and how many there can be.

use serde_json::{Value, json};

use crate::images::{made, shown, system_snapshot};
use crate::support::answer::{column, text};
use crate::support::{ACCOUNT, OTHER_ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};
use snapshotd::config::Account;

const THIRD: &str = "1000000000000003";
const BASE: &str = "aliyun_3_x64_20G_alibase_20260101.vhd";

async fn available(app: &TestApp) -> String {
    let snapshot = system_snapshot(app).await;
    let image = made(app, &snapshot).await;
    app.advance("3s").await;
    image
}

async fn share(app: &TestApp, image_id: &str, account_id: &str) {
    app.ok("ModifyImageSharePermission", &[("ImageId", image_id), ("AddAccount.1", account_id)]).await;
}

async fn listed_by_other(app: &TestApp, params: &[(&str, &str)]) -> Vec<String> {
    let body = app.call_as(OTHER_KEY, "DescribeImages", params).await.accepted();
    column(&body, "/Images/Image", "ImageId")
}

/// An app that knows a third account, which has no key.
async fn with_third() -> TestApp {
    let third = Account { id: THIRD.to_owned(), name: "third".to_owned(), keys: Vec::new() };
    TestApp::with(|config| config.accounts.push(third)).await
}

#[tokio::test]
async fn a_shared_image_is_seen_and_used_by_the_other_account_and_not_changed() {
    let app = TestApp::new().await;
    let image = available(&app).await;
    app.ok("TagResources", &[("ResourceType", "image"), ("ResourceId.1", &image), ("Tag.1.Key", "k")]).await;
    assert_eq!(listed_by_other(&app, &[("ImageId", &image)]).await, Vec::<String>::new());
    share(&app, &image, OTHER_ACCOUNT).await;
    for owner in ["others", "OTHERS"] {
        let own_list = listed_by_other(&app, &[("ImageOwnerAlias", owner)]).await;
        assert_eq!(own_list, std::slice::from_ref(&image));
    }
    assert_eq!(listed_by_other(&app, &[("ImageOwnerId", ACCOUNT)]).await, std::slice::from_ref(&image));
    assert_eq!(listed_by_other(&app, &[("ImageOwnerAlias", "self")]).await, Vec::<String>::new());
    assert_eq!(listed_by_other(&app, &[("ImageId", &image), ("RegionId", OTHER_REGION)]).await, Vec::<String>::new());
    let by_id = [("ImageId", image.as_str())];
    let seen = app.call_as(OTHER_KEY, "DescribeImages", &by_id).await.accepted()["Images"]["Image"][0].clone();
    assert_eq!((text(&seen, "/ImageOwnerAlias"), text(&seen, "/IsSelfShared")), ("others".into(), String::new()));
    assert_eq!(seen["ImageOwnerId"], json!(1_000_000_000_000_001_i64));
    assert_eq!(text(&seen, "/DiskDeviceMappings/DiskDeviceMapping/0/SnapshotId"), "", "it is nothing to others");
    assert_eq!(seen["Tags"]["Tag"], json!([]));
    assert_eq!(text(&shown(&app, &image).await, "/IsSelfShared"), "True");
    let run = [("ImageId", image.as_str()), ("InstanceType", "ecs.g7.large")];
    app.call_as(OTHER_KEY, "RunInstances", &run).await.accepted();
    for (action, more) in [
        ("DeleteImage", ("Force", "true")),
        ("ModifyImageAttribute", ("Description", "mine now")),
        ("ModifyImageSharePermission", ("AddAccount.1", ACCOUNT)),
        ("DescribeImageSharePermission", ("PageNumber", "1")),
        ("CancelCopyImage", ("RegionId", REGION)),
    ] {
        app.call_as(OTHER_KEY, action, &[by_id[0], more]).await.refused(404, "InvalidImageId.NotFound");
    }
}

#[tokio::test]
async fn a_shared_image_is_neither_deleted_nor_deprecated_until_it_is_taken_back() {
    let app = TestApp::new().await;
    let image = available(&app).await;
    let id = ("ImageId", image.as_str());
    share(&app, &image, OTHER_ACCOUNT).await;
    for force in ["false", "true"] {
        app.refused("DeleteImage", &[id, ("Force", force)], 403, "ImageUseShared").await;
    }
    app.refused("ModifyImageAttribute", &[id, ("Status", "Deprecated")], 403, "ImageUseShared").await;
    let remove = [id, ("RemoveAccount.1", OTHER_ACCOUNT)];
    app.ok("ModifyImageSharePermission", &remove).await;
    app.ok("ModifyImageSharePermission", &remove).await;
    let run = [id, ("InstanceType", "ecs.g7.large")];
    app.call_as(OTHER_KEY, "RunInstances", &run).await.refused(404, "InvalidImageId.NotFound");
    app.ok("ModifyImageAttribute", &[id, ("Status", "Deprecated")]).await;
    let add = [id, ("AddAccount.1", OTHER_ACCOUNT)];
    app.refused("ModifyImageSharePermission", &add, 403, "OperationDenied.InvalidImageStatus").await;
    app.ok("DeleteImage", &[id]).await;
}

#[tokio::test]
async fn a_disk_of_a_shared_image_that_was_taken_back_cannot_be_reinitialised() {
    let app = TestApp::new().await;
    let image = available(&app).await;
    share(&app, &image, OTHER_ACCOUNT).await;
    let other = async |action: &str, params: &[(&str, &str)]| app.call_as(OTHER_KEY, action, params).await;
    let run = [("ImageId", image.as_str()), ("InstanceType", "ecs.g7.large")];
    let instance = text(&other("RunInstances", &run).await.accepted(), "/InstanceIdSets/InstanceIdSet/0");
    app.advance("1s").await;
    other("StopInstance", &[("InstanceId", &instance)]).await.accepted();
    app.advance("1s").await;
    let disks = other("DescribeDisks", &[("InstanceId", &instance)]).await.accepted();
    let disk = text(&disks, "/Disks/Disk/0/DiskId");
    other("ReInitDisk", &[("DiskId", &disk)]).await.accepted();
    app.advance("1s").await;
    app.ok("ModifyImageSharePermission", &[("ImageId", &image), ("RemoveAccount.1", OTHER_ACCOUNT)]).await;
    other("ReInitDisk", &[("DiskId", &disk)]).await.refused(403, "SharedImageDeleted");
    app.ok("DeleteImage", &[("ImageId", &image)]).await;
    other("ReInitDisk", &[("DiskId", &disk)]).await.refused(403, "SharedImageDeleted");
}

#[tokio::test]
async fn shares_are_listed_by_page_the_newest_first() {
    let app = with_third().await;
    let image = available(&app).await;
    share(&app, &image, OTHER_ACCOUNT).await;
    app.advance("1s").await;
    share(&app, &image, THIRD).await;
    share(&app, &image, OTHER_ACCOUNT).await;
    let id = ("ImageId", image.as_str());
    let all = app.ok("DescribeImageSharePermission", &[id]).await;
    assert_eq!(column(&all, "/Accounts/Account", "AliyunId"), [THIRD, OTHER_ACCOUNT]);
    let times = column(&all, "/Accounts/Account", "SharedTime");
    assert_eq!(times, ["2026-01-01T00:00:06Z", "2026-01-01T00:00:05Z"]);
    let head = (&all["PageNumber"], &all["PageSize"], &all["TotalCount"], &all["ShareGroups"]["ShareGroup"]);
    assert_eq!(head, (&json!(1), &json!(10), &json!(2), &json!([])));
    assert_eq!((text(&all, "/RegionId"), text(&all, "/ImageId")), (REGION.to_owned(), image.clone()));
    assert_eq!(app.xml("DescribeImageSharePermission", &[id]).await.status, 200);
    let page = [id, ("PageSize", "1"), ("PageNumber", "2")];
    let second = app.ok("DescribeImageSharePermission", &page).await;
    assert_eq!(column(&second, "/Accounts/Account", "AliyunId"), [OTHER_ACCOUNT]);
    assert_eq!(second["TotalCount"], json!(2));
    app.refused("DescribeImageSharePermission", &[id, ("PageSize", "101")], 400, "InvalidParameter").await;
    app.refused("DescribeImageSharePermission", &[id, ("PageNumber", "0")], 400, "InvalidParameter").await;
    let missing = app.refused("DescribeImageSharePermission", &[], 400, "MissingParameter").await;
    assert!(missing.message().contains("ImageId"), "{}", missing.text);
    app.refused("DescribeImageSharePermission", &[("ImageId", "m-none")], 404, "InvalidImageId.NotFound").await;
    app.refused("DescribeImageSharePermission", &[("ImageId", BASE)], 404, "InvalidImageId.NotFound").await;
}

#[tokio::test]
async fn what_cannot_be_shared_is_refused() {
    let app = TestApp::new().await;
    let snapshot = system_snapshot(&app).await;
    let unready = made(&app, &snapshot).await;
    let image = available(&app).await;
    let id = ("ImageId", image.as_str());
    let add = ("AddAccount.1", OTHER_ACCOUNT);
    let cases: Vec<(Vec<(&str, &str)>, u16, &str)> = vec![
        (vec![add], 400, "MissingParameter"),
        (vec![id], 400, "MissingParameter"),
        (vec![("ImageId", "m-none"), add], 404, "InvalidImageId.NotFound"),
        (vec![id, add, ("RegionId", OTHER_REGION)], 404, "InvalidImageId.NotFound"),
        (vec![("ImageId", BASE), add], 403, "Image.Public"),
        (vec![id, ("AddAccount.1", "1234567890123456")], 404, "InvalidAccount.NotFound"),
        (vec![id, ("RemoveAccount.1", "x")], 404, "InvalidAccount.NotFound"),
        (vec![id, ("AddAccount.1", ACCOUNT)], 404, "InvalidAccount.Forbbiden"),
        (vec![id, add, ("LaunchPermission", "HIDDEN")], 400, "UnnecessaryParameter.LaunchPermission"),
        (vec![id, ("LaunchPermission", "hidden")], 400, "ForbiddenParameter.LaunchPermission"),
        (vec![id, ("LaunchPermission", "whatever")], 400, "InvalidParameter.LaunchPermission"),
        (vec![id, add, ("IsPublic", "true")], 403, "InvalidParameter.IsPublic"),
        (vec![id, ("IsPublic", "false")], 403, "Image.NotPublic"),
        (vec![id, ("IsPublic", "maybe")], 400, "InvalidParameter"),
        (vec![("ImageId", &unready), add], 403, "OperationDenied.InvalidImageStatus"),
        (vec![id, add, ("DryRun", "true")], 400, "DryRunOperation"),
    ];
    app.sql(&format!("UPDATE images SET status = 'UnAvailable' WHERE image_id = '{unready}'")).await;
    let before = app.dump().await;
    for (params, status, code) in cases {
        let answer = app.call("ModifyImageSharePermission", &params).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{params:?}: {}", answer.text);
    }
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn an_encrypted_image_is_shared_only_with_a_key_of_its_own_and_one_disk() {
    let app = TestApp::new().await;
    let plain = available(&app).await;
    let copied = async |more: &[(&str, &str)]| {
        let params = [&[("ImageId", plain.as_str()), ("Encrypted", "true")], more].concat();
        let image = text(&app.ok("CopyImage", &params).await, "/ImageId");
        app.advance("5s").await;
        image
    };
    let add = ("AddAccount.1", OTHER_ACCOUNT);
    let by_default = copied(&[]).await;
    let refused = [("ImageId", by_default.as_str()), add];
    app.refused("ModifyImageSharePermission", &refused, 403, "OperationDeined.EncryptedSnapshot").await;
    let keyed = copied(&[("KMSKeyId", "key-1")]).await;
    let id = ("ImageId", keyed.as_str());
    app.refused("ModifyImageSharePermission", &[id, ("IsPublic", "true")], 403, "OperationDeined.EncryptedSnapshot")
        .await;
    app.ok("ModifyImageSharePermission", &[id, add]).await;
    let other = async |action: &str, params: &[(&str, &str)]| app.call_as(OTHER_KEY, action, params).await;
    other("CopyImage", &[id]).await.refused(403, "OperationDeined.EncryptedSnapshot");
    other("CopyImage", &[id, ("Encrypted", "true"), ("KMSKeyId", "key-2")]).await.accepted();
    let run = [id, ("InstanceType", "ecs.g7.large")];
    for action in ["RunInstances", "CreateInstance"] {
        other(action, &run).await.refused(400, "InvalidParam.EncryptedMismatch");
    }
    let own_key = [("SystemDisk.Encrypted", "true"), ("SystemDisk.KMSKeyId", "key-2")];
    other("RunInstances", &[&run[..], &own_key].concat()).await.accepted();
    let (system, disk) = (system_snapshot(&app).await, app.attached_disk().await);
    let data = app.accomplished_snapshot(&disk).await;
    let two = [("DiskDeviceMapping.1.SnapshotId", system.as_str()), ("DiskDeviceMapping.2.SnapshotId", &data)];
    let two = text(&app.ok("CreateImage", &two).await, "/ImageId");
    app.advance("3s").await;
    let params = [("ImageId", two.as_str()), ("Encrypted", "true"), ("KMSKeyId", "key-1")];
    let full = text(&app.ok("CopyImage", &params).await, "/ImageId");
    app.advance("5s").await;
    let refused = [("ImageId", full.as_str()), add];
    app.refused("ModifyImageSharePermission", &refused, 403, "OperationDeined.FullImage").await;
}

#[tokio::test]
async fn shares_have_quotas_and_accounts_beyond_the_tenth_of_a_call_are_ignored() {
    let third = Account { id: THIRD.to_owned(), name: "third".to_owned(), keys: Vec::new() };
    let app = TestApp::with(|config| {
        config.accounts.push(third);
        config.quotas.accounts_per_image = 1;
        config.quotas.shared_images = 1;
    })
    .await;
    let image = available(&app).await;
    share(&app, &image, OTHER_ACCOUNT).await;
    share(&app, &image, OTHER_ACCOUNT).await;
    let more = [("ImageId", image.as_str()), ("AddAccount.1", THIRD)];
    app.refused("ModifyImageSharePermission", &more, 403, "QuotaExceed.ShareImageUser").await;
    let second = available(&app).await;
    let add = [("ImageId", second.as_str()), ("AddAccount.1", OTHER_ACCOUNT)];
    app.refused("ModifyImageSharePermission", &add, 403, "QuotaExceed.ShareImage").await;
    let names: Vec<String> = (1..=11).map(|i| format!("RemoveAccount.{i}")).collect();
    let mut params: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), OTHER_ACCOUNT)).collect();
    params[10].1 = "nobody";
    params.push(("ImageId", &image));
    app.ok("ModifyImageSharePermission", &params).await;
    assert_eq!(app.ok("DescribeImageSharePermission", &[("ImageId", &image)]).await["TotalCount"], json!(0));
    app.ok("ModifyImageSharePermission", &add).await;
}

#[tokio::test]
async fn a_community_image_is_there_for_everybody_who_asks_for_one() {
    let app = TestApp::new().await;
    let image = available(&app).await;
    let id = ("ImageId", image.as_str());
    let publish = [id, ("IsPublic", "true")];
    app.ok("ModifyImageSharePermission", &publish).await;
    app.refused("ModifyImageSharePermission", &publish, 403, "Image.Public").await;
    let add = [id, ("AddAccount.1", OTHER_ACCOUNT)];
    app.refused("ModifyImageSharePermission", &add, 403, "Image.Public").await;
    assert_eq!(listed_by_other(&app, &[id]).await, Vec::<String>::new());
    let asked_for = ("IsPublic", "true");
    for of in [vec![asked_for], vec![asked_for, ("ImageOwnerAlias", "others")]] {
        assert_eq!(listed_by_other(&app, &of).await, std::slice::from_ref(&image), "{of:?}");
    }
    for of in ["self", "system", "marketplace"] {
        assert_eq!(listed_by_other(&app, &[asked_for, ("ImageOwnerAlias", of)]).await, Vec::<String>::new(), "{of}");
    }
    let own = app.ok("DescribeImages", &[asked_for, ("ImageOwnerAlias", "self")]).await;
    assert_eq!(own["Images"]["Image"][0]["IsPublic"], Value::Bool(true));
    let shares = app.ok("DescribeImageSharePermission", &[id]).await;
    assert_eq!(shares["ShareGroups"]["ShareGroup"], json!([{"Group": "all"}]));
    assert_eq!(shares["TotalCount"], json!(0));
    let run = [id, ("InstanceType", "ecs.g7.large")];
    app.call_as(OTHER_KEY, "RunInstances", &run).await.accepted();
    app.call_as(OTHER_KEY, "CopyImage", &[id]).await.refused(400, "OperationDenied.CommunityImage");
    app.refused("DeleteImage", &[id, ("Force", "true")], 403, "ImageIsPublic").await;
    app.refused("ModifyImageAttribute", &[id, ("Status", "Deprecated")], 403, "ImageUseShared").await;
    app.ok("ModifyImageSharePermission", &[id, ("IsPublic", "false")]).await;
    assert_eq!(listed_by_other(&app, &[asked_for]).await, Vec::<String>::new());
    app.ok("DeleteImage", &[id]).await;
}
