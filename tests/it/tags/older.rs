//! The older actions on tags: they see and change the same tags as the newer ones.

use serde_json::Value;

use super::one_of_each;
use crate::support::answer::{column, text};
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};

const HERE: (&str, &str) = ("RegionId", REGION);
const TAG: (&str, &str) = ("Tag.1.Key", "team");

#[tokio::test]
async fn tags_are_added_replaced_counted_by_type_and_removed() {
    let app = TestApp::new().await;
    let resources = one_of_each(&app).await;
    for (kind, id) in &resources {
        let resource = [HERE, ("ResourceType", *kind), ("ResourceId", id.as_str())];
        app.ok("AddTags", &[&resource[..], &[TAG, ("Tag.1.Value", "a"), ("Tag.2.Key", *kind)]].concat()).await;
    }
    let body = app.ok("DescribeTags", &[HERE, TAG]).await;
    assert_eq!(column(&body, "/Tags/Tag", "TagValue"), ["a"]);
    let counts = &body["Tags"]["Tag"][0]["ResourceTypeCount"];
    for name in ["Instance", "Disk", "Snapshot", "Image"] {
        assert_eq!(counts[name], 1, "{name}: {body}");
    }
    assert_eq!((&counts["Eni"], &counts["KeyPair"]), (&0.into(), &0.into()));
    app.xml("DescribeTags", &[HERE]).await;
    let all = app.ok("DescribeTags", &[HERE]).await;
    assert_eq!(column(&all, "/Tags/Tag", "TagKey"), ["disk", "image", "instance", "snapshot", "team"]);
    let (kind, id) = &resources[1];
    let resource = [HERE, ("ResourceType", *kind), ("ResourceId", id.as_str())];
    let of_one = app.ok("DescribeTags", &resource).await;
    assert_eq!(column(&of_one, "/Tags/Tag", "TagKey"), ["disk", "team"]);
    app.ok("AddTags", &[&resource[..], &[TAG, ("Tag.1.Value", "b")]].concat()).await;
    let values = column(&app.ok("DescribeTags", &[HERE, TAG]).await, "/Tags/Tag", "TagValue");
    assert_eq!(values, ["a", "b"]);
    app.ok("RemoveTags", &[&resource[..], &[TAG, ("Tag.1.Value", "a")]].concat()).await;
    assert_eq!(column(&app.ok("DescribeTags", &resource).await, "/Tags/Tag", "TagKey"), ["disk", "team"]);
    app.ok("RemoveTags", &[&resource[..], &[TAG, ("Tag.1.Value", "b")]].concat()).await;
    assert_eq!(column(&app.ok("DescribeTags", &resource).await, "/Tags/Tag", "TagKey"), ["disk"]);
    app.ok("RemoveTags", &resource).await;
    assert_eq!(app.ok("DescribeTags", &resource).await["TotalCount"], 0);
}

#[tokio::test]
async fn resources_are_found_by_all_of_their_tags() {
    let app = TestApp::new().await;
    let resources = one_of_each(&app).await;
    for (i, (kind, id)) in resources.iter().enumerate() {
        let resource = [HERE, ("ResourceType", *kind), ("ResourceId", id.as_str())];
        let more = if i < 2 { vec![("Tag.2.Key", "odd"), ("Tag.2.Value", "1")] } else { vec![] };
        app.ok("AddTags", &[&resource[..], &[TAG], &more].concat()).await;
    }
    let count = async |params: &[(&str, &str)]| {
        let body = app.ok("DescribeResourceByTags", &[&[HERE][..], params].concat()).await;
        let listed = column(&body, "/Resources/Resource", "ResourceId").len();
        assert_eq!(body["TotalCount"], listed);
        listed
    };
    let odd = ("Tag.2.Key", "odd");
    assert_eq!(count(&[]).await, 4);
    assert_eq!(count(&[TAG]).await, 4);
    assert_eq!(count(&[TAG, odd]).await, 2);
    assert_eq!(count(&[TAG, odd, ("Tag.2.Value", "2")]).await, 0);
    assert_eq!(count(&[TAG, ("ResourceType", "disk")]).await, 1);
    assert_eq!(count(&[TAG, ("ResourceType", "securitygroup")]).await, 0);
    let foreign = app.call_as(OTHER_KEY, "DescribeResourceByTags", &[HERE, TAG]).await.accepted();
    assert_eq!(foreign["TotalCount"], 0);
    let elsewhere = app.ok("DescribeTags", &[("RegionId", OTHER_REGION)]).await;
    assert_eq!(elsewhere["TotalCount"], 0);
}

