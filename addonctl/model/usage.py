"""What containers used over a window, as their metrics say, and what their pods did on the network.

CPU is in millicores, memory in bytes of the working set, network in bytes a second. None is what nobody measured.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from addonctl.model.cluster import ObjectRef
from addonctl.model.sizing import Day
from addonctl.model.snapshot import Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a quantity was over a window."""

    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One container of one pod over the window; a pod that is gone may be among them.

    `days` are those of the window, `week` is that of sizing.History; only where they were asked for.
    """

    namespace: str
    pod: str
    container: str
    cpu: Spread = field(default_factory=Spread)
    memory: Spread = field(default_factory=Spread)
    throttled: float | None = None
    oom_kills: float | None = None
    restarts: float | None = None
    coverage: float = 0.0
    days: tuple[Day, ...] = ()
    week: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a pod received and sent, on average while it ran."""

    namespace: str
    pod: str
    received: float | None = None
    sent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSize:
    """The most pods and nodes that a cluster had at once on a day; None: nobody counted them."""

    date: date
    pods: int | None
    nodes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUse:
    """What is on the volume of a claim, at the end of the window."""

    namespace: str
    claim: str
    used_bytes: float
    capacity_bytes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What an SLI of an add-on counted over the window: requests, and how many of them failed.

    By pod where the series have one; `namespace` and `pod` are empty where somebody else counts, as the API server.
    """

    addon: str  # of the catalogue
    sli: str
    requests: float
    failed: float
    namespace: str = ""
    pod: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """All that a source of metrics had. A window of no length: it knows only now. `source` is where it was read."""

    source: str
    end: datetime
    window: timedelta
    containers: tuple[Measured, ...] = ()
    traffic: tuple[Traffic, ...] = ()
    volumes: tuple[VolumeUse, ...] = ()
    counted: tuple[Counted, ...] = ()
    sizes: tuple[ClusterSize, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUsage:
    """One container of a workload, over all its pods: of quantiles that of the pod that used most.

    `pods` were measured, `total_*` are the means of all pods that run now, together.
    """

    installation: str
    workload: ObjectRef
    container: str
    pods: int
    cpu: Spread
    memory: Spread
    cpu_total: float = 0.0
    memory_total: float = 0.0
    throttled: float | None = None
    oom_kills: float | None = None
    restarts: float | None = None
    coverage: float = 0.0
    days: tuple[Day, ...] = ()
    week: tuple[float, ...] = ()
    cpu_request_millicores: int | None = None
    cpu_limit_millicores: int | None = None
    memory_request_bytes: int | None = None
    memory_limit_bytes: int | None = None
