"""Add-ons that are created, taken over by EKS, let go and deleted, by the production code in the simulated world."""

from dataclasses import replace
from typing import Any

import pytest

from addonctl.adapters.values_files import parsed
from addonctl.configuring import Configuring
from addonctl.errors import NotFound
from addonctl.executor import Executor
from addonctl.hands import NotYet
from addonctl.model import (
    READY,
    CommandLine,
    CreateAddon,
    DeleteAddon,
    Guard,
    Note,
    Objective,
    ObjectRef,
    live,
    owners,
)
from addonctl.model.plan import Rollout, Step, Target, Wave
from addonctl.model.run import Approved, CommandFailed, NoWayBack, OwnerFailed, OwnerState, Phase, Run
from addonctl.sim.controllers import Behaviour
from addonctl.sim.faults import draw, schedule
from addonctl.sim.journal import Shelf, SimJournal
from addonctl.versions import Version
from addonctl.worker import Worker
from tests.simulation.update import NEW, OLD, Cluster, Eks, Helm, Kubectl, checkpoint, hand_of

DEPLOYMENT = ObjectRef.of("Deployment", "dns", "kube-system")
_BAD = {
    "crashes": Behaviour(crashes_after_s=2),
    "its image is not there": Behaviour(is_there=False),
    "never ready": Behaviour(gets_ready=False),
}


def without_it(seed: int = 1, **more: Any) -> Cluster:
    """A cluster from which the add-on has been deleted."""
    cluster = Cluster(seed, **more)
    cluster.hands.eks_writer.delete("dns", preserve=False)
    cluster.world.advance(120)
    assert cluster.images() == []
    return cluster


def creation(**more: Any) -> Step:
    step = Step(
        id="1",
        installation="dns/kube-system/dns",
        addon="dns",
        owner=owners.EksAddon("dns"),
        from_version=None,
        to_version=NEW,
        do=(CreateAddon(cluster="prod-eu-1", addon="dns", version=str(NEW), role_arn="arn:aws:iam::1:role/dns"),),
        undo=(DeleteAddon(cluster="prod-eu-1", addon="dns"),),
        targets=(Target(ref=DEPLOYMENT, rollout=Rollout.AT_ONCE, instances=0),),
        waves=(Wave(instances=1, canary=True),),
        objectives=(Objective(sli=READY, controlled=False),),
        soak_s=30,
    )
    return replace(step, **more)


def adoption(cluster: Cluster, resolve: str = "OVERWRITE") -> Step:
    """What Kubectl applied, at a newer version, over which EKS is to create its own."""
    do = CreateAddon(cluster="prod-eu-1", addon="dns", version=str(NEW), resolve_conflicts=resolve)
    step = replace(cluster.plan().steps[0], do=(do,), undo=(Note("as it was"),), manifests=None)
    return replace(step, objects=tuple(ref for ref in step.objects if ref.kind != "ConfigMap"))


def is_gone(cluster: Cluster) -> bool:
    with pytest.raises(NotFound):
        cluster.hands.eks.describe("dns")
    return True


# ── Created ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(6))
def test_it_is_created_once_and_watched(seed: int) -> None:
    cluster = without_it(seed)
    run = cluster.update(creation(), crash=0.1 * (seed % 2))
    assert run.phase is Phase.UPDATED, run.why
    found = cluster.hands.eks.describe("dns")
    assert (found.version, found.status, found.role_arn) == (str(NEW), "ACTIVE", "arn:aws:iam::1:role/dns")
    assert len(cluster.images()) == 3
    assert run.judgement is not None
    assert [each.updated.requests > 0 for each in run.judgement.slis] == [True]


def test_it_is_created_with_a_configuration() -> None:
    cluster = without_it()
    step = creation()
    change = Configuring(cluster.hands, parsed).change("prod-eu-1", step, {"replicaCount": 2, "key": "hunter2"})
    assert change is not None
    assert [(each.key, each.was, each.to) for each in change.changes] == [
        ("key", "absent", "text"),
        ("replicaCount", "absent", "2"),
    ]
    run = cluster.update(replace(step, configuration=change))
    assert run.phase is Phase.UPDATED, run.why
    assert len(cluster.images()) == 2
    assert parsed(cluster.hands.eks.describe("dns").configuration) == {"replicaCount": 2, "key": "hunter2"}


@pytest.mark.parametrize("does", _BAD.values(), ids=_BAD)
@pytest.mark.parametrize("crash", [0.0, 0.1])
def test_one_that_does_not_serve_is_deleted_again(does: Behaviour, crash: float) -> None:
    cluster = without_it(behaviour=does)
    run = cluster.update(creation(), crash=crash)
    assert run.phase is Phase.ROLLED_BACK, run.why
    assert is_gone(cluster)
    assert cluster.images() == []


def test_one_of_which_eks_says_that_it_failed_is_deleted_again() -> None:
    cluster = without_it()
    cluster.eks.fails_next = "AdmissionRequestDenied"
    run = cluster.update(creation())
    assert isinstance(run.why, OwnerFailed)
    assert is_gone(cluster)


