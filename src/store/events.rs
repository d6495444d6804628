//! Events: one row for every state change, numbered in order; never read by an action.

use super::filter::Filter;
use super::tx::{Statement, Tx};
use super::value::bind;
use crate::clock::Timestamp;
use crate::faults::Fault;

/// A state change that happened.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Event {
    pub event_id: i64,
    pub account_id: String,
    pub region_id: String,
    /// The vendor's form, such as `Snapshot:CreateSnapshotCompleted`.
    pub name: String,
    pub resource_id: String,
    pub occurred_at: Timestamp,
    pub detail: String,
}

/// Whose resource a change is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub account_id: &'a str,
    pub region_id: &'a str,
    pub resource_id: &'a str,
}

/// The statement that records an event, to stand in one string with the change it tells of.
///
/// $1 resource, $2 account, $3 region, $4 number, $5 name, $6 now, $7 detail: what [`effect`] binds.
macro_rules! event {
    () => {
        "INSERT INTO events (event_id, account_id, region_id, name, resource_id, occurred_at, detail)
         VALUES ($4, $2, $3, $5, $1, $6, $7);"
    };
}
pub(crate) use event;

/// `sql`, which contains [`event!`], with the seven arguments of the event bound; further ones follow from $8 on.
pub fn effect<'q>(
    tx: &mut Tx<'_>,
    sql: &'static str,
    subject: Subject<'q>,
    name: &'static str,
    detail: &'q str,
) -> Statement<'q> {
    let event_id = tx.next_event_id(name);
    sqlx::query(sql)
        .bind(subject.resource_id)
        .bind(subject.account_id)
        .bind(subject.region_id)
        .bind(event_id)
        .bind(name)
        .bind(tx.now)
        .bind(detail)
}

/// Records a change of a resource by itself.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn record(tx: &mut Tx<'_>, name: &'static str, subject: Subject<'_>, detail: &str) -> Result<(), Fault> {
    let statement = effect(tx, event!(), subject, name, detail);
    tx.execute(statement).await?;
    Ok(())
}

/// Which events are meant; empty text for all.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Those with a higher number.
    pub after: i64,
    pub limit: i64,
    /// A name, in which `*` stands for any characters.
    pub name: String,
    pub resource_id: String,
    pub account_id: String,
}

impl Selection {
    /// Its conditions on the table of events.
    #[must_use]
    pub fn filter(&self) -> Filter {
        let mut filter = Filter::default();
        filter.condition("event_id > ?", [self.after.into()]);
        if !self.name.is_empty() {
            filter.like("name", &self.name);
        }
        for (column, value) in [("resource_id", &self.resource_id), ("account_id", &self.account_id)] {
            filter.is_given(column, (!value.is_empty()).then_some(value.as_str()));
        }
        filter
    }
}

/// The selected events, oldest first.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn list(tx: &mut Tx<'_>, selection: &Selection) -> Result<Vec<Event>, Fault> {
    let filter = selection.filter();
    let sql = format!(
        "SELECT event_id, account_id, region_id, name, resource_id, occurred_at, detail FROM events
         WHERE {} ORDER BY event_id LIMIT {}",
        filter.conditions(),
        selection.limit
    );
    let query = bind!(sqlx::query_as::<_, Event>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_all(tx.conn().await?).await?)
}
