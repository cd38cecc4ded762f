"""What the fields of a bill mean: amounts, times, tags."""

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from addonctl.errors import BadInput

_NOTHING = ("", "NULL", "null")
_TOO_GREAT = 12  # the power of ten of an amount; Decimal adds exactly up to 28 digits, 12 before and 16 after the point


def text(value: str) -> str:
    """A text; how exports write that there is none is empty."""
    return "" if value in _NOTHING else value


def amount(value: str, column: str) -> Decimal:
    """A number; nothing is 0. Raises BadInput for what is none, or is not finite."""
    if value in _NOTHING:
        return Decimal(0)
    try:
        found = Decimal(value)
    except InvalidOperation as error:
        raise BadInput(f"{column} is no number: {value[:40]!r}", "Export the bill again.") from error
    if not found.is_finite() or found.adjusted() > _TOO_GREAT:
        raise BadInput(f"{column} is no amount: {value[:40]!r}", "Export the bill again.")
    return found


@lru_cache(maxsize=4096)  # every line of an hour has the same
def time(value: str, column: str) -> datetime:
    """A time in UTC, in any form of ISO 8601. Raises BadInput for what is none."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise BadInput(f"{column} is no time: {value[:40]!r}", "Export the bill again.") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def dollars(value: str, column: str) -> None:
    """Raises BadInput for another currency than US dollars, by its name."""
    if value != "USD":
        raise BadInput(
            f"The bill is in {value or 'no currency'}, in {column}", "Give one in USD: amounts are never converted."
        )


def canonical(name: str) -> str:
    """A column or a tag as every export of AWS would write it: lineItem/UsageAmount and line_item_usage_amount are one.

    `resourceTags/user:kubernetes.io/cluster/prod` is resource_tags_user_kubernetes_io_cluster_prod.
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^0-9a-z]+", "_", apart.lower()).strip("_")


def tag_keys(tags: Collection[str]) -> dict[str, str]:
    """How a tag may be written in a bill, canonical → as it was asked for: users' tags may have `user:` before them."""
    return {canonical(prefix + tag): tag for tag in tags for prefix in ("", "user:")}


def tags_in(value: str, keys: Mapping[str, str]) -> dict[str, str]:
    """The tags asked for in a JSON object of tags; nothing for what is no object."""
    if value in _NOTHING or not keys:
        return {}
    try:
        found = json.loads(value)
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    named = ((keys.get(canonical(key)), said) for key, said in found.items())
    return {tag: str(said) for tag, said in named if tag is not None}
