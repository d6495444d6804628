//! The check that the moves are complete: what changes anything is a move, and one that succeeds at times; asks no daemon.

use std::collections::BTreeMap;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use proptest_state_machine::ReferenceStateMachine;
use snapshotd::api::action::Kind;
use snapshotd::api::registry;

use super::ids::Ids;
use super::{Reference, moves};

/// What changes something by its kind and is no move.
const NO_MOVES: [(&str, &str); 1] = [("ModifyAutoSnapshotPolicy", "withdrawn by the vendor: it is always refused")];
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

#[test]
fn every_action_that_changes_something_is_a_move_that_succeeds() {
    let successes = successes();
    let is_left_out = |name: &str| NO_MOVES.iter().any(|(other, _)| *other == name);
    for entry in registry::all().filter(|entry| entry.kind != Kind::Read) {
        let count = successes.get(entry.name).copied().unwrap_or_default();
        assert_eq!(count == 0, is_left_out(entry.name), "{} succeeded {count} times", entry.name);
    }
}
