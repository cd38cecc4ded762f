"""Kubernetes resource quantities as integers. Each name ends in its unit."""

import re
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from addonctl.errors import BadInput

_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_SUFFIXES = {
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(_DECIMAL, start=-3)},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(_BINARY, start=1)},
}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
# Longer text is not a quantity; Decimal would take very long to parse it.
_MAX_LENGTH = 64
# Larger values are capped to this: Kubernetes returns quantities as 64-bit integers, capped likewise (`9Ei`).
# Source: ParseQuantity and maxAllowed in k8s.io/apimachinery.
_MAX_VALUE = Decimal(2**63 - 1)


@lru_cache(maxsize=4096)
def quantity(text: str) -> Decimal:
    """The value of a Kubernetes quantity such as `250m`, `1Gi` or `1e3`, in base units.

    Raises BadInput when `text` is not one.
    Source: k8s.io/apimachinery resource.Quantity.
    """
    stripped = text.strip()
    number = stripped.rstrip("numkKMGTPEi")
    suffix = stripped[len(number) :]
    if len(stripped) > _MAX_LENGTH or suffix not in _SUFFIXES:
        raise _not_a_quantity(text)
    if _NUMBER.fullmatch(number) is None:
        raise _not_a_quantity(text)
    value = Decimal(number) * _SUFFIXES[suffix]
    return max(-_MAX_VALUE, min(value, _MAX_VALUE))


def cpu_millicores(text: str) -> int:
    """CPU in millicores, rounded up as the scheduler does. Raises BadInput when `text` is not a quantity."""
    return int((quantity(text) * 1000).to_integral_value(ROUND_CEILING))


def whole(text: str) -> int:
    """A quantity in base units (bytes for memory and storage), rounded up. Raises BadInput when it is not one."""
    return int(quantity(text).to_integral_value(ROUND_CEILING))


def _not_a_quantity(text: str) -> BadInput:
    return BadInput(f"{text[:_MAX_LENGTH]!r} is not a Kubernetes quantity", "Write it like 250m, 0.5, 128Mi or 1e3.")
