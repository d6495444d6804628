"""Steampipe: tables of snapshots, disks and images, filled by tokens or by pages up to TotalCount.

Replays alicloud/table_alicloud_ecs_snapshot.go, table_alicloud_ecs_disk.go, table_alicloud_ecs_image.go and
table_alicloud_ecs_auto_snapshot_policy.go of turbot/steampipe-plugin-alicloud, in the current releases and in those
that paged by number; and getCommonColumns of common_columns.go, which asks STS for the account of the key.
"""

from support.dialects import REGION, Sts, instant, tags

COLUMNS = """SnapshotId SnapshotType SnapshotSN Status CreationTime LastModifiedTime Description Encrypted InstantAccess
    ProductCode Progress RemainTime SourceDiskId SourceDiskSize SourceDiskType Usage""".split()


def test_the_column_of_the_account_comes_from_sts(daemon):
    assert Sts(daemon.endpoint).call("GetCallerIdentity")["AccountId"] == "1000000000000001"


def by_token(sdk, action, size=100, **filters):
    request, found = {"RegionId": REGION, "MaxResults": size} | filters, []
    while True:
        answer = sdk.call(action, request)
        (rows,) = [inner for value in answer.values() if isinstance(value, dict) for inner in value.values()]
        found += rows
        if not answer["NextToken"]:
            return found
        request["NextToken"] = answer["NextToken"]


def by_page(sdk, action, **filters):
    """Until as many as TotalCount were seen; the next page is the one after that which the answer names."""
    page, found = 1, []
    while True:
        answer = sdk.call(action, {"PageSize": 50, "PageNumber": page} | filters)
        (rows,) = [inner for value in answer.values() if isinstance(value, dict) for inner in value.values()]
        found += rows
        if len(found) >= answer["TotalCount"]:
            return found
        page = answer["PageNumber"] + 1


def filled(sdk, scene):
    for n in range(60):
        making = {"DiskId": scene["data"], "SnapshotName": f"row-{n}"}
        sdk.call("CreateSnapshot", making | tags(n=str(n)))
        if n % 10 == 9:
            sdk.later("10m")


def test_the_table_of_snapshots_is_the_same_by_tokens_and_by_pages(sdk, scene):
    filled(sdk, scene)
    rows = by_token(sdk, "DescribeSnapshots")
    assert len({row["SnapshotId"] for row in rows}) == len(rows) == 60
    assert rows == by_page(sdk, "DescribeSnapshots")
    assert rows == by_token(sdk, "DescribeSnapshots", 20), "a LIMIT of the statement"
    for row in rows:
        assert [name for name in COLUMNS if name not in row] == []
        instant(row)  # a column of the type TIMESTAMP
        assert {tag["TagKey"]: tag["TagValue"] for tag in row["Tags"]["Tag"]} == {"n": row["SnapshotName"][4:]}
    (one,) = sdk.listed("DescribeSnapshots", {"SnapshotName": "row-7"})
    assert one == next(row for row in rows if row["SnapshotName"] == "row-7")


def test_the_table_of_disks_asks_for_the_policy_of_each(sdk, scene):
    policy = {"regionId": REGION, "timePoints": '["1"]', "repeatWeekdays": '["1"]', "retentionDays": 1}
    policy = sdk.call("CreateAutoSnapshotPolicy", policy)["AutoSnapshotPolicyId"]
    ids = f'["{scene["data"]}"]'
    sdk.call("ApplyAutoSnapshotPolicy", {"regionId": REGION, "autoSnapshotPolicyId": policy, "diskIds": ids})
    rows = by_token(sdk, "DescribeDisks")
    assert rows == by_page(sdk, "DescribeDisks")
    told = {row["DiskId"]: row["AutoSnapshotPolicyId"] for row in rows}
    assert told == {scene["data"]: policy, scene["system"]: ""}
    (hydrated,) = sdk.listed("DescribeAutoSnapshotPolicyEx", {"AutoSnapshotPolicyId": policy})
    assert hydrated["Status"] == "Normal"


def test_the_table_of_images_asks_for_the_shares_of_own_ones(sdk, scene):
    image = sdk.call("CreateImage", {"InstanceId": scene["instance"], "ImageName": "row"})["ImageId"]
    sdk.later("1h")
    rows = by_page(sdk, "DescribeImages")
    assert image in [row["ImageId"] for row in rows]
    for row in rows:
        if row["ImageOwnerAlias"] == "self":
            told = sdk.call("DescribeImageSharePermission", {"ImageId": row["ImageId"]})
            assert (told["ImageId"], told["Accounts"]["Account"]) == (image, [])
