"""The outermost edge of the command line: output streams, errors in words, exit codes.

Exit codes: 0 clean or done, 1 error, 2 findings at or above --fail-on, 3 refused or not recommended, 4 rolled back,
5 stuck, 130 interrupted.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from typing import TYPE_CHECKING, NoReturn

import click

from addonctl.errors import AddonctlError

if TYPE_CHECKING:
    from pathlib import Path

EXIT_ERROR, EXIT_FINDINGS, EXIT_NOT_RECOMMENDED, EXIT_INTERRUPTED = 1, 2, 3, 130
_DEBUG = "ADDONCTL_DEBUG"
debug = False
"""Whether --debug was given to the command line that runs."""
HELP_COLUMNS = 100
"""At most; the lines of help are two shorter."""


def program_name() -> str:
    """`addonctl`, or `kubectl-addons` if kubectl runs it as a plugin."""
    name = os.path.basename(sys.argv[0])  # pathlib takes a tenth of the time of --help
    return "addonctl" if name == "__main__.py" else name.removesuffix(".py")


def main(command: click.Group) -> NoReturn:
    """Runs a command line; errors become two lines and exit code 1, Ctrl-C becomes 130."""
    global debug
    debug, closed = bool(os.environ.get(_DEBUG)), _prepare_streams()
    called = program_name()
    shown = "kubectl addons" if called == "kubectl-addons" else "addonctl"
    variable = f"_{called}_COMPLETE".replace("-", "_").upper()
    try:
        command.main(prog_name=shown, standalone_mode=False, complete_var=variable, terminal_width=_help_columns())
        sys.stdout.flush()
        if closed:
            _fail("Standard output is closed: nothing could be written\nFix: Leave it open, or write to a file.")
    except AddonctlError as error:
        _fail(str(error))
    except click.ClickException as error:
        error.show()
        _leave(EXIT_ERROR)
    except (click.Abort, KeyboardInterrupt):
        print("Interrupted; nothing was changed.", file=sys.stderr)
        _leave(EXIT_INTERRUPTED)
    except BrokenPipeError:
        _leave(EXIT_ERROR)  # the reader of our output is gone
    except MemoryError:
        _fail("There is not enough memory for this input\nFix: Raise the memory limit, or give less input at once.")
    except SystemExit as exit_:
        _leave(exit_.code if isinstance(exit_.code, int) else EXIT_ERROR)
    except OSError as error:
        _on_os_error(error)
    except Exception as error:  # noqa: BLE001 - the outermost edge, where a bug becomes words
        _on_bug(error)
    _leave(0)


def _help_columns() -> int:
    """How wide click makes help, of 50 to 98 columns. It asks shutil, which takes a tenth of the time of --help."""
    given = os.environ.get("COLUMNS", "")
    columns = int(given) if given.isdecimal() else 0
    if not columns and sys.__stdout__ is not None:
        with suppress(OSError, ValueError):  # no terminal, or closed
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns
    return max(min(columns or 80, HELP_COLUMNS) - 2, 50)


def _prepare_streams() -> bool:
    """Uses UTF-8 for files and pipes, and `?` for what a terminal cannot show. Returns whether stdout is closed."""
    closed = sys.stdout is None
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the whole process
        elif stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    return closed


@contextmanager
def output_to(path: str) -> Iterator[None]:
    """Writes the output to `path` atomically; if there is none, as after an error, the file is unchanged."""
    text = StringIO()
    try:
        with redirect_stdout(text):
            yield
    finally:
        if text.getvalue():
            _write(path, text.getvalue())


def _write(name: str, text: str) -> None:
    from pathlib import Path

    from addonctl.adapters import whole_file

    path = Path(name)
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")  # /dev/stdout, a named pipe: nothing to replace
        else:
            whole_file.write(path, text.encode(), mode=_mode(path))
    except OSError as error:
        why = f"{path} cannot be written: {error.strerror}"
        raise AddonctlError(why, "Check free space and permissions, or give another path.") from error


def _mode(path: "Path") -> int:
    """The mode of the existing file, or the one that a shell redirection would set."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _fail(text: str) -> NoReturn:
    """Prints an error, without terminal sequences in what it quotes."""
    from addonctl.render.escaping import plain_lines

    print(f"Error: {plain_lines(text)}", file=sys.stderr)
    _leave(EXIT_ERROR)


def _on_os_error(error: OSError) -> NoReturn:
    """An OSError of standard output or a named file, such as a full disk, which is not a bug."""
    if debug:
        raise error
    where = error.filename or "standard output"
    reason = error.strerror or error
    _fail(f"{where} cannot be read or written: {reason}\nFix: Check free space, permissions and the path.")


def _on_bug(error: Exception) -> NoReturn:
    if debug:
        raise error
    _fail(
        f"This is a bug in addonctl: {type(error).__name__}\n"
        f"Fix: Run it again with --debug to see the trace, and report that. It may hold names of your cluster."
    )


def _leave(code: int) -> NoReturn:
    """Exits; unwritten output is dropped, since Python would print an error about it on exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        code = code or EXIT_ERROR
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the rest of the process
    sys.exit(code)
