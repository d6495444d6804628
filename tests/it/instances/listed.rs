//! Lists of instances: their status alone, pages through hundreds, accounts and regions apart; what an account has in all.

use super::run;
use crate::support::answer::{column, text};
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};

const STATUSES: &str = "/InstanceStatuses/InstanceStatus";

#[tokio::test]
async fn hundreds_of_instances_are_paged_each_once_by_number_and_by_token() {
    let app = TestApp::new().await;
    let mut expected = Vec::new();
    for _ in 0..2 {
        expected.extend(run(&app, &[("Amount", "100"), ("DryRun", "false")]).await);
    }
    expected.extend(run(&app, &[("Amount", "30")]).await);
    expected.sort();
    let mut by_number = Vec::new();
    for number in ["1", "2", "3", "4", "5"] {
        let params = [("RegionId", REGION), ("PageSize", "50"), ("PageNumber", number)];
        let body = app.ok("DescribeInstanceStatus", &params).await;
        assert_eq!(body["TotalCount"], 230);
        by_number.extend(column(&body, STATUSES, "InstanceId"));
    }
    by_number.sort();
    assert_eq!(by_number, expected);
    let (mut by_token, mut token) = (Vec::new(), String::new());
    loop {
        let body = app.ok("DescribeInstances", &[("MaxResults", "100"), ("NextToken", &token)]).await;
        by_token.extend(column(&body, "/Instances/Instance", "InstanceId"));
        token = text(&body, "/NextToken");
        if token.is_empty() {
            break;
        }
    }
    by_token.sort();
    assert_eq!(by_token, expected);
}

#[tokio::test]
async fn a_status_is_found_by_zone_and_id_within_account_and_region_alone() {
    let app = TestApp::new().await;
    let here = run(&app, &[("ZoneId", "cn-hangzhou-h")]).await.remove(0);
    let there = run(&app, &[("ZoneId", "cn-hangzhou-i")]).await.remove(0);
    let ids = async |params: &[(&str, &str)]| {
        let body = app.ok("DescribeInstanceStatus", params).await;
        assert_eq!(body["TotalCount"], column(&body, STATUSES, "InstanceId").len());
        column(&body, STATUSES, "InstanceId")
    };
    assert_eq!(ids(&[("ZoneId", "cn-hangzhou-i")]).await, [there.as_str()]);
    assert_eq!(ids(&[("InstanceId.1", &here)]).await, [here.as_str()]);
    assert_eq!(ids(&[("InstanceId.1", "i-none")]).await, [""; 0]);
    assert_eq!(ids(&[("RegionId", OTHER_REGION)]).await, [""; 0]);
    let foreign = app.call_as(OTHER_KEY, "DescribeInstanceStatus", &[]).await.accepted();
    assert_eq!(foreign["TotalCount"], 0);
    let numbers: Vec<String> = (1..=101).map(|n| format!("InstanceId.{n}")).collect();
    let many: Vec<(&str, &str)> = numbers.iter().map(|name| (name.as_str(), "i-none")).collect();
    for (params, status, code) in [
        (&many[..], 403, "InvalidParameter.TooManyInstanceIds"),
        (&[("InstanceId.1", "x")], 403, "Abs.InvalidInstanceIds.MalFormed"),
        (&[("ZoneId", "cn-beijing-a")], 404, "InvalidZoneId.NotFound"),
        (&[("PageSize", "51")], 400, "InvalidParameter"),
    ] {
        app.refused("DescribeInstanceStatus", params, status, code).await;
    }
}

