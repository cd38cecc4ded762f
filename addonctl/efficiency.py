"""How much of what is paid does something: a score of a whole cluster, from its cost, its savings and its use.

Pure. What nobody measured is not judged, and how much that is stands beside the score. Called by dashboard.py and
manager.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from addonctl.cost import CostRow
from addonctl.model.cost import ClusterCost, CostKind, Pool
from addonctl.model.forecast import Unknown
from addonctl.model.opportunity import Opportunities
from addonctl.usage import UsageReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """`score`: 100 × (1 - (`idle` + `unclaimed` + `savings`) ÷ `paid`), in micro-dollars a month.

    `coverage` is the percentage of `paid` that was judged: what pods request whose use was not measured is not.
    `unpriced` charges have no figure and `unasked` pods request nothing, so that neither are in it.
    """

    score: int | Unknown
    coverage: int
    paid: int
    idle: int
    unclaimed: int
    savings: int
    unpriced: int
    unasked: int


def efficiency(
    cost: ClusterCost, by_addon: Iterable[CostRow], found: Opportunities, used: UsageReport | Unknown
) -> Efficiency:
    """A volume that nobody claims is no opportunity as well, and an add-on saves no more than it costs.

    `used` is the use that `found` was found by, day by day; else nothing of what pods request is judged.
    """
    paid, paid_by = cost.usd_micros, {row.name: row.usd_micros for row in by_addon}
    idle, unclaimed = paid_by.get(Pool.IDLE.value, 0), paid_by.get(Pool.UNCLAIMED.value, 0)
    savings: dict[str, int] = {}
    for each in found.found:
        nobodys = not each.installation and any(ref.kind == "PersistentVolume" for ref in each.about)
        if not nobodys:
            savings[each.installation] = savings.get(each.installation, 0) + (each.saving.usd_micros or 0)
    saved = sum(min(micros, paid_by.get(id_, paid) if id_ else paid) for id_, micros in savings.items())
    judged = paid - _not_judged(cost, used)
    unread = next((charge.unknown for charge in cost.unknown if charge.kind is CostKind.NODE), "")
    score = max(0, round(100 * (1 - (idle + unclaimed + saved) / paid))) if paid else 0
    return Efficiency(
        score=Unknown(unread or "nothing has a price") if unread or not paid else score,
        coverage=100 * judged // paid if paid else 0,
        paid=paid,
        idle=idle,
        unclaimed=unclaimed,
        savings=saved,
        unpriced=len(cost.unknown),
        unasked=sum(share.unasked for share in cost.shares),
    )


def _not_judged(cost: ClusterCost, used: UsageReport | Unknown) -> int:
    """What workloads cost on nodes whose use nobody measured."""
    measured = frozenset(each.workload for each in used.containers) if isinstance(used, UsageReport) else frozenset()
    return sum(
        share.usd_micros
        for share in cost.shares
        if share.pool is None
        and share.charge.kind in (CostKind.NODE, CostKind.FARGATE)
        and share.workload not in measured
    )
