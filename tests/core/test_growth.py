"""How use grows: what follows the cluster's size is told from what does not, and too little is no answer."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.growth import DriverFit, Growth, growths
from addonctl.model import ObjectRef
from addonctl.model.forecast import Unknown
from addonctl.model.sizing import Day
from addonctl.model.usage import ClusterSize, ContainerUsage, Metrics, Spread
from addonctl.trends import line, rising
from addonctl.usage import UsageReport

FIRST = date(2026, 11, 2)  # a Monday
MIB = 2**20
NOISE = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0)


def grown(
    cpu: Callable[[int], float],
    memory: Callable[[int], float],
    size: Callable[[int], tuple[int, int]] = lambda _: (100, 10),
    days: int = 14,
    week: tuple[float, ...] = (),
) -> Growth:
    """A container whose use on each day is a function of its number, in a cluster of a size that is one."""
    listed = [
        Day(
            date=FIRST + timedelta(days=n),
            cpu_p50=cpu(n),
            cpu_p95=cpu(n),
            cpu_p99=cpu(n),
            cpu_max=cpu(n),
            memory_max=round(memory(n)),
        )
        for n in range(days)
    ]
    sizes = [ClusterSize(date=each.date, pods=size(n)[0], nodes=size(n)[1]) for n, each in enumerate(listed)]
    used = ContainerUsage(
        installation="coredns",
        workload=ObjectRef.of("Deployment", "coredns", "kube-system"),
        container="coredns",
        pods=2,
        cpu=Spread(),
        memory=Spread(),
        days=tuple(listed),
        week=week,
    )
    end = datetime(2026, 11, 16, tzinfo=UTC)
    metrics = Metrics(source="test", end=end, window=timedelta(days=days), sizes=tuple(sizes))
    (one,) = growths(UsageReport(metrics=metrics, containers=(used,), unmeasured=()))
    return one


def more_pods(n: int) -> tuple[int, int]:
    return 100 + 5 * n, 10


def known(fit: DriverFit | Unknown) -> DriverFit:
    assert isinstance(fit, DriverFit), fit
    return fit


def test_what_follows_pods_doubles_by_what_each_pod_takes() -> None:
    """CoreDNS: 54 MB and one for every 1,000 pods, here one MiB for each."""
    found = grown(lambda _: 20, lambda n: (54 + more_pods(n)[0]) * MIB + NOISE[n % 7] * 1000, more_pods)
    fit = known(found.memory)
    assert (fit.driver, fit.days) == ("pods", 14)
    assert fit.each == pytest.approx(MIB, rel=0.01)
    assert fit.constant == pytest.approx(54 * MIB, rel=0.02)
    assert fit.doubled == pytest.approx((54 + 2 * 165) * MIB, rel=0.01)
    assert fit.error < 0.001


def test_what_does_not_follow_stays_as_it_is() -> None:
    fit = known(grown(lambda n: 20 + NOISE[n % 7], lambda _: MIB, more_pods).cpu)
    assert (fit.driver, fit.each, fit.doubled) == ("", 0, 20)
    assert fit.error == pytest.approx(0.05, abs=0.02)


def test_what_is_noise_is_seldom_taken_for_growth() -> None:
    drawn = Random(7)
    followed = 0
    for _ in range(200):
        noise = [10 + drawn.random() for _ in range(14)]
        followed += known(grown(noise.__getitem__, lambda _: 1, more_pods).cpu).driver != ""
    assert followed <= 10  # five in a hundred


def test_a_bad_day_does_not_move_the_fit() -> None:
    def memory(n: int) -> float:
        return (54 + more_pods(n)[0]) * MIB * (5 if n in (3, 9) else 1)

    assert known(grown(lambda _: 1, memory, more_pods).memory).each == pytest.approx(MIB, rel=0.02)


def test_nodes_are_the_driver_where_they_foretell_better() -> None:
    found = grown(lambda n: 10.0 * (10 + n // 4), lambda _: MIB, lambda n: (100 + 40 * ((n * 5) % 7), 10 + n // 4))
    assert known(found.cpu).driver == "nodes"


@pytest.mark.parametrize(
    ("days", "size", "reason"),
    [
        (6, more_pods, "6 whole days are too few"),
        (14, lambda n: (100 + n, 10), "the cluster's size hardly changed"),
    ],
)
def test_too_little_is_no_answer(days: int, size: Callable[[int], tuple[int, int]], reason: str) -> None:
    assert grown(lambda _: 1, lambda _: 1, size, days).cpu == Unknown(reason)


def test_a_week_is_the_slope_of_days_unless_that_may_be_chance() -> None:
    found = grown(lambda n: 100 + 2 * n, lambda n: 1000 + 10 * NOISE[n % 7])
    assert (found.cpu_a_week, found.memory_a_week) == (14, 0)
    assert grown(lambda n: 100 - 2 * n, lambda _: 1).cpu_a_week == -14


def test_the_busiest_hour_is_that_of_the_week() -> None:
    week = tuple(9.0 if hour == 24 + 3 else 1.0 for hour in range(168))
    assert grown(lambda _: 1, lambda _: 1, week=week).busiest == 27
    assert grown(lambda _: 1, lambda _: 1).busiest is None


@given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3), st.lists(st.integers(0, 10**6), min_size=2, unique=True))
def test_a_line_is_found_again(constant: float, each: float, xs: list[int]) -> None:
    found = line([(float(x), constant + each * x) for x in xs])
    assert found[1] == pytest.approx(each, rel=1e-3, abs=1e-3)


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=40))
def test_what_falls_is_what_rises_backwards(values: list[float]) -> None:
    assert rising(values) == pytest.approx(-rising(values[::-1]))
