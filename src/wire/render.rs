//! Answers as bytes: one serde value becomes JSON or XML, faults too; never decides what is answered.

use std::fmt;

use axum::http::HeaderValue;
use quick_xml::se::Serializer;
use serde::Serialize;

use crate::faults::Fault;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
/// Answered as the host when the caller named none that can be shown.
const HOST: &str = "127.0.0.1";

/// The two forms of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Xml,
}

impl Format {
    /// Reads the parameter `Format`, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("json") {
            Some(Self::Json)
        } else {
            text.eq_ignore_ascii_case("xml").then_some(Self::Xml)
        }
    }

    /// The `Content-Type`, to the letter: the SDKs compare it as a case-sensitive string.
    #[must_use]
    pub const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        })
    }
}

/// The body of a success: `value` with `RequestId` as its first member.
///
/// # Errors
/// A value that is not an object; a mistake of the action that made it.
pub fn success<T: Serialize>(format: Format, action: &str, request_id: &str, value: &T) -> Result<Vec<u8>, Fault> {
    match format {
        Format::Json => success_json(request_id, value),
        Format::Xml => success_xml(action, request_id, value).map_err(Fault::internal).map(String::into_bytes),
    }
}

fn success_json<T: Serialize>(request_id: &str, value: &T) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::with_capacity(512);
    body.extend_from_slice(b"{\"RequestId\":\"");
    body.extend_from_slice(request_id.as_bytes());
    body.push(b'"');
    let start = body.len();
    serde_json::to_writer(&mut body, value).map_err(Fault::internal)?;
    match &body[start..] {
        b"{}" | b"null" => {
            body.truncate(start);
            body.push(b'}');
        }
        [b'{', ..] => body[start] = b',',
        _ => return Err(Fault::internal("the answer is not an object")),
    }
    Ok(body)
}

fn success_xml<T: Serialize>(action: &str, request_id: &str, value: &T) -> Result<String, quick_xml::SeError> {
    let root = format!("{action}Response");
    let mut body = String::with_capacity(512);
    body.push_str(DECLARATION);
    let start = body.len();
    value.serialize(Serializer::with_root(&mut Carried(&mut body), Some(&root))?)?;
    let (open, request_id) = (start + root.len() + 2, format!("<RequestId>{request_id}</RequestId>"));
    // A value without members is `<Root/>`, which is shorter than any other.
    if body.len() == open + 1 {
        body.truncate(start);
        body.extend(["<", &root, ">", &request_id, "</", &root, ">"]);
    } else {
        body.insert_str(open, &request_id);
    }
    Ok(body)
}

/// Passes on what XML 1.0 can carry and replaces every other character, which no escape could save.
struct Carried<'a>(&'a mut String);

impl fmt::Write for Carried<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let barred = |letter: char| match letter {
            '\t' | '\n' | '\r' => false,
            '\u{FFFE}' | '\u{FFFF}' => true,
            other => other < ' ',
        };
        let mut rest = text;
        while let Some(at) = rest.find(barred) {
            self.0.push_str(&rest[..at]);
            self.0.push(char::REPLACEMENT_CHARACTER);
            rest = &rest[at + rest[at..].chars().next().map_or(1, char::len_utf8)..];
        }
        self.0.push_str(rest);
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal<'a> {
    request_id: &'a str,
    host_id: &'a str,
    code: &'a str,
    message: &'a str,
    recommend: &'a str,
}

/// Status and body of a refusal; `host` is the `Host` header as it came.
#[must_use]
pub fn error(
    format: Format,
    host: Option<&HeaderValue>,
    request_id: &str,
    action: &str,
    fault: &Fault,
) -> (u16, Vec<u8>) {
    let resolved = fault.resolve(action);
    let code = fault.code();
    let recommend = format!("https://api.aliyun.com/troubleshoot?q={code}&product=Ecs&requestId={request_id}");
    let refusal =
        Refusal { request_id, host_id: shown_host(host), code, message: &resolved.message, recommend: &recommend };
    let body = match format {
        Format::Json => serde_json::to_vec(&refusal).unwrap_or_default(),
        Format::Xml => error_xml(&refusal).unwrap_or_default().into_bytes(),
    };
    (resolved.status, body)
}

fn error_xml(refusal: &Refusal<'_>) -> Result<String, quick_xml::SeError> {
    let mut body = String::with_capacity(512);
    body.push_str(DECLARATION);
    refusal.serialize(Serializer::with_root(&mut Carried(&mut body), Some("Error"))?)?;
    Ok(body)
}

