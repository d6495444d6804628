//! The v1 signature (HMAC-SHA1 over the sorted parameters) as pure functions; never decides who may call.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::form::{encode, encoded_pairs};

/// The parameter that carries the signature and is not part of it.
const SIGNATURE: &str = "Signature";

/// What a client signs: the method and all parameters of query and form body, sorted by name, empty values included.
///
/// One that query and form have alike is there once: SDKs sign a map.
#[must_use]
pub fn string_to_sign(method: &str, pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = pairs.iter().filter(|(name, _)| name != SIGNATURE).collect();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    sorted.dedup();
    let query = encoded_pairs(sorted);
    let mut text = String::with_capacity(query.len() * 3 / 2);
    text.push_str(method);
    text.push_str("&%2F&");
    encode(&query, &mut text);
    text
}

/// The value of `Signature`.
#[must_use]
pub fn sign(secret: &str, string_to_sign: &str) -> String {
    STANDARD.encode(hmac(secret, string_to_sign))
}

/// Whether `signature` is the one of `string_to_sign`; takes the same time wherever the two differ.
#[must_use]
pub fn verify(secret: &str, string_to_sign: &str, signature: &str) -> bool {
    sign(secret, string_to_sign).as_bytes().ct_eq(signature.as_bytes()).into()
}

fn hmac(secret: &str, text: &str) -> [u8; 20] {
    let key = [secret.as_bytes(), b"&"].concat();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::vectors::{self, Vector};

    fn pairs(vector: &Vector) -> Vec<(String, String)> {
        match &vector.params {
            Some(params) => params.clone().into_iter().collect(),
            None => vector.pairs(),
        }
    }

    #[test]
    fn every_signature_of_a_real_sdk_is_reproduced() {
        let vectors: Vec<_> = vectors::positive().into_iter().filter(|vector| vector.kind == "v1").collect();
        assert_eq!(vectors.len(), 10);
        for vector in vectors {
            let text = string_to_sign(&vector.method, &pairs(&vector));
            assert_eq!(Some(&text), vector.string_to_sign.as_ref(), "{}", vector.name);
            let signature = vector.signature.as_deref().unwrap();
            assert_eq!(sign(vector.secret(), &text), signature, "{}", vector.name);
            assert!(verify(vector.secret(), &text, signature), "{}", vector.name);
            assert!(!verify("other", &text, signature), "{}", vector.name);
        }
    }

    #[test]
    fn a_tampered_query_is_refused() {
        for vector in vectors::negative().into_iter().filter(|vector| vector.kind == "v1") {
            let pairs = pairs(&vector);
            let signature = &pairs.iter().find(|(name, _)| name == SIGNATURE).unwrap().1;
            assert!(!verify(vector.secret(), &string_to_sign(&vector.method, &pairs), signature), "{}", vector.name);
        }
    }

    #[test]
    fn what_is_sent_twice_alike_is_signed_once() {
        let pairs = |pairs: &[(&str, &str)]| {
            let owned: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            string_to_sign("POST", &owned)
        };
        assert_eq!(pairs(&[("B", "1"), ("A", "2"), ("B", "1")]), pairs(&[("A", "2"), ("B", "1")]));
        assert_eq!(pairs(&[("A", "1"), ("A", "2")]), "POST&%2F&A%3D1%26A%3D2");
    }

    #[test]
    fn a_signature_of_another_length_is_refused() {
        for signature in ["", "=", "Vu+yMGW6E2m5/T6a/qG/mWikMDo", "Vu+yMGW6E2m5/T6a/qG/mWikMDo=="] {
            assert!(!verify("testsecret", "text", signature));
        }
    }
}
