//! The whole app in process, with a file database, a clock moved by hand and seeded ids; judged at every answer and at its end.

pub mod answer;
pub mod contract;
pub mod daemon;
pub mod database;
#[cfg(target_os = "linux")]
pub mod disk;
#[cfg(target_os = "linux")]
pub mod faultfs;
pub mod invariants;
pub mod judge;
pub mod lever;
pub mod load;
pub mod random;
pub mod request;
pub mod seed;
pub mod seen;
pub mod update;

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use snapshotd::App;
use snapshotd::clock::{Clock, Timestamp};
use snapshotd::config::{AccessKey, Account, Config};
use snapshotd::lifecycle::engine;
use snapshotd::wire::http;
use tempfile::TempDir;
use tower::ServiceExt as _;

use answer::Answer;
use request::Request;

/// Where every test's clock begins, and the wall clock that its requests are signed by.
pub const START: &str = "2026-01-01T00:00:00Z";
pub const ACCOUNT: &str = "1000000000000001";
pub const OTHER_ACCOUNT: &str = "1000000000000002";
/// A key of each account.
pub const KEY: (&str, &str) = ("testid", "testsecret");
pub const OTHER_KEY: (&str, &str) = ("otherid", "othersecret");
pub const REGION: &str = "cn-hangzhou";
pub const OTHER_REGION: &str = "cn-beijing";

pub fn start() -> Timestamp {
    Timestamp::parse(START).expect("a time")
}

/// The seed of a run, that of the environment, else any; printed, so that the run can be told again.
pub fn run_seed() -> u64 {
    let seed = random::told().unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
    println!("SNAPSHOTD_TEST_SEED={seed}");
    seed
}

