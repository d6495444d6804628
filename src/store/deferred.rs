//! A write that waits for the next statement of its transaction and goes with it in one string; never outlives the transaction.
//!
//! Each string is a trip to the connection's thread and back, which takes longer than most statements do. So a write
//! does not go by itself: the operation goes on as if it had succeeded, which it nearly always has. Where it has not,
//! the writer rolls all back and runs the operations again one by one, each write at once.

use futures_util::TryStreamExt;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Either, Execute, Executor, SqlStr};

use super::value::Value;
use super::{Conn, Database};
use crate::faults::{Fault, fault};

/// A statement, or several in one string, with its arguments.
pub type Statement<'q> = Query<'q, Database, SqliteArguments>;

/// A write on its way.
pub struct Deferred {
    sql: SqlStr,
    arguments: SqliteArguments,
    guard: Option<usize>,
}

/// Which part of a string failed.
pub enum Failure {
    /// The write that had waited: its operation was told that it had succeeded.
    Deferred(Fault),
    /// What came behind it, or it alone.
    Last(Fault),
}

impl Deferred {
    /// The statement at `guard`, counted from 0, has to change exactly one row.
    ///
    /// # Errors
    /// 500 `InternalError` when an argument cannot be encoded.
    pub fn new(mut statement: Statement<'_>, guard: Option<usize>) -> Result<Self, Fault> {
        let arguments = statement.take_arguments().map_err(Fault::internal)?.unwrap_or_default();
        Ok(Self { sql: statement.sql(), arguments, guard })
    }

    /// It names a row that it must change, so what follows must not take that for granted: least of all a commit.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }

    /// Runs it; whether the guarded statement changed exactly one row.
    ///
    /// # Errors
    /// 500 `InternalError` when the database fails.
    pub async fn run(self, conn: &mut Conn) -> Result<bool, Fault> {
        let mut results = conn.execute_many(sqlx::query_with(self.sql, self.arguments));
        let (mut index, mut hit) = (0, self.guard.is_none());
        while let Some(result) = results.try_next().await? {
            hit |= self.guard == Some(index) && result.rows_affected() == 1;
            index += 1;
        }
        Ok(hit)
    }

    /// As [`run`](Self::run), for an operation that was told `true`.
    ///
    /// # Errors
    /// Also 403 `Operation.Conflict`, where that was wrong.
    pub async fn run_as_told(self, conn: &mut Conn) -> Result<(), Fault> {
        if self.run(conn).await? { Ok(()) } else { Err(fault("Operation.Conflict")) }
    }
}

/// Runs `sql` with its `values`, behind what waits; the first row that it gives.
///
/// # Errors
/// What failed, the write that had waited or `sql`.
pub async fn run_behind(
    deferred: Option<Deferred>,
    conn: &mut Conn,
    sql: &'static str,
    values: &[Value],
) -> Result<Option<SqliteRow>, Failure> {
    let (statements, guard) =
        deferred.as_ref().map_or((0, None), |write| (statements_in(write.sql.as_str()), write.guard));
    let (text, mut arguments) = match deferred {
        None => (SqlStr::from_static(sql), SqliteArguments::default()),
        Some(write) => {
            let text = format!("{};\n{}", write.sql.as_str(), numbered_from(sql, write.arguments.len()));
            (sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(text)), write.arguments)
        }
    };
    for value in values {
        arguments.add(value).map_err(|error| Failure::Last(Fault::internal(error)))?;
    }
    let mut results = conn.fetch_many(sqlx::query_with(text, arguments));
    let (mut done, mut is_as_guarded, mut row) = (0, true, None);
    loop {
        match results.try_next().await {
            Ok(Some(Either::Left(result))) => {
                is_as_guarded &= guard != Some(done) || result.rows_affected() == 1;
                done += 1;
            }
            Ok(Some(Either::Right(found))) => row = row.or(Some(found)),
            Ok(None) if is_as_guarded => return Ok(row),
            Ok(None) => return Err(Failure::Deferred(fault("Operation.Conflict"))),
            Err(error) if done < statements => return Err(Failure::Deferred(error.into())),
            Err(error) => return Err(Failure::Last(error.into())),
        }
    }
}

/// How many statements a text of the store has; none has a semicolon within a literal.
fn statements_in(sql: &str) -> usize {
    sql.split(';').filter(|part| !part.trim().is_empty()).count()
}

/// `sql`, its arguments `$1`, `$2` … counted on behind so many others.
fn numbered_from(sql: &str, others: usize) -> String {
    let mut numbered = String::with_capacity(sql.len() + 16);
    let mut parts = sql.split('$');
    numbered.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = part[..digits].parse().unwrap_or_default();
        numbered.push('$');
        numbered.push_str(&(number + others).to_string());
        numbered.push_str(&part[digits..]);
    }
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_counted_on_behind_others() {
        assert_eq!(
            numbered_from("a = $1 AND ($2 IS NULL OR b = $2) LIMIT $12", 9),
            "a = $10 AND ($11 IS NULL OR b = $11) LIMIT $21"
        );
        assert_eq!(numbered_from("COMMIT; BEGIN", 9), "COMMIT; BEGIN");
    }

    #[test]
    fn statements_are_counted_with_or_without_an_end() {
        assert_eq!([statements_in("A; B;"), statements_in("A;\n B"), statements_in(" A;; ")], [2, 2, 1]);
    }
}
