"""What is read of AWS, over HTTP: all of it, and what a lacking permission costs."""

import base64
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import msgspec
import pytest

from addonctl.adapters import eks_table
from addonctl.adapters.aws import PERMISSIONS, Aws, cluster_of, policy, region_of
from addonctl.adapters.aws_records import is_set
from addonctl.errors import NotAllowed, NotFound, NotReachable, NotTrusted, TimedOut
from addonctl.model import Eks, GapReason
from tests.apps.terminal import in_process
from tests.builders import DAY
from tests.eks.server import REGION, EksServer

NAME = "prod-eu-1"
ROLE = "arn:aws:iam::123456789012:role/ebs"
CANARY = "hunter2-canary"


@pytest.fixture
def cluster(eks: EksServer) -> EksServer:
    eks.create_cluster(NAME, "1.34", computeConfig={"enabled": True})
    client = eks.client("eks")
    client.create_addon(
        clusterName=NAME,
        addonName="coredns",
        addonVersion="v1.12.4-eksbuild.18",
        configurationValues=json.dumps({"replicaCount": 3, "adminPassword": CANARY, "note": CANARY}),
    )
    client.create_addon(
        clusterName=NAME,
        addonName="aws-ebs-csi-driver",
        podIdentityAssociations=[{"serviceAccount": "ebs-csi-controller-sa", "roleArn": ROLE}],
    )
    eks.state.fail_next = ("AdmissionRequestDenied", f"password={CANARY} was refused")
    client.update_addon(
        clusterName=NAME,
        addonName="coredns",
        addonVersion="v1.13.2-eksbuild.21",
        configurationValues=json.dumps({"token": CANARY}),
    )
    eks.state.insights[NAME] = [
        {
            "id": "11111111-1111-4111-8111-111111111111",
            "name": "EKS add-on version compatibility",
            "category": "UPGRADE_READINESS",
            "kubernetesVersion": "1.35",
            "lastRefreshTime": datetime(2026, 11, 23, tzinfo=UTC),
            "insightStatus": {"status": "WARNING", "reason": "An add-on does not go with 1.35."},
            "categorySpecificSummary": {
                "addonCompatibilityDetails": [{"name": "coredns", "compatibleVersions": ["v1.13.2-eksbuild.11"]}]
            },
        }
    ]
    eks.state.capabilities[NAME] = [
        {"capabilityName": "argocd", "type": "ARGOCD", "status": "ACTIVE", "version": "v3.2.1"}
    ]
    return eks


@cache
def aws() -> Aws:
    """One for all tests that read: botocore loads its description of EC2 for each anew, half a second."""
    return Aws(REGION)


def read() -> tuple[Eks, dict[str, tuple[GapReason, str]]]:
    eks, gaps = aws().read(NAME, instance_types=("m5.large",))
    assert eks is not None
    return eks, {gap.part: (gap.reason, gap.permission) for gap in gaps}


def test_everything_is_read(cluster: EksServer) -> None:
    eks, gaps = read()
    assert gaps == {}
    assert eks.cluster.endpoint.startswith("https://")
    assert (eks.cluster.version, eks.cluster.platform_version, eks.cluster.auto_mode) == ("1.34", "eks.5", True)
    coredns, ebs = sorted(eks.addons, key=lambda addon: addon.name, reverse=True)
    assert (coredns.name, coredns.status, coredns.version) == ("coredns", "DEGRADED", "v1.13.2-eksbuild.21")
    assert coredns.updates[0].status == "Failed"
    assert [identity.service_account for identity in ebs.pod_identities] == ["ebs-csi-controller-sa"]
    assert eks.insights[0].addons == {"coredns": ("v1.13.2-eksbuild.11",)}
    assert eks.capabilities[0].version == "v3.2.1"
    assert eks.subnets[0].free_addresses == 251
    assert (eks.instance_types[0].vcpus, eks.instance_types[0].network_interfaces) == (2, 3)


