//! Time: instants in whole milliseconds UTC and the one clock all resources live by; never reads time anywhere else.

mod span;

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub use span::parse_span;

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

    /// Reads any instant of RFC 3339, with fractions and offsets.
    #[must_use]
    pub fn parse_any(text: &str) -> Option<Self> {
        let instant: jiff::Timestamp = text.parse().ok()?;
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

    /// `yyyyMMdd`, as the names of automatic snapshots have it.
    #[must_use]
    pub fn to_day(self) -> String {
        self.formatted("%Y%m%d")
    }

    /// `yyyy-MM-ddTHH:mm:ss.SSSZ`, for logs.
    #[must_use]
    pub fn to_millis(self) -> String {
        self.formatted("%Y-%m-%dT%H:%M:%S.%3fZ")
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

/// How the clock runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As fast as the machine's clock, and level with it until it is advanced.
    System,
    /// So many thousandths of a second to each second of the machine's clock.
    Scaled(i64),
    /// Not at all, until it is advanced.
    Manual,
}

impl Mode {
    /// Thousandths of a second that pass in a second of the machine's.
    #[must_use]
    pub const fn pace(self) -> i64 {
        match self {
            Self::System => 1_000,
            Self::Scaled(pace) => pace,
            Self::Manual => 0,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Scaled(pace) => write!(f, "scaled {pace}"),
            Self::Manual => f.write_str("manual"),
        }
    }
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(' ') {
            None if text == "system" => Ok(Self::System),
            None if text == "manual" => Ok(Self::Manual),
            Some(("scaled", pace)) => pace.parse().map(Self::Scaled).map_err(drop),
            _ => Err(()),
        }
    }
}

/// The clock of all resources: states, schedules, retention, client tokens and tombstones.
///
/// Signature skew and nonces use [`Clock::wall_now`] instead, so that real clients can sign whatever this clock says.
pub struct Clock {
    face: Mutex<Face>,
}

/// The instant `anchor` was, is or will be when the machine's clock says `anchor_wall`; all else follows from the pace.
struct Face {
    mode: Mode,
    anchor: i64,
    anchor_wall: i64,
    /// The latest instant given out: time never runs backwards inside a process.
    latest: i64,
    /// The machine's clock as tests set it.
    wall: Option<Timestamp>,
}

/// A clock that fell behind the machine's by more than this has slept through what was due.
const SLEPT_MS: i64 = 60_000;

