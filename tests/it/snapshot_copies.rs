//! `CopySnapshot`: copies in other regions, what they hold while they are made, and what they are not.

use serde_json::Value;

use crate::support::answer::{snapshot_ids, text};
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};

const COPY: &str = "CopySnapshot";
const THIRD_REGION: &str = "cn-shanghai";

/// A call that is fine for `id`, with `others` in place of or beside its parameters.
fn params<'a>(id: &'a str, others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("RegionId", REGION),
        ("SnapshotId", id),
        ("DestinationRegionId", OTHER_REGION),
        ("DestinationSnapshotName", "copied"),
        ("DestinationSnapshotDescription", "a copy elsewhere"),
    ];
    all.retain(|(name, _)| others.iter().all(|(other, _)| other != name));
    all.extend_from_slice(others);
    all
}

async fn copied(app: &TestApp, id: &str, others: &[(&str, &str)]) -> String {
    text(&app.ok(COPY, &params(id, others)).await, "/SnapshotId")
}

#[tokio::test]
async fn a_copy_is_a_snapshot_of_its_own_in_the_other_region() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let source = app.accomplished_snapshot(&disk).await;
    let others = [("ResourceGroupId", "rg-1"), ("Tag.1.Key", "team"), ("Tag.1.Value", "blue"), ("RetentionDays", "5")];
    let copy = copied(&app, &source, &others).await;
    let shown = app.described_in(OTHER_REGION, &copy).await;
    for (pointer, value) in [
        ("/Status", "progressing"),
        ("/SnapshotName", "copied"),
        ("/Description", "a copy elsewhere"),
        ("/SourceSnapshotId", source.as_str()),
        ("/SourceRegionId", REGION),
        ("/RegionId", OTHER_REGION),
        ("/SourceDiskId", disk.as_str()),
        ("/ResourceGroupId", "rg-1"),
        ("/Tags/Tag/0/TagValue", "blue"),
        ("/Usage", "none"),
        ("/SnapshotType", "user"),
    ] {
        assert_eq!(text(&shown, pointer), value, "{pointer}");
    }
    assert_eq!(shown["RetentionDays"], 5);
    assert_eq!(shown["Available"], false, "not before it is there");
    assert_eq!(app.described(&copy).await, Value::Null, "it is no snapshot of this region");
    app.advance("3s").await;
    let shown = app.described_in(OTHER_REGION, &copy).await;
    assert_eq!(text(&shown, "/Status"), "accomplished");
    assert_eq!(shown["FullSnapshotSizeInBytes"], app.described(&source).await["FullSnapshotSizeInBytes"]);
    assert_eq!(app.count("SELECT COUNT(*) FROM row_locks").await, 0);
    let zone = format!("{OTHER_REGION}-h");
    let disk = [("RegionId", OTHER_REGION), ("ZoneId", &zone), ("SnapshotId", &copy), ("DiskCategory", "cloud_essd")];
    app.ok("CreateDisk", &disk).await;
    app.advance("5d").await;
    assert_ne!(app.described_in(OTHER_REGION, &copy).await, Value::Null, "a disk was made from it");
}

#[tokio::test]
async fn tags_and_retention_of_the_source_are_not_copied() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let made = [("DiskId", disk.as_str()), ("Tag.1.Key", "team"), ("RetentionDays", "9"), ("ResourceGroupId", "rg-1")];
    let source = text(&app.ok("CreateSnapshot", &made).await, "/SnapshotId");
    app.advance("2s").await;
    let shown = app.described_in(OTHER_REGION, &copied(&app, &source, &[]).await).await;
    assert_eq!((&shown["Tags"]["Tag"], &shown["RetentionDays"]), (&Value::Array(vec![]), &Value::Null));
    assert_eq!(text(&shown, "/ResourceGroupId"), "");
}

#[tokio::test]
async fn the_source_cannot_go_while_it_is_copied() {
    let app = TestApp::new().await;
    let source = app.accomplished_snapshot(&app.attached_disk().await).await;
    copied(&app, &source, &[]).await;
    let before = app.dump().await;
    for force in ["false", "true"] {
        let params = [("SnapshotId", source.as_str()), ("Force", force)];
        let code = "InvalidOperation.RelatedSnapshotNotFinished";
        let answer = app.refused("DeleteSnapshot", &params, 403, code).await;
        assert_eq!(answer.message(), "The related standard snapshot is not finished.");
    }
    assert_eq!(app.dump().await, before);
    app.advance("3s").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &source)]).await;
}

#[tokio::test]
async fn a_copy_in_the_making_is_cancelled_and_frees_its_source() {
    let app = TestApp::new().await;
    let source = app.accomplished_snapshot(&app.attached_disk().await).await;
    let copy = copied(&app, &source, &[]).await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &copy)]).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM row_locks").await, 0);
    app.advance("1h").await;
    assert_eq!(app.described_in(OTHER_REGION, &copy).await, Value::Null);
    copied(&app, &source, &[]).await;
    app.advance("3s").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &source)]).await;
}

