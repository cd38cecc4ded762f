"""How the settings of addonctl/forecast were chosen: on simulated costs of eight kinds, none of them a real series.

For each setting the absolute errors of 30-day totals over what was paid, in percent and by kind, with the one in use
(marked) and its neighbours; how often the interval holds, by days of history; and how many level shifts are found.

    python -m bench.forecast_settings [SERIES OF EACH KIND]
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from addonctl.forecast import cleaning, forecast, level_shifts, methods, rolling
from addonctl.model.forecast import Forecast, Interval, KnownCosts
from bench.forecast_beside_peers import HORIZON, costs
from bench.measure import table

Days = NDArray[np.float64]
DAYS, FEWEST, STRIDE, SEASONS = 180, 56, 14, 1100
SETTINGS: tuple[tuple[ModuleType, str, tuple[float, ...]], ...] = (
    (methods, "_AHEAD", (1, 3, 7, 14)),
    (methods, "_DAMPING", (0.9, 0.95, 0.98)),
    (cleaning, "_SIZE", (1.5, 2.0, 2.5, 99.0)),
    (cleaning, "_ABRUPT", (0.0, 0.7, 0.9)),
    (cleaning, "_SPIKE", (4.0, 5.0, 99.0)),
    (rolling, "_HISTORY", (91, 182, 364)),
    (rolling, "_PAIRS", (180, 9999)),
)


def weekdays(chance: np.random.Generator, days: int, size: float) -> Days:
    each = chance.normal(0, size, 7)
    around: Days = each - each.mean()
    return around[np.arange(days) % 7]


def steps(chance: np.random.Generator, days: int, every: float, size: float) -> Days:
    """A level that steps once in `every` days on average, by so much of itself."""
    level = np.zeros(days)
    for _ in range(chance.poisson(days / every)):
        level[chance.integers(0, days) :] += chance.normal(0, size)
    stepped: Days = np.exp(level)
    return stepped


def shape(
    noise: float, week: float, every: float = 1e9, size: float = 0.0
) -> Callable[[np.random.Generator, int], Days]:
    def drawn(chance: np.random.Generator, days: int) -> Days:
        around = 1 + chance.normal(0, noise, days) + weekdays(chance, days, week)
        return around * steps(chance, days, every, size)

    return drawn


def wandering(chance: np.random.Generator, days: int) -> Days:
    return shape(0.04, 0.05)(chance, days) * np.exp(np.cumsum(chance.normal(0.001, 0.002, days)))


def returning(chance: np.random.Generator, days: int) -> Days:
    """Load that strays from its mean and comes back within a week or two."""
    stray, noise = np.zeros(days), chance.normal(0, 0.03, days)
    for day in range(1, days):
        stray[day] = 0.85 * stray[day - 1] + noise[day]
    return shape(0.02, 0.05)(chance, days) * np.exp(stray)


def spiky(chance: np.random.Generator, days: int) -> Days:
    return shape(0.03, 0.03, 120, 0.15)(chance, days) + (chance.random(days) < 0.015) * chance.exponential(1.0, days)


def seasonal(chance: np.random.Generator, days: int) -> Days:
    year = np.sin(2 * np.pi * (np.arange(days) + chance.integers(365)) / 365.25)
    level = 1 + chance.uniform(0.05, 0.4) * year + weekdays(chance, days, 0.1) + chance.normal(0, 0.05, days)
    return np.asarray(level * np.exp(np.cumsum(chance.normal(0.0002, 0.004, days))))


def passing(chance: np.random.Generator, days: int) -> Days:
    """Levels that are raised for some days or weeks."""
    raised = shape(0.03, 0.03)(chance, days)
    for _ in range(chance.poisson(3)):
        start = chance.integers(0, days)
        raised[start : start + chance.integers(5, 60)] += chance.uniform(0.1, 0.6)
    return raised


KINDS: dict[str, Callable[[np.random.Generator, int], Days]] = {
    "stable": shape(0.015, 0.01, 90, 0.12),
    "noisy": shape(0.06, 0.05, 120, 0.15),
    "elastic": shape(0.08, 0.08, 30, 0.15),
    "growing": wandering,
    "straying": returning,
    "spiky": spiky,
    "passing": passing,
    "seasonal": seasonal,
}


@contextmanager
def setting(module: ModuleType, name: str, value: float) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def off(kind: str, series: int) -> float:
    """Absolute errors of totals from rolling origins over what was paid, in percent."""
    chance, missed, paid = np.random.default_rng(5), 0.0, 0.0
    length, first = (SEASONS, SEASONS - 360) if kind == "seasonal" else (DAYS, FEWEST)
    for _ in range(series):
        days = np.maximum(100 * KINDS[kind](chance, length), 0)
        origins = np.arange(first, length - HORIZON + 1, STRIDE)
        past = rolling.rolled(rolling.daily(costs(days), KnownCosts(), HORIZON), origins, HORIZON)
        missed += float(np.abs(past.forecast.sum(axis=1) - past.actual.sum(axis=1)).sum())
        paid += float(past.actual.sum())
    return 100 * missed / paid


def held(history: int, series: int) -> str:
    """How many intervals hold, of all kinds."""
    chance, found = np.random.default_rng(6), list[bool]()
    for draw in KINDS.values():
        for _ in range(series):
            days = np.maximum(100 * draw(chance, history + HORIZON), 0)
            known = forecast(costs(days[:history]))
            assert isinstance(known, Forecast)
            assert isinstance(known.interval, Interval)
            found.append(known.interval.low <= 1e6 * days[history:].sum() <= known.interval.high)
    return f"{100 * np.mean(found):.0f} % of {len(found)}"


def shifts(series: int) -> list[tuple[str, ...]]:
    """Level shifts found in 90 days without any, and in those with one step, as a share of a day's cost."""
    chance, rows = np.random.default_rng(99), list[tuple[str, ...]]()
    for kind, draw in (("noise of 5 %", shape(0.05, 0.05)), ("straying", returning), ("growing", wandering)):
        found = sum(bool(level_shifts(costs(100 * draw(chance, 90)))) for _ in range(series))
        rows.append((f"{kind}, no step", f"{found} of {series}"))
    for size in (0.1, 0.15, 0.2, 0.3):
        days = [
            100 * (shape(0.05, 0.05)(chance, 90) + size * (np.arange(90) >= chance.integers(10, 80)))
            for _ in range(series)
        ]
        found = sum(len(level_shifts(costs(each))) == 1 for each in days)
        rows.append((f"noise of 5 %, a step of {100 * size:.0f} %", f"{found} of {series}"))
    return rows


def main(series: int = 20) -> None:
    table("level shifts", shifts(50 * series))
    for module, name, values in SETTINGS:
        rows = [("", *KINDS, "mean")]
        for value in values:
            used = value == getattr(module, name)
            with setting(module, name, value):
                errors = [off(kind, series) for kind in KINDS]
            rows.append(
                (f"{value:g}{' in use' if used else ''}", *(f"{each:.2f}" for each in [*errors, np.mean(errors)]))
            )
        table(f"{module.__name__}.{name}", rows)
    table(
        "80 % interval",
        [("days of history", "held"), *((str(days), held(days, series)) for days in (60, 75, 90, 120, 180, 365))],
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
