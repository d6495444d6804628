//! Resource groups: a resource of any type moves into one, and is found there.

use super::one_of_each;
use crate::support::answer::column;
use crate::support::{OTHER_KEY, OTHER_REGION, REGION, TestApp};

const GROUP: (&str, &str) = ("ResourceGroupId", "rg-another");
const HERE: (&str, &str) = ("RegionId", REGION);

#[tokio::test]
async fn a_resource_of_any_type_joins_a_group_and_is_found_there() {
    let app = TestApp::new().await;
    for (kind, id) in one_of_each(&app).await {
        app.ok("JoinResourceGroup", &[HERE, ("ResourceType", kind), ("ResourceId", &id), GROUP]).await;
        let (action, list, column_of_id) = match kind {
            "instance" => ("DescribeInstances", "/Instances/Instance", "InstanceId"),
            "disk" => ("DescribeDisks", "/Disks/Disk", "DiskId"),
            "snapshot" => ("DescribeSnapshots", "/Snapshots/Snapshot", "SnapshotId"),
            _ => ("DescribeImages", "/Images/Image", "ImageId"),
        };
        let body = app.ok(action, &[HERE, GROUP]).await;
        assert_eq!(column(&body, list, column_of_id), [id.as_str()], "{kind}");
        let again = [("ResourceType", kind), ("ResourceId", &*id), ("ResourceGroupId", "rg-third")];
        app.ok("JoinResourceGroup", &again).await;
        let body = app.ok(action, &[HERE, GROUP]).await;
        assert_eq!(column(&body, list, column_of_id), [""; 0], "{kind}");
    }
}

#[tokio::test]
async fn what_cannot_join_a_group_is_refused_and_nothing_is_changed() {
    let app = TestApp::new().await;
    let id = app.disk_with(|_| {}).await;
    let (disk, resource) = (("ResourceType", "disk"), ("ResourceId", id.as_str()));
    let before = app.dump().await;
    for (params, status, code) in [
        (vec![disk, resource], 400, "MissingParameter"),
        (vec![disk, GROUP], 400, "MissingParameter"),
        (vec![resource, GROUP], 400, "MissingParameter"),
        (vec![("ResourceType", "moon"), resource, GROUP], 404, "InvalidResourceType.NotFound"),
        (vec![("ResourceType", "eni"), resource, GROUP], 403, "InvalidResourceId.NotSupported"),
        (vec![disk, resource, ("ResourceGroupId", "group")], 404, "InvalidResourceGroup.NotFound"),
        (vec![disk, ("ResourceId", "d-none"), GROUP], 404, "InvalidResourceId.NotFound"),
        (vec![("ResourceType", "snapshot"), resource, GROUP], 404, "InvalidResourceId.NotFound"),
        (vec![disk, resource, GROUP, ("RegionId", OTHER_REGION)], 404, "InvalidResourceId.NotFound"),
    ] {
        app.refused("JoinResourceGroup", &params, status, code).await;
    }
    let foreign = app.call_as(OTHER_KEY, "JoinResourceGroup", &[disk, resource, GROUP]).await;
    foreign.refused(404, "InvalidResourceId.NotFound");
    assert_eq!(app.dump().await, before);
}
