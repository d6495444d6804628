//! The clock of the resources: shown, changed and moved; how it runs and what happens on the way is in `lifecycle/engine.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Problem, Refusal};
use crate::App;
use crate::clock::{Mode, Timestamp, parse_span};
use crate::config::{self, ClockMode, RATES};
use crate::faults::{Fault, fault};
use crate::lifecycle::engine::{self, Advanced, END_OF_TIME};

/// How far one advance goes at most: what is meant to be a day and is a million years would never end.
const MOST_MS: i64 = 36_525 * 86_400_000;

/// The clock as it stands.
#[derive(Serialize, ToSchema)]
pub struct ClockStatus {
    /// The present instant of the resources, UTC.
    now: String,
    /// What the machine's clock says; signatures are judged by it whatever the clock of the resources says.
    wall_now: String,
    /// system, scaled or manual.
    mode: &'static str,
    /// Seconds that pass in a second of the machine's; 0 while it stands still.
    factor: f64,
    /// When the next thing happens; absent where nothing is to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_due: Option<String>,
    /// What happens next, the earliest first.
    upcoming: Vec<Upcoming>,
    /// Whether all that fell due before the start of the daemon has happened.
    is_ready: bool,
}

/// Something that is to happen.
#[derive(Serialize, ToSchema)]
pub struct Upcoming {
    due_at: String,
    /// What it does, such as snapshot_finish.
    kind: String,
    /// The id that it is about.
    resource: String,
}

/// How much to show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Shown {
    /// The next so many things that happen, 0 to 1000. [default: 10]
    #[param(minimum = 0, maximum = 1000)]
    limit: Option<i64>,
}

/// How the clock is to run.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMode {
    /// system, scaled or manual.
    #[schema(value_type = String)]
    pub mode: ClockMode,
    /// Seconds to each second of the machine's, 0.001 to 1000000; for scaled, which needs it.
    #[serde(default)]
    pub factor: Option<f64>,
}

/// Where the clock is to go: one of the two.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// So far from where it stands: whole numbers with w, d, h, m, s or ms, such as 30d, 90m or 1h30m.
    #[serde(default)]
    pub by: Option<String>,
    /// To this instant, RFC 3339.
    #[serde(default)]
    pub to: Option<String>,
}

/// What an advance did.
#[derive(Serialize, ToSchema)]
pub struct AdvanceReport {
    from: String,
    to: String,
    /// Timers that fired on the way.
    firings: i64,
    /// Timers that could not fire and are tried again, a minute later first and ever more seldom then; the log says why.
    failures: i64,
    /// How often each event happened.
    events: BTreeMap<&'static str, i64>,
    /// The number of the first event on the way, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_event: Option<i64>,
    /// The number of the last event ever.
    last_event: i64,
    /// Milliseconds that it took, waiting for other advances included.
    took_ms: u64,
}

/// Shows what the clock says, how it runs and what happens next.
#[utoipa::path(get, path = "/clock", params(Shown),
    responses((status = 200, body = ClockStatus), (status = 400, body = Problem)))]
pub async fn show(
    State(app): State<Arc<App>>,
    shown: Result<Query<Shown>, QueryRejection>,
) -> Result<Json<ClockStatus>, Refusal> {
    let limit = shown?.0.limit.unwrap_or(10);
    if !(0..=1_000).contains(&limit) {
        return Err(Refusal::bad("limit: 0 to 1000"));
    }
    status(&app, limit).await
}

async fn status(app: &App, limit: i64) -> Result<Json<ClockStatus>, Refusal> {
    // The read comes first: it lets happen what is due by now.
    let upcoming = engine::upcoming(app, limit).await?;
    let status = engine::status(app);
    let item = |timer: crate::store::timers::Timer| Upcoming {
        due_at: timer.due_at.to_millis(),
        kind: timer.kind,
        resource: timer.resource_id,
    };
    #[expect(clippy::cast_precision_loss, reason = "paces are small")]
    let factor = status.mode.pace() as f64 / 1_000.0;
    Ok(Json(ClockStatus {
        now: status.now.to_millis(),
        wall_now: status.wall_now.to_millis(),
        mode: match status.mode {
            Mode::System => "system",
            Mode::Scaled(_) => "scaled",
            Mode::Manual => "manual",
        },
        factor,
        next_due: status.next_due.map(Timestamp::to_millis),
        upcoming: upcoming.into_iter().map(item).collect(),
        is_ready: status.is_ready,
    }))
}

/// Lets the clock run in another way, from the present instant on and beyond restarts.
#[utoipa::path(post, path = "/clock/mode", request_body = NewMode,
    responses((status = 200, body = ClockStatus), (status = 400, body = Problem)))]
