"""The life of a snapshot as the v2 SDK sees it, from the disk to the last refusal."""

import json
from datetime import datetime

from alibabacloud_ecs20140526 import models

from support.daemon import wait_until

IN_AN_IMAGE = ("SnapshotCreatedImage", 403, "The snapshot has been used to create user defined image(s).")
IN_A_DISK = ("SnapshotCreatedDisk", 403, "The snapshot has been used to create disk(s).")
SOURCE_GONE = (
    "InvalidSourceSnapshot",
    403,
    "The snapshot which is used to create the specified disk has been deleted.",
)
NOT_FOUND = ("InvalidSnapshotId.NotFound", 404, "The specified snapshot is not found")


def new_disk(ecs, zone, **parameters):
    """The id of a new disk, once it is available."""
    request = models.CreateDiskRequest(
        region_id="cn-hangzhou", zone_id=zone, disk_category="cloud_essd", **parameters
    )
    disk = ecs.create_disk(request).body.disk_id
    ecs.wait_for_disk(disk, "Available")
    return disk


def attach(ecs, instance, disk):
    ecs.attach_disk(models.AttachDiskRequest(instance_id=instance, disk_id=disk))
    ecs.wait_for_disk(disk, "In_use")


def delete(ecs, snapshot, **parameters):
    ecs.delete_snapshot(models.DeleteSnapshotRequest(snapshot_id=snapshot, **parameters))


def test_a_snapshot_outlives_its_image_and_is_forced_away_from_under_its_disk(ecs):
    instance = ecs.run_instance()
    (system_disk,) = ecs.disks(instance_id=instance)
    zone = system_disk.zone_id
    disk = new_disk(ecs, zone, size=40, disk_name="data")
    attach(ecs, instance, disk)

    system_snapshot = ecs.snapshot(system_disk.disk_id)
    snapshot = ecs.snapshot(disk, snapshot_name="nightly", retention_days=7)
    (seen,) = ecs.snapshots(snapshot_ids=json.dumps([snapshot]))
    assert seen.status == "progressing"
    assert seen.progress != "100%"
    ecs.accomplished(system_snapshot)
    seen = ecs.accomplished(snapshot)
    assert seen.progress == "100%"
    assert (seen.snapshot_name, seen.retention_days, seen.usage) == ("nightly", 7, "none")
    assert (seen.source_disk_id, seen.source_disk_size, seen.source_disk_type) == (disk, "40", "data")
    datetime.strptime(seen.creation_time, "%Y-%m-%dT%H:%M:%SZ")

    mapping = [
        models.CreateImageRequestDiskDeviceMapping(snapshot_id=system_snapshot, disk_type="system"),
        models.CreateImageRequestDiskDeviceMapping(snapshot_id=snapshot, disk_type="data"),
    ]
    request = models.CreateImageRequest(
        region_id="cn-hangzhou", image_name="with-data", disk_device_mapping=mapping
    )
    image = ecs.create_image(request).body.image_id
    wait_until(lambda: ecs.images(image_id=image))
    with ecs.refused(*IN_AN_IMAGE):
        delete(ecs, snapshot)
    with ecs.refused(*IN_AN_IMAGE):
        delete(ecs, snapshot, force=True)
    ecs.delete_image(models.DeleteImageRequest(region_id="cn-hangzhou", image_id=image))

    copy = new_disk(ecs, zone, snapshot_id=snapshot)
    with ecs.refused(*IN_A_DISK):
        delete(ecs, snapshot)
    delete(ecs, snapshot, force=True)
    assert ecs.snapshots(snapshot_ids=json.dumps([snapshot])) == []

    attach(ecs, instance, copy)
    ecs.stop_instance(models.StopInstanceRequest(instance_id=instance))
    ecs.wait_for_instance(instance, "Stopped")
    with ecs.refused(*SOURCE_GONE):
        ecs.re_init_disk(models.ReInitDiskRequest(disk_id=copy))

    for each in (disk, copy):
        ecs.detach_disk(models.DetachDiskRequest(instance_id=instance, disk_id=each))
        ecs.wait_for_disk(each, "Available")
        ecs.delete_disk(models.DeleteDiskRequest(disk_id=each))
    delete(ecs, system_snapshot)
    ecs.delete_instance(models.DeleteInstanceRequest(instance_id=instance))
    wait_until(lambda: ecs.disks() == [])
    assert ecs.snapshots() == []
    assert ecs.images(image_owner_alias="self") == []
    assert ecs.instances() == []

    delete(ecs, snapshot)
    with ecs.refused(*NOT_FOUND):
        delete(ecs, "s-bp1neverexisted00000")


def test_a_snapshot_in_progress_is_cancelled_by_its_deletion(ecs):
    (disk,) = ecs.disks(instance_id=ecs.run_instance())
    snapshot = ecs.snapshot(disk.disk_id)
    delete(ecs, snapshot)
    assert ecs.snapshots() == []
    delete(ecs, snapshot)
