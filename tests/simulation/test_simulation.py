"""Simulated updates: nothing that must never be so is so, in any seed; what is planted is found, and told."""

import marshal
import os
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from addonctl.errors import BadInput
from addonctl.model import live
from addonctl.model.journal import Line, What
from addonctl.model.run import Cancelled, CommandFailed, Do, GateFailed, Paused, Phase, Run
from addonctl.sim.controllers import Behaviour
from addonctl.sim.controllers.nodes import NODE
from addonctl.sim.controllers.serving import SERVICE
from addonctl.sim.eks import SimEksAddons
from addonctl.sim.faults import FAULTS, Drawn
from addonctl.sim.incidents import INCIDENTS, KINDS
from addonctl.sim.journal import SimJournal
from addonctl.sim.objects import SimObjects
from addonctl.sim.scenario import CONFIGURATION, CREATION, DELETION, OWNERS, Mix, Scenario, drawn
from addonctl.sim.simulation import Drive, End, play, shrunk, simulate, story
from addonctl.sim.stage import Stage
from addonctl.sim.store import POD, Stored
from addonctl.sim.weather import Call
from addonctl.sim.world import BEGINNING

CALM = Mix(harmful=0, faults_most=0, crashes=0, asked=0, irreversible=0)
PLAIN = Scenario(seed=1, kind="Deployment", instances=3, nodes=3, least=2)
ALONE = replace(PLAIN, instances=1, least=0)
# By this seed, credentials of all APIs are what expires.
BLINDING = next(seed for seed in range(99) if len(Random(seed).choice((("eks",), ("objects", "helm"), (1, 2, 3)))) == 3)
# Every so many boundaries: all of them are tried by those who have the time, `make simulation`.
EVERY = int(os.environ.get("ADDONCTL_EVERY_BOUNDARY", "20"))
SEEDS = 20  # `make simulation` tries thousands


def test_nothing_is_violated_and_no_harm_is_missed() -> None:
    for seed in range(SEEDS):
        outcome = simulate(seed)
        assert not outcome.violations, "\n".join(story(outcome.scenario))
        assert outcome.end is not End.MISSED, "\n".join(story(outcome.scenario))


