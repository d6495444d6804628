"""Terraform's alicloud_image, alicloud_image_copy and alicloud_images, as today and as in the releases of 2019 to 2024.

Replays alicloud/resource_alicloud_image.go, resource_alicloud_image_copy.go, data_source_alicloud_images.go,
service_alicloud_ecs_v2.go (DescribeImage) and service_alicloud_ecs.go (DescribeImageById, updateImage, deleteImage,
DescribeTags) of aliyun/terraform-provider-alicloud: half of it by tea-rpc, half by alibaba-cloud-sdk-go.
"""

from support.daemon import wait_until
from support.dialects import REGION, Sdk, tags

OTHER = "cn-beijing"
ANY = "Creating,Waiting,Available,UnAvailable,CreateFailed"
LISTED = """ImageId Architecture CreationTime Description ImageOwnerAlias OSName OSNameEn OSType ImageName Platform
    Status Size IsSelfShared IsSubscribed IsCopied IsSupportIoOptimized ImageVersion Progress Usage ProductCode""".split()


def read(tea, image):
    """What the resource has of it today: three of the parameters stand in the query."""
    answer = tea.call("DescribeImages", None, {"ImageId": image, "RegionId": REGION, "Status": "ALL"})
    return answer["Images"]["Image"]


def usable(tea, image):
    tea.later("10s")
    return wait_until(lambda: (row := read(tea, image)[0])["Usable"] is True and row)


def snapshotted(tea, scene):
    snapshot = tea.call("CreateSnapshot", {"DiskId": scene["system"], "ClientToken": "TF-CreateSnapshot-1"})[
        "SnapshotId"
    ]
    tea.accomplished(snapshot)
    return snapshot


def deleted(sdk, image, force=False):
    """Asked for by each of the states, deleted, and waited for."""
    assert [row["ImageId"] for row in sdk.listed("DescribeImages", {"ImageId": image, "Status": ANY})] == [image]
    sdk.call("DeleteImage", {"ImageId": image, "Force": force})
    wait_until(lambda: sdk.listed("DescribeImages", {"ImageId": image, "Status": ANY}) == [])


def test_an_image_is_made_read_changed_and_destroyed_with_its_snapshots(tea, sdk, scene):
    snapshot = snapshotted(tea, scene)
    request = {"RegionId": REGION, "ClientToken": "TF-CreateImage-1", "ImageName": "tf", "SnapshotId": snapshot}
    request |= {"Architecture": "x86_64", "Platform": "Ubuntu", "ResourceGroupId": "rg-1"} | tags(For="Test")
    image = tea.call("CreateImage", request)["ImageId"]
    row = usable(tea, image)
    assert (row["Status"], row["Description"]) == ("Available", ""), "a missing text never equals the configured one"
    assert (row["ImageName"], row["Architecture"], row["ResourceGroupId"]) == ("tf", "x86_64", "rg-1")
    assert row["Tags"]["Tag"] == [{"TagKey": "For", "TagValue": "Test"}]
    (mapping,) = row["DiskDeviceMappings"]["DiskDeviceMapping"]
    assert (mapping["SnapshotId"], mapping["Type"], int(mapping["Size"])) == (snapshot, "system", 40)
    assert {"Device", "Format", "ImportOSSBucket", "ImportOSSObject", "Progress", "RemainTime"} <= mapping.keys()

    change = {"RegionId": REGION, "ImageId": image, "ImageName": "tf2", "Description": "changed"}
    tea.call("ModifyImageAttribute", change)
    wait_until(lambda: read(tea, image)[0]["Description"] == "changed")
    resource = {"RegionId": REGION, "ResourceType": "image"}
    tea.call("JoinResourceGroup", resource | {"ResourceId": image, "ResourceGroupId": "rg-2"})
    tea.call("UntagResources", resource | {"ResourceId": [image], "TagKey": ["For"]})
    tea.call("TagResources", resource | {"ResourceId": [image]} | tags(For="Other"))
    told = tea.call("ListTagResources", resource | {"ResourceId": [image]})
    assert [(each["TagKey"], each["TagValue"]) for each in told["TagResources"]["TagResource"]] == [("For", "Other")]
    assert read(tea, image)[0]["ResourceGroupId"] == "rg-2"

    deleted(sdk, image, force=True)
    for each in row["DiskDeviceMappings"]["DiskDeviceMapping"]:  # delete_auto_snapshot
        tea.call("DeleteSnapshot", {"SnapshotId": each["SnapshotId"], "Force": True})
    assert tea.snapshots(snapshot) == []


