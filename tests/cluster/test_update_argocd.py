"""An update of an add-on that a real Argo CD keeps, with auto-sync and selfHeal: through its Application, and unfought.

The plan is the planner's, the source a git repository whose tags are versions. Argo CD notes in an event each
synchronisation that it begins by itself: between the start and the end of a run there is none.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from addonctl.apps import wiring
from addonctl.model import ObjectRef, live
from addonctl.model.plan import Plan
from addonctl.model.run import Phase, Run
from tests.cluster import argocd
from tests.cluster.changes import got
from tests.cluster.lab import CONTEXT, Lab
from tests.cluster.processes import wait_for
from tests.cluster.test_argocd import deployment
from tests.cluster.updates import as_told, driven, objects_of

pytestmark = pytest.mark.prove
_BY_ITSELF = "Initiated automated sync"


@pytest.fixture
def environment(argocd_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in argocd_lab.environment.items():
        monkeypatch.setenv(name, value)


def planned(to: str) -> Plan:
    made = wiring.open_manager(context=CONTEXT).plan_update(argocd.ADDON, to)
    (step,) = made.steps
    return replace(made, steps=(replace(step, soak_s=4),))


def application(lab: Lab) -> dict[str, Any]:
    (found,) = got(lab.cluster, f"application.argoproj.io/{argocd.ADDON}", "-n", argocd.NAMESPACE)
    return found


def heals(lab: Lab) -> int:
    """How often Argo CD has begun a synchronisation by itself."""
    events = got(lab.cluster, "events", "-n", argocd.NAMESPACE)
    return sum(each["message"].startswith(_BY_ITSELF) for each in events if each["reason"] == "OperationStarted")


def owners_of(lab: Lab) -> set[str]:
    """Who owns fields of the Deployment's desired state."""
    ref = ObjectRef(kind="Deployment", name=argocd.ADDON, namespace=argocd.ADDON, group="apps")
    entries = objects_of(lab.cluster).get(ref).metadata["managedFields"]
    return {entry["manager"] for entry in entries if entry.get("subresource") != "status"}


def updated(lab: Lab, to: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A run; Argo CD fought nothing of it, and its settings are as they were."""
    before, fights, began = application(lab)["spec"], heals(lab), time.monotonic()
    run = driven(lab.cluster, planned(to), folder)
    took, fights = time.monotonic() - began, heals(lab) - fights
    with capsys.disabled():
        print(f"\n{as_told(run)}\n{took:.0f} s, {fights} times put back by Argo CD")
    after = application(lab)["spec"]
    assert {**after, "source": None} == {**before, "source": None}
    assert after["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    assert fights == 0
    return run


def test_external_dns_is_updated_wave_by_wave_and_back_again(
    argocd_lab: Lab, environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = live.normalised(deployment(argocd_lab))
    for version in (argocd.NEWER, argocd.VERSION) * 2:
        run = updated(argocd_lab, version, tmp_path, capsys)
        assert run.phase is Phase.UPDATED, as_told(run)
        assert application(argocd_lab)["spec"]["source"]["targetRevision"] == version
        found = deployment(argocd_lab)
        assert found["spec"]["template"]["spec"]["containers"][0]["image"] == f"{argocd.NAMED}:{version}"
        assert live.FIELD_MANAGER not in owners_of(argocd_lab)
    assert live.normalised(deployment(argocd_lab)) == before


def test_a_version_whose_image_is_not_there_is_put_back(
    argocd_lab: Lab, environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, source = live.normalised(deployment(argocd_lab)), application(argocd_lab)["spec"]["source"]
    run = updated(argocd_lab, argocd.NOT_BUILT, tmp_path, capsys)
    assert run.phase is Phase.ROLLED_BACK, as_told(run)
    assert live.normalised(deployment(argocd_lab)) == before
    assert application(argocd_lab)["spec"]["source"] == source


def test_what_is_changed_by_hand_is_counted_as_put_back(argocd_lab: Lab) -> None:
    before, place = heals(argocd_lab), f"deployment/{argocd.ADDON}"
    argocd_lab.cluster.kubectl("-n", argocd.ADDON, "scale", place, "--replicas=1")
    wait_for("Argo CD", lambda: deployment(argocd_lab)["spec"]["replicas"] == 2, 30)
    wait_for("its event", lambda: heals(argocd_lab) > before, 30)
