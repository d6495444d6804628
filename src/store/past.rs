//! The recent past: reading connections that hold earlier states open, for reads that trail; kept only while a lag is set.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::ConnectOptions as _;
use tokio::sync::Mutex;

use super::Conn;
use super::folder::{length, log_of};
use super::opening::reading;
use crate::clock::Timestamp;

/// So many views are opened in the time of a lag at most: reads may trail by that part of it less.
const VIEWS_A_LAG: i64 = 16;
/// Views keep the write-ahead log from being written back. Past so many bytes they are given up, and reads trail anew.
const LOG_BYTES: u64 = 256 * 1_024 * 1_024;

/// A state as it was from one commit to the next.
pub struct View {
    pub conn: Mutex<Conn>,
    pub from: Timestamp,
    /// The instant of the first commit that it lacks; `i64::MAX` while there is none.
    until: AtomicI64,
}

impl View {
    /// The instant nearest to `wanted` at which the state was this one.
    pub fn nearest(&self, wanted: Timestamp) -> Timestamp {
        let last = Timestamp::from_millis(self.until.load(Ordering::Acquire) - 1);
        wanted.min(last).max(self.from)
    }

    fn reaches(&self, instant: Timestamp) -> bool {
        self.until.load(Ordering::Acquire) > instant.millis()
    }
}

/// The views, the oldest first.
pub struct Past {
    database: PathBuf,
    /// The largest lag in milliseconds; 0 keeps nothing.
    lag: AtomicI64,
    views: Mutex<VecDeque<Arc<View>>>,
}

impl Past {
    pub fn of(database: &Path) -> Self {
        Self { database: database.to_owned(), lag: AtomicI64::new(0), views: Mutex::default() }
    }

    /// Keeps the states of the last `lag` milliseconds from now on; 0 forgets them.
    ///
    /// # Errors
    /// The database cannot be opened once more.
    pub async fn keep(&self, lag: i64, now: Timestamp) -> Result<(), sqlx::Error> {
        let mut views = self.views.lock().await;
        self.lag.store(lag, Ordering::Release);
        if lag == 0 {
            views.clear();
        } else if views.is_empty() {
            views.push_back(self.open(now).await?);
        }
        Ok(())
    }

    /// The oldest state that lacks no commit made by `wanted`; `None` where the present one is the only such.
    pub async fn view(&self, wanted: Timestamp) -> Option<Arc<View>> {
        self.views.lock().await.iter().find(|view| view.reaches(wanted)).cloned()
    }

    /// A commit was made at `now`: earlier states end with it, and a new one begins.
    ///
    /// Of commits that follow each other closely not every state is kept; then a later one is shown, never one that is
    /// older than the lag allows.
    pub async fn committed(&self, now: Timestamp) {
        let lag = self.lag.load(Ordering::Acquire);
        if lag == 0 {
            return;
        }
        let mut views = self.views.lock().await;
        for view in views.iter() {
            view.until.fetch_min(now.millis(), Ordering::AcqRel);
        }
        let oldest = now.plus_millis(-lag);
        views.retain(|view| view.reaches(oldest));
        if length(&log_of(&self.database)) > LOG_BYTES {
            tracing::warn!(
                "the write-ahead log has grown too long for reads that trail; they show the present for now"
            );
            views.clear();
        }
        let step = (lag / VIEWS_A_LAG).max(1);
        if views.back().is_some_and(|newest| now.since(newest.from) < step) {
            return;
        }
        match self.open(now).await {
            Ok(view) => views.push_back(view),
            Err(error) => tracing::warn!(%error, "a state could not be kept for reads that trail"),
        }
    }

    /// Closes all views, so that the log can be written back.
    pub async fn close(&self) {
        self.lag.store(0, Ordering::Release);
        self.views.lock().await.clear();
    }

    async fn open(&self, now: Timestamp) -> Result<Arc<View>, sqlx::Error> {
        let mut conn = reading(&self.database).connect().await?;
        sqlx::query("BEGIN").execute(&mut conn).await?;
        // The state is that of the first read, not that of BEGIN.
        sqlx::query("SELECT singleton FROM engine").execute(&mut conn).await?;
        Ok(Arc::new(View { conn: Mutex::new(conn), from: now, until: AtomicI64::new(i64::MAX) }))
    }
}
