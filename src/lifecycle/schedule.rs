//! When a policy takes snapshots: hours and weekdays of UTC+8 as instants, plain arithmetic; knows no policies, no clock.

use crate::clock::Timestamp;
use crate::store::policies::Schedule;

const HOUR_MS: i64 = 3_600_000;
const HOURS_A_DAY: i64 = 24;
const HOURS_A_WEEK: i64 = 7 * HOURS_A_DAY;
/// Schedules and the names of what they make are in UTC+8, which knows no daylight saving time.
const UTC_PLUS_8: i64 = 8;
/// The first day of all, 1970-01-01, was a Thursday.
const FIRST_WEEKDAY: i64 = 4;

/// The first run after an instant; `None` for a schedule without hours or days.
#[must_use]
pub fn next_after(schedule: &Schedule, instant: Timestamp) -> Option<Timestamp> {
    let hour = hour_of(instant);
    (hour + 1..=hour + HOURS_A_WEEK).find(|hour| schedule.is_at(*hour)).map(begin_of)
}

/// The last run up to an instant, that instant included.
#[must_use]
pub fn last_until(schedule: &Schedule, instant: Timestamp) -> Option<Timestamp> {
    let hour = hour_of(instant);
    (hour - HOURS_A_WEEK + 1..=hour).rev().find(|hour| schedule.is_at(*hour)).map(begin_of)
}

/// Whether there is a run in the hour of an instant.
#[must_use]
pub fn is_in_hour_of(schedule: &Schedule, instant: Timestamp) -> bool {
    schedule.is_at(hour_of(instant))
}

/// The date of an instant in UTC+8, `yyyyMMdd`.
#[must_use]
pub fn date_of(instant: Timestamp) -> String {
    instant.plus_millis(UTC_PLUS_8 * HOUR_MS).to_day()
}

impl Schedule {
    /// `hour` counts from 1970-01-01T00:00 in UTC+8.
    fn is_at(&self, hour: i64) -> bool {
        let weekday = (hour.div_euclid(HOURS_A_DAY) + FIRST_WEEKDAY - 1).rem_euclid(7) + 1;
        self.time_points.contains(&hour.rem_euclid(HOURS_A_DAY)) && self.repeat_weekdays.contains(&weekday)
    }
}

fn hour_of(instant: Timestamp) -> i64 {
    instant.millis().div_euclid(HOUR_MS) + UTC_PLUS_8
}

fn begin_of(hour: i64) -> Timestamp {
    Timestamp::from_millis((hour - UTC_PLUS_8) * HOUR_MS)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{DateTime, date};
    use jiff::tz::{TimeZone, offset};
    use proptest::prelude::*;

    use super::*;

    /// All runs of some years, found by looking at each hour of the calendar.
    fn calendar(schedule: &Schedule, from: DateTime, hours: i64) -> Vec<Timestamp> {
        let zone = TimeZone::fixed(offset(8));
        let runs = (0..hours).filter_map(|n| {
            let local = from.checked_add(jiff::SignedDuration::from_hours(n)).expect("a date");
            let is_run = schedule.time_points.contains(&local.hour().into())
                && schedule.repeat_weekdays.contains(&local.weekday().to_monday_one_offset().into());
            let instant = zone.to_timestamp(local).expect("an instant");
            is_run.then(|| Timestamp::from_millis(instant.as_millisecond()))
        });
        runs.collect()
    }

    fn schedules() -> impl Strategy<Value = Schedule> {
        let hours = prop::collection::btree_set(0..24_i64, 1..6);
        let days = prop::collection::btree_set(1..=7_i64, 1..=7);
        (hours, days).prop_map(|(hours, days)| Schedule {
            time_points: hours.into_iter().collect(),
            repeat_weekdays: days.into_iter().collect(),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn runs_are_those_of_a_calendar_over_years(schedule in schedules(), year in 1969_i16..2400) {
            let begin = date(year, 1, 1).at(0, 0, 0, 0);
            let wanted = calendar(&schedule, begin, 4 * 366 * 24);
            let before = TimeZone::fixed(offset(8)).to_timestamp(begin).expect("an instant").as_millisecond() - 1;
            let (mut found, mut at) = (Vec::new(), Timestamp::from_millis(before));
            while found.len() < wanted.len() {
                at = next_after(&schedule, at).expect("a next one");
                prop_assert_eq!(last_until(&schedule, at), Some(at));
                prop_assert!(is_in_hour_of(&schedule, at.plus_millis(3_599_999)));
                found.push(at);
            }
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn between_two_runs_there_is_none(schedule in schedules(), millis in -4_000_000_000_000_i64..9_000_000_000_000) {
            let instant = Timestamp::from_millis(millis);
            let last = last_until(&schedule, instant).expect("one");
            let next = next_after(&schedule, instant).expect("one");
            prop_assert!(last <= instant && instant < next);
            prop_assert_eq!(next_after(&schedule, last), Some(next));
            prop_assert_eq!(is_in_hour_of(&schedule, instant), instant.since(last) < HOUR_MS);
        }
    }

    #[test]
    fn the_date_is_that_of_utc_plus_8() {
        let dated = |text| date_of(Timestamp::parse(text).expect("a time"));
        assert_eq!(dated("2021-02-23T17:05:13Z"), "20210224");
        assert_eq!(dated("2021-02-23T15:59:59Z"), "20210223");
    }

    #[test]
    fn an_empty_schedule_has_no_runs() {
        let empty = Schedule::default();
        let now = Timestamp::from_millis(0);
        assert_eq!((next_after(&empty, now), last_until(&empty, now)), (None, None));
    }
}
