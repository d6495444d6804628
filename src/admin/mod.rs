//! The levers of a test bench under `/_snapshotd/`: JSON over HTTP, each described where it is written; no rule of ECS.

#![expect(clippy::missing_errors_doc, reason = "what a lever refuses stands in its OpenAPI description")]

pub mod faults;
mod guard;
mod info;
pub mod lag;
pub mod locks;
pub mod operation_locks;
pub mod requests;
pub mod standing;

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware};
use serde::Serialize;
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

/// All levers; none where they are switched off.
pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    if !app.config.has_levers() {
        return Router::new();
    }
    let (router, description) = levers().split_for_parts();
    let document = move || async move { Json(description) };
    let guarded = middleware::from_fn_with_state(Arc::clone(app), guard::admit);
    router.route(&format!("{PATH}/openapi.json"), axum::routing::get(document)).layer(guarded)
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
        .routes(routes!(requests::list, requests::clear));
    OpenApiRouter::with_openapi(Description::openapi()).nest(PATH, levers)
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
