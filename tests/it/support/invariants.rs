//! What must hold in the database after every commit, whatever happened before; each rule is a query that finds offenders.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::Connection as _;

use super::database;

/// The ids of all that exists.
macro_rules! existing {
    () => {
        "SELECT snapshot_id FROM snapshots UNION SELECT disk_id FROM disks UNION SELECT image_id FROM images
         UNION SELECT instance_id FROM instances UNION SELECT task_id FROM tasks
         UNION SELECT snapshot_group_id FROM snapshot_groups
         UNION SELECT auto_snapshot_policy_id FROM auto_snapshot_policies"
    };
}

/// A rule, and the query that finds what breaks it.
const RULES: &[(&str, &str)] = &[
    ("the file is sound", "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
    ("references have both sides", "SELECT \"table\" FROM pragma_foreign_key_check"),
    (
        "a stored lock has a holder that is unfinished",
        "SELECT resource_id || ' held by ' || holder FROM row_locks l WHERE holder NOT LIKE 'operator:%'
           AND NOT EXISTS (SELECT 1 FROM images WHERE image_id = l.holder AND status IN ('Creating', 'Waiting'))
           AND NOT EXISTS (SELECT 1 FROM disks WHERE disk_id = l.holder
                           AND status IN ('Creating', 'ReIniting', 'Attaching', 'Detaching'))
           AND NOT EXISTS (SELECT 1 FROM timers WHERE resource_id = l.holder AND kind = 'disk_finish')
           AND NOT EXISTS (SELECT 1 FROM snapshots WHERE snapshot_id = l.holder AND status = 'progressing')
           AND NOT EXISTS (SELECT 1 FROM tasks WHERE task_id = l.holder AND task_status = 'Processing')",
    ),
    (
        "a stored lock is on something that exists",
        concat!(
            "SELECT resource_id FROM row_locks WHERE holder NOT LIKE 'operator:%' AND resource_id NOT IN (
             ",
            existing!(),
            ")"
        ),
    ),
    (
        "a timer is of something that exists",
        concat!(
            "SELECT kind || ' ' || resource_id FROM timers WHERE resource_id NOT IN (
                 SELECT holder FROM row_locks WHERE kind = 'operator_lock' UNION ALL
             ",
            existing!(),
            ")"
        ),
    ),
    (
        "a snapshot has the timer that finishes it as long as it is progressing",
        "SELECT snapshot_id FROM snapshots s WHERE (status = 'progressing') <> EXISTS (
             SELECT 1 FROM timers WHERE kind = 'snapshot_finish' AND resource_id = s.snapshot_id)",
    ),
    (
        "a snapshot with days of retention has the timer that lets it go",
        "SELECT snapshot_id FROM snapshots s WHERE (retention_days IS NOT NULL) <> EXISTS (
             SELECT 1 FROM timers WHERE kind = 'snapshot_expire' AND resource_id = s.snapshot_id)",
    ),
    (
        "a task has the timer that finishes it as long as it is processing",
        "SELECT task_id FROM tasks t WHERE (task_status = 'Processing') <> EXISTS (
             SELECT 1 FROM timers WHERE kind = 'task_finish' AND resource_id = t.task_id)",
    ),
    (
        "usage tells what refers to a snapshot",
        "SELECT snapshot_id || ' ' || usage FROM snapshots s WHERE usage <> CASE
             (SELECT COUNT(*) > 0 FROM image_disk_mappings m WHERE m.snapshot_id = s.snapshot_id) * 2
             + (SELECT COUNT(*) > 0 FROM disk_snapshot_references r WHERE r.snapshot_id = s.snapshot_id)
             WHEN 0 THEN 'none' WHEN 1 THEN 'disk' WHEN 2 THEN 'image' ELSE 'image_disk' END",
    ),
    (
        "a mapping names an image and a snapshot that exist",
        "SELECT image_id FROM image_disk_mappings WHERE image_id NOT IN (SELECT image_id FROM images)
            OR (snapshot_id IS NOT NULL AND snapshot_id NOT IN (SELECT snapshot_id FROM snapshots))",
    ),
    (
        "a reference names a disk and a snapshot that exist, and the disk agrees",
        "SELECT r.disk_id FROM disk_snapshot_references r LEFT JOIN disks d ON d.disk_id = r.disk_id
             LEFT JOIN snapshots s ON s.snapshot_id = r.snapshot_id
         WHERE d.disk_id IS NULL OR s.snapshot_id IS NULL OR d.source_snapshot_id <> r.snapshot_id
            OR d.account_id <> s.account_id",
    ),
    (
        "what was made from a snapshot of another account says so",
        "SELECT disk_id FROM disks d JOIN snapshots s ON s.snapshot_id = d.source_snapshot_id
         WHERE (d.account_id <> s.account_id) <> d.foreign_source
         UNION ALL SELECT c.snapshot_id FROM snapshots c JOIN snapshots s ON s.snapshot_id = c.source_snapshot_id
         WHERE (c.account_id <> s.account_id) <> c.foreign_source",
    ),
    (
        "the counters of snapshots equal a recount",
        "SELECT * FROM (
             SELECT account_id || region_id || status || usage || snapshot_type || source_disk_type || encrypted AS k,
                 snapshot_count AS n FROM snapshot_counts WHERE snapshot_count <> 0
             EXCEPT SELECT account_id || region_id || status || usage || snapshot_type || source_disk_type || encrypted,
                 COUNT(*) FROM snapshots GROUP BY 1)
         UNION ALL SELECT * FROM (
             SELECT account_id || region_id || status || usage || snapshot_type || source_disk_type || encrypted AS k,
                 COUNT(*) AS n FROM snapshots GROUP BY 1
             EXCEPT SELECT account_id || region_id || status || usage || snapshot_type || source_disk_type || encrypted,
                 snapshot_count FROM snapshot_counts)",
    ),
    (
        "the chains of snapshots equal a recount",
        "SELECT * FROM (
             SELECT source_disk_id || region_id || account_id || snapshot_link_id AS k, total_count, total_size
             FROM snapshot_links
             EXCEPT SELECT source_disk_id || region_id || account_id || snapshot_link_id, COUNT(*),
                 SUM(CASE status WHEN 'accomplished' THEN full_size_bytes ELSE 0 END) FROM snapshots GROUP BY 1)
         UNION ALL SELECT * FROM (
             SELECT source_disk_id || region_id || account_id || snapshot_link_id AS k, COUNT(*),
                 SUM(CASE status WHEN 'accomplished' THEN full_size_bytes ELSE 0 END) FROM snapshots GROUP BY 1
             EXCEPT SELECT source_disk_id || region_id || account_id || snapshot_link_id, total_count, total_size
                 FROM snapshot_links)",
    ),
    (
        "an unfinished copy holds its source",
        "SELECT snapshot_id FROM snapshots s WHERE status = 'progressing' AND source_snapshot_id <> '' AND NOT EXISTS (
             SELECT 1 FROM row_locks l WHERE l.resource_id = s.source_snapshot_id AND (l.holder = s.snapshot_id
                 OR l.holder IN (SELECT image_id FROM image_disk_mappings m WHERE m.snapshot_id = s.snapshot_id)))",
    ),
    (
        "a lock runs as soon as its snapshot is accomplished, and is of no other account",
        "SELECT k.snapshot_id FROM snapshot_locks k LEFT JOIN snapshots s ON s.snapshot_id = k.snapshot_id
         WHERE s.snapshot_id IS NULL OR s.account_id <> k.account_id OR s.region_id <> k.region_id
            OR (s.status = 'accomplished') <> (k.lock_duration_start_time IS NOT NULL)",
    ),
    (
        "a lock has the timer of its next change as long as it runs",
        "SELECT snapshot_id FROM snapshot_locks k
         WHERE (lock_status <> 'expired' AND lock_duration_start_time IS NOT NULL) <> EXISTS (
             SELECT 1 FROM timers WHERE kind = 'lock_change' AND resource_id = k.snapshot_id)",
    ),
    (
        "the counters of tags equal a recount",
        "SELECT * FROM (
             SELECT account_id || region_id || resource_type || tag_key || '=' || tag_value AS k, resource_count AS n
             FROM tag_counts
             EXCEPT SELECT account_id || region_id || resource_type || tag_key || '=' || tag_value, COUNT(*)
             FROM tags GROUP BY 1)
         UNION ALL SELECT * FROM (
             SELECT account_id || region_id || resource_type || tag_key || '=' || tag_value AS k, COUNT(*) AS n
             FROM tags GROUP BY 1
             EXCEPT SELECT account_id || region_id || resource_type || tag_key || '=' || tag_value, resource_count
             FROM tag_counts)",
    ),
    (
        "a tag is on something that exists",
        concat!(
            "SELECT resource_id FROM tags WHERE resource_id NOT IN (
             ",
            existing!(),
            ")"
        ),
    ),
    (
        "a deletion left one tombstone, and a tombstone is of a deletion",
        "SELECT resource_id FROM events WHERE name LIKE '%:Delete%Completed' AND (resource_id GLOB '[sdm]-*' OR resource_id GLOB 'ssg-*' OR resource_id GLOB 'sp-*')
           AND resource_id NOT IN (SELECT resource_id FROM tombstones) AND (SELECT MIN(event_id) FROM events) = 1
           AND event_id > (SELECT COALESCE(MAX(event_id), 0) FROM events WHERE name IN ('State:Reset', 'State:Restored'))
         UNION ALL SELECT resource_id FROM tombstones t
         WHERE NOT EXISTS (SELECT 1 FROM events WHERE name = 'State:Seeded') AND NOT EXISTS (
             SELECT 1 FROM events e WHERE e.event_id = t.event_id AND e.resource_id = t.resource_id)
           AND event_id >= (SELECT MIN(event_id) FROM events)",
    ),
    (
        "nothing is both there and gone",
        "SELECT resource_id FROM tombstones WHERE resource_id IN (
             SELECT snapshot_id FROM snapshots UNION SELECT disk_id FROM disks UNION SELECT image_id FROM images
             UNION SELECT snapshot_group_id FROM snapshot_groups
             UNION SELECT auto_snapshot_policy_id FROM auto_snapshot_policies)",
    ),
    (
        "a copy of an image has the timer that finishes it, and snapshots of its own, as soon as it does not wait",
        "SELECT i.image_id || ' ' || i.status FROM images i JOIN image_copies c ON c.image_id = i.image_id
         WHERE (i.status = 'Creating') <> EXISTS (
                   SELECT 1 FROM timers WHERE kind = 'image_finish' AND resource_id = i.image_id)
            OR (i.status = 'Waiting') <> EXISTS (
                   SELECT 1 FROM image_disk_mappings m WHERE m.image_id = i.image_id AND m.snapshot_id IS NULL)",
    ),
    (
        "a copy of an image that is not finished holds its source",
        "SELECT i.image_id FROM images i JOIN image_copies c ON c.image_id = i.image_id
         WHERE i.status IN ('Creating', 'Waiting') AND NOT EXISTS (
             SELECT 1 FROM row_locks l WHERE l.holder = i.image_id AND l.resource_id = c.source_image_id)",
    ),
    (
        "an image is shared with others than its owner, and only once it was made",
        "SELECT s.image_id FROM image_shares s JOIN images i ON i.image_id = s.image_id
         WHERE i.account_id = s.account_id OR i.status <> 'Available'",
    ),
    (
        "a disk is attached as its status says",
        "SELECT disk_id || ' ' || status FROM disks d
         WHERE (status IN ('Attaching', 'In_use', 'Detaching', 'ReIniting')
                AND NOT EXISTS (SELECT 1 FROM disk_attachments a WHERE a.disk_id = d.disk_id))
            OR (status IN ('Creating', 'Available')
                AND EXISTS (SELECT 1 FROM disk_attachments a WHERE a.disk_id = d.disk_id))",
    ),
    (
        "a snapshot group has the timer that finishes it as long as it is progressing",
        "SELECT snapshot_group_id FROM snapshot_groups g WHERE (status = 'progressing') <> EXISTS (
             SELECT 1 FROM timers WHERE kind = 'snapshot_group_finish' AND resource_id = g.snapshot_group_id)",
    ),
    (
        "a snapshot group that is accomplished has accomplished members",
        "SELECT m.snapshot_id FROM snapshot_group_members m JOIN snapshot_groups g USING (snapshot_group_id)
             JOIN snapshots s USING (snapshot_id) WHERE g.status = 'accomplished' AND s.status <> 'accomplished'",
    ),
    (
        "a policy has hours and days, and instance tags only where it goes by them",
        "SELECT auto_snapshot_policy_id FROM auto_snapshot_policies p
         WHERE NOT EXISTS (SELECT 1 FROM auto_snapshot_policy_time_points t
                           WHERE t.auto_snapshot_policy_id = p.auto_snapshot_policy_id)
            OR NOT EXISTS (SELECT 1 FROM auto_snapshot_policy_weekdays w
                           WHERE w.auto_snapshot_policy_id = p.auto_snapshot_policy_id)
            OR (association_type = 'AssociatedWithInstanceTag') <> EXISTS (
                SELECT 1 FROM auto_snapshot_policy_target_tags g
                WHERE g.auto_snapshot_policy_id = p.auto_snapshot_policy_id)",
    ),
    (
        "a policy has the timer of its next run",
        "SELECT auto_snapshot_policy_id FROM auto_snapshot_policies p WHERE NOT EXISTS (
             SELECT 1 FROM timers WHERE kind = 'take_snapshots' AND resource_id = p.auto_snapshot_policy_id)",
    ),
    (
        "a planned copy has the timer that begins it, and nothing else has such a timer",
        "SELECT snapshot_id FROM planned_copies WHERE snapshot_id NOT IN (
             SELECT resource_id FROM timers WHERE kind = 'start_copy')
         UNION ALL SELECT resource_id FROM timers WHERE kind = 'start_copy'
             AND resource_id NOT IN (SELECT snapshot_id FROM planned_copies)",
    ),
    (
        "a policy and the disks that it was applied to are of one account and region",
        "SELECT a.disk_id FROM auto_snapshot_policy_associations a JOIN disks d USING (disk_id)
             JOIN auto_snapshot_policies p USING (auto_snapshot_policy_id)
         WHERE p.account_id <> d.account_id OR p.region_id <> d.region_id
            OR p.association_type <> 'AssociatedWithDisk'",
    ),
    (
        "the engine's row knows the last event and no event is of the future",
        "SELECT CAST(last_event AS TEXT) FROM engine
         WHERE last_event <> (SELECT COALESCE(MAX(event_id), 0) FROM events)
            OR present < (SELECT COALESCE(MAX(occurred_at), present) FROM events WHERE event_id >= (
                SELECT COALESCE(MAX(event_id), 0) FROM events WHERE name = 'State:Restored'))",
    ),
];

