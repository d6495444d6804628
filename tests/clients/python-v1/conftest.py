"""The v1 SDK pointed at a daemon, with its request classes found by action name."""

import importlib
import json
import re
from functools import partial

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient

from support.daemon import wait_until

REGION = "cn-hangzhou"
REQUEST_ID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


class Ecs:
    """An AcsClient and the few lines that each of its calls needs."""

    def __init__(self, endpoint, key="testid", secret="testsecret"):
        self.endpoint = endpoint
        self.client = AcsClient(key, secret, REGION)
        self.client.add_endpoint(REGION, "Ecs", endpoint)

    def request(self, action, **parameters):
        """The SDK's own request object; a parameter is named as its setter is."""
        module = importlib.import_module(f"aliyunsdkecs.request.v20140526.{action}Request")
        request = getattr(module, f"{action}Request")()
        for name, value in parameters.items():
            getattr(request, f"set_{name}")(value)
        return request

    def call(self, action, **parameters):
        """The parsed answer; a refusal is the SDK's ServerException."""
        answer = json.loads(self.client.do_action_with_exception(self.request(action, **parameters)))
        assert REQUEST_ID.fullmatch(answer["RequestId"])
        assert "Code" not in answer, "some clients take it for a failure"
        return answer

    def refused(self, code, status, message, action, **parameters):
        """Makes a call and expects exactly this refusal."""
        with pytest.raises(ServerException) as caught:
            self.call(action, **parameters)
        error = caught.value
        assert (error.get_error_code(), error.get_http_status(), error.get_error_msg()) == (code, status, message)
        assert REQUEST_ID.fullmatch(error.get_request_id())

    def snapshots(self, **filters):
        return self.call("DescribeSnapshots", **filters)["Snapshots"]["Snapshot"]

    def disks(self, **filters):
        return self.call("DescribeDisks", **filters)["Disks"]["Disk"]

    def accomplished(self, snapshot_id):
        """Polls until the snapshot is there, as scripts do."""

        def probe():
            (snapshot,) = self.snapshots(SnapshotIds=json.dumps([snapshot_id]))
            return snapshot["Status"] == "accomplished" and snapshot

        return wait_until(probe)

    def run_instance(self, **parameters):
        """The id of the first of the new instances made from a public image, once the last one runs."""
        images = self.call("DescribeImages", ImageOwnerAlias="system")["Images"]["Image"]
        ids = self.call("RunInstances", ImageId=images[0]["ImageId"], InstanceType="ecs.g7.large", **parameters)
        first, *others = ids["InstanceIdSets"]["InstanceIdSet"]
        self.wait_for_instance((others or [first])[-1], "Running")
        return first

    def wait_for_instance(self, instance_id, status):
        def probe():
            answer = self.call("DescribeInstances", InstanceIds=json.dumps([instance_id]))
            (instance,) = answer["Instances"]["Instance"]
            return instance["Status"] == status

        wait_until(probe)


@pytest.fixture
def connect(daemon):
    """Makes a client, with other keys than the shipped ones if need be."""
    return partial(Ecs, daemon.endpoint)


@pytest.fixture
def ecs(connect):
    return connect()