/// Clients that are given an endpoint with a scheme put it into the header: letters, digits and `.-_:/[]` are shown.
fn shown_host(host: Option<&HeaderValue>) -> &str {
    let shown = |host: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:/[]".contains(&byte);
        (1..=255).contains(&host.len()) && host.bytes().all(plain)
    };
    host.and_then(|host| host.to_str().ok()).filter(shown).unwrap_or(HOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::fault;

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Page {
        total_count: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_token: Option<String>,
        snapshots: Snapshots,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Snapshots {
        snapshot: Vec<Snapshot>,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Snapshot {
        name: &'static str,
        description: &'static str,
        encrypted: bool,
        status: Status,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Status {
        Accomplished,
    }

    #[derive(Serialize)]
    struct Empty {}

    fn page(names: &[&'static str]) -> Page {
        let snapshot =
            |name: &&'static str| Snapshot { name, description: "", encrypted: false, status: Status::Accomplished };
        let snapshot = names.iter().map(snapshot).collect();
        Page { total_count: 1, next_token: None, snapshots: Snapshots { snapshot } }
    }

    fn text<T: Serialize>(format: Format, value: &T) -> String {
        String::from_utf8(success(format, "Do", "R", value).unwrap()).unwrap()
    }

    #[test]
    fn the_request_id_comes_first_in_json() {
        let wanted = r#"{"RequestId":"R","TotalCount":1,"Snapshots":{"Snapshot":[{"Name":"a&\u0001","Description":"","Encrypted":false,"Status":"accomplished"}]}}"#;
        assert_eq!(text(Format::Json, &page(&["a&\u{1}"])), wanted);
        assert_eq!(text(Format::Json, &Empty {}), r#"{"RequestId":"R"}"#);
        assert_eq!(text(Format::Json, &()), r#"{"RequestId":"R"}"#);
        assert!(success(Format::Json, "Do", "R", &7).is_err());
    }

    #[test]
    fn the_request_id_comes_first_in_xml_and_lists_are_repeated_elements() {
        let element = |name: &str| {
            format!(
                "<Snapshot><Name>{name}</Name><Description/><Encrypted>false</Encrypted>\
                 <Status>accomplished</Status></Snapshot>"
            )
        };
        let wanted = format!(
            "{DECLARATION}<DoResponse><RequestId>R</RequestId><TotalCount>1</TotalCount><Snapshots>{}{}</Snapshots>\
             </DoResponse>",
            element("a&lt;&amp;"),
            element("b")
        );
        assert_eq!(text(Format::Xml, &page(&["a<&", "b"])), wanted);
        let empty = format!("{DECLARATION}<DoResponse><RequestId>R</RequestId></DoResponse>");
        assert_eq!(text(Format::Xml, &Empty {}), empty);
        assert_eq!(text(Format::Xml, &()), empty);
        assert!(text(Format::Xml, &page(&[])).contains("<Snapshots/>"));
    }

    #[test]
    fn characters_that_xml_cannot_carry_are_replaced() {
        let body = text(Format::Xml, &page(&["快\u{0}a\tb\nc\u{1b}\u{ffff}😀"]));
        assert!(body.contains("<Name>快\u{fffd}a\tb\nc\u{fffd}\u{fffd}😀</Name>"), "{body}");
        assert!(!body.contains(|letter: char| letter < ' ' && !matches!(letter, '\t' | '\n')));
    }

    #[test]
    fn a_fault_has_the_vendors_form() {
        let host = HeaderValue::from_static("http://127.0.0.1:1/");
        let missing = Fault::missing("DiskId");
        let (status, body) = error(Format::Json, Some(&host), "R", "X", &missing);
        let wanted = concat!(
            r#"{"RequestId":"R","HostId":"http://127.0.0.1:1/","Code":"MissingParameter","Message":"The input "#,
            r#"parameter \"DiskId\" that is mandatory for processing this request is not supplied.","Recommend":"#,
            r#""https://api.aliyun.com/troubleshoot?q=MissingParameter&product=Ecs&requestId=R"}"#
        );
        assert_eq!((status, String::from_utf8(body).unwrap().as_str()), (400, wanted));
        let (status, body) = error(Format::Xml, None, "R", "X", &fault("InternalError"));
        let wanted = format!(
            "{DECLARATION}<Error><RequestId>R</RequestId><HostId>127.0.0.1</HostId><Code>InternalError</Code><Message>\
             The request processing has failed due to some unknown error.</Message><Recommend>https://api.aliyun.com/\
             troubleshoot?q=InternalError&amp;product=Ecs&amp;requestId=R</Recommend></Error>"
        );
        assert_eq!((status, String::from_utf8(body).unwrap()), (500, wanted));
    }

    #[test]
    fn a_host_that_cannot_be_shown_is_the_loopback_address() {
        let shown = |host: &str| shown_host(Some(&HeaderValue::from_bytes(host.as_bytes()).unwrap())).to_owned();
        assert_eq!(shown("[::1]:80"), "[::1]:80");
        for host in ["", "a b", "<x>", "快", &"a".repeat(256)] {
            assert_eq!(shown(host), HOST, "{host}");
        }
    }
}
