//! Accounts made at run time, and the ids to come.

use std::sync::Arc;

use serde_json::{Value, json};
use snapshotd::api::action::{Call, ECS};
use snapshotd::api::registry;
use snapshotd::store::row_locks::RowLocks;
use snapshotd::wire::credentials::Caller;
use snapshotd::wire::params::Params;
use snapshotd::wire::render::Format;

use crate::support::answer::text;
use crate::support::{ACCOUNT, REGION, TestApp};

const THIRD: &str = "1000000000000003";
const THIRD_KEY: (&str, &str) = ("thirdid", "thirdsecret");

#[tokio::test]
async fn an_account_is_made_survives_a_restart_and_goes_with_all_that_it_owns() {
    let mut app = TestApp::new().await;
    let params = [("RegionId", REGION), ("ZoneId", "cn-hangzhou-h"), ("DiskCategory", "cloud_essd"), ("Size", "40")];
    app.call_as(THIRD_KEY, "CreateDisk", &params).await.refused(404, "InvalidAccessKeyId.NotFound");
    let account = json!({"id": THIRD, "name": "third", "keys": [{"id": THIRD_KEY.0, "secret": THIRD_KEY.1}]});
    let made = app.moved("POST", "/accounts", account.clone()).await;
    assert_eq!(made, json!({"id": THIRD, "name": "third", "access_key_ids": ["thirdid"]}));
    app.unmoved("POST", "/accounts", &account.to_string(), 409, "there").await;
    app.restart().await;
    let list = app.moved("GET", "/accounts", Value::Null).await;
    assert_eq!(list[2]["id"], THIRD, "{list}");
    let standing = format!("/accounts/{THIRD}/standing");
    app.moved("PUT", &standing, json!({"in_arrears": true})).await;
    app.call_as(THIRD_KEY, "CreateDisk", &params).await.refused(400, "InvalidAccountStatus.NotEnoughBalance");
    app.moved("PUT", &standing, json!({"in_arrears": false})).await;
    app.call_as(THIRD_KEY, "CreateDisk", &params).await.accepted();
    app.moved("POST", "/savepoints", json!({"name": "with"})).await;
    let removed = app.moved("DELETE", &format!("/accounts/{THIRD}"), Value::Null).await;
    assert_eq!(removed, json!({"removed": 1}));
    app.call_as(THIRD_KEY, "CreateDisk", &params).await.refused(404, "InvalidAccessKeyId.NotFound");
    app.moved("POST", "/savepoints/with/restore", Value::Null).await;
    assert_eq!(app.moved("GET", "/accounts", Value::Null).await.as_array().map(Vec::len), Some(2));
    app.unmoved("DELETE", &format!("/accounts/{THIRD}"), "", 404, "no such").await;
    app.unmoved("DELETE", &format!("/accounts/{ACCOUNT}"), "", 409, "configuration").await;
}

#[tokio::test]
async fn what_is_no_account_is_refused_with_its_place() {
    let app = TestApp::new().await;
    let key = |id: &str| json!([{"id": id, "secret": "s"}]);
    for (body, status, words) in [
        (json!({"id": "3", "keys": key("k")}), 400, "id: 16"),
        (json!({"id": THIRD, "keys": key("")}), 400, "keys[0]"),
        (json!({"id": THIRD}), 400, "keys"),
        (json!({"id": THIRD, "keys": [{"id": "k", "secret": 1}]}), 400, "keys[0].secret"),
        (json!({"id": THIRD, "keys": key("testid")}), 409, "there"),
        (json!({"id": ACCOUNT, "keys": key("k")}), 409, "there"),
    ] {
        app.unmoved("POST", "/accounts", &body.to_string(), status, words).await;
    }
}

#[tokio::test]
async fn the_next_id_of_a_kind_is_the_one_that_was_named_once() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    for id in ["s-bp1first", "s-bp1second"] {
        app.moved("POST", "/ids", json!({"next": id})).await;
    }
    app.unmoved("POST", "/ids", r#"{"next":"s-bp1first"}"#, 409, "taken").await;
    app.refused("CreateSnapshot", &[("DiskId", "d-none")], 404, "InvalidDiskId.NotFound").await;
    assert_eq!(app.snapshot(&disk).await, "s-bp1first");
    assert_eq!(app.accomplished_snapshot(&disk).await, "s-bp1second");
    assert_eq!(app.snapshot(&disk).await.len(), 22);
    app.ok("DeleteSnapshot", &[("SnapshotId", "s-bp1second")]).await;
    for id in ["s-bp1first", "s-bp1second"] {
        app.unmoved("POST", "/ids", &json!({"next": id}).to_string(), 409, "taken").await;
    }
    for id in ["", "s-", "x-1", "s-ABC", "s-a b", "s-a-b", "bp1first"] {
        app.unmoved("POST", "/ids", &json!({"next": id}).to_string(), 400, "next: ").await;
    }
}

