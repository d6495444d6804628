//! Regions and zones: a fixed table, the same for everybody.

use crate::support::answer::column;
use crate::support::{OTHER_KEY, REGION, TestApp};

#[tokio::test]
async fn every_region_is_listed_with_its_endpoint() {
    let app = TestApp::new().await;
    let body = app.ok("DescribeRegions", &[]).await;
    let ids = column(&body, "/Regions/Region", "RegionId");
    assert!(ids.contains(&REGION.to_owned()) && ids.len() == 24, "{ids:?}");
    assert!(column(&body, "/Regions/Region", "RegionEndpoint").contains(&"ecs.cn-hangzhou.aliyuncs.com".to_owned()));
    let foreign = app.call_as(OTHER_KEY, "DescribeRegions", &[]).await.accepted();
    assert_eq!(foreign["Regions"], body["Regions"]);
    app.xml("DescribeRegions", &[("AcceptLanguage", "zh-CN")]).await;
}

#[tokio::test]
async fn the_zones_of_a_region_are_its_own() {
    let app = TestApp::new().await;
    let zones = column(&app.ok("DescribeZones", &[("RegionId", REGION)]).await, "/Zones/Zone", "ZoneId");
    assert!(!zones.is_empty() && zones.iter().all(|zone| zone.starts_with(REGION)), "{zones:?}");
    app.refused("DescribeZones", &[("RegionId", "cn-nowhere")], 404, "InvalidRegionId.NotFound").await;
}

#[tokio::test]
async fn each_code_of_the_lists_has_its_condition() {
    let app = TestApp::new().await;
    for (action, param, status, code) in [
        ("DescribeRegions", ("InstanceChargeType", "free"), 403, "Invalid.InstanceChargeType"),
        ("DescribeRegions", ("ResourceType", "moon"), 404, "InvalidResourceType.NotFound"),
        ("DescribeRegions", ("AcceptLanguage", "la"), 404, "InvalidAcceptLanguage.NotFound"),
        ("DescribeZones", ("InstanceChargeType", "free"), 404, "InvalidInstanceChargeType.NotFound"),
        ("DescribeZones", ("SpotStrategy", "free"), 400, "InvalidSpotStrategy"),
        ("DescribeZones", ("AcceptLanguage", "la"), 404, "InvalidAcceptLanguage.NotFound"),
    ] {
        app.refused(action, &[param], status, code).await;
    }
}
