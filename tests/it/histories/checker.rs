//! Whether what clients saw can have happened in some order, each call at one instant between its beginning and its end;
//! knows no action.
//!
//! The search is that of Wing and Gong with Lowe's memory of what was tried: a call that may come next (none that is left
//! ended before it began) is put next if the model allows its answer. A look or a refusal that may come next is put next
//! at once, since it changes nothing wherever it stands, unless it shuts out a lost call; a change that happens to change
//! nothing is not, since later it might. A call without an answer need not be put anywhere; where it is, it had its effect.

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

    /// Whether it may have happened or not: no answer came.
    fn is_lost(&self, call: &Self::Call) -> bool;

    /// The states in which the call with its answer can leave this one; none where it cannot be answered so. Of a lost
    /// one: if it happened.
    fn after(&self, state: &Self::State, call: &Self::Call) -> Vec<Self::State>;
}

/// So many beginnings are tried at most.
const MOST_TRIED: usize = 300_000;

/// What was found of a history that is not known to lack an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Order,
    /// The search was given up: too many calls at once.
    Nothing,
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
    gave_up: bool,
}

/// Finds an order for the spans.
///
/// # Errors
/// How far it got.
pub fn check<M: Model>(model: &M, spans: &[Span<M::Call>]) -> Result<Found, Stuck> {
    let mut search = Search {
        model,
        spans,
        done: vec![false; spans.len()],
        count: 0,
        tried: HashSet::new(),
        best: Stuck { explained: 0, left: (0..spans.len()).collect() },
        gave_up: false,
    };
    let has_order = search.goes_on(&model.begin());
    if search.gave_up {
        return Ok(Found::Nothing);
    }
    if has_order { Ok(Found::Order) } else { Err(search.best) }
}

impl<M: Model> Search<'_, M> {
    fn goes_on(&mut self, state: &M::State) -> bool {
        let mut trail = Vec::new();
        while let Some(idle) = self.idle_in(state) {
            self.put(idle);
            trail.push(idle);
        }
        if (0..self.spans.len()).all(|i| self.done[i] || self.is_lost(i)) {
            return true;
        }
        if self.count > self.best.explained {
            let left = (0..self.spans.len()).filter(|i| !self.done[*i]).collect();
            self.best = Stuck { explained: self.count, left };
        }
        self.gave_up |= self.tried.len() >= MOST_TRIED;
        if self.gave_up {
            return false;
        }
        if self.tried.insert((self.done.clone(), state.clone())) {
            for next in self.candidates() {
                for after in self.model.after(state, &self.spans[next].call) {
                    self.put(next);
                    if self.goes_on(&after) {
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

    /// A candidate that fits and leaves everything as it is. One that began after a lost call had ended is none as long as
    /// that may still come: it never could behind this one.
    fn idle_in(&self, state: &M::State) -> Option<usize> {
        let candidates = self.candidates();
        let lost_end = candidates.iter().filter(|i| self.is_lost(**i)).map(|i| self.spans[*i].ended).min();
        let is_idle = |i: &usize| {
            let Span { begun, call, .. } = &self.spans[*i];
            let shuts_out = lost_end.is_some_and(|end| end <= *begun);
            !shuts_out && self.model.only_looks(call) && !self.model.after(state, call).is_empty()
        };
        candidates.iter().copied().find(is_idle)
    }

    /// What may come next, the lost ones last: they are needed only where something else shows that they happened.
    fn candidates(&self) -> Vec<usize> {
        let all = || 0..self.spans.len();
        let left = |lost: bool| all().filter(move |i| !self.done[*i] && self.is_lost(*i) == lost);
        let first_end = left(false).map(|i| self.spans[i].ended).min().unwrap_or(u64::MAX);
        let latest = all().filter(|i| self.done[*i]).map(|i| self.spans[i].begun).max().unwrap_or(0);
        let answered = left(false).filter(|i| self.spans[*i].begun < first_end);
        let lost = left(true).filter(|i| self.spans[*i].begun < first_end && latest < self.spans[*i].ended);
        answered.chain(lost).collect()
    }

    fn is_lost(&self, i: usize) -> bool {
        self.model.is_lost(&self.spans[i].call)
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
