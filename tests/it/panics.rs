//! A mistake in one operation is that operation's failure: the writer, its neighbours and the clock go on.

use snapshotd::faults::Fault;
use snapshotd::store::Operation;
use snapshotd::store::row_locks::RowLocks;
use snapshotd::store::tx::{Context, Tx};
use snapshotd::store::{snapshots, timers};

use crate::support::{ACCOUNT, TestApp};

/// Removes a snapshot's timer and panics.
struct Mistaken(String);

impl Operation for Mistaken {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        assert!(snapshots::find(tx, &self.0).await?.is_some());
        timers::clear(tx, timers::TimerKind::SnapshotFinish, &self.0).await?;
        panic!("on purpose");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_the_writer_is_one_failure_that_changes_nothing() {
    let app = TestApp::new().await;
    let disk = app.attached_disk().await;
    let id = app.snapshot(&disk).await;
    let before = app.resources().await;
    let context = || Context { account_id: ACCOUNT.into(), region: None };
    let store = &app.app().store;
    for _ in 0..3 {
        let failed = store.write(context(), RowLocks::exclusive(&id), Mistaken(id.clone())).await;
        assert_eq!(failed.expect_err("a failure").code(), "InternalError");
    }
    assert_eq!(app.resources().await, before);
    assert!(store.rows_in_flight().is_empty());
    let mistaken = store.write(context(), RowLocks::none(), Mistaken(id.clone()));
    let params = [("DiskId", disk.as_str())];
    let others = futures_util::future::join_all((0..4).map(|_| app.call("CreateSnapshot", &params)));
    let (mistaken, others) = tokio::join!(mistaken, others);
    assert!(mistaken.is_err());
    for other in others {
        other.accepted();
    }
    app.advance("2s").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots WHERE status = 'accomplished'").await, 5);
}
