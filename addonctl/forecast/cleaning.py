"""What a history looks like without weekdays, steps and one-off spikes; and the steps by themselves, as anomalies.

Works on floats, a row a history, all days filled in. Called by the package alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from addonctl.forecast.methods import Bools, Floats

_WEEK = 7
_SEASON = 91  # days that weekdays are learnt from
_FINEST = 1.0  # micro-dollars: what rounding moves
_SPREAD = 1.4826  # standard deviations in a median absolute deviation
_SHORTEST = 5  # days between two steps
_LONG = 28  # days of a part in which steps are looked for
_EVIDENCE = 5.0  # standard errors that a step takes
_SIZE = 2.0  # standard deviations of a day that a step takes
_SIZE_IN_PART = 3.0  # the same in a part of the days, of which there are more to look for one in
_NEAR = 3  # days on either side
_ABRUPT = 0.7  # of a step is seen in them
_SPIKE = 5.0  # standard deviations of a day
_RARE = 0.05  # of the days: what is more frequent is no one-off


@dataclass(frozen=True, slots=True)
class Step:
    """From column `at` on, the level is `after` instead of `before`."""

    at: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Histories at their last level, `weekdays` (rows, 7; the first is that of the day after the last), `spikes`."""

    level: Floats
    weekdays: Floats
    spikes: Floats


def cleaned(history: Floats, real: Bools) -> Cleaned:
    """(rows, days) as they would have been at their last level, without weekdays and one-off spikes."""
    level, weekdays = without_weekdays(history, real)
    for row, days in enumerate(level):
        for step in steps(days, real[row]):
            days[: step.at] += step.after - step.before
    around = _median(level, 15)
    off = level - around
    spike = (np.abs(off) > _SPIKE * _spread(off, real)[:, None] + 1e-9 * np.abs(around)) & real
    spike &= (spike.sum(axis=1) <= _RARE * real.sum(axis=1))[:, None]
    return Cleaned(np.where(spike, around, level), weekdays, np.where(spike, off, 0.0))


def without_weekdays(history: Floats, real: Bools) -> tuple[Floats, Floats]:
    """(rows, days) less what each weekday is above its week, and that: (rows, 7), from the day after the last on."""
    weekdays = _weekdays(history, real)
    return history - weekdays[:, np.arange(-history.shape[1], 0) % _WEEK], weekdays


def _median(history: Floats, width: int) -> Floats:
    """The running median, centred; at the ends the days are mirrored."""
    half = width // 2
    padded = np.pad(history, [(0, 0)] * (history.ndim - 1) + [(half, half)], mode="reflect")
    return np.asarray(np.median(sliding_window_view(padded, width, axis=-1), axis=-1))


def _spread(off: Floats, real: Bools) -> Floats:
    """The robust standard deviation of each row, of what was read if anything was."""
    real = real | ~real.any(axis=-1, keepdims=True)
    return _SPREAD * np.asarray(np.nanmedian(np.where(real, np.abs(off), np.nan), axis=-1))


def _weekdays(history: Floats, real: Bools) -> Floats:
    """What each weekday is above or below its week, shrunk by what chance alone would show (James and Stein)."""
    days = min(_SEASON, history.shape[1]) // _WEEK * _WEEK
    off, seen = (history - _median(history, _WEEK))[:, -days:], real[:, -days:]
    weeks = off.reshape(len(history), -1, _WEEK)
    weights = seen.reshape(weeks.shape).astype(float)
    usual = np.median(weeks, axis=1, keepdims=True)
    most = 4 * _spread((weeks - usual).reshape(off.shape), seen)[:, None, None]
    weeks = usual + np.clip(weeks - usual, -most, most)
    counts = np.maximum(weights.sum(axis=1), 1)
    means = (weeks * weights).sum(axis=1) / counts
    noise = (((weeks - means[:, None]) ** 2) * weights).sum(axis=(1, 2)) / np.maximum(weights.sum(axis=(1, 2)) - 7, 1)
    effects: Floats = means - means.mean(axis=1, keepdims=True)
    between = (effects**2).sum(axis=1) / (_WEEK - 1)
    chance = noise / counts.mean(axis=1)
    kept = np.clip(1 - chance / np.where(between > 0, between, np.inf), 0, 1) * (weights.sum(axis=(1, 2)) >= 2 * _WEEK)
    shrunk: Floats = effects * kept[:, None]
    return shrunk


def steps(days: Floats, real: Bools, *, parts: bool = False) -> list[Step]:
    """The steps of one row, by binary segmentation: each is more than noise, and more abrupt than a slope.

    `parts`: those too that hide each other in the whole, such as up and down again. A forecast goes without them: it
    gains nothing from a level that has passed, and a slow swing taken for steps costs it.
    """
    smooth = _median(days, _WEEK)
    spread = float(_spread(days - smooth, real))
    calm = np.clip(days, smooth - 3 * spread, smooth + 3 * spread) if spread > 0 else smooth
    first = int(np.argmax(real)) if real.any() else len(days)
    bounds = _split(calm, first, len(calm), max(spread, _FINEST), parts)
    edges = [first, *bounds, len(days)]
    means = [float(np.median(calm[a:b])) for a, b in pairwise(edges)]
    return [Step(*each) for each in zip(bounds, means[:-1], means[1:], strict=True)]


def _split(days: Floats, start: int, end: int, spread: float, parts: bool) -> list[int]:
    """Where steps are: the first that is found, and those on either side of it."""
    for first, last in _stretches(start, end, parts):
        part = days[first:last]
        at = _best_split(part)
        if _is_step(part, at, spread, _SIZE if len(part) == end - start else _SIZE_IN_PART):
            at += first
            return [*_split(days, start, at, spread, parts), at, *_split(days, at, end, spread, parts)]
    return []


def _stretches(start: int, end: int, parts: bool) -> Iterator[tuple[int, int]]:
    """The whole; with `parts` its overlapping halves and quarters too, as far as they are long enough."""
    for part, least in ((1, 2 * _SHORTEST), (2, _LONG), (4, _LONG)) if parts else ((1, 2 * _SHORTEST),):
        length = (end - start) // part
        if length >= least:
            yield from ((first, first + length) for first in range(start, end - length + 1, max(1, length // 2)))


def _best_split(part: Floats) -> int:
    """The first day after the split that takes the most from the squared errors."""
    sums = np.cumsum(part)[:-1]
    left = np.arange(1, len(part))
    right = len(part) - left
    gap = sums / left - (sums[-1] + part[-1] - sums) / right
    gain = gap**2 * left * right
    gain[: _SHORTEST - 1] = gain[len(part) - _SHORTEST :] = -1
    return int(np.argmax(gain)) + 1


def _is_step(part: Floats, at: int, spread: float, size: float) -> bool:
    """Whether it is more than noise, happens within days, and a straight line does not say it better."""
    left, right = part[:at], part[at:]
    by = abs(float(right.mean() - left.mean()))
    within = float((len(left) * left.var() + len(right) * right.var()) / len(part))
    noise = max(spread, within**0.5)
    across = abs(float(right[:_NEAR].mean() - left[-_NEAR:].mean()))
    return (
        by > max(size, _EVIDENCE * (1 / len(left) + 1 / len(right)) ** 0.5) * noise
        and across > _ABRUPT * by
        and within < _around_line(part)
    )


def _around_line(part: Floats) -> float:
    """The variance around the straight line."""
    at = np.arange(len(part)) - (len(part) - 1) / 2
    return float(part.var() - (at @ part) ** 2 / (at @ at) / len(part))
