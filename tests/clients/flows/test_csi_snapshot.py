"""The snapshot calls of the CSI driver: create with a token, wait, list, delete by force, and a group."""

import json
from datetime import datetime

from support.daemon import wait_until

TAGS = {
    "createdby": "alibabacloud-csi-plugin",
    "force.delete.snapshot.k8s.aliyun.com": "true",
    "ack.aliyun.com": "c1",
}


def numbered(tags):
    """Tag.1.Key, Tag.1.Value and so on."""
    pairs = enumerate(tags.items(), 1)
    return {f"Tag.{i}.{part}": text for i, pair in pairs for part, text in zip(("Key", "Value"), pair)}


def test_a_volume_snapshot_is_made_listed_and_deleted(wire, disks):
    found = wire.call("DescribeDisks", {"DiskIds": json.dumps([disks["data"]])})["Disks"]["Disk"]
    assert len(found) == 1
    making = {"DiskId": disks["data"], "SnapshotName": "snapshot-uid", "ClientToken": "uid"} | numbered(TAGS)
    snapshot = wire.call("CreateSnapshot", making)["SnapshotId"]
    assert wire.call("CreateSnapshot", making)["SnapshotId"] == snapshot
    assert wire.refused("CreateSnapshot", making | {"SnapshotName": "other"}) == ("IdempotentParameterMismatch", 403)
    wait_until(lambda: wire.snapshots(snapshot)[0]["CreationTime"])
    wait_until(lambda: wire.snapshots(snapshot)[0]["Available"] is True)
    (ready,) = wire.snapshots(snapshot)
    datetime.strptime(ready["CreationTime"], "%Y-%m-%dT%H:%M:%SZ")
    assert int(ready["SourceDiskSize"]) == 40

    listing = {"Tag.1.Key": "ack.aliyun.com", "Tag.1.Value": "c1", "MaxResults": 10}
    page = wire.call("DescribeSnapshots", listing)
    assert ([each["SnapshotId"] for each in page["Snapshots"]["Snapshot"]], page["NextToken"]) == ([snapshot], "")

    restoring = {"ZoneId": found[0]["ZoneId"], "SnapshotId": snapshot, "DiskCategory": "cloud_essd", "ClientToken": "pv"}
    wire.call("CreateDisk", restoring)
    wire.call("DeleteSnapshot", {"SnapshotId": snapshot, "Force": "true"})
    assert wire.snapshots(snapshot) == []


def test_a_group_is_found_by_name_and_tells_its_members(wire, disks):
    assert wire.call("DescribeSnapshotGroups", {"Name": "group-uid"})["SnapshotGroups"]["SnapshotGroup"] == []
    making = {"Name": "group-uid", "DiskId.1": disks["system"], "DiskId.2": disks["data"]}
    group = wire.call("CreateSnapshotGroup", making | numbered(TAGS))["SnapshotGroupId"]

    def shown():
        answer = wire.call("DescribeSnapshotGroups", {"SnapshotGroupId.1": group})
        return answer["SnapshotGroups"]["SnapshotGroup"][0]

    wait_until(lambda: shown()["Status"] == "accomplished")
    datetime.strptime(shown()["CreationTime"], "%Y-%m-%dT%H:%M:%SZ")
    members = shown()["Snapshots"]["Snapshot"]
    assert [each["Available"] for each in members] == [True, True]
    (member,) = wire.snapshots(members[0]["SnapshotId"])
    assert f"Created_from_{group}" in (member["SnapshotName"], member["Description"])
    wire.call("DeleteSnapshotGroup", {"SnapshotGroupId": group})
    assert wire.snapshots(*(each["SnapshotId"] for each in members)) == []
