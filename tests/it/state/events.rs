//! Events as a list, as a stream and by webhooks.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::{Json, Router, routing};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use snapshotd::admin::webhooks;
use snapshotd::wire::http;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::support::TestApp;
use crate::support::daemon::PATIENCE;

#[tokio::test]
async fn events_are_listed_from_a_cursor_and_by_what_they_are_about() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let snapshot = app.accomplished_snapshot(&disk).await;
    let all = app.moved("GET", "/events", Value::Null).await;
    let names: Vec<&str> =
        all["events"].as_array().expect("a list").iter().filter_map(|e| e["name"].as_str()).collect();
    assert_eq!(names, ["Disk:CreateDiskStarted", "Snapshot:CreateSnapshotStarted", "Snapshot:CreateSnapshotCompleted"]);
    assert_eq!(all["events"][2]["occurred_at"], "2026-01-01T00:00:02.000Z");
    let rest = app.moved("GET", &format!("/events?after={}", all["events"][0]["event_id"]), Value::Null).await;
    assert_eq!(rest["events"].as_array().map(Vec::len), Some(2));
    assert_eq!(rest["next"], all["next"]);
    let one = app.moved("GET", &format!("/events?resource={snapshot}&limit=1"), Value::Null).await;
    assert_eq!(one["events"].as_array().map(Vec::len), Some(1));
    let completed = app.moved("GET", "/events?name=Snapshot:*Completed", Value::Null).await;
    assert_eq!(completed["events"].as_array().map(Vec::len), Some(1));
    let none = app.moved("GET", "/events?account=1000000000000002&after=1", Value::Null).await;
    assert_eq!((none["events"].as_array().map(Vec::len), &none["next"]), (Some(0), &json!(1)));
    app.unmoved("GET", "/events?limit=0", "", 400, "1 to 10000").await;
    app.unmoved("GET", "/events?nmae=x", "", 400, "nmae").await;
}

/// The ids of the first events of a stream.
async fn first_ids(app: &TestApp, last_id: &str, count: usize) -> Vec<String> {
    let request = Request::get("/_snapshotd/events/stream?name=Snapshot:*").header("host", "localhost");
    let request = request.header("last-event-id", last_id).body(Body::empty()).expect("a request");
    let response = http::router(app.app().clone()).oneshot(request).await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut frames = response.into_body().into_data_stream();
    let mut ids = Vec::new();
    while ids.len() < count {
        let frame = frames.next().await.expect("more").expect("a frame");
        let text = String::from_utf8(frame.to_vec()).expect("text");
        ids.extend(text.lines().filter_map(|line| line.strip_prefix("id: ").map(str::to_owned)));
    }
    ids
}

#[tokio::test]
async fn a_stream_tells_what_happens_and_is_resumed_where_it_ended() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let (told, ()) = tokio::join!(first_ids(&app, "0", 2), async {
        app.accomplished_snapshot(&disk).await;
    });
    assert_eq!(told, ["2", "3"]);
    assert_eq!(first_ids(&app, "2", 1).await, ["3"]);
    let begun = app.lever_response("GET", "/events/stream", "").await.into_body().into_data_stream();
    app.app().signals.stop();
    assert_eq!(begun.count().await, 0, "it ends when the daemon does, and what was before is not told");
}

/// A receiver that refuses each event the first time; what it took.
pub struct Receiver {
    pub url: String,
    events: Arc<Mutex<Vec<Value>>>,
    serving: JoinHandle<()>,
}

type Posted = (Arc<Mutex<Vec<Value>>>, Arc<Mutex<Vec<Value>>>);

