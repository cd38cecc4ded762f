"""One bill in all forms that AWS delivers: a cluster's day with a Savings Plan, Spot, a volume, credits and a tax."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
CLUSTER = "prod-eu-1"
OWNED = {f"kubernetes.io/cluster/{CLUSTER}": "owned"}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One line. `type` is CUR's line item type; `usd` is unblended, `amortized` None where it is the same."""

    type: str
    usd: str
    amortized: str | None = None
    hour: int = 0
    hours: int = 1
    service: str = "AmazonEC2"
    meter: str = ""
    quantity: str = "1"
    unit: str = "Hrs"
    resource: str = ""
    currency: str = "USD"
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def begin(self) -> datetime:
        return BEGIN + timedelta(hours=self.hour)

    @property
    def end(self) -> datetime:
        return self.begin + timedelta(hours=self.hours)

    @property
    def effective(self) -> str:
        return self.usd if self.amortized is None else self.amortized


def a_day() -> tuple[Item, ...]:
    """24 hours of two nodes and what comes with them. In all $20.0480000048 amortised."""
    node: dict[str, Any] = {"meter": "EUC1-BoxUsage:m5.large", "resource": "i-0aa", "tags": OWNED}
    spot: dict[str, Any] = {"meter": "EUC1-SpotUsage:m5.large", "resource": "i-0bb", "tags": OWNED}
    items: list[Item] = []
    for hour in range(24):
        items += [
            Item(type="SavingsPlanCoveredUsage", usd="0.115", amortized="0.08", hour=hour, **node),
            Item(type="SavingsPlanNegation", usd="-0.115", amortized="0", hour=hour, service="ComputeSavingsPlans"),
            Item(type="Usage", usd="0.04", hour=hour, **spot),
        ]
    return (
        *items,
        Item(
            type="Usage",
            usd="0.31",
            hours=24,
            resource="vol-0abc",
            meter="EUC1-EBS:VolumeUsage.gp3",
            unit="GB-Mo",
            tags=OWNED,
        ),
        Item(type="Usage", usd="0.0000000048", service="AmazonS3", unit="Requests", meter="EUC1-Requests-Tier1"),
        Item(type="SavingsPlanRecurringFee", usd="2.4", amortized="0.48", service="ComputeSavingsPlans", hours=24),
        Item(type="Tax", usd="19", hours=720, service="AmazonEC2"),
        Item(type="Credit", usd="-2", resource="i-0aa"),
        Item(type="Refund", usd="-0.622", service="AmazonS3"),
    )


def sums(items: Iterable[Item]) -> tuple[Decimal, Decimal]:
    """Amortised and unblended."""
    items = tuple(items)
    return sum((Decimal(i.effective) for i in items), Decimal(0)), sum((Decimal(i.usd) for i in items), Decimal(0))


# ── Cost and Usage Reports ──────────────────────────────────────────────────────────────────────────────────────

_TIME = "%Y-%m-%dT%H:%M:%S.000Z"


def cur_row(item: Item) -> dict[str, str]:
    covered = item.type == "SavingsPlanCoveredUsage"
    fee = item.type == "SavingsPlanRecurringFee"
    return {
        "identity/LineItemId": "x",
        "lineItem/LineItemType": item.type,
        "lineItem/UsageStartDate": item.begin.strftime(_TIME),
        "lineItem/UsageEndDate": item.end.strftime(_TIME),
        "lineItem/ProductCode": item.service,
        "lineItem/UsageType": item.meter,
        "lineItem/UsageAmount": item.quantity,
        "lineItem/CurrencyCode": item.currency,
        "lineItem/UnblendedCost": item.usd,
        "lineItem/ResourceId": item.resource,
        "pricing/unit": item.unit,
        "reservation/EffectiveCost": "",
        "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": "",
        "reservation/UnusedRecurringFee": "",
        "savingsPlan/SavingsPlanEffectiveCost": item.effective if covered else "",
        "savingsPlan/TotalCommitmentToDate": item.usd if fee else "",
        "savingsPlan/UsedCommitment": str(Decimal(item.usd) - Decimal(item.effective)) if fee else "",
        f"resourceTags/user:kubernetes.io/cluster/{CLUSTER}": next(iter(item.tags.values()), ""),
    }


def cur2_row(item: Item) -> dict[str, str]:
    """CUR 2.0: one column of tags, and names in lower case."""
    from addonctl.adapters.bills.values import canonical

    row = {canonical(name): value for name, value in cur_row(item).items() if not name.startswith("resourceTags")}
    tags = {f"user_{canonical(key)}": value for key, value in item.tags.items()}
    return row | {"resource_tags": json.dumps(tags)}


# ── FOCUS ───────────────────────────────────────────────────────────────────────────────────────────────────────

