//! The WHERE clauses and pages of Describe actions: conditions, keyset order, page-number walks; knows no table by heart.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use sqlx::FromRow;

use super::Row;
use super::tags::ResourceType;
use super::tx::Tx;
use super::value::{Value, bind};
use crate::clock::Timestamp;
use crate::faults::Fault;

/// Conditions that all have to hold. Column names come from the code, values are bound.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    sql: String,
    values: Vec<Value>,
    /// What the tag that drives the page must equal.
    driver: Option<Vec<Value>>,
}

impl Filter {
    /// Rows of the caller's account in the region of the call.
    ///
    /// `is_narrowed`: another condition leaves few rows by an index of its own. The planner, which knows no figures,
    /// would rather walk all rows of the account in order; a `+` keeps it from that.
    #[must_use]
    pub fn of_caller(tx: &Tx<'_>, source: &Source, is_narrowed: bool) -> Self {
        let mut filter = Self::default();
        let plus = if is_narrowed { "+" } else { "" };
        filter.is(&format!("{plus}{}.account_id", source.table), tx.account_id());
        filter.is(&format!("{plus}{}.region_id", source.table), tx.region().id);
        filter
    }

    /// Whether a filter made by [`Filter::of_caller`] has got no further condition.
    #[must_use]
    pub fn is_of_caller_alone(&self) -> bool {
        self.values.len() == 2 && self.driver.is_none()
    }

    /// `column` equals `value`.
    pub fn is(&mut self, column: &str, value: impl Into<Value>) {
        self.condition(&format!("{column} = ?"), [value.into()]);
    }

    /// `column` equals `value`, where one is given.
    pub fn is_given<V: Into<Value>>(&mut self, column: &str, value: Option<V>) {
        if let Some(value) = value {
            self.is(column, value);
        }
    }

    /// `column` is one of `values`; with none of them nothing matches.
    pub fn any<'v>(&mut self, column: &str, values: impl IntoIterator<Item = &'v str>) {
        let values: Vec<Value> = values.into_iter().map(Value::from).collect();
        let marks = vec!["?"; values.len()].join(", ");
        self.condition(&format!("{column} IN ({marks})"), values);
    }

    /// `column` matches a name in which `*` stands for any characters.
    pub fn like(&mut self, column: &str, pattern: &str) {
        let escaped = pattern.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_").replace('*', "%");
        self.condition(&format!("{column} LIKE ? ESCAPE '\\'"), [Value::Text(escaped)]);
    }

    /// Any SQL condition of the code's own, with a `?` for each value.
    pub fn condition(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        if !self.sql.is_empty() {
            self.sql.push_str(" AND ");
        }
        let mut values = values.into_iter();
        for (i, part) in sql.split('?').enumerate() {
            if i > 0 {
                self.values.extend(values.next());
                // Writing to a String cannot fail.
                let _ = write!(self.sql, "${}", self.values.len());
            }
            self.sql.push_str(part);
        }
    }

    /// The resource in `id_column` carries this tag; without a value, the key with any value. The first tag drives
    /// the page, which so comes off the index of tags in order.
    pub fn tag(&mut self, tx: &Tx<'_>, resource_type: ResourceType, id_column: &str, key: &str, value: Option<&str>) {
        let mut values =
            vec![Value::from(tx.account_id()), tx.region().id.into(), resource_type.name().into(), key.into()];
        values.extend(value.map(Value::from));
        if self.driver.is_none() {
            self.driver = Some(values);
            return;
        }
        let of_value = if value.is_some() { " AND tag_value = ?" } else { "" };
        let sql = format!(
            "{id_column} IN (SELECT resource_id FROM tags WHERE account_id = ? AND region_id = ? \
             AND resource_type = ? AND tag_key = ?{of_value})"
        );
        self.condition(&sql, values);
    }

    /// The conditions as SQL with `$n` placeholders; always a valid expression.
    #[must_use]
    pub fn conditions(&self) -> &str {
        if self.sql.is_empty() { "1 = 1" } else { &self.sql }
    }

    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }
}

/// A place in a list ordered by creation time and id, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub creation_time: Timestamp,
    pub id: String,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    First,
    After(Cursor),
    /// Pages counted from 1.
    Number(i64),
}

/// A page as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub size: i64,
    pub start: Start,
}

/// What a list is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub table: &'static str,
    pub id_column: &'static str,
    /// What to select, the table's own columns qualified.
    pub columns: &'static str,
}

/// A row that has a place in a list.
pub trait Listed: for<'r> FromRow<'r, Row> + Send + Unpin {
    fn cursor(&self) -> Cursor;
}

/// Rows of a page and whether there are more behind it.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    pub rows: Vec<T>,
    pub more: bool,
}

