//! The v3 signature (ACS3-HMAC-SHA256 over method, path, query, headers and body) as pure functions; never decides who may call.

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::form::encoded_pairs;

/// More signed headers than any SDK has; each may be long and is copied before anything is proven.
const SIGNED_HEADERS: usize = 64;
/// What every algorithm of this family begins with.
pub const FAMILY: &str = "ACS3-";
/// The one algorithm that the SDKs use by default.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The `Authorization` header, taken apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Authorization<'a> {
    pub algorithm: &'a str,
    pub credential: &'a str,
    pub signed_headers: &'a str,
    pub signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header by the names of its parts, since the legacy Java SDK has them in another order.
    #[must_use]
    pub fn parse(header: &'a str) -> Option<Self> {
        let (algorithm, parts) = header.trim().split_once(' ')?;
        let part = |wanted: &str| {
            let mut named = parts.split(',').filter_map(|part| part.trim().split_once('='));
            named.find(|(name, value)| *name == wanted && !value.is_empty()).map(|(_, value)| value)
        };
        let (credential, signed_headers) = (part("Credential")?, part("SignedHeaders")?);
        if signed_headers.split(';').count() > SIGNED_HEADERS {
            return None;
        }
        Some(Self { algorithm, credential, signed_headers, signature: part("Signature")? })
    }
}

/// The parts of a request that the signature covers.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// The decoded parameters of the query alone: those of the body are covered by its hash.
    pub query: &'a [(String, String)],
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// The canonical request with the headers that `signed_headers` lists, separated by semicolons.
///
/// The payload hash is that of the body as it is here. Clients put theirs into `x-acs-content-sha256` and sign that too,
/// so a body that differs from what was signed cannot match.
#[must_use]
pub fn canonical_request(request: &Signed<'_>, signed_headers: &str) -> String {
    let mut text = String::with_capacity(1_024);
    text.push_str(request.method);
    text.push('\n');
    text.push_str(request.path);
    text.push('\n');
    push_query(request.query, &mut text);
    text.push('\n');
    for name in signed_headers.split(';').filter(|name| !name.is_empty()) {
        push_header(name, request.headers, &mut text);
    }
    text.push('\n');
    text.push_str(signed_headers);
    text.push('\n');
    push_hexadecimal(&Sha256::digest(request.body), &mut text);
    text
}

fn push_query(pairs: &[(String, String)], text: &mut String) {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    // Python, Node and Go leave names as they are, Java encodes them: the same for the names of ECS.
    text.push_str(&encoded_pairs(sorted));
}

fn push_header(name: &str, headers: &HeaderMap, text: &mut String) {
    text.extend(name.chars().map(|letter| letter.to_ascii_lowercase()));
    text.push(':');
    for (i, value) in headers.get_all(name).iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push_str(String::from_utf8_lossy(value.as_bytes()).trim());
    }
    text.push('\n');
}

