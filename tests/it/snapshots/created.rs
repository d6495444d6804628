//! `CreateSnapshot`: who may, what is refused, quotas, inheritance and client tokens.

use serde_json::Value;

use crate::support::answer::text;
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};

const CREATE: &str = "CreateSnapshot";

#[tokio::test]
async fn a_snapshot_is_progressing_then_accomplished() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let params = [
        ("DiskId", disk.as_str()),
        ("SnapshotName", "快照-1"),
        ("Description", "first"),
        ("RetentionDays", "30"),
        ("ResourceGroupId", "rg-1"),
        ("Tag.1.Key", "k"),
        ("Tag.1.Value", "v"),
    ];
    let id = text(&app.ok(CREATE, &params).await, "/SnapshotId");
    assert!(id.starts_with("s-bp1") && id.len() == 22, "{id}");
    let new = app.described(&id).await;
    assert_eq!(
        (text(&new, "/Status"), text(&new, "/Progress"), &new["RemainTime"]),
        ("progressing".into(), "0%".into(), &2.into())
    );
    assert_eq!((&new["Available"], text(&new, "/CreationTime")), (&true.into(), "2026-01-01T00:00:00Z".to_owned()));
    app.advance("1s").await;
    assert_eq!(text(&app.described(&id).await, "/Progress"), "50%");
    app.advance("1s").await;
    let made = app.described(&id).await;
    assert_eq!((text(&made, "/Status"), text(&made, "/Progress")), ("accomplished".into(), "100%".into()));
    assert_eq!((text(&made, "/SnapshotName"), text(&made, "/Description")), ("快照-1".into(), "first".into()));
    assert_eq!((&made["RetentionDays"], text(&made, "/SourceDiskSize")), (&30.into(), "40".into()));
    assert_eq!((text(&made, "/Tags/Tag/0/TagKey"), text(&made, "/Tags/Tag/0/TagValue")), ("k".into(), "v".into()));
    assert_eq!((text(&made, "/SnapshotType"), text(&made, "/Usage")), ("user".into(), "none".into()));
    assert_eq!(text(&made, "/SourceDiskId"), disk);
}

#[tokio::test]
async fn a_disk_that_is_not_the_callers_is_not_found() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    app.refused(CREATE, &[("DiskId", "d-bp1nosuchdisk")], 404, "InvalidDiskId.NotFound").await;
    app.call_as(OTHER_KEY, CREATE, &[("DiskId", &disk)]).await.refused(404, "InvalidDiskId.NotFound");
    let elsewhere = [("DiskId", disk.as_str()), ("RegionId", OTHER_REGION)];
    app.refused(CREATE, &elsewhere, 404, "InvalidDiskId.NotFound").await;
    app.refused(CREATE, &[], 400, "MissingParameter").await;
}

#[tokio::test]
async fn malformed_values_have_their_own_codes() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let long = "a".repeat(257);
    let cases: [(&str, &str, u16, &str); 22] = [
        ("SnapshotName", "a", 400, "InvalidSnapshotName.Malformed"),
        ("SnapshotName", "auto-mine", 400, "InvalidSnapshotName.Malformed"),
        ("SnapshotName", "http://x", 400, "InvalidSnapshotName.Malformed"),
        ("SnapshotName", "https://x", 400, "InvalidSnapshotName.Malformed"),
        ("SnapshotName", "1ab", 400, "InvalidSnapshotName.Malformed"),
        ("SnapshotName", "a\u{7}b", 400, "InvalidSnapshotName.Malformed"),
        ("SnapshotName", &long, 400, "InvalidSnapshotName.Malformed"),
        ("Description", "http://x", 404, "InvalidDescription.Malformed"),
        ("Description", "x", 404, "InvalidDescription.Malformed"),
        ("Description", "x\u{0}y", 404, "InvalidDescription.Malformed"),
        ("Description", &long, 404, "InvalidDescription.Malformed"),
        ("RetentionDays", "0", 400, "InvalidRetentionDays.Malformed"),
        ("RetentionDays", "65537", 400, "InvalidRetentionDays.Malformed"),
        ("RetentionDays", "-1", 400, "InvalidRetentionDays.Malformed"),
        ("RetentionDays", "ten", 400, "InvalidRetentionDays.Malformed"),
        ("Category", "golden", 403, "InvalidSnapshotCategory.Malformed"),
        ("InstantAccessRetentionDays", "0", 403, "InvalidInstantAccessRetentionDays.Malformed"),
        ("InstantAccessRetentionDays", "x", 403, "InvalidInstantAccessRetentionDays.Malformed"),
        ("Tag.1.Key", "acs:x", 400, "InvalidTagKey.Malformed"),
        ("Tag.1.Key", "aliyun", 400, "InvalidTagKey.Malformed"),
        ("Tag.1.Value", "v", 400, "InvalidTagKey.Malformed"),
        ("ClientToken", "tökén", 403, "InvalidClientToken.Malformed"),
    ];
    let before = app.dump().await;
    for (name, value, status, code) in cases {
        app.refused(CREATE, &[("DiskId", &disk), (name, value)], status, code).await;
    }
    let twice = [("DiskId", disk.as_str()), ("Tag.1.Key", "a"), ("Tag.2.Key", "a")];
    app.refused(CREATE, &twice, 400, "Duplicate.TagKey").await;
    let value = [("DiskId", disk.as_str()), ("Tag.1.Key", "a"), ("Tag.1.Value", "http://x")];
    app.refused(CREATE, &value, 400, "InvalidTagValue.Malformed").await;
    let token = "t".repeat(65);
    app.refused(CREATE, &[("DiskId", &disk), ("ClientToken", &token)], 403, "InvalidClientToken.Malformed").await;
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn the_ends_of_each_range_are_in_it() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let cases: [&[(&str, &str)]; 5] = [
        &[("RetentionDays", "1")],
        &[("RetentionDays", "65536")],
        &[("InstantAccess", "true"), ("InstantAccessRetentionDays", "1")],
        &[("InstantAccess", "true"), ("InstantAccessRetentionDays", "65535")],
        // Only the two together that make it usable at once exclude each other.
        &[("InstantAccess", "false"), ("Category", "standard")],
    ];
    for case in cases {
        let id = text(&app.ok(CREATE, &[&[("DiskId", disk.as_str())], case].concat()).await, "/SnapshotId");
        let shown = app.described(&id).await;
        for (name, value) in case {
            assert_eq!(shown[*name].to_string().trim_matches('"'), *value, "{name}");
        }
        app.advance("2s").await;
    }
}

