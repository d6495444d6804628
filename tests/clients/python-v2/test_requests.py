"""Everything around a call: the plain form, async, tags, paging, client tokens, dry runs and keys, by the v2 SDK."""

import asyncio
import json

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config

MISSING_ID = "The input parameter SnapshotId that is mandatory for processing this request is not supplied."


def test_the_unwrapped_sdk_needs_an_endpoint_and_http(daemon):
    config = Config(
        access_key_id="testid",
        access_key_secret="testsecret",
        endpoint=daemon.endpoint,
        protocol="HTTP",
        region_id="cn-hangzhou",
    )
    answer = Client(config).describe_snapshots(models.DescribeSnapshotsRequest(region_id="cn-hangzhou", page_size=50))
    assert answer.status_code == 200
    assert answer.body.snapshots.snapshot == []
    assert (answer.body.total_count, answer.body.page_number, answer.body.page_size) == (0, 1, 50)


def test_async_calls_run_side_by_side(ecs):
    instance = ecs.run_instance()
    (disk,) = ecs.disks(instance_id=instance)

    async def work():
        requests = [models.CreateSnapshotRequest(disk_id=disk.disk_id, snapshot_name=f"at-once-{i}") for i in range(5)]
        made = await asyncio.gather(*(ecs.create_snapshot_async(request) for request in requests))
        listed = await ecs.describe_snapshots_async(models.DescribeSnapshotsRequest(region_id="cn-hangzhou"))
        with ecs.refused("MissingParameter", 400, MISSING_ID):
            await ecs.delete_snapshot_async(models.DeleteSnapshotRequest(snapshot_id=None))
        return {answer.body.snapshot_id for answer in made}, listed.body.snapshots.snapshot

    made, listed = asyncio.run(work())
    assert {row.snapshot_id for row in listed} == made
    assert {row.snapshot_name for row in listed} == {f"at-once-{i}" for i in range(5)}


def test_tags_are_put_listed_and_filtered_by(ecs):
    (disk,) = ecs.disks(instance_id=ecs.run_instance())
    tagged, plain = ecs.snapshot(disk.disk_id), ecs.snapshot(disk.disk_id)
    common = {"region_id": "cn-hangzhou", "resource_type": "snapshot"}
    tags = [
        models.TagResourcesRequestTag(key="team", value="storage"),
        models.TagResourcesRequestTag(key="empty", value=""),
    ]
    ecs.tag_resources(models.TagResourcesRequest(resource_id=[tagged], tag=tags, **common))
    request = models.ListTagResourcesRequest(resource_id=[tagged, plain], **common)
    listed = ecs.list_tag_resources(request).body.tag_resources.tag_resource
    found = {(tag.resource_id, tag.tag_key, tag.tag_value) for tag in listed}
    assert found == {(tagged, "team", "storage"), (tagged, "empty", "")}
    (seen,) = ecs.snapshots(tag=[models.DescribeSnapshotsRequestTag(key="team", value="storage")])
    assert seen.snapshot_id == tagged
    assert {tag.tag_key for tag in seen.tags.tag} == {"team", "empty"}
    ecs.untag_resources(models.UntagResourcesRequest(resource_id=[tagged], tag_key=["team"], **common))
    assert ecs.snapshots(tag=[models.DescribeSnapshotsRequestTag(key="team")]) == []


def test_25_snapshots_are_walked_by_page_number_and_by_token(ecs):
    disk = models.RunInstancesRequestDataDisk(category="cloud_essd", size=40)
    instance = ecs.run_instance(data_disk=[disk, disk])
    disks = [each.disk_id for each in ecs.disks(instance_id=instance)]
    made = [ecs.snapshot(disks[i % 3]) for i in range(25)]

    def page(**parameters):
        return ecs.describe_snapshots(models.DescribeSnapshotsRequest(region_id="cn-hangzhou", **parameters)).body

    pages = [page(page_number=number, page_size=10) for number in (1, 2, 3, 4)]
    assert [each.total_count for each in pages] == [25] * 4
    assert [each.page_number for each in pages] == [1, 2, 3, 4]
    rows = [[row.snapshot_id for row in each.snapshots.snapshot] for each in pages]
    assert [len(each) for each in rows] == [10, 10, 5, 0]
    assert sorted(sum(rows, [])) == sorted(made)

    token, walked = None, []
    while token != "":
        answer = page(max_results=10, next_token=token)
        walked.append([row.snapshot_id for row in answer.snapshots.snapshot])
        token = answer.next_token
    assert walked == rows[:3]


def test_a_client_token_gives_the_same_snapshot_and_refuses_other_parameters(ecs):
    (disk,) = ecs.disks(instance_id=ecs.run_instance())
    made = ecs.snapshot(disk.disk_id, client_token="token-1", snapshot_name="once")
    assert ecs.snapshot(disk.disk_id, client_token="token-1", snapshot_name="once") == made
    assert len(ecs.snapshots()) == 1
    with ecs.refused("IdempotentParameterMismatch", 403, "The specified clientToken is used."):
        ecs.snapshot(disk.disk_id, client_token="token-1", snapshot_name="twice")


def test_a_dry_run_is_told_and_changes_nothing(ecs):
    with ecs.refused("DryRunOperation", 400, "Request validation has been passed with DryRun flag set."):
        ecs.run_instance(dry_run=True)
    assert ecs.instances() == []


def test_a_missing_parameter_is_named(ecs):
    with ecs.refused("MissingParameter", 400, MISSING_ID):
        ecs.delete_snapshot(models.DeleteSnapshotRequest())


def test_a_wrong_secret_is_answered_with_the_string_that_the_daemon_signed(connect):
    with pytest.raises(ClientException) as caught:
        connect(secret="wrong").snapshots()
    error = caught.value
    assert (error.code, error.status_code) == ("SignatureDoesNotMatch", 400)
    told = "Specified signature is not matched with our calculation. server string to sign is:ACS3-HMAC-SHA256\n"
    assert error.message.startswith(f"code: 400, {told}")


def test_an_unknown_key_is_not_found(connect):
    with connect(key="nobody").refused("InvalidAccessKeyId.NotFound", 404, "Specified access key is not found."):
        connect(key="nobody").snapshots()


def test_a_refusal_carries_the_whole_answer(ecs):
    with pytest.raises(ClientException) as caught:
        ecs.delete_snapshot(models.DeleteSnapshotRequest(snapshot_id="s-bp1neverexisted00000"))
    answer = caught.value.data
    assert answer["Code"] == "InvalidSnapshotId.NotFound"
    assert answer["Message"] == "The specified snapshot is not found"
    assert answer["HostId"] == ecs._endpoint
    assert answer["RequestId"] == caught.value.request_id
    assert json.dumps(answer["Recommend"]).startswith('"https://')
