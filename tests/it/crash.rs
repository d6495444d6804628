//! Stopped after the k-th commit for every k, opened again and carried on: the end is that of an undisturbed run.

use std::collections::BTreeMap;

use crate::support::seed::disk_row;
use crate::support::{REGION, TestApp, start};

/// A call, or a move of the clock to so many seconds after the start.
enum Step {
    Call(&'static str, Vec<(&'static str, &'static str)>),
    At(i64),
}

/// What a careful client does; `$1` is the snapshot of the first CreateSnapshot, and so on.
fn scenario() -> Vec<Step> {
    use Step::{At, Call};
    vec![
        Call(
            "CreateSnapshot",
            vec![("DiskId", DISK), ("ClientToken", "a"), ("RetentionDays", "5"), ("Tag.1.Key", "k")],
        ),
        Call("CreateSnapshot", vec![("DiskId", DISK), ("ClientToken", "b"), ("Tag.1.Key", "k"), ("Tag.2.Key", "m")]),
        At(1),
        Call("CreateSnapshot", vec![("DiskId", DISK), ("ClientToken", "c")]),
        Call("DeleteSnapshot", vec![("SnapshotId", "$3")]),
        At(2),
        Call(
            "ModifySnapshotAttribute",
            vec![("SnapshotId", "$1"), ("RetentionDays", "6"), ("SnapshotName", "renamed")],
        ),
        At(60),
        Call("CreateSnapshot", vec![("DiskId", DISK), ("ClientToken", "d"), ("RetentionDays", "1")]),
        Call("DeleteSnapshot", vec![("SnapshotId", "$2")]),
        Call(
            "CreateDisk",
            vec![("ZoneId", ZONE), ("SnapshotId", "$1"), ("DiskCategory", "cloud_essd"), ("ClientToken", "f")],
        ),
        At(61),
        Call("ModifyDiskAttribute", vec![("DiskId", "$5"), ("DiskName", "renamed")]),
        At(86_400 * 3),
        Call("CreateSnapshot", vec![("DiskId", DISK), ("ClientToken", "e")]),
        At(86_400 * 8),
        Call("DeleteSnapshot", vec![("SnapshotId", "$1"), ("Force", "true")]),
        Call("ResetDisk", vec![("DiskId", DISK), ("SnapshotId", "$6")]),
        At(86_400 * 8 + 60),
        Call("DeleteDisk", vec![("DiskId", "$5")]),
        Call("CreateImage", vec![("SnapshotId", "$6"), ("ImageName", "made"), ("ClientToken", "g")]),
        At(86_400 * 8 + 63),
        Call("CopyImage", vec![("ImageId", "$7"), ("DestinationImageName", "first"), ("ClientToken", "h")]),
        // It waits until the first one is done.
        Call("CopyImage", vec![("ImageId", "$7"), ("DestinationImageName", "second"), ("ClientToken", "i")]),
        Call("CopyImage", vec![("ImageId", "$7"), ("DestinationImageName", "third"), ("ClientToken", "j")]),
        Call("CancelCopyImage", vec![("ImageId", "$8")]),
        At(86_400 * 8 + 68),
        At(86_400 * 8 + 73),
        Call("DeleteImage", vec![("ImageId", "$7")]),
        Call("DeleteSnapshot", vec![("SnapshotId", "$6")]),
        At(86_400 * 10),
    ]
}

const DISK: &str = "d-bp1crash";
const ZONE: &str = "cn-hangzhou-h";

/// The scenario's own memory: what was acknowledged.
#[derive(Default)]
struct Client {
    done: usize,
    ids: Vec<String>,
}

impl Client {
    /// Goes on until the end, or until something fails.
    async fn go_on(&mut self, app: &TestApp) -> bool {
        for (number, step) in scenario().into_iter().enumerate() {
            let went_well = match step {
                Step::Call(..) if number < self.done => continue,
                // Time goes on while the daemon is down, so the clock is set again after a restart.
                Step::At(seconds) => {
                    snapshotd::lifecycle::engine::advance(app.app(), start().plus_millis(seconds * 1_000)).await.is_ok()
                }
                Step::Call(action, params) => self.call(app, action, params).await,
            };
            if !went_well {
                return false;
            }
            self.done = self.done.max(number + 1);
        }
        true
    }

