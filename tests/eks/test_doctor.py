"""What `doctor` tries, over HTTP: every step is answered, and one that fails hides no other."""

import json
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters import doctor, eks_table
from addonctl.adapters.aws import PERMISSIONS
from addonctl.adapters.clock import SystemClock
from addonctl.adapters.decoders import KINDS
from addonctl.adapters.doctor import NO, SKIPPED, YES, Check
from addonctl.adapters.sources.live import LiveCluster
from addonctl.catalog import Catalog
from tests.builders import DAY
from tests.contracts.api_server import Answer, ApiServer, Request, refusal, running
from tests.eks.server import REGION, EksServer

NAME = "prod-eu-1"
ARN = f"arn:aws:eks:{REGION}:123456789012:cluster/{NAME}"
_DISCOVERY = {
    "kind": "APIResourceList",
    "resources": [
        {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["list"]},
        {"name": "secrets", "kind": "Secret", "namespaced": True, "verbs": ["list"]},
    ],
}


def api(version: str) -> ApiServer:
    """An API server whose user may list pods and no secrets."""

    def route(request: Request) -> Answer:
        match request.path.partition("?")[0]:
            case "/version":
                return Answer(body={"gitVersion": version})
            case "/api":
                return Answer(body={"kind": "APIVersions", "versions": ["v1"]})
            case "/api/v1":
                return Answer(body=_DISCOVERY)
            case "/apis":
                return Answer(body={"kind": "APIGroupList", "groups": []})
            case "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
                asked = json.loads(request.body)["spec"]["resourceAttributes"]["resource"]
                return Answer(status=201, body={"status": {"allowed": asked == "pods"}})
        return refusal(404)

    return ApiServer(route)