#[tokio::test]
async fn the_disk_must_be_in_a_state_to_be_snapshotted() {
    let app = TestApp::new().await;
    let cases: [(&str, bool, &str, u16, &str); 4] = [
        ("Available", false, "cloud_essd", 403, "IncorrectDiskStatus.NeverAttached"),
        ("Creating", true, "cloud_essd", 403, "IncorrectDiskStatus"),
        ("Available", true, "elastic_ephemeral_disk_standard", 400, "DiskCategory.OperationNotSupported"),
        ("Available", false, "cloud_efficiency", 403, "IncorrectDiskStatus.NeverAttached"),
    ];
    for (state, attached, category, status, code) in cases {
        let disk = app
            .disk_with(|disk| {
                state.clone_into(&mut disk.status);
                category.clone_into(&mut disk.category);
                disk.ever_attached = attached.into();
            })
            .await;
        app.refused(CREATE, &[("DiskId", &disk)], status, code).await;
    }
}

#[tokio::test]
async fn the_instance_must_have_run_and_stand_or_run() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    app.sql("UPDATE instances SET started_once = 0").await;
    app.refused(CREATE, &[("DiskId", &disk)], 403, "IncorrectDiskStatus.NeverUsed").await;
    app.sql("UPDATE instances SET started_once = 1, status = 'Starting'").await;
    app.refused(CREATE, &[("DiskId", &disk)], 400, "IncorrectInstanceStatus").await;
    app.sql("UPDATE instances SET status = 'Stopped'").await;
    app.ok(CREATE, &[("DiskId", &disk)]).await;
}

#[tokio::test]
async fn a_disk_never_attached_is_snapshotted_where_it_is_so_configured() {
    let app = TestApp::with(|config| config.fidelity.allow_never_attached = true).await;
    let disk = app.disk_with(|disk| disk.ever_attached = false.into()).await;
    app.ok(CREATE, &[("DiskId", &disk)]).await;
}

#[tokio::test]
async fn an_essd_makes_ten_at_once_and_an_older_disk_one() {
    let app = TestApp::new().await;
    let essd = app.attached_disk().await;
    for _ in 0..10 {
        app.snapshot(&essd).await;
    }
    let answer = app.refused(CREATE, &[("DiskId", &essd)], 403, "QuotaExceed.ConcurrentSnapshotQuota").await;
    assert!(answer.message().contains(&essd) && answer.message().contains("(10)"), "{}", answer.message());
    let older = app.disk_with(|disk| "cloud_efficiency".clone_into(&mut disk.category)).await;
    let first = app.snapshot(&older).await;
    assert_eq!(app.described(&first).await["Available"], Value::from(false), "usable only when it is there");
    app.refused(CREATE, &[("DiskId", &older)], 403, "IncorrectDiskStatus.CreatingSnapshot").await;
    app.advance("2s").await;
    app.ok(CREATE, &[("DiskId", &essd)]).await;
    app.ok(CREATE, &[("DiskId", &older)]).await;
}

