//! Automatic snapshot policies over time: what they take and pass over, what they copy, and that no way through a year differs.

mod catch_up;
mod copies;
mod runs;
mod years;

use serde_json::json;

use crate::auto_snapshot_policies::policy_with;
use crate::support::{REGION, TestApp};

const HERE: (&str, &str) = ("regionId", REGION);
const ID: &str = "autoSnapshotPolicyId";

/// A policy for every day at these hours of UTC+8, with more parameters, applied to disks.
pub async fn every_day(app: &TestApp, hours: &str, days: &str, disks: &[&str], more: &[(&str, &str)]) -> String {
    let policy = policy_with(app, more).await;
    let schedule = [
        HERE,
        (ID, policy.as_str()),
        ("timePoints", hours),
        ("repeatWeekdays", "[1,2,3,4,5,6,7]"),
        ("retentionDays", days),
    ];
    app.ok("ModifyAutoSnapshotPolicyEx", &schedule).await;
    if !disks.is_empty() {
        apply(app, &policy, disks).await;
    }
    policy
}

async fn apply(app: &TestApp, policy: &str, disks: &[&str]) {
    app.ok("ApplyAutoSnapshotPolicy", &[HERE, (ID, policy), ("diskIds", &json!(disks).to_string())]).await;
}

/// The automatic snapshots of a disk, oldest first: when each was taken, in hours after the start.
async fn taken(app: &TestApp, disk: &str) -> Vec<i64> {
    let sql = "SELECT (cut_time - 1767225600000) / 3600000 FROM snapshots WHERE snapshot_type = 'auto'
         AND source_snapshot_id = '' AND source_disk_id = $1 ORDER BY cut_time, snapshot_id";
    app.numbers(sql, disk).await
}

/// Why snapshots of a disk were passed over, in order.
async fn skipped(app: &TestApp, disk: &str) -> Vec<String> {
    let sql = "SELECT substr(detail, instr(detail, ': ') + 2) FROM events
         WHERE name = 'Disk:AutoSnapshotSkipped' AND resource_id = $1 ORDER BY event_id";
    app.texts(sql, disk).await
}
