"""The v2 SDK pointed at a daemon, and what its tests ask for again and again."""

import json
import re
from contextlib import contextmanager
from functools import partial

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config

from support.daemon import wait_until

REGION = "cn-hangzhou"
REQUEST_ID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


class Ecs(Client):
    """The SDK's own client with a few shorthands for reading lists and waiting."""

    def __init__(self, endpoint, key="testid", secret="testsecret"):
        super().__init__(
            Config(access_key_id=key, access_key_secret=secret, endpoint=endpoint, protocol="HTTP", region_id=REGION)
        )

    def snapshots(self, **filters):
        request = models.DescribeSnapshotsRequest(region_id=REGION, **filters)
        return self.describe_snapshots(request).body.snapshots.snapshot

    def disks(self, **filters):
        return self.describe_disks(models.DescribeDisksRequest(region_id=REGION, **filters)).body.disks.disk

    def images(self, **filters):
        return self.describe_images(models.DescribeImagesRequest(region_id=REGION, **filters)).body.images.image

    def instances(self, **filters):
        request = models.DescribeInstancesRequest(region_id=REGION, **filters)
        return self.describe_instances(request).body.instances.instance

    def snapshot(self, disk_id, **parameters):
        """The id of a new snapshot of the disk."""
        return self.create_snapshot(models.CreateSnapshotRequest(disk_id=disk_id, **parameters)).body.snapshot_id

    def accomplished(self, snapshot_id):
        """Polls until the snapshot is there, as scripts do."""

        def probe():
            (snapshot,) = self.snapshots(snapshot_ids=json.dumps([snapshot_id]))
            return snapshot.status == "accomplished" and snapshot

        return wait_until(probe)

    def run_instance(self, **parameters):
        """The id of the first of the new instances made from a public image, once the last one runs."""
        image = self.images(image_owner_alias="system")[0].image_id
        request = models.RunInstancesRequest(
            region_id=REGION, image_id=image, instance_type="ecs.g7.large", **parameters
        )
        first, *others = self.run_instances(request).body.instance_id_sets.instance_id_set
        self.wait_for_instance((others or [first])[-1], "Running")
        return first

    def wait_for_instance(self, instance_id, status):
        wait_until(lambda: self.instances(instance_ids=json.dumps([instance_id]))[0].status == status)

    def wait_for_disk(self, disk_id, status):
        wait_until(lambda: self.disks(disk_ids=json.dumps([disk_id]), status=status))

    @staticmethod
    @contextmanager
    def refused(code, status, message):
        """Expects exactly this refusal, as the SDK words it: with the status before and the RequestId behind."""
        with pytest.raises(ClientException) as caught:
            yield
        error = caught.value
        assert REQUEST_ID.fullmatch(error.request_id)
        assert (error.code, error.status_code) == (code, status)
        assert error.message == f"code: {status}, {message} request id: {error.request_id}"


@pytest.fixture
def connect(daemon):
    """Makes a client, with other keys than the shipped ones if need be."""
    return partial(Ecs, daemon.endpoint)


@pytest.fixture
def ecs(connect):
    return connect()