/// The app under test.
pub struct TestApp {
    app: Option<Arc<App>>,
    /// Of that app; made once, since it is made of much.
    router: Option<Router>,
    config: Config,
    folder: TempDir,
    /// Ids that successful calls gave out.
    created: Mutex<BTreeSet<String>>,
    /// The name of the test that it is made for.
    test: String,
    serial: AtomicU64,
    /// Whether 500 `InternalError` may be answered: only where the test itself breaks the store.
    broken: AtomicBool,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With a configuration of its own.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::embedded();
        config.data_dir = folder.path().join("data");
        config.seed.ids = 42;
        let key = |(id, secret): (&str, &str), token: Option<&str>, disabled| AccessKey {
            id: id.to_owned(),
            secret: secret.to_owned(),
            security_token: token.map(str::to_owned),
            disabled,
        };
        let account = |id: &str, name: &str, keys| Account { id: id.to_owned(), name: name.to_owned(), keys };
        let first = vec![
            key(KEY, None, false),
            key(("stsid", "stssecret"), Some("ststoken"), false),
            key(("offid", "offsecret"), None, true),
        ];
        config.accounts = vec![
            account(ACCOUNT, "default", first),
            account(OTHER_ACCOUNT, "other", vec![key(OTHER_KEY, None, false)]),
        ];
        change(&mut config);
        let app = open(&config, start()).await;
        Self {
            router: Some(http::router(Arc::clone(&app))),
            app: Some(app),
            config,
            folder,
            created: Mutex::default(),
            test: std::thread::current().name().unwrap_or_default().to_owned(),
            serial: AtomicU64::new(0),
            broken: AtomicBool::new(false),
        }
    }

    pub fn app(&self) -> &Arc<App> {
        self.app.as_ref().expect("it is open between the calls of a test")
    }

    pub fn now(&self) -> Timestamp {
        self.app().clock.now()
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("data/snapshotd.db")
    }

    /// A number that no other call gave.
    pub fn next_number(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Calls an action as the first account, JSON, signature v1.
    pub async fn call(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        self.send(Request::new(action, params)).await
    }

    /// As [`TestApp::call`] with another account's key.
    pub async fn call_as(&self, key: (&str, &str), action: &str, params: &[(&str, &str)]) -> Answer {
        self.send(Request::new(action, params).key(key)).await
    }

    /// Calls an action that must succeed; its answer as JSON.
    pub async fn ok(&self, action: &str, params: &[(&str, &str)]) -> serde_json::Value {
        self.call(action, params).await.accepted()
    }

    /// Calls an action that must be refused with this status and code.
    pub async fn refused(&self, action: &str, params: &[(&str, &str)], status: u16, code: &str) -> Answer {
        self.call(action, params).await.refused(status, code)
    }

    /// As [`TestApp::call`] with the answer in XML.
    pub async fn xml(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        self.send(Request::new(action, params).format("XML")).await
    }

    /// Sends a signed request.
    pub async fn send(&self, request: Request) -> Answer {
        let sent = request.sent();
        self.exchange(request.build(), sent).await
    }

    /// Sends any request; `sent` is what the judge is to know of it.
    pub async fn exchange(&self, request: axum::http::Request<Body>, sent: request::Sent) -> Answer {
        let router = self.router.clone().expect("it is open between the calls of a test");
        let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
        let answer = Answer::receive(sent, response).await;
        seen::log(&self.test, &answer, &judge::judge(&answer));
        let internal = answer.status >= 500 && !self.broken.load(Ordering::Relaxed);
        assert!(!internal, "{} failed: {}", answer.sent.action, answer.text);
        if answer.status == 200 && answer.sent.makes_something() {
            self.created.lock().expect("unpoisoned").extend(answer.ids());
        }
        answer
    }

    /// From here on the test breaks the store and 500 is no failure of its own.
    pub fn expect_breakage(&self, expected: bool) {
        self.broken.store(expected, Ordering::Relaxed);
    }

    /// Moves the clock on: `90s`, `5m`, `1h`, `30d`; what is due by then has happened afterwards.
    pub async fn advance(&self, span: &str) {
        let (number, unit) = span.split_at(span.len() - 1);
        let number: i64 = number.parse().expect("a number before the unit");
        let seconds = match unit {
            "s" => number,
            "m" => number * 60,
            "h" => number * 3_600,
            "d" => number * 86_400,
            _ => panic!("no such unit: {unit}"),
        };
        self.advance_to(self.now().plus_millis(seconds * 1_000)).await;
    }

    pub async fn advance_to(&self, instant: Timestamp) {
        engine::advance(self.app(), instant).await.expect("the clock can be moved");
    }

    /// Closes and opens again with another configuration, at the same instant.
    pub async fn reconfigure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.restart().await;
    }

    /// Closes and opens again, at the same instant.
    pub async fn restart(&mut self) {
        let now = self.now();
        self.reopen_at(now).await;
    }

    /// Closes and opens again with a clock that knows only what the database knows.
    pub async fn reopen(&mut self) {
        self.reopen_at(start()).await;
    }

    async fn reopen_at(&mut self, now: Timestamp) {
        self.reopen_with(Clock::manual(now).with_wall(start())).await;
    }

    /// Closes and opens again with a clock of the test's own.
    pub async fn reopen_with(&mut self, clock: Clock) {
        let old = self.app.take().expect("it is open");
        self.router = None;
        old.store.close().await;
        drop(old);
        let app = App::open_with_clock(self.config.clone(), clock).await.expect("the store opens");
        self.router = Some(http::router(Arc::clone(&app)));
        self.app = Some(app);
    }

    /// Changes the configuration for the next opening.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
    }
}

async fn open(config: &Config, now: Timestamp) -> Arc<App> {
    let clock = Clock::manual(now).with_wall(start());
    App::open_with_clock(config.clone(), clock).await.expect("the store opens")
}

impl Drop for TestApp {
    /// The invariants are checked wherever a test ends well, without it having to ask.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let file = self.database();
        let created = std::mem::take(&mut *self.created.lock().expect("unpoisoned"));
        // In a thread and a runtime of its own, since a drop cannot wait for this one's.
        let check = std::thread::spawn(move || database::block_on(invariants::check(&file, &created)));
        let broken = check.join().expect("the check itself runs");
        assert!(broken.is_empty(), "invariants broken at the end of the test:\n{}", broken.join("\n"));
    }
}
