//! Claims about the gateway, made with whole requests to the router; never about what an action does.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::form::encode;
use super::vectors::{self, Vector};
use super::{http, signature_v1};
use crate::App;
use crate::clock::{Clock, Timestamp};
use crate::config::Config;

const NOW: &str = "2026-01-02T03:04:05Z";

struct Gateway {
    app: Arc<App>,
    _folder: TempDir,
}

struct Answer {
    status: u16,
    content_type: String,
    text: String,
}

impl Answer {
    async fn read(response: Response<Body>) -> Self {
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        let status = response.status().as_u16();
        let text = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Self { status, content_type, text }
    }

    fn field(&self, name: &str) -> String {
        let body: Value = serde_json::from_str(&self.text).unwrap();
        body[name].as_str().unwrap_or_default().to_owned()
    }

    fn code(&self) -> String {
        self.field("Code")
    }
}

impl Gateway {
    async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = Config::embedded();
        config.data_dir = folder.path().join("data");
        adjust(&mut config);
        let clock = Clock::system().with_wall(Timestamp::parse(NOW).unwrap());
        Self { app: App::open_with_clock(config, clock).await.unwrap(), _folder: folder }
    }

    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        Answer::read(http::router(Arc::clone(&self.app)).oneshot(request).await.unwrap()).await
    }

    async fn get(&self, pairs: &[(&str, &str)]) -> Answer {
        self.send(Request::get(target(pairs)).body(Body::empty()).unwrap()).await
    }

    async fn replay(&self, vector: &Vector) -> Answer {
        let target = if vector.target.is_empty() { "/" } else { &vector.target };
        let mut request =
            Request::builder().method(&*vector.method).uri(target).body(Body::from(vector.body.clone())).unwrap();
        *request.headers_mut() = vector.header_map();
        self.send(request).await
    }
}

fn target(pairs: &[(&str, &str)]) -> String {
    let mut text = String::from("/?");
    for (name, value) in pairs {
        encode(name, &mut text);
        text.push('=');
        encode(value, &mut text);
        text.push('&');
    }
    text
}

