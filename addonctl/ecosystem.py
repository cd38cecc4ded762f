"""The library's public result: an assessment in the shape that `Manager.analyze_addon_ecosystem` returns.

An unknown figure is a Score without a value, with the reason beside it. Called by manager.py; render/documents.py
writes it as JSON.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from addonctl.assessment import Assessed, Assessment
from addonctl.dependencies import AddOnRequirement, Dependency, Impact
from addonctl.efficiency import Efficiency
from addonctl.health import AddonHealth
from addonctl.model import Edge, Finding, Gap, Installation, Severity, State
from addonctl.model.cost import HOURS_PER_MONTH, ClusterCost, CostKind
from addonctl.model.forecast import Unknown
from addonctl.model.opportunity import Frees, Opportunities
from addonctl.model.usage import ContainerUsage
from addonctl.performance import Performance, performances
from addonctl.usage import UsageReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """0–100, or None with the reason. `coverage` is the percentage of its inputs that was read."""

    value: int | None
    coverage: int | None = None
    unknown_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """US dollars as integer micro-dollars, or None with the reason."""

    usd_micros: int | None
    unknown_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """What its pods use on average, in percent of what they request; None with the reason. CPU can be above 100."""

    percent: int | None
    used: int | None = None  # millicores, or bytes
    requested: int | None = None
    unknown_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonMetrics:
    """What is known of one installation."""

    addon: str
    name: str
    version: str | None
    version_unknown_reason: str
    method: str
    owner: str
    namespaces: tuple[str, ...]
    workloads: int
    compatible: str  # yes, no or unknown, with the running Kubernetes
    compatible_with_target: str
    health_score: Score
    monthly_cost: Money
    hourly_cost: Money
    cpu_utilisation: Utilisation
    memory_utilisation: Utilisation
    performance_score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class EcosystemAnalysis:
    """The answer of `Manager.analyze_addon_ecosystem`."""

    cluster_name: str
    total_addons: int
    addon_metrics: tuple[AddonMetrics, ...]
    dependency_analysis: dict[str, Any]
    optimization_opportunities: dict[str, Any]
    recommendations: tuple[Finding, ...]
    overall_health_score: Score
    cost_efficiency_score: Score
    use_measured_by: str  # empty: nobody was asked, or knew
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...]

    def to_dict(self) -> dict[str, Any]:
        """The analysis as dicts, lists and scalars, ready for `json.dumps`."""
        return asdict(self)

    def to_json(self) -> str:
        """The analysis as JSON."""
        return json.dumps(self.to_dict())


_NO_PRICES = "no prices were given"


def ecosystem(
    assessment: Assessment,
    used: UsageReport | Unknown,
    opportunities: Opportunities | None = None,
    spent: Efficiency | None = None,
) -> EcosystemAnalysis:
    """The assessment as an EcosystemAnalysis: with the use of all workloads, as known, and what was reckoned of money.

    Without `opportunities` and `spent`, no prices were given.
    """
    health = assessment.health
    monthly = _monthly(assessment.cost)
    scores = {each.installation: each for each in performances(assessment.inventory.installations, used)}
    found = [each for each in assessment.addons if each.installation.state is State.INSTALLED]
    why = "" if health.score is not None else "no add-on's state was read"
    return EcosystemAnalysis(
        cluster_name=assessment.cluster.name,
        total_addons=len(found),
        addon_metrics=tuple(
            _metrics(assessment, addon, monthly(addon.installation.id), used, scores[addon.installation.id])
            for addon in found
        ),
        dependency_analysis=dependency_analysis(assessment),
        optimization_opportunities=_opportunities(opportunities),
        recommendations=tuple(f for f in assessment.findings if f.severity is not Severity.INFO),
        overall_health_score=Score(value=health.score, coverage=health.coverage, unknown_reason=why),
        cost_efficiency_score=_efficiency(spent),
        use_measured_by="" if isinstance(used, Unknown) else used.metrics.source,
        findings=assessment.findings,
        gaps=assessment.gaps,
    )


def _opportunities(found: Opportunities | None) -> dict[str, Any]:
    """What could cost less, in micro-dollars a month; render/opportunities.py has each with its change."""
    if found is None:
        return {"items": None, "unknown_reason": _NO_PRICES}
    return {
        "items": [
            {
                "kind": each.kind,
                "installation": each.installation,
                "what": each.what,
                "frees": each.saving.frees.value,
                "usd_micros": each.saving.usd_micros,
                "estimated": each.saving.estimated,
                "unknown_reason": each.saving.unknown,
            }
            for each in found.found
        ],
        "usd_micros": {frees.name.lower(): found.usd_micros(frees) for frees in Frees},
        "not_judged": [
            {"kind": each.kind, "installation": each.installation, "reason": each.reason} for each in found.not_judged
        ],
    }


def _efficiency(spent: Efficiency | None) -> Score:
    if spent is None:
        return Score(value=None, unknown_reason=_NO_PRICES)
    if isinstance(spent.score, Unknown):
        return Score(value=None, unknown_reason=spent.score.reason)
    return Score(value=spent.score, coverage=spent.coverage)


def _monthly(cost: ClusterCost | None) -> Callable[[str], Money]:
    """What an installation costs a month, as far as that is known."""
    if cost is None:
        return lambda _: Money(usd_micros=None, unknown_reason=_NO_PRICES)
    known: dict[str, int] = {}
    for share in (share for share in cost.shares if share.is_known):
        known[share.installation] = known.get(share.installation, 0) + share.usd_micros
    unread = next((charge.unknown for charge in cost.unknown if charge.kind is CostKind.NODE), "")

    def of(installation: str) -> Money:
        why = unread or "no pod of it is on a node whose price is known"
        return (
            Money(usd_micros=known[installation])
            if installation in known
            else Money(usd_micros=None, unknown_reason=why)
        )

    return of


def _hourly(monthly: Money) -> Money:
    """Of a month of AWS's prices, to the micro-dollar."""
    return monthly if monthly.usd_micros is None else Money(usd_micros=round(monthly.usd_micros / HOURS_PER_MONTH))


