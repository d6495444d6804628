//! Lags of reads, set and ended; how the past is kept is in `store/past.rs`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Problem, Refusal, Removed};
use crate::App;
use crate::api::action::{ECS, Kind};
use crate::api::registry;
use crate::levers::lag::Lag;

/// The longest lag: all states of that time are held open, and what is written meanwhile cannot leave the log.
const MOST_MS: i64 = 60_000;

/// The lags that are set.
#[derive(Serialize, ToSchema)]
pub struct LagSettings {
    lags: Vec<Lag>,
    /// What a lag costs; absent where none is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
}

impl LagSettings {
    fn of(app: &App) -> Self {
        let lags = app.levers.lags.list();
        let warning = "while a lag is set the write-ahead log grows with each write, up to 256 MiB";
        Self { warning: (!lags.is_empty()).then_some(warning), lags }
    }
}

/// Sets how far reads trail the writes, in the place of what was set for the same account and action. A read shows how
/// things stood that long ago, or, where writes follow each other closely, at some instant since then.
#[utoipa::path(post, path = "/lag", request_body = Lag,
    responses((status = 200, body = LagSettings), (status = 400, body = Problem)))]
pub async fn set(
    State(app): State<Arc<App>>,
    lag: Result<Json<Lag>, JsonRejection>,
) -> Result<Json<LagSettings>, Refusal> {
    let Json(lag) = lag?;
    if !(0..=MOST_MS).contains(&lag.ms) {
        return Err(Refusal::bad(format!("ms: 0 to {MOST_MS}")));
    }
    let is_read = |action: &String| registry::find(ECS, action).is_some_and(|entry| entry.kind == Kind::Read);
    if let Some(action) = lag.action.as_ref().filter(|action| !is_read(action)) {
        return Err(Refusal::bad(format!("{action} is no action that reads")));
    }
    app.levers.lags.put(lag);
    app.store.keep_past(app.levers.lags.largest()).await?;
    let settings = LagSettings::of(&app);
    if let Some(warning) = settings.warning {
        tracing::warn!(largest_ms = app.levers.lags.largest(), "reads trail: {warning}");
    }
    Ok(Json(settings))
}

/// Lists the lags that are set.
#[utoipa::path(get, path = "/lag", responses((status = 200, body = LagSettings)))]
pub async fn list(State(app): State<Arc<App>>) -> Json<LagSettings> {
    Json(LagSettings::of(&app))
}

/// Ends all lags.
#[utoipa::path(delete, path = "/lag", responses((status = 200, body = Removed)))]
pub async fn clear(State(app): State<Arc<App>>) -> Result<Json<Removed>, Refusal> {
    let removed = app.levers.lags.clear();
    app.store.keep_past(0).await?;
    Ok(Json(Removed { removed }))
}
