"""The contract of ports.Journal, in memory, on a SQLite file, and on a real PostgreSQL."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from addonctl import ports
from addonctl.adapters.journal import HOLD_S, SqlJournal
from addonctl.errors import BadInput, Conflict, NotFound
from addonctl.model.journal import Asked, Line, Request, What
from addonctl.model.run import Approved, Cancelled, Paused, Phase, Resumed, Run
from addonctl.orchestrator import started
from addonctl.sim.clock import SimClock
from addonctl.sim.journal import Shelf, SimJournal
from addonctl.sim.world import World
from tests.builders import NOW
from tests.contracts.postgres import PostgresServer
from tests.simulation import sketch


@dataclass
class Side:
    """Workers' journals in one place, and the time by which their holds run out."""

    open: Callable[[str], ports.Journal]
    passes: Callable[[float], None]
    journals: dict[str, ports.Journal] = field(default_factory=dict)

    def __getitem__(self, worker: str) -> ports.Journal:
        if worker not in self.journals:
            self.journals[worker] = self.open(worker)
        return self.journals[worker]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    world = World(1)
    clock = SimClock(world)
    if request.param == "memory":
        shelf = Shelf()
        made = Side(lambda worker: SimJournal(shelf, worker, clock), world.advance)
    elif request.param == "sqlite":
        path = tmp_path / "state" / "runs.db"
        made = Side(lambda worker: SqlJournal(path, worker, clock), world.advance)
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new()

        def passes(seconds: float) -> None:  # its own clock cannot be turned
            world.advance(seconds)
            server.say(f"UPDATE addonctl_runs SET held_until = held_until - {seconds}", url)

        made = Side(lambda worker: SqlJournal(url, worker, clock), passes)
    yield made
    for journal in made.journals.values():
        journal.close()


RUN = started("run-1", sketch.plan(steps=2), NOW)[0]
ENDED = replace(RUN, phase=Phase.UPDATED)


def line(detail: str, **more: Any) -> Line:
    return Line(at=NOW + timedelta(seconds=1), what=What.DONE, by="a", detail=detail, **more)


def moved(number: int) -> Run:
    return replace(RUN, phase=Phase.SOAK, wave=number)


# ── Beginning and storing ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_is_kept_as_it_was_begun_and_as_it_was_stored_last(side: Side) -> None:
    side["a"].begin(RUN, "ana", (line("1"), line("2", command="c", do="change")))
    assert side["b"].load(RUN.id) == RUN
    side["a"].store(moved(1), (line("3"),))
    side["a"].store(moved(2))
    assert side["b"].load(RUN.id) == moved(2)
    assert side["b"].lines(RUN.id) == (line("1"), line("2", command="c", do="change"), line("3"))


def test_there_is_one_run_of_an_id(side: Side) -> None:
    side["a"].begin(RUN, "ana", (line("1"),))
    for worker in ("a", "b"):
        with pytest.raises(Conflict, match="run-1"):
            side[worker].begin(moved(1), "ben", (line("2"),))
    assert (side["a"].load(RUN.id), side["a"].lines(RUN.id)) == (RUN, (line("1"),))


def test_only_who_holds_a_run_stores_it_and_nothing_is_changed_by_others(side: Side) -> None:
    side["a"].begin(RUN, "ana", ())
    side["b"].ask(RUN.id, Paused("ben"))
    with pytest.raises(Conflict, match="a's"):
        side["b"].store(moved(1), (line("1"),), heard=1)
    assert (side["a"].load(RUN.id), side["a"].lines(RUN.id)) == (RUN, ())
    assert side["a"].requests(RUN.id) == (Request(1, Paused("ben")),)


def test_a_run_that_was_never_begun_cannot_be_stored(side: Side) -> None:
    with pytest.raises(NotFound):
        side["a"].store(RUN)


def test_a_worker_whose_run_was_taken_stores_nothing_more(side: Side) -> None:
    side["a"].begin(RUN, "ana", ())
    side.passes(HOLD_S + 2)
    assert side["b"].take() == RUN
    with pytest.raises(Conflict, match="b's"):
        side["a"].store(moved(1))
    side["b"].store(moved(2))
    assert side["a"].load(RUN.id) == moved(2)


def test_a_run_that_has_ended_is_let_go(side: Side) -> None:
    side["a"].begin(RUN, "ana", ())
    side["a"].store(ENDED)
    (entry,) = side["a"].entries()
    assert (entry.phase, entry.worker, entry.alive) == (Phase.UPDATED, "", False)
    with pytest.raises(Conflict, match="nobody's"):
        side["a"].store(moved(1))


# ── Taking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_living_workers_run_is_not_taken(side: Side) -> None:
    side["a"].begin(RUN, "ana", ())
    assert side["b"].take() is None
    with pytest.raises(Conflict, match="a is at work"):
        side["b"].take(RUN.id)
    side.passes(HOLD_S - 5)
    assert side["b"].take() is None


@pytest.mark.parametrize("id", ["", "run-1", "run"])
def test_a_dead_workers_run_is_taken_and_the_record_says_so(side: Side, id: str) -> None:
    side["a"].begin(RUN, "ana", (line("1"),))
    side["a"].store(moved(3))
    side.passes(HOLD_S + 2)
    assert side["b"].take(id) == moved(3)
    taken = side["b"].lines(RUN.id)[-1]
    assert (taken.what, taken.by, taken.detail) == (What.TAKEN, "b", "from a")
    assert side["c"].take() is None
    assert [(entry.worker, entry.alive) for entry in side["c"].entries()] == [("b", True)]


