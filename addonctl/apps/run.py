"""The outermost edge of the command line: streams that any text can be written to, errors in words, exit codes.

Exit codes: 0 clean, 1 error, 2 findings at or above --fail-on, 3 a plan that is not recommended, 130 interrupted.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, NoReturn

import click

from addonctl.errors import AddonctlError

if TYPE_CHECKING:
    from pathlib import Path

EXIT_ERROR, EXIT_FINDINGS, EXIT_NOT_RECOMMENDED, EXIT_INTERRUPTED = 1, 2, 3, 130
_DEBUG = "ADDONCTL_DEBUG"


def program_name() -> str:
    """`addonctl`, or `kubectl-addons` where kubectl calls us as its plugin."""
    name = os.path.basename(sys.argv[0])  # pathlib takes a tenth of the time of --help
    return "addonctl" if name == "__main__.py" else name.removesuffix(".py")


def main(command: click.Group) -> NoReturn:
    """Runs a command line; errors become two lines and exit code 1, Ctrl-C becomes 130."""
    closed = _prepare_streams()
    called = program_name()
    shown = "kubectl addons" if called == "kubectl-addons" else "addonctl"
    variable = f"_{called}_COMPLETE".replace("-", "_").upper()
    try:
        command.main(prog_name=shown, standalone_mode=False, complete_var=variable)
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
        _leave(EXIT_ERROR)  # the reader of our output has left: nobody to tell
    except MemoryError:
        _fail("There is not enough memory for this input\nFix: Raise the memory limit, or give less input at once.")
    except SystemExit as exit_:
        _leave(exit_.code if isinstance(exit_.code, int) else EXIT_ERROR)
    except OSError as error:
        _on_os_error(error)
    except Exception as error:  # noqa: BLE001 - the outermost edge, where a bug becomes words
        _on_bug(error)
    _leave(0)


def _prepare_streams() -> bool:
    """Files and pipes take UTF-8; a terminal shows a sign that it lacks as `?`. Whether standard output is closed."""
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
    """What is printed becomes the file at `path`, whole; where nothing was, as after an error, it stays as it is."""
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
    """The mode that the file has, or that the shell's own redirection would give it."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _fail(text: str) -> NoReturn:
    """An error in words. What it quotes must not colour or move a terminal."""
    from addonctl.render.escaping import plain_lines

    print(f"Error: {plain_lines(text)}", file=sys.stderr)
    _leave(EXIT_ERROR)


def _on_os_error(error: OSError) -> NoReturn:
    """What is written goes to standard output or to a named file; a full disk is no bug."""
    if os.environ.get(_DEBUG):
        raise error
    where = error.filename or "standard output"
    reason = error.strerror or error
    _fail(f"{where} cannot be read or written: {reason}\nFix: Check free space, permissions and the path.")


def _on_bug(error: Exception) -> NoReturn:
    if os.environ.get(_DEBUG):
        raise error
    _fail(
        f"This is a bug in addonctl: {type(error).__name__}\n"
        f"Fix: Run it again with {_DEBUG}=1 to see the trace, and report that. It may hold names of your cluster."
    )


def _leave(code: int) -> NoReturn:
    """Exits; what cannot be written any more is dropped, since Python would complain of it at its own exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        code = code or EXIT_ERROR
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the rest of the process
    sys.exit(code)
