"""A bill held against the model: every micro-dollar is in one share, and every difference has its cause."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import model
from addonctl.adapters import knowledge
from addonctl.cost import By, summarise
from addonctl.cost.bill import ClusterNames, match, micros, resource_key
from addonctl.errors import BadInput
from addonctl.model.bill import Billed, BillLine, Cause, LineKind
from addonctl.model.cost import GIB, ClusterCost, CostKind, Pool
from tests.core.test_cost import M5_LARGE, cost_of, node, pod, volume

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
NAMES = ClusterNames(name="prod-eu-1", region="us-east-1")
MINE = {"eks:cluster-name": "prod-eu-1"}
HOURLY = Decimal("0.096")


def line(
    usd: str | Decimal, *, hour: int = 0, kind: LineKind = LineKind.USAGE, hours: int = 1, **more: Any
) -> BillLine:
    begin = BEGIN + timedelta(hours=hour)
    given: dict[str, Any] = {
        "service": "AmazonEC2",
        "amortized_usd": Decimal(usd),
        "unblended_usd": Decimal(usd),
    } | more
    return BillLine(begin=begin, end=begin + timedelta(hours=hours), kind=kind, **given)


def ran(usd: str | Decimal = HOURLY, hours: int = 24, instance: str = "i-0aa", **more: Any) -> list[BillLine]:
    """An instance's hours at this price, one line each."""
    meter = more.pop("meter", "BoxUsage:m5.large")
    return [
        line(usd, hour=hour, resource=instance, meter=meter, unit="Hrs", quantity=Decimal(1), **more)
        for hour in range(hours)
    ]


def one_node(**parts: Any) -> ClusterCost:
    made = node(provider_id="aws:///us-east-1a/i-0aa")
    return cost_of(nodes=(made,), pods=(pod("api", 1000, 4 * GIB), pod("dns", 100, GIB, namespace="dns")), **parts)


def billed(cost: ClusterCost, *lines: Iterable[BillLine]) -> Billed:
    return match(cost, [each for some in lines for each in some], NAMES)


def of_pool(found: Billed, pool: Pool | None) -> int:
    return sum(share.usd_micros for share in found.cost.shares if share.pool is pool)


# ── Names ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("resource", "key"),
    [
        ("i-0abc", "i-0abc"),
        ("arn:aws:ec2:eu-central-1:123456789012:instance/i-0abc", "i-0abc"),
        ("arn:aws:ec2:eu-central-1:123456789012:volume/vol-0abc", "vol-0abc"),
        ("arn:aws:elasticfilesystem:eu-central-1:123456789012:file-system/fs-0abc", "fs-0abc"),
        ("arn:aws:eks:eu-central-1:123456789012:cluster/prod", "eks/eu-central-1/prod"),
        ("arn:aws:eks:eu-central-1:123456789012:nodegroup/prod/a/b", "eks/eu-central-1/prod/nodegroup"),
        ("arn:broken", "arn:broken"),
        ("", ""),
    ],
)
def test_a_resource_has_one_name(resource: str, key: str) -> None:
    assert resource_key(resource) == key


@pytest.mark.parametrize(
    ("host", "arn"),
    [
        (
            "k8s-pay-api-0a1b2c3d4e-123456789.eu-central-1.elb.amazonaws.com",
            "app/k8s-pay-api-0a1b2c3d4e/50dc6c495c0c9188",
        ),
        ("internal-k8s-Pay-0a1b-1234.eu-central-1.elb.amazonaws.com", "app/k8s-Pay-0a1b/50dc6c495c0c9188"),
        ("dualstack.k8s-pay-0a1b-1234.eu-central-1.elb.amazonaws.com", "app/k8s-pay-0a1b/50dc6c495c0c9188"),
        ("k8s-gw-50dc6c495c0c9188.elb.eu-central-1.amazonaws.com", "net/k8s-gw/50dc6c495c0c9188"),
        ("a0b1c2-99.eu-central-1.elb.amazonaws.com", "a0b1c2"),
    ],
)
def test_a_load_balancers_host_and_arn_are_one(host: str, arn: str) -> None:
    whole = f"arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/{arn}"
    assert resource_key(host) == resource_key(whole)