#[tokio::test]
async fn the_quota_of_manual_snapshots_is_kept() {
    let app = TestApp::with(|config| config.quotas.snapshots_per_disk = 3).await;
    let disk = app.attached_disk().await;
    let first = app.accomplished_snapshot(&disk).await;
    app.accomplished_snapshot(&disk).await;
    app.accomplished_snapshot(&disk).await;
    app.refused(CREATE, &[("DiskId", &disk)], 403, "QuotaExceed.Snapshot").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &first)]).await;
    app.ok(CREATE, &[("DiskId", &disk)]).await;
}

#[tokio::test]
async fn a_disk_that_is_held_exclusively_is_in_conflict_and_a_shared_hold_is_none() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{disk}', 'operator:test', 'exclusive', 0)")).await;
    app.refused(CREATE, &[("DiskId", &disk)], 403, "Operation.Conflict").await;
    app.sql("UPDATE row_locks SET mode = 'shared'").await;
    app.ok(CREATE, &[("DiskId", &disk)]).await;
}

#[tokio::test]
async fn encryption_region_and_size_come_from_the_disk() {
    let app = TestApp::new().await;
    let disk = app
        .disk_with(|disk| {
            disk.encrypted = true.into();
            "key-1".clone_into(&mut disk.kms_key_id);
            disk.size = 100;
        })
        .await;
    let (first, second) = (app.accomplished_snapshot(&disk).await, app.accomplished_snapshot(&disk).await);
    let shown = app.described(&first).await;
    assert_eq!((&shown["Encrypted"], text(&shown, "/KMSKeyId")), (&true.into(), "key-1".to_owned()));
    assert_eq!((text(&shown, "/RegionId"), text(&shown, "/SourceDiskSize")), (REGION.to_owned(), "100".to_owned()));
    let gib = 1_i64 << 30;
    assert_eq!(shown["FullSnapshotSizeInBytes"], Value::from(20 * gib));
    assert_eq!(app.described(&second).await["FullSnapshotSizeInBytes"], Value::from(2 * gib));
}

#[tokio::test]
async fn the_creation_time_is_empty_until_the_cut() {
    let app = TestApp::with(|config| config.lifecycle.cut_ms = 1_000).await;
    let id = app.snapshot(&app.attached_disk().await).await;
    let shown = app.described(&id).await;
    assert_eq!((text(&shown, "/CreationTime"), &shown["Available"]), (String::new(), &false.into()));
    app.advance("1s").await;
    let shown = app.described(&id).await;
    assert_eq!((text(&shown, "/CreationTime"), &shown["Available"]), ("2026-01-01T00:00:01Z".to_owned(), &true.into()));
}

#[tokio::test]
async fn a_client_token_makes_one_snapshot_and_tells_it_again() {
    let mut app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let params = [("DiskId", disk.as_str()), ("ClientToken", "token-1"), ("InstantAccess", "true")];
    let first = text(&app.ok(CREATE, &params).await, "/SnapshotId");
    app.restart().await;
    app.advance("1h").await;
    let again = [("diskId", disk.as_str()), ("clientToken", "token-1"), ("instantAccess", "True")];
    assert_eq!(text(&app.ok(CREATE, &again).await, "/SnapshotId"), first, "compared as values, not as text");
    let other = [("DiskId", disk.as_str()), ("ClientToken", "token-1"), ("SnapshotName", "other")];
    app.refused(CREATE, &other, 403, "IdempotentParameterMismatch").await;
    app.call_as(OTHER_KEY, CREATE, &params).await.refused(404, "InvalidDiskId.NotFound");
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots").await, 1);
    app.advance("24h").await;
    assert_ne!(text(&app.ok(CREATE, &params).await, "/SnapshotId"), first, "forgotten after a day");
}

#[tokio::test]
async fn a_token_replays_even_when_the_disk_is_held_and_a_refusal_is_not_remembered() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let params = [("DiskId", disk.as_str()), ("ClientToken", "t")];
    app.sql(&format!("INSERT INTO row_locks VALUES ('{disk}', 'operator:test', 'exclusive', 0)")).await;
    app.refused(CREATE, &params, 403, "Operation.Conflict").await;
    app.sql("DELETE FROM row_locks").await;
    let first = text(&app.ok(CREATE, &params).await, "/SnapshotId");
    app.sql(&format!("INSERT INTO row_locks VALUES ('{disk}', 'operator:test', 'exclusive', 0)")).await;
    assert_eq!(text(&app.ok(CREATE, &params).await, "/SnapshotId"), first);
}

#[tokio::test]
async fn twenty_tags_are_taken_and_more_are_not() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let names: Vec<String> = (1..=21).map(|n| format!("Tag.{n}.Key")).collect();
    let tags: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    app.ok(CREATE, &[&[("DiskId", disk.as_str())], &tags[..20]].concat()).await;
    let params = [&[("DiskId", disk.as_str())], tags.as_slice()].concat();
    app.refused(CREATE, &params, 403, "QuotaExceed.Tags").await;
}
