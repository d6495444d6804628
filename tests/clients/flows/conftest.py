"""A wire for each dialect of the tools, and the scene that they find."""

import pytest

from support.daemon import wait_until
from support.dialects import Acs3, Sdk, Tea


@pytest.fixture
def tea(daemon):
    return Tea(daemon.endpoint)


@pytest.fixture
def sdk(daemon):
    return Sdk(daemon.endpoint)


@pytest.fixture
def acs3(daemon):
    return Acs3(daemon.endpoint)


@pytest.fixture
def scene(sdk):
    """A running instance with a system disk and a data disk: the ids, under `instance`, `system`, `data` and `zone`."""
    image = sdk.listed("DescribeImages", {"ImageOwnerAlias": "system"})[0]["ImageId"]
    data = {"DataDisk": [{"Category": "cloud_essd", "Size": 40}]}
    made = sdk.call("RunInstances", {"ImageId": image, "InstanceType": "ecs.g7.large"} | data)
    (instance,) = made["InstanceIdSets"]["InstanceIdSet"]
    wait_until(lambda: len(sdk.listed("DescribeDisks", {"Status": "In_use"})) == 2)
    wait_until(lambda: sdk.listed("DescribeInstances")[0]["Status"] == "Running")
    found = sdk.listed("DescribeDisks", {"InstanceId": instance})
    return {disk["Type"]: disk["DiskId"] for disk in found} | {"instance": instance, "zone": found[0]["ZoneId"]}
