"""What a class of cost will come to over the next 30 days, from its daily amounts and from what is known beforehand.

What is known is taken off, the rest is cleaned of steps, weekdays and one-off spikes, and goes on as the median of a
damped trend, Theta and the last four weeks says, weighed with last year where that has told the way; then what is known
is put back. The same is done as of earlier days: their errors are the back-test, and make the interval. Settings were
chosen on simulated costs (bench/forecast_settings.py). Pure; imports numpy, so it is imported where it is used.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from addonctl.forecast.cleaning import steps, without_weekdays
from addonctl.forecast.judging import back_test, earlier_origins, interval
from addonctl.forecast.methods import Bools, Floats
from addonctl.forecast.rolling import MIN_DAYS, Origins, Rolled, daily, rolled, together
from addonctl.model.forecast import (
    HORIZON_DAYS,
    NOTHING_KNOWN,
    DailyCosts,
    Forecast,
    KnownCosts,
    LevelShift,
    Portfolio,
    Unknown,
)

__all__ = ["MIN_DAYS", "forecast", "level_shifts", "portfolio"]


def forecast(costs: DailyCosts, known: KnownCosts = NOTHING_KNOWN, horizon: int = HORIZON_DAYS) -> Forecast | Unknown:
    """The days after the last one that `costs` has, with an interval of their total and the back-test."""
    if reason := _too_few(costs):
        return reason
    series = daily(costs, known, horizon)
    origins = earlier_origins(len(series), horizon)
    all_rows = rolled(series, np.append(origins, len(series)), horizon)
    return _judged(_whole(all_rows.forecast[-1]), all_rows, origins, costs.first, series.paid, series.real)


def portfolio(
    parts: Mapping[str, DailyCosts],
    known: Mapping[str, KnownCosts] | None = None,
    horizon: int = HORIZON_DAYS,
) -> Portfolio:
    """Forecasts of parts and of their sum, whose errors are those of the sums of parts' forecasts.

    A part costs nothing before its first day. One that ends before the others was not read since. What is unknown of
    a part is unknown of the whole: it is left out of it.
    """
    known = known or {}
    after = max((each.after for each in parts.values()), default=date.min)
    even = {name: _until(costs, after) for name, costs in parts.items()}
    found = {name: forecast(costs, known.get(name, NOTHING_KNOWN), horizon) for name, costs in even.items()}
    paths = [each.usd_micros for each in found.values() if isinstance(each, Forecast)]
    if not paths:
        return Portfolio(whole=Unknown("of no part there is a forecast"), parts=found)
    whole = _sum({name: even[name] for name, each in found.items() if isinstance(each, Forecast)}, known, horizon)
    path = tuple(sum(day) for day in zip(*paths, strict=True))
    return Portfolio(whole=_judged(path, *whole), parts=found)


def level_shifts(costs: DailyCosts, known: KnownCosts = NOTHING_KNOWN) -> tuple[LevelShift, ...]:
    """When, and by how much, days began to cost more or less than what is known and noise explain; oldest first."""
    if _too_few(costs):
        return ()
    series = daily(costs, known, 0)
    level, _ = without_weekdays(series.varying[None], series.real[None])
    return tuple(
        LevelShift(since=costs.first + timedelta(days=each.at), before=round(each.before), after=round(each.after))
        for each in steps(level[0], series.real, parts=True)
    )


def _too_few(costs: DailyCosts) -> Unknown | None:
    days = sum(each is not None for each in costs.settled)
    return Unknown(f"{days} of the {MIN_DAYS} days that a forecast takes were read") if days < MIN_DAYS else None


def _until(costs: DailyCosts, after: date) -> DailyCosts:
    missing = (None,) * (after - costs.after).days
    return replace(costs, usd_micros=costs.settled + missing, unsettled_days=0)


def _whole(days: Floats) -> tuple[int, ...]:
    """As whole micro-dollars."""
    return tuple(int(each) for each in np.rint(days))


def _sum(
    parts: Mapping[str, DailyCosts], known: Mapping[str, KnownCosts], horizon: int
) -> tuple[Rolled, Origins, date, Floats, Bools]:
    """What was forecast of the parts together, from which origins, their first day, and what they came to."""
    first = min(each.first for each in parts.values())
    days = max((each.after - first).days for each in parts.values())
    origins = earlier_origins(days, horizon)
    rows, paid, real = [], np.zeros(days), np.ones(days, dtype=bool)
    for name, costs in parts.items():
        series, later = daily(costs, known.get(name, NOTHING_KNOWN), horizon), (costs.first - first).days
        rows.append(rolled(series, np.append(origins, days) - later, horizon))
        paid[later:] += series.paid
        real[later:] &= series.real
    return together(rows), origins, first, paid, real


def _judged(path: tuple[int, ...], rows: Rolled, origins: Origins, first: date, paid: Floats, real: Bools) -> Forecast:
    """A forecast with the errors of earlier ones; the last row is now. What was mostly not read tests nothing."""
    horizon = len(path)
    tested = rows.real[:-1].sum(axis=1) * 2 >= horizon
    past, origins = rows.of(np.append(tested, False)), origins[tested]
    return Forecast(
        first=first + timedelta(days=len(paid)),
        usd_micros=path,
        interval=interval(sum(path), float(rows.scale[-1]), past, origins, horizon),
        back_test=back_test(past, origins, first, paid, real),
    )
