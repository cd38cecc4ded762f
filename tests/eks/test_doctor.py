"""What `doctor` tries, over HTTP: every step is answered, and one that fails hides no other."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from addonctl.adapters import doctor, eks_table, price_table
from addonctl.adapters.aws import OPTIONAL, PERMISSIONS, Aws
from addonctl.adapters.clock import SystemClock
from addonctl.adapters.decoders import KINDS
from addonctl.adapters.doctor import NO, SKIPPED, YES, Check
from addonctl.adapters.sources import snapshot_file
from addonctl.adapters.sources.live import LiveCluster
from addonctl.catalog import Catalog
from addonctl.catalog.prices import RegionPrices
from addonctl.model import Gap, GapReason, Place, Snapshot
from tests.builders import DAY, NOW, snapshot
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


def api(version: str, whoami: str = "") -> ApiServer:
    """An API server whose user may list pods, and secrets in namespace shop alone; it says who that is, or does not."""

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
                asked = json.loads(request.body)["spec"]["resourceAttributes"]
                allowed = asked["resource"] == "pods" or asked.get("namespace") == "shop"
                return Answer(status=201, body={"status": {"allowed": allowed}})
            case "/apis/authentication.k8s.io/v1/selfsubjectreviews" if whoami:
                user = {"username": whoami, "groups": ["ops", "system:authenticated"]}
                return Answer(status=201, body={"status": {"userInfo": user}})
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


def test_who_is_asking_is_said_where_the_api_server_says_it(catalog: Catalog, tmp_path: Path) -> None:
    with running(api("v1.34.1", "jane")) as server:
        told = asked(catalog, kubeconfig=kubeconfig(tmp_path, server.url, "kind"))["Kubernetes user"]
    assert (told.answer, told.detail) == (YES, "jane, in ops, system:authenticated")
    with running(api("v1.26.1")) as server:
        told = asked(catalog, kubeconfig=kubeconfig(tmp_path, server.url, "kind"))["Kubernetes user"]
    assert (told.answer, told.detail) == (SKIPPED, "this API server does not say; Kubernetes does since 1.28")


def test_of_one_namespace_what_may_be_read_there_is_enough(catalog: Catalog, tmp_path: Path) -> None:
    with running(api("v1.34.1")) as server:
        path = kubeconfig(tmp_path, server.url, "kind")
        assert asked(catalog, kubeconfig=path)["list secrets"].answer == NO
        assert asked(catalog, kubeconfig=path, namespace="shop")["list secrets"].answer == YES


def test_credentials_that_have_expired_are_said_to_have(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    expired = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token included in the "
        "request is expired</Message></Error></ErrorResponse>"
    )
    with running(ApiServer(lambda _: Answer(status=403, body=expired.encode()))) as server:
        _credentials(monkeypatch, server.url)
        checks = asked(catalog, eks=NAME, region=REGION)
    assert checks["AWS identity"].answer == NO
    assert "ExpiredToken" in checks["AWS identity"].detail
    assert checks["AWS identity"].fix == "Log in to AWS, or give --profile."
    assert checks["AWS permissions"].answer == SKIPPED


def test_a_page_of_a_proxy_is_no_answer_of_aws(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Answer(status=200, body=b"<!doctype html><p>Log in</p>", headers={"Content-Type": "text/html"})
    with running(ApiServer(lambda _: page)) as server:
        _credentials(monkeypatch, server.url)
        checks = asked(catalog, eks=NAME, region=REGION)
    assert checks["AWS identity"].answer == NO
    assert "a login page or proxy?" in checks["AWS identity"].detail
    assert "Log in" not in checks["AWS identity"].detail


def _credentials(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)


@pytest.mark.parametrize(
    ("arn", "source"),
    [
        ("arn:aws:sts::123456789012:assumed-role/reader/me", "arn:aws:iam::123456789012:role/team/reader"),
        ("arn:aws:iam::123456789012:user/jane", "arn:aws:iam::123456789012:user/jane"),
    ],
)
def test_policies_are_simulated_where_iam_may_be_asked(arn: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role's ARN, with its path, is not that of its sessions."""
    asked_of = []

    def route(request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode()))
        if form["Action"] == "GetRole":
            role = f"<Arn>arn:aws:iam::123456789012:role/team/{form['RoleName']}</Arn>"
            return Answer(
                body=f"<GetRoleResponse><GetRoleResult><Role>{role}</Role></GetRoleResult></GetRoleResponse>".encode()
            )
        asked_of.append(form["PolicySourceArn"])
        decided = {form["ActionNames.member.1"]: "allowed", form["ActionNames.member.2"]: "implicitDeny"}
        results = "".join(
            f"<member><EvalActionName>{action}</EvalActionName><EvalDecision>{what}</EvalDecision></member>"
            for action, what in decided.items()
        )
        return Answer(
            body=(
                "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>"
                f"{results}</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
            ).encode()
        )

    with running(ApiServer(route)) as server:
        _credentials(monkeypatch, server.url)
        said = Aws("eu-central-1").simulated(arn, ["pricing:GetProducts", "ce:GetCostAndUsage"])
    assert said == {"pricing:GetProducts": True, "ce:GetCostAndUsage": False}
    assert asked_of == [source]


