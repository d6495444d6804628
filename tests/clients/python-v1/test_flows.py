"""Groups, policies, locks, tags, some thousand rows, every refusal, STS tokens, places of parameters and HTTPS, by the v1 SDK."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from aliyunsdkcore.acs_exception.exceptions import ClientException, ServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from aliyunsdkecs.request.v20140526.DescribeSnapshotsRequest import DescribeSnapshotsRequest

from support.daemon import wait_until

REFUSALS = json.loads((Path(__file__).parents[1] / "support/refusals.json").read_text())


def by_name(ecs, action, **parameters):
    """Calls an action that the SDK has no class for, or with parameters that it would not take."""
    request = CommonRequest(domain=ecs.endpoint, version="2014-05-26", action_name=action)
    request.set_method("POST")
    for name, value in parameters.items():
        request.add_query_param(name, value)
    return json.loads(ecs.client.do_action_with_exception(request))


def test_groups(ecs):
    instance = ecs.run_instance(DataDisks=[{"Category": "cloud_essd", "Size": 40}])
    group = ecs.call("CreateSnapshotGroup", InstanceId=instance, Name="all-disks")["SnapshotGroupId"]

    def groups():
        return ecs.call("DescribeSnapshotGroups", SnapshotGroupIds=[group])["SnapshotGroups"]["SnapshotGroup"]

    wait_until(lambda: groups()[0]["Status"] == "accomplished")
    (found,) = groups()
    members = {each["SourceDiskId"] for each in found["Snapshots"]["Snapshot"]}
    assert found["Name"] == "all-disks"
    assert members == {each["DiskId"] for each in ecs.disks(InstanceId=instance)}
    ecs.call("ModifySnapshotGroup", SnapshotGroupId=group, Name="renamed")
    assert groups()[0]["Name"] == "renamed"
    gone = ecs.call("DeleteSnapshotGroup", SnapshotGroupId=group)
    assert len(gone["OperationProgressSet"]["OperationProgress"]) == len(members)
    assert groups() == []
    assert ecs.snapshots() == []


def test_policies(ecs):
    (disk,) = ecs.disks(InstanceId=ecs.run_instance())
    times = {"timePoints": '["1"]', "repeatWeekdays": '["1","7"]'}
    policy = ecs.call("CreateAutoSnapshotPolicy", autoSnapshotPolicyName="nightly", retentionDays=30, **times)
    policy = policy["AutoSnapshotPolicyId"]

    def policies():
        answer = ecs.call("DescribeAutoSnapshotPolicyEx", AutoSnapshotPolicyId=policy)
        return answer["AutoSnapshotPolicies"]["AutoSnapshotPolicy"]

    (made,) = policies()
    assert (made["TimePoints"], made["RepeatWeekdays"], made["RetentionDays"]) == ('["1"]', '["1","7"]', 30)
    ids = json.dumps([disk["DiskId"]])
    ecs.call("ApplyAutoSnapshotPolicy", autoSnapshotPolicyId=policy, diskIds=ids)
    assert ecs.disks(DiskIds=ids)[0]["AutoSnapshotPolicyId"] == policy
    assert policies()[0]["DiskNums"] == 1
    ecs.call("ModifyAutoSnapshotPolicyEx", autoSnapshotPolicyId=policy, retentionDays=-1)
    assert policies()[0]["RetentionDays"] == -1
    ecs.call("CancelAutoSnapshotPolicy", diskIds=ids)
    ecs.call("DeleteAutoSnapshotPolicy", autoSnapshotPolicyId=policy)
    assert policies() == []


def test_locks(ecs):
    """The SDK has no classes for locks."""
    (disk,) = ecs.disks(InstanceId=ecs.run_instance())
    snapshot = ecs.call("CreateSnapshot", DiskId=disk["DiskId"])["SnapshotId"]
    ecs.accomplished(snapshot)
    here = {"RegionId": "cn-hangzhou", "SnapshotId": snapshot}
    by_name(ecs, "LockSnapshot", LockMode="compliance", LockDuration=1, CoolOffPeriod=1, **here)
    locked = by_name(ecs, "DescribeLockedSnapshots", **{"RegionId": "cn-hangzhou", "SnapshotIds.1": snapshot})
    assert [each["LockStatus"] for each in locked["LockedSnapshotsInfo"]] == ["compliance-cooloff"]
    with pytest.raises(ServerException, match=r"InvalidOperation\.SnapshotLocked"):
        ecs.call("DeleteSnapshot", SnapshotId=snapshot, Force=True)
    by_name(ecs, "UnlockSnapshot", **here)
    ecs.call("DeleteSnapshot", SnapshotId=snapshot)


def test_tags(ecs):
    (disk,) = ecs.disks(InstanceId=ecs.run_instance())
    tags = [{"Key": "made", "Value": "here"}, {"Key": "empty", "Value": ""}]
    snapshot = ecs.call("CreateSnapshot", DiskId=disk["DiskId"], Tags=tags)["SnapshotId"]
    (seen,) = ecs.snapshots(Tags=[{"Key": "made", "Value": "here"}])
    assert seen["SnapshotId"] == snapshot
    ecs.call("UntagResources", ResourceType="snapshot", ResourceIds=[snapshot], TagKeys=["made"])
    assert ecs.snapshots()[0]["Tags"]["Tag"] == [{"TagKey": "empty", "TagValue": ""}]


def test_paging(ecs):
    for _ in range(2):
        ecs.run_instance(Amount=100, DataDisks=[{"Category": "cloud_essd", "Size": 40}] * 15)
    by_number, total, number = [], 1, 1
    while len(by_number) < total:
        page = ecs.call("DescribeDisks", PageNumber=number, PageSize=100)
        by_number += [each["DiskId"] for each in page["Disks"]["Disk"]]
        total, number = page["TotalCount"], number + 1
    by_token, token = [], None
    while token != "":
        page = ecs.call("DescribeDisks", MaxResults=500, **({"NextToken": token} if token else {}))
        by_token += [each["DiskId"] for each in page["Disks"]["Disk"]]
        token = page["NextToken"]
    assert len(set(by_number)) == len(by_number) == 3200
    assert by_token == by_number


def test_errors(ecs):
    for each in REFUSALS:
        with pytest.raises(ServerException) as caught:
            by_name(ecs, each["action"], **{"RegionId": "cn-hangzhou"} | each["parameters"])
        error = caught.value
        told = (error.get_error_code(), error.get_http_status(), error.get_error_msg())
        assert told == (each["code"], each["status"], each["message"]), each
        assert error.get_request_id()


def test_sts(daemon):
    def connect(token):
        credential = StsTokenCredential("STS.testid", "stssecret", token)
        client = AcsClient(region_id="cn-hangzhou", credential=credential)
        request = CommonRequest(domain=daemon.endpoint, version="2014-05-26", action_name="DescribeSnapshots")
        return json.loads(client.do_action_with_exception(request))

    assert connect("ststoken")["TotalCount"] == 0
    with pytest.raises(ServerException, match=r"InvalidSecurityToken\.MismatchWithAccessKey"):
        connect("another")


# What an encoding may spoil.
AWKWARD = "a & b=c <d> ~*+ %20 \"e\" 'f' 快照 😀"


@pytest.mark.parametrize("token", [None, "ststoken"])
def test_places(daemon, ecs, token):
    """A request class puts all into the query, whatever the method; a CommonRequest has a form as well."""
    (disk,) = ecs.disks(InstanceId=ecs.run_instance())
    if token:
        credential = StsTokenCredential("STS.testid", "stssecret", token)
        ecs.client = AcsClient(region_id="cn-hangzhou", credential=credential)
        ecs.client.add_endpoint("cn-hangzhou", "Ecs", daemon.endpoint)

    def found(value):
        """The disk with this tag, by either method and in either format."""
        for method in ("GET", "POST"):
            request = ecs.request("DescribeDisks", Tags=[{"Key": "place", "Value": value}])
            request.set_method(method)
            answer = json.loads(ecs.client.do_action_with_exception(request))
            request = ecs.request("DescribeDisks", Tags=[{"Key": "place", "Value": value}])
            request.set_method(method)
            request.set_accept_format("XML")
            xml = ElementTree.fromstring(ecs.client.get_response(request)[2]).find("Disks/Disk")
            (row,) = answer["Disks"]["Disk"]
            assert row["Tags"]["Tag"] == [{"TagKey": "place", "TagValue": value}]
            assert xml.findtext("Tags/Tag/TagValue") == value
            assert row["DiskId"] == xml.findtext("DiskId") == disk["DiskId"]

    for method in ("GET", "POST"):
        value = f"{method} {AWKWARD}"
        request = ecs.request("TagResources", ResourceType="disk", ResourceIds=[disk["DiskId"]])
        request.set_Tags([{"Key": "place", "Value": value}])
        request.set_method(method)
        ecs.client.do_action_with_exception(request)
        found(value)
    request = CommonRequest(domain=daemon.endpoint, version="2014-05-26", action_name="TagResources")
    request.set_method("POST")
    form = {"ResourceType": "disk", "ResourceId.1": disk["DiskId"], "Tag.1.Key": "place", "Tag.1.Value": AWKWARD}
    for name, value in form.items():
        request.add_body_params(name, value)
    ecs.client.do_action_with_exception(request)
    found(AWKWARD)


# The SDK's own copies of urllib3 and six do what Python warns of.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_https(daemon, monkeypatch):
    def ask(**trust):
        client = AcsClient("testid", "testsecret", "cn-hangzhou", auto_retry=False, **trust)
        client.add_endpoint("cn-hangzhou", "Ecs", daemon.tls_endpoint)
        request = DescribeSnapshotsRequest()
        request.set_protocol_type("https")
        return json.loads(client.do_action_with_exception(request))["TotalCount"]

    with pytest.raises(ClientException, match="(?i)certificate.verify.failed"):
        ask()
    assert ask(verify=str(daemon.ca)) == 0
    monkeypatch.setenv("ALIBABA_CLOUD_CA_BUNDLE", str(daemon.ca))
    assert ask() == 0
