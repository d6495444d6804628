//! A snapshot as it stands among what was made from it, what holds it and what locks it; decides nothing.

use sqlx::FromRow;

use super::Snapshot;
use crate::clock::Timestamp;
use crate::store::row_locks::Holds;

/// A snapshot with what stands in the way of changing it.
#[derive(Clone, Debug, FromRow)]
pub struct Referenced {
    #[sqlx(flatten)]
    pub snapshot: Snapshot,
    used_by_image: i64,
    used_by_disk: i64,
    #[sqlx(flatten)]
    pub holds: Holds,
    pub(super) tagged: i64,
    copied: i64,
    in_image_copy: i64,
    running_task: Option<String>,
    lock_status: Option<String>,
    /// When its lock ends; `None` for no lock, and while the lock waits for the snapshot to be accomplished.
    pub lock_expired_time: Option<Timestamp>,
}

impl Referenced {
    /// An image of any state and account maps it.
    #[must_use]
    pub fn is_used_by_image(&self) -> bool {
        self.used_by_image != 0
    }

    /// A disk that exists was made from it.
    #[must_use]
    pub fn is_used_by_disk(&self) -> bool {
        self.used_by_disk != 0
    }

    /// An image that maps it is being copied.
    #[must_use]
    pub fn is_in_image_copy(&self) -> bool {
        self.in_image_copy != 0
    }

    /// A copy of it is being made.
    #[must_use]
    pub fn is_being_copied(&self) -> bool {
        self.copied != 0
    }

    /// A task of this kind, such as `ArchiveSnapshot`, is under way.
    #[must_use]
    pub fn is_in_task(&self, task_action: &str) -> bool {
        self.running_task.as_deref() == Some(task_action)
    }

    /// A lock keeps it from being deleted, be it in its cool-off period or after it.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.lock_status.as_deref().is_some_and(|status| status != "expired")
    }
}
