//! The levers of a test bench under `/_snapshotd/`: JSON over HTTP, each described where it is written; no rule of ECS.

#![expect(clippy::missing_errors_doc, reason = "what a lever refuses stands in its OpenAPI description")]

mod accounts;
mod body;
pub mod clock;
mod contents;
mod events;
pub mod faults;
mod guard;
mod ids;
mod info;
pub mod lag;
pub mod locks;
mod moment;
pub mod operation_locks;
pub mod requests;
pub mod seed;
pub mod standing;
mod state;
pub mod webhooks;

use std::sync::{Arc, Mutex, OnceLock};

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Request, State};
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware};
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tower::ServiceExt as _;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::faults::Fault;

/// Where the levers are.
pub const PATH: &str = "/_snapshotd";

#[derive(OpenApi)]
#[openapi(info(title = "snapshotd levers", description = "What a test bench may do to a running snapshotd."))]
struct Description;

/// The largest body that moves a lever: whole states come in one.
const BODY_BYTES: usize = 256 * 1_024 * 1_024;

/// What handlers of levers tell tasks beside them.
#[derive(Default)]
pub struct Signals {
    /// Webhooks came or went.
    pub webhooks_changed: Notify,
    /// Names of those that went since the tasks were looked at.
    pub removed_webhooks: Mutex<Vec<String>>,
    stopping: watch::Sender<bool>,
}

impl Signals {
    /// Ends the streams, which would not end by themselves.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Returns when the daemon stops.
    pub async fn stopped(&self) {
        // An error means that the sender is gone, and with it the daemon.
        drop(self.stopping.subscribe().wait_for(|stopping| *stopping).await);
    }
}

/// All levers, and `otherwise` for what is none; no levers where they are switched off.
///
/// They are made when the first call comes: with their description they take as much memory as all the rest at its start.
pub fn router<H: Handler<T, Arc<App>>, T: 'static>(app: &Arc<App>, otherwise: H) -> Router<Arc<App>> {
    if !app.config.has_levers() {
        return Router::new().fallback(otherwise);
    }
    let made: Arc<OnceLock<Router>> = Arc::default();
    Router::new().fallback(async move |State(app): State<Arc<App>>, request: Request| {
        if !request.uri().path().starts_with(PATH) {
            return otherwise.call(request, app).await;
        }
        let levers = made.get_or_init(|| all(&app, otherwise)).clone();
        levers.oneshot(request).await.into_response()
    })
}

fn all<H: Handler<T, Arc<App>>, T: 'static>(app: &Arc<App>, otherwise: H) -> Router {
    let (router, description) = levers().split_for_parts();
    let document = move || async move { Json(description) };
    let guarded = middleware::from_fn_with_state(Arc::clone(app), guard::admit);
    let router = router.route(&format!("{PATH}/openapi.json"), axum::routing::get(document));
    let guarded = router.layer(DefaultBodyLimit::max(BODY_BYTES)).layer(guarded);
    guarded.method_not_allowed_fallback(otherwise.clone()).fallback(otherwise).with_state(Arc::clone(app))
}

/// One line for each lever.
fn levers() -> OpenApiRouter<Arc<App>> {
    let levers = OpenApiRouter::new()
        .routes(routes!(info::show))
        .routes(routes!(faults::list, faults::add, faults::clear))
        .routes(routes!(faults::show, faults::remove))
        .routes(routes!(locks::list, locks::hold, locks::release_all))
        .routes(routes!(locks::release))
        .routes(routes!(operation_locks::list, operation_locks::set, operation_locks::clear))
        .routes(routes!(operation_locks::remove))
        .routes(routes!(standing::list))
        .routes(routes!(standing::set))
        .routes(routes!(lag::list, lag::set, lag::clear))
        .routes(routes!(clock::show))
        .routes(routes!(clock::set_mode))
        .routes(routes!(clock::freeze))
        .routes(routes!(clock::thaw))
        .routes(routes!(clock::advance))
        .routes(routes!(clock::next))
        .routes(routes!(requests::list, requests::clear))
        .routes(routes!(events::list))
        .routes(routes!(events::stream))
        .routes(routes!(webhooks::list, webhooks::add))
        .routes(routes!(webhooks::remove))
        .routes(routes!(state::reset))
        .routes(routes!(state::list, state::save))
        .routes(routes!(state::restore))
        .routes(routes!(state::delete))
        .routes(routes!(state::diff))
        .routes(routes!(state::owned))
        .routes(routes!(seed::seed))
        .routes(routes!(seed::export))
        .routes(routes!(ids::set))
        .routes(routes!(contents::write, contents::of_disk))
        .routes(routes!(contents::of_snapshot))
        .routes(routes!(contents::of_image))
        .routes(routes!(accounts::list, accounts::add))
        .routes(routes!(accounts::remove));
    OpenApiRouter::with_openapi(Description::openapi()).nest(PATH, levers)
}

/// The longest name that a lever gives to something of its own.
const NAME_LENGTH: usize = 64;

/// Refuses what cannot name something: the name of a file as well, hence nothing that leads elsewhere.
///
/// # Errors
/// 400 that says what is allowed at `place`.
pub fn check_name(place: &str, name: &str) -> Result<(), Refusal> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let is_name = (1..=NAME_LENGTH).contains(&name.len()) && name.bytes().all(is_plain) && !name.starts_with('.');
    if is_name {
        return Ok(());
    }
    Err(Refusal::bad(format!(
        "{place}: 1 to {NAME_LENGTH} letters, digits, dashes, underscores and dots, no dot first"
    )))
}

/// Why a lever was not moved.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    why: String,
}

/// The body of a refusal.
#[derive(Serialize, ToSchema)]
pub struct Problem {
    /// What is wrong, in words.
    error: String,
}

impl Refusal {
    /// 400: the request makes no sense.
    #[must_use]
    pub fn bad(why: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, why: why.into() }
    }

    /// 404: what it names is not there.
    #[must_use]
    pub fn absent(why: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, why: why.into() }
    }

    /// 409: it cannot be done now.
    #[must_use]
    pub fn conflict(why: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, why: why.into() }
    }

    fn forbidden(why: &str) -> Self {
        Self { status: StatusCode::FORBIDDEN, why: why.to_owned() }
    }

    fn unauthorized() -> Self {
        Self { status: StatusCode::UNAUTHORIZED, why: "a bearer token is needed".to_owned() }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        if fault.cause().is_some() {
            tracing::error!(cause = ?fault, "a lever could not be moved");
            return Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                why: "the store failed; the log says why".into(),
            };
        }
        Self { status: StatusCode::CONFLICT, why: fault.code().to_owned() }
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Self::bad(rejection.body_text())
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad(rejection.body_text())
    }
}

/// What the path names. What cannot be read from a path names nothing: 404, as for all that is not there.
pub struct Named<T>(pub T);

impl<T, S> FromRequestParts<S> for Named<T>
where
    Path<T>: FromRequestParts<S, Rejection = PathRejection>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(named)| Self(named)).map_err(|rejection| Refusal::absent(rejection.body_text()))
    }
}

/// How many were taken away.
#[derive(Serialize, ToSchema)]
pub struct Removed {
    removed: usize,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(Problem { error: self.why })).into_response()
    }
}
