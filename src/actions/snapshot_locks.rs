//! Locks in compliance mode, which keep snapshots from being deleted: set, removed, listed; no SQL, no transport.

use serde::{Deserialize, Serialize};

use crate::actions::snapshots::check_unmanaged;
use crate::api::action::{Action, Entry, Idempotent, read, write_once};
use crate::api::common::{Empty, PageLimits, Paging, check_one_of};
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::store::filter::{self, Filter};
use crate::store::row_locks::RowLocks;
use crate::store::snapshot_locks::{self, SnapshotLock};
use crate::store::snapshots::{self, Referenced};
use crate::store::tx::Tx;

pub static ACTIONS: [Entry; 3] =
    [write_once::<LockSnapshot>(), write_once::<UnlockSnapshot>(), read::<DescribeLockedSnapshots>()];

const COOL_OFF_HOURS: std::ops::RangeInclusive<i64> = 0..=72;
const LOCK_DAYS: std::ops::RangeInclusive<i64> = 1..=36_500;
const MODE: &str = "compliance";
const STATUSES: [&str; 3] = ["compliance-cooloff", "compliance", "expired"];

/// Locks a snapshot: within the cool-off period anew, afterwards only for longer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LockSnapshot {
    snapshot_id: String,
    lock_mode: String,
    /// Days.
    lock_duration: i64,
    /// Hours.
    cool_off_period: i64,
    #[serde(default)]
    dry_run: bool,
    client_token: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Locked {
    locked_snapshot_info: Info,
}

impl Action for LockSnapshot {
    const NAME: &'static str = "LockSnapshot";
    type Response = Locked;

    fn check(&self) -> Result<(), Fault> {
        check_one_of(Some(&self.lock_mode), &[MODE], "InvalidLockMode.Malformed")?;
        if !LOCK_DAYS.contains(&self.lock_duration) {
            return Err(Fault::invalid("LockDuration"));
        }
        if !COOL_OFF_HOURS.contains(&self.cool_off_period) {
            return Err(Fault::invalid("CoolOffPeriod"));
        }
        if self.cool_off_period >= self.lock_duration * 24 {
            return Err(fault("InvalidCoolOffPeriod.ExceedLockDuration"));
        }
        Ok(())
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.snapshot_id)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Locked, Fault> {
        // Checks
        let found = own_snapshot(tx, &self.snapshot_id).await?;
        check_unmanaged(&found.snapshot)?;
        if found.snapshot.status == "failed" {
            return Err(fault("InvalidOperation.SnapshotNotAvailable"));
        }
        let known = snapshot_locks::find(tx, &self.snapshot_id).await?;
        let lock = match known {
            Some(lock) if !lock.is_expired() && !lock.is_cooling_off() => self.extended(lock)?,
            _ => self.new_lock(tx, &found),
        };
        check_within_retention(&found, &lock)?;
        // Effect
        snapshot_locks::put(tx, &lock, "Snapshot:LockSnapshotCompleted").await?;
        Ok(Locked { locked_snapshot_info: lock.into() })
    }
}

impl Idempotent for LockSnapshot {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

impl LockSnapshot {
    /// A lock from now on, or from the end of the snapshot's making on.
    fn new_lock(&self, tx: &Tx<'_>, found: &Referenced) -> SnapshotLock {
        let snapshot = &found.snapshot;
        let lock = SnapshotLock {
            snapshot_id: snapshot.snapshot_id.clone(),
            account_id: snapshot.account_id.clone(),
            region_id: snapshot.region_id.clone(),
            lock_mode: MODE.to_owned(),
            lock_status: STATUSES[usize::from(self.cool_off_period == 0)].to_owned(),
            cool_off_period: self.cool_off_period,
            lock_duration: self.lock_duration,
            creation_time: tx.now,
            lock_duration_start_time: None,
            cool_off_period_expired_time: None,
            lock_expired_time: None,
        };
        if snapshot.is_accomplished() { lock.running_from(tx.now) } else { lock }
    }

    /// The lock that nobody can remove any more, for longer; it began when it began.
    fn extended(&self, known: SnapshotLock) -> Result<SnapshotLock, Fault> {
        if self.cool_off_period != 0 || self.lock_duration <= known.lock_duration {
            return Err(fault("InvalidOperation.CoolOffPeriodExpired"));
        }
        let end = known.lock_duration_start_time.map(|start| start.plus_days(self.lock_duration));
        Ok(SnapshotLock { lock_duration: self.lock_duration, lock_expired_time: end, ..known })
    }
}

/// The lock ends before the snapshot's days of retention do; of one that is not accomplished at its earliest.
fn check_within_retention(found: &Referenced, lock: &SnapshotLock) -> Result<(), Fault> {
    let snapshot = &found.snapshot;
    let Some(days) = snapshot.retention_days else { return Ok(()) };
    let lock_end = lock.lock_expired_time.unwrap_or_else(|| snapshot.finish_time.plus_days(lock.lock_duration));
    if lock_end < snapshot.creation_time.plus_days(days) {
        Ok(())
    } else {
        Err(fault("InvalidLockDuration.ExceedRetentionDays"))
    }
}

async fn own_snapshot(tx: &mut Tx<'_>, snapshot_id: &str) -> Result<Referenced, Fault> {
    let Some(found) = snapshots::find(tx, snapshot_id).await? else {
        return Err(fault("InvalidSnapshotId.NotFound"));
    };
    if found.holds.is_held() { Err(fault("Operation.Conflict")) } else { Ok(found) }
}

/// Removes a lock within its cool-off period.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UnlockSnapshot {
    snapshot_id: String,
    #[serde(default)]
    dry_run: bool,
    client_token: Option<String>,
}