def test_a_sound_version_in_calm_weather_is_taken_up() -> None:
    ends = {seed: simulate(seed, CALM).end for seed in range(160 // EVERY)}
    assert set(ends.values()) == {End.UPDATED}, ends


@pytest.mark.parametrize("seed", range(5))
def test_nobody_changes_a_document_that_the_server_has_shown(seed: int) -> None:
    stage, states = Stage(drawn(seed, Mix())), dict[bytes, Stored]()
    for key in (("apps", "Deployment"), ("apps", "DaemonSet"), ("apps", "StatefulSet"), POD, SERVICE):
        stage.store.listen(key, lambda change: states.update({marshal.dumps(change.stored.document): change.stored}))
    Drive(stage).to_the_end()
    assert states
    for was, stored in states.items():
        assert marshal.loads(was) == stored.document
        shown = dict(stored.shown(stored.served.stored_as).document)
        shown["metadata"] = {name: held for name, held in shown["metadata"].items() if name != "managedFields"}
        assert shown == stored.document


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_a_worker_may_die_at_any_boundary(kind: str) -> None:
    one = replace(PLAIN, kind=kind, does=Behaviour(wrong=0.3))
    plain, _ = play(one)
    assert plain.end is End.ROLLED_BACK
    for place in range(1, plain.boundaries + 1, EVERY):
        outcome, _ = play(replace(one, crashes=(place,)))
        assert outcome.end is End.ROLLED_BACK, "\n".join(story(outcome.scenario))


def test_a_worker_may_die_while_a_deployment_is_unpaused() -> None:
    """The next one holds it before it lets an old instance go, else others would go with it, and still serve."""
    busy = replace(PLAIN, seed=597, instances=4, nodes=4, rps=500.0, probe_rps=20.0, surge="100%", stop_s=0.0)
    outcome, _ = play(replace(busy, least=1, soak_s=20, crashes=(97,)))
    assert (outcome.end, outcome.users.lost) == (End.UPDATED, 0), "\n".join(story(outcome.scenario))


@pytest.mark.parametrize("does", [Behaviour(), Behaviour(wrong=0.3)], ids=["sound", "harmful"])
@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_a_worker_may_seem_dead_at_any_boundary_and_come_back(kind: str, does: Behaviour) -> None:
    """What it wanted next is another worker's business, and so are the Leases."""
    one = replace(PLAIN, kind=kind, does=does)
    plain, _ = play(one)
    for place in range(1, plain.boundaries + 1, EVERY):
        outcome, _ = play(replace(one, hangs=((place, 50),)))
        assert outcome.end is plain.end, "\n".join(story(outcome.scenario))


def test_a_second_run_is_refused_as_long_as_the_first_one_lasts() -> None:
    one = replace(PLAIN, rivals=tuple(range(121, 300)), crashes=(40,))
    refused: list[Run] = []
    drive = Drive(Stage(one))
    audited = drive.auditor.refused

    def seen(rival: Run) -> None:
        refused.append(rival)
        audited(rival)

    drive.auditor.refused = seen  # type: ignore[method-assign]
    assert drive.to_the_end().phase is Phase.UPDATED
    assert not drive.auditor.violations
    reasons = {rival.why.reason.partition(" of ")[0] for rival in refused if isinstance(rival.why, CommandFailed)}
    assert len(refused) > 10
    assert any("is at work" in reason for reason in reasons)
    assert any("stopped in the middle" in reason for reason in reasons)


@pytest.mark.parametrize("bad_after_s", [0, 200])
def test_the_only_instance_of_before_serves_until_the_new_one_has_been_watched(bad_after_s: int) -> None:
    """Half of the requests reach it as long as that lasts, and none is lost when it takes over again."""
    one = replace(ALONE, soak_s=300, does=Behaviour(wrong=1.0, sets_in_s=bad_after_s))
    outcome, drive = play(one)
    assert outcome.end is End.ROLLED_BACK, "\n".join(story(one))
    assert {entry.wave for entry in drive.shelf.kept["run"].run.timeline} == {0}
    assert outcome.users.lost == 0
    assert outcome.users.wrong < one.rps * 10, "half of those of the time until it is seen, and of the next two looks"
    assert outcome.old_again_s == 0


@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_a_worker_may_die_at_any_boundary_of_the_update_of_one_instance(wrong: float) -> None:
    one = replace(ALONE, does=Behaviour(wrong=wrong))
    plain, _ = play(one)
    assert plain.end is (End.ROLLED_BACK if wrong else End.UPDATED)
    for place in range(1, plain.boundaries + 1, EVERY):
        outcome, _ = play(replace(one, crashes=(place,)))
        assert outcome.end is plain.end, "\n".join(story(outcome.scenario))
        assert outcome.users.lost == 0, "\n".join(story(outcome.scenario))


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_a_node_that_loses_its_network_by_the_new_version_turns_the_run_back(kind: str) -> None:
    outcome, drive = play(replace(PLAIN, kind=kind, does=Behaviour(loses_node_s=180)))
    assert outcome.end is End.ROLLED_BACK, "\n".join(story(outcome.scenario))
    assert isinstance(drive.auditor.why, GateFailed)
    assert [guard.code for guard in drive.auditor.why.judgement.guards] == ["HLT021"]
    assert {entry.wave for entry in drive.shelf.kept["run"].run.timeline} == {0}


def test_a_node_that_is_lost_where_no_instance_is_turns_nothing_back() -> None:
    elsewhere = 0
    for seed in range(8):
        drive = Drive(Stage(replace(ALONE, nodes=6, faults=(Drawn("node lost", 155.0, 300.0, seed),))))
        lost, mine = set[str](), {pod.spec["nodeName"] for pod in drive.stage.store.rows(POD)}
        drive.stage.store.listen(NODE, lambda change, lost=lost: lost.add(change.stored.name[1]))  # type: ignore[misc]
        drive.stage.store.listen(POD, lambda change, mine=mine: mine.add(change.stored.spec.get("nodeName")))  # type: ignore[misc]
        run = drive.to_the_end()
        elsewhere += lost.isdisjoint(mine)
        assert lost
        assert run.phase is Phase.UPDATED or lost & mine, f"fault of seed {seed}: {run.why}"
    assert elsewhere > 3


@pytest.mark.parametrize("seed", range(6))
def test_a_clock_that_is_set_wrong_holds_up_no_update(seed: int) -> None:
    wide = replace(PLAIN, instances=4, nodes=4, least=3, faults=(Drawn("clock jump", 165.0, 900.0, seed),))
    outcome, _ = play(wide)
    assert outcome.end is End.UPDATED, "\n".join(story(wide))


@pytest.mark.parametrize("owner", ["EKS", "Argo CD", "Flux"])
def test_what_an_owner_does_between_two_reads_of_one_look_is_not_taken_for_done_before(owner: str) -> None:
    for seed in range(12):
        one = replace(PLAIN, kind="StatefulSet", owner=owner, faults=(Drawn("slow answers", 145.0, 100.0, seed),))
        outcome, _ = play(one)
        assert outcome.end is End.UPDATED, "\n".join(story(one))


def test_a_configuration_that_was_put_back_without_an_answer_is_its_owner_s_again() -> None:
    for seed in range(12):
        one = replace(PLAIN, does=Behaviour(wrong=1.0), faults=(Drawn("lost answers", 140.0, 200.0, seed),))
        outcome, _ = play(one)
        assert not outcome.violations, "\n".join(story(one))


def test_a_node_that_is_lost_just_before_the_change_lets_no_bad_version_pass() -> None:
    """Of two instances one answers nothing: as much fails before as of what the new version is asked."""
    two = replace(PLAIN, kind="DaemonSet", instances=2, nodes=2, least=1, probe_rps=5, soak_s=60)
    for seed in range(6):
        one = replace(two, does=Behaviour(wrong=0.5), faults=(Drawn("node lost", 134.0, 378.0, seed),))
        outcome, _ = play(one)
        assert outcome.end in (End.ROLLED_BACK, End.REFUSED), "\n".join(story(one))


LEAKING = Behaviour(leaks=True, crashes_after_s=90)


def test_what_was_out_of_memory_while_no_worker_looked_is_seen_by_the_next_one() -> None:
    """The first dies just before instances run out of memory, the second after one look: they are ready again then."""
    one = replace(PLAIN, nodes=6, least=1, rps=20, probe_rps=20, drain_s=15, does=LEAKING, owner="Helm")
    for place in range(166, 178, 2):
        outcome, _ = play(replace(one, crashes=(place, place + 5)))
        assert outcome.end is End.ROLLED_BACK, "\n".join(story(outcome.scenario))


@pytest.mark.parametrize("usual", [False, True])
def test_a_container_that_is_killed_for_want_of_memory_is_no_news_where_the_old_one_is(usual: bool) -> None:
    stage = Stage(replace(PLAIN, does=Behaviour(leaks=True, crashes_after_s=5)))
    for pod in stage.store.rows(POD) if usual else ():
        (container,) = pod.status["containerStatuses"]
        killed = {**container, "lastState": {"terminated": {"reason": "OOMKilled"}}}
        stage.store.set_status(pod, {**pod.status, "containerStatuses": [killed]}, "kubelet")
    run = Drive(stage).to_the_end()
    codes = [guard.code for guard in run.why.judgement.guards] if isinstance(run.why, GateFailed) else []
    assert codes == ["HLT001"] + ["HLT007"] * (not usual), run.why


def test_harm_in_fewer_answers_than_a_pass_rules_out_is_told_from_harm_that_was_missed() -> None:
    outcome, _ = play(replace(PLAIN, kind="DaemonSet", does=Behaviour(wrong=0.02)))
    assert (outcome.end, outcome.end.bad) == (End.FAINT, True)


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_harm_that_passed_while_nothing_could_be_read_is_not_overlooked(kind: str) -> None:
    """The first minute of the new version fails, in which no API takes the credentials."""
    blind = Drawn("expired credentials", 172.0, 75.0, seed=BLINDING)
    one = replace(PLAIN, kind=kind, does=Behaviour(wrong=1.0, sets_in_s=25, every_s=9e9, burst_s=50), faults=(blind,))
    outcome, drive = play(one)
    assert outcome.end is End.ROLLED_BACK, "\n".join(story(one))
    assert {entry.wave for entry in drive.shelf.kept["run"].run.timeline} == {0}
    assert drive.stage.storm.met["expired credentials"] > 5


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
@pytest.mark.parametrize("seed", range(6))
def test_bad_instances_that_somebody_writes_to_meanwhile_are_ended(kind: str, seed: int) -> None:
    busy = Drawn("somebody else writes", 150.0, 30.0, seed=seed)
    outcome, _ = play(replace(PLAIN, kind=kind, does=Behaviour(is_there=False), faults=(busy,)))
    assert outcome.end is End.ROLLED_BACK, "\n".join(story(outcome.scenario))
    assert outcome.took_s < 600


class Late(Drive):
    """Somebody asks for something while the last command is carried out."""

    asked: Paused | Cancelled = Paused("somebody")

    def before(self, call: Call) -> None:
        super().before(call)
        kept = self.shelf.kept["run"]
        if kept.run.todo and kept.run.todo[0].do is Do.COMPARE and not kept.requests:
            SimJournal(self.shelf, "somebody", self.stage.clock).ask("run", self.asked)


class Cancelling(Late):
    asked = Cancelled("somebody")


def test_what_is_asked_of_a_run_that_ends_at_that_moment_is_not_heard() -> None:
    assert Late(Stage(PLAIN)).to_the_end().phase is Phase.UPDATED


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
@pytest.mark.parametrize("owner", ["Argo CD", "Flux"])
def test_an_owner_that_was_let_go_is_held_again_to_go_back(owner: str, kind: str) -> None:
    drive = Cancelling(Stage(replace(PLAIN, kind=kind, owner=owner)))
    run = drive.to_the_end()
    drive.world.advance(300)
    drive.auditor.judge(run, 0)
    assert run.phase in (Phase.CANCELLED, Phase.UPDATED)
    told = {violation.what for violation in drive.auditor.violations} - {"cancelled without a fault"}
    assert not told


def test_what_flux_gives_up_while_zones_are_lost_is_asked_for_again_on_the_way_back() -> None:
    faults = (
        Drawn("slow answers", 121.423, 119.139, seed=899832065),
        Drawn("zone lost", 190.988, 455.831, seed=67209659),
        Drawn("zone lost", 250.365, 569.921, seed=3218368096),
    )
    two_zones = replace(PLAIN, seed=11633, owner="Flux", nodes=2, soak_s=20, surge="25%", rps=20.0, probe_rps=5.0)
    outcome, drive = play(replace(two_zones, faults=faults, does=Behaviour(start_s=2.0, ready_s=1.0, stop_s=0.5)))
    assert (outcome.end, outcome.violations) == (End.ROLLED_BACK, ()), "\n".join(story(outcome.scenario))
    asked = {line.command for line in drive.shelf.kept["run"].lines if line.do is Do.REVERT_OWNER}
    assert len(asked) > 1, "Flux has given up meanwhile"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("does", [Behaviour(), Behaviour(wrong=0.3)], ids=["sound", "harmful"])
def test_whoever_keeps_it_it_is_updated_or_put_back(owner: str, kind: str, does: Behaviour) -> None:
    outcome, _ = play(replace(PLAIN, kind=kind, owner=owner, does=does))
    assert outcome.end is (End.UPDATED if does == Behaviour() else End.ROLLED_BACK), "\n".join(story(outcome.scenario))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("change", "owner"),
    [(CONFIGURATION, owner) for owner in OWNERS if owner != "manifests"]
    + [(CREATION, "EKS"), (DELETION, "EKS"), (DELETION, "Helm")],
)
def test_what_is_no_new_version_is_brought_as_well(change: str, owner: str, kind: str) -> None:
    final = change == DELETION
    one = replace(PLAIN, kind=kind, owner=owner, change=change, irreversible=final, approval=final)
    assert play(one)[0].end is End.UPDATED, "\n".join(story(one))
    if not final:
        bad = replace(one, does=Behaviour(gets_ready=False))
        assert play(bad)[0].end is End.ROLLED_BACK, "\n".join(story(bad))


def test_the_same_seed_is_the_same_run() -> None:
    assert simulate(11) == simulate(11)
    assert simulate(11).trace != simulate(12).trace


# ── The auditor ─────────────────────────────────────────────────────────────────────────────────────────────────


def _tampers(drive: Drive) -> SimObjects:
    return SimObjects(drive.stage.store)


def _leaves_a_setting(drive: Drive) -> None:
    _tampers(drive).patch(drive.plan.steps[0].targets[0].ref, {"spec": {"minReadySeconds": 7}})


def _leaves_a_budget(drive: Drive) -> None:
    _tampers(drive).delete(drive.plan.steps[0].objects[2])


def _leaves_two_versions(drive: Drive) -> None:
    ref = drive.plan.steps[0].targets[0].ref
    old = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "eks/dns:v0"}]
    _tampers(drive).patch(ref, old, form=live.PatchForm.JSON)
    drive.world.advance(5)


