"""alicloud-nuke: lists all that there is until it has as many as TotalCount says, and deletes it by force, in waves.

Replays resources/snapshot.go, disk.go, image.go, autoSnapshotPolicy.go, ecsInstance.go and
infrastructure/processor.go of arafato/alicloud-nuke, by ACS3.
"""

from support.dialects import REGION, Refused

POLICY = {"regionId": REGION, "timePoints": '["1"]', "repeatWeekdays": '["1"]', "retentionDays": 1}
LISTS = {
    "DescribeInstances": ({"PageSize": 100}, "InstanceId"),
    "DescribeSnapshots": ({"PageSize": 100}, "SnapshotId"),
    "DescribeDisks": ({"PageSize": 100}, "DiskId"),
    "DescribeImages": ({"PageSize": 100, "ImageOwnerAlias": "self"}, "ImageId"),
    "DescribeAutoSnapshotPolicyEx": ({"PageSize": 50}, "AutoSnapshotPolicyId"),
}
DELETIONS = {
    "DescribeInstances": ("DeleteInstance", {"Force": True}),
    "DescribeSnapshots": ("DeleteSnapshot", {"Force": True}),
    "DescribeDisks": ("DeleteDisk", {}),
    "DescribeImages": ("DeleteImage", {"RegionId": REGION, "Force": True}),
    "DescribeAutoSnapshotPolicyEx": ("DeleteAutoSnapshotPolicy", {"RegionId": REGION}),
}


def collected(acs3, action):
    """The ids of every page; a TotalCount that is too large would never end."""
    more, name = LISTS[action]
    found, page = [], 1
    while True:
        answer = acs3.call(action, {"RegionId": REGION, "PageNumber": page} | more)
        (rows,) = [inner for value in answer.values() if isinstance(value, dict) for inner in value.values()]
        found += [row[name] for row in rows]
        assert type(answer["TotalCount"]) is int, "the SDK takes no text"
        if len(found) >= answer["TotalCount"]:
            return found
        page += 1
        assert page < 20


def removed(acs3, action, resource):
    """Whether it is gone; a dependency makes it wait for the next wave."""
    deletion, more = DELETIONS[action]
    try:
        acs3.call(deletion, more | {LISTS[action][1]: resource})
    except Refused as refused:
        assert refused.status < 500
        return refused.status == 404
    return True


def test_nothing_is_left_after_some_waves(acs3, sdk, scene):
    image = sdk.call("CreateImage", {"InstanceId": scene["instance"], "ImageName": "nuke"})["ImageId"]
    sdk.call("CreateAutoSnapshotPolicy", POLICY)
    sdk.later("10m")
    for n in range(120):
        sdk.call(
            "CreateDisk", {"ZoneId": scene["zone"], "Size": 40, "DiskCategory": "cloud_essd", "DiskName": f"disk-{n}"}
        )
    for _ in range(8):
        for _ in range(10):
            sdk.call("CreateSnapshot", {"DiskId": scene["data"]})
        sdk.later("10m")
    assert sdk.listed("DescribeImages", {"ImageId": image})
    assert {action: len(collected(acs3, action)) for action in LISTS} == {
        "DescribeInstances": 1,
        "DescribeSnapshots": 82,
        "DescribeDisks": 122,
        "DescribeImages": 1,
        "DescribeAutoSnapshotPolicyEx": 1,
    }
    for _ in range(10):
        left = [(action, each) for action in LISTS for each in collected(acs3, action)]
        if not left:
            break
        for action, each in left:
            removed(acs3, action, each)
        sdk.later("10s")
    assert {action: collected(acs3, action) for action in LISTS} == {action: [] for action in LISTS}
