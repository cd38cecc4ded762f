"""What a container should request: the least that its risk allows, by what it used on each of the days before.

The highest of n days is exceeded on the next one with a chance of at most 1 / (n + 1), the k-th highest with at most
k / (n + 1), whatever their distribution, as long as days come in no particular order (split conformal prediction).
A risk says which level of a day counts and how often it may be exceeded; so many of the busiest days are left out.
What has an order is added: a day of the week that is busy again and again, and use that grows. With few days a request
is wider, and what was measured in part, killed for memory or throttled never makes it smaller.

Pure; called with aggregates of days, never raw series. No CPU limit is asked for unless a policy does: it slows down
what it limits, and protects nobody who has requests of their own.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import median

from addonctl.model.sizing import (
    NO_LIMITS,
    Autoscaler,
    Day,
    Direction,
    Evidence,
    History,
    Kept,
    LimitPolicy,
    Proposal,
    Resource,
    Risk,
    Rule,
    Setting,
    Sizing,
    Statistic,
)
from addonctl.trends import rising, slope

MIB = 2**20
HYSTERESIS = 0.1
"""So much more than is needed is not worth a restart. Less than is needed is never kept, for it breaks the bound."""
DAYS_MIN = 3
"""With fewer whole days nothing is made smaller."""
CYCLE_DAYS = 14
"""Until each day of the week was seen twice, no day is left out and no trend is believed."""
OOM_FREEZE = timedelta(days=7)
THROTTLED_SHARE = 0.05
REVIEW_DAYS = 7
"""A request lasts until the next review: what grows must fit for so long."""
MEMORY_EPSILON = 0.02
_TREND_Z = 2.33  # one chance in a hundred that days without a trend look like it, by Mann and Kendall
_OOM_FACTOR, _OOM_STEP = 1.2, 100 * MIB
_COLD_CPU, _COLD_MEMORY = 0.15, 0.5


Level = Callable[[Day], float]
LEVELS: Mapping[Statistic, Level] = {
    Statistic.MAX: lambda day: day.cpu_max,
    Statistic.P99: lambda day: day.cpu_p99,
    Statistic.P95: lambda day: day.cpu_p95,
}


@dataclass(frozen=True, slots=True)
class Budget:
    """What a risk means: the level of a day that CPU must cover, on all but `epsilon` of days; memory's margin."""

    statistic: Statistic
    epsilon: float
    memory_margin: float = 0.15


BUDGETS: Mapping[Risk, Budget] = {
    Risk.LOW: Budget(Statistic.MAX, 1 / 15, 0.25),
    Risk.MEDIUM: Budget(Statistic.P99, 0.1, 0.15),
    Risk.HIGH: Budget(Statistic.P95, 0.2, 0.1),
}


@dataclass(frozen=True, slots=True)
class Need:
    """What a rule asks for, in millicores or bytes. `weekday`: whose peak it is; `growth`: by which it grows a day."""

    value: float
    rule: Rule
    weekday: int | None = None
    growth: float = 0


def rightsized(history: History, risk: Risk, policy: LimitPolicy = NO_LIMITS) -> Sizing:
    """Requests and limits for one container. Unknown use leaves them as they are."""
    budget = BUDGETS[risk]
    cpu = cpu_need(history, budget)
    memory = memory_need(history, budget)
    return Sizing(
        risk=risk,
        proposals={
            Resource.CPU: _proposed(Resource.CPU, history, history.cpu, cpu, budget, policy.cpu),
            Resource.MEMORY: _proposed(Resource.MEMORY, history, history.memory, memory, budget, policy.memory),
        },
    )


# What the rules ask for.


def cpu_need(history: History, budget: Budget) -> Need | None:
    """Millicores by the rules alone: without floors, limits, or what is set now. None without any day."""
    if not history.days:
        return None
    level = LEVELS[budget.statistic]
    usual = _busiest(history.days, level, budget.epsilon)
    if usual is None:
        usual = Need(_cold_cpu(history.days, budget.statistic), Rule.COLD_START)
    return _most(usual, _recurring(history, budget.statistic), _growing(history, level, budget.epsilon))


