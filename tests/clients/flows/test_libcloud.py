"""Apache Libcloud itself, unmodified, with its ECS driver: GET, signed by v1, answers in XML.

Runs libcloud/compute/drivers/ecs.py and libcloud/common/aliyun.py of apache/libcloud.
"""

import pytest
from libcloud.common.types import LibcloudError
from libcloud.compute.base import VolumeSnapshot
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider, StorageVolumeState, VolumeSnapshotState

from support.daemon import wait_until
from support.dialects import KEY, REGION, SECRET


@pytest.fixture
def driver(daemon):
    host, port = daemon.endpoint.split(":")
    return get_driver(Provider.ALIYUN_ECS)(KEY, SECRET, region=REGION, host=host, port=int(port), secure=False)


def volume_of(driver, disk):
    (found,) = driver.list_volumes(ex_volume_ids=[disk])
    return found


def available(driver, volume):
    return wait_until(lambda: volume_of(driver, volume.id).state == StorageVolumeState.AVAILABLE)


def test_volumes_are_made_attached_detached_and_destroyed(driver, sdk, scene):
    volume = driver.create_volume(
        40, "lc", ex_zone_id=scene["zone"], ex_description="made", ex_disk_category="cloud_essd"
    )
    assert (volume.name, volume.size) == ("lc", 40)
    available(driver, volume)
    (node,) = driver.list_nodes()
    assert node.id == scene["instance"]
    assert driver.attach_volume(node, volume)
    attached = wait_until(lambda: (v := volume_of(driver, volume.id)).state == StorageVolumeState.INUSE and v)
    assert attached.extra["instance_id"] == node.id
    with pytest.raises(LibcloudError):
        driver.destroy_volume(attached)
    assert driver.detach_volume(attached)
    available(driver, volume)
    assert driver.destroy_volume(volume)
    assert driver.list_volumes(ex_volume_ids=[volume.id]) == []


def test_snapshots_are_made_listed_restored_and_destroyed(driver, sdk, scene):
    volume = volume_of(driver, scene["data"])
    snapshot = driver.create_volume_snapshot(volume, "lc", ex_description="made", ex_client_token="t-1")
    assert driver.create_volume_snapshot(volume, "lc", ex_description="made", ex_client_token="t-1").id == snapshot.id
    told = [snapshot.extra[name] for name in ("snapshot_name", "description", "source_disk_size", "source_disk_type")]
    assert told == ["lc", "made", 40, "data"]
    done = wait_until(lambda: (s := driver.list_volume_snapshots(volume)[0]).extra["progress"] == "100%" and s)
    assert (done.extra["source_disk_id"], done.extra["usage"]) == (volume.id, "none")
    assert done.state == VolumeSnapshotState.AVAILABLE
    restored = driver.create_volume(40, "lc2", snapshot=done, ex_zone_id=scene["zone"], ex_disk_category="cloud_essd")
    available(driver, restored)
    with pytest.raises(Exception, match="SnapshotCreatedDisk"):
        driver.destroy_volume_snapshot(done)
    assert driver.destroy_volume(restored)
    assert driver.destroy_volume_snapshot(done)
    assert driver.list_volume_snapshots(volume) == []


def test_more_than_a_page_is_listed_whole(driver, sdk, scene):
    volume = volume_of(driver, scene["data"])
    made = set()
    for n in range(25):
        made.add(driver.create_volume_snapshot(volume, f"lc{n}").id)
        sdk.later("10m")
    found = driver.list_volume_snapshots(volume)
    assert {each.id for each in found} == made and len(found) == 25


def test_images_are_made_copied_and_deleted(driver, sdk, scene):
    snapshot = driver.create_volume_snapshot(volume_of(driver, scene["system"]))
    sdk.accomplished(snapshot.id)
    # The driver looks for the image at once, among those that are available; the service has none yet.
    with pytest.raises(LibcloudError, match="could not find the image"):
        driver.create_image(None, "lc", description="made", ex_snapshot_id=snapshot.id, ex_client_token="t-2")
    sdk.later("1h")
    (image,) = driver.list_images(ex_filters={"ImageOwnerAlias": "self"})
    assert (image.name, image.extra["description"], image.extra["progress"]) == ("lc", "made", "100%")
    assert driver.get_image(image.id).id == image.id
    with pytest.raises(LibcloudError, match="could not find the image"):
        driver.copy_image(REGION, image, "lc2", ex_destination_region_id="cn-beijing")
    sdk.later("1h")
    assert driver.delete_image(image)
    assert driver.list_images(ex_filters={"ImageOwnerAlias": "self"}) == []


def test_places_are_listed_and_a_refusal_is_told_by_its_code(driver, scene):
    assert REGION in [location.id for location in driver.list_locations()]
    assert scene["zone"] in [zone.id for zone in driver.ex_list_zones()]
    with pytest.raises(Exception, match="InvalidSnapshotId.NotFound"):
        driver.destroy_volume_snapshot(VolumeSnapshot("s-bp1neverexisted00000", driver))
