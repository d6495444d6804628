//! The section `[clock]`: how the clock of the resources runs and what becomes of missed runs; reads no clock.

use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::clock::{Mode, Timestamp, parse_span};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    pub mode: ClockMode,
    /// Seconds to each second of the machine's, for a scaled clock.
    pub rate: f64,
    #[serde(deserialize_with = "instant")]
    pub start: Timestamp,
    pub catch_up: CatchUp,
    #[serde(deserialize_with = "span")]
    pub max_lead: Millis,
}

impl Clock {
    /// How the clock runs as long as nobody changes it.
    #[must_use]
    pub fn running(&self) -> Mode {
        match self.mode {
            ClockMode::System => Mode::System,
            ClockMode::Scaled => scaled(self.rate),
            ClockMode::Manual => Mode::Manual,
        }
    }
}

/// A clock of so many seconds to each second of the machine's.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "far beyond RATES it is as wrong as before")]
pub fn scaled(rate: f64) -> Mode {
    Mode::Scaled((rate * 1_000.0).round() as i64)
}

/// How much faster or slower than the machine's a scaled clock may be.
pub const RATES: RangeInclusive<f64> = 0.001..=1_000_000.0;

/// A length of time in milliseconds.
pub type Millis = i64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ClockMode {
    System,
    Scaled,
    Manual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    Last,
    All,
    Skip,
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    Timestamp::parse(&text).ok_or_else(|| de::Error::custom("expected a time such as 2026-01-01T00:00:00Z"))
}

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Millis, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_span(&text).ok_or_else(|| de::Error::custom("expected a length of time such as 90m or 1h30m"))
}
