//! Neighbours on the same endpoint: STS tells the account, the location service points back at the daemon.

use serde_json::{Value, json};

use crate::support::answer::text;
use crate::support::request::{HOST, Request};
use crate::support::{ACCOUNT, OTHER_ACCOUNT, OTHER_KEY, REGION, TestApp};

const STS: &str = "2015-04-01";
const LOCATION: &str = "2015-06-12";

fn identity() -> Request {
    Request::new("GetCallerIdentity", &[]).set("Version", STS)
}

fn endpoints(params: &[(&str, &str)]) -> Request {
    Request::new("DescribeEndpoints", params).set("Version", LOCATION)
}

#[tokio::test]
async fn the_caller_is_the_account_of_the_key_under_either_signature() {
    let app = TestApp::new().await;
    for request in [identity(), identity().v3()] {
        let body = app.send(request).await.accepted();
        assert_eq!(text(&body, "/AccountId"), ACCOUNT);
        assert_eq!(text(&body, "/Arn"), format!("acs:ram::{ACCOUNT}:root"));
        assert_eq!(text(&body, "/IdentityType"), "Account");
    }
    let body = app.send(identity().key(OTHER_KEY)).await.accepted();
    assert_eq!([text(&body, "/AccountId"), text(&body, "/UserId")], [OTHER_ACCOUNT, OTHER_ACCOUNT]);
    app.send(identity().format("XML")).await;
    app.send(identity().key(("testid", "wrong"))).await.refused(400, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn the_location_service_points_at_the_host_that_was_called() {
    let app = TestApp::new().await;
    let ecs = [("Id", REGION), ("ServiceCode", "ecs")];
    for request in [endpoints(&ecs), endpoints(&ecs).v3()] {
        let body = app.send(request).await.accepted();
        assert_eq!(text(&body, "/Endpoints/Endpoint/0/Endpoint"), HOST);
        assert_eq!(text(&body, "/Endpoints/Endpoint/0/Type"), "openAPI");
        assert_eq!(text(&body, "/Endpoints/Endpoint/0/SerivceCode"), "ecs");
        assert_eq!(body["Success"], true);
        assert_eq!(body.pointer("/Endpoints/Endpoint/0/Protocols/Protocols"), Some(&json!(["HTTP"])));
    }
    let inner = app.send(endpoints(&[ecs[0], ("ServiceCode", "STS"), ("Type", "innerapi")])).await.accepted();
    assert_eq!(text(&inner, "/Endpoints/Endpoint/0/Type"), "innerAPI");
    app.send(endpoints(&ecs).format("XML")).await;
    let mut nameless = endpoints(&ecs).build();
    nameless.headers_mut().remove("host");
    let body = app.exchange(nameless, endpoints(&ecs).sent()).await.accepted();
    assert_eq!(text(&body, "/Endpoints/Endpoint/0/Endpoint"), "127.0.0.1:20140", "the configured address");
}

#[tokio::test]
async fn a_service_that_is_not_served_here_has_no_endpoint() {
    let app = TestApp::new().await;
    let body = app.send(endpoints(&[("Id", REGION), ("ServiceCode", "rds")])).await.accepted();
    assert_eq!(body.pointer("/Endpoints/Endpoint"), Some(&Value::Array(Vec::new())));
    let refused = async |params: &[(&str, &str)]| app.send(endpoints(params)).await.code().to_owned();
    assert_eq!(refused(&[("Id", "nowhere"), ("ServiceCode", "ecs")]).await, "InvalidRegionId");
    assert_eq!(refused(&[("ServiceCode", "ecs")]).await, "MissingParameter");
    assert_eq!(refused(&[("Id", REGION)]).await, "MissingParameter");
    assert_eq!(refused(&[("Id", REGION), ("ServiceCode", "ecs"), ("Type", "other")]).await, "InvalidParameter");
}

#[tokio::test]
async fn an_action_is_found_in_its_own_version_alone() {
    let app = TestApp::new().await;
    let elsewhere = identity().set("Version", LOCATION);
    app.send(elsewhere).await.refused(404, "InvalidAction.NotFound");
    let ecs = Request::new("DescribeRegions", &[]).set("Version", STS);
    app.send(ecs).await.refused(404, "InvalidAction.NotFound");
    app.send(identity().set("Version", "2014-01-01")).await.refused(400, "InvalidVersion");
}