def memory_need(history: History, budget: Budget) -> Need | None:
    """Bytes by the rules alone; after an OOM kill at least a fifth or 100 MiB more than what was too little."""
    if not history.days:
        return None
    usual = _busiest(history.days, _memory, MEMORY_EPSILON)
    widening = 1 + budget.memory_margin
    if usual is None:
        usual = Need(max(map(_memory, history.days)), Rule.COLD_START)
        widening += _COLD_MEMORY / math.sqrt(max(_whole(history.days), 1))
    most = _most(usual, _growing(history, _memory, MEMORY_EPSILON))
    return _most(replace(most, value=most.value * widening), _killed(history.days))


def _most(usual: Need, *others: Need | None) -> Need:
    return max((usual, *filter(None, others)), key=lambda need: need.value)


def _busiest(days: Sequence[Day], level: Level, epsilon: float) -> Need | None:
    """The level of the busiest day, after those that may be left out. None: too few days to keep to `epsilon`."""
    left_out = math.floor((_whole(days) + 1) * epsilon + 1e-9) - 1
    if left_out < 0:
        return None
    if _whole(days) < CYCLE_DAYS:
        left_out = 0
    return Need(sorted(map(level, days), reverse=True)[left_out], Rule.DAYS)


def _cold_cpu(days: Iterable[Day], statistic: Statistic) -> float:
    """The busiest five minutes, for levels that would leave them out; and more than that, where they count anyway."""
    return max(day.cpu_max for day in days) * (1 + _COLD_CPU * (statistic is Statistic.MAX))


