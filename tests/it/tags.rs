//! Tags: set, listed and removed, on resources of every type, never on another's.

use crate::support::answer::column;
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};

const SNAPSHOT: (&str, &str) = ("ResourceType", "snapshot");
const HERE: (&str, &str) = ("RegionId", REGION);

async fn keys(app: &TestApp, id: &str) -> Vec<String> {
    let body = app.ok("ListTagResources", &[HERE, SNAPSHOT, ("ResourceId.1", id)]).await;
    column(&body, "/TagResources/TagResource", "TagKey")
}

#[tokio::test]
async fn tags_are_set_replaced_listed_and_removed() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let resource = ("ResourceId.1", id.as_str());
    let set = [HERE, SNAPSHOT, resource, ("Tag.1.Key", "a"), ("Tag.1.Value", "1"), ("Tag.2.Key", "b")];
    app.ok("TagResources", &set).await;
    app.ok("TagResources", &set).await;
    app.ok("TagResources", &[HERE, SNAPSHOT, resource, ("Tag.1.Key", "a"), ("Tag.1.Value", "2")]).await;
    assert_eq!(keys(&app, &id).await, ["a", "b"]);
    assert_eq!(app.described(&id).await.pointer("/Tags/Tag/0/TagValue"), Some(&"2".into()));
    let one = [HERE, SNAPSHOT, resource, ("TagKey.1", "a")];
    app.ok("UntagResources", &one).await;
    app.ok("UntagResources", &one).await;
    assert_eq!(keys(&app, &id).await, ["b"]);
    app.ok("UntagResources", &[HERE, SNAPSHOT, resource, ("All", "true")]).await;
    assert_eq!(keys(&app, &id).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_tagged_is_refused_and_nothing_is_changed() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let (resource, tag) = (("ResourceId.1", id.as_str()), ("Tag.1.Key", "k"));
    let before = app.dump().await;
    let cases: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (vec![HERE, SNAPSHOT, tag], "MissingParameter.ResourceIds"),
        (vec![HERE, SNAPSHOT, resource], "MissingParameter.Tags"),
        (vec![HERE, ("ResourceType", "spaceship"), resource, tag], "InvalidResourceType.NotFound"),
        (vec![HERE, SNAPSHOT, resource, ("ResourceId.2", "s-none"), tag], "InvalidResourceId.NotFound"),
        (vec![HERE, ("ResourceType", "disk"), resource, tag], "InvalidResourceId.NotFound"),
        (vec![("RegionId", OTHER_REGION), SNAPSHOT, resource, tag], "InvalidResourceId.NotFound"),
        (vec![HERE, ("ResourceType", "managedinstance"), resource, tag], "InvalidResourceId.NotSupported"),
    ];
    for (params, code) in cases {
        let answer = app.call("TagResources", &params).await;
        assert_eq!(answer.code(), code, "{params:?}: {}", answer.text);
    }
    let foreign = app.call_as(OTHER_KEY, "TagResources", &[HERE, SNAPSHOT, resource, tag]).await;
    assert_eq!(foreign.code(), "InvalidResourceId.NotFound", "{}", foreign.text);
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn tags_are_listed_by_tags_or_by_filters_never_by_both() {
    let app = TestApp::new().await;
    let (tag, filter) = (("Tag.1.Key", "a"), ("TagFilter.1.TagKey", "a"));
    app.refused("ListTagResources", &[HERE, SNAPSHOT, tag, filter], 400, "InvalidTags.MalFormed").await;
    app.refused("ListTagResources", &[HERE, SNAPSHOT], 403, "BothEmpty.TagsAndResources").await;
    app.ok("ListTagResources", &[HERE, SNAPSHOT, filter]).await;
}

#[tokio::test]
async fn a_resource_carries_no_more_tags_than_its_quota() {
    let app = TestApp::with(|config| config.quotas.tags = 1).await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let resource = ("ResourceId.1", id.as_str());
    app.ok("TagResources", &[HERE, SNAPSHOT, resource, ("Tag.1.Key", "a")]).await;
    let more = [HERE, SNAPSHOT, resource, ("Tag.1.Key", "b")];
    let answer = app.refused("TagResources", &more, 403, "QuotaExceed.Tags").await;
    assert!(!answer.message().is_empty());
    assert_eq!(keys(&app, &id).await, ["a"]);
}
