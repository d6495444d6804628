//! Tags: set, listed and removed, on resources of every type, never on another's.

mod groups;
mod older;

use crate::support::answer::column;
use crate::support::{ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};

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

/// One resource of each type, by the vendor's name of the type.
pub async fn one_of_each(app: &TestApp) -> Vec<(&'static str, String)> {
    let disk = app.attached_disk().await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    let image = app.image_from(&snapshot, "Available", ACCOUNT).await;
    vec![("instance", app.instance().await), ("disk", disk), ("snapshot", snapshot), ("image", image)]
}

#[tokio::test]
async fn resources_of_every_type_are_tagged_and_found_by_their_tags() {
    let app = TestApp::new().await;
    let resources = one_of_each(&app).await;
    for (kind, id) in &resources {
        let (kind, id) = (("ResourceType", *kind), ("ResourceId.1", id.as_str()));
        app.ok("TagResources", &[HERE, kind, id, ("Tag.1.Key", "k"), ("Tag.1.Value", "v")]).await;
        for by in [("Tag.1.Key", "k"), ("TagFilter.1.TagKey", "k"), id] {
            let body = app.ok("ListTagResources", &[HERE, kind, by]).await;
            assert_eq!(column(&body, "/TagResources/TagResource", "ResourceId"), [id.1], "{kind:?} {by:?}");
        }
        let upper = [HERE, ("ResourceType", &*kind.1.to_uppercase()), id, ("All", "true")];
        app.ok("UntagResources", &upper).await;
        let body = app.ok("ListTagResources", &[HERE, kind, ("Tag.1.Key", "k")]).await;
        assert_eq!(column(&body, "/TagResources/TagResource", "ResourceId"), [""; 0]);
    }
}

