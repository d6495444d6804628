"""The life of a snapshot as the v1 SDK sees it, from the disk to the last refusal."""

import json
from datetime import datetime

from support.daemon import wait_until

IN_AN_IMAGE = ("SnapshotCreatedImage", 403, "The snapshot has been used to create user defined image(s).")
IN_A_DISK = ("SnapshotCreatedDisk", 403, "The snapshot has been used to create disk(s).")
SOURCE_GONE = (
    "InvalidSourceSnapshot",
    403,
    "The snapshot which is used to create the specified disk has been deleted.",
)
NOT_FOUND = ("InvalidSnapshotId.NotFound", 404, "The specified snapshot is not found")


def test_a_snapshot_outlives_its_image_and_is_forced_away_from_under_its_disk(ecs):
    instance = ecs.run_instance()
    (system_disk,) = ecs.disks(InstanceId=instance)
    zone = system_disk["ZoneId"]

    disk = ecs.call("CreateDisk", ZoneId=zone, Size=40, DiskCategory="cloud_essd", DiskName="data")["DiskId"]
    wait_until(lambda: ecs.disks(DiskIds=json.dumps([disk]), Status="Available"))
    ecs.call("AttachDisk", InstanceId=instance, DiskId=disk)
    wait_until(lambda: ecs.disks(DiskIds=json.dumps([disk]), Status="In_use"))

    system_snapshot = ecs.call("CreateSnapshot", DiskId=system_disk["DiskId"])["SnapshotId"]
    snapshot = ecs.call("CreateSnapshot", DiskId=disk, SnapshotName="nightly", RetentionDays=7)["SnapshotId"]
    (seen,) = ecs.snapshots(SnapshotIds=json.dumps([snapshot]))
    assert seen["Status"] == "progressing"
    assert seen["Progress"] != "100%"
    ecs.accomplished(system_snapshot)
    seen = ecs.accomplished(snapshot)
    assert seen["Progress"] == "100%"
    assert (seen["SnapshotName"], seen["RetentionDays"], seen["Usage"]) == ("nightly", 7, "none")
    assert (seen["SourceDiskId"], seen["SourceDiskSize"], seen["SourceDiskType"]) == (disk, "40", "data")
    datetime.strptime(seen["CreationTime"], "%Y-%m-%dT%H:%M:%SZ")

    mapping = [
        {"SnapshotId": system_snapshot, "DiskType": "system"},
        {"SnapshotId": snapshot, "DiskType": "data"},
    ]
    image = ecs.call("CreateImage", ImageName="with-data", DiskDeviceMappings=mapping)["ImageId"]
    wait_until(lambda: ecs.call("DescribeImages", ImageId=image)["Images"]["Image"])
    ecs.refused(*IN_AN_IMAGE, "DeleteSnapshot", SnapshotId=snapshot)
    ecs.refused(*IN_AN_IMAGE, "DeleteSnapshot", SnapshotId=snapshot, Force=True)
    ecs.call("DeleteImage", ImageId=image)

    copy = ecs.call("CreateDisk", ZoneId=zone, SnapshotId=snapshot, DiskCategory="cloud_essd")["DiskId"]
    wait_until(lambda: ecs.disks(DiskIds=json.dumps([copy]), Status="Available"))
    ecs.refused(*IN_A_DISK, "DeleteSnapshot", SnapshotId=snapshot)
    ecs.call("DeleteSnapshot", SnapshotId=snapshot, Force=True)
    assert ecs.snapshots(SnapshotIds=json.dumps([snapshot])) == []

    ecs.call("AttachDisk", InstanceId=instance, DiskId=copy)
    wait_until(lambda: ecs.disks(DiskIds=json.dumps([copy]), Status="In_use"))
    ecs.call("StopInstance", InstanceId=instance)
    ecs.wait_for_instance(instance, "Stopped")
    ecs.refused(*SOURCE_GONE, "ReInitDisk", DiskId=copy)

    for each in (disk, copy):
        ecs.call("DetachDisk", InstanceId=instance, DiskId=each)
        wait_until(lambda: ecs.disks(DiskIds=json.dumps([each]), Status="Available"))
        ecs.call("DeleteDisk", DiskId=each)
    ecs.call("DeleteSnapshot", SnapshotId=system_snapshot)
    ecs.call("DeleteInstance", InstanceId=instance)
    wait_until(lambda: ecs.disks() == [])
    assert ecs.snapshots() == []
    assert ecs.call("DescribeImages", ImageOwnerAlias="self")["Images"]["Image"] == []
    assert ecs.call("DescribeInstances")["Instances"]["Instance"] == []

    ecs.call("DeleteSnapshot", SnapshotId=snapshot)
    ecs.refused(*NOT_FOUND, "DeleteSnapshot", SnapshotId="s-bp1neverexisted00000")


def test_a_snapshot_in_progress_is_cancelled_by_its_deletion(ecs):
    (disk,) = ecs.disks(InstanceId=ecs.run_instance())
    snapshot = ecs.call("CreateSnapshot", DiskId=disk["DiskId"])["SnapshotId"]
    ecs.call("DeleteSnapshot", SnapshotId=snapshot)
    assert ecs.snapshots() == []
    ecs.call("DeleteSnapshot", SnapshotId=snapshot)
