"""What is measured while something changes: how many requests an SLI counted, and how many of them failed.

Every SLI is such a count: errors, answers that came too late, drops, failed probes. `updated` are the instances that
run the new version, `control` those that still run the old one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from addonctl.model.cluster import ObjectRef


class Verdict(StrEnum):
    """The answer of a gate. Unknown never passes."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of some time, and how many of them were bad."""

    requests: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        assert 0 <= self.failed <= self.requests, f"{self.failed} of {self.requests} requests cannot have failed"

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.requests + other.requests, self.failed + other.failed)

    @property
    def rate(self) -> float | None:
        """The share that failed, None where nothing was asked."""
        return self.failed / self.requests if self.requests else None


NOTHING = Counts()
"""Nothing was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What an SLI must keep: the share of its requests that may fail, 0.01 for 99 %.

    `controlled`: instances of the old version answer beside the updated ones for most of the rollout.
    """

    sli: str
    may_fail: float = 0.01
    controlled: bool = True

    def __post_init__(self) -> None:
        assert 0 < self.may_fail < 1, f"an objective is a share between 0 and 1, not {self.may_fail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one SLI counted in one tick, which ended at `at`."""

    sli: str
    at: datetime
    updated: Counts
    control: Counts = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What needs no statistics: a state that no working add-on is in, as a finding's code and what was seen."""

    code: str
    subject: str
    detail: str
    ref: ObjectRef | None = None
