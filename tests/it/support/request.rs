//! Requests as SDKs send them: signed by v1 or v3, spread over query and form body; may be spoiled on purpose.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use snapshotd::ids;
use snapshotd::wire::form::encoded_pairs;
use snapshotd::wire::{signature_v1, signature_v3};

use super::{KEY, START};

pub const HOST: &str = "ecs.cn-hangzhou.aliyuncs.test";
const SIGNED_HEADERS: &str =
    "accept;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";

/// What the judge is to know of a request.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Empty where the gateway cannot know it.
    pub action: String,
}

impl Sent {
    pub fn nothing() -> Self {
        Self { action: String::new() }
    }

    /// Whether the ids in its answer are new ones.
    pub fn makes_something(&self) -> bool {
        ["Create", "Run", "Copy"].iter().any(|verb| self.action.starts_with(verb))
    }
}

/// Where the parameters go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Query,
    Form,
    /// Common ones in the query, the action's own in the body.
    Split,
}

/// A request to be signed and sent.
#[derive(Clone, Debug)]
pub struct Request {
    action: String,
    common: Vec<(String, String)>,
    own: Vec<(String, String)>,
    secret: String,
    method: &'static str,
    place: Place,
    v3: bool,
    headers: Vec<(&'static str, String)>,
    signature: Option<String>,
}

impl Request {
    pub fn new(action: &str, params: &[(&str, &str)]) -> Self {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let nonce = ids::nonce();
        let common = [
            ("Action", action),
            ("Version", "2014-05-26"),
            ("Format", "JSON"),
            ("AccessKeyId", KEY.0),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", START),
        ];
        Self {
            action: action.to_owned(),
            common: common.iter().map(pair).collect(),
            own: params.iter().map(pair).collect(),
            secret: KEY.1.to_owned(),
            method: "POST",
            place: Place::Query,
            v3: false,
            headers: Vec::new(),
            signature: None,
        }
    }

    pub fn key(self, (id, secret): (&str, &str)) -> Self {
        Self { secret: secret.to_owned(), ..self }.set("AccessKeyId", id)
    }

    pub fn format(self, format: &str) -> Self {
        self.set("Format", format)
    }

    /// Signs with ACS3-HMAC-SHA256; common parameters go into headers.
    pub fn v3(self) -> Self {
        Self { v3: true, ..self }
    }

    pub fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub fn place(self, place: Place) -> Self {
        Self { place, ..self }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Replaces or adds a common parameter.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.common.retain(|(known, _)| known != name);
        self.common.push((name.to_owned(), value.to_owned()));
        if name == "Action" {
            value.clone_into(&mut self.action);
        }
        self
    }

    /// Leaves a common parameter out.
    pub fn without(mut self, name: &str) -> Self {
        self.common.retain(|(known, _)| known != name);
        if name == "Action" {
            self.action.clear();
        }
        self
    }

    /// Another signature than the right one.
    pub fn signature(self, signature: &str) -> Self {
        Self { signature: Some(signature.to_owned()), ..self }
    }

    pub fn sent(&self) -> Sent {
        Sent { action: self.action.clone() }
    }

    fn common(&self, name: &str) -> &str {
        self.common.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The query, the body and the headers, signed.
    pub fn parts(&self) -> (String, String, Vec<(&'static str, String)>) {
        if self.v3 { self.parts_v3() } else { self.parts_v1() }
    }

    fn parts_v1(&self) -> (String, String, Vec<(&'static str, String)>) {
        let mut common = self.common.clone();
        let all = [common.clone(), self.own.clone()].concat();
        let text = signature_v1::string_to_sign(self.method, &all);
        let signature = self.signature.clone().unwrap_or_else(|| signature_v1::sign(&self.secret, &text));
        common.push(("Signature".to_owned(), signature));
        let (query, body) = match self.place {
            Place::Query => (encoded_pairs(&[common, self.own.clone()].concat()), String::new()),
            Place::Form => (String::new(), encoded_pairs(&[common, self.own.clone()].concat())),
            Place::Split => (encoded_pairs(&common), encoded_pairs(&self.own)),
        };
        (query, body, self.headers.clone())
    }

    fn parts_v3(&self) -> (String, String, Vec<(&'static str, String)>) {
        let (query, body) = match self.place {
            Place::Query => (self.own.clone(), String::new()),
            Place::Form | Place::Split => (Vec::new(), encoded_pairs(&self.own)),
        };
        let mut headers = vec![
            ("host", HOST.to_owned()),
            ("accept", "application/json".to_owned()),
            ("x-acs-action", self.action.clone()),
            ("x-acs-version", self.common("Version").to_owned()),
            ("x-acs-date", self.common("Timestamp").to_owned()),
            ("x-acs-signature-nonce", self.common("SignatureNonce").to_owned()),
            ("x-acs-content-sha256", signature_v3::payload_hash(body.as_bytes())),
        ];
        headers.extend(self.headers.iter().cloned());
        let map = header_map(&headers);
        let signed = signature_v3::Signed {
            method: self.method,
            path: "/",
            query: &query,
            headers: &map,
            body: body.as_bytes(),
        };
        let authorization = self.signature.clone().unwrap_or_else(|| {
            signature_v3::authorization(self.common("AccessKeyId"), &self.secret, &signed, SIGNED_HEADERS)
        });
        headers.push(("authorization", authorization));
        (encoded_pairs(&query), body, headers)
    }

    pub fn build(&self) -> axum::http::Request<Body> {
        let (query, body, headers) = self.parts();
        let target = if query.is_empty() { "/".to_owned() } else { format!("/?{query}") };
        let mut request = raw(self.method, &target, body.into_bytes());
        if !request.headers().contains_key("content-type") && self.place != Place::Query {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert("content-type", form);
        }
        request.headers_mut().extend(header_map(&headers));
        request
    }
}

/// A request that nobody signed.
pub fn raw(method: &str, target: &str, body: Vec<u8>) -> axum::http::Request<Body> {
    let request = axum::http::Request::builder().method(method).uri(target).header("host", HOST);
    request.body(Body::from(body)).expect("a request that HTTP can carry")
}

fn header_map(headers: &[(&'static str, String)]) -> HeaderMap {
    let header = |(name, value): &(&'static str, String)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).expect("text"))
    };
    headers.iter().map(header).collect()
}