#[tokio::test]
async fn each_code_of_the_tag_actions_has_its_condition() {
    let app = TestApp::new().await;
    let id = app.disk_with(|_| {}).await;
    let (disk, resource) = (("ResourceType", "disk"), ("ResourceId.1", id.as_str()));
    let numbers: Vec<String> = (1..=51).map(|n| n.to_string()).collect();
    let many = |start: &str, end: &str| -> Vec<(String, String)> {
        let named = |n: &String| (format!("{start}.{n}{end}"), format!("x{n}"));
        numbers.iter().map(named).collect()
    };
    let (ids, keys) = (many("ResourceId", ""), many("Tag", ".Key"));
    let (untag, values) = (many("TagKey", ""), many("TagFilter.1.TagValues", ""));
    let pairs = |list: &'_ [(String, String)], count: usize| -> Vec<(String, String)> { list[..count].to_vec() };
    let long = "x".repeat(129);
    let (tag, one) = (("Tag.1.Key", "k"), ("TagKey.1", "k"));
    let owned = |params: &[(&str, &str)]| -> Vec<(String, String)> {
        params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let cases: Vec<(&str, Vec<(String, String)>, &str)> = vec![
        ("TagResources", owned(&[resource, tag]), "MissingParameter.ResourceType"),
        ("TagResources", [owned(&[disk, tag]), pairs(&ids, 51)].concat(), "NumberExceed.ResourceIds"),
        ("TagResources", [owned(&[disk, resource]), pairs(&keys, 21)].concat(), "NumberExceed.Tags"),
        ("TagResources", owned(&[disk, resource, ("Tag.1.Value", "v")]), "InvalidTag.Mismatch"),
        ("TagResources", owned(&[disk, resource, tag, ("Tag.2.Key", "k")]), "Duplicate.TagKey"),
        ("TagResources", owned(&[disk, resource, tag, ("Tag.2.Key", "K")]), "TagKey.Duplication"),
        ("TagResources", owned(&[disk, resource, ("Tag.1.Key", "acs:k")]), "InvalidTagKey.Malformed"),
        ("TagResources", owned(&[disk, resource, tag, ("Tag.1.Value", "http://x")]), "InvalidTagValue.Malformed"),
        ("TagResources", owned(&[disk, resource, tag, ("RegionId", "nowhere")]), "InvalidRegionId.NotFound"),
        ("UntagResources", owned(&[resource, one]), "MissingParameter.ResourceType"),
        ("UntagResources", owned(&[disk, one]), "MissingParameter.ResourceIds"),
        ("UntagResources", owned(&[disk, resource]), "MissingParameter.Tags"),
        ("UntagResources", [owned(&[disk, one]), pairs(&ids, 51)].concat(), "NumberExceed.ResourceIds"),
        ("UntagResources", [owned(&[disk, resource]), pairs(&untag, 21)].concat(), "NumberExceed.Tags"),
        ("UntagResources", owned(&[disk, resource, one, ("TagKey.2", "k")]), "Duplicate.TagKey"),
        ("UntagResources", owned(&[disk, resource, ("TagKey.1", &long)]), "InvalidTagKey.Malformed"),
        ("UntagResources", owned(&[disk, resource, one, ("All", "true")]), "Param.Conflict"),
        ("UntagResources", owned(&[disk, ("ResourceId.1", "d-none"), one]), "InvalidResourceId.NotFound"),
        ("UntagResources", owned(&[("ResourceType", "eni"), resource, one]), "InvalidResourceId.NotSupported"),
        ("UntagResources", owned(&[("ResourceType", "moon"), resource, one]), "InvalidResourceType.NotFound"),
        ("UntagResources", owned(&[disk, resource, one, ("RegionId", "nowhere")]), "InvalidRegionId.NotFound"),
        ("ListTagResources", owned(&[resource]), "MissingParameter.ResourceType"),
        ("ListTagResources", owned(&[disk]), "BothEmpty.TagsAndResources"),
        ("ListTagResources", [owned(&[disk]), pairs(&ids, 51)].concat(), "NumberExceed.ResourceIds"),
        ("ListTagResources", [owned(&[disk]), pairs(&keys, 21)].concat(), "NumberExceed.Tags"),
        ("ListTagResources", owned(&[disk, ("Tag.1.Value", "v")]), "InvalidTag.Mismatch"),
        ("ListTagResources", owned(&[disk, tag, ("Tag.2.Key", "k")]), "Duplicate.TagKey"),
        ("ListTagResources", owned(&[disk, ("Tag.1.Key", &long)]), "InvalidTagKey.Malformed"),
        ("ListTagResources", owned(&[disk, tag, ("Tag.1.Value", &long)]), "InvalidTagValue.Malformed"),
        ("ListTagResources", owned(&[disk, ("TagFilter.1.TagValues.1", "v")]), "InvalidTagFilter.Malformed"),
        (
            "ListTagResources",
            [owned(&[disk, ("TagFilter.1.TagKey", "k")]), pairs(&values, 6)].concat(),
            "NumberExceed.TagValues",
        ),
        ("ListTagResources", owned(&[disk, resource, ("NextToken", "!")]), "Invalid.NextToken"),
        ("ListTagResources", owned(&[disk, ("ResourceId.1", "d-none")]), "InvalidResourceId.NotFound"),
        ("ListTagResources", owned(&[("ResourceType", "eni"), resource]), "InvalidResourceId.NotSupported"),
        ("ListTagResources", owned(&[("ResourceType", "moon"), resource]), "InvalidResourceType.NotFound"),
        ("ListTagResources", owned(&[disk, resource, ("RegionId", "nowhere")]), "InvalidRegionId.NotFound"),
    ];
    let before = app.dump().await;
    for (action, params, code) in cases {
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (&**name, &**value)).collect();
        let answer = app.call(action, &params).await;
        assert_eq!(answer.code(), code, "{action} {params:?}: {}", answer.text);
    }
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn hundreds_of_tags_are_listed_in_pages_each_once() {
    let app = TestApp::new().await;
    let mut expected = Vec::new();
    for _ in 0..40 {
        let id = app.disk_with(|_| {}).await;
        let tags: Vec<(String, String)> = (1..=5).map(|n| (format!("Tag.{n}.Key"), format!("key-{n}"))).collect();
        let mut params = vec![HERE, ("ResourceType", "disk"), ("ResourceId.1", id.as_str())];
        params.extend(tags.iter().map(|(name, value)| (&**name, &**value)));
        app.ok("TagResources", &params).await;
        expected.extend((1..=5).map(|n| (id.clone(), format!("key-{n}"))));
    }
    let filters: Vec<(String, String)> =
        (1..=5).map(|n| (format!("TagFilter.{n}.TagKey"), format!("key-{n}"))).collect();
    let (mut seen, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let mut params = vec![HERE, ("ResourceType", "disk"), ("NextToken", token.as_str())];
        params.extend(filters.iter().map(|(name, value)| (&**name, &**value)));
        let body = app.ok("ListTagResources", &params).await;
        let ids = column(&body, "/TagResources/TagResource", "ResourceId");
        seen.extend(ids.into_iter().zip(column(&body, "/TagResources/TagResource", "TagKey")));
        pages += 1;
        token = body["NextToken"].as_str().expect("a token").to_owned();
        if token.is_empty() {
            break;
        }
    }
    expected.sort();
    assert_eq!((seen, pages), (expected, 4));
}
