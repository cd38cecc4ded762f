"""Runs in a sketched world, by seed: each ends in all of the new or all of the old, and none turns back needlessly."""

import random

import pytest
from hypothesis import Phase as Phases
from hypothesis import given, settings
from hypothesis import strategies as st

from addonctl.model import Verdict
from addonctl.model.run import (
    Approved,
    Cancelled,
    CancelledBy,
    CommandFailed,
    Do,
    Event,
    GateFailed,
    NotCounted,
    NoVerdict,
    NoWayBack,
    OwnerFailed,
    Paused,
    Phase,
    Resumed,
    Run,
    TookTooLong,
)
from tests.simulation.sketch import Trouble, World, carried_out, plan

SEEDS = 60
_TWENTY_FIVE_MINUTES_S = 1_500
_HARMS = {
    "some requests fail": (Trouble(bad_share=0.3), GateFailed),
    "all requests fail": (Trouble(bad_share=1.0), GateFailed),
    "a guard breaks": (Trouble(guard=True), GateFailed),
    "never ready": (Trouble(never_ready=True), TookTooLong),
    "the owner fails": (Trouble(owner_fails=True), OwnerFailed),
    "the owner takes 25 minutes": (Trouble(owner_needs_s=_TWENTY_FIVE_MINUTES_S), TookTooLong),
    "nothing is counted": (Trouble(silent=True), NoVerdict),
}


def _with_weather(trouble: Trouble, seed: int) -> Trouble:
    """The same, in a world where answers are late, lost or refused for a while, and processes die."""
    chance = random.Random(seed)
    weather = {"transient": (0, 0.1, 0.4), "lost": (0, 0.1, 0.3), "unread": (0, 0.2), "crash": (0, 0.1, 0.3)}
    return Trouble(**(vars(trouble) | {name: chance.choice(shares) for name, shares in weather.items()}))


def _whole(world: World, run: Run) -> None:
    """All of the new, or all of the old, and nothing temporary left."""
    new = run.phase is Phase.UPDATED
    assert (world.told, world.updated, world.hardened) == (new, world.of if new else 0, False)
    assert run.timeline[-1].phase is run.phase


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_harmless_update_is_carried_out_in_any_weather(seed: int) -> None:
    world = World(seed, _with_weather(Trouble(), seed))
    run = carried_out(world, plan())
    assert run.phase is Phase.UPDATED, run.why
    _whole(world, run)


