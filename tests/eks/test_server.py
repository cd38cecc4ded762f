"""The EKS of the tests has EKS's manners; what is built on it may rely on them."""

import pytest
from botocore.exceptions import ClientError

from tests.eks.server import EksServer

ROLE = "arn:aws:iam::123456789012:role/ebs"


@pytest.fixture
def cluster(eks: EksServer) -> EksServer:
    eks.create_cluster("prod-eu-1", "1.34")
    eks.client("eks").create_addon(
        clusterName="prod-eu-1",
        addonName="coredns",
        addonVersion="v1.12.4-eksbuild.18",
        serviceAccountRoleArn=ROLE,
        configurationValues='{"replicaCount": 3}',
    )
    return eks


def code(error: "pytest.ExceptionInfo[ClientError]") -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_version_must_be_listed_for_the_clusters_kubernetes(cluster: EksServer) -> None:
    with pytest.raises(ClientError, match="not supported") as error:
        cluster.client("eks").create_addon(
            clusterName="prod-eu-1", addonName="vpc-cni", addonVersion="v1.7.5-eksbuild.1"
        )
    assert code(error) == "InvalidParameterException"


def test_one_update_at_a_time(cluster: EksServer) -> None:
    client = cluster.client("eks")
    cluster.state.auto_finish = False
    client.update_addon(clusterName="prod-eu-1", addonName="coredns", addonVersion="v1.13.2-eksbuild.21")
    with pytest.raises(ClientError, match="currently in UPDATING state") as error:
        client.update_addon(clusterName="prod-eu-1", addonName="coredns", addonVersion="v1.12.4-eksbuild.18")
    assert code(error) == "ResourceInUseException"
    cluster.state.finish()
    assert client.describe_addon(clusterName="prod-eu-1", addonName="coredns")["addon"]["status"] == "ACTIVE"


def test_a_failed_update_is_not_rolled_back(cluster: EksServer) -> None:
    client = cluster.client("eks")
    cluster.state.fail_next = ("InsufficientNumberOfReplicas", "The add-on is unhealthy")
    update = client.update_addon(clusterName="prod-eu-1", addonName="coredns", addonVersion="v1.13.2-eksbuild.21")
    addon = client.describe_addon(clusterName="prod-eu-1", addonName="coredns")["addon"]
    assert (addon["status"], addon["addonVersion"]) == ("DEGRADED", "v1.13.2-eksbuild.21")
    described = client.describe_update(name="prod-eu-1", addonName="coredns", updateId=update["update"]["id"])
    assert described["update"]["status"] == "Failed"


def test_what_an_update_leaves_out(cluster: EksServer) -> None:
    """The role is dropped; the configuration stays, and `{}` resets it."""
    client = cluster.client("eks")
    client.update_addon(clusterName="prod-eu-1", addonName="coredns", addonVersion="v1.13.2-eksbuild.21")
    addon = client.describe_addon(clusterName="prod-eu-1", addonName="coredns")["addon"]
    assert "serviceAccountRoleArn" not in addon
    assert addon["configurationValues"] == '{"replicaCount": 3}'
    client.update_addon(clusterName="prod-eu-1", addonName="coredns", configurationValues="{}")
    assert client.describe_addon(clusterName="prod-eu-1", addonName="coredns")["addon"]["configurationValues"] == "{}"


def test_versions_come_in_pages(cluster: EksServer) -> None:
    cluster.state.table = dict(list(cluster.state.table.items())[:8])
    pages = cluster.client("eks").get_paginator("describe_addon_versions").paginate(PaginationConfig={"PageSize": 3})
    assert [len(page["addons"]) for page in pages] == [3, 3, 2]
