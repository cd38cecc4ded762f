"""Simulated updates: the production worker updates an add-on in a world made by a scenario, and an auditor judges.

`simulate(seed, mix)` is one run; the same seed is the same run, bit for bit. `shrunk` leaves out of a failing run's
scenario what the failure does not need; `story` tells a run in lines. Worker, executor, orchestrator and gate are those
that work on real clusters.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from addonctl.errors import BadInput, Conflict
from addonctl.executor import Executor
from addonctl.model import Answered
from addonctl.model.journal import Line
from addonctl.model.plan import Plan, Step
from addonctl.model.run import Approved, Cancelled, Limits, NoWayBack, Paused, Phase, Resumed, Run, Why
from addonctl.ports import Clock
from addonctl.sim.auditor import Auditor, Violation
from addonctl.sim.clock import SimClock
from addonctl.sim.controllers import Behaviour
from addonctl.sim.faults import FAULTS, schedule
from addonctl.sim.journal import HOLD_S, Shelf, SimJournal
from addonctl.sim.objects import SimObjects
from addonctl.sim.scenario import BEGINS_S, CONFIGURATION, VERSION, Mix, Scenario, drawn, told
from addonctl.sim.stage import Stage
from addonctl.sim.traffic import Tally
from addonctl.sim.weather import Call
from addonctl.worker import Worker

_LIMITS = Limits(apply_s=600, approval_s=3_600)
# When nothing disturbs the world any more it comes to rest within this time.
_REST_S = 180.0
_PEOPLE: Mapping[str, Callable[[str], Approved | Cancelled | Paused | Resumed]] = {
    "approve": Approved,
    "cancel": Cancelled,
    "pause": Paused,
    "resume": Resumed,
}
# Harm that sets in later than so long before the end of a run counts as harm to come: there was no time to notice it.
_NOTICED_S = 60.0
# Of answers that are wrong less often than this, a watch of minutes proves nothing: a gate's pass leaves room for it.
_FAINT = 0.1
# So often somebody approves, whether or not anything waits for it.
_APPROVES_S = 100.0


class End(StrEnum):
    """What became of an update, in the order of what is told of many."""

    UPDATED = "updated"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    NO_WAY_BACK = "no way back"  # of a step that said so before it began; a person must look
    STUCK = "stuck"  # a person must look
    MISSED = "harm missed"  # the new version was kept, and what is wrong with it showed before the end
    FAINT = "harm too faint"  # the same, in fewer answers than a pass rules out
    LATENT = "harm to come"  # the new version was kept, and what is wrong with it shows only later
    WRONG = "wrong"  # an invariant was violated

    @property
    def bad(self) -> bool:
        return self in (End.STUCK, End.MISSED, End.FAINT, End.LATENT, End.WRONG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One simulated update. Times in seconds of the world; `faults` struck so often, `users` is what users met.

    `old_again_s` after it had turned back, only the old version took requests; after `back_s` all was as before.
    """

    scenario: Scenario
    end: End
    phase: Phase
    why: str
    took_s: float
    back_s: float | None
    old_again_s: float | None
    users: Tally
    faults: int
    boundaries: int
    violations: tuple[Violation, ...]
    trace: str


class Died(Exception):
    """The worker's process was killed."""


class NoEnd(Exception):
    """The run goes on for longer than it may."""


