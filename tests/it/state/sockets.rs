//! The levers of events and of the state as a bench meets them: the binary, its sockets and its commands.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::events::Receiver;
use crate::support::daemon::{Connection, Daemon, binary, furnish};
use crate::support::{ACCOUNT, REGION, database};

const DISK: &str = "d-bp100000000000000001";
const THIRD: &str = "1000000000000003";
const THIRD_KEY: (&str, &str) = ("thirdid", "thirdsecret");

fn lever(connection: &mut Connection, method: &str, path: &str, body: &str) -> Value {
    let reply = connection.lever(method, path, body).expect("an answer");
    assert!((200..300).contains(&reply.status), "{method} {path}: {}", reply.text);
    reply.body()
}

fn snapshot(connection: &mut Connection) -> String {
    let reply = connection.call("CreateSnapshot", &[("DiskId", DISK)]).expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body()["SnapshotId"].as_str().expect("an id").to_owned()
}

/// The next event of a stream: its number and its name.
fn next_event(stream: &mut Connection) -> (i64, String) {
    loop {
        let line = stream.line();
        if let Some(data) = line.strip_prefix("data: ") {
            let event: Value = serde_json::from_str(data).expect("an event");
            return (event["event_id"].as_i64().expect("a number"), event["name"].as_str().expect("a name").to_owned());
        }
    }
}

fn stream_after(daemon: &Daemon, number: i64) -> Connection {
    let mut stream = daemon.connect();
    let head = format!("Host: localhost\r\nLast-Event-ID: {number}\r\n");
    stream.send(&format!("GET /_snapshotd/events/stream?name=Snapshot:* HTTP/1.1\r\n{head}\r\n")).expect("sent");
    stream
}

#[test]
fn a_stream_over_a_socket_tells_as_it_happens_and_goes_on_over_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    furnish(folder.path(), &[DISK.to_owned()]);
    let daemon = Daemon::start(folder.path(), &[]);
    let mut stream = stream_after(&daemon, 0);
    snapshot(&mut daemon.connect());
    let (started, name) = next_event(&mut stream);
    assert_eq!(name, "Snapshot:CreateSnapshotStarted");
    assert_eq!(next_event(&mut stream).1, "Snapshot:CreateSnapshotCompleted", "without a call");
    assert!(daemon.terminate().success(), "a listener holds up no stop");
    stream.rest();
    let daemon = Daemon::start(folder.path(), &[]);
    let mut stream = stream_after(&daemon, started);
    assert_eq!(next_event(&mut stream).1, "Snapshot:CreateSnapshotCompleted", "told again, and no other");
    snapshot(&mut daemon.connect());
    assert_eq!(next_event(&mut stream).1, "Snapshot:CreateSnapshotStarted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_gets_every_event_in_order_over_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    std::thread::spawn(move || furnish(&path, &[DISK.to_owned()])).join().expect("furnished");
    let receiver = Receiver::start().await;
    let daemon = Daemon::start(folder.path(), &[]);
    let hook = json!({"name": "bench", "url": receiver.url, "after": 0}).to_string();
    lever(&mut daemon.connect(), "POST", "/webhooks", &hook);
    let mut connection = daemon.connect();
    for _ in 0..5 {
        let made = snapshot(&mut connection);
        connection.call("DeleteSnapshot", &[("SnapshotId", &made)]).expect("an answer");
    }
    daemon.kill();
    let daemon = Daemon::start(folder.path(), &[]);
    let events = lever(&mut daemon.connect(), "GET", "/events?limit=10000", "");
    let numbers =
        |events: &[Value]| -> Vec<i64> { events.iter().filter_map(|event| event["event_id"].as_i64()).collect() };
    let all = numbers(events["events"].as_array().expect("a list"));
    assert!(all.len() > 5, "{events}");
    let taken = receiver.taken(all.len()).await;
    assert_eq!(numbers(&taken)[..all.len()], all, "each, in order; what came twice is one");
}

#[test]
fn an_account_made_at_run_time_calls_over_a_socket_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = Daemon::start(folder.path(), &[]);
    let mut connection = daemon.connect();
    let disk = [("RegionId", REGION), ("ZoneId", "cn-hangzhou-h"), ("DiskCategory", "cloud_essd"), ("Size", "40")];
    let call = |connection: &mut Connection, action: &str, params: &[(&str, &str)]| {
        let reply = connection.call_as(THIRD_KEY, action, params).expect("an answer");
        (reply.status, reply.body())
    };
    assert_eq!(call(&mut connection, "CreateDisk", &disk).0, 404);
    let account = json!({"id": THIRD, "keys": [{"id": THIRD_KEY.0, "secret": THIRD_KEY.1}]}).to_string();
    lever(&mut connection, "POST", "/accounts", &account);
    let tagged = [&disk[..], &[("Tag.1.Key", "k"), ("Tag.1.Value", "v"), ("ClientToken", "t")]].concat();
    assert_eq!(call(&mut connection, "CreateDisk", &tagged).0, 200);
    let image = ("ImageId", "ubuntu_24_04_x64_20G_alibase_20260101.vhd");
    let run = call(&mut connection, "RunInstances", &[image, ("InstanceType", "ecs.g7.large")]);
    assert_eq!(run.0, 200, "{}", run.1);
    let policy =
        [("regionId", REGION), ("timePoints", "[\"1\"]"), ("repeatWeekdays", "[\"1\"]"), ("retentionDays", "-1")];
    assert_eq!(call(&mut connection, "CreateAutoSnapshotPolicy", &policy).0, 200);
    let owned = lever(&mut connection, "GET", &format!("/owned?account={THIRD}"), "");
    let lengths = ["disks", "instances", "auto_snapshot_policies"].map(|kind| owned[kind].as_array().map(Vec::len));
    assert_eq!(lengths, [Some(2), Some(1), Some(1)], "{owned}");
    assert_eq!(lever(&mut connection, "DELETE", &format!("/accounts/{THIRD}"), ""), json!({"removed": 4}));
    let (status, body) = call(&mut connection, "DescribeDisks", &[]);
    assert_eq!((status, body["Code"].as_str()), (404, Some("InvalidAccessKeyId.NotFound")));
    assert!(daemon.terminate().success());
    let mut dump = database::block_on(database::dump(&folder.path().join("snapshotd.db")));
    dump.remove("events");
    let left: Vec<&String> = dump.values().flatten().filter(|row| row.contains(THIRD)).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Runs a command on the daemon of a folder.
