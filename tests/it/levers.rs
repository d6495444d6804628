//! The levers of a test bench: faults, locks, lag and the log of requests, through the router and through the socket.

mod cli;
mod endings;
mod faults;
mod lag;
mod locks;
mod requests;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;
use snapshotd::wire::http;
use tower::ServiceExt as _;

use crate::support::TestApp;

impl TestApp {
    /// Moves a lever; status and body of the answer.
    pub async fn lever(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(format!("/_snapshotd{path}"));
        let request = request.header("host", "localhost").header("content-type", "application/json");
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = http::router(self.app().clone()).oneshot(request).await.expect("an answer");
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Makes a rule of faults stand; its id.
    pub async fn rule(&self, body: &str) -> u64 {
        let (status, rule) = self.lever("POST", "/faults", body).await;
        assert_eq!(status, 201, "{rule}");
        rule["id"].as_u64().expect("an id")
    }
}
