//! `DescribeSnapshotGroups` and `ModifySnapshotGroup`: filters, pages, tags and what may change.

use super::{CREATE, DESCRIBE, HERE, LIST, group_of, instance_with_disks, shown};
use crate::support::answer::{column, text};
use crate::support::{OTHER_KEY, OTHER_REGION, TestApp};

const MODIFY: &str = "ModifySnapshotGroup";
const TYPE: (&str, &str) = ("ResourceType", "snapshotgroup");

async fn found(app: &TestApp, params: &[(&str, &str)]) -> Vec<String> {
    column(&app.ok(DESCRIBE, &[&[HERE], params].concat()).await, LIST, "SnapshotGroupId")
}

#[tokio::test]
async fn filters_have_to_match_all() {
    let app = TestApp::new().await;
    let (instance, ..) = instance_with_disks(&app).await;
    let disk = app.attached_disk().await;
    let named = [("DiskId.1", disk.as_str()), ("Name", "named"), ("ResourceGroupId", "rg-1"), ("Tag.1.Key", "k")];
    let first = text(&app.ok(CREATE, &named).await, "/SnapshotGroupId");
    app.advance("2s").await;
    let second = text(&app.ok(CREATE, &[("InstanceId", &instance)]).await, "/SnapshotGroupId");
    let (first, second) = (first.as_str(), second.as_str());
    let cases: [(&[(&str, &str)], &[&str]); 14] = [
        (&[], &[second, first]),
        (&[("SnapshotGroupId.1", first), ("SnapshotGroupId.2", "ssg-none")], &[first]),
        (&[("SnapshotGroupId.1", first), ("InstanceId", &instance)], &[]),
        (&[("InstanceId", &instance)], &[second]),
        (&[("Name", "named")], &[first]),
        (&[("Name", "other")], &[]),
        (&[("ResourceGroupId", "rg-1")], &[first]),
        (&[("Status.1", "progressing")], &[second]),
        (&[("Status.1", "ACCOMPLISHED"), ("Status.2", "failed")], &[first]),
        (&[("Status.1", "progressing"), ("Status.2", "accomplished")], &[second, first]),
        (&[("Tag.1.Key", "k")], &[first]),
        (&[("Tag.1.Key", "k"), ("Tag.1.Value", "other")], &[]),
        (&[("Tag.1.Key", "k"), ("Status.1", "progressing")], &[]),
        (&[("SnapshotGroupId.1", first), ("AdditionalAttributes.1", "SNAPSHOT_GROUP_PROGRESS_STATUS")], &[first]),
    ];
    for (params, wanted) in cases {
        assert_eq!(found(&app, params).await, wanted, "{params:?}");
    }
    assert_eq!(column(&app.ok(DESCRIBE, &[("RegionId", OTHER_REGION)]).await, LIST, "Name"), Vec::<String>::new());
    let foreign = app.call_as(OTHER_KEY, DESCRIBE, &[HERE, ("SnapshotGroupId.1", first)]).await.accepted();
    assert_eq!(column(&foreign, LIST, "Name"), Vec::<String>::new());
}

#[tokio::test]
async fn filters_that_cannot_match_anything_are_refused() {
    let app = TestApp::new().await;
    let progress = ("AdditionalAttributes.1", "SNAPSHOT_GROUP_PROGRESS_STATUS");
    let cases: [(&[(&str, &str)], u16, &str); 8] = [
        (&[("Status.1", "done")], 403, "InvalidStatus.ValueNotSupported"),
        (&[progress], 403, "InvalidSnapshotGroupId.MustBeOne"),
        (&[progress, ("SnapshotGroupId.1", "a"), ("SnapshotGroupId.2", "b")], 403, "InvalidSnapshotGroupId.MustBeOne"),
        (&[("AdditionalAttributes.1", "OTHER")], 400, "InvalidParameter"),
        (&[("Tag.1.Value", "v")], 400, "InvalidParameter"),
        (&[("NextToken", "!")], 400, "InvalidParameter"),
        (&[("MaxResults", "many")], 400, "InvalidParameter"),
        (&[("RegionId", "cn-atlantis")], 404, "InvalidRegionId.NotFound"),
    ];
    for (params, status, code) in cases {
        app.refused(DESCRIBE, params, status, code).await;
    }
    let names: Vec<String> = (1..=11).map(|n| format!("SnapshotGroupId.{n}")).collect();
    let eleven: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "ssg-1")).collect();
    app.refused(DESCRIBE, &eleven, 400, "InvalidParameter").await;
}

