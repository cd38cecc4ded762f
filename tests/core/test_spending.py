"""What the next 30 days will cost, from days that were recorded: with what is known beforehand, and what changed."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from addonctl.adapters import knowledge
from addonctl.cost import CostRow
from addonctl.model import EksCluster
from addonctl.model.cost import Pool
from addonctl.model.forecast import Forecast, Unknown
from addonctl.model.spending import CostDay
from addonctl.spending import Outlook, cost_day, outlook
from addonctl.versions import Minor

FIRST = date(2026, 8, 1)
CLUSTER = Pool.CLUSTER.value
STANDARD, EXTENDED = 2_400_000, 14_400_000  # micro-dollars a day of a control plane


def recorded(
    days: int, amounts: dict[str, int], *, missing: tuple[int, ...] = (), step: int = 0
) -> tuple[CostDay, ...]:
    """Days on which each name cost the same; from day 60 on, coredns `step` more."""
    return tuple(
        CostDay(
            cluster="prod-eu-1",
            day=FIRST + timedelta(days=n),
            usd_micros={name: each + (step if name == "coredns" and n >= 60 else 0) for name, each in amounts.items()},
        )
        for n in range(days)
        if n not in missing
    )


def told(days: tuple[CostDay, ...], kubernetes: str = "") -> Outlook:
    return outlook(days, knowledge.load(), Minor.of(kubernetes) if kubernetes else None)


def total(found: Outlook, name: str) -> int:
    forecast = found.forecast.parts[name]
    assert isinstance(forecast, Forecast)
    return forecast.total


def test_a_day_is_a_month_by_hours() -> None:
    row = CostRow(name="coredns", usd_micros=73_000_000, by_kind={"nodes": 73_000_000})
    unknown = CostRow(name="velero", usd_micros=0, by_kind={})
    assert cost_day("prod-eu-1", FIRST, (row, unknown)).usd_micros == {"coredns": 2_400_000}


def test_what_never_changed_goes_on_and_names_add_up() -> None:
    found = told(recorded(90, {"coredns": 100_000, "idle": 2_000_000}))
    assert total(found, "coredns") == 3_000_000
    whole = found.forecast.whole
    assert isinstance(whole, Forecast)
    assert whole.total == 63_000_000 == sum(total(found, name) for name in ("coredns", "idle"))
    assert found.paid == {"coredns": 3_000_000, "idle": 60_000_000}
    assert found.shifts == {"coredns": (), "idle": ()}


def test_extended_support_is_known_by_its_date() -> None:
    days = recorded(100, {CLUSTER: STANDARD})  # until 2026-11-08; standard support of 1.34 ends on 2026-12-02
    known, unknown = told(days, "1.34"), told(days)
    extended = sum(FIRST + timedelta(days=100 + n) >= date(2026, 12, 2) for n in range(30))
    assert extended == 7
    assert total(known, CLUSTER) == (30 - extended) * STANDARD + extended * EXTENDED
    assert total(unknown, CLUSTER) == 30 * STANDARD


@pytest.mark.parametrize(("policy", "more"), [("EXTENDED", 7), ("", 7), ("STANDARD", 0)])
def test_what_was_recorded_of_the_cluster_decides_whether_extended_support_is_billed(policy: str, more: int) -> None:
    days = tuple(replace(each, kubernetes="1.34", support_type=policy) for each in recorded(100, {CLUSTER: STANDARD}))
    found = told(days)
    assert total(found, CLUSTER) == 30 * STANDARD + more * (EXTENDED - STANDARD)
    assert found.support == (Minor.of("1.34"), date(2026, 12, 2), policy == "STANDARD")
    assert total(told(days, "1.35"), CLUSTER) == 30 * STANDARD, "what is given overrides what was recorded"


def test_a_day_keeps_what_eks_says_of_the_cluster() -> None:
    eks = EksCluster(name="prod-eu-1", version="1.34", support_type="STANDARD")
    day = cost_day("prod-eu-1", FIRST, (), eks)
    assert (day.kubernetes, day.support_type) == ("1.34", "STANDARD")


def test_what_began_to_cost_more_is_told_with_its_day() -> None:
    found = told(recorded(90, {"coredns": 100_000}, step=50_000))
    (shift,) = found.shifts["coredns"]
    assert (shift.since, shift.a_month) == (FIRST + timedelta(days=60), 1_500_000)
    assert abs(total(found, "coredns") - 4_500_000) < 100_000


def test_days_that_nobody_recorded_are_not_nothing() -> None:
    found = told(recorded(90, {"coredns": 100_000}, missing=(70, 71, 80)))
    assert total(found, "coredns") == 3_000_000
    assert found.recorded == 87


def test_a_few_days_are_too_few() -> None:
    found = told(recorded(5, {"coredns": 100_000}))
    assert isinstance(found.forecast.parts["coredns"], Unknown)
    assert isinstance(found.forecast.whole, Unknown)