def _tells_a_secret(drive: Drive) -> None:
    run = drive.shelf.kept["run"].run
    told = Line(at=BEGINNING, what=What.FAILED, by="worker", detail="canary-in-the-environment is wrong")
    drive.auditor.moved(run, [told])


def _wants_two_things_under_one_id(drive: Drive) -> None:
    run = drive.shelf.kept["run"].run
    wanted = Line(at=BEGINNING, what=What.WANTED, by="worker", command="run-1", do=Do.RELEASE)
    drive.auditor.moved(run, [wanted])


def _tells_it_twice(drive: Drive) -> None:
    waits = Line(at=BEGINNING, what=What.WAITS, by="worker", command="run-5", detail="the owner is at work")
    drive.auditor.moved(drive.shelf.kept["run"].run, [waits, waits])


def _asks_eks_for_more(drive: Drive) -> None:
    addons = SimEksAddons(drive.stage.eks)
    found = addons.describe("dns")
    addons.update(
        "dns",
        version=found.version,
        role_arn="",
        identities=(),
        configuration=found.configuration,
        resolve_conflicts=live.ResolveConflicts.PRESERVE,
        token="another",
    )
    drive.world.advance(60)


TAMPERING: dict[str, Callable[[Drive], None]] = {
    "minReadySeconds is 7, was null": _leaves_a_setting,
    "PodDisruptionBudget/kube-system/dns is not as it was": _leaves_a_budget,
    "instances run v0": _leaves_two_versions,
    "a secret is in the journal": _tells_a_secret,
    "run-5 waits for the owner is at work is told twice": _tells_it_twice,
    "command run-1 is check, and release as well": _wants_two_things_under_one_id,
    "EKS was asked with token another": _asks_eks_for_more,
}


