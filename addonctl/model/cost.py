"""What a cluster costs a month, and who causes it: charges, and the shares that each is split into.

Money is integer micro-dollars, a month is AWS's 730 hours. The shares of a charge add up to it, to the last one.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from addonctl.model.cluster import ObjectRef

HOURS_PER_MONTH = 730
"""365 days of 24 hours, divided by 12: a month in AWS's prices."""
GIB = 2**30
_CPU_WEIGHT = 9


class Amount(NamedTuple):
    """CPU and memory, of a node or of a pod."""

    cpu_millicores: int = 0
    memory_bytes: int = 0

    @property
    def weight(self) -> int:
        """9 × vCPU + GiB, times 1000 GiB, so that it is whole."""
        return _CPU_WEIGHT * self.cpu_millicores * GIB + 1000 * self.memory_bytes


class CostKind(StrEnum):
    """What is paid for."""

    NODE = "nodes"
    FARGATE = "Fargate"
    AUTO_MODE = "Auto Mode"
    VOLUME = "volumes"
    LOAD_BALANCER = "load balancers"
    CONTROL_PLANE = "control plane"
    CAPABILITY = "EKS capabilities"
    METERED = "metered by AWS"
    OTHER = "other charges"  # of a bill


class Pool(StrEnum):
    """What no workload causes."""

    RESERVED = "reserved on nodes"  # by the kubelet and the system
    IDLE = "idle"  # nobody asked for it
    UNCLAIMED = "unclaimed volumes"
    CLUSTER = "the cluster itself"
    # Of a bill alone:
    ELSEWHERE = "not this cluster's"
    COMMITMENTS = "commitments not used"
    CREDITS = "credits, refunds and discounts"
    TAXES = "taxes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One thing that is paid for: `quantity` × `usd` a `unit` makes `usd_micros` a month.

    `usd_micros` is None where that is not known, and `unknown` says why. `estimated` says why a figure is not the list
    price itself; empty if it is. `resource` is what AWS knows it by: an instance's id, a volume's handle, a load
    balancer's host name.
    """

    kind: CostKind
    what: str  # m5.large in eu-central-1, gp3, …
    about: ObjectRef | None = None
    resource: str = ""
    installation: str = ""  # whose it is, where it is not split; like the next
    namespace: str = ""
    capacity: Amount | None = None  # of a node: what it is split by
    quantity: Decimal | None = None
    unit: str = ""
    usd: Decimal | None = None
    usd_micros: int | None = None
    source: str = ""
    estimated: str = ""
    unknown: str = ""


class Share(NamedTuple):
    """A part of a charge, and who causes it: an installation, other workloads of a namespace, or a pool.

    `cpu_millicores` and `memory_bytes` are what it was split by: the greater of requests and use. A tuple, since there
    are hundreds of thousands in a large cluster.
    """

    charge: Charge
    usd_micros: int
    installation: str = ""
    namespace: str = ""
    workload: ObjectRef | None = None
    pool: Pool | None = None
    cpu_millicores: int = 0
    memory_bytes: int = 0
    unasked: bool = False  # its pod requests nothing and its use is not known, so that this says nothing of it
    borne: Pool | None = None  # it is a part of this, which a policy hands to who does not cause it

    @classmethod
    def whole(cls, charge: Charge, usd_micros: int) -> "Share":
        """A charge that is one's alone, as its only share."""
        whose = charge.installation or charge.namespace
        nobody = Pool.UNCLAIMED if charge.kind is CostKind.VOLUME else Pool.CLUSTER
        return cls(
            charge=charge,
            usd_micros=usd_micros,
            installation=charge.installation,
            namespace=charge.namespace,
            pool=None if whose else nobody,
        )

    @property
    def is_known(self) -> bool:
        """Whether its charge has a figure: without, it says only who causes it."""
        return self.charge.usd_micros is not None

    @property
    def node(self) -> str:
        """The node that it is a part of; empty if it is of none."""
        about = self.charge.about
        return about.name if about is not None and about.kind == "Node" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCost:
    """All charges and shares of a cluster as it was when it was read."""

    charges: tuple[Charge, ...] = ()
    shares: tuple[Share, ...] = ()

    @property
    def usd_micros(self) -> int:
        """The sum of what is known."""
        return sum(charge.usd_micros or 0 for charge in self.charges)

    @property
    def unknown(self) -> tuple[Charge, ...]:
        """What is paid for and has no figure."""
        return tuple(charge for charge in self.charges if charge.usd_micros is None)
