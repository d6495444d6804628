//! The model test: random sequences of calls, steps of the clock and restarts, each answer and all that is shown compared
//! with a small reference; a sequence that fails is shrunk to the shortest one.

mod begin;
mod charges;
mod complete;
mod copies;
mod groups;
mod ids;
mod images;
mod instances;
mod keeping;
mod marks;
mod moves;
mod policies;
mod reference;
mod repeats;
mod shown;
mod sizes;
mod tasks;
mod usage;

use std::rc::Rc;

use proptest::prelude::*;
use proptest::test_runner::Config as Cases;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use crate::support::{REGION, TestApp};
use ids::Ids;
use moves::Move;
use reference::World;

const PAGE: [(&str, &str); 2] = [("RegionId", REGION), ("PageSize", "100")];

struct Reference;

impl ReferenceStateMachine for Reference {
    type State = World;
    type Transition = Move;

    fn init_state() -> BoxedStrategy<World> {
        let (opened, prepaid) = (proptest::bool::weighted(0.9), proptest::bool::weighted(0.3));
        (opened, prepaid).prop_map(|(opened, prepaid)| World::begin(opened, prepaid)).boxed()
    }

    fn transitions(world: &World) -> BoxedStrategy<Move> {
        moves::any(world)
    }

    fn preconditions(world: &World, step: &Move) -> bool {
        match *step {
            Move::Image(step) => world.is_turn_clear(step),
            Move::Instance(step) => world.is_order_clear(step),
            _ => true,
        }
    }

    fn apply(mut world: World, step: &Move) -> World {
        world.make(step);
        world
    }
}

/// The daemon, with the ids of what the reference only counts.
struct Daemon {
    runtime: Rc<Runtime>,
    app: TestApp,
    ids: Ids,
    /// How many moves were made; what is dear to compare takes turns by it.
    turn: usize,
}

impl StateMachineTest for Daemon {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(world: &World) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (app, ids) = runtime.block_on(begin::begin(world));
        Self { runtime: Rc::new(runtime), app, ids, turn: 0 }
    }

    fn apply(mut daemon: Self, world: &World, step: Move) -> Self {
        let runtime = Rc::clone(&daemon.runtime);
        daemon.turn += 1;
        runtime.block_on(async {
            daemon.make(&step, world).await;
            daemon.compare(world, &step).await;
        });
        daemon
    }
}

impl Daemon {
    /// Makes the move and compares how it ended.
    async fn make(&mut self, step: &Move, world: &World) {
        let Some((action, params)) = moves::call(&self.ids, world, step) else {
            return match step {
                Move::Advance(seconds) => self.app.advance_to(self.app.now().plus_millis(seconds * 1_000)).await,
                _ => self.app.restart().await,
            };
        };
        let mut params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if !params.iter().any(|(name, _)| name.eq_ignore_ascii_case("RegionId")) {
            params.push(("RegionId", REGION));
        }
        let answer = self.app.call(action, &params).await;
        let code = (answer.status != 200).then(|| answer.code().to_owned());
        assert_eq!(code.as_deref(), world.outcome.err(), "{step:?}: {}", answer.text);
        self.ids.remember(step, world, &answer);
        if let (Move::Instance(step), 200) = (step, answer.status) {
            ids::learn(self, world, *step, &answer.body).await;
        }
    }

    /// Compares all that the Describe actions show, but regions and zones, which never change.
    async fn compare(&mut self, world: &World, step: &Move) {
        shown::compare_snapshots(self, world, step).await;
        shown::compare_disks(self, world, step).await;
        instances::compare(self, world, step).await;
        marks::compare(self, world, step).await;
        charges::compare(self, world, step).await;
        usage::compare(self, world, step).await;
        // Where there never was one there is nothing to see.
        if !world.copies.is_empty() {
            copies::compare(self, world, step).await;
        }
        if !world.groups.is_empty() {
            groups::compare(self, world, step).await;
        }
        if !world.images.is_empty() {
            images::compare(self, world, step).await;
        }
        if world.snapshots.iter().any(|snapshot| snapshot.lock.is_some()) || matches!(step, Move::Keep(_)) {
            keeping::compare(self, world, step).await;
        }
        if !world.policies.is_empty() {
            policies::compare(self, world, step).await;
        }
        if !world.tasks.is_empty() {
            tasks::compare(self, world, step).await;
        }
    }
}

/// How many sequences, of either test: a few each time, thousands in both where `PROPTEST_CASES` says so.
fn cases() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, not of the daemon")]
    let asked = std::env::var("PROPTEST_CASES");
    asked.ok().and_then(|text| text.parse().ok()).unwrap_or(16) / 2
}

prop_state_machine! {
    #![proptest_config(Cases { cases: cases(), max_shrink_iters: 4_096, failure_persistence: None, ..Cases::default() })]

    #[test]
    fn random_sequences_end_as_in_the_reference(sequential 1..60 => Daemon);

    /// For the second core.
    #[test]
    fn further_sequences_end_as_in_the_reference(sequential 1..60 => Daemon);
}
