"""Terraform's alicloud_ecs_disk, alicloud_ecs_disk_attachment and alicloud_ecs_disks, and the deletion of 2019 to 2024.

Replays alicloud/resource_alicloud_ecs_disk.go, resource_alicloud_ecs_disk_attachment.go,
data_source_alicloud_ecs_disks.go and service_alicloud_ecs_v2.go (DescribeEcsDisk) of
aliyun/terraform-provider-alicloud.
"""

import json

from support.daemon import wait_until
from support.dialects import REGION, Refused, tags

STATE = """BurstingEnabled Category CreationTime DeleteAutoSnapshot DeleteWithInstance Description DiskChargeType DiskId
    DiskName EnableAutoSnapshot Encrypted InstanceId MultiAttach PerformanceLevel RegionId ResourceGroupId Size
    SourceSnapshotId Status ZoneId""".split()
# The provider converts these without asking, and panics where another type comes.
BOOLS = """DeleteAutoSnapshot DeleteWithInstance EnableAutoSnapshot EnableAutomatedSnapshotPolicy Encrypted Portable
    BurstingEnabled""".split()
# "Retry" in the sources.
ATTACH_AGAIN = """IncorrectDiskStatus IncorrectInstanceStatus OperationConflict InternalError InvalidOperation.Conflict
    IncorrectDiskStatus.Initializing""".split()
DETACHED = """InvalidDisk.AlreadyDetached InvalidDiskId.NotFound InvalidDiskId.OperationNotSupported
    InvalidInstanceId.NotFound""".split()


def created(tea, scene, **more):
    """CreateDisk, the wait, and the update that runs at once after it."""
    request = {"RegionId": REGION, "ClientToken": f"TF-CreateDisk-{len(more)}", "ZoneId": scene["zone"]}
    request |= {"DiskCategory": "cloud_essd", "Size": 40, "DiskName": "tf", "Encrypted": False} | more
    disk = tea.call("CreateDisk", request)["DiskId"]
    assert tea.call("CreateDisk", request)["DiskId"] == disk, "the token is kept when LastTokenProcessing is retried"
    row = tea.reaches(tea.disks, "Available", disk)
    assert [name for name in STATE if name not in row] == []
    assert all(isinstance(row[name], bool) for name in BOOLS)
    update = {"DiskId": disk, "RegionId": REGION, "DeleteAutoSnapshot": True, "EnableAutoSnapshot": True}
    tea.call("ModifyDiskAttribute", update | {"DeleteWithInstance": not row["DeleteWithInstance"]})
    return disk


def deleted(tea, disk):
    """DescribeDisks, and DeleteDisk with the id alone."""
    if tea.disks(disk):
        try:
            tea.call("DeleteDisk", {"DiskId": disk})
        except Refused as refused:
            assert refused.code == "InvalidDiskId.NotFound" or refused.status == 404
    assert tea.disks(disk) == []


def test_a_disk_is_made_read_changed_and_destroyed(tea, scene):
    disk = created(tea, scene, Description="made", PerformanceLevel="PL0", ResourceGroupId="rg-1", **tags(For="Test"))
    (row,) = tea.disks(disk)
    assert (row["DeleteAutoSnapshot"], row["EnableAutoSnapshot"]) == (True, True)
    assert (row["Description"], row["PerformanceLevel"], row["ResourceGroupId"]) == ("made", "PL0", "rg-1")
    assert row["Tags"]["Tag"] == [{"TagKey": "For", "TagValue": "Test"}]

    tea.call("ModifyDiskAttribute", {"DiskId": disk, "RegionId": REGION, "DiskName": "tf2", "Description": "changed"})
    tea.call("ResizeDisk", {"DiskId": disk, "ClientToken": "TF-ResizeDisk-1", "NewSize": 60, "Type": "offline"})
    tea.call("ModifyDiskSpec", {"DiskId": disk, "PerformanceLevel": "PL1"})
    tea.later("10s")
    assert tea.reaches(tea.disks, "Available", disk)["PerformanceLevel"] == "PL1"
    resource = {"RegionId": REGION, "ResourceType": "disk"}
    tea.call("JoinResourceGroup", resource | {"ResourceId": disk, "ResourceGroupId": "rg-2"})
    tea.call("UntagResources", resource | {"ResourceId": [disk], "TagKey": ["For"]})
    tea.call("TagResources", resource | {"ResourceId": [disk]} | tags(For="Other"))
    (row,) = tea.disks(disk)
    assert (row["DiskName"], row["Description"], row["Size"], row["ResourceGroupId"]) == ("tf2", "changed", 60, "rg-2")
    assert row["Tags"]["Tag"] == [{"TagKey": "For", "TagValue": "Other"}]
    deleted(tea, disk)


