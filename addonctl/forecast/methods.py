"""Three plain methods and their median, for many histories at once: the days to come of a series without weekdays.

A history is a row of a matrix; its last column is the last day that is known, and `real` says which days were read
(others are filled in). Every method sees only its row, so the rows of a back-test, one an origin, are forecast in one
pass. Called by the package alone.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

_LEVEL_GAINS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
_TREND_GAINS = (0.0, 0.02, 0.1, 0.3)  # parts of the level's
_DAMPING = 0.95  # of the trend, a day
_AHEAD = 7  # days: what the smoothing is chosen by
_FIRST = 14  # days: the level to begin with
_FLAT = 28  # days: four weeks


def combined(history: Floats, real: Bools, horizon: int) -> Floats:
    """The days to come of each row, the median of three methods: (rows, days) → (rows, horizon)."""
    methods = (damped_trend(history, real, horizon), theta(history, real, horizon), flat(history, real, horizon))
    return np.median(np.stack(methods), axis=0)


def flat(history: Floats, real: Bools, horizon: int) -> Floats:
    """The mean of the last four weeks. With weekdays put back it is the seasonal naive forecast, smoothed."""
    days, weights = history[:, -_FLAT:], real[:, -_FLAT:].astype(float)
    weights[weights.sum(axis=1) == 0] = 1
    mean = (days * weights).sum(axis=1) / weights.sum(axis=1)
    return np.repeat(mean[:, None], horizon, axis=1)


def damped_trend(history: Floats, real: Bools, horizon: int) -> Floats:
    """Holt's damped trend, each row with the gains of a grid that foretold the mean of a week best."""
    level_gain, part = (each.ravel() for each in np.meshgrid(_LEVEL_GAINS, _TREND_GAINS))
    levels, trends = _smoothed(history, real, level_gain, level_gain * part)
    best = np.argmin(_cost(history, real, levels, trends), axis=1)
    rows = np.arange(len(history))
    path: Floats = levels[-1, rows, best][:, None] + trends[-1, rows, best][:, None] * _damped(horizon)
    return path


def theta(history: Floats, real: Bools, horizon: int) -> Floats:
    """Theta: simple smoothing, drifting by half of the slope of a straight line through the history."""
    gains = np.array(_LEVEL_GAINS)
    levels, trends = _smoothed(history, real, gains, 0 * gains)
    best = np.argmin(_cost(history, real, levels, trends), axis=1)
    level = levels[-1, np.arange(len(history)), best]
    path: Floats = level[:, None] + _slope(history, real)[:, None] / 2 * np.arange(1, horizon + 1)
    return path


def _damped(horizon: int) -> Floats:
    return np.cumsum(_DAMPING ** np.arange(1.0, horizon + 1))


def _smoothed(history: Floats, real: Bools, level_gain: Floats, trend_gain: Floats) -> tuple[Floats, Floats]:
    """Level and trend after each day, for each row and pair of gains: (days, rows, pairs). Days not read move none."""
    count, days = history.shape
    levels, trends = (np.zeros((days, count, len(level_gain))) for _ in range(2))
    level = np.repeat(_first_level(history, real)[:, None], len(level_gain), axis=1)
    trend = np.zeros_like(level)
    for day in range(days):
        expected = level + _DAMPING * trend
        error = (history[:, day, None] - expected) * real[:, day, None]
        level = expected + level_gain * error
        trend = _DAMPING * trend + trend_gain * error
        levels[day], trends[day] = level, trend
    return levels, trends


def _first_level(history: Floats, real: Bools) -> Floats:
    """The mean of the first two weeks that were read."""
    first = real & (np.cumsum(real, axis=1) <= _FIRST)
    level: Floats = (history * first).sum(axis=1) / np.maximum(first.sum(axis=1), 1)
    return level


def _cost(history: Floats, real: Bools, levels: Floats, trends: Floats) -> Floats:
    """Squared errors of the mean of the next days, foretold after each day: (rows, pairs)."""
    sums = np.cumsum(np.pad(history, ((0, 0), (1, 0))), axis=1)
    actual = ((sums[:, _AHEAD + 1 :] - sums[:, 1:-_AHEAD]) / _AHEAD).T  # after day t: the mean of t+1 … t+_AHEAD
    foretold = levels[:-_AHEAD] + trends[:-_AHEAD] * _damped(_AHEAD).mean()
    counts = np.cumsum(real, axis=1).T[:-_AHEAD] >= _AHEAD
    cost: Floats = (((foretold - actual[:, :, None]) ** 2) * counts[:, :, None]).sum(axis=0)
    return cost


def _slope(history: Floats, real: Bools) -> Floats:
    """Of the straight line through what was read, a day."""
    weights = real.astype(float)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1)
    at = np.arange(history.shape[1], dtype=float)[None, :]
    at = at - (weights * at).sum(axis=1, keepdims=True) / total
    spread = (weights * at**2).sum(axis=1)
    slope: Floats = (weights * at * history).sum(axis=1) / np.where(spread > 0, spread, 1)
    return slope
