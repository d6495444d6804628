//! Instants as levers write them: exact to the millisecond, or so long ago; never reads a clock.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::clock::Timestamp;

/// An instant: `2026-01-01T00:00:00Z`, with or without fractions; where one is given, also `30d ago` (s, m, h, d).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    At(Timestamp),
    /// Milliseconds before now.
    Ago(i64),
}

/// What an instant is written as.
pub const FORMS: &str = "a time such as 2026-01-01T00:00:00Z, or an age such as 90s ago, 5m ago, 12h ago, 30d ago";

impl Moment {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some(span) = text.strip_suffix(" ago") else {
            let instant: jiff::Timestamp = text.parse().ok()?;
            return Some(Self::At(Timestamp::from_millis(instant.as_millisecond())));
        };
        let unit = match span.chars().last()? {
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return None,
        };
        let number: u32 = span[..span.len() - 1].parse().ok()?;
        Some(Self::Ago(i64::from(number) * unit))
    }

    /// The instant, seen from `now`.
    #[must_use]
    pub fn seen_from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::Ago(millis) => now.plus_millis(-millis),
        }
    }
}

impl From<Timestamp> for Moment {
    fn from(instant: Timestamp) -> Self {
        Self::At(instant)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(instant) => match jiff::Timestamp::from_millisecond(instant.millis()) {
                Ok(instant) => write!(f, "{instant:.3}"),
                Err(_) => write!(f, "{}", instant.millis()),
            },
            Self::Ago(millis) => write!(f, "{}s ago", millis / 1_000),
        }
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).description(Some(FORMS)).build().into()
    }
}

impl ToSchema for Moment {}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("{text:?} is not {FORMS}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_and_ages_are_seen_from_now() {
        let now = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
        for text in ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.007Z", "1969-12-31T23:59:59.999Z"] {
            assert_eq!(Moment::parse(text).unwrap().to_string(), text);
        }
        let month = Moment::parse("30d ago").unwrap();
        assert_eq!(month.seen_from(now), Timestamp::parse("2026-01-30T00:00:00Z").unwrap());
        for bad in ["", "ago", " ago", "d ago", "-1d ago", "1w ago", "1d", "yesterday", "2026-01-01"] {
            assert_eq!(Moment::parse(bad), None, "{bad}");
        }
    }
}
