//! A request as it was received: head, whole body and merged parameters, within the limits; never judges who sent it.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};

use super::form::{self, Malformed};
use super::params::Params;
use super::render::Format;
use super::signature_v3;
use crate::config::Limits;
use crate::faults::{Fault, fault};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
/// How many times the allowed size a sender may finish before it is cut off: one that is cut off while it still sends
/// loses the answer that tells it why.
const DRAINED: usize = 8;

/// A request whose parameters were read.
pub(super) struct Received {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) params: Params,
    /// How many of the parameters, from the first, came in the query.
    in_query: usize,
}

impl Received {
    /// Receives the body and reads the parameters of both.
    pub(super) async fn read(head: Parts, body: Body, limits: &Limits) -> Result<Self, Fault> {
        let body = read_body(&head.headers, body, limits).await?;
        let mut pairs = Vec::with_capacity(32);
        let malformed = |error| unreadable(error, limits);
        let query = head.uri.query().unwrap_or_default().as_bytes();
        form::decode(query, &mut pairs, limits.parameters).map_err(malformed)?;
        let in_query = pairs.len();
        if is_content_type(&head.headers, JSON) {
            // A v1 signature does not cover such a body, so there it is none of the parameters.
            if authorization(&head.headers).is_some_and(|value| value.starts_with(signature_v3::FAMILY)) {
                read_json(&body, &mut pairs, limits)?;
            }
        } else if is_content_type(&head.headers, FORM) || looks_like_form(&body) {
            form::decode(&body, &mut pairs, limits.parameters).map_err(malformed)?;
        }
        Ok(Self { method: head.method, headers: head.headers, body, params: Params::from(pairs), in_query })
    }

    /// The parameters of the query alone.
    pub(super) fn query(&self) -> &[(String, String)] {
        &self.params.pairs()[..self.in_query]
    }

    /// The text of a header; `None` when it is absent, empty or not text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|value| !value.is_empty())
}

/// The `Authorization` header.
pub(super) fn authorization(headers: &HeaderMap) -> Option<&str> {
    text(headers, AUTHORIZATION.as_str())
}

/// The form of the answer as far as it can be told before the parameters are read: `Format` where it stands plainly in
/// the query, which need not be readable otherwise, else what the headers ask for.
///
/// The vendor's default is XML, but the SDKs that send no `Format` read JSON alone: all of them send `x-acs-` headers.
pub(super) fn format_of(query: &str, headers: &HeaderMap) -> Format {
    let mut named = query.split('&').filter_map(|pair| pair.split_once('='));
    let named = named.find(|(name, value)| matches!(*name, "Format" | "format") && !value.is_empty());
    named.and_then(|(_, value)| Format::parse(value)).unwrap_or_else(|| format_of_headers(headers))
}

fn format_of_headers(headers: &HeaderMap) -> Format {
    let is_sdk = headers.keys().any(|name| name.as_str().starts_with("x-acs-"));
    let is_v3 = authorization(headers).is_some_and(|value| value.starts_with(signature_v3::FAMILY));
    let wants_json = text(headers, ACCEPT.as_str()).is_some_and(|value| value.contains(JSON));
    if is_sdk || is_v3 || wants_json { Format::Json } else { Format::Xml }
}

fn is_content_type(headers: &HeaderMap, wanted: &str) -> bool {
    let mime = text(headers, CONTENT_TYPE.as_str()).and_then(|value| value.split(';').next());
    mime.is_some_and(|mime| mime.trim().eq_ignore_ascii_case(wanted))
}

/// Whether a body without the content type of a form is one all the same.
fn looks_like_form(body: &[u8]) -> bool {
    body.contains(&b'=') && !matches!(body.first(), Some(b'{' | b'[' | b'<')) && body.iter().all(u8::is_ascii_graphic)
}

fn unreadable(error: Malformed, limits: &Limits) -> Fault {
    match error {
        Malformed::TooMany => fault("RequestTooLarge").with(format!("more than {} parameters", limits.parameters)),
        Malformed::Percent | Malformed::Utf8 => malformed(error.to_string()),
    }
}

fn malformed(why: impl Into<String>) -> Fault {
    fault("MalformedRequest").with(why)
}

/// Top-level members become parameters; lists and objects stay JSON text, which the parameters may hold anyway.
fn read_json(body: &[u8], pairs: &mut Vec<(String, String)>, limits: &Limits) -> Result<(), Fault> {
    if body.is_empty() {
        return Ok(());
    }
    let members: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| malformed("the body is not a JSON object"))?;
    if pairs.len() + members.len() > limits.parameters {
        return Err(unreadable(Malformed::TooMany, limits));
    }
    pairs.extend(members.into_iter().map(|(name, value)| match value {
        Value::String(text) => (name, text),
        Value::Null => (name, String::new()),
        other => (name, other.to_string()),
    }));
    Ok(())
}

async fn read_body(headers: &HeaderMap, body: Body, limits: &Limits) -> Result<Bytes, Fault> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced = text(headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
    if announced.is_some_and(|length: usize| length > limits.body_bytes.saturating_mul(DRAINED)) {
        return Err(too_large(limits));
    }
    let received = tokio::time::timeout(Duration::from_millis(limits.body_ms), receive(body, limits)).await;
    received.unwrap_or_else(|_| Err(fault("RequestTimeout")))
}

async fn receive(mut body: Body, limits: &Limits) -> Result<Bytes, Fault> {
    let mut kept = Vec::new();
    let mut size = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| malformed("the body ends early"))?;
        let Ok(data) = frame.into_data() else { continue };
        size = size.saturating_add(data.len());
        if size <= limits.body_bytes {
            kept.extend_from_slice(&data);
        } else if size > limits.body_bytes.saturating_mul(DRAINED) {
            break;
        }
    }
    if size > limits.body_bytes { Err(too_large(limits)) } else { Ok(Bytes::from(kept)) }
}

fn too_large(limits: &Limits) -> Fault {
    fault("RequestTooLarge").with(format!("a body of more than {} bytes", limits.body_bytes))
}
