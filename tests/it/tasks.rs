//! Tasks: their filters and pages, how far they are, and which of them can be broken off.

use snapshotd::faults::Fault;
use snapshotd::store::Operation;
use snapshotd::store::row_locks::{self, Mode};
use snapshotd::store::tasks::{self, Task};
use snapshotd::store::tx::Tx;

use crate::support::answer::{column, text};
use crate::support::{ACCOUNT, OTHER_KEY, OTHER_REGION, REGION, TestApp};

struct Begin(Task);

impl Operation for Begin {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        tasks::insert(tx, &self.0).await?;
        row_locks::hold(tx, &self.0.resource_id, &self.0.task_id, Mode::Exclusive).await
    }
}

/// A task that begins now, takes ten seconds and holds its resource.
async fn task(app: &TestApp, id: &str, action: &str, resource: &str) {
    let text = str::to_owned;
    let task = Task {
        task_id: text(id),
        account_id: text(ACCOUNT),
        region_id: text(REGION),
        task_action: text(action),
        task_status: text("Processing"),
        resource_id: text(resource),
        creation_time: app.now(),
        finish_time: app.now().plus_millis(10_000),
    };
    app.operate(Begin(task)).await;
}

async fn listed(app: &TestApp, params: &[(&str, &str)]) -> Vec<String> {
    column(&app.ok("DescribeTasks", params).await, "/TaskSet/Task", "TaskId")
}

#[tokio::test]
async fn tasks_are_listed_by_filter_newest_first() {
    let app = TestApp::new().await;
    let (one, two) = (app.disk_with(|_| {}).await, app.disk_with(|_| {}).await);
    task(&app, "t-1", "ExportImage", &one).await;
    app.advance("5s").await;
    task(&app, "t-2", "ModifyDiskSpec", &two).await;
    app.advance("6s").await;
    app.sql("INSERT INTO task_groups VALUES ('t-2', 'tg-1')").await;
    let (start, middle) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:03Z");
    for (params, expected) in [
        (vec![], vec!["t-2", "t-1"]),
        (vec![("TaskIds", "t-1, t-none")], vec!["t-1"]),
        (vec![("TaskAction", "ModifyDiskSpec")], vec!["t-2"]),
        (vec![("TaskAction", "RedeployInstance")], vec![]),
        (vec![("TaskStatus", "processing")], vec!["t-2"]),
        (vec![("TaskStatus", "Finished")], vec!["t-1"]),
        (vec![("TaskStatus", "Paused")], vec!["t-2", "t-1"]),
        (vec![("ResourceIds.1", one.as_str())], vec!["t-1"]),
        (vec![("StartTime", middle)], vec!["t-2"]),
        (vec![("StartTime", start), ("EndTime", middle)], vec!["t-1"]),
        (vec![("TaskGroupId", "tg-1"), ("TaskStatus", "Finished")], vec!["t-2"]),
        (vec![("TaskGroupId", "tg-none")], vec![]),
        (vec![("RegionId", OTHER_REGION)], vec![]),
    ] {
        assert_eq!(listed(&app, &params).await, expected, "{params:?}");
    }
    let body = app.ok("DescribeTasks", &[("PageSize", "1"), ("PageNumber", "2")]).await;
    assert_eq!([&body["PageNumber"], &body["PageSize"], &body["TotalCount"]], [2, 1, 2]);
    let row = &body["TaskSet"]["Task"][0];
    let told = ["TaskId", "SupportCancel", "CreationTime", "FinishedTime"].map(|name| text(row, &format!("/{name}")));
    assert_eq!(told, ["t-1", "true", "2026-01-01T00:00Z", "2026-01-01T00:00Z"]);
    let foreign = app.call_as(OTHER_KEY, "DescribeTasks", &[]).await.accepted();
    assert_eq!(foreign["TotalCount"], 0);
}

#[tokio::test]
async fn filters_of_tasks_that_cannot_be_read_are_refused() {
    let app = TestApp::new().await;
    let many = vec!["t-1"; 101].join(",");
    let names: Vec<String> = (1..=101).map(|n| format!("ResourceIds.{n}")).collect();
    let resources: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "d-1")).collect();
    for params in [
        vec![("PageSize", "101")],
        vec![("PageNumber", "0")],
        vec![("TaskAction", "MakeCoffee")],
        vec![("StartTime", "yesterday")],
        vec![("EndTime", "tomorrow")],
        vec![("TaskIds", many.as_str())],
        resources,
    ] {
        app.refused("DescribeTasks", &params, 400, "InvalidParameter").await;
    }
    for action in ["DescribeTasks", "DescribeTaskAttribute", "CancelTask"] {
        let nowhere = [("RegionId", "cn-nowhere"), ("TaskId", "t-1")];
        let params = if action == "DescribeTasks" { &nowhere[..1] } else { &nowhere[..] };
        app.refused(action, params, 400, "InvalidRegionId.NotFound").await;
    }
}

