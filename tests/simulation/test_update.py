"""Updates of an add-on, whoever keeps it, by the production code in the simulated world, in calm and in storms.

An auditor looks at the world afterwards: all instances run one version, that which the run says; nothing temporary is
left; what was rolled back is what the checkpoint holds.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any, ClassVar

import pytest

from addonctl.errors import Forbidden, TooManyRequests
from addonctl.executor import Executor
from addonctl.model import RESOURCES, Answered, Counts, Objective, ObjectRef, Verdict, live, owners
from addonctl.model.plan import Step, Wave
from addonctl.model.run import CommandFailed, Do, Entry, GateFailed, OwnerFailed, Phase, Run, TookTooLong
from addonctl.rollouts import instances_of
from addonctl.sim.controllers import Behaviour
from addonctl.sim.eks import SimEksAddons
from addonctl.sim.faults import Rule, draw, schedule
from addonctl.sim.journal import Shelf, SimJournal
from addonctl.sim.objects import SimObjects
from addonctl.sim.store import POD, is_ready
from addonctl.versions import Version
from addonctl.worker import Worker
from tests.simulation.update import NEW, OLD, Cluster, Eks, Helm, Keeper, Kubectl, seeds
from tests.simulation.update_gitops import Argo, Flux

KINDS = ("Deployment", "DaemonSet", "StatefulSet")
KEEPERS = (Eks, Helm, Kubectl, Argo, Flux)
BY_ALL = pytest.mark.parametrize("keeper", KEEPERS, ids=lambda keeper: keeper.__name__)
Keepers = Callable[[Cluster], Keeper]
_FINE: dict[str, Any] = {}
_BAD: Mapping[str, dict[str, Any]] = {
    "30 % of its answers are wrong": {"bad_share": 0.3},
    "never ready": {"behaviour": Behaviour(gets_ready=False)},
    "crashes": {"behaviour": Behaviour(crashes_after_s=2)},
    "its image is not there": {"behaviour": Behaviour(is_there=False)},
}
_ENDS = {Phase.UPDATED: NEW, Phase.ROLLED_BACK: OLD, Phase.REFUSED: OLD}


def audit(cluster: Cluster, run: Run) -> None:
    """What holds after every run that has ended, but for one that was left for a person."""
    assert set(cluster.images()) == {str(_ENDS[run.phase])}, (run.phase, run.why)
    assert not cluster.spec.get("paused")
    assert cluster.spec.get("updateStrategy", {}).get("type") != "OnDelete"
    assert not (cluster.spec.get("updateStrategy", {}).get("rollingUpdate") or {}).get("partition")
    assert cluster.spec.get("strategy", {}).get("rollingUpdate", {}).get("maxSurge") in (None, "25%")
    assert "minReadySeconds" not in cluster.spec
    assert (live.FIELD_MANAGER, "Update") not in cluster.managers, "or EKS would leave the fields at the next update"
    cluster.keeper.audit(_ENDS[run.phase])


def _entered(run: Run, phase: Phase) -> Entry:
    return next(entry for entry in run.timeline if entry.phase is phase)


@BY_ALL
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", seeds(range(3), every=3))
def test_a_sound_version_is_taken_up_wave_by_wave(keeper: Keepers, kind: str, seed: int) -> None:
    cluster = Cluster(seed, kind, keeper=keeper)
    run = cluster.update()
    assert run.phase is Phase.UPDATED, run.why
    audit(cluster, run)
    assert cluster.lost == 0
    assert [entry.wave for entry in run.timeline if entry.phase is Phase.SOAK] == list(range(len(run.at_work_on.waves)))


class HelmSaysMore(Helm):
    newer: ClassVar[Mapping[str, Any]] = {"minReadySeconds": 5}


class KubectlSaysMore(Kubectl):
    newer: ClassVar[Mapping[str, Any]] = {"minReadySeconds": 5}


@pytest.mark.parametrize("keeper", [HelmSaysMore, KubectlSaysMore])
def test_what_the_new_version_says_of_its_rollout_counts_afterwards(keeper: Keepers) -> None:
    cluster = Cluster(3, keeper=keeper)
    run = cluster.update()
    assert run.phase is Phase.UPDATED, run.why
    assert cluster.spec["minReadySeconds"] == 5
    assert (live.FIELD_MANAGER, "Update") not in cluster.managers
    bad = Cluster(3, bad_share=0.5, keeper=keeper)
    run = bad.update()
    assert run.phase is Phase.ROLLED_BACK
    audit(bad, run)


@BY_ALL
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", _BAD)
def test_a_bad_version_is_put_back_and_only_the_first_wave_had_it(keeper: Keepers, kind: str, bad: str) -> None:
    cluster = Cluster(5, kind, keeper=keeper, **_BAD[bad])
    run = cluster.update()
    assert run.phase is Phase.ROLLED_BACK, run.why
    audit(cluster, run)
    assert cluster.lost == 0
    assert {entry.wave for entry in run.timeline} == {0}


class Unreadable(Cluster):
    """No custom resource can be read from the moment on in which the new version is applied."""

    def counted(self, step: Step, since: datetime) -> tuple[Answered, ...]:
        requests = round((self.world.now - since).total_seconds() * 2)
        applied = str(NEW) in self.spec["template"]["spec"]["containers"][0]["image"]
        return *super().counted(step, since), Answered(sli=RESOURCES, counts=Counts(requests, requests * applied))


def test_what_no_instance_answers_is_watched_before_a_new_one_is_ready() -> None:
    cluster = Unreadable(5, behaviour=Behaviour(gets_ready=False))
    step = cluster.plan().steps[0]
    run = cluster.update(replace(step, objectives=(*step.objectives, Objective(sli=RESOURCES, controlled=False))))
    assert isinstance(run.why, GateFailed), run.why
    assert [each.sli for each in run.why.judgement.slis if each.verdict is Verdict.FAIL] == [RESOURCES]
    assert (_entered(run, Phase.ROLLING_BACK).at - _entered(run, Phase.APPLY).at).total_seconds() < 30
    audit(cluster, run)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_answers_are_found_and_stopped_within_seconds(kind: str) -> None:
    run = Cluster(7, kind, bad_share=0.3).update()
    assert isinstance(run.why, GateFailed)
    applied, back, ended = (_entered(run, each).at for each in (Phase.APPLY, Phase.ROLLING_BACK, Phase.ROLLED_BACK))
    assert (back - applied).total_seconds() <= 30, "EKS takes five of them, the first instance as many"
    assert (ended - back).total_seconds() <= 30


def as_left(run: Run, faults: Collection[str]) -> Run:
    """The run as one that was rolled back, where all that is left is what somebody else wrote."""
    if run.phase is not Phase.STUCK:
        return run
    assert isinstance(run.why, TookTooLong)
    assert "not as the checkpoint has it" in run.why.waited_for
    assert "somebody else writes" in faults
    return replace(run, phase=Phase.ROLLED_BACK)


def _as_budgets_allow(cluster: Cluster, what: Callable[[], object]) -> None:
    """Again and again, as a run does it."""
    for _ in range(60):
        try:
            what()
        except TooManyRequests:
            cluster.world.advance(5)
        else:
            return
    raise AssertionError("its budget never allows it")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behaviour", [Behaviour(), Behaviour(gets_ready=False)], ids=["sound", "never ready"])
def test_workloads_are_put_back_however_many_had_the_new_version(kind: str, behaviour: Behaviour) -> None:
    cluster = Cluster(5, kind, behaviour, keeper=Kubectl)
    reader, writer, clock = cluster.hands.reader, cluster.hands.writer, cluster.hands.clock
    old = reader.get(cluster.plan().steps[0].targets[0].ref)
    instances = instances_of(reader, writer, clock, old)
    given = cluster.keeper.given
    assert given is not None
    instances.harden()
    writer.patch(old.ref, {"spec": {"template": given.documents[0].document["spec"]["template"]}})
    cluster.world.advance(60)
    assert set(cluster.images()) == {str(OLD)}, "nothing is taken up before it is released"
    for _ in range(9):
        with suppress(TooManyRequests):  # a budget keeps what is left of those that serve
            instances.release(instances.look(), 9, [], last=True)
        cluster.world.advance(30)
    assert str(NEW) in cluster.images()
    _as_budgets_allow(cluster, instances.revert)
    cluster.world.advance(120)
    instances.relax()
    cluster.world.advance(60)
    assert set(cluster.images()) == {str(OLD)}
    assert cluster.rolled_out()
    assert live.normalised(reader.get(old.ref).document) == live.normalised(old.document)


@BY_ALL
@pytest.mark.parametrize("seed", seeds(range(20), every=3))
def test_in_any_storm_it_ends_in_one_version(keeper: Keepers, seed: int) -> None:
    """Faults of API server, owner, nodes and clocks, and a process that dies; no harm of the version is overlooked."""
    given = [_FINE, *_BAD.values()][seed % 5]
    cluster = Cluster(seed, KINDS[seed // 5 % len(KINDS)], keeper=keeper, **given)
    drawn = draw(cluster.scene, 6, 300)
    quiet = schedule(cluster.scene, drawn)
    run = cluster.update(crash=0.1)
    cluster.world.advance(max(quiet - cluster.world.seconds, 0) + 120)
    audit(cluster, as_left(run, {each.fault for each in drawn}))
    assert given is _FINE or run.phase is not Phase.UPDATED


@BY_ALL
def test_the_same_seed_is_the_same_run(keeper: Keepers) -> None:
    def told(seed: int) -> tuple[Run, str]:
        cluster = Cluster(seed, bad_share=0.2, keeper=keeper)
        schedule(cluster.scene, draw(cluster.scene, 6, 300))
        return cluster.update(crash=0.2), cluster.world.trace

    assert told(4) == told(4)


def _in_waves(cluster: Cluster, *sizes: int) -> Run:
    """Waves by number, as plans have them: of a DaemonSet, on nodes that nobody has named."""
    waves = tuple(Wave(instances=size) for size in sizes)
    return cluster.update(replace(cluster.plan().steps[0], waves=waves))


def test_a_daemon_set_takes_a_wave_up_without_nodes_being_named() -> None:
    cluster = Cluster(1, "DaemonSet")
    run = _in_waves(cluster, 1, 3)
    assert run.phase is Phase.UPDATED, run.why
    audit(cluster, run)


def test_a_wave_waits_for_the_budget() -> None:
    """Three of four at once would leave one; three must be there."""
    cluster = Cluster(1, "DaemonSet")
    budget = ObjectRef(kind="PodDisruptionBudget", name="dns", namespace="kube-system", group="policy")
    SimObjects(cluster.store).patch(budget, {"spec": {"minAvailable": 3}})
    least = [4]

    def count(_: object) -> None:
        least.append(sum(is_ready(pod) and not pod.is_ending for pod in cluster.store.rows(POD)))

    cluster.store.listen(POD, count)
    run = _in_waves(cluster, 1, 3)
    assert (run.phase, min(least)) == (Phase.UPDATED, 3)


def test_going_back_eks_is_told_so_though_it_still_describes_what_was_before() -> None:
    cluster = Cluster(1, behaviour=Behaviour(crashes_after_s=1))
    cluster.eks.pace.late_s = 120
    run = cluster.update()
    cluster.world.advance(200)
    assert run.phase is Phase.ROLLED_BACK
    audit(cluster, run)


# ── What is refused, and what EKS says ──────────────────────────────────────────────────────────────────────────────


def test_a_world_that_has_moved_since_the_plan_was_made_is_not_touched() -> None:
    cluster = Cluster(1)
    moved = replace(cluster.plan().steps[0], from_version=Version.of("v0.9.0-eksbuild.1"))
    run = cluster.update(moved)
    assert (run.phase, isinstance(run.why, CommandFailed) and run.why.do) == (Phase.REFUSED, Do.CHECK)
    audit(cluster, run)
    assert run.checkpoints == ()


@pytest.mark.parametrize("keeper", [Eks, Kubectl], ids=lambda keeper: keeper.__name__)
def test_who_may_change_no_workload_is_refused_within_minutes_and_nothing_is_changed(keeper: Keepers) -> None:
    cluster = Cluster(1, keeper=keeper)
    began_s = cluster.world.seconds
    no_patch = Rule("no right", Random(1), 1.0, lambda _: Forbidden("no right"), lambda call: call.verb == "patch")
    cluster.storm.add(no_patch)
    run = cluster.update()
    assert (run.phase, run.why) == (Phase.REFUSED, CommandFailed(Do.HARDEN, "no right"))
    assert cluster.world.seconds - began_s < 180
    audit(cluster, run)


def test_what_nobody_known_keeps_is_refused() -> None:
    cluster = Cluster(1)
    run = cluster.update(replace(cluster.plan().steps[0], owner=owners.Undetermined()))
    assert run.phase is Phase.REFUSED
    assert isinstance(run.why, CommandFailed)
    assert "nothing is updated so far" in run.why.reason


def test_an_update_that_eks_calls_failed_is_put_back() -> None:
    cluster = Cluster(1)
    cluster.eks.fails_next = "AdmissionRequestDenied"
    run = cluster.update()
    assert run.phase is Phase.ROLLED_BACK
    assert isinstance(run.why, OwnerFailed)
    assert "AdmissionRequestDenied" in run.why.detail
    audit(cluster, run)


def test_eks_is_sent_all_that_the_add_on_has() -> None:
    """UpdateAddon without the role would take it away."""
    cluster = Cluster(2, bad_share=0.5)
    before = SimEksAddons(cluster.eks).describe("dns")
    run = cluster.update()
    assert run.phase is Phase.ROLLED_BACK
    after = SimEksAddons(cluster.eks).describe("dns")
    assert (after.role_arn, after.identities, after.status) == (before.role_arn, before.identities, "ACTIVE")


def test_what_others_note_meanwhile_is_told_and_holds_up_no_rollback() -> None:
    """An annotation is theirs; the spec is what the checkpoint has."""
    cluster = Cluster(5, bad_share=0.3)
    reader, writer = cluster.hands.reader, cluster.hands.writer
    ref = ObjectRef.of("Deployment", "dns", "kube-system")
    noted: list[str] = []

    def told(run: Run) -> None:
        if run.phase is Phase.ROLLING_BACK and not noted:
            noted.append("once")
            writer.patch(ref, {"metadata": {"annotations": {"example.org/seen": "today"}}})

    clock, shelf = cluster.hands.clock, Shelf()
    journal = SimJournal(shelf, "worker", clock)
    worker = Worker("worker", Executor(cluster.hands), journal, clock, told)
    run = worker.drive(worker.begin("run", cluster.plan(), "somebody"))
    assert run.phase is Phase.ROLLED_BACK, run.why
    assert reader.get(ref).metadata["annotations"]["example.org/seen"] == "today"
    details = [line.detail for line in journal.lines("run")]
    assert "changed by others meanwhile: Deployment/kube-system/dns" in details
