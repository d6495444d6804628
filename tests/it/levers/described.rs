//! Every lever as its own description has it: requests made from the schemas, right ones and wrong ones; each answer has a
//! status and a type that the description declares, comes in time and is never the daemon's failure.

use std::time::Duration;

use serde_json::{Map, Value, json};
use snapshotd::wire::form;

use crate::support::TestApp;
use crate::support::random::{self, Random};

const TIMES: usize = 40;
const PATIENCE: Duration = Duration::from_secs(20);

/// What levers take for names, ids and spans, and what they cannot take.
const TEXTS: &[&str] = &[
    "",
    "a",
    "name-1",
    "s-bp1",
    "1000000000000001",
    "1h",
    "-1h",
    "99999999999999999999w",
    "2026-02-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "DeleteSnapshot",
    "Operation.Conflict",
    "manual",
    "system",
    "before",
    "../../etc/passwd",
    "a b",
    "快照",
    "\u{0}",
    "\u{202e}",
    "%00",
    "'; DROP TABLE snapshots; --",
    "\r\nX: y",
    "null",
    "{{",
    "30d ago",
    ".",
    "..",
    "con",
    "*",
    "a/b",
];

struct Maker<'a> {
    document: &'a Value,
    random: Random,
}

impl Maker<'_> {
    fn text(&mut self) -> String {
        match self.random.below(12) {
            0 => "x".repeat(1 + self.random.below(5_000)),
            1 => format!("name-{}", self.random.below(3)),
            _ => TEXTS[self.random.below(TEXTS.len())].to_owned(),
        }
    }

    fn number(&mut self, schema: &Value) -> Value {
        let (least, most) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
        let some = [0, 1, 2, 7, 60_000, i64::from(i32::MAX), i64::MAX, -1, i64::MIN];
        let number = some[self.random.below(some.len())];
        json!(number.clamp(least.unwrap_or(i64::MIN), most.unwrap_or(i64::MAX)))
    }

    /// A value that the schema allows.
    fn right(&mut self, schema: &Value, depth: usize) -> Value {
        if let Some(name) = schema["$ref"].as_str() {
            let pointer = name.trim_start_matches('#');
            let schema = self.document.pointer(pointer).unwrap_or_else(|| panic!("{name} is nowhere"));
            return self.right(schema, depth);
        }
        for kind in ["oneOf", "anyOf"] {
            if let Some(choices) = schema[kind].as_array() {
                let choice = self.random.below(choices.len());
                return self.right(&choices[choice], depth);
            }
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let parts = parts.iter().filter_map(|part| self.right(part, depth).as_object().cloned());
            return Value::Object(parts.flatten().collect::<Map<_, _>>());
        }
        if let Some(choices) = schema["enum"].as_array() {
            return choices[self.random.below(choices.len())].clone();
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds[self.random.below(kinds.len())].as_str().unwrap_or("null").to_owned(),
            kind => kind.as_str().unwrap_or("string").to_owned(),
        };
        match kind.as_str() {
            "string" => json!(self.text()),
            "integer" => self.number(schema),
            "number" => json!([0.0, 0.5, 1.0, 60.0, 1e300][self.random.below(5)]),
            "boolean" => json!(self.random.once_in(2)),
            "array" if depth > 5 => json!([]),
            "array" => {
                let count = self.random.below(3);
                (0..count).map(|_| self.right(&schema["items"], depth + 1)).collect()
            }
            "object" => self.object(schema, depth),
            _ => Value::Null,
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut members = Map::new();
        let is_required = |name: &str| schema["required"].as_array().is_some_and(|list| list.contains(&json!(name)));
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            if is_required(name) || depth < 5 && self.random.once_in(2) {
                let value = self.right(schema, depth + 1);
                members.insert(name.clone(), value);
            }
        }
        if schema["additionalProperties"].is_object() && self.random.once_in(2) {
            let table = ["snapshots", "disks", "nothing"][self.random.below(3)];
            let value = self.right(&schema["additionalProperties"], depth + 1);
            members.insert(table.to_owned(), value);
        }
        Value::Object(members)
    }

    /// What the schema forbids: no object, an unknown member, a member of another type; or no JSON at all.
    fn wrong(&mut self, schema: &Value) -> String {
        let right = self.right(schema, 0);
        let mut members = right.as_object().cloned().unwrap_or_default();
        match self.random.below(5) {
            0 => "[1, 2".to_owned(),
            1 => "[[]]".to_owned(),
            2 => "\u{0}".to_owned(),
            3 => "[".repeat(10_000),
            _ => {
                let names: Vec<String> = members.keys().cloned().collect();
                let name = names.get(self.random.below(names.len() + 1)).cloned();
                members.insert(name.unwrap_or_else(|| "unknown_member".to_owned()), json!({"a": [{"b": 1}]}));
                Value::Object(members).to_string()
            }
        }
    }
}

