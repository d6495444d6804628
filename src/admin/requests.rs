//! The log of requests, shown and emptied; what is kept is in `levers/requests.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Problem, Refusal, Removed};
use crate::App;
use crate::clock::Timestamp;
use crate::levers::requests::Recorded;
use crate::levers::rules::Drop;

/// Which requests are wanted; all conditions must hold.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// The action.
    action: Option<String>,
    /// The code that it was refused with; empty for those that were not refused.
    code: Option<String>,
    /// The account, 16 digits.
    account: Option<String>,
    /// Arrived at this instant of the machine's clock or later, such as 2026-01-01T00:00:00Z.
    since: Option<String>,
    /// Numbered above this.
    after: Option<u64>,
    /// At most the last so many.
    limit: Option<usize>,
}

/// A request and its answer.
#[derive(Serialize, ToSchema)]
pub struct RequestItem {
    /// Counts from 1 on since the start.
    number: u64,
    /// The machine's clock at its arrival, UTC.
    time: String,
    action: String,
    /// Empty where the caller was not proven.
    account: String,
    access_key_id: String,
    /// As they came, without signatures, tokens and passwords.
    parameters: BTreeMap<String, String>,
    /// Parameters beyond 8 KiB were left out.
    is_cut: bool,
    /// Of the answer, whether it was sent or not.
    status: u16,
    /// Empty for a success.
    code: String,
    request_id: String,
    /// Microseconds from its head to its answer.
    duration_us: u64,
    /// Ids of the rules of faults that disturbed it.
    rules: Vec<u64>,
    /// The connection was closed instead of answering.
    drop: Option<Drop>,
}

impl From<Recorded> for RequestItem {
    fn from(kept: Recorded) -> Self {
        let Recorded { number, action, account, access_key_id, is_cut, status, code, request_id, .. } = kept;
        Self {
            number,
            time: kept.time.to_millis(),
            action,
            account,
            access_key_id,
            parameters: kept.parameters.into_iter().collect(),
            is_cut,
            status,
            code,
            request_id,
            duration_us: kept.duration_us,
            rules: kept.rules,
            drop: kept.drop,
        }
    }
}

/// Lists the last requests, the oldest first; how many are remembered says `[admin] requests`.
#[utoipa::path(get, path = "/requests", params(Wanted),
    responses((status = 200, body = [RequestItem]), (status = 400, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Vec<RequestItem>>, Refusal> {
    let Query(wanted) = wanted?;
    let read = |text: &String| Timestamp::parse(text).ok_or_else(|| Refusal::bad("since: 2026-01-01T00:00:00Z"));
    let since = wanted.since.as_ref().map(read).transpose()?;
    let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
    let is_wanted = |request: &Recorded| {
        is(&wanted.action, &request.action)
            && is(&wanted.code, &request.code)
            && is(&wanted.account, &request.account)
            && since.is_none_or(|since| request.time >= since)
            && wanted.after.is_none_or(|after| request.number > after)
    };
    let found = app.levers.requests.list(wanted.limit.unwrap_or(usize::MAX), is_wanted);
    Ok(Json(found.into_iter().map(RequestItem::from).collect()))
}

/// Forgets all requests.
#[utoipa::path(delete, path = "/requests", responses((status = 200, body = Removed)))]
pub async fn clear(State(app): State<Arc<App>>) -> Json<Removed> {
    Json(Removed { removed: app.levers.requests.clear() })
}
