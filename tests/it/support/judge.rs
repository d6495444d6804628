//! The judge: every answer that any test receives is held against the contract; keeps nothing itself.

use std::collections::BTreeSet;

use quick_xml::events::Event;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::contract::{contract, fits};

/// Holds an answer against the contract; the response fields in it.
#[track_caller]
pub fn judge(answer: &Answer) -> BTreeSet<String> {
    let fault = |why: &str| -> ! {
        panic!("{} answered against the contract: {why}\n{} {}", answer.sent.action, answer.status, answer.text)
    };
    let is_json = match answer.content_type.as_str() {
        "application/json;charset=utf-8" => true,
        "text/xml;charset=utf-8" => false,
        other => fault(&format!("its type is {other:?}")),
    };
    let seen = if answer.status == 200 { success(answer, is_json) } else { refusal(answer, is_json) };
    seen.unwrap_or_else(|why| fault(&why))
}

fn success(answer: &Answer, is_json: bool) -> Result<BTreeSet<String>, String> {
    let action = &answer.sent.action;
    let Some(known) = contract().actions.get(action) else { return Err("the contract has no such action".to_owned()) };
    let body = if is_json { answer.body.clone() } else { xml(&answer.text, &format!("{action}Response"))? };
    if body.get("Code").is_some() {
        return Err("a success has a top-level Code, which pop-core takes for an error".to_owned());
    }
    check_request_id(&body)?;
    let mut fields = BTreeSet::new();
    compare(&body, &known.response, "", is_json, &mut fields)?;
    fields.remove("RequestId");
    Ok(fields)
}

fn refusal(answer: &Answer, is_json: bool) -> Result<BTreeSet<String>, String> {
    let body = if is_json { answer.body.clone() } else { xml(&answer.text, "Error")? };
    let members = body.as_object().ok_or("the body is no object")?;
    let names: BTreeSet<&str> = members.keys().map(String::as_str).collect();
    if names != BTreeSet::from(["RequestId", "HostId", "Code", "Message", "Recommend"]) {
        return Err(format!("it has {names:?}"));
    }
    if let Some((name, _)) = members.iter().find(|(_, value)| value.as_str().is_none_or(str::is_empty)) {
        return Err(format!("{name} is no text or empty"));
    }
    check_request_id(&body)?;
    let text = |name: &str| members[name].as_str().unwrap_or_default();
    let rows = contract().refusals_of(&answer.sent.action, text("Code"));
    if !rows.iter().any(|row| row.status == answer.status) {
        let statuses: Vec<u16> = rows.iter().map(|row| row.status).collect();
        return Err(format!("{} is documented with {statuses:?}", text("Code")));
    }
    if !rows.iter().any(|row| row.status == answer.status && fits(&row.message, text("Message"))) {
        return Err("the message is none of the documented ones".to_owned());
    }
    Ok(BTreeSet::new())
}

fn check_request_id(body: &Value) -> Result<(), String> {
    let id = body.get("RequestId").and_then(Value::as_str).unwrap_or_default();
    let is_hex = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    let right = id.len() == 36
        && id.bytes().enumerate().all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { is_hex(b) });
    if right { Ok(()) } else { Err(format!("the RequestId is {id:?}")) }
}

/// Everything in `value` is in `shape` and of its type; the leaves go into `seen`.
fn compare(value: &Value, shape: &Value, path: &str, is_json: bool, seen: &mut BTreeSet<String>) -> Result<(), String> {
    match (value, shape) {
        (Value::Object(members), Value::Object(known)) => {
            for (name, inner) in members {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let shape = known.get(name).ok_or_else(|| format!("{below} is unknown"))?;
                compare(inner, shape, &below, is_json, seen)?;
            }
            Ok(())
        }
        (Value::Array(elements), Value::Array(shape)) => {
            elements.iter().try_for_each(|element| compare(element, &shape[0], &format!("{path}[]"), is_json, seen))
        }
        // XML shows a list of one as an element, and an empty object or list as an empty one.
        (_, Value::Array(shape)) if !is_json && value != &Value::Null => {
            compare(value, &shape[0], &format!("{path}[]"), is_json, seen)
        }
        (Value::String(text), Value::Object(_)) if !is_json && text.is_empty() => Ok(()),
        (_, Value::String(kind)) => {
            seen.insert(path.to_owned());
            let fine = if is_json { is_of(value, kind) } else { reads_as(value.as_str(), kind) };
            if fine { Ok(()) } else { Err(format!("{path} is {value}, documented as {kind}")) }
        }
        _ => Err(format!("{path} has another shape: {value}")),
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) || value.is_i64(),
        "long" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => panic!("no such type: {kind}"),
    }
}

fn reads_as(text: Option<&str>, kind: &str) -> bool {
    text.is_some_and(|text| match kind {
        "string" => true,
        "boolean" => matches!(text, "true" | "false"),
        "integer" | "long" => text.parse::<i64>().is_ok(),
        _ => text.parse::<f64>().is_ok(),
    })
}

/// An XML document as nested objects, repeated elements as lists; an error where it is none or has another root.
pub fn xml(text: &str, root: &str) -> Result<Value, String> {
    let declared =
        text.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?>"#).ok_or("there is no XML declaration")?;
    let mut reader = quick_xml::Reader::from_str(declared);
    let mut open: Vec<(String, Map<String, Value>, String)> = vec![(String::new(), Map::new(), String::new())];
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                let name = start.name().as_ref().to_owned();
                open.push((name, Map::new(), String::new()));
            }
            Event::Empty(empty) => add(&mut open, empty.name().as_ref().to_owned(), "".into()),
            Event::End(_) => {
                let (name, members, text) = open.pop().ok_or("an end without a start")?;
                let value = if members.is_empty() { Value::String(text) } else { Value::Object(members) };
                add(&mut open, name, value);
            }
            Event::Text(piece) => {
                open.last_mut().ok_or("text outside")?.2.push_str(&piece);
            }
            Event::GeneralRef(entity) => {
                let piece = quick_xml::escape::unescape(&format!("&{};", &*entity))
                    .map_err(|error| error.to_string())?
                    .into_owned();
                open.last_mut().ok_or("text outside")?.2.push_str(&piece);
            }
            Event::Eof => break,
            other => return Err(format!("{other:?}")),
        }
    }
    let (_, mut members, _) = open.pop().ok_or("nothing")?;
    let only = members.len() == 1;
    members.remove(root).filter(|_| only && open.is_empty()).ok_or_else(|| format!("the root is not {root}"))
}

fn add(open: &mut [(String, Map<String, Value>, String)], name: String, value: Value) {
    let Some((_, members, _)) = open.last_mut() else { return };
    match members.get_mut(&name) {
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None => drop(members.insert(name, value)),
    }
}
