//! Time: instants in whole milliseconds UTC and the one clock all resources live by; never reads time anywhere else.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;

/// An instant in UTC, whole milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(DAY)))
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// Reads `yyyy-MM-ddTHH:mm:ssZ` or `yyyy-MM-ddTHH:mmZ`, the two forms of ECS; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let whole = match text.len() {
            20 => text.to_owned(),
            17 => format!("{}:00Z", text.strip_suffix('Z')?),
            _ => return None,
        };
        let shaped = whole.bytes().enumerate().all(|(i, b)| match i {
            4 | 7 => b == b'-',
            10 => b == b'T',
            13 | 16 => b == b':',
            19 => b == b'Z',
            _ => b.is_ascii_digit(),
        });
        let instant: jiff::Timestamp = shaped.then(|| whole.parse().ok()).flatten()?;
        Some(Self(instant.as_millisecond()))
    }

    /// `yyyy-MM-ddTHH:mm:ssZ`, the form of snapshots, disks and images.
    #[must_use]
    pub fn to_seconds(self) -> String {
        self.formatted("%Y-%m-%dT%H:%M:%SZ")
    }

    /// `yyyy-MM-ddTHH:mmZ`, the form of instances and tasks.
    #[must_use]
    pub fn to_minutes(self) -> String {
        self.formatted("%Y-%m-%dT%H:%MZ")
    }

    /// Year, month and day.
    #[must_use]
    pub fn date(self) -> (i16, u8, u8) {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        let date = jiff::tz::Offset::UTC.to_datetime(instant).date();
        (date.year(), date.month().unsigned_abs(), date.day().unsigned_abs())
    }

    fn formatted(self, form: &str) -> String {
        jiff::Timestamp::from_millisecond(self.0).map(|instant| instant.strftime(form).to_string()).unwrap_or_default()
    }
}

/// The clock of all resources: states, retention, client tokens and tombstones.
///
/// Signature skew and nonces use [`Clock::wall_now`] instead, so that real clients can sign whatever this clock says.
pub struct Clock {
    source: Source,
    /// The latest instant given out or restored: time never runs backwards inside a process.
    latest: AtomicI64,
    wall: Option<Timestamp>,
}

enum Source {
    System,
    Manual,
}

impl Clock {
    /// Follows the machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { source: Source::System, latest: AtomicI64::new(i64::MIN), wall: None }
    }

    /// Stands still at `start` until it is advanced.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self { source: Source::Manual, latest: AtomicI64::new(start.0), wall: None }
    }

    /// Fixes the wall clock as well, for tests that sign requests themselves.
    #[must_use]
    pub fn with_wall(mut self, wall: Timestamp) -> Self {
        self.wall = Some(wall);
        self
    }

    #[must_use]
    pub fn is_manual(&self) -> bool {
        matches!(self.source, Source::Manual)
    }

    /// The present instant of the resources; never less than an earlier answer.
    pub fn now(&self) -> Timestamp {
        match self.source {
            Source::Manual => Timestamp(self.latest.load(Ordering::SeqCst)),
            Source::System => {
                let wall = self.wall_now().0;
                Timestamp(self.latest.fetch_max(wall, Ordering::SeqCst).max(wall))
            }
        }
    }

    /// The machine's own clock, for signatures and nonces only.
    pub fn wall_now(&self) -> Timestamp {
        self.wall.unwrap_or_else(|| {
            #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
            let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
        })
    }

    /// Moves the clock forward to `instant`; an earlier instant changes nothing.
    pub fn advance_to(&self, instant: Timestamp) {
        self.latest.fetch_max(instant.0, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_time_are_read_and_written() {
        let t = Timestamp::parse("2026-01-02T03:04:05Z").expect("seconds");
        assert_eq!(t.to_seconds(), "2026-01-02T03:04:05Z");
        assert_eq!(Timestamp::parse("2026-01-02T03:04Z").expect("minutes").to_minutes(), "2026-01-02T03:04Z");
        for bad in ["", "2026-13-02T03:04:05Z", "2026-01-02 03:04:05Z", "2026-01-02T03:04:05", "２026-01-02T03:04Z"] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_manual_clock_moves_only_forward() {
        let clock = Clock::manual(Timestamp::from_millis(5));
        clock.advance_to(Timestamp::from_millis(3));
        assert_eq!(clock.now(), Timestamp::from_millis(5));
        clock.advance_to(Timestamp::from_millis(9));
        assert_eq!(clock.now(), Timestamp::from_millis(9));
    }
}
