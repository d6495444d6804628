"""What the tests share: a client of the official SDK, and a disk with a policy."""

from pathlib import Path

import pytest
from aliyunsdkcore.client import AcsClient


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """The SDK would go through a proxy even to this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "ALIYUN_ACCESS_KEY_ID", "ALIYUN_ACCESS_KEY_SECRET"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def client(snapshotd):
    """The v1 SDK pointed at the daemon."""
    client = AcsClient(snapshotd.access_key_id, snapshotd.access_key_secret, snapshotd.region_id)
    client.add_endpoint(snapshotd.region_id, "Ecs", snapshotd.endpoint)
    return client


@pytest.fixture
def disk(snapshotd):
    """The id of the disk of a new instance."""
    image = snapshotd.call("DescribeImages", ImageOwnerAlias="system")["Images"]["Image"][0]["ImageId"]
    snapshotd.call("RunInstances", ImageId=image, InstanceType="ecs.g7.large", **{"SystemDisk.Category": "cloud_essd"})
    return snapshotd.call("DescribeDisks")["Disks"]["Disk"][0]["DiskId"]


@pytest.fixture
def release(snapshotd):
    """Skips where the binary is not built to be fast."""
    if "release" not in Path(snapshotd.binary).resolve().parts:
        pytest.skip("figures are for the release binary")
