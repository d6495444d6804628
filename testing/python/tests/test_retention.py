"""The retention script over ninety days, with the official SDK, in less than a second."""

import time

from retention import delete_older_than


def test_ninety_days_of_retention_in_less_than_a_second(snapshotd, client, disk):
    policy = snapshotd.call(
        "CreateAutoSnapshotPolicy",
        timePoints=["3"], repeatWeekdays=["1", "2", "3", "4", "5", "6", "7"], retentionDays=-1,
    )["AutoSnapshotPolicyId"]  # fmt: skip
    snapshotd.call("ApplyAutoSnapshotPolicy", autoSnapshotPolicyId=policy, diskIds=[disk])
    kept = snapshotd.call("CreateSnapshot", DiskId=disk, SnapshotName="golden")["SnapshotId"]
    snapshotd.clock.advance("1m")
    snapshotd.call("CreateImage", SnapshotId=kept)

    begun = time.perf_counter()
    deleted = []
    now = snapshotd.clock.now
    for _ in range(90):
        snapshotd.clock.advance("1d")
        now = snapshotd.clock.now
        deleted += delete_older_than(client, 7, now)
    seconds = time.perf_counter() - begun
    print(f"\n90 days, {len(snapshotd.requests.list())} calls: {seconds:.3f} s")

    left = snapshotd.call("DescribeSnapshots", PageSize=100)["Snapshots"]["Snapshot"]
    assert len(deleted) == 83
    assert [snapshot["CreationTime"] for snapshot in left if snapshot["SnapshotType"] == "auto"] == [
        f"2026-03-{day}T19:00:00Z" for day in range(31, 24, -1)
    ]
    assert kept in {snapshot["SnapshotId"] for snapshot in left}, "an image uses it"
    assert seconds < 1.0
