//! What a disk of which snapshots are taken may answer; never asks the daemon.

use std::collections::{BTreeMap, BTreeSet};

use super::checker;
use super::model::{Answer, CONFLICT, Call, Event, Overlap};

/// A disk of which snapshots are taken under tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Disk {
    /// By token: what else the call said, and what it made; `None` for what nobody was told.
    taken: BTreeMap<u8, (u8, Option<String>)>,
    unfinished: usize,
    held: BTreeMap<u8, bool>,
}

/// The disk's model, with how many of its snapshots may be under way at once.
pub struct OfDisk {
    pub at_once: usize,
    /// What was taken of it before.
    pub before: BTreeSet<String>,
}

impl OfDisk {
    fn take(&self, state: &Disk, token: u8, variant: u8, event: &Event) -> Vec<Disk> {
        let taken = |id: Option<String>| {
            let mut next = state.clone();
            next.taken.insert(token, (variant, id));
            next.unfinished += 1;
            next
        };
        let refusal = match state.taken.get(&token) {
            Some((known, _)) if *known != variant => Some("IdempotentParameterMismatch"),
            None if state.held.values().any(|exclusive| *exclusive) => Some(CONFLICT),
            None if state.unfinished >= self.at_once => Some("QuotaExceed.ConcurrentSnapshotQuota"),
            Some(_) | None => None,
        };
        let same = |fits: bool| if fits { vec![state.clone()] } else { Vec::new() };
        match (&event.answer, state.taken.get(&token)) {
            (Answer::Refused(code), _) => {
                let is_busy = code == "IdempotentProcessing" || code == CONFLICT;
                same(refusal == Some(code) || is_busy && event.overlap == Overlap::Yes)
            }
            (Answer::Lost, None) if refusal.is_none() => vec![taken(None)],
            (Answer::Made(_), _) if refusal.is_some() => Vec::new(),
            (Answer::Made(id), Some((_, Some(known)))) => same(id == known),
            (Answer::Made(id), Some((_, None))) if self.is_new(state, id) => {
                let mut next = state.clone();
                next.taken.insert(token, (variant, Some(id.clone())));
                vec![next]
            }
            (Answer::Made(id), None) if self.is_new(state, id) => vec![taken(Some(id.clone()))],
            _ => Vec::new(),
        }
    }

    fn is_new(&self, state: &Disk, id: &str) -> bool {
        !self.before.contains(id) && state.taken.values().all(|(_, known)| known.as_deref() != Some(id))
    }

    fn has(&self, state: &Disk, listed: &BTreeSet<String>) -> bool {
        let known: BTreeSet<&String> =
            self.before.iter().chain(state.taken.values().filter_map(|(_, id)| id.as_ref())).collect();
        let unknown = state.taken.values().filter(|(_, id)| id.is_none()).count();
        known.iter().all(|id| listed.contains(*id)) && listed.len() == known.len() + unknown
    }
}

impl checker::Model for OfDisk {
    type State = Disk;
    type Call = Event;

    fn begin(&self) -> Disk {
        Disk { taken: BTreeMap::new(), unfinished: 0, held: BTreeMap::new() }
    }

    fn only_looks(&self, event: &Event) -> bool {
        event.only_looks()
    }

    fn is_lost(&self, event: &Event) -> bool {
        event.answer == Answer::Lost
    }

    fn after(&self, state: &Disk, event: &Event) -> Vec<Disk> {
        let same = |fits: bool| if fits { vec![state.clone()] } else { Vec::new() };
        let mut next = state.clone();
        let outcome = match &event.call {
            Call::Take { token, variant } => return self.take(state, *token, *variant, event),
            Call::List => {
                let fits = |listed| self.has(state, listed);
                return same(matches!(&event.answer, Answer::Listed(listed) if fits(listed)));
            }
            Call::Advance => {
                next.unfinished = 0;
                Ok(())
            }
            Call::Hold { name, exclusive } => {
                let others = state.held.values().any(|held| *exclusive || *held);
                let is_free = !state.held.contains_key(name) && !others;
                next.held.insert(*name, *exclusive);
                if is_free { Ok(()) } else { Err("held") }
            }
            Call::Release { name } => next.held.remove(name).map(drop).ok_or("404"),
            other => unreachable!("{other:?} is of no disk"),
        };
        match (&event.answer, outcome) {
            (Answer::Refused(code), outcome) => {
                same(outcome == Err(code) || code == CONFLICT && event.overlap == Overlap::Yes)
            }
            (_, Ok(())) => vec![next],
            (_, Err(_)) => Vec::new(),
        }
    }
}