pub async fn set_mode(
    State(app): State<Arc<App>>,
    new: Result<Json<NewMode>, JsonRejection>,
) -> Result<Json<ClockStatus>, Refusal> {
    let Json(NewMode { mode, factor }) = new?;
    let mode = match (mode, factor) {
        (ClockMode::System, None) => Mode::System,
        (ClockMode::Manual, None) => Mode::Manual,
        (ClockMode::Scaled, Some(factor)) if RATES.contains(&factor) => config::scaled(factor),
        (ClockMode::Scaled, _) => {
            return Err(Refusal::bad(format!(
                "factor: a scaled clock needs one, {} to {}",
                RATES.start(),
                RATES.end()
            )));
        }
        _ => return Err(Refusal::bad("factor: for a scaled clock only")),
    };
    engine::set_mode(&app, mode).await?;
    status(&app, 10).await
}

/// Stops the clock where it stands.
#[utoipa::path(post, path = "/clock/freeze", responses((status = 200, body = ClockStatus)))]
pub async fn freeze(State(app): State<Arc<App>>) -> Result<Json<ClockStatus>, Refusal> {
    engine::freeze(&app).await?;
    status(&app, 10).await
}

/// Lets a clock that stands still run on as it ran before, else as it is configured, else as the machine's.
#[utoipa::path(post, path = "/clock/thaw", responses((status = 200, body = ClockStatus)))]
pub async fn thaw(State(app): State<Arc<App>>) -> Result<Json<ClockStatus>, Refusal> {
    engine::thaw(&app).await?;
    status(&app, 10).await
}

/// Moves the clock on, in whatever mode, and lets all happen that is due on the way; it runs on from there.
///
/// Answered when all has happened. Calls are served meanwhile, and what is due when one comes is not told of here; another
/// advance waits its turn. It goes on to its end even
/// where the caller hangs up.
#[utoipa::path(post, path = "/clock/advance", request_body = Destination,
    responses((status = 200, body = AdvanceReport), (status = 400, body = Problem)))]
pub async fn advance(
    State(app): State<Arc<App>>,
    destination: Result<Json<Destination>, JsonRejection>,
) -> Result<Json<AdvanceReport>, Refusal> {
    let Json(destination) = destination?;
    let begun = Instant::now();
    let advanced = match goal(app.clock.now(), &destination)? {
        Goal::By(millis) => to_the_end(async move { engine::advance_by(&app, millis).await }).await?,
        Goal::To(instant) => to_the_end(async move { engine::advance(&app, instant).await }).await?,
    };
    Ok(Json(report(advanced, begun)))
}

/// Moves the clock to the next thing that happens.
#[utoipa::path(post, path = "/clock/next",
    responses((status = 200, body = AdvanceReport), (status = 409, body = Problem, description = "Nothing is to come")))]
pub async fn next(State(app): State<Arc<App>>) -> Result<Json<AdvanceReport>, Refusal> {
    let begun = Instant::now();
    let advanced = to_the_end(async move { engine::advance_to_next(&app).await }).await?;
    let advanced = advanced.ok_or_else(|| Refusal::conflict("nothing is to come"))?;
    Ok(Json(report(advanced, begun)))
}

/// Does `work` in a task of its own, which a caller that hangs up does not stop.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(fault("ServiceUnavailable")))
}

enum Goal {
    By(i64),
    To(Timestamp),
}

/// Where an advance goes, if it makes sense.
fn goal(now: Timestamp, destination: &Destination) -> Result<Goal, Refusal> {
    let (goal, to) = match (&destination.by, &destination.to) {
        (Some(by), None) => {
            let span = parse_span(by).ok_or_else(|| {
                Refusal::bad(format!("by: {by:?} is no length of time such as 30d, 90m or 1h30m (w, d, h, m, s, ms)"))
            })?;
            (Goal::By(span), now.plus_millis(span))
        }
        (None, Some(to)) => {
            let instant = Timestamp::parse_any(to).ok_or_else(|| {
                Refusal::bad(format!("to: {to:?} is no instant of RFC 3339 such as 2027-01-01T00:00:00Z"))
            })?;
            (Goal::To(instant), instant)
        }
        _ => return Err(Refusal::bad("by or to: one of them")),
    };
    if to < now {
        return Err(Refusal::bad(format!("to: it is {} already, and time never runs backwards", now.to_millis())));
    }
    if to.since(now) > MOST_MS || to >= END_OF_TIME {
        return Err(Refusal::bad("an advance is of 100 years at most, and time ends with the year 9998"));
    }
    Ok(goal)
}

fn report(advanced: Advanced, begun: Instant) -> AdvanceReport {
    let Advanced { from, to, happened } = advanced;
    AdvanceReport {
        from: from.to_millis(),
        to: to.to_millis(),
        firings: happened.firings,
        failures: happened.failures,
        events: happened.events,
        first_event: happened.first_event,
        last_event: happened.last_event,
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
