"""Workers that are killed with SIGKILL: another process goes on, and no command takes effect twice or never."""

import itertools
import multiprocessing
import signal
import time
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters.clock import SystemClock
from addonctl.adapters.journal import HOLD_S, SqlJournal
from addonctl.model.journal import What
from addonctl.model.run import Do, Phase
from addonctl.orchestrator import started
from tests.contracts import effects
from tests.contracts.effects import Effect, Folder
from tests.contracts.postgres import PostgresServer

NEVER = -1
_PARTS = 4
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.contracts.effects"])
WHOLE = [
    *[(Do.CHECK, 0), (Do.CHECKPOINT, 0), (Do.HARDEN, 0), (Do.CHANGE, 0)],
    *[(Do.RELEASE, wave) for wave in range(effects.WAVES)],
    *[(Do.REVERT_WORKLOADS, 2), (Do.REVERT_OWNER, 2), (Do.RELAX, 2), (Do.COMPARE, 2)],
]


def process(target: Any, *arguments: Any) -> BaseProcess:
    made = _FORKS.Process(target=target, args=arguments, daemon=True)
    made.start()
    return made


def driven(place: Path | str, folder: Path, name: str, dies_at: int = NEVER) -> bool:
    """Whether a process of that name drove the run to its end; otherwise it was killed."""
    child = process(effects.drives, place, folder, name, dies_at)
    child.join(60)
    assert child.exitcode in (0, -signal.SIGKILL), child.exitcode
    return child.exitcode == 0


def commands(place: Path | str, folder: Path, what: What) -> list[str]:
    """Of the audit record, each once."""
    with closing(SqlJournal(place, "reader", Folder(folder))) as journal:
        lines = journal.lines("run") if journal.entries() else ()
    return list(dict.fromkeys(line.command for line in lines if line.what is what))


def audit_killed(place: Path | str, folder: Path) -> None:
    """Nothing took effect that was not stored as wanted before, and all but the last is stored as done."""
    did = [effect.command for effect in Folder(folder).effects()]
    wanted, done = (commands(place, folder, what) for what in (What.WANTED, What.DONE))
    assert wanted[: len(did)] == did
    assert done == did[: len(done)]
    assert len(did) - len(done) <= 1


def audit_ended(place: Path | str, folder: Path) -> None:
    did: tuple[Effect, ...] = Folder(folder).effects()
    assert [(effect.do, effect.wave) for effect in did] == WHOLE
    assert commands(place, folder, What.DONE) == [effect.command for effect in did]
    with closing(SqlJournal(place, "reader", Folder(folder))) as journal:
        assert journal.load("run").phase is Phase.ROLLED_BACK


def resumed(place: Path | str, folder: Path) -> None:
    """Another process goes on, once the killed one's hold has run out."""
    Folder(folder).sleep(HOLD_S + 2)
    assert driven(place, folder, "second")
    audit_ended(place, folder)


def boundaries(folder: Path) -> int:
    """How many there are in a run that nobody disturbs."""
    assert driven(folder / "runs.db", folder, "first")
    audit_ended(folder / "runs.db", folder)
    return int((folder / "passed").read_text())


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.prove) for part in range(1, _PARTS))])
def test_killed_at_any_boundary_another_process_ends_the_run(tmp_path: Path, part: int) -> None:
    """Three waves, of which the last is bad: before and after each store, before and after each effect."""
    count = boundaries(tmp_path)
    print(f"{count} boundaries")
    assert count > 4 * len(WHOLE)
    for number in range(part, count, _PARTS):
        folder = tmp_path / str(number)
        assert not driven(folder / "runs.db", folder, "first", number), number
        audit_killed(folder / "runs.db", folder)
        resumed(folder / "runs.db", folder)


@pytest.mark.parametrize("every", [9, *(pytest.param(every, marks=pytest.mark.prove) for every in (8, 10, 13))])
def test_killed_again_and_again_it_still_ends(tmp_path: Path, every: int) -> None:
    place = tmp_path / "runs.db"
    for number in itertools.count():
        if driven(place, tmp_path, f"worker-{number}", every):
            break
        audit_killed(place, tmp_path)
        Folder(tmp_path).sleep(HOLD_S + 2)
        assert number < 300
    audit_ended(place, tmp_path)


@pytest.mark.xdist_group("PostgreSQL")
def test_on_postgres_too(postgres: PostgresServer, tmp_path: Path) -> None:
    for number in range(0, boundaries(tmp_path), 9):
        folder, url = tmp_path / str(number), postgres.new()
        assert not driven(url, folder, "first", number)
        audit_killed(url, folder)
        postgres.say(f"UPDATE addonctl_runs SET held_until = held_until - {HOLD_S + 1}", url)
        resumed(url, folder)


@pytest.mark.xdist_group("PostgreSQL")
def test_of_three_workers_one_is_killed_and_the_others_end_its_runs_within_a_minute(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url, runs = postgres.new(), [f"run-{number:02}" for number in range(12)]
    with closing(SqlJournal(url, "somebody", SystemClock())) as journal:
        for id in runs:
            run = started(id, effects.plan_of(), SystemClock().now(), limits=effects.LIMITS)[0]
            journal.begin(run, "ana", ())
        journal.close()  # they are free
        ready = _FORKS.Barrier(3)
        workers = {name: process(effects.takes_what_is_free, url, tmp_path, name, 4, ready) for name in "abc"}
        while not all(len(Folder(tmp_path).effects(id)) > WHOLE.index((Do.RELEASE, 0)) for id in runs):
            time.sleep(0.05)
        its = {entry.id for entry in journal.entries() if entry.worker == "a"}
        assert its
        workers["a"].kill()
        killed = time.monotonic()
        while not all(entry.phase.ended for entry in journal.entries()):
            assert time.monotonic() - killed < 60
            time.sleep(0.2)
        print(
            f"{len(its)} runs of a worker that was killed were ended by others {time.monotonic() - killed:.1f} s later"
        )
        for name in "bc":
            workers[name].join(30)
            assert workers[name].exitcode == 0
        for id in runs:
            assert journal.load(id).phase is Phase.ROLLED_BACK
            assert [(effect.do, effect.wave) for effect in Folder(tmp_path).effects(id)] == WHOLE
            taken = [line for line in journal.lines(id) if line.what is What.TAKEN]
            assert [line.detail for line in taken] == (["from a"] if id in its else [])
