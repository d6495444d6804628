//! The handler of every API request, from its head to the answer in the vendor's form; never looks into an action.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::gate::Claim;
use super::render::{self, Format};
use super::request::{self, Received};
use crate::App;
use crate::admin;
use crate::api::action::Call;
use crate::api::disturbed;
use crate::faults::{Fault, fault};
use crate::levers::requests::{End, Note};
use crate::levers::rules::Verdict;

/// The API on `/`, and the two probes of whoever watches the process.
pub fn router(app: Arc<App>) -> Router {
    admin::router(&app, answer)
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .method_not_allowed_fallback(answer)
        .with_state(app)
}

/// 200 once all that fell due before the start has happened, 503 until then.
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.is_ready.load(Ordering::Acquire) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "catching up")
    }
}

async fn answer(State(app): State<Arc<App>>, request: Request) -> Response {
    let reply = Reply::to(&request, app.request_ids.next());
    detached(reply.clone(), handle(app, request, reply)).await
}

/// Answers in a task of its own: a caller that hangs up does not cancel what it asked for, and a panic is an answer.
async fn detached(reply: Reply, answering: impl Future<Output = Response> + Send + 'static) -> Response {
    tokio::spawn(answering).await.unwrap_or_else(|panic| reply.refuse(&Fault::internal(panic)))
}

async fn handle(app: Arc<App>, request: Request, mut reply: Reply) -> Response {
    let mut note = app.levers.requests.begin(|| app.clock.wall_now());
    let mut verdict = Verdict::default();
    let outcome = serve(&app, request, &mut reply, note.as_mut(), &mut verdict).await;
    let (mut response, code) = match outcome {
        Ok(body) => (reply.accept(body), String::new()),
        Err(fault) => (reply.refuse(&fault), fault.code().to_owned()),
    };
    if verdict.drop.is_some() {
        response.extensions_mut().insert(HangUp);
    }
    if let Some(note) = note {
        let Reply { action, request_id, .. } = &reply;
        let (status, Verdict { rules, drop, .. }) = (response.status().as_u16(), &verdict);
        app.levers.requests.end(note, End { action, request_id, status, code: &code, rules, drop: *drop });
    }
    response
}

/// Marks a request that came by the HTTPS listener.
#[derive(Clone, Copy, Debug)]
pub struct OverTls;

/// Marks an answer that is not to be sent: the connection is closed instead.
#[derive(Clone, Copy, Debug)]
pub struct HangUp;

async fn serve(
    app: &Arc<App>,
    request: Request,
    reply: &mut Reply,
    mut note: Option<&mut Note>,
    verdict: &mut Verdict,
) -> Result<Vec<u8>, Fault> {
    let (head, body) = request.into_parts();
    let is_secure = head.extensions.get::<OverTls>().is_some();
    if head.method != Method::GET && head.method != Method::POST {
        return Err(fault("UnsupportedHTTPMethod"));
    }
    if head.uri.path() != "/" {
        return Err(fault("InvalidAction.NotFound"));
    }
    let received = Received::read(head, body, &app.config.limits).await?;
    if let Some(note) = &mut note {
        note.received(&received.params);
    }
    let claim = Claim::of(&received);
    claim.action.unwrap_or_default().clone_into(&mut reply.action);
    if let Some(format) = received.params.get("Format") {
        reply.format = Format::parse(format).ok_or_else(|| fault("InvalidParameter.Format"))?;
    }
    let (entry, caller) = claim.admit(app, &received)?;
    if let Some(note) = &mut note {
        note.proven(&caller);
    }
    let request_id = reply.request_id.clone();
    let host = reply.host.as_ref().and_then(|host| host.to_str().ok()).map(str::to_owned);
    let call = Call { params: received.params, caller, format: reply.format, request_id, host, is_secure };
    if app.levers.rules.is_empty() {
        return entry.serve(Arc::clone(app), call).await;
    }
    let outcome;
    (outcome, *verdict) = disturbed::serve(Arc::clone(app), entry, call).await;
    outcome
}

/// What an answer needs to know of its request.
#[derive(Clone)]
struct Reply {
    format: Format,
    host: Option<HeaderValue>,
    request_id: String,
    /// Empty until it is known.
    action: String,
}

impl Reply {
    fn to(request: &Request, request_id: String) -> Self {
        let headers: &HeaderMap = request.headers();
        let format = request::format_of(request.uri().query().unwrap_or_default(), headers);
        let host = headers.get(HOST).cloned();
        Self { format, host, request_id, action: String::new() }
    }

    fn accept(&self, body: Vec<u8>) -> Response {
        let Self { request_id, action, .. } = self;
        tracing::debug!(%action, status = 200, %request_id, "call");
        self.response(StatusCode::OK, body)
    }

    fn refuse(&self, fault: &Fault) -> Response {
        let Self { request_id, action, format, host } = self;
        if let Some(cause) = fault.cause() {
            tracing::error!(%action, %request_id, cause = chain(cause), "call failed");
        }
        let (status, body) = render::error(*format, host.as_ref(), request_id, action, fault);
        tracing::debug!(%action, status, code = fault.code(), %request_id, "call");
        self.response(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
    }

    fn response(&self, status: StatusCode, body: Vec<u8>) -> Response {
        let mut response = (status, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, self.format.content_type());
        // What is left of such a body is not worth waiting for.
        if matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// An error and all that caused it, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // A string takes everything that is written to it.
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;

    use super::*;

    fn reply() -> Reply {
        Reply::to(&Request::new(Body::empty()), "R".to_owned())
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        let response = detached(reply(), async { panic!("on purpose") }).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/xml;charset=utf-8");
    }

    #[tokio::test]
    async fn a_caller_that_hangs_up_cancels_nothing() {
        let (done, finished) = tokio::sync::oneshot::channel();
        let slow = async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            done.send(()).unwrap();
            StatusCode::OK.into_response()
        };
        assert!(tokio::time::timeout(Duration::from_millis(1), detached(reply(), slow)).await.is_err());
        finished.await.unwrap();
    }

    #[test]
    fn a_cause_is_told_with_all_its_sources() {
        let fault = Fault::internal(Fault::internal("the disk is gone"));
        assert_eq!(chain(fault.cause().unwrap()), "InternalError: the disk is gone");
    }
}
