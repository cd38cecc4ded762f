"""What a database answers, as errors of errors.py. Called by adapters/database.py.

Quotes neither a URL nor a driver: there may be a password in it.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError

from addonctl.errors import AddonctlError, BadInput, Broken, Forbidden, NotAllowed, NotReachable, TimedOut

_UNCHANGED = "Nothing was changed; what was under way can be resumed."
_FREE = f"Make room there. {_UNCHANGED}"
# By SQLite's primary result code, the low byte of the extended one.
_SQLITE: dict[int, tuple[type[AddonctlError], str, str]] = {
    sqlite3.SQLITE_FULL: (NotReachable, "has no room left on its disk", _FREE),
    sqlite3.SQLITE_READONLY: (NotReachable, "cannot be written", f"Make it writable for this user. {_UNCHANGED}"),
    sqlite3.SQLITE_CANTOPEN: (NotReachable, "cannot be opened", "Name a place that this user can write to."),
    sqlite3.SQLITE_PERM: (NotReachable, "cannot be opened", "Name a place that this user can write to."),
    sqlite3.SQLITE_IOERR: (NotReachable, "cannot be read or written: the disk failed", f"Look at it. {_UNCHANGED}"),
    sqlite3.SQLITE_BUSY: (NotReachable, "was locked by another process all the time", f"Try again. {_UNCHANGED}"),
    sqlite3.SQLITE_LOCKED: (NotReachable, "was locked by another process all the time", f"Try again. {_UNCHANGED}"),
    sqlite3.SQLITE_CORRUPT: (Broken, "is damaged", "Put a copy of it back, or move it away to begin with none."),
    sqlite3.SQLITE_NOTADB: (Broken, "is not a database", "Name another file, or move it away."),
}
# By the beginning of PostgreSQL's SQLSTATE; the first that fits.
_POSTGRES: dict[str, tuple[type[AddonctlError], str, str]] = {
    "28": (NotAllowed, "rejects the user or the password", "Check the URL, or the password file."),
    "3D": (BadInput, "does not exist, or its user does not", "Create it, or name another."),
    "25006": (NotReachable, "is read-only", f"Name the server that is written to. {_UNCHANGED}"),
    "42501": (Forbidden, "does not allow it to this user", "Grant the user CREATE on the schema, or its tables to it."),
    "42": (Broken, "does not have the tables that addonctl makes", "Name a database of its own for it."),
    "53100": (NotReachable, "has no room left on its disk", _FREE),
    "53": (NotReachable, "has no capacity left", f"Try again. {_UNCHANGED}"),
    "55P03": (NotReachable, "kept a row locked all the time", f"Try again. {_UNCHANGED}"),
    "40": (NotReachable, "put two transactions against each other", f"Try again. {_UNCHANGED}"),
    "57": (NotReachable, "is stopping, or has ended the connection", f"Try again. {_UNCHANGED}"),
    "58": (NotReachable, "has trouble with its disk", f"Look at it. {_UNCHANGED}"),
    "XX": (Broken, "is damaged", "Its own log says how."),
}


# libpq gives no SQLSTATE for what a server answers to a new connection, only words.
_CONNECTING = {
    "authentication failed": "28",
    "pg_hba.conf": "28",
    "does not exist": "3D",
    "starting up": "57",
    "shutting down": "57",
    "too many": "53",
    "remaining connection slots": "53",
}


@contextmanager
def told(where: str, *, committing: bool = False) -> Iterator[None]:
    """What is raised in here by the database at `where` leaves as an AddonctlError."""
    try:
        yield
    except DBAPIError as error:
        kind, what, fix = _said(error.orig)
        if committing and error.connection_invalidated:
            kind, what, fix = TimedOut, "was lost while it stored something", "Look whether it has it, then go on."
        raise kind(f"The database {where} {what}", fix) from error
    except OSError as error:
        what = f"The database {where} cannot be opened: {error.strerror}"
        fix = _FREE if error.errno == errno.ENOSPC else "Name a place that this user can write to."
        raise NotReachable(what, fix) from error


def _said(error: Any) -> tuple[type[AddonctlError], str, str]:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        return _SQLITE.get(code, (Broken, f"cannot be used ({error})", "Move the file away to begin with none."))
    state = getattr(error, "sqlstate", None) or _in_words(str(error))
    for begins, said in _POSTGRES.items():
        if state.startswith(begins):
            return said
    if state and not state.startswith("08"):
        return Broken, f"answered with an error of its own ({state})", "Its own log says more."
    return NotReachable, "cannot be reached", f"Check its address, and whether it runs. {_UNCHANGED}"


def _in_words(answer: str) -> str:
    _, fatal, words = answer.partition("FATAL:")
    found = (state for word, state in _CONNECTING.items() if word in words)
    return next(found, "") if fatal else ""
