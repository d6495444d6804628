//! Identifiers of resources and requests: the only place that draws randomness, never reads a clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngExt;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What follows the region mark of an id: 17 lower-case letters and digits, as ECS has them.
const TOKEN_LENGTH: usize = 17;
const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The kinds of ids that this daemon makes, each with ECS's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    Snapshot,
    Disk,
    Image,
    Instance,
    Task,
    SnapshotGroup,
    AutoSnapshotPolicy,
    TaskGroup,
}

impl IdKind {
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Snapshot => "s-",
            Self::Disk => "d-",
            Self::Image => "m-",
            Self::Instance => "i-",
            Self::Task => "t-",
            Self::SnapshotGroup => "ssg-",
            Self::AutoSnapshotPolicy => "sp-",
            Self::TaskGroup => "tg-",
        }
    }
}

impl IdKind {
    pub const ALL: [Self; 8] = [
        Self::Snapshot,
        Self::Disk,
        Self::Image,
        Self::Instance,
        Self::Task,
        Self::TaskGroup,
        Self::SnapshotGroup,
        Self::AutoSnapshotPolicy,
    ];

    /// The kind whose ids look like this one: its prefix, then letters and digits of lower case.
    #[must_use]
    pub fn of(id: &str) -> Option<Self> {
        let is_token = |rest: &str| {
            LENGTHS.contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        Self::ALL.into_iter().find(|kind| id.strip_prefix(kind.prefix()).is_some_and(is_token))
    }
}

/// How long what follows the prefix may be where somebody else chooses it.
const LENGTHS: std::ops::RangeInclusive<usize> = 1..=40;

/// Makes resource ids: random, or replayable from a seed and a position that the store keeps.
#[derive(Clone, Debug)]
pub struct IdGenerator {
    seed: Option<u64>,
    position: i64,
    /// Ids that are to be given out next, by prefix.
    named: BTreeMap<&'static str, VecDeque<String>>,
}

impl IdGenerator {
    #[must_use]
    pub fn new(seed: Option<u64>, position: i64) -> Self {
        Self { seed, position, named: BTreeMap::new() }
    }

    /// How many ids were drawn so far; stored in the transaction that used them.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Makes `id` the next of its kind, after those that were named before; `false` when it is among them.
    pub fn name(&mut self, kind: IdKind, id: String) -> bool {
        let named = self.named.entry(kind.prefix()).or_default();
        let is_new = !named.contains(&id);
        if is_new {
            named.push_back(id);
        }
        is_new
    }

    /// Begins anew with a seed.
    pub fn reseed(&mut self, seed: Option<u64>) {
        (self.seed, self.position) = (seed, 0);
    }

    /// What follows the region mark in the first ids after a seeding.
    #[must_use]
    pub fn first_tokens(seed: u64, count: usize) -> Vec<String> {
        let mut ids = Self::new(Some(seed), 0);
        (0..count).map(|_| ids.token(TOKEN_LENGTH)).collect()
    }

    /// Goes back, or on, to where `position` ids were drawn.
    pub fn rewind(&mut self, position: i64) {
        self.position = position;
    }

    /// The next id of `kind`: prefix, three-letter region mark, token, such as `s-bp1a2b…`.
    pub fn next(&mut self, kind: IdKind, region_mark: &str) -> String {
        if let Some(named) = self.named.get_mut(kind.prefix()).and_then(VecDeque::pop_front) {
            return named;
        }
        format!("{}{region_mark}{}", kind.prefix(), self.token(TOKEN_LENGTH))
    }

    /// `length` lower-case letters and digits.
    pub fn token(&mut self, length: usize) -> String {
        self.symbols(length).into_iter().map(|n| char::from(ALPHABET[usize::from(n % 36)])).collect()
    }

    /// A number of `length` decimal digits, the first never 0.
    pub fn digits(&mut self, length: usize) -> String {
        let symbols = self.symbols(length).into_iter().enumerate();
        symbols.map(|(i, n)| char::from(if i == 0 { b'1' + n % 9 } else { b'0' + n % 10 })).collect()
    }

    fn symbols(&mut self, length: usize) -> Vec<u8> {
        self.position += 1;
        let block: [u8; 32] = match self.seed {
            Some(seed) => seeded(seed, b"resource", self.position.unsigned_abs()),
            None => random(),
        };
        block.into_iter().take(length).collect()
    }
}

/// The id of the chain that all snapshots of a disk belong to: that of the disk with another prefix.
#[must_use]
pub fn snapshot_link_id(disk_id: &str) -> String {
    format!("sl-{}", disk_id.strip_prefix(IdKind::Disk.prefix()).unwrap_or(disk_id))
}

/// The disk whose snapshots form this chain.
#[must_use]
pub fn disk_of_link(snapshot_link_id: &str) -> String {
    format!("{}{}", IdKind::Disk.prefix(), snapshot_link_id.strip_prefix("sl-").unwrap_or(snapshot_link_id))
}

/// Makes request ids, upper-case UUIDs; a stream apart from resource ids, so that a read never moves those.
pub struct RequestIds {
    seed: Option<u64>,
    drawn: AtomicU64,
}

impl RequestIds {
    #[must_use]
    pub fn new(seed: Option<u64>) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }

    pub fn next(&self) -> String {
        let bytes: [u8; 32] = match self.seed {
            Some(seed) => seeded(seed, b"request", self.drawn.fetch_add(1, Ordering::Relaxed)),
            None => random(),
        };
        let mut sixteen = [0; 16];
        sixteen.copy_from_slice(&bytes[..16]);
        let uuid = uuid::Builder::from_random_bytes(sixteen).into_uuid();
        uuid.hyphenated().encode_upper(&mut Uuid::encode_buffer()).to_owned()
    }
}

/// A fresh nonce for a request that this program signs itself.
#[must_use]
pub fn nonce() -> String {
    RequestIds::new(None).next().to_ascii_lowercase()
}

/// The draw numbered `position` of a seed, from 0 up to but not 1: chance that can be repeated.
#[must_use]
pub fn draw(seed: u64, position: u64) -> f64 {
    let bytes = seeded(seed, b"chance", position);
    // 32 bits are exact in a double.
    f64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])) / 4_294_967_296.0
}

fn random() -> [u8; 32] {
    #[expect(clippy::disallowed_methods, reason = "the one place where randomness is drawn")]
    rand::rng().random()
}

fn seeded(seed: u64, stream: &[u8], position: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(stream);
    hash.update(position.to_be_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_the_same_ids() {
        let draw = |seed| {
            let mut ids = IdGenerator::new(seed, 0);
            (ids.next(IdKind::Snapshot, "bp1"), ids.next(IdKind::Disk, "bp1"))
        };
        assert_eq!(draw(Some(7)), draw(Some(7)));
        assert_ne!(draw(Some(7)), draw(Some(8)));
        assert_ne!(draw(None), draw(None));
        let (snapshot, disk) = draw(Some(7));
        assert!(snapshot.starts_with("s-bp1") && snapshot.len() == 22, "{snapshot}");
        assert!(disk.starts_with("d-bp1") && disk.len() == 22, "{disk}");
    }

    #[test]
    fn a_request_id_is_an_upper_case_uuid() {
        let id = RequestIds::new(None).next();
        assert_eq!(id.len(), 36);
        assert_eq!(id, id.to_ascii_uppercase());
    }
}
