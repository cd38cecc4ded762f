"""An Assessment as documents: the JSON interface `addonctl/v1`, the same from library, CLI and API.

Keys are documented in docs/reference/json.md; a test holds the two together. What is not known is null with a reason
beside it, never a made-up number.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from addonctl.assessment import Assessed, Assessment
from addonctl.catalog import Check
from addonctl.dependencies import Dependency, Impact
from addonctl.findings import CODES
from addonctl.health.scores import AddonHealth
from addonctl.model import Edge, Finding, Gap, Installation, Severity

SCHEMA = "addonctl/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """0–100, or None with the reason why it is not known. `coverage` is how much was looked at, in percent."""

    value: int | None
    coverage: int | None = None
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
    monthly_cost: Score


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


_NOT_JUDGED = "not judged by this version of addonctl"


def ecosystem(assessment: Assessment) -> EcosystemAnalysis:
    """The assessment in the shape of the library's front door."""
    return EcosystemAnalysis(
        cluster_name=assessment.cluster.name,
        total_addons=len(assessment.addons),
        addon_metrics=tuple(_metrics(addon) for addon in assessment.addons),
        dependency_analysis=_dependency_analysis(assessment),
        optimization_opportunities={"items": None, "unknown_reason": f"usage and cost are {_NOT_JUDGED}"},
        recommendations=tuple(f for f in assessment.findings if f.severity is not Severity.INFO),
        overall_health_score=_overall(assessment),
        cost_efficiency_score=Score(value=None, unknown_reason=f"cost is {_NOT_JUDGED}"),
        findings=assessment.findings,
        gaps=assessment.gaps,
    )


def _overall(assessment: Assessment) -> Score:
    health = assessment.health
    why = "" if health.score is not None else "no add-on's state was seen"
    return Score(value=health.score, coverage=health.coverage, unknown_reason=why)


def _metrics(addon: Assessed) -> AddonMetrics:
    row = addon.installation
    return AddonMetrics(
        addon=row.addon, name=row.name, version=row.version, version_unknown_reason=row.version_unknown_reason,
        method=row.method.value, owner=row.owner, namespaces=row.namespaces, workloads=len(row.workloads),
        compatible=addon.running.answer.value, compatible_with_target=addon.target.answer.value,
        health_score=_score(addon.health),
        monthly_cost=Score(value=None, unknown_reason=f"cost is {_NOT_JUDGED}"),
    )  # fmt: skip


def _score(health: AddonHealth) -> Score:
    return Score(value=health.score, coverage=health.coverage, unknown_reason=health.unknown_reason)


def _dependency_analysis(assessment: Assessment) -> dict[str, Any]:
    """Between add-ons; `addonctl deps` has the edges between objects."""
    graph = assessment.dependencies
    return {
        "edges": [_dependency(dependency) for dependency in graph.addons],
        "blast_radius": {
            addon.installation.id: [_impact(impact) for impact in graph.blast_radius(addon.installation.id)]
            for addon in assessment.addons
        },
        "update_order": list(graph.order),
        "cycles": [list(cycle) for cycle in graph.cycles],
    }


def _dependency(dependency: Dependency) -> dict[str, Any]:
    return {
        "from": dependency.source, "to": dependency.target, "strength": dependency.strength.value,
        "hurts": dependency.hurts, "evidence": [_because(edge) for edge in dependency.via],
    }  # fmt: skip


def _because(edge: Edge) -> str:
    return edge.evidence if edge.source.kind == "AddOn" else f"{edge.source} → {edge.target}: {edge.evidence}"


def _impact(impact: Impact) -> dict[str, Any]:
    return {"id": impact.id, "weight": round(impact.weight, 3), "path": list(impact.path)}


# ── Documents ───────────────────────────────────────────────────────────────────────────────────────────────────


def analysis_document(assessment: Assessment) -> dict[str, Any]:
    """`addonctl analyze -o json`."""
    return {
        **_envelope(assessment, "Analysis"),
        **asdict(ecosystem(assessment)),
        "findings": [finding_document(found) for found in assessment.findings],
        "recommendations": [finding_document(f) for f in assessment.findings if f.severity is not Severity.INFO],
        "waived": _waived(assessment),
        "since": assessment.since or None,
        "checks": [asdict(check) for checks in assessment.compatibility.checks.values() for check in checks],
        "installations": [installation_document(addon.installation) for addon in assessment.addons],
        "unrecognised": [asdict(item) for item in assessment.inventory.unrecognised],
        "stale_knowledge": list(assessment.stale),
    }


