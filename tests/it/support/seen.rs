//! What the tests saw the daemon answer: logged by each run, and kept in `contract/seen.tsv` as the proof of what is covered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::sync::{Mutex, OnceLock};

use super::answer::Answer;
use super::update;

/// Kind (error or field), action, and code or field.
pub type Item = (String, String, String);

/// The proofs, under version control: each item with one test that sees it.
pub const FILE: &str = "contract/seen.tsv";
/// The logs of the runs, one file for each process.
const LOGS: &str = "target/seen";
/// A log with fewer lines is of a run that was asked for some tests only.
const A_WHOLE_RUN: usize = 2_000;

/// Random sequences see something else each time, which proves nothing that stays.
const RANDOM: &str = "model::";
/// What a lever makes the daemon say is no proof that an action says it.
const INJECTED: &str = "levers::";

/// Logs an answer that a test received: its code, or its fields.
pub fn log(test: &str, answer: &Answer, fields: &BTreeSet<String>) {
    static LOG: OnceLock<Mutex<File>> = OnceLock::new();
    if test.starts_with(RANDOM) || test.starts_with(INJECTED) {
        return;
    }
    let log = LOG.get_or_init(|| {
        let folder = update::path(LOGS);
        fs::create_dir_all(&folder).expect("a folder");
        Mutex::new(File::create(folder.join(format!("{}.tsv", std::process::id()))).expect("a file"))
    });
    let action = &answer.sent.action;
    let items = if answer.status == 200 {
        fields.iter().map(|field| format!("field\t{action}\t{field}\t{test}\n")).collect::<Vec<_>>()
    } else {
        vec![format!("error\t{action}\t{}\t{test}\n", answer.code())]
    };
    log.lock().expect("unpoisoned").write_all(items.concat().as_bytes()).expect("lines");
}

/// What is on record: each item with the test that proves it.
pub fn on_record() -> BTreeMap<Item, String> {
    proofs(&update::read(FILE))
}

/// What the last whole run saw; each item with the test that comes first in the alphabet.
pub fn in_the_last_run() -> BTreeMap<Item, String> {
    let logs = fs::read_dir(update::path(LOGS)).expect("a run before this one");
    let mut logs: Vec<_> = logs.map(|entry| entry.expect("an entry").path()).collect();
    logs.sort_by_key(|path| path.metadata().and_then(|data| data.modified()).expect("a time"));
    let texts = logs.iter().rev().map(|path| fs::read_to_string(path).expect("a log"));
    let whole = texts.into_iter().find(|text| text.lines().count() >= A_WHOLE_RUN);
    proofs(&whole.expect("a whole run before this one: cargo test"))
}

/// Writes the record anew.
pub fn keep(seen: &BTreeMap<Item, String>) {
    let line = |((kind, action, name), test): (&Item, &String)| format!("{kind}\t{action}\t{name}\t{test}\n");
    update::write(FILE, &seen.iter().map(line).collect::<String>());
}

fn proofs(text: &str) -> BTreeMap<Item, String> {
    let mut proofs = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, action, name, test] = fields[..] else { panic!("four fields: {line}") };
        let first =
            proofs.entry((kind.to_owned(), action.to_owned(), name.to_owned())).or_insert_with(|| test.to_owned());
        if test < first.as_str() {
            test.clone_into(first);
        }
    }
    proofs
}
