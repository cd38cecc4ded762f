"""Costs as rows of FOCUS 1.3, the FinOps Foundation's form of bills, as CSV: one a charge and who it is allocated to.

At list price they are those of one day, by a bill those of its time; the allocated rows of a charge and what is left of
it add up to it. Charges without a figure have no row. Source: the FOCUS specification, dataset Cost and Usage.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from addonctl.assessment import Assessment
from addonctl.cost.allocation import split
from addonctl.model.bill import Billed
from addonctl.model.cost import HOURS_PER_MONTH, Charge, ClusterCost, CostKind, Pool, Share

COLUMNS = tuple(
    """
    BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory
    ChargeClass ChargeDescription ChargeFrequency ChargePeriodEnd ChargePeriodStart ConsumedQuantity ConsumedUnit
    ContractedCost ContractedUnitPrice EffectiveCost HostProviderName InvoiceIssuerName ListCost ListUnitPrice
    PricingCategory PricingQuantity PricingUnit ProviderName PublisherName RegionId ResourceId ResourceName ResourceType
    ServiceCategory ServiceName ServiceProviderName Tags AllocatedMethodId AllocatedMethodDetails AllocatedResourceId
    AllocatedResourceName AllocatedTags x_CostBasis
    """.split()
)
METHOD = "addonctl-split-9-1"
"""CPU and memory 9 to 1 by the greater of requests and use: see docs/decisions/0013-prices-and-allocation.md."""

_AWS, _ISSUER = "AWS", "Amazon Web Services, Inc."
_EKS, _EC2 = "Amazon Elastic Kubernetes Service", "Amazon Elastic Compute Cloud"
# What is paid for → the service, its category, and the type of the resource.
_SERVICES = {
    CostKind.NODE: (_EC2, "Compute", "Instance"),
    CostKind.FARGATE: (_EKS, "Compute", "Fargate pod"),
    CostKind.AUTO_MODE: (_EKS, "Compute", "Instance"),
    CostKind.VOLUME: (_EC2, "Storage", "Volume"),
    CostKind.LOAD_BALANCER: ("Elastic Load Balancing", "Networking", "Load balancer"),
    CostKind.CONTROL_PLANE: (_EKS, "Compute", "Cluster"),
    CostKind.CAPABILITY: (_EKS, "Compute", "Capability"),
    CostKind.METERED: (_AWS, "Other", ""),
    CostKind.OTHER: (_AWS, "Other", ""),
}
# The rest of a bill: of the account, and of no resource of the cluster.
_OF_THE_ACCOUNT = (Pool.ELSEWHERE, Pool.COMMITMENTS, Pool.CREDITS, Pool.TAXES)
_CATEGORIES = {Pool.CREDITS: "Credit", Pool.TAXES: "Tax", Pool.COMMITMENTS: "Purchase"}


class _Time(NamedTuple):
    begin: datetime
    end: datetime
    basis: str


def of_a_day(assessment: Assessment, cost: ClusterCost) -> str:
    """A day at list price: the day that the cluster was read on."""
    begin = datetime.combine(assessment.snapshot.taken.astimezone(UTC).date(), datetime.min.time(), UTC)
    time = _Time(begin, begin + timedelta(days=1), "list price, estimated")
    return _csv(assessment, cost, time, Decimal(24) / HOURS_PER_MONTH)


def of_a_bill(assessment: Assessment, billed: Billed) -> str:
    """The time of a bill. Its amounts are amortised, BilledCost too: what was charged when is not known by share."""
    return _csv(assessment, billed.cost, _Time(billed.begin, billed.end, "billed, amortised"), Decimal(1))


def _csv(assessment: Assessment, cost: ClusterCost, time: _Time, part: Decimal) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    together: dict[int, list[Share]] = {}
    for share in (each for each in cost.shares if each.is_known):
        together.setdefault(id(share.charge), []).append(share)
    for shares in together.values():
        for row in _of_charge(assessment, shares, time, part):
            writer.writerow([row.get(name, "") for name in COLUMNS])
    return out.getvalue()


class _Whose(NamedTuple):
    """Whom a row is allocated to: one row each, however many pods it has on a node."""

    installation: str
    namespace: str
    workload: str
    pool: Pool | None


def _of_charge(
    assessment: Assessment, shares: Iterable[Share], time: _Time, part: Decimal
) -> Iterator[dict[str, object]]:
    """The rows of one charge, which add up to so much of it in whole micro-dollars."""
    by: dict[_Whose, list[Share]] = {}
    for share in shares:
        workload = str(share.workload) if share.workload else ""
        by.setdefault(_Whose(share.installation, share.namespace, workload, share.pool), []).append(share)
    sums = {whose: sum(share.usd_micros for share in mine) for whose, mine in by.items()}
    whole = sum(sums.values())
    common = _charge(assessment, next(iter(by.values()))[0].charge, time)
    amounts = _scaled(tuple(sums.values()), part)
    for (whose, mine), micros in zip(by.items(), amounts, strict=True):
        if micros or not whole:
            yield {
                **common,
                **_cost(mine[0].charge, micros),
                **_allocation(assessment, whose, mine, Decimal(sums[whose]) / whole if whole else Decimal(1), len(by)),
                "ChargeCategory": _CATEGORIES.get(whose.pool, "Usage") if whose.pool else "Usage",
            }


def _scaled(micros: tuple[int, ...], part: Decimal) -> tuple[int, ...]:
    """So much of each, whole, adding up to so much of their sum; as they are where some are less than none."""
    if part == 1 or min(micros) < 0 or not sum(micros):
        return micros
    return split(int((sum(micros) * part).to_integral_value()), micros)


def _cost(charge: Charge, micros: int) -> dict[str, object]:
    """The columns of so many micro-dollars of a charge."""
    cost = _dollars(micros)
    quantity = _number(Decimal(micros) / 1_000_000 / charge.usd) if charge.usd else ""
    return {
        "BilledCost": cost,
        "EffectiveCost": cost,
        "ContractedCost": cost,
        "ListCost": cost,
        "PricingQuantity": quantity,
        "ConsumedQuantity": quantity,
    }


def _charge(assessment: Assessment, charge: Charge, time: _Time) -> dict[str, object]:
    """The columns of what is paid for, which all of its rows have."""
    service, category, kind = _SERVICES[charge.kind]
    priced = bool(charge.usd)
    price = _number(charge.usd) if charge.usd else ""
    eks = assessment.snapshot.eks
    account = (eks.cluster.arn.split(":") + [""] * 5)[4] if eks else ""
    return {
        "ListUnitPrice": price,
        "ContractedUnitPrice": price,
        "PricingUnit": charge.unit if priced else "",
        "ConsumedUnit": charge.unit if priced else "",
        "PricingCategory": "Standard" if priced else "",
        "BillingAccountId": account or "unknown",
        "BillingAccountName": account,
        "BillingCurrency": "USD",
        "BillingPeriodStart": _stamp(_month(time.begin.date())),
        "BillingPeriodEnd": _stamp(_month((time.end - timedelta(seconds=1)).date(), 1)),
        "ChargePeriodStart": _stamp(time.begin),
        "ChargePeriodEnd": _stamp(time.end),
        "ChargeDescription": charge.what,
        "ChargeFrequency": "Usage-Based",
        "ProviderName": _AWS,
        "ServiceProviderName": _AWS,
        "HostProviderName": _AWS,
        "PublisherName": _ISSUER,
        "InvoiceIssuerName": _ISSUER,
        "RegionId": assessment.view.region,
        "ResourceId": charge.resource or _name(charge, assessment.cluster.name),
        "ResourceName": charge.about.name if charge.about else "",
        "ResourceType": kind,
        "ServiceCategory": category,
        "ServiceName": service,
        "x_CostBasis": time.basis,
    }


def _name(charge: Charge, cluster: str) -> str:
    """What has no name of AWS's has that of its object, or of the cluster."""
    return f"{cluster}/{charge.about}" if charge.about else f"{cluster}/{charge.what}"


