"""Commands: in a fork of the test process on a pseudo-terminal of some width, or in it with streams of their own."""

import fcntl
import gc
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import traceback
from collections.abc import Mapping
from functools import cache
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from click.testing import CliRunner

from addonctl.apps import wiring
from addonctl.apps.cli import cli, main

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ROWS = 50
_SECONDS = 180  # that a watch may take in all


def in_terminal(columns: int, *arguments: str, expected: int = 0) -> str:
    """What `addonctl ARGUMENTS` shows on a terminal of that many columns, without its colours."""
    text, code = shown_in_terminal(columns, *arguments)
    assert code in (expected, 2), text
    return text


def shown_in_terminal(columns: int, *arguments: str) -> tuple[str, int]:
    """The same with the exit code, whatever it is.

    The command runs in a fork of this process: its modules are loaded already, its streams are a terminal's.
    """
    _load()
    pid, ours = pty.fork()
    if pid == 0:
        _child(columns, arguments)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side has gone
            break
        if not part:
            break
        shown += part
    os.close(ours)
    _, status = os.waitpid(pid, 0)
    return _ESCAPES.sub("", shown.decode()).replace("\r\n", "\n"), os.waitstatus_to_exitcode(status)


def interrupted_in_terminal(columns: int, until: str, *arguments: str) -> tuple[str, int]:
    """All that `addonctl ARGUMENTS` writes, with its sequences, when Ctrl-C follows the text `until`; its exit code."""
    _load()
    pid, ours = pty.fork()
    if pid == 0:
        signal.alarm(_SECONDS)
        _child(columns, arguments)
    written, pressed = b"", False
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side has gone
            break
        written += part
        if until.encode() in written and not pressed:
            os.write(ours, b"\x03")
            pressed = True
    os.close(ours)
    _, status = os.waitpid(pid, 0)
    return written.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(status)


def in_process(
    *arguments: str,
    stdin: str | None = None,
    encoding: str = "utf-8",
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """What `addonctl ARGUMENTS` writes and how it ends, no terminal in sight and `stdin` (or nothing) to read.

    It runs in this process, which costs half of a fork. `encoding` is what its streams are opened in; `env` is all of
    its environment, `folder` where it runs.
    """
    streams = [TextIOWrapper(BytesIO(text.encode()), encoding=encoding) for text in (stdin or "", "", "")]
    with pytest.MonkeyPatch.context() as patch:
        for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
            patch.setattr(sys, name, stream)
        patch.setattr(sys, "argv", ["addonctl", *arguments])
        if env is not None:
            patch.setattr(os, "environ", dict(env))
        patch.chdir(folder or ".")
        wiring.catalog.cache_clear()  # a process of its own asks its own environment
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        finally:
            wiring.catalog.cache_clear()
            for stream in streams[1:]:
                stream.flush()
    _, out, err = (stream.buffer.getvalue().decode() for stream in streams)
    return subprocess.CompletedProcess(["addonctl", *arguments], code, out, err)


@cache
def _load() -> None:
    """What commands load when they run is loaded before the first fork, so that forks share it."""
    import rich.console
    import rich.live
    import rich.text  # noqa: F401 - only terminals need it

    done = CliRunner().invoke(cli, ["analyze", "--demo"])
    assert done.exit_code == 0, done.output


def _child(columns: int, arguments: tuple[str, ...]) -> None:
    """Runs the command on the terminal that is its streams; never returns."""
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
    os.environ.pop("COLUMNS", None)
    os.environ["TERM"] = "xterm-256color"
    _run(arguments)


def _run(arguments: tuple[str, ...]) -> None:
    """Runs the command on streams 0, 1 and 2 as its process would; never returns."""
    code = 70
    gc.freeze()  # what the tests hold is not looked through, or all of it would be copied
    try:
        wiring.catalog.cache_clear()  # a process of its own asks its own environment
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode, encoding="utf-8") for n, mode in enumerate("rww"))
        sys.argv = ["addonctl", *arguments]
        main()
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:  # noqa: BLE001 - the fork must never return into the tests
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
