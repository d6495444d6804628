//! The names of several instances made at once: numbered where their brackets or a suffix ask for it.

use crate::faults::{Fault, fault};

const MOST_BEGIN: i64 = 999_999;
const MOST_DIGITS: usize = 6;
/// Of a unique suffix, `001` and on.
const SUFFIX_DIGITS: usize = 3;

/// A name with a number in it: `web-[7,3]` is web-007, web-008 and so on; documented forms are `[]`, `[,]`, `[m,]`,
/// `[,n]` and `[m,n]`.
struct Numbered<'a> {
    before: &'a str,
    after: &'a str,
    begin: i64,
    digits: usize,
}

/// `None` for a name without brackets.
fn parse(name: &str) -> Result<Option<Numbered<'_>>, Fault> {
    if !name.contains(['[', ']']) {
        return Ok(None);
    }
    let malformed = || fault("InvalidInstanceName.CustomMalformed");
    let (before, rest) = name.split_once('[').ok_or_else(malformed)?;
    let (inner, after) = rest.split_once(']').ok_or_else(malformed)?;
    let (begin, digits) = if inner.is_empty() { ("", "") } else { inner.split_once(',').ok_or_else(malformed)? };
    let begin = if begin.is_empty() { Some(0) } else { begin.parse().ok() };
    let digits = if digits.is_empty() { Some(MOST_DIGITS) } else { digits.parse().ok() };
    let is_plain = !before.contains(']') && !after.contains(['[', ']']);
    let begin = begin.filter(|begin| (0..=MOST_BEGIN).contains(begin)).ok_or_else(malformed)?;
    let digits = digits.filter(|digits| (1..=MOST_DIGITS).contains(digits)).ok_or_else(malformed)?;
    if is_plain { Ok(Some(Numbered { before, after, begin, digits })) } else { Err(malformed()) }
}

/// Refuses brackets that say nothing, and names that a suffix would make too long.
///
/// # Errors
/// `InvalidInstanceName.CustomMalformed`, `too_long`.
pub fn check(name: Option<&str>, suffix: bool, longest: usize, too_long: &'static str) -> Result<(), Fault> {
    let Some(name) = name else { return Ok(()) };
    let numbered = parse(name)?;
    if suffix && numbered.is_none() && name.chars().count() + SUFFIX_DIGITS > longest {
        return Err(fault(too_long));
    }
    Ok(())
}

/// The name of the instance with this index, counted from 0.
///
/// # Errors
/// As [`check`].
pub fn nth(name: &str, suffix: bool, index: i64) -> Result<String, Fault> {
    Ok(match parse(name)? {
        Some(Numbered { before, after, begin, digits }) => {
            let number = begin + index;
            format!("{before}{number:0digits$}{after}")
        }
        None if suffix => format!("{name}{:0SUFFIX_DIGITS$}", index + 1),
        None => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_suffixes_number_names() {
        let name = |text, suffix, index| nth(text, suffix, index).expect("a name");
        assert_eq!(name("web-[7,3]-x", true, 1), "web-008-x");
        assert_eq!(name("web[]", false, 2), "web000002");
        assert_eq!(name("web[,2]", false, 0), "web00");
        assert_eq!(name("web[5,]", false, 0), "web000005");
        assert_eq!((name("web", true, 0), name("web", false, 9)), ("web001".to_owned(), "web".to_owned()));
        for bad in ["w[", "w]", "w[1]", "w[a,1]", "w[1,7]", "w[1,2][1,2]", "w]a[1,2]"] {
            assert!(nth(bad, false, 0).is_err(), "{bad}");
        }
    }
}
