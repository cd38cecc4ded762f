"""Claim: the 30-day total is forecast better than by its naive peers, and the interval holds it about as often as said.

Rolling origins, 30 days apart, over public daily series and the 60 days of a real Cost Explorer export (there a day
apart, with too few days before them for an interval). Each forecast sees its own past only. The settings in
addonctl/forecast were chosen on the simulated costs of bench.forecast_settings, not on these series; the one exception
is in docs/decisions/0017-forecasts.md.
AutoETS and AutoTheta of statsforecast stand beside it where that is installed, on the last 364
days, for they take seconds an origin. Then a simulated bill of twelve add-ons whose levels step, half of it planned.

    python -m bench.forecast_beside_peers [DAYS BETWEEN ORIGINS]
"""

import csv
import gzip
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from addonctl.forecast import forecast, portfolio
from addonctl.model.forecast import Change, DailyCosts, Forecast, Interval, KnownCosts
from bench.measure import table

HORIZON, FEWEST_DAYS, STRIDE = 30, 56, 30
SEEN_BY_PEERS = 364
DATA = Path(os.environ.get("ADDONCTL_SHARED", "shared")) / "data"

Days = NDArray[np.float64]
Method = Callable[[Days], Days]
"""The history of days to the next 30."""


@dataclass
class Errors:
    """Of one method over the origins of one series."""

    totals: float = 0.0
    days: float = 0.0
    scaled: list[float] = field(default_factory=list)
    paid: float = 0.0
    held: list[bool] = field(default_factory=list)

    def add(self, path: Days, came: Days, before: Days) -> None:
        self.totals += abs(float(path.sum() - came.sum()))
        self.days += float(np.abs(path - came).sum())
        self.paid += float(came.sum())
        if moves := float(np.abs(np.diff(before)).mean()):
            self.scaled.append(float(np.abs(path - came).mean()) / moves)

    def row(self) -> tuple[str, ...]:
        total, daily = (f"{100 * each / self.paid:.2f} %" if self.paid else "-" for each in (self.totals, self.days))
        held = f"{100 * sum(self.held) / len(self.held):.0f} % of {len(self.held)}" if self.held else "-"
        return total, daily, f"{np.mean(self.scaled):.2f}" if self.scaled else "-", held


def costs(days: Days, first: date = date(2020, 1, 1)) -> DailyCosts:
    """A unit is a dollar."""
    return DailyCosts(first=first, usd_micros=tuple(round(1e6 * float(day)) for day in days))


def naive(history: Days) -> Days:
    return np.full(HORIZON, history[-HORIZON:].mean())


def seasonal_naive(history: Days) -> Days:
    return history[-7:][np.arange(HORIZON) % 7]


def peers() -> dict[str, Method]:
    """Those that are here."""
    found: dict[str, Method] = {"naive: last 30 days": naive, "seasonal naive": seasonal_naive}
    if find_spec("statsforecast"):
        from statsforecast.models import AutoETS, AutoTheta

        for name, model in (("AutoETS", AutoETS), ("AutoTheta", AutoTheta)):
            found[name] = (
                lambda history, model=model: model(season_length=7).forecast(  # type: ignore[misc]
                    y=history[-SEEN_BY_PEERS:], h=HORIZON
                )["mean"]
            )
    return found


def compared(days: Days, first: date, origins: Sequence[int], others: dict[str, Method]) -> dict[str, Errors]:
    """Errors by method, ours first."""
    errors: dict[str, Errors] = defaultdict(Errors)
    for origin in origins:
        before, came = days[:origin], days[origin : origin + HORIZON]
        found = forecast(costs(before, first))
        assert isinstance(found, Forecast)
        errors["addonctl"].add(np.array(found.usd_micros) / 1e6, came, before)
        if isinstance(found.interval, Interval):
            errors["addonctl"].held.append(found.interval.low <= 1e6 * came.sum() <= found.interval.high)
        for name, method in others.items():
            errors[name].add(method(before), came, before)
    return errors


