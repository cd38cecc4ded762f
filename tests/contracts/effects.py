"""A world of effects that outlives the processes which cause them, and workers that are killed between two of them.

It is a folder: a line for every command that took effect, and the time. A command that is asked for again under the
same id has no second effect, as with an owner that is given a token; under another id it has. What is under test is the
journal and the worker, not how a cluster is changed.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import cast

from addonctl.adapters import codec
from addonctl.adapters.clock import SystemClock
from addonctl.adapters.journal import SqlJournal
from addonctl.executor import Executor
from addonctl.model import Counts, Sample
from addonctl.model.journal import Line
from addonctl.model.plan import Plan
from addonctl.model.run import Command, Do, Done, Event, Limits, Looked, Run, StepState
from addonctl.orchestrator import started
from addonctl.ports import Clock
from addonctl.worker import Worker
from tests.builders import NOW
from tests.simulation.sketch import plan

WAVES, EACH = 3, 2
LIMITS = Limits(baseline_s=1, look_s=1)
Boundary = Callable[[], None]
_REQUESTS = 500  # a look


def plan_of(waves: int = WAVES, soak_s: int = 1) -> Plan:
    """One step, of which the last wave turns out bad."""
    made = plan(waves=waves)
    return replace(made, steps=tuple(replace(step, soak_s=soak_s) for step in made.steps))


@dataclass(frozen=True)
class Effect:
    command: str
    do: Do
    wave: int


class Folder:
    """Where the effects and the time are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(exist_ok=True)

    def effects(self, run: str = "run") -> tuple[Effect, ...]:
        path = self.path / f"{run}.effects"
        lines = path.read_text().splitlines() if path.exists() else []
        parts = [line.split() for line in lines]
        return tuple(Effect(command, Do(do), int(wave)) for command, do, wave in parts)

    def add(self, run: str, command: Command) -> None:
        descriptor = os.open(self.path / f"{run}.effects", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(descriptor, f"{command.id} {command.do} {command.wave}\n".encode())
        os.close(descriptor)

    # ── ports.Clock ─────────────────────────────────────────────────────────────────────────────────────────────

    def now(self) -> datetime:
        path = self.path / "time"
        return NOW + timedelta(seconds=float(path.read_text()) if path.exists() else 0.0)

    def sleep(self, seconds: float) -> None:
        later = self.path / f"time.{os.getpid()}"
        later.write_text(str((self.now() - NOW).total_seconds() + seconds))
        later.rename(self.path / "time")


class Effects:
    """Stands for an Executor: what is done has its effect in the folder."""

    def __init__(self, folder: Folder, clock: Clock, boundary: Boundary) -> None:
        self._folder, self._clock, self._boundary = folder, clock, boundary
        self._check: Boundary = lambda: None

    def fenced(self, check: Boundary) -> "Effects":
        made = Effects(self._folder, self._clock, self._boundary)
        made._check = check
        return made

    def hold(self, run: Run) -> None:
        """It has no Lease."""

    def turn(self, run: Run, wanted: Sequence[Command], since: datetime) -> Event:
        return self._do(run, wanted[0]) if wanted else self._look(run)

    def end(self, run: Run) -> None:
        """Nothing is held."""

    def _do(self, run: Run, command: Command) -> Event:
        self._boundary()
        self._check()
        if command.id not in {each.command for each in self._folder.effects(run.id)}:
            self._folder.add(run.id, command)
        self._boundary()
        return Done(command.id, "checkpoint-1" if command.do is Do.CHECKPOINT else "")

    def _look(self, run: Run) -> Looked:
        effects = self._folder.effects(run.id)
        did = {each.do for each in effects}
        back = bool(did & {Do.REVERT_WORKLOADS, Do.REVERT_OWNER})
        released = 0 if back else sum(each.do is Do.RELEASE for each in effects)
        updated, of = released * EACH, len(run.at_work_on.waves) * EACH
        state = StepState(of=of, updated=updated, ready=of, updated_ready=updated, restored=Do.REVERT_OWNER in did)
        bad = _REQUESTS // 2 if released == len(run.at_work_on.waves) else 0
        new, old = Counts(_REQUESTS if updated else 0, bad), Counts(_REQUESTS if updated < of else 0)
        return Looked(state=state, samples=(Sample(sli="dns", at=self._clock.now(), updated=new, control=old),))


class Mortal(SqlJournal):
    """A journal with a boundary before and after all that it stores."""

    boundary: Boundary

    def begin(self, run: Run, by: str, lines: Iterable[Line]) -> None:
        self.boundary()
        super().begin(run, by, lines)
        self.boundary()

    def store(self, run: Run, lines: Iterable[Line] = (), heard: int = 0) -> None:
        self.boundary()
        super().store(run, lines, heard)
        self.boundary()


class Boundaries:
    """Counts them; at number `dies_at` the process is killed."""

    def __init__(self, dies_at: int) -> None:
        self.passed, self._dies_at = 0, dies_at

    def __call__(self) -> None:
        if self.passed == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1


# ── Processes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def drives(place: Path | str, folder: Path, name: str, dies_at: int) -> None:
    """Drives the one run to its end, begins it where nobody has; how many boundaries it passed is in a file."""
    world, boundary = Folder(folder), Boundaries(dies_at)
    journal = Mortal(place, name, world)
    journal.boundary = boundary
    worker = Worker(name, cast(Executor, Effects(world, world, boundary)), journal, world)
    if not journal.entries():
        worker.begin("run", plan_of(), "ana", limits=LIMITS)
    if not journal.load("run").phase.ended:
        worker.drive(journal.take("run") or journal.load("run"))
    journal.close()
    (folder / "passed").write_text(str(boundary.passed))


def takes_what_is_free(url: str, folder: Path, name: str, at_once: int, all_ready: Barrier) -> None:
    """Takes and drives so many runs at once, until all have ended; by the real clock."""
    world, clock = Folder(folder), SystemClock()
    journal = SqlJournal(url, name, clock)
    worker = Worker(name, cast(Executor, Effects(world, clock, lambda: None)), journal, clock)

    def drive() -> None:
        while not all(entry.phase.ended for entry in journal.entries()):
            run = journal.take()
            worker.drive(run) if run else time.sleep(1)

    all_ready.wait(60)
    threads = [threading.Thread(target=drive) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()


_RUN = started("run", plan_of(), NOW)[0]
codec.run("run", codec.encoded(_RUN), codec.RUN_SCHEMA)  # made once, for all processes that fork from here
