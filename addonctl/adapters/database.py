"""A database of addonctl's own tables: one SQLite file, or PostgreSQL. Called by journal.py and cost_history.py.

What a transaction has written is on disk when it ends, or none of it is. A database that a newer addonctl has made is
not touched.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from addonctl.adapters import database_errors
from addonctl.errors import AddonctlError, BadInput

_LOCKED_S = 10  # the longest wait for another process's transaction, each of which takes milliseconds


class Instant(sql.TypeDecorator[datetime]):
    """An aware time in UTC; SQLite knows no time zones."""

    impl = sql.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


class Database:
    """The one at `place`, a SQLite file or the URL of a database, with these tables.

    `layout` is the table that holds the number of their layout, which is raised when an older addonctl would misread or
    damage them. Raises BadInput for a URL that cannot be used or tables of a newer addonctl, and whatever a database
    may answer.
    """

    def __init__(self, place: Path | str, tables: sql.MetaData, layout: str, number: int) -> None:
        url = URL.create("sqlite", database=str(place)) if isinstance(place, Path) else _url(place)
        self._where = _told(url)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.engine = _sqlite(url) if self.is_sqlite else _postgres(url)
        self._tables, self._number = tables, number
        known = tables.tables.get(layout)
        self._layout = (
            sql.Table(layout, tables, sql.Column("number", sql.Integer, primary_key=True)) if known is None else known
        )
        try:
            self._open()
        except AddonctlError:
            self.engine.dispose()
            raise

    def _open(self) -> None:
        with self.reading() as db:
            found = self._found(db)
            inspector = sql.inspect(db)
            # What was added since, and an older addonctl does not mind.
            lacking = found and not all(map(inspector.has_table, self._tables.tables))
        if not found or (lacking and found <= self._number):
            with self.writing() as db:
                found = self._made(db)
        if found > self._number:
            raise BadInput(f"{self._where} was made by a newer addonctl", "Use that version or a later one.")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with database_errors.told(self._where), self.engine.connect() as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: all of it is on disk when this ends, or none of it is."""
        with database_errors.told(self._where), self.engine.connect().execution_options(writes=True) as db:
            transaction = db.begin()
            yield db  # what is raised in here closes the connection, which rolls back
            with database_errors.told(self._where, committing=True):
                transaction.commit()

    def close(self) -> None:
        self.engine.dispose()

    def _found(self, db: Connection) -> int:
        """The number of the tables' layout, 0 where there are none."""
        if not sql.inspect(db).has_table(self._layout.name):
            return 0
        return db.scalar(sql.select(sql.func.max(self._layout.c.number))) or 0

    def _made(self, db: Connection) -> int:
        """Makes the tables, unless somebody else has just made them."""
        if db.dialect.name == "postgresql":  # two that create the same table at once fail
            db.execute(sql.text("SELECT pg_advisory_xact_lock(hashtext('addonctl_layout'))"))
        self._tables.create_all(db)
        if not self._found(db):
            db.execute(self._layout.insert().values(number=self._number))
        return self._found(db)


# ── Opening ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _url(text: str) -> URL:
    """Raises BadInput, which quotes nothing of it: there may be a password in it."""
    example = "Give postgresql://USER@HOST/DATABASE, or none for a file on this machine."
    try:
        url = sql.make_url(text)
    except (ArgumentError, ValueError):
        raise BadInput("The database's URL cannot be read", example) from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise BadInput(f"Runs are kept in SQLite or PostgreSQL, not in {url.drivername}", example)
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise BadInput("Runs that are only in memory would be lost", "Give sqlite:///PATH.")
    return url


def _told(url: URL) -> str:
    """What may be told of a URL."""
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    return f"{url.database or 'of this user'} at {url.host or 'this machine'}"


def _postgres(url: URL) -> Engine:
    try:
        # A network that has gone is noticed by the time after which others take the runs.
        network = {"connect_timeout": 10, "tcp_user_timeout": 15_000, "application_name": "addonctl"}
        engine = sql.create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=2, connect_args=network)
    except (ImportError, NoSuchModuleError):
        raise BadInput("PostgreSQL needs psycopg, which is not installed", "pip install 'addonctl[postgres]'") from None

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: Any) -> None:
        connection.execute(f"SET lock_timeout = '{_LOCKED_S}s'")
        connection.commit()

    return engine


def _sqlite(url: URL) -> Engine:
    path = Path(url.database or "")
    with database_errors.told(str(path)):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite gives its other files the same mode
    engine = sql.create_engine(url, hide_parameters=True, connect_args={"timeout": _LOCKED_S})

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not where the driver guesses
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        # A transaction that reads before it writes could not be waited for if another one wrote in between.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _write_ahead(connection: Any) -> None:
    """Readers do not wait for who writes. SQLite itself waits for other processes everywhere but in this change."""
    until = time.monotonic() + _LOCKED_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)
