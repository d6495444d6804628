"""Terraform's alicloud_ecs_snapshot and alicloud_ecs_snapshots, as today and as in the releases of 2019 to 2024.

Replays alicloud/resource_alicloud_ecs_snapshot.go, service_alicloud_ecs_v2.go (DescribeEcsSnapshot, SetResourceTags)
and data_source_alicloud_ecs_snapshots.go of aliyun/terraform-provider-alicloud; the older ones are
resource_alicloud_snapshot.go and service_alicloud_ecs.go.
"""

import json

from support.daemon import wait_until
from support.dialects import REGION, Refused, tags

# Read into the state; a difference would show in the next plan without one of them.
STATE = (
    "Category CreationTime Description SourceDiskId RegionId ResourceGroupId RetentionDays SnapshotName Status".split()
)
# Read by the data source; of the numbers, what is missing counts as 0.
NUMBERS = "RetentionDays RemainTime InstantAccessRetentionDays".split()
LISTED = """Category CreationTime Description Encrypted InstantAccess
    ProductCode Progress ResourceGroupId SnapshotId SnapshotName SnapshotSN SnapshotType SourceDiskId SourceDiskSize
    SourceDiskType SourceStorageType Status Usage""".split()
PAGE = 50


def test_a_resource_is_made_read_changed_and_destroyed(tea, scene):
    made = {"ClientToken": "TF-CreateSnapshot-1", "DiskId": scene["data"], "SnapshotName": "tf", "RetentionDays": 7}
    made |= {"Category": "standard"} | tags(For="Test")
    snapshot = tea.call("CreateSnapshot", made)["SnapshotId"]
    assert tea.call("CreateSnapshot", made)["SnapshotId"] == snapshot
    read = tea.accomplished(snapshot)
    assert [name for name in STATE if name not in read] == []
    assert read["Tags"]["Tag"] == [{"TagKey": "For", "TagValue": "Test"}]

    change = {"SnapshotId": snapshot, "SnapshotName": "tf2", "Description": "changed", "RetentionDays": 9}
    tea.call("ModifySnapshotAttribute", change)
    tea.accomplished(snapshot)
    resource = {"RegionId": REGION, "ResourceType": "snapshot"}
    tea.call("JoinResourceGroup", resource | {"ResourceId": snapshot, "ResourceGroupId": "rg-tf"})
    tea.call("UntagResources", resource | {"ResourceId": [snapshot], "TagKey": ["For"]})
    tea.call("TagResources", resource | {"ResourceId": [snapshot]} | tags(For="Other"))
    (read,) = tea.snapshots(snapshot)
    assert (read["SnapshotName"], read["Description"], read["RetentionDays"]) == ("tf2", "changed", 9)
    assert read["ResourceGroupId"] == "rg-tf"
    assert read["Tags"]["Tag"] == [{"TagKey": "For", "TagValue": "Other"}]

    tea.call("DeleteSnapshot", {"SnapshotId": snapshot, "Force": True})
    assert tea.snapshots(snapshot) == [], "gone at once: nothing waits for it"
    tea.call("DeleteSnapshot", {"SnapshotId": snapshot})  # a destroy that is repeated


def test_a_snapshot_with_a_disk_is_fatal_now_and_was_retried_before(tea, scene):
    snapshot = tea.call("CreateSnapshot", {"ClientToken": "TF-CreateSnapshot-2", "DiskId": scene["data"]})["SnapshotId"]
    tea.accomplished(snapshot)
    restored = {"RegionId": REGION, "ZoneId": scene["zone"], "SnapshotId": snapshot, "DiskCategory": "cloud_essd"}
    disk = tea.call("CreateDisk", restored)["DiskId"]
    tea.reaches(tea.disks, "Available", disk)
    assert tea.refused("DeleteSnapshot", {"SnapshotId": snapshot}) == ("SnapshotCreatedDisk", 403)

    def deleted():
        """Older releases went on after OperationConflict, SnapshotCreatedDisk and SnapshotCreatedImage."""
        try:
            return tea.call("DeleteSnapshot", {"SnapshotId": snapshot, "RegionId": REGION})
        except Refused as refused:
            assert refused.code == "SnapshotCreatedDisk"
            tea.call("DeleteDisk", {"DiskId": disk})  # what the parallel walk of the plan comes to in between

    wait_until(deleted)
    page = {"RegionId": REGION, "SnapshotIds": json.dumps([snapshot]), "PageSize": PAGE, "PageNumber": 1}
    wait_until(lambda: tea.call("DescribeSnapshots", page)["Snapshots"]["Snapshot"] == [])


def test_a_snapshot_that_is_not_there_is_an_empty_list_and_not_an_error(tea, scene):
    assert tea.snapshots("s-bp1neverexisted00000") == []
    assert tea.refused("DeleteSnapshot", {"SnapshotId": "s-bp1neverexisted00000"}) == (
        "InvalidSnapshotId.NotFound",
        404,
    )
    change = {"SnapshotId": "s-bp1neverexisted00000", "SnapshotName": "x1"}
    assert tea.refused("ModifySnapshotAttribute", change) == ("InvalidSnapshotId.NotFound", 404)


def test_the_data_source_walks_pages_by_number_and_token_at_once(tea, scene):
    made = []
    for n in range(PAGE + 2):
        each = {"DiskId": scene["data"], "SnapshotName": f"tf-{n}", "ClientToken": f"TF-{n}"} | tags(n=str(n))
        made.append(tea.call("CreateSnapshot", each)["SnapshotId"])
        if n % 10 == 9:  # no more are taken of one disk at a time
            tea.later("1m")
    request = {"RegionId": REGION, "PageSize": PAGE, "PageNumber": 1, "MaxResults": PAGE}
    found = []
    while True:
        answer = tea.call("DescribeSnapshots", request)
        rows = answer["Snapshots"]["Snapshot"]
        found += rows
        if len(rows) < PAGE:
            break
        request["PageNumber"] += 1
        if not answer.get("NextToken"):
            break
        request["NextToken"] = answer["NextToken"]
    assert sorted(row["SnapshotId"] for row in found) == sorted(made)
    for row in found:
        assert [name for name in LISTED if name not in row] == []
        assert all(int(row.get(name, 0)) >= 0 for name in NUMBERS)
        assert all(isinstance(tag[part], str) for tag in row["Tags"]["Tag"] for part in ("TagKey", "TagValue"))
    filters = {
        "RegionId": REGION,
        "Status": "all",
        "SnapshotType": "user",
        "SourceDiskType": "Data",
        "Encrypted": False,
    }
    (row,) = tea.listed(
        "DescribeSnapshots", filters | tags(n="7") | {"PageSize": PAGE, "PageNumber": 1, "MaxResults": PAGE}
    )
    assert row["SnapshotId"] == made[7]
