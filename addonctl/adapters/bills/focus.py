"""FOCUS, the FinOps Foundation's form of bills, 1.0 and later. Its EffectiveCost is what is amortised.

Source: the FOCUS specification, dataset Cost and Usage.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from addonctl.adapters.bills import values
from addonctl.adapters.bills.rows import Row
from addonctl.errors import BadInput
from addonctl.model.bill import BillLine, LineKind

_NEEDED = (
    "BilledCost",
    "EffectiveCost",
    "BillingCurrency",
    "ChargeCategory",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ServiceName",
    "ResourceId",
)
_METERS = ("x_UsageType", "SkuId", "SkuMeter")  # x_UsageType is AWS's own; SkuMeter came with 1.1
_OPTIONAL = (
    "ConsumedQuantity",
    "ConsumedUnit",
    "CommitmentDiscountId",
    "CommitmentDiscountStatus",
    "PricingCategory",
    "Tags",
    *_METERS,
)
_KINDS = {
    "Usage": LineKind.USAGE,
    "Purchase": LineKind.FEE,
    "Tax": LineKind.TAX,
    "Credit": LineKind.CREDIT,
    "Adjustment": LineKind.REFUND,
}


def is_it(columns: Iterable[str]) -> bool:
    """Whether a file with these columns is one."""
    return "BilledCost" in set(columns)


class Reader:
    """Reads rows of one file, whose columns it chooses."""

    def __init__(self, tags: Collection[str]) -> None:
        self._tags = values.tag_keys(tags)
        self._names: list[str] = []

    def choose(self, columns: Iterable[str]) -> list[str]:
        """The columns that are read. Raises BadInput with the names of those that are missing."""
        there = set(columns)
        missing = [name for name in _NEEDED if name not in there]
        if missing:
            raise BadInput(f"A FOCUS export without {', '.join(missing)}", "Export FOCUS 1.0 or later, all columns.")
        self._names = [*_NEEDED, *(name for name in _OPTIONAL if name in there)]
        return self._names

    def lines(self, rows: Iterable[Row]) -> Iterator[BillLine]:
        for row in rows:
            fields = {name: values.text(value) for name, value in zip(self._names, row, strict=True)}
            values.dollars(fields["BillingCurrency"], "BillingCurrency")
            yield self._line(fields)

    def _line(self, fields: Mapping[str, str]) -> BillLine:
        return BillLine(
            begin=values.time(fields["ChargePeriodStart"], "ChargePeriodStart"),
            end=values.time(fields["ChargePeriodEnd"], "ChargePeriodEnd"),
            service=fields["ServiceName"],
            kind=_kind(fields),
            amortized_usd=values.amount(fields["EffectiveCost"], "EffectiveCost"),
            unblended_usd=values.amount(fields["BilledCost"], "BilledCost"),
            resource=fields["ResourceId"],
            meter=next((fields[name] for name in _METERS if fields.get(name)), ""),
            quantity=values.amount(fields.get("ConsumedQuantity", ""), "ConsumedQuantity"),
            unit=fields.get("ConsumedUnit", ""),
            spot=fields.get("PricingCategory") == "Dynamic",
            tags=values.tags_in(fields.get("Tags", ""), self._tags),
        )


def _kind(fields: Mapping[str, str]) -> LineKind:
    category, status = fields["ChargeCategory"], fields.get("CommitmentDiscountStatus", "")
    if category not in _KINDS:
        raise BadInput(f"ChargeCategory {category!r} is none of FOCUS", f"It has {', '.join(_KINDS)}.")
    if fields.get("CommitmentDiscountId") and category in ("Usage", "Purchase"):
        return LineKind.COVERED if category == "Usage" and status != "Unused" else LineKind.COMMITMENT
    return _KINDS[category]
