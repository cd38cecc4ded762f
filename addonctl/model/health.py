"""The health of objects, in Argo CD's terms, and the results of probes."""

from dataclasses import dataclass
from enum import StrEnum

from addonctl.model.cluster import ObjectRef


class Health(StrEnum):
    """The health of an object, in Argo CD's terms."""

    HEALTHY = "healthy"
    PROGRESSING = "progressing"  # under way, or waiting for someone
    SUSPENDED = "suspended"  # stopped on purpose
    DEGRADED = "degraded"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHealth:
    """The health of one object. `rule`: `kind` if a rule for its kind decided, `conditions` for the general rule."""

    ref: ObjectRef
    api_version: str
    health: Health
    reason: str = ""
    rule: str = "kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """The result of one probe of an add-on.

    `health`: healthy, degraded, or unknown if the probe could not run.
    """

    addon: str
    name: str
    health: Health
    detail: str = ""
    latency_ms: int | None = None
