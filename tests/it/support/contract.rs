//! The vendor's contract as the judge reads it: parameters, response shapes and errors of each action, and our additions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

const ACTIONS: &str = include_str!("../../../contract/actions.json");
/// Actions of the same form that the vendor's pages of block storage do not have and clients of them call.
const NEIGHBOURS: &str = include_str!("../../../contract/neighbours.json");
const ERRORS: &str = include_str!("../../../contract/errors.tsv");
const ADDITIONS: &str = include_str!("../../../contract/additions.toml");

/// Parameters that every action has and the daemon reads elsewhere or ignores.
const COMMON: [&str; 5] = ["RegionId", "OwnerId", "OwnerAccount", "ResourceOwnerId", "ResourceOwnerAccount"];

#[derive(Debug, Deserialize)]
pub struct Parameter {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub deprecated: bool,
    /// The values that it may have; none for any.
    #[serde(default, rename = "enum")]
    pub values: Vec<String>,
    pub min: Option<i64>,
    pub max: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub struct Action {
    #[serde(default = "ecs")]
    pub version: String,
    pub exists: bool,
    pub parameters: Vec<Parameter>,
    #[serde(default)]
    pub response: Value,
}

fn ecs() -> String {
    "2014-05-26".to_owned()
}

/// A refusal that is documented, or added with a decision behind it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// `*` for every action.
    pub action: String,
    pub code: String,
    pub status: u16,
    /// With `%s` where something is filled in.
    pub message: String,
    pub is_vendors: bool,
    /// Why it was added; empty for the vendor's own.
    pub why: String,
}

pub struct Contract {
    pub actions: BTreeMap<String, Action>,
    pub refusals: Vec<Refusal>,
}

pub fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(|| Contract { actions: actions(), refusals: [documented(), added()].concat() })
}

fn actions() -> BTreeMap<String, Action> {
    let mut actions: BTreeMap<String, Action> = serde_json::from_str(ACTIONS).expect("contract/actions.json");
    let neighbours: BTreeMap<String, Action> = serde_json::from_str(NEIGHBOURS).expect("contract/neighbours.json");
    for (name, action) in neighbours {
        assert!(actions.insert(name.clone(), action).is_none(), "{name} is in both files");
    }
    actions
}

fn documented() -> Vec<Refusal> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.splitn(4, '\t').collect();
        let [action, code, status, message] = fields[..] else { panic!("four fields: {line}") };
        Refusal {
            action: action.to_owned(),
            code: code.to_owned(),
            status: status.parse().expect("a status"),
            message: message.to_owned(),
            is_vendors: true,
            why: String::new(),
        }
    };
    ERRORS.lines().map(row).collect()
}

fn added() -> Vec<Refusal> {
    let file: toml::Table = toml::from_str(ADDITIONS).expect("contract/additions.toml");
    let rows = file["fault"].as_array().expect("a list");
    let row = |row: &toml::Value| {
        let text = |name| row.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        let why = text("why").filter(|why| !why.is_empty());
        let why = why.unwrap_or_else(|| panic!("an addition says why: {row:?}"));
        let status = row["status"].as_integer().and_then(|status| u16::try_from(status).ok());
        Refusal {
            action: text("action").unwrap_or_else(|| "*".to_owned()),
            code: text("code").expect("a code"),
            status: status.expect("a status"),
            message: text("message").expect("a message"),
            is_vendors: false,
            why,
        }
    };
    rows.iter().map(row).collect()
}

impl Contract {
    /// The refusals of this code that a caller of `action` may see.
    pub fn refusals_of(&self, action: &str, code: &str) -> Vec<&Refusal> {
        let is_one = |row: &&Refusal| row.code == code && (row.action == action || row.action == "*");
        self.refusals.iter().filter(is_one).collect()
    }

    /// The vendor's own codes for an action.
    pub fn codes(&self, action: &str) -> BTreeSet<&str> {
        let rows = self.refusals.iter().filter(|row| row.is_vendors && row.action == action);
        rows.map(|row| row.code.as_str()).collect()
    }
}

impl Action {
    /// The parameters that a type of ours should read: lists by their elements, deprecated spellings left out.
    pub fn own_parameters(&self) -> BTreeSet<String> {
        let names: BTreeSet<String> = self.parameters.iter().map(|parameter| general(&parameter.name)).collect();
        let is_parent = |name: &str| names.iter().any(|other| other.starts_with(&format!("{name}.")));
        let is_old_spelling = |name: &str| {
            let (head, last) = name.rsplit_once('.').unwrap_or(("", name));
            last.starts_with(|c: char| c.is_ascii_lowercase()) && names.contains(&format!("{head}.{}", capital(last)))
        };
        let kept = names.iter().filter(|name| !COMMON.contains(&capitals(name).as_str()));
        kept.filter(|name| !is_parent(name) && !is_old_spelling(name)).cloned().collect()
    }

    /// The leaves of the response, without the RequestId.
    pub fn fields(&self) -> BTreeSet<String> {
        let mut fields = BTreeSet::new();
        collect(&self.response, "", &mut fields);
        fields.remove("RequestId");
        fields
    }
}

fn collect(shape: &Value, path: &str, into: &mut BTreeSet<String>) {
    match shape {
        Value::Object(members) => {
            for (name, inner) in members {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(inner, &below, into);
            }
        }
        Value::Array(element) => collect(&element[0], &format!("{path}[]"), into),
        _ => drop(into.insert(path.to_owned())),
    }
}

/// `Filter.1.Key` is `Filter.N.Key`.
pub fn general(name: &str) -> String {
    let is_index = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts = name.split('.').map(|part| if is_index(part) { "N" } else { part });
    parts.collect::<Vec<_>>().join(".")
}

/// `regionId` is `RegionId`: the first letter of each part counts in either case.
pub fn capitals(name: &str) -> String {
    name.split('.').map(capital).collect::<Vec<_>>().join(".")
}

pub fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// Whether a message is this template with something in place of each `%s`.
pub fn fits(template: &str, message: &str) -> bool {
    let parts: Vec<&str> = template.split("%s").collect();
    let [first, middle @ .., last] = parts.as_slice() else { return template == message };
    let Some(mut rest) = message.strip_prefix(first) else { return false };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn a_message_fits_its_template() {
    assert!(fits("a %s b %s", "a 1 b 2") && fits("plain", "plain") && fits("%s", "anything"));
    assert!(!fits("a %s b", "a 1 c") && !fits("plain", "plain.") && !fits("a %s b %s c", "a 1 c"));
}
