"""Another configuration, by the production code in the simulated world: brought, verified, and put back exactly."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from addonctl.adapters import codec
from addonctl.adapters.values_files import parsed
from addonctl.configuring import Configuring
from addonctl.errors import BadInput, Invalid
from addonctl.model import live, owners
from addonctl.model.configuration import KeyChange
from addonctl.model.plan import Step
from addonctl.model.run import CommandFailed, GateFailed, Phase
from addonctl.sim.controllers import Behaviour
from addonctl.sim.faults import draw, schedule
from addonctl.values import Values
from tests.simulation.update import NEW, OLD, Cluster, Eks, Helm, Keeper, Kubectl, seeds
from tests.simulation.update_gitops import Argo, Flux

SECRET = "hunter2-hunter2"
WAS: Values = MappingProxyType({"corefile": ". { forward . /etc/resolv.conf }", "level": "info", "password": SECRET})
_BROKEN = {"eks/dns:broken": Behaviour(crashes_after_s=2)}
Keepers = Callable[[Cluster], Keeper]


class ByEks(Eks):
    """Its configuration is YAML, as a person wrote it."""

    configuration = f"# by hand\nlevel: info\npassword: {SECRET}\ncorefile: {WAS['corefile']!r}\n"


class ByHelm(Helm):
    values: ClassVar[Mapping[str, Any]] = WAS


class ByArgo(Argo):
    values: ClassVar[Mapping[str, Any]] = WAS
    helm: ClassVar[Mapping[str, Any]] = MappingProxyType({"values": json.dumps(dict(WAS)), "releaseName": "dns"})

    def at(self, version: Any) -> dict[str, Any]:
        spec = super().at(version)
        return {**spec, "source": {**spec["source"], "helm": dict(self.helm)}}


class ByFlux(Flux):
    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster, values=dict(WAS))


BY_ALL = pytest.mark.parametrize("keeper", [ByEks, ByHelm, ByArgo, ByFlux], ids=lambda keeper: keeper.__name__)


def configuring(cluster: Cluster) -> Configuring:
    return Configuring(cluster.hands, parsed)


def step_of(cluster: Cluster, given: Values, **more: Any) -> Step:
    """The cluster's step with another configuration, at the version that it has."""
    step = replace(cluster.plan().steps[0], to_version=OLD, **more)
    change = configuring(cluster).change("prod-eu-1", step, given)
    assert change is not None
    return replace(step, configuration=change)


def kept(cluster: Cluster) -> Values:
    """The configuration that the owner has."""
    match keeper := cluster.keeper:
        case Eks():
            return parsed(cluster.hands.eks.describe("dns").configuration)
        case Helm():
            return keeper.releases.history("kube-system", "dns")[-1].values
        case Argo():
            helm = keeper.document()["spec"]["source"]["helm"]
            return helm.get("valuesObject") or parsed(helm["values"])
        case Flux():
            values: Values = keeper.document()["spec"]["values"]
            return values
    raise AssertionError(keeper)


def levels(cluster: Cluster) -> set[str]:
    """What the template of the workload says."""
    (container,) = cluster.spec["template"]["spec"]["containers"]
    return {each["value"] for each in container.get("env") or ()}


def is_clean(cluster: Cluster) -> None:
    """Nothing temporary is left."""
    assert cluster.spec.get("strategy", {}).get("rollingUpdate", {}).get("maxSurge") in (None, "25%")
    assert "minReadySeconds" not in cluster.spec
    assert not cluster.spec.get("paused")
    assert (live.FIELD_MANAGER, "Update") not in cluster.managers


# ── There ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@BY_ALL
@pytest.mark.parametrize("seed", range(2))
def test_a_configuration_is_brought_wave_by_wave_and_all_else_stays(keeper: Keepers, seed: int) -> None:
    cluster = Cluster(seed, keeper=keeper)
    run = cluster.update(step_of(cluster, {"level": "debug"}))
    assert run.phase is Phase.UPDATED, run.why
    assert kept(cluster) == {**WAS, "level": "debug"}
    assert (levels(cluster), set(cluster.images())) == ({"debug"}, {str(OLD)})
    assert [entry.wave for entry in run.timeline if entry.phase is Phase.SOAK] == [0, 1]
    assert cluster.lost == 0
    is_clean(cluster)


@BY_ALL
def test_a_configuration_comes_with_a_version(keeper: Keepers) -> None:
    cluster = Cluster(2, keeper=keeper)
    step = cluster.plan().steps[0]
    change = configuring(cluster).change("prod-eu-1", step, {"level": None})
    run = cluster.update(replace(step, configuration=change))
    assert run.phase is Phase.UPDATED, run.why
    assert kept(cluster) == {name: value for name, value in WAS.items() if name != "level"}
    assert (levels(cluster), set(cluster.images())) == (set(), {str(NEW)})
    is_clean(cluster)


