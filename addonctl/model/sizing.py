"""What a container used, day by day, and what it should request: values, which rightsizing.py computes.

CPU is in millicores, memory in bytes of working set. Where a container has replicas, each figure is that of the worst.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise

WHOLE_DAY = 0.8
"""The share of a day's samples that makes it a whole day. Less can show that more is needed, never that less is."""


HOURS_A_WEEK = 168


class Resource(StrEnum):
    CPU = "cpu"
    MEMORY = "memory"


class Risk(StrEnum):
    """How often a container may need more than it requests: the lower, the more is reserved."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Statistic(StrEnum):
    """What a day counts as: its busiest five minutes, or the level that 99 % or 95 % of it stays under."""

    MAX = "max"
    P99 = "p99"
    P95 = "p95"


class Autoscaler(StrEnum):
    """Who else sets requests, or scales by the share of them that is used."""

    HPA = "HorizontalPodAutoscaler"
    VPA = "VerticalPodAutoscaler"


class Rule(StrEnum):
    """What a proposed request is by."""

    DAYS = "days"  # the busiest days, but for so many as the risk lets go
    COLD_START = "cold start"  # too few days for the bound that the risk asks for, so it is widened
    WEEKLY_PEAK = "weekly peak"  # a day of the week that was as busy at least twice
    TREND = "trend"  # use grows, and is followed until the next review
    OOM = "OOM kill"
    FLOOR = "floor"  # what the documentation of the add-on asks for
    CEILING = "ceiling"  # no node offers more, or the limit allows no more
    CURRENT = "current"  # nothing is known that a request could be made of


class Kept(StrEnum):
    """Why a request stays as it is."""

    TOO_LITTLE_DATA = "too little data"
    WITHIN_HYSTERESIS = "within hysteresis"
    MANAGED_BY_HPA = "managed by a HorizontalPodAutoscaler"
    MANAGED_BY_VPA = "managed by a VerticalPodAutoscaler"
    OOM_FREEZE = "killed for memory lately"
    THROTTLED = "throttled, so that its demand is not known"
    AT_FLOOR = "at the documented floor"


class Direction(StrEnum):
    UP = "up"
    DOWN = "down"
    SAME = "same"
    NEW = "new"  # nothing was requested


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The use of one day. `samples_share` is how much of it was measured, `throttled_share` the share of CPU periods.

    `memory_limit_bytes` is the limit of that day where it is known: an OOM kill means that this was too little.
    """

    date: date
    cpu_p50: float = 0
    cpu_p95: float = 0
    cpu_p99: float = 0
    cpu_max: float = 0
    memory_max: int = 0
    throttled_share: float = 0
    oom_kills: int = 0
    samples_share: float = 1
    memory_limit_bytes: int | None = None

    def __post_init__(self) -> None:
        levels = (0, self.cpu_p50, self.cpu_p95, self.cpu_p99, self.cpu_max)
        assert all(low <= high for low, high in pairwise(levels)), f"not in order: {levels}"

    @property
    def whole(self) -> bool:
        return self.samples_share >= WHOLE_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a container has of one resource, in millicores or bytes; None is not set.

    `floor` is what the add-on's documentation asks for at least, `ceiling` what the largest node offers.
    """

    request: int | None = None
    limit: int | None = None
    floor: int | None = None
    ceiling: int | None = None
    autoscaler: Autoscaler | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The use of one container, worst over its replicas, on days before `as_of`, in any order.

    `week` says for each hour of the week, from Monday 00:00 UTC, the CPU that was reached in it in each of the last two
    weeks, the lower of their maxima; empty where that was not asked for.
    """

    as_of: date
    days: tuple[Day, ...] = ()
    week: tuple[float, ...] = ()
    cpu: Setting = Setting()
    memory: Setting = Setting()

    def __post_init__(self) -> None:
        dates = [day.date for day in self.days]
        assert len(dates) == len(set(dates)), "a day is there twice"
        assert all(day < self.as_of for day in dates), f"a day is not before {self.as_of}"
        assert len(self.week) in (0, HOURS_A_WEEK), f"a week has {HOURS_A_WEEK} hours, not {len(self.week)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPolicy:
    """Limits as multiples of requests. None, the default, asks for none: limits that exist stay as they are."""

    cpu: float | None = None
    memory: float | None = None


NO_LIMITS = LimitPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of the risk of a request, by the days before it.

    `bound`: the chance that the statistic of the next day is above what the rule asks for is at most this, if days
    come in no particular order (1 / (n + 1) for the highest of n days, 1 if nothing is known).
    `days_over`: days on which the container used more than the request at least once.
    `over_share`: the share of time in which it did, at most; quantiles of days do not say it more closely.
    `peak_hour`: the hour of the week of the highest use, from Monday 00:00 UTC.
    """

    days: int
    whole_days: int
    days_over: int
    over_share: float
    bound: float
    growth_per_day: float = 0
    weekday: int | None = None
    peak_hour: int | None = None
    oom_kills: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a container should request of one resource, in millicores or bytes.

    `request` is what it should be, the current one if `kept` says why; `computed` is what `rule` alone asks for.
    `limit` is what belongs to it, None for no limit. `slack` is the share of the request that is not used on a usual
    day (CPU: at its median), None if that is not known.
    """

    resource: Resource
    current: int | None
    request: int | None
    limit: int | None
    computed: int | None
    rule: Rule
    direction: Direction
    kept: Kept | None
    slack: float | None
    evidence: Evidence

    @property
    def changes(self) -> bool:
        return self.request != self.current


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """Both resources of one container at one risk."""

    risk: Risk
    proposals: Mapping[Resource, Proposal]

    @property
    def cpu(self) -> Proposal:
        return self.proposals[Resource.CPU]

    @property
    def memory(self) -> Proposal:
        return self.proposals[Resource.MEMORY]
