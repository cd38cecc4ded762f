"""Runs come back from their JSON as they were: every one that the orchestrator reaches, and one with all there is."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import Phase as Phases
from hypothesis import given, settings
from hypothesis import strategies as st

from addonctl.adapters import codec
from addonctl.errors import BadInput, Broken
from addonctl.model import ObjectRef, action, owners
from addonctl.model.gate import (
    Answered,
    Counts,
    Gate,
    GateSettings,
    Guard,
    Judgement,
    Objective,
    Sample,
    SliJudgement,
    Verdict,
    Watched,
)
from addonctl.model.journal import Asked
from addonctl.model.plan import OpenQuestion, Plan, Premise, Rollout, Step, Target, Wave
from addonctl.model.run import (
    Approved,
    CancelledBy,
    Command,
    CommandFailed,
    Do,
    Entry,
    GateFailed,
    Limits,
    NotCounted,
    NoVerdict,
    NoWayBack,
    OwnerFailed,
    OwnerState,
    Phase,
    Run,
    StepState,
    TookTooLong,
    Why,
)
from addonctl.orchestrator import advance, started
from addonctl.versions import Minor, Version, VersionRange
from tests.builders import NOW
from tests.simulation.sketch import Trouble, World, plan

KEPT = Path(__file__).parent / "run_schema_1.json"

# ── A run with all there is ─────────────────────────────────────────────────────────────────────────────────────────

DNS = ObjectRef.of("Deployment", "coredns", "kube-system")
OWNERS: tuple[owners.Owner, ...] = (
    owners.EksAddon("coredns"),
    owners.HelmRelease("kube-system", "coredns"),
    owners.ArgoApplication("argocd", "dns", auto_sync=True),
    owners.FluxHelmRelease("flux-system", "dns"),
    owners.FluxKustomization("flux-system", "dns"),
    owners.Manifest("kubectl"),
    owners.AwsManaged("EKS Auto Mode"),
    owners.Undetermined("two managers"),
)
ACTIONS: tuple[action.Action, ...] = (
    action.Note("look"),
    action.CommandLine(("kubectl", "get", "pods"), "why", (("grep", "dns"), ("wc", "-l")), "pods.txt"),
    action.UpdateAddon(cluster="prod-eu-1", addon="coredns", version="v1.12.4-eksbuild.3", keep_configuration=True),
    action.CreateAddon(cluster="prod-eu-1", addon="coredns"),
    action.DeleteAddon(cluster="prod-eu-1", addon="coredns", preserve=True),
    action.HelmUpgrade(namespace="kube-system", name="coredns", version="1.45.0"),
    action.HelmRollback(namespace="kube-system", name="coredns", revision=3),
    action.Sync(owner=OWNERS[2], force=True),
    action.GitChange(owner=OWNERS[3], change="chart version 1.45.0"),
    action.Patch(target=DNS, body={"spec": {"replicas": 2, "deep": [{"x": None, "y": 1.5, "π": "\u0000😀"}]}}),
    action.Apply(what="the manifests", file="dns.yaml"),
    action.Delete(target=DNS, save_first=True),
)
GUARD = Guard(code="HLT001", subject="Deployment/kube-system/coredns", detail="crashed", ref=DNS)
STATE = StepState(of=3, updated=2, ready=3, updated_ready=1, owner=OwnerState.AT_WORK, detail="…", restored=True)
JUDGEMENT = Judgement(
    Verdict.FAIL,
    (GUARD,),
    (SliJudgement(sli="dns", verdict=Verdict.UNKNOWN, updated=Counts(9, 3), control=Counts(), limit=0.01, chance=0.0),),
)
WHYS: tuple[Why, ...] = (
    GateFailed(JUDGEMENT),
    NoVerdict(120, JUDGEMENT),
    NotCounted(("dns",)),
    TookTooLong(Phase.APPLY, 1200, STATE, "throttled"),
    CommandFailed(Do.CHANGE, "refused"),
    OwnerFailed("InsufficientNumberOfReplicas"),
    CancelledBy("ana"),
    NoWayBack("storage versions change", TookTooLong(Phase.SOAK, 3, None)),
)


def full() -> Run:
    """Every class that a run can have in it, with every kind of owner, of action, and of reason."""
    made = datetime(2026, 11, 26, 7, 0, 0, 123456, tzinfo=UTC)
    steps = tuple(
        Step(
            id=str(number),
            installation="coredns/kube-system/coredns",
            addon="coredns",
            owner=owner,
            from_version=Version.of("v1.12.4-eksbuild.3"),
            to_version=Version.of("1.300059.0b1207"),
            do=ACTIONS,
            undo=ACTIONS[:number],
            irreversible="storage versions change",
            kubernetes=Minor(1, 35),
            skips=("1.13",),
            targets=tuple(Target(ref=DNS, rollout=rollout, instances=3) for rollout in Rollout),
            objects=(DNS, ObjectRef(kind="Issuer", name="ca", group="cert-manager.io")),
            waves=(Wave(instances=1, nodes=("node-0",), canary=True), Wave(instances=2)),
            objectives=(Objective(sli="dns", may_fail=0.02, controlled=False),),
        )
        for number, owner in enumerate(OWNERS)
    )
    question = OpenQuestion(
        installation="x", kubernetes=Minor(1, 36), reason="not published", published=VersionRange.of("1.12 - 1.14")
    )
    whole = Plan(
        cluster="prod-eu-1",
        kubernetes=Minor(1, 34),
        made=made,
        goal="newer",
        steps=steps,
        target=Minor(1, 36),
        questions=(question,),
        premises=(Premise("x", "v1", "eks-addon"),),
    )
    watched = Watched(
        sli="dns", limit=0.01, bearable=0.05, controlled=True, worse=(-math.inf, 1.5), bad=(math.inf,), good=-math.inf
    )
    sample = Sample(sli="dns", at=made, updated=Counts(9, 3))
    return Run(
        id="run-1",
        plan=whole,
        phase=Phase.ROLLING_BACK,
        since=made,
        limits=Limits(apply_s=1_200, hold_s=120, look_s=1),
        todo=(Command(id="run-1-7", do=Do.REVERT_OWNER, step=1, wave=2),),
        not_before=made,
        waits_for="throttled",
        ticket="8d1f",
        baseline=(sample,),
        gate=Gate(GateSettings(alpha=0.0005), (watched,)),
        judgement=JUDGEMENT,
        state=STATE,
        unknown_since=made,
        ending=Phase.STUCK,
        why=WHYS[-1],
        checkpoints=("c1", "c2"),
        served=(Answered(sli="dns", counts=Counts(9, 3), pod="uid-1"),),
        timeline=tuple(Entry(at=made, phase=Phase.SOAK, step=0, why=why, by="ana") for why in (*WHYS, None)),
    )


def _told(value: Any) -> Iterator[Any]:
    """All that is in a value, those fields too that its equality leaves out."""
    yield value
    if is_dataclass(value):
        for one in fields(value):
            yield from _told(getattr(value, one.name))
    elif isinstance(value, tuple):
        for each in value:
            yield from _told(each)


def test_the_example_has_every_owner_action_and_reason() -> None:
    kinds = {type(each) for each in _told(full())}
    assert kinds >= {*get_args(owners.Owner), *get_args(action.Action), *get_args(Why)}


def test_a_run_with_all_there_is_comes_back() -> None:
    body = codec.encoded(full())
    found = codec.decoded(body, Run)
    assert found == full()
    assert list(map(repr, _told(found))) == list(map(repr, _told(full())))
    json.loads(body, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_a_run_that_was_stored_before_is_still_read() -> None:
    """Where this fails, runs that are under way are lost by an upgrade: give what is new a default, or raise the
    schema and write the file of that one anew."""
    assert codec.run("run-1", KEPT.read_text(), codec.RUN_SCHEMA) == full()


# ── Every run ───────────────────────────────────────────────────────────────────────────────────────────────────────

_SHARES = st.sampled_from((0.0, 0.2))


@given(
    seed=st.integers(0, 10**6),
    bad=st.sampled_from((0.0, 0.05, 0.5, 1.0)),
    transient=_SHARES,
    unread=_SHARES,
    guard=st.booleans(),
    owner_fails=st.booleans(),
    irreversible=st.sampled_from(("", "storage versions change")),
)
@settings(max_examples=15, phases=(Phases.explicit, Phases.reuse, Phases.generate))
def test_every_run_on_the_way_comes_back(
    seed: int, bad: float, transient: float, unread: float, guard: bool, owner_fails: bool, irreversible: str
) -> None:
    trouble = Trouble(bad_share=bad, transient=transient, unread=unread, guard=guard, owner_fails=owner_fails)
    world = World(seed, trouble)
    run, commands = started("run", plan(steps=2, irreversible=irreversible), world.now)
    for _ in range(1_000):
        again = codec.run("run", codec.encoded(run), codec.RUN_SCHEMA)
        assert again == run
        if run.phase.ended:
            break
        event = world.do(commands[0]) if commands else world.look(5)
        event = Approved("ana") if run.phase is Phase.APPROVAL else event
        run, commands = advance(again, event, world.now)
    assert run.phase.ended


@pytest.mark.parametrize("asked", [kind("ana") for kind in get_args(Asked)])
def test_requests_come_back(asked: Asked) -> None:
    assert codec.decoded(codec.encoded_of(Asked, asked), Asked) == asked


def test_times_keep_their_moment() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert codec.decoded(codec.encoded(Sample(sli="a", at=elsewhere, updated=Counts())), Sample).at == NOW


# ── What is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("off", "said"), [(1, "a newer addonctl"), (-1, "an older addonctl")])
def test_a_run_of_another_schema_is_refused(off: int, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        codec.run("run-1", "{}", codec.RUN_SCHEMA + off)
    assert "run-1" in refused.value.what
    assert "that version" in refused.value.fix


def _changed(change: Callable[[dict[str, Any]], Any]) -> str:
    said = json.loads(codec.encoded(full()))
    change(said)
    return json.dumps(said)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "[" * 100_000,
        _changed(lambda said: said.pop("plan")),
        _changed(lambda said: said.update(more=1)),
        _changed(lambda said: said.update(phase="elsewhere")),
        _changed(lambda said: said.update(since="yesterday")),
        _changed(lambda said: said["why"].update(type="Whim")),
        _changed(lambda said: said["why"].pop("type")),
        _changed(lambda said: said["plan"]["steps"][0].update(owner="eks")),
        _changed(lambda said: said["plan"]["steps"][0].update(from_version="latest")),
        _changed(lambda said: said["gate"]["settings"].update(alpha=7)),
    ],
)
def test_what_is_damaged_or_unknown_is_refused_and_not_quoted(body: str) -> None:
    with pytest.raises(Broken, match="Run run-1 cannot be read") as refused:
        codec.run("run-1", body, codec.RUN_SCHEMA)
    assert "coredns" not in str(refused.value)