def test_times_are_in_utc_wherever_this_runs(cluster: EksServer, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "Asia/Tokyo")
            time.tzset()
            eks, _ = read()
    finally:
        time.tzset()
    times = [addon.created for addon in eks.addons] + [addon.modified for addon in eks.addons]
    times += [update.created for addon in eks.addons for update in addon.updates] + [eks.insights[0].refreshed]
    assert len(times) >= 6
    assert {when.tzinfo for when in times if when is not None} == {UTC}
    assert eks.insights[0].refreshed == datetime(2026, 11, 23, tzinfo=UTC)


def test_no_secret_gets_through(cluster: EksServer) -> None:
    eks, _ = read()
    text = msgspec.json.encode(eks).decode()
    assert CANARY not in text
    coredns = next(addon for addon in eks.addons if addon.name == "coredns")
    assert coredns.is_configured
    assert coredns.updates[0].params["AddonVersion"] == "v1.13.2-eksbuild.21"


@pytest.mark.parametrize(
    ("values", "answer"),
    [("", False), ("{}", False), ("{ }\n", False), ("null", False), ('{"replicaCount": 3}', True), ("a: 1", True)],
)
def test_whether_a_configuration_is_set(values: str, answer: bool) -> None:
    assert is_set(values) is answer


@pytest.mark.parametrize(
    ("operation", "part"),
    [
        ("ListAddons", "eks:addons"),
        ("DescribeAddon", "eks:addons"),
        ("ListInsights", "eks:insights"),
        ("ListNodegroups", "eks:node_groups"),
        ("ListPodIdentityAssociations", "eks:pod_identities"),
        ("ListCapabilities", "eks:capabilities"),
    ],
)
def test_a_missing_permission_costs_that_part(cluster: EksServer, operation: str, part: str) -> None:
    cluster.state.denied = {operation}
    eks, gaps = read()
    assert gaps == {part: (GapReason.FORBIDDEN, f"eks:{operation}")}
    assert eks.cluster.name == NAME
    assert any(permission.action == f"eks:{operation}" for permission in PERMISSIONS)


def test_throttling_is_waited_out(cluster: EksServer) -> None:
    cluster.state.throttled = {"ListAddons": 2}
    _, gaps = read()
    assert gaps == {}


