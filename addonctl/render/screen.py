"""Printing for people: lines broken at words, tables, notes and progress. Colour and width only on a terminal.

Tables are laid out by tables.py; a pipe gets every cell uncut. Colours are readable on light and dark backgrounds.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from typing import TYPE_CHECKING, TextIO

from addonctl import ports
from addonctl.render.commands import Line, LineKind
from addonctl.render.escaping import plain
from addonctl.render.tables import Cell, Column, cut_front, lay_out, wrap

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

QUIET = "grey50"
GOOD, FAIR, BAD, CALM = "green4", "dark_orange3", "bold red3", "dodger_blue2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a report is printed: `wide` with every detail, `headers` of tables or rows only, `waived` findings listed."""

    wide: bool = False
    headers: bool = True
    waived: bool = False


def console() -> "Console":
    return _console(sys.stdout)


@lru_cache(maxsize=1)
def _console(file: TextIO) -> "Console":
    from rich.console import Console

    return Console(file=file, highlight=False, soft_wrap=True, emoji=False, markup=False)


def width() -> int | None:
    """The width of the terminal; None for a pipe or a file, whose lines may have any length."""
    if not sys.stdout.isatty():
        return None
    return max(console().width, 40)


def print_line(*cells: Cell) -> None:
    """One line of styled pieces, with terminal sequences in quoted text removed."""
    texts = [plain(cell.text) for cell in cells]
    if not sys.stdout.isatty() and not os.environ.get("FORCE_COLOR"):  # no colours: rich would take most of the time
        print("".join(texts).rstrip())
        return
    from rich.text import Text

    line = Text()
    for text, cell in zip(texts, cells, strict=True):
        line.append(text, cell.style or "default")
    line.rstrip()
    console().print(line, overflow="ignore", no_wrap=True, crop=False)


def say(text: str, style: str = "", indent: str = "", first: str = "") -> None:
    """A text, broken at words under its own indent; the `first` line begins with a mark, the others as far in."""
    wide = width()
    inner = " " * len(first)
    for line in wrap(plain(text), wide - len(indent) - len(first)) if wide else [plain(text)]:
        print_line(Cell(f"{indent}{first}{line}", style))
        first = inner


def title(text: str) -> None:
    print_line()
    say(text, "bold")


_silent: set[str] = set()
"""What is not to be said beside the output: notes, progress."""


@contextmanager
def without_notes() -> Iterator[None]:
    """Nothing stands beside the output but errors."""
    with _without("notes", "progress"):
        yield


@contextmanager
def without_progress() -> Iterator[None]:
    """No progress line, where other lines would run into it."""
    with _without("progress"):
        yield


@contextmanager
def _without(*what: str) -> Iterator[None]:
    new = {*what} - _silent
    _silent.update(new)
    try:
        yield
    finally:
        _silent.difference_update(new)


def note(text: str) -> None:
    """A line on stderr, for the person, not for a pipe."""
    if "notes" not in _silent:
        aside(text)


def aside(text: str) -> None:
    """The same, said whatever was asked for."""
    lines = wrap(plain(text), console().width) if sys.stderr.isatty() else [plain(text)]
    print(*lines, sep="\n", file=sys.stderr)


def progress() -> ports.Progress:
    """A progress line on a terminal, nothing elsewhere."""
    if "progress" in _silent or not sys.stderr.isatty():
        return ports.silent

    on_line = False

    def show(what: str, done: int, total: int) -> None:
        nonlocal on_line
        line = "" if done >= total > 0 else _progress_line(plain(what), done, total, console().width - 1)
        if line or on_line:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        on_line = bool(line)

    return show


def _progress_line(what: str, done: int, total: int, width: int) -> str:
    """What is being read and how far along; the count is never cut."""
    count = f" ({done}/{total})" if total else f" ({done})" if done else ""
    return f"reading {cut_front(what, width - len('reading ') - len(count))}{count}"


class _Page(StringIO):
    """A terminal that is not shown."""

    def isatty(self) -> bool:
        return True


def screenful(show: Callable[[], None], wide: int, high: int, last: str) -> "Text":
    """As much of what `show` prints as a screen of so many columns and lines holds, above a last line."""
    from rich.text import Text

    page = _Page()
    with redirect_stdout(page):
        show()
    lines = Text.from_ansi(page.getvalue()).split()
    below = len(lines) - (high - 1)
    hidden = f"{counted(below, 'more line')} below; " if below > 0 else ""
    return Text("\n", no_wrap=True, overflow="crop", end="").join([*lines[: high - 1], Text(hidden + last, QUIET)])


def table(columns: Sequence[Column], rows: Iterable[Sequence[Cell | str]], *, headers: bool = True) -> None:
    """A table in kubectl's style; columns that do not fit are named below it."""
    cells = [[Cell(plain(c)) if isinstance(c, str) else Cell(plain(c.text), c.style) for c in row] for row in rows]
    laid = lay_out(columns, cells, width())
    for line in (*((laid.header,) if headers else ()), *laid.lines):
        print_line(*line)
    if laid.dropped and headers:
        say(f"({', '.join(laid.dropped)} left out: the terminal is too narrow)", QUIET)


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def waves_of(sizes: Iterable[int]) -> str:
    """The waves of a step; one of none, after others, ends the old instances that are left."""
    several = list(sizes)
    last = " (the old one ends last)" if len(several) > 1 and not several[-1] else ""
    return f"waves of {', '.join(map(str, several[:-1] if last else several))}{last}"


def actions(lines: Iterable[Line], mark: str, indent: str) -> None:
    """Marked lines; commands stay on one line, so that they can be pasted."""
    for line in lines:
        if line.kind is LineKind.PROSE:
            say(str(line), "", indent, first=mark)
        else:
            print_line(Cell(indent + mark), Cell(str(line)))
        mark = " " * len(mark)
