//! Taking away all that there is, or all of one account or region, without a trace but one event; base images stay.

use super::events::{self, Subject};
use super::images::SYSTEM;
use super::tx::{Statement, Tx};
use crate::faults::Fault;

/// What is to go; `None` for any.
#[derive(Clone, Debug, Default)]
pub struct Reset {
    pub account_id: Option<String>,
    pub region_id: Option<String>,
}

/// The tables of what an account owns and the columns of their ids, those first that refer to later ones.
pub const OWNED: [(&str, &str); 7] = [
    ("tasks", "task_id"),
    ("disks", "disk_id"),
    ("images", "image_id"),
    ("snapshot_groups", "snapshot_group_id"),
    ("auto_snapshot_policies", "auto_snapshot_policy_id"),
    ("snapshots", "snapshot_id"),
    ("instances", "instance_id"),
];

/// What is of no use without what goes: copies under way, with their snapshots, and tasks.
const DRAGGED: &str = "
    INSERT INTO doomed SELECT snapshot_id FROM snapshots
    WHERE status = 'progressing' AND source_snapshot_id IN (SELECT resource_id FROM doomed) ON CONFLICT DO NOTHING;
    INSERT INTO doomed SELECT c.image_id FROM image_copies c JOIN images i ON i.image_id = c.image_id
    WHERE i.status IN ('Creating', 'Waiting') AND c.source_image_id IN (SELECT resource_id FROM doomed)
    ON CONFLICT DO NOTHING;
    INSERT INTO doomed SELECT m.snapshot_id FROM image_disk_mappings m JOIN image_copies c ON c.image_id = m.image_id
    WHERE m.snapshot_id IS NOT NULL AND m.image_id IN (SELECT resource_id FROM doomed) ON CONFLICT DO NOTHING;
    INSERT INTO doomed SELECT task_id FROM tasks WHERE resource_id IN (SELECT resource_id FROM doomed)
    ON CONFLICT DO NOTHING;";

/// What hangs on what goes by its id alone.
const UNTIED: &str = "
    DELETE FROM timers WHERE resource_id IN (SELECT resource_id FROM doomed);
    DELETE FROM row_locks WHERE resource_id IN (SELECT resource_id FROM doomed)
        OR holder IN (SELECT resource_id FROM doomed);
    DELETE FROM tags WHERE resource_id IN (SELECT resource_id FROM doomed);
    DELETE FROM disk_snapshot_references WHERE snapshot_id IN (SELECT resource_id FROM doomed)
        OR disk_id IN (SELECT resource_id FROM doomed);
    DELETE FROM disk_attachments WHERE instance_id IN (SELECT resource_id FROM doomed);
    DELETE FROM image_disk_mappings WHERE image_id IN (SELECT resource_id FROM doomed);
    UPDATE image_disk_mappings SET snapshot_id = NULL WHERE snapshot_id IN (SELECT resource_id FROM doomed);";

/// What stayed may have been used by what went.
const USAGES: &str = "
    UPDATE snapshots SET usage = CASE
        WHEN EXISTS (SELECT 1 FROM image_disk_mappings m WHERE m.snapshot_id = snapshots.snapshot_id) THEN
            CASE WHEN EXISTS (SELECT 1 FROM disk_snapshot_references r WHERE r.snapshot_id = snapshots.snapshot_id)
                THEN 'image_disk' ELSE 'image' END
        WHEN EXISTS (SELECT 1 FROM disk_snapshot_references r WHERE r.snapshot_id = snapshots.snapshot_id) THEN 'disk'
        ELSE 'none' END
    WHERE usage <> 'none'";

impl Reset {
    fn is_all(&self) -> bool {
        self.account_id.is_none() && self.region_id.is_none()
    }

    /// As [`Reset::statement`], for what an account has in no region.
    fn statement_of_account(&self, sql: &str) -> Statement<'static> {
        let sql = format!("{sql} ($1 IS NULL OR account_id = $1)");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.account_id.clone())
    }

    /// `sql`, which ends in WHERE, with the condition that a row is of what is to go.
    fn statement(&self, sql: &str) -> Statement<'static> {
        let condition = "account_id <> $1 AND ($2 IS NULL OR account_id = $2) AND ($3 IS NULL OR region_id = $3)";
        sqlx::query(sqlx::AssertSqlSafe(format!("{sql} {condition}")))
            .bind(SYSTEM)
            .bind(self.account_id.clone())
            .bind(self.region_id.clone())
    }
}

/// Takes it away; how many resources went. Ids begin anew where everything went.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn reset(tx: &mut Tx<'_>, what: &Reset) -> Result<i64, Fault> {
    let table = "CREATE TEMPORARY TABLE IF NOT EXISTS doomed (resource_id TEXT PRIMARY KEY); DELETE FROM doomed";
    tx.execute(sqlx::query(table)).await?;
    for (table, id) in OWNED {
        tx.execute(what.statement(&format!("INSERT INTO doomed SELECT {id} FROM {table} WHERE"))).await?;
    }
    tx.execute(sqlx::query(DRAGGED)).await?;
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM doomed").fetch_one(tx.conn().await?).await?;
    tx.execute(sqlx::query(UNTIED)).await?;
    for (table, id) in OWNED {
        let sql = format!("DELETE FROM {table} WHERE {id} IN (SELECT resource_id FROM doomed)");
        tx.execute(sqlx::query(sqlx::AssertSqlSafe(sql))).await?;
    }
    for table in ["tombstones", "client_tokens"] {
        tx.execute(what.statement(&format!("DELETE FROM {table} WHERE"))).await?;
    }
    if what.region_id.is_none() {
        tx.execute(what.statement_of_account("DELETE FROM snapshot_services WHERE")).await?;
    }
    tx.execute(sqlx::query(USAGES)).await?;
    if what.is_all() {
        // What operators and others left on base images, and on nothing.
        tx.execute(sqlx::query("DELETE FROM timers; DELETE FROM row_locks; DELETE FROM contents")).await?;
        tx.ids().rewind(0);
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (account_id, region_id) = (text(&what.account_id), text(&what.region_id));
    let subject = Subject { account_id: &account_id, region_id: &region_id, resource_id: "" };
    events::record(tx, "State:Reset", subject, "").await?;
    Ok(count)
}

/// What an account owns, of one kind, in any region, by id.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn owned(tx: &mut Tx<'_>, table: &str, account_id: &str) -> Result<Vec<String>, Fault> {
    let Some((table, id)) = OWNED.iter().find(|(known, _)| *known == table) else { return Ok(Vec::new()) };
    let sql = format!("SELECT {id} FROM {table} WHERE account_id = $1 ORDER BY {id}");
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(account_id).fetch_all(tx.conn().await?).await?)
}
