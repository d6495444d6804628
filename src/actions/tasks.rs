//! Tasks: listed, looked at and cancelled; what a task makes true when it ends is the lifecycle's affair.

use serde::{Deserialize, Serialize};

use crate::api::action::{Action, Entry, read, write};
use crate::api::common::{Empty, PageLimits, Paging, spelled};
use crate::api::describe::{self, progress};
use crate::clock::Timestamp;
use crate::faults::{Fault, fault};
use crate::store::filter::{self, Filter};
use crate::store::row_locks::{self, Mode};
use crate::store::tasks::{self, Task};
use crate::store::tx::Tx;

pub static ACTIONS: [Entry; 3] = [read::<DescribeTasks>(), read::<DescribeTaskAttribute>(), write::<CancelTask>()];

const LIMITS: PageLimits = PageLimits { default: 10, page_size: 100, max_results: 100 };
const MOST_IDS: usize = 100;
const STATUSES: [&str; 3] = ["Finished", "Processing", "Failed"];
/// The documented ones, and those of this daemon that the page lacks.
#[rustfmt::skip]
const ACTIONS_OF_TASKS: [&str; 7] = [
    "ImportImage", "ExportImage", "RedeployInstance", "ModifyDiskSpec", "ArchiveSnapshot", "ExportSnapshot", "CloneDisks",
];
/// Operations that may be broken off: those that move data out of or into the cloud (decision 70).
const CANCELLABLE: [&str; 3] = ["ImportImage", "ExportImage", "ExportSnapshot"];
/// The meaning of MissingParameter that is not about RegionId.
const NO_TASK: usize = 1;

/// Lists tasks, newest first; all filters have to match, but a group stands alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeTasks {
    page_number: Option<i64>,
    page_size: Option<i64>,
    task_ids: Option<String>,
    task_action: Option<String>,
    task_status: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    #[serde(default)]
    resource_ids: Vec<String>,
    task_group_id: Option<String>,
}

impl Action for DescribeTasks {
    const NAME: &'static str = "DescribeTasks";
    type Response = Described;

    fn check(&self) -> Result<(), Fault> {
        if self.task_action.as_deref().is_some_and(|action| !ACTIONS_OF_TASKS.contains(&action)) {
            return Err(Fault::invalid("TaskAction"));
        }
        if self.resource_ids.len() > MOST_IDS {
            return Err(Fault::invalid("ResourceIds"));
        }
        if self.task_ids.as_deref().is_some_and(|ids| ids.split(',').count() > MOST_IDS) {
            return Err(Fault::invalid("TaskIds"));
        }
        for (name, time) in [("StartTime", &self.start_time), ("EndTime", &self.end_time)] {
            if time.as_deref().is_some_and(|text| Timestamp::parse(text).is_none()) {
                return Err(Fault::invalid(name));
            }
        }
        self.paging().page(LIMITS).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Described, Fault> {
        let (paging, filter) = (self.paging(), self.filters(tx));
        let page = paging.page(LIMITS)?;
        let listing = filter::list::<Task>(tx, &tasks::SOURCE, &filter, &page).await?;
        let total_count = describe::total(tx, &tasks::SOURCE, &filter, &paging, (&page, &listing)).await?;
        Ok(Described {
            page_number: self.page_number.unwrap_or(1),
            page_size: page.size,
            total_count,
            region_id: tx.region().id,
            task_set: Items { task: listing.rows.into_iter().map(Item::from).collect() },
        })
    }
}

impl DescribeTasks {
    fn paging(&self) -> Paging<'_> {
        Paging { page_number: self.page_number, page_size: self.page_size, ..Paging::default() }
    }

    fn filters(&self, tx: &Tx<'_>) -> Filter {
        let is_narrowed = self.task_group_id.is_some() || self.task_ids.is_some() || !self.resource_ids.is_empty();
        let mut filter = Filter::of_caller(tx, &tasks::SOURCE, is_narrowed);
        if let Some(group) = &self.task_group_id {
            let of_group = "tasks.task_id IN (SELECT task_id FROM task_groups WHERE task_group_id = ?)";
            filter.condition(of_group, [group.as_str().into()]);
            return filter;
        }
        if let Some(ids) = &self.task_ids {
            filter.any("task_id", ids.split(',').map(str::trim));
        }
        if !self.resource_ids.is_empty() {
            filter.any("resource_id", self.resource_ids.iter().map(String::as_str));
        }
        filter.is_given("task_action", self.task_action.as_deref());
        // Documented: a status that is none of these has no effect.
        filter.is_given("task_status", spelled(self.task_status.as_deref(), &STATUSES));
        for (comparison, time) in [(">=", &self.start_time), ("<=", &self.end_time)] {
            if let Some(instant) = time.as_deref().and_then(Timestamp::parse) {
                filter.condition(&format!("tasks.creation_time {comparison} ?"), [instant.into()]);
            }
        }
        filter
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    page_number: i64,
    page_size: i64,
    total_count: i64,
    region_id: &'static str,
    task_set: Items,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    task: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    task_id: String,
    task_action: String,
    task_status: String,
    resource_id: String,
    /// `true` or `false`, as text.
    support_cancel: String,
    creation_time: String,
    finished_time: String,
}

impl From<Task> for Item {
    fn from(task: Task) -> Self {
        Self {
            support_cancel: supports_cancel(&task).to_string(),
            creation_time: task.creation_time.to_minutes(),
            finished_time: finished_time(&task),
            task_id: task.task_id,
            task_action: task.task_action,
            task_status: task.task_status,
            resource_id: task.resource_id,
        }
    }
}

fn supports_cancel(task: &Task) -> bool {
    CANCELLABLE.contains(&task.task_action.as_str())
}

/// Empty as long as it is not finished.
fn finished_time(task: &Task) -> String {
    if task.task_status == "Processing" { String::new() } else { task.finish_time.to_minutes() }
}

/// Tells how far a task is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeTaskAttribute {
    task_id: Option<String>,
}

