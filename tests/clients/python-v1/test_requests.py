"""Everything around a call: the plain form, tags, paging, client tokens, dry runs, keys and formats, by the v1 SDK."""

import json
import xml.etree.ElementTree as ElementTree

from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from aliyunsdkecs.request.v20140526.DescribeSnapshotsRequest import DescribeSnapshotsRequest

MISSING_ID = "The input parameter SnapshotId that is mandatory for processing this request is not supplied."


def test_the_unwrapped_sdk_needs_an_endpoint_and_nothing_else(daemon):
    client = AcsClient("testid", "testsecret", "cn-hangzhou")
    client.add_endpoint("cn-hangzhou", "Ecs", daemon.endpoint)
    request = DescribeSnapshotsRequest()
    request.set_PageSize(50)
    answer = json.loads(client.do_action_with_exception(request))
    assert answer["Snapshots"]["Snapshot"] == []
    assert (answer["TotalCount"], answer["PageNumber"], answer["PageSize"]) == (0, 1, 50)


def test_tags_are_put_listed_and_filtered_by(ecs):
    (disk,) = ecs.disks(InstanceId=ecs.run_instance())
    tagged, plain = (ecs.call("CreateSnapshot", DiskId=disk["DiskId"])["SnapshotId"] for _ in range(2))
    tags = [{"Key": "team", "Value": "storage"}, {"Key": "empty", "Value": ""}]
    ecs.call("TagResources", ResourceType="snapshot", ResourceIds=[tagged], Tags=tags)
    listed = ecs.call("ListTagResources", ResourceType="snapshot", ResourceIds=[tagged, plain])
    found = {(tag["ResourceId"], tag["TagKey"], tag["TagValue"]) for tag in listed["TagResources"]["TagResource"]}
    assert found == {(tagged, "team", "storage"), (tagged, "empty", "")}
    (seen,) = ecs.snapshots(Tags=[{"Key": "team", "Value": "storage"}])
    assert seen["SnapshotId"] == tagged
    assert {tag["TagKey"] for tag in seen["Tags"]["Tag"]} == {"team", "empty"}
    ecs.call("UntagResources", ResourceType="snapshot", ResourceIds=[tagged], TagKeys=["team"])
    assert ecs.snapshots(Tags=[{"Key": "team"}]) == []


def test_25_snapshots_are_walked_by_page_number_and_by_token(ecs):
    disk = {"Category": "cloud_essd", "Size": 40}
    instance = ecs.run_instance(DataDisks=[disk, disk])
    disks = [each["DiskId"] for each in ecs.disks(InstanceId=instance)]
    made = [ecs.call("CreateSnapshot", DiskId=disks[i % 3])["SnapshotId"] for i in range(25)]

    pages = [ecs.call("DescribeSnapshots", PageNumber=number, PageSize=10) for number in (1, 2, 3, 4)]
    assert [page["TotalCount"] for page in pages] == [25] * 4
    assert [page["PageNumber"] for page in pages] == [1, 2, 3, 4]
    rows = [[row["SnapshotId"] for row in page["Snapshots"]["Snapshot"]] for page in pages]
    assert [len(page) for page in rows] == [10, 10, 5, 0]
    assert sorted(sum(rows, [])) == sorted(made)

    token, walked = None, []
    while token != "":
        more = {"NextToken": token} if token else {}
        answer = ecs.call("DescribeSnapshots", MaxResults=10, **more)
        walked.append([row["SnapshotId"] for row in answer["Snapshots"]["Snapshot"]])
        token = answer["NextToken"]
    assert walked == rows[:3]


def test_a_client_token_gives_the_same_snapshot_and_refuses_other_parameters(ecs):
    (disk,) = ecs.disks(InstanceId=ecs.run_instance())
    first = {"DiskId": disk["DiskId"], "ClientToken": "token-1", "SnapshotName": "once"}
    made = ecs.call("CreateSnapshot", **first)["SnapshotId"]
    assert ecs.call("CreateSnapshot", **first)["SnapshotId"] == made
    assert len(ecs.snapshots()) == 1
    mismatch = ("IdempotentParameterMismatch", 403, "The specified clientToken is used.")
    ecs.refused(*mismatch, "CreateSnapshot", **first | {"SnapshotName": "twice"})


def test_a_dry_run_is_told_and_changes_nothing(ecs):
    image = ecs.call("DescribeImages", ImageOwnerAlias="system")["Images"]["Image"][0]["ImageId"]
    passed = ("DryRunOperation", 400, "Request validation has been passed with DryRun flag set.")
    ecs.refused(*passed, "RunInstances", ImageId=image, InstanceType="ecs.g7.large", DryRun=True)
    assert ecs.call("DescribeInstances")["Instances"]["Instance"] == []


def test_a_missing_parameter_is_named(ecs):
    ecs.refused("MissingParameter", 400, MISSING_ID, "DeleteSnapshot")


def test_a_wrong_secret_is_recognised_by_the_sdk(connect):
    # The SDK compares the string that was signed with its own and puts its own code in the place of SignatureDoesNotMatch.
    told = "The AccessKeySecret is incorrect. Please check your AccessKeyId and AccessKeySecret."
    connect(secret="wrong").refused("InvalidAccessKeySecret", 400, told, "DescribeSnapshots")


def test_an_unknown_key_is_not_found(connect):
    told = ("InvalidAccessKeyId.NotFound", 404, "Specified access key is not found.")
    connect(key="nobody").refused(*told, "DescribeSnapshots")


def test_a_typed_request_is_answered_in_xml_when_it_asks_for_it(ecs):
    request = ecs.request("DescribeSnapshots")
    request.set_accept_format("XML")
    status, headers, body = ecs.client.get_response(request)
    root = ElementTree.fromstring(body)
    assert (status, headers["Content-Type"]) == (200, "text/xml;charset=utf-8")
    assert (root.tag, root.findtext("TotalCount")) == ("DescribeSnapshotsResponse", "0")
    assert root.find("Snapshots") is not None


def common_request(endpoint, action):
    request = CommonRequest()
    request.set_accept_format("XML")
    request.set_domain(endpoint)
    request.set_method("POST")
    request.set_version("2014-05-26")
    request.set_action_name(action)
    return request


def test_a_common_request_sends_its_parameters_in_the_body(daemon, ecs):
    (disk,) = ecs.disks(InstanceId=ecs.run_instance())
    request = common_request(daemon.endpoint, "CreateSnapshot")
    request.add_body_params("DiskId", disk["DiskId"])
    request.add_body_params("Description", "a & b < c, 快照 ~*")
    status, _, body = ecs.client.get_response(request)
    root = ElementTree.fromstring(body)
    assert (status, root.tag) == (200, "CreateSnapshotResponse")
    (seen,) = ecs.snapshots()
    assert (seen["SnapshotId"], seen["Description"]) == (root.findtext("SnapshotId"), "a & b < c, 快照 ~*")


def test_a_refusal_in_xml_has_the_same_code_and_text(daemon, ecs):
    request = common_request(daemon.endpoint, "DeleteSnapshot")
    request.add_query_param("SnapshotId", "s-bp1neverexisted00000")
    status, headers, body = ecs.client.get_response(request)
    root = ElementTree.fromstring(body)
    assert (status, headers["Content-Type"]) == (404, "text/xml;charset=utf-8")
    assert (root.tag, root.findtext("Code")) == ("Error", "InvalidSnapshotId.NotFound")
    assert root.findtext("Message") == "The specified snapshot is not found"
    assert root.findtext("HostId") == daemon.endpoint
    assert root.findtext("RequestId")
