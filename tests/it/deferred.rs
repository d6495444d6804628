//! Writes that wait for the next statement: one that fails after all is its own operation's failure, and its neighbours stay.

use snapshotd::faults::{Fault, fault};
use snapshotd::store::row_locks::RowLocks;
use snapshotd::store::tx::{Context, Tx};
use snapshotd::store::{Operation, snapshots};

use crate::support::{ACCOUNT, TestApp};

fn context() -> Context {
    Context { account_id: ACCOUNT.into(), region: None }
}

/// Deletes a snapshot and then, as it was read, once more: what the second deletion tells.
struct DeletesTwice(String);

impl Operation for DeletesTwice {
    type Output = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        let found = snapshots::find(tx, &self.0).await?.ok_or_else(|| fault("InvalidSnapshotId.NotFound"))?;
        assert!(snapshots::delete(tx, &found, "once").await?);
        if snapshots::delete(tx, &found, "twice").await? { Ok(true) } else { Err(fault("Operation.Conflict")) }
    }
}

/// Stores a snapshot that is there, and ends without a look at it.
struct StoresAgain(String);

impl Operation for StoresAgain {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let found = snapshots::find(tx, &self.0).await?.ok_or_else(|| fault("InvalidSnapshotId.NotFound"))?;
        snapshots::insert(tx, &found.snapshot).await
    }
}

/// Runs `operation` between other calls of one commit and by itself: it fails with `code`, and only the others happen.
async fn fails_alone<O: Operation>(operation: impl Fn(String) -> O, code: &str)
where
    O::Output: std::fmt::Debug,
{
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.snapshot(&disk).await;
    app.advance("1h").await;
    let store = &app.app().store;
    let run = || store.write(context(), RowLocks::exclusive(&id), operation(id.clone()));
    let before = app.resources().await;
    assert_eq!(run().await.expect_err("a failure").code(), code);
    assert_eq!(app.resources().await, before);
    let others = || {
        let params = [("DiskId", disk.as_str())];
        let app = &app;
        futures_util::future::join_all((0..4).map(move |_| async move { app.call("CreateSnapshot", &params).await }))
    };
    let (first, failed, second) = tokio::join!(others(), run(), others());
    assert_eq!(failed.expect_err("a failure").code(), code);
    for other in first.into_iter().chain(second) {
        other.accepted();
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots").await, 9);
    assert_eq!(app.count("SELECT COUNT(*) FROM tombstones").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) - MAX(event_id) FROM events").await, 0, "no number of an event is left out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_no_longer_as_it_was_read_is_a_conflict_though_the_write_waited() {
    fails_alone(DeletesTwice, "Operation.Conflict").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_the_database_refuses_is_a_failure_though_its_operation_had_ended() {
    fails_alone(StoresAgain, "InternalError").await;
}

#[tokio::test]
async fn a_firing_whose_write_fails_is_tried_again_and_others_fire() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let (broken, sound) = (app.snapshot(&disk).await, app.snapshot(&disk).await);
    app.sql(&format!(
        "CREATE TRIGGER refuse BEFORE UPDATE OF status ON snapshots WHEN old.snapshot_id = '{broken}'
         BEGIN SELECT RAISE(ABORT, 'on purpose'); END"
    ))
    .await;
    app.advance("10s").await;
    let status = async |id: &str| app.texts("SELECT status FROM snapshots WHERE snapshot_id = $1", id).await;
    assert_eq!([status(&broken).await, status(&sound).await], [["progressing"], ["accomplished"]]);
    app.sql("DROP TRIGGER refuse").await;
    app.advance("10m").await;
    assert_eq!(status(&broken).await, ["accomplished"]);
}
