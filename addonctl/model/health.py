"""How objects are: a state in Argo CD's words, and what add-ons answered when they were asked."""

from dataclasses import dataclass
from enum import StrEnum

from addonctl.model.cluster import ObjectRef


class Health(StrEnum):
    """The state of an object, in Argo CD's words."""

    HEALTHY = "healthy"
    PROGRESSING = "progressing"  # on its way, or waiting for somebody
    SUSPENDED = "suspended"  # stopped on purpose
    DEGRADED = "degraded"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHealth:
    """The health of one object. `rule`: `kind` where a rule for its kind judged, `conditions` for the general one."""

    ref: ObjectRef
    api_version: str
    health: Health
    reason: str = ""
    rule: str = "kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """What an add-on answered when it was asked something that only it can answer.

    `health`: healthy, degraded, or unknown where it could not be asked.
    """

    addon: str
    name: str
    health: Health
    detail: str = ""
    latency_ms: int | None = None