# ── Nodes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_node_costs_what_the_bill_says_split_as_the_model_splits_it() -> None:
    cost = one_node()
    found = billed(cost, ran("0.048"))
    assert of_pool(found, None) == round(sum(s.usd_micros for s in cost.shares if s.pool is None) * 0.048 * 24 / 70.08)
    assert found.cost.usd_micros == 1_152_000
    assert found.differences == {Cause.PRICE: -1_152_000, Cause.MODEL_ONLY: -2_400_000}  # the control plane


def test_what_a_savings_plan_covers_is_told_apart_from_spot() -> None:
    covered = ran(HOURLY, kind=LineKind.COVERED, amortized_usd=Decimal("0.06"))
    negation = line("-2.304", kind=LineKind.NEGATION, amortized_usd=Decimal(0), resource="i-0aa", unit="Hrs")
    found = billed(one_node(), covered, [negation])
    assert found.differences[Cause.COMMITTED] == round((0.06 - 0.096) * 24 * 1_000_000)
    assert found.unblended_usd_micros == 0
    spot = billed(one_node(), ran("0.03", meter="SpotUsage:m5.large", spot=True))
    assert spot.differences[Cause.SPOT] == round((0.03 - 0.096) * 24 * 1_000_000)


def test_a_node_that_ran_for_half_a_day_costs_half_for_its_hours() -> None:
    other = line("1", hour=23, resource="i-0bb", unit="Hrs")
    found = billed(one_node(), ran(hours=12), [other])
    assert found.differences[Cause.HOURS] == -round(0.096 * 12 * 1_000_000)
    assert Cause.PRICE not in found.differences
    assert found.differences[Cause.ELSEWHERE] == 1_000_000


def test_use_on_a_node_is_no_difference_of_its_price() -> None:
    data = line("0.5", resource="i-0aa", meter="DataTransfer-Regional-Bytes", unit="GB", quantity=Decimal(50))
    found = billed(one_node(), ran(), [data])
    assert found.differences == {Cause.USE: 500_000, Cause.MODEL_ONLY: -2_400_000}


def test_a_discount_on_a_node_is_one_and_any_other_is_apart() -> None:
    on_node = line("-0.2", kind=LineKind.DISCOUNT, resource="i-0aa")
    found = billed(one_node(), ran(), [on_node, line("-3", kind=LineKind.DISCOUNT)])
    assert (found.differences[Cause.DISCOUNT], found.differences[Cause.CREDITS]) == (-200_000, -3_000_000)


def test_a_day_that_is_there_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="48 hours of i-0aa on 2026-11-01"):
        billed(one_node(), ran(), ran())


def test_a_node_without_a_price_gets_one_from_the_bill() -> None:
    made = node(instance="zz9.large", provider_id="aws:///us-east-1a/i-0aa")
    found = billed(cost_of(nodes=(made,)), ran("2", meter="BoxUsage:zz9.large"))
    assert found.cost.usd_micros == 48_000_000
    assert found.differences[Cause.USE] == 48_000_000
    assert not [charge for charge in found.cost.unknown if charge.kind is CostKind.NODE]


# ── All else ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_volume_is_found_by_its_handle_and_stays_its_claims() -> None:
    parts = volume()
    parts["volumes"] = (replace(parts["volumes"][0], handle="vol-0abc"),)
    lines = [
        line("0.2", resource="vol-0abc", meter="EBS:VolumeUsage.gp3", unit="GB-Mo", quantity=Decimal(3), hours=24),
        line("0.1", resource="vol-0fff", meter="EBS:VolumeUsage.gp3", unit="GB-Mo", tags=MINE, hours=24),
    ]
    found = billed(cost_of(**parts), lines)
    (share,) = (share for share in found.cost.shares if share.charge.kind is CostKind.VOLUME)
    assert (share.namespace, share.usd_micros) == ("payments", 200_000)
    assert found.differences[Cause.BILL_ONLY] == 100_000
    assert of_pool(found, Pool.CLUSTER) == 100_000


def test_what_is_of_no_cluster_is_apart_and_so_are_credits_taxes_and_unused_commitments() -> None:
    apart = [
        line("-5", kind=LineKind.CREDIT, resource="i-0aa"),
        line("-1", kind=LineKind.REFUND),
        line("7", kind=LineKind.TAX, hours=720),
        line("2", kind=LineKind.COMMITMENT),
        line("11", service="AmazonS3", tags={"eks:cluster-name": "other"}),
    ]
    found = billed(one_node(), ran(), apart)
    assert of_pool(found, Pool.CREDITS) == -6_000_000
    assert of_pool(found, Pool.TAXES) == 7_000_000
    assert of_pool(found, Pool.COMMITMENTS) == 2_000_000
    assert of_pool(found, Pool.ELSEWHERE) == 11_000_000
    assert (found.begin, found.hours) == (BEGIN, Decimal(24))


