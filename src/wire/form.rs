//! Query strings and form bodies: percent-decoding and RFC 3986 encoding; never knows what a parameter means.

use std::fmt;

/// Why a query string or a form body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A `%` without two hexadecimal digits.
    Percent,
    /// Bytes that are not UTF-8 once decoded.
    Utf8,
    /// More pairs than the limit.
    TooMany,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Percent => "a % is not followed by two hexadecimal digits",
            Self::Utf8 => "a parameter is not UTF-8",
            Self::TooMany => "too many parameters",
        })
    }
}

impl std::error::Error for Malformed {}

/// Appends the decoded pairs of `text` to `into`, which holds at most `limit` pairs afterwards.
///
/// `+` is a space and `%XX` a byte of UTF-8: the SDKs send either for a space. A name without `=` has an empty value.
///
/// # Errors
/// What cannot be decoded, and more than `limit` pairs.
pub fn decode(text: &[u8], into: &mut Vec<(String, String)>, limit: usize) -> Result<(), Malformed> {
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        if into.len() >= limit {
            return Err(Malformed::TooMany);
        }
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &pair[pair.len()..]),
        };
        into.push((decode_one(name)?, decode_one(value)?));
    }
    Ok(())
}

fn decode_one(text: &[u8]) -> Result<String, Malformed> {
    let plain = text.iter().position(|byte| matches!(byte, b'%' | b'+')).unwrap_or(text.len());
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend_from_slice(&text[..plain]);
    let mut rest = text[plain..].iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hexadecimal(rest.next())? << 4 | hexadecimal(rest.next())?,
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| Malformed::Utf8)
}

fn hexadecimal(digit: Option<&u8>) -> Result<u8, Malformed> {
    match digit {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        Some(digit @ b'A'..=b'F') => Ok(digit - b'A' + 10),
        _ => Err(Malformed::Percent),
    }
}

/// Appends `text` to `into` in RFC 3986 encoding: `A-Za-z0-9-_.~` are kept, all else is `%XX` in upper case.
///
/// A space is `%20` and `*` is `%2A`, as both signatures want it.
pub fn encode(text: &str, into: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_unreserved(byte)) {
        into.push_str(&rest[..at]);
        // One character, which may be several bytes: the cut stays on a boundary.
        let end = at + rest[at..].chars().next().map_or(1, char::len_utf8);
        for byte in rest[at..end].bytes() {
            into.push('%');
            into.push(char::from(DIGITS[usize::from(byte >> 4)]));
            into.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        rest = &rest[end..];
    }
    into.push_str(rest);
}

/// `text` in the encoding of [`encode`].
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut into = String::with_capacity(text.len());
    encode(text, &mut into);
    into
}

/// The query string or form body of `pairs`, which [`decode`] reads.
#[must_use]
pub fn encoded_pairs<'a>(pairs: impl IntoIterator<Item = &'a (String, String)>) -> String {
    let mut into = String::with_capacity(1_024);
    for (name, value) in pairs {
        if !into.is_empty() {
            into.push('&');
        }
        encode(name, &mut into);
        into.push('=');
        encode(value, &mut into);
    }
    into
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Result<Vec<(String, String)>, Malformed> {
        let mut pairs = Vec::new();
        decode(text.as_bytes(), &mut pairs, 3).map(|()| pairs)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn plus_and_percent_20_are_both_a_space() {
        assert_eq!(decoded("A=a+b&B=a%20b").unwrap(), [pair("A", "a b"), pair("B", "a b")]);
    }

    #[test]
    fn percent_encoding_is_utf_8_in_either_case() {
        assert_eq!(decoded("%E5%bf%ab=%f0%9F%98%80").unwrap(), [pair("快", "😀")]);
        assert_eq!(decoded("N=快").unwrap(), [pair("N", "快")]);
    }

    #[test]
    fn empty_pairs_are_skipped_and_empty_values_kept() {
        assert_eq!(decoded("&&A=&B&=c=d").unwrap(), [pair("A", ""), pair("B", ""), pair("", "c=d")]);
        assert_eq!(decoded("").unwrap(), []);
    }

    #[test]
    fn each_kind_of_malformed_text_has_its_own_error() {
        for text in ["A=%", "A=%4", "A=%g0", "A=%+1", "%=1"] {
            assert_eq!(decoded(text), Err(Malformed::Percent), "{text}");
        }
        assert_eq!(decoded("A=%FF"), Err(Malformed::Utf8));
        assert_eq!(decoded("A&B&C&D"), Err(Malformed::TooMany));
    }

    #[test]
    fn encoding_keeps_only_the_unreserved_characters() {
        let mut text = String::from("=");
        encode("aZ09-_.~ *'()!+/%&=é😀", &mut text);
        assert_eq!(text, "=aZ09-_.~%20%2A%27%28%29%21%2B%2F%25%26%3D%C3%A9%F0%9F%98%80");
    }
}
