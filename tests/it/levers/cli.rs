//! The levers as commands against a running daemon.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::daemon::{Daemon, PATIENCE, binary, furnish};

const DISK: &str = "d-bp100000000000000001";

/// Whether a command succeeded, and what it printed.
fn run(folder: &Path, arguments: &[&str]) -> (bool, Value) {
    let mut command = Command::new(binary());
    let output = command.arg("--data-dir").arg(folder).args(arguments).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (output.status.success(), serde_json::from_str(&text).unwrap_or_default())
}

#[test]
fn every_lever_is_a_command() {
    let folder = tempfile::tempdir().expect("a folder");
    furnish(folder.path(), &[DISK.to_owned()]);
    let _daemon = Daemon::start(folder.path(), &[]);
    let run = |arguments: &str| run(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    let add = "faults add DescribeDisks --error Throttling.User --every 1 --from 1 --account 1000000000000001 \
               --probability 1 --seed 7 --max-hits 1 --expires-ms 600000";
    let (is_made, rule) = run(&add.split_whitespace().collect::<Vec<_>>().join(" "));
    assert!(is_made && rule["id"] == 1, "{rule}");
    let (is_fine, refused) = run("call DescribeDisks --RegionId cn-hangzhou");
    assert_eq!((is_fine, &refused["Code"]), (false, &json!("Throttling.User")));
    assert_eq!(run("faults show 1").1["hits"], 1);
    assert_eq!(run("faults list").1[0]["is_spent"], true);
    assert!(run("faults remove 1").0 && !run("faults remove 1").0);
    assert!(run("faults add --resource s-1 --progress 40-60 --latency-ms 5 --drop after --nth 3").0);
    assert!(!run("faults add --error NoSuchCode").0);
    assert_eq!(run("faults clear").1, json!({"removed": 1}));
    assert!(
        run(&format!("locks hold {DISK} --name bench --mode shared --expires-ms 600000 --account 1000000000000001")).0
    );
    assert_eq!(run("locks list").1["stored"][0]["name"], "bench");
    assert!(run("locks release bench").0);
    assert_eq!(run("locks clear").1, json!({"removed": 0}));
    assert!(!run("operation-locks set i-none --reason financial --message text").0, "no such instance");
    assert!(!run("operation-locks remove i-none --reason financial").0);
    assert_eq!(run("operation-locks list").1, json!([]));
    assert_eq!(run("operation-locks clear").1, json!({"removed": 0}));
    assert!(run("standing arrears 1000000000000001").0);
    assert_eq!(run("standing list").1[0]["in_arrears"], true);
    assert_eq!(run("standing good 1000000000000001").1, json!({"in_arrears": false}));
    assert_eq!(run("lag set 500 --action DescribeDisks --account 1000000000000001").1["lags"][0]["ms"], 500);
    assert_eq!(run("lag list").1["lags"][0]["action"], "DescribeDisks");
    assert_eq!(run("lag clear").1, json!({"removed": 1}));
    let list = "requests list --action DescribeDisks --code Throttling.User --since 2020-01-01T00:00:00Z --after 0 --limit 5 \
                --account 1000000000000001";
    assert_eq!(run(&list.split_whitespace().collect::<Vec<_>>().join(" ")).1.as_array().map(Vec::len), Some(1));
    assert_eq!(run("requests clear").1, json!({"removed": 1}));
}

#[test]
fn the_clock_is_moved_by_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    let _daemon = Daemon::start(folder.path(), &[("SNAPSHOTD_CLOCK__MODE", "manual")]);
    let run = |arguments: &str| run(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    assert_eq!(run("clock show --limit 3").1["now"], "2026-01-01T00:00:00.000Z");
    assert_eq!(run("clock advance 1h30m").1["to"], "2026-01-01T01:30:00.000Z");
    assert_eq!(run("clock advance --to 2026-03-01T00:00:00Z").1["to"], "2026-03-01T00:00:00.000Z");
    assert_eq!(run("clock set scaled --factor 60").1["factor"], 60.0);
    assert_eq!(run("clock freeze").1["mode"], "manual");
    assert_eq!(run("clock thaw").1["mode"], "scaled");
    assert_eq!(run("clock set system").1["mode"], "system");
    assert_eq!(run("clock next"), (false, json!({"error": "nothing is to come"})));
    for wrong in ["clock advance", "clock advance 1d --to 2026-03-01T00:00:00Z", "clock set fast", "clock set scaled"] {
        assert!(!run(wrong).0, "{wrong}");
    }
}

#[test]
fn what_a_rule_holds_ends_when_the_rule_expires() {
    let folder = tempfile::tempdir().expect("a folder");
    furnish(folder.path(), &[DISK.to_owned()]);
    let daemon = Daemon::start(folder.path(), &[("SNAPSHOTD_LIFECYCLE__SNAPSHOT_MS", "1")]);
    assert!(run(folder.path(), &["faults", "add", "--ends", "never", "--expires-ms", "1500"]).0);
    let mut connection = daemon.connect();
    let made = connection.call("CreateSnapshot", &[("DiskId", DISK)]).expect("an answer");
    assert_eq!(made.status, 200, "{}", made.text);
    let mut status = |wanted: &str| {
        let body = connection.call("DescribeSnapshots", &[("RegionId", "cn-hangzhou")]).expect("an answer").body();
        body["Snapshots"]["Snapshot"][0]["Status"] == wanted
    };
    assert!(status("progressing"));
    let begun = Instant::now();
    while !status("accomplished") {
        assert!(begun.elapsed() < PATIENCE, "it never ended");
    }
}
