//! `docs/coverage.md`, written from contract, registry and the record of what tests saw; never by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;

use snapshotd::api::registry;

use super::{item, listed, record};
use crate::support::contract::{Refusal, contract};
use crate::support::seen::Item;
use crate::support::update;

const FILE: &str = "docs/coverage.md";
const HEAD: &str = "# Coverage

Written by `SNAPSHOTD_TEST_UPDATE=1 cargo test`, then `SNAPSHOTD_TEST_UPDATE=1 cargo test --test it coverage`; never by
hand. A code is *proven* where a test calls the action and receives it; the table names one such test. Each other row of
the vendor's tables has a reason.

Where a code comes from: *documented* is the vendor's table of the action, or the common one of the gateway; *observed* was
seen in real answers, whatever the tables say; *our choice* is neither, with the choice behind it in
[decisions](decisions.md) and `contract/additions.toml`.
";
/// Action (`*` for any) and code that a real answer was seen with, and who wrote of it: what our notes of the vendor's
/// behaviour mark as a trace or as confirmed from outside, and nothing that merely follows from a client's source.
const OBSERVED: [(&str, &str, &str); 5] = [
    ("*", "InvalidAccessKeyId.NotFound", "answers of the same gateway"),
    ("ApplyAutoSnapshotPolicy", "MissingParameter", "pull request 19 of the vendor's documentation"),
    ("CreateSnapshot", "IncorrectDiskStatus.NeverAttached", "pull request 42253 of openshift-docs"),
    ("DeleteImage", "ImageUsingByInstance", "issue 72 of the Packer plugin"),
    ("DescribeSnapshots", "InvalidParameter", "issue 81 of aliyun-cli"),
];
/// Counted apart: most of their rows are about instances, which are stubs here.
const INSTANCE_MAKERS: [&str; 2] = ["CreateInstance", "RunInstances"];

fn report(seen: &BTreeMap<Item, String>) -> String {
    let listed = listed();
    let mut text = HEAD.to_owned();
    summary(&mut text, seen, &listed);
    for (name, action) in contract().actions.iter().filter(|(_, action)| action.exists) {
        if registry::find(&action.version, name).is_none() {
            let _ = write!(text, "\n## {name}\n\nNot served yet.\n");
            continue;
        }
        let without = |kind: &str| -> Vec<(&str, &str)> {
            let of_action = |known: &&Item| known.0 == kind && known.1 == *name;
            listed
                .iter()
                .filter(|(known, _)| of_action(known))
                .map(|(known, why)| (known.2.as_str(), why.as_str()))
                .collect()
        };
        let (parameters, fields) = (without("parameter"), without("field"));
        let count = |all: usize, gone: usize| format!("{} of {all}", all - gone);
        let _ = write!(
            text,
            "\n## {name}\n\nParameters: {}. Response fields: {}.\n",
            count(action.own_parameters().len(), parameters.len()),
            count(action.fields().len(), fields.len())
        );
        for (kind, gone) in [("Parameters", parameters), ("Fields", fields)] {
            let gone: Vec<String> = gone.iter().map(|(name, why)| format!("`{name}` ({why})")).collect();
            if !gone.is_empty() {
                let _ = writeln!(text, "{kind} not served: {}.", gone.join(", "));
            }
        }
        codes(&mut text, name, seen, &listed);
    }
    text
}

/// How many rows are proven, and how many are left out for which reason.
fn summary(text: &mut String, seen: &BTreeMap<Item, String>, listed: &BTreeMap<Item, String>) {
    let vendors: BTreeSet<Item> = contract()
        .refusals
        .iter()
        .filter(|row| row.is_vendors && contract().actions[&row.action].exists)
        .map(|row| item("error", &row.action, &row.code))
        .collect();
    let is_maker = |known: &Item| INSTANCE_MAKERS.contains(&known.1.as_str());
    let mut rows: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for known in &vendors {
        let kind = if seen.contains_key(known) {
            "proven"
        } else {
            listed.get(known).map_or("action not served", String::as_str)
        };
        let counted = rows.entry(kind).or_default();
        if is_maker(known) { counted.1 += 1 } else { counted.0 += 1 }
    }
    text.push_str("\n| action and code | all other actions | RunInstances and CreateInstance |\n|---|---|---|\n");
    for (kind, (others, makers)) in rows {
        let _ = writeln!(text, "| {kind} | {others} | {makers} |");
    }
    text.push_str(
        "\nThe same in rows of the vendor's tables (action, code, status, text); a row is proven where its code is.\n",
    );
    text.push_str("\n| rows | all other actions | RunInstances and CreateInstance |\n|---|---|---|\n");
    for (kind, (others, makers)) in contract_rows(seen, listed) {
        let _ = writeln!(text, "| {kind} | {others} | {makers} |");
    }
}

