"""What is measured while something changes, and what a gate makes of it: values, which gate.py moves.

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


READY = "ready"
"""The SLI that every add-on has: a request a second and instance, answered by being ready."""
RESOURCES = "resources"
"""The SLI of an add-on that has custom resources: one is listed at a version that is served."""
SERVICE_NETWORK = "service-network"
"""The SLI of an add-on that leads requests to Services on each node: a connection a second from nodes themselves."""
POD_NETWORK = "pod-network"
"""The SLI of an add-on that gives pods their addresses: once a second, whether the newest pod on a node got one."""
NOTHING = Counts()
"""Nothing was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What an SLI must keep: the share of its requests that may fail, 0.01 for 99 %.

    `controlled`: instances of the old version answer beside the updated ones for most of the rollout. Else all that is
    answered from the change on is the new version's doing, where nobody can tell which instance answered. `additional`:
    that it fails counts; that nothing is known of it holds nobody up. `of_users`: others count it, late, of real
    traffic.
    """

    sli: str
    may_fail: float = 0.01
    controlled: bool = True
    additional: bool = False
    of_users: bool = False

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
class Answered:
    """What one SLI counted, by the uid of the pod that answered; empty where nobody can tell, as behind a Service."""

    sli: str
    counts: Counts
    pod: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What needs no statistics: a state that no working add-on is in, as a finding's code and what was seen.

    `nodes`: the names of those whose failure it is, or follows from; none: it is no node's.
    """

    code: str
    subject: str
    detail: str
    ref: ObjectRef | None = None
    nodes: tuple[str, ...] = ()


# ── Gates ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """`alpha`: the chance of failing a harmless rollout, over all of its SLIs and waves.

    `ratio`: updated instances may fail so many times as often as the others; above 1, since two groups are never quite
    alike. `shared`: where there is a control, so many times the objective may fail before that alone is evidence; what
    is less and troubles both is not the update's doing, what troubles only the updated ones the control tells.
    `tolerated`: the share of failures that must not be passed; a pass needs evidence, at `beta`, that there are
    fewer, and no more of it is kept than twice that, so that hours of calm do not outweigh a bad minute.
    `suspicious`: with this much evidence of harm nothing goes on. `horizon`: ticks of the whole rollout. `silent`:
    after so many ticks without a request an SLI is unknown.
    """

    alpha: float = 0.001
    beta: float = 0.05
    ratio: float = 1.5
    shared: float = 5.0
    tolerated: float = 0.1
    suspicious: float = 20.0
    horizon: int = 360
    silent: int = 6

    def __post_init__(self) -> None:
        assert 0 < self.alpha < 1, f"alpha is a chance: {self.alpha}"
        assert 0 < self.beta < 1, f"beta is a chance: {self.beta}"
        assert self.ratio >= 1, f"the others may not be asked to fail more often: {self.ratio}"
        assert self.horizon > 0, f"a rollout lasts: {self.horizon}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is known of one SLI so far. The logs of e-values: `worse` one a ratio, `bad` one a share, and `good`.

    `ticks`: in which updated instances were asked; `silent`: in which they were not, since they last were.

    `limit` is the share of failures that counts as harmless: the objective, or what the baseline had if that was more;
    `bearable` the share from which on failures alone are evidence, whatever the control does.
    """

    sli: str
    limit: float
    bearable: float
    controlled: bool
    additional: bool = False
    of_users: bool = False
    ticks: int = 0
    silent: int = 0
    updated: Counts = NOTHING
    control: Counts = NOTHING
    worse: tuple[float, ...] = ()
    bad: tuple[float, ...] = ()
    good: float = 0.0


@dataclass(frozen=True, slots=True)
class Gate:
    """The state of a gate: a value, made by `opened` and moved by `observed`."""

    settings: GateSettings
    watched: tuple[Watched, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SliJudgement:
    """What the gate says of one SLI, and by which numbers. `chance`: of this much evidence, were nothing wrong.

    `missing`: good requests that a pass still needs, if no other fails.
    """

    sli: str
    verdict: Verdict
    updated: Counts
    control: Counts
    limit: float
    chance: float
    missing: int = 0
    silent: bool = False
    suspicious: bool = False
    additional: bool = False

    @property
    def decides(self) -> bool:
        """Whether the gate's verdict waits for it."""
        return not self.additional or self.verdict is Verdict.FAIL or (self.suspicious and not self.silent)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, and what it stands on: guards that are broken, and every SLI."""

    verdict: Verdict
    guards: tuple[Guard, ...]
    slis: tuple[SliJudgement, ...]
