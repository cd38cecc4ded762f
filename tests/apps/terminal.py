"""Commands in a fork of the test process: on a pseudo-terminal of some width, or with streams that are files."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import traceback

from addonctl.apps.cli import main

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ROWS = 50
_SECONDS = 60


def in_terminal(columns: int, *arguments: str) -> str:
    """What `addonctl ARGUMENTS` shows on a terminal of that many columns, without its colours.

    The command runs in a fork of this process: its modules are loaded already, its streams are a terminal's.
    """
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
    text = _ESCAPES.sub("", shown.decode()).replace("\r\n", "\n")
    assert os.waitstatus_to_exitcode(status) in (0, 2), text
    return text


def in_fork(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """What `addonctl ARGUMENTS` writes and how it ends, no terminal in sight and `stdin` (or nothing) to read."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write((stdin or "").encode())
        given.seek(0)
        pid = os.fork()
        if pid == 0:
            signal.alarm(_SECONDS)
            for number, stream in enumerate((given, out, err)):
                os.dup2(stream.fileno(), number)
            _run(arguments)
        _, status = os.waitpid(pid, 0)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode())
    code = os.waitstatus_to_exitcode(status)
    assert code != -signal.SIGALRM, f"{arguments} took more than {_SECONDS} s"
    return subprocess.CompletedProcess(["addonctl", *arguments], code, *texts)


def _child(columns: int, arguments: tuple[str, ...]) -> None:
    """Runs the command on the terminal that is its streams; never returns."""
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
    os.environ.pop("COLUMNS", None)
    os.environ["TERM"] = "xterm-256color"
    _run(arguments)


def _run(arguments: tuple[str, ...]) -> None:
    """Runs the command on streams 0, 1 and 2 as its process would; never returns."""
    code = 70
    try:
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode) for n, mode in ((0, "r"), (1, "w"), (2, "w")))
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
