//! Whether what clients saw can have happened in some order, each call at one instant between its beginning and its end;
//! knows no action.
//!
//! The search is that of Wing and Gong with Lowe's memory of what was tried: a call that may come next (none that is left
//! ended before it began) is put next if the model allows its answer. A look or a refusal that may come next is put next
//! at once, since it changes nothing wherever it stands; a change that happens to change nothing is not, since later it
//! might.

use std::collections::HashSet;
use std::hash::Hash;

/// A call between its beginning and its end, both by one counter for all clients.
#[derive(Clone, Debug)]
pub struct Span<C> {
    pub begun: u64,
    /// Where no answer came: the instant after which it cannot have happened any more.
    pub ended: u64,
    pub call: C,
}

/// What the calls are about.
pub trait Model {
    type State: Clone + Eq + Hash;
    type Call;

    fn begin(&self) -> Self::State;

    /// Whether the call with its answer changes nothing in whatever state.
    fn only_looks(&self, call: &Self::Call) -> bool;

    /// The states in which the call with its answer can leave this one; none where it cannot be answered so.
    fn after(&self, state: &Self::State, call: &Self::Call) -> Vec<Self::State>;
}

/// The longest beginning that has an order; the calls that nothing explains then.
pub struct Stuck {
    pub explained: usize,
    pub left: Vec<usize>,
}

struct Search<'a, M: Model> {
    model: &'a M,
    spans: &'a [Span<M::Call>],
    done: Vec<bool>,
    count: usize,
    tried: HashSet<(Vec<bool>, M::State)>,
    best: Stuck,
}

/// Finds an order for the spans.
///
/// # Errors
/// How far it got.
pub fn check<M: Model>(model: &M, spans: &[Span<M::Call>]) -> Result<(), Stuck> {
    let mut search = Search {
        model,
        spans,
        done: vec![false; spans.len()],
        count: 0,
        tried: HashSet::new(),
        best: Stuck { explained: 0, left: (0..spans.len()).collect() },
    };
    if search.goes_on(model.begin()) { Ok(()) } else { Err(search.best) }
}

impl<M: Model> Search<'_, M> {
    fn goes_on(&mut self, state: M::State) -> bool {
        let mut trail = Vec::new();
        while let Some(idle) = self.idle_in(&state) {
            self.put(idle);
            trail.push(idle);
        }
        if self.count == self.spans.len() {
            return true;
        }
        if self.count > self.best.explained {
            let left = (0..self.spans.len()).filter(|i| !self.done[*i]).collect();
            self.best = Stuck { explained: self.count, left };
        }
        if self.tried.insert((self.done.clone(), state.clone())) {
            for next in self.candidates() {
                for after in self.model.after(&state, &self.spans[next].call) {
                    self.put(next);
                    if self.goes_on(after) {
                        return true;
                    }
                    self.take_back(next);
                }
            }
        }
        for idle in trail {
            self.take_back(idle);
        }
        false
    }

    /// A candidate that fits and leaves everything as it is.
    fn idle_in(&self, state: &M::State) -> Option<usize> {
        let is_idle = |i: &usize| {
            let call = &self.spans[*i].call;
            self.model.only_looks(call) && !self.model.after(state, call).is_empty()
        };
        self.candidates().into_iter().find(is_idle)
    }

    fn candidates(&self) -> Vec<usize> {
        let left = || (0..self.spans.len()).filter(|i| !self.done[*i]);
        let first_end = left().map(|i| self.spans[i].ended).min().unwrap_or(u64::MAX);
        left().filter(|i| self.spans[*i].begun < first_end).collect()
    }

    fn put(&mut self, i: usize) {
        self.done[i] = true;
        self.count += 1;
    }

    fn take_back(&mut self, i: usize) {
        self.done[i] = false;
        self.count -= 1;
    }
}
