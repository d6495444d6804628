//! The recorded requests of real SDKs for the tests of both signatures; never part of the daemon.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::form;

#[derive(Clone, Deserialize)]
pub(super) struct Vector {
    pub(super) name: String,
    pub(super) kind: String,
    credentials: BTreeMap<String, String>,
    pub(super) method: String,
    #[serde(default)]
    pub(super) params: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) target: String,
    #[serde(default)]
    pub(super) headers: Vec<(String, String)>,
    #[serde(default)]
    pub(super) body: String,
    pub(super) canonical_request: Option<String>,
    pub(super) string_to_sign: Option<String>,
    pub(super) signature: Option<String>,
}

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
    negative: Vec<Vector>,
}

fn file() -> File {
    serde_json::from_str(include_str!("../../contract/signature_vectors.json")).unwrap()
}

pub(super) fn positive() -> Vec<Vector> {
    file().vectors
}

pub(super) fn negative() -> Vec<Vector> {
    file().negative
}

impl Vector {
    pub(super) fn secret(&self) -> &str {
        &self.credentials["sk"]
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.credentials.get("token").map(String::as_str)
    }

    fn query_text(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The parameters of the query alone.
    pub(super) fn query(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        form::decode(self.query_text().as_bytes(), &mut pairs, 1_000).unwrap();
        pairs
    }

    /// The parameters of query and body.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = self.query();
        form::decode(self.body.as_bytes(), &mut pairs, 1_000).unwrap();
        pairs
    }

    pub(super) fn header_map(&self) -> HeaderMap {
        let header = |(name, value): &(String, String)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        self.headers.iter().map(header).collect()
    }
}
