"""BOSH: persistent disks and their snapshots, and a stemcell that is deleted with what lies under it.

Replays src/bosh-alicloud-cpi/alicloud/disk_manager.go, stemcell_manager.go and action/snapshot_disk.go,
delete_snapshot.go, update_disk.go of cloudfoundry/bosh-alicloud-cpi-release, by alibaba-cloud-sdk-go.
"""

import json

from support.daemon import wait_until
from support.dialects import REGION


def disk_of(sdk, disk):
    """GetDisk: one call, without a page and without a zone."""
    rows = sdk.listed("DescribeDisks", {"DiskIds": json.dumps([disk])})
    return rows[0] if rows else None


def in_status(sdk, disk, status):
    def probe():
        if (row := disk_of(sdk, disk))["Status"] == status:
            return row
        sdk.later("5s")

    return wait_until(probe)


def made(sdk, scene, token, **more):
    making = {"RegionId": REGION, "ZoneId": scene["zone"], "Size": 40, "DiskCategory": "cloud_efficiency"}
    disk = sdk.call("CreateDisk", making | {"ClientToken": token} | more)["DiskId"]
    in_status(sdk, disk, "Available")
    return disk


def test_a_persistent_disk_lives_through_the_calls_of_the_director(sdk, scene):
    disk = made(sdk, scene, "CreateDisk-1")
    sdk.call("ModifyDiskAttribute", {"DiskId": disk, "DiskName": "director-disk", "Description": "of job"})
    sdk.call("AttachDisk", {"InstanceId": scene["instance"], "DiskId": disk})
    row = in_status(sdk, disk, "In_use")
    assert row["Device"].startswith("/dev/x") and len(row["DiskId"].split("-")) == 2
    assert disk in [each["DiskId"] for each in sdk.listed("DescribeDisks", {"InstanceId": scene["instance"]})]

    snapshot = sdk.call("CreateSnapshot", {"DiskId": disk, "SnapshotName": "bosh-1", "ClientToken": "CreateSnapshot-1"})
    # Nothing waits for it; it may be deleted at once.
    sdk.call("DeleteSnapshot", {"SnapshotId": snapshot["SnapshotId"]})
    assert sdk.snapshots(snapshot["SnapshotId"]) == []

    sdk.call("DetachDisk", {"InstanceId": scene["instance"], "DiskId": disk})
    in_status(sdk, disk, "Available")
    sdk.call("ResizeDisk", {"DiskId": disk, "NewSize": 60})
    assert disk_of(sdk, disk)["Size"] == 60
    sdk.call("ModifyDiskSpec", {"DiskId": disk, "DiskCategory": "cloud_essd"})
    sdk.later("1m")
    assert in_status(sdk, disk, "Available")["Category"] == "cloud_essd"
    sdk.call("DeleteDisk", {"DiskId": disk})
    assert disk_of(sdk, disk) is None


def test_a_stemcell_is_deleted_and_then_its_snapshots(sdk, scene):
    image = sdk.call("CreateImage", {"InstanceId": scene["instance"], "ImageName": "stemcell"})["ImageId"]

    def found(status):
        return sdk.listed("DescribeImages", {"ImageId": image, "RegionId": REGION} | status)

    def ready():
        sdk.later("5s")
        return found({})

    (row,) = wait_until(ready)
    snapshots = [each["SnapshotId"] for each in row["DiskDeviceMappings"]["DiskDeviceMapping"]]
    sdk.call("DeleteImage", {"ImageId": image, "RegionId": REGION})
    wait_until(lambda: found({"Status": "Creating,Waiting,Available,UnAvailable,CreateFailed"}) == [])
    for each in snapshots:
        sdk.call("DeleteSnapshot", {"SnapshotId": each})
    assert sdk.snapshots(*snapshots) == []


def test_a_refused_change_of_category_leads_to_a_disk_of_a_snapshot(sdk, scene):
    disk = made(sdk, scene, "CreateDisk-2", DiskCategory="cloud")
    code, status = sdk.refused("ModifyDiskSpec", {"DiskId": disk, "DiskCategory": "cloud_essd"})
    # IsCategoryRefusedError looks for this code, or OperationDenied.DiskCategoryNotSupport, before it goes on.
    assert (code, status) == ("InvalidDiskCategory.NotSupported", 403)
    sdk.call("AttachDisk", {"InstanceId": scene["instance"], "DiskId": disk})
    in_status(sdk, disk, "In_use")
    snapshot = sdk.call("CreateSnapshot", {"DiskId": disk, "SnapshotName": "bosh-2", "ClientToken": "CreateSnapshot-2"})
    sdk.accomplished(snapshot["SnapshotId"])
    new = made(sdk, scene, "CreateDisk-3", SnapshotId=snapshot["SnapshotId"])
    assert disk_of(sdk, new)["Category"] == "cloud_efficiency"
