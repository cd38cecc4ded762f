"""Claim: storing a move costs milliseconds, of which a run makes one every few seconds.

Each is a transaction that is on disk when the call returns: on a SQLite file, and on a PostgreSQL beside it where one
is installed.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from addonctl.adapters.clock import SystemClock
from addonctl.adapters.journal import SqlJournal
from addonctl.model.journal import Line, What
from addonctl.model.run import Phase
from bench.measure import table
from tests.builders import NOW
from tests.contracts.postgres import PostgresServer, missing
from tests.simulation.sketch import Trouble, World, carried_out, plan

MOVES = 300


def times_ms(work: Callable[[], object]) -> str:
    """The median and the 95th percentile."""
    found = []
    for _ in range(MOVES):
        start = time.perf_counter()
        work()
        found.append((time.perf_counter() - start) * 1000)
    found.sort()
    return f"{found[MOVES // 2]:.1f} / {found[MOVES * 95 // 100]:.1f}"


def measured(place: Path | str) -> tuple[str, ...]:
    """A run that was rolled back after its first wave, stored again and again with a line."""
    run = replace(carried_out(World(3, Trouble(bad_share=0.3)), plan(steps=2)), phase=Phase.SOAK)
    lines = (Line(at=NOW, what=What.DONE, by="a", command="c"),)
    with closing(SqlJournal(place, "a", SystemClock())) as journal:
        journal.begin(run, "ana", lines)
        calls: tuple[Callable[[], object], ...] = (
            partial(journal.store, run, lines),
            partial(journal.requests, run.id),
            partial(journal.load, run.id),
        )
        return tuple(times_ms(call) for call in calls)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = [("SQLite", *measured(Path(folder) / "runs.db"))]
    if not missing():
        with PostgresServer(durable=True) as server:
            rows.append(("PostgreSQL", *measured(server.new())))
    table(f"one move of a run, of {MOVES}: median / p95", [("", "store ms", "requests ms", "load ms"), *rows])


if __name__ == "__main__":
    main()
