"""How good forecasts have been, and how far off the next may be: from errors at earlier days. Called by the package."""

import math
from datetime import date, timedelta

import numpy as np

from addonctl.forecast.methods import Bools, Floats
from addonctl.forecast.rolling import Origins, Rolled
from addonctl.model.forecast import Accuracy, BackTest, Interval, Unknown

COVERAGE = 0.8
FIRST_ORIGIN = 21
"""Days that the first forecast of a back-test has before it."""
_MOST_ORIGINS = 100  # more tell little, and cost time
_OLDEST = 730  # days: what was before says little of how far off we are now
_FEWEST = 4  # errors, for one of them to be the bound


def earlier_origins(days: int, horizon: int) -> Origins:
    """Origins whose horizon is over, evenly spaced, the last first day included; ascending, maybe none."""
    last = days - horizon
    first = max(FIRST_ORIGIN, last - _OLDEST)
    stride = max(1, math.ceil((last - first + 1) / _MOST_ORIGINS))
    return np.arange(last, first - 1, -stride)[::-1]


def interval(total: int, scale: float, past: Rolled, origins: Origins, horizon: int) -> Interval | Unknown:
    """Split conformal: as far from the total as the errors of earlier totals, by rank for a finite sample."""
    if len(origins) < _FEWEST:
        days = FIRST_ORIGIN + horizon + _FEWEST - 1
        return Unknown(f"an interval takes {days} days of history")
    off = _bound(_errors(past), origins, horizon) * scale
    if not math.isfinite(off):
        return Unknown("costs began anew too often after a horizon without any")
    return Interval(
        low=max(0, math.floor(total - off)),
        high=math.ceil(total + off),
        coverage=COVERAGE,
        origins=len(origins),
        widened=_widened(origins, horizon),
    )


def _errors(past: Rolled) -> Floats:
    """Absolute errors of totals over the size of what varied; infinite where that was nothing."""
    days = past.real.sum(axis=1)
    off = np.abs((past.forecast * past.real).sum(axis=1) - past.actual.sum(axis=1)) * past.real.shape[1] / days
    errors = np.where(off < past.real.shape[1] / 2, 0.0, np.inf)  # less than what rounding to micro-dollars hides
    np.divide(off, past.scale, out=errors, where=(errors > 0) & (past.scale > 0))
    return errors


def _bound(errors: Floats, origins: Origins, horizon: int) -> float:
    rank = min(len(errors), math.ceil(round(COVERAGE * (len(errors) + 1), 9)))
    return float(np.sort(errors)[rank - 1]) * _widened(origins, horizon)


def _widened(origins: Origins, horizon: int) -> float:
    """Origins a day apart share most of what came; so many horizons as they fill are independent."""
    return 1 + 1 / (1 + float(origins[-1] - origins[0]) / horizon)


def back_test(past: Rolled, origins: Origins, first: date, paid: Floats, real: Bools) -> BackTest | Unknown:
    """Of forecasts from `origins`, days after `first`; `paid` is the series, those days count that are `real`."""
    horizon = past.actual.shape[1]
    if not len(origins):
        return Unknown(f"a back-test takes {FIRST_ORIGIN + horizon} days of history")
    moves = float(np.abs(np.diff(paid[real])).mean()) if real.sum() > 1 else 0.0
    held = _held(_errors(past), origins, horizon)
    return BackTest(
        origins=len(origins),
        first=first + timedelta(days=int(origins[0])),
        last=first + timedelta(days=int(origins[-1])),
        forecast=_accuracy(past.forecast, past, moves),
        naive=_accuracy(past.naive, past, moves),
        seasonal_naive=_accuracy(past.seasonal, past, moves),
        intervals=len(held),
        covered=sum(held),
    )


def _held(errors: Floats, origins: Origins, horizon: int) -> list[bool]:
    """Whether each origin's interval, from errors that were known by then, held what came."""
    held = []
    for error, origin in zip(errors, origins, strict=True):
        known = origins <= origin - horizon
        if known.sum() >= _FEWEST:
            held.append(bool(error <= _bound(errors[known], origins[known], horizon)))
    return held


def _accuracy(forecast: Floats, past: Rolled, moves: float) -> Accuracy:
    shown = forecast * past.real
    paid, off = float(np.abs(past.actual).sum()), float(np.abs(shown - past.actual).sum())
    totals = float(np.abs(shown.sum(axis=1) - past.actual.sum(axis=1)).sum())
    days = int(past.real.sum())
    return Accuracy(
        total_wape=totals / paid if paid else None,
        daily_wape=off / paid if paid else None,
        mase=off / days / moves if days and moves else None,
    )
