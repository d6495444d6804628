"""Terraform's alicloud_ecs_snapshot_group and alicloud_ecs_snapshot_groups.

Replays alicloud/resource_alicloud_ecs_snapshot_group.go, data_source_alicloud_ecs_snapshot_groups.go and
service_alicloud_ecs.go (DescribeEcsSnapshotGroup) of aliyun/terraform-provider-alicloud.
"""

from support.dialects import REGION, tags


def listed(tea, **filters):
    """Every group, following NextToken; the resource looks for its id among them by itself."""
    request, found = {"RegionId": REGION, "MaxResults": 50} | filters, []
    while True:
        answer = tea.call("DescribeSnapshotGroups", request)
        found += answer["SnapshotGroups"]["SnapshotGroup"]
        if not answer.get("NextToken"):
            return found
        request["NextToken"] = answer["NextToken"]


def own(tea):
    return lambda group: [row for row in listed(tea) if row["SnapshotGroupId"] == group]


def test_a_group_is_made_read_changed_and_destroyed(tea, scene):
    request = {"RegionId": REGION, "InstanceId": scene["instance"], "DiskId": [scene["system"], scene["data"]]}
    request |= {"Name": "tf", "Description": "made", "InstantAccess": False, "ResourceGroupId": "rg-tf"} | tags(
        For="Test"
    )
    group = tea.call("CreateSnapshotGroup", request)["SnapshotGroupId"]
    row = tea.reaches(own(tea), "accomplished", group)
    assert (row["Name"], row["Description"], row["InstanceId"]) == ("tf", "made", scene["instance"])
    assert row["ResourceGroupId"] == "rg-tf"
    assert row["Tags"]["Tag"] == [{"Key": "For", "Value": "Test"}], (
        "the provider takes either spelling, groups have this"
    )

    change = {"SnapshotGroupId": group, "RegionId": REGION, "Description": "changed", "Name": "tf2"}
    tea.call("ModifySnapshotGroup", change)
    resource = {"RegionId": REGION, "ResourceType": "snapshotgroup", "ResourceId": [group]}
    tea.call("UntagResources", resource | {"TagKey": ["For"]})
    tea.call("TagResources", resource | tags(For="Other"))
    (row,) = own(tea)(group)
    assert (row["Name"], row["Description"]) == ("tf2", "changed")
    assert row["Tags"]["Tag"] == [{"Key": "For", "Value": "Other"}]
    tea.call("DeleteSnapshotGroup", {"SnapshotGroupId": group, "RegionId": REGION})
    assert own(tea)(group) == []


def test_an_excluded_disk_has_no_snapshot(tea, scene):
    request = {"RegionId": REGION, "InstanceId": scene["instance"], "ExcludeDiskId": [scene["data"]]}
    group = tea.call("CreateSnapshotGroup", request)["SnapshotGroupId"]
    row = tea.reaches(own(tea), "accomplished", group)
    assert [each["SourceDiskId"] for each in row["Snapshots"]["Snapshot"]] == [scene["system"]]


def test_the_data_source_follows_tokens(tea, scene):
    one = {"RegionId": REGION, "InstanceId": scene["instance"], "DiskId": [scene["data"]]}
    made = set()
    for n in range(3):
        made.add(tea.call("CreateSnapshotGroup", one | {"Name": f"tf-{n}"})["SnapshotGroupId"])
        tea.later("1m")
    assert {row["SnapshotGroupId"] for row in listed(tea, MaxResults=2)} == made
    assert {row["SnapshotGroupId"] for row in listed(tea, Status=["accomplished"])} == made
    assert listed(tea, Status=["failed"]) == []
    (row,) = listed(tea, InstanceId=scene["instance"], Name="tf-1")
    assert all(
        isinstance(row[name], str) for name in ("Name", "Description", "InstanceId", "ResourceGroupId", "Status")
    )
