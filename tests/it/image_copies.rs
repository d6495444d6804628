//! Copies of images: made in turn, with snapshots of their own, cancelled, and what they keep from being deleted.

use serde_json::Value;

use crate::images::{made, shown, system_snapshot};
use crate::support::answer::{column, text};
use crate::support::{ACCOUNT, OTHER_ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};

/// An image of a snapshot, available.
async fn available(app: &TestApp) -> (String, String) {
    let snapshot = system_snapshot(app).await;
    let image = made(app, &snapshot).await;
    app.advance("3s").await;
    (image, snapshot)
}

async fn copied(app: &TestApp, image_id: &str, params: &[(&str, &str)]) -> String {
    let source = [("ImageId", image_id), ("RegionId", REGION)];
    text(&app.ok("CopyImage", &[&source[..], params].concat()).await, "/ImageId")
}

async fn shown_in(app: &TestApp, region: &str, image_id: &str) -> Value {
    let params = [("ImageId", image_id), ("RegionId", region), ("Status", "ALL")];
    app.ok("DescribeImages", &params).await.pointer("/Images/Image/0").cloned().unwrap_or_default()
}

fn snapshot_of(image: &Value) -> String {
    text(image, "/DiskDeviceMappings/DiskDeviceMapping/0/SnapshotId")
}

#[tokio::test]
async fn a_copy_is_an_image_of_its_own_with_its_own_snapshots() {
    let app = TestApp::new().await;
    let (source, snapshot) = available(&app).await;
    let params = [
        ("DestinationRegionId", OTHER_REGION),
        ("DestinationImageName", "the-copy"),
        ("DestinationDescription", "made elsewhere"),
        ("ResourceGroupId", "rg-1"),
        ("Tag.1.Key", "k"),
        ("Tag.1.Value", "v"),
    ];
    let copy = copied(&app, &source, &params).await;
    let row = shown_in(&app, OTHER_REGION, &copy).await;
    assert_eq!((text(&row, "/Status"), &row["IsCopied"]), ("Creating".into(), &Value::Bool(true)));
    assert_eq!((text(&row, "/ImageName"), text(&row, "/Description")), ("the-copy".into(), "made elsewhere".into()));
    assert_eq!((text(&row, "/ResourceGroupId"), text(&row, "/Tags/Tag/0/TagValue")), ("rg-1".into(), "v".into()));
    assert_eq!(shown(&app, &source).await["IsCopied"], Value::Bool(false));
    assert_eq!(shown_in(&app, REGION, &copy).await, Value::Null);
    let own = snapshot_of(&row);
    let ids = format!("[\"{own}\"]");
    let described = app.ok("DescribeSnapshots", &[("RegionId", OTHER_REGION), ("SnapshotIds", &ids)]).await;
    let its = &described["Snapshots"]["Snapshot"][0];
    assert_eq!((text(its, "/SourceSnapshotId"), text(its, "/SourceRegionId")), (snapshot.clone(), REGION.into()));
    assert_eq!((text(its, "/Status"), text(its, "/Usage")), ("progressing".into(), "image".into()));
    app.advance("2s").await;
    assert_eq!(text(&shown_in(&app, OTHER_REGION, &copy).await, "/Progress"), "40%");
    app.advance("3s").await;
    let row = shown_in(&app, OTHER_REGION, &copy).await;
    assert_eq!((text(&row, "/Status"), text(&row, "/Progress")), ("Available".into(), "100%".into()));
    app.ok("DeleteImage", &[("ImageId", &source)]).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &own)], 403, "SnapshotCreatedImage").await;
    let run = [("ImageId", copy.as_str()), ("InstanceType", "ecs.g7.large"), ("RegionId", OTHER_REGION)];
    app.ok("RunInstances", &run).await;
}