#[tokio::test]
async fn pages_follow_each_other_by_token() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let mut made = Vec::new();
    for _ in 0..12 {
        made.push(group_of(&app, &[&disk]).await);
        app.advance("2s").await;
    }
    made.reverse();
    let first = app.ok(DESCRIBE, &[HERE, ("MaxResults", "1")]).await;
    assert_eq!(column(&first, LIST, "SnapshotGroupId"), made[..10], "fewer than ten are ten");
    let rest = app.ok(DESCRIBE, &[HERE, ("NextToken", &text(&first, "/NextToken"))]).await;
    assert_eq!(
        (column(&rest, LIST, "SnapshotGroupId"), text(&rest, "/NextToken")),
        (made[10..].to_vec(), String::new())
    );
    let xml = app.xml(DESCRIBE, &[HERE]).await;
    assert!(xml.text.contains("<SnapshotGroups><SnapshotGroup><SnapshotGroupId>"), "{}", xml.text);
}

#[tokio::test]
async fn name_and_description_may_change_and_nothing_else() {
    let app = TestApp::new().await;
    let group = group_of(&app, &[&app.attached_disk().await]).await;
    let of = ("SnapshotGroupId", group.as_str());
    app.ok(MODIFY, &[of, ("Name", "renamed"), ("Description", "described")]).await;
    app.ok(MODIFY, &[of, ("Name", "again")]).await;
    let body = shown(&app, &group).await;
    assert_eq!((&body["Name"], &body["Description"]), (&"again".into(), &"described".into()));
    let before = app.dump().await;
    app.ok(MODIFY, &[of]).await;
    let cases: [(&[(&str, &str)], u16, &str); 6] = [
        (&[], 400, "MissingParameter"),
        (&[of, ("Name", "x")], 400, "InvalidParameter.Name"),
        (&[of, ("Description", "https://x")], 400, "InvalidParameter.Description"),
        (&[("SnapshotGroupId", "ssg-none")], 404, "InvalidSnapshotGroup.NotFound"),
        (&[of, ("RegionId", OTHER_REGION)], 404, "InvalidSnapshotGroup.NotFound"),
        (&[of, ("RegionId", "cn-atlantis")], 404, "InvalidRegionId.NotFound"),
    ];
    for (params, status, code) in cases {
        app.refused(MODIFY, params, status, code).await;
    }
    app.call_as(OTHER_KEY, MODIFY, &[of]).await.refused(404, "InvalidSnapshotGroup.NotFound");
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn groups_are_tagged_like_everything_else() {
    let app = TestApp::new().await;
    let group = group_of(&app, &[&app.attached_disk().await]).await;
    let of = [HERE, TYPE, ("ResourceId.1", &*group)];
    app.ok("TagResources", &[&of[..], &[("Tag.1.Key", "k"), ("Tag.1.Value", "v")]].concat()).await;
    assert_eq!(shown(&app, &group).await["Tags"]["Tag"], serde_json::json!([{"Key": "k", "Value": "v"}]));
    let listed = app.ok("ListTagResources", &of).await;
    assert_eq!(column(&listed, "/TagResources/TagResource", "ResourceType"), ["snapshotgroup"]);
    app.ok("UntagResources", &[&of[..], &[("All", "true")]].concat()).await;
    assert_eq!(found(&app, &[("Tag.1.Key", "k")]).await, Vec::<String>::new());
}
