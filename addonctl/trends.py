"""Robust statistics of short series: whether something grows at all, and how fast. Pure; called by the capabilities."""

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import median


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs of points (Theil and Sen); nothing where no two differ in x."""
    slopes = [(late - early) / (then - now) for (now, early), (then, late) in combinations(points, 2) if then != now]
    return median(slopes) if slopes else 0.0


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The constant and the slope of a line through points, which few of them that are far off do not move."""
    by = slope(points)
    return median(y - by * x for x, y in points), by


def rising(values: Sequence[float]) -> float:
    """How many standard deviations more of the pairs rise than fall (Mann and Kendall)."""
    rises = sum((late > early) - (late < early) for early, late in combinations(values, 2))
    n = len(values)
    return rises / math.sqrt(n * (n - 1) * (2 * n + 5) / 18) if n > 1 else 0.0
