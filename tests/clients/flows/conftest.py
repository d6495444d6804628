"""Calls as the tools put them on the wire, signed by the core of the v1 SDK, and the scene that they find."""

import json

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

from support.daemon import wait_until

REGION = "cn-hangzhou"


class Wire:
    """One call at a time, each parameter in the place where the tool puts it."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.client = AcsClient("testid", "testsecret", REGION)

    def call(self, action, query=None, form=None):
        """The parsed answer; the SDK's core adds RegionId to the query, as those of the tools do that need it."""
        request = CommonRequest(domain=self.endpoint, version="2014-05-26", action_name=action)
        request.set_method("POST")
        for name, value in (query or {}).items():
            request.add_query_param(name, value)
        for name, value in (form or {}).items():
            request.add_body_params(name, value)
        return json.loads(self.client.do_action_with_exception(request))

    def refused(self, action, query=None, form=None):
        """Code and status of the refusal."""
        with pytest.raises(ServerException) as caught:
            self.call(action, query, form)
        return caught.value.get_error_code(), caught.value.get_http_status()

    def snapshots(self, *ids):
        return self.call("DescribeSnapshots", {"SnapshotIds": json.dumps(ids)})["Snapshots"]["Snapshot"]

    def accomplished(self, snapshot):
        wait_until(lambda: self.snapshots(snapshot)[0]["Status"] == "accomplished")


@pytest.fixture
def wire(daemon):
    return Wire(daemon.endpoint)


@pytest.fixture
def disks(wire):
    """The ids of the system disk and of a data disk of a running instance."""
    image = wire.call("DescribeImages", {"ImageOwnerAlias": "system"})["Images"]["Image"][0]["ImageId"]
    data = {"DataDisk.1.Category": "cloud_essd", "DataDisk.1.Size": 40}
    wire.call("RunInstances", {"ImageId": image, "InstanceType": "ecs.g7.large"} | data)
    wait_until(lambda: len(wire.call("DescribeDisks", {"Status": "In_use"})["Disks"]["Disk"]) == 2)
    found = wire.call("DescribeDisks")["Disks"]["Disk"]
    return {disk["Type"]: disk["DiskId"] for disk in found}