#[tokio::test]
async fn a_disk_has_one_unfinished_copy_in_a_region() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let (first, second) = (app.accomplished_snapshot(&disk).await, app.accomplished_snapshot(&disk).await);
    let stranger = app.accomplished_snapshot(&app.attached_disk().await).await;
    copied(&app, &first, &[]).await;
    for id in [&first, &second] {
        app.refused(COPY, &params(id, &[]), 403, "InvalidOperation.UnfinishedCrossRegionCopy").await;
    }
    copied(&app, &stranger, &[]).await;
    copied(&app, &second, &[("DestinationRegionId", THIRD_REGION), ("Encrypted", "true")]).await;
    let again = params(&first, &[("DestinationRegionId", THIRD_REGION)]);
    app.refused(COPY, &again, 403, "InvalidOperation.UnfinishedEncryptedSnapshotCopy").await;
    app.advance("3s").await;
    copied(&app, &second, &[]).await;
}

#[tokio::test]
async fn copies_are_no_snapshots_of_the_disk() {
    let app = TestApp::with(|config| {
        config.quotas.snapshots_per_disk = 2;
        config.quotas.concurrent_snapshots = 1;
        config.lifecycle.copy_ms = 60_000;
    })
    .await;
    let disk = app.disk_with(|disk| disk.delete_auto_snapshot = true.into()).await;
    let source = app.accomplished_snapshot(&disk).await;
    let copy = copied(&app, &source, &[]).await;
    let second = app.accomplished_snapshot(&disk).await;
    let size = |shown: Value| shown["FullSnapshotSizeInBytes"].as_i64().expect("a number");
    let (first_size, second_size) = (size(app.described(&source).await), size(app.described(&second).await));
    assert!(second_size < first_size, "the copy took no place in the order of sizes");
    app.refused("CreateSnapshot", &[("DiskId", &disk)], 403, "QuotaExceed.Snapshot").await;
    app.ok("DeleteDisk", &[("DiskId", &disk)]).await;
    app.advance("60s").await;
    assert_eq!(text(&app.described_in(OTHER_REGION, &copy).await, "/Status"), "accomplished");
    assert_eq!(text(&app.described_in(OTHER_REGION, &copy).await, "/SourceDiskId"), disk);
}

#[tokio::test]
async fn the_source_disk_cannot_go_back_to_a_copy() {
    let app = TestApp::new().await;
    let disk = app.disk_with(|_| {}).await;
    let source = app.accomplished_snapshot(&disk).await;
    let copy = copied(&app, &source, &[]).await;
    app.advance("3s").await;
    app.refused("ResetDisk", &[("DiskId", &disk), ("SnapshotId", &copy)], 403, "InvalidParameter.Mismatch").await;
    app.ok("ResetDisk", &[("DiskId", &disk), ("SnapshotId", &source)]).await;
}

#[tokio::test]
async fn a_copy_may_be_encrypted_and_never_decrypted() {
    let app = TestApp::new().await;
    let plain = app.accomplished_snapshot(&app.attached_disk().await).await;
    let copy = copied(&app, &plain, &[("Encrypted", "true"), ("KMSKeyId", "key-1")]).await;
    let shown = app.described_in(OTHER_REGION, &copy).await;
    assert_eq!((&shown["Encrypted"], text(&shown, "/KMSKeyId")), (&true.into(), "key-1".to_owned()));
    let secret = app
        .disk_with(|disk| {
            disk.encrypted = true.into();
            "key-2".clone_into(&mut disk.kms_key_id);
        })
        .await;
    let secret = app.accomplished_snapshot(&secret).await;
    app.refused(COPY, &params(&secret, &[("Encrypted", "false")]), 403, "InvalidEncrypted.NotSupportDecrypt").await;
    let shown = app.described_in(OTHER_REGION, &copied(&app, &secret, &[]).await).await;
    assert_eq!((&shown["Encrypted"], text(&shown, "/KMSKeyId")), (&true.into(), "key-2".to_owned()));
}

