//! Webhooks: levers that add and remove them, and the tasks that deliver events to them; the store keeps their places.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use http_body_util::Full;
use hyper::Request;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use utoipa::ToSchema;

use super::events::{Told, read};
use super::{Named, Problem, Refusal, body, check_name};
use crate::App;
use crate::faults::Fault;
use crate::store::Operation;
use crate::store::events::Selection;
use crate::store::row_locks::RowLocks;
use crate::store::tx::{Context, Tx};
use crate::store::webhooks::{self, Webhook};
use crate::wire::client;

/// Events delivered between two looks at the store.
const EVENTS_AT_ONCE: i64 = 100;
/// The first pause after a failed delivery; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A webhook to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Letters, digits, `-`, `_` and `.`, 64 at most.
    name: String,
    /// Plain HTTP: http://HOST:PORT/PATH. Each event comes as a POST with a JSON body.
    url: String,
    /// Only events of this name; `*` stands for any characters.
    #[serde(default)]
    event_name: String,
    /// Only events of this resource.
    #[serde(default)]
    resource_id: String,
    /// Only events of this account.
    #[serde(default)]
    account_id: String,
    /// Begins with the event after this one; else with the next one that happens.
    after: Option<i64>,
}

/// A webhook that is there.
#[derive(Serialize, ToSchema)]
pub struct WebhookView {
    name: String,
    url: String,
    event_name: String,
    resource_id: String,
    account_id: String,
    /// The number of the last event that was delivered, or passed over.
    position: i64,
    /// How many events were forgotten before it was told of them: it was too far behind.
    lost: i64,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        let Webhook { name, url, event_name, resource_id, account_id, position, lost } = webhook;
        Self { name, url, event_name, resource_id, account_id, position, lost }
    }
}

struct List;

impl Operation for List {
    type Output = Vec<Webhook>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Webhook>, Fault> {
        webhooks::all(tx).await
    }
}

/// What is done to a webhook.
enum Change {
    Insert(Webhook),
    Delete(String),
    GoOn { name: String, from: i64, to: i64 },
}

impl Operation for Change {
    type Output = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        match self {
            Self::Insert(webhook) => webhooks::insert(tx, webhook).await,
            Self::Delete(name) => webhooks::delete(tx, name).await,
            Self::GoOn { name, from, to } => webhooks::go_on(tx, name, *from, *to).await,
        }
    }
}

async fn change(app: &App, change: Change) -> Result<bool, Fault> {
    app.store.write(Context::engine(), RowLocks::none(), change).await
}

/// Lists the webhooks.
#[utoipa::path(get, path = "/webhooks", responses((status = 200, body = Vec<WebhookView>)))]
pub async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<WebhookView>>, Refusal> {
    let webhooks = app.store.read(&Context::engine(), &List).await?;
    Ok(Json(webhooks.into_iter().map(WebhookView::from).collect()))
}

