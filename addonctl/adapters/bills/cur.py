"""AWS's Cost and Usage Reports: the older ones (lineItem/…), those for Athena and CUR 2.0 (line_item_…).

What is amortised follows AWS's own queries for amortised cost: covered usage at what the Savings Plan or reservation
cost, of a plan or reservation only what was not used.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import Decimal

from addonctl.adapters.bills import values
from addonctl.adapters.bills.rows import Row
from addonctl.errors import BadInput
from addonctl.model.bill import BillLine, LineKind

_NEEDED = (
    "lineItem/LineItemType",
    "lineItem/UsageStartDate",
    "lineItem/UsageEndDate",
    "lineItem/ProductCode",
    "lineItem/UsageType",
    "lineItem/UsageAmount",
    "lineItem/CurrencyCode",
    "lineItem/UnblendedCost",
)
_OPTIONAL = (
    "lineItem/ResourceId",
    "pricing/unit",
    "savingsPlan/SavingsPlanEffectiveCost",
    "savingsPlan/TotalCommitmentToDate",
    "savingsPlan/UsedCommitment",
    "reservation/EffectiveCost",
    "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod",
    "reservation/UnusedRecurringFee",
    "reservation/ReservationARN",
)
_KINDS = {
    "Usage": LineKind.USAGE,
    "DiscountedUsage": LineKind.COVERED,
    "SavingsPlanCoveredUsage": LineKind.COVERED,
    "SavingsPlanNegation": LineKind.NEGATION,
    "SavingsPlanRecurringFee": LineKind.COMMITMENT,
    "SavingsPlanUpfrontFee": LineKind.COMMITMENT,
    "RIFee": LineKind.COMMITMENT,
    "Fee": LineKind.FEE,
    "Credit": LineKind.CREDIT,
    "Refund": LineKind.REFUND,
    "Tax": LineKind.TAX,
}
_TAGS = "resource_tags"
Fields = Mapping[str, str]


def is_it(columns: Iterable[str]) -> bool:
    """Whether a file with these columns is one."""
    return values.canonical(_NEEDED[0]) in set(map(values.canonical, columns))


class Reader:
    """Reads rows of one file, whose columns it chooses."""

    def __init__(self, tags: Collection[str]) -> None:
        self._tags = values.tag_keys(tags)
        self._names: list[str] = []

    def choose(self, columns: Iterable[str]) -> list[str]:
        """The columns that are read. Raises BadInput with the names of those that are missing."""
        there = {values.canonical(column): column for column in columns}
        missing = [name for name in _NEEDED if values.canonical(name) not in there]
        if missing:
            raise BadInput(
                f"A Cost and Usage Report without {', '.join(missing)}", "Export it with all columns of line items."
            )
        named = {there[canon]: canon for name in (*_NEEDED, *_OPTIONAL) if (canon := values.canonical(name)) in there}
        of_tags = {
            column: canon for canon, column in there.items() if canon == _TAGS or _tag(canon, self._tags) is not None
        }
        self._names = [*named.values(), *of_tags.values()]
        return [*named, *of_tags]

    def lines(self, rows: Iterable[Row]) -> Iterator[BillLine]:
        for row in rows:
            fields = dict(zip(self._names, row, strict=True))
            values.dollars(fields["line_item_currency_code"], "lineItem/CurrencyCode")
            yield self._line(fields)

    def _line(self, fields: Fields) -> BillLine:
        type_ = fields["line_item_line_item_type"]
        unblended = values.amount(fields["line_item_unblended_cost"], "lineItem/UnblendedCost")
        amortized = _AMORTIZED.get(type_)
        return BillLine(
            begin=values.time(fields["line_item_usage_start_date"], "lineItem/UsageStartDate"),
            end=values.time(fields["line_item_usage_end_date"], "lineItem/UsageEndDate"),
            service=fields["line_item_product_code"],
            kind=_kind(type_),
            amortized_usd=unblended if amortized is None else amortized(fields, unblended),
            unblended_usd=unblended,
            resource=fields.get("line_item_resource_id", ""),
            meter=fields["line_item_usage_type"],
            quantity=values.amount(fields["line_item_usage_amount"], "lineItem/UsageAmount"),
            unit=fields.get("pricing_unit", ""),
            spot="SpotUsage" in fields["line_item_usage_type"],
            tags=self._tagged(fields),
        )

    def _tagged(self, fields: Fields) -> Fields:
        found = values.tags_in(fields.get(_TAGS, ""), self._tags)
        for name, value in fields.items():
            tag = _tag(name, self._tags)
            if value and tag is not None:
                found[tag] = value
        return found


def _tag(column: str, keys: Mapping[str, str]) -> str | None:
    """The tag that a column of its own is of: resourceTags/user:KEY, resourceTags/aws:KEY."""
    prefix = f"{_TAGS}_"
    return keys.get(column.removeprefix(prefix)) if column.startswith(prefix) else None


def _kind(type_: str) -> LineKind:
    """What kind a line is; AWS adds types, of which those whose name says so are discounts."""
    known = _KINDS.get(type_)
    if known is None and not type_.endswith("Discount"):
        raise BadInput(f"lineItem/LineItemType {type_!r} is not known", "Update addonctl: its amount would be guessed.")
    return known or LineKind.DISCOUNT


def _number(fields: Fields, column: str) -> Decimal:
    canon = values.canonical(column)
    if canon not in fields:
        raise BadInput(
            f"A Cost and Usage Report with {fields['line_item_line_item_type']} lines, without {column}",
            "Export it with the columns of reservations and Savings Plans.",
        )
    return values.amount(fields[canon], column)


def _nothing(fields: Fields, unblended: Decimal) -> Decimal:
    return Decimal(0)


# What is amortised, by line item type; of others what is unblended.
_AMORTIZED: Mapping[str, Callable[[Fields, Decimal], Decimal]] = {
    "SavingsPlanCoveredUsage": lambda fields, _: _number(fields, "savingsPlan/SavingsPlanEffectiveCost"),
    "SavingsPlanRecurringFee": lambda fields, _: (
        _number(fields, "savingsPlan/TotalCommitmentToDate") - _number(fields, "savingsPlan/UsedCommitment")
    ),
    "SavingsPlanNegation": _nothing,
    "SavingsPlanUpfrontFee": _nothing,
    "DiscountedUsage": lambda fields, _: _number(fields, "reservation/EffectiveCost"),
    "RIFee": lambda fields, _: (
        _number(fields, "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod")
        + _number(fields, "reservation/UnusedRecurringFee")
    ),
    "Fee": lambda fields, unblended: (
        Decimal(0) if fields.get(values.canonical("reservation/ReservationARN")) else unblended
    ),
}