# ── The run ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Drive:
    """Workers that carry the plan out, one after the other as they die, and people who ask, until the run has ended."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.world, self.scenario = stage, stage.world, stage.scenario
        self.plan, self.shelf, self.boundaries = stage.plan(), Shelf(), 0
        self.deaths: list[float] = []
        self._numbers, self._dies_at, self._hangs = itertools.count(), 0, list(self.scenario.hangs)
        self.quiet_s = schedule(stage.scene, self.scenario.faults)
        self.auditor = Auditor(stage=stage, plan=self.plan)
        self._ports = stage.ports(self)
        self._people()
        for at_s in self.scenario.rivals:
            self.world.after(at_s - self.world.seconds, self._rival)
        last_word = max((at_s for at_s, _ in self.scenario.asked), default=0.0)
        self._until_s = max(self.quiet_s, self.world.seconds, last_word) + bound_s(self.plan, _LIMITS)

    def _people(self) -> None:
        asked = list(self.scenario.asked)
        if self.scenario.approval:
            asked += [(BEGINS_S + _APPROVES_S * number, "approve") for number in range(1, 6 * self.scenario.steps)]
        for at_s, what in asked:
            self.world.after(at_s - self.world.seconds, lambda what=what: self._ask(what))  # type: ignore[misc]

    def _ask(self, what: str) -> None:
        kept = self.shelf.kept.get("run")
        if kept is None or kept.run.phase.ended:
            return
        self.auditor.asked()
        SimJournal(self.shelf, "somebody", self.stage.clock).ask("run", _PEOPLE[what]("somebody"))

    def to_the_end(self) -> Run:
        worker = self._worker()
        try:
            return worker.drive(worker.begin("run", self.plan, "somebody", limits=_LIMITS))
        except (Died, Conflict):
            return self._carried_on()
        except NoEnd:
            return self._given_up()

    def _carried_on(self) -> Run:
        """By the next worker, and the next."""
        while True:
            self.deaths.append(self.world.seconds)
            self.world.advance(HOLD_S + 1)
            try:
                return self._driven()
            except (Died, Conflict):
                continue
            except NoEnd:
                return self._given_up()

    def _driven(self) -> Run:
        worker = self._worker()
        journal = worker.journal
        assert isinstance(journal, Mortal)
        return worker.drive(self._taken(journal))

    def _worker(self) -> Worker:
        name = f"worker-{next(self._numbers)}"
        return Worker(name, Executor(self._ports), Mortal(self, name, self.stage.clock), self.stage.clock)

    def _given_up(self) -> Run:
        run = self.shelf.kept["run"].run
        self.auditor.found(f"no end: {run.phase}, waits for {run.waits_for or 'something to be seen'}")
        return run

    def _hang(self, boundaries: int) -> None:
        """The worker stands still for so long that it counts as dead: another one takes the run, and dies later."""
        self.deaths.append(self.world.seconds)
        self.world.advance(HOLD_S + 1)
        self._dies_at = self.boundaries + boundaries
        with suppress(Died, Conflict):
            self._driven()

    def _rival(self) -> None:
        """Somebody begins another run on the add-on, with a journal of its own: whoever is at work has the Lease."""
        if not self.auditor.holds_lease("run"):
            return
        objects, clock = SimObjects(self.stage.store), SimClock(self.world)
        ports = replace(self._ports, reader=objects, writer=objects, signals=_Silent(), assessor=None)
        worker = Worker("rival", Executor(ports), Second(Shelf(), "rival", clock), clock)
        try:
            self.auditor.refused(worker.drive(worker.begin("rival", self.plan, "somebody else")))
        except NoEnd:
            self.auditor.found("a second run is let at the add-on")

    def _taken(self, journal: "Mortal") -> Run:
        """The run, once its last worker counts as dead; a clock that was set back makes that late."""
        kept = self.shelf.kept["run"]
        while not kept.run.phase.ended:
            self.in_time()
            try:
                return journal.take("run") or kept.run
            except (Conflict, BadInput):
                self.world.advance(10)
        return kept.run

    def in_time(self) -> None:
        if self.world.seconds > self._until_s:
            raise NoEnd

    # ── weather.Weather, and boundaries at which a worker dies ──────────────────────────────────────────────────

    def boundary(self) -> None:
        self.boundaries += 1
        self.in_time()
        if self.boundaries in self.scenario.crashes or self.boundaries == self._dies_at:
            self.world.note(f"boundary {self.boundaries}: the worker dies")
            raise Died

    def may_hang(self) -> None:
        """Where nothing is on its way: what a worker is about to send when it stands still, nobody can call back."""
        if self._hangs and self.boundaries >= self._hangs[0][0]:
            self._hang(self._hangs.pop(0)[1])

    def before(self, call: Call) -> None:
        if call.writes:
            self.auditor.before(call)
            self.boundary()
        self.stage.storm.before(call)
        if call.writes:
            self.auditor.at_work(call)

    def after(self, call: Call) -> None:
        self.auditor.done()
        if call.writes:
            self.boundary()
            self.may_hang()
        self.stage.storm.after(call)

    def watch_lag_s(self) -> float:
        return self.stage.storm.watch_lag_s()


class Mortal(SimJournal):
    """A journal whose worker may die just before or just after a move is stored; the auditor reads along."""

    def __init__(self, drive: Drive, worker: str, clock: Clock) -> None:
        super().__init__(drive.shelf, worker, clock)
        self._drive = drive

    def begin(self, run: Run, by: str, lines: Iterable[Line]) -> None:
        told = tuple(lines)
        super().begin(run, by, told)
        self._drive.auditor.moved(run, told)

    def store(self, run: Run, lines: Iterable[Line] = (), heard: int = 0) -> None:
        told = tuple(lines)
        self._drive.boundary()
        self._drive.may_hang()
        super().store(run, told, heard)
        self._drive.auditor.moved(run, told)
        self._drive.boundary()


class Second(SimJournal):
    """Of a run that is to be refused."""

    def store(self, run: Run, lines: Iterable[Line] = (), heard: int = 0) -> None:
        if run.phase not in (Phase.PREFLIGHT, Phase.REFUSED):
            raise NoEnd
        super().store(run, lines, heard)


class _Silent:
    """ports.Signals of a run that asks nothing."""

    def counted(self, step: Step, since: datetime) -> tuple[Answered, ...]:
        return ()

    def close(self) -> None:
        """Nothing is held."""


def bound_s(plan: Plan, limits: Limits) -> float:
    """How long a run may last at most when nothing disturbs it: the sum of what its phases may."""
    once = limits.preflight_s + limits.checkpoint_s + limits.baseline_s + limits.harden_s + limits.verify_s
    once += limits.approval_s + limits.rolling_back_s
    wave = limits.apply_s * 2 + limits.hold_s
    return sum(once + len(step.waves) * (wave + step.soak_s) for step in plan.steps) + 600


def simulate(seed: int, mix: Mix | None = None) -> Outcome:
    """One update, with all that this seed draws."""
    outcome, drive = play(drawn(seed, mix or Mix()))
    drive.stage.close()
    return outcome


def play(one: Scenario) -> tuple[Outcome, Drive]:
    """The update of a scenario, carried out and judged."""
    drive = Drive(Stage(one))
    began, world, auditor = drive.world.seconds, drive.world, drive.auditor
    run = drive.to_the_end()
    took_s = world.seconds - began
    world.advance(max(drive.quiet_s - world.seconds, 0) + _REST_S)
    drive.stage.traffic.settle()
    if run.phase.ended:
        auditor.judge(run, drive.stage.traffic.users.whole.lost)
    outcome = Outcome(
        scenario=one,
        end=_end(drive, run, round((began + took_s) * 1e6)),
        phase=run.phase,
        why=type(run.why).__name__ if run.why else "",
        took_s=round(took_s, 1),
        back_s=auditor.back_s if run.phase is Phase.ROLLED_BACK else None,
        old_again_s=auditor.old_again_s if run.phase is Phase.ROLLED_BACK else None,
        users=drive.stage.traffic.users.whole,
        faults=sum(drive.stage.storm.met.values()),
        boundaries=drive.boundaries,
        violations=tuple(auditor.violations),
        trace=world.trace,
    )
    return outcome, drive


_ENDS: Mapping[Phase, End] = {
    Phase.ROLLED_BACK: End.ROLLED_BACK,
    Phase.REFUSED: End.REFUSED,
    Phase.CANCELLED: End.CANCELLED,
    Phase.STUCK: End.STUCK,
}


def _end(drive: Drive, run: Run, ended: int) -> End:
    if drive.auditor.violations:
        return End.WRONG
    if isinstance(run.why, NoWayBack):
        return End.NO_WAY_BACK
    if run.phase is not Phase.UPDATED:
        return _ENDS[run.phase]
    if not harmful(drive.scenario.does):
        return End.UPDATED
    since, harmed = drive.stage.traffic.harm_since, drive.stage.traffic.of_troubled
    if since is None or since > ended - round(_NOTICED_S * 1e6):
        return End.LATENT
    return End.FAINT if 0 < harmed.bad < _FAINT * harmed.requests else End.MISSED


def harmful(does: Behaviour) -> bool:
    """Whether a version breaks the objective of 1 %, at some time, somewhere."""
    broken = not (does.is_there and does.gets_ready) or does.crashes_after_s is not None or does.rejects
    return broken or does.wrong + does.late > 0.01 or does.loses_node_s > 0


# ── Failing runs ────────────────────────────────────────────────────────────────────────────────────────────────


def shrunk(one: Scenario, fails: Callable[[Outcome], bool]) -> Scenario:
    """The scenario without whatever its failure does not need, one part left out at a time, until none can be."""
    while True:
        for less in _without_one(one):
            if fails(play(less)[0]):
                one = less
                break
        else:
            return one


def _without_one(one: Scenario) -> Iterator[Scenario]:
    for name in ("faults", "crashes", "hangs", "rivals", "asked"):
        held = getattr(one, name)
        for place in range(len(held)):
            yield replace(one, **{name: held[:place] + held[place + 1 :]})
    if one.incident:
        yield replace(one, incident="", does=Behaviour())
    if one.owner != "EKS" and not any(FAULTS[each.fault].needs & {"helm", "gitops"} for each in one.faults):
        yield replace(one, owner="EKS")
    if one.change == CONFIGURATION:
        yield replace(one, change=VERSION)
    if one.steps > 1:
        yield replace(one, steps=1)
    if one.usual:
        yield replace(one, usual=0.0)
    if one.approval and not one.irreversible:
        yield replace(one, approval=False)


def story(one: Scenario, reason: Callable[[Why], str] = lambda why: type(why).__name__) -> Iterator[str]:
    """A run in lines: what the cluster is, what happened when, what was found wrong, how it ended and for which reason.

    `reason` says in words why a run turned back.
    """
    outcome, drive = play(one)
    yield f"seed {one.seed}: {told(one)}"
    events = [(fault.at_s, f"fault: {fault.fault}, for {fault.lasts_s:.0f} s") for fault in one.faults]
    events += [(at_s, "the worker dies") for at_s in drive.deaths]
    events += [(at_s, f"somebody asks to {what}") for at_s, what in one.asked]
    for line in drive.auditor.lines:
        detail = f": {line.detail}" if line.detail else ""
        command = f" {line.do or line.command}" if line.do or line.command else ""
        events.append(((line.at - drive.world.beginning).total_seconds(), f"{line.by} {line.what}{command}{detail}"))
    for lost in drive.stage.traffic.users.lost:
        events.append(
            (
                lost.since / 1e6,
                f"{lost.requests} requests lost, {lost.why}, for {(lost.until - lost.since) / 1e6:.1f} s",
            )
        )
    events += [(violation.at_s, f"WRONG: {violation.what}") for violation in outcome.violations]
    for at_s, what in sorted(events, key=lambda event: event[0]):
        yield f"{at_s:9.1f} s  {what}"
    why = drive.auditor.why
    yield f"{outcome.end}: {outcome.phase}" + (f", {reason(why)}" if why else "")
