"""What is special about add-ons that Argo CD and Flux keep: nothing is fought over, and they are left as they were."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from addonctl.errors import Conflict, TimedOut
from addonctl.hands import NotYet
from addonctl.model import ObjectRef, live
from addonctl.model.plan import Wave
from addonctl.model.run import CommandFailed, Do, OwnerFailed, OwnerState, Phase, Run
from addonctl.sim.controllers import Behaviour
from addonctl.sim.faults import draw, schedule
from addonctl.values import Values
from addonctl.versions import Version
from tests.simulation.test_update import as_left, audit
from tests.simulation.test_update_helm import strike
from tests.simulation.update import NEW, OLD, Cluster, checkpoint, hand_of, manifests, seeds
from tests.simulation.update_gitops import Argo, Flux

KINDS = ("Deployment", "DaemonSet")
BOTH = pytest.mark.parametrize("keeper", [Argo, Flux], ids=["Argo", "Flux"])
Keepers = Callable[[Cluster], Argo | Flux]


def keeper_of(cluster: Cluster) -> Argo | Flux:
    assert isinstance(cluster.keeper, Argo | Flux)
    return cluster.keeper


def reason(run: Run) -> str:
    assert isinstance(run.why, CommandFailed), run.why
    return run.why.reason


# ── Fights ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@BOTH
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", [{}, {"bad_share": 0.4}, {"behaviour": Behaviour(gets_ready=False)}])
def test_nothing_is_fought_over(keeper: Keepers, kind: str, given: dict[str, Any]) -> None:
    cluster = Cluster(11, kind, keeper=keeper, **given)
    before = keeper_of(cluster).controller.by_itself
    run = cluster.update()
    assert run.phase is (Phase.ROLLED_BACK if given else Phase.UPDATED)
    audit(cluster, run)
    cluster.world.advance(900)
    audit(cluster, run)
    assert keeper_of(cluster).controller.by_itself == before


@BOTH
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_manifests_set_stays_hardened_when_the_new_version_comes(keeper: Keepers, kind: str) -> None:
    cluster = Cluster(3, kind, keeper=keeper)
    before, hand = checkpoint(cluster), hand_of(cluster)
    hand.hold(before)
    field, hardened = (
        ("strategy", {"maxSurge": 1, "maxUnavailable": 0})
        if kind == "Deployment"
        else (
            "updateStrategy",
            None,
        )
    )
    patch = {"type": "RollingUpdate" if hardened else "OnDelete", "rollingUpdate": hardened}
    cluster.hands.writer.patch(before.objects[0].ref, {"spec": {field: patch}})
    cluster.world.advance(120)
    hand.change(before, "one")
    assert cluster.world.until(lambda: hand.state("one")[0] is OwnerState.DONE, 60)
    assert cluster.spec["template"]["spec"]["containers"][0]["image"].endswith(str(NEW))
    assert cluster.spec[field] == {name: value for name, value in patch.items() if value}


@BOTH
def test_without_being_held_it_would_be_fought_over(keeper: Keepers) -> None:
    cluster = Cluster(3, keeper=keeper)
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    cluster.hands.writer.patch(checkpoint(cluster).objects[0].ref, {"spec": {"strategy": {"rollingUpdate": rolling}}})
    cluster.world.advance(120)
    assert cluster.spec["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}


# ── Deaths ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@BOTH
@pytest.mark.parametrize("seed", seeds(range(12), every=5))
def test_whenever_its_worker_dies_the_controller_is_as_it_was(keeper: Keepers, seed: int) -> None:
    cluster = Cluster(seed, KINDS[seed % 2], keeper=keeper, bad_share=0.4 * (seed % 3 == 0))
    before = keeper_of(cluster).controller.by_itself
    run = cluster.update(crash=0.25)
    assert run.phase is not (Phase.STUCK if seed % 3 else Phase.UPDATED)
    audit(cluster, run)
    assert keeper_of(cluster).controller.by_itself == before


@BOTH
def test_a_change_whose_answer_was_lost_is_made_once(keeper: Keepers) -> None:
    cluster = Cluster(3, keeper=keeper)
    before, hand = checkpoint(cluster), hand_of(cluster)
    hand.hold(before)
    strike(cluster, "patch", TimedOut("no answer"), after=True)
    with pytest.raises(TimedOut):
        hand.change(before, "one")
    hand.change(before, "one")
    cluster.world.advance(30)
    said = keeper_of(cluster).document()
    hand.change(before, "one")
    cluster.world.advance(5)
    assert keeper_of(cluster).document()["spec"] == said["spec"]
    assert hand.state("one") == (OwnerState.DONE, "")


# ── What is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


def patched(cluster: Cluster, body: dict[str, Any]) -> None:
    keeper = keeper_of(cluster)
    keeper.objects.patch(live.object_of(keeper.owner), body)
    cluster.world.advance(10)


def refused(cluster: Cluster, says: str) -> None:
    before = keeper_of(cluster).document()["spec"]
    run = cluster.update()
    assert run.phase is Phase.REFUSED
    assert says in reason(run)
    assert run.checkpoints == ()
    assert keeper_of(cluster).document()["spec"] == before
    assert "paused" not in cluster.spec


def test_an_application_whose_version_is_in_its_repository_is_changed_there() -> None:
    cluster = Cluster(1, keeper=Argo)
    patched(cluster, {"spec": {"source": {"chart": None, "path": "dns", "targetRevision": "main"}}})
    refused(cluster, "which takes main: it is in the repository")


def test_a_release_that_takes_any_version_is_given_none() -> None:
    cluster = Cluster(1, keeper=Flux)
    patched(cluster, {"spec": {"chart": {"spec": {"version": ">=1.0.0 <2.0.0"}}}})
    refused(cluster, "which takes >=1.0.0 <2.0.0")


@BOTH
def test_what_another_application_keeps_is_changed_there(keeper: Keepers) -> None:
    cluster = Cluster(1, keeper=keeper)
    patched(
        cluster, {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "root:argoproj.io/Application:a/b"}}}
    )
    refused(cluster, "is managed by Application/root")


def test_what_differs_already_is_not_brought_by_an_update() -> None:
    cluster = Cluster(1, keeper=lambda cluster: Argo(cluster, prune=True))
    cluster.hands.writer.patch(ObjectRef.of("Deployment", "dns", "kube-system"), {"spec": {"replicas": 4}})
    cluster.world.advance(30)
    refused(cluster, "Argo CD says OutOfSync")


def test_a_suspended_release_is_left_alone() -> None:
    cluster = Cluster(1, keeper=Flux)
    patched(cluster, {"spec": {"suspend": True}})
    refused(cluster, "it is suspended")


# ── What the controller makes of it ─────────────────────────────────────────────────────────────────────────────────


def test_an_application_that_is_synchronised_by_hand_stays_so() -> None:
    cluster = Cluster(1, keeper=Argo)
    policy = {"syncOptions": ["CreateNamespace=true"]}
    patched(cluster, {"spec": {"syncPolicy": {"automated": None}}})
    run = cluster.update()
    assert run.phase is Phase.UPDATED
    assert set(cluster.images()) == {str(NEW)}
    assert keeper_of(cluster).document()["spec"]["syncPolicy"] == policy


def test_what_somebody_sets_meanwhile_stays_theirs() -> None:
    cluster = Cluster(1, keeper=Argo)
    before, hand = checkpoint(cluster), hand_of(cluster)
    hand.hold(before)
    patched(cluster, {"spec": {"syncPolicy": {"automated": {"selfHeal": False}}}})
    hand.let_go(before, "one")
    assert keeper_of(cluster).document()["spec"]["syncPolicy"]["automated"] == {"selfHeal": False}


def test_somebody_elses_synchronisation_is_waited_for() -> None:
    cluster = Cluster(1, keeper=Argo)
    before, hand = checkpoint(cluster), hand_of(cluster)
    hand.hold(before)
    keeper = keeper_of(cluster)
    keeper.objects.patch(live.object_of(keeper.owner), {"operation": {"sync": {}, "retry": {"limit": 0}}})
    with pytest.raises(NotYet, match="being synchronised"):
        hand.change(before, "one")
    cluster.world.advance(5)
    assert hand.change(before, "one") == "one"


def test_a_synchronisation_under_way_is_ended_before_going_back() -> None:
    cluster = Cluster(1, keeper=Argo)
    before, hand = checkpoint(cluster), hand_of(cluster)
    hand.hold(before)
    hand.change(before, "one")
    keeper = keeper_of(cluster)

    def runs() -> bool:
        return bool(((keeper.document().get("status") or {}).get("operationState") or {}).get("phase") == "Running")

    assert cluster.world.until(runs, 5)
    with pytest.raises(NotYet, match="ends its synchronisation"):
        hand.revert(before, "two")
    cluster.world.advance(5)
    assert hand.revert(before, "two") == "two"
    assert cluster.world.until(lambda: hand.state("two")[0] is OwnerState.DONE, 30)
    assert list(hand.differences(before)) == []


@BOTH
def test_a_version_that_its_source_does_not_have_is_put_back(keeper: Keepers) -> None:
    cluster = Cluster(1, keeper=keeper)
    if isinstance(cluster.keeper, Argo):
        del cluster.keeper.manifests[str(NEW)]
    run = cluster.update(replace(cluster.plan().steps[0], to_version=NEW if keeper is Argo else Version.of("v7.0.0")))
    assert run.phase is Phase.ROLLED_BACK
    assert isinstance(run.why, OwnerFailed), run.why
    audit(cluster, run)


@pytest.mark.parametrize("heals", [True, False])
def test_what_the_new_manifests_say_of_the_strategy_is_so_in_the_end(heals: bool) -> None:
    """What was held is the old one's until then."""
    cluster = Cluster(1, keeper=lambda cluster: Argo(cluster, prune=True, selfHeal=heals))
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}
    assert isinstance(cluster.keeper, Argo)
    cluster.keeper.manifests[str(NEW)] = lambda _: manifests(str(NEW), "Deployment", strategy=rolling)
    run = cluster.update()
    assert run.phase is Phase.UPDATED
    assert cluster.world.until(lambda: cluster.spec["strategy"] == rolling, 60)
    assert cluster.world.until(keeper_of(cluster).is_settled, 60)


