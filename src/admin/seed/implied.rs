//! Rows that others imply, where a document leaves them out: tags, markers, attachments, references, timers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fill::{CONTENT, DEVICE, INSTANCE, TAGS};
use super::{Surroundings, text};
use crate::admin::Refusal;
use crate::clock::Timestamp;
use crate::lifecycle::schedule;
use crate::store::catalog::Fields;
use crate::store::policies::Schedule;
use crate::store::tags::ResourceType;
use crate::store::timers::TimerKind;
use crate::store::whole::Rows;

/// The column that says that what a row was made from is of another account.
const FOREIGN: &str = "foreign_source";
/// How long a change lasts whose end nothing tells, milliseconds.
const CHANGE_MS: i64 = 1_000;

/// Adds what the rows imply and takes out what is no column.
///
/// # Errors
/// 400 with the place of what does not fit.
pub fn add(surroundings: &Surroundings, rows: &mut Rows) -> Result<(), Refusal> {
    for kind in ResourceType::ALL {
        take_tags(rows, kind)?;
    }
    for (table, id) in [("disks", "disk_id"), ("snapshots", "snapshot_id")] {
        take_contents(rows, table, id)?;
    }
    take_attachments(rows)?;
    mark_foreign_sources(rows);
    add_references(rows);
    add_timers(surroundings, rows);
    Ok(())
}

fn of<'r>(rows: &'r Rows, table: &str) -> &'r [Fields] {
    rows.get(table).map(Vec::as_slice).unwrap_or_default()
}

fn number(row: &Fields, column: &str) -> Option<i64> {
    row.get(column).and_then(Value::as_i64)
}

fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Fields {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn take_tags(rows: &mut Rows, kind: ResourceType) -> Result<(), Refusal> {
    let (table, id) = kind.table();
    let mut tags = Vec::new();
    for (i, row) in rows.get_mut(table).into_iter().flatten().enumerate() {
        let Some(given) = row.remove(TAGS) else { continue };
        let refusal = || Refusal::bad(format!("{table}[{i}].tags: a table of keys and texts"));
        for (key, value) in given.as_object().ok_or_else(refusal)? {
            tags.push(fields([
                ("resource_id", text(row, id).into()),
                ("tag_key", key.clone().into()),
                ("tag_value", value.as_str().ok_or_else(refusal)?.into()),
                ("account_id", text(row, "account_id").into()),
                ("region_id", text(row, "region_id").into()),
                ("resource_type", kind.name().into()),
                ("resource_creation_time", number(row, "creation_time").into()),
            ]));
        }
    }
    rows.entry("tags".to_owned()).or_default().extend(tags);
    Ok(())
}

fn take_contents(rows: &mut Rows, table: &str, id: &str) -> Result<(), Refusal> {
    let mut contents = Vec::new();
    for (i, row) in rows.get_mut(table).into_iter().flatten().enumerate() {
        let Some(given) = row.remove(CONTENT) else { continue };
        let content = given.as_str().ok_or_else(|| Refusal::bad(format!("{table}[{i}].content: a text")))?;
        if !content.is_empty() {
            contents.push(fields([("resource_id", text(row, id).into()), ("content", content.into())]));
        }
    }
    rows.entry("contents".to_owned()).or_default().extend(contents);
    Ok(())
}

/// Attachments in one word, and whether each disk is attached as its status says.
fn take_attachments(rows: &mut Rows) -> Result<(), Refusal> {
    let mut attached: BTreeSet<String> =
        of(rows, "disk_attachments").iter().map(|row| text(row, "disk_id").to_owned()).collect();
    let mut attachments = Vec::new();
    for (i, row) in rows.get_mut("disks").into_iter().flatten().enumerate() {
        let (instance, device) = (row.remove(INSTANCE), row.remove(DEVICE));
        let disk_id = text(row, "disk_id").to_owned();
        if let Some(instance) = instance {
            let instance = instance.as_str().ok_or_else(|| Refusal::bad(format!("disks[{i}].instance_id: a text")))?;
            let time = number(row, "attached_time").or(number(row, "creation_time"));
            row.insert("attached_time".to_owned(), time.into());
            let is_system = text(row, "type") == "system";
            let usual = if is_system { "/dev/xvda" } else { "/dev/xvdb" };
            attachments.push(fields([
                ("disk_id", disk_id.clone().into()),
                ("instance_id", instance.into()),
                ("device", device.unwrap_or_else(|| usual.into())),
                ("attached_time", time.into()),
            ]));
            attached.insert(disk_id.clone());
        }
        let (status, is_attached) = (text(row, "status"), attached.contains(&disk_id));
        let must = matches!(status, "Attaching" | "In_use" | "Detaching" | "ReIniting");
        if must != is_attached && !(status == "Creating" && is_attached) {
            let allowed = if must { "it needs an instance_id" } else { "one that an attached disk can have" };
            return Err(Refusal::bad(format!("disks[{i}].status: {status}: {allowed}")));
        }
    }
    rows.entry("disk_attachments".to_owned()).or_default().extend(attachments);
    Ok(())
}

/// What was made from a snapshot of another account says so and refers to nothing, in exports of older programs too.
fn mark_foreign_sources(rows: &mut Rows) {
    let owner = |row: &Fields| (text(row, "snapshot_id").to_owned(), text(row, "account_id").to_owned());
    let owners: BTreeMap<String, String> = of(rows, "snapshots").iter().map(owner).collect();
    for table in ["disks", "snapshots"] {
        for row in rows.get_mut(table).into_iter().flatten() {
            let owner = owners.get(text(row, "source_snapshot_id"));
            if owner.is_some_and(|owner| owner != text(row, "account_id")) {
                row.insert(FOREIGN.to_owned(), 1.into());
            }
        }
    }
    let foreign = of(rows, "disks").iter().filter(|row| number(row, FOREIGN) == Some(1));
    let foreign: BTreeSet<String> = foreign.map(|row| text(row, "disk_id").to_owned()).collect();
    if let Some(references) = rows.get_mut("disk_snapshot_references") {
        references.retain(|row| !foreign.contains(text(row, "disk_id")));
    }
}

/// A disk refers to the snapshot that it was made from as long as that is there.
fn add_references(rows: &mut Rows) {
    let known: BTreeSet<&str> = of(rows, "snapshots").iter().map(|row| text(row, "snapshot_id")).collect();
    let told: BTreeSet<&str> = of(rows, "disk_snapshot_references").iter().map(|row| text(row, "disk_id")).collect();
    let disks = of(rows, "disks").iter();
    let made = disks.filter(|row| {
        let is_there = known.contains(text(row, "source_snapshot_id")) && number(row, FOREIGN) != Some(1);
        is_there && !told.contains(text(row, "disk_id"))
    });
    let references = made.map(|row| {
        fields([("disk_id", text(row, "disk_id").into()), ("snapshot_id", text(row, "source_snapshot_id").into())])
    });
    let references: Vec<Fields> = references.collect();
    rows.entry("disk_snapshot_references".to_owned()).or_default().extend(references);
}

/// What is under way ends at some time.
fn add_timers(surroundings: &Surroundings, rows: &mut Rows) {
    let told: BTreeSet<(&str, &str)> =
        of(rows, "timers").iter().map(|row| (text(row, "resource_id"), text(row, "kind"))).collect();
    let mut timers = Vec::new();
    let mut set = |id: &str, kind: TimerKind, due_at: Option<i64>| {
        if !told.contains(&(id, kind.name())) {
            let due_at = due_at.unwrap_or(surroundings.now.millis() + CHANGE_MS);
            timers.push(fields([("kind", kind.name().into()), ("resource_id", id.into()), ("due_at", due_at.into())]));
        }
    };
    for (table, id, column, unfinished, kind) in [
        ("snapshots", "snapshot_id", "status", &["progressing"][..], TimerKind::SnapshotFinish),
        ("snapshot_groups", "snapshot_group_id", "status", &["progressing"], TimerKind::SnapshotGroupFinish),
        ("images", "image_id", "status", &["Creating"], TimerKind::ImageFinish),
        ("tasks", "task_id", "task_status", &["Processing"], TimerKind::TaskFinish),
        ("disks", "disk_id", "status", &["Creating", "Attaching", "Detaching", "ReIniting"], TimerKind::DiskFinish),
        ("instances", "instance_id", "status", &["Pending", "Starting", "Stopping"], TimerKind::InstanceFinish),
    ] {
        for row in of(rows, table).iter().filter(|row| unfinished.contains(&text(row, column))) {
            set(text(row, id), kind, number(row, "finish_time"));
        }
    }
    for row in of(rows, "snapshots") {
        if let (Some(days), Some(creation)) = (number(row, "retention_days"), number(row, "creation_time")) {
            let due = Timestamp::from_millis(creation).plus_days(days);
            set(text(row, "snapshot_id"), TimerKind::SnapshotExpire, Some(due.millis()));
        }
    }
    for row in of(rows, "snapshot_locks") {
        let end = match text(row, "lock_status") {
            "compliance-cooloff" => "cool_off_period_expired_time",
            "compliance" => "lock_expired_time",
            _ => continue,
        };
        if let Some(due) = number(row, end) {
            set(text(row, "snapshot_id"), TimerKind::SnapshotLock, Some(due));
        }
    }
    for (policy_id, schedule) in schedules(rows) {
        if let Some(next) = schedule::next_after(&schedule, surroundings.now) {
            set(policy_id, TimerKind::TakeSnapshots, Some(next.millis()));
        }
    }
    rows.entry("timers".to_owned()).or_default().extend(timers);
}

/// When the policies of a document take snapshots, by id.
fn schedules(rows: &Rows) -> BTreeMap<&str, Schedule> {
    const ID: &str = "auto_snapshot_policy_id";
    let mut schedules: BTreeMap<&str, Schedule> =
        of(rows, "auto_snapshot_policies").iter().map(|row| (text(row, ID), Schedule::default())).collect();
    for row in of(rows, "auto_snapshot_policy_time_points") {
        if let (Some(schedule), Some(hour)) = (schedules.get_mut(text(row, ID)), number(row, "time_point")) {
            schedule.time_points.push(hour);
        }
    }
    for row in of(rows, "auto_snapshot_policy_weekdays") {
        if let (Some(schedule), Some(day)) = (schedules.get_mut(text(row, ID)), number(row, "repeat_weekday")) {
            schedule.repeat_weekdays.push(day);
        }
    }
    schedules
}