#[tokio::test]
async fn what_is_being_copied_stays_until_the_copy_is_finished() {
    let app = TestApp::new().await;
    let (source, snapshot) = available(&app).await;
    let copy = copied(&app, &source, &[("DestinationRegionId", OTHER_REGION)]).await;
    for force in ["false", "true"] {
        let delete = [("SnapshotId", snapshot.as_str()), ("Force", force)];
        app.refused("DeleteSnapshot", &delete, 403, "InvalidOperation.RelatedSnapshotNotFinished").await;
        for image in [&source, &copy] {
            let delete = [("ImageId", image.as_str()), ("Force", force)];
            app.refused("DeleteImage", &delete, 403, "OperationDenied.ImageCopying").await;
        }
    }
    let again = [("ImageId", copy.as_str()), ("RegionId", OTHER_REGION)];
    app.refused("CopyImage", &again, 403, "OperationDenied.ImageCopying").await;
    app.advance("5s").await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &snapshot)], 403, "SnapshotCreatedImage").await;
    app.ok("DeleteImage", &[("ImageId", &source)]).await;
    app.ok("DeleteImage", &[("ImageId", &copy)]).await;
}

#[tokio::test]
async fn the_sixth_copy_waits_for_its_turn_and_survives_a_restart() {
    let mut app = TestApp::new().await;
    let (source, _) = available(&app).await;
    let mut copies = Vec::new();
    for _ in 0..7 {
        copies.push(copied(&app, &source, &[("DestinationRegionId", OTHER_REGION)]).await);
    }
    // Another region has room of its own.
    let elsewhere = copied(&app, &source, &[]).await;
    assert_eq!(text(&shown(&app, &elsewhere).await, "/Status"), "Creating");
    let statuses = async |app: &TestApp| {
        let mut statuses = Vec::new();
        for copy in &copies {
            statuses.push(text(&shown_in(app, OTHER_REGION, copy).await, "/Status"));
        }
        statuses
    };
    assert_eq!(statuses(&app).await[4..], ["Creating", "Waiting", "Waiting"]);
    let waiting = shown_in(&app, OTHER_REGION, &copies[5]).await;
    assert_eq!((text(&waiting, "/Progress"), snapshot_of(&waiting)), ("0%".into(), String::new()));
    app.restart().await;
    app.advance("3s").await;
    app.ok("CancelCopyImage", &[("ImageId", &copies[6])]).await;
    app.ok("CancelCopyImage", &[("ImageId", &copies[0])]).await;
    assert_eq!(text(&shown_in(&app, OTHER_REGION, &copies[5]).await, "/Status"), "Creating", "a place is free");
    app.advance("2s").await;
    assert_eq!(text(&shown_in(&app, OTHER_REGION, &copies[4]).await, "/Status"), "Available");
    assert_eq!(text(&shown_in(&app, OTHER_REGION, &copies[5]).await, "/Status"), "Creating");
    app.advance("3s").await;
    assert_eq!(text(&shown_in(&app, OTHER_REGION, &copies[5]).await, "/Status"), "Available");
    app.ok("DeleteImage", &[("ImageId", &source)]).await;
}

#[tokio::test]
async fn a_cancelled_copy_leaves_with_its_snapshots_and_frees_its_source() {
    let app = TestApp::new().await;
    let (source, snapshot) = available(&app).await;
    let copy = copied(&app, &source, &[("DestinationRegionId", OTHER_REGION)]).await;
    let own = snapshot_of(&shown_in(&app, OTHER_REGION, &copy).await);
    let cancel = [("ImageId", copy.as_str()), ("RegionId", OTHER_REGION)];
    app.refused("CancelCopyImage", &[cancel[0], ("RegionId", REGION)], 404, "InvalidImageId.NotFound").await;
    app.refused("CancelCopyImage", &[cancel[0], ("RegionId", "nowhere")], 404, "InvalidRegionId.NotFound").await;
    app.call_as(OTHER_KEY, "CancelCopyImage", &cancel).await.refused(404, "InvalidImageId.NotFound");
    app.refused("CancelCopyImage", &[("ImageId", &source)], 400, "ImageCreatedNotFromCopy").await;
    app.refused("CancelCopyImage", &[], 400, "MissingParameter").await;
    app.ok("CancelCopyImage", &cancel).await;
    app.refused("CancelCopyImage", &cancel, 404, "InvalidImageId.NotFound").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots WHERE source_snapshot_id <> ''").await, 0);
    app.ok("DeleteSnapshot", &[("SnapshotId", &own)]).await;
    app.ok("DeleteImage", &[("ImageId", &source)]).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    app.advance("1h").await;
}

