//! A disk after a loss of power, made from the log of tests/faultfs: what was synced, and of the rest whatever may have come.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::random::Random;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A change or a sync, as tests/faultfs/src/log.rs records it.
#[derive(Clone, Debug)]
enum Event {
    Open { number: u32, is_new: bool, name: String },
    Write { number: u32, place: usize, bytes: Vec<u8> },
    Truncate { number: u32, length: usize },
    Sync { number: u32 },
    SyncFolder { name: String },
    Unlink { name: String },
    Rename { from: String, to: String },
    Link { from: String, to: String },
    MakeFolder { name: String },
}

/// The log: each event with its end in the file.
pub struct Log(Vec<(usize, Event)>);

impl Log {
    pub fn read(file: &Path) -> Self {
        let bytes = fs::read(file).expect("the log");
        let (mut at, mut events) = (0, Vec::new());
        while at < bytes.len() {
            let number = u32::from_le_bytes(bytes[at + 1..at + 5].try_into().expect("four bytes"));
            let place = u64::from_le_bytes(bytes[at + 5..at + 13].try_into().expect("eight bytes"));
            let place = usize::try_from(place).expect("a place");
            let length = u32::from_le_bytes(bytes[at + 13..at + 17].try_into().expect("four bytes")) as usize;
            let rest = &bytes[at + 17..at + 17 + length];
            let name = || String::from_utf8(rest.to_vec()).expect("a name");
            let names = || {
                let names = name();
                let (from, to) = names.split_once('\0').expect("two names");
                (from.to_owned(), to.to_owned())
            };
            let event = match bytes[at] {
                1 => Event::Open { number, is_new: place == 1, name: name() },
                2 => Event::Write { number, place, bytes: rest.to_vec() },
                3 => Event::Truncate { number, length: place },
                4 => Event::Sync { number },
                5 => Event::SyncFolder { name: name() },
                6 => Event::Unlink { name: name() },
                7 => Event::Rename { from: names().0, to: names().1 },
                8 => Event::Link { from: names().0, to: names().1 },
                9 => Event::MakeFolder { name: name() },
                other => panic!("a record of kind {other}"),
            };
            at += 17 + length;
            events.push((at, event));
        }
        Self(events)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Where in the file the log ends once so many events have happened.
    pub fn end_of(&self, events: usize) -> usize {
        events.checked_sub(1).map_or(0, |last| self.0[last].0)
    }

    /// Whether the event of this number makes something durable.
    pub fn is_sync(&self, event: usize) -> bool {
        matches!(self.0[event].1, Event::Sync { .. } | Event::SyncFolder { .. })
    }
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write(place, bytes) => {
                if to.len() < place + bytes.len() {
                    to.resize(place + bytes.len(), 0);
                }
                to[*place..place + bytes.len()].copy_from_slice(bytes);
            }
            Self::Truncate(length) => to.resize(*length, 0),
        }
    }
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    /// Since its last sync.
    pending: Vec<Change>,
}

enum NameChange {
    Give(String, usize),
    Take(String),
    /// Both in one: a renaming is whole or not at all.
    Move(String, String, usize),
    Folder(String),
}

impl NameChange {
    fn name(&self) -> &str {
        match self {
            Self::Give(name, _) | Self::Take(name) | Self::Move(_, name, _) | Self::Folder(name) => name,
        }
    }
}

/// Names as they are, and files by them.
#[derive(Clone, Default)]
struct Names {
    files: BTreeMap<String, usize>,
    folders: BTreeSet<String>,
}

impl Names {
    fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Give(name, file) => drop(self.files.insert(name.clone(), *file)),
            NameChange::Take(name) => drop(self.files.remove(name)),
            NameChange::Move(from, to, file) => {
                self.files.remove(from);
                self.files.insert(to.clone(), *file);
            }
            NameChange::Folder(name) => drop(self.folders.insert(name.clone())),
        }
    }
}

/// The disk, moved from event to event.
#[derive(Default)]
pub struct Disk {
    files: Vec<File>,
    by_number: BTreeMap<u32, usize>,
    /// As the running system sees them.
    present: Names,
    durable: Names,
    /// Since the last sync of their folders, in order.
    pending: Vec<NameChange>,
    /// Says that it has synced a file and has not.
    pub is_false: bool,
}

/// How much of what was not synced is there.
#[derive(Clone, Copy, Debug)]
pub enum Luck {
    Nothing,
    Everything,
    /// Whatever a disk that keeps no order had written: any of the writes, some of them torn between two sectors.
    Some,
}