async fn receive(State((refused, taken)): State<Posted>, Json(event): Json<Value>) -> StatusCode {
    let id = event["event_id"].clone();
    let mut refused = refused.lock().expect("unpoisoned");
    if !refused.contains(&id) {
        refused.push(id);
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    taken.lock().expect("unpoisoned").push(event);
    StatusCode::NO_CONTENT
}

impl Receiver {
    pub async fn start() -> Self {
        let taken = Arc::new(Mutex::default());
        let state: Posted = (Arc::default(), Arc::clone(&taken));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook?a=b", listener.local_addr().expect("an address"));
        let router = Router::new().route("/hook", routing::post(receive)).with_state(state);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, events: taken, serving }
    }

    /// The events that came, once there are so many; what comes twice after a restart is one.
    pub async fn taken(&self, count: usize) -> Vec<Value> {
        let coming = async {
            loop {
                let mut taken = self.events.lock().expect("unpoisoned").clone();
                taken.dedup();
                if taken.len() >= count {
                    return taken;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, coming).await.expect("they come in time")
    }

    async fn names_of(&self, count: usize) -> Vec<String> {
        let taken = self.taken(count).await;
        taken.iter().map(|event| event["name"].as_str().expect("a name").to_owned()).collect()
    }
}

#[tokio::test]
async fn a_webhook_is_told_each_event_in_order_though_it_refuses_and_the_daemon_starts_anew() {
    let mut app = TestApp::new().await;
    let receiver = Receiver::start().await;
    let hook = json!({"name": "bench", "url": receiver.url, "event_name": "Snapshot:*"});
    app.moved("POST", "/webhooks", hook.clone()).await;
    app.unmoved("POST", "/webhooks", &hook.to_string(), 409, "there").await;
    let disk = app.attached_disk().await;
    let delivering = tokio::spawn(webhooks::run(Arc::clone(app.app())));
    let snapshot = app.accomplished_snapshot(&disk).await;
    let told = receiver.names_of(2).await;
    assert_eq!(told, ["Snapshot:CreateSnapshotStarted", "Snapshot:CreateSnapshotCompleted"]);
    delivering.abort();
    app.ok("DeleteSnapshot", &[("SnapshotId", &snapshot)]).await;
    app.restart().await;
    let delivering = tokio::spawn(webhooks::run(Arc::clone(app.app())));
    let told = receiver.names_of(3).await;
    assert_eq!(told.last().map(String::as_str), Some("Snapshot:DeleteSnapshotCompleted"), "{told:?}");
    delivering.abort();
    receiver.serving.abort();
    app.moved("DELETE", "/webhooks/bench", Value::Null).await;
    app.unmoved("DELETE", "/webhooks/bench", "", 404, "no such").await;
    assert_eq!(app.moved("GET", "/webhooks", Value::Null).await, json!([]));
}

#[tokio::test]
async fn a_webhook_that_is_added_again_begins_anew() {
    let app = TestApp::new().await;
    let receiver = Receiver::start().await;
    let hook = json!({"name": "bench", "url": receiver.url, "after": 0});
    let delivering = tokio::spawn(webhooks::run(Arc::clone(app.app())));
    let disk = app.attached_disk().await;
    app.accomplished_snapshot(&disk).await;
    for round in 1..=2 {
        app.moved("POST", "/webhooks", hook.clone()).await;
        let taken = receiver.taken(3 * round).await;
        let numbers: Vec<Option<i64>> = taken.iter().map(|event| event["event_id"].as_i64()).collect();
        assert_eq!(numbers, [Some(1), Some(2), Some(3)].repeat(round));
        app.moved("DELETE", "/webhooks/bench", Value::Null).await;
    }
    delivering.abort();
    receiver.serving.abort();
}

#[tokio::test]
async fn what_is_no_webhook_is_refused_with_its_place() {
    let app = TestApp::new().await;
    for (body, words) in [
        (json!({"name": "a", "url": "https://127.0.0.1/"}), "url: "),
        (json!({"name": "a", "url": "127.0.0.1:80"}), "url: "),
        (json!({"name": "../a", "url": "http://127.0.0.1/"}), "name: "),
        (json!({"name": "a"}), "url"),
        (json!({"name": "a", "url": "http://127.0.0.1/", "after": "x"}), "after: "),
    ] {
        app.unmoved("POST", "/webhooks", &body.to_string(), 400, words).await;
    }
}

/// So many events more.
async fn happen(app: &TestApp, disk: &str, count: usize) {
    for i in 0..count {
        let name = format!("name-{i}");
        app.ok("ModifyDiskAttribute", &[("DiskId", disk), ("DiskName", &name)]).await;
    }
}

#[tokio::test]
async fn events_that_a_webhook_is_yet_to_be_told_are_kept_for_it_ten_times_as_long_and_then_counted_as_lost() {
    let app = TestApp::with(|config| config.limits.events = 10).await;
    let disk = app.attached_disk().await;
    let hook =
        |name: &str, only: &str| json!({"name": name, "url": "http://127.0.0.1:9/", "event_name": only, "after": 0});
    for (name, only) in [("all", ""), ("snapshots", "Snapshot:*")] {
        app.moved("POST", "/webhooks", hook(name, only)).await;
    }
    app.accomplished_snapshot(&disk).await;
    let oldest = "SELECT MIN(event_id) FROM events WHERE '' = $1";
    happen(&app, &disk, 80).await;
    assert_eq!(app.numbers(oldest, "").await, [1], "nothing is forgotten that a webhook waits for");
    happen(&app, &disk, 60).await;
    let last = *app.app().store.last_event().borrow();
    let kept = app.numbers(oldest, "").await[0];
    assert!((90..=110).contains(&(last - kept)), "{kept} of {last}");
    let shown = app.moved("GET", "/webhooks", Value::Null).await;
    assert_eq!((&shown[0]["lost"], &shown[1]["lost"]), (&json!(kept - 1), &json!(2)), "{shown}");
    app.moved("DELETE", "/webhooks/all", Value::Null).await;
    happen(&app, &disk, 20).await;
    let kept = app.numbers(oldest, "").await[0];
    let last = *app.app().store.last_event().borrow();
    assert!(last - kept <= 20, "{kept} of {last}: a webhook of other events keeps none of these");
}
