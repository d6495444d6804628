"""Packer: an image of a snapshot, tags on its snapshots, and the clean-up that deletes image and snapshots at once."""

from support.daemon import wait_until


def test_an_image_is_made_and_cleaned_up_without_a_pause(wire, disks):
    snapshot = wire.call("CreateSnapshot", {"DiskId": disks["system"]})["SnapshotId"]
    wire.accomplished(snapshot)
    before = {"ImageName": "packer", "Status": "Waiting,Creating,CreateFailed,Available"}
    assert wire.call("DescribeImages", before)["Images"]["Image"] == []
    making = {"ImageName": "packer", "SnapshotId": snapshot, "ClientToken": "p-1", "Tag.1.Key": "by", "Tag.1.Value": "packer"}
    image = wire.call("CreateImage", making)["ImageId"]
    wait_until(lambda: wire.call("DescribeImages", {"ImageId": image, "Status": "Available"})["Images"]["Image"])
    (found,) = wire.call("DescribeImages", {"ImageName": "packer"})["Images"]["Image"]
    assert found["ImageOwnerAlias"] == "self"
    mapped = [each["SnapshotId"] for each in found["DiskDeviceMappings"]["DiskDeviceMapping"]]
    assert mapped == [snapshot]
    assert wire.refused("DeleteSnapshot", {"SnapshotId": snapshot}) == ("SnapshotCreatedImage", 403)
    wire.call("DeleteImage", {"ImageId": image})
    for each in mapped:
        wire.call("DeleteSnapshot", {"SnapshotId": each})
    assert wire.snapshots(snapshot) == []
