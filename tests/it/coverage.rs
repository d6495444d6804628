//! The gate between contract, registry and tests: what is not covered stands in `contract/uncovered.tsv`, which may only shrink.

mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use snapshotd::api::registry;

use crate::support::contract::{capitals, contract, general};
use crate::support::seen::{self, Item};
use crate::support::update;

const FILE: &str = "contract/uncovered.tsv";
const REASONS: [&str; 5] = ["billing", "capacity", "network", "market-image", "not-emulated-product"];

fn item(kind: &str, action: &str, name: &str) -> Item {
    (kind.to_owned(), action.to_owned(), name.to_owned())
}

/// What the contract has and the registry's types, or the record of what tests saw, lack.
fn uncovered(seen: &BTreeMap<Item, String>) -> BTreeSet<Item> {
    let mut missing = BTreeSet::new();
    for (name, action) in contract().actions.iter().filter(|(_, action)| action.exists) {
        let Some(entry) = registry::find(&action.version, name) else {
            missing.insert(item("action", name, name));
            continue;
        };
        let read: BTreeSet<String> = entry.parameters().iter().map(|name| general(name)).collect();
        let wanted = action.own_parameters();
        let unread = wanted.iter().filter(|wanted| !reads(&read, wanted));
        missing.extend(unread.map(|wanted| item("parameter", name, wanted)));
        let fields = action.fields().into_iter().map(|field| item("field", name, &field));
        let codes = contract().codes(name).into_iter().map(|code| item("error", name, code));
        missing.extend(fields.chain(codes).filter(|item| !seen.contains_key(item)));
    }
    missing
}

fn reads(read: &BTreeSet<String>, wanted: &str) -> bool {
    let with_capital = capitals(wanted);
    read.contains(wanted) || read.contains(&with_capital) || read.contains(&format!("{wanted}.N"))
}

/// What is on record; rewritten first from the last whole run where that is asked for.
fn record() -> BTreeMap<Item, String> {
    if update::is_asked_for() {
        seen::keep(&seen::in_the_last_run());
    }
    seen::on_record()
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
    for entry in registry::all() {
        let action =
            contract().actions.get(entry.name).unwrap_or_else(|| panic!("{} is not in the contract", entry.name));
        assert!(action.exists, "{} does not exist any more", entry.name);
        assert_eq!(action.version, entry.version, "{}", entry.name);
        let known: BTreeSet<String> =
            action.parameters.iter().map(|parameter| capitals(&general(&parameter.name))).collect();
        for name in entry.parameters() {
            let name = capitals(&general(&name));
            let element = name.strip_suffix(".N").unwrap_or(&name);
            let is_known = known.contains(&name) || known.contains(element);
            assert!(is_known, "{} reads {name}, which the contract lacks", entry.name);
        }
    }
}

#[test]
fn what_is_not_covered_is_listed_and_nothing_else() {
    let (missing, mut listed) = (uncovered(&record()), listed());
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
fn every_proof_names_a_test_that_exists() {
    let sources = sources(&update::path("tests/it"));
    for (item, test) in seen::on_record() {
        let name = test.rsplit("::").next().unwrap_or_default();
        assert!(sources.contains(&format!("fn {name}(")), "{} proves {item:?} by {test}, which is gone", seen::FILE);
    }
}

/// Run by the continuous integration after the whole suite, which it judges.
#[test]
#[ignore = "looks at the run before this one: cargo test, then cargo test --test it -- --ignored"]
fn the_last_whole_run_saw_all_that_is_on_record() {
    let last = seen::in_the_last_run();
    let unseen: Vec<_> = seen::on_record().into_keys().filter(|item| !last.contains_key(item)).collect();
    assert!(unseen.is_empty(), "{} has what no test saw: {unseen:#?}", seen::FILE);
}

/// All Rust below a folder, as one text.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let text =
        |path: PathBuf| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap_or_default() };
    entries.map(text).collect()
}

#[test]
fn every_reason_is_one_of_the_closed_list() {
    for (known, reason) in listed() {
        assert!(REASONS.contains(&reason.as_str()), "{known:?}: {reason}");
    }
}
