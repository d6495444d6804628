//! Retention: a snapshot leaves when its days are over, unless something uses it; then it is tried again each day.

use serde_json::Value;

use crate::support::answer::text;
use crate::support::{ACCOUNT, TestApp, start};

async fn with_days(app: &TestApp, days: &str) -> String {
    let disk = app.attached_disk().await;
    let id = text(&app.ok("CreateSnapshot", &[("DiskId", &disk), ("RetentionDays", days)]).await, "/SnapshotId");
    app.advance_to(app.now().plus_millis(2_000)).await;
    id
}

#[tokio::test]
async fn a_snapshot_leaves_at_the_end_of_its_days_and_not_before() {
    let mut app = TestApp::new().await;
    let id = with_days(&app, "3").await;
    app.advance_to(start().plus_days(3).plus_millis(-1)).await;
    assert_eq!(text(&app.described(&id).await, "/Status"), "accomplished");
    app.restart().await;
    app.advance_to(start().plus_days(3)).await;
    assert_eq!(app.described(&id).await, Value::Null);
    app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
    assert_eq!(app.count("SELECT deleted_at FROM tombstones").await, start().plus_days(3).millis());
}

#[tokio::test]
async fn days_given_later_count_from_the_creation() {
    let app = TestApp::new().await;
    let id = with_days(&app, "1").await;
    app.advance("12h").await;
    app.ok("ModifySnapshotAttribute", &[("SnapshotId", &id), ("RetentionDays", "2")]).await;
    app.advance("30h").await;
    assert_ne!(app.described(&id).await, Value::Null);
    app.advance("6h").await;
    assert_eq!(app.described(&id).await, Value::Null);
    let late = app.accomplished_snapshot(&app.attached_disk().await).await;
    app.advance("5d").await;
    app.ok("ModifySnapshotAttribute", &[("SnapshotId", &late), ("RetentionDays", "2")]).await;
    assert_eq!(app.described(&late).await, Value::Null, "its two days are over already");
}

#[tokio::test]
async fn a_snapshot_in_use_is_kept_and_tried_again_each_day() {
    let app = TestApp::new().await;
    let id = with_days(&app, "1").await;
    app.image_from(&id, "Available", ACCOUNT).await;
    let held = with_days(&app, "1").await;
    app.sql(&format!("INSERT INTO row_locks VALUES ('{held}', 'operator:test', 'shared', 0)")).await;
    app.advance("3d").await;
    assert_eq!(text(&app.described(&id).await, "/Usage"), "image");
    assert_eq!(text(&app.described(&held).await, "/Status"), "accomplished");
    let deferred = "SELECT COUNT(*) FROM events WHERE name = 'Snapshot:RetentionDeferred'";
    assert_eq!(app.count(deferred).await, 6, "each day once for both");
    app.sql("DELETE FROM row_locks").await;
    app.advance("1d").await;
    assert_eq!(app.described(&held).await, Value::Null);
    assert_ne!(app.described(&id).await, Value::Null);
}

#[tokio::test]
async fn a_long_sleep_ends_as_many_short_ones() {
    let tables = async |step: &str, steps: usize| {
        let app = TestApp::new().await;
        for days in ["1", "2", "7", "29"] {
            with_days(&app, days).await;
        }
        app.advance_to(start()).await;
        for _ in 0..steps {
            app.advance(step).await;
        }
        app.dump().await
    };
    assert_eq!(tables("30d", 1).await, tables("1h", 720).await);
}
