"""A retention script as people write it: deletes the snapshots of a region that are older than so many days."""

import json
from datetime import datetime, timedelta, timezone

from aliyunsdkecs.request.v20140526.DeleteSnapshotRequest import DeleteSnapshotRequest
from aliyunsdkecs.request.v20140526.DescribeSnapshotsRequest import DescribeSnapshotsRequest


def delete_older_than(client, days, now=None):
    """The ids of what it deleted. `now` is the clock that ages are counted by: the machine's unless a test says otherwise."""
    oldest = (now or datetime.now(timezone.utc)) - timedelta(days=days)
    request = DescribeSnapshotsRequest()
    request.set_PageSize(100)
    deleted, page = [], 1
    while True:
        request.set_PageNumber(page)
        answer = json.loads(client.do_action_with_exception(request))
        for snapshot in answer["Snapshots"]["Snapshot"]:
            made = datetime.strptime(snapshot["CreationTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
            if made < oldest and snapshot["Usage"] == "none":
                deleted.append(snapshot["SnapshotId"])
        if page * 100 >= answer["TotalCount"]:
            break
        page += 1
    for snapshot_id in deleted:
        deletion = DeleteSnapshotRequest()
        deletion.set_SnapshotId(snapshot_id)
        client.do_action_with_exception(deletion)
    return deleted