@pytest.mark.parametrize("what", TAMPERING)
def test_the_auditor_finds(what: str) -> None:
    drive = Drive(Stage(PLAIN))
    run = drive.to_the_end()
    assert run.phase is Phase.UPDATED
    TAMPERING[what](drive)
    drive.auditor.judge(run, 0)
    assert any(what in violation.what for violation in drive.auditor.violations), drive.auditor.violations


def test_the_auditor_finds_what_was_not_heard() -> None:
    drive = Drive(Stage(PLAIN))
    drive.world.after(10, drive.auditor.asked)
    drive.auditor.judge(drive.to_the_end(), 0)
    assert [each.what for each in drive.auditor.violations] == ["what was asked at 130 s was not heard"]


def test_the_auditor_finds_writes_that_nobody_planned() -> None:
    drive = Drive(Stage(PLAIN))
    mine = SimObjects(drive.stage.store, weather=drive)
    mine.patch(drive.plan.steps[0].targets[0].ref, {"metadata": {"labels": {"a": "b"}}})
    assert "though nothing was wanted" in drive.auditor.violations[0].what


def test_going_back_without_a_fault_is_found() -> None:
    """A harmful version that the auditor takes for a sound one."""
    drive = Drive(Stage(replace(PLAIN, does=Behaviour(wrong=0.5))))
    run = drive.to_the_end()
    drive.world.advance(60)
    drive.auditor.scenario = PLAIN
    drive.auditor.judge(run, 0)
    assert [violation.what[:11] for violation in drive.auditor.violations] == ["rolled-back"]


