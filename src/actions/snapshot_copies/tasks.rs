//! Tasks that hold a snapshot for a while: its way into the archive, its export; what they end with is `lifecycle`'s.

use serde::{Deserialize, Serialize};

use super::is_role_name;
use crate::actions::snapshots::{check_retention, check_unmanaged};
use crate::api::action::Action;
use crate::api::common::check_given;
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::ids::IdKind;
use crate::store::row_locks::{self, Mode, RowLocks};
use crate::store::snapshot_copies;
use crate::store::snapshots::{self, Referenced, Snapshot};
use crate::store::tasks::{self, Task};
use crate::store::tx::Tx;

/// The tasks that a snapshot can be in, as DescribeTasks spells them.
pub const ARCHIVE: &str = "ArchiveSnapshot";
const EXPORT: &str = "ExportSnapshot";

/// Puts a standard snapshot into the archive, for good.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifySnapshotCategory {
    snapshot_id: String,
    category: Option<String>,
    retention_days: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Started {
    task_id: String,
}

/// A snapshot has to be so many days old before it goes into the archive.
const ARCHIVE_AGE: i64 = 14;
/// These days, and 60 in the archive.
const LEAST_ARCHIVED: i64 = 74;

impl Action for ModifySnapshotCategory {
    const NAME: &'static str = "ModifySnapshotCategory";
    type Response = Started;

    fn check(&self) -> Result<(), Fault> {
        // The one change there is, and so what is meant where nothing is said (decision 52).
        let is_archive = |text: &str| text.eq_ignore_ascii_case("archive");
        check_given(self.category.as_deref(), is_archive, "InvalidParameter.SnapshotCategory")?;
        if self.retention_days.is_some_and(|days| days < LEAST_ARCHIVED) {
            return Err(fault("InvalidRetentionDays.Malformed"));
        }
        check_retention(self.retention_days)
    }

    fn row_locks(&self) -> RowLocks {
        RowLocks::exclusive(&self.snapshot_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Started, Fault> {
        // Checks
        let Some(found) = snapshots::find(tx, &self.snapshot_id).await? else {
            return Err(fault("InvalidSnapshotId.NotFound"));
        };
        check_unmanaged(&found.snapshot)?;
        if found.is_in_task(ARCHIVE) {
            return Err(fault("InvalidStatus.SnapshotInArchive"));
        }
        if found.holds.is_held() {
            return Err(fault("Operation.Conflict"));
        }
        may_be_archived(tx, &found.snapshot)?;
        let until = self.kept_until(&found)?;
        if snapshot_copies::archiving(tx, &found.snapshot.source_disk_id).await?
            >= tx.config().quotas.concurrent_archives
        {
            return Err(fault("QuotaExceed.ConcurrentArchiveSnapshotQuota"));
        }
        // Effect
        let kept = Snapshot { retention_days: self.retention_days, ..found.snapshot };
        snapshot_copies::keep_archived(tx, &kept, until).await?;
        let due = tx.now.plus_millis(tx.config().lifecycle.archive_ms.into());
        start(tx, &kept, ARCHIVE, due, Mode::Exclusive).await
    }
}

impl ModifySnapshotCategory {
    /// When the archived snapshot is to leave: days count from its creation, without any it stays for ever.
    fn kept_until(&self, found: &Referenced) -> Result<Option<Timestamp>, Fault> {
        let Some(days) = self.retention_days else { return Ok(None) };
        if found.snapshot.retention_days.is_some_and(|known| days < known) {
            return Err(fault("InvalidOperation.DecreaseRetentionDaysUnsupported"));
        }
        let until = found.snapshot.creation_time.plus_days(days);
        if found.is_locked() && found.lock_expired_time.is_some_and(|end| until <= end) {
            return Err(fault("InvalidRetentionDays.LessThanLockExpiredTime"));
        }
        Ok(Some(until))
    }
}

fn may_be_archived(tx: &Tx<'_>, snapshot: &Snapshot) -> Result<(), Fault> {
    if snapshot.is_archived() {
        return Err(fault("InvalidParameter.SnapshotCategory"));
    }
    match snapshot.status.as_str() {
        "accomplished" => {}
        "progressing" => return Err(fault("InvalidStatus.SnapshotUnfinished")),
        _ => return Err(fault("InvalidSnapshotId.NotReady")),
    }
    if bool::from(snapshot.encrypted) {
        return Err(fault("InvalidOperation.EncryptedSnapshotUnsupport"));
    }
    if bool::from(snapshot.instant_access) {
        return Err(fault("InvalidOperation.InstantAccessEnabledUnsupport"));
    }
    let is_old = tx.now >= snapshot.creation_time.plus_days(ARCHIVE_AGE);
    if is_old { Ok(()) } else { Err(fault("InvalidStatus.SnapshotAgeLimit")) }
}

/// Starts a task that holds a snapshot until its end.
async fn start(
    tx: &mut Tx<'_>,
    snapshot: &Snapshot,
    task_action: &str,
    finish_time: Timestamp,
    mode: Mode,
) -> Result<Started, Fault> {
    let task = Task {
        task_id: tx.new_id(IdKind::Task, &snapshot.region_id),
        account_id: snapshot.account_id.clone(),
        region_id: snapshot.region_id.clone(),
        task_action: task_action.to_owned(),
        task_status: "Processing".to_owned(),
        resource_id: snapshot.snapshot_id.clone(),
        creation_time: tx.now,
        finish_time,
    };
    tasks::insert(tx, &task).await?;
    row_locks::hold(tx, &snapshot.snapshot_id, &task.task_id, mode).await?;
    Ok(Started { task_id: task.task_id })
}

/// Writes a snapshot into a bucket. Buckets are another product's: a name that a bucket can have is taken as one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExportSnapshot {
    snapshot_id: String,
    oss_bucket: String,
    role_name: Option<String>,
}

impl Action for ExportSnapshot {
    const NAME: &'static str = "ExportSnapshot";
    type Response = Started;

    fn row_locks(&self) -> RowLocks {
        RowLocks::shared(&self.snapshot_id)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Started, Fault> {
        // Checks
        let Some(found) = snapshots::find(tx, &self.snapshot_id).await? else {
            return Err(fault("InvalidSnapshotId.NotFound"));
        };
        if found.is_in_task(EXPORT) {
            return Err(fault("SNAPSHOT_IS_EXPORTING"));
        }
        if found.holds.is_held_exclusively() {
            return Err(fault("Operation.Conflict"));
        }
        let snapshot = &found.snapshot;
        if snapshot.status == "progressing" {
            return Err(fault("SNAPSHOT_CREATE_NOT_FINISHED"));
        }
        // What failed holds nothing, what is archived or encrypted cannot be read.
        if !snapshot.is_accomplished() || snapshot.is_archived() || snapshot.encrypted.into() {
            return Err(fault("ExportSnapshotFailed"));
        }
        if self.role_name.as_deref().is_some_and(|name| !is_role_name(name)) {
            return Err(fault("OSS_AUTHORIZED_FAILED"));
        }
        if !is_bucket_name(&self.oss_bucket) {
            return Err(fault("InvalidOSSBucket.NotFound"));
        }
        // Effect
        let due = tx.now.plus_millis(tx.config().lifecycle.export_ms.into());
        start(tx, snapshot, EXPORT, due, Mode::Shared).await
    }
}

/// OSS's rule: 3 to 63 lower-case letters, digits and dashes, no dash at either end.
#[must_use]
pub fn is_bucket_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (3..=63).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('-') && !name.ends_with('-')
}
