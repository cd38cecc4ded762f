"""What a cluster's twin is made of, and what became of a plan that was rehearsed in it.

A Blueprint is drawn from an Assessment (sim/blueprint.py); sim/twin.py builds simulated worlds by it, one a seed, and
sim/rehearsal.py carries a plan out in them. Values, so that processes can be given them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from addonctl.model.owners import Owner
from addonctl.model.run import Why

Document = Mapping[str, Any]
NOT_MODELLED = (
    "CPU and memory, volumes, priorities, affinity between pods, init containers, probes of one's own",
    "admission webhooks, RBAC, quotas, autoscalers, Jobs",
    "what a new version changes beside its images, unless its manifests were given",
    "how many requests users make: 100 a second are assumed",
)
"""What no twin has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """A node of the twin; `pods`: so many may run on it, beside those that are not in the twin."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Document, ...] = ()
    unschedulable: bool = False
    pods: int = 110
    is_there: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPlan:
    """What one owner keeps: `versions` of it → documents, the present one under `present`.

    `record` is what the owner's own record has beside the version: a chart's reference, a role, a repository.
    """

    owner: Owner
    installations: tuple[str, ...]
    present: str
    versions: Mapping[str, tuple[Document, ...]]
    record: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """How many of a kind of thing the twin has, of how many; what is missing of them, and why."""

    what: str
    carried: int
    of: int
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """A cluster's twin before it is built. `first` are namespaces and definitions, `loose` what no owner keeps."""

    cluster: str
    nodes: tuple[NodePlan, ...]
    kept: tuple[KeptPlan, ...]
    first: tuple[Document, ...]
    loose: tuple[Document, ...]
    broken: frozenset[str] = frozenset()  # images whose pods never got ready in the cluster either
    carried: tuple[Carried, ...] = ()


# ── Rehearsals ──────────────────────────────────────────────────────────────────────────────────────────────────


class Weather(StrEnum):
    """What a rehearsed run has against it."""

    CALM = "calm"  # nothing
    FAULTS = "faults"  # the infrastructure
    INCIDENT = "incident"  # the new version, and in every other run the infrastructure as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A phase that a run entered, so long after it had begun."""

    phase: str
    step: int
    wave: int
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Requests of users in a simulated world, and how many of them were not answered well."""

    requests: int = 0
    wrong: int = 0
    late: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """One run of the plan in the twin. `end` in the words of `addonctl simulate`; times in seconds of the twin.

    `incident` is what is wrong with the new version; `faults`: those of the infrastructure that began, by name.
    """

    seed: int
    weather: Weather
    end: str
    bad: bool
    why: Why | None
    took_s: float
    back_s: float | None
    incident: str = ""
    shows: str = ""
    source: str = ""
    faults: tuple[str, ...] = ()
    asked: Asked = field(default_factory=Asked)
    passed: tuple[Passed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A plan, carried out in the twin of its cluster once for each seed. `known`: incidents are the add-on's own."""

    cluster: str
    goal: str
    plan: str
    runs: tuple[Rehearsed, ...]
    incidents: tuple[str, ...]
    known: bool
    carried: tuple[Carried, ...]

    @property
    def recommended(self) -> bool:
        """Whether the plan did what it is for wherever nothing was in its way."""
        return all(run.end == "updated" for run in self.runs if run.weather is Weather.CALM)

    def under(self, weather: Weather) -> tuple[Rehearsed, ...]:
        return tuple(run for run in self.runs if run.weather is weather)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinState:
    """A twin that was built, once it had settled. `failed`: what could not be made, and why."""

    cluster: str
    seed: int
    carried: tuple[Carried, ...]
    nodes: int
    pods: int
    ready: int
    unsettled: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    broken: tuple[str, ...]
