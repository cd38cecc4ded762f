"""What a cluster cost on days that were recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class CostDay:
    """What each name (an installation, idle, the cluster itself, …) cost on a day, in micro-dollars.

    `kubernetes` and `support_type` are what EKS said of the cluster: its version, and its upgrade policy (STANDARD: AWS
    upgrades it, and no extended support is billed); empty where that was not read.
    """

    cluster: str
    day: date
    usd_micros: Mapping[str, int]
    kubernetes: str = ""
    support_type: str = ""
