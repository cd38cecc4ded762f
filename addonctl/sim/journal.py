"""ports.Journal in memory: what survives the crash of a worker is on the `Shelf` that the workers of a world share."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from addonctl.errors import BadInput, Conflict, NotFound
from addonctl.model.journal import Asked, Line, Request, RunEntry, What
from addonctl.model.run import Run
from addonctl.ports import Clock

HOLD_S = 45


@dataclass
class _Kept:
    run: Run
    begun: RunEntry
    worker: str
    changed: datetime
    renewed: datetime
    lines: list[Line] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    asked: int = 0


@dataclass
class Shelf:
    kept: dict[str, _Kept] = field(default_factory=dict)


class SimJournal:
    def __init__(self, shelf: Shelf, worker: str, clock: Clock) -> None:
        self._shelf, self._worker, self._clock = shelf, worker, clock

    def begin(self, run: Run, by: str, lines: Iterable[Line]) -> None:
        if run.id in self._shelf.kept:
            raise Conflict(f"There is a run {run.id} already")
        now = self._clock.now()
        entry = RunEntry(
            id=run.id,
            cluster=run.plan.cluster,
            goal=run.plan.goal,
            phase=run.phase,
            begun=now,
            changed=now,
            by=by,
            worker=self._worker,
        )
        self._shelf.kept[run.id] = _Kept(run, entry, self._worker, now, now, list(lines))

    def store(self, run: Run, lines: Iterable[Line] = (), heard: int = 0) -> None:
        kept, now = self._kept(run.id), self._clock.now()
        if kept.worker != self._worker:
            raise Conflict(f"Run {run.id} is {kept.worker or 'nobody'}'s now")
        kept.run, kept.changed, kept.renewed = run, now, now
        kept.worker = "" if run.phase.ended else self._worker
        kept.lines += lines
        kept.requests = [each for each in kept.requests if each.number > heard]

    def take(self, id: str = "") -> Run | None:
        if not id:
            free = (kept for kept in self._shelf.kept.values() if not kept.run.phase.ended and not self._alive(kept))
            found = next(free, None)
            return self._taken(found) if found else None
        kept = self._kept(id)
        if kept.run.phase.ended:
            raise BadInput(f"Run {kept.run.id} has ended: {kept.run.phase}")
        if self._alive(kept) and kept.worker != self._worker:
            raise Conflict(f"{kept.worker} is at work on run {kept.run.id}")
        return self._taken(kept)

    def _taken(self, kept: _Kept) -> Run:
        died, now = kept.worker, self._clock.now()
        if died not in ("", self._worker):
            kept.lines.append(Line(at=now, what=What.TAKEN, by=self._worker, detail=f"from {died}"))
        kept.worker, kept.renewed = self._worker, now
        return kept.run

    def renew(self) -> None:
        for kept in self._shelf.kept.values():
            if kept.worker == self._worker:
                kept.renewed = self._clock.now()

    def requests(self, id: str) -> tuple[Request, ...]:
        return tuple(self._kept(id).requests)

    def ask(self, id: str, asked: Asked) -> RunEntry:
        kept = self._kept(id)
        if kept.run.phase.ended:
            raise BadInput(f"Run {kept.run.id} has ended: {kept.run.phase}")
        kept.asked += 1
        kept.requests.append(Request(kept.asked, asked))
        return self._shown(kept)

    def load(self, id: str) -> Run:
        return self._kept(id).run

    def entries(self) -> tuple[RunEntry, ...]:
        shown = [self._shown(kept) for kept in self._shelf.kept.values()]
        return tuple(sorted(shown, key=lambda entry: entry.begun, reverse=True))

    def lines(self, id: str) -> tuple[Line, ...]:
        return tuple(self._kept(id).lines)

    def close(self) -> None:
        for kept in self._shelf.kept.values():
            if kept.worker == self._worker:
                kept.worker = ""

    def _kept(self, id: str) -> _Kept:
        if id in self._shelf.kept:
            return self._shelf.kept[id]
        found = [kept for name, kept in self._shelf.kept.items() if id and name.startswith(id)]
        if len(found) > 1:
            raise BadInput(f"{len(found)} runs begin with {id}", "Give more of the id.")
        if not found:
            raise NotFound(f"There is no run {id}", "See `addonctl runs`.")
        return found[0]

    def _alive(self, kept: _Kept) -> bool:
        silent_s = (self._clock.now() - kept.renewed).total_seconds()
        # A hold of the future was made before a clock was set back.
        return bool(kept.worker) and -1 <= silent_s <= HOLD_S

    def _shown(self, kept: _Kept) -> RunEntry:
        phase, alive = kept.run.phase, self._alive(kept)
        return replace(kept.begun, phase=phase, changed=kept.changed, worker=kept.worker, alive=alive)
