//! The reading connections, each with a transaction open that has seen nothing yet; never writes.
//!
//! A deferred transaction takes neither lock nor view before its first statement. To leave one open between two reads
//! saves each of them a round trip to the thread of its connection before its answer, and another one after it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Conn;
use super::opening::reading;
use crate::faults::{Fault, fault};

/// How long a read waits for a connection before it is told that there is none.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// So many connections at most; opened when they are first needed.
pub struct Readers {
    options: SqliteConnectOptions,
    idle: Mutex<Vec<Conn>>,
    free: Arc<Semaphore>,
    count: u32,
}

/// A connection lent to one read. Dropped without [`Reader::give_back`] it is closed, in whatever state it is.
pub struct Reader {
    pub conn: Conn,
    readers: Arc<Readers>,
    permit: OwnedSemaphorePermit,
}

impl Readers {
    pub fn of(database: &Path, count: u32) -> Self {
        let free = Arc::new(Semaphore::new(count as usize));
        Self { options: reading(database), idle: Mutex::default(), free, count }
    }

    /// A connection inside a transaction.
    ///
    /// # Errors
    /// 503 `ServiceUnavailable` when none becomes free in time or the store is closing; 500 `InternalError` when the
    /// database cannot be opened once more.
    pub async fn lend(self: &Arc<Self>) -> Result<Reader, Fault> {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait().await?,
        };
        let idle = self.idle().pop();
        let conn = match idle {
            Some(conn) => conn,
            None => self.open().await?,
        };
        Ok(Reader { conn, readers: Arc::clone(self), permit })
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let permit = tokio::time::timeout(LONGEST_WAIT, Arc::clone(&self.free).acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or_else(|| fault("ServiceUnavailable"))
    }

    async fn open(&self) -> Result<Conn, sqlx::Error> {
        let mut conn = self.options.connect().await?;
        sqlx::query("BEGIN").execute(&mut conn).await?;
        Ok(conn)
    }

    /// Waits for the reads that are under way and closes all connections.
    pub async fn close(&self) {
        let all = Arc::clone(&self.free).acquire_many_owned(self.count).await;
        self.free.close();
        let idle = std::mem::take(&mut *self.idle());
        for conn in idle {
            if let Err(error) = conn.close().await {
                tracing::debug!(%error, "a reading connection did not close cleanly");
            }
        }
        drop(all);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Conn>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// Ends the transaction, so that the next read sees what is stored by then; the caller need not wait for it.
    pub fn give_back(self) {
        let Self { mut conn, readers, permit } = self;
        tokio::spawn(async move {
            match sqlx::query("COMMIT; BEGIN").execute(&mut conn).await {
                Ok(_) => readers.idle().push(conn),
                Err(error) => tracing::warn!(%error, "a reading connection is closed; another one will be opened"),
            }
            drop(permit);
        });
    }
}
