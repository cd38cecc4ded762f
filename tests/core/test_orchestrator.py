"""Single moves of a run: what each event does in each phase, and what it does not."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from addonctl.model import Answered, Counts, Guard, Objective, Sample
from addonctl.model.run import (
    Approved,
    Cancelled,
    Command,
    CommandFailed,
    Do,
    Done,
    Event,
    Failed,
    GateFailed,
    Limits,
    Looked,
    NotCounted,
    OwnerState,
    Paused,
    Phase,
    Resumed,
    Run,
    StepState,
    Tick,
    TookTooLong,
)
from addonctl.orchestrator import Advance, advance, started
from tests.builders import NOW
from tests.simulation.sketch import plan

_OLD = StepState(of=6, updated=0, ready=6, updated_ready=0)


def _later(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def _watched(run: Run, seconds: float) -> Run:
    """The run, moved last so long after it entered its phase."""
    return replace(run, moved=run.since + _later(seconds))


def _command(moved: Advance) -> Command:
    (command,) = moved[1]
    return command


def _upto(phase: Phase, **of_plan: object) -> Run:
    """A run that has just entered a phase, by doing what it asks for."""
    run, commands = started("run", plan(**of_plan), NOW)  # type: ignore[arg-type]
    now = NOW
    for _ in range(40):
        if run.phase is phase:
            return run
        now += _later(10)
        event: Event = Done(commands[0].id, "checkpoint") if commands else Looked(state=_new(run), samples=_good(run))
        run, commands = advance(run, event, now)
    raise AssertionError(f"never came to {phase}")


def _new(run: Run) -> StepState:
    if not run.changed:
        return _OLD
    done = min(2 * (run.wave + 1), 6)
    return StepState(of=6, updated=done, ready=6, updated_ready=done, owner=OwnerState.DONE)


def _good(run: Run) -> tuple[Sample, ...]:
    return (Sample(sli="dns", at=NOW, updated=Counts(100 if run.changed else 0), control=Counts(100)),)


# ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_begins_by_checking_and_goes_on_command_by_command() -> None:
    moved = started("run", plan(), NOW)
    done = []
    while moved[1]:
        done.append((moved[0].phase, _command(moved).do))
        moved = advance(moved[0], Done(_command(moved).id, "c-1"), NOW)
    assert done == [(Phase.PREFLIGHT, Do.CHECK), (Phase.CHECKPOINT, Do.CHECKPOINT), (Phase.BASELINE, Do.HARDEN)]
    assert moved[0].checkpoints == ("c-1",)
    assert moved[0].hardened


def test_every_command_has_a_number_of_its_own() -> None:
    asked = [_upto(phase).todo for phase in (Phase.PREFLIGHT, Phase.CHECKPOINT, Phase.BASELINE, Phase.APPLY)]
    assert [command.id for todo in asked for command in todo] == [f"run-{number}" for number in range(1, 6)]


@pytest.mark.parametrize("event", [Done("run-99", "x"), Failed("run-99", "refused"), Failed("run-99", "later", 5)])
def test_an_answer_to_another_command_changes_nothing(event: Event) -> None:
    run, commands = started("run", plan(), NOW)
    assert advance(run, event, NOW) == (run, commands)


def test_an_answer_when_nothing_was_asked_changes_nothing() -> None:
    run = replace(_upto(Phase.SOAK), todo=())
    assert advance(run, Done("run-1"), run.since)[0] == run
    assert advance(run, Failed("run-1", "refused"), run.since)[0] == run


def test_what_may_help_later_is_asked_again_under_the_same_id_and_not_before() -> None:
    run, commands = started("run", plan(), NOW)
    run, none = advance(run, Failed(commands[0].id, "throttled", 30), NOW)
    assert none == ()
    assert advance(run, Tick(), NOW + _later(29))[1] == ()
    assert advance(run, Tick(), NOW + _later(30))[1] == commands
    run, _ = advance(run, Done(commands[0].id), NOW + _later(31))
    assert run.not_before is None


# ── People ──────────────────────────────────────────────────────────────────────────────────────────────────────


_NO_RIGHT = "deployments is forbidden"


def _forbidden(run: Run, seconds: int) -> Run:
    """The run after so long a time in which its command is forbidden each time."""
    since = run.since
    for second in range(0, seconds + 1, 10):
        event = Failed(run.todo[0].id, _NO_RIGHT, 10, forbidden=True)
        run, _ = advance(run, event, since + _later(second))
        if run.phase.ended or not run.todo:
            break
    return run


@pytest.mark.parametrize(
    ("phase", "then"),
    [
        (Phase.PREFLIGHT, Phase.REFUSED),
        (Phase.CHECKPOINT, Phase.REFUSED),
        (Phase.BASELINE, Phase.ROLLING_BACK),
        (Phase.APPLY, Phase.ROLLING_BACK),
    ],
)
def test_what_is_forbidden_for_two_minutes_turns_back_with_the_reason(phase: Phase, then: Phase) -> None:
    run = _upto(phase)
    do = run.todo[0].do
    assert _forbidden(run, 110).phase is phase
    turned = _forbidden(run, 120)
    assert (turned.phase, turned.why) == (then, CommandFailed(do, _NO_RIGHT))


def test_a_right_that_comes_back_is_missed_no_more() -> None:
    run = _forbidden(_upto(Phase.APPLY), 110)
    run, _ = advance(run, Failed(run.todo[0].id, "throttled", 5), run.since + _later(115))
    run, _ = advance(run, Failed(run.todo[0].id, _NO_RIGHT, 10, forbidden=True), run.since + _later(125))
    assert run.phase is Phase.APPLY


def test_going_back_is_tried_on_though_it_is_forbidden() -> None:
    run, _ = advance(_upto(Phase.APPLY), Cancelled("ana"), NOW + _later(60))
    assert run.phase is Phase.ROLLING_BACK
    assert _forbidden(run, 600).phase is Phase.ROLLING_BACK


def test_a_paused_run_asks_for_nothing_and_time_does_not_count() -> None:
    run, commands = started("run", plan(), NOW)
    run, none = advance(run, Paused("ana"), NOW)
    assert none == ()
    run, none = advance(_watched(run, 100_000), Tick(), NOW + _later(100_000))
    assert (run.phase, none) == (Phase.PREFLIGHT, ())
    run, again = advance(run, Resumed("ana"), NOW + _later(100_000))
    assert (run.since, again) == (NOW + _later(100_000), commands)


def test_resuming_what_goes_on_changes_nothing() -> None:
    run = _upto(Phase.SOAK)
    assert advance(run, Resumed("ana"), run.since + _later(5))[0] == _watched(run, 5)


def test_approval_counts_only_where_it_is_asked_for() -> None:
    run, commands = started("run", plan(approval=True), NOW)
    assert advance(run, Approved("ana"), NOW) == (run, commands)
    waiting = _upto(Phase.APPROVAL, approval=True)
    approved, commands = advance(waiting, Approved("ana"), waiting.since)
    assert (approved.phase, commands[0].do) == (Phase.APPLY, Do.CHANGE)
    assert approved.timeline[-1].by == "ana"
    assert advance(_watched(waiting, 86_400), Tick(), waiting.since + _later(86_401))[0].phase is Phase.ROLLING_BACK


def test_who_approves_what_was_paused_lets_it_go_on() -> None:
    waiting = replace(_upto(Phase.APPROVAL, approval=True), paused=True)
    approved, commands = advance(waiting, Approved("ana"), waiting.since)
    assert (approved.phase, approved.paused, commands[0].do) == (Phase.APPLY, False, Do.CHANGE)


def test_going_back_cannot_be_cancelled() -> None:
    run = _upto(Phase.APPLY)
    back, commands = advance(run, Cancelled("ana"), run.since)
    assert (back.phase, back.ending, commands[0].do) == (Phase.ROLLING_BACK, Phase.CANCELLED, Do.REVERT_WORKLOADS)
    assert advance(back, Cancelled("ben"), back.since) == (back, commands)


def test_workloads_that_cannot_be_put_back_for_long_are_so_once_their_owner_is() -> None:
    run = _upto(Phase.APPLY)
    back, commands = advance(run, Cancelled("ana"), run.since)
    refused = Failed(commands[0].id, "its disruption budget", 1.0)
    soon, _ = advance(back, refused, back.since + _later(60))
    assert soon.todo == back.todo
    late, commands = advance(back, refused, back.since + _later(61))
    assert [command.do for command in late.todo] == [Do.REVERT_OWNER, Do.REVERT_WORKLOADS]
    again, _ = advance(late, Failed(late.todo[0].id, "busy", 1.0), back.since + _later(90))
    assert again.todo == late.todo


# ── Looks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_baseline_is_watched_for_as_long_as_it_takes() -> None:
    run = replace(_upto(Phase.BASELINE), todo=())
    at = run.since + _later(Limits().baseline_s)
    assert advance(run, Looked(state=_OLD), at - _later(1))[0].phase is Phase.BASELINE
    assert advance(run, Looked(state=None, unread="time-out"), at)[0].phase is Phase.BASELINE
    assert advance(run, Looked(state=replace(_OLD, ready=5)), at)[0].phase is Phase.BASELINE
    assert advance(replace(run, paused=True), Looked(state=_OLD), at)[0].phase is Phase.BASELINE
    assert advance(run, Looked(state=_OLD), at)[0].phase is Phase.BASELINE, "no SLI has given a count"
    assert advance(run, Looked(state=_OLD, samples=_good(run)), at)[0].phase is Phase.APPLY


def _silent(run: Run) -> Run:
    """After six looks that counted no DNS."""
    for seconds in range(0, 60, 10):
        silent = Sample(sli="ready", at=run.since + _later(seconds), updated=Counts(), control=Counts(60))
        if run.phase is Phase.BASELINE:
            run, _ = advance(replace(run, todo=()), Looked(state=_OLD, samples=(silent,)), silent.at)
    return run


def test_what_gives_no_count_before_the_change_could_not_be_judged_after_it() -> None:
    run = _silent(_upto(Phase.BASELINE))
    assert run.why == NotCounted(("dns",))
    assert run.ending is Phase.REFUSED
    assert not run.changed


def test_who_accepts_that_updates_without_it_and_the_timeline_says_so() -> None:
    before = _upto(Phase.BASELINE)
    run = _silent(replace(before, plan=replace(before.plan, steps=(replace(before.at_work_on, blind=True),))))
    assert run.phase is Phase.APPLY
    assert run.gate is not None
    assert "dns" not in {each.sli for each in run.gate.watched}
    assert run.timeline[-1].unwatched == ("dns",)


def test_an_additional_sli_without_a_count_holds_nobody_up_and_the_timeline_says_so() -> None:
    before = _upto(Phase.BASELINE)
    objectives = (*before.at_work_on.objectives, Objective(sli="dns-responses", additional=True, of_users=True))
    step = replace(before.at_work_on, objectives=objectives)
    run = replace(before, todo=(), plan=replace(before.plan, steps=(step,)))
    for look in range(4):
        assert run.phase is Phase.BASELINE, "some looks later it may have been counted"
        now = before.since + _later(Limits().baseline_s + look)
        samples = tuple(replace(each, at=now) for each in _good(run))
        run, _ = advance(run, Looked(state=_OLD, samples=samples), now)
    assert run.phase is Phase.APPLY
    assert run.timeline[-1].unwatched == ("dns-responses",)
    assert run.gate is not None
    assert "dns-responses" not in {each.sli for each in run.gate.watched}


def test_the_gate_knows_how_it_was_before() -> None:
    run, _ = _before_it(*[40] * 7)
    assert run.gate is not None
    assert run.gate.watched[0].limit > 0.08


def test_a_bad_minute_before_the_change_is_waited_for_and_then_is_none_of_its_limit() -> None:
    run, since = _before_it(0, 40)
    assert run.phase is Phase.BASELINE
    later = since + _later(90)
    run, _ = advance(run, _served(later, 0), later)
    assert run.phase is Phase.APPLY
    assert run.gate is not None
    assert run.gate.watched[0].limit == run.at_work_on.objectives[0].may_fail


def _before_it(*failed: int) -> tuple[Run, datetime]:
    """A run after looks before its change, half a minute apart; at each, so many of 500 requests have failed."""
    run = replace(_upto(Phase.BASELINE), todo=())
    since = run.since
    for look, number in enumerate(failed):
        now = since + _later(Limits().baseline_s * look)
        run, _ = advance(run, _served(now, number), now)
    return run, since


def _served(now: datetime, failed: int) -> Looked:
    return Looked(state=_OLD, samples=(Sample(sli="dns", at=now, updated=Counts(), control=Counts(500, failed)),))


def test_a_wave_is_soaked_once_its_instances_are_ready() -> None:
    run = replace(_upto(Phase.APPLY), todo=())
    one = StepState(of=6, updated=2, ready=5, updated_ready=1, owner=OwnerState.AT_WORK)
    assert advance(run, Looked(state=one), run.since)[0].phase is Phase.APPLY
    assert advance(run, Looked(state=replace(one, updated_ready=2)), run.since)[0].phase is Phase.SOAK


def test_there_may_be_fewer_instances_than_when_the_plan_was_made() -> None:
    run = replace(_upto(Phase.APPLY), todo=())
    assert (
        advance(run, Looked(state=StepState(of=1, updated=1, ready=1, updated_ready=1)), run.since)[0].phase
        is Phase.SOAK
    )


def test_a_soak_lasts_and_then_comes_the_next_wave() -> None:
    run = _upto(Phase.SOAK)
    look = Looked(state=_new(run), samples=_good(run))
    early = advance(run, look, run.since + _later(29))[0]
    assert (early.phase, early.wave) == (Phase.SOAK, 0)
    later, commands = advance(run, look, run.since + _later(30))
    assert (later.phase, later.wave, commands[0].do, commands[0].wave) == (Phase.APPLY, 1, Do.RELEASE, 1)
    assert advance(replace(run, paused=True), look, run.since + _later(30))[0].phase is Phase.SOAK


def test_the_last_wave_is_verified_once_its_owner_is_done() -> None:
    run = _upto(Phase.VERIFY)
    state = StepState(of=6, updated=6, ready=6, updated_ready=6, owner=OwnerState.AT_WORK)
    assert advance(run, Looked(state=state), run.since)[1] == ()
    assert advance(run, Looked(state=replace(state, owner=OwnerState.DONE, updated=5)), run.since)[1] == ()
    assert advance(run, Looked(state=replace(state, owner=OwnerState.DONE, updated_ready=5)), run.since)[1] == ()
    done, commands = advance(run, Looked(state=replace(state, owner=OwnerState.DONE)), run.since)
    assert [command.do for command in done.todo] == [Do.RELAX, Do.COMPARE]
    done, commands = advance(done, Done(commands[0].id), run.since)
    assert not done.hardened
    assert advance(done, Done(commands[0].id), run.since)[0].phase is Phase.UPDATED


_TROUBLE = Guard(code="HLT009", subject="Webhook/policy", detail="no ready backend")


def _with_troubles(run: Run, *troubles: Guard) -> Looked:
    return Looked(state=_OLD, samples=_good(run), troubles=troubles)


def test_a_trouble_that_the_cluster_had_before_the_change_is_not_its_doing() -> None:
    run = _upto(Phase.BASELINE)
    run, _ = advance(replace(run, todo=()), _with_troubles(run, _TROUBLE), run.since)
    run, _ = advance(run, _with_troubles(run, _TROUBLE), run.since)
    assert run.troubles == (_TROUBLE,)
    changing = replace(_upto(Phase.APPLY), troubles=run.troubles)
    assert advance(changing, _with_troubles(changing, _TROUBLE), changing.since)[0].phase is Phase.APPLY


def test_nothing_is_changed_before_it_is_known_what_is_wrong_in_the_cluster_unless_that_takes_long() -> None:
    run = replace(_upto(Phase.BASELINE), todo=())
    unknown = replace(_with_troubles(run), troubles=None)
    run, _ = advance(run, unknown, run.since + _later(run.limits.baseline_s))
    assert (run.phase, run.troubles) == (Phase.BASELINE, None)
    assert advance(run, _with_troubles(run), run.since + _later(run.limits.baseline_s))[0].phase is Phase.APPLY
    assert advance(run, unknown, run.since + _later(4 * run.limits.baseline_s))[0].phase is Phase.APPLY


def test_a_new_trouble_anywhere_in_the_cluster_turns_a_change_back() -> None:
    changing = replace(_upto(Phase.APPLY), troubles=())
    back, _ = advance(changing, _with_troubles(changing, _TROUBLE), changing.since)
    assert isinstance(back.why, GateFailed)
    assert (back.phase, back.why.judgement.guards) == (Phase.ROLLING_BACK, (_TROUBLE,))


def test_a_trouble_of_a_node_without_updated_instances_turns_nothing_back_nor_does_it_once_one_is_there() -> None:
    node, changing = replace(_TROUBLE, subject="Node/a", nodes=("a",)), replace(_upto(Phase.APPLY), troubles=())
    run, _ = advance(changing, replace(_with_troubles(changing, node), elsewhere=(node,)), changing.since)
    assert run.phase is Phase.APPLY
    run, _ = advance(run, _with_troubles(run, node), run.since)
    assert run.phase is Phase.APPLY, "it was so before"
    assert advance(changing, _with_troubles(changing, node), changing.since)[0].phase is Phase.ROLLING_BACK


def test_where_nobody_assessed_it_before_the_change_no_trouble_counts_as_new() -> None:
    changing = replace(_upto(Phase.APPLY), troubles=None)
    assert advance(changing, _with_troubles(changing, _TROUBLE), changing.since)[0].phase is Phase.APPLY


def test_what_users_are_answered_is_added_up() -> None:
    run = _upto(Phase.SOAK)
    seen = Looked(state=None, served=(Answered(sli="dns", counts=Counts(50, 1)),))
    run, _ = advance(*advance(run, seen, run.since)[:1], seen, run.since)
    assert run.served == (Answered(sli="dns", counts=Counts(100, 2)),)


@pytest.mark.parametrize("phase", [Phase.APPLY, Phase.SOAK, Phase.VERIFY])
def test_a_guard_turns_a_change_back_even_while_a_command_is_done(phase: Phase) -> None:
    run = _upto(phase)
    guard = Guard(code="HLT001", subject="Deployment/kube-system/coredns", detail="crashed")
    back, commands = advance(run, Looked(state=None, guards=(guard,)), run.since)
    assert (back.phase, commands[0].do) == (Phase.ROLLING_BACK, Do.REVERT_WORKLOADS)


def test_new_instances_that_come_while_it_goes_back_are_ended_again() -> None:
    run = advance(_upto(Phase.APPLY), Cancelled("ana"), NOW)[0]
    run = replace(run, todo=(), since=NOW)
    left = Looked(state=replace(_OLD, updated=1))
    assert advance(run, left, NOW + _later(60))[0].todo == ()
    later = NOW + _later(61)
    again, commands = advance(run, left, later)
    assert ([command.do for command in again.todo], commands) == ([Do.REVERT_WORKLOADS], ())
    assert advance(again, Tick(), later + _later(30))[1] == again.todo


def test_what_was_put_back_is_ready_before_it_is_compared() -> None:
    run = advance(_upto(Phase.APPLY), Cancelled("ana"), NOW)[0]
    run = replace(run, todo=(), since=NOW)
    state = replace(_OLD, restored=True)
    assert advance(run, Looked(state=replace(state, ready=5)), NOW)[1] == ()
    assert advance(run, Looked(state=replace(state, restored=False)), NOW)[1] == ()
    found, commands = advance(run, Looked(state=state), NOW)
    assert [command.do for command in found.todo] == [Do.RELAX, Do.COMPARE]
    assert advance(found, Looked(state=state), NOW) == (found, commands), "asked for once"


# ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────

_LIMITS = Limits()


@pytest.mark.parametrize(
    ("phase", "limit_s", "then"),
    [
        (Phase.PREFLIGHT, _LIMITS.preflight_s, Phase.REFUSED),
        (Phase.CHECKPOINT, _LIMITS.checkpoint_s, Phase.REFUSED),
        (Phase.BASELINE, _LIMITS.baseline_s + _LIMITS.harden_s, Phase.ROLLING_BACK),
        (Phase.APPLY, _LIMITS.apply_s, Phase.ROLLING_BACK),
        (Phase.SOAK, 30 + _LIMITS.apply_s, Phase.ROLLING_BACK),
        (Phase.VERIFY, _LIMITS.verify_s, Phase.ROLLING_BACK),
    ],
)
def test_a_phase_that_lasts_too_long_turns_back(phase: Phase, limit_s: int, then: Phase) -> None:
    run = _watched(_upto(phase), limit_s)
    assert advance(run, Tick(), run.since + _later(limit_s))[0].phase is phase
    back, _ = advance(_watched(run, limit_s), Tick(), run.since + _later(limit_s + 1))
    assert back.phase is then
    assert back.why == TookTooLong(phase, limit_s + 1, run.state)


def test_going_back_that_lasts_too_long_is_left_for_a_person() -> None:
    run = advance(_upto(Phase.APPLY), Cancelled("ana"), NOW)[0]
    lasting = _watched(run, _LIMITS.rolling_back_s)
    stuck, commands = advance(lasting, Tick(), run.since + _later(_LIMITS.rolling_back_s + 1))
    assert (stuck.phase, commands) == (Phase.STUCK, ())
    assert advance(stuck, Cancelled("ana"), NOW) == (stuck, ())


@pytest.mark.parametrize("jump_s", [-86_400, -60, 3_600, 86_400])
def test_a_clock_that_is_set_ends_no_phase_and_holds_nothing_up(jump_s: int) -> None:
    run = replace(_upto(Phase.APPLY), not_before=None)
    waiting, _ = advance(run, Failed(run.todo[0].id, "later", 5), run.since)
    jumped, _ = advance(waiting, Tick(), run.since + _later(jump_s))
    assert jumped.phase is Phase.APPLY
    _, commands = advance(jumped, Tick(), run.since + _later(jump_s + 6))
    assert commands == run.todo[:1]


def test_a_dead_worker_s_time_is_not_the_update_s() -> None:
    run = _upto(Phase.APPLY)
    taken, _ = advance(run, Tick(), run.since + _later(_LIMITS.apply_s + 60))
    assert taken.phase is Phase.APPLY


def test_what_the_owner_failed_to_put_back_it_is_asked_for_again() -> None:
    run = replace(advance(_upto(Phase.APPLY), Cancelled("ana"), NOW)[0], todo=(), since=NOW)
    failed = Looked(state=replace(_OLD, restored=True, owner=OwnerState.FAILED))
    found, _ = advance(run, failed, NOW)
    assert ([command.do for command in found.todo], found.restored) == ([Do.REVERT_OWNER], False)


def test_unknown_holds_for_a_while_only() -> None:
    limits = replace(_LIMITS, hold_s=100)  # shorter than what counts as a time in which nobody looked
    run = replace(_upto(Phase.SOAK), limits=limits)
    silent = Looked(state=_new(run))
    for _ in range(run.settings.silent):
        assert run.unknown_since is None
        run, _none = advance(run, silent, run.since)
    assert run.unknown_since == run.since
    assert advance(run, silent, run.since + _later(limits.hold_s))[0].phase is Phase.SOAK
    assert advance(run, silent, run.since + _later(limits.hold_s + 1))[0].phase is Phase.ROLLING_BACK
    assert advance(run, Looked(state=_new(run), samples=_good(run)), run.since)[0].unknown_since is None
    lost = Looked(state=replace(_new(run), updated_ready=1), samples=_good(run))
    assert advance(run, lost, run.since + _later(limits.hold_s + 1))[0].phase is Phase.ROLLING_BACK


def _ailing(run: Run) -> Run:
    return replace(run, plan=replace(run.plan, steps=tuple(replace(step, ails=True) for step in run.plan.steps)))


def test_what_is_known_to_be_unhealthy_is_changed_all_the_same_and_put_back_as_it_was() -> None:
    """The update may be the fix."""
    guard = Guard(code="HLT001", subject="Pod/kube-system/coredns-1", detail="crashed")
    broken = Looked(state=replace(_OLD, ready=2), guards=(guard,))
    run = replace(_upto(Phase.BASELINE), todo=())
    later = run.since + _later(30)
    assert (
        advance(run, broken, later)[0].phase is Phase.REFUSED or advance(run, broken, later)[0].ending is Phase.REFUSED
    )
    assert advance(_ailing(run), broken, later)[0].phase is Phase.APPLY
    back, _ = advance(_ailing(_upto(Phase.APPLY)), Cancelled("ana"), later)
    back = replace(back, todo=())
    restored = Looked(state=replace(_OLD, ready=2, restored=True))
    assert advance(back, restored, later)[0].restored
    assert not advance(replace(back, plan=run.plan), restored, later)[0].restored
