"""Cost Explorer: what AWS billed by day, usage type and kind of charge, of one cluster and of all else.

It names no resources. What the cluster's tags are on is asked for by usage type, all else by service, so that nothing
is asked for twice or missing. Every request costs $0.01.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from addonctl.adapters import aws_errors
from addonctl.adapters.aws import Aws
from addonctl.adapters.bills import values
from addonctl.model.bill import BillLine, LineKind

_ENDPOINT = "us-east-1"  # the only one
_METRICS = ("AmortizedCost", "UnblendedCost", "UsageQuantity")
_KINDS = {
    "Usage": LineKind.USAGE,
    "DiscountedUsage": LineKind.COVERED,
    "SavingsPlanCoveredUsage": LineKind.COVERED,
    "SavingsPlanNegation": LineKind.NEGATION,
    "SavingsPlanRecurringFee": LineKind.COMMITMENT,
    "SavingsPlanUpfrontFee": LineKind.COMMITMENT,
    "Recurring": LineKind.COMMITMENT,
    "Upfront": LineKind.COMMITMENT,
    "Credit": LineKind.CREDIT,
    "Refund": LineKind.REFUND,
    "Tax": LineKind.TAX,
}


class CostExplorer:
    """The port Bills, of the days from `since` to before `until`. `marks`: a cluster's tags, with their values."""

    def __init__(self, profile: str | None, marks: Mapping[str, Collection[str]], since: date, until: date) -> None:
        self._profile, self._marks = profile, marks
        self._time = {"Start": since.isoformat(), "End": until.isoformat()}

    def lines(self, tags: Collection[str]) -> Iterator[BillLine]:
        mine = [{"Tags": {"Key": key, "Values": sorted(values)}} for key, values in self._marks.items()]
        of_cluster: dict[str, Any] = {"Or": mine} if len(mine) > 1 else mine[0]
        key, said = next(iter(self._marks.items()))
        tag = {key: min(said)} if key in tags else {}
        for day, (meter, type_), metrics in self._asked(of_cluster, "USAGE_TYPE"):
            yield _line(day, type_, metrics, meter=meter, tags=tag)
        for day, (service, type_), metrics in self._asked({"Not": of_cluster}, "SERVICE"):
            yield _line(day, type_, metrics, service=service)

    def _asked(self, which: Mapping[str, Any], by: str) -> Iterator[tuple[date, list[str], Mapping[str, Any]]]:
        """Day, what it is grouped by with the kind of charge, and the metrics of each group."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = Aws(_ENDPOINT, self._profile).client("ce")
        groups = [{"Type": "DIMENSION", "Key": key} for key in (by, "RECORD_TYPE")]
        asked = {"TimePeriod": self._time, "Granularity": "DAILY", "Metrics": list(_METRICS), "GroupBy": groups}
        more: dict[str, str] = {}
        try:
            while True:
                page = client.get_cost_and_usage(**asked, Filter=which, **more)
                for each in page["ResultsByTime"]:
                    day = date.fromisoformat(each["TimePeriod"]["Start"])
                    yield from ((day, group["Keys"], group["Metrics"]) for group in each["Groups"])
                if not page.get("NextPageToken"):
                    return
                more = {"NextPageToken": page["NextPageToken"]}
        except (ClientError, BotoCoreError, KeyError, TypeError) as error:
            raise aws_errors.failure(error) from error


def _line(
    day: date,
    type_: str,
    metrics: Mapping[str, Any],
    *,
    service: str = "",
    meter: str = "",
    tags: Mapping[str, str] = MappingProxyType({}),
) -> BillLine:
    for name in ("AmortizedCost", "UnblendedCost"):
        values.dollars(metrics[name]["Unit"], name)
    used = metrics.get("UsageQuantity", {})
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return BillLine(
        begin=begin,
        end=begin + timedelta(days=1),
        service=service or meter,
        kind=_kind(type_),
        amortized_usd=values.amount(metrics["AmortizedCost"]["Amount"], "AmortizedCost"),
        unblended_usd=values.amount(metrics["UnblendedCost"]["Amount"], "UnblendedCost"),
        meter=meter,
        quantity=values.amount(used.get("Amount", ""), "UsageQuantity"),
        unit=used.get("Unit", ""),
        spot="SpotUsage" in meter,
        tags=tags,
    )


def _kind(type_: str) -> LineKind:
    """What kind of charge a RECORD_TYPE is: those of line items, and fees and discounts by their names."""
    return _KINDS.get(type_) or (LineKind.DISCOUNT if "iscount" in type_ else LineKind.FEE)