#[tokio::test]
async fn pages_by_number_show_hundreds_of_tags_and_resources_each_once() {
    let app = TestApp::new().await;
    let mut ids = Vec::new();
    for n in 0..130 {
        let id = app.disk_with(|_| {}).await;
        let value = format!("{n:03}");
        let tag = [TAG, ("Tag.1.Value", &*value)];
        app.ok("AddTags", &[&[HERE, ("ResourceType", "disk"), ("ResourceId", &*id)][..], &tag].concat()).await;
        ids.push(id);
    }
    let pages = async |action: &str, list: &str, field: &str| {
        let mut seen = Vec::new();
        for number in ["1", "2", "3", "4"] {
            let body = app.ok(action, &[HERE, TAG, ("PageSize", "50"), ("PageNumber", number)]).await;
            assert_eq!(body["TotalCount"], 130, "{action} {number}");
            seen.extend(column(&body, list, field));
        }
        seen
    };
    let values: Vec<String> = (0..130).map(|n| format!("{n:03}")).collect();
    assert_eq!(pages("DescribeTags", "/Tags/Tag", "TagValue").await, values);
    ids.sort();
    ids.reverse();
    assert_eq!(pages("DescribeResourceByTags", "/Resources/Resource", "ResourceId").await, ids);
}

#[tokio::test]
async fn each_code_of_the_older_actions_has_its_condition() {
    let app = TestApp::with(|config| config.quotas.tags = 2).await;
    let id = app.disk_with(|_| {}).await;
    let (disk, resource) = (("ResourceType", "disk"), ("ResourceId", id.as_str()));
    app.ok("AddTags", &[disk, resource, TAG]).await;
    let numbers: Vec<String> = (1..=21).map(|n| format!("Tag.{n}.Key")).collect();
    let many: Vec<(&str, &str)> = numbers.iter().map(|name| (name.as_str(), name.as_str())).collect();
    let long = "x".repeat(129);
    let before = app.dump().await;
    let cases: Vec<(&str, Vec<(&str, &str)>, u16, &str)> = vec![
        ("AddTags", vec![disk, resource], 400, "MissingParameter"),
        ("AddTags", vec![disk, TAG], 400, "MissingParameter"),
        ("AddTags", vec![resource, TAG], 400, "MissingParameter"),
        ("AddTags", [vec![disk, resource], many.clone()].concat(), 400, "InvalidTagCount"),
        ("AddTags", vec![disk, resource, ("Tag.1.Key", "aliyun1")], 400, "InvalidTagKey.Malformed"),
        ("AddTags", vec![disk, resource, TAG, ("Tag.1.Value", &long)], 400, "InvalidTagValue.Malformed"),
        ("AddTags", vec![disk, resource, ("Tag.1.Value", "v")], 400, "InvalidTag.Mismatch"),
        ("AddTags", vec![disk, resource, TAG, ("Tag.2.Key", "team")], 400, "Duplicate.TagKey"),
        ("AddTags", vec![disk, resource, TAG, ("Tag.2.Key", "Team")], 403, "TagKey.Duplication"),
        ("AddTags", vec![disk, resource, ("Tag.1.Key", "b"), ("Tag.2.Key", "c")], 403, "QuotaExceed.Tags"),
        ("AddTags", vec![("ResourceType", "eni"), resource, TAG], 403, "InvalidResourceId.NotSupported"),
        ("AddTags", vec![("ResourceType", "moon"), resource, TAG], 404, "InvalidResourceType.NotFound"),
        ("AddTags", vec![disk, ("ResourceId", "d-none"), TAG], 404, "InvalidResourceId.NotFound"),
        ("AddTags", vec![disk, resource, TAG, ("RegionId", OTHER_REGION)], 404, "InvalidResourceId.NotFound"),
        ("AddTags", vec![disk, resource, TAG, ("RegionId", "nowhere")], 404, "InvalidRegionId.NotFound"),
        ("RemoveTags", [vec![disk, resource], many.clone()].concat(), 400, "InvalidTagCount"),
        ("RemoveTags", vec![disk, resource, ("Tag.1.Key", &long)], 400, "InvalidTagKey.Malformed"),
        ("RemoveTags", vec![("ResourceType", "moon"), resource], 400, "InvalidResourceType.NotFound"),
        ("RemoveTags", vec![("ResourceType", "ddh"), resource], 403, "InvalidResourceId.NotSupported"),
        ("RemoveTags", vec![disk, ("ResourceId", "d-none")], 404, "InvalidResourceId.NotFound"),
        ("RemoveTags", vec![disk, resource, ("RegionId", "nowhere")], 404, "InvalidRegionId.NotFound"),
        ("DescribeTags", many.clone(), 400, "InvalidTagCount"),
        ("DescribeTags", vec![("Tag.1.Key", "http://x")], 400, "InvalidTagKey.Malformed"),
        ("DescribeTags", vec![TAG, ("Tag.1.Value", "https://x")], 400, "InvalidTagValue.Malformed"),
        ("DescribeTags", vec![("Category", "none")], 400, "Invalid.TagCategory"),
        ("DescribeTags", vec![("RegionId", "nowhere")], 404, "InvalidRegionId.NotFound"),
        ("DescribeTags", vec![("ResourceType", "moon")], 404, "InvalidResourceType.NotFound"),
        ("DescribeTags", vec![("PageSize", "101")], 400, "InvalidParameter"),
        ("DescribeTags", vec![("PageNumber", "0")], 400, "InvalidParameter"),
        ("DescribeResourceByTags", many, 400, "InvalidTagCount"),
        ("DescribeResourceByTags", vec![("RegionId", "nowhere")], 404, "InvalidRegionId.NotFound"),
        ("DescribeResourceByTags", vec![("ResourceType", "moon")], 404, "InvalidResourceType.NotFound"),
        ("DescribeResourceByTags", vec![("Tag.1.Value", "v")], 400, "MissingParameter"),
    ];
    for (action, params, status, code) in cases {
        let answer = app.call(action, &params).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{action} {params:?}: {}", answer.text);
    }
    let foreign = app.call_as(OTHER_KEY, "AddTags", &[disk, resource, TAG]).await;
    foreign.refused(404, "InvalidResourceId.NotFound");
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn there_are_no_tags_of_the_system_and_none_of_types_that_are_not_here() {
    let app = TestApp::new().await;
    let id = app.disk_with(|_| {}).await;
    app.ok("AddTags", &[("ResourceType", "disk"), ("ResourceId", &id), TAG]).await;
    for (params, count) in [(("Category", "custom"), 1), (("Category", "System"), 0), (("ResourceType", "eni"), 0)] {
        let body = app.ok("DescribeTags", &[HERE, params]).await;
        assert_eq!(body["TotalCount"], count, "{params:?}");
    }
    assert_eq!(text(&app.ok("DescribeTags", &[HERE]).await, "/Tags/Tag/0/TagValue"), "");
    let body = app.ok("DescribeTags", &[HERE, ("PageNumber", "2")]).await;
    assert_eq!((&body["TotalCount"], &body["Tags"]["Tag"]), (&1.into(), &Value::Array(Vec::new())));
}
