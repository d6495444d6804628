//! What is known of a disk; has no rules.

use super::DISK_SIZE;
use crate::model::moves::Nth;

/// How much of a disk its first snapshot holds, and how much each later one.
const FIRST_PERCENT: i64 = 20;
pub const LATER_PERCENT: i64 = 2;

/// A rewriting under way, from a snapshot or to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewriting(pub Option<Nth>);

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a disk")]
pub struct Disk {
    pub is_there: bool,
    pub is_system: bool,
    pub status: &'static str,
    /// The instance that has it.
    pub on: Option<Nth>,
    pub ever_attached: bool,
    /// Its instance was stopped when it came, and was not started since.
    pub unstarted: bool,
    /// The snapshot that it was made from, and whether the reference to it lives.
    pub source: Option<Nth>,
    pub refers: bool,
    pub rewriting: Option<Rewriting>,
    pub until: Option<i64>,
    pub size: i64,
    /// Of performance, PL0 to PL3.
    pub level: usize,
    /// When it last grew under a running instance, which sees it after its next start.
    pub grew: Option<i64>,
    /// Whether policies may take snapshots of it.
    pub may_be_taken: bool,
    /// Whether its automatic snapshots go with it.
    pub takes_automatic: bool,
    /// Whether it goes with its instance.
    pub goes_along: bool,
    /// Whether it can be taken from its instance, and go without it.
    pub is_portable: bool,
    pub is_prepaid: bool,
    /// When that changed last.
    pub charged: Option<i64>,
    /// How much of it its next snapshot holds.
    pub next_percent: i64,
    /// What it is a clone of, while it is being made.
    pub clone_of: Option<Nth>,
    pub is_clone: bool,
}

impl Disk {
    /// A data disk that stands alone and is being made.
    pub fn alone(size: i64, until: i64) -> Self {
        Self {
            status: "Creating",
            on: None,
            ever_attached: false,
            until: Some(until),
            size,
            goes_along: false,
            ..Self::of_instance(0, false, false)
        }
    }

    /// One that came with its instance and goes with it.
    pub fn of_instance(on: Nth, is_system: bool, is_prepaid: bool) -> Self {
        Self {
            is_there: true,
            is_system,
            status: "In_use",
            on: Some(on),
            ever_attached: true,
            unstarted: false,
            source: None,
            refers: false,
            rewriting: None,
            until: None,
            size: DISK_SIZE,
            level: 1,
            grew: None,
            may_be_taken: true,
            takes_automatic: true,
            goes_along: true,
            is_portable: !(is_system && is_prepaid),
            is_prepaid,
            charged: None,
            next_percent: FIRST_PERCENT,
            clone_of: None,
            is_clone: false,
        }
    }
}