    async fn call(&mut self, app: &TestApp, action: &str, params: Vec<(&'static str, &'static str)>) -> bool {
        let known = |value: &'static str| match value.strip_prefix('$') {
            Some(number) => self.ids[number.parse::<usize>().expect("a number") - 1].as_str(),
            None => value,
        };
        let params: Vec<(&str, &str)> = params.into_iter().map(|(name, value)| (name, known(value))).collect();
        let answer = app.call(action, &params).await;
        match answer.status {
            200 => self.ids.extend(answer.ids()),
            500 => return false,
            _ => panic!("{action} {params:?}: {}", answer.text),
        }
        true
    }
}

async fn begun() -> TestApp {
    let slowly = |config: &mut snapshotd::config::Config| {
        config.lifecycle.disk_ms = 1_000;
        config.lifecycle.reset_ms = 30_000;
        config.quotas.concurrent_image_copies = 1;
    };
    let app = TestApp::with(slowly).await;
    let mut disk = disk_row(DISK, REGION, app.now());
    "system".clone_into(&mut disk.disk_type);
    app.insert_disk(disk, None).await;
    app
}

#[tokio::test]
async fn wherever_it_stops_the_end_is_the_same() {
    let undisturbed = begun().await;
    let before = undisturbed.app().store.commits();
    assert!(Client::default().go_on(&undisturbed).await);
    let commits = undisturbed.app().store.commits() - before;
    assert!(commits > 10, "{commits} commits");
    let wanted = undisturbed.dump().await;
    for k in 0..=commits {
        let mut app = begun().await;
        app.app().store.stop_after_commits(k);
        app.expect_breakage(true);
        let mut client = Client::default();
        let finished = client.go_on(&app).await;
        assert_eq!(finished, k == commits, "stopped after {k} of {commits}");
        app.reopen().await;
        app.expect_breakage(false);
        assert!(client.go_on(&app).await, "after a stop at {k} it goes on");
        same(&app.dump().await, &wanted, &format!("stopped after {k} of {commits} commits"));
    }
}

#[tokio::test]
async fn a_client_that_never_comes_back_leaves_a_state_that_settles() {
    for k in 0..40 {
        let mut app = begun().await;
        app.app().store.stop_after_commits(k);
        app.expect_breakage(true);
        Client::default().go_on(&app).await;
        app.reopen().await;
        app.expect_breakage(false);
        app.advance("30d").await;
        assert_eq!(app.count("SELECT COUNT(*) FROM snapshots WHERE status <> 'accomplished'").await, 0);
        assert_eq!(app.count("SELECT COUNT(*) FROM row_locks").await, 0);
        let late =
            "SELECT COUNT(*) FROM timers WHERE resource_id NOT IN (SELECT snapshot_id FROM disk_snapshot_references)";
        assert_eq!(app.count(late).await, 0, "all days of retention are over but those of a snapshot in use");
    }
}

/// Snapshots with one to twenty-nine days to live, some just begun.
async fn thirty_days_ahead() -> TestApp {
    let app = begun().await;
    for days in 1..30 {
        if days % 5 == 0 {
            app.advance("2s").await;
        }
        let days = days.to_string();
        app.ok("CreateSnapshot", &[("DiskId", DISK), ("RetentionDays", &days)]).await;
    }
    app
}

#[tokio::test]
async fn one_jump_many_steps_and_a_restart_at_every_instant_end_alike() {
    let jumped = thirty_days_ahead().await;
    let end = jumped.now().plus_days(30);
    jumped.advance_to(end).await;
    let wanted = jumped.dump().await;
    assert!(wanted["snapshots"].is_empty() && wanted["tombstones"].len() == 29);

    let stepped = thirty_days_ahead().await;
    while stepped.now() < end {
        stepped.advance("10m").await;
    }
    same(&stepped.dump().await, &wanted, "in steps of ten minutes");

    let mut restarted = thirty_days_ahead().await;
    while let Some(due) = restarted.app().store.next_due() {
        restarted.advance_to(due).await;
        restarted.reopen().await;
    }
    restarted.advance_to(end).await;
    same(&restarted.dump().await, &wanted, "with a restart at every instant");
}

#[track_caller]
fn same(found: &BTreeMap<String, Vec<String>>, wanted: &BTreeMap<String, Vec<String>>, when: &str) {
    for (table, rows) in wanted {
        assert_eq!(&found[table], rows, "{table} differs {when}");
    }
}
