"""Saved plans come back as they were, whichever owners and actions are in them; what was changed in one is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from addonctl.adapters import codec, plan_file
from addonctl.adapters.clock import SystemClock
from addonctl.apps import wiring
from addonctl.errors import BadInput
from addonctl.model import ObjectRef
from addonctl.model.configuration import ConfigurationChange, KeyChange
from addonctl.model.manifests import ManifestSet
from addonctl.model.plan import Plan
from addonctl.preflight import Prepared
from addonctl.render import documents
from addonctl.versions import Minor
from tests.adapters.test_codec import full

_CHANGE = ConfigurationChange(changes=(KeyChange(r"a.b\.c[0]", "2", "absent"),), was="ab12", goal="cd34")
_MANIFESTS = ManifestSet(path="dns.yaml", sha256="ab" * 32, objects=(ObjectRef.of("Service", "dns"),))


def everything() -> Plan:
    """With every owner and action, and what a step may have besides."""
    plan = full().plan
    steps = tuple(replace(step, configuration=_CHANGE, manifests=_MANIFESTS, restores="ab") for step in plan.steps)
    return replace(plan, steps=(*steps, *plan.steps))


def saved(plan: Plan, folder: Path, output: str = "json") -> Path:
    file = folder / f"plan.{output}"
    prepared = Prepared(plan, (), frozenset({"PRE006"}))
    file.write_text(documents.dump(documents.plan_document(prepared), output))
    return file


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_a_plan_with_all_there_is_comes_back(tmp_path: Path, output: str) -> None:
    found = plan_file.read(str(saved(everything(), tmp_path, output)))
    assert found.plan == everything()
    assert found.accepted == ("PRE006",)
    assert codec.encoded(found.plan) == codec.encoded(everything())


@pytest.mark.parametrize("addon", ["coredns", "aws-vpc-cni", "cert-manager", "keda", "external-secrets", "argo-cd"])
def test_plans_of_the_demo_come_back(tmp_path: Path, addon: str) -> None:
    to = "latest-compatible" if addon in ("coredns", "aws-vpc-cni") else "v9.9.9"
    plan = wiring.open_manager(demo=True).plan_update(addon, to)
    assert plan.steps
    assert plan_file.read(str(saved(plan, tmp_path))).plan == plan


def test_a_plan_for_the_control_plane_comes_back(tmp_path: Path) -> None:
    plan = replace(wiring.open_manager(demo=True), clock=SystemClock()).plan_upgrade(Minor(1, 36))
    assert plan_file.read(str(saved(plan, tmp_path))).plan == plan


_WRONG: dict[str, tuple[str, str]] = {
    "nothing": ("", "no saved plan"),
    "no document": ("{", "neither JSON nor YAML"),
    "a list": ("[]", "no saved plan"),
    "another kind": ('{"kind": "Run", "steps": []}', "no saved plan"),
    "half of one": ('{"kind": "Plan", "steps": [{}]}', "not a plan of this version"),
}


@pytest.mark.parametrize(("text", "says"), _WRONG.values(), ids=_WRONG)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(BadInput, match=says):
        plan_file.read(str(file))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"plan\.json cannot be read: No such file"):
        plan_file.read(str(tmp_path / "plan.json"))


@pytest.mark.parametrize("name", ["to_version", "installation", "actions"])
def test_a_plan_that_says_something_else_than_was_planned_is_refused(tmp_path: Path, name: str) -> None:
    file = saved(everything(), tmp_path)
    document = json.loads(file.read_text())
    other = {"to_version": "v9.9.9", "installation": "dns/default/dns", "actions": []}
    document["steps"][0][name] = other[name]
    file.write_text(json.dumps(document))
    with pytest.raises(BadInput, match=f"not plan {everything().id} as it was made"):
        plan_file.read(str(file))


def test_what_no_version_writes_is_refused_rather_than_dropped(tmp_path: Path) -> None:
    file = saved(everything(), tmp_path)
    document = json.loads(file.read_text())
    document["steps"][0]["force"] = True
    file.write_text(json.dumps(document))
    with pytest.raises(BadInput, match="not a plan of this version"):
        plan_file.read(str(file))