/// The rules that are broken, each with its first offenders; `created` are ids that calls gave out.
pub async fn check(file: &Path, created: &BTreeSet<String>) -> Vec<String> {
    let mut conn = database::open(file).await;
    let mut broken = Vec::new();
    for &(rule, sql) in RULES {
        let offenders: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.expect(rule);
        if !offenders.is_empty() {
            broken.push(format!("{rule}: {}", offenders[..offenders.len().min(5)].join(", ")));
        }
    }
    // Where events went beyond their bound, tombstones may have done so too.
    let is_forgetful: bool = sqlx::query_scalar("SELECT COALESCE(MIN(event_id), 1) > 1 FROM events")
        .fetch_one(&mut conn)
        .await
        .expect("a number");
    for id in created {
        let known: i64 = sqlx::query_scalar(
            "SELECT (SELECT COUNT(*) FROM snapshots WHERE snapshot_id = $1) + (SELECT COUNT(*) FROM disks WHERE disk_id = $1)
                 + (SELECT COUNT(*) FROM images WHERE image_id = $1)
                 + (SELECT COUNT(*) FROM instances WHERE instance_id = $1)
                 + (SELECT COUNT(*) FROM snapshot_groups WHERE snapshot_group_id = $1)
                 + (SELECT COUNT(*) FROM auto_snapshot_policies WHERE auto_snapshot_policy_id = $1)
                 + (SELECT COUNT(*) FROM tombstones WHERE resource_id = $1)",
        )
        .bind(id)
        .fetch_one(&mut conn)
        .await
        .expect("a count");
        if known != 1 && !id.starts_with("i-") && !is_forgetful {
            broken.push(format!("an id that was given out is there or has a tombstone: {id} is known {known} times"));
        }
    }
    conn.close().await.expect("closed");
    broken
}
