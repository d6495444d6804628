//! A year of daily snapshots with a week's retention on a hundred disks by one advance: firings a second, in process.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use http_body_util::BodyExt as _;
use snapshotd::App;
use snapshotd::config::{ClockMode, Config};
use snapshotd::ids;
use snapshotd::lifecycle::engine;
use snapshotd::wire::form::encode;
use snapshotd::wire::{http, signature_v1};
use tower::ServiceExt as _;

const DISKS: usize = 100;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for policies in [DISKS, 1] {
            year(policies).await;
        }
    });
    ExitCode::SUCCESS
}

/// The disks shared out among so many policies.
async fn year(policies: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::embedded();
    config.data_dir = folder.path().join("data");
    config.clock.mode = ClockMode::Manual;
    let app = App::open(config).await.expect("the store opens");
    for _ in 0..policies {
        let policy = call(
            &app,
            "CreateAutoSnapshotPolicy",
            &[("timePoints", "[3]"), ("repeatWeekdays", "[1,2,3,4,5,6,7]"), ("retentionDays", "7")],
        )
        .await;
        let policy = policy["AutoSnapshotPolicyId"].as_str().expect("an id").to_owned();
        let params = [
            ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
            ("InstanceType", "ecs.g7.large"),
            ("SystemDisk.Category", "cloud_essd"),
            ("SystemDisk.AutoSnapshotPolicyId", policy.as_str()),
            ("Amount", &(DISKS / policies).to_string()),
        ];
        call(&app, "RunInstances", &params).await;
    }
    let from = app.clock.now();
    let began = Instant::now();
    let advanced = engine::advance(&app, from.plus_days(365)).await.expect("it moves");
    let seconds = began.elapsed().as_secs_f64();
    let happened = advanced.happened;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = happened.firings as f64 / seconds;
    println!(
        "{DISKS} disks, {policies} policies, 365 days: {} firings in {seconds:.2} s, {rate:.0} a second; {:?}",
        happened.firings, happened.events
    );
    app.store.close().await;
}

async fn call(app: &Arc<App>, action: &str, params: &[(&str, &str)]) -> serde_json::Value {
    let (nonce, timestamp) = (ids::nonce(), app.clock.wall_now().to_seconds());
    let common = [
        ("Action", action),
        ("Version", "2014-05-26"),
        ("Format", "JSON"),
        ("RegionId", "cn-hangzhou"),
        ("AccessKeyId", "testid"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", &nonce),
        ("Timestamp", &timestamp),
    ];
    let pairs = common.iter().chain(params).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut pairs: Vec<_> = pairs.collect();
    let signature = signature_v1::sign("testsecret", &signature_v1::string_to_sign("GET", &pairs));
    pairs.push(("Signature".to_owned(), signature));
    let mut target = "/?".to_owned();
    for (name, value) in &pairs {
        encode(name, &mut target);
        target.push('=');
        encode(value, &mut target);
        target.push('&');
    }
    let request = axum::http::Request::builder().uri(target.trim_end_matches('&')).header("host", "localhost");
    let request = request.body(Body::empty()).expect("a request");
    let router = http::router(Arc::clone(app));
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    let (status, body) = (response.status(), response.into_body().collect().await.expect("a body").to_bytes());
    assert_eq!(status, 200, "{action}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).expect("JSON")
}