@pytest.mark.parametrize("renewing", ["renew", "store"])
def test_a_hold_is_renewed(side: Side, renewing: str) -> None:
    side["a"].begin(RUN, "ana", ())
    for _ in range(3):
        side.passes(HOLD_S - 15)
        side["a"].renew() if renewing == "renew" else side["a"].store(RUN)
    assert side["b"].take() is None
    side["b"].renew()  # only its own
    side.passes(HOLD_S + 2)
    assert side["b"].take() == RUN


def test_a_worker_takes_what_it_holds_already(side: Side) -> None:
    side["a"].begin(RUN, "ana", ())
    assert side["a"].take(RUN.id) == RUN
    assert side["a"].lines(RUN.id) == ()
    assert side["a"].take() is None  # it is held, by one who lives


def test_what_has_ended_is_not_taken(side: Side) -> None:
    side["a"].begin(RUN, "ana", ())
    side["a"].store(ENDED)
    side.passes(HOLD_S + 2)
    assert side["b"].take() is None
    with pytest.raises(BadInput, match="has ended: updated"):
        side["b"].take(RUN.id)


def test_what_is_not_there_is_not_taken(side: Side) -> None:
    assert side["a"].take() is None
    with pytest.raises(NotFound):
        side["a"].take("run-9")


def test_a_worker_that_closes_lets_its_runs_go_at_once(side: Side) -> None:
    side["a"].begin(RUN, "ana", ())
    side["b"].begin(replace(RUN, id="other"), "ben", ())
    side["a"].close()
    side["a"].close()
    assert side["c"].take() == RUN
    assert side["c"].take() is None
    assert side["c"].lines(RUN.id) == ()  # nobody died


def test_many_workers_share_runs_and_each_gets_its_own(side: Side) -> None:
    for number in range(6):
        side["a"].begin(replace(RUN, id=f"run-{number}"), "ana", ())
    side["a"].close()
    taken = [side[worker].take() for worker in "bcdbcdb"]
    assert sorted(run.id for run in taken if run) == [f"run-{number}" for number in range(6)]
    assert taken[-1] is None


# ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_asked_is_heard_in_order_and_then_forgotten(side: Side) -> None:
    side["a"].begin(RUN, "ana", ())
    asked: tuple[Asked, ...] = (Paused("ana"), Resumed("ben"), Approved("cleo"), Cancelled("dan"))
    for each in asked:
        side["b"].ask(RUN.id, each)
    assert side["a"].requests(RUN.id) == tuple(Request(number, each) for number, each in enumerate(asked, 1))
    side["a"].store(moved(1), heard=2)
    assert [each.number for each in side["a"].requests(RUN.id)] == [3, 4]
    side["a"].store(moved(2))
    assert [each.number for each in side["a"].requests(RUN.id)] == [3, 4]
    side["a"].store(moved(3), heard=4)
    side["b"].ask(RUN.id, Paused("ana"))
    assert side["a"].requests(RUN.id) == (Request(5, Paused("ana")),)


def test_who_asks_is_told_who_holds_the_run(side: Side) -> None:
    side["a"].begin(RUN, "ana", ())
    entry = side["b"].ask("run", Paused("ben"))
    assert (entry.id, entry.worker, entry.alive, entry.by) == (RUN.id, "a", True, "ana")
    side.passes(HOLD_S + 2)
    assert not side["b"].ask(RUN.id, Resumed("ben")).alive


def test_requests_outlive_the_worker(side: Side) -> None:
    side["a"].begin(RUN, "ana", ())
    side["b"].ask(RUN.id, Cancelled("ben"))
    side.passes(HOLD_S + 2)
    side["c"].take()
    assert side["c"].requests(RUN.id) == (Request(1, Cancelled("ben")),)


def test_a_run_that_has_ended_is_asked_nothing(side: Side) -> None:
    side["a"].begin(RUN, "ana", ())
    side["a"].store(ENDED)
    with pytest.raises(BadInput, match="has ended: updated"):
        side["b"].ask(RUN.id, Cancelled("ben"))
    assert side["b"].requests(RUN.id) == ()


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_id_may_be_shortened_while_one_run_has_it(side: Side) -> None:
    for id in ("run-1", "run-12", "%"):
        side["a"].begin(replace(RUN, id=id), "ana", (line(id),))
    assert side["a"].load("run-12").id == "run-12"
    assert side["a"].load("run-1").id == "run-1"  # exactly that one
    assert side["a"].load("%").id == "%"
    with pytest.raises(BadInput, match="2 runs begin with run"):
        side["a"].load("run")
    for id in ("", "RUN-1", "r%", "_", "run-123"):
        with pytest.raises(NotFound):
            side["a"].load(id)
    assert side["a"].lines("run-12") == (line("run-12"),)


@pytest.mark.parametrize("method", ["load", "lines", "requests"])
def test_what_is_not_there_cannot_be_read(side: Side, method: str) -> None:
    with pytest.raises(NotFound, match="run-9"):
        getattr(side["a"], method)("run-9")
    with pytest.raises(NotFound, match="run-9"):
        side["a"].ask("run-9", Paused("ana"))


def test_runs_are_listed_newest_first(side: Side) -> None:
    assert side["a"].entries() == ()
    for number in range(3):
        side["a"].begin(replace(RUN, id=f"run-{number}"), "ana", ())
        side.passes(1)
    side["a"].store(moved(1))
    first, second, third = side["b"].entries()
    assert [first.id, second.id, third.id] == ["run-2", "run-1", "run-0"]
    assert (second.cluster, second.goal, second.by) == ("prod-eu-1", "newer", "ana")
    assert (second.phase, second.worker, second.alive) == (Phase.SOAK, "a", True)
    assert (second.changed - second.begun, third.changed - third.begun) == (timedelta(seconds=2), timedelta(0))
    assert second.begun.utcoffset() == timedelta(0)