#[tokio::test]
async fn a_finished_copy_cannot_be_cancelled() {
    let app = TestApp::new().await;
    let (source, _) = available(&app).await;
    let copy = copied(&app, &source, &[]).await;
    app.advance("5s").await;
    app.refused("CancelCopyImage", &[("ImageId", &copy)], 400, "IncorrectImageStatus").await;
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused() {
    let app = TestApp::new().await;
    let (image, snapshot) = available(&app).await;
    let old = app.image_from(&system_snapshot(&app).await, "Available", ACCOUNT).await;
    app.sql(&format!(
        "UPDATE snapshots SET creation_time = 1373000000000 WHERE snapshot_id IN
             (SELECT snapshot_id FROM image_disk_mappings WHERE image_id = '{old}')"
    ))
    .await;
    let community = app.image_from(&system_snapshot(&app).await, "Available", ACCOUNT).await;
    app.ok("ModifyImageSharePermission", &[("ImageId", &community), ("IsPublic", "true")]).await;
    copied(&app, &image, &[("DestinationImageName", "taken")]).await;
    let unready = made(&app, &snapshot).await;
    let source = ("ImageId", image.as_str());
    let too_many: Vec<String> = (0..21).map(|i| format!("Tag.{}.Key", i + 1)).collect();
    let mut tags: Vec<(&str, &str)> = too_many.iter().map(|name| (name.as_str(), name.as_str())).collect();
    tags.push(source);
    let cases: Vec<(Vec<(&str, &str)>, u16, &str)> = vec![
        (vec![], 400, "MissingParameter"),
        (vec![("ImageId", "m-none")], 404, "InvalidImageId.NotFound"),
        (vec![source, ("RegionId", OTHER_REGION)], 404, "InvalidImageId.NotFound"),
        (vec![source, ("RegionId", "nowhere")], 400, "SourceRegion.NotFound"),
        (vec![source, ("DestinationRegionId", "nowhere")], 400, "DestinationRegion.NotFound"),
        (vec![source, ("DestinationImageName", "acs:x")], 400, "InvalidImageName.Malformed"),
        (vec![source, ("DestinationDescription", "http://x")], 400, "InvalidDescription.Malformed"),
        (vec![source, ("DestinationImageName", "taken")], 400, "InvalidImageName.Duplicated"),
        (vec![source, ("KMSKeyId", "key-1")], 400, "InvalidEncrypted.NotMatchKmsKeyId"),
        (vec![source, ("EncryptAlgorithm", "AES-256")], 400, "InvalidEncrypted.NotMatchEncryptAlgorithm"),
        (vec![source, ("Encrypted", "true"), ("EncryptAlgorithm", "rot13")], 400, "InvalidEncryptAlgorithm"),
        (vec![source, ("Encrypted", "maybe")], 400, "InvalidParameter"),
        (vec![source, ("Tag.1.Key", "acs:x")], 400, "InvalidTagKey.Malformed"),
        (vec![source, ("Tag.1.Key", "k"), ("Tag.1.Value", "http://x")], 400, "InvalidTagValue.Malformed"),
        (vec![source, ("Tag.1.Key", "k"), ("Tag.2.Key", "k")], 400, "Duplicate.TagKey"),
        (tags, 403, "QuotaExceed.Tags"),
        (vec![("ImageId", &unready)], 400, "IncorrectImageStatus"),
        (vec![("ImageId", &old)], 403, "InvalidSnapshot.TooOld"),
        (vec![("ImageId", &community)], 400, "OperationDenied.CommunityImage"),
        (vec![("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd")], 403, "OperationDenied"),
        (vec![source, ("DryRun", "true")], 400, "DryRunOperation"),
    ];
    let before = app.dump().await;
    for (params, status, code) in cases {
        let answer = app.call("CopyImage", &params).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{params:?}: {}", answer.text);
    }
    app.call_as(OTHER_KEY, "CopyImage", &[source]).await.refused(404, "InvalidImageId.NotFound");
    assert_eq!(app.dump().await, before);
    app.sql(&format!("INSERT INTO row_locks VALUES ('{snapshot}', 'operator:test', 'exclusive', 0)")).await;
    app.refused("CopyImage", &[source], 403, "Operation.Conflict").await;
}

#[tokio::test]
async fn the_quota_of_images_is_that_of_the_destination() {
    let app = TestApp::with(|config| config.quotas.images = 1).await;
    let (source, _) = available(&app).await;
    app.refused("CopyImage", &[("ImageId", &source)], 403, "QuotaExceed.Image").await;
    let elsewhere = [("DestinationRegionId", OTHER_REGION)];
    copied(&app, &source, &elsewhere).await;
    let again = [("ImageId", source.as_str()), elsewhere[0]];
    app.refused("CopyImage", &again, 403, "QuotaExceed.Image").await;
}

#[tokio::test]
async fn a_client_token_makes_one_copy() {
    let app = TestApp::new().await;
    let (source, _) = available(&app).await;
    let params = [("ClientToken", "t"), ("DestinationRegionId", OTHER_REGION)];
    let copy = copied(&app, &source, &params).await;
    assert_eq!(copied(&app, &source, &params).await, copy);
    assert_eq!(app.count("SELECT COUNT(*) FROM image_copies").await, 1);
}

#[tokio::test]
async fn a_plain_image_may_become_an_encrypted_one_and_never_the_reverse() {
    let app = TestApp::new().await;
    let (plain, _) = available(&app).await;
    let key = [("Encrypted", "true"), ("KMSKeyId", "key-1"), ("EncryptAlgorithm", "aes-256")];
    let copy = copied(&app, &plain, &key).await;
    let row = shown(&app, &copy).await;
    assert_eq!(row["DiskDeviceMappings"]["DiskDeviceMapping"][0]["Encrypted"], Value::Bool(true));
    let own = app.described(&snapshot_of(&row)).await;
    assert_eq!((&own["Encrypted"], text(&own, "/KMSKeyId")), (&Value::Bool(true), "key-1".into()));
    app.advance("5s").await;
    let back = [("ImageId", copy.as_str()), ("Encrypted", "false")];
    app.refused("CopyImage", &back, 403, "OperationDeined.EncryptedSnapshot").await;
    let inherited = copied(&app, &copy, &[]).await;
    let own = app.described(&snapshot_of(&shown(&app, &inherited).await)).await;
    assert_eq!((&own["Encrypted"], text(&own, "/KMSKeyId")), (&Value::Bool(true), "key-1".into()));
    let by_default = copied(&app, &copy, &[("Encrypted", "true")]).await;
    let own = app.described(&snapshot_of(&shown(&app, &by_default).await)).await;
    assert_eq!(own["Encrypted"], Value::Bool(true));
}

#[tokio::test]
async fn a_shared_image_is_copied_in_its_own_region_alone() {
    let app = TestApp::new().await;
    let (image, snapshot) = available(&app).await;
    let share = [("ImageId", image.as_str()), ("AddAccount.1", OTHER_ACCOUNT)];
    app.ok("ModifyImageSharePermission", &share).await;
    let source = ("ImageId", image.as_str());
    let elsewhere = [source, ("DestinationRegionId", OTHER_REGION)];
    app.call_as(OTHER_KEY, "CopyImage", &elsewhere).await.refused(403, "OperationDenied.SameRegionOnly");
    let copy = text(&app.call_as(OTHER_KEY, "CopyImage", &[source]).await.accepted(), "/ImageId");
    app.ok("ModifyImageSharePermission", &[source, ("RemoveAccount.1", OTHER_ACCOUNT)]).await;
    app.refused("DeleteImage", &[source], 403, "OperationDenied.ImageCopying").await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &snapshot)], 403, "InvalidOperation.RelatedSnapshotNotFinished")
        .await;
    app.advance("5s").await;
    app.ok("DeleteImage", &[source]).await;
    let list = [("ImageOwnerAlias", "self")];
    let own = app.call_as(OTHER_KEY, "DescribeImages", &list).await.accepted();
    assert_eq!(column(&own, "/Images/Image", "ImageId"), [copy]);
    let mine = app.call_as(OTHER_KEY, "DescribeSnapshots", &[]).await.accepted()["Snapshots"]["Snapshot"][0].clone();
    let theirs = app.described(&snapshot).await;
    assert!(mine.get("SourceSnapshotId").is_none(), "another account's snapshot is not told");
    assert_ne!(text(&mine, "/SourceDiskId"), text(&theirs, "/SourceDiskId"), "the disk is no affair of others");
}
