//! Lengths of time as people write them, in milliseconds; knows no instants.

use super::{DAY, SECOND};

/// What a length of time is written in, from the longest unit to the shortest.
const UNITS: [(&str, i64); 6] =
    [("w", 7 * DAY), ("d", DAY), ("h", 3_600 * SECOND), ("m", 60 * SECOND), ("s", SECOND), ("ms", 1)];

/// Reads a length of time such as `90m`, `1h30m` or `30d` as milliseconds: whole numbers, each with its unit, longer units
/// first.
#[must_use]
pub fn parse_span(text: &str) -> Option<i64> {
    let (mut rest, mut units, mut total) = (text, &UNITS[..], 0_i64);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let at = units.iter().position(|(unit, _)| *unit == &after[..end])?;
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(units[at].1)?)?;
        (rest, units) = (&after[end..], &units[at + 1..]);
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_in_one_form() {
        let cases = [("30d", 30 * DAY), ("90m", 5_400_000), ("1h30m", 5_400_000), ("2w1d", 15 * DAY), ("1s5ms", 1_005)];
        for (text, wanted) in cases.into_iter().chain([("0s", 0)]) {
            assert_eq!(parse_span(text), Some(wanted), "{text}");
        }
        let long = format!("{}d", i64::MAX / DAY + 1);
        for bad in
            ["", "d", "30", "-1d", "1.5h", "1m1h", "1h1h", "1 h", "1y", "１d", "1hé", "99999999999999999999s", &long]
        {
            assert_eq!(parse_span(bad), None, "{bad}");
        }
    }
}