#[tokio::test]
async fn a_task_tells_how_far_it_is() {
    let app = TestApp::new().await;
    let disk = app.disk_with(|_| {}).await;
    task(&app, "t-1", "ModifyDiskSpec", &disk).await;
    let told = async || app.ok("DescribeTaskAttribute", &[("TaskId", "t-1")]).await;
    app.advance("4s").await;
    let body = told().await;
    assert_eq!((text(&body, "/TaskStatus"), text(&body, "/TaskProcess")), ("Processing".into(), "40%".into()));
    assert_eq!([&body["TotalCount"], &body["SuccessCount"], &body["FailedCount"]], [1, 0, 0]);
    assert_eq!((text(&body, "/SupportCancel"), text(&body, "/FinishedTime")), ("false".into(), String::new()));
    app.advance("6s").await;
    let body = told().await;
    assert_eq!((text(&body, "/TaskStatus"), text(&body, "/TaskProcess")), ("Finished".into(), "100%".into()));
    let progress = &body["OperationProgressSet"]["OperationProgress"][0];
    assert_eq!(text(progress, "/OperationStatus"), "Success");
    let item = &progress["RelatedItemSet"]["RelatedItem"][0];
    assert_eq!((text(item, "/Name"), text(item, "/Value")), ("DiskId".into(), disk));
    app.refused("DescribeTaskAttribute", &[("TaskId", "t-none")], 400, "InvalidTaskId.NotFound").await;
    let elsewhere = [("TaskId", "t-1"), ("RegionId", OTHER_REGION)];
    app.refused("DescribeTaskAttribute", &elsewhere, 400, "InvalidTaskId.NotFound").await;
    let foreign = app.call_as(OTHER_KEY, "DescribeTaskAttribute", &elsewhere[..1]).await;
    foreign.refused(400, "InvalidTaskId.NotFound");
    let missing = app.refused("DescribeTaskAttribute", &[], 400, "MissingParameter").await;
    assert!(missing.message().contains("TaskId"), "{}", missing.text);
}

#[tokio::test]
async fn a_cancelled_task_has_failed_and_lets_its_resource_go() {
    let app = TestApp::new().await;
    let (disk, other) = (app.disk_with(|_| {}).await, app.disk_with(|_| {}).await);
    task(&app, "t-1", "ExportSnapshot", &disk).await;
    task(&app, "t-2", "ModifyDiskSpec", &other).await;
    let cancel = [("TaskId", "t-1")];
    let before = app.dump().await;
    app.refused("CancelTask", &[("TaskId", "t-2")], 403, "InvalidTaskId.TaskActionNotSupport").await;
    app.refused("CancelTask", &[("TaskId", "t-none")], 400, "InvalidTaskId.NotFound").await;
    app.call_as(OTHER_KEY, "CancelTask", &cancel).await.refused(400, "InvalidTaskId.NotFound");
    app.refused("CancelTask", &[cancel[0], ("RegionId", OTHER_REGION)], 400, "InvalidTaskId.NotFound").await;
    let missing = app.refused("CancelTask", &[], 400, "MissingParameter").await;
    assert!(missing.message().contains("TaskId"), "{}", missing.text);
    assert_eq!(app.dump().await, before);
    app.sql("INSERT INTO row_locks VALUES ('t-1', 'operator:test', 'exclusive', 0)").await;
    app.refused("CancelTask", &cancel, 403, "CancelTaskFailed").await;
    app.sql("DELETE FROM row_locks WHERE holder = 'operator:test'").await;
    app.refused("DeleteDisk", &[("DiskId", &disk)], 403, "Operation.Conflict").await;
    app.ok("CancelTask", &cancel).await;
    app.ok("DeleteDisk", &[("DiskId", &disk)]).await;
    app.refused("CancelTask", &cancel, 403, "InvalidTaskId.IncorrectTaskStatus").await;
    let body = app.ok("DescribeTaskAttribute", &cancel).await;
    assert_eq!((text(&body, "/TaskStatus"), &body["FailedCount"]), ("Failed".into(), &1.into()));
    app.advance("10s").await;
    assert_eq!(listed(&app, &[("TaskStatus", "Failed")]).await, ["t-1"]);
}