impl Action for DescribeTaskAttribute {
    const NAME: &'static str = "DescribeTaskAttribute";
    type Response = Attributes;

    fn check(&self) -> Result<(), Fault> {
        given(self.task_id.as_deref()).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Attributes, Fault> {
        let task = find(tx, self.task_id.as_deref()).await?;
        let (status, percent) = match task.task_status.as_str() {
            "Finished" => ("Success", 100),
            "Failed" => ("Failed", 0),
            _ => ("Processing", progress(task.creation_time, task.finish_time, tx.now).0),
        };
        Ok(Attributes {
            support_cancel: supports_cancel(&task).to_string(),
            creation_time: task.creation_time.to_minutes(),
            finished_time: finished_time(&task),
            task_process: format!("{percent}%"),
            total_count: 1,
            success_count: (status == "Success").into(),
            failed_count: (status == "Failed").into(),
            operation_progress_set: ProgressSet {
                operation_progress: vec![Progress::of(status, &[&task.resource_id])],
            },
            task_id: task.task_id,
            task_action: task.task_action,
            task_status: task.task_status,
            region_id: task.region_id,
        })
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attributes {
    task_id: String,
    task_action: String,
    task_status: String,
    task_process: String,
    region_id: String,
    support_cancel: String,
    creation_time: String,
    finished_time: String,
    total_count: i64,
    success_count: i64,
    failed_count: i64,
    operation_progress_set: ProgressSet,
}

/// What was done to each resource of a call or task.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProgressSet {
    pub operation_progress: Vec<Progress>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Progress {
    operation_status: &'static str,
    error_code: &'static str,
    error_msg: &'static str,
    related_item_set: RelatedItems,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RelatedItems {
    related_item: Vec<RelatedItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RelatedItem {
    name: &'static str,
    value: String,
}

impl Progress {
    /// Of what was done to these resources together; nothing that is begun goes wrong by itself, so no error is told.
    #[must_use]
    pub fn of(operation_status: &'static str, resource_ids: &[&str]) -> Self {
        let item = |id: &&str| RelatedItem { name: parameter_of(id), value: (*id).to_owned() };
        let related_item = resource_ids.iter().map(item).collect();
        Self { operation_status, error_code: "", error_msg: "", related_item_set: RelatedItems { related_item } }
    }
}

/// The parameter that ids of this kind are given in.
fn parameter_of(resource_id: &str) -> &'static str {
    match resource_id.split_once('-').map(|(prefix, _)| prefix) {
        Some("d") => "DiskId",
        Some("s") => "SnapshotId",
        Some("m") => "ImageId",
        Some("i") => "InstanceId",
        _ => "ResourceId",
    }
}

/// Breaks a task off; what it was for does not come true.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CancelTask {
    task_id: Option<String>,
}

impl Action for CancelTask {
    const NAME: &'static str = "CancelTask";
    type Response = Empty;

    fn check(&self) -> Result<(), Fault> {
        given(self.task_id.as_deref()).map(drop)
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Empty, Fault> {
        // Checks
        let task = find(tx, self.task_id.as_deref()).await?;
        if !supports_cancel(&task) {
            return Err(fault("InvalidTaskId.TaskActionNotSupport"));
        }
        if task.task_status != "Processing" {
            return Err(fault("InvalidTaskId.IncorrectTaskStatus"));
        }
        // Only an operator holds a task.
        if row_locks::is_held(tx, &task.task_id, Mode::Exclusive).await? {
            return Err(fault("CancelTaskFailed"));
        }
        // Effect
        if !tasks::finish(tx, &task, "Failed").await? {
            return Err(fault("CancelTaskFailed"));
        }
        row_locks::release(tx, &task.task_id).await?;
        Ok(Empty {})
    }
}

fn given(task_id: Option<&str>) -> Result<&str, Fault> {
    task_id.ok_or_else(|| Fault::missing("TaskId").variant(NO_TASK))
}

async fn find(tx: &mut Tx<'_>, task_id: Option<&str>) -> Result<Task, Fault> {
    tasks::find(tx, given(task_id)?).await?.ok_or_else(|| fault("InvalidTaskId.NotFound"))
}