impl Disk {
    /// A disk that has what is in a folder, and one folder in it.
    pub fn of(folder: &Path) -> Self {
        let mut disk = Self::default();
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !entry.path().is_dir() {
                disk.put(name, &entry.path());
                continue;
            }
            for inner in fs::read_dir(entry.path()).expect("a folder").flatten() {
                disk.put(format!("{name}/{}", inner.file_name().to_string_lossy()), &inner.path());
            }
            disk.present.folders.insert(name);
        }
        disk.durable = disk.present.clone();
        disk
    }

    fn put(&mut self, name: String, file: &Path) {
        self.files.push(File { durable: fs::read(file).expect("a file"), pending: Vec::new() });
        self.present.files.insert(name, self.files.len() - 1);
    }

    pub fn advance(&mut self, log: &Log, event: usize) {
        match &log.0[event].1 {
            Event::Open { number, is_new, name } => {
                let file = match self.present.files.get(name) {
                    Some(file) if !is_new => *file,
                    _ => {
                        self.files.push(File::default());
                        self.change(NameChange::Give(name.clone(), self.files.len() - 1));
                        self.files.len() - 1
                    }
                };
                self.by_number.insert(*number, file);
            }
            Event::Write { number, place, bytes } => {
                self.file(*number).pending.push(Change::Write(*place, bytes.clone()));
            }
            Event::Truncate { number, length } => self.file(*number).pending.push(Change::Truncate(*length)),
            Event::Sync { .. } if self.is_false => {}
            Event::Sync { number } => {
                let file = self.file(*number);
                for change in std::mem::take(&mut file.pending) {
                    change.apply(&mut file.durable);
                }
            }
            Event::SyncFolder { name } => {
                let is_in = |change: &NameChange| parent(change.name()) == name.as_str();
                let (synced, rest) = std::mem::take(&mut self.pending).into_iter().partition(is_in);
                let synced: Vec<NameChange> = synced;
                self.pending = rest;
                for change in &synced {
                    self.durable.apply(change);
                }
            }
            Event::Unlink { name } => self.change(NameChange::Take(name.clone())),
            Event::Rename { from, to } => {
                let file = self.present.files[from];
                self.change(NameChange::Move(from.clone(), to.clone(), file));
            }
            Event::Link { from, to } => {
                let file = self.present.files[from];
                self.change(NameChange::Give(to.clone(), file));
            }
            Event::MakeFolder { name } => self.change(NameChange::Folder(name.clone())),
        }
    }

    fn file(&mut self, number: u32) -> &mut File {
        let file = self.by_number[&number];
        &mut self.files[file]
    }

    fn change(&mut self, change: NameChange) {
        self.present.apply(&change);
        self.pending.push(change);
    }

    /// Writes what is left after a loss of power at this moment into `folder`, which is empty.
    pub fn lose_power(&self, folder: &Path, luck: Luck, random: &mut Random) {
        let mut names = self.durable.clone();
        // A file system keeps the order of names.
        let kept = match luck {
            Luck::Nothing => 0,
            Luck::Everything => self.pending.len(),
            Luck::Some => random.below(self.pending.len() + 1),
        };
        self.pending[..kept].iter().for_each(|change| names.apply(change));
        for name in &names.folders {
            fs::create_dir_all(folder.join(name)).expect("a folder");
        }
        for (name, file) in names.files {
            // Shared memory is never on the disk.
            if name.ends_with("-shm") || !(parent(&name).is_empty() || names.folders.contains(parent(&name))) {
                continue;
            }
            let file = &self.files[file];
            let mut content = file.durable.clone();
            for change in &file.pending {
                match luck {
                    Luck::Nothing => {}
                    Luck::Everything => change.apply(&mut content),
                    Luck::Some => in_part(change, &mut content, random),
                }
            }
            fs::write(folder.join(&name), content).expect("a file");
        }
    }
}

fn in_part(change: &Change, content: &mut Vec<u8>, random: &mut Random) {
    let fate = random.below(3);
    match change {
        _ if fate == 0 => {}
        // From the boundary of a sector on, nothing of it is there.
        Change::Write(place, bytes) if fate == 1 => {
            let sectors = (place % SECTOR + bytes.len()).div_ceil(SECTOR);
            let end = (place / SECTOR + random.below(sectors + 1)) * SECTOR;
            let kept = end.saturating_sub(*place).min(bytes.len());
            Change::Write(*place, bytes[..kept].to_vec()).apply(content);
        }
        change => change.apply(content),
    }
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}