def kubeconfig(folder: Path, url: str, context: str) -> str:
    path = folder / "config"
    path.write_text(
        json.dumps(
            {
                "current-context": context,
                "contexts": [{"name": context, "context": {"cluster": "c"}}],
                "clusters": [{"name": "c", "cluster": {"server": url}}],
            }
        )
    )
    return str(path)


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with no settings and nobody's credentials."""
    for name in ("KUBECONFIG", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "ADDONCTL_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def aws(eks: EksServer) -> EksServer:
    eks.create_cluster(NAME, "1.34")
    return eks


def asked(catalog: Catalog, **where: Any) -> dict[str, Check]:
    checks = list(doctor.of_cluster(LiveCluster(catalog, SystemClock(), **where), KINDS))
    assert len({check.what for check in checks}) == len(checks)
    assert all(check.detail for check in checks if check.answer == SKIPPED), "what is skipped says why"
    return {check.what: check for check in checks}


def test_a_cluster_on_eks_is_tried_to_the_last_permission(aws: EksServer, catalog: Catalog, tmp_path: Path) -> None:
    with running(api("v1.34.1-eks-1a2b3c4")) as server:
        path = kubeconfig(tmp_path, server.url, ARN)
        checks = asked(catalog, kubeconfig=path)
    assert checks["kubeconfig"].detail == f"{path}, context {ARN}"
    assert checks["Kubernetes API"].detail == f"{server.url}, v1.34.1-eks-1a2b3c4"
    assert checks["list pods"].answer == YES
    assert (checks["list secrets"].answer, checks["list secrets"].fix) == (
        NO,
        "Grant it; `addonctl rbac --cluster-role` prints the role.",
    )
    assert checks["AWS region"].detail == REGION
    assert checks["AWS identity"].detail.startswith("arn:aws:")
    assert checks["EKS cluster"].detail == f"{NAME}, Kubernetes 1.34"
    read = {f"read {each.part}" for each in PERMISSIONS if ":" in each.part}
    assert {check.answer for what, check in checks.items() if what in read} == {YES}
    assert read <= set(checks)


def test_a_permission_that_is_missing_at_aws_is_named(aws: EksServer, catalog: Catalog, tmp_path: Path) -> None:
    aws.state.denied.add("ListInsights")
    with running(api("v1.34.1-eks-1a2b3c4")) as server:
        checks = asked(catalog, kubeconfig=kubeconfig(tmp_path, server.url, ARN))
    assert checks["read eks:insights"].answer == NO
    assert checks["read eks:insights"].fix == "Grant eks:ListInsights; `addonctl rbac --iam` prints the policy."
    assert checks["read eks:addons"].answer == YES


def test_a_cluster_elsewhere_needs_no_aws(catalog: Catalog, tmp_path: Path) -> None:
    with running(api("v1.34.1")) as server:
        checks = asked(catalog, kubeconfig=kubeconfig(tmp_path, server.url, "kind"))
    assert (checks["AWS"].answer, checks["AWS"].detail) == (SKIPPED, "this cluster is not on EKS")


def test_a_cluster_on_eks_whose_name_is_not_known(aws: EksServer, catalog: Catalog, tmp_path: Path) -> None:
    with running(api("v1.34.1-eks-1a2b3c4")) as server:
        checks = asked(catalog, kubeconfig=kubeconfig(tmp_path, server.url, "prod"))
    assert checks["EKS cluster"].answer == NO
    assert "give it with --eks NAME --region REGION" in checks["EKS cluster"].detail


def test_an_api_server_that_is_not_there_hides_nothing_of_aws(aws: EksServer, catalog: Catalog, tmp_path: Path) -> None:
    checks = asked(catalog, kubeconfig=kubeconfig(tmp_path, "http://127.0.0.1:1", ARN))
    assert checks["Kubernetes API"].answer == NO
    assert checks["EKS cluster"].answer == YES


def test_with_nothing_at_all_every_step_says_what_it_wants(catalog: Catalog) -> None:
    checks = asked(catalog)
    assert checks["kubeconfig"].answer == NO
    assert checks["kubeconfig"].fix.startswith("Give --kubeconfig")
    assert checks["Kubernetes API"].answer == SKIPPED
    for what, detail in (("AWS region", "No AWS region is set"), ("AWS identity", "No AWS credentials")):
        assert checks[what].answer == SKIPPED, "nothing here is known to be on EKS"
        assert checks[what].detail.startswith(detail)


def test_no_credentials_for_a_cluster_on_eks(catalog: Catalog) -> None:
    checks = asked(catalog, eks=NAME, region=REGION)
    assert (checks["EKS cluster"].answer, checks["AWS identity"].answer) == (NO, NO)
    assert checks["AWS identity"].fix == "Log in to AWS, or give --profile."


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def known(cache: Path) -> dict[str, Check]:
    return {check.what: check for check in doctor.of_machine(cache, DAY)}


def test_the_table_of_versions_has_a_place_and_an_age(machine: Path) -> None:
    table = eks_table.packaged()
    age = f"as of {table.as_of}, {(DAY - table.as_of).days} days old"
    assert known(machine)["EKS add-on versions"].detail.startswith(f"{age} (packaged;")
    eks_table.save(table, machine)
    assert known(machine)["EKS add-on versions"].detail == f"{age} ({machine / eks_table.FILE_NAME})"
    (machine / eks_table.FILE_NAME).write_text("half")
    assert known(machine)["EKS add-on versions"].answer == NO
    assert "catalog refresh" in known(machine)["EKS add-on versions"].fix


def test_settings_are_named_with_their_waivers(machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert known(machine)["settings"].answer == SKIPPED
    path = tmp_path / "addonctl.yaml"
    path.write_text("waivers: [{code: HLT001, reason: known, until: 2027-01-31}]")
    monkeypatch.setenv("ADDONCTL_CONFIG", str(path))
    assert known(machine)["settings"].detail == f"{path}, waivers: 1"
    path.write_text("waivers: [{code: NONE}]")
    assert known(machine)["settings"].answer == NO
