"""What a cluster will cost over the next 30 days, from the days that were recorded and what is known beforehand.

A day is what a month of the cluster as it runs then costs, by days; the price of extended support has a date. Called by
the faces, which record and read the days.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from addonctl.catalog import Catalog
from addonctl.cost import CostRow
from addonctl.forecast import level_shifts, portfolio
from addonctl.model import UPGRADED_BY_AWS, EksCluster
from addonctl.model.cost import HOURS_PER_MONTH, Pool
from addonctl.model.forecast import HORIZON_DAYS, DailyCosts, KnownCosts, LevelShift, Portfolio
from addonctl.model.spending import CostDay
from addonctl.versions import Minor

_HOURS_PER_DAY = 24


def cost_day(cluster: str, day: date, rows: Iterable[CostRow], eks: EksCluster | None = None) -> CostDay:
    """What a day costs at the rate of a month, by name; and what EKS says of the cluster, where that was read."""
    amounts = {row.name: row.usd_micros * _HOURS_PER_DAY // HOURS_PER_MONTH for row in rows if row.by_kind}
    kubernetes, support = (eks.version, eks.support_type) if eks else ("", "")
    return CostDay(cluster=cluster, day=day, usd_micros=amounts, kubernetes=kubernetes, support_type=support)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Forecasts by name and together, what was paid in the 30 days before, and what began to cost more or less.

    `support`: what it holds of extended support, and from which day on.
    """

    cluster: str
    recorded: int
    last: date
    paid: Mapping[str, int]
    forecast: Portfolio
    shifts: Mapping[str, tuple[LevelShift, ...]]
    support: "Support"


class Support(NamedTuple):
    """Whether a forecast holds extended support: `extended` of `kubernetes` begins on `begins`, and is billed or not.

    `kubernetes` is None where nobody said which runs; `upgraded`: AWS upgrades the control plane instead.
    """

    kubernetes: Minor | None
    begins: date | None
    upgraded: bool


def outlook(days: Sequence[CostDay], catalog: Catalog, kubernetes: Minor | None = None) -> Outlook:
    """The outlook after the last of these days, which are of one cluster and not none.

    `kubernetes` is what the cluster runs, if not what was recorded.
    """
    recorded = days[-1].kubernetes
    running = kubernetes or (Minor.of(recorded) if recorded else None)
    release = catalog.kubernetes.release(running) if running else None
    support = Support(running, release.end_standard if release else None, days[-1].support_type == UPGRADED_BY_AWS)
    first, last = days[0].day, days[-1].day
    by_day = {each.day: each.usd_micros for each in days}
    names = dict.fromkeys(name for each in days for name in each.usd_micros)
    every = [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def amount(name: str, day: date) -> int | None:
        """None: nobody recorded that day; nothing: it was not there."""
        return by_day[day].get(name, 0) if day in by_day else None

    costs = {name: DailyCosts(first=first, usd_micros=tuple(amount(name, day) for day in every)) for name in names}
    known = {Pool.CLUSTER.value: _support(catalog, running, every, last)} if running and not support.upgraded else {}
    recent = [each for each in days if each.day > last - timedelta(days=HORIZON_DAYS)]
    return Outlook(
        cluster=days[-1].cluster,
        recorded=len(days),
        last=last,
        paid={name: sum(each.usd_micros.get(name, 0) for each in recent) for name in names},
        forecast=portfolio(costs, known),
        shifts={name: level_shifts(each, known.get(name, KnownCosts())) for name, each in costs.items()},
        support=support,
    )


def _support(catalog: Catalog, kubernetes: Minor, past: Iterable[date], last: date) -> KnownCosts:
    """What the control plane costs each day: more from the day on that its extended support begins."""
    calendar = catalog.kubernetes
    release = calendar.release(kubernetes)
    if release is None:
        return KnownCosts()
    coming = (last + timedelta(days=n) for n in range(1, HORIZON_DAYS + 1))
    committed = {}
    for day in (*past, *coming):
        committed[day] = int(calendar.control_plane_usd_per_hour(release, day) * _HOURS_PER_DAY * 1_000_000)
    return KnownCosts(committed=committed)
