"""Terraform before its resources: whose key it is, by STS, and where ECS is, by the location service.

Replays GetCallerIdentity and AccountId of alicloud/connectivity/client.go, loadEndpoint and describeEndpointForService of
connectivity/endpoint.go of aliyun/terraform-provider-alicloud: STS is asked at `endpoints { sts = ... }`, else at
STS_ENDPOINT, else under its name in the cloud; ECS likewise, and the location service where neither is given.
"""

import pytest

from support.dialects import REGION, Location, Sts, Tea

ACCOUNT = "1000000000000001"


@pytest.mark.parametrize("host", ["as configured", "sts.aliyuncs.com", "sts.cn-hangzhou.aliyuncs.com"])
def test_the_account_is_told_at_each_host_that_sts_may_be_asked_at(daemon, host):
    told = Sts(daemon.endpoint, daemon.endpoint if host == "as configured" else host).call("GetCallerIdentity")
    assert (told["AccountId"], told["IdentityType"]) == (ACCOUNT, "Account")
    assert (told["Arn"], told["UserId"]) == (f"acs:ram::{ACCOUNT}:root", ACCOUNT)
    assert told["PrincipalId"] == ACCOUNT


def test_ecs_is_found_by_the_location_service_that_runs_here(daemon):
    location = Location(daemon.endpoint, daemon.endpoint)
    asked = {"Id": REGION, "ServiceCode": "ecs"}
    (found,) = location.call("DescribeEndpoints", asked)["Endpoints"]["Endpoint"]
    assert (found["Type"], found["Protocols"]) == ("openAPI", {"Protocols": ["HTTP"]}), "the first of this type is taken"
    assert Tea(found["Endpoint"]).snapshots("s-bp1neverexisted00000") == []
    nothing = location.call("DescribeEndpoints", asked | {"ServiceCode": "vpc"})
    assert nothing["Endpoints"]["Endpoint"] == [], "and the provider makes up vpc.cn-hangzhou.aliyuncs.com"


def test_under_its_name_in_the_cloud_the_location_service_names_the_host_that_it_was_called_by(daemon):
    answer = Location(daemon.endpoint).call("DescribeEndpoints", {"Id": REGION, "ServiceCode": "ecs"})
    assert answer["Endpoints"]["Endpoint"][0]["Endpoint"] == "location-readonly.aliyuncs.com"