fn push_hexadecimal(bytes: &[u8], text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// The hash of a body as clients put it into `x-acs-content-sha256`.
#[must_use]
pub fn payload_hash(body: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    push_hexadecimal(&Sha256::digest(body), &mut text);
    text
}

#[must_use]
pub fn string_to_sign(canonical_request: &str) -> String {
    let mut text = String::with_capacity(ALGORITHM.len() + 65);
    text.push_str(ALGORITHM);
    text.push('\n');
    push_hexadecimal(&Sha256::digest(canonical_request.as_bytes()), &mut text);
    text
}

/// The `Signature` part of the header.
///
/// # Panics
/// Never: HMAC takes a key of any length.
#[must_use]
pub fn sign(secret: &str, string_to_sign: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(string_to_sign.as_bytes());
    let mut text = String::with_capacity(64);
    push_hexadecimal(&mac.finalize().into_bytes(), &mut text);
    text
}

/// Whether `signature` is the one of `string_to_sign`; takes the same time wherever the two differ.
#[must_use]
pub fn verify(secret: &str, string_to_sign: &str, signature: &str) -> bool {
    sign(secret, string_to_sign).as_bytes().ct_eq(signature.as_bytes()).into()
}

/// The `Authorization` header for a request of our own that signs `signed_headers`.
#[must_use]
pub fn authorization(key_id: &str, secret: &str, request: &Signed<'_>, signed_headers: &str) -> String {
    let signature = sign(secret, &string_to_sign(&canonical_request(request, signed_headers)));
    format!("{ALGORITHM} Credential={key_id},SignedHeaders={signed_headers},Signature={signature}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::vectors::{self, Vector};

    fn check(vector: &Vector) -> (String, String, bool) {
        let (headers, query) = (vector.header_map(), vector.query());
        let (path, body) = ("/", vector.body.as_bytes());
        let request = Signed { method: &vector.method, path, query: &query, headers: &headers, body };
        let authorization = Authorization::parse(headers["authorization"].to_str().unwrap()).unwrap();
        assert!(authorization.algorithm == ALGORITHM && authorization.credential == "testid", "{}", vector.name);
        let canonical = canonical_request(&request, authorization.signed_headers);
        let text = string_to_sign(&canonical);
        let passes = verify(vector.secret(), &text, authorization.signature);
        if passes {
            let ours = super::authorization("testid", vector.secret(), &request, authorization.signed_headers);
            assert_eq!(ours, headers["authorization"].to_str().unwrap(), "{}", vector.name);
        }
        (canonical, text, passes)
    }

    #[test]
    fn every_signature_of_a_real_sdk_is_reproduced() {
        let vectors: Vec<_> = vectors::positive().into_iter().filter(|vector| vector.kind == "v3").collect();
        assert_eq!(vectors.len(), 7);
        for vector in vectors {
            let (canonical, text, passes) = check(&vector);
            assert_eq!(Some(canonical), vector.canonical_request, "{}", vector.name);
            assert_eq!(Some(text), vector.string_to_sign, "{}", vector.name);
            assert!(passes, "{}", vector.name);
        }
    }

    #[test]
    fn a_tampered_body_is_refused() {
        for vector in vectors::negative().into_iter().filter(|vector| vector.kind == "v3") {
            assert!(!check(&vector).2, "{}", vector.name);
        }
    }

    #[test]
    fn the_authorization_header_is_read_by_name() {
        let read = |text| Authorization::parse(text).map(|read| (read.credential, read.signed_headers, read.signature));
        let wanted = Some(("AK", "a;b", "00"));
        assert_eq!(read("ACS3-HMAC-SHA256 Credential=AK,SignedHeaders=a;b,Signature=00"), wanted);
        assert_eq!(read("ACS3-HMAC-SHA256 Credential=AK, Signature=00, SignedHeaders=a;b"), wanted);
        for text in ["", "ACS3-HMAC-SHA256", "ACS3-HMAC-SHA256 Credential=AK,Signature=00", "Bearer x", "A Credential="]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_part_of_the_authorization_header_without_a_value_is_missing() {
        for text in ["A Credential=,SignedHeaders=a,Signature=00", "A Credential=AK,SignedHeaders=,Signature=00"] {
            assert!(Authorization::parse(text).is_none(), "{text}");
        }
        assert!(Authorization::parse("A Credential=AK,SignedHeaders=a,Signature=").is_none());
    }

    #[test]
    fn as_many_signed_headers_are_taken_as_the_bound_says_and_no_more() {
        let with = |count| format!("A Credential=AK,SignedHeaders={},Signature=00", vec!["host"; count].join(";"));
        assert!(Authorization::parse(&with(SIGNED_HEADERS)).is_some());
        assert!(Authorization::parse(&with(SIGNED_HEADERS + 1)).is_none());
    }

    #[test]
    fn values_of_a_repeated_header_are_signed_trimmed_and_joined_by_commas() {
        let mut headers = HeaderMap::new();
        for value in [" one ", "two", "three"] {
            headers.append("x-acs-meta", value.parse().unwrap());
        }
        let request = Signed { method: "GET", path: "/", query: &[], headers: &headers, body: b"" };
        let text = canonical_request(&request, "x-acs-meta");
        assert_eq!(text.lines().nth(3), Some("x-acs-meta:one,two,three"));
    }

    #[test]
    fn the_hash_of_an_empty_body_is_the_known_one() {
        assert!(payload_hash(b"").starts_with("e3b0c442") && payload_hash(b"").ends_with("b855"));
    }
}
