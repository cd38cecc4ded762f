"""How what a container uses grows: by week, and with the cluster, so that "when the cluster doubles" has an answer.

Decided from days of use and from the cluster's size on them. Pods and nodes grow together, and some weeks do not tell
which of them a container follows: the one that foretells days that were left out better is taken. Called by the faces.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from addonctl.model.forecast import Unknown
from addonctl.model.sizing import Day
from addonctl.model.usage import ClusterSize, ContainerUsage
from addonctl.trends import line, rising, slope
from addonctl.usage import UsageReport

DAYS_MIN = 7
"""Whole days without which nothing is said."""
SPREAD_MIN = 1.2
"""The cluster was so many times as large on one day as on another, or its size tells nothing."""
BETTER = 0.9
"""A driver's error is at most this share of that of no driver at all."""
_SURE = 1.96  # standard deviations: five in a hundred steady series look like growth


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverFit:
    """What is used a day is `constant` + `each` × `driver`. `driver` is empty where use does not follow the cluster.

    From `days` days; days that were left out were foretold with a median error of `error`, as a share of what is used.
    `now` is the cluster as it is, `doubled` one of twice as many pods and nodes.
    """

    driver: str
    constant: float
    each: float
    days: int
    error: float
    now: float
    doubled: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """One container: of CPU the level that 95 % of a day is under, in millicores; of memory its highest, in bytes.

    `a_week` is how much more each week, nothing where that may be chance. `busiest`: the hour of the week, from Monday
    00:00 UTC, with the most CPU; None where hours were not read.
    """

    usage: ContainerUsage
    cpu: DriverFit | Unknown
    memory: DriverFit | Unknown
    cpu_a_week: float
    memory_a_week: float
    busiest: int | None


def growths(report: UsageReport) -> tuple[Growth, ...]:
    """One a container that was measured, in the report's order."""
    return tuple(_growth(each, report.metrics.sizes) for each in report.containers)


def _growth(used: ContainerUsage, sizes: Sequence[ClusterSize]) -> Growth:
    days = [day for day in used.days if day.whole]
    busy = used.week and max(used.week) > 0
    return Growth(
        usage=used,
        cpu=_fit(days, sizes, _cpu),
        memory=_fit(days, sizes, _memory),
        cpu_a_week=_a_week(days, _cpu),
        memory_a_week=_a_week(days, _memory),
        busiest=used.week.index(max(used.week)) if busy else None,
    )


def _cpu(day: Day) -> float:
    return day.cpu_p95


def _memory(day: Day) -> float:
    return float(day.memory_max)


_Level = Callable[[Day], float]
_Points = Sequence[tuple[float, float]]


def _a_week(days: Sequence[Day], level: _Level) -> float:
    values = [level(day) for day in days]
    if len(days) < DAYS_MIN or abs(rising(values)) < _SURE:
        return 0.0
    return 7 * slope([(day.date.toordinal(), level(day)) for day in days])


def _fit(days: Sequence[Day], sizes: Sequence[ClusterSize], level: _Level) -> DriverFit | Unknown:
    """By the driver that foretells best, if one does better than none."""
    by_date = {each.date: each for each in sizes}
    both = [(by_date[day.date], level(day)) for day in days if day.date in by_date]
    if not sizes:
        return Unknown("how large the cluster was is not known")
    if len(both) < DAYS_MIN:
        return Unknown(f"{len(both)} whole days are too few")
    if not (drivers := dict(_drivers(both))):
        return Unknown("the cluster's size hardly changed")
    flat = _error([(0.0, used) for _, used in both])
    name, points = min(drivers.items(), key=lambda each: _error(each[1]))
    error, latest = _error(points), points[-1][0]
    constant, each = line(points)
    follows = rising([used for _, used in sorted(points)]) >= _SURE
    if not follows or each <= 0 or error > BETTER * flat:
        now = median(used for _, used in both)
        off = _share(flat, now)
        return DriverFit(driver="", constant=now, each=0.0, days=len(both), error=off, now=now, doubled=now)
    now = constant + each * latest
    return DriverFit(
        driver=name,
        constant=constant,
        each=each,
        days=len(both),
        error=_share(error, now),
        now=now,
        doubled=now + each * latest,
    )


def _drivers(both: Sequence[tuple[ClusterSize, float]]) -> Iterator[tuple[str, _Points]]:
    """Pods and nodes, where there were enough more of them on one day than on another."""
    for name in ("pods", "nodes"):
        points = [(float(getattr(size, name) or 0), used) for size, used in both]
        least, most = min(x for x, _ in points), max(x for x, _ in points)
        if least > 0 and most >= SPREAD_MIN * least:
            yield name, points


def _error(points: _Points) -> float:
    """The median of how far each day is from what the others foretell."""
    off = []
    for n, (x, y) in enumerate(points):
        constant, each = line([*points[:n], *points[n + 1 :]])
        off.append(abs(constant + each * x - y))
    return median(off)


def _share(error: float, of: float) -> float:
    return error / of if of else 0.0
