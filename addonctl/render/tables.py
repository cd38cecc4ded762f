"""Tables that stay correct at any width: names and results are never cut, the rest shrinks in a fixed order.

Pure: columns, cells and a width in, lines of styled pieces out. Called by terminal.py. A pipe or file has no width: no
cell is cut, and lines have no trailing blanks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

_GAP = 2
_ELLIPSIS = "…"
MARK = "└"
"""Marks a row that belongs to the one above."""
# Below this width a column of text is unreadable: other columns are dropped first. If none can be dropped, it may
# shrink to the second width.
_WRAP_EASY, _WRAP_MIN = 24, 18
_CUT_MIN = 14


class Fit(Enum):
    """What a column does if there is not enough room."""

    KEEP = "keep"  # never cut: codes, severities, scores, versions, states
    CUT = "cut"  # ends in an ellipsis
    LAST = "last"  # the same, once no column is left to leave out: names by which rows are known
    WRAP = "wrap"  # goes on under itself, broken at words


@dataclass(frozen=True, slots=True)
class Column:
    """`drop`: columns with the highest number are dropped first if nothing else helps; 0 is never dropped."""

    name: str
    fit: Fit = Fit.KEEP
    drop: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """Text on one line, with a style; empty is the terminal's default."""

    text: str
    style: str = ""


Line = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Lines to print, starting with the headers; `dropped` names the columns that did not fit."""

    header: Line
    lines: tuple[Line, ...]
    dropped: tuple[str, ...] = ()


def lay_out(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], width: int | None) -> Table:
    """The table in at most `width` terminal columns; None: unlimited."""
    kept, cells = list(columns), [list(row) for row in rows]
    assert all(len(row) == len(kept) for row in cells), "a row needs a cell for every column"
    dropped: list[str] = []
    while True:
        natural = _natural(kept, cells)
        last = max(range(len(kept)), key=lambda n: kept[n].drop)
        widths = _fitted(kept, natural, width, last=not kept[last].drop)
        if widths is not None or not kept[last].drop:
            break
        dropped.insert(0, kept[last].name)
        del kept[last]
        for row in cells:
            del row[last]
    widths = widths or natural
    header = _line([Cell(column.name, "bold") for column in kept], widths)
    lines = tuple(line for row in cells for line in _lines(kept, row, widths))
    return Table(header, lines, tuple(dropped))


def _natural(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[int]:
    return [
        max([cell_width(column.name), *(cell_width(row[number].text) for row in rows)])
        for number, column in enumerate(columns)
    ]


def _fitted(columns: Sequence[Column], natural: Sequence[int], width: int | None, *, last: bool) -> list[int] | None:
    """The widths of the columns within `width`; None where even the least of them does not fit.

    `last`: no column is left to leave out.
    """
    if width is None:
        return list(natural)
    widths = [
        min(each, width) if column.fit is not Fit.KEEP else each for column, each in zip(columns, natural, strict=True)
    ]
    room = width - _GAP * (len(natural) - 1)
    giving = [(Fit.WRAP, _WRAP_MIN if last else _WRAP_EASY), (Fit.CUT, _CUT_MIN)]
    giving += [(Fit.LAST, _CUT_MIN)] if last else []
    for fit, least in giving:
        numbers = [n for n, column in enumerate(columns) if column.fit is fit]
        _narrow(widths, {n: max(least, cell_width(columns[n].name)) for n in numbers}, room)
    return widths if sum(widths) <= room else None


def _narrow(widths: list[int], least: Mapping[int, int], room: int) -> None:
    """Takes from the widest of some columns, one after the other, until all fit or each is at its least."""
    while sum(widths) > room:
        number = max((n for n in least if widths[n] > least[n]), key=lambda n: widths[n], default=None)
        if number is None:
            return
        widths[number] -= 1


def _lines(columns: Sequence[Column], row: Sequence[Cell], widths: Sequence[int]) -> list[Line]:
    """A row, on as many lines as its wrapped cells need."""
    parts = [
        wrap(cell.text, widths[number]) if columns[number].fit is Fit.WRAP else [cut(cell.text, widths[number])]
        for number, cell in enumerate(row)
    ]
    height = max(len(part) for part in parts)
    return [
        _line([Cell(p[n] if n < len(p) else "", c.style) for p, c in zip(parts, row, strict=True)], widths)
        for n in range(height)
    ]


def _line(cells: Sequence[Cell], widths: Sequence[int]) -> Line:
    """Cells padded to their columns, without trailing blanks."""
    filled = max((n for n, cell in enumerate(cells) if cell.text), default=-1)
    return tuple(
        Cell(cell.text + " " * (widths[n] + _GAP - cell_width(cell.text) if n < filled else 0), cell.style)
        for n, cell in enumerate(cells[: filled + 1])
    )


def cell_width(text: str) -> int:
    """The width of a text in terminal columns: some characters take two, some none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """At most `width` columns of a text, with an ellipsis if it is cut."""
    if cell_width(text) <= width:
        return text
    kept = text
    while kept and cell_width(kept) > width - 1:
        kept = kept[:-1]
    return kept.rstrip() + _ELLIPSIS


def cut_front(text: str, width: int) -> str:
    """The same, cut at the front, for text whose end matters most: a path."""
    if cell_width(text) <= width:
        return text
    kept = text
    while kept and cell_width(kept) > width - 1:
        kept = kept[1:]
    return _ELLIPSIS + kept


def wrap(text: str, width: int) -> list[str]:
    """A text in lines of at most `width` columns, wrapped at words; words that are too long are broken."""
    lines, line = [], ""
    for word in _words(text):
        joined = f"{line} {word}" if line else word
        if cell_width(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        while cell_width(word) > width:
            at = _break_at(word, width)
            lines.append(word[:at])
            word = word[at:]  # noqa: PLW2901 - what is left of it
        line = word
    return [*lines, line] if line or not lines else lines


def _words(text: str) -> list[str]:
    """The words of a text; a mark before it stays with the first."""
    words = text.split(" ")
    return [f"{MARK} {words[1]}", *words[2:]] if len(words) > 1 and words[0] == MARK else words


def _break_at(word: str, width: int) -> int:
    """Where to break a word that is too long: after a separator in it, or else at the edge."""
    at = width
    while at > 1 and cell_width(word[:at]) > width:
        at -= 1
    signs = [n + 1 for n in range(at // 2, at) if word[n] in "/-.,:_"]
    return signs[-1] if signs else at