def test_no_credentials_is_an_ordinary_case(eks: EksServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    found, gaps = Aws(REGION).read(NAME)
    assert found is None
    assert [(gap.part, gap.reason) for gap in gaps] == [("eks", GapReason.NO_CREDENTIALS)]
    with pytest.raises(NotAllowed, match="No AWS credentials"):
        Aws(REGION).token(NAME)


def test_an_unknown_cluster_is_named(eks: EksServer) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        Aws(REGION).endpoint("nowhere")


def test_the_token_is_a_presigned_url_that_names_the_cluster(eks: EksServer) -> None:
    token, until = Aws(REGION).token(NAME)
    encoded = token.removeprefix("k8s-aws-v1.")
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    assert "Action=GetCallerIdentity" in url
    assert "X-Amz-Expires=60" in url
    assert "x-k8s-aws-id" in url
    assert 13 < (until - datetime.now(UTC)).total_seconds() / 60 < 14.1


def test_the_table_from_aws_is_the_packaged_one(eks: EksServer, tmp_path: Path) -> None:
    """`catalog refresh` asks for what scripts/build_eks_table.py packed; the user's own table then wins."""
    env = {**eks.environment, "ADDONCTL_CACHE_DIR": str(tmp_path), "PATH": ""}
    done = in_process("catalog", "refresh", "--region", REGION, env=env)
    assert done.returncode == 0, done.stderr
    mine, packaged = eks_table.cached(tmp_path), eks_table.packaged()
    assert mine is not None
    assert {name: addon.versions for name, addon in mine.addons.items()} == {
        name: addon.versions for name, addon in packaged.addons.items()
    }
    assert mine.as_of >= DAY


@pytest.mark.parametrize(
    ("server", "region"),
    [
        ("https://0A1B.gr7.eu-central-1.eks.amazonaws.com", "eu-central-1"),
        ("https://0A1B.sk1.us-gov-west-1.eks.amazonaws.com", "us-gov-west-1"),
        ("https://0A1B.yl4.cn-north-1.eks.amazonaws.com.cn", "cn-north-1"),
        ("https://eks-prod.eu-central-1.api.aws", "eu-central-1"),
        ("https://0a1b.gr7.us-gov-west-1.api.aws:443", "us-gov-west-1"),
        ("https://eks-prod.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"),
        ("https://api.aws", ""),
        ("https://eu-central-1.example.com", ""),
        ("https://0A1B.gr7.eu-central-1.api.awsome.example", ""),
        ("https://10.0.0.1:6443", ""),
    ],
)
def test_region_of_a_server(server: str, region: str) -> None:
    assert region_of(server) == region


def test_names_of_clusters_in_contexts() -> None:
    arn = "arn:aws-us-gov:eks:us-gov-west-1:123456789012:cluster/prod"
    assert cluster_of(arn) == ("us-gov-west-1", "prod")
    assert cluster_of("admin@prod.eu-central-1.eksctl.io") == ("eu-central-1", "prod")
    assert cluster_of("i-0@b@prod.eu-central-1.eksctl.io") == ("eu-central-1", "prod")
    assert cluster_of("prod.eu-central-1.eksctl.io") == ("eu-central-1", "prod")
    assert cluster_of("kind-kind") is None
    assert cluster_of("a prod.eu-central-1.eksctl.io") is None


def test_the_policy_allows_what_is_asked_for_and_no_write() -> None:
    actions = {action for statement in policy()["Statement"] for action in statement["Action"]}
    assert actions == {permission.action for permission in PERMISSIONS}
    assert all(action.split(":")[1].startswith(("Describe", "List")) for action in actions)


# ── Where no AWS answers ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Credentials, and an endpoint of the test's choice."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    return lambda url: monkeypatch.setenv("AWS_ENDPOINT_URL", url)


def listening(answer: bytes) -> tuple[str, Callable[[], None]]:
    """A server that hangs up after `answer`: its address, and how to end it."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def end() -> None:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(2)

    return f"127.0.0.1:{server.getsockname()[1]}", end


def test_an_aws_that_cannot_be_reached_says_so_soon(no_aws: Callable[[str], None]) -> None:
    no_aws("http://127.0.0.1:9")
    began = time.monotonic()
    found, gaps = Aws(REGION).read(NAME)
    with pytest.raises(NotReachable, match="AWS cannot be reached") as caught:
        Aws(REGION).endpoint(NAME)
    assert time.monotonic() - began < 10
    assert found is None
    assert [gap.reason for gap in gaps] == [GapReason.NOT_REACHABLE]
    assert "network" in caught.value.fix
    assert "proxy" in caught.value.fix
    assert caught.value.retry_after_s is not None


@pytest.mark.parametrize(
    ("scheme", "answer", "expected"),
    [("https", b"HTTP/1.1 400 plain\r\n\r\n", NotTrusted), ("http", b"", TimedOut)],
)
def test_an_aws_that_hangs_up_or_is_not_trusted(
    no_aws: Callable[[str], None], scheme: str, answer: bytes, expected: type[Exception]
) -> None:
    address, end = listening(answer)
    no_aws(f"{scheme}://{address}")
    with pytest.raises(expected):
        Aws(REGION).endpoint(NAME)
    end()


def test_a_proxy_that_is_not_there_is_not_reachable(
    no_aws: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    no_aws("https://eks.invalid")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(NotReachable, match="proxy"):
        Aws(REGION).endpoint(NAME)
