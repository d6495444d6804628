//! Levers moved as a test bench does, through the router.

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use serde_json::Value;
use tower::ServiceExt as _;

use super::TestApp;

impl TestApp {
    /// Moves a lever; the whole response, whose body may have no end.
    pub async fn lever_response(&self, method: &str, path: &str, body: &str) -> Response {
        let request = Request::builder().method(method).uri(format!("/_snapshotd{path}"));
        let request = request.header("host", "localhost").header("content-type", "application/json");
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let router = self.router.clone().expect("it is open between the calls of a test");
        router.oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    /// Moves a lever; status and body.
    pub async fn lever(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let response = self.lever_response(method, path, body).await;
        let status = response.status().as_u16();
        let takes_away = path == "/reset" || path.ends_with("/restore") || method == "DELETE";
        if takes_away && status < 300 {
            // What was given out before need not be known any more.
            self.created.lock().expect("unpoisoned").clear();
        }
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Moves a lever that must move; its answer.
    pub async fn moved(&self, method: &str, path: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.lever(method, path, &body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Moves a lever that must be refused with this status and words that have this in them.
    pub async fn unmoved(&self, method: &str, path: &str, body: &str, status: u16, words: &str) {
        let (got, answer) = self.lever(method, path, body).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(got == status && error.contains(words), "{method} {path} {body}: {got} {answer}");
    }
}
