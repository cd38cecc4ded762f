"""Charts of characters: bars, sparklines and a chart of several lines, readable without colour.

Pure: numbers in, text out. Called by dashboards.py.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import mean

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"
_GAP = "·"


def bar(share: float, width: int) -> str:
    """A bar of so much of `width`, to an eighth of a character; what is more than nothing is seen."""
    if share <= 0:
        return ""
    eighths = max(1, round(min(share, 1.0) * width * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def buckets(values: Sequence[int | None], width: int) -> list[float | None]:
    """The means of so many stretches of the values; None: nothing of a stretch is known."""
    if len(values) <= width:
        return [None if each is None else float(each) for each in values]
    edges = [round(n * len(values) / width) for n in range(width + 1)]
    parts = ([each for each in values[a:b] if each is not None] for a, b in pairwise(edges))
    return [mean(part) if part else None for part in parts]


def sparkline(values: Sequence[int | None], width: int) -> str:
    """One character a stretch. What varies little is drawn as varying little, in the middle."""
    found = buckets(values, width)
    known = [each for each in found if each is not None] or [0.0]
    room = max(known) / 4 - (max(known) - min(known))
    low, high = min(known) - max(room, 0) / 2, max(known) + max(room, 0) / 2
    return "".join(_GAP if each is None else _column(each, low, high, 1) for each in found)


def chart(values: Sequence[float | None], height: int) -> list[str]:
    """Lines of a chart from the top, one column a value, from the least to the most of them."""
    known = [each for each in values if each is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    empty = _GAP + " " * (height - 1)
    columns = [empty if each is None else _column(each, low, high, height) for each in values]
    return ["".join(column[height - 1 - line] for column in columns) for line in range(height)]


def _column(value: float, low: float, high: float, height: int) -> str:
    """A value as a column of characters from the bottom."""
    share = (value - low) / (high - low) if high > low else 0.5
    level = 1 + round(share * (8 * height - 1))
    full, rest = divmod(level, 8)
    return ("█" * full + (_LEVELS[rest - 1] if rest else "")).ljust(height)