@pytest.mark.parametrize("days", [28, 30, 31])
def test_months_of_any_length_and_parts_of_them_are_held_against_the_same_time(days: int) -> None:
    found = billed(one_node(), ran(hours=24 * days))
    assert found.hours == 24 * days
    assert found.differences == {Cause.MODEL_ONLY: -100_000 * 24 * days}


def test_a_charge_of_a_month_at_once_does_not_make_half_a_month_whole() -> None:
    found = billed(one_node(), ran(hours=48), [line("0.5", service="AmazonRoute53", hours=720)])
    assert found.hours == 48


def test_a_bill_of_no_time_is_refused() -> None:
    with pytest.raises(BadInput, match="no usage"):
        billed(one_node(), [line("1", kind=LineKind.TAX)])


def test_usage_types_are_enough_where_a_bill_names_no_resources() -> None:
    made = tuple(node(name, provider_id=f"aws:///us-east-1a/i-0{name}") for name in ("aa", "bb"))
    total = line("2.304", meter="USE2-BoxUsage:m5.large", unit="Hrs", quantity=Decimal(24), hours=24, tags=MINE)
    found = billed(cost_of(nodes=made), [total])
    assert {share.node: share.usd_micros for share in found.cost.shares if share.pool is Pool.IDLE}.keys() == {
        "aa",
        "bb",
    }
    assert found.differences[Cause.HOURS] == -2_304_000  # one of two, all the time
    assert Cause.PRICE not in found.differences
    assert not found.names_resources


# ── Nothing is lost ─────────────────────────────────────────────────────────────────────────────────────────────

amounts = st.decimals(Decimal(-1000), Decimal(1000), allow_nan=False, places=11)


@given(st.lists(amounts, min_size=1))
def test_rounding_loses_nothing(usd: list[Decimal]) -> None:
    whole = micros(usd)
    assert sum(whole) == int((sum(usd, Decimal(0)) * 1_000_000).to_integral_value())
    assert all(abs(one - exact * 1_000_000) <= 1 for one, exact in zip(whole, usd, strict=True))


resources = st.sampled_from(("i-0aa", "i-0bb", "vol-0abc", "", "arn:aws:eks:us-east-1:1:nodegroup/prod-eu-1/a/b", "x"))
bills = st.lists(
    st.builds(
        line,
        amounts,
        hour=st.integers(0, 23),
        kind=st.sampled_from(LineKind),
        resource=resources,
        meter=st.sampled_from(("BoxUsage:m5.large", "EBS:VolumeUsage.gp3", "DataTransfer-Out-Bytes", "")),
        unit=st.sampled_from(("Hrs", "GB", "GB-Mo", "")),
        service=st.sampled_from(("AmazonEC2", "AmazonS3")),
        tags=st.sampled_from(({}, MINE)),
    ),
    max_size=30,
)


@given(bills)
def test_every_micro_dollar_of_a_bill_is_in_one_row_and_every_difference_has_a_cause(lines: list[BillLine]) -> None:
    parts = volume()
    parts["volumes"] = (replace(parts["volumes"][0], handle="vol-0abc"),)
    found = billed(one_node(**parts), lines, ran())
    whole = micros([sum((each.amortized_usd for each in lines), Decimal(0)) + 24 * HOURLY])[0]
    assert sum(share.usd_micros for share in found.cost.shares) == found.cost.usd_micros == whole
    assert found.model_usd_micros + sum(found.differences.values()) == whole
    known = knowledge.load()
    for by in By:
        rows = summarise(found.cost, by, model.Inventory(installations=()), known)
        assert sum(row.usd_micros for row in rows) == whole


def test_the_model_itself_as_a_bill_differs_in_nothing() -> None:
    found = billed(one_node(), ran(hours=730))
    (mine,) = (charge for charge in found.cost.charges if charge.kind is CostKind.NODE)
    assert mine.usd_micros == M5_LARGE
    assert found.differences.keys() == {Cause.MODEL_ONLY}
