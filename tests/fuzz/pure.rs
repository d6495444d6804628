//! Properties of functions that touch nothing: decoding, parameters, both signatures, rendering.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use snapshotd::faults::{Fault, fault};
use snapshotd::wire::form::{self, Malformed};
use snapshotd::wire::params::{self, JsonList, ParamError, Params};
use snapshotd::wire::render::{self, Format};
use snapshotd::wire::{signature_v1, signature_v3};

use crate::xml;

const LIMIT: usize = 200;

fn decoded(input: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let mut pairs = Vec::new();
    let outcome = form::decode(input, &mut pairs, LIMIT);
    assert!(pairs.len() <= LIMIT);
    outcome.map(|()| pairs)
}

/// How many there are, roughly.
fn about(count: usize) -> u32 {
    count.checked_ilog2().map_or(0, |log| log + 1)
}

/// What was decoded comes back when it is encoded and decoded again.
pub fn form(input: &[u8]) -> String {
    match decoded(input) {
        Ok(pairs) => {
            let text = form::encoded_pairs(&pairs);
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~%=&".contains(&b);
            assert!(text.bytes().all(is_plain), "{text}");
            // A pair of two empty parts is `=`, which is kept; nothing is lost.
            assert_eq!(decoded(text.as_bytes()).as_ref(), Ok(&pairs));
            assert_eq!(form::encoded_pairs(&pairs), text);
            format!("{} {}", about(pairs.len()), about(text.len()))
        }
        Err(why) => format!("{why:?} {}", about(input.len())),
    }
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Everything {
    region_id: Option<String>,
    force: bool,
    page_size: Option<i32>,
    max_results: Option<i64>,
    tag: Vec<Tag>,
    filter: Vec<Tag>,
    disk_id: Vec<String>,
    snapshot_ids: Option<JsonList<String>>,
    data_disk: Vec<Disk>,
    features: Option<Features>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: Option<String>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Disk {
    size: Option<u16>,
    tag: Vec<Tag>,
    category: Category,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Category {
    #[default]
    CloudEssd,
    Cloud,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Features {
    imds_support: Option<String>,
    inner: Option<Box<Features>>,
}

/// Reading is the same each time, and an error names a parameter.
pub fn parameters(input: &[u8]) -> String {
    let Ok(pairs) = decoded(input) else { return "not decoded".to_owned() };
    let params = Params::from(pairs);
    let read = params::parse::<Everything>(&params);
    assert_eq!(read, params::parse::<Everything>(&params));
    match read {
        Ok(read) => {
            let Everything { tag, filter, disk_id, data_disk, .. } = &read;
            let counts = [tag.len(), filter.len(), disk_id.len(), data_disk.len()].map(about);
            format!("{counts:?} {:?} {:?}", read.page_size.is_some(), read.features.is_some())
        }
        Err(ParamError::Missing(path)) => {
            assert!(!path.is_empty());
            format!("missing {}", path.len())
        }
        Err(ParamError::Invalid { path, why }) => format!("invalid {} {}", path.len(), why.len() / 8),
    }
}

/// What is signed does not depend on the order, leaves the signature out, and no other text has the same signature.
pub fn signature_v1(input: &[u8]) -> String {
    let Ok(pairs) = decoded(input) else { return "not decoded".to_owned() };
    let text = signature_v1::string_to_sign("POST", &pairs);
    let mut other = pairs.clone();
    other.push(("Signature".to_owned(), "anything".to_owned()));
    assert_eq!(signature_v1::string_to_sign("POST", &other), text);
    // Of a repeated name the order counts, so the order of those is kept.
    other.sort_by(|left, right| right.0.cmp(&left.0));
    assert_eq!(signature_v1::string_to_sign("POST", &other), text);
    let again = decoded(form::encoded_pairs(&pairs).as_bytes()).expect("what was encoded");
    assert_eq!(signature_v1::string_to_sign("POST", &again), text);
    let signature = signature_v1::sign("secret", &text);
    assert!(signature_v1::verify("secret", &text, &signature));
    assert!(
        !signature_v1::verify("secre", &text, &signature) && !signature_v1::verify("secret", &text[1..], &signature)
    );
    let offered = String::from_utf8_lossy(input);
    assert!(!signature_v1::verify("secret", &text, &offered));
    format!("{} {}", about(pairs.len()), about(text.len()))
}

/// Lines of `name: value` as headers, as far as HTTP can carry them, and what follows an empty line.
fn headers(input: &[u8]) -> (HeaderMap, &[u8]) {
    let split = input.windows(2).position(|two| two == b"\n\n");
    let (head, body) = split.map_or((input, &input[input.len()..]), |at| (&input[..at], &input[at + 2..]));
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n').take(500) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 1..]));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    (headers, body)
}

/// What is signed with a header of ours is found right, and any change of the body wrong.
pub fn signature_v3(input: &[u8]) -> String {
    let (headers, body) = headers(input);
    let read =
        headers.get("authorization").and_then(|value| value.to_str().ok()).map(signature_v3::Authorization::parse);
    let names = match read {
        Some(Some(authorization)) => authorization.signed_headers.to_owned(),
        _ => headers.keys().map(HeaderName::as_str).take(64).collect::<Vec<_>>().join(";"),
    };
    let query = decoded(body).unwrap_or_default();
    let signed = signature_v3::Signed { method: "POST", path: "/", query: &query, headers: &headers, body };
    let canonical = signature_v3::canonical_request(&signed, &names);
    assert_eq!(canonical, signature_v3::canonical_request(&signed, &names));
    assert!(canonical.starts_with("POST\n/\n") && canonical.ends_with(&signature_v3::payload_hash(body)));
    let ours = signature_v3::authorization("key", "secret", &signed, &names);
    let text = signature_v3::string_to_sign(&canonical);
    match signature_v3::Authorization::parse(&ours) {
        Some(back) => {
            assert!(back.algorithm == signature_v3::ALGORITHM && back.credential == "key");
            // Names that hold what parts the header are read otherwise, and refused.
            let is_whole = back.signed_headers == names;
            assert!(is_whole || names.contains([',', ' ', '=']), "{names:?} {:?}", back.signed_headers);
            assert!(!is_whole || signature_v3::verify("secret", &text, back.signature));
        }
        None => assert!(names.is_empty() || names.contains([',', ' ']) || names.split(';').count() > 64, "{ours:?}"),
    }
    let longer = [body, b"x"].concat();
    let other = signature_v3::Signed { body: &longer, ..signed };
    assert_ne!(signature_v3::canonical_request(&other, &names), canonical);
    format!("{} {} {}", read.is_some_and(|read| read.is_some()), about(headers.len()), about(names.len()))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Page<'a> {
    next_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    number: i64,
    snapshots: Snapshots<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Snapshots<'a> {
    snapshot: Vec<Snapshot<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Snapshot<'a> {
    description: &'a str,
    encrypted: bool,
}

/// Whatever text is in an answer comes back from it, in both forms.
pub fn render(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let lines: Vec<&str> = text.split('\n').take(50).collect();
    let snapshot = lines.iter().map(|line| Snapshot { description: line, encrypted: line.is_empty() }).collect();
    let name = lines.get(1).copied();
    let page = Page { next_token: &text, name, number: -1, snapshots: Snapshots { snapshot } };
    let json = render::success(Format::Json, "Do", "R", &page).expect("JSON");
    let read: serde_json::Value = serde_json::from_slice(&json).expect("what JSON is");
    assert_eq!((read["RequestId"].as_str(), read["NextToken"].as_str()), (Some("R"), Some(&*text)));
    assert_eq!(read["Name"].as_str(), name);
    let list = read["Snapshots"]["Snapshot"].as_array().expect("a list");
    assert!(list.iter().map(|one| one["Description"].as_str().expect("text")).eq(lines.iter().copied()));
    let body = String::from_utf8(render::success(Format::Xml, "Do", "R", &page).expect("XML")).expect("UTF-8");
    let leaves = xml::leaves(&body).unwrap_or_else(|why| panic!("{why}: {body}"));
    let texts =
        |path: &str| leaves.iter().filter(|(at, _)| at == path).map(|(_, text)| text.clone()).collect::<Vec<_>>();
    assert_eq!(texts("DoResponse/RequestId"), ["R"]);
    assert_eq!(texts("DoResponse/NextToken"), [xml::carried(&text)]);
    assert_eq!(texts("DoResponse/Name"), name.map(xml::carried).into_iter().collect::<Vec<_>>());
    let wanted: Vec<_> = lines.iter().map(|line| xml::carried(line)).collect();
    assert_eq!(texts("DoResponse/Snapshots/Snapshot/Description"), wanted);
    refusal(&text, input);
    format!("{} {} {}", about(lines.len()), about(body.len()), body.contains('\u{fffd}'))
}

/// A refusal carries its text and shows no host that is none.
fn refusal(text: &str, input: &[u8]) {
    let host = HeaderValue::from_bytes(input).ok();
    let refusal: Fault = fault("SignatureDoesNotMatch").with(text);
    let (_, json) = render::error(Format::Json, host.as_ref(), "R", "DeleteSnapshot", &refusal);
    let read: serde_json::Value = serde_json::from_slice(&json).expect("what JSON is");
    let message = read["Message"].as_str().expect("a message");
    assert!(message.ends_with(text), "{message}");
    let (_, body) = render::error(Format::Xml, host.as_ref(), "R", "DeleteSnapshot", &refusal);
    let body = String::from_utf8(body).expect("UTF-8");
    let leaves = xml::leaves(&body).unwrap_or_else(|why| panic!("{why}: {body}"));
    let of = |name: &str| leaves.iter().find(|(at, _)| at == name).map(|(_, text)| text.as_str());
    assert_eq!(of("Error/Message"), Some(&*xml::carried(message)));
    assert_eq!(of("Error/HostId"), read["HostId"].as_str());
}