def test_where_iam_cannot_be_asked_optional_actions_are_skipped_with_that_reason(
    aws: EksServer, catalog: Catalog, tmp_path: Path
) -> None:
    with running(api("v1.34.1-eks-1a2b3c4")) as server:
        checks = asked(catalog, kubeconfig=kubeconfig(tmp_path, server.url, ARN))
    for action, what in OPTIONAL:
        assert checks[action].answer == SKIPPED
        assert checks[action].detail.startswith(f"only {what} takes it; not tried, and IAM cannot be asked: ")


def saved(read: Callable[[], Snapshot]) -> dict[str, Check]:
    return {check.what: check for check in doctor.of_saved("files", read, NOW)}


def test_a_file_says_its_age_and_what_is_not_in_it() -> None:
    lost = Gap(part="documents", reason=GapReason.BROKEN, detail="it is not YAML", place=Place(file="a.yaml", line=3))
    gone = Gap(part="helm_releases", reason=GapReason.NOT_IN_INPUT, detail="the input has none", absent=True)
    no_right = Gap(part="secrets", reason=GapReason.FORBIDDEN, detail="forbidden", permission="list secrets")
    cluster = replace(snapshot().cluster, kubernetes="")
    taken = replace(snapshot(), taken=NOW - timedelta(days=1), cluster=cluster, gaps=(lost, gone, no_right))
    checks = saved(lambda: taken)
    assert checks["files"].detail.endswith("UTC, 1 day old")
    assert (checks["Kubernetes version"].answer, checks["Kubernetes version"].fix) == (NO, "Give --kubernetes.")
    assert (checks["read documents"].answer, checks["read documents"].detail) == (NO, "a.yaml:3: it is not YAML")
    assert (checks["read helm releases"].answer, checks["read helm releases"].detail) == (SKIPPED, "the input has none")
    assert checks["read secrets"].fix.startswith("Grant list secrets and read it again;")


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "x.snap"
    path.write_text("no")
    told = saved(lambda: snapshot_file.load(path))["files"]
    assert told.answer == NO
    assert told.detail


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


def test_prices_have_an_age_by_region(machine: Path) -> None:
    assert known(machine)["prices"].detail.startswith("packaged ones as of ")
    own = RegionPrices(region="eu-central-1", as_of=DAY, source="test", types={}, hourly={}, prices={})
    price_table.save_own(own, machine)
    assert f"; eu-central-1 as of {DAY}, 0 days old (in {machine})" in known(machine)["prices"].detail
    price_table.own_path("eu-west-1", machine).write_text("half")
    assert known(machine)["prices"].answer == NO


def test_what_servers_are_asked_with_is_named(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "boto3 " in known(machine)["addonctl"].detail
    monkeypatch.setenv("PATH", str(machine))
    assert known(machine)["helm"].answer == SKIPPED
    (machine / "helm").write_text("#!/bin/sh")
    (machine / "helm").chmod(0o755)
    assert known(machine)["helm"].detail == str(machine / "helm")


def test_settings_are_named_with_their_waivers(machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert known(machine)["settings"].answer == SKIPPED
    path = tmp_path / "addonctl.yaml"
    path.write_text("waivers: [{code: HLT001, reason: known, until: 2027-01-31}]")
    monkeypatch.setenv("ADDONCTL_CONFIG", str(path))
    assert known(machine)["settings"].detail == f"{path}, waivers: 1"
    path.write_text("defaults: {context: prod}")
    assert known(machine)["settings"].detail == f"{path}, waivers: 0, defaults of context"
    path.write_text("waivers: [{code: NONE}]")
    assert known(machine)["settings"].answer == NO