#[tokio::test]
async fn values_that_are_wrong_whatever_is_stored_are_refused() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let own_box = format!("acs:ecs:{OTHER_REGION}:1000000000000001:cloudbox/cb-1");
    let far_box = format!("acs:ecs:{REGION}:1000000000000001:cloudbox/cb-1");
    let tags: Vec<(String, String)> = (1..=21).map(|n| (format!("Tag.{n}.Key"), format!("k{n}"))).collect();
    let tags: Vec<(&str, &str)> = tags.iter().map(|(name, key)| (name.as_str(), key.as_str())).collect();
    let location = "DestinationStorageLocationArn";
    let cases: [(&[(&str, &str)], u16, &str); 24] = [
        (&[("DestinationRegionId", "")], 400, "MissingParameter"),
        (&[("DestinationSnapshotName", "")], 400, "MissingParameter"),
        (&[("DestinationSnapshotDescription", "")], 400, "MissingParameter"),
        (&[("DestinationSnapshotName", "1st")], 403, "InvalidSnapshotName.Malformed"),
        (&[("DestinationSnapshotName", "auto1")], 403, "InvalidSnapshotName.Malformed"),
        (&[("DestinationSnapshotDescription", "http://x")], 403, "InvalidDescription.Malformed"),
        (&[("RetentionDays", "0")], 403, "InvalidRetentionDays.Malformed"),
        (&[("RetentionDays", "soon")], 403, "InvalidRetentionDays.Malformed"),
        (&[("DestinationRegionId", "Peking!")], 400, "InvalidRegionId.MalFormed"),
        (&[("DestinationRegionId", "cn-atlantis")], 403, "InvalidRegionId.NotExists"),
        (&[("RegionId", "cn-atlantis")], 403, "InvalidRegionId.NotExists"),
        (&[("DestinationRegionId", REGION)], 403, "InvalidOperation.NotSupportCopyInSameRegion"),
        (&[("KMSKeyId", "key-1")], 403, "InvalidEncrypted.NotMatchKmsKeyId"),
        (&[("KMSKeyId", "key-1"), ("Encrypted", "false")], 403, "InvalidEncrypted.NotMatchKmsKeyId"),
        (&[("Tag.1.Key", "acs:x")], 400, "InvalidTagKey.Malformed"),
        (&[("Tag.1.Key", "k"), ("Tag.1.Value", "http://x")], 400, "InvalidTagValue.Malformed"),
        (&[("Tag.1.Key", "k"), ("Tag.2.Key", "k")], 400, "Duplicate.TagKey"),
        (&tags, 403, "InvalidParamter"),
        (&[("Arn.1.Rolearn", "acs:ram::x:role/copier")], 400, "InvalidParameter.Arns"),
        (&[("Arn.1.AssumeRoleFor", "me"), ("Arn.1.Rolearn", "acs:ram::1:role/r")], 400, "InvalidParameter.Arns"),
        (&[("Arn.1.RoleType", "KING"), ("Arn.1.Rolearn", "acs:ram::1:role/r")], 400, "InvalidParameter.Arns"),
        (&[(location, "cb-1")], 403, "InvalidParameterDestinationStorageLocationArn.Malformed"),
        (&[(location, &far_box)], 403, "InvalidParameterDestinationStorageLocationArn.RegionNotMatch"),
        (&[(location, &own_box)], 403, "InvalidParameterDestinationStorageLocationArn.Unauthorized"),
    ];
    let before = app.resources().await;
    for (others, status, code) in cases {
        app.refused(COPY, &params(&id, others), status, code).await;
    }
    assert_eq!(app.resources().await, before);
    let roles = [("Arn.1.RoleType", "PRIMARY"), ("Arn.1.Rolearn", "acs:ram::1:role/r"), ("Arn.1.AssumeRoleFor", "1")];
    copied(&app, &id, &roles).await;
}

#[tokio::test]
async fn a_source_has_to_be_the_callers_accomplished_and_free() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.snapshot(&disk).await;
    app.refused(COPY, &params(&id, &[]), 403, "InvalidSnapshotId.NotReady").await;
    app.advance("2s").await;
    app.refused(COPY, &params("s-bp1neverwasthere0000", &[]), 403, "InvalidSnapshotId.NotFound").await;
    app.call_as(OTHER_KEY, COPY, &params(&id, &[])).await.refused(403, "InvalidSnapshotId.NotFound");
    let elsewhere = params(&id, &[("RegionId", THIRD_REGION)]);
    app.refused(COPY, &elsewhere, 403, "InvalidSnapshotId.NotFound").await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{id}', 'operator:test', 'exclusive', 0)")).await;
    app.refused(COPY, &params(&id, &[]), 409, "InvalidOperation.Conflict").await;
    app.sql("DELETE FROM row_locks").await;
    let failed = app.snapshot(&disk).await;
    app.fail(&failed).await;
    app.refused(COPY, &params(&failed, &[]), 403, "InvalidSnapshotId.NotReady").await;
}

#[tokio::test]
async fn a_client_token_copies_once() {
    let mut app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let once = params(&id, &[("ClientToken", "t-1")]);
    let copy = app.ok(COPY, &once).await["SnapshotId"].clone();
    assert_eq!(app.ok(COPY, &once).await["SnapshotId"], copy);
    app.restart().await;
    assert_eq!(app.ok(COPY, &once).await["SnapshotId"], copy);
    let other = params(&id, &[("ClientToken", "t-1"), ("DestinationSnapshotName", "other")]);
    app.refused(COPY, &other, 403, "IdempotentParameterMismatch").await;
    assert_eq!(
        snapshot_ids(&app.ok("DescribeSnapshots", &[("RegionId", OTHER_REGION)]).await),
        [copy.as_str().unwrap()]
    );
}

#[tokio::test]
async fn a_copy_survives_a_restart_and_a_failed_one_frees_its_source() {
    let mut app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.accomplished_snapshot(&disk).await;
    let copy = copied(&app, &id, &[]).await;
    app.restart().await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &id)], 403, "InvalidOperation.RelatedSnapshotNotFinished").await;
    app.advance("3s").await;
    assert_eq!(text(&app.described_in(OTHER_REGION, &copy).await, "/Status"), "accomplished");
    let failing = copied(&app, &id, &[]).await;
    app.fail(&failing).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM events WHERE name = 'Snapshot:CopySnapshotFailed'").await, 1);
    app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
}