def test_a_disk_of_a_snapshot_tells_where_it_is_from(tea, scene):
    snapshot = tea.call("CreateSnapshot", {"DiskId": scene["data"], "ClientToken": "TF-CreateSnapshot-1"})["SnapshotId"]
    tea.accomplished(snapshot)
    disk = created(tea, scene, SnapshotId=snapshot)
    assert tea.disks(disk)[0]["SourceSnapshotId"] == snapshot
    tea.call("DeleteDisk", {"DiskId": disk})
    deleted(tea, disk)


def test_an_attachment_is_made_and_taken_away_and_retried_on_conflicts(tea, scene):
    disk = created(tea, scene)
    (before,) = tea.disks(disk)
    tea.lever("/faults", action="AttachDisk", when={"nth": 1}, effect={"error": "InternalError"})
    request = {"Bootable": False, "DeleteWithInstance": False, "DiskId": disk, "InstanceId": scene["instance"]}

    def attached():
        try:
            return tea.call("AttachDisk", request)
        except Refused as refused:
            assert refused.code in ATTACH_AGAIN

    wait_until(attached)
    after = tea.reaches(tea.disks, "In_use", disk)
    if after["DeleteAutoSnapshot"] != before["DeleteAutoSnapshot"]:
        tea.call("ModifyDiskAttribute", {"DiskId": disk, "RegionId": REGION, "DeleteAutoSnapshot": True})
    assert (after["InstanceId"], after["DiskId"]) == (scene["instance"], disk)
    assert after["Device"].startswith("/dev/xvd")
    assert [each["InstanceId"] for each in after["Attachments"]["Attachment"]] == [scene["instance"]]

    request = {"DiskId": disk, "InstanceId": scene["instance"], "DeleteWithInstance": False}
    tea.call("DetachDisk", request)
    tea.reaches(tea.disks, "Available", disk)
    # Of a second destroy, each of these is taken for done.
    for again in (request, request | {"DiskId": "d-bp1neverexisted00000"}):
        code, _ = tea.refused("DetachDisk", again)
        assert code in [*DETACHED, "IncorrectDiskStatus"], code
    deleted(tea, disk)


def test_the_data_source_walks_pages_and_every_row_has_its_types(tea, scene):
    for n in range(3):
        created(tea, scene, ClientToken=f"TF-CreateDisk-n{n}", DiskName=f"ds-{n}", **tags(n=str(n)))
    request = {"RegionId": REGION, "PageNumber": 1, "PageSize": 2}
    found = []
    while True:
        answer = tea.call("DescribeDisks", request)
        rows = answer["Disks"]["Disk"]
        found += rows
        if len(rows) < request["PageSize"]:
            break
        request["PageNumber"] += 1
    assert len({row["DiskId"] for row in found}) == len(found) == answer["TotalCount"] == 5
    for row in found:
        assert all(isinstance(row[name], bool) for name in BOOLS)
        assert isinstance(row["DiskChargeType"], str)
        assert isinstance(row["OperationLocks"]["OperationLock"], list)
        assert isinstance(row["MountInstances"]["MountInstance"], list)
        assert int(row["Size"]) == 40
        assert all(isinstance(tag[part], str) for tag in row["Tags"]["Tag"] for part in ("TagKey", "TagValue"))
    filters = {
        "RegionId": REGION,
        "Category": "cloud_essd",
        "DiskType": "data",
        "Status": "Available",
        "Encrypted": False,
    }
    filters |= {"DiskChargeType": "PostPaid", "AdditionalAttributes": json.dumps(["IOPS"]), "ZoneId": scene["zone"]}
    (row,) = tea.listed("DescribeDisks", filters | tags(n="1") | {"PageNumber": 1, "PageSize": 100})
    assert row["DiskName"] == "ds-1" and int(row["IOPS"]) > 0, "the attribute that was asked for"
