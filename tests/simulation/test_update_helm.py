"""What is special about an add-on that Helm keeps: its history, helms that were killed, fields that others own."""

import json
from dataclasses import replace
from random import Random

import pytest

from addonctl.errors import AddonctlError, Invalid, TimedOut
from addonctl.hands import NotYet
from addonctl.model import Note, ObjectRef, live
from addonctl.model.run import CommandFailed, Do, OwnerState, Phase, Run
from addonctl.sim.faults import Rule
from tests.simulation.test_update import audit
from tests.simulation.update import NEW, OLD, VALUES, Cluster, Helm, checkpoint, hand_of

_DEPLOYMENT = ObjectRef(kind="Deployment", name="dns", namespace="kube-system", group="apps")
_LONG_S = 200  # after so long a helm that still says that it is at work is dead


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(3, keeper=Helm)


def history(cluster: Cluster) -> list[tuple[int, str, str]]:
    found = cluster.hands.helm.history("kube-system", "dns")
    return [(each.revision, each.chart_version, each.status) for each in found]


def strike(cluster: Cluster, verb: str, error: AddonctlError, *, after: bool = False) -> None:
    """The next call of this kind fails."""
    rule = Rule("one", Random(1), 1.0, lambda _: end(), lambda call: call.verb == verb, is_after=after)
    remove = cluster.storm.add(rule)

    def end() -> AddonctlError:
        remove()
        return error


# ── Repeats ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_that_was_made_is_not_made_again(cluster: Cluster) -> None:
    before, hand = checkpoint(cluster), hand_of(cluster)
    strike(cluster, "upgrade", TimedOut("no answer"), after=True)
    with pytest.raises(TimedOut):
        hand.change(before, "one")
    assert hand.change(before, "one") == hand.change(before, "one") == "2"
    assert history(cluster) == [(1, str(OLD), "superseded"), (2, str(NEW), "deployed")]
    assert hand.state("2") == (OwnerState.DONE, "")


def test_going_back_is_done_once(cluster: Cluster) -> None:
    before, hand = checkpoint(cluster), hand_of(cluster)
    hand.change(before, "one")
    assert list(hand.differences(before)) == ["the chart version of helm release kube-system/dns"]
    strike(cluster, "rollback", TimedOut("no answer"), after=True)
    with pytest.raises(TimedOut):
        hand.revert(before, "two")
    assert hand.revert(before, "two") == hand.revert(before, "two") == "3"
    assert history(cluster)[-1] == (3, str(OLD), "deployed")
    assert list(hand.differences(before)) == []


def test_a_revision_that_helm_has_forgotten_is_made_anew_from_its_chart_and_values(cluster: Cluster) -> None:
    before, hand = checkpoint(cluster), hand_of(cluster)
    hand.change(before, "one")
    cluster.hands.writer.delete(ObjectRef(kind="Secret", name="sh.helm.release.v1.dns.v1", namespace="kube-system"))
    hand.revert(before, "two")
    assert history(cluster) == [(2, str(NEW), "superseded"), (3, str(OLD), "deployed")]
    assert list(hand.differences(before)) == []


def test_without_its_chart_nothing_is_made(cluster: Cluster) -> None:
    step = replace(cluster.plan().steps[0], do=(Note("somehow"),))
    with pytest.raises(Invalid, match="where the chart"):
        hand_of(cluster, step).change(checkpoint(cluster), "one")
    assert len(history(cluster)) == 1


# ── Helms that were killed ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("when", ["apply", "record"])
def test_what_a_killed_helm_left_behind_is_got_out_of(cluster: Cluster, when: str) -> None:
    """Nothing is done while it may be at work; then what it left is rolled back, and the change made."""
    before, hand = checkpoint(cluster), hand_of(cluster)
    strike(cluster, when, TimedOut("killed"))
    with pytest.raises(TimedOut):
        hand.change(before, "one")
    assert history(cluster)[-1] == (2, str(NEW), "pending-upgrade")
    assert "pending-upgrade" in hand.present().unsettled
    assert hand.state("2") == (OwnerState.AT_WORK, "")
    for repeat in (hand.change, hand.revert):
        with pytest.raises(NotYet, match="pending-upgrade"):
            repeat(before, "one")
    cluster.world.advance(_LONG_S)
    assert hand.change(before, "one") == "4"
    assert history(cluster) == [
        (1, str(OLD), "superseded"),
        (2, str(NEW), "pending-upgrade"),
        (3, str(OLD), "superseded"),
        (4, str(NEW), "deployed"),
    ]


def test_a_run_goes_on_after_a_killed_helm(cluster: Cluster) -> None:
    strike(cluster, "apply", TimedOut("killed"))
    run = cluster.update()
    assert run.phase is Phase.UPDATED, run.why
    audit(cluster, run)
    assert cluster.lost == 0


def test_a_release_that_is_not_settled_is_refused(cluster: Cluster) -> None:
    strike(cluster, "apply", TimedOut("killed"))
    with pytest.raises(TimedOut):
        hand_of(cluster).change(checkpoint(cluster), "one")
    run = cluster.update(replace(cluster.plan().steps[0], from_version=NEW, to_version=OLD))
    assert run.phase is Phase.REFUSED
    assert "revision 2 is pending-upgrade" in _reason(run)


def _reason(run: Run) -> str:
    assert isinstance(run.why, CommandFailed)
    return run.why.reason


# ── Fields ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_the_chart_sets_is_patched_again_once_helm_has_set_it(cluster: Cluster) -> None:
    """The chart has a strategy of its own, so an upgrade takes the temporary one back; the pause stays."""
    before, hand = checkpoint(cluster), hand_of(cluster)
    hand.change(before, "one")
    spec = cluster.spec
    assert spec["paused"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_a_field_that_somebody_else_owns_stops_the_update_and_is_left_alone(cluster: Cluster) -> None:
    template = {"spec": {"containers": [{"name": "dns", "image": "theirs"}]}}
    metadata = {"name": "dns", "namespace": "kube-system"}
    theirs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}}
    cluster.store.apply(theirs, "somebody", force=True)
    cluster.store.apply({**theirs, "spec": {"template": _image(str(OLD))}}, "somebody", force=True)
    assert cluster.world.until(cluster.rolled_out, 300)
    run = cluster.update()
    assert (run.phase, isinstance(run.why, CommandFailed) and run.why.do) == (Phase.ROLLED_BACK, Do.CHANGE)
    audit(cluster, run)
    assert ("somebody", "Apply") in cluster.managers


def _image(version: str) -> dict[str, object]:
    return {"spec": {"containers": [{"name": "dns", "image": f"eks/dns:{version}"}]}}


def test_no_value_stands_in_a_run(cluster: Cluster) -> None:
    cluster.bad_share = 0.5
    told = repr(cluster.update())
    assert VALUES["password"] not in told
    kept = checkpoint(cluster).helm
    assert kept is not None
    changed = replace(kept, values={"password": "other-other"})
    assert isinstance(changed, live.Release)
    differ = list(hand_of(cluster).differences(replace(checkpoint(cluster), helm=changed)))
    assert differ == ["the values of helm release kube-system/dns"]
    assert "other-other" not in json.dumps(differ)