@pytest.mark.parametrize("seed", range(10))
def test_in_any_storm_it_is_there_whole_or_not_at_all(seed: int) -> None:
    cluster = without_it(seed)
    quiet = schedule(cluster.scene, draw(cluster.scene, 6, 300))
    run = cluster.update(creation(), crash=0.1)
    cluster.world.advance(max(quiet - cluster.world.seconds, 0) + 120)
    if run.phase is Phase.UPDATED:
        assert cluster.hands.eks.describe("dns").version == str(NEW)
        assert set(cluster.images()) == {str(NEW)}
    else:
        assert run.phase in (Phase.ROLLED_BACK, Phase.REFUSED)
        assert is_gone(cluster)
        assert cluster.images() == []


def test_what_somebody_else_created_meanwhile_is_neither_changed_nor_deleted() -> None:
    cluster = without_it()

    def somebody() -> None:
        cluster.hands.eks_writer.create(
            "dns",
            version=str(OLD),
            role_arn="",
            identities=(),
            configuration="",
            resolve_conflicts=live.ResolveConflicts.NONE,
            namespace="",
            token="somebody",
        )

    cluster.world.after(15, somebody)
    run = cluster.update(creation())
    assert isinstance(run.why, CommandFailed)
    assert "Somebody has created EKS add-on dns" in run.why.reason
    cluster.world.advance(120)
    assert cluster.hands.eks.describe("dns").version == str(OLD)
    assert set(cluster.images()) == {str(OLD)}


def test_what_is_there_already_is_not_created() -> None:
    run = Cluster(1).update(creation())
    assert run.phase is Phase.REFUSED
    assert isinstance(run.why, CommandFailed)
    assert f"is at {OLD}, the plan was made for none" in run.why.reason
    run = Cluster(1, keeper=Kubectl).update(creation())
    assert isinstance(run.why, CommandFailed)
    assert "is there already" in run.why.reason


# ── Adopted ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(6))
def test_eks_takes_over_wave_by_wave_what_was_applied_by_hand(seed: int) -> None:
    cluster = Cluster(seed, keeper=Kubectl)
    run = cluster.update(adoption(cluster), crash=0.1 * (seed % 2))
    assert run.phase is Phase.UPDATED, run.why
    assert cluster.hands.eks.describe("dns").version == str(NEW)
    assert set(cluster.images()) == {str(NEW)}
    assert [entry.wave for entry in run.timeline if entry.phase is Phase.SOAK] == [0, 1]
    assert cluster.lost == 0
    assert ("eks", "Apply") in cluster.managers


@pytest.mark.parametrize("does", _BAD.values(), ids=_BAD)
@pytest.mark.parametrize("crash", [0.0, 0.1])
def test_one_that_breaks_is_handed_back_as_it_was(does: Behaviour, crash: float) -> None:
    cluster = Cluster(3, keeper=Kubectl, behaviour=does)
    before = cluster.hands.reader.get(DEPLOYMENT)
    run = cluster.update(adoption(cluster), crash=crash)
    assert run.phase is Phase.ROLLED_BACK, run.why
    assert is_gone(cluster)
    assert set(cluster.images()) == {str(OLD)}
    after = cluster.hands.reader.get(DEPLOYMENT)
    assert live.normalised(after.document) == live.normalised(before.document)
    assert ("eks", "Apply") not in cluster.managers
    assert cluster.lost == 0


# ── Let go ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def letting_go(cluster: Cluster) -> Step:
    do = DeleteAddon(cluster="prod-eu-1", addon="dns", preserve=True)
    return replace(cluster.plan().steps[0], to_version=None, do=(do,), undo=(Note("as it was"),))


@pytest.mark.parametrize("seed", range(6))
def test_eks_forgets_it_and_its_objects_stay(seed: int) -> None:
    cluster = Cluster(seed)
    before = cluster.hands.reader.get(DEPLOYMENT)
    run = cluster.update(letting_go(cluster), crash=0.1 * (seed % 2))
    assert run.phase is Phase.UPDATED, run.why
    assert is_gone(cluster)
    assert set(cluster.images()) == {str(OLD)}
    assert live.normalised(cluster.hands.reader.get(DEPLOYMENT).document) == live.normalised(before.document)
    assert cluster.lost == 0


@pytest.mark.parametrize(("does", "there"), [(None, NEW), (Behaviour(crashes_after_s=2), OLD)])
def test_what_eks_left_it_takes_over_again_or_leaves_again(does: Behaviour | None, there: Version) -> None:
    cluster = Cluster(3, behaviour=does)
    cluster.update(letting_go(cluster))
    before = cluster.hands.reader.get(DEPLOYMENT)
    do = CreateAddon(cluster="prod-eu-1", addon="dns", version=str(NEW), resolve_conflicts="OVERWRITE")
    owner = owners.Manifest("eks")
    step = replace(cluster.plan().steps[0], owner=owner, do=(do,), undo=(Note("as it was"),))
    run = cluster.update(step)
    assert run.phase is (Phase.ROLLED_BACK if does else Phase.UPDATED), run.why
    assert set(cluster.images()) == {str(there)}
    if does:
        assert is_gone(cluster)
        assert live.normalised(cluster.hands.reader.get(DEPLOYMENT).document) == live.normalised(before.document)
    else:
        assert cluster.hands.eks.describe("dns").status == "ACTIVE"


