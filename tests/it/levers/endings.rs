//! Rules that let what is under way end otherwise.

use serde_json::json;

use crate::support::TestApp;
use crate::support::answer::text;

#[tokio::test]
async fn a_snapshot_ends_failed_where_a_rule_wants_it() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    app.rule(r#"{"action": "CreateSnapshot", "when": {"nth": 2}, "effect": {"ends": "failed"}}"#).await;
    let first = app.accomplished_snapshot(&disk).await;
    let second = app.accomplished_snapshot(&disk).await;
    assert_eq!(text(&app.described(&first).await, "/Status"), "accomplished");
    assert_eq!(text(&app.described(&second).await, "/Status"), "failed");
    app.ok("DeleteSnapshot", &[("SnapshotId", &second)]).await;
}

#[tokio::test]
async fn an_image_ends_create_failed_and_frees_its_snapshot() {
    let app = TestApp::new().await;
    let snapshot = crate::images::system_snapshot(&app).await;
    app.rule(r#"{"action": "CreateImage", "effect": {"ends": "failed"}}"#).await;
    let image = text(&app.ok("CreateImage", &[("SnapshotId", &snapshot)]).await, "/ImageId");
    app.advance("5s").await;
    let params = [("RegionId", "cn-hangzhou"), ("ImageId", image.as_str()), ("Status", "CreateFailed")];
    let body = app.ok("DescribeImages", &params).await;
    assert_eq!(text(&body, "/Images/Image/0/Status"), "CreateFailed");
    assert_eq!(app.count("SELECT COUNT(*) FROM row_locks").await, 0);
    app.ok("DeleteImage", &[("RegionId", "cn-hangzhou"), ("ImageId", &image), ("Force", "true")]).await;
}

#[tokio::test]
async fn progress_sticks_as_long_as_the_rule_stands_whatever_time_goes_by() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let rule = app.rule(r#"{"action": "CreateSnapshot", "effect": {"ends": "never"}, "max_hits": 1}"#).await;
    let stuck = app.snapshot(&disk).await;
    app.advance("1s").await;
    let free = app.snapshot(&disk).await;
    app.advance("30d").await;
    let shown = app.described(&stuck).await;
    assert_eq!((text(&shown, "/Status"), text(&shown, "/Progress")), ("progressing".to_owned(), "99%".to_owned()));
    assert_eq!(text(&app.described(&free).await, "/Status"), "accomplished", "one hit was all");
    let (_, standing) = app.lever("GET", &format!("/faults/{rule}"), "").await;
    assert_eq!((&standing["hits"], &standing["holds"]), (&json!(1), &json!([stuck])));
    app.lever("DELETE", &format!("/faults/{rule}"), "").await;
    assert_eq!(text(&app.described(&stuck).await, "/Status"), "accomplished", "no time has to pass");
}

#[tokio::test]
async fn what_sticks_ends_after_a_restart_as_the_rules_are_gone() {
    let mut app = TestApp::new().await;
    let disk = app.attached_disk().await;
    app.rule(r#"{"effect": {"ends": "never"}}"#).await;
    let stuck = app.accomplished_snapshot(&disk).await;
    assert_eq!(text(&app.described(&stuck).await, "/Status"), "progressing");
    app.restart().await;
    assert_eq!(text(&app.described(&stuck).await, "/Status"), "accomplished");
}

#[tokio::test]
async fn a_copy_never_ends_and_keeps_its_source_in_conflict() {
    let app = TestApp::new().await;
    let source = app.accomplished_snapshot(&app.attached_disk().await).await;
    app.rule(r#"{"action": "CopySnapshot", "effect": {"ends": "never"}}"#).await;
    let params = [("SnapshotId", source.as_str()), ("RegionId", "cn-hangzhou"), ("DestinationRegionId", "cn-beijing")];
    let name = [("DestinationSnapshotName", "a-copy"), ("DestinationSnapshotDescription", "a copy")];
    let copy = text(&app.ok("CopySnapshot", &[&params[..], &name[..]].concat()).await, "/SnapshotId");
    app.advance("10d").await;
    assert_eq!(text(&app.described_in("cn-beijing", &copy).await, "/Status"), "progressing");
    assert_eq!(app.call("DeleteSnapshot", &[("SnapshotId", &source)]).await.status, 403);
    app.lever("DELETE", "/faults", "").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &source)]).await;
}

#[tokio::test]
async fn a_group_waits_for_the_snapshot_that_sticks_and_fails_with_the_one_that_fails() {
    for (ends, status) in [("never", "progressing"), ("failed", "failed")] {
        let app = TestApp::new().await;
        let disks = [app.attached_disk().await, app.attached_disk().await];
        app.rule(&format!(r#"{{"action": "CreateSnapshot", "effect": {{"ends": "{ends}"}}, "when": {{"nth": 1}}}}"#))
            .await;
        let params = [("RegionId", "cn-hangzhou"), ("DiskId.1", disks[0].as_str()), ("DiskId.2", disks[1].as_str())];
        let group = text(&app.ok("CreateSnapshotGroup", &params).await, "/SnapshotGroupId");
        app.advance("30d").await;
        let list = [("RegionId", "cn-hangzhou"), ("SnapshotGroupId.1", group.as_str())];
        let shown = |body| text(&body, "/SnapshotGroups/SnapshotGroup/0/Status");
        assert_eq!(shown(app.ok("DescribeSnapshotGroups", &list).await), status);
        if ends == "never" {
            app.lever("DELETE", "/faults", "").await;
            assert_eq!(shown(app.ok("DescribeSnapshotGroups", &list).await), "accomplished");
        }
    }
}

#[tokio::test]
async fn disks_and_tasks_can_be_kept_from_ending() {
    let app = TestApp::with(|config| config.lifecycle.disk_ms = 1_000).await;
    app.rule(r#"{"effect": {"ends": "never"}}"#).await;
    app.rule(r#"{"effect": {"ends": "failed"}}"#).await;
    app.ok("CreateDisk", &[("ZoneId", "cn-hangzhou-h"), ("Size", "40"), ("DiskCategory", "cloud_essd")]).await;
    app.advance("1h").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM disks WHERE status = 'Creating'").await, 1);
    app.lever("DELETE", "/faults/1", "").await;
    app.advance("1s").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM disks WHERE status = 'Creating'").await, 0, "a disk cannot fail");
}
