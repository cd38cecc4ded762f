"""The journal of runs in a database: one SQLite file, or PostgreSQL. See ports.Journal.

Every run is a row with its JSON, the name of the worker that holds it, and the second until which it does. A worker
stores only where its name still stands, so one that was taken for dead changes nothing any more. On PostgreSQL the
seconds are the server's, since the clocks of workers may differ; a SQLite file is used on one machine.
"""

import os
import secrets
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from addonctl.adapters import codec
from addonctl.adapters.database import Database, Instant
from addonctl.errors import AddonctlError, BadInput, Conflict, NotFound
from addonctl.model.journal import Asked, Line, Request, RunEntry, What
from addonctl.model.run import Phase, Run
from addonctl.ports import Clock

HOLD_S = 45.0
"""A worker that has not renewed its holds for so long has died."""
LAYOUT = 1
"""Of the tables; raised when an older addonctl would misread or damage them."""
_ENDED = tuple(phase.value for phase in Phase if phase.ended)


_TABLES = sql.MetaData()
_RUNS = sql.Table(
    "addonctl_runs",
    _TABLES,
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("cluster", sql.Text, nullable=False),
    sql.Column("goal", sql.Text, nullable=False),
    sql.Column("phase", sql.Text, nullable=False),
    sql.Column("begun", Instant, nullable=False),
    sql.Column("changed", Instant, nullable=False),
    sql.Column("by", sql.Text, nullable=False),
    sql.Column("worker", sql.Text, nullable=False),  # empty: nobody
    sql.Column("held_until", sql.Double, nullable=False),  # seconds since 1970
    sql.Column("asked", sql.Integer, nullable=False),  # the number of the last request
    sql.Column("schema", sql.Integer, nullable=False),
    sql.Column("run", sql.Text, nullable=False),
)
_REQUESTS = sql.Table(
    "addonctl_requests",
    _TABLES,
    sql.Column("run", sql.Text, primary_key=True),
    sql.Column("number", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("asked", sql.Text, nullable=False),
)
_LINES = sql.Table(
    "addonctl_lines",
    _TABLES,
    sql.Column("number", sql.Integer, primary_key=True),
    sql.Column("run", sql.Text, nullable=False, index=True),
    sql.Column("at", Instant, nullable=False),
    sql.Column("what", sql.Text, nullable=False),
    sql.Column("by", sql.Text, nullable=False),
    sql.Column("command", sql.Text, nullable=False),
    sql.Column("do", sql.Text, nullable=False),
    sql.Column("detail", sql.Text, nullable=False),
)
_ENTRY = ("id", "cluster", "goal", "phase", "begun", "changed", "by", "worker")
_LINE = tuple(one.name for one in fields(Line))
_Row = Any  # its type is written differently for SQLAlchemy 2.0 and 2.1


def worker_name() -> str:
    """A name for this process that no other has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


class SqlJournal:
    """A journal at `place`, a SQLite file or the URL of a database, for the worker of that name.

    While it holds runs, a thread of its own renews them, so that a call that takes minutes loses none. Raises BadInput
    for a URL that cannot be used or tables of a newer addonctl, and whatever a database may answer.
    """

    def __init__(self, place: Path | str, worker: str, clock: Clock) -> None:
        self._worker, self._clock = worker, clock
        self._database = Database(place, _TABLES, "addonctl_layout", LAYOUT)
        self._renewing: threading.Thread | None = None
        self._closed = threading.Event()

    # ── For the worker ──────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, run: Run, by: str, lines: Iterable[Line]) -> None:
        now = self._clock.now()
        row = {"id": run.id, "cluster": run.plan.cluster, "goal": run.plan.goal, "begun": now, "by": by, "asked": 0}
        with self._database.writing() as db:
            try:
                db.execute(_RUNS.insert().values(**row, worker=self._worker, **self._standing(run)))
            except IntegrityError as error:
                raise Conflict(f"There is a run {run.id} already") from error
            _write(db, run.id, lines)
        self._keep_renewing()

    def store(self, run: Run, lines: Iterable[Line] = (), heard: int = 0) -> None:
        worker = "" if run.phase.ended else self._worker
        mine = (_RUNS.c.id == run.id) & (_RUNS.c.worker == self._worker)
        with self._database.writing() as db:
            if not db.execute(_RUNS.update().where(mine).values(worker=worker, **self._standing(run))).rowcount:
                holder = self._found(db, run.id).worker
                raise Conflict(f"Run {run.id} is {holder or 'nobody'}'s now")
            _write(db, run.id, lines)
            if heard:
                db.execute(_REQUESTS.delete().where(_REQUESTS.c.run == run.id, _REQUESTS.c.number <= heard))

    def take(self, id: str = "") -> Run | None:
        with self._database.writing() as db:
            row = self._takeable(db, id) if id else self._free(db)
            if row is None:
                return None
            taken = codec.run(row.id, row.run, row.schema)
            held = {"worker": self._worker, "held_until": self._held_until()}
            db.execute(_RUNS.update().where(_RUNS.c.id == row.id).values(**held))
            if row.worker and row.worker != self._worker:
                line = Line(at=self._clock.now(), what=What.TAKEN, by=self._worker, detail=f"from {row.worker}")
                _write(db, row.id, (line,))
        self._keep_renewing()
        return taken

    def renew(self) -> None:
        with self._database.writing() as db:
            db.execute(_RUNS.update().where(_RUNS.c.worker == self._worker).values(held_until=self._held_until()))

    def close(self) -> None:
        self._closed.set()
        if self._renewing is not None:
            self._renewing.join()
        with suppress(AddonctlError), self._database.writing() as db:  # where it cannot be said, the holds run out
            db.execute(_RUNS.update().where(_RUNS.c.worker == self._worker).values(worker=""))
        self._database.close()

    # ── For everybody ───────────────────────────────────────────────────────────────────────────────────────────

    def requests(self, id: str) -> tuple[Request, ...]:
        with self._database.reading() as db:
            of = _REQUESTS.c.run == self._found(db, id).id
            rows = db.execute(sql.select(_REQUESTS).where(of).order_by(_REQUESTS.c.number)).all()
        return tuple(Request(row.number, codec.decoded(row.asked, Asked)) for row in rows)

    def ask(self, id: str, asked: Asked) -> RunEntry:
        with self._database.writing() as db:
            row = self._found(db, id, locked=True)
            _refuse_ended(row)
            number = row.asked + 1
            db.execute(_RUNS.update().where(_RUNS.c.id == row.id).values(asked=number))
            db.execute(_REQUESTS.insert().values(run=row.id, number=number, asked=codec.encoded_of(Asked, asked)))
        return _entry(row)

    def load(self, id: str) -> Run:
        with self._database.reading() as db:
            row = self._found(db, id)
        return codec.run(row.id, row.run, row.schema)

    def entries(self) -> tuple[RunEntry, ...]:
        with self._database.reading() as db:
            found = sql.select(*(_RUNS.c[name] for name in _ENTRY), self._alive().label("alive")).order_by(
                _RUNS.c.begun.desc()
            )
            rows = db.execute(found).all()
        return tuple(map(_entry, rows))

    def lines(self, id: str) -> tuple[Line, ...]:
        with self._database.reading() as db:
            of = _LINES.c.run == self._found(db, id).id
            rows = db.execute(sql.select(*(_LINES.c[name] for name in _LINE)).where(of).order_by(_LINES.c.number)).all()
        return tuple(Line(**{**row._mapping, "what": What(row.what)}) for row in rows)

    # ── Holds ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _now(self) -> Any:
        """The second of those who hold runs: of the database, where workers may be on several machines."""
        if self._database.is_sqlite:
            return sql.literal(self._clock.now().timestamp(), sql.Double)
        return sql.cast(sql.extract("epoch", sql.func.clock_timestamp()), sql.Double)

    def _held_until(self) -> Any:
        return self._now() + HOLD_S

    def _alive(self) -> sql.ColumnElement[bool]:
        """Whether a run's worker lives. A hold that ends later than one can was made before a clock was set back."""
        left_s: sql.ColumnElement[float] = _RUNS.c.held_until - self._now()
        return sql.and_(_RUNS.c.worker != "", left_s >= 0, left_s <= HOLD_S + 1)

    def _standing(self, run: Run) -> dict[str, Any]:
        """The columns of a run that change when it moves."""
        return {
            "phase": run.phase.value,
            "changed": self._clock.now(),
            "held_until": self._held_until(),
            "schema": codec.RUN_SCHEMA,
            "run": codec.encoded(run),
        }

    def _free(self, db: Connection) -> _Row | None:
        """The oldest run that nobody living holds and this version can read; no other worker gets the same one."""
        free = _RUNS.c.phase.not_in(_ENDED) & ~self._alive() & (_RUNS.c.schema == codec.RUN_SCHEMA)
        return db.execute(
            sql.select(_RUNS).where(free).order_by(_RUNS.c.begun).limit(1).with_for_update(skip_locked=True)
        ).first()

    def _takeable(self, db: Connection, id: str) -> _Row:
        row = self._found(db, id, locked=True)
        _refuse_ended(row)
        if row.alive and row.worker != self._worker:
            raise Conflict(f"{row.worker} is at work on run {row.id}")
        return row

    def _keep_renewing(self) -> None:
        if self._renewing is None and not self._closed.is_set():
            self._renewing = threading.Thread(target=self._renew_until_closed, name="renews runs", daemon=True)
            self._renewing.start()

    def _renew_until_closed(self) -> None:
        while not self._closed.wait(HOLD_S / 3):
            with suppress(AddonctlError):  # the next time; meanwhile `store` says what is wrong
                self.renew()

    # ── The database ────────────────────────────────────────────────────────────────────────────────────────────

    def _found(self, db: Connection, id: str, *, locked: bool = False) -> _Row:
        """The row of a run, by its id or the beginning of it; `locked` until the transaction ends."""
        begins = (sql.func.substr(_RUNS.c.id, 1, len(id)) == id) if id else sql.false()
        exact_first = (_RUNS.c.id == id).desc()
        found = sql.select(_RUNS, self._alive().label("alive")).where(begins).order_by(exact_first)
        rows = db.execute(found.with_for_update() if locked else found).all()
        if not rows:
            raise NotFound(f"There is no run {id or '(no id)'}", "See `addonctl runs`.")
        if len(rows) > 1 and rows[0].id != id:
            raise BadInput(f"{len(rows)} runs begin with {id}", "Give more of the id.")
        return rows[0]


def _write(db: Connection, run: str, lines: Iterable[Line]) -> None:
    rows = [{"run": run, **{name: getattr(line, name) for name in _LINE}} for line in lines]
    if rows:
        db.execute(_LINES.insert(), rows)


def _entry(row: _Row) -> RunEntry:
    told: dict[str, Any] = {name: getattr(row, name) for name in _ENTRY}
    return RunEntry(**{**told, "phase": Phase(row.phase), "alive": row.alive})


def _refuse_ended(row: _Row) -> None:
    if Phase(row.phase).ended:
        raise BadInput(f"Run {row.id} has ended: {row.phase}")
