"""What the add-ons of a cluster cost a month, as it is now: charges at list price, split among who causes them.

Decided from the View, the Inventory, the owners of objects (dependencies), the Catalog, the table of prices and the
day. It is a rate, not a bill: nothing is known here of discounts, of yesterday, or of what passes through.
Called by assessment.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from addonctl.catalog import Catalog
from addonctl.catalog.prices import PriceTable
from addonctl.cost import charges
from addonctl.cost.allocation import NOTHING, Demand, split_node
from addonctl.cost.charges import Priced, balancer_type, ebs_type, is_ebs
from addonctl.cost.estimate import Estimate, estimate
from addonctl.cost.sharing import Sharing, Standing, shared_out, standing
from addonctl.cost.summary import OTHERS, By, CostRow, Part, explain, parts_of, summarise
from addonctl.model import NOT_PULLED, Inventory, Node, ObjectRef, Pod, StorageClass, View
from addonctl.model.cost import Amount, Charge, ClusterCost, CostKind, Pool, Share
from addonctl.versions import Minor

__all__ = [
    "OTHERS",
    "By",
    "CostRow",
    "Estimate",
    "Part",
    "Sharing",
    "Standing",
    "balancer_type",
    "check_cost",
    "ebs_type",
    "estimate",
    "explain",
    "is_ebs",
    "parts_of",
    "shared_out",
    "standing",
    "summarise",
]


def check_cost(
    view: View,
    inventory: Inventory,
    catalog: Catalog,
    prices: Callable[[str], PriceTable],
    *,
    owners: Mapping[ObjectRef, str],
    kubernetes: Minor | None,
    day: date,
    used: Mapping[ObjectRef, Amount] = MappingProxyType({}),
) -> ClusterCost:
    """The charges of the cluster and their shares. The shares of each charge add up to it.

    `prices` are those of a region. `used` is what pods use, where that is known: the greater of it and of what they
    request is charged.
    """
    cost = Priced(view, catalog, prices(view.region), owners)
    by_node = _placed(view, owners, used)
    found: list[Charge] = []
    shares: list[Share] = []
    for node in view.snapshot.nodes:
        placed = by_node.get(node.name, ())
        found += (charged := tuple(_of_node(cost, node, placed)))
        shares += (share for charge in charged for share in _shares(charge, node, placed))
    single = tuple(_single(cost, inventory, by_node, kubernetes, day))
    shares += (Share.whole(each, each.usd_micros) for each in single if each.usd_micros is not None)
    return ClusterCost(charges=(*found, *single), shares=tuple(shares))


# ── Pods on nodes ───────────────────────────────────────────────────────────────────────────────────────────────


class _Placed(NamedTuple):
    """A pod on its node, whose it is, and what it asks for."""

    pod: Pod
    workload: ObjectRef | None
    installation: str
    demand: Demand


def _placed(view: View, owners: Mapping[ObjectRef, str], used: Mapping[ObjectRef, Amount]) -> dict[str, list[_Placed]]:
    """The pods that are charged, by their nodes."""
    found: dict[str, list[_Placed]] = {}
    for workload, pods in _by_workload(view):
        owner = owners.get(workload, "") if workload is not None else ""
        for pod in pods:
            if pod.node and _is_charged(pod):
                requested = Amount(pod.cpu_request_millicores, pod.memory_request_bytes)
                demand = Demand(requested, used.get(pod.ref, NOTHING) if used else NOTHING)
                found.setdefault(pod.node, []).append(_Placed(pod, workload, owner, demand))
    return found


def _by_workload(view: View) -> Iterator[tuple[ObjectRef | None, Iterable[Pod]]]:
    """All pods, with the workload that they belong to, if the input has it."""
    yield from view.pods.items()
    if sum(map(len, view.pods.values())) < len(view.snapshot.pods):
        yield None, (pod for pod in view.snapshot.pods if view.workload_of(pod) is None)


def _is_charged(pod: Pod) -> bool:
    """Not one that has ended, nor one whose images are not there yet.

    Source: OpenCost's specification, which does not charge pods in ImagePullBackOff.
    """
    if pod.phase in ("Succeeded", "Failed"):
        return False
    return not pod.containers or any(container.waiting not in NOT_PULLED for container in pod.containers)


# ── Charges and their shares ────────────────────────────────────────────────────────────────────────────────────


def _of_node(cost: Priced, node: Node, placed: Iterable[_Placed]) -> Iterator[Charge]:
    if node.compute_type == "fargate":
        for each in placed:
            yield from charges.of_fargate_pod(cost, each.pod)
    else:
        yield from charges.of_node(cost, node)


def _shares(charge: Charge, node: Node, placed: Sequence[_Placed]) -> Iterator[Share]:
    """The shares of a charge for a node, or for a pod on Fargate; without a figure they say who causes it."""
    if charge.usd_micros is None:
        yield from (_share(charge, each, 0) for each in placed)
        return
    if charge.kind is CostKind.FARGATE:
        (mine,) = (each for each in placed if each.pod.ref == charge.about)
        yield _share(charge, mine, charge.usd_micros)
        return
    assert charge.capacity is not None, charge
    parts = split_node(
        charge.usd_micros,
        charge.capacity,
        Amount(node.cpu_millicores, node.memory_bytes),
        [each.demand for each in placed],
    )
    yield from (_share(charge, each, part) for each, part in zip(placed, parts.demands, strict=True))
    yield Share(charge=charge, usd_micros=parts.reserved, pool=Pool.RESERVED)
    yield Share(charge=charge, usd_micros=parts.idle, pool=Pool.IDLE)


def _share(charge: Charge, placed: _Placed, usd_micros: int) -> Share:
    pod, workload, installation, demand = placed
    cpu, memory = demand.charged
    unasked = not (cpu or memory) and charge.kind is not CostKind.FARGATE
    return Share(charge, usd_micros, installation, pod.namespace, workload, None, cpu, memory, unasked)


def _single(
    cost: Priced,
    inventory: Inventory,
    by_node: Mapping[str, Sequence[_Placed]],
    kubernetes: Minor | None,
    day: date,
) -> Iterator[Charge]:
    """The charges that are one's alone, and those without a figure because something was not read."""
    yield from charges.of_gaps(cost.view)
    yield from charges.of_cluster(cost, kubernetes, day)
    classes: dict[str, StorageClass] = {each.name: each for each in cost.view.snapshot.storage_classes}
    for volume in cost.view.snapshot.volumes:
        yield from charges.of_volume(cost, volume, classes)
    yield from charges.of_snapshots(cost)
    yield from charges.of_load_balancers(cost)
    runs_on: dict[str, list[Node]] = {}
    for node in cost.view.snapshot.nodes:
        for owner in dict.fromkeys(each.installation for each in by_node.get(node.name, ())):
            runs_on.setdefault(owner, []).append(node)
    for row in inventory.installations:
        yield from charges.of_meters(cost, row, runs_on.get(row.id, ()))
