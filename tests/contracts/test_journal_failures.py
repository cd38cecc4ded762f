"""What a journal does when its database fails: a clear error, no password in it, and nothing is half stored."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from addonctl.adapters import database
from addonctl.adapters import journal as journal_module
from addonctl.adapters.clock import SystemClock
from addonctl.adapters.journal import HOLD_S, SqlJournal, worker_name
from addonctl.errors import AddonctlError, BadInput, Broken, Forbidden, NotAllowed, NotReachable, TimedOut
from addonctl.model.journal import Request
from addonctl.model.run import Paused
from addonctl.sim.clock import SimClock
from addonctl.sim.world import World
from tests.contracts.postgres import PASSWORD, PostgresServer, missing
from tests.contracts.test_journal import RUN, line, moved

Open = Callable[[str], SqlJournal]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "addonctl" / "runs.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqlJournal]:
    made = SqlJournal(path, "a", SystemClock())
    yield made
    made.close()


def unchanged(journal: SqlJournal) -> None:
    """All that is there is what `moved(1)` was stored with."""
    assert (journal.load(RUN.id), journal.lines(RUN.id)) == (moved(1), (line("1"),))
    assert journal.requests(RUN.id) == (Request(1, Paused("ana")),)


def begun(journal: SqlJournal) -> None:
    journal.begin(RUN, "ana", ())
    journal.store(moved(1), (line("1"),))
    journal.ask(RUN.id, Paused("ana"))


# ── The file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_else_reads_the_file(path: Path, journal: SqlJournal) -> None:
    journal.begin(RUN, "ana", ())
    files = [each for each in path.parent.iterdir() if each.name.startswith("runs.db")]
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    SqlJournal(tmp_path / "runs.db", "a", SystemClock()).close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_what_is_stored_is_synced(journal: SqlJournal) -> None:
    with journal._database.reading() as db:
        assert db.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert db.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_stores_nothing_and_once_there_is_room_the_run_goes_on(small_disk: Path) -> None:
    with closing(SqlJournal(small_disk / "runs.db", "a", SystemClock())) as journal:
        begun(journal)
        filler = small_disk / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(bytes(1 << 20))
        large = replace(moved(2), checkpoints=("x" * 200_000,))
        with pytest.raises(NotReachable, match="no room left") as refused:
            journal.store(large, (line("2"),), heard=1)
        assert "Make room" in refused.value.fix
        unchanged(journal)
        filler.unlink()
        journal.store(large, (line("2"),), heard=1)
        assert journal.load(RUN.id) == large
        assert len(journal.lines(RUN.id)) == 2


def test_a_disk_that_became_read_only_stores_nothing(small_disk: Path) -> None:
    with closing(SqlJournal(small_disk / "runs.db", "a", SystemClock())) as journal:
        begun(journal)
        journal._database.engine.dispose()
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        with pytest.raises(NotReachable, match="cannot be"):
            journal.store(moved(2), (line("2"),), heard=1)
        with pytest.raises(NotReachable, match=r"runs\.db cannot be opened"):
            SqlJournal(small_disk / "runs.db", "b", SystemClock())
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        unchanged(journal)


def test_a_place_where_no_file_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotReachable, match=re.escape(f"{tmp_path}/file/runs.db")) as refused:
        SqlJournal(tmp_path / "file" / "runs.db", "a", SystemClock())
    assert "Name a place" in refused.value.fix


def test_a_file_that_is_locked_too_long_stores_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_LOCKED_S", 0.1)
    with closing(SqlJournal(path, "a", SystemClock())) as journal, closing(sqlite3.connect(path)) as other:
        begun(journal)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(NotReachable, match="locked by another process"):
            journal.store(moved(2), (line("2"),), heard=1)
        unchanged(journal)  # who reads does not wait
        other.rollback()
        journal.store(moved(2))


@pytest.mark.parametrize("body", [b"no database" * 1000, b"SQLite format 3\0" + b"?" * 5000])
def test_what_is_no_database_is_refused_and_left_as_it_is(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    with pytest.raises(Broken, match=re.escape(str(path))) as refused:
        SqlJournal(path, "a", SystemClock())
    assert "move it away" in refused.value.fix
    assert path.read_bytes() == body


def test_tables_of_a_newer_version_are_left_alone(path: Path, journal: SqlJournal) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE addonctl_layout SET number = number + 1")
    with pytest.raises(BadInput, match="made by a newer addonctl"):
        SqlJournal(path, "b", SystemClock())


def test_a_run_of_a_newer_version_is_listed_and_left_to_it(path: Path, journal: SqlJournal) -> None:
    begun(journal)
    journal.close()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE addonctl_runs SET schema = schema + 1")
    with closing(SqlJournal(path, "b", SystemClock())) as newcomer:
        assert newcomer.take() is None
        for method in (newcomer.take, newcomer.load):
            with pytest.raises(BadInput, match="stored by a newer addonctl"):
                method(RUN.id)
        assert [(entry.id, entry.worker) for entry in newcomer.entries()] == [(RUN.id, "")]


def test_a_damaged_run_is_named_and_nobodys(path: Path, journal: SqlJournal) -> None:
    begun(journal)
    journal.close()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE addonctl_runs SET run = substr(run, 1, 100)")
    with closing(SqlJournal(path, "b", SystemClock())) as newcomer:
        with pytest.raises(Broken, match="Run run-1 cannot be read"):
            newcomer.take()
        assert [entry.worker for entry in newcomer.entries()] == [""]


def test_a_clock_that_was_set_back_does_not_keep_a_run_from_others(path: Path) -> None:
    clock = SimClock(World(1))
    with closing(SqlJournal(path, "a", clock)) as dead, closing(SqlJournal(path, "b", clock)) as other:
        dead.begin(RUN, "ana", ())
        clock.jump(-3600)
        assert other.take() == RUN


# ── Workers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_worker_that_is_busy_keeps_its_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "HOLD_S", 0.6)
    with closing(SqlJournal(path, "a", SystemClock())) as busy, closing(SqlJournal(path, "b", SystemClock())) as other:
        busy.begin(RUN, "ana", ())
        time.sleep(1.5)
        assert other.take() is None
        busy.close()
        assert other.take() == RUN


def test_workers_that_open_a_new_file_at_once_all_store_in_it(path: Path) -> None:
    def begins(number: int) -> None:
        with closing(SqlJournal(path, f"worker-{number}", SystemClock())) as journal:
            journal.begin(replace(RUN, id=f"run-{number}"), "ana", ())
            for wave in range(5):
                journal.store(replace(moved(wave), id=f"run-{number}"), (line("x"),))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(begins, range(8)))
    with closing(SqlJournal(path, "b", SystemClock())) as journal:
        assert sorted(entry.id for entry in journal.entries()) == [f"run-{number}" for number in range(8)]
        assert all(len(journal.lines(f"run-{number}")) == 5 for number in range(8))


def test_no_two_workers_have_a_name() -> None:
    names = {worker_name() for _ in range(20)}
    assert len(names) == 20
    assert all(f"-{os.getpid()}-" in name for name in names)


# ── PostgreSQL ──────────────────────────────────────────────────────────────────────────────────────────────────────


def own_server() -> PostgresServer:
    if absent := missing():
        pytest.skip(f"a real PostgreSQL needs {absent}")
    return PostgresServer()


def test_a_server_that_stops_changes_nothing_and_is_found_again() -> None:
    with own_server() as server, closing(SqlJournal(server.new(), "a", SystemClock())) as journal:
        begun(journal)
        server.stop()
        with pytest.raises(NotReachable, match=r"postgres at 127\.0\.0\.1 ") as refused:
            journal.store(moved(2), (line("2"),), heard=1)
        assert PASSWORD not in str(refused.value)
        server.start()
        unchanged(journal)
        journal.store(moved(2), (line("2"),), heard=1)
        assert journal.load(RUN.id) == moved(2)


def _without_rights(server: PostgresServer) -> str:
    server.say("DROP ROLE IF EXISTS guest")
    server.say("CREATE ROLE guest LOGIN PASSWORD 'hunter2-guest'")
    return (
        server.new()
        .replace(f"addonctl:{PASSWORD}", "guest:hunter2-guest")
        .replace("search_path%3D", "search_path%3Dpublic%2C")
    )


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        (lambda server: server.url(password="hunter2-wrong"), NotAllowed, "rejects the user or the password"),
        (lambda server: server.url(database="nowhere"), BadInput, "does not exist"),
        (lambda server: server.url().replace(str(server.port), "1"), NotReachable, "cannot be reached"),
        (lambda server: server.url().replace("addonctl:", "nobody:"), NotAllowed, "rejects the user"),
        (
            lambda server: server.new() + "%20-cdefault_transaction_read_only%3Don",
            NotReachable,
            "is read-only",
        ),
        (_without_rights, Forbidden, "does not allow it"),
    ],
)
def test_a_server_that_refuses_is_named_and_no_password(
    postgres: PostgresServer, url: Callable[[PostgresServer], str], error: type[AddonctlError], said: str
) -> None:
    with pytest.raises(error, match=said) as refused:
        SqlJournal(url(postgres), "a", SystemClock())
    assert type(refused.value) is error
    assert "127.0.0.1" in refused.value.what
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ana:hunter2@host:port/db",
        "hunter2",
        "",
        "sqlite://",
        "sqlite:///:memory:",
        "oracle://a:hunter2@b/c",
    ],
)
def test_a_url_that_cannot_be_used_is_not_quoted(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        SqlJournal(url, "a", SystemClock())
    assert "hunter2" not in str(refused.value)
    assert "://" in refused.value.fix


def test_postgres_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(BadInput, match="needs psycopg") as refused:
        SqlJournal("postgresql://ana:hunter2@127.0.0.1/runs", "a", SystemClock())
    assert "addonctl[postgres]" in refused.value.fix


def test_a_connection_that_is_lost_while_it_commits_may_have_stored_it(postgres: PostgresServer) -> None:
    url = postgres.new()
    with closing(SqlJournal(url, "a", SystemClock())) as journal:
        begun(journal)

        @event.listens_for(journal._database.engine, "commit", once=True)
        def _(db: object) -> None:
            postgres.say(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'addonctl' AND state = 'idle in transaction'"
            )

        with pytest.raises(TimedOut, match="was lost while it stored"):
            journal.store(moved(2), (line("2"),), heard=1)
        unchanged(journal)


def test_holds_run_out_by_the_servers_clock_not_by_the_workers(postgres: PostgresServer) -> None:
    url = postgres.new()
    early, late = SimClock(World(1)), SimClock(World(1))
    late.jump(HOLD_S * 100)
    with closing(SqlJournal(url, "a", early)) as one, closing(SqlJournal(url, "b", late)) as other:
        one.begin(RUN, "ana", ())
        assert other.take() is None
        other.begin(replace(RUN, id="run-2"), "ben", ())
        assert one.take() is None
        assert [entry.alive for entry in one.entries()] == [True, True]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_workers_that_take_at_once_never_get_the_same_run(
    kind: str, path: Path, request: pytest.FixtureRequest
) -> None:
    place = path if kind == "sqlite" else request.getfixturevalue("postgres").new()
    ids = [f"run-{number:02}" for number in range(30)]
    with closing(SqlJournal(place, "a", SystemClock())) as journal:
        for id in ids:
            journal.begin(replace(RUN, id=id), "ana", ())

    def takes(number: int) -> list[str]:
        journal = journals[number]
        return [run.id for run in iter(journal.take, None)]

    with ExitStack() as open_ones, ThreadPoolExecutor(4) as threads:
        opened = (SqlJournal(place, f"worker-{number}", SystemClock()) for number in range(4))
        journals = [open_ones.enter_context(closing(journal)) for journal in opened]
        taken = list(threads.map(takes, range(4)))
    assert sorted(id for each in taken for id in each) == ids
