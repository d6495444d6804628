//! More work than the daemon takes: refused at once in the vendor's form, and what was accepted is done; never by a wait without end.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use snapshotd::faults::Fault;
use snapshotd::store::Operation;
use snapshotd::store::row_locks::RowLocks;
use snapshotd::store::tx::{Context, Tx};

use crate::support::request::Request;
use crate::support::{ACCOUNT, TestApp};

const QUEUE: usize = 8;
const CALLS: usize = 64;

/// Keeps the writer busy for a while, so that calls queue behind it.
struct Busy;

impl Operation for Busy {
    type Output = ();

    async fn run(&self, _: &mut Tx<'_>) -> Result<(), Fault> {
        // The writer has a thread of its own, and no runtime on it.
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    }
}

#[tokio::test]
async fn beyond_the_queue_calls_are_refused_at_once_and_all_others_are_served() {
    let app = TestApp::with(|config| config.limits.queue = QUEUE).await;
    let mut disks = Vec::new();
    for _ in 0..CALLS {
        disks.push(app.attached_disk().await);
    }
    app.expect_breakage(true);
    let context = Context { account_id: ACCOUNT.into(), region: None };
    let busy = app.app().store.write(context, RowLocks::none(), Busy);
    let rush = async {
        // The writer has begun with the other one by then.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begun = Instant::now();
        let calls = disks.iter().map(|disk| async {
            let params = [("DiskId", disk.as_str()), ("ClientToken", disk.as_str())];
            let answer = app.call("CreateSnapshot", &params).await;
            (answer, begun.elapsed())
        });
        join_all(calls).await
    };
    let (held, answers) = tokio::join!(busy, rush);
    held.expect("it is done");
    let (mut served, mut refused) = (0, 0);
    for (answer, after) in answers {
        if answer.status == 200 {
            served += 1;
        } else {
            answer.refused(503, "ServiceUnavailable");
            assert!(after < Duration::from_millis(250), "refused after {after:?}");
            refused += 1;
        }
    }
    assert!((QUEUE..=QUEUE + 2).contains(&served) && served + refused == CALLS, "{served} served, {refused} refused");
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots").await, i64::try_from(served).expect("few"));
    // A refusal has kept neither row nor token.
    for disk in &disks {
        app.ok("CreateSnapshot", &[("DiskId", disk), ("ClientToken", disk)]).await;
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM snapshots").await, i64::try_from(CALLS).expect("few"));
}

#[tokio::test]
async fn a_refusal_for_overload_has_the_vendors_form_and_reads_go_on() {
    let app = TestApp::with(|config| config.limits.queue = 1).await;
    let disk = app.attached_disk().await;
    app.expect_breakage(true);
    let context = || Context { account_id: ACCOUNT.into(), region: None };
    let store = &app.app().store;
    let busy = async {
        let later = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            store.write(context(), RowLocks::none(), Busy).await
        };
        tokio::join!(store.write(context(), RowLocks::none(), Busy), later)
    };
    let calls = async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        let create = Request::new("CreateSnapshot", &[("DiskId", &disk)]);
        // The judge of every answer holds the form, in XML as in JSON, against the contract.
        app.send(create.clone().format("XML")).await.refused(503, "ServiceUnavailable");
        app.send(Request::new("CreateSnapshot", &[("DiskId", &disk)])).await.refused(503, "ServiceUnavailable");
        let begun = Instant::now();
        app.ok("DescribeSnapshots", &[]).await;
        assert!(begun.elapsed() < Duration::from_millis(200), "{:?}", begun.elapsed());
    };
    let (busy, ()) = tokio::join!(busy, calls);
    assert!(busy.0.is_ok() && busy.1.is_ok());
    app.ok("CreateSnapshot", &[("DiskId", &disk)]).await;
}
