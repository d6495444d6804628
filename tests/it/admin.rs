//! The levers through the router: who is let in, and that the document describes what is there.

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;
use snapshotd::wire::http;
use tower::ServiceExt as _;

use crate::support::TestApp;

async fn get(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = Request::get(format!("/_snapshotd{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = http::router(app.app().clone()).oneshot(request).await.expect("an answer");
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

const LOCAL: (&str, &str) = ("host", "127.0.0.1:20140");

#[tokio::test]
async fn only_local_names_and_own_origins_are_let_in() {
    let app = TestApp::new().await;
    assert_eq!(get(&app, "/info", &[LOCAL]).await.0, 200);
    assert_eq!(get(&app, "/info", &[("host", "rebound.example.com")]).await.0, 403);
    assert_eq!(get(&app, "/info", &[]).await.0, 403);
    assert_eq!(get(&app, "/info", &[LOCAL, ("origin", "http://127.0.0.1:20140")]).await.0, 200);
    let (status, body) = get(&app, "/info", &[LOCAL, ("origin", "https://example.com")]).await;
    assert_eq!((status, body["error"].as_str().is_some()), (403, true));
}

#[tokio::test]
async fn a_token_is_asked_for_where_one_is_set() {
    let app = TestApp::with(|config| "sesame".clone_into(&mut config.admin.token)).await;
    assert_eq!(get(&app, "/info", &[LOCAL]).await.0, 401);
    assert_eq!(get(&app, "/info", &[LOCAL, ("authorization", "Bearer sesam")]).await.0, 401);
    assert_eq!(get(&app, "/info", &[("host", "a.example"), ("authorization", "Bearer sesame")]).await.0, 200);
}

#[tokio::test]
async fn switched_off_or_reachable_without_a_token_they_are_not_there() {
    let off = TestApp::with(|config| config.admin.enabled = false).await;
    let open = TestApp::with(|config| config.listen = "0.0.0.0:20140".parse().expect("an address")).await;
    for app in [off, open] {
        assert_eq!(get(&app, "/info", &[LOCAL]).await.0, 404);
    }
}

#[tokio::test]
async fn the_document_describes_the_levers_and_secrets_are_never_told() {
    let app = TestApp::new().await;
    let (_, document) = get(&app, "/openapi.json", &[LOCAL]).await;
    assert!(document["paths"]["/_snapshotd/info"]["get"].is_object(), "{document}");
    for path in ["advance", "next", "mode", "freeze", "thaw"] {
        assert!(document["paths"][format!("/_snapshotd/clock/{path}")]["post"].is_object(), "{path}");
    }
    let (_, info) = get(&app, "/info", &[LOCAL]).await;
    assert_eq!(info["accounts"][0]["access_key_ids"][0], "testid");
    assert!(!info.to_string().contains("testsecret"));
}