def _recurring(history: History, statistic: Statistic) -> Need | None:
    """The highest level that some day of the week reached twice: leaving days out must not forget it."""
    level = LEVELS[statistic]
    by_weekday: dict[int, list[float]] = {}
    for day in history.days:
        by_weekday.setdefault(day.date.weekday(), []).append(level(day))
    twice = [(sorted(levels)[-2], weekday) for weekday, levels in by_weekday.items() if len(levels) > 1]
    if history.week and statistic is Statistic.MAX:
        twice.append((max(history.week), history.week.index(max(history.week)) // 24))
    if not twice:
        return None
    value, weekday = max(twice)
    return Need(value, Rule.WEEKLY_PEAK, weekday=weekday)


def _growing(history: History, level: Level, epsilon: float) -> Need | None:
    """The busiest days as they would be at the next review, if they grow steadily until then (Theil and Sen)."""
    days = [day for day in history.days if day.whole]
    if len(days) < CYCLE_DAYS:
        return None
    points = sorted((day.date.toordinal(), level(day)) for day in days)
    if rising([value for _, value in points]) < _TREND_Z:
        return None
    by = slope(points)
    review = history.as_of.toordinal() + REVIEW_DAYS
    left_out = max(math.floor((len(days) + 1) * epsilon + 1e-9) - 1, 0)
    grown = sorted((value + by * (review - ordinal) for ordinal, value in points), reverse=True)
    return Need(grown[left_out], Rule.TREND, growth=by)


def _killed(days: Iterable[Day]) -> Need | None:
    """More than what was too little: the limit of a day with an OOM kill, or its use where that is not known."""
    enough = [
        max(short * _OOM_FACTOR, short + _OOM_STEP)
        for short in (max(day.memory_max, day.memory_limit_bytes or 0) for day in days if day.oom_kills)
    ]
    return Need(max(enough), Rule.OOM) if enough else None


def _memory(day: Day) -> float:
    return day.memory_max


def _whole(days: Iterable[Day]) -> int:
    return sum(day.whole for day in days)


# What becomes of it, beside what is set.


def _proposed(
    resource: Resource, history: History, setting: Setting, need: Need | None, budget: Budget, limits: float | None
) -> Proposal:
    computed = _bounded(resource, setting, need)
    kept = _kept(resource, history, setting, computed)
    request = setting.request if kept or computed is None else round(computed.value)
    return Proposal(
        resource=resource,
        current=setting.request,
        request=request,
        limit=_limit(setting, request, limits),
        computed=round(computed.value) if computed else None,
        rule=computed.rule if computed else Rule.CURRENT,
        direction=_direction(setting.request, request),
        kept=kept,
        slack=_slack(resource, history.days, request),
        evidence=_evidence(resource, history, request, computed, budget),
    )


def _bounded(resource: Resource, setting: Setting, need: Need | None) -> Need | None:
    """Rounded; not over what a node offers, nor a CPU limit that stays; never under what the documentation asks for."""
    if need:
        need = replace(need, value=rounded(resource, need.value))
    caps = [setting.ceiling, setting.limit if resource is Resource.CPU else None]
    cap = min((cap for cap in caps if cap is not None), default=None)
    if need and cap is not None and need.value > cap:
        need = replace(need, value=cap, rule=Rule.CEILING)
    if setting.floor is not None and (need is None or need.value < setting.floor):
        return Need(setting.floor, Rule.FLOOR)
    return need


def rounded(resource: Resource, value: float) -> int:
    """Up to two digits of millicores or MiB, as people write them, so that little changes do not change a request."""
    unit = MIB if resource is Resource.MEMORY else 1
    whole = max(math.ceil(value / unit - 1e-6), 1)
    step: int = 10 ** max(len(str(whole)) - 2, 0)
    return -(-whole // step) * step * unit


def _kept(resource: Resource, history: History, setting: Setting, need: Need | None) -> Kept | None:
    """Why the request stays as it is; None if it changes, or is what was computed."""
    current, few = setting.request, _whole(history.days) < DAYS_MIN
    if setting.autoscaler:
        return Kept.MANAGED_BY_HPA if setting.autoscaler is Autoscaler.HPA else Kept.MANAGED_BY_VPA
    if need is None:
        return Kept.TOO_LITTLE_DATA
    if current is None:
        return Kept.TOO_LITTLE_DATA if few and setting.floor is None else None
    near = current <= need.value * (1 + HYSTERESIS)
    if need.value > current or (near and need.rule is Rule.FLOOR):
        return Kept.AT_FLOOR if need.value <= current else None
    if need.value == current:
        return None
    if few:
        return Kept.TOO_LITTLE_DATA
    return _frozen(resource, history) or (Kept.WITHIN_HYSTERESIS if near else None)


def _frozen(resource: Resource, history: History) -> Kept | None:
    """Why the use that was measured does not show how little is enough."""
    recent = [day for day in history.days if history.as_of - day.date <= OOM_FREEZE]
    if resource is Resource.MEMORY:
        return Kept.OOM_FREEZE if any(day.oom_kills for day in recent) else None
    return Kept.THROTTLED if any(day.throttled_share >= THROTTLED_SHARE for day in recent) else None


def _limit(setting: Setting, request: int | None, policy: float | None) -> int | None:
    """The policy's multiple of the request; else the limit that exists, which may not be under the request."""
    if policy is not None and request is not None:
        return math.ceil(request * max(policy, 1))
    return setting.limit if setting.limit is None or request is None else max(setting.limit, request)


def _direction(current: int | None, request: int | None) -> Direction:
    if request == current or request is None:
        return Direction.SAME
    if current is None:
        return Direction.NEW
    return Direction.UP if request > current else Direction.DOWN


# What is known of the risk of it.


def _slack(resource: Resource, days: Sequence[Day], request: int | None) -> float | None:
    if not days or not request:
        return None
    used = median(day.memory_max if resource is Resource.MEMORY else day.cpu_p50 for day in days)
    return max(1 - used / request, 0.0)


def _evidence(resource: Resource, history: History, request: int | None, need: Need | None, budget: Budget) -> Evidence:
    memory = resource is Resource.MEMORY
    days, whole, most = history.days, _whole(history.days), request or 0
    highest = _memory if memory else LEVELS[Statistic.MAX]
    level = _memory if memory else LEVELS[budget.statistic]
    over = [0.0 if highest(day) <= most else 1.0 if memory else _over_share(day, most) for day in days]
    return Evidence(
        days=len(days),
        whole_days=whole,
        days_over=sum(share > 0 for share in over),
        over_share=math.fsum(over) / len(over) if over else 1.0,
        bound=min((sum(level(day) > most for day in days) + 1) / (whole + 1), 1.0),
        growth_per_day=need.growth if need else 0,
        weekday=need.weekday if need else None,
        peak_hour=history.week.index(max(history.week)) if history.week and not memory else None,
        oom_kills=sum(day.oom_kills for day in days) if memory else 0,
    )


def _over_share(day: Day, request: float) -> float:
    """At most this share of the day was over the request: no more is known from levels of it."""
    shares = ((day.cpu_max, 0.0), (day.cpu_p99, 0.01), (day.cpu_p95, 0.05), (day.cpu_p50, 0.5))
    return next((share for level, share in shares if level <= request), 1.0)