_CATEGORIES = {
    "SavingsPlanCoveredUsage": "Usage",
    "SavingsPlanRecurringFee": "Purchase",
    "Usage": "Usage",
    "Tax": "Tax",
    "Credit": "Credit",
    "Refund": "Adjustment",
}


def focus_row(item: Item) -> dict[str, str]:
    covered = item.type == "SavingsPlanCoveredUsage"
    plan = covered or item.type == "SavingsPlanRecurringFee"
    return {
        "BilledCost": "0" if covered else item.usd,
        "EffectiveCost": item.effective,
        "BillingCurrency": item.currency,
        "ChargeCategory": _CATEGORIES[item.type],
        "ChargeClass": "NULL",
        "ChargePeriodStart": item.begin.strftime("%Y-%m-%d %H:%M:%S"),
        "ChargePeriodEnd": item.end.strftime("%Y-%m-%d %H:%M:%S"),
        "CommitmentDiscountId": "arn:aws:savingsplans::123456789012:savingsplan/1" if plan else "NULL",
        "CommitmentDiscountStatus": "Used" if covered else "NULL",
        "ConsumedQuantity": item.quantity,
        "ConsumedUnit": {"Hrs": "Hours", "GB-Mo": "GB-Months"}.get(item.unit, item.unit),
        "PricingCategory": "Dynamic" if "Spot" in item.meter else "Standard",
        "ResourceId": item.resource or "NULL",
        "ServiceName": item.service,
        "SkuId": item.meter or "NULL",
        "Tags": json.dumps(dict(item.tags)) if item.tags else "NULL",
    }


def focus_items(items: Iterable[Item]) -> tuple[Item, ...]:
    """FOCUS has no lines that take others back."""
    return tuple(item for item in items if item.type != "SavingsPlanNegation")


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────


def as_csv(rows: Sequence[Mapping[str, str]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """A file of these rows, in the form that its name ends with: .csv, .csv.gz or .parquet."""
    if path.suffix == ".parquet":
        _parquet(path, rows)
    else:
        body = as_csv(rows)
        path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


def _parquet(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """As AWS writes them: times and numbers as such, tags as a map."""
    import pyarrow as pa
    from pyarrow import parquet

    def column(name: str) -> Any:
        texts = [row[name] for row in rows]
        if name.endswith(("start_date", "end_date")):
            return pa.array([datetime.strptime(text, _TIME) for text in texts], pa.timestamp("ms"))
        if name.endswith(("_cost", "_amount", "_commitment", "_to_date", "_fee", "_period")):
            return pa.array([float(text) if text else None for text in texts], pa.float64())
        if name == "resource_tags":
            return pa.array([list(json.loads(text).items()) for text in texts], pa.map_(pa.string(), pa.string()))
        return pa.array(texts, pa.string())

    parquet.write_table(pa.table({name: column(name) for name in rows[0]}), path)


def of_a_story(nodes: Sequence[str]) -> tuple[Item, ...]:
    """Two days of a cluster of three m7g.xlarge: one covered by a Savings Plan, one on demand, one Spot for a day."""
    plan, on_demand, spot = nodes
    items: list[Item] = []
    for hour in range(48):
        box: dict[str, Any] = {"hour": hour, "meter": "EUC1-BoxUsage:m7g.xlarge", "tags": OWNED}
        items += [
            Item(type="SavingsPlanCoveredUsage", usd="0.1954", amortized="0.1407", resource=plan, **box),
            Item(type="SavingsPlanNegation", usd="-0.1954", amortized="0", hour=hour, service="ComputeSavingsPlans"),
            Item(type="Usage", usd="0.1954", resource=on_demand, **box),
        ]
        if hour < 24:
            more = box | {"meter": "EUC1-SpotUsage:m7g.xlarge"}
            items.append(Item(type="Usage", usd="0.0712", resource=spot, **more))
    arn = f"arn:aws:eks:eu-central-1:123456789012:cluster/{CLUSTER}"
    whole: dict[str, Any] = {"type": "Usage", "hours": 24}
    return (
        *items,
        *(Item(usd="2.4", hour=h, service="AmazonEKS", resource=arn, quantity="24", **whole) for h in (0, 24)),
        Item(usd="1.37", resource=on_demand, meter="EUC1-DataTransfer-Regional-Bytes", unit="GB", **whole),
        Item(usd="0.62", resource="vol-0123456789abcdef0", meter="EUC1-EBS:VolumeUsage.gp3", tags=OWNED, **whole),
        Item(usd="31.5", service="AmazonRDS", resource="arn:aws:rds:eu-central-1:123456789012:db:orders", **whole),
        Item(type="SavingsPlanRecurringFee", usd="9.6", amortized="2.8464", service="ComputeSavingsPlans", hours=48),
        Item(type="Credit", usd="-10"),
        Item(type="Tax", usd="14.21", hours=720),
    )