def inventory_document(assessment: Assessment) -> dict[str, Any]:
    """`addonctl inventory -o json`."""
    return {
        **_envelope(assessment, "Inventory"),
        "installations": [installation_document(addon.installation) for addon in assessment.addons],
        "unrecognised": [asdict(item) for item in assessment.inventory.unrecognised],
        "findings": [finding_document(item) for item in assessment.inventory.findings],
        "gaps": [asdict(gap) for gap in assessment.gaps],
    }


def findings_document(assessment: Assessment) -> dict[str, Any]:
    """`addonctl findings -o json`."""
    return {
        **_envelope(assessment, "Findings"),
        "findings": [finding_document(found) for found in assessment.findings],
        "waived": _waived(assessment),
        "since": assessment.since or None,
        "gaps": [asdict(gap) for gap in assessment.gaps],
    }


def health_document(assessment: Assessment) -> dict[str, Any]:
    """`addonctl health -o json`."""
    health = assessment.health
    return {
        **_envelope(assessment, "Health"),
        "score": health.score,
        "coverage": health.coverage,
        "addons": [asdict(addon) for addon in health.addons],
        "objects": [asdict(verdict) for verdict in assessment.objects],
        "probes": [asdict(probe) for probe in assessment.probes],
        "findings": [finding_document(found) for found in assessment.findings if found in assessment.health.findings],
        "gaps": [asdict(gap) for gap in assessment.gaps],
    }


def compatibility_document(assessment: Assessment) -> dict[str, Any]:
    """`addonctl compat -o json`."""
    return {
        **_envelope(assessment, "Compatibility"),
        **matrix_cells(check for checks in assessment.compatibility.checks.values() for check in checks),
        "findings": [
            finding_document(found) for found in assessment.findings if found in assessment.compatibility.findings
        ],
        "gaps": [asdict(gap) for gap in assessment.gaps],
    }


def matrix_document(checks: Iterable[Check]) -> dict[str, Any]:
    """`addonctl matrix ADDON… -o json`."""
    return {"schema": SCHEMA, "kind": "Matrix", **matrix_cells(checks)}


def matrix_cells(checks: Iterable[Check]) -> dict[str, Any]:
    """One cell an add-on, version and Kubernetes."""
    return {"cells": [{**asdict(check), "version": check.version or None} for check in checks]}


def dependencies_document(assessment: Assessment) -> dict[str, Any]:
    """`addonctl deps -o json`: `edges` between objects, and all that is said of add-ons."""
    return {
        **_envelope(assessment, "Dependencies"),
        "edges": [edge_document(edge) for edge in assessment.dependencies.edges],
        "addons": _dependency_analysis(assessment),
        "findings": [finding_document(found) for found in assessment.dependencies.findings],
        "gaps": [asdict(gap) for gap in assessment.gaps],
    }


def edge_document(edge: Edge) -> dict[str, Any]:
    """One edge between objects."""
    return {
        "from": str(edge.source), "to": str(edge.target), "type": edge.type.value, "strength": edge.strength.value,
        "hurts": edge.hurts, "evidence": edge.evidence, "from_group": edge.source.group, "to_group": edge.target.group,
    }  # fmt: skip


def finding_document(found: Finding) -> dict[str, Any]:
    """One finding, with the title of its code and when to act."""
    return {**asdict(found), "title": CODES[found.code].title, "due": DUE[found.severity]}


DUE = {Severity.REQUIRED: "today", Severity.RECOMMENDED: "this week", Severity.INFO: "next month"}


def _waived(assessment: Assessment) -> list[dict[str, Any]]:
    return [
        {**finding_document(waived.finding), "waiver": asdict(waived.waiver)} for waived in assessment.waived
    ]  # fmt: skip


def installation_document(row: Installation) -> dict[str, Any]:
    """One installation as the JSON interface shows it."""
    return asdict(row)


def _envelope(assessment: Assessment, kind: str) -> dict[str, Any]:
    status = assessment.kubernetes
    return {
        "schema": SCHEMA,
        "kind": kind,
        "cluster": asdict(assessment.cluster),
        "as_of": assessment.day.isoformat(),
        "kubernetes": asdict(status),
    }