impl Clock {
    /// Follows the machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Mode::System, Timestamp(0))
    }

    /// Stands still at `start` until it is advanced.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self::new(Mode::Manual, start)
    }

    /// A clock of any mode; `start` is where a manual one begins.
    #[must_use]
    pub fn new(mode: Mode, start: Timestamp) -> Self {
        let wall = machine_now().0;
        let (anchor, anchor_wall) = if mode == Mode::Manual { (start.0, 0) } else { (wall, wall) };
        Self { face: Mutex::new(Face { mode, anchor, anchor_wall, latest: i64::MIN, wall: None }) }
    }

    /// Takes the machine's clock away and fixes what it says, for tests that sign requests or move it themselves.
    #[must_use]
    pub fn with_wall(self, wall: Timestamp) -> Self {
        let mut face = self.face();
        face.wall = Some(wall);
        if face.mode != Mode::Manual {
            (face.anchor, face.anchor_wall) = (wall.0, wall.0);
        }
        drop(face);
        self
    }

    /// Moves the machine's clock as [`Clock::with_wall`] fixed it.
    pub fn set_wall(&self, wall: Timestamp) {
        self.face().wall = Some(wall);
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        self.face().mode
    }

    /// The present instant of the resources; never less than an earlier answer.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.face().now())
    }

    /// The machine's own clock, for signatures and nonces only.
    pub fn wall_now(&self) -> Timestamp {
        Timestamp(self.face().wall())
    }

    /// How long this clock takes to reach `due`; `None` for one that stands still.
    #[must_use]
    pub fn wall_until(&self, due: Timestamp) -> Option<Duration> {
        let mut face = self.face();
        let left = due.0.saturating_sub(face.now()).max(0);
        let pace = i128::from(face.mode.pace());
        (pace > 0).then(|| {
            let wall = (i128::from(left) * 1_000 + pace - 1) / pace;
            Duration::from_millis(u64::try_from(wall).unwrap_or(u64::MAX))
        })
    }

    /// Sets a clock that stands still to an earlier instant, or a later one, when the state is put back; others go on.
    pub fn set_back(&self, instant: Timestamp) {
        let mut face = self.face();
        if face.mode == Mode::Manual {
            (face.anchor, face.latest) = (instant.0, instant.0);
        }
    }

    /// Whether what was due at `due` was slept through: by a daemon that was down or by a machine that was suspended.
    #[must_use]
    pub fn slept_through(&self, due: Timestamp) -> bool {
        let mut face = self.face();
        let pace = face.mode.pace();
        pace > 0 && face.now().saturating_sub(due.0) > SLEPT_MS.saturating_mul(pace) / 1_000
    }

    /// Moves the clock forward to `instant`, from where it runs on as before; an earlier instant changes nothing.
    pub fn advance_to(&self, instant: Timestamp) {
        let mut face = self.face();
        if instant.0 > face.now() {
            face.anchor_at(instant.0);
        }
    }

    /// Runs in another way from now on; the present instant stays.
    pub fn set_mode(&self, mode: Mode) {
        let mut face = self.face();
        let now = face.now();
        face.mode = mode;
        face.anchor_at(now);
    }

    /// How far a system clock was moved away from the machine's, were it advanced to `instant`; 0 for any other.
    #[must_use]
    pub fn offset_at(&self, instant: Timestamp) -> i64 {
        let mut face = self.face();
        let is_ahead = instant.0 > face.now();
        match face.mode {
            Mode::System if is_ahead => instant.0 - face.wall(),
            Mode::System => face.anchor - face.anchor_wall,
            Mode::Scaled(_) | Mode::Manual => 0,
        }
    }

    /// Goes on from what the last process left, in the mode that was `set` while it ran.
    ///
    /// `false`: that is more than `max_lead` milliseconds ahead of the machine's clock, which is followed instead.
    #[must_use]
    pub fn restore(&self, present: Timestamp, set: Option<Mode>, offset: i64, max_lead: i64) -> bool {
        let mut face = self.face();
        let least = if face.mode == Mode::Manual { face.anchor } else { i64::MIN };
        face.mode = set.unwrap_or(face.mode);
        face.latest = i64::MIN;
        if face.mode != Mode::System {
            face.anchor_at(present.0.max(least));
            return true;
        }
        let wall = face.wall();
        (face.anchor, face.anchor_wall) = (wall + offset, wall);
        let is_near = present.0 - face.now() <= max_lead;
        if is_near {
            face.latest = face.latest.max(present.0);
        }
        is_near
    }

    fn face(&self) -> MutexGuard<'_, Face> {
        self.face.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Face {
    fn wall(&self) -> i64 {
        self.wall.unwrap_or_else(machine_now).0
    }

    fn now(&mut self) -> i64 {
        let pace = self.mode.pace();
        let passed = if pace == 0 { 0 } else { i128::from(self.wall() - self.anchor_wall) * i128::from(pace) / 1_000 };
        let now = i128::from(self.anchor) + passed;
        self.latest = self.latest.max(i64::try_from(now).unwrap_or(i64::MAX));
        self.latest
    }

    fn anchor_at(&mut self, instant: i64) {
        (self.anchor, self.anchor_wall, self.latest) = (instant, self.wall(), self.latest.max(instant));
    }
}

fn machine_now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
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

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn a_system_clock_that_is_advanced_runs_on_from_there() {
        let clock = Clock::system().with_wall(at("2026-01-01T00:00:00Z"));
        clock.advance_to(at("2027-01-01T00:00:00Z"));
        clock.set_wall(at("2026-01-01T00:00:05Z"));
        assert_eq!(clock.now(), at("2027-01-01T00:00:05Z"));
        assert_eq!(clock.offset_at(clock.now()), 365 * DAY);
        clock.set_wall(at("2025-01-01T00:00:00Z"));
        assert_eq!(clock.now(), at("2027-01-01T00:00:05Z"), "never backwards");
    }

    #[test]
    fn a_scaled_clock_runs_at_its_rate_and_tells_how_long_things_take() {
        let clock = Clock::new(Mode::Scaled(3_600_000), Timestamp(0)).with_wall(at("2026-01-01T00:00:00Z"));
        clock.set_wall(at("2026-01-01T00:00:02Z"));
        assert_eq!(clock.now(), at("2026-01-01T02:00:00Z"));
        assert_eq!(clock.wall_until(at("2026-01-01T03:00:01Z")), Some(Duration::from_millis(1_001)));
        clock.set_mode(Mode::Manual);
        clock.set_wall(at("2026-01-01T00:00:09Z"));
        assert_eq!((clock.now(), clock.wall_until(at("2027-01-01T00:00:00Z"))), (at("2026-01-01T02:00:00Z"), None));
        clock.set_mode(Mode::System);
        clock.set_wall(at("2026-01-01T00:00:10Z"));
        assert_eq!(clock.now(), at("2026-01-01T02:00:01Z"));
    }

    #[test]
    fn the_name_of_a_mode_reads_back() {
        for mode in [Mode::System, Mode::Manual, Mode::Scaled(1_500)] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!("scaled".parse::<Mode>(), Err(()));
    }
}
