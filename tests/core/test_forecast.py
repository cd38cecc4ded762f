"""Forecasts of daily costs: exact where nothing is uncertain, honest where something is, and sums that add up."""

import gzip
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from addonctl.forecast import MIN_DAYS, forecast, level_shifts, portfolio
from addonctl.model.forecast import (
    BackTest,
    Change,
    DailyCosts,
    Forecast,
    Interval,
    KnownCosts,
    Portfolio,
    Unknown,
)

START = date(2026, 1, 1)  # a Thursday
DOLLAR = 1_000_000


def costs(days: Iterable[float | None], first: date = START, **more: bool | int) -> DailyCosts:
    """Dollars a day, None for a gap."""
    micros = (None if day is None else round(day * DOLLAR) for day in days)
    return replace(DailyCosts(first=first, usd_micros=tuple(micros)), **more)  # type: ignore[arg-type]


def made(found: Forecast | Unknown) -> Forecast:
    assert isinstance(found, Forecast)
    return found


def interval(found: Forecast | Unknown) -> Interval:
    held = made(found).interval
    assert isinstance(held, Interval)
    return held


def back_test(found: Forecast | Unknown) -> BackTest:
    tested = made(found).back_test
    assert isinstance(tested, BackTest)
    return tested


def noisy(
    seed: int, days: int, noise: float = 0.05, level: float = 100
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Dollars a day with weekdays and noise around a level."""
    chance = np.random.default_rng(seed)
    weekdays = chance.normal(0, 0.05, 7)
    return np.maximum(level * (1 + weekdays[np.arange(days) % 7] + chance.normal(0, noise, days)), 0)


# ── What is certain is exact ────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 10**13), st.integers(MIN_DAYS, 200))
@settings(max_examples=15)
def test_what_never_changes_goes_on(micros: int, days: int) -> None:
    found = made(forecast(DailyCosts(first=START, usd_micros=(micros,) * days)))
    assert found.usd_micros == (micros,) * 30
    assert found.first == START + timedelta(days=days)
    assert isinstance(found.interval, Unknown) or found.interval.low == found.total == found.interval.high


def test_a_week_that_repeats_goes_on() -> None:
    week = (10, 12, 11, 13, 12, 4, 3)
    found = made(forecast(costs(week * 12)))
    assert found.usd_micros == tuple(day * DOLLAR for day in (week * 5)[:30])


def test_history_before_a_step_does_not_count_against_it() -> None:
    assert made(forecast(costs([100] * 80 + [150] * 8))).usd_micros == (150 * DOLLAR,) * 30
    assert made(forecast(costs([100] * 80 + [20] * 8))).usd_micros == (20 * DOLLAR,) * 30


@given(st.integers(-90, 300), st.integers(1, 30))
@settings(max_examples=15)
def test_a_change_that_is_planned_is_exact_from_its_day_on(by: int, ahead: int) -> None:
    day = START + timedelta(days=90 + ahead - 1)
    found = made(forecast(costs([100] * 90), KnownCosts(changes=(Change(day, by * DOLLAR),))))
    assert found.usd_micros == (100 * DOLLAR,) * (ahead - 1) + ((100 + by) * DOLLAR,) * (31 - ahead)


def test_a_change_that_was_known_makes_no_error_before_it_or_after() -> None:
    day = START + timedelta(days=60)
    found = forecast(costs([100] * 60 + [130] * 30), KnownCosts(changes=(Change(day, 30 * DOLLAR),)))
    assert made(found).usd_micros == (130 * DOLLAR,) * 30
    assert back_test(found).forecast.total_wape == 0
    assert back_test(found).naive.total_wape > 0.03  # type: ignore[operator]
    assert interval(found).low == interval(found).high == 30 * 130 * DOLLAR


def test_what_is_committed_is_added_by_the_day() -> None:
    """A control plane for 2.40 a day, 14.40 from the day of extended support, under something that varies."""
    days = [START + timedelta(days=day) for day in range(120)]
    support = {day: (2_400_000 if day < START + timedelta(days=100) else 14_400_000) for day in days}
    found = made(forecast(costs([5 + 2.4] * 90), KnownCosts(committed=support)))
    assert found.usd_micros == (7_400_000,) * 10 + (19_400_000,) * 20


def test_a_spike_is_no_level_but_one_every_month_comes_again() -> None:
    assert made(forecast(costs([10] * 40 + [900] + [10] * 40))).usd_micros == (10 * DOLLAR,) * 30
    fees = [10 + 300 * ((START + timedelta(days=day)).day == 1) for day in range(100)]
    found = made(forecast(costs(fees)))
    assert found.first == date(2026, 4, 11)
    assert found.usd_micros == (10 * DOLLAR,) * 20 + (310 * DOLLAR,) + (10 * DOLLAR,) * 9


def test_what_is_priced_by_the_month_costs_more_a_day_in_a_short_month() -> None:
    lengths = {1: 31, 2: 28, 3: 31, 4: 30}
    days = [START + timedelta(days=day) for day in range(120)]
    volumes = [930 / lengths[day.month] for day in days]
    found = made(forecast(costs(volumes[:90], per_month=True)))
    assert found.usd_micros == pytest.approx([round(day * DOLLAR) for day in volumes[90:]], abs=1)
    assert back_test(forecast(costs(volumes[:90], per_month=True))).forecast.total_wape < 1e-6  # type: ignore[operator]
    assert not level_shifts(costs(volumes, per_month=True))


# ── What is not read ────────────────────────────────────────────────────────────────────────────────────────────


def test_gaps_are_neither_nothing_nor_counted() -> None:
    found = forecast(costs([7.0 if at not in {10, 11, 12, 50, 51, 52, 53, 54} else None for at in range(90)]))
    assert made(found).usd_micros == (7 * DOLLAR,) * 30
    assert back_test(found).forecast.total_wape == 0
    assert back_test(found).naive.daily_wape == 0


def test_days_that_the_bill_may_restate_are_not_used() -> None:
    found = made(forecast(costs([50] * 60 + [31, 2], unsettled_days=2)))
    assert found.first == START + timedelta(days=62)
    assert found.usd_micros == (50 * DOLLAR,) * 30
    assert isinstance(forecast(costs([50] * (MIN_DAYS + 1), unsettled_days=2)), Unknown)


def test_too_few_days_are_no_forecast() -> None:
    assert forecast(costs([5] * 13)) == Unknown("13 of the 14 days that a forecast takes were read")
    assert forecast(costs([])) == Unknown("0 of the 14 days that a forecast takes were read")
    assert isinstance(forecast(costs([5, None] * 13)), Unknown)


def test_a_short_history_has_a_forecast_without_interval_and_says_why() -> None:
    found = made(forecast(costs([5] * 40)))
    assert found.interval == Unknown("an interval takes 54 days of history")
    assert found.back_test == Unknown("a back-test takes 51 days of history")
    assert isinstance(made(forecast(costs([5] * 53))).interval, Unknown)
    assert interval(forecast(costs([5] * 54))).origins == 4


def test_costs_that_begin_out_of_nothing_again_and_again_have_no_interval() -> None:
    bursts = [0.0] * 40 + [9.0] * 2 + [0.0] * 38 + [8.0] * 2 + [0.0] * 36
    assert made(forecast(costs(bursts))).interval == Unknown("costs began anew too often after a horizon without any")


@given(st.lists(st.none() | st.integers(-5, 10**9), min_size=0, max_size=130), st.integers(0, 3), st.booleans())
def test_whatever_was_paid_nothing_is_negative_and_the_interval_is_around_the_total(
    days: list[int | None], unsettled: int, per_month: bool
) -> None:
    series = DailyCosts(first=START, usd_micros=tuple(days), unsettled_days=unsettled, per_month=per_month)
    found = forecast(series, KnownCosts(changes=(Change(START + timedelta(days=len(days) + 3), -(10**8)),)))
    level_shifts(series)
    if isinstance(found, Unknown):
        return
    assert min(found.usd_micros) >= 0
    assert len(found.usd_micros) == 30
    if isinstance(found.interval, Interval):
        assert 0 <= found.interval.low <= found.total <= found.interval.high


# ── How far off ─────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 1000), st.sampled_from((7, 1000)))
@settings(max_examples=8)
def test_a_thousand_times_the_costs_is_a_thousand_times_the_forecast(seed: int, times: int) -> None:
    days = noisy(seed, 100)
    once, often = (made(forecast(costs(days * scale))) for scale in (1, times))
    assert often.usd_micros == pytest.approx([times * day for day in once.usd_micros], rel=1e-5)
    ends = [(interval(each).low, interval(each).high) for each in (once, often)]
    assert ends[1] == pytest.approx([times * end for end in ends[0]], rel=1e-4)


def _walk(seed: int, days: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A level that wanders, and steps now and then: what an interval has to be wide for."""
    chance = np.random.default_rng(seed)
    level = np.exp(np.cumsum(chance.normal(0, 0.01, days)))
    for day in chance.integers(0, days, 2):
        level[day:] *= np.exp(chance.normal(0, 0.1))
    return noisy(seed + 10_000, days) * level


@pytest.mark.prove
def test_four_of_five_intervals_hold_what_comes() -> None:
    """Simulated bills of 75 days; where 80 to 90 of 100 hold, fewer than 43 or all of 60 do so once in 100 tries."""
    held = 0
    for seed in range(60):
        days = _walk(seed, 105)
        known = interval(forecast(costs(days[:75])))
        held += known.low <= days[75:].sum() * DOLLAR <= known.high
    assert 43 <= held < 60


def test_an_interval_from_days_that_overlap_is_widened() -> None:
    short, long = (interval(forecast(costs(noisy(1, days)))) for days in (60, 400))
    assert short.widened == pytest.approx(1 + 1 / (1 + 9 / 30))
    assert long.widened < 1.1
    assert short.coverage == long.coverage == 0.8


def test_the_back_test_sees_only_what_was_read_until_then() -> None:
    """What comes later, however wild, changes nothing of the forecasts made before it."""
    days = noisy(2, 120)
    until = back_test(forecast(costs(days[:90])))
    wild = np.concatenate([days[:90], days[90:] * 9])
    later = back_test(forecast(costs(wild)))
    assert (until.origins, until.first, until.last) == (40, date(2026, 1, 22), date(2026, 3, 2))
    assert (later.origins, later.last) == (70, date(2026, 4, 1))
    as_of_then = made(forecast(costs(wild[:90])))
    assert as_of_then == made(forecast(costs(days[:90])))


def test_the_back_test_is_what_would_have_been_said() -> None:
    days = noisy(3, 55)
    tested = back_test(forecast(costs(days)))
    totals, paid = 0.0, 0.0
    for origin in range(21, 26):
        came = days[origin : origin + 30].sum() * DOLLAR
        totals += abs(made(forecast(costs(days[:origin]))).total - came)
        paid += came
    assert tested.origins == 5
    assert tested.forecast.total_wape == pytest.approx(totals / paid, rel=1e-6)


def test_the_back_test_beats_its_peers_on_costs_with_weekdays_and_steps() -> None:
    days = np.concatenate([noisy(4, 70), noisy(4, 70) * 1.4])
    tested = back_test(forecast(costs(days)))
    assert tested.forecast.daily_wape < tested.seasonal_naive.daily_wape  # type: ignore[operator]
    assert tested.forecast.total_wape < tested.naive.total_wape  # type: ignore[operator]
    assert tested.forecast.mase < tested.naive.mase  # type: ignore[operator]
    assert tested.covered <= tested.intervals < tested.origins


def test_last_year_tells_what_a_season_does() -> None:
    at = np.arange(1130)
    days = noisy(5, 1130) * (1 + 0.4 * np.sin(2 * np.pi * at / 365.25))
    short, long = (made(forecast(costs(days[start:1100]))).total for start in (800, 0))
    came = days[1100:].sum() * DOLLAR
    assert abs(long - came) < 0.03 * came
    assert abs(long - came) < 0.5 * abs(short - came)


# ── Steps by themselves ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_level_shift_has_its_day_and_what_it_costs_a_month() -> None:
    days = noisy(6, 90, noise=0.03)
    days[61:] += 30
    (shift,) = level_shifts(costs(days))
    assert abs((shift.since - START).days - 61) <= 1
    assert shift.a_month == pytest.approx(900 * DOLLAR, rel=0.1)
    assert not level_shifts(costs(days), KnownCosts(changes=(Change(START + timedelta(days=61), 30 * DOLLAR),)))


def test_shifts_up_and_down_are_told_apart_from_spikes_and_slopes() -> None:
    days = noisy(7, 120, noise=0.02)
    days[40:80] += 25
    days[100] += 500
    up, down = level_shifts(costs(days))
    assert (up.a_month > 0, down.a_month < 0) == (True, True)
    assert not level_shifts(costs(noisy(8, 120) + np.arange(120)))


def test_noise_has_no_level_shifts() -> None:
    """Less than 1 in 100 series of 90 days: 0 of 300 has an upper bound of 1 % with 95 % confidence."""
    assert sum(bool(level_shifts(costs(noisy(seed, 90)))) for seed in range(300)) == 0


def test_shuffled_days_have_no_level_shifts() -> None:
    days = noisy(9, 90)
    days[45:] += 30
    assert level_shifts(costs(days))
    chance = np.random.default_rng(9)
    assert sum(bool(level_shifts(costs(chance.permutation(days)))) for _ in range(300)) == 0


# ── Sums ────────────────────────────────────────────────────────────────────────────────────────────────────────


def summed(found: Portfolio) -> tuple[int, ...]:
    paths = (part.usd_micros for part in found.parts.values() if isinstance(part, Forecast))
    return tuple(sum(day) for day in zip(*paths, strict=True))


def test_the_whole_is_the_sum_of_its_parts_and_surer_than_they_are() -> None:
    parts = {str(seed): costs(noisy(seed, 90, noise=0.1)) for seed in range(6)}
    found = portfolio(parts)
    assert made(found.whole).usd_micros == summed(found)
    widths = [interval(part).high - interval(part).low for part in found.parts.values()]
    assert interval(found.whole).high - interval(found.whole).low < 0.8 * sum(widths)


def test_a_whole_of_one_part_is_that_part() -> None:
    part = costs(noisy(1, 100))
    found = portfolio({"coredns": part})
    assert found.whole == found.parts["coredns"] == forecast(part)


def test_parts_begin_when_they_like_and_one_that_is_unknown_is_left_out() -> None:
    young = START + timedelta(days=60)
    parts = {
        "vpc-cni": costs(noisy(1, 100)),
        "grafana": costs(noisy(2, 40), first=young),
        "keda": costs([5] * 6, first=START + timedelta(days=94)),
    }
    found = portfolio(parts, {"grafana": KnownCosts(changes=(Change(date(2026, 4, 20), DOLLAR),))})
    assert found.parts["keda"] == Unknown("6 of the 14 days that a forecast takes were read")
    assert made(found.whole).usd_micros == summed(found)
    assert made(found.whole).first == date(2026, 4, 11)
    tested = back_test(found.whole)
    assert tested.origins == 50
    assert tested.forecast.total_wape > back_test(found.parts["vpc-cni"]).forecast.total_wape  # type: ignore[operator]


def test_a_whole_of_nothing_is_unknown() -> None:
    assert portfolio({}).whole == Unknown("of no part there is a forecast")
    assert isinstance(portfolio({"keda": costs([1])}).whole, Unknown)


# ── Real series ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_real_series_are_forecast_better_than_by_the_last_days(shared_data: Path) -> None:
    """bench/forecast_beside_peers.py has the figures."""
    with gzip.open(shared_data / "forecasting" / "daily_series.jsonl.gz", "rt") as lines:
        tests = [back_test(forecast(costs(json.loads(line)["values"]))) for line in lines]
    assert min(each.origins for each in tests) > 90
    ours, naive, week = (
        sum(accuracy.total_wape or 0 for accuracy in method)
        for method in zip(*((each.forecast, each.naive, each.seasonal_naive) for each in tests), strict=True)
    )
    assert ours < min(naive, week)
    assert 0.75 < sum(each.covered for each in tests) / sum(each.intervals for each in tests) < 0.9
