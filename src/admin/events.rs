//! Levers that tell what happened: a list with a cursor and a live stream; no delivery of their own.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use super::moment::Moment;
use super::{Problem, Refusal};
use crate::App;
use crate::faults::Fault;
use crate::store::Operation;
use crate::store::events::{self, Event, Selection};
use crate::store::tx::{Context, Tx};

/// Events in one answer where no number is given, and at most.
const USUAL: i64 = 100;
const MOST: i64 = 10_000;

/// Which events are meant.
#[derive(Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Those with a higher number than this one.
    after: Option<i64>,
    /// At most so many: 100 where nothing is said, 10000 at most.
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<i64>,
    /// A name such as Snapshot:CreateSnapshotCompleted; `*` stands for any characters.
    name: Option<String>,
    /// The id of the resource.
    resource: Option<String>,
    /// The id of the account.
    account: Option<String>,
}

/// A change that happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Told {
    /// Its number: later events have higher ones.
    pub event_id: i64,
    pub account_id: String,
    pub region_id: String,
    /// The vendor's form, such as Snapshot:CreateSnapshotCompleted.
    pub name: String,
    pub resource_id: String,
    pub occurred_at: Moment,
    /// More about it, mostly the new status or the reason.
    pub detail: String,
}

impl From<Event> for Told {
    fn from(event: Event) -> Self {
        let Event { event_id, account_id, region_id, name, resource_id, occurred_at, detail } = event;
        Self { event_id, account_id, region_id, name, resource_id, occurred_at: occurred_at.into(), detail }
    }
}

/// Events and where to go on.
#[derive(Serialize, ToSchema)]
pub struct Events {
    events: Vec<Told>,
    /// What to give as `after` for those that follow.
    next: i64,
}

impl Wanted {
    fn selection(self) -> Result<Selection, Refusal> {
        let limit = self.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Refusal::bad(format!("limit: a number from 1 to {MOST}")));
        }
        let text = Option::unwrap_or_default;
        let (name, resource_id, account_id) = (text(self.name), text(self.resource), text(self.account));
        Ok(Selection { after: self.after.unwrap_or(0), limit, name, resource_id, account_id })
    }
}

struct List(Selection);

impl Operation for List {
    type Output = Vec<Event>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Event>, Fault> {
        events::list(tx, &self.0).await
    }
}

/// Reads events for whoever asks outside of an action.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn read(app: &App, selection: Selection) -> Result<Vec<Event>, Fault> {
    app.store.read(&Context::engine(), &List(selection)).await
}

/// Lists what happened, oldest first.
#[utoipa::path(get, path = "/events", params(Wanted),
    responses((status = 200, body = Events), (status = 400, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Events>, Refusal> {
    let selection = wanted?.0.selection()?;
    let after = selection.after;
    let events: Vec<Told> = read(&app, selection).await?.into_iter().map(Told::from).collect();
    let next = events.last().map_or(after, |event| event.event_id);
    Ok(Json(Events { events, next }))
}

/// Tells events as they happen, as server-sent events whose ids are their numbers.
///
/// Begins after `Last-Event-ID` or `after`, else with the next one that happens.
#[utoipa::path(get, path = "/events/stream", params(Wanted),
    responses((status = 200, body = Told, content_type = "text/event-stream"), (status = 400, body = Problem)))]
pub async fn stream(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Refusal> {
    let wanted = wanted?.0;
    let resumed = match headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default().parse()) {
        Some(Ok(number)) => Some(number),
        Some(Err(_)) => return Err(Refusal::bad("Last-Event-ID: the number of an event")),
        None => wanted.after,
    };
    let last_event = app.store.last_event();
    let from = resumed.unwrap_or_else(|| *last_event.borrow());
    let selection = Selection { after: from, ..wanted.selection()? };
    let following = Following { app, selection, last_event, ready: VecDeque::new() };
    let stream = futures_util::stream::unfold(following, |mut following| async {
        let event = following.next().await?;
        Some((Ok(event), following))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// Where a listener is.
struct Following {
    app: Arc<App>,
    selection: Selection,
    last_event: watch::Receiver<i64>,
    ready: VecDeque<Event>,
}

impl Following {
    /// The next event as it goes out; `None` when the daemon stops or the store fails.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                let told = Told::from(event);
                return sse::Event::default().id(told.event_id.to_string()).event(&told.name).json_data(&told).ok();
            }
            let newest = *self.last_event.borrow_and_update();
            if newest <= self.selection.after {
                tokio::select! {
                    changed = self.last_event.changed() => changed.ok()?,
                    () = self.app.signals.stopped() => return None,
                }
                continue;
            }
            self.ready = read(&self.app, self.selection.clone()).await.ok()?.into();
            // Without a full answer nothing up to the newest is left.
            let is_all = self.ready.len() < usize::try_from(self.selection.limit).unwrap_or_default();
            let told = self.ready.back().map_or(0, |event| event.event_id);
            self.selection.after = if is_all { newest.max(told) } else { told };
        }
    }
}
