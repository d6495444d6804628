"""Packer: the image of a build with tags, copies and shares, and the clean-up that deletes it with its snapshots.

Replays builder/ecs/step_pre_validate.go, step_check_source_image.go, step_create_snapshot.go, step_create_image.go,
step_create_tags.go, step_region_copy_image.go, step_share_image.go and step_delete_images_snapshots.go of
hashicorp/packer-plugin-alicloud; what lies between, networks and ssh, is none of snapshotd's.
"""

from support.daemon import wait_until
from support.dialects import REGION, Sdk

QUERIED = "Waiting,Creating,CreateFailed,Available"
OTHER = "cn-beijing"


def available(sdk, image):
    def probe():
        rows = sdk.listed("DescribeImages", {"RegionId": sdk.region, "ImageId": image, "Status": QUERIED})
        if rows and rows[0]["Status"] == "Available":
            return rows[0]
        sdk.later("5s")

    return wait_until(probe)


def cleaned(sdk, name):
    """deleteImageAndSnapshots: every refusal ends the build, and nothing is waited for."""
    for row in sdk.listed("DescribeImages", {"RegionId": sdk.region, "ImageName": name, "Status": QUERIED}):
        assert row["ImageOwnerAlias"] == "self"
        sdk.call("DeleteImage", {"RegionId": sdk.region, "ImageId": row["ImageId"]})
        for mapping in row["DiskDeviceMappings"]["DiskDeviceMapping"]:
            sdk.call("DeleteSnapshot", {"SnapshotId": mapping["SnapshotId"]})


def validated(sdk, scene):
    regions = [row["RegionId"] for row in sdk.listed("DescribeRegions")]
    assert REGION in regions
    assert sdk.listed("DescribeImages", {"ImageName": "packer", "Status": QUERIED}) == []
    (source,) = {row["ImageId"] for row in sdk.listed("DescribeInstances")}
    assert [row["ImageId"] for row in sdk.listed("DescribeImages", {"ImageId": source})] == [source]
    assert sdk.listed("DescribeImages", {"ImageId": source, "ImageOwnerAlias": "marketplace"}) == []


def test_an_image_without_data_disks_is_made_and_cleaned_up_without_a_pause(sdk, scene):
    validated(sdk, scene)
    (disk,) = sdk.listed("DescribeDisks", {"InstanceId": scene["instance"], "DiskType": "system"})
    snapshot = sdk.call("CreateSnapshot", {"DiskId": disk["DiskId"]})["SnapshotId"]
    sdk.accomplished(snapshot)
    making = {
        "ClientToken": "p-1",
        "RegionId": REGION,
        "ImageName": "packer",
        "ImageVersion": "1",
        "Description": "built",
    }
    image = sdk.call("CreateImage", making | {"SnapshotId": snapshot, "ImageFamily": "family"})["ImageId"]
    row = available(sdk, image)
    mapped = [each["SnapshotId"] for each in row["DiskDeviceMappings"]["DiskDeviceMapping"]]
    assert mapped == [snapshot]
    tag = {"Tag": [{"Key": "by", "Value": "packer"}]}
    sdk.call("AddTags", {"RegionId": REGION, "ResourceType": "image", "ResourceId": image} | tag)
    for each in mapped:
        sdk.call("AddTags", {"RegionId": REGION, "ResourceType": "snapshot", "ResourceId": each} | tag)
    assert sdk.snapshots(snapshot)[0]["Tags"]["Tag"] == [{"TagKey": "by", "TagValue": "packer"}]
    family = sdk.call("DescribeImageFromFamily", {"RegionId": REGION, "ImageFamily": "family"})
    assert family["Image"]["ImageId"] == image

    assert sdk.refused("DeleteSnapshot", {"SnapshotId": snapshot}) == ("SnapshotCreatedImage", 403)
    cleaned(sdk, "packer")
    assert sdk.snapshots(snapshot) == []


def test_an_image_of_the_whole_instance_is_copied_shared_and_cleaned_up_in_both_regions(sdk, scene):
    making = {"ClientToken": "p-2", "RegionId": REGION, "ImageName": "packer", "InstanceId": scene["instance"]}
    image = sdk.call("CreateImage", making)["ImageId"]
    row = available(sdk, image)
    snapshots = [each["SnapshotId"] for each in row["DiskDeviceMappings"]["DiskDeviceMapping"]]
    assert len(snapshots) == 2
    copy = {"RegionId": REGION, "ImageId": image, "DestinationRegionId": OTHER, "DestinationImageName": "packer-far"}
    copied = sdk.call("CopyImage", copy)["ImageId"]
    far = Sdk(sdk.endpoint, OTHER)
    available(far, copied)
    sharing = {"RegionId": REGION, "ImageId": image}
    sdk.call("ModifyImageSharePermission", sharing | {"AddAccount": ["1000000000000002"]})
    told = sdk.call("DescribeImageSharePermission", sharing)
    assert [each["AliyunId"] for each in told["Accounts"]["Account"]] == ["1000000000000002"]
    sdk.call("ModifyImageSharePermission", sharing | {"RemoveAccount": ["1000000000000002"]})
    cleaned(sdk, "packer")
    cleaned(far, "packer-far")
    assert sdk.snapshots(*snapshots) == []
    assert far.listed("DescribeSnapshots") == []


def test_a_copy_is_cancelled_when_the_build_is(sdk, scene):
    image = sdk.call("CreateImage", {"ImageName": "packer", "InstanceId": scene["instance"]})["ImageId"]
    available(sdk, image)
    copy = {"RegionId": REGION, "ImageId": image, "DestinationRegionId": OTHER, "DestinationImageName": "packer-far"}
    copied = sdk.call("CopyImage", copy)["ImageId"]
    far = Sdk(sdk.endpoint, OTHER)
    far.call("CancelCopyImage", {"RegionId": OTHER, "ImageId": copied})
    far.later("1m")
    assert [row["Status"] for row in far.listed("DescribeImages", {"ImageId": copied, "Status": "Available"})] == []
