//! What was due while the daemon was down or the machine slept, and hours that pass by an advance.

use snapshotd::clock::Clock;
use snapshotd::config::CatchUp;

use super::{every_day, taken};
use crate::support::{TestApp, start};

const HOUR: i64 = 3_600_000;

fn system(hours: i64) -> Clock {
    Clock::system().with_wall(start().plus_millis(hours * HOUR + 300_000))
}

/// Days without the daemon, after one day with it; a policy at 9:00 and 15:00.
async fn after_ten_days(catch_up: CatchUp) -> (TestApp, Vec<i64>) {
    let mut app = TestApp::with(|config| config.clock.catch_up = catch_up).await;
    app.reopen_with(system(0)).await;
    let disk = app.attached_disk().await;
    every_day(&app, "[9,15]", "3", &[&disk], &[]).await;
    app.app().clock.set_wall(start().plus_millis(2 * HOUR));
    app.advance("10s").await;
    let hours = taken(&app, &disk).await;
    assert_eq!(hours.len(), usize::from(catch_up != CatchUp::Skip || hours == [1]));
    app.reopen_with(system(240)).await;
    app.app().store.settle(app.now()).await.expect("it settles");
    let hours = taken(&app, &disk).await;
    (app, hours)
}

#[tokio::test]
async fn the_last_missed_run_is_made_up_for_and_retention_is_all() {
    let (app, hours) = after_ten_days(CatchUp::Last).await;
    assert_eq!(hours, [223], "the first one has left, the last one before hour 240 is there");
    assert_eq!(app.count("SELECT COUNT(*) FROM events WHERE name = 'AutoSnapshotPolicy:RunsMissed'").await, 1);
    let gone = "SELECT deleted_at FROM tombstones";
    assert_eq!(app.count(gone).await, start().plus_days(3).plus_millis(HOUR).millis(), "each at its own instant");
}

#[tokio::test]
async fn all_missed_runs_are_made_up_for() {
    let (app, hours) = after_ten_days(CatchUp::All).await;
    assert_eq!(hours, [169, 175, 193, 199, 217, 223], "three days of them");
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots WHERE status <> 'accomplished'").await, 0);
}

#[tokio::test]
async fn missed_runs_are_left_out_where_the_user_says_so() {
    let (app, hours) = after_ten_days(CatchUp::Skip).await;
    assert_eq!(hours, Vec::<i64>::new());
    let next = app.count("SELECT due_at FROM timers WHERE kind = 'take_snapshots'").await;
    assert_eq!(next, start().plus_millis(241 * HOUR).millis());
    app.advance("1h").await;
    let taken = "SELECT COUNT(*) FROM snapshots WHERE snapshot_type = 'auto'";
    assert_eq!(app.count(taken).await, 1);
}

#[tokio::test]
async fn an_advance_passes_over_nothing_whatever_the_machine_does_meanwhile() {
    for catch_up in [CatchUp::Last, CatchUp::Skip] {
        let mut app = TestApp::with(|config| config.clock.catch_up = catch_up).await;
        app.reopen_with(system(0)).await;
        let disk = app.attached_disk().await;
        every_day(&app, "[9]", "-1", &[&disk], &[]).await;
        app.advance("5d").await;
        assert_eq!(taken(&app, &disk).await, [1, 25, 49, 73, 97]);
    }
}