def _utilisation(assessment: Assessment, row: Installation, used: UsageReport | Unknown, what: str) -> Utilisation:
    """Of its containers that were measured and run."""
    if isinstance(used, Unknown):
        return Utilisation(percent=None, unknown_reason=used.reason)
    of_it = [each for each in used.containers if each.installation == row.id]
    mine = [each for each in of_it if (each.cpu if what == "cpu" else each.memory).mean is not None]
    if not mine:
        ran = bool(of_it) or any(ref in row.workloads for ref, _ in used.unmeasured)
        why = "none of its containers was measured" if ran else "it runs no containers here"
        return Utilisation(percent=None, unknown_reason=why)
    takes, asks = 0.0, 0
    for each in mine:
        takes += each.cpu_total if what == "cpu" else each.memory_total
        request = each.cpu_request_millicores if what == "cpu" else each.memory_request_bytes
        asks += (request or 0) * _running(assessment, each)
    if not asks:
        return Utilisation(percent=None, used=round(takes), requested=0, unknown_reason=f"its pods request no {what}")
    return Utilisation(percent=round(100 * takes / asks), used=round(takes), requested=asks)


def _running(assessment: Assessment, each: ContainerUsage) -> int:
    return sum(pod.phase == "Running" for pod in assessment.view.pods.get(each.workload, ()))


def _performance(found: Performance) -> Score:
    if isinstance(found.score, Unknown):
        return Score(value=None, coverage=found.coverage, unknown_reason=found.score.reason)
    return Score(value=found.score, coverage=found.coverage)


def _metrics(
    assessment: Assessment, addon: Assessed, monthly: Money, used: UsageReport | Unknown, performance: Performance
) -> AddonMetrics:
    row = addon.installation
    return AddonMetrics(
        addon=row.addon,
        name=row.name,
        version=str(row.version) if row.version else None,
        version_unknown_reason=row.version_unknown_reason,
        method=row.method.value,
        owner=str(row.owner),
        namespaces=row.namespaces,
        workloads=len(row.workloads),
        compatible=addon.running.answer.value,
        compatible_with_target=addon.target.answer.value,
        health_score=_score(addon.health),
        monthly_cost=monthly,
        hourly_cost=_hourly(monthly),
        cpu_utilisation=_utilisation(assessment, row, used, "cpu"),
        memory_utilisation=_utilisation(assessment, row, used, "memory"),
        performance_score=_performance(performance),
    )


def _score(health: AddonHealth) -> Score:
    return Score(value=health.score, coverage=health.coverage, unknown_reason=health.unknown_reason)


def dependency_analysis(assessment: Assessment) -> dict[str, Any]:
    """Between add-ons; `addonctl deps` has the edges between objects."""
    graph = assessment.dependencies
    return {
        "edges": [_dependency(dependency) for dependency in graph.addons],
        "blast_radius": {
            row.id: [_impact(impact) for impact in graph.blast_radius(row.id)]
            for row in assessment.inventory.installations
        },
        "update_order": list(graph.order),
        "cycles": [list(cycle) for cycle in graph.cycles],
    }


def _dependency(dependency: Dependency) -> dict[str, Any]:
    return {
        "from": dependency.source,
        "to": dependency.target,
        "strength": dependency.strength.value,
        "hurts": dependency.affects.value,
        "evidence": [_because(reason) for reason in dependency.via],
    }


def _because(reason: Edge | AddOnRequirement) -> str:
    return f"{reason.source} → {reason.target}: {reason.evidence}" if isinstance(reason, Edge) else reason.evidence


def _impact(impact: Impact) -> dict[str, Any]:
    return {"id": impact.id, "weight": round(impact.weight, 3), "path": list(impact.path)}