def _allocation(
    assessment: Assessment, whose: _Whose, mine: list[Share], ratio: Decimal, rows: int
) -> dict[str, object]:
    """To whom it is allocated; nothing of what is left of a charge, or is one's alone."""
    if whose.pool in _OF_THE_ACCOUNT:
        return {"RegionId": "", "ResourceId": ""}
    tags = {
        "cluster": assessment.cluster.name,
        "addon": whose.installation.partition("/")[0],
        "installation": whose.installation,
        "namespace": whose.namespace,
        "workload": whose.workload,
        "pool": whose.pool.value if whose.pool else "",
    }
    written = json.dumps({key: value for key, value in tags.items() if value})
    if whose.pool is not None or (rows == 1 and not whose.workload):
        return {"Tags": written}
    weight = sum(9 * share.cpu_millicores / 1000 + share.memory_bytes / 2**30 for share in mine)
    element = {"AllocatedRatio": float(ratio), "UsageUnit": "9 × vCPU + GiB", "UsageQuantity": round(weight, 6)}
    name = whose.workload or whose.installation or whose.namespace
    return {
        "Tags": json.dumps({"cluster": assessment.cluster.name}),
        "AllocatedMethodId": METHOD,
        "AllocatedMethodDetails": json.dumps({"Elements": [element]}),
        "AllocatedResourceId": f"{assessment.cluster.name}/{name}",
        "AllocatedResourceName": name,
        "AllocatedTags": written,
    }


def _month(day: date, later: int = 0) -> datetime:
    """When a month begins: that of a day, or so many after it."""
    number = day.year * 12 + day.month - 1 + later
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _dollars(micros: int) -> str:
    return f"{Decimal(micros) / 1_000_000:f}"


def _number(value: Decimal) -> str:
    return f"{round(value, 12).normalize():f}"
