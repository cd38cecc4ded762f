"""Dependencies between add-ons: from edges, from the catalog, and from what every pod needs of the platform.

From them follow an add-on's blast radius, the order of updates, and cycles (DEP002). Called by find_dependencies.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from typing import ClassVar, TypeVar

from addonctl.catalog import Catalog, ClusterService
from addonctl.findings import finding, makes
from addonctl.model import (
    Affects,
    Edge,
    EdgeType,
    Evidence,
    Finding,
    Installation,
    Inventory,
    ObjectRef,
    Strength,
    Together,
    View,
    owners,
)

# How much of an add-on's failure propagates to what depends on it.
_WEIGHTS: Mapping[tuple[Strength, Affects], float] = {
    (Strength.HARD, Affects.RUNNING): 1.0,
    (Strength.HARD, Affects.CHANGE): 0.5,
    (Strength.SOFT, Affects.RUNNING): 0.3,
    (Strength.SOFT, Affects.CHANGE): 0.1,
}
_WEIGHT_MIN = 0.05  # below this, an indirect effect is not reported
_STEPS_MAX = len(("claim", "class", "driver", "owner"))  # between two add-ons, through objects that belong to none

_Way = tuple[Edge, ...]
_Node = TypeVar("_Node", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOnRequirement:
    """Installation `source` needs installation `target` according to the catalog rather than an object."""

    source: str
    target: str
    strength: Strength
    affects: Affects
    evidence: str
    type: ClassVar[str] = "requirement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One add-on depends on another; `source` and `target` are ids of installations, `via` is the evidence."""

    source: str
    target: str
    strength: Strength
    affects: Affects
    via: tuple[Edge | AddOnRequirement, ...]

    @property
    def weight(self) -> float:
        return weight(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """The effect of one add-on's failure on another: `weight` from 1 (it stops) towards 0, and the path."""

    id: str
    weight: float
    path: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """All edges of a cluster. `order`: installations in the least disruptive order of updates, targets first."""

    edges: tuple[Edge, ...]
    addons: tuple[Dependency, ...]
    order: tuple[str, ...] = ()
    cycles: tuple[tuple[str, ...], ...] = ()
    findings: tuple[Finding, ...] = ()
    owners: Mapping[ObjectRef, str] = field(default_factory=dict)  # object → installation

    @cached_property
    def _dependents(self) -> Mapping[str, list[tuple[str, float]]]:
        found: dict[str, list[tuple[str, float]]] = {}
        for dependency in self.addons:
            found.setdefault(dependency.target, []).append((dependency.source, dependency.weight))
        return found

    def blast_radius(self, installation: str) -> tuple[Impact, ...]:
        """What the failure of `installation` affects, the worst affected first."""
        affected = reached(installation, self._dependents)
        listed = (Impact(id=name, weight=share, path=path) for name, (share, path) in affected.items())
        return tuple(sorted(listed, key=lambda impact: (-impact.weight, impact.id)))


def weight(of: Edge | Dependency) -> float:
    """How much of a failure propagates along an edge, from 1 (the source stops) towards 0."""
    return _WEIGHTS[of.strength, of.affects]


def reached(
    start: _Node, dependents: Mapping[_Node, Iterable[tuple[_Node, float]]]
) -> dict[_Node, tuple[float, tuple[_Node, ...]]]:
    """Weighted reverse reachability: what the failure of `start` affects, how much, and by which path.

    `dependents` maps each node to those that depend on it, and how much of its failure reaches them. Weights multiply
    along the path; negligible ones are dropped.
    """
    best: dict[_Node, tuple[float, tuple[_Node, ...]]] = {start: (1.0, (start,))}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        so_far, path = best[node]
        for source, share in dependents.get(node, ()):
            known = best.get(source)
            if so_far * share >= _WEIGHT_MIN and (known is None or known[0] < so_far * share):
                best[source] = (so_far * share, (*path, source))
                queue.append(source)
    del best[start]
    return best


def find_between(
    view: View, inventory: Inventory, catalog: Catalog, edges: Iterable[Edge], owned: Mapping[ObjectRef, str]
) -> tuple[Dependency, ...]:
    """One dependency per pair of installations, keyed by both ids."""
    found = (
        *_crossing(edges, owned),
        *map(_needing, _requirements(inventory, catalog)),
        *map(_needing, _platform(view, inventory, catalog)),
    )
    return _joined(found)


# ── Edges between add-ons ───────────────────────────────────────────────────────────────────────────────────────


def _crossing(edges: Iterable[Edge], owned: Mapping[ObjectRef, str]) -> Iterator[Dependency]:
    """Edges from one add-on to another, direct or through objects that belong to none (a StorageClass)."""
    listed = tuple(edges)
    onward: dict[ObjectRef, list[Edge]] = {}
    for edge in listed:
        if edge.source not in owned:
            onward.setdefault(edge.source, []).append(edge)

    @cache
    def ways(start: ObjectRef, steps: int) -> Mapping[str, _Way]:
        """The add-ons that an object reaches in at most so many edges, each by the path that affects it most."""
        if start in owned:
            return {owned[start]: ()}
        found: dict[str, _Way] = {}
        for edge in onward.get(start, ()) if steps else ():
            for owner, rest in ways(edge.target, steps - 1).items():
                way = (edge, *rest)
                if owner not in found or _share(found[owner]) < _share(way):
                    found[owner] = way
        return found

    for edge in listed:
        source = owned.get(edge.source)
        if source is None or edge.type is EdgeType.SERVICE_ACCOUNT:  # several may share an account
            continue
        for target, rest in ways(edge.target, _STEPS_MAX - 1).items():
            if target != source:
                yield _along(source, target, (edge, *rest))


def _along(source: str, target: str, way: _Way) -> Dependency:
    strength, affects = _weakest(way)
    return Dependency(source=source, target=target, strength=strength, affects=affects, via=way)


def _weakest(way: _Way) -> tuple[Strength, Affects]:
    soft = any(step.strength is Strength.SOFT for step in way)
    change = any(step.affects is Affects.CHANGE for step in way)
    return Strength.SOFT if soft else Strength.HARD, Affects.CHANGE if change else Affects.RUNNING


def _share(way: _Way) -> float:
    return _WEIGHTS[_weakest(way)]


# ── Dependencies that no object shows ───────────────────────────────────────────────────────────────────────────


def _needing(need: AddOnRequirement) -> Dependency:
    return Dependency(source=need.source, target=need.target, strength=need.strength, affects=need.affects, via=(need,))


def _present(rows: Iterable[Installation]) -> dict[str, str]:
    """An add-on → its first installation."""
    found: dict[str, str] = {}
    for row in rows:
        found.setdefault(row.addon, row.id)
    return found


def _requirements(inventory: Inventory, catalog: Catalog) -> Iterator[AddOnRequirement]:
    """The installed add-ons that an add-on needs according to the catalog."""
    present = _present(inventory.installations)
    for row in inventory.installations:
        entry = catalog.addons.get(row.addon)
        for need in entry.requires if entry else ():
            target = next((present[name] for name in (need.addon, *need.alternatives) if name in present), row.id)
            if target != row.id:
                yield AddOnRequirement(
                    source=row.id,
                    target=target,
                    strength=Strength.HARD if need.hard else Strength.SOFT,
                    affects=Affects.RUNNING,
                    evidence=need.text,
                )


# What every pod on the pod network needs, and when: the data path survives its agent; new pods need the agent.
_NETWORKS = (
    (ClusterService.POD_NETWORK, "its pods get their addresses from the pod network"),
    (ClusterService.SERVICE_NETWORK, "its pods reach the API server by its Service address"),
)
_DNS_OF_AWS = "it calls AWS's APIs, whose names its pods resolve"


def _platform(view: View, inventory: Inventory, catalog: Catalog) -> Iterator[AddOnRequirement]:
    """What pods need from the add-ons that provide the pod network, the Service network and cluster DNS."""
    # What AWS runs outside the cluster cannot fail inside it.
    present = _present(row for row in inventory.installations if not isinstance(row.owner, owners.AwsManaged))
    offered = {
        service: next((present[name] for name in catalog.providing(service) if name in present), "")
        for service in ClusterService
    }
    for row in inventory.installations:
        if not _on_pod_network(view, row):
            continue
        needs = [(offered[service], Affects.CHANGE, why) for service, why in _NETWORKS]
        if _calls_aws(row, catalog):
            needs.append((offered[ClusterService.CLUSTER_DNS], Affects.RUNNING, _DNS_OF_AWS))
        for target, affects, why in needs:
            if target and target != row.id:
                yield AddOnRequirement(
                    source=row.id, target=target, strength=Strength.HARD, affects=affects, evidence=why
                )


def _on_pod_network(view: View, row: Installation) -> bool:
    workloads = (view.workloads[ref] for ref in row.workloads if ref in view.workloads)
    return any(not workload.template.host_network for workload in workloads)


def _calls_aws(row: Installation, catalog: Catalog) -> bool:
    entry = catalog.addons.get(row.addon)
    return bool(entry and entry.install.eks and entry.install.eks.requires_iam)


def _joined(found: Iterable[Dependency]) -> tuple[Dependency, ...]:
    """One dependency per pair of add-ons, as strong as its strongest reason."""
    pairs: dict[tuple[str, str], list[Dependency]] = {}
    for dependency in found:
        pairs.setdefault((dependency.source, dependency.target), []).append(dependency)
    joined = []
    for (source, target), same in sorted(pairs.items()):
        same.sort(key=lambda dependency: -dependency.weight)
        strength, affects = same[0].strength, same[0].affects
        via = tuple(dict.fromkeys(reason for dependency in same for reason in dependency.via))
        joined.append(Dependency(source=source, target=target, strength=strength, affects=affects, via=via))
    return tuple(joined)


# ── Order and cycles ────────────────────────────────────────────────────────────────────────────────────────────


def in_order(inventory: Inventory, addons: Iterable[Dependency]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """(the order of updates, cycles). A cycle is broken at its weakest dependency, and reported if that one is hard."""
    kept = {(dependency.source, dependency.target): dependency for dependency in addons}
    circles: list[tuple[str, ...]] = []
    while True:
        sorter: TopologicalSorter[str] = TopologicalSorter({row.id: () for row in inventory.installations})
        for source, target in kept:
            sorter.add(source, target)
        try:
            return tuple(sorter.static_order()), tuple(circles)
        except CycleError as error:
            nodes: list[str] = error.args[1]
            # graphlib lists a cycle with each node a predecessor of the next: the next depends on it.
            steps = [(nodes[n + 1], nodes[n]) for n in range(len(nodes) - 1)]
            weakest = min((step for step in steps if step in kept), key=lambda step: kept[step].weight)
            if kept[weakest].strength is Strength.HARD:  # otherwise it can be broken without harm
                circles.append(tuple(reversed(nodes)))
            del kept[weakest]


@makes("DEP002")
def find_circles(circles: Iterable[tuple[str, ...]]) -> Iterator[Finding]:
    """One finding for all cycles that share an add-on."""
    for members, same in _knots(circles):
        shown = (Evidence(kind="dependency", subject=circle[0], detail=" → ".join(circle)) for circle in same)
        yield finding("DEP002", Together(members=tuple(sorted(members)), circle=True), *shown)


def _knots(circles: Iterable[tuple[str, ...]]) -> list[tuple[set[str], list[tuple[str, ...]]]]:
    """Merges cycles that share an add-on into one set of add-ons."""
    knots: list[tuple[set[str], list[tuple[str, ...]]]] = []
    for circle in circles:
        apart = [knot for knot in knots if not knot[0] & set(circle)]
        shared = [knot for knot in knots if knot[0] & set(circle)]
        members = set(circle).union(*(knot[0] for knot in shared))
        knots = [*apart, (members, [*(each for knot in shared for each in knot[1]), circle])]
    return knots
