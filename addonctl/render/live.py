"""Runs for people: followed while they move, and told when they have ended. On a terminal a few lines that change."""

import sys
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from addonctl.model import Counts, Watched
from addonctl.model.checkpoint import CheckpointEntry
from addonctl.model.journal import Line, RunEntry, What
from addonctl.model.run import Phase, Run
from addonctl.render.escaping import plain
from addonctl.render.runs import DOES, entry_text, lost, moves, position, state_text, why_text
from addonctl.render.screen import BAD, CALM, FAIR, GOOD, QUIET, print_line, say, table, title
from addonctl.render.tables import Cell, Column, Fit

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_BARS = "▁▂▃▄▅▆▇█"
_LOOKS = 40
_ENDS = {
    Phase.UPDATED: GOOD,
    Phase.ROLLED_BACK: FAIR,
    Phase.REFUSED: FAIR,
    Phase.CANCELLED: FAIR,
    Phase.STUCK: BAD,
}


# ── While it moves ──────────────────────────────────────────────────────────────────────────────────────────────


class Follower:
    """Shows a run while it moves, on stderr: each phase as a line, and on a terminal how far the present one is."""

    def __init__(self) -> None:
        self._told = 0
        self._rates: dict[str, deque[float | None]] = {}
        self._before: dict[str, Counts] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True, highlight=False, markup=False, emoji=False), transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, run: Run) -> None:
        """The run has moved."""
        for entry in run.timeline[self._told :]:
            self._say(f"{entry.at:%H:%M:%S}  {entry_text(entry, run)}")
        self._told = len(run.timeline)
        if self._live is not None:
            self._remember(run)
            self._live.update(self._now(run))

    def _say(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(plain(text))
        else:
            print(plain(text), file=sys.stderr, flush=True)

    def _remember(self, run: Run) -> None:
        """The share of failures of each SLI since the move before."""
        for watched in run.gate.watched if run.gate else ():
            before, now = self._before.get(watched.sli, Counts()), watched.updated
            self._before[watched.sli] = now
            if now != before:
                new = Counts(max(now.requests - before.requests, 0), max(now.failed - before.failed, 0))
                self._rates.setdefault(watched.sli, deque(maxlen=_LOOKS)).append(new.rate)

    def _now(self, run: Run) -> "RenderableType":
        from rich.text import Text

        step = run.at_work_on
        shown = Text()
        shown.append(f"{step.installation}  {moves(step)}\n", "bold")
        shown.append(f"  {position(run)}{' (paused)' if run.paused else ''}\n", _ENDS.get(run.phase, CALM))
        if run.state is not None and run.state.of:
            shown.append(f"  {self._instances(run)}  {state_text(run.state)}\n")
        for watched in run.gate.watched if run.gate else ():
            shown.append(self._sli(watched))
        if run.waits_for:
            shown.append(f"  waits: {plain(run.waits_for)}\n", QUIET)
        return shown

    @staticmethod
    def _instances(run: Run) -> str:
        assert run.state is not None
        ready, updated = run.state.updated_ready, run.state.updated
        return "●" * ready + "◐" * (updated - ready) + "○" * max(run.state.of - updated, 0)

    def _sli(self, watched: Watched) -> str:
        rates = self._rates.get(watched.sli, ())
        line = "".join("·" if rate is None else _BARS[min(int(rate * len(_BARS)), len(_BARS) - 1)] for rate in rates)
        return f"  {watched.sli:<10} {line or '·'}  {watched.updated.failed:,} of {watched.updated.requests:,} failed\n"


# ── Afterwards ──────────────────────────────────────────────────────────────────────────────────────────────────


def outcome(run: Run) -> None:
    """What a run did, in a few lines; how to look closer, and how to go back."""
    seconds = round((run.timeline[-1].at - run.begun).total_seconds())
    style = _ENDS.get(run.phase, "bold")
    for number, step in enumerate(run.plan.steps):
        done = "" if number < run.step else f": {position(run) if number == run.step else 'not begun'}"
        say(f"{step.installation}  {moves(step)}{done}", style)
    if run.why is not None:
        say(f"{why_text(run.why)}", indent="  ")
    took = f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"
    say(f"{took}; {'; '.join(lost(run.served)) or 'no requests were counted'}", QUIET, "  ")
    say(f"All of it: addonctl runs {run.id}", QUIET, "  ")
    if run.phase is Phase.UPDATED:
        say(f"Back: addonctl rollback {run.id}", QUIET, "  ")


def runs(entries: Iterable[RunEntry], *, headers: bool = True) -> None:
    """The table of `addonctl runs`."""
    columns = (
        Column("RUN"),
        Column("CLUSTER", Fit.CUT, drop=1),
        Column("GOAL", Fit.CUT),
        Column("PHASE"),
        Column("BEGUN"),
        Column("BY", Fit.CUT, drop=3),
        Column("WORKER", Fit.CUT, drop=2),
    )
    rows = [
        (
            each.id,
            each.cluster,
            each.goal,
            Cell(each.phase.value, _ENDS.get(each.phase, CALM)),
            f"{each.begun:%Y-%m-%d %H:%M}",
            each.by,
            "" if each.phase.ended else each.worker if each.alive else "none: resume it",
        )
        for each in entries
    ]
    if rows:
        table(columns, rows, headers=headers)
    elif headers:
        say("No runs yet. `addonctl update ADDON --to VERSION` begins one.")


def run_details(run: Run, lines: Iterable[Line]) -> None:
    """`addonctl runs RUN`: what came of it, its timeline, and the audit record."""
    say(f"{run.id}  ·  {run.plan.cluster}  ·  {run.plan.goal}", "bold")
    outcome(run)
    if run.checkpoints:
        say(
            f"Checkpoints: {', '.join(id[:12] for id in run.checkpoints)}",
            indent="  ",
        )
    title("TIMELINE")
    for entry in run.timeline:
        say(entry_text(entry, run), first=f"{entry.at:%H:%M:%S}  ")
    title("AUDIT")
    commands: dict[str, str] = {}
    for line in lines:
        if line.what is What.WANTED:
            commands[line.command] = line.do
        say(_audited(line, commands), QUIET, first=f"{line.at:%H:%M:%S}  ")


def _audited(line: Line, commands: dict[str, str]) -> str:
    what = DOES.get(line.do or commands.get(line.command, ""), "")
    told = ": ".join(filter(None, (what, line.detail)))
    return "  ".join(filter(None, (line.by, line.what.value, line.command, told)))


def checkpoints(entries: Iterable[CheckpointEntry], *, headers: bool = True) -> None:
    """The table of `addonctl checkpoint list`."""
    columns = (
        Column("CHECKPOINT"),
        Column("CLUSTER", Fit.CUT, drop=1),
        Column("ADD-ON", Fit.CUT),
        Column("VERSION"),
        Column("OWNER"),
        Column("TAKEN"),
        Column("OBJECTS", drop=2),
        Column("KEY", drop=3),
    )
    rows = [
        (
            each.id[:12],
            each.cluster,
            each.installation,
            each.version or "unknown",
            each.owner,
            f"{each.taken:%Y-%m-%d %H:%M}",
            str(each.objects),
            each.key or "none",
        )
        for each in entries
    ]
    if rows:
        table(columns, rows, headers=headers)
    elif headers:
        print_line(Cell("No checkpoints yet."))