/// The rows of the vendor's tables, by whether they are proven or why not: of all other actions, of the makers of instances.
fn contract_rows<'a>(
    seen: &BTreeMap<Item, String>,
    listed: &'a BTreeMap<Item, String>,
) -> BTreeMap<&'a str, (usize, usize)> {
    let mut rows: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for row in contract().refusals.iter().filter(|row| row.is_vendors && contract().actions[&row.action].exists) {
        let known = item("error", &row.action, &row.code);
        let why = || listed.get(&known).map_or("action not served", String::as_str);
        let counted = rows.entry(if seen.contains_key(&known) { "proven" } else { why() }).or_default();
        if INSTANCE_MAKERS.contains(&row.action.as_str()) { counted.1 += 1 } else { counted.0 += 1 }
    }
    rows
}

/// The rows in one line.
fn in_one_line(rows: &BTreeMap<&str, (usize, usize)>) -> String {
    let kinds: Vec<String> = rows.iter().map(|(kind, (others, makers))| format!("{kind} {others}+{makers}")).collect();
    let all = rows.values().fold((0, 0), |all, row| (all.0 + row.0, all.1 + row.1));
    format!(
        "rows of the contract, all other actions + RunInstances and CreateInstance: {} of {}+{}",
        kinds.join(", "),
        all.0,
        all.1
    )
}

/// Each code of an action: its statuses, where it comes from, and what proves it.
fn codes(text: &mut String, action: &str, seen: &BTreeMap<Item, String>, listed: &BTreeMap<Item, String>) {
    let mut rows: BTreeMap<&str, Vec<&Refusal>> = BTreeMap::new();
    for row in contract().refusals.iter().filter(|row| row.action == action) {
        rows.entry(&row.code).or_default().push(row);
    }
    for ((_, _, code), _) in seen.iter().filter(|((kind, of, _), _)| kind == "error" && of == action) {
        rows.entry(code).or_default();
    }
    if rows.is_empty() {
        return;
    }
    text.push_str("\n| code | status | from | proof |\n|---|---|---|---|\n");
    for (code, refusals) in rows {
        let known = item("error", action, code);
        let statuses: BTreeSet<String> = refusals.iter().map(|row| row.status.to_string()).collect();
        let statuses =
            if statuses.is_empty() { "–".to_owned() } else { statuses.into_iter().collect::<Vec<_>>().join(", ") };
        let from = origin(action, code, refusals.first().copied());
        let proof = match (seen.get(&known), listed.get(&known)) {
            (Some(test), _) => format!("`{test}`"),
            (None, Some(why)) => format!("– ({why})"),
            (None, None) => "–".to_owned(),
        };
        let _ = writeln!(text, "| `{code}` | {statuses} | {from} | {proof} |");
    }
}

/// Whether a code is documented, observed or our choice; `own`: its row for this action alone.
fn origin(action: &str, code: &str, own: Option<&Refusal>) -> String {
    let is_it = |(of, known, _): &&(&str, &str, &str)| (*of == action || *of == "*") && *known == code;
    let where_from = match own.or_else(|| contract().refusals_of(action, code).first().copied()) {
        Some(row) if row.is_vendors || row.why.starts_with("common") || row.why.starts_with("gateway table") => {
            "documented"
        }
        _ => "our choice",
    };
    match OBSERVED.iter().find(is_it) {
        Some((_, _, by)) if where_from == "documented" => format!("documented, observed ({by})"),
        Some((_, _, by)) => format!("observed ({by})"),
        None => where_from.to_owned(),
    }
}

#[test]
fn what_was_observed_is_what_tests_see() {
    let seen = record();
    for (action, code, _) in OBSERVED {
        let is_it = |(kind, of, known): &Item| kind == "error" && (action == "*" || of == action) && known == code;
        assert!(seen.keys().any(is_it), "no test sees {action} {code}");
    }
}

#[test]
fn the_report_is_as_generated() {
    let seen = record();
    let text = report(&seen);
    // Past the capture of the test harness, so that a run shows it.
    let _ = writeln!(std::io::stderr(), "{}", in_one_line(&contract_rows(&seen, &listed())));
    if update::is_asked_for() {
        update::write(FILE, &text);
    }
    assert!(
        update::read(FILE) == text,
        "{FILE} is stale; SNAPSHOTD_TEST_UPDATE=1 cargo test --test it coverage rewrites it"
    );
}
