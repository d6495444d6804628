//! Many clients on the same rows at once: the outcome is that of some order, and nobody gets a 500.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use snapshotd::config::Unknown;
use snapshotd::store::row_locks::RowLocks;

use crate::support::answer::{Answer, text};
use crate::support::{ACCOUNT, TestApp};

const CLIENTS: usize = 64;

async fn all_at_once(app: &TestApp, action: &str, params: &[(&str, &str)]) -> Vec<Answer> {
    join_all((0..CLIENTS).map(|_| app.call(action, params))).await
}

fn tally(answers: &[Answer]) -> BTreeSet<(u16, &str)> {
    answers.iter().map(|answer| (answer.status, answer.code())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_delete_one_snapshot_one_does_it() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    for _ in 0..8 {
        let id = app.accomplished_snapshot(&disk).await;
        let answers = all_at_once(&app, "DeleteSnapshot", &[("SnapshotId", &id)]).await;
        let seen = tally(&answers);
        assert!(
            seen.contains(&(200, "")) && seen.is_subset(&[(200, ""), (403, "Operation.Conflict")].into()),
            "{seen:?}"
        );
        app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM tombstones").await, 8);
    assert_eq!(app.count("SELECT COUNT(*) FROM events WHERE name = 'Snapshot:DeleteSnapshotCompleted'").await, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_one_succeeds_where_a_gone_id_is_not_found() {
    let app = TestApp::with(|config| config.fidelity.unknown_snapshot = Unknown::NotFound).await;
    let disk = app.attached_disk().await;
    for _ in 0..8 {
        let id = app.accomplished_snapshot(&disk).await;
        let answers = all_at_once(&app, "DeleteSnapshot", &[("SnapshotId", &id), ("Force", "true")]).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        let allowed = [(200, ""), (403, "Operation.Conflict"), (404, "InvalidSnapshotId.NotFound")];
        assert!(tally(&answers).is_subset(&allowed.into()), "{:?}", tally(&answers));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_conflict_is_waited_for_where_it_is_so_configured() {
    let app = TestApp::with(|config| config.fidelity.conflict_wait_ms = 10_000).await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let answers = all_at_once(&app, "DeleteSnapshot", &[("SnapshotId", &id)]).await;
    assert_eq!(tally(&answers), [(200, "")].into(), "all waited their turn and found it gone");
    assert_eq!(app.count("SELECT COUNT(*) FROM tombstones").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_delete_a_snapshot_in_use_none_does_it() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    app.image_from(&id, "Available", ACCOUNT).await;
    let before = app.dump().await;
    let answers = all_at_once(&app, "DeleteSnapshot", &[("SnapshotId", &id), ("Force", "true")]).await;
    let seen = tally(&answers);
    assert!(seen.is_subset(&[(403, "SnapshotCreatedImage"), (403, "Operation.Conflict")].into()), "{seen:?}");
    assert!(seen.contains(&(403, "SnapshotCreatedImage")));
    assert_eq!(app.dump().await, before);
}

#[tokio::test]
async fn a_row_that_is_held_refuses_at_once_and_is_free_afterwards() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.accomplished_snapshot(&disk).await;
    for locks in [RowLocks::exclusive(&id), RowLocks::shared(&id)] {
        let guard = app.app().store.hold(ACCOUNT, &locks).await.expect("free");
        let before = app.dump().await;
        for answer in all_at_once(&app, "DeleteSnapshot", &[("SnapshotId", &id)]).await {
            answer.refused(403, "Operation.Conflict");
        }
        let name = [("SnapshotId", id.as_str()), ("SnapshotName", "renamed")];
        app.refused("ModifySnapshotAttribute", &name, 403, "Operation.Conflict").await;
        assert_eq!(text(&app.described(&id).await, "/SnapshotId"), id, "a look at it needs no lock");
        assert_eq!(app.dump().await, before);
        drop(guard);
    }
    let guard = app.app().store.hold(ACCOUNT, &RowLocks::exclusive(&disk)).await.expect("free");
    app.refused("CreateSnapshot", &[("DiskId", &disk)], 403, "Operation.Conflict").await;
    drop(guard);
    let guard = app.app().store.hold(ACCOUNT, &RowLocks::shared(&disk)).await.expect("free");
    app.ok("CreateSnapshot", &[("DiskId", &disk)]).await;
    drop(guard);
    app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
}

#[tokio::test]
async fn another_accounts_hold_is_not_felt() {
    let app = TestApp::new().await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    let _guard = app.app().store.hold("1000000000000002", &RowLocks::exclusive(&id)).await.expect("free");
    app.ok("DeleteSnapshot", &[("SnapshotId", &id)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn repeats_of_one_token_make_one_snapshot() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let params = [("DiskId", disk.as_str()), ("ClientToken", "the-token")];
    let answers = all_at_once(&app, "CreateSnapshot", &params).await;
    let seen = tally(&answers);
    assert!(seen.is_subset(&[(200, ""), (403, "IdempotentProcessing")].into()), "{seen:?}");
    let ids: BTreeSet<String> = answers.iter().flat_map(Answer::ids).collect();
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots").await, 1);
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(ids.first(), Some(&text(&app.ok("CreateSnapshot", &params).await, "/SnapshotId")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_quota_of_snapshots_at_once_holds_under_a_rush() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let answers = all_at_once(&app, "CreateSnapshot", &[("DiskId", &disk)]).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 10);
    let allowed = [(200, ""), (403, "QuotaExceed.ConcurrentSnapshotQuota")];
    assert!(tally(&answers).is_subset(&allowed.into()), "{:?}", tally(&answers));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rush_of_everything_keeps_what_must_hold() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(app.accomplished_snapshot(&disk).await);
    }
    let calls = (0..256).map(|n| {
        let (app, disk, id) = (&app, disk.clone(), ids[n / 4 % ids.len()].clone());
        async move {
            match n % 4 {
                0 => app.call("DeleteSnapshot", &[("SnapshotId", &id)]).await,
                1 => app.call("CreateSnapshot", &[("DiskId", &disk), ("Tag.1.Key", "k"), ("RetentionDays", "1")]).await,
                2 => app.call("ModifySnapshotAttribute", &[("SnapshotId", &id), ("RetentionDays", "9")]).await,
                _ => app.call("DescribeSnapshots", &[("Usage", "none"), ("PageSize", "3")]).await,
            }
        }
    });
    join_all(calls).await;
    app.advance("10d").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots").await, 0, "deleted, or their days are over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_snapshot_that_a_disk_is_being_made_from_is_in_conflict_until_it_is_made() {
    let app = TestApp::with(|config| config.lifecycle.disk_ms = 5_000).await;
    let id = app.accomplished_snapshot(&app.attached_disk().await).await;
    app.ok("CreateDisk", &[("ZoneId", "cn-hangzhou-h"), ("SnapshotId", &id), ("DiskCategory", "cloud_essd")]).await;
    let before = app.dump().await;
    for answer in all_at_once(&app, "DeleteSnapshot", &[("SnapshotId", &id), ("Force", "true")]).await {
        answer.refused(403, "Operation.Conflict");
    }
    assert_eq!(app.dump().await, before);
    app.ok("CreateDisk", &[("ZoneId", "cn-hangzhou-h"), ("SnapshotId", &id), ("DiskCategory", "cloud_essd")]).await;
    app.advance("5s").await;
    app.refused("DeleteSnapshot", &[("SnapshotId", &id)], 403, "SnapshotCreatedDisk").await;
    app.ok("DeleteSnapshot", &[("SnapshotId", &id), ("Force", "true")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn making_disks_from_a_snapshot_and_deleting_it_at_once_ends_in_some_order() {
    let app = TestApp::with(|config| config.lifecycle.disk_ms = 1_000).await;
    let source = app.attached_disk().await;
    for _ in 0..8 {
        let id = app.accomplished_snapshot(&source).await;
        let calls = (0..CLIENTS).map(|n| {
            let (app, id) = (&app, id.clone());
            async move {
                let make = [("ZoneId", "cn-hangzhou-h"), ("SnapshotId", &*id), ("DiskCategory", "cloud_essd")];
                if n % 2 == 0 {
                    app.call("CreateDisk", &make).await
                } else {
                    app.call("DeleteSnapshot", &[("SnapshotId", &id)]).await
                }
            }
        });
        let answers = join_all(calls).await;
        let of = |action: &str, status| {
            answers.iter().filter(|answer| answer.sent.action == action && answer.status == status).count()
        };
        let (made, deleted) = (of("CreateDisk", 200), of("DeleteSnapshot", 200));
        assert!(made == 0 || deleted == 0, "{made} disks made from a snapshot that was deleted {deleted} times");
        app.advance("10s").await;
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM row_locks").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_snapshot_that_an_image_is_being_made_from_is_in_conflict_until_it_is_made() {
    let app = TestApp::new().await;
    let id = crate::images::system_snapshot(&app).await;
    app.ok("CreateImage", &[("SnapshotId", &id)]).await;
    let before = app.dump().await;
    for answer in all_at_once(&app, "DeleteSnapshot", &[("SnapshotId", &id), ("Force", "true")]).await {
        answer.refused(403, "Operation.Conflict");
    }
    assert_eq!(app.dump().await, before);
    app.advance("3s").await;
    for answer in all_at_once(&app, "DeleteSnapshot", &[("SnapshotId", &id), ("Force", "true")]).await {
        assert!(matches!(answer.code(), "SnapshotCreatedImage" | "Operation.Conflict"), "{}", answer.text);
    }
    app.refused("DeleteSnapshot", &[("SnapshotId", &id)], 403, "SnapshotCreatedImage").await;
}
