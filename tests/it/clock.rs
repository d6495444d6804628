//! The clock: its modes and how they are changed, advanced, restarted and disturbed by the machine's.

use snapshotd::clock::{Clock, Mode, Timestamp};
use snapshotd::config::ClockMode;
use snapshotd::lifecycle::engine;

use crate::support::answer::text;
use crate::support::request::Request;
use crate::support::{TestApp, start};

fn system(after: i64) -> Clock {
    Clock::system().with_wall(start().plus_millis(after))
}

/// An app whose clock follows a machine that is moved by hand.
async fn on_a_machine() -> TestApp {
    let mut app = TestApp::new().await;
    app.reopen_with(system(0)).await;
    app
}

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn an_advance_tells_what_happened_on_the_way() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    for _ in 0..2 {
        app.ok("CreateSnapshot", &[("DiskId", &disk), ("RetentionDays", "3")]).await;
    }
    let before = app.count("SELECT last_event FROM engine").await;
    let advanced = engine::advance(app.app(), start().plus_days(5)).await.expect("it moves");
    assert_eq!((advanced.from, advanced.to), (start(), start().plus_days(5)));
    let happened = advanced.happened;
    assert_eq!(happened.firings, 4);
    let events: Vec<_> = happened.events.into_iter().collect();
    assert_eq!(events, [("Snapshot:CreateSnapshotCompleted", 2), ("Snapshot:DeleteSnapshotCompleted", 2)]);
    assert_eq!((happened.first_event, happened.last_event), (Some(before + 1), before + 4));
    let again = engine::advance(app.app(), start()).await.expect("nothing to do");
    assert_eq!((again.to, again.happened.firings, again.happened.first_event), (start().plus_days(5), 0, None));
    engine::advance(app.app(), Timestamp::from_millis(i64::MAX)).await.expect_err("there are no such years");
}

#[tokio::test]
async fn the_clock_goes_from_one_thing_to_the_next() {
    let app = TestApp::new().await;
    assert_eq!(engine::advance_to_next(app.app()).await.expect("it works"), None);
    let snapshot = app.snapshot(&app.attached_disk().await).await;
    assert_eq!(engine::status(app.app()).next_due, Some(start().plus_millis(2_000)));
    let advanced = engine::advance_to_next(app.app()).await.expect("it works").expect("one is to come");
    assert_eq!((advanced.to, advanced.happened.firings), (start().plus_millis(2_000), 1));
    assert_eq!(text(&app.described(&snapshot).await, "/Status"), "accomplished");
}

#[tokio::test]
async fn where_a_manual_clock_stands_survives_a_restart() {
    let mut app = TestApp::new().await;
    app.advance("400d").await;
    app.reopen().await;
    assert_eq!(app.now(), start().plus_days(400));
}

#[tokio::test]
async fn a_system_clock_that_was_advanced_runs_on_and_restarts_there() {
    let mut app = on_a_machine().await;
    app.advance("400d").await;
    app.app().clock.set_wall(start().plus_millis(7));
    assert_eq!(app.now(), start().plus_days(400).plus_millis(7));
    app.reopen_with(system(DAY)).await;
    assert_eq!(app.now(), start().plus_days(401), "it ran on while the daemon was down");
}

#[tokio::test]
async fn a_machine_whose_clock_jumps_never_takes_time_back() {
    let mut app = on_a_machine().await;
    app.app().clock.set_wall(start().plus_days(2));
    app.attached_disk().await;
    app.app().clock.set_wall(start());
    assert_eq!(app.now(), start().plus_days(2));
    app.reopen_with(system(2 * DAY - 60_000)).await;
    assert_eq!(app.now(), start().plus_days(2), "a minute is within max_lead");
    app.reopen_with(system(0)).await;
    assert_eq!(app.now(), start(), "two days are not");
    let told = "SELECT COUNT(*) FROM events WHERE name = 'Clock:Reanchored'";
    assert_eq!(app.count(told).await, 1);
    // No event may be of the future when the test ends.
    app.advance("3d").await;
}