def _whatever_its_values(documents: Iterable[Mapping[str, Any]], _: Values) -> Iterable[Mapping[str, Any]]:
    return documents


@pytest.mark.parametrize(("bad_share", "there"), [(0.0, "new"), (0.4, "old")])
def test_what_one_version_has_and_the_other_has_not(bad_share: float, there: str) -> None:
    """It is pruned by our own synchronisation: Argo CD does not heal here."""
    cluster = Cluster(1, keeper=lambda cluster: Argo(cluster, prune=True), bad_share=bad_share)
    assert isinstance(cluster.keeper, Argo)
    for version, name in ((OLD, "old"), (NEW, "new")):
        metadata = {"name": name, "namespace": "kube-system"}
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}}
        of_version = [*cluster.keeper.manifests[str(version)]({}), config]
        cluster.keeper.manifests[str(version)] = partial(_whatever_its_values, of_version)
    cluster.hands.gitops.sync(cluster.keeper.owner, "first")
    cluster.world.advance(300)
    run = cluster.update()
    audit(cluster, run)
    maps = cluster.hands.reader.list(live.Kind("", "ConfigMap"), "kube-system")
    assert [each.ref.name for each in maps if each.ref.name in ("old", "new")] == [there]


def test_a_managed_application_is_refused_before_anything_is_changed() -> None:
    cluster = Cluster(1, keeper=Argo)
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "fleet", "uid": "u-1"}
    keeper = keeper_of(cluster)
    keeper.objects.patch(live.object_of(keeper.owner), {"metadata": {"ownerReferences": [owner]}})
    with pytest.raises(Conflict, match="ApplicationSet/argocd/fleet"):
        hand_of(cluster).present()
    run = cluster.update()
    assert (run.phase, isinstance(run.why, CommandFailed) and run.why.do) == (Phase.REFUSED, Do.CHECK)


