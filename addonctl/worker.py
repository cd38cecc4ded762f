"""Drives runs to their ends: stores each move before anything is done, and hears what people ask meanwhile.

After a crash whoever takes the run from the journal goes on with what it wanted: the stored run asks for the same
command again, and the executor reads the world before it repeats it. Called by manager.py for every face, and by the
simulator.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from addonctl.errors import Conflict
from addonctl.executor import Executor
from addonctl.hands import Superseded
from addonctl.model import GateSettings
from addonctl.model.journal import Line, What
from addonctl.model.plan import Plan
from addonctl.model.run import (
    Approved,
    Cancelled,
    Command,
    Done,
    Event,
    Failed,
    Limits,
    Looked,
    Paused,
    Resumed,
    Run,
    Tick,
)
from addonctl.orchestrator import Advance, advance, started
from addonctl.ports import Clock, Journal

Told = Callable[[Run], None]
"""Called after every move, with the run as it was stored. Must not raise."""


def silent(_run: Run) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that drives runs; `name` is told to those who ask who holds a run."""

    name: str
    executor: Executor
    journal: Journal
    clock: Clock
    told: Told = silent

    def begin(
        self, id: str, plan: Plan, by: str, settings: GateSettings | None = None, limits: Limits | None = None
    ) -> Run:
        """A new run of a plan, stored and not yet driven."""
        now = self.clock.now()
        run, wanted = started(id, plan, now, settings, limits)
        begun = Line(at=now, what=What.BEGUN, by=by, detail=plan.goal)
        self.journal.begin(run, by, (begun, *(self._wants(command, now) for command in wanted)))
        self.told(run)
        return run

    def telling(self, told: Told) -> "Worker":
        """The same, telling somebody else."""
        return replace(self, told=told)

    def drive(self, run: Run) -> Run:
        """Drives a run that this worker holds to its end. Raises Conflict when another worker has taken it."""
        if run.phase.ended:
            self.executor.end(run)  # whoever drove it may have died just before
            return run
        since, executor = self.clock.now(), self.executor.fenced(lambda: self._is_mine(run))
        run, wanted = self._moved(run, Tick())
        self.executor.hold(run)
        while not run.phase.ended:
            if not wanted:
                self.clock.sleep(run.limits.look_s)
            now = self.clock.now()
            try:
                event = executor.turn(run, wanted, since)
            except Superseded as late:
                raise Conflict(str(late)) from late
            if isinstance(event, Looked) and event.state is not None:
                since = now  # of a look that could not be made, the next one counts the time as well
            run, wanted = self._moved(run, event)
            for request in self.journal.requests(run.id):
                if run.phase.ended:  # and let go: nothing is left to be asked of
                    break
                run, wanted = self._moved(run, request.asked, request.number)
        return run

    def _is_mine(self, run: Run) -> None:
        """Asked before each write: who stood still for long may have lost the run meanwhile."""
        try:
            self.journal.store(run)
        except Conflict as taken:
            raise Superseded(taken.what) from taken

    def _moved(self, run: Run, event: Event, heard: int = 0) -> Advance:
        """The run after an event, stored before anything else is done."""
        now = self.clock.now()
        after, wanted = advance(run, event, now)
        if after.phase.ended and not run.phase.ended:
            self.journal.store(run)  # raises where another worker has taken it: what it holds is that one's now
            self.executor.end(after)
        self.journal.store(after, tuple(self._telling(run, after, event, now)), heard)
        self.told(after)
        return after, wanted

    # ── The audit record ────────────────────────────────────────────────────────────────────────────────────────

    def _wants(self, command: Command, now: datetime) -> Line:
        return Line(at=now, what=What.WANTED, by=self.name, command=command.id, do=command.do)

    def _telling(self, before: Run, after: Run, event: Event, now: datetime) -> Iterator[Line]:
        """What came of a command, what a person asked, the new phase, the next command: each told once."""
        match event:
            case Done(command):
                yield Line(at=now, what=What.DONE, by=self.name, command=command, detail=event.result)
            case Failed(command, reason, retry_after_s) if reason != before.waits_for:
                what = What.FAILED if retry_after_s is None else What.WAITS
                yield Line(at=now, what=what, by=self.name, command=command, detail=reason)
            case Approved(by) | Cancelled(by) | Paused(by) | Resumed(by):
                yield Line(at=now, what=What.ASKED, by=by, detail=type(event).__name__.lower())
        if after.phase is not before.phase:
            yield Line(at=now, what=What.PHASE, by=self.name, detail=after.phase)
        if after.todo and after.todo[:1] != before.todo[:1]:
            yield self._wants(after.todo[0], now)