/// Adds a webhook: from now on each event is posted to it, at least once, in order, again and again until it is taken.
#[utoipa::path(post, path = "/webhooks", request_body = NewWebhook,
    responses((status = 200, body = WebhookView), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn add(State(app): State<Arc<App>>, bytes: Bytes) -> Result<Json<WebhookView>, Refusal> {
    let NewWebhook { name, url, event_name, resource_id, account_id, after } = body::json(&bytes)?;
    check_name("name", &name)?;
    if target(&url).is_none() {
        return Err(Refusal::bad("url: an address such as http://127.0.0.1:8080/events"));
    }
    let position = after.unwrap_or_else(|| *app.store.last_event().borrow());
    let webhook = Webhook { name, url, event_name, resource_id, account_id, position, lost: 0 };
    if !change(&app, Change::Insert(webhook.clone())).await? {
        return Err(Refusal::conflict("a webhook of this name is there"));
    }
    app.signals.webhooks_changed.notify_one();
    Ok(Json(webhook.into()))
}

/// Removes a webhook; what was not delivered never will be.
#[utoipa::path(delete, path = "/webhooks/{name}", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(State(app): State<Arc<App>>, Named(name): Named<String>) -> Result<StatusCode, Refusal> {
    if !change(&app, Change::Delete(name.clone())).await? {
        return Err(Refusal::absent("there is no such webhook"));
    }
    app.signals.removed_webhooks.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    app.signals.webhooks_changed.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// Where to connect and what to ask for.
fn target(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"))?;
    let host = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Some((host, path.to_owned()))
}

/// Keeps one task for each webhook, until it is dropped itself.
pub async fn run(app: Arc<App>) {
    let mut delivering = Delivering::default();
    loop {
        // One that was removed and added again under its name begins anew.
        for name in std::mem::take(&mut *app.signals.removed_webhooks.lock().unwrap_or_else(PoisonError::into_inner)) {
            delivering.end(&name);
        }
        match app.store.read(&Context::engine(), &List).await {
            Ok(webhooks) => delivering.follow(&app, webhooks),
            Err(error) => tracing::error!(?error, "the webhooks cannot be read; they are read again"),
        }
        tokio::select! {
            () = app.signals.webhooks_changed.notified() => {}
            () = tokio::time::sleep(LONGEST_PAUSE) => {}
        }
    }
}

/// The tasks by the names of their webhooks, each with what it was made for; they end with this value.
#[derive(Default)]
struct Delivering(HashMap<String, (Webhook, JoinHandle<()>)>);

impl Delivering {
    fn end(&mut self, name: &str) {
        if let Some((_, task)) = self.0.remove(name) {
            task.abort();
        }
    }

    fn follow(&mut self, app: &Arc<App>, webhooks: Vec<Webhook>) {
        let is_same = |a: &Webhook, b: &Webhook| {
            let alike = |webhook: &Webhook| Webhook { position: 0, lost: 0, ..webhook.clone() };
            alike(a) == alike(b)
        };
        self.0.retain(|_, (old, task)| {
            let stays = !task.is_finished() && webhooks.iter().any(|webhook| is_same(old, webhook));
            if !stays {
                task.abort();
            }
            stays
        });
        for webhook in webhooks {
            let task = || tokio::spawn(deliver(Arc::clone(app), webhook.clone()));
            self.0.entry(webhook.name.clone()).or_insert_with(|| (webhook.clone(), task()));
        }
    }
}

impl Drop for Delivering {
    fn drop(&mut self) {
        self.0.values().for_each(|(_, task)| task.abort());
    }
}

/// Posts events to one webhook, one after the other; ends when the store is closed or the webhook is another one.
async fn deliver(app: Arc<App>, webhook: Webhook) {
    let mut last_event = app.store.last_event();
    let Some((host, path)) = target(&webhook.url) else { return };
    let mut position = webhook.position;
    loop {
        let selection = Selection { after: position, ..webhook.outstanding(EVENTS_AT_ONCE) };
        last_event.mark_unchanged();
        let Ok(events) = read(&app, selection).await else { return };
        if events.is_empty() {
            if last_event.changed().await.is_err() {
                return;
            }
            continue;
        }
        for event in events {
            let (from, to) = (position, event.event_id);
            post_until_taken(&webhook, &host, &path, &event.into()).await;
            position = to;
            // Stored after each: what comes twice after a crash is one event.
            if !matches!(change(&app, Change::GoOn { name: webhook.name.clone(), from, to }).await, Ok(true)) {
                return;
            }
        }
    }
}

async fn post_until_taken(webhook: &Webhook, host: &str, path: &str, event: &Told) {
    let mut pause = FIRST_PAUSE;
    loop {
        let posting = tokio::time::timeout(PATIENCE, post(host, path, event));
        let why = match posting.await {
            Ok(Ok(status)) if status.is_success() => return,
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(webhook = webhook.name, event = event.event_id, why, "an event was not taken; it is sent again");
        tokio::time::sleep(pause).await;
        pause = longer(pause);
    }
}

/// The pause after one that did not help.
fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

async fn post(host: &str, path: &str, event: &Told) -> Result<StatusCode, client::Unanswered> {
    let request = Request::post(path)
        .header("host", host)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(event)?)))?;
    Ok(client::send(host, request).await?.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<u128> = std::iter::successors(Some(FIRST_PAUSE), |pause| Some(longer(*pause)))
            .map(|p| p.as_millis())
            .take(11)
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    }

    #[test]
    fn webhooks_speak_plain_http() {
        let told = |host: &str, path: &str| Some((host.to_owned(), path.to_owned()));
        assert_eq!(target("http://127.0.0.1:9000/a?b=c"), told("127.0.0.1:9000", "/a?b=c"));
        assert_eq!(target("http://bench"), told("bench:80", "/"));
        for bad in ["https://127.0.0.1/", "127.0.0.1:9000", "/hook", "http://", ""] {
            assert_eq!(target(bad), None, "{bad}");
        }
    }
}