fn command(folder: &Path, arguments: &str) -> (bool, String) {
    let mut command = Command::new(binary());
    let output = command.arg("--data-dir").arg(folder).args(arguments.split(' ')).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).expect("UTF-8"))
}

#[test]
fn every_lever_of_the_state_is_a_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let _daemon = Daemon::start(folder.path(), &[]);
    let file = folder.path().join("seed.toml");
    std::fs::write(&file, "[[disks]]\ndisk_id = \"d-web\"\nstatus = \"Available\"\n").expect("written");
    let seed = format!("seed {}", file.display());
    for (arguments, is_done, words) in [
        ("ids --seed 7", true, ""),
        ("savepoints save empty", true, "\"name\":\"empty\""),
        ("savepoints save empty", false, "replace"),
        ("savepoints save empty --replace", true, "present"),
        (&seed, true, "\"rows\":1"),
        (&seed, false, "disks[0].disk_id: d-web is taken already"),
        ("export", true, "\"disk_id\":\"d-web\""),
        ("content d-web before", true, ""),
        ("content d-web", true, "before"),
        ("content x-web", false, "the id of a disk"),
        ("ids --next s-bp1first", true, ""),
        ("savepoints diff empty", true, "\"added\":[{"),
        ("savepoints list", true, "empty"),
        ("events --name State:* --limit 5", true, "State:Seeded"),
        ("webhooks add bench http://127.0.0.1:9/ --event-name Disk:* --after 0", true, "bench"),
        ("webhooks list", true, "\"position\":0"),
        ("webhooks remove bench", true, ""),
        ("webhooks remove bench", false, "no such webhook"),
        ("accounts add 1000000000000003 thirdid thirdsecret --name third", true, "third"),
        ("accounts list", true, THIRD),
        ("accounts remove 1000000000000003", true, "\"removed\":0"),
        ("owned 1000000000000001", true, "d-web"),
        ("reset --account 1000000000000001 --region cn-hangzhou", true, "\"removed\":1"),
        ("savepoints restore empty", true, ""),
        ("savepoints delete empty", true, ""),
        ("savepoints restore empty", false, "no save point empty"),
        ("reset", true, "\"removed\":0"),
    ] {
        let (done, text) = command(folder.path(), arguments);
        assert!(done == is_done && text.contains(words), "{arguments}: {text}");
    }
}

fn started_with(folder: &Path, file: &Path) -> Output {
    let mut command = Command::new(binary());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder).env("SNAPSHOTD_SEED__FILE", file);
    command.output().expect("it runs")
}

#[test]
fn a_file_seeds_the_first_start_and_a_bad_one_stops_it_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, file) = (folder.path().join("data"), folder.path().join("seed.json"));
    for (seed, words) in [
        (
            "{\"disks\": [{\"disk_id\": \"d-1\"}, {\"disk_id\": \"d-2\", \"size\": \"big\"}]}",
            "disks[1].size: a whole number",
        ),
        ("{\"disks\": [{\"disk_id\": \"d-1\"}, {\"disk_id\": \"d-1\"}]}", "disks[1].disk_id: d-1 is taken already"),
        ("disks = []", "seed.json: "),
    ] {
        std::fs::write(&file, seed).expect("written");
        let output = started_with(&data, &file);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains("[seed] file") && text.contains(words), "{text}");
    }
    let missing = started_with(&data, &folder.path().join("none.toml"));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("none.toml"), "{missing:?}");
    std::fs::write(&file, "{\"disks\": [{\"disk_id\": \"d-1\", \"content\": \"seeded\"}]}").expect("written");
    let path = file.to_string_lossy().into_owned();
    let daemon = Daemon::start(&data, &[("SNAPSHOTD_SEED__FILE", &path)]);
    let mut connection = daemon.connect();
    assert_eq!(lever(&mut connection, "GET", "/disks/d-1/content", ""), json!({"content": "seeded"}));
    let reply = connection.call("DeleteDisk", &[("DiskId", "d-1")]).expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(daemon.terminate().success());
    let daemon = Daemon::start(&data, &[("SNAPSHOTD_SEED__FILE", &path)]);
    let owned = lever(&mut daemon.connect(), "GET", &format!("/owned?account={ACCOUNT}"), "");
    assert_eq!(owned["disks"], json!([]), "it is no second seed");
}
