"""The CSI driver: snapshots of volumes and of groups of them, and the disks that they are restored to.

Replays pkg/disk/controllerserver.go, cloud.go, groupcontrollerserver.go, volume_group_snapshot_util.go, modify.go and
waitstatus/batched.go of kubernetes-sigs/alibaba-cloud-csi-driver: alibaba-cloud-sdk-go, and ACS3 for
ModifyDiskAttribute.
"""

import json

from support.daemon import wait_until
from support.dialects import REGION, Refused, instant, tags

OWN = tags(createdby="alibabacloud-csi-plugin", force_delete_snapshot_k8s_aliyun_com="true", ack_aliyun_com="c1")
# For these the driver tries the next of the categories that the storage class has.
NEXT_CATEGORY = """InvalidDataDiskCategory.NotSupported InvalidDataDiskCategory.ValueNotSupported
    InvalidDiskSize.NotSupported InvalidDataDiskSize.ValueNotSupported OperationDenied.PerformanceLevelNotMatch
    InvalidPerformanceLevel.Malformed InvalidProvisionedIops.LimitExceed""".split()
MINE = tags(ack_aliyun_com="c1")


def batched(sdk, *ids):
    """The poll of many waiters at once."""
    return sdk.listed("DescribeSnapshots", {"SnapshotIds": json.dumps(ids), "PageSize": 100})


def taken(sdk, disk, name, token):
    """CreateSnapshot of the driver, up to the CreationTime that it waits for."""
    assert len(sdk.listed("DescribeDisks", {"DiskIds": json.dumps([disk]), "RegionId": REGION})) == 1
    making = {"DiskId": disk, "SnapshotName": name, "ClientToken": token} | OWN
    snapshot = sdk.call("CreateSnapshot", making)["SnapshotId"]
    wait_until(lambda: batched(sdk, snapshot)[0]["CreationTime"])
    return snapshot, making


def test_a_volume_snapshot_is_made_listed_restored_and_deleted(sdk, scene):
    snapshot, making = taken(sdk, scene["data"], "snapshot-uid", "uid")
    assert sdk.call("CreateSnapshot", making)["SnapshotId"] == snapshot
    other = making | {"SnapshotName": "other"}
    assert sdk.refused("CreateSnapshot", other) == ("IdempotentParameterMismatch", 403)

    def ready():
        (row,) = batched(sdk, snapshot)
        assert isinstance(row["Available"], bool)
        return row["Available"] and row

    row = wait_until(ready)
    instant(row)
    assert int(row["SourceDiskSize"]) == 40 and isinstance(row["SourceDiskSize"], str)

    listing = MINE | {"MaxResults": 10}
    page = sdk.call("DescribeSnapshots", listing)
    assert ([each["SnapshotId"] for each in page["Snapshots"]["Snapshot"]], page["NextToken"]) == ([snapshot], "")
    assert sdk.listed("DescribeSnapshots", listing | {"DiskId": scene["system"]}) == []

    making = {"ZoneId": scene["zone"], "DiskName": "pvc-1", "SnapshotId": snapshot, "DiskCategory": "cloud_essd"}
    disk = sdk.call("CreateDisk", making | {"Size": 40, "ClientToken": "pv"} | tags(volume="pvc-1"))["DiskId"]
    gone = {"SnapshotId": "s-bp1neverexisted00000", "ClientToken": "pv2"}
    assert sdk.refused("CreateDisk", making | gone) == ("InvalidSnapshotId.NotFound", 404)
    sdk.reaches(sdk.disks, "Available", disk, delay="2s")
    assert len(batched(sdk, snapshot)) == 1
    sdk.call("DeleteSnapshot", {"SnapshotId": snapshot, "Force": True})
    assert batched(sdk, snapshot) == [], "after which the driver calls nothing"
    sdk.call("DeleteSnapshot", {"SnapshotId": snapshot, "Force": True})  # after an answer that was lost
    never = {"SnapshotId": "s-bp1neverexisted00000", "Force": True}
    assert sdk.refused("DeleteSnapshot", never) == ("InvalidSnapshotId.NotFound", 404)


def test_a_listing_of_many_follows_tokens(sdk, scene):
    made = set()
    for n in range(12):
        made.add(taken(sdk, scene["data"], f"snapshot-{n}", f"uid-{n}")[0])
        sdk.later("1m")
    listing, found = MINE | {"MaxResults": 10}, []
    while True:
        page = sdk.call("DescribeSnapshots", listing)
        found += [row["SnapshotId"] for row in page["Snapshots"]["Snapshot"]]
        if not page["NextToken"]:
            break
        listing["NextToken"] = page["NextToken"]
    assert set(found) == made and len(found) == 12


