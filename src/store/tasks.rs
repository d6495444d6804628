//! Tasks: what runs for a while after its call, under an id of its own; never does the work that a task stands for.

use sqlx::FromRow;

use super::events::{Subject, effect, event};
use super::filter::{Cursor, Listed, Source};
use super::tx::Tx;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// A task as stored.
#[derive(Clone, Debug, FromRow)]
pub struct Task {
    pub task_id: String,
    pub account_id: String,
    pub region_id: String,
    /// The operation, as DescribeTasks spells it.
    pub task_action: String,
    /// Processing, Finished or Failed.
    pub task_status: String,
    pub resource_id: String,
    pub creation_time: Timestamp,
    /// When it will be, or was, finished.
    pub finish_time: Timestamp,
}

impl Task {
    fn subject(&self) -> Subject<'_> {
        Subject { account_id: &self.account_id, region_id: &self.region_id, resource_id: &self.task_id }
    }
}

impl Listed for Task {
    fn cursor(&self) -> Cursor {
        Cursor { creation_time: self.creation_time, id: self.task_id.clone() }
    }
}

/// What a list of tasks reads.
pub const SOURCE: Source = Source { table: "tasks", id_column: "task_id", columns: "tasks.*" };

/// The task with this id, of the caller's account and, if it named one, region.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find(tx: &mut Tx<'_>, task_id: &str) -> Result<Option<Task>, Fault> {
    let (account_id, region) = (tx.account_id().to_owned(), tx.named_region());
    let query =
        sqlx::query_as("SELECT * FROM tasks WHERE task_id = $1 AND account_id = $2 AND ($3 IS NULL OR region_id = $3)");
    Ok(query.bind(task_id).bind(account_id).bind(region).fetch_optional(tx.conn().await?).await?)
}

/// As [`find`], of whatever account: for the engine, which acts for none.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn find_for_engine(tx: &mut Tx<'_>, task_id: &str) -> Result<Option<Task>, Fault> {
    let query = sqlx::query_as("SELECT * FROM tasks WHERE task_id = $1");
    Ok(query.bind(task_id).fetch_optional(tx.conn().await?).await?)
}

/// Stores a new task with the timer that finishes it.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn insert(tx: &mut Tx<'_>, new: &Task) -> Result<(), Fault> {
    const SQL: &str = concat!(
        "INSERT INTO tasks (task_id, account_id, region_id, task_action, task_status, resource_id, creation_time,
             finish_time)
         VALUES ($1, $2, $3, $7, $8, $9, $6, $10);
         INSERT INTO timers (kind, resource_id, due_at) VALUES ('task_finish', $1, $10);",
        event!()
    );
    let statement = effect(tx, SQL, new.subject(), "Task:TaskStarted", &new.task_action)
        .bind(&new.task_status)
        .bind(&new.resource_id)
        .bind(new.finish_time);
    tx.execute(statement).await?;
    tx.timer_was_set(new.finish_time);
    Ok(())
}

/// Ends a task: Processing becomes `status`, which is Finished or Failed.
///
/// `false`: it is not processing (any more).
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn finish(tx: &mut Tx<'_>, task: &Task, status: &'static str) -> Result<bool, Fault> {
    const SQL: &str = concat!(
        "UPDATE tasks SET task_status = $7, finish_time = $6 WHERE task_id = $1 AND task_status = 'Processing';
         DELETE FROM timers WHERE resource_id = $1;",
        event!()
    );
    const GUARD: usize = 0;
    let statement = effect(tx, SQL, task.subject(), "Task:TaskEnded", status);
    tx.execute_guarded(statement, GUARD).await
}
