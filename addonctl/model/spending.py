"""What a cluster cost on days that were recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class CostDay:
    """What each name (an installation, idle, the cluster itself, …) cost on a day, in micro-dollars."""

    cluster: str
    day: date
    usd_micros: Mapping[str, int]
