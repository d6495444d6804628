"""The aliyun CLI: what `--waiter` polls and `--pager` merges, by JMESPath as the CLI evaluates it.

Replays openapi/waiter.go, pager.go and invoker.go of aliyun/aliyun-cli; its program is a download, or a build of a
module that the registries here do not give out, so that only its calls are run.
"""

import json

import jmespath
import pytest

from support.daemon import wait_until
from support.dialects import REGION, instant


def waited(sdk, action, parameters, expression, to):
    """`--waiter expr=… to=…`: what the expression finds must be text, each time."""

    def probe():
        answer = sdk.call(action, parameters)
        value = jmespath.search(expression, answer)
        assert isinstance(value, str), f"the CLI ends with an error: {value!r} is no string"
        if value == to:
            return answer
        sdk.later("5s")

    return wait_until(probe)


def array_path(answer):
    """Which array the pager takes for the rows."""
    paths = [
        f"{k}.{k2}" for k, v in answer.items() if isinstance(v, dict) for k2, v2 in v.items() if isinstance(v2, list)
    ]
    (path,) = paths
    return path


def paged(sdk, action, parameters, by_token):
    """`--pager`: by NextToken until there is none, or, with that field named "", by number as TotalCount says."""
    request, rows = dict(parameters), []
    while True:
        answer = sdk.call(action, request)
        rows += jmespath.search(array_path(answer) + "[]", answer)
        if by_token:
            token = jmespath.search("NextToken", answer)
            if not token:
                return rows
            request["NextToken"] = token
        else:
            total, page, size = (jmespath.search(name, answer) for name in ("TotalCount", "PageNumber", "PageSize"))
            assert all(type(each) is int for each in (total, page, size)), "the CLI converts these without asking"
            if page >= -(-total // size):
                return rows
            request["PageNumber"] = page + 1


def test_a_waiter_sees_status_and_progress_as_text(sdk, scene):
    snapshot = sdk.call("CreateSnapshot", {"DiskId": scene["data"]})["SnapshotId"]
    ids = {"SnapshotIds": json.dumps([snapshot])}
    waited(sdk, "DescribeSnapshots", ids, "Snapshots.Snapshot[0].Status", "accomplished")
    waited(sdk, "DescribeSnapshots", ids, "Snapshots.Snapshot[0].Progress", "100%")
    instant(*sdk.snapshots(snapshot))  # what scripts around the CLI give to `date -d`
    disk = sdk.call("CreateDisk", {"ZoneId": scene["zone"], "Size": 40, "DiskCategory": "cloud_essd"})["DiskId"]
    waited(sdk, "DescribeDisks", {"DiskIds": json.dumps([disk])}, "Disks.Disk[0].Status", "Available")


@pytest.mark.parametrize("action", ["DescribeSnapshots", "DescribeDisks", "DescribeImages", "DescribeInstances"])
def test_a_pager_merges_what_one_page_would_show(sdk, scene, action):
    for _ in range(25):
        sdk.call("CreateDisk", {"ZoneId": scene["zone"], "Size": 40, "DiskCategory": "cloud_essd"})
        sdk.call("CreateSnapshot", {"DiskId": scene["data"]})
        sdk.later("10m")
    whole = sdk.listed(action, {"PageSize": 100})
    assert paged(sdk, action, {"PageSize": 10}, by_token=False) == whole
    if action in ("DescribeSnapshots", "DescribeDisks"):
        assert paged(sdk, action, {"MaxResults": 10}, by_token=True) == whole


def test_what_the_command_line_sends_is_taken_and_refused_as_it_is_there(sdk, scene):
    # `aliyun ecs DeleteSnapshot --SnapshotId …`: the profile's region comes along, though the action has none.
    snapshot = sdk.call("CreateSnapshot", {"DiskId": scene["data"], "RegionId": REGION})["SnapshotId"]
    sdk.call("DeleteSnapshot", {"SnapshotId": snapshot, "RegionId": REGION})
    # An id that is no array, and an empty value, which is as none.
    assert sdk.refused("DescribeSnapshots", {"SnapshotIds": "s-bp1neverexisted00000"}) == ("InvalidParameter", 400)
    assert sdk.listed("DescribeSnapshots", {"SnapshotIds": ""}) == []
    # `--force` lets names and actions through that the CLI does not know.
    assert sdk.refused("DescribeSnapshotz") == ("InvalidAction.NotFound", 404)
    sdk.call("DescribeSnapshots", {"NoSuchParameter": "1"})