/// Reads one page, newest first.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn list<T: Listed>(
    tx: &mut Tx<'_>,
    source: &Source,
    filter: &Filter,
    page: &Page,
) -> Result<Listing<T>, Fault> {
    let mut filter = filter.clone();
    let (from, order) = filter.take_driver(source);
    let select = format!("SELECT {} FROM {from}", source.columns);
    let walk = Walk::of(tx.account_id(), &select, &filter, page.size);
    let (after, offset) = match &page.start {
        Start::First => (None, 0),
        Start::After(cursor) => (Some(cursor.clone()), 0),
        Start::Number(number) => match tx.shared().walks.continued(walk, *number) {
            Some(cursor) => (Some(cursor), 0),
            None => (None, number.saturating_sub(1).saturating_mul(page.size)),
        },
    };
    if let Some(cursor) = after {
        let condition = format!("({}, {}) < (?, ?)", order.0, order.1);
        filter.condition(&condition, [cursor.creation_time.into(), cursor.id.as_str().into()]);
    }
    let mut sql = format!("{select} WHERE {}", filter.conditions());
    // Writing to a String cannot fail.
    let _ = write!(sql, " ORDER BY {} DESC, {} DESC LIMIT {}", order.0, order.1, page.size + 1);
    if offset > 0 {
        let _ = write!(sql, " OFFSET {offset}");
    }
    let query = bind!(sqlx::query_as::<_, T>(sqlx::AssertSqlSafe(sql)), filter.values());
    let mut rows: Vec<T> = query.fetch_all(tx.conn().await?).await?;
    let limit = usize::try_from(page.size).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let number = match page.start {
        Start::First => Some(1),
        Start::Number(number) => Some(number),
        Start::After(_) => None,
    };
    if let (Some(number), Some(last), true) = (number, rows.last(), more) {
        tx.shared().walks.remember(walk, number + 1, last.cursor());
    }
    Ok(Listing { rows, more })
}

/// Counts the rows that match, by scanning what the filter leaves; lists with counters of their own do not ask this.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn count(tx: &mut Tx<'_>, source: &Source, filter: &Filter) -> Result<i64, Fault> {
    let mut filter = filter.clone();
    let (from, _) = filter.take_driver(source);
    let sql = format!("SELECT COUNT(*) FROM {from} WHERE {}", filter.conditions());
    let query = bind!(sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)), filter.values());
    Ok(query.fetch_one(tx.conn().await?).await?)
}

impl Filter {
    /// Turns a driving tag into a join; what to select from, and the two columns of the order.
    fn take_driver(&mut self, source: &Source) -> (String, (String, String)) {
        let Source { table, id_column, .. } = source;
        let Some(values) = self.driver.take() else {
            return ((*table).to_owned(), (format!("{table}.creation_time"), format!("{table}.{id_column}")));
        };
        let of_value = if values.len() > 4 { " AND driver.tag_value = ?" } else { "" };
        let condition = format!(
            "driver.account_id = ? AND driver.region_id = ? AND driver.resource_type = ? AND driver.tag_key = ?{of_value}"
        );
        self.condition(&condition, values);
        let from = format!("tags AS driver CROSS JOIN {table} ON {table}.{id_column} = driver.resource_id");
        (from, ("driver.resource_creation_time".to_owned(), "driver.resource_id".to_owned()))
    }
}

/// A client walking page by page through one list, told apart by a hash of everything that makes the list.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Walk(u64);

impl Walk {
    fn of(account_id: &str, select: &str, filter: &Filter, size: i64) -> Self {
        let mut hash = DefaultHasher::new();
        (account_id, select, filter.conditions(), filter.values(), size).hash(&mut hash);
        Self(hash.finish())
    }
}

/// Where the next pages of walks begin, so that a walk by page number does not pay an OFFSET for each page.
///
/// Several clients may walk through the same list. A page goes on from where the one before it was last seen to end, so
/// what it shows is never older than that answer; once, for the next who asks for it may be at another place. A first page
/// is a new look at the list: what others saw before it is forgotten. Every other page is counted from the start.
#[derive(Default)]
pub(crate) struct Walks(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// The number and the place of pages that may come next, the latest last.
    places: HashMap<Walk, VecDeque<(i64, Cursor)>>,
    order: VecDeque<Walk>,
}

/// Lists remembered at once, and places in each.
const WALKS: usize = 256;
const PLACES: usize = 64;

impl Walks {
    fn continued(&self, walk: Walk, number: i64) -> Option<Cursor> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places = remembered.places.get_mut(&walk)?;
        let latest = places.iter().rposition(|(next, _)| *next == number)?;
        places.remove(latest).map(|(_, cursor)| cursor)
    }

    fn remember(&self, walk: Walk, next: i64, cursor: Cursor) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Remembered { places, order } = &mut *remembered;
        let of_walk = places.entry(walk).or_insert_with(|| {
            order.push_back(walk);
            VecDeque::new()
        });
        if next == 2 {
            of_walk.clear();
        } else if of_walk.len() == PLACES {
            of_walk.pop_front();
        }
        of_walk.push_back((next, cursor));
        if order.len() > WALKS
            && let Some(oldest) = order.pop_front()
        {
            places.remove(&oldest);
        }
    }
}