# ── Storms ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@BOTH
@pytest.mark.parametrize("seed", seeds(range(100, 112), every=5))
def test_in_any_storm_the_controller_is_as_it_was(keeper: Keepers, seed: int) -> None:
    cluster = Cluster(seed, KINDS[seed % 2], keeper=keeper, bad_share=0.3 * (seed % 4 == 0))
    drawn = draw(cluster.scene, 8, 300)
    quiet = schedule(cluster.scene, drawn)
    run = cluster.update(crash=0.15)
    cluster.world.advance(max(quiet - cluster.world.seconds, 0) + 120)
    audit(cluster, as_left(run, {each.fault for each in drawn}))


def test_the_only_one_of_a_stateful_set_goes_back_whatever_flux_sets_meanwhile() -> None:
    def alone(cluster: Cluster) -> Flux:
        return Flux(cluster, values={"replicaCount": 1})

    cluster = Cluster(5, "StatefulSet", Behaviour(gets_ready=False, stop_s=20), keeper=alone)
    step = cluster.plan().steps[0]
    (target,) = step.targets
    run = cluster.update(
        replace(step, targets=(replace(target, instances=1),), waves=(Wave(instances=1),), objectives=())
    )
    assert run.phase is Phase.ROLLED_BACK, run.why
    back = next(entry.at for entry in run.timeline if entry.phase is Phase.ROLLING_BACK)
    assert (run.timeline[-1].at - back).total_seconds() <= 60, "it is made of the old template at once"
    audit(cluster, run)