/// Path and query of a request, from the parameters of its description.
fn target(maker: &mut Maker<'_>, path: &str, parameters: &Value) -> String {
    let mut path = path.trim_start_matches("/_snapshotd").to_owned();
    let mut query = Vec::new();
    for parameter in parameters.as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().expect("a name");
        let value = maker.right(&parameter["schema"], 0);
        let odd = maker.random.once_in(4);
        let value = if odd { maker.text() } else { value.as_str().map_or_else(|| value.to_string(), str::to_owned) };
        let in_path = parameter["in"] == "path";
        // One path segment; a nameless one would be another path.
        let value = if in_path && (value.is_empty() || value == "." || value == "..") { "x".to_owned() } else { value };
        let value = if in_path && maker.random.once_in(10) { "%ff%fe".to_owned() } else { form::encoded(&value) };
        if in_path {
            path = path.replace(&format!("{{{name}}}"), &value);
        } else if maker.random.once_in(2) {
            query.push(format!("{name}={value}"));
        }
    }
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

/// Sends one request and holds the answer against the description; its status.
async fn answered(app: &TestApp, operation: &Value, method: &str, target: &str, body: &str) -> Result<u16, String> {
    let method = method.to_uppercase();
    let wanted = app.lever_response(&method, target, body);
    let response = tokio::time::timeout(PATIENCE, wanted).await.map_err(|_| "it hangs".to_owned())?;
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let declared = &operation["responses"][status.to_string()];
    if status >= 500 || declared.is_null() {
        let read = axum::body::to_bytes(response.into_body(), 1 << 20);
        let text = tokio::time::timeout(PATIENCE, read).await.map(Result::unwrap_or_default).unwrap_or_default();
        return Err(format!("{status} is not declared: {}", String::from_utf8_lossy(&text)));
    }
    let kinds: Vec<&String> = declared["content"].as_object().into_iter().flat_map(Map::keys).collect();
    let is_declared = kind.as_ref().map_or(kinds.is_empty(), |kind| kinds.contains(&kind));
    if !is_declared {
        return Err(format!("{status} with {kind:?}, declared are {kinds:?}"));
    }
    if kind.as_deref() == Some("application/json") {
        let read = axum::body::to_bytes(response.into_body(), usize::MAX);
        let bytes = tokio::time::timeout(PATIENCE, read).await.map_err(|_| "its body hangs")?.expect("a body");
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if status >= 400 && value["error"].as_str().is_none_or(str::is_empty) {
            return Err(format!("{status} without a reason: {value}"));
        }
    }
    Ok(status)
}

#[tokio::test]
async fn each_lever_answers_as_it_is_described_whatever_is_sent() {
    let app = TestApp::new().await;
    app.accomplished_snapshot(&app.attached_disk().await).await;
    let document = app.moved("GET", "/openapi.json", Value::Null).await;
    let seed = random::told().unwrap_or(1);
    let mut maker = Maker { document: &document, random: Random::seeded(seed) };
    let mut wrong = Vec::new();
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            operations += 1;
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            for _ in 0..TIMES {
                let is_wrong = !schema.is_null() && maker.random.once_in(3);
                let body = match schema {
                    Value::Null => String::new(),
                    schema if is_wrong => maker.wrong(schema),
                    schema => maker.right(schema, 0).to_string(),
                };
                let target = target(&mut maker, path, &operation["parameters"]);
                let outcome = answered(&app, operation, method, &target, &body).await;
                let why = match outcome {
                    Ok(status) if is_wrong && status < 400 => format!("{status} for what the schema forbids"),
                    Ok(_) => continue,
                    Err(why) => why,
                };
                wrong.push(format!("{method} {target:.200} {body:.300}: {why:.300}"));
            }
        }
    }
    // What the levers took away need not be known any more.
    app.moved("POST", "/reset", Value::Null).await;
    assert!(operations > 40, "{operations}");
    assert!(wrong.is_empty(), "seed {seed}, {} answers:\n{}", wrong.len(), wrong.join("\n"));
}