impl Action for UnlockSnapshot {
    const NAME: &'static str = "UnlockSnapshot";
    type Response = Empty;

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.snapshot_id)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        own_snapshot(tx, &self.snapshot_id).await?;
        let lock = match snapshot_locks::find(tx, &self.snapshot_id).await? {
            Some(lock) if lock.is_cooling_off() => lock,
            Some(lock) if !lock.is_expired() => return Err(fault("InvalidOperation.CoolOffPeriodExpired")),
            // What has expired locks nothing any more.
            _ => return Err(fault("InvalidSnapshotLock.NotFound").with(&self.snapshot_id)),
        };
        // Effect
        snapshot_locks::remove(tx, &lock, "Snapshot:UnlockSnapshotCompleted").await?;
        Ok(Empty {})
    }
}

impl Idempotent for UnlockSnapshot {
    fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }
}

/// Lists locks, the expired ones too, newest first.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeLockedSnapshots {
    #[serde(default)]
    snapshot_ids: Vec<String>,
    lock_status: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 100 };
const MOST_IDS: usize = 100;

impl Action for DescribeLockedSnapshots {
    const NAME: &'static str = "DescribeLockedSnapshots";
    type Response = Described;

    fn check(&self) -> Result<(), Fault> {
        check_one_of(self.lock_status.as_deref(), &STATUSES, "InvalidLockStatus.Malformed")?;
        if self.snapshot_ids.len() > MOST_IDS {
            return Err(Fault::invalid("SnapshotIds"));
        }
        self.paging().page(LIMITS).map(drop)
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Described, Fault> {
        let paging = self.paging();
        let page = paging.page(LIMITS)?;
        let mut filter = Filter::of_caller(tx, &snapshot_locks::SOURCE, !self.snapshot_ids.is_empty());
        if !self.snapshot_ids.is_empty() {
            let locked = snapshot_locks::locked_among(tx, &self.snapshot_ids).await?;
            let others: Vec<&str> =
                self.snapshot_ids.iter().filter(|id| !locked.contains(id)).map(String::as_str).collect();
            if !others.is_empty() {
                return Err(fault("InvalidSnapshotLock.NotFound").with(others.join(", ")));
            }
            filter.any("snapshot_locks.snapshot_id", locked.iter().map(String::as_str));
        }
        filter.is_given("lock_status", self.lock_status.as_deref().map(str::to_ascii_lowercase).as_deref());
        let listing = filter::list::<SnapshotLock>(tx, &snapshot_locks::SOURCE, &filter, &page).await?;
        let next_token = paging.fields(&page, &listing, 0).next_token.unwrap_or_default();
        Ok(Described { locked_snapshots_info: listing.rows.into_iter().map(Info::from).collect(), next_token })
    }
}

impl DescribeLockedSnapshots {
    fn paging(&self) -> Paging<'_> {
        Paging { max_results: self.max_results, next_token: self.next_token.as_deref(), ..Paging::default() }
    }
}

/// The one list of ECS that is not wrapped twice.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    locked_snapshots_info: Vec<Info>,
    next_token: String,
}

/// A lock as all three actions show it; without times as long as it waits for its snapshot to be accomplished.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    snapshot_id: String,
    lock_mode: String,
    lock_status: String,
    lock_duration: i64,
    cool_off_period: i64,
    lock_creation_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_duration_start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cool_off_period_expired_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_expired_time: Option<String>,
}

impl From<SnapshotLock> for Info {
    fn from(lock: SnapshotLock) -> Self {
        Self {
            lock_creation_time: lock.creation_time.to_seconds(),
            lock_duration_start_time: lock.lock_duration_start_time.map(Timestamp::to_seconds),
            cool_off_period_expired_time: lock.cool_off_period_expired_time.map(Timestamp::to_seconds),
            lock_expired_time: lock.lock_expired_time.map(Timestamp::to_seconds),
            snapshot_id: lock.snapshot_id,
            lock_mode: lock.lock_mode,
            lock_status: lock.lock_status,
            lock_duration: lock.lock_duration,
            cool_off_period: lock.cool_off_period,
        }
    }
}
