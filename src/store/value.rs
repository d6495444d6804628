//! A value bound to a statement whose arguments are a list; knows no column.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo};
use sqlx::{Encode, Type};

use super::Database;
use crate::clock::Timestamp;

/// A bound value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    Null,
    Text(String),
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Number(i64::from(flag))
    }
}

impl From<Timestamp> for Value {
    fn from(instant: Timestamp) -> Self {
        Self::Number(instant.millis())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Type<Database> for Value {
    fn type_info() -> SqliteTypeInfo {
        <str as Type<Database>>::type_info()
    }
}

impl Encode<'_, Database> for Value {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Text(text) => text.encode_by_ref(buffer),
            Self::Number(number) => number.encode_by_ref(buffer),
        }
    }
}

/// Binds [`Value`]s to a query of whatever output.
macro_rules! bind {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = query.bind(value);
        }
        query
    }};
}
pub(crate) use bind;
