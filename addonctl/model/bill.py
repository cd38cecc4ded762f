"""What AWS billed: lines of a Cost and Usage Report, of a FOCUS export, or of Cost Explorer, in one shape.

Money is Decimal US dollars here, as exact as the bill has it: a line may be less than a micro-dollar. cost/bill.py adds
lines up and rounds the sums. Read by adapters/bills/.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from addonctl.model.cost import ClusterCost, Pool


class LineKind(StrEnum):
    """What kind of charge a line is."""

    USAGE = "usage"
    COVERED = "usage that a Savings Plan or a reservation covers"
    NEGATION = "what takes back the list price of covered usage"
    COMMITMENT = "a Savings Plan or a reservation itself: what of it was not used"
    FEE = "fees"
    DISCOUNT = "discounts"
    CREDIT = "credits"
    REFUND = "refunds and adjustments"
    TAX = "taxes"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One line of a bill, of the time from `begin` to `end` (UTC).

    `amortized_usd` spreads what was paid up front over what it paid for, `unblended_usd` is what was charged when.
    `resource` is an id or an ARN, empty where the bill names none. `meter` is the usage type, or what else tells two
    prices of one resource apart. `quantity` is in `unit`. `tags`: of those that were asked for, the ones it has.
    """

    begin: datetime
    end: datetime
    service: str
    kind: LineKind
    amortized_usd: Decimal
    unblended_usd: Decimal
    resource: str = ""
    meter: str = ""
    quantity: Decimal = Decimal(0)
    unit: str = ""
    spot: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)


class Cause(StrEnum):
    """Why a bill differs from what the model has for the same time."""

    COMMITTED = "Savings Plans and reservations"
    SPOT = "Spot prices"
    DISCOUNT = "discounts"
    PRICE = "another price than in the table"
    HOURS = "hours in which it did not run"
    USE = "use that the model has no figure for"
    BILL_ONLY = "only in the bill"
    MODEL_ONLY = "only in the model"
    COMMITMENTS = Pool.COMMITMENTS.value
    CREDITS = Pool.CREDITS.value
    TAXES = Pool.TAXES.value
    ELSEWHERE = Pool.ELSEWHERE.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What a cluster cost by a bill, from `begin` to `end`.

    `cost` has the bill's amounts where the model has list prices; its shares add up to the whole bill, amortised. What
    the model has for the same time, `model_usd_micros`, plus all `differences` is the bill.
    """

    cost: ClusterCost
    begin: datetime
    end: datetime
    model_usd_micros: int
    unblended_usd_micros: int
    differences: Mapping[Cause, int]
    matched: int  # charges of the model that the bill has
    names_resources: bool

    @property
    def hours(self) -> Decimal:
        return hours_between(self.begin, self.end)


def hours_between(begin: datetime, end: datetime) -> Decimal:
    """Hours, exactly."""
    return Decimal(int((end - begin).total_seconds())) / 3600