def test_an_image_of_an_instance_is_retried_until_the_instance_may_be_taken(tea, sdk, scene):
    tea.lever("/faults", action="CreateImage", when={"nth": 1}, effect={"error": "IncorrectInstanceStatus"})
    request = {
        "RegionId": REGION,
        "ClientToken": "TF-CreateImage-2",
        "InstanceId": scene["instance"],
        "ImageName": "tf",
    }
    assert tea.refused("CreateImage", request)[0] == "IncorrectInstanceStatus"
    image = tea.call("CreateImage", request)["ImageId"]
    row = usable(tea, image)
    assert len(row["DiskDeviceMappings"]["DiskDeviceMapping"]) == 2
    deleted(sdk, image)


def test_an_image_of_mapped_snapshots_keeps_the_order_of_its_disks(tea, scene):
    snapshots = []
    for disk in (scene["system"], scene["data"]):
        snapshots.append(tea.call("CreateSnapshot", {"DiskId": disk, "ClientToken": f"TF-{disk}"})["SnapshotId"])
        tea.accomplished(snapshots[-1])
    mappings = [
        {"SnapshotId": snapshots[0], "DiskType": "system", "Device": "/dev/xvda", "Size": 40},
        {"SnapshotId": snapshots[1], "DiskType": "data", "Device": "/dev/xvdb", "Size": 40},
    ]
    request = {"RegionId": REGION, "ClientToken": "TF-CreateImage-3", "ImageName": "tf", "DiskDeviceMapping": mappings}
    row = usable(tea, tea.call("CreateImage", request)["ImageId"])
    assert [each["SnapshotId"] for each in row["DiskDeviceMappings"]["DiskDeviceMapping"]] == snapshots


def test_a_copy_is_waited_for_in_the_other_region(tea, sdk, scene):
    request = {"ImageName": "tf", "SnapshotId": snapshotted(tea, scene), "ClientToken": "TF-CreateImage-4"}
    image = sdk.call("CreateImage", request)["ImageId"]
    usable(tea, image)
    copy = {"ImageId": image, "DestinationRegionId": OTHER, "DestinationImageName": "copy", "Encrypted": False}
    copied = sdk.call("CopyImage", copy | {"DestinationDescription": "of tf"} | tags(For="Test"))["ImageId"]
    far = Sdk(sdk.endpoint, OTHER)

    def rows():
        (row,) = far.listed("DescribeImages", {"ImageId": copied, "Status": ANY})
        assert row["Status"] in ("Creating", "Waiting", "Available")
        return [row]

    row = far.reaches(rows, "Available", delay="1m")
    assert (row["ImageName"], row["Description"], row["IsCopied"]) == ("copy", "of tf", True)
    assert row["Tags"]["Tag"] == [{"TagKey": "For", "TagValue": "Test"}]
    far.call("ModifyImageAttribute", {"ImageId": copied, "ImageName": "copy2", "Description": "changed"})
    deleted(far, copied)
    deleted(sdk, image)


def test_the_data_source_asks_for_the_tags_of_each_image(tea, sdk, scene):
    image = sdk.call("CreateImage", {"ImageName": "tf", "SnapshotId": snapshotted(tea, scene)} | tags(For="Test"))[
        "ImageId"
    ]
    usable(tea, image)
    found, page = [], 1
    while True:
        rows = sdk.listed("DescribeImages", {"PageNumber": page, "PageSize": 50})
        found += rows
        if len(rows) < 50:
            break
        page += 1
    assert image in [row["ImageId"] for row in found]
    for row in found:
        assert [name for name in LISTED if name not in row] == []
        assert isinstance(row["Size"], int)
        told = sdk.call("DescribeTags", {"ResourceType": "image", "ResourceId": row["ImageId"]})["Tags"]["Tag"]
        assert [(tag["TagKey"], tag["TagValue"]) for tag in told] == (
            [("For", "Test")] if row["ImageId"] == image else []
        )
    owned = sdk.listed(
        "DescribeImages", {"ImageOwnerAlias": "self", "Status": "Available", "OSType": "linux"} | tags(For="Test")
    )
    assert [row["ImageId"] for row in owned] == [image]
