"""A real terminal for tests: a pseudo-terminal of some width, and what a command shows on it."""

import fcntl
import os
import pty
import re
import struct
import termios
import traceback

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ROWS = 50


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


def _child(columns: int, arguments: tuple[str, ...]) -> None:
    """Runs the command as its process would; never returns."""
    import sys

    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
    os.environ.pop("COLUMNS", None)
    os.environ["TERM"] = "xterm-256color"
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in ((0, "r"), (1, "w"), (2, "w")))
    sys.argv = ["addonctl", *arguments]
    try:
        from addonctl.apps.cli import main

        main()
    except SystemExit as exit_:
        sys.stdout.flush()
        os._exit(exit_.code if isinstance(exit_.code, int) else 1)
    except BaseException:  # noqa: BLE001 - the fork must never return into the tests
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(70)