def public_series() -> Iterator[tuple[str, date, Days]]:
    with gzip.open(DATA / "forecasting" / "daily_series.jsonl.gz", "rt") as lines:
        for line in lines:
            each = json.loads(line)
            yield each["id"], date.fromisoformat(each["start"]), np.array(each["values"], dtype=float)


def bill() -> dict[str, Days]:
    """Services by name, and all of them: what Cost Explorer leaves out cost nothing."""
    rows = list(csv.DictReader((DATA / "billing" / "cost_explorer_daily_by_service_60d.csv").open()))
    dates = sorted({row["date"] for row in rows})
    services: dict[str, Days] = defaultdict(lambda: np.zeros(len(dates)))
    for row in rows:
        services[row["service"]][dates.index(row["date"])] += float(row["unblended_usd"])
    dear = {name: days for name, days in services.items() if days.sum() >= 0.5}
    return {**dear, "all services": np.sum(list(services.values()), axis=0)}


def simulated(chance: np.random.Generator, days: int) -> tuple[Days, list[Change]]:
    """Dollars a day of one add-on: noise, weekdays, and steps of some 15 % every 60 days; the steps."""
    weekdays, at = chance.normal(0, 0.04, 7), np.arange(days)
    steps = [(int(day), float(chance.normal(0, 15))) for day in chance.integers(0, days, chance.poisson(days / 60))]
    level = 100 + sum((by * (at >= day) for day, by in steps), np.zeros(days))
    made = [Change(date(2020, 1, 1) + timedelta(days=day), round(1e6 * by)) for day, by in steps]
    return np.maximum(level + 100 * (weekdays[at % 7] + chance.normal(0, 0.04, days)), 0), made


def simulated_bills(bills: int = 25, addons: int = 12, known_days: int = 90) -> list[tuple[str, ...]]:
    """What is known of half of the steps beforehand is worth."""
    chance, errors = np.random.default_rng(20261126), defaultdict[str, Errors](Errors)
    for _ in range(bills):
        drawn = {str(number): simulated(chance, known_days + HORIZON) for number in range(addons)}
        parts = {name: costs(days[:known_days]) for name, (days, _) in drawn.items()}
        planned = {name: KnownCosts(changes=tuple(steps[::2])) for name, (_, steps) in drawn.items()}
        whole = np.sum([days for days, _ in drawn.values()], axis=0)
        for label, known in (("nothing known", None), ("half of the steps planned", planned)):
            found = portfolio(parts, known)
            for name, (days, _) in drawn.items():
                _judge(errors[f"an add-on, {label}"], found.parts[name], days[:known_days], days[known_days:])
            _judge(errors[f"twelve add-ons, {label}"], found.whole, whole[:known_days], whole[known_days:])
        errors["twelve add-ons, naive"].add(naive(whole[:known_days]), whole[known_days:], whole[:known_days])
    return [(name, *each.row()) for name, each in sorted(errors.items())]


def _judge(errors: Errors, found: object, before: Days, came: Days) -> None:
    assert isinstance(found, Forecast)
    assert isinstance(found.interval, Interval)
    errors.add(np.array(found.usd_micros) / 1e6, came, before)
    errors.held.append(found.interval.low <= 1e6 * came.sum() <= found.interval.high)


HEAD = ("WAPE of 30-day totals", "WAPE of days", "MASE", "80 % interval held")


def main(stride: int = STRIDE) -> None:
    others = peers()
    for name, first, days in public_series():
        origins = range(FEWEST_DAYS, len(days) - HORIZON + 1, stride)
        found = compared(days, first, origins, others)
        table(
            f"{name}, {len(origins)} origins", [("", *HEAD), *((method, *each.row()) for method, each in found.items())]
        )
    origins = range(14, 31)
    plain = {method: others[method] for method in list(others)[:2]}
    for name, days in bill().items():
        found = compared(days, date(2024, 2, 1), origins, plain)
        table(
            f"Cost Explorer, {name}, {len(origins)} origins",
            [("", *HEAD), *((method, *each.row()) for method, each in found.items())],
        )
    table("25 simulated bills", [("", *HEAD), *simulated_bills()])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
