"""An update of the real CoreDNS, which EKS keeps, by the production code: taken up wave by wave, or put back.

The plan is the planner's, EKS is the lab's, the API server, the pods and the DNS queries are real. The commands that do
this for a user are tried in test_update_commands.py.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from addonctl.apps import wiring
from addonctl.model import live
from addonctl.model.plan import Plan
from addonctl.model.run import GateFailed, Phase, Run
from tests.cluster.changes import condition, got, pods
from tests.cluster.lab import EKS_ADDONS, NAME, Lab, image_of
from tests.cluster.updates import as_told, driven

_NEWER = "v1.13.2-eksbuild.21"
_NOT_BUILT = "v1.14.3-eksbuild.14"  # AWS offers it; its image is not to be had here


def is_ready(pod: dict[str, Any]) -> bool:
    return condition(pod, "Ready") == "True"


@pytest.fixture
def environment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in lab.environment.items():
        monkeypatch.setenv(name, value)
    lab.update_s = 600  # as in life, EKS waits longer than a wave lasts
    yield
    lab.update_s = 60


def planned(to: str) -> Plan:
    made = wiring.open_manager(eks=NAME).plan_update("coredns", to)
    (step,) = made.steps
    assert [each.sli for each in step.objectives] == ["ready", "dns"]
    return replace(made, steps=(replace(step, soak_s=4),))


def updated(lab: Lab, plan: Plan, folder: Path) -> Run:
    """A run of `plan` at its end, against the lab."""
    return driven(lab.cluster, plan, folder)


def deployment(lab: Lab) -> live.Object:
    (found,) = got(lab.cluster, "deployment/coredns", "-n", "kube-system")
    return live.Object(found)


@pytest.mark.prove
def test_coredns_is_updated_wave_by_wave_and_back_again(
    lab: Lab, environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = live.normalised(deployment(lab).document)
    for version in (_NEWER, EKS_ADDONS["coredns"]):
        run = updated(lab, planned(version), tmp_path)
        with capsys.disabled():
            print(f"\n{as_told(run)}\n{run.served}")
        assert run.phase is Phase.UPDATED, as_told(run)
        (dns,) = (each.counts for each in run.served if each.sli == "dns")
        assert dns.requests > 100
        assert dns.failed == 0
        (container,) = deployment(lab).document["spec"]["template"]["spec"]["containers"]
        assert container["image"] == image_of("coredns", version)
    assert live.normalised(deployment(lab).document) == before


@pytest.mark.prove
def test_a_version_whose_image_is_not_there_is_put_back(
    lab: Lab, environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = live.normalised(deployment(lab).document)
    run = updated(lab, planned(_NOT_BUILT), tmp_path)
    with capsys.disabled():
        print(f"\n{as_told(run)}")
    assert run.phase is Phase.ROLLED_BACK, as_told(run)
    assert isinstance(run.why, GateFailed)
    assert {each.code for each in run.why.judgement.guards} == {"HLT002"}
    assert live.normalised(deployment(lab).document) == before
    described = lab.eks.client("eks").describe_addon(clusterName=NAME, addonName="coredns")["addon"]
    assert (described["addonVersion"], described["status"]) == (EKS_ADDONS["coredns"], "ACTIVE")
    lost = [pod for pod in pods(lab.cluster, "kube-system", "k8s-app=kube-dns") if not is_ready(pod)]
    assert lost == []
