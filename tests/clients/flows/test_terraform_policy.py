"""Terraform's alicloud_ecs_auto_snapshot_policy, its attachment and data source.

Replays alicloud/resource_alicloud_ecs_auto_snapshot_policy.go,
resource_alicloud_ecs_auto_snapshot_policy_attachment.go, data_source_alicloud_ecs_auto_snapshot_policies.go and
service_alicloud_ecs.go (DescribeEcsAutoSnapshotPolicy, DescribeEcsAutoSnapshotPolicyAttachment) of
aliyun/terraform-provider-alicloud, with the lower-camel names that it sends.
"""

import json

from support.dialects import REGION, Refused, tags

POLICY = {
    "regionId": REGION,
    "autoSnapshotPolicyName": "tf",
    "retentionDays": -1,
    "repeatWeekdays": '["1","2","3"]',
    "timePoints": '["1","22","23"]',
}
COPIED = {"EnableCrossRegionCopy": True, "CopiedSnapshotsRetentionDays": 7, "TargetCopyRegions": '["cn-beijing"]'}


def policies(tea, policy):
    return tea.listed("DescribeAutoSnapshotPolicyEx", {"RegionId": REGION, "AutoSnapshotPolicyId": policy})


def deleted(tea, policy):
    """What older releases retried is still fatal for none; ParameterInvalid and a 404 are taken for done."""
    try:
        tea.call("DeleteAutoSnapshotPolicy", {"autoSnapshotPolicyId": policy, "regionId": REGION})
    except Refused as refused:
        assert refused.code == "ParameterInvalid" or refused.status == 404
    assert policies(tea, policy) == []


def test_a_policy_is_made_read_changed_and_destroyed(tea, scene):
    policy = tea.call("CreateAutoSnapshotPolicy", POLICY | COPIED | tags(For="Test"))["AutoSnapshotPolicyId"]
    row = tea.reaches(lambda policy: policies(tea, policy), "Normal", policy)
    for name, sent in (("RepeatWeekdays", POLICY["repeatWeekdays"]), ("TimePoints", POLICY["timePoints"])):
        assert isinstance(row[name], str) and json.loads(row[name]) == json.loads(sent)
    assert json.loads(row["TargetCopyRegions"]) == ["cn-beijing"]
    assert (row["AutoSnapshotPolicyName"], row["EnableCrossRegionCopy"]) == ("tf", True)
    assert (int(row["RetentionDays"]), int(row["CopiedSnapshotsRetentionDays"])) == (-1, 7)
    assert row["Tags"]["Tag"] == [{"TagKey": "For", "TagValue": "Test"}]

    change = {"autoSnapshotPolicyId": policy, "RegionId": REGION, "autoSnapshotPolicyName": "tf2", "retentionDays": 1}
    change |= {"timePoints": '["0"]', "repeatWeekdays": '["7"]', "EnableCrossRegionCopy": False}
    tea.call("ModifyAutoSnapshotPolicyEx", change)
    resource = {"RegionId": REGION, "ResourceType": "snapshotpolicy"}
    tea.call("UntagResources", resource | {"ResourceId": [policy], "TagKey": ["For"]})
    tea.call("TagResources", resource | {"ResourceId": [policy]} | tags(For="Other"))
    tea.call("JoinResourceGroup", resource | {"ResourceId": policy, "ResourceGroupId": "rg-tf"})
    (row,) = policies(tea, policy)
    assert (row["AutoSnapshotPolicyName"], int(row["RetentionDays"])) == ("tf2", 1)
    assert (row["RepeatWeekdays"], row["TimePoints"], row["ResourceGroupId"]) == ('["7"]', '["0"]', "rg-tf")
    assert row["Tags"]["Tag"] == [{"TagKey": "For", "TagValue": "Other"}]
    deleted(tea, policy)
    deleted(tea, policy)


def test_an_attachment_is_read_from_the_disk(tea, scene):
    policy = tea.call("CreateAutoSnapshotPolicy", POLICY)["AutoSnapshotPolicyId"]
    disk = scene["data"]
    ids = json.dumps([disk])
    tea.call("ApplyAutoSnapshotPolicy", {"autoSnapshotPolicyId": policy, "diskIds": ids, "regionId": REGION})

    def attached():
        rows = tea.listed("DescribeDisks", {"AutoSnapshotPolicyId": policy, "DiskIds": ids, "RegionId": REGION})
        return [(row["DiskId"], row["AutoSnapshotPolicyId"], row["RegionId"]) for row in rows]

    assert attached() == [(disk, policy, REGION)]
    (row,) = policies(tea, policy)
    assert int(row["DiskNums"]) == 1
    tea.call("CancelAutoSnapshotPolicy", {"diskIds": ids, "regionId": REGION})
    assert attached() == []
    gone = {"diskIds": '["d-bp1neverexisted00000"]', "regionId": REGION}
    assert tea.refused("CancelAutoSnapshotPolicy", gone)[0] == "InvalidDiskId.NotFound", "which is taken for done"
    deleted(tea, policy)


def test_the_data_source_lists_what_there_is(tea, scene):
    made = [tea.call("CreateAutoSnapshotPolicy", POLICY | tags(n=str(n)))["AutoSnapshotPolicyId"] for n in range(3)]
    rows = tea.listed("DescribeAutoSnapshotPolicyEx", {"RegionId": REGION, "PageSize": 50, "PageNumber": 1})
    assert {row["AutoSnapshotPolicyId"] for row in rows} == set(made)
    for row in rows:
        assert isinstance(row["Status"], str)
        assert all(int(row[name]) >= 0 for name in ("DiskNums", "VolumeNums"))
        assert all(isinstance(json.loads(row[name]), list) for name in ("RepeatWeekdays", "TimePoints"))
    (row,) = tea.listed("DescribeAutoSnapshotPolicyEx", {"RegionId": REGION, "PageSize": 50} | tags(n="2"))
    assert row["AutoSnapshotPolicyId"] == made[2]