@BY_ALL
def test_where_no_pods_are_replaced_it_is_brought_all_the_same(keeper: Keepers) -> None:
    cluster = Cluster(3, keeper=keeper)
    pods = sorted(pod.metadata["uid"] for pod in cluster.store.rows(("", "Pod")))
    run = cluster.update(step_of(cluster, {"corefile": "another"}))
    assert run.phase is Phase.UPDATED, run.why
    found = cluster.store.get(("", "ConfigMap"), "kube-system", "corefile")
    assert found is not None
    assert found.document["data"] == {"Corefile": "another"}
    assert sorted(pod.metadata["uid"] for pod in cluster.store.rows(("", "Pod"))) == pods
    is_clean(cluster)


@BY_ALL
def test_more_instances_are_a_configuration(keeper: Keepers) -> None:
    cluster = Cluster(4, keeper=keeper)
    run = cluster.update(step_of(cluster, {"replicaCount": 5}))
    assert run.phase is Phase.UPDATED, run.why
    assert len(cluster.images()) == 5
    is_clean(cluster)


@BY_ALL
@pytest.mark.parametrize("seed", range(5))
def test_whenever_its_worker_dies_it_is_there_or_back(keeper: Keepers, seed: int) -> None:
    cluster = Cluster(seed, keeper=keeper, others=_BROKEN)
    given = {"tag": "broken"} if seed % 2 else {"level": "debug"}
    run = cluster.update(step_of(cluster, given), crash=0.05)
    assert run.phase is (Phase.ROLLED_BACK if seed % 2 else Phase.UPDATED), run.why
    assert kept(cluster) == (WAS if seed % 2 else {**WAS, **given})
    is_clean(cluster)


@BY_ALL
@pytest.mark.parametrize("seed", seeds(range(12), every=5))
def test_in_any_storm_it_is_there_or_back(keeper: Keepers, seed: int) -> None:
    """Faults of API server, owner, nodes and clocks, and a process that dies; never something in between."""
    cluster = Cluster(seed, keeper=keeper, others=_BROKEN)
    given = {"tag": "broken"} if seed % 3 == 0 else {"level": "debug", "corefile": "another"}
    step = step_of(cluster, given)
    before = configured_text(cluster)
    quiet = schedule(cluster.scene, draw(cluster.scene, 6, 300))
    run = cluster.update(step, crash=0.1)
    cluster.world.advance(max(quiet - cluster.world.seconds, 0) + 120)
    if run.phase is Phase.UPDATED:
        assert seed % 3
        assert kept(cluster) == {**WAS, **given}
        assert levels(cluster) == {"debug"}
    elif run.phase in (Phase.ROLLED_BACK, Phase.REFUSED):
        assert configured_text(cluster) == before
        assert levels(cluster) == {"info"}
    else:
        assert run.phase is Phase.STUCK


# ── And back ────────────────────────────────────────────────────────────────────────────────────────────────────────


@BY_ALL
def test_one_that_breaks_it_is_put_back_to_the_letter(keeper: Keepers) -> None:
    cluster = Cluster(5, keeper=keeper, others=_BROKEN)
    before = configured_text(cluster)
    run = cluster.update(step_of(cluster, {"tag": "broken", "corefile": "another"}))
    assert run.phase is Phase.ROLLED_BACK
    assert isinstance(run.why, GateFailed)
    assert configured_text(cluster) == before
    assert set(cluster.images()) == {str(OLD)}
    found = cluster.store.get(("", "ConfigMap"), "kube-system", "corefile")
    assert found is not None
    assert found.document["data"] == {"Corefile": WAS["corefile"]}
    assert cluster.lost == 0
    is_clean(cluster)


def configured_text(cluster: Cluster) -> object:
    """As its owner has it, comments and all."""
    match keeper := cluster.keeper:
        case Eks():
            return cluster.hands.eks.describe("dns").configuration
        case Argo() | Flux():
            return keeper.document()["spec"]
    return kept(cluster)


# ── What is told, and what is not ───────────────────────────────────────────────────────────────────────────────────


