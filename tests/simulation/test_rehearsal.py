"""Rehearsals: the production code carries a plan out in the twin of a cluster, whoever keeps the add-on."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters.manifest_files import ManifestFiles
from addonctl.apps import rehearsing
from addonctl.apps.rehearsing import _reads
from addonctl.catalog import AddOn
from addonctl.model.plan import Plan
from addonctl.model.rehearsal import Rehearsed, Weather
from addonctl.model.run import CommandFailed, GateFailed, Limits, NoWayBack, Phase
from addonctl.sim.blueprint import at_version, blueprint
from addonctl.sim.incidents import INCIDENTS
from addonctl.sim.rehearsal import Script, drawn, rehearsed, service_of, weather_of
from addonctl.sim.simulation import End
from addonctl.versions import Minor, Version
from tests.simulation.test_twin import assessed, manager

COREDNS = "v1.13.2-eksbuild.21"


def planned(addon: str, to: str) -> Plan:
    return manager().prepare_update(addon, to).to_carry_out


def script(addon: str = "coredns", to: str = COREDNS, **more: Any) -> Script:
    plan = more.pop("plan", None) or planned(addon, to)
    return Script(plan=plan, drawn=blueprint(assessed(), plan), limits=Limits(), reads=_reads, **more)


def calm(addon: str, to: str) -> Rehearsed:
    return rehearsed(script(addon, to), 1)


@pytest.mark.parametrize(
    ("addon", "to"),
    [
        ("coredns", COREDNS),  # EKS, a Deployment behind a Service
        ("aws-vpc-cni", "v1.18.6-eksbuild.1"),  # EKS, a DaemonSet, and no way back
        ("cert-manager", "v1.20.0"),  # Helm, two Deployments
        ("keda", "2.18.0"),  # Argo CD, which heals
        ("external-secrets", "v0.21.0"),  # Flux
    ],
)
def test_with_nothing_in_its_way_it_is_updated_whoever_keeps_it(addon: str, to: str) -> None:
    found = calm(addon, to)
    assert (found.weather, found.end, found.why) == (Weather.CALM, "updated", None)
    assert [each.phase for each in found.passed][:3] == ["preflight", "checkpoint", "baseline"]
    assert found.passed[-1].at_s == pytest.approx(found.took_s, abs=0.2)


def test_manifests_that_are_given_are_what_is_applied_in_the_twin(tmp_path: Path) -> None:
    (kept,) = blueprint(assessed(), planned("cluster-autoscaler", "1.34.0")).kept
    new = [at_version(dict(each), Version.of("v1.33.0"), Version.of("v1.34.0")) for each in kept.versions[kept.present]]
    (tmp_path / "new.yaml").write_text("\n---\n".join(json.dumps(each) for each in new))
    given = ManifestFiles().read(str(tmp_path / "new.yaml"))
    plan = manager().prepare_update("cluster-autoscaler", "v1.34.0", given).to_carry_out
    (found,) = rehearsing.rehearsed(manager(), plan, Limits(), rehearsing.Wanted(1, 1)).runs
    assert (found.end, found.why) == ("updated", None)


def test_in_several_steps_it_gets_to_the_last() -> None:
    found = calm("aws-vpc-cni", "default")
    assert found.end == "updated"
    assert {each.step for each in found.passed} == set(range(5))
    assert found.asked.lost > 0, "of each node's own pod requests are lost while it is replaced"


def test_what_cannot_work_says_so() -> None:
    """Nobody knows where the chart comes from: the real run would fail the same way."""
    found = calm("kube-state-metrics", "2.18.0")
    assert found.end == "rolled back"
    assert isinstance(found.why, CommandFailed)


def test_a_wrong_version_is_put_back_and_its_incident_told() -> None:
    found = rehearsed(script(known={"coredns": ("COREDNS-04",)}), 2)
    assert (found.weather, found.incident, found.end) == (Weather.INCIDENT, "COREDNS-04", "rolled back")
    assert (found.shows, found.source) == (INCIDENTS["COREDNS-04"].what, INCIDENTS["COREDNS-04"].source)
    assert isinstance(found.why, GateFailed)
    assert found.back_s is not None
    assert 0 < found.asked.wrong < found.asked.requests / 50


def test_a_version_that_refuses_its_configuration_is_put_back() -> None:
    found = rehearsed(script(known={"coredns": ("CFG-01",)}), 2)
    assert (found.end, type(found.why)) == ("rolled back", CommandFailed)


def test_a_node_that_a_wrong_version_cuts_off_is_noticed() -> None:
    found = rehearsed(script("aws-vpc-cni", "v1.18.6-eksbuild.1", known={"aws-vpc-cni": ("CIL-03",)}), 2)
    assert found.end == End.NO_WAY_BACK.value
    assert isinstance(found.why, NoWayBack)
    assert isinstance(found.why.instead, GateFailed)
    assert [guard.code for guard in found.why.instead.judgement.guards] == ["HLT021"]


def test_harm_that_nobody_counts_is_missed_and_said_to_be() -> None:
    """Of a pod network nothing is counted but readiness."""
    found = rehearsed(script("aws-vpc-cni", "v1.18.6-eksbuild.1", known={"aws-vpc-cni": ("CIL-01",)}), 2)
    assert (found.end, found.bad) == (End.MISSED.value, True)
    assert found.asked.wrong > 1_000


def test_the_same_seed_is_the_same_rehearsal_and_another_is_another() -> None:
    tried = script()
    once, again, other = (rehearsed(tried, seed) for seed in (3, 3, 7))
    assert once == again
    assert (once.seed, once.asked) != (other.seed, other.asked)


def test_what_is_drawn_is_of_the_addon_and_of_its_kind() -> None:
    known = script(known={"coredns": ("COREDNS-04", "VPC-CNI-01")})
    assert [name for _, name in known.pool] == ["COREDNS-04"]
    any_ = script()
    assert {INCIDENTS[name].kinds >= {"Deployment"} for _, name in any_.pool} == {True}
    cases = [drawn(any_, seed) for seed in range(40)]
    assert [case.weather for case in cases[:4]] == [weather_of(seed) for seed in range(4)]
    assert sorted(case.weather for case in cases[:4]) == ["calm", "faults", "incident", "incident"]
    assert all(bool(case.incident) is (case.weather is Weather.INCIDENT) for case in cases)
    assert not any(case.faults for case in cases if case.weather is Weather.CALM)


def test_of_several_addons_each_may_be_the_wrong_one_and_each_is_counted_by_its_own_sli() -> None:
    plan = manager().prepare_upgrade(Minor.of("1.36")).to_carry_out
    plan = replace(plan, steps=tuple(step for step in plan.steps if step.addon in ("aws-vpc-cni", "coredns")))
    both = script(plan=plan, known={"coredns": ("COREDNS-04",), "aws-vpc-cni": ("VPC-CNI-07",)})
    assert [step.addon for step in both.lasts] == ["aws-vpc-cni", "coredns"]
    cases = [drawn(both, seed) for seed in range(60)]
    assert {(case.step.addon, case.incident) for case in cases if case.incident} == {
        ("coredns", "COREDNS-04"),
        ("aws-vpc-cni", "VPC-CNI-07"),
    }
    assert rehearsed(both, 1).end == "updated"
    of_network = next(case.seed for case in cases if case.incident == "VPC-CNI-07")
    assert rehearsed(both, of_network).end in ("rolled back", "no way back")


def test_users_are_led_by_the_service_of_the_cluster() -> None:
    tried = script()
    (target,) = tried.plan.steps[0].targets
    assert service_of(tried.drawn, target) == ("kube-system", "kube-dns")


def test_a_plan_of_what_waits_for_an_approval_is_approved() -> None:
    plan = planned("coredns", COREDNS)
    asking = replace(plan, steps=tuple(replace(step, approval=True) for step in plan.steps))
    found = rehearsed(script(plan=asking), 1)
    assert Phase.APPROVAL.value in [each.phase for each in found.passed]
    assert found.end == "updated"


def test_the_incidents_of_the_catalog_are_there_and_each_is_somebody_s() -> None:
    addons: list[AddOn] = list(manager().catalog.addons.values())
    named = [name for addon in addons for name in addon.incidents]
    assert sorted(named) == sorted(INCIDENTS)