# ── Scenarios ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", INCIDENTS)
def test_each_incident_ends_well_or_shows_later(name: str) -> None:
    outcome = play(
        replace(drawn(5, Mix(harmful=1, incidents=(name,), faults_most=0, crashes=0, asked=0, irreversible=0)))
    )[0]
    assert not outcome.violations, "\n".join(story(outcome.scenario))
    assert outcome.end in (End.UPDATED, End.ROLLED_BACK, End.LATENT)
    harmless = INCIDENTS[name].does == Behaviour() or name == "VPC-CNI-10"
    assert (outcome.end is End.UPDATED) == harmless


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "ReplicaSet"},
        {"instances": 0},
        {"least": 4},
        {"kind": "DaemonSet", "nodes": 5},
        {"incident": "VPC-CNI-01"},
        {"incident": "GK-01"},
        {"irreversible": True},
        {"does": Behaviour(wrong=1.0, nodes=frozenset({"node-9"}))},
        {"nodes": 1, "faults": (Drawn("zone lost", 1, 1, 1),)},
        {"faults": (Drawn("moon lost", 1, 1, 1),)},
        {"faults": (Drawn("helm killed", 1, 1, 1),)},
        {"owner": "Helm", "faults": (Drawn("failed update", 1, 1, 1),)},
        {"owner": "manifests", "change": "configuration"},
        {"owner": "manifests", "does": Behaviour(rejects=True)},
        {"change": "deletion"},
    ],
)
def test_what_no_cluster_can_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="no cluster is like that"):
        replace(PLAIN, **change)


