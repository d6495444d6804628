//! What clients ask for and are answered, and what a snapshot with its images, disks, tags and locks may answer; never asks
//! the daemon.

use std::collections::{BTreeMap, BTreeSet};

use super::checker;

/// What a client asks for, ids of what was made before included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    Delete {
        force: bool,
    },
    Rename(u8),
    Look,
    Tag {
        key: u8,
        value: u8,
    },
    Untag {
        key: u8,
    },
    Lock,
    Unlock,
    CreateImage,
    DeleteImage(String),
    CreateDisk,
    DeleteDisk(String),
    Hold {
        name: u8,
        exclusive: bool,
    },
    Release {
        name: u8,
    },
    /// Of the disk, under a token; `variant` is what else the call says.
    Take {
        token: u8,
        variant: u8,
    },
    /// All snapshots of the disk.
    List,
    /// Time goes on for longer than anything takes.
    Advance,
}

/// What a snapshot looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub name: u8,
    pub usage: String,
    pub tags: BTreeMap<u8, u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Made(String),
    Seen(Option<Shown>),
    Listed(BTreeSet<String>),
    Refused(String),
    /// The connection ended before: it happened or it did not.
    Lost,
}

/// Whether a call that overlaps this one had the row for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    No,
    Yes,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub call: Call,
    pub answer: Answer,
    pub overlap: Overlap,
}

impl Event {
    pub fn only_looks(&self) -> bool {
        matches!(self.call, Call::Look | Call::List) || matches!(self.answer, Answer::Refused(_))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Made {
    Creating,
    Ready,
}

/// A snapshot and all that hangs on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    is_there: bool,
    name: u8,
    is_locked: bool,
    tags: BTreeMap<u8, u8>,
    /// By id; one whose answer was lost has a name of ours.
    images: BTreeMap<String, Made>,
    /// Those that refer to it, and that were made from it before it was deleted with Force.
    disks: BTreeMap<String, (Made, bool)>,
    /// Locks of operators, by name: whether exclusive.
    held: BTreeMap<u8, bool>,
}

pub struct OfSnapshot;

pub const CONFLICT: &str = "Operation.Conflict";
const NOT_FOUND: &str = "InvalidSnapshotId.NotFound";

impl State {
    fn is_held(&self) -> bool {
        !self.held.is_empty() || self.is_being_used()
    }

    fn is_being_used(&self) -> bool {
        self.images.values().any(|made| *made == Made::Creating)
            || self.disks.values().any(|(made, _)| *made == Made::Creating)
    }

    fn is_held_exclusively(&self) -> bool {
        self.held.values().any(|exclusive| *exclusive)
    }

    fn usage(&self) -> &'static str {
        match (self.images.is_empty(), self.disks.values().any(|(_, refers)| *refers)) {
            (true, false) => "none",
            (false, false) => "image",
            (true, true) => "disk",
            (false, true) => "image_disk",
        }
    }

    fn shown(&self) -> Option<Shown> {
        let shown = || Shown { name: self.name, usage: self.usage().to_owned(), tags: self.tags.clone() };
        self.is_there.then(shown)
    }