@pytest.mark.parametrize("harm", _HARMS)
@pytest.mark.parametrize("seed", range(SEEDS // 5))
def test_a_harmful_update_is_put_back_in_any_weather(seed: int, harm: str) -> None:
    trouble, why = _HARMS[harm]
    world = World(seed, _with_weather(trouble, seed))
    run = carried_out(world, plan())
    assert (run.phase, type(run.why)) == (Phase.ROLLED_BACK, why)
    assert world.did.index(Do.REVERT_WORKLOADS) < world.did.index(Do.REVERT_OWNER)
    _whole(world, run)


def test_a_canary_wave_is_all_that_a_bad_version_gets() -> None:
    world = World(1, Trouble(bad_share=0.5))
    assert carried_out(world, plan()).phase is Phase.ROLLED_BACK
    assert world.most_updated == 2


# ── Nothing is changed that need not be ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("do", [Do.CHECK, Do.CHECKPOINT, Do.HARDEN])
def test_what_fails_before_the_change_refuses_it(do: Do) -> None:
    world = World(1, Trouble(permanent=frozenset({do})))
    run = carried_out(world, plan())
    assert (run.phase, run.why) == (Phase.REFUSED, CommandFailed(do, "refused"))
    assert not {Do.CHANGE, Do.RELEASE} & set(world.did)
    _whole(world, run)


def test_what_cannot_be_counted_is_not_updated() -> None:
    world = World(1, Trouble(uncounted=True))
    run = carried_out(world, plan())
    assert (run.phase, run.why) == (Phase.REFUSED, NotCounted(("dns",)))
    assert Do.CHANGE not in world.did
    _whole(world, run)


def test_what_is_broken_already_is_not_updated() -> None:
    world = World(1, Trouble(guard_before=True))
    run = carried_out(world, plan())
    assert (run.phase, type(run.why)) == (Phase.REFUSED, GateFailed)
    assert Do.CHANGE not in world.did
    _whole(world, run)


def test_each_step_has_its_own_check_checkpoint_and_share_of_alpha() -> None:
    world = World(1, Trouble())
    run = carried_out(world, plan(steps=3))
    assert run.phase is Phase.UPDATED
    assert world.did.count(Do.CHECK) == world.did.count(Do.CHECKPOINT) == 3
    assert len(run.checkpoints) == 3
    assert run.settings.alpha == pytest.approx(0.001 / 3)


# ── Going back that cannot be ───────────────────────────────────────────────────────────────────────────────────────


def test_a_step_without_a_way_back_waits_for_approval_and_then_stays_as_it_is() -> None:
    world = World(1, Trouble(bad_share=1.0))
    assert carried_out(world, plan(irreversible="storage versions change")).phase is Phase.REFUSED  # nobody approved
    assert Do.CHANGE not in world.did
    world = World(1, Trouble(bad_share=1.0))
    run = carried_out(world, plan(irreversible="storage versions change"), {60: Approved("ana")})
    assert run.phase is Phase.STUCK
    assert isinstance(run.why, NoWayBack)
    assert isinstance(run.why.instead, GateFailed)
    assert not {Do.REVERT_WORKLOADS, Do.REVERT_OWNER} & set(world.did)


@pytest.mark.parametrize("do", [Do.REVERT_OWNER, Do.COMPARE])
def test_what_cannot_be_put_back_is_left_for_a_person(do: Do) -> None:
    world = World(1, Trouble(bad_share=1.0, permanent=frozenset({do})))
    run = carried_out(world, plan())
    assert (run.phase, run.why) == (Phase.STUCK, CommandFailed(do, "refused"))


def test_the_owner_puts_workloads_back_where_we_cannot() -> None:
    world = World(1, Trouble(bad_share=1.0, permanent=frozenset({Do.REVERT_WORKLOADS})))
    run = carried_out(world, plan())
    assert run.phase is Phase.ROLLED_BACK
    _whole(world, run)


# ── People ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("move", range(0, 60, 3))
def test_it_can_be_cancelled_at_any_move(move: int) -> None:
    world = World(move, Trouble())
    run = carried_out(world, plan(), {move: Cancelled("ana")})
    assert run.phase in (Phase.CANCELLED, Phase.UPDATED)
    if run.phase is Phase.CANCELLED:
        assert run.why == CancelledBy("ana")
        assert (world.told, world.updated, world.hardened) == (False, 0, False)


@pytest.mark.parametrize("move", range(1, 40, 3))
def test_a_pause_holds_the_next_change_and_no_rollback(move: int) -> None:
    world = World(move, Trouble())
    run = carried_out(world, plan(), {move: Paused("ana"), move + 400: Resumed("ana")})
    assert run.phase is Phase.UPDATED
    harmed = World(move, Trouble(bad_share=1.0))
    assert carried_out(harmed, plan(), {move: Paused("ana"), move + 400: Resumed("ana")}).phase is Phase.ROLLED_BACK


_SAID: st.SearchStrategy[dict[int, Event]] = st.dictionaries(
    st.integers(0, 150), st.sampled_from((Paused("a"), Resumed("a"), Cancelled("a"), Approved("a"))), max_size=6
)
_SHARES = st.sampled_from((0.0, 0.2, 0.5))


@given(
    seed=st.integers(0, 10**6),
    said=_SAID,
    bad=st.sampled_from((0.0, 0.05, 0.5, 1.0)),
    transient=_SHARES,
    lost=_SHARES,
    unread=_SHARES,
    crash=_SHARES,
    approval=st.booleans(),
    permanent=st.frozensets(st.sampled_from(list(Do)), max_size=2),
)
@settings(phases=(Phases.explicit, Phases.reuse, Phases.generate))
def test_every_run_ends_and_touches_nothing_without_a_checkpoint(
    seed: int,
    said: dict[int, Event],
    bad: float,
    transient: float,
    lost: float,
    unread: float,
    crash: float,
    permanent: frozenset[Do],
    approval: bool,
) -> None:
    trouble = Trouble(bad_share=bad, transient=transient, lost=lost, unread=unread, crash=crash, permanent=permanent)
    world = World(seed, trouble)
    said |= {200: Resumed("a")}
    run = carried_out(world, plan(steps=2, approval=approval), said)
    assert run.phase.ended
    if run.phase is Phase.UPDATED:
        assert run.judgement is not None
        assert run.judgement.verdict is not Verdict.FAIL
    if run.phase is not Phase.STUCK:
        assert not world.hardened
    assert len({entry.at for entry in run.timeline}) > 0