@pytest.mark.parametrize("seed", range(4))
def test_who_cancels_has_it_back_in_eks_as_it_was(seed: int) -> None:
    cluster = Cluster(seed)
    was = cluster.hands.eks.describe("dns")
    before, hand = checkpoint(cluster, letting_go(cluster)), hand_of(cluster, letting_go(cluster))
    hand.change(before, "one")
    with pytest.raises(NotYet, match="deletes"):
        hand.revert(before, "two")
    cluster.world.advance(60)
    assert hand.state("one") == (OwnerState.DONE, "")
    assert list(hand.differences(before)) == ["EKS add-on dns"]
    assert hand.revert(before, "two") == hand.revert(before, "two") == "two"
    assert hand.state("two") == (OwnerState.AT_WORK, "")
    cluster.world.advance(120)
    assert hand.state("two") == (OwnerState.DONE, "")
    assert list(hand.differences(before)) == []
    found = cluster.hands.eks.describe("dns")
    assert (found.version, found.role_arn, found.configuration) == (was.version, was.role_arn, was.configuration)


def test_with_preserve_what_was_set_by_hand_stays() -> None:
    cluster = Cluster(3, keeper=Kubectl)
    run = cluster.update(adoption(cluster, "PRESERVE"))
    assert run.phase in (Phase.UPDATED, Phase.ROLLED_BACK), run.why
    assert set(cluster.images()) == {str(OLD)}


# ── Deleted ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def removal(cluster: Cluster, **more: Any) -> Step:
    step = cluster.plan().steps[0]
    do = CommandLine(("helm", "uninstall", "dns", "-n", "kube-system"))
    if isinstance(cluster.keeper, Eks):
        return replace(step, do=(DeleteAddon(cluster="prod-eu-1", addon="dns"),), **_REMOVED, **more)
    return replace(step, do=(do,), **_REMOVED, **more)


_REMOVED: dict[str, Any] = {
    "to_version": None,
    "undo": (),
    "irreversible": "what is deleted is gone",
    "removes": True,
    "objectives": (),
    "waves": (Wave(instances=1),),
}


def approved(cluster: Cluster, step: Step, troubles: tuple[Guard, ...] = ()) -> Run:
    """A run of which a person has agreed to what cannot be undone."""
    journal = SimJournal(Shelf(), "worker", cluster.hands.clock)

    def told(run: Run) -> None:
        if run.phase is Phase.APPROVAL:
            journal.ask(run.id, Approved("ana"))

    hands = replace(cluster.hands, assessor=Broken(cluster, troubles))
    worker = Worker("worker", Executor(hands), journal, cluster.hands.clock, told)
    return worker.drive(worker.begin("run", replace(cluster.plan(), steps=(step,)), "ana"))


class Broken:
    """ports.Assessor of a cluster in which something breaks when the add-on is gone."""

    def __init__(self, cluster: Cluster, troubles: tuple[Guard, ...]) -> None:
        self._cluster, self._troubles = cluster, troubles

    def troubles(self, _step: Step) -> tuple[Guard, ...]:
        return () if self._cluster.images() else self._troubles

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("keeper", [Eks, Helm])
def test_it_is_deleted_with_its_objects_when_somebody_has_agreed(keeper: type[Eks] | type[Helm]) -> None:
    cluster = Cluster(2, keeper=keeper)
    run = approved(cluster, removal(cluster))
    assert run.phase is Phase.UPDATED, run.why
    assert cluster.images() == []
    assert cluster.store.get(("apps", "Deployment"), "kube-system", "dns") is None
    held = cluster.hands.checkpoints.load(run.checkpoints[0])
    assert DEPLOYMENT in {each.ref for each in held.objects}, "what it was can be looked up"


@pytest.mark.parametrize("keeper", [Eks, Helm])
def test_what_breaks_elsewhere_leaves_it_to_a_person(keeper: type[Eks] | type[Helm]) -> None:
    cluster = Cluster(2, keeper=keeper)
    run = approved(cluster, removal(cluster), (Guard(code="HLT009", subject="Webhook/a", detail="no backend"),))
    assert run.phase is Phase.STUCK
    assert isinstance(run.why, NoWayBack)
    assert "gone" in run.why.irreversible


@pytest.mark.parametrize("keeper", [Eks, Helm])
def test_deleting_once_more_is_no_error(keeper: type[Eks] | type[Helm]) -> None:
    cluster = Cluster(2, keeper=keeper)
    before, hand = checkpoint(cluster, removal(cluster)), hand_of(cluster, removal(cluster))
    assert hand.change(before, "one") == hand.change(before, "one") == "one"
    cluster.world.advance(120)
    assert hand.change(before, "one") == "one"
    assert hand.state("one") == (OwnerState.DONE, "")
    assert hand.present().version == ""
