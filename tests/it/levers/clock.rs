//! The clock through the socket: shown, changed, moved on, across restarts and kills, and beside calls.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use crate::support::daemon::{Connection, Daemon, furnish};
use crate::support::request::Request;
use crate::support::{REGION, TestApp, database, invariants, start};

const DISK: &str = "d-bp100000000000000001";
const HERE: (&str, &str) = ("RegionId", REGION);
const STANDING: [(&str, &str); 3] =
    [("SNAPSHOTD_CLOCK__MODE", "manual"), ("SNAPSHOTD_SEED__IDS", "42"), ("SNAPSHOTD_LOG__LEVEL", "off")];

fn ok(connection: &mut Connection, action: &str, params: &[(&str, &str)]) -> Value {
    let reply = connection.call(action, params).expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body()
}

/// Moves a lever that must move.
fn clock(connection: &mut Connection, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let reply = connection.lever(method, &format!("/clock{path}"), &body).expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body()
}

fn advance(connection: &mut Connection, by: &str) -> Value {
    clock(connection, "POST", "/advance", &json!({"by": by}))
}

fn shown(connection: &mut Connection) -> Value {
    clock(connection, "GET", "", &Value::Null)
}

fn now(connection: &mut Connection) -> String {
    shown(connection)["now"].as_str().expect("an instant").to_owned()
}

/// A daemon that stands at the start, with a disk that daily snapshots are taken of and kept for a week.
fn daily(folder: &Path) -> Daemon {
    let daemon = Daemon::start(folder, &STANDING);
    let mut connection = daemon.connect();
    let policy =
        [("regionId", REGION), ("timePoints", "[3]"), ("repeatWeekdays", "[1,2,3,4,5,6,7]"), ("retentionDays", "7")];
    let policy = ok(&mut connection, "CreateAutoSnapshotPolicy", &policy);
    let policy = policy["AutoSnapshotPolicyId"].as_str().expect("an id");
    let instance = [
        HERE,
        ("ImageId", "aliyun_3_x64_20G_alibase_20260101.vhd"),
        ("InstanceType", "ecs.g7.large"),
        ("SystemDisk.Category", "cloud_essd"),
        ("SystemDisk.AutoSnapshotPolicyId", policy),
    ];
    ok(&mut connection, "RunInstances", &instance);
    daemon
}

