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
from addonctl.health import AddonHealth
from addonctl.model import Edge, Finding, Gap, Severity, State
from addonctl.model.cost import ClusterCost, CostKind
from addonctl.model.opportunity import Frees, Opportunities


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
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...]

    def to_dict(self) -> dict[str, Any]:
        """The analysis as dicts, lists and scalars, ready for `json.dumps`."""
        return asdict(self)

    def to_json(self) -> str:
        """The analysis as JSON."""
        return json.dumps(self.to_dict())


_NOT_JUDGED = "not judged by this version of addonctl"


def ecosystem(assessment: Assessment, opportunities: Opportunities | None = None) -> EcosystemAnalysis:
    """The assessment as an EcosystemAnalysis, with the opportunities that were looked for; None: they were not."""
    health = assessment.health
    monthly = _monthly(assessment.cost)
    found = [each for each in assessment.addons if each.installation.state is State.INSTALLED]
    why = "" if health.score is not None else "no add-on's state was read"
    return EcosystemAnalysis(
        cluster_name=assessment.cluster.name,
        total_addons=len(found),
        addon_metrics=tuple(_metrics(addon, monthly(addon.installation.id)) for addon in found),
        dependency_analysis=dependency_analysis(assessment),
        optimization_opportunities=_opportunities(opportunities),
        recommendations=tuple(f for f in assessment.findings if f.severity is not Severity.INFO),
        overall_health_score=Score(value=health.score, coverage=health.coverage, unknown_reason=why),
        cost_efficiency_score=Score(value=None, unknown_reason=f"use is {_NOT_JUDGED}"),
        findings=assessment.findings,
        gaps=assessment.gaps,
    )


def _opportunities(found: Opportunities | None) -> dict[str, Any]:
    """What could cost less, in micro-dollars a month; render/opportunities.py has each with its change."""
    if found is None:
        return {"items": None, "unknown_reason": "no prices were given"}
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


def _monthly(cost: ClusterCost | None) -> Callable[[str], Money]:
    """What an installation costs a month, as far as that is known."""
    if cost is None:
        return lambda _: Money(usd_micros=None, unknown_reason="no prices were given")
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


def _metrics(addon: Assessed, monthly: Money) -> AddonMetrics:
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
