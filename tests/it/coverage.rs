//! The static gate between registry and contract: what is not covered stands in `contract/uncovered.tsv`, which may only shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use snapshotd::api::registry;

use crate::support::contract::{Action, capital, contract, general};
use crate::support::{judge, update};

const FILE: &str = "contract/uncovered.tsv";
const REASONS: [&str; 9] = [
    "billing",
    "capacity",
    "network",
    "market-image",
    "not-emulated-product",
    "security-lock",
    "legacy",
    "other-action-state",
    "later",
];

/// Kind (action, parameter, field, error), action and name of something in the contract.
type Item = (String, String, String);

fn item(kind: &str, action: &str, name: &str) -> Item {
    (kind.to_owned(), action.to_owned(), name.to_owned())
}

/// All Rust below a folder, as one text.
fn source(folder: &Path) -> String {
    let mut text = String::new();
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            text.push_str(&source(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).expect("a file"));
        }
    }
    text
}

/// What the contract has and the registry's types, the sources or the known answers lack.
fn uncovered() -> BTreeSet<Item> {
    let sources = ["src/actions", "src/api"].map(|folder| source(&update::path(folder))).concat();
    let known = judge::known_fields();
    let mut missing = BTreeSet::new();
    for (name, action) in contract().actions.iter().filter(|(_, action)| action.exists) {
        let Some(entry) = registry::find("2014-05-26", name) else {
            missing.insert(item("action", name, name));
            continue;
        };
        let read: BTreeSet<String> = entry.parameters().iter().map(|name| general(name)).collect();
        let wanted = action.own_parameters();
        missing
            .extend(wanted.iter().filter(|wanted| !reads(&read, wanted)).map(|wanted| item("parameter", name, wanted)));
        let fields = action.fields();
        let unknown = fields.iter().filter(|field| !known.contains(&(name.clone(), (*field).clone())));
        missing.extend(unknown.map(|field| item("field", name, field)));
        let codes = contract().codes(name);
        let raised = |code: &&&str| !is_raised(code, action, &read, &sources);
        missing.extend(codes.iter().filter(raised).map(|code| item("error", name, code)));
    }
    missing
}

fn reads(read: &BTreeSet<String>, wanted: &str) -> bool {
    let with_capital = wanted.split('.').map(capital).collect::<Vec<_>>().join(".");
    read.contains(wanted) || read.contains(&with_capital) || read.contains(&format!("{wanted}.N"))
}

/// A code is raised where it is quoted, and by the general rule for values that cannot be read.
fn is_raised(code: &str, action: &Action, read: &BTreeSet<String>, sources: &str) -> bool {
    let by_rule = || {
        let name = ["Malformed", "ValueNotSupported"].iter().find_map(|kind| {
            code.strip_prefix("Invalid")
                .and_then(|rest| rest.strip_suffix(kind))
                .and_then(|rest| rest.strip_suffix('.'))
        });
        let is_typed = |name: &str| action.parameters.iter().any(|known| known.name == name && known.kind != "string");
        name.is_some_and(|name| read.contains(name) && is_typed(name))
    };
    let ours = contract().refusals.iter().any(|row| !row.is_vendors && row.action == "*" && row.code == code);
    sources.contains(&format!("\"{code}\"")) || ours || by_rule()
}

/// The lines of the file: what is not covered, and why.
fn listed() -> BTreeMap<Item, String> {
    let text = update::read(FILE);
    let line = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, action, name, reason] = fields[..] else { panic!("{FILE}: four fields: {line}") };
        (item(kind, action, name), reason.to_owned())
    };
    text.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}

#[test]
fn every_action_is_in_the_contract_and_reads_only_what_it_has() {
    for entry in registry::all().filter(|entry| entry.version == "2014-05-26") {
        let action =
            contract().actions.get(entry.name).unwrap_or_else(|| panic!("{} is not in the contract", entry.name));
        assert!(action.exists, "{} does not exist any more", entry.name);
        let known: BTreeSet<String> = action
            .parameters
            .iter()
            .map(|parameter| general(&parameter.name).split('.').map(capital).collect::<Vec<_>>().join("."))
            .collect();
        for name in entry.parameters() {
            let name = general(&name);
            let element = name.strip_suffix(".N").unwrap_or(&name);
            let is_known = known.contains(&name) || known.contains(element);
            assert!(is_known, "{} reads {name}, which the contract lacks", entry.name);
        }
    }
}

#[test]
fn what_is_not_covered_is_listed_and_nothing_else() {
    let (missing, mut listed) = (uncovered(), listed());
    if update::is_asked_for() {
        listed.retain(|known, _| missing.contains(known));
        let header = "# What the contract has and the daemon lacks: kind, action, name, reason. It may only shrink.\n";
        let lines = listed.iter().map(|((kind, action, name), reason)| format!("{kind}\t{action}\t{name}\t{reason}\n"));
        update::write(FILE, &(header.to_owned() + &lines.collect::<String>()));
    }
    let stale: Vec<_> = listed.keys().filter(|known| !missing.contains(*known)).collect();
    assert!(stale.is_empty(), "{FILE} lists what is covered now; SNAPSHOTD_TEST_UPDATE=1 removes it: {stale:#?}");
    let unlisted: Vec<String> = missing
        .iter()
        .filter(|found| !listed.contains_key(*found))
        .map(|(kind, action, name)| format!("{kind}\t{action}\t{name}"))
        .collect();
    assert!(unlisted.is_empty(), "not covered and not listed:\n{}", unlisted.join("\n"));
}

#[test]
fn every_reason_is_one_of_the_closed_list() {
    for (known, reason) in listed() {
        assert!(REASONS.contains(&reason.as_str()), "{known:?}: {reason}");
    }
}
