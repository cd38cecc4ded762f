"""Requests from days of use: small cases in full, and what holds for all of them."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.model.sizing import (
    HOURS_A_WEEK,
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
)
from addonctl.rightsizing import BUDGETS, CYCLE_DAYS, MIB, cpu_need, memory_need, rightsized, rounded

MONDAY = date(2026, 11, 23)
EVERY = tuple(Risk)


def day(ago: int, cpu: float = 100, memory: int = 100 * MIB, spike: float = 0, **more: object) -> Day:
    """A flat day so many days before MONDAY, but for the busiest five minutes."""
    figures = {"cpu_p50": cpu, "cpu_p95": cpu, "cpu_p99": cpu, "cpu_max": max(cpu, spike), "memory_max": memory}
    return Day(date=MONDAY - timedelta(ago), **(figures | more))  # type: ignore[arg-type]


def history(*days: Day, **more: object) -> History:
    return History(as_of=MONDAY, days=days, **more)  # type: ignore[arg-type]


def flat(count: int, **more: object) -> History:
    return history(*(day(ago) for ago in range(1, count + 1)), **more)


def cpu(seen: History, risk: Risk = Risk.MEDIUM) -> Proposal:
    return rightsized(seen, risk).cpu


def memory(seen: History, risk: Risk = Risk.MEDIUM) -> Proposal:
    return rightsized(seen, risk).memory


# Small cases in full.


def test_two_weeks_in_which_one_day_is_busy() -> None:
    seen = history(*(day(ago, 100 if ago != 5 else 300) for ago in range(1, 15)), cpu=Setting(request=1000))
    assert cpu(seen, Risk.HIGH) == Proposal(
        resource=Resource.CPU,
        current=1000,
        request=100,
        limit=None,
        computed=100,
        rule=Rule.DAYS,
        direction=Direction.DOWN,
        kept=None,
        slack=0,
        evidence=Evidence(days=14, whole_days=14, days_over=1, over_share=1 / 14, bound=2 / 15),
    )
    assert cpu(seen, Risk.MEDIUM).request == 300
    assert cpu(seen, Risk.MEDIUM).evidence.bound == 1 / 15


def test_a_risk_decides_what_a_day_counts_as() -> None:
    busy = [day(ago, 100, cpu_p95=150, cpu_p99=200, cpu_max=900) for ago in range(1, 15)]
    assert [cpu(history(*busy), risk).request for risk in EVERY] == [900, 200, 150]
    assert [cpu(history(*busy), risk).evidence.over_share for risk in EVERY] == [0, pytest.approx(0.01), 0.05]


@pytest.mark.parametrize(
    ("days", "risk", "request_"), [(13, Risk.LOW, 1100), (8, Risk.MEDIUM, 900), (3, Risk.HIGH, 900)]
)
def test_too_few_days_for_the_bound_widen_cpu(days: int, risk: Risk, request_: int) -> None:
    seen = history(*(day(ago, 100, spike=900) for ago in range(1, days + 1)))
    assert (cpu(seen, risk).request, cpu(seen, risk).rule) == (request_, Rule.COLD_START)


@pytest.mark.parametrize(("days", "mib"), [(1, 170), (4, 140), (14, 130), (48, 130), (49, 120)])
def test_memory_is_the_highest_day_and_a_margin_that_shrinks_with_days(days: int, mib: int) -> None:
    assert memory(flat(days)).computed == mib * MIB


def test_a_busy_monday_is_not_left_out() -> None:
    mondays = history(*(day(ago, 500 if ago % 7 == 0 else 100) for ago in range(1, 22)))
    peak = cpu(mondays, Risk.HIGH)
    assert (peak.request, peak.rule, peak.evidence.weekday) == (500, Rule.WEEKLY_PEAK, 0)
    once = history(*(day(ago, 500 if ago == 7 else 100) for ago in range(1, 22)))
    assert (cpu(once, Risk.HIGH).request, cpu(once, Risk.HIGH).rule) == (100, Rule.DAYS)


def test_an_hour_that_is_busy_each_week_counts_at_low_risk_and_is_named_at_all() -> None:
    week = tuple(700.0 if hour == 24 + 3 else 50.0 for hour in range(HOURS_A_WEEK))
    low, high = (cpu(flat(14, week=week), risk) for risk in (Risk.LOW, Risk.HIGH))
    assert (low.request, low.rule, low.evidence.weekday, low.evidence.peak_hour) == (700, Rule.WEEKLY_PEAK, 1, 27)
    assert (high.request, high.evidence.peak_hour) == (100, 27)


def test_until_two_weeks_are_known_no_day_is_left_out() -> None:
    once = history(*(day(ago, 500 if ago == 5 else 100) for ago in range(1, 15)))
    assert cpu(once, Risk.HIGH).request == 100
    assert cpu(replace(once, days=once.days[:-1]), Risk.HIGH).request == 500


def test_use_that_grows_is_followed_to_the_next_review() -> None:
    grows = history(*(day(ago, 100 + 10 * (15 - ago), (100 + 10 * (15 - ago)) * MIB) for ago in range(1, 15)))
    ahead = cpu(grows)
    assert (ahead.request, ahead.rule) == (100 + 10 * (15 + 7), Rule.TREND)
    assert ahead.evidence.growth_per_day == 10
    assert memory(grows).rule is Rule.TREND
    assert cpu(replace(grows, days=grows.days[:-1])).rule is Rule.DAYS  # too few to tell
    partly = (*grows.days[:-1], replace(grows.days[-1], samples_share=0.5))
    assert cpu(replace(grows, days=partly)).rule is Rule.DAYS
    up_and_down = (220, 150, 250, 120, 230, 140, 210, 130, 240, 110, 220, 120, 200, 100)
    assert cpu(history(*(day(ago, value) for ago, value in enumerate(up_and_down, start=1)))).rule is Rule.DAYS
    shrinks = history(*(day(ago, 100 + 10 * ago) for ago in range(1, 15)))
    assert (cpu(shrinks).request, cpu(shrinks).rule) == (240, Rule.DAYS)


def test_after_an_oom_kill_there_is_more_than_what_was_too_little() -> None:
    killed = (day(2, memory=150 * MIB, oom_kills=1, memory_limit_bytes=200 * MIB), *flat(14).days[4:])
    seen = history(*killed, memory=Setting(request=200 * MIB, limit=200 * MIB))
    proposal = memory(seen)
    assert (proposal.request, proposal.limit, proposal.rule) == (300 * MIB, 300 * MIB, Rule.OOM)
    assert proposal.evidence.oom_kills == 1
    large = replace(killed[0], memory_limit_bytes=1000 * MIB)
    assert memory(history(large)).computed == 1200 * MIB
    # What it was raised to is kept for a week, and not raised again by the same kill.
    again = memory(replace(seen, memory=Setting(request=400 * MIB)))
    assert (again.request, again.kept, again.direction) == (400 * MIB, Kept.OOM_FREEZE, Direction.SAME)
    later = memory(replace(seen, as_of=MONDAY + timedelta(7), memory=Setting(request=400 * MIB)))
    assert (later.request, later.kept) == (300 * MIB, None)


# Why nothing changes.


def test_what_an_autoscaler_manages_stays() -> None:
    for scaler, kept in ((Autoscaler.HPA, Kept.MANAGED_BY_HPA), (Autoscaler.VPA, Kept.MANAGED_BY_VPA)):
        proposal = cpu(flat(14, cpu=Setting(request=5000, autoscaler=scaler)))
        assert (proposal.request, proposal.kept, proposal.computed) == (5000, kept, 100)


def test_a_little_too_much_stays_and_a_little_too_little_does_not() -> None:
    slightly_more = cpu(flat(14, cpu=Setting(request=110)))
    assert (slightly_more.request, slightly_more.kept) == (110, Kept.WITHIN_HYSTERESIS)
    assert cpu(flat(14, cpu=Setting(request=111))).request == 100
    assert cpu(flat(14, cpu=Setting(request=99))).request == 100
    exactly = cpu(flat(14, cpu=Setting(request=100)))
    assert (exactly.kept, exactly.changes) == (None, False)


def test_few_days_can_show_that_more_is_needed_but_not_less() -> None:
    less, more = (cpu(flat(2, cpu=Setting(request=request))) for request in (1000, 10))
    assert (less.request, less.kept) == (1000, Kept.TOO_LITTLE_DATA)
    assert (more.request, more.kept, more.direction) == (100, None, Direction.UP)
    partial = [day(ago, samples_share=0.5) for ago in range(1, 15)]
    assert cpu(history(*partial, cpu=Setting(request=1000))).kept is Kept.TOO_LITTLE_DATA
    assert cpu(flat(2)).request is None
    nothing = cpu(history(cpu=Setting(request=50)))
    assert (nothing.request, nothing.rule, nothing.kept) == (50, Rule.CURRENT, Kept.TOO_LITTLE_DATA)
    assert (nothing.slack, nothing.evidence.bound) == (None, 1)


def test_a_day_that_was_measured_in_part_counts_only_if_it_was_busy() -> None:
    whole = [day(ago) for ago in range(2, 16)]
    assert cpu(history(*whole, day(1, 900, samples_share=0.1))).request == 900
    assert cpu(history(*whole, day(1, 1, samples_share=0.1))).evidence.bound == 1 / 15


def test_what_is_throttled_is_not_made_smaller() -> None:
    throttled = history(*flat(14).days[1:], day(1, throttled_share=0.3), cpu=Setting(request=500, limit=500))
    proposal = cpu(throttled)
    assert (proposal.request, proposal.limit, proposal.kept) == (500, 500, Kept.THROTTLED)
    assert cpu(replace(throttled, as_of=MONDAY + timedelta(8))).request == 100


def test_a_request_is_between_what_the_documentation_asks_for_and_what_a_node_offers() -> None:
    assert cpu(flat(14, cpu=Setting(request=500, floor=150))).rule is Rule.FLOOR
    assert cpu(flat(14, cpu=Setting(request=500, floor=150))).request == 150
    at_it = cpu(flat(14, cpu=Setting(request=155, floor=150)))
    assert (at_it.request, at_it.kept) == (155, Kept.AT_FLOOR)
    assert cpu(flat(14, cpu=Setting(request=149, floor=150))).request == 150
    assert cpu(history(cpu=Setting(request=500, floor=150))).kept is Kept.TOO_LITTLE_DATA
    assert cpu(history(cpu=Setting(floor=150))).direction is Direction.NEW
    capped = cpu(flat(14, cpu=Setting(ceiling=80)))
    assert (capped.request, capped.rule, capped.slack, capped.evidence.days_over) == (80, Rule.CEILING, 0, 14)


def test_limits_stay_unless_the_policy_asks_or_the_request_outgrows_them() -> None:
    days = flat(14, cpu=Setting(request=1000), memory=Setting(request=50 * MIB, limit=60 * MIB))
    assert (cpu(days).limit, memory(days).limit) == (None, 130 * MIB)
    limited = rightsized(days, Risk.MEDIUM, LimitPolicy(cpu=2, memory=1))
    assert (limited.cpu.limit, limited.memory.limit) == (200, 130 * MIB)
    assert rightsized(days, Risk.MEDIUM, LimitPolicy(memory=0.5)).memory.limit == 130 * MIB
    assert cpu(flat(14, cpu=Setting(request=50, limit=90))).request == 90  # it cannot use more


@pytest.mark.parametrize(
    ("value", "request_"), [(0, 1), (7.2, 8), (99.0000001, 99), (101, 110), (1043, 1100), (21_789, 22_000)]
)
def test_requests_are_numbers_that_people_write(value: float, request_: int) -> None:
    assert rounded(Resource.CPU, value) == request_
    assert rounded(Resource.MEMORY, value * MIB) == request_ * MIB


# What holds for all.


@st.composite
def some_days(draw: st.DrawFn) -> Day:
    p50, p95, p99, most = sorted(draw(st.tuples(*[st.integers(0, 10_000)] * 4)))
    return Day(
        date=MONDAY,
        cpu_p50=p50,
        cpu_p95=p95,
        cpu_p99=p99,
        cpu_max=most,
        memory_max=draw(st.integers(0, 10_000)) * MIB,
        oom_kills=draw(st.integers(0, 20)) // 20,
        samples_share=draw(st.sampled_from((1, 1, 1, 0.9, 0.3))),
        throttled_share=draw(st.sampled_from((0, 0, 0, 0.2))),
    )


def histories(least: int = 1) -> st.SearchStrategy[History]:
    return st.lists(some_days(), min_size=least, max_size=60).map(
        lambda days: history(*(replace(one, date=MONDAY - timedelta(ago)) for ago, one in enumerate(days, start=1)))
    )


def values(seen: History) -> list[float]:
    """What the rules ask for at every risk, CPU and memory."""
    needs = [need(seen, budget) for budget in BUDGETS.values() for need in (cpu_need, memory_need)]
    return [need.value for need in needs if need]


def untrended(seen: History) -> bool:
    needs = [need(seen, budget) for budget in BUDGETS.values() for need in (cpu_need, memory_need)]
    return all(need is not None and need.rule is not Rule.TREND for need in needs)


def scaled(one: Day, factor: int) -> Day:
    return replace(
        one,
        cpu_p50=one.cpu_p50 * factor,
        cpu_p95=one.cpu_p95 * factor,
        cpu_p99=one.cpu_p99 * factor,
        cpu_max=one.cpu_max * factor,
        memory_max=one.memory_max * factor,
    )


@given(histories(), st.data())
def test_more_use_never_asks_for_less(seen: History, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(seen.days) - 1))
    days = list(seen.days)
    days[number] = scaled(days[number], data.draw(st.integers(1, 5)))
    if untrended(seen):
        assert all(a <= b for a, b in zip(values(seen), values(replace(seen, days=tuple(days))), strict=True))


@given(histories(), st.integers(1, 5))
def test_more_use_on_the_last_day_never_asks_for_less_even_where_it_grows(seen: History, factor: int) -> None:
    days = tuple(scaled(one, factor) if one.date == MONDAY - timedelta(1) else one for one in seen.days)
    assert all(a <= b for a, b in zip(values(seen), values(replace(seen, days=days)), strict=True))


@given(histories(least=2), st.data())
def test_fewer_days_never_narrow(seen: History, data: st.DataObject) -> None:
    """A day that was less busy than what decides can be taken away, and no less is asked for."""
    gone = data.draw(st.sampled_from(seen.days))
    fewer = replace(seen, days=tuple(one for one in seen.days if one is not gone))
    for budget in BUDGETS.values():
        for need, most in ((cpu_need, "cpu_max"), (memory_need, "memory_max")):
            wide, narrow = need(fewer, budget), need(seen, budget)
            assert wide is not None
            assert narrow is not None
            highest = max(getattr(one, most) for one in fewer.days)
            decides = min(highest, narrow.value) if narrow.rule is Rule.DAYS else highest
            if narrow.rule in (Rule.DAYS, Rule.COLD_START) and getattr(gone, most) < decides:
                assert wide.value >= narrow.value


@given(st.integers(1, 80))
def test_the_same_day_again_and_again_never_widens(count: int) -> None:
    assert all(few >= more for few, more in zip(values(flat(count)), values(flat(count + 1)), strict=True))


@given(histories(), st.integers(2, 50))
def test_the_unit_of_use_does_not_matter(seen: History, factor: int) -> None:
    calm = replace(seen, days=tuple(replace(one, oom_kills=0) for one in seen.days))  # 100 MiB are a unit
    larger = replace(calm, days=tuple(scaled(one, factor) for one in calm.days))
    assert values(larger) == pytest.approx([value * factor for value in values(calm)])


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_in_which_days_are_given_does_not_matter(seen: History, chance: object) -> None:
    days = list(seen.days)
    chance.shuffle(days)  # type: ignore[attr-defined]
    assert [rightsized(replace(seen, days=tuple(days)), risk) for risk in EVERY] == [
        rightsized(seen, risk) for risk in EVERY
    ]


SETTINGS = st.builds(
    Setting,
    request=st.none() | st.integers(1, 20_000),
    floor=st.none() | st.integers(1, 5_000),
    ceiling=st.none() | st.integers(5_000, 20_000),
)


@given(histories(), SETTINGS)
def test_no_change_goes_under_the_floor_or_takes_from_what_was_killed(seen: History, setting: Setting) -> None:
    bytes_ = replace(setting, **{name: None if (v := getattr(setting, name)) is None else v * MIB for name in _FIELDS})
    sized = rightsized(replace(seen, cpu=setting, memory=bytes_), Risk.HIGH)
    for proposal, floor in ((sized.cpu, setting.floor), (sized.memory, bytes_.floor)):
        if floor is not None:
            assert proposal.request is not None
            assert proposal.request >= floor
        assert (proposal.kept is None) or not proposal.changes
    recent = [one for one in seen.days if MONDAY - one.date <= timedelta(7)]
    if any(one.oom_kills for one in recent) and bytes_.request is not None:
        assert sized.memory.request is not None
        assert sized.memory.request >= bytes_.request


_FIELDS = ("request", "floor", "ceiling")


@given(histories(), SETTINGS)
def test_what_was_changed_is_not_changed_again(seen: History, setting: Setting) -> None:
    for risk in EVERY:
        first = cpu(replace(seen, cpu=setting), risk)
        second = cpu(replace(seen, cpu=replace(setting, request=first.request)), risk)
        assert (second.request, second.changes) == (first.request, False)


@given(histories(least=CYCLE_DAYS))
def test_more_risk_never_reserves_more(seen: History) -> None:
    sizes = [(cpu_need(seen, BUDGETS[risk]), memory_need(seen, BUDGETS[risk])) for risk in EVERY]
    if untrended(seen) and all(one.whole for one in seen.days):
        for low, high in pairwise(sizes):
            assert all(a is not None and b is not None and a.value >= b.value for a, b in zip(low, high, strict=True))
