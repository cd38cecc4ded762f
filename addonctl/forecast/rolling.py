"""Forecasts from many days of one series at once, as of the history until then: the last is the forecast itself.

Called by the package alone. Matrices have a row for each origin, the number of days that are known by then.
"""

import operator
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from addonctl.forecast.cleaning import cleaned
from addonctl.forecast.methods import Bools, Floats, combined, flat
from addonctl.model.forecast import DailyCosts, KnownCosts

Origins: TypeAlias = NDArray[np.int_]
Number = TypeVar("Number", np.float64, np.bool_)

MIN_DAYS = 14
"""Days that a forecast takes: two of each weekday."""
_HISTORY = 182  # days that levels and trends are learnt from
_YEAR = 364  # days: the same weekday
_PAIRS = 180  # days whose year before is known, from which on last year counts
_LEVEL = 28  # days
_MONTH = 365.25 / 12


@dataclass(frozen=True, slots=True)
class Daily:
    """A series as numbers: `paid` has all days, those not `real` filled in; the rest goes on for the horizon.

    `varying` is what is left of `paid` without `known`, at months of equal length, which `weights` undoes.
    """

    first: date
    paid: Floats
    real: Bools
    known: Floats
    weights: Floats
    varying: Floats

    def __len__(self) -> int:
        return len(self.paid)


@dataclass(frozen=True, slots=True)
class Rolled:
    """From each origin: what was forecast for the days to come, (origins, horizon), and by two plain methods.

    `actual` is what came, 0 on days that are not `real`; `scale` the size of what varied, by which errors compare.
    """

    forecast: Floats
    naive: Floats
    seasonal: Floats
    scale: Floats
    actual: Floats
    real: Bools

    def __add__(self, other: "Rolled") -> "Rolled":
        """Of two series together. A day counts where both were read."""
        return Rolled(
            self.forecast + other.forecast,
            self.naive + other.naive,
            self.seasonal + other.seasonal,
            self.scale + other.scale,
            self.actual + other.actual,
            self.real & other.real,
        )

    def of(self, rows: Bools) -> "Rolled":
        """From some of the origins."""
        return Rolled(
            self.forecast[rows],
            self.naive[rows],
            self.seasonal[rows],
            self.scale[rows],
            self.actual[rows],
            self.real[rows],
        )


def daily(costs: DailyCosts, known: KnownCosts, horizon: int) -> Daily:
    """Numbers of a series. A day that was not read is filled in from those before it."""
    settled = costs.settled
    dates = [costs.first + timedelta(days=day) for day in range(len(settled) + horizon)]
    expected = np.array([known.on(day) for day in dates], dtype=float)
    weights = np.array([_MONTH / monthrange(day.year, day.month)[1] if costs.per_month else 1.0 for day in dates])
    real = np.array([each is not None for each in settled], dtype=bool)
    paid = np.array([each or 0 for each in settled], dtype=float)
    varying = _filled((paid - expected[: len(paid)]) / weights[: len(paid)], real)
    paid = np.where(real, paid, varying * weights[: len(paid)] + expected[: len(paid)])
    return Daily(costs.first, paid, real, expected, weights, varying)


def _filled(days: Floats, real: Bools) -> Floats:
    """With the median of the last week that was read instead of what was not; at the beginning, of the first."""
    filled, seen = days.copy(), np.flatnonzero(real)
    for day in np.flatnonzero(~real):
        before = seen[seen < day][-7:]
        near = before if len(before) else seen[:7]
        filled[day] = np.median(days[near]) if len(near) else 0.0
    return filled


def rolled(series: Daily, origins: Origins, horizon: int) -> Rolled:
    """What would have been forecast at each origin; from fewer than MIN_DAYS, the mean of them goes on.

    Origins may lie before the series, where nothing was paid.
    """
    since, ready = np.maximum(origins, 0), origins >= MIN_DAYS
    forecast = _means(series.varying, since, horizon, _HISTORY)
    if ready.any():
        forecast[ready] = _forecast(series, origins[ready], horizon)
    ahead = origins[:, None] + np.arange(horizon)
    weights, known, paid = (_at(each, ahead) for each in (series.weights, series.known, series.paid))
    real = _at(series.real, ahead) | (ahead < 0)
    varying = forecast * weights
    return Rolled(
        forecast=np.maximum(varying + known, 0),
        naive=_means(series.paid, since, horizon, horizon),
        seasonal=_last_week(series.paid, since, horizon),
        scale=np.maximum(varying.sum(axis=1), _means(series.varying, since, horizon, horizon).sum(axis=1)),
        actual=paid * real,
        real=real,
    )


def _at(days: NDArray[Number], ahead: Origins) -> NDArray[Number]:
    """The values of these days, 0 for those that are not in the series."""
    found = days[np.clip(ahead, 0, len(days) - 1)]
    return np.where((ahead >= 0) & (ahead < len(days)), found, days.dtype.type(0))