/// The parameters of a valid call, changed by `changes`: an empty value takes one away; then signed, unless told how.
fn signed<'a>(changes: &[(&'a str, &'a str)], signature: &'a mut String) -> Vec<(&'a str, &'a str)> {
    let valid = [
        ("Format", "JSON"),
        ("Version", "2014-05-26"),
        ("Action", "DescribeSnapshots"),
        ("AccessKeyId", "testid"),
        ("Timestamp", NOW),
        ("SignatureNonce", "n"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("RegionId", "cn-hangzhou"),
    ];
    let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
    let mut pairs: Vec<_> = valid.into_iter().filter(|(name, _)| !is_changed(name)).collect();
    pairs.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    if !is_changed("Signature") {
        let owned: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        *signature = signature_v1::sign("testsecret", &signature_v1::string_to_sign("GET", &owned));
        pairs.push(("Signature", signature));
    }
    pairs
}

async fn call(gateway: &Gateway, changes: &[(&str, &str)]) -> Answer {
    gateway.get(&signed(changes, &mut String::new())).await
}

fn is_gateways(code: &str) -> bool {
    ["Signature", "IncompleteSignature", "UnsupportedSignatureType", "InvalidAccessKeyId", "InvalidTimeStamp"]
        .iter()
        .any(|prefix| code.starts_with(prefix))
}

#[tokio::test]
async fn the_requests_of_real_sdks_reach_their_action() {
    let mut reached = 0;
    for vector in
        vectors::positive().into_iter().filter(|vector| !vector.target.is_empty() && vector.signature.is_some())
    {
        let gateway = Gateway::with(|config| {
            config.accounts[0].keys[0].security_token = vector.token().map(str::to_owned);
        })
        .await;
        let answer = gateway.replay(&vector).await;
        assert!(!is_gateways(&answer.code()) && answer.status != 500, "{}: {}", vector.name, answer.text);
        if answer.code() != "InvalidAction.NotFound" {
            assert_eq!(gateway.replay(&vector).await.code(), "SignatureNonceUsed", "{}", vector.name);
            reached += 1;
        }
    }
    assert!(reached >= 13, "{reached}");
}

#[tokio::test]
async fn a_tampered_request_is_told_what_the_server_signed() {
    let gateway = Gateway::new().await;
    for vector in vectors::negative() {
        let answer = gateway.replay(&vector).await;
        assert_eq!((answer.status, answer.code()), (400, "SignatureDoesNotMatch".to_owned()), "{}", vector.name);
        assert!(answer.field("Message").contains("server string to sign is:"), "{}", answer.text);
    }
}

#[tokio::test]
async fn bearer_and_anonymous_calls_are_refused() {
    let gateway = Gateway::new().await;
    for vector in vectors::positive().iter().filter(|vector| vector.kind != "v1" && vector.kind != "v3") {
        assert_eq!(gateway.replay(vector).await.code(), "UnsupportedSignatureType", "{}", vector.name);
    }
    let bearer = [("SignatureType", "BEARERTOKEN"), ("BearerToken", "b"), ("AccessKeyId", ""), ("Signature", "")];
    assert_eq!(call(&gateway, &bearer).await.code(), "UnsupportedSignatureType");
}

#[tokio::test]
async fn the_checks_come_in_their_order() {
    let gateway = Gateway::new().await;
    assert_eq!(call(&gateway, &[]).await.status, 200);
    let wrong = [
        (("Format", "YAML"), 400, "InvalidParameter.Format"),
        (("Version", "2000-01-01"), 400, "InvalidVersion"),
        (("Action", "Nothing"), 404, "InvalidAction.NotFound"),
        (("AccessKeyId", "nobody"), 404, "InvalidAccessKeyId.NotFound"),
        (("Timestamp", "2026-01-02T02:04:05Z"), 400, "InvalidTimeStamp.Expired"),
        (("SignatureNonce", "n"), 400, "SignatureNonceUsed"),
        (("Signature", "AAAA"), 400, "SignatureDoesNotMatch"),
    ];
    for (first, (_, status, code)) in wrong.iter().enumerate() {
        let mut changes: Vec<_> = wrong[first..].iter().map(|(change, ..)| *change).collect();
        if first > 5 {
            changes.push(("SignatureNonce", "fresh"));
        }
        let mut request = Request::get(target(&signed(&changes, &mut String::new()))).body(Body::empty()).unwrap();
        request.headers_mut().insert("accept", "application/json".parse().unwrap());
        let answer = gateway.send(request).await;
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code));
    }
}

#[tokio::test]
async fn a_missing_common_parameter_is_named() {
    let gateway = Gateway::new().await;
    let common = [
        "Version",
        "Action",
        "AccessKeyId",
        "Timestamp",
        "SignatureNonce",
        "SignatureMethod",
        "SignatureVersion",
        "Signature",
    ];
    for name in common {
        let answer = call(&gateway, &[(name, "")]).await;
        assert_eq!((answer.status, answer.code()), (400, "MissingParameter".to_owned()), "{name}");
        assert!(answer.field("Message").contains(name), "{}", answer.text);
    }
}

#[tokio::test]
async fn only_a_valid_signature_uses_up_a_nonce() {
    let gateway = Gateway::new().await;
    assert_eq!(call(&gateway, &[("Signature", "AAAA")]).await.code(), "SignatureDoesNotMatch");
    assert_eq!(call(&gateway, &[]).await.status, 200);
    assert_eq!(call(&gateway, &[]).await.code(), "SignatureNonceUsed");
}

#[tokio::test]
async fn times_are_accepted_within_fifteen_minutes_and_in_one_form() {
    let gateway = Gateway::new().await;
    for (i, (time, code)) in [
        ("2026-01-02T02:49:05Z", ""),
        ("2026-01-02T03:19:05Z", ""),
        ("2026-01-02T02:49:04Z", "InvalidTimeStamp.Expired"),
        ("2026-01-02T03:19:06Z", "InvalidTimeStamp.Expired"),
        ("2026-01-02T03:04Z", "InvalidTimeStamp.Format"),
        ("2026-01-02 03:04:05", "InvalidTimeStamp.Format"),
        ("1767323045", "InvalidTimeStamp.Format"),
    ]
    .into_iter()
    .enumerate()
    {
        let nonce = i.to_string();
        assert_eq!(call(&gateway, &[("Timestamp", time), ("SignatureNonce", &nonce)]).await.code(), code, "{time}");
    }
    assert_eq!(call(&gateway, &[("Timestamp", ""), ("TimeStamp", NOW)]).await.status, 200);
}

