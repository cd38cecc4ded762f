"""What something will cost: daily amounts, what is known of the days to come, the forecast and how good it has been.

Money is integer micro-dollars. A month is 30 days here, the horizon of a forecast.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import MappingProxyType

HORIZON_DAYS = 30
"""What is forecast unless somebody asks otherwise."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A figure that cannot be had from what there is, and why not."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCosts:
    """What one class of cost came to on each day from `first` on, in micro-dollars; None: that day was not read.

    `unsettled_days`: so many of the last days may still be restated by the bill; they are not used, and what follows
    them is forecast. `per_month`: it is priced by the month (GB-months), so that a day of February costs more.
    """

    first: date
    usd_micros: tuple[int | None, ...]
    unsettled_days: int = 0
    per_month: bool = False

    @property
    def after(self) -> date:
        """The first day that is not in it."""
        return self.first + timedelta(days=len(self.usd_micros))

    @property
    def settled(self) -> tuple[int | None, ...]:
        """All days, with None for those that may still be restated."""
        sure = max(0, len(self.usd_micros) - self.unsettled_days)
        return self.usd_micros[:sure] + (None,) * (len(self.usd_micros) - sure)


@dataclass(frozen=True, slots=True)
class Change:
    """From `day` on, a day costs so many micro-dollars more; negative: less."""

    day: date
    usd_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCosts:
    """What of a class of cost needs no statistics, in micro-dollars a day.

    `committed`: amounts by day, such as a control plane's, which costs more from the day of extended support. On days
    of the past they are part of what was paid, on days to come they are added. `changes` are planned or were made.
    """

    committed: Mapping[date, int] = field(default_factory=lambda: MappingProxyType({}))
    changes: tuple[Change, ...] = ()

    def on(self, day: date) -> int:
        """Micro-dollars that are known of this day."""
        return self.committed.get(day, 0) + sum(each.usd_micros for each in self.changes if each.day <= day)


NOTHING_KNOWN = KnownCosts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where the total of the horizon lies with a chance of `coverage`, in micro-dollars.

    It is as wide as the errors at `origins` earlier days were, times `widened`, which is more than 1 where these days
    overlap so much that they say little of each other: 1 + 1/n for n horizons that they fill.
    """

    low: int
    high: int
    coverage: float
    origins: int
    widened: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Errors of one method; None where nothing was paid, or nothing moved.

    `total_wape`: absolute errors of totals over the sum of totals, 0.05 for 5 %. `daily_wape`: the same of days.
    `mase`: the mean absolute error of a day over the mean absolute change from one day to the next.
    """

    total_wape: float | None
    daily_wape: float | None
    mase: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackTest:
    """What would have been forecast on `origins` earlier days, from what was read until then, beside what came.

    `naive` is the mean of the last 30 days, `seasonal_naive` the last week again and again. `covered` of `intervals`
    held the total; the others of the origins had too few days before them for an interval.
    """

    origins: int
    first: date
    last: date
    forecast: Accuracy
    naive: Accuracy
    seasonal_naive: Accuracy
    intervals: int
    covered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What the days from `first` on will cost on average, in micro-dollars, never less than nothing."""

    first: date
    usd_micros: tuple[int, ...]
    interval: Interval | Unknown
    back_test: BackTest | Unknown

    @property
    def total(self) -> int:
        """Micro-dollars of the whole horizon."""
        return sum(self.usd_micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """Forecasts of parts, by name, and of all that have one together: day by day the sum of theirs."""

    whole: Forecast | Unknown
    parts: Mapping[str, Forecast | Unknown]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelShift:
    """From `since` on a day costs `after` micro-dollars instead of `before`, medians without weekdays and spikes."""

    since: date
    before: int
    after: int

    @property
    def a_month(self) -> int:
        """Micro-dollars that 30 days cost more; negative: less."""
        return HORIZON_DAYS * (self.after - self.before)