def test_a_mix_of_what_does_not_exist_is_refused() -> None:
    with pytest.raises(BadInput, match="There is no fault 'rain'"):
        Mix(faults=("rain",))


def test_what_is_drawn_is_of_the_mix() -> None:
    mix = Mix(harmful=1, incidents=("COREDNS-04",), faults=("throttled",), created=0, deleted=0)
    found = [drawn(seed, mix) for seed in range(30)]
    assert {one.incident for one in found} == {"COREDNS-04"}
    assert {fault.fault for one in found for fault in one.faults} == {"throttled"}
    assert {fault.fault for seed in range(200) for fault in drawn(seed, Mix()).faults} == set(FAULTS)


def test_incidents_that_show_on_some_nodes_show_on_some() -> None:
    names = ("node-0", "node-1", "node-2", "node-3")
    assert len(INCIDENTS["EBS-07"].on(names, Random(1)).nodes) == 2


# ── Failing runs ────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_failure_does_not_need_is_left_out_and_the_rest_is_told() -> None:
    one = replace(drawn(3, Mix(harmful=1, incidents=("COREDNS-04",))), crashes=(20, 40))
    assert one.faults
    least = shrunk(one, lambda outcome: outcome.end is End.ROLLED_BACK)
    assert (least.faults, least.crashes, least.incident) == ((), (), "COREDNS-04")
    told = "\n".join(story(least))
    assert "names outside the cluster are not resolved" in told
    assert "phase: rolling-back" in told
    assert told.splitlines()[-1].startswith("rolled back")