def test_a_quota_is_told_by_its_code(sdk, scene):
    for n in range(10):
        taken(sdk, scene["data"], f"snapshot-{n}", f"uid-{n}")
    code, status = sdk.refused("CreateSnapshot", {"DiskId": scene["data"], "ClientToken": "one more"})
    assert code.startswith("QuotaExceed.") and status == 403


def test_a_group_is_found_by_name_and_tells_its_members(sdk, scene):
    assert sdk.listed("DescribeSnapshotGroups", {"Name": "group-uid"}) == []
    making = {"Name": "group-uid", "DiskId": [scene["system"], scene["data"]], "ResourceGroupId": "rg-1"}
    group = sdk.call("CreateSnapshotGroup", making | OWN)["SnapshotGroupId"]

    def found(*ids):
        return sdk.listed("DescribeSnapshotGroups", {"SnapshotGroupId": list(ids)})

    row = sdk.reaches(found, "accomplished", group)
    assert [each["SnapshotGroupId"] for each in sdk.listed("DescribeSnapshotGroups", {"Name": "group-uid"})] == [group]
    instant(row)
    members = row["Snapshots"]["Snapshot"]
    assert {each["SourceDiskId"] for each in members} == {scene["system"], scene["data"]}
    for each in members:
        assert each["Available"] is True
        (member,) = batched(sdk, each["SnapshotId"])
        assert f"Created_from_{group}" in (member["SnapshotName"], member["Description"])
    sdk.call("DeleteSnapshotGroup", {"SnapshotGroupId": group})
    assert batched(sdk, *(each["SnapshotId"] for each in members)) == []
    assert found(group) == [], "which the driver takes for deleted"


def test_a_volume_is_attached_grown_changed_and_deleted(sdk, acs3, scene):
    making = {"ZoneId": scene["zone"], "DiskName": "pvc-2", "Size": 40, "ClientToken": "pv"}
    # The first category of the list is refused, the next is taken.
    first = making | {"DiskCategory": "cloud_essd", "PerformanceLevel": "PL3"}
    assert sdk.refused("CreateDisk", first)[0] in NEXT_CATEGORY
    essd = {"DiskCategory": "cloud_essd", "PerformanceLevel": "PL0"}
    disk = sdk.call("CreateDisk", making | essd | tags(volume="pvc-2"))["DiskId"]
    mismatch = making | essd | {"Size": 60}
    assert sdk.refused("CreateDisk", mismatch)[0] == "IdempotentParameterMismatch"
    assert [row["DiskId"] for row in sdk.listed("DescribeDisks", tags(volume="pvc-2"))] == [disk]
    sdk.reaches(sdk.disks, "Available", disk, delay="2s")

    sdk.call("AttachDisk", {"InstanceId": scene["instance"], "DiskId": disk})
    row = sdk.reaches(sdk.disks, "In_use", disk, delay="2s")
    assert row["InstanceId"] == scene["instance"] and row["Device"] and row["SerialNumber"]
    assert [each["InstanceId"] for each in row["Attachments"]["Attachment"]] == [scene["instance"]]
    acs3.call("ModifyDiskAttribute", {"RegionId": REGION, "DiskId": disk, "DeleteWithInstance": False})
    sdk.call("ResizeDisk", {"DiskId": disk, "NewSize": 60, "Type": "online", "ClientToken": "resize"})
    assert sdk.disks(disk)[0]["Size"] == 60, "seen at once"
    spec = {"DiskId": disk, "PerformanceLevel": "PL1"}
    try:
        acs3.call("ModifyDiskSpec", spec | {"DryRun": True})
    except Refused as refused:
        assert refused.code == "DryRunOperation"
    task = acs3.call("ModifyDiskSpec", spec)["TaskId"]
    listing = {"RegionId": REGION, "TaskIds": task}

    def finished():
        (row,) = acs3.listed("DescribeTasks", listing)
        sdk.later("2s")
        return row["TaskStatus"] == "Finished"

    wait_until(finished)
    sdk.call("DetachDisk", {"InstanceId": scene["instance"], "DiskId": disk})
    sdk.reaches(sdk.disks, "Available", disk, delay="2s")
    sdk.call("DeleteDisk", {"DiskId": disk})
    assert sdk.disks(disk) == []