def _means(days: Floats, origins: Origins, horizon: int, width: int) -> Floats:
    """The mean of the last `width` days before each origin, again and again; 0 before the first."""
    sums = np.concatenate([[0.0], np.cumsum(days)])
    start = np.maximum(origins - width, 0)
    means = (sums[origins] - sums[start]) / np.maximum(origins - start, 1)
    return np.repeat(means[:, None], horizon, axis=1)


def _last_week(days: Floats, origins: Origins, horizon: int) -> Floats:
    at = origins[:, None] - 7 + np.arange(horizon) % 7
    return np.where(at >= 0, days[np.maximum(at, 0)], 0.0)


def _forecast(series: Daily, origins: Origins, horizon: int) -> Floats:
    """What varies, at months of equal length: the median of the methods, weighed with what last year did then."""
    history = _windows(series.varying, np.median(series.varying[:7]), origins)
    real = _windows(series.real, False, origins)
    clean = cleaned(history, real)
    change, weight = _last_year(series.varying, origins, horizon)
    as_last_year = flat(clean.level, real, horizon) * np.exp(change)[:, None]
    level = (1 - weight[:, None]) * combined(clean.level, real, horizon) + weight[:, None] * as_last_year
    return level + clean.weekdays[:, np.arange(horizon) % 7] + _monthly(series.first, clean.spikes, origins, horizon)


def _windows(days: NDArray[Number], before: object, origins: Origins) -> NDArray[Number]:
    """The last days before each origin; those before the series are `before`."""
    lead = np.full(_HISTORY, before, dtype=days.dtype)
    return sliding_window_view(np.concatenate([lead, days]), _HISTORY)[origins].copy()


def _last_year(days: Floats, origins: Origins, horizon: int) -> tuple[Floats, Floats]:
    """How the level changed after this day in earlier years, as a logarithm, and how far that has told what came.

    The weight is the slope of a regression of changes on those a year before, between 0 and 1; 0 without two years.
    """
    change = _changes(days, horizon)
    earlier = _years_before(change)
    both = np.isfinite(change) & np.isfinite(earlier)
    told = np.cumsum(np.where(both, change * earlier, 0.0))
    size = np.cumsum(np.where(both, earlier**2, 0.0))
    seen = np.maximum(origins - horizon, 0)  # what is known by then of changes: those that are over
    enough = (np.cumsum(both)[seen] >= _PAIRS) & np.isfinite(earlier[origins])
    slope = np.clip(told[seen] / np.where(size[seen] > 0, size[seen], 1), 0, 1)
    return np.where(enough, earlier[origins], 0.0), np.where(enough, slope, 0.0)


def _changes(days: Floats, horizon: int) -> Floats:
    """By day: the logarithm of the mean of the horizon over that of four weeks before; NaN where a part is missing."""
    change = np.full(len(days) + 1, np.nan)
    if len(days) >= _LEVEL + horizon:
        sums = np.concatenate([[0.0], np.cumsum(days)])
        at = np.arange(_LEVEL, len(days) - horizon + 1)
        least = 1e-6 * np.abs(days).mean() + 1e-9
        after = np.maximum((sums[at + horizon] - sums[at]) / horizon, least)
        before = np.maximum((sums[at] - sums[at - _LEVEL]) / _LEVEL, least)
        change[at] = np.clip(np.log(after / before), -1, 1)
    return change


def _years_before(change: Floats) -> Floats:
    """The mean of the changes one, two and three years before each day."""
    years = np.full((3, len(change)), np.nan)
    for year, row in enumerate(years, start=1):
        row[year * _YEAR :] = change[: max(0, len(change) - year * _YEAR)]
    found = np.isfinite(years)
    return np.asarray(np.where(found, years, 0).sum(axis=0) / np.where(found.any(axis=0), found.sum(axis=0), np.nan))


def _monthly(first: date, spikes: Floats, origins: Origins, horizon: int) -> Floats:
    """What comes on the same day of each month: spikes that came on it twice running, and so will again."""
    added = np.zeros((len(origins), horizon))
    for row in np.flatnonzero((spikes != 0).sum(axis=1) >= 2):
        now = first + timedelta(days=int(origins[row]))
        for ahead in range(horizon):
            last, earlier = _days_before(now, now + timedelta(days=ahead))
            found = [spikes[row, column] if -column <= _HISTORY else 0.0 for column in (last, earlier)]
            if all(found):
                added[row, ahead] = sum(found) / 2
    return added


def _days_before(now: date, day: date) -> tuple[int, int]:
    """The last two days before `now` with that day of the month, or a month's last, as columns from the end."""
    months = [_same_day(day, back) for back in range(1, 4)]
    past = [month for month in months if month < now]
    return (past[0] - now).days, (past[1] - now).days


def _same_day(day: date, months_back: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months_back, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def together(parts: Iterable[Rolled]) -> Rolled:
    """Forecasts of several series, from the same origins, as one."""
    return reduce(operator.add, parts)
