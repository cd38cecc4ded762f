"""A report on a screen of its own, read anew until Ctrl-C: `analyze --watch`, `dashboard --watch`."""

import signal
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from io import StringIO
from typing import TYPE_CHECKING, TypeVar

import click

from addonctl.apps.shared import refuse
from addonctl.errors import AddonctlError, BadInput

if TYPE_CHECKING:
    from rich.text import Text

_EVERY_S, _LOOK_S = 30.0, 0.25
_TERMINATED = 143
_Read = TypeVar("_Read")

option = click.option("--watch", "-w", is_flag=True, help="Read anew every 30 seconds, until Ctrl-C.")


def check(form: str) -> None:
    """Raises BadInput where there is no screen, or what is printed is no table."""
    refuse([f"-o {form}"] if form != "table" else [], "--watch", "Watch the table, or leave out --watch.")
    if not sys.stdout.isatty():
        raise BadInput("--watch needs a terminal", "Leave it out where the output goes into a pipe or a file.")


def watch(value: _Read, read: Callable[[], _Read], screenful: "Callable[[_Read, int, int, str], Text]") -> _Read:
    """Shows `screenful` (of columns, lines, and a last line) until Ctrl-C; returns what was read last.

    What cannot be read meanwhile is said below what was read before, and tried again.
    """
    from addonctl.render import screen

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))  # the terminal is given back all the same
    console, said, drawn, next_ = screen.console(), "", None, time.monotonic() + _EVERY_S
    with suppress(KeyboardInterrupt), console.screen() as shown:
        while True:
            if time.monotonic() >= next_:
                with redirect_stderr(StringIO()):  # notes and progress have no place on it
                    try:
                        value, said = read(), ""
                    except AddonctlError as error:
                        said = f"not read: {error.what}; "
                next_, drawn = time.monotonic() + _EVERY_S, None
            if drawn != console.size:
                drawn = console.size
                shown.update(screenful(value, *drawn, f"{said}every {_EVERY_S:.0f} s; Ctrl-C ends"))
            time.sleep(_LOOK_S)
    return value
