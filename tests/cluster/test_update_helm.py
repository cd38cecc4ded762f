"""An update of the real Gatekeeper, which a real Helm keeps, by the production code: taken up, or put back.

The plan is the planner's; only the chart comes from a folder, with a version of the test's own. Meanwhile Gatekeeper is
sent what it has to judge, through the API server and pod by pod.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters.helm_binary import HelmSecrets
from addonctl.apps import wiring
from addonctl.model import HelmUpgrade, ObjectRef, live
from addonctl.model.plan import Plan
from addonctl.model.run import Phase
from tests.cluster import build
from tests.cluster.lab import GATEKEEPER_IMAGE, NAME, Lab
from tests.cluster.updates import as_told, driven, objects_of

_WAS = build.GATEKEEPER.removeprefix("v")
_NEWER, _NOT_BUILT = "3.24.0", "3.25.0"
_NAMESPACE = "gatekeeper-system"
_WORKLOADS = ("gatekeeper-controller-manager", "gatekeeper-audit")


@pytest.fixture
def environment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in lab.environment.items():
        monkeypatch.setenv(name, value)
    built = f"{GATEKEEPER_IMAGE}:{build.GATEKEEPER}"
    lab.cluster.name_image(built, f"{GATEKEEPER_IMAGE}:v{_NEWER}")


def chart(version: str, folder: Path) -> Path:
    """Gatekeeper's chart as that of another version, whose image has its tag."""
    copy = folder / version
    shutil.copytree(build.GATEKEEPER_CHART.folder / "gatekeeper", copy, dirs_exist_ok=True)
    for file in ("Chart.yaml", "values.yaml"):
        path = copy / file
        path.write_text(path.read_text().replace(_WAS, version))
    return copy


def planned(to: str, folder: Path) -> Plan:
    made = wiring.open_manager(eks=NAME).plan_update("gatekeeper", to)
    (step,) = made.steps
    (upgrade,) = step.do
    assert isinstance(upgrade, HelmUpgrade)
    assert upgrade.repository
    do = replace(upgrade, chart=str(chart(to, folder)), repository="")
    return replace(made, steps=(replace(step, soak_s=4, do=(do,)),))


def workloads(lab: Lab) -> list[live.Object]:
    found = (ObjectRef(kind="Deployment", name=name, namespace=_NAMESPACE, group="apps") for name in _WORKLOADS)
    return [objects_of(lab.cluster).get(ref) for ref in found]


def normalised(lab: Lab) -> list[dict[str, Any]]:
    return [live.normalised(each.document) for each in workloads(lab)]


def history(lab: Lab) -> list[live.Release]:
    return list(HelmSecrets(objects_of(lab.cluster)).history(_NAMESPACE, "gatekeeper"))


def owners_of(lab: Lab) -> set[str]:
    entries = (entry for each in workloads(lab) for entry in each.metadata["managedFields"])
    return {entry["manager"] for entry in entries if entry.get("subresource") != "status"}


@pytest.mark.prove
def test_gatekeeper_is_updated_wave_by_wave_and_back_again(
    lab: Lab, environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, values = normalised(lab), history(lab)[-1].values
    for version in (_NEWER, _WAS):
        run = driven(lab.cluster, planned(version, tmp_path), tmp_path / "checkpoints")
        with capsys.disabled():
            print(f"\n{as_told(run)}\n{run.served}")
        assert run.phase is Phase.UPDATED, as_told(run)
        newest = history(lab)[-1]
        assert (newest.chart_version, newest.status, newest.values) == (version, "deployed", values)
        images = {each.document["spec"]["template"]["spec"]["containers"][0]["image"] for each in workloads(lab)}
        assert images == {f"{GATEKEEPER_IMAGE}:v{version}"}
        assert live.FIELD_MANAGER not in owners_of(lab)
    assert normalised(lab) == before


def test_a_version_whose_image_is_not_there_is_put_back(
    lab: Lab, environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, (*_, was) = normalised(lab), history(lab)
    run = driven(lab.cluster, planned(_NOT_BUILT, tmp_path), tmp_path / "checkpoints")
    with capsys.disabled():
        print(f"\n{as_told(run)}\n{run.served}")
    assert run.phase is Phase.ROLLED_BACK, as_told(run)
    assert normalised(lab) == before
    assert live.FIELD_MANAGER not in owners_of(lab)
    *_, tried, newest = history(lab)
    assert (tried.chart_version, tried.status) == (_NOT_BUILT, "superseded")
    assert (newest.chart_version, newest.status, newest.values) == (was.chart_version, "deployed", was.values)
    assert newest.revision == was.revision + 2


@pytest.mark.prove
def test_helm_itself_goes_on_after_an_update_by_us(lab: Lab, environment: None, tmp_path: Path) -> None:
    """Nothing of ours is in its way: neither temporary settings nor the ownership of fields."""
    folder = str(chart(_NEWER, tmp_path))
    lab.cluster.helm("upgrade", "gatekeeper", folder, "-n", _NAMESPACE, "--no-hooks", "--reuse-values")
    for name in _WORKLOADS:
        lab.cluster.ready(f"deployment/{name}", _NAMESPACE)
    lab.cluster.helm("rollback", "gatekeeper", "-n", _NAMESPACE, "--no-hooks")
    for name in _WORKLOADS:
        lab.cluster.ready(f"deployment/{name}", _NAMESPACE)
