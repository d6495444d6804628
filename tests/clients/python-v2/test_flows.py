"""Groups, policies, locks, tags, some thousand rows, every refusal, STS tokens, places of parameters and HTTPS, by the v2 SDK."""

import asyncio
import json
from pathlib import Path

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_tea_openapi.utils import Utils
from darabonba.runtime import RuntimeOptions

from support.daemon import wait_until

REGION = "cn-hangzhou"
REFUSALS = json.loads((Path(__file__).parents[1] / "support/refusals.json").read_text())


def test_groups(ecs):
    disk = models.RunInstancesRequestDataDisk(category="cloud_essd", size=40)
    instance = ecs.run_instance(data_disk=[disk])
    request = models.CreateSnapshotGroupRequest(region_id=REGION, instance_id=instance, name="all-disks")
    group = ecs.create_snapshot_group(request).body.snapshot_group_id

    def groups():
        request = models.DescribeSnapshotGroupsRequest(region_id=REGION, snapshot_group_id=[group])
        return ecs.describe_snapshot_groups(request).body.snapshot_groups.snapshot_group

    wait_until(lambda: groups()[0].status == "accomplished")
    (found,) = groups()
    members = {each.source_disk_id for each in found.snapshots.snapshot}
    assert found.name == "all-disks"
    assert members == {each.disk_id for each in ecs.disks(instance_id=instance)}
    change = models.ModifySnapshotGroupRequest(region_id=REGION, snapshot_group_id=group, name="renamed")
    ecs.modify_snapshot_group(change)
    assert groups()[0].name == "renamed"
    gone = ecs.delete_snapshot_group(models.DeleteSnapshotGroupRequest(region_id=REGION, snapshot_group_id=group))
    assert len(gone.body.operation_progress_set.operation_progress) == len(members)
    assert groups() == []
    assert ecs.snapshots() == []


def test_policies(ecs):
    (disk,) = ecs.disks(instance_id=ecs.run_instance())
    request = models.CreateAutoSnapshotPolicyRequest(
        region_id=REGION,
        auto_snapshot_policy_name="nightly",
        time_points='["1"]',
        repeat_weekdays='["1","7"]',
        retention_days=30,
    )
    policy = ecs.create_auto_snapshot_policy(request).body.auto_snapshot_policy_id
    named = {"region_id": REGION, "auto_snapshot_policy_id": policy}

    def policies():
        request = models.DescribeAutoSnapshotPolicyExRequest(**named)
        return ecs.describe_auto_snapshot_policy_ex(request).body.auto_snapshot_policies.auto_snapshot_policy

    (made,) = policies()
    assert (made.time_points, made.repeat_weekdays, made.retention_days) == ('["1"]', '["1","7"]', 30)
    ids = json.dumps([disk.disk_id])
    ecs.apply_auto_snapshot_policy(models.ApplyAutoSnapshotPolicyRequest(disk_ids=ids, **named))
    assert ecs.disks(disk_ids=ids)[0].auto_snapshot_policy_id == policy
    assert policies()[0].disk_nums == 1
    ecs.modify_auto_snapshot_policy_ex(models.ModifyAutoSnapshotPolicyExRequest(retention_days=-1, **named))
    assert policies()[0].retention_days == -1
    ecs.cancel_auto_snapshot_policy(models.CancelAutoSnapshotPolicyRequest(region_id=REGION, disk_ids=ids))
    ecs.delete_auto_snapshot_policy(models.DeleteAutoSnapshotPolicyRequest(**named))
    assert policies() == []


def test_locks(ecs):
    (disk,) = ecs.disks(instance_id=ecs.run_instance())
    snapshot = ecs.snapshot(disk.disk_id)
    ecs.accomplished(snapshot)
    request = models.LockSnapshotRequest(
        region_id=REGION, snapshot_id=snapshot, lock_mode="compliance", lock_duration=1, cool_off_period=1
    )
    ecs.lock_snapshot(request)
    asking = models.DescribeLockedSnapshotsRequest(region_id=REGION, snapshot_ids=[snapshot])
    (locked,) = ecs.describe_locked_snapshots(asking).body.locked_snapshots_info
    assert locked.lock_status == "compliance-cooloff"
    with pytest.raises(ClientException) as caught:
        ecs.delete_snapshot(models.DeleteSnapshotRequest(snapshot_id=snapshot, force=True))
    assert (caught.value.code, caught.value.status_code) == ("InvalidOperation.SnapshotLocked", 403)
    ecs.unlock_snapshot(models.UnlockSnapshotRequest(region_id=REGION, snapshot_id=snapshot))
    ecs.delete_snapshot(models.DeleteSnapshotRequest(snapshot_id=snapshot))


