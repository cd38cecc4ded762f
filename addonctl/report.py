"""An Assessment as documents: the JSON interface `addonctl/v1`, the same from library, CLI and API.

Keys are documented in docs/reference/json.md; a test holds the two together. What is not known is null with a reason
beside it, never a made-up number.
"""

from dataclasses import asdict, dataclass
from typing import Any

from addonctl.assessment import Assessed, Assessment
from addonctl.model import Finding, Gap, Installation, Severity

SCHEMA = "addonctl/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """0–100, or None with the reason why it is not known."""

    value: int | None
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
        dependency_analysis={"edges": None, "unknown_reason": f"dependencies are {_NOT_JUDGED}"},
        optimization_opportunities={"items": None, "unknown_reason": f"usage and cost are {_NOT_JUDGED}"},
        recommendations=tuple(f for f in assessment.findings if f.severity is not Severity.INFO),
        overall_health_score=Score(value=None, unknown_reason=f"health is {_NOT_JUDGED}"),
        cost_efficiency_score=Score(value=None, unknown_reason=f"cost is {_NOT_JUDGED}"),
        findings=assessment.findings,
        gaps=assessment.gaps,
    )


def _metrics(addon: Assessed) -> AddonMetrics:
    row = addon.installation
    return AddonMetrics(
        addon=row.addon, name=row.name, version=row.version, version_unknown_reason=row.version_unknown_reason,
        method=row.method.value, owner=row.owner, namespaces=row.namespaces, workloads=len(row.workloads),
        compatible=addon.running.answer.value, compatible_with_target=addon.target.answer.value,
        health_score=Score(value=None, unknown_reason=f"health is {_NOT_JUDGED}"),
        monthly_cost=Score(value=None, unknown_reason=f"cost is {_NOT_JUDGED}"),
    )  # fmt: skip


def analysis_document(assessment: Assessment) -> dict[str, Any]:
    """`addonctl analyze -o json`."""
    return {
        **_envelope(assessment, "Analysis"),
        **asdict(ecosystem(assessment)),
        "checks": [asdict(check) for addon in assessment.addons for check in (addon.running, addon.target)],
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
        "findings": [asdict(item) for item in assessment.inventory.findings],
        "gaps": [asdict(gap) for gap in assessment.gaps],
    }


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
