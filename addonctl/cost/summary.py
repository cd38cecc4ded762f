"""The shares of a cluster's cost, added up by what a reader asks for: add-on, category, namespace, node or kind.

Pure: a ClusterCost in, rows out, the dearest first. Every share is in one row, so the rows add up to the whole.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from addonctl.catalog import Catalog
from addonctl.model import Inventory
from addonctl.model.cost import Charge, ClusterCost, Pool, Share

OTHERS = "other workloads"
"""The row of workloads that belong to no add-on."""
_UNCATEGORISED = "no category"


class By(StrEnum):
    """What costs are added up by."""

    ADDON = "addon"
    CATEGORY = "category"
    NAMESPACE = "namespace"
    NODE = "node"
    KIND = "kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """What one name costs a month: in all, and by kind of charge. `unknown` is what it pays for without a figure.

    `cpu_millicores` and `memory_bytes` are what its pods request. `unasked`: so many of its pods request nothing, so
    that the figure says nothing of them; nor of `unpriced` ones, on nodes without a price. `pool`: it is nobody's.
    """

    name: str
    usd_micros: int
    by_kind: Mapping[str, int]
    cpu_millicores: int = 0
    memory_bytes: int = 0
    estimated: bool = False
    unasked: int = 0
    unpriced: int = 0
    pool: bool = False
    unknown: tuple[Charge, ...] = ()

    @property
    def is_partial(self) -> bool:
        """Whether the figure says nothing of some of its pods, so that it is the least that they cost."""
        return bool(self.unasked or self.unpriced)

    @property
    def is_known(self) -> bool:
        """Whether something of its figure is known."""
        return bool(self.usd_micros or (self.by_kind and not self.is_partial))


def summarise(cost: ClusterCost, by: By, inventory: Inventory, catalog: Catalog) -> tuple[CostRow, ...]:
    """The rows of a cluster's cost, the dearest first; those that are nobody's come last."""
    name_of = _naming(by, inventory, catalog)
    shares: dict[str, list[Share]] = {}
    for share in cost.shares:
        shares.setdefault(name_of(share), []).append(share)
    unknown: dict[str, list[Charge]] = {}
    for charge in cost.unknown:
        named = name_of(Share.whole(charge, 0))
        unknown.setdefault(named, []).append(charge)
    rows = (_row(name, shares.get(name, ()), unknown.get(name, ())) for name in {**shares, **unknown})
    return tuple(sorted(rows, key=lambda row: (row.pool, -row.usd_micros, row.name)))


def _row(name: str, shares: Iterable[Share], unknown: Iterable[Charge]) -> CostRow:
    by_kind: dict[str, int] = {}
    cpu = memory = unasked = unpriced = 0
    estimated, pool = False, True
    for share in shares:
        cpu += share.cpu_millicores
        memory += share.memory_bytes
        pool = pool and share.pool is not None
        if not share.is_known:
            unpriced += 1
            continue
        by_kind[share.charge.kind.value] = by_kind.get(share.charge.kind.value, 0) + share.usd_micros
        unasked += share.unasked
        estimated = estimated or bool(share.charge.estimated)
    return CostRow(
        name=name,
        usd_micros=sum(by_kind.values()),
        by_kind=by_kind,
        cpu_millicores=cpu,
        memory_bytes=memory,
        estimated=estimated,
        unasked=unasked,
        unpriced=unpriced,
        pool=pool and bool(by_kind),
        unknown=tuple(unknown),
    )


def _naming(by: By, inventory: Inventory, catalog: Catalog) -> Callable[[Share], str]:
    """What a share is added up under."""

    def pool_or(share: Share, name: str) -> str:
        return share.pool.value if share.pool is not None else name

    if by is By.NODE:
        return lambda share: share.node or share.charge.kind.value
    if by is By.KIND:
        return lambda share: share.charge.kind.value
    if by is By.NAMESPACE:
        homes = {row.id: (row.namespaces or ("",))[0] for row in inventory.installations}
        return lambda share: pool_or(share, share.namespace or homes.get(share.installation, "") or OTHERS)
    if by is By.ADDON:
        return lambda share: pool_or(share, share.installation or OTHERS)
    of = {row.id: row.addon for row in inventory.installations}
    entries = catalog.addons

    def category(share: Share) -> str:
        entry = entries.get(of.get(share.installation, ""))
        return pool_or(share, entry.category if entry else _UNCATEGORISED if share.installation else OTHERS)

    return category


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Charges of one kind at one price that an add-on causes by one workload: `count` pods, or things of their own.

    `borne`: it causes none of it, and bears a part of this pool.
    """

    kind: str
    what: str
    workload: str  # empty where it is no workload that causes it
    count: int
    usd_micros: int
    charge: Charge  # one of them
    cpu_millicores: int = 0
    memory_bytes: int = 0
    unasked: int = 0
    borne: Pool | None = None

    @property
    def is_known(self) -> bool:
        """Whether anything is known of what it costs."""
        return self.unasked < self.count and self.charge.usd_micros is not None

    @property
    def usd_micros_each(self) -> int:
        """What one more of them would cost: for a DaemonSet, one more node."""
        return round(self.usd_micros / self.count)


def explain(cost: ClusterCost, installations: Iterable[str]) -> tuple[Part, ...]:
    """What some installations cost, part by part, the dearest first. The parts add up to their rows."""
    wanted = frozenset(installations)
    return parts_of(share for share in cost.shares if share.installation in wanted)


def parts_of(shares: Iterable[Share]) -> tuple[Part, ...]:
    """Shares, together where they are of one workload at one price, the dearest first."""
    together: dict[tuple[str, str, str, Pool | None], list[Share]] = {}
    for share in shares:
        workload = f"{share.workload.kind}/{share.workload.name}" if share.workload else ""
        together.setdefault((share.charge.kind.value, share.charge.what, workload, share.borne), []).append(share)
    parts = (
        Part(
            kind=kind,
            what=what,
            workload=workload,
            count=len(shares),
            usd_micros=sum(share.usd_micros for share in shares),
            charge=shares[0].charge,
            cpu_millicores=sum(share.cpu_millicores for share in shares),
            memory_bytes=sum(share.memory_bytes for share in shares),
            unasked=sum(share.unasked for share in shares),
            borne=borne,
        )
        for (kind, what, workload, borne), shares in together.items()
    )
    return tuple(sorted(parts, key=lambda part: (-part.usd_micros, part.kind, part.what, part.workload)))