#[tokio::test]
async fn other_signature_methods_and_versions_are_refused() {
    let gateway = Gateway::new().await;
    for (change, code) in [
        (("SignatureMethod", "HMAC-SHA256"), "InvalidSignatureMethod"),
        (("SignatureVersion", "2.0"), "InvalidParameter"),
        (("SecurityToken", "t"), "InvalidSecurityToken.Malformed"),
    ] {
        assert_eq!(call(&gateway, &[change]).await.code(), code);
    }
    let v3 = |authorization: &str| {
        let request =
            Request::post("/").header("x-acs-action", "DescribeSnapshots").header("x-acs-version", "2014-05-26");
        request.header("authorization", authorization).body(Body::empty()).unwrap()
    };
    assert_eq!(gateway.send(v3("ACS3-HMAC-SHA256 Credential=testid")).await.code(), "IncompleteSignature");
    let sm3 = "ACS3-HMAC-SM3 Credential=testid,SignedHeaders=host,Signature=00";
    assert_eq!(gateway.send(v3(sm3)).await.code(), "InvalidSignatureMethod");
}

#[tokio::test]
async fn the_form_of_an_answer_follows_the_parameter_then_the_headers() {
    let gateway = Gateway::new().await;
    let xml = call(&gateway, &[("Format", ""), ("SignatureNonce", "1")]).await;
    assert!(
        xml.content_type == "text/xml;charset=utf-8" && xml.text.contains("<DescribeSnapshotsResponse><RequestId>")
    );
    let json = call(&gateway, &[("Format", "json"), ("SignatureNonce", "2")]).await;
    assert!(json.content_type == "application/json;charset=utf-8" && json.text.starts_with("{\"RequestId\":"));
    for (header, value) in [("accept", "application/json"), ("x-acs-version", "1"), ("authorization", "ACS3-X")] {
        let request = Request::get("/?%").header(header, value).header("host", "h:1").body(Body::empty()).unwrap();
        let answer = gateway.send(request).await;
        assert_eq!((answer.code().as_str(), answer.field("HostId").as_str()), ("MalformedRequest", "h:1"));
    }
    let answer = gateway.send(Request::get("/?%").body(Body::empty()).unwrap()).await;
    assert!(answer.text.contains("<Error><RequestId>") && answer.text.contains("<Code>MalformedRequest</Code>"));
}

#[tokio::test]
async fn other_methods_and_paths_are_refused_in_the_vendors_form() {
    let gateway = Gateway::new().await;
    let send = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).header("accept", "application/json");
        gateway.send(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!((send("PUT", "/").await.status, send("PUT", "/").await.code().as_str()), (403, "UnsupportedHTTPMethod"));
    assert_eq!(send("DELETE", "/healthz").await.code(), "UnsupportedHTTPMethod");
    assert_eq!(
        (send("GET", "/x").await.status, send("POST", "/x").await.code().as_str()),
        (404, "InvalidAction.NotFound")
    );
    assert_eq!(send("GET", "/readyz").await.status, 503);
    gateway.app.is_ready.store(true, Ordering::Release);
    for probe in ["/healthz", "/readyz"] {
        assert_eq!((send("GET", probe).await.status, send("GET", probe).await.text.as_str()), (200, "ok"));
    }
}

#[tokio::test]
async fn requests_beyond_the_limits_are_refused() {
    let limited = Gateway::with(|config| {
        (config.limits.body_bytes, config.limits.parameters) = (10, 12);
    })
    .await;
    let post =
        async |body: Body| limited.send(Request::post("/").header("x-acs-version", "1").body(body).unwrap()).await;
    for size in [11, 81, 1_000_000] {
        assert_eq!(post(Body::from("a".repeat(size))).await.status, 413, "{size}");
    }
    assert_eq!(post(Body::from("A=1&B=%zz")).await.code(), "MalformedRequest");
    let many = [("A", "1"); 13];
    let answer = limited.get(&many).await;
    assert!(answer.status == 413 && answer.text.contains("12 parameters"), "{}", answer.text);
}
