"""The resource alicloud_ecs_snapshot of Terraform: create, read, update, delete, and the delete of older releases."""

import json

# Terraform reads these, and panics or shows a difference without one of them.
READ = "Category CreationTime Description SourceDiskId RegionId ResourceGroupId RetentionDays SnapshotName Status".split()


def test_a_resource_is_made_read_changed_and_destroyed(wire, disks):
    made = {"ClientToken": "TF-CreateSnapshot-1", "DiskId": disks["data"], "SnapshotName": "tf", "RetentionDays": 7}
    tags = {"Tag.1.Key": "For", "Tag.1.Value": "Test"}
    snapshot = wire.call("CreateSnapshot", {"Category": "standard"}, made | tags)["SnapshotId"]
    assert wire.call("CreateSnapshot", {"Category": "standard"}, made | tags)["SnapshotId"] == snapshot
    wire.accomplished(snapshot)
    (read,) = wire.snapshots(snapshot)
    assert [name for name in READ if name not in read] == []
    assert read["Tags"]["Tag"] == [{"TagKey": "For", "TagValue": "Test"}]

    change = {"SnapshotId": snapshot, "SnapshotName": "tf2", "Description": "changed", "RetentionDays": 9}
    wire.call("ModifySnapshotAttribute", None, change)
    join = {"ResourceId": snapshot, "ResourceType": "snapshot", "ResourceGroupId": "rg-tf"}
    wire.call("JoinResourceGroup", {"RegionId": "cn-hangzhou"}, join)
    resource = {"ResourceType": "snapshot", "ResourceId.1": snapshot}
    wire.call("UntagResources", None, resource | {"TagKey.1": "For"})
    wire.call("TagResources", None, resource | {"Tag.1.Key": "For", "Tag.1.Value": "Other"})
    (read,) = wire.snapshots(snapshot)
    assert (read["SnapshotName"], read["Description"], read["RetentionDays"]) == ("tf2", "changed", 9)
    assert read["ResourceGroupId"] == "rg-tf"
    assert read["Tags"]["Tag"] == [{"TagKey": "For", "TagValue": "Other"}]

    wire.call("DeleteSnapshot", None, {"SnapshotId": snapshot, "Force": "true"})
    assert wire.snapshots(snapshot) == []
    # A second destroy, and the paged listing that older releases wait on.
    wire.call("DeleteSnapshot", None, {"SnapshotId": snapshot})
    page = {"SnapshotIds": json.dumps([snapshot]), "PageSize": 50, "PageNumber": 1}
    assert wire.call("DescribeSnapshots", page)["TotalCount"] == 0