#[tokio::test]
async fn a_scaled_clock_counts_from_its_opening_and_goes_on_from_the_stored_time() {
    let scaled = |after| Clock::new(Mode::Scaled(60_000), start()).with_wall(start().plus_millis(after));
    let mut app = TestApp::new().await;
    app.reopen_with(scaled(0)).await;
    let disk = app.attached_disk().await;
    app.app().clock.set_wall(start().plus_millis(1_000));
    assert_eq!(app.now(), start().plus_millis(60_000));
    let snapshot = app.snapshot(&disk).await;
    app.app().clock.set_wall(start().plus_millis(1_034));
    assert_eq!(text(&app.described(&snapshot).await, "/Status"), "accomplished", "two seconds take 34 ms");
    app.reopen_with(scaled(DAY)).await;
    let present = app.now();
    assert!(present.since(start()) < 70_000, "nothing passes while the daemon is down: {present:?}");
    engine::advance(app.app(), present.plus_days(1)).await.expect("it moves");
    app.app().clock.set_wall(start().plus_millis(DAY + 1_000));
    assert_eq!(app.now(), present.plus_days(1).plus_millis(60_000));
}

#[tokio::test]
async fn a_frozen_clock_stays_frozen_until_the_configuration_says_otherwise() {
    let mut app = on_a_machine().await;
    engine::freeze(app.app()).await.expect("it freezes");
    app.app().clock.set_wall(start().plus_days(9));
    assert_eq!((app.now(), engine::status(app.app()).mode), (start(), Mode::Manual));
    app.reopen_with(system(20 * DAY)).await;
    assert_eq!((app.now(), engine::status(app.app()).mode), (start(), Mode::Manual));
    engine::set_mode(app.app(), Mode::System).await.expect("it runs");
    app.app().clock.set_wall(start().plus_days(21));
    assert_eq!(app.now(), start().plus_days(1), "it goes on from where it stood");
    app.reopen_with(system(22 * DAY)).await;
    assert_eq!(app.now(), start().plus_days(2));
    engine::set_mode(app.app(), Mode::Scaled(0)).await.expect_err("no such rate");
    engine::freeze(app.app()).await.expect("it freezes");
    app.configure(|config| config.clock.mode = ClockMode::Scaled);
    app.reopen_with(Clock::new(Mode::Scaled(60_000), start()).with_wall(start())).await;
    assert_eq!(app.app().clock.mode(), Mode::Scaled(60_000));
    let told = "SELECT COUNT(*) FROM events WHERE name = 'Clock:ModeChanged'";
    assert_eq!(app.count(told).await, 3);
}

#[tokio::test]
async fn signatures_keep_to_the_machines_clock_and_tokens_to_this_one() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let params = [("DiskId", disk.as_str()), ("ClientToken", "t")];
    let first = text(&app.ok("CreateSnapshot", &params).await, "/SnapshotId");
    app.advance("23h").await;
    assert_eq!(text(&app.ok("CreateSnapshot", &params).await, "/SnapshotId"), first);
    app.advance("1h").await;
    assert_ne!(text(&app.ok("CreateSnapshot", &params).await, "/SnapshotId"), first, "forgotten after 24 hours");
    let signed = |instant: Timestamp| Request::new("DescribeRegions", &[]).set("Timestamp", &instant.to_seconds());
    app.send(signed(app.now())).await.refused(400, "InvalidTimeStamp.Expired");
    app.send(signed(start())).await.accepted();
}

#[tokio::test]
async fn an_engine_lets_things_happen_by_itself_and_wakes_when_the_clock_is_changed() {
    let mut app = TestApp::new().await;
    app.snapshot(&app.attached_disk().await).await;
    app.reopen_with(Clock::manual(start())).await;
    let engine = tokio::spawn(engine::run(std::sync::Arc::clone(app.app())));
    engine::set_mode(app.app(), Mode::Scaled(1_000_000)).await.expect("it runs");
    let unfinished = "SELECT COUNT(*) FROM snapshots WHERE status = 'progressing'";
    while app.count(unfinished).await > 0 {
        tokio::task::yield_now().await;
    }
    engine.abort();
}
