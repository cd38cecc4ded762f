"""Where add-ons could cost less: one entry a kind, each with its cost model, its guard, and a function that finds it.

Decided from an Assessment, the Catalog and a region's prices; `resizings` by use, where that was measured. What was not
read is not judged, and that is said. Called by manager.py.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from addonctl.assessment import Assessment
from addonctl.catalog import Catalog
from addonctl.catalog.prices import PriceTable
from addonctl.model import Due
from addonctl.model.opportunity import NotJudged, Opportunities, Opportunity, OpportunityKind
from addonctl.opportunities import addons, balancers, platform, volumes
from addonctl.opportunities.case import Case, Finder, Found
from addonctl.resizing import Resizing

__all__ = ["KINDS", "find_opportunities"]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A kind, the parts of a snapshot without which it is not judged, and the function that finds it."""

    kind: OpportunityKind
    needs: tuple[str, ...]
    find: Finder


def _entry(id: str, title: str, find: Finder, needs: str, due: Due, *, model: str, guard: str) -> _Entry:
    kind = OpportunityKind(id=id, title=title, cost_model=model, guard=guard, due=due)
    return _Entry(kind, tuple(needs.split()), find)


_SHARES = "its share of the nodes that its pods are on, by what they request"

_TABLE = (
    _entry(
        platform.SUPPORT,
        "Extended support that a minor would end",
        platform.extended_support,
        "",
        Due.NEXT_MONTH,
        model="the price of an hour in extended support less that in standard support, 730 hours",
        guard="`addonctl plan --target` finds nothing that the next minor breaks; nodes follow",
    ),
    _entry(
        volumes.UNCLAIMED,
        "Volumes that nothing claims",
        volumes.unclaimed,
        "volumes",
        Due.THIS_WEEK,
        model="the price of the volume",
        guard="nobody needs what is on it: the snapshot is there before it is deleted",
    ),
    _entry(
        volumes.UNMOUNTED,
        "Volumes that nothing mounts",
        volumes.unmounted,
        "volumes volume_claims workloads pods",
        Due.THIS_WEEK,
        model="the price of the volume",
        guard="what it belonged to is not to come back: the snapshot is there before it is deleted",
    ),
    _entry(
        balancers.IDLE,
        "Load balancers with nothing behind them",
        balancers.idle,
        "services ingresses endpoint_slices workloads",
        Due.THIS_WEEK,
        model="730 hours of the load balancer",
        guard="no DNS record and no allow-list names it",
    ),
    _entry(
        balancers.ORPHANED,
        "Load balancers and volumes of what is gone",
        balancers.orphaned,
        "",
        Due.THIS_WEEK,
        model="730 hours of each load balancer, the price of each volume",
        guard="nothing in the cluster names it",
    ),
    _entry(
        volumes.GP3,
        "Volumes of type gp2 that could be gp3",
        volumes.gp3,
        "volumes storage_classes",
        Due.THIS_WEEK,
        model="GB × (gp2 - gp3), less the IOPS and MiB/s that make it as fast as it was",
        guard="latency of the volume while and after it is changed; a volume can be changed four times a day",
    ),
    _entry(
        balancers.SHARED,
        "Ingresses that could share a load balancer",
        balancers.shared,
        "ingresses ingress_classes",
        Due.NEXT_MONTH,
        model="730 hours of each Application Load Balancer that goes",
        guard="who may write one Ingress of a group may take hosts of the others; DNS first follows the new name",
    ),
    _entry(
        addons.IDLE,
        "Add-ons that have nothing to do",
        addons.idle,
        "workloads pods",
        Due.NEXT_MONTH,
        model=_SHARES,
        guard="nobody is about to use it",
    ),
    _entry(
        addons.OVERLAP,
        "Add-ons that do the same",
        addons.overlapping,
        "workloads pods",
        Due.NEXT_MONTH,
        model="the cheaper one: " + _SHARES + "; sidecars come on top",
        guard="what only the one that goes does is not needed, or moved first",
    ),
    _entry(
        addons.MISPLACED,
        "DaemonSets on nodes that need none",
        addons.misplaced,
        "workloads pods nodes",
        Due.NEXT_MONTH,
        model=_SHARES,
        guard="nothing on those nodes uses it",
    ),
    _entry(
        addons.REPLICAS,
        "More replicas than the documentation asks for",
        addons.replicas,
        "workloads pods nodes autoscalers",
        Due.NEXT_MONTH,
        model="its cheapest pods' share of their nodes",
        guard="latency and errors of the add-on at its busiest hour",
    ),
    _entry(
        addons.REQUESTS,
        "Requests above what is used",
        addons.requests,
        "",
        Due.NEXT_MONTH,
        model="what is requested less, as a share of the nodes that it runs on",
        guard="CPU throttling, OOM kills and the add-on's own latency",
    ),
    _entry(
        platform.WARM,
        "Addresses that the VPC CNI holds free",
        platform.warm_addresses,
        "pods nodes",
        Due.NEXT_MONTH,
        model="no dollars: addresses of subnets, by the VPC CNI's own rule",
        guard="seconds until new pods have an address, and EC2's throttling",
    ),
    _entry(
        platform.CLOUDWATCH,
        "CloudWatch volume and retention",
        platform.cloudwatch,
        "",
        Due.NEXT_MONTH,
        model="GB of logs taken in and kept, metrics and observations, at list price",
        guard="what audits and dashboards read is kept",
    ),
)

KINDS = {each.kind.id: each.kind for each in _TABLE}
"""All kinds by their id, in the order in which they are looked for."""


def find_opportunities(
    assessment: Assessment,
    catalog: Catalog,
    prices: Callable[[str], PriceTable],
    resizings: Sequence[Resizing] = (),
) -> Opportunities:
    """What could cost less, what saves most first. `prices` are those of a region.

    An add-on that has nothing to do is not listed again for what it would do twice.
    """
    case = Case(assessment, catalog, prices(assessment.view.region), resizings)
    found = [each for entry in _TABLE for each in _of(entry, case)]
    idle = {each.installation for each in found if each.kind == addons.IDLE and isinstance(each, Opportunity)}
    kept = (
        each
        for each in found
        if isinstance(each, Opportunity) and not (each.installation in idle and each.kind in _WITHIN)
    )
    return Opportunities(
        found=tuple(sorted(kept, key=lambda each: (-(each.saving.usd_micros or 0), each.kind, each.what))),
        not_judged=tuple(each for each in found if isinstance(each, NotJudged)),
    )


_WITHIN = (addons.OVERLAP, addons.MISPLACED, addons.REPLICAS, addons.REQUESTS)


def _of(entry: _Entry, case: Case) -> Iterator[Found]:
    gap = case.view.gap(*entry.needs)
    if gap is not None:
        yield NotJudged(kind=entry.kind.id, reason=f"{gap.part} were not read: {gap.detail}")
    else:
        yield from entry.find(case)
