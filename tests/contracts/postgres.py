"""A real PostgreSQL on loopback in a folder of its own, run by an unprivileged user: what a package of it brings.

Its port is free, its user has a password, and what it keeps is gone with it.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Self

PASSWORD = "hunter2-of-postgres"  # of a server on loopback that is gone in a minute
_READY_S = 60


def missing() -> str:
    """What has to be installed first, empty if nothing."""
    if _bin() is None:
        return "PostgreSQL (Debian: apt-get install postgresql)"
    return "" if os.getuid() or _user() else "an unprivileged user to run PostgreSQL: postgres or nobody"


class PostgresServer:
    """`with PostgresServer() as server:` starts and ends it; `durable`: what is stored is synced to disk, as usual."""

    def __init__(self, *, durable: bool = False) -> None:
        self._durable, self._numbers = durable, count()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="addonctl-postgres-")))
            (folder / "password").write_text(PASSWORD)
            if not os.getuid():
                for path in (folder, folder / "password"):
                    shutil.chown(path, _user())
            self._folder, self.port = folder, _free_port()
            login = ("--username=addonctl", "--auth=scram-sha-256", f"--pwfile={folder}/password")
            _run("initdb", f"--pgdata={folder}/data", *login, "--no-sync", "--no-instructions")
            self.start()
            undo.callback(self.stop)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def start(self) -> None:
        flags = [f"--unix_socket_directories={self._folder}", "--listen_addresses=127.0.0.1", f"--port={self.port}"]
        flags += [] if self._durable else ["--fsync=off"]
        with (self._folder / "log").open("ab") as log:
            command = [_program("postgres"), "-D", str(self._folder / "data"), *flags]
            self._server = subprocess.Popen(command, stdout=log, stderr=log, user=_runs_as(), cwd=self._folder)
        end = time.monotonic() + _READY_S
        while not self._answers():
            assert self._server.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        self._server.send_signal(2)  # ends its connections and then itself
        self._server.wait(_READY_S)

    def url(self, *, password: str = PASSWORD, database: str = "postgres", schema: str = "") -> str:
        options = f"?options=-csearch_path%3D{schema}" if schema else ""
        return f"postgresql://addonctl:{password}@127.0.0.1:{self.port}/{database}{options}"

    def new(self) -> str:
        """The URL of an empty schema."""
        name = f"schema_{next(self._numbers)}"
        self.say(f"CREATE SCHEMA {name}")
        return self.url(schema=name)

    def say(self, statement: str, url: str = "") -> None:
        """Carries a statement out, as its administrator."""
        import psycopg

        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _bin() -> Path | None:
    """Where its programs are: Debian keeps each version's in a folder of its own, off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _program(name: str) -> str:
    folder = _bin()
    assert folder is not None
    return str(folder / name)


def _run(name: str, *arguments: str) -> None:
    subprocess.run([_program(name), *arguments], check=True, capture_output=True, user=_runs_as(), cwd="/")


def _user() -> str:
    """Who may run it where we are root, which it refuses."""
    names = {each.pw_name for each in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), "")


def _runs_as() -> str | None:
    return None if os.getuid() else _user()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