fn check_invariants(folder: &Path) {
    let broken = database::block_on(invariants::check(&folder.join("snapshotd.db"), &BTreeSet::new()));
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn an_advance_lets_things_happen_and_tells_which() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = daily(folder.path());
    let mut connection = daemon.connect();
    let before = shown(&mut connection);
    assert_eq!(
        (&before["now"], &before["mode"], &before["factor"], &before["is_ready"]),
        (&json!("2026-01-01T00:00:00.000Z"), &json!("manual"), &json!(0.0), &json!(true))
    );
    assert_eq!(before["next_due"], "2026-01-01T19:00:00.000Z");
    assert_eq!(before["upcoming"][0]["kind"], "take_snapshots");
    assert_eq!(before["upcoming"][0]["due_at"], before["next_due"]);
    assert!(before["upcoming"][0]["resource"].as_str().is_some_and(|id| id.starts_with("sp-")), "{before}");
    assert_eq!(clock(&mut connection, "GET", "?limit=0", &Value::Null)["upcoming"], json!([]));
    let month = advance(&mut connection, "30d");
    assert_eq!((&month["from"], &month["to"]), (&before["now"], &json!("2026-01-31T00:00:00.000Z")));
    let events = json!({
        "Snapshot:CreateSnapshotStarted": 30, "Snapshot:CreateSnapshotCompleted": 30,
        "Snapshot:DeleteSnapshotCompleted": 23,
    });
    assert_eq!((&month["events"], &month["firings"], &month["failures"]), (&events, &json!(83), &json!(0)));
    assert!(month["took_ms"].is_u64() && month["first_event"].as_i64() < month["last_event"].as_i64(), "{month}");
    let rest = clock(&mut connection, "POST", "/advance", &json!({"to": "2026-02-01T09:30:00.5+08:00"}));
    assert_eq!((&rest["to"], &rest["firings"]), (&json!("2026-02-01T01:30:00.500Z"), &json!(3)));
    assert_eq!(ok(&mut connection, "DescribeSnapshots", &[HERE])["TotalCount"], 7);
    let none = clock(&mut connection, "POST", "/advance", &json!({"to": "2026-02-01T01:30:00.5Z"}));
    assert_eq!((&none["firings"], none.get("first_event")), (&json!(0), None));
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason_and_moves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = Daemon::start(folder.path(), &STANDING);
    let mut connection = daemon.connect();
    let cases = [
        ("POST", "/advance", "", ""),
        ("POST", "/advance", "{}", "by or to"),
        ("POST", "/advance", r#"{"by": "1d", "to": "2027-01-01T00:00:00Z"}"#, "by or to"),
        ("POST", "/advance", r#"{"by": "-1d"}"#, "no length of time"),
        ("POST", "/advance", r#"{"by": "soon"}"#, "such as 30d"),
        ("POST", "/advance", r#"{"by": 30}"#, "string"),
        ("POST", "/advance", r#"{"until": "1d"}"#, "unknown field"),
        ("POST", "/advance", r#"{"by": "36526d"}"#, "100 years"),
        ("POST", "/advance", r#"{"to": "9998-12-31T00:00:00Z"}"#, "100 years"),
        ("POST", "/advance", r#"{"to": "tomorrow"}"#, "RFC 3339"),
        ("POST", "/advance", r#"{"to": "2026-13-01T00:00:00Z"}"#, "RFC 3339"),
        ("POST", "/advance", r#"{"to": "2025-12-31T23:59:59Z"}"#, "never runs backwards"),
        ("POST", "/mode", r#"{"mode": "fast"}"#, "unknown variant"),
        ("POST", "/mode", r#"{"mode": "scaled"}"#, "needs one"),
        ("POST", "/mode", r#"{"mode": "scaled", "factor": 0}"#, "0.001 to 1000000"),
        ("POST", "/mode", r#"{"mode": "scaled", "factor": -1}"#, "0.001 to 1000000"),
        ("POST", "/mode", r#"{"mode": "scaled", "factor": 1e99}"#, "0.001 to 1000000"),
        ("POST", "/mode", r#"{"mode": "system", "factor": 2}"#, "scaled clock only"),
        ("GET", "?limit=-1", "", "0 to 1000"),
        ("GET", "?limit=x", "", ""),
    ];
    for (method, path, body, reason) in cases {
        let reply = connection.lever(method, &format!("/clock{path}"), body).expect("an answer");
        let why = reply.body()["error"].as_str().unwrap_or_default().to_owned();
        assert!(reply.status == 400 && why.contains(reason), "{path} {body}: {} {}", reply.status, reply.text);
    }
    let reply = connection.lever("POST", "/clock/next", "").expect("an answer");
    assert_eq!((reply.status, &reply.body()["error"]), (409, &json!("nothing is to come")));
    let after = shown(&mut connection);
    assert_eq!((&after["now"], after.get("next_due")), (&json!("2026-01-01T00:00:00.000Z"), None));
}

#[test]
fn the_clock_goes_to_the_next_thing_that_no_rule_holds_back() {
    let folder = tempfile::tempdir().expect("a folder");
    furnish(folder.path(), &[DISK.to_owned()]);
    let daemon = Daemon::start(folder.path(), &STANDING);
    let mut connection = daemon.connect();
    ok(&mut connection, "CreateSnapshot", &[("DiskId", DISK)]);
    let next = clock(&mut connection, "POST", "/next", &Value::Null);
    assert_eq!((&next["firings"], &next["events"]["Snapshot:CreateSnapshotCompleted"]), (&json!(1), &json!(1)));
    let rule = r#"{"action": "CreateSnapshot", "effect": {"ends": "never"}}"#;
    assert_eq!(connection.lever("POST", "/faults", rule).expect("an answer").status, 201);
    ok(&mut connection, "CreateSnapshot", &[("DiskId", DISK)]);
    clock(&mut connection, "POST", "/next", &Value::Null);
    let held = shown(&mut connection);
    assert_eq!((held.get("next_due"), &held["upcoming"]), (None, &json!([])), "{held}");
    assert_eq!(connection.lever("POST", "/clock/next", "").expect("an answer").status, 409);
}

#[test]
fn a_frozen_clock_stays_so_across_a_restart_and_thaws_as_it_ran() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = Daemon::start(folder.path(), &[]);
    let mut connection = daemon.connect();
    let mode = |status: &Value| (status["mode"].as_str().map(str::to_owned), status["factor"].as_f64());
    let system = (Some("system".to_owned()), Some(1.0));
    let scaled = (Some("scaled".to_owned()), Some(3_600.0));
    let manual = (Some("manual".to_owned()), Some(0.0));
    assert_eq!(mode(&shown(&mut connection)), system);
    let set = clock(&mut connection, "POST", "/mode", &json!({"mode": "scaled", "factor": 3600}));
    assert_eq!(mode(&set), scaled);
    let frozen = clock(&mut connection, "POST", "/freeze", &Value::Null);
    assert_eq!(mode(&frozen), manual);
    assert_eq!(mode(&clock(&mut connection, "POST", "/freeze", &Value::Null)), manual, "once more is no harm");
    drop(connection);
    assert!(daemon.terminate().success());
    let daemon = Daemon::start(folder.path(), &[]);
    let mut connection = daemon.connect();
    let after = shown(&mut connection);
    assert_eq!((mode(&after), &after["now"]), (manual, &frozen["now"]));
    let thawed = clock(&mut connection, "POST", "/thaw", &Value::Null);
    assert_eq!(mode(&thawed), scaled);
    while now(&mut connection).as_str() <= thawed["now"].as_str().expect("an instant") {
        thread::yield_now();
    }
    assert_eq!(mode(&clock(&mut connection, "POST", "/thaw", &Value::Null)), scaled, "it runs already");
    clock(&mut connection, "POST", "/mode", &json!({"mode": "system"}));
    drop(connection);
    daemon.kill();
    let configured = Daemon::start(folder.path(), &STANDING);
    let mut connection = configured.connect();
    assert_eq!(mode(&shown(&mut connection)).0.as_deref(), Some("manual"), "the configuration names another mode");
    assert_eq!(mode(&clock(&mut connection, "POST", "/thaw", &Value::Null)), system, "nothing else is known");
}

#[test]
fn where_an_advance_left_the_clock_survives_a_restart_and_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut daemon = daily(folder.path());
    for (day, is_killed) in [("2026-01-11", false), ("2026-01-21", true), ("2026-01-31", false)] {
        advance(&mut daemon.connect(), "10d");
        if is_killed {
            daemon.kill();
        } else {
            assert!(daemon.terminate().success());
        }
        daemon = Daemon::start(folder.path(), &STANDING);
        assert_eq!(now(&mut daemon.connect()), format!("{day}T00:00:00.000Z"));
    }
}

/// The state after `to`, of a daemon that is killed on the way or is not.
fn years_with(kill: bool) -> std::collections::BTreeMap<String, Vec<String>> {
    const TO: &str = "2030-01-01T00:00:00Z";
    let folder = tempfile::tempdir().expect("a folder");
    let mut daemon = daily(folder.path());
    let body = json!({"to": TO}).to_string();
    if kill {
        let mut advancing = daemon.connect();
        let body = body.clone();
        let advancing = thread::spawn(move || advancing.lever("POST", "/clock/advance", &body));
        let mut beside = daemon.connect();
        while now(&mut beside).as_str() < "2026-03-01" {
            thread::yield_now();
        }
        daemon.kill();
        assert!(advancing.join().expect("a thread").is_none(), "it was killed on the way");
        daemon = Daemon::start(folder.path(), &STANDING);
        let reached = now(&mut daemon.connect());
        assert!(("2026-03-01"..TO).contains(&reached.as_str()), "{reached}");
        let list = ok(&mut daemon.connect(), "DescribeSnapshots", &[HERE]);
        assert!((6..=8).contains(&list["TotalCount"].as_i64().expect("a number")), "{list}");
    }
    clock(&mut daemon.connect(), "POST", "/advance", &json!({"to": TO}));
    assert!(daemon.terminate().success());
    check_invariants(folder.path());
    database::block_on(database::dump(&folder.path().join("snapshotd.db")))
}

#[test]
fn a_kill_in_the_middle_of_an_advance_changes_nothing_once_it_goes_on() {
    let (killed, wanted) = (years_with(true), years_with(false));
    for (table, rows) in &wanted {
        assert_eq!(&killed[table], rows, "{table} differs");
    }
}

#[test]
fn advances_at_once_add_up_and_each_firing_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = daily(folder.path());
    let spans: Vec<(Value, Value)> = thread::scope(|scope| {
        let advancing: Vec<_> =
            (0..4).map(|_| daemon.connect()).map(|mut c| scope.spawn(move || advance(&mut c, "10d"))).collect();
        advancing
            .into_iter()
            .map(|one| one.join().expect("a thread"))
            .map(|a| (a["from"].clone(), a["firings"].clone()))
            .collect()
    });
    let mut from: Vec<_> = spans.iter().map(|(from, _)| from.as_str().expect("an instant")).collect();
    from.sort_unstable();
    assert_eq!(from, ["01-01", "01-11", "01-21", "01-31"].map(|day| format!("2026-{day}T00:00:00.000Z")));
    let firings: i64 = spans.iter().filter_map(|(_, firings)| firings.as_i64()).sum();
    assert_eq!(firings, 40 + 40 + 33);
    assert_eq!(now(&mut daemon.connect()), "2026-02-10T00:00:00.000Z");
}

#[test]
fn calls_are_served_while_an_advance_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = daily(folder.path());
    let (mut advancing, mut beside) = (daemon.connect(), daemon.connect());
    let disks = ok(&mut beside, "DescribeDisks", &[HERE]);
    let disk = disks["Disks"]["Disk"][0]["DiskId"].as_str().expect("an id").to_owned();
    let running = thread::spawn(move || advance(&mut advancing, "1461d"));
    let mut instants = BTreeSet::new();
    while !running.is_finished() {
        let made = ok(&mut beside, "CreateSnapshot", &[("DiskId", &disk)]);
        let id = made["SnapshotId"].as_str().expect("an id");
        let list = ok(&mut beside, "DescribeSnapshots", &[HERE, ("SnapshotIds", &json!([id]).to_string())]);
        let snapshot = &list["Snapshots"]["Snapshot"][0];
        instants.insert(snapshot["CreationTime"].as_str().expect("an instant").to_owned());
        ok(&mut beside, "DeleteSnapshot", &[("SnapshotId", id)]);
    }
    let report = running.join().expect("a thread");
    let policies = report["events"]["Snapshot:CreateSnapshotStarted"].as_i64().expect("a number");
    assert!((1_400..=1_461).contains(&policies), "what a call lets happen is not told here: {report}");
    let on_the_way = instants.range("2026-01-02".to_owned().."2030-01-01".to_owned()).count();
    assert!(on_the_way > 2, "{instants:?}");
    drop(beside);
    assert!(daemon.terminate().success());
    check_invariants(folder.path());
}

#[test]
fn an_advance_goes_on_to_its_end_when_its_caller_hangs_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = daily(folder.path());
    let mut hasty = daemon.connect();
    let body = r#"{"by": "365d"}"#;
    let head = format!(
        "POST /_snapshotd/clock/advance HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    hasty.send(&(head + body)).expect("sent");
    let mut beside = daemon.connect();
    while now(&mut beside).as_str() < "2026-01-02" {
        thread::yield_now();
    }
    drop(hasty);
    while now(&mut beside) != "2027-01-01T00:00:00.000Z" {
        thread::yield_now();
    }
}

#[test]
fn an_advance_holds_nobody_up_who_wants_the_daemon_to_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = daily(folder.path());
    let mut advancing = daemon.connect();
    let running = thread::spawn(move || advancing.lever("POST", "/clock/advance", r#"{"by": "36525d"}"#));
    let mut beside = daemon.connect();
    while now(&mut beside).as_str() < "2026-01-02" {
        thread::yield_now();
    }
    drop(beside);
    daemon.kill();
    assert!(running.join().expect("a thread").is_none());
    let stopping =
        [&STANDING[..], &[("SNAPSHOTD_LIMITS__SHUTDOWN_MS", "300"), ("SNAPSHOTD_CLOCK__MODE", "manual")]].concat();
    let daemon = Daemon::start(folder.path(), &stopping);
    let mut advancing = daemon.connect();
    let mut beside = daemon.connect();
    let before = now(&mut beside);
    let running = thread::spawn(move || advancing.lever("POST", "/clock/advance", r#"{"by": "36525d"}"#));
    while now(&mut beside) == before {
        thread::yield_now();
    }
    drop(beside);
    assert!(daemon.terminate().success());
    running.join().expect("a thread");
    check_invariants(folder.path());
}

#[test]
fn signatures_keep_to_the_machines_clock_after_an_advance_of_a_year() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = Daemon::start(folder.path(), &[]);
    let mut connection = daemon.connect();
    let report = advance(&mut connection, "365d");
    let status = shown(&mut connection);
    assert_eq!(status["mode"], "system", "it runs on from there");
    assert!(status["now"].as_str() >= report["to"].as_str(), "{status}");
    ok(&mut connection, "DescribeRegions", &[]);
    let stamp = format!("{}Z", &status["now"].as_str().expect("an instant")[..19]);
    let (query, _, _) = Request::new("DescribeRegions", &[]).set("Timestamp", &stamp).parts();
    connection.send(&format!("POST /?{query} HTTP/1.1\r\nHost: ecs\r\nContent-Length: 0\r\n\r\n")).expect("sent");
    let reply = connection.reply().expect("an answer");
    assert!(reply.status == 400 && reply.text.contains("InvalidTimeStamp.Expired"), "{}", reply.text);
}

#[tokio::test]
async fn a_timer_that_always_fails_is_tried_ever_more_seldom_and_stops_nothing_else() {
    let mut app = TestApp::new().await;
    let disk = app.attached_disk().await;
    crate::schedules::every_day(&app, "[3]", "7", &[&disk], &[]).await;
    let due = start().plus_days(1).millis();
    app.sql(&format!("INSERT INTO timers (kind, resource_id, due_at) VALUES ('no_such_kind', 'x', {due})")).await;
    app.reopen().await;
    let (status, year) = app.lever("POST", "/clock/advance", r#"{"by": "365d"}"#).await;
    assert_eq!(status, 200, "{year}");
    assert_eq!(year["events"]["Snapshot:CreateSnapshotStarted"], 365);
    let failures = year["failures"].as_i64().expect("a number");
    assert!((364..400).contains(&failures), "{failures}");
    app.sql("DELETE FROM timers WHERE kind = 'no_such_kind'").await;
}
