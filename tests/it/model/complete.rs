//! The check that nothing is left out: what changes anything is a move, and one that succeeds at times, and what describes
//! anything is compared; asks no daemon.

use std::collections::BTreeMap;
use std::fs;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use proptest_state_machine::ReferenceStateMachine;
use snapshotd::api::action::Kind;
use snapshotd::api::registry;

use super::ids::Ids;
use super::{Reference, moves};
use crate::support::update;

/// What changes something by its kind and is no move.
const NO_MOVES: [(&str, &str); 1] = [("ModifyAutoSnapshotPolicy", "withdrawn by the vendor: it is always refused")];
/// What only looks and is compared with nothing.
const NOT_COMPARED: [(&str, &str); 4] = [
    ("DescribeRegions", "never changes"),
    ("DescribeZones", "never changes"),
    ("GetCallerIdentity", "tells the caller's own account"),
    ("DescribeEndpoints", "tells by what name the daemon was reached"),
];
const SEQUENCES: usize = 100;
const MOVES: usize = 60;

/// How often each action was a move that succeeded, in sequences of the reference alone.
fn successes() -> BTreeMap<&'static str, usize> {
    let mut runner = TestRunner::deterministic();
    let mut successes = BTreeMap::new();
    for _ in 0..SEQUENCES {
        let mut world = Reference::init_state().new_tree(&mut runner).expect("a world").current();
        for _ in 0..MOVES {
            let step = Reference::transitions(&world).new_tree(&mut runner).expect("a move").current();
            if !Reference::preconditions(&world, &step) {
                continue;
            }
            world = Reference::apply(world, &step);
            if let (Some((action, _)), Ok(())) = (moves::call(&Ids::default(), &world, &step), world.outcome) {
                *successes.entry(action).or_default() += 1;
            }
        }
    }
    successes
}

fn is_in(list: &[(&str, &str)], name: &str) -> bool {
    list.iter().any(|(other, _)| *other == name)
}

#[test]
fn every_action_that_changes_something_is_a_move_that_succeeds() {
    let successes = successes();
    let writes = registry::all().filter(|entry| entry.kind != Kind::Read).map(|entry| entry.name);
    let wrong = writes.filter(|name| successes.contains_key(name) == is_in(&NO_MOVES, name));
    assert_eq!(wrong.collect::<Vec<&str>>(), [""; 0], "never succeed, or do though they are left out");
}

/// By the text of the comparisons: each names its action.
#[test]
fn every_action_that_only_looks_is_compared() {
    let sources = fs::read_dir(update::path("tests/it/model")).expect("this folder");
    let sources = sources.map(|file| file.expect("a file").path()).filter(|path| !path.ends_with("complete.rs"));
    let texts: Vec<String> = sources.filter_map(|path| fs::read_to_string(path).ok()).collect();
    for entry in registry::all().filter(|entry| entry.kind == Kind::Read) {
        let is_compared = texts.iter().any(|text| text.contains(&format!("ok(\"{}\"", entry.name)));
        assert_eq!(is_compared, !is_in(&NOT_COMPARED, entry.name), "{}", entry.name);
    }
}