    /// The code with which the call is refused, or what it does: `made` is the id of what it makes.
    fn make(&mut self, call: &Call, made: &str) -> Result<(), &'static str> {
        match call {
            Call::Delete { force } => self.delete(*force),
            Call::Rename(name) => self.change(|state| state.name = *name),
            Call::Lock => self.change(|state| state.is_locked = true),
            Call::Unlock if self.is_there && !self.is_held() && !self.is_locked => Err("InvalidSnapshotLock.NotFound"),
            Call::Unlock => self.change(|state| state.is_locked = false),
            Call::Tag { key, value } => self.tag(|tags| {
                tags.insert(*key, *value);
            }),
            Call::Untag { key } => self.tag(|tags| {
                tags.remove(key);
            }),
            Call::CreateImage => self.use_it(|state| {
                state.images.insert(made.to_owned(), Made::Creating);
            }),
            Call::CreateDisk => self.use_it(|state| {
                state.disks.insert(made.to_owned(), (Made::Creating, true));
            }),
            Call::DeleteImage(id) => {
                self.images.remove(id);
                Ok(())
            }
            Call::DeleteDisk(id) => self.delete_disk(id),
            Call::Hold { name, exclusive } => self.hold(*name, *exclusive),
            Call::Release { name } => self.held.remove(name).map(drop).ok_or("404"),
            Call::Advance => {
                self.images.values_mut().for_each(|made| *made = Made::Ready);
                self.disks.values_mut().for_each(|(made, _)| *made = Made::Ready);
                Ok(())
            }
            Call::Look | Call::List | Call::Take { .. } => unreachable!("judged elsewhere"),
        }
    }

    fn delete(&mut self, force: bool) -> Result<(), &'static str> {
        if !self.is_there {
            return Ok(());
        }
        if self.is_held() {
            return Err(CONFLICT);
        }
        if self.is_locked {
            return Err("InvalidOperation.SnapshotLocked");
        }
        if !self.images.is_empty() {
            return Err("SnapshotCreatedImage");
        }
        if self.disks.values().any(|(_, refers)| *refers) && !force {
            return Err("SnapshotCreatedDisk");
        }
        self.is_there = false;
        self.tags.clear();
        self.disks.values_mut().for_each(|(_, refers)| *refers = false);
        Ok(())
    }

    fn change(&mut self, change: impl FnOnce(&mut Self)) -> Result<(), &'static str> {
        if !self.is_there {
            return Err(NOT_FOUND);
        }
        if self.is_held() {
            return Err(CONFLICT);
        }
        change(self);
        Ok(())
    }

    fn tag(&mut self, change: impl FnOnce(&mut BTreeMap<u8, u8>)) -> Result<(), &'static str> {
        if !self.is_there {
            return Err("InvalidResourceId.NotFound");
        }
        change(&mut self.tags);
        Ok(())
    }

    fn use_it(&mut self, make: impl FnOnce(&mut Self)) -> Result<(), &'static str> {
        if !self.is_there {
            return Err(NOT_FOUND);
        }
        if self.is_held_exclusively() {
            return Err(CONFLICT);
        }
        make(self);
        Ok(())
    }

    fn delete_disk(&mut self, id: &str) -> Result<(), &'static str> {
        if self.disks.get(id).is_some_and(|(made, _)| *made == Made::Creating) {
            return Err("IncorrectDiskStatus.Initializing");
        }
        self.disks.remove(id);
        Ok(())
    }

    fn hold(&mut self, name: u8, exclusive: bool) -> Result<(), &'static str> {
        if !self.is_there {
            return Err("404");
        }
        let is_in_the_way = if exclusive { self.is_held() } else { self.is_held_exclusively() };
        if self.held.contains_key(&name) || is_in_the_way {
            return Err("held");
        }
        self.held.insert(name, exclusive);
        Ok(())
    }
}

impl checker::Model for OfSnapshot {
    type State = State;
    type Call = Event;

    fn begin(&self) -> State {
        State {
            is_there: true,
            name: 0,
            is_locked: false,
            tags: BTreeMap::new(),
            images: BTreeMap::new(),
            disks: BTreeMap::new(),
            held: BTreeMap::new(),
        }
    }

    fn only_looks(&self, event: &Event) -> bool {
        event.only_looks()
    }

    fn is_lost(&self, event: &Event) -> bool {
        event.answer == Answer::Lost
    }

    fn after(&self, state: &State, event: &Event) -> Vec<State> {
        let Event { call, answer, overlap } = event;
        let same = |fits: bool| if fits { vec![state.clone()] } else { Vec::new() };
        if *call == Call::Look {
            return same(*answer == Answer::Seen(state.shown()));
        }
        let mut next = state.clone();
        match (answer, next.make(call, made_by(answer))) {
            (Answer::Lost | Answer::Done | Answer::Made(_), Ok(())) => vec![next],
            (Answer::Refused(code), outcome) => {
                // A hold finds out first whose the snapshot is: it may go in between.
                let went = matches!(call, Call::Hold { .. }) && !state.is_there;
                same(outcome == Err(code) || code == CONFLICT && (*overlap == Overlap::Yes || went))
            }
            _ => Vec::new(),
        }
    }
}

/// The id that an answer tells; what was made without an answer is all called the same, since nobody can name it.
fn made_by(answer: &Answer) -> &str {
    if let Answer::Made(id) = answer { id } else { "lost" }
}