#[tokio::test]
async fn an_account_is_told_what_it_has_of_processors_and_disks() {
    let app = TestApp::new().await;
    run(&app, &[("ZoneId", "cn-hangzhou-h"), ("Amount", "2"), ("DataDisk.1.Size", "100")]).await;
    let values = async |params: &[(&str, &str)]| {
        let body = app.ok("DescribeAccountAttributes", params).await;
        column(&body, "/AccountAttributeItems/AccountAttributeItem/0/AttributeValues/ValueItem", "Value")
    };
    let named = |name| ("AttributeName.1", name);
    assert_eq!(values(&[named("used-postpaid-instance-vcpu-count")]).await, ["4"]);
    assert_eq!(values(&[named("used-postpaid-yundisk-capacity")]).await, ["280"]);
    let capacity = named("used-postpaid-yundisk-capacity");
    assert_eq!(values(&[capacity, ("ZoneId", "cn-hangzhou-i")]).await, [""; 0]);
    assert_eq!(values(&[capacity, ("RegionId", OTHER_REGION)]).await, [""; 0]);
    let types = [named("supported-postpaid-instance-types"), ("ZoneId", "cn-hangzhou-h")];
    assert!(values(&types).await.contains(&"ecs.g7.large".to_owned()));
    let all = app.ok("DescribeAccountAttributes", &[]).await;
    let names = column(&all, "/AccountAttributeItems/AccountAttributeItem", "AttributeName");
    assert_eq!(names.len(), 14);
    app.refused("DescribeAccountAttributes", &[named("shoe-size")], 400, "InvalidParameter").await;
    let zone = [("ZoneId", "cn-beijing-a")];
    app.refused("DescribeAccountAttributes", &zone, 404, "InvalidZoneId.NotFound").await;
}

#[tokio::test]
async fn each_code_of_describe_instances_has_its_condition() {
    let app = TestApp::new().await;
    for (params, status, code) in [
        (("Status", "Asleep"), 404, "InvalidStatus.NotFound"),
        (("InstanceChargeType", "free"), 404, "InvalidInstanceChargeType.NotFound"),
        (("InternetChargeType", "free"), 404, "InvalidInternetChargeType.ValueNotSupported"),
        (("InstanceNetworkType", "mesh"), 404, "InvalidNetworkType.NotFound"),
        (("LockReason", "mood"), 404, "InvalidLockReason.NotFound"),
        (("Filter.1.Key", "Mood"), 404, "InvalidFilterKey.NotFound"),
        (("Filter.1.Key", "CreationStartTime"), 404, "InvalidFilterValue"),
        (("Tag.1.Value", "v"), 400, "InvalidTag.Mismatch"),
        (("PageSize", "101"), 400, "InvalidParameter"),
        (("InstanceIds", "no list"), 400, "InvalidParameter"),
        (("RegionId", "nowhere"), 404, "InvalidRegionId.NotFound"),
        (("DryRun", "true"), 400, "DryRunOperation"),
    ] {
        app.refused("DescribeInstances", &[params], status, code).await;
    }
    let numbers: Vec<String> = (1..=21).map(|n| format!("Tag.{n}.Key")).collect();
    let many: Vec<(&str, &str)> = numbers.iter().map(|name| (name.as_str(), name.as_str())).collect();
    app.refused("DescribeInstances", &many, 400, "InvalidTagCount").await;
}

#[tokio::test]
async fn instances_are_found_by_network_and_what_a_stub_has() {
    let app = TestApp::new().await;
    let id = run(&app, &[]).await.remove(0);
    let found = async |params: (&str, &str)| {
        column(&app.ok("DescribeInstances", &[params]).await, "/Instances/Instance", "InstanceId")
    };
    for yes in [
        ("InstanceNetworkType", "VPC"),
        ("InternetChargeType", "PayByTraffic"),
        ("IoOptimized", "true"),
        ("DeviceAvailable", "true"),
    ] {
        assert_eq!(found(yes).await, [id.as_str()], "{yes:?}");
    }
    for no in [
        ("InstanceNetworkType", "classic"),
        ("InternetChargeType", "PayByBandwidth"),
        ("IoOptimized", "false"),
        ("DeviceAvailable", "false"),
        ("PublicIpAddresses", "[\"1.2.3.4\"]"),
        ("EipAddresses", "[\"1.2.3.4\"]"),
        ("InnerIpAddresses", "[\"1.2.3.4\"]"),
    ] {
        assert_eq!(found(no).await, [""; 0], "{no:?}");
    }
}