def test_tags(ecs):
    (disk,) = ecs.disks(instance_id=ecs.run_instance())
    tags = [models.CreateSnapshotRequestTag(key="made", value="here"), models.CreateSnapshotRequestTag(key="empty", value="")]
    snapshot = ecs.snapshot(disk.disk_id, tag=tags)
    (seen,) = ecs.snapshots(tag=[models.DescribeSnapshotsRequestTag(key="made", value="here")])
    assert seen.snapshot_id == snapshot
    common = {"region_id": REGION, "resource_type": "snapshot", "resource_id": [snapshot]}
    ecs.untag_resources(models.UntagResourcesRequest(tag_key=["made"], **common))
    (left,) = ecs.snapshots()[0].tags.tag
    assert (left.tag_key, left.tag_value) == ("empty", "")


def test_paging(ecs):
    disk = models.RunInstancesRequestDataDisk(category="cloud_essd", size=40)
    for _ in range(2):
        ecs.run_instance(amount=100, data_disk=[disk] * 15)

    async def walk():
        """The pages side by side, as a program that is in a hurry asks for them."""
        requests = [models.DescribeDisksRequest(region_id=REGION, page_number=i, page_size=100) for i in range(1, 33)]
        return await asyncio.gather(*(ecs.describe_disks_async(request) for request in requests))

    pages = [answer.body for answer in asyncio.run(walk())]
    by_number = [each.disk_id for page in pages for each in page.disks.disk]
    assert {page.total_count for page in pages} == {3200}
    by_token, token = [], None
    while token != "":
        request = models.DescribeDisksRequest(region_id=REGION, max_results=500, next_token=token)
        page = ecs.describe_disks(request).body
        by_token += [each.disk_id for each in page.disks.disk]
        token = page.next_token
    assert len(set(by_number)) == 3200
    assert by_token == by_number


def by_name(client, action, parameters, place="query", **more):
    """Calls an action with parameters that its request class would not take, or in another place than it has."""
    params = {"version": "2014-05-26", "protocol": "HTTP", "pathname": "/", "method": "POST", "auth_type": "AK"}
    params |= {"action": action, "style": "RPC", "req_body_type": "formData", "body_type": "json"} | more
    parameters = {"RegionId": REGION} | parameters
    request = OpenApiRequest(**{place: Utils.query(parameters) if place == "query" else parameters})
    return client.call_api(Params(**params), request, RuntimeOptions())["body"]


def test_errors(ecs):
    for each in REFUSALS:
        with ecs.refused(each["code"], each["status"], each["message"]):
            by_name(ecs, each["action"], each["parameters"])


def connected(daemon, **changes):
    settings = {"access_key_id": "testid", "access_key_secret": "testsecret", "endpoint": daemon.endpoint}
    return Client(Config(**settings | {"protocol": "HTTP", "region_id": REGION} | changes))


def test_sts(daemon):
    temporary = {"access_key_id": "STS.testid", "access_key_secret": "stssecret"}
    request = models.DescribeSnapshotsRequest(region_id=REGION)
    accepted = connected(daemon, security_token="ststoken", **temporary)
    assert accepted.describe_snapshots(request).body.total_count == 0
    with pytest.raises(ClientException) as caught:
        connected(daemon, security_token="another", **temporary).describe_snapshots(request)
    assert caught.value.code == "InvalidSecurityToken.MismatchWithAccessKey"


# What an encoding may spoil.
AWKWARD = "a & b=c <d> ~*+ %20 \"e\" 'f' 快照 😀"
FORM = {"place": "body"}
JSON = {"place": "body", "req_body_type": "json"}


def test_places(daemon, ecs):
    (disk,) = ecs.disks(instance_id=ecs.run_instance())
    temporary = {"access_key_id": "STS.testid", "access_key_secret": "stssecret", "security_token": "ststoken"}
    # What this SDK calls v2 is the signature of the old ones.
    for algorithm, places in (
        ({}, [{}, {"method": "GET"}, FORM, JSON]),
        ({"signature_algorithm": "v2"}, [{}, {"method": "GET"}, FORM]),
    ):
        for key in ({}, temporary):
            client = connected(daemon, **algorithm, **key)
            for place in places:
                tag = {"Key": "place", "Value": f"{algorithm} {len(key)} {place} {AWKWARD}"}
                what = {"ResourceType": "disk", "ResourceId": [disk.disk_id], "Tag": [tag]}
                by_name(client, "TagResources", what, **place)
                (found,) = by_name(client, "DescribeDisks", {"Tag": [tag]}, **place)["Disks"]["Disk"]
                assert found["DiskId"] == disk.disk_id
                assert found["Tags"]["Tag"] == [{"TagKey": "place", "TagValue": tag["Value"]}]


def test_https(daemon):
    request = models.DescribeSnapshotsRequest(region_id=REGION)
    over_tls = {"endpoint": daemon.tls_endpoint, "protocol": "HTTPS"}
    trusting = connected(daemon, ca=str(daemon.ca), **over_tls)
    assert trusting.describe_snapshots(request).body.total_count == 0
    # Another name of the same daemon: the SDK keeps the connection and the trust that it has for a host.
    elsewhere = daemon.tls_endpoint.replace("127.0.0.1", "localhost")
    with pytest.raises(Exception, match="(?i)certificate.verify.failed"):
        connected(daemon, endpoint=elsewhere, protocol="HTTPS").describe_snapshots(request)