@BY_ALL
def test_a_plan_and_the_journal_of_its_run_hold_no_value_that_may_be_secret(keeper: Keepers) -> None:
    cluster = Cluster(6, keeper=keeper)
    step = step_of(cluster, {"password": "another-hunter3", "replicaCount": 4, "level": None})
    assert step.configuration is not None
    assert step.configuration.changes == (
        KeyChange("level", "text", "absent"),
        KeyChange("password", "text", "other text"),
        KeyChange("replicaCount", "absent", "4"),
    )
    run = cluster.update(step)
    assert run.phase is Phase.UPDATED, run.why
    assert "hunter" not in codec.encoded(run) + repr(run)
    assert kept(cluster)["password"] == "another-hunter3"


def test_nothing_changes_where_it_is_so_already() -> None:
    cluster = Cluster(7, keeper=ByEks)
    step = replace(cluster.plan().steps[0], to_version=OLD)
    assert configuring(cluster).change("prod-eu-1", step, {"level": "info", "nothing": None}) is not None
    assert configuring(cluster).change("prod-eu-1", step, {"level": "info"}) is None


# ── What is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


def _changed_meanwhile(cluster: Cluster) -> None:
    match keeper := cluster.keeper:
        case Eks():
            said = cluster.hands.eks.describe("dns")
            cluster.hands.eks_writer.update(
                "dns",
                version=said.version,
                role_arn=said.role_arn,
                identities=(),
                configuration="level: warn",
                resolve_conflicts=live.ResolveConflicts.OVERWRITE,
                token="somebody",
            )
        case Helm():
            where = f"{keeper.do.repository}/dns"
            values = {**WAS, "level": "warn"}
            keeper.program.upgrade("kube-system", "dns", chart=where, version=str(OLD), values=values, timeout_s=60)
        case Argo():
            source = {"source": {"helm": {"releaseName": "other"}}}
            keeper.objects.patch(live.object_of(keeper.owner), {"spec": source})
        case Flux():
            keeper.objects.patch(live.object_of(keeper.owner), {"spec": {"values": {"level": "warn"}}})
    cluster.world.advance(120)


@BY_ALL
def test_one_that_somebody_changed_after_the_plan_is_left_alone(keeper: Keepers) -> None:
    cluster = Cluster(8, keeper=keeper)
    step = step_of(cluster, {"level": "debug"})
    _changed_meanwhile(cluster)
    with pytest.raises(BadInput, match="not what the plan was made for"):
        configuring(cluster).check(step)
    run = cluster.update(step)
    assert run.phase is Phase.REFUSED
    assert isinstance(run.why, CommandFailed)
    assert "not what the plan was made for" in run.why.reason


@BY_ALL
def test_what_is_still_so_passes(keeper: Keepers) -> None:
    cluster = Cluster(8, keeper=keeper)
    configuring(cluster).check(step_of(cluster, {"level": "debug"}))


def test_a_plan_of_another_machine_has_no_values_here() -> None:
    step = step_of(Cluster(9, keeper=ByEks), {"level": "debug"})
    with pytest.raises(BadInput, match="not kept here"):
        configuring(Cluster(9, keeper=ByEks)).check(step)


def test_manifests_have_no_values() -> None:
    cluster = Cluster(10, keeper=Kubectl)
    with pytest.raises(BadInput, match="kept as manifests") as caught:
        step_of(cluster, {"level": "debug"})
    assert "--manifests" in caught.value.fix


def test_a_kustomization_is_changed_in_its_repository() -> None:
    cluster = Cluster(10, keeper=ByFlux)
    with pytest.raises(BadInput, match="flux"):
        step_of(cluster, {"level": "debug"}, owner=owners.FluxKustomization("flux-system", "dns"))


class ByParameters(ByArgo):
    helm: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"valuesObject": dict(WAS), "parameters": [{"name": "level", "value": "warn"}]}
    )


def test_what_parameters_say_values_do_not() -> None:
    cluster = Cluster(11, keeper=ByParameters)
    with pytest.raises(Invalid, match=r"Parameters of .* level"):
        step_of(cluster, {"level": "debug"})
    assert step_of(cluster, {"corefile": "another"}).configuration is not None


class OfAFolder(ByArgo):
    def at(self, version: Any) -> dict[str, Any]:
        spec = super().at(version)
        source = {name: held for name, held in spec["source"].items() if name not in ("helm", "chart")}
        return {**spec, "source": {**source, "path": "dns"}}


def test_a_folder_of_manifests_has_no_values() -> None:
    with pytest.raises(Invalid, match="no chart"):
        step_of(Cluster(11, keeper=OfAFolder), {"level": "debug"})


@pytest.mark.parametrize("keeper", [ByArgo, ByFlux])
def test_a_null_that_a_patch_cannot_set_is_refused(keeper: Keepers) -> None:
    with pytest.raises(Invalid, match="null"):
        step_of(Cluster(12, keeper=keeper), {"nothing": None})
