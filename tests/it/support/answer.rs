//! What came back: status, body and type, with the ways in which tests look at it.

use axum::body::Body;
use axum::http::Response;
use serde_json::Value;

use super::request::Sent;

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub sent: Sent,
    pub status: u16,
    pub content_type: String,
    pub text: String,
    /// The body where it is JSON, else null.
    pub body: Value,
}

impl Answer {
    pub async fn receive(sent: Sent, response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let content_type = head.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("the body arrives");
        let text = String::from_utf8(bytes.into()).expect("an answer in UTF-8");
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { sent, status: head.status.as_u16(), content_type: content_type.to_owned(), text, body }
    }

    /// The body of a success.
    #[track_caller]
    pub fn accepted(self) -> Value {
        assert_eq!(self.status, 200, "{} was refused: {}", self.sent.action, self.text);
        self.body
    }

    /// Checks that it is this refusal.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code()), (status, code), "{}: {}", self.sent.action, self.text);
        self
    }

    /// The code of an error, empty for none.
    pub fn code(&self) -> &str {
        match self.body.get("Code") {
            Some(code) => code.as_str().unwrap_or_default(),
            None => between(&self.text, "<Code>", "</Code>").unwrap_or_default(),
        }
    }

    pub fn message(&self) -> &str {
        match self.body.get("Message") {
            Some(message) => message.as_str().unwrap_or_default(),
            None => between(&self.text, "<Message>", "</Message>").unwrap_or_default(),
        }
    }

    /// The ids of resources that a creating action answers.
    pub fn ids(&self) -> Vec<String> {
        let text = |name| self.body.get(name).and_then(Value::as_str).map(str::to_owned);
        ["SnapshotId", "DiskId", "ImageId", "InstanceId", "SnapshotGroupId", "AutoSnapshotPolicyId"]
            .into_iter()
            .filter_map(text)
            .collect()
    }
}

pub fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

/// A member of an answer as text, or a failure that shows the whole.
#[track_caller]
pub fn text(body: &Value, pointer: &str) -> String {
    let found = body.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} in {body}")).to_owned()
}

/// The `field` of every element of the list at `pointer`.
#[track_caller]
pub fn column(body: &Value, pointer: &str, field: &str) -> Vec<String> {
    let list = body.pointer(pointer).and_then(Value::as_array);
    let list = list.unwrap_or_else(|| panic!("no list at {pointer} in {body}"));
    list.iter().map(|item| text(item, &format!("/{field}"))).collect()
}

/// The ids in an answer of `DescribeSnapshots`.
#[track_caller]
pub fn snapshot_ids(body: &Value) -> Vec<String> {
    column(body, "/Snapshots/Snapshot", "SnapshotId")
}