#[tokio::test]
async fn a_seed_makes_the_same_ids_again_after_a_reset_and_goes_on_after_a_restart() {
    let mut app = TestApp::new().await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        app.moved("POST", "/reset", json!({})).await;
        app.moved("POST", "/ids", json!({"seed": 7})).await;
        let params =
            [("RegionId", REGION), ("ZoneId", "cn-hangzhou-h"), ("DiskCategory", "cloud_essd"), ("Size", "40")];
        let first = text(&app.ok("CreateDisk", &params).await, "/DiskId");
        app.restart().await;
        runs.push((first, text(&app.ok("CreateDisk", &params).await, "/DiskId")));
    }
    assert_eq!(runs[0], runs[1]);
    app.unmoved("POST", "/ids", r#"{"seed":7}"#, 409, "reset first").await;
    app.unmoved("POST", "/ids", r#"{"seed":0}"#, 400, "seed: ").await;
    app.unmoved("POST", "/ids", "{}", 400, "seed or next").await;
    app.moved("POST", "/reset", json!({})).await;
}

/// The account that is dropped, with a key to call by.
async fn third(app: &TestApp) {
    let account = json!({"id": THIRD, "name": "third", "keys": [{"id": THIRD_KEY.0, "secret": THIRD_KEY.1}]});
    app.moved("POST", "/accounts", account).await;
}

#[tokio::test]
async fn a_call_that_was_let_in_before_its_account_was_dropped_makes_nothing() {
    let app = TestApp::new().await;
    third(&app).await;
    app.moved("DELETE", &format!("/accounts/{THIRD}"), Value::Null).await;
    let before = app.resources().await;
    let run = [("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"), ("InstanceType", "ecs.g7.large")];
    let disk = [("ZoneId", "cn-hangzhou-h"), ("DiskCategory", "cloud_essd"), ("Size", "40")];
    let policy = [("timePoints", "[1]"), ("repeatWeekdays", "[1]"), ("retentionDays", "1")];
    let calls = [("RunInstances", &run[..]), ("CreateDisk", &disk), ("CreateAutoSnapshotPolicy", &policy)];
    for (action, params) in calls {
        let entry = registry::find(ECS, action).expect("an action");
        // As the gateway left it, its key proven.
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let call = Call {
            params: Params::from(params.iter().map(owned).collect::<Vec<_>>()),
            caller: Caller {
                account_id: THIRD.into(),
                account_name: "third".into(),
                access_key_id: THIRD_KEY.0.into(),
            },
            format: Format::Json,
            request_id: "request".to_owned(),
            host: None,
            is_secure: false,
        };
        let refusal = entry.serve(Arc::clone(app.app()), call).await.expect_err("a refusal");
        assert_eq!(refusal.code(), "InvalidAccessKeyId.NotFound", "{action}");
    }
    assert_eq!(app.resources().await, before);
    third(&app).await;
    app.call_as(THIRD_KEY, "CreateDisk", &disk).await.accepted();
}

#[tokio::test]
async fn a_copy_that_waits_while_its_account_is_dropped_is_told_that_there_is_none() {
    let app = TestApp::with(|config| config.fidelity.conflict_wait_ms = 10_000).await;
    third(&app).await;
    let image = "aliyun_3_x64_20G_alibase_20260101.vhd";
    let guard = app.app().store.hold(THIRD, &RowLocks::exclusive(image)).await.expect("free");
    let waiting = async { app.call_as(THIRD_KEY, "CopyImage", &[("ImageId", image)]).await };
    let dropping = async {
        // The copy is let in meanwhile, and waits for the image.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        app.moved("DELETE", &format!("/accounts/{THIRD}"), Value::Null).await;
        drop(guard);
    };
    let (answer, ()) = tokio::join!(waiting, dropping);
    answer.refused(401, "InvalidAliUid.IsNull");
}
