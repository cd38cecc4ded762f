"""The mover of runs: `advance(run, event, now)`. Pure, and total over every phase and event.

A phase wants some commands, in order, and then looks at the world until what it waits for is so. Where a command, a
phase or the gate fails, a step that was not changed is refused, and one that was is rolled back: workloads first, in
seconds, then their owner, then what is live is compared with the checkpoint. What cannot be done then leaves the run
stuck: a person must look, nothing more is touched. Called by worker.py.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from addonctl.gate import judged, observed, opened
from addonctl.model import NOTHING, READY, Answered, GateSettings, Guard, Objective, Verdict
from addonctl.model.plan import Plan
from addonctl.model.run import (
    Approved,
    Cancelled,
    CancelledBy,
    Command,
    CommandFailed,
    Do,
    Done,
    Entry,
    Event,
    Failed,
    GateFailed,
    Limits,
    Looked,
    NotCounted,
    NoVerdict,
    NoWayBack,
    OwnerFailed,
    OwnerState,
    Paused,
    Phase,
    Resumed,
    Run,
    StepState,
    TookTooLong,
    Why,
)

# A worker that is alive looks every few seconds, and no call takes longer than this.
_MOVES_WITHIN = timedelta(seconds=180)
# In so many looks an SLI that can be asked for has given a count.
_LOOKS = 4
# What is wrong in the cluster takes a while to be known, and a new worker does not know it: for that it is watched so
# many times as long, at most.
_ASSESSED = 4
# What fails its objective before the change is watched so many times as long: it may be over then, and a limit that is
# taken from a bad minute lets bad versions pass.
_STEADY = 6
# Rights that are changed by mistake are put right, and are known everywhere, within this.
_GRANTED_WITHIN = timedelta(seconds=120)
# Old pods are back within seconds, unless something forbids it: a disruption budget, or somebody who works against it.
_WORKLOADS_FIRST = timedelta(seconds=60)
# New instances that came after that are ended so often.
_AGAIN = timedelta(seconds=30)
# One instance follows another within this, pulled image and warmed caches included.
_AN_INSTANCE_S = 60
_WATCHED = (Phase.APPLY, Phase.SOAK, Phase.VERIFY)

Advance = tuple[Run, tuple[Command, ...]]
"""The run after an event, and what to do now; nothing: look again after `limits.look_s`."""


def started(
    id: str, plan: Plan, now: datetime, settings: GateSettings | None = None, limits: Limits | None = None
) -> Advance:
    """A run of `plan` at its beginning. One alpha is shared by all of its steps."""
    assert plan.steps, "a plan without steps needs no run"
    settings = settings or GateSettings()
    run = Run(
        id=id,
        plan=plan,
        phase=Phase.PREFLIGHT,
        since=now,
        moved=now,
        settings=replace(settings, alpha=settings.alpha / len(plan.steps)),
        limits=limits or Limits(),
    )
    return _told(_entered(run, Phase.PREFLIGHT, now, Do.CHECK), now)


def advance(run: Run, event: Event, now: datetime) -> Advance:
    """The run after `event`. What its phase does not wait for changes nothing; a run that has ended stays as it is."""
    if run.phase.ended:
        return run, ()
    return _told(_in_time(_moved(_awake(run, now), event, now), now), now)


def _awake(run: Run, now: datetime) -> Run:
    """The run as of now. What nobody saw of it does not count: its worker was dead, or its clock was set."""
    lasted = now - (run.moved or now)
    unseen = lasted - min(max(lasted, timedelta()), _MOVES_WITHIN)
    run = replace(run, moved=now)
    if not unseen:
        return run
    return replace(
        run,
        since=run.since + unseen,
        not_before=run.not_before + unseen if run.not_before else None,
        unknown_since=run.unknown_since + unseen if run.unknown_since else None,
        forbidden_since=run.forbidden_since + unseen if run.forbidden_since else None,
    )


def _told(run: Run, now: datetime) -> Advance:
    waits = run.not_before is not None and now < run.not_before
    if run.phase.ended or waits or _held(run):
        return run, ()
    return run, run.todo[:1]


def _held(run: Run) -> bool:
    """Paused; going back is not held up."""
    return run.paused and run.phase is not Phase.ROLLING_BACK


def _moved(run: Run, event: Event, now: datetime) -> Run:
    match event:
        case Done(command) if run.todo and command == run.todo[0].id:
            return _done(run, event, now)
        case Failed(command) if run.todo and command == run.todo[0].id:
            return _failed(run, event, now)
        case Looked():
            return _looked(run, event, now)
        case Approved(by) if run.phase is Phase.APPROVAL:  # who agrees to it wants it to go on, also if it was paused
            return _changing(replace(run, paused=False), now, by)
        case Cancelled(by) if run.phase is not Phase.ROLLING_BACK:
            return _turned_back(run, CancelledBy(by), now)
        case Paused():
            return replace(run, paused=True)
        case Resumed() if run.paused:
            return replace(run, paused=False, since=now, unknown_since=None)
    return run


# ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────────


def _entered(run: Run, phase: Phase, now: datetime, *wanted: Do, why: Why | None = None, by: str = "") -> Run:
    said = run.judgement if run.phase in _WATCHED else None
    entry = Entry(at=now, phase=phase, step=run.step, wave=run.wave, why=why, judgement=said, by=by)
    run = replace(
        run,
        phase=phase,
        since=now,
        todo=(),
        not_before=None,
        waits_for="",
        forbidden_since=None,
        unknown_since=None,
        timeline=(*run.timeline, entry),
    )
    return _wanting(run, *wanted)


def _wanting(run: Run, *wanted: Do) -> Run:
    numbered = enumerate(wanted, start=run.numbered + 1)
    more = tuple(Command(id=f"{run.id}-{n}", do=do, step=run.step, wave=run.wave) for n, do in numbered)
    return replace(run, todo=(*run.todo, *more), numbered=run.numbered + len(wanted))


def _done(run: Run, event: Done, now: datetime) -> Run:
    command, rest = run.todo[0], run.todo[1:]
    run = replace(run, todo=rest, not_before=None, waits_for="", forbidden_since=None)
    if command.do is Do.CHECKPOINT:
        run = replace(run, checkpoints=(*run.checkpoints, event.result))
    elif command.do is Do.RELAX:
        run = replace(run, hardened=False)
    elif command.do in (Do.CHANGE, Do.REVERT_OWNER):
        run = replace(run, ticket=event.result)
    return run if rest else _all_done(run, now)


def _failed(run: Run, event: Failed, now: datetime) -> Run:
    run = replace(run, forbidden_since=(run.forbidden_since or now) if event.forbidden else None)
    if event.retry_after_s is not None and not _is_forbidden(run, now):
        again = replace(run, not_before=now + timedelta(seconds=event.retry_after_s), waits_for=event.reason)
        if event.given_up and run.phase is Phase.ROLLING_BACK:
            again = _wanting(replace(again, todo=()), Do.REVERT_OWNER)
            return replace(again, todo=(*again.todo, *run.todo))
        return _owner_first(again, now)
    if run.todo[0].do is Do.REVERT_WORKLOADS:  # it only makes going back faster: its owner puts them back as well
        return _done(run, Done(event.command), now)
    return _turned_back(run, CommandFailed(run.todo[0].do, event.reason), now)


def _is_forbidden(run: Run, now: datetime) -> bool:
    """A right that is missing for long is missing for good.

    Once all that is left is to clean up, or to go back, there is nothing better than to try on: turning back takes the
    same rights, and giving up would leave what is there.
    """
    if run.forbidden_since is None or run.phase in (Phase.VERIFY, Phase.ROLLING_BACK):
        return False
    return now - run.forbidden_since >= _GRANTED_WITHIN


def _owner_first(run: Run, now: datetime) -> Run:
    """Workloads that cannot be put back for long are so once their owner is: it may bring back what was put back."""
    workloads_first = [command.do for command in run.todo] == [Do.REVERT_WORKLOADS, Do.REVERT_OWNER]
    if not workloads_first or now - run.since <= _WORKLOADS_FIRST:
        return run
    return replace(run, todo=run.todo[::-1])


def _all_done(run: Run, now: datetime) -> Run:
    """What follows the last command of a phase; phases that are not named here look at the world first."""
    match run.phase:
        case Phase.PREFLIGHT:
            return _entered(run, Phase.CHECKPOINT, now, Do.CHECKPOINT)
        case Phase.CHECKPOINT:
            return _entered(replace(run, hardened=True), Phase.BASELINE, now, Do.HARDEN)
        case Phase.VERIFY:
            return _next_step(run, now)
        case Phase.ROLLING_BACK if run.restored or not run.changed:
            assert run.ending is not None, "what rolls back has an end"
            return _entered(run, run.ending, now, why=run.why)
    return run


def _next_step(run: Run, now: datetime) -> Run:
    if run.step + 1 == len(run.plan.steps):
        return _entered(run, Phase.UPDATED, now)
    run = replace(
        run, step=run.step + 1, wave=0, changed=False, ticket="", gate=None, judgement=None, baseline=(), state=None
    )
    return _entered(run, Phase.PREFLIGHT, now, Do.CHECK)


def _changing(run: Run, now: datetime, by: str = "") -> Run:
    watched, unwatched = _objectives(run)
    gate = opened(run.settings, watched, run.baseline)
    run = _entered(replace(run, changed=True, gate=gate), Phase.APPLY, now, Do.CHANGE, Do.RELEASE, by=by)
    return replace(run, timeline=(*run.timeline[:-1], replace(run.timeline[-1], unwatched=unwatched)))


def _objectives(run: Run) -> tuple[tuple[Objective, ...], tuple[str, ...]]:
    """Those that the gate is to watch, and the SLIs that it cannot: nobody could ask for them before the change."""
    step, asked = run.at_work_on, {each.sli for each in run.baseline if (each.updated + each.control).requests}
    watched = tuple(each for each in step.objectives if each.sli in asked or each.sli == READY)
    return watched, tuple(each.sli for each in step.objectives if each not in watched)


def _uncounted(run: Run) -> tuple[str, ...]:
    """SLIs that were to be counted before the change, and were not; an additional one has to be by nobody."""
    additional = {each.sli for each in run.at_work_on.objectives if each.additional}
    return tuple(each for each in _objectives(run)[1] if each not in additional)


# ── Turning back ────────────────────────────────────────────────────────────────────────────────────────────────


def _turned_back(run: Run, why: Why, now: datetime) -> Run:
    if run.phase is Phase.ROLLING_BACK:
        return _entered(replace(run, why=why), Phase.STUCK, now, why=why)
    irreversible = run.at_work_on.irreversible
    if run.changed and irreversible:
        why = NoWayBack(irreversible, why)
        return _entered(replace(run, why=why), Phase.STUCK, now, why=why)
    usual = Phase.ROLLED_BACK if run.changed else Phase.REFUSED
    run = replace(run, why=why, ending=Phase.CANCELLED if isinstance(why, CancelledBy) else usual)
    if run.changed:
        return _entered(run, Phase.ROLLING_BACK, now, Do.REVERT_WORKLOADS, Do.REVERT_OWNER, why=why)
    if run.hardened:
        return _entered(run, Phase.ROLLING_BACK, now, Do.RELAX, why=why)
    assert run.ending is not None
    return _entered(run, run.ending, now, why=why)


def _in_time(run: Run, now: datetime) -> Run:
    """The run, turned back where its phase lasts too long."""
    limit, lasted = _limit_s(run), (now - run.since).total_seconds()
    if run.phase.ended or _held(run) or lasted <= limit:
        return run
    return _turned_back(run, TookTooLong(run.phase, round(lasted), run.state, run.waits_for), now)


def _limit_s(run: Run) -> int:
    limits = run.limits
    return {
        Phase.PREFLIGHT: limits.preflight_s,
        Phase.CHECKPOINT: limits.checkpoint_s,
        Phase.BASELINE: limits.baseline_s + limits.harden_s,
        Phase.APPROVAL: limits.approval_s,
        Phase.APPLY: max(limits.apply_s, _AN_INSTANCE_S * _of_wave(run)),
        Phase.SOAK: run.at_work_on.soak_s + limits.apply_s,
        Phase.VERIFY: limits.verify_s,
        Phase.ROLLING_BACK: limits.rolling_back_s,
    }.get(run.phase, 0)


def _of_wave(run: Run) -> int:
    waves = run.at_work_on.waves
    return waves[run.wave].instances if waves else 1


# ── Looks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _looked(run: Run, seen: Looked, now: datetime) -> Run:
    """What a look changes: nothing while a command is being done, but for a gate that fails."""
    run = replace(run, state=seen.state or run.state, served=_added(run.served, seen.served))
    match run.phase:
        case Phase.BASELINE:
            return _before_the_change(run, seen, now)
        case Phase.APPLY | Phase.SOAK | Phase.VERIFY:
            return _while_changing(run, seen, now)
        case Phase.ROLLING_BACK if run.changed and not run.todo and not run.restored:
            if seen.state is not None and seen.state.owner is OwnerState.FAILED:
                return _wanting(run, Do.REVERT_OWNER)
            if seen.state is not None and seen.state.restored and _as_ready_as_before(run, seen.state):
                return _wanting(replace(run, restored=True), Do.RELAX, Do.COMPARE)
            if seen.state is not None and seen.state.updated and now - run.since > _WORKLOADS_FIRST:
                return replace(_wanting(run, Do.REVERT_WORKLOADS), not_before=now + _AGAIN)
    return run


def _added(so_far: Iterable[Answered], more: Iterable[Answered]) -> tuple[Answered, ...]:
    by_sli = {each.sli: each for each in so_far}
    for each in more:
        before = by_sli.get(each.sli)
        by_sli[each.sli] = replace(before, counts=before.counts + each.counts) if before else each
    return tuple(by_sli.values())


def _before_the_change(run: Run, seen: Looked, now: datetime) -> Run:
    """Watches the installation as it is; one that is broken already is not updated."""
    if seen.guards and not run.at_work_on.ails:
        judgement = judged(opened(run.settings, run.at_work_on.objectives), seen.guards)
        return _turned_back(run, GateFailed(judgement), now)
    troubles = run.troubles
    if seen.troubles is not None:
        troubles = tuple(dict.fromkeys((*(troubles or ()), *seen.troubles)))
    run = replace(run, baseline=(*run.baseline, *seen.samples), troubles=troubles)
    watched_s = (now - run.since).total_seconds()
    known = troubles is not None or watched_s >= _ASSESSED * run.limits.baseline_s
    if run.todo or not known or watched_s < run.limits.baseline_s:
        return run
    if seen.state is None or not _as_ready_as_before(run, seen.state):
        return run
    judges = not run.at_work_on.ails
    if judges and _objectives(run)[1] and len({each.at for each in run.baseline}) < _LOOKS:
        return run
    if judges and (uncounted := _uncounted(run)) and not run.at_work_on.blind:
        return _turned_back(run, NotCounted(uncounted), now)
    if judges and _fails(run) and watched_s < _STEADY * run.limits.baseline_s:
        since, uncounted = now - timedelta(seconds=run.limits.baseline_s), _objectives(run)[1]
        run = replace(run, baseline=tuple(each for each in run.baseline if each.at > since))
        if _fails(run) or _objectives(run)[1] != uncounted:
            return run
    if run.at_work_on.approval or run.at_work_on.irreversible:
        return _entered(run, Phase.APPROVAL, now)
    return run if run.paused else _changing(run, now)


def _fails(run: Run) -> bool:
    """Whether an SLI was not what its objective wants before the change."""
    return any(
        (rate := sum((each.control for each in run.baseline if each.sli == one.sli), NOTHING).rate) is not None
        and rate > one.may_fail
        for one in run.at_work_on.objectives
    )


def _while_changing(run: Run, seen: Looked, now: datetime) -> Run:
    if run.troubles is not None and seen.elsewhere:  # nor is it theirs once an instance is updated there
        run = replace(run, troubles=tuple(dict.fromkeys((*run.troubles, *seen.elsewhere))))
    assert run.gate is not None, "a gate is opened before a change"
    gate = observed(run.gate, seen.samples)
    judgement = judged(gate, (*seen.guards, *_new(run, seen)))
    run = replace(run, gate=gate, judgement=judgement)
    if judgement.verdict is Verdict.FAIL:
        return _turned_back(run, GateFailed(judgement), now)
    if seen.state is not None and seen.state.owner is OwnerState.FAILED:
        return _turned_back(run, OwnerFailed(seen.state.detail), now)
    if run.todo or seen.state is None:
        return run
    match run.phase:
        case Phase.APPLY if seen.state.updated_ready >= _released(run, seen.state):
            return _entered(run, Phase.SOAK, now)
        case Phase.SOAK:
            return _soaked(run, seen.state, now)
        case Phase.VERIFY if _complete(seen.state):
            return _wanting(run, Do.RELAX, Do.COMPARE)
    return run


def _as_ready_as_before(run: Run, state: StepState) -> bool:
    """Of what was unhealthy before, nobody expects that all are."""
    return state.ready >= state.of or run.at_work_on.ails


def _new(run: Run, seen: Looked) -> Iterable[Guard]:
    """Troubles that the cluster did not have before the change; none where that is not known."""
    if run.troubles is None or seen.troubles is None:
        return ()
    before = {(each.code, each.subject) for each in run.troubles}
    return (each for each in seen.troubles if (each.code, each.subject) not in before)


def _released(run: Run, state: StepState) -> int:
    """How many instances the waves so far hold; there may be fewer than when the plan was made."""
    return min(sum(wave.instances for wave in run.at_work_on.waves[: run.wave + 1]), state.of)


def _complete(state: StepState) -> bool:
    return state.owner is OwnerState.DONE and state.updated >= state.of and state.updated_ready >= state.of


def _soaked(run: Run, state: StepState, now: datetime) -> Run:
    """Goes on after a pass that has lasted; holds on unknown, and turns back when that lasts."""
    assert run.judgement is not None
    told = not run.at_work_on.removes  # nothing is counted of what is gone: only what breaks elsewhere
    unknown = told and run.judgement.verdict is Verdict.UNKNOWN
    if unknown or state.updated_ready < _released(run, state):
        since = run.unknown_since or now
        lasted = (now - since).total_seconds()
        if lasted > run.limits.hold_s:
            return _turned_back(run, NoVerdict(round(lasted), run.judgement), now)
        return replace(run, unknown_since=since)
    if run.unknown_since is not None:
        run = replace(run, unknown_since=None)
    if (now - run.since).total_seconds() < run.at_work_on.soak_s or run.paused:
        return run
    if run.wave + 1 < len(run.at_work_on.waves):
        return _entered(replace(run, wave=run.wave + 1), Phase.APPLY, now, Do.RELEASE)
    return _entered(run, Phase.VERIFY, now)
