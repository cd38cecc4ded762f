"""The score of an add-on: how much of what was looked at is well, and how much that was.

Decided from the findings of health.py and from what the snapshot holds. A mean would hide a dead webhook behind nine
healthy aspects, so what is required caps the score. Called by health.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from addonctl.model import Finding, Health, Installation, Method, Severity, Snapshot, Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """One side of an add-on's health. `weight` is its share of the score; `verdict` unknown: it was not looked at."""

    name: str
    weight: int
    verdict: Health
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonHealth:
    """`score` 0–100 of what was looked at, None where nothing was; `coverage` how much that is, in percent."""

    id: str
    addon: str
    verdict: Health
    score: int | None
    coverage: int
    aspects: tuple[Aspect, ...]
    unknown_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What could be seen of an installation."""

    row: Installation
    workloads: tuple[Workload, ...]
    saw_pods: bool
    probed: bool
    snapshot: Snapshot


# (name, weight, parts that must have been read, codes that speak of it). A required finding takes all of an aspect,
# a recommended one half.
_ASPECTS: tuple[tuple[str, int, tuple[str, ...], tuple[str, ...]], ...] = (
    ("rollout", 30, ("workloads",), ("HLT005", "HLT006", "HLT023")),
    ("pods", 20, ("pods",), ("HLT001", "HLT002", "HLT003", "HLT004", "HLT007")),
    ("endpoints", 10, ("services", "endpoint_slices"), ("HLT008",)),
    ("admission", 10, ("webhook_configurations",), ("HLT009", "HLT012")),
    ("apis", 10, ("api_services", "crds"), ("HLT010", "HLT011")),
    ("resilience", 5, ("disruption_budgets",), ("HLT013", "HLT014", "HLT015")),
    ("leadership", 5, ("leases",), ("HLT016",)),
    ("events", 5, ("events", "quotas"), ("HLT017", "HLT019")),
    ("custom resources", 5, ("crds",), ("HLT018",)),
    ("probe", 10, (), ("HLT020",)),
    ("eks", 20, (), ("EKS005",)),
)
_LOSS = {Severity.REQUIRED: 1.0, Severity.RECOMMENDED: 0.5, Severity.INFO: 0.0}
# An add-on with something required is not well, however much else is.
_CAPS = {Severity.REQUIRED: 49, Severity.RECOMMENDED: 89}


def addon_health(sight: Sight, found: Sequence[Finding]) -> AddonHealth:
    """The score of an installation by what was found of it."""
    row = sight.row
    if row.method is Method.BUILT_IN:
        return AddonHealth(
            id=row.id, addon=row.addon, verdict=Health.UNKNOWN, score=None, coverage=0, aspects=(),
            unknown_reason="AWS runs it outside the cluster",
        )  # fmt: skip
    blind = not sight.saw_pods and all(w.available is None and w.ready is None for w in sight.workloads)
    by_eks = any(claim.method is Method.EKS for claim in row.claims)
    aspects = tuple(
        _aspect(sight, found, *aspect) for aspect in _ASPECTS
        if (aspect[0] == "eks" or not blind) and (aspect[0] != "eks" or by_eks)
    )  # fmt: skip
    looked_at = [aspect for aspect in aspects if aspect.verdict is not Health.UNKNOWN]
    if not looked_at:
        why = "the input holds no state of its workloads" if sight.workloads else "none of its workloads was seen"
        return AddonHealth(
            id=row.id, addon=row.addon, verdict=Health.UNKNOWN, score=None, coverage=0, aspects=aspects,
            unknown_reason=why,
        )  # fmt: skip
    whole = sum(weight for name, weight, _, _ in _ASPECTS if name != "eks" or by_eks)
    coverage = round(100 * sum(aspect.weight for aspect in looked_at) / whole)
    kept = sum(aspect.weight * _kept(found, aspect.name) for aspect in looked_at)
    worst = max((item.severity for item in found), key=lambda severity: severity.rank, default=Severity.INFO)
    score = min(round(100 * kept / sum(aspect.weight for aspect in looked_at)), _CAPS.get(worst, 100))
    verdict = {Severity.REQUIRED: Health.DEGRADED}.get(worst, Health.HEALTHY)
    if any(item.code == "HLT005" for item in found) and verdict is Health.HEALTHY:
        verdict = Health.PROGRESSING
    if sight.workloads and all(w.desired == 0 and w.kind != "DaemonSet" for w in sight.workloads):
        verdict = Health.DEGRADED if worst is Severity.REQUIRED else Health.SUSPENDED
    return AddonHealth(
        id=row.id, addon=row.addon, verdict=verdict, score=score, coverage=coverage, aspects=aspects
    )  # fmt: skip


def _aspect(
    sight: Sight, found: Sequence[Finding], name: str, weight: int, parts: tuple[str, ...], codes: tuple[str, ...]
) -> Aspect:
    snapshot = sight.snapshot
    gap = next((gap for part in parts if (gap := snapshot.gap(part))), None)
    if gap is not None:
        return Aspect(name=name, weight=weight, verdict=Health.UNKNOWN, reason=f"{gap.part}: {gap.reason.value}")
    if name == "eks" and (snapshot.eks is None or snapshot.gap("eks:addons")):
        return Aspect(name=name, weight=weight, verdict=Health.UNKNOWN, reason="AWS was not asked")
    if name == "probe" and not sight.probed:
        return Aspect(name=name, weight=weight, verdict=Health.UNKNOWN, reason="not probed")
    wrong = [item for item in found if item.code in codes and item.severity is not Severity.INFO]
    if not wrong:
        return Aspect(name=name, weight=weight, verdict=Health.HEALTHY)
    worst = max(wrong, key=lambda item: item.severity.rank)
    verdict = Health.DEGRADED if worst.severity is Severity.REQUIRED else Health.PROGRESSING
    detail = worst.evidence[0].detail if worst.evidence else ""
    return Aspect(name=name, weight=weight, verdict=verdict, reason=f"{worst.subject}: {detail}")


def _kept(found: Sequence[Finding], name: str) -> float:
    codes = next(codes for aspect, _, _, codes in _ASPECTS if aspect == name)
    return 1.0 - max((_LOSS[item.severity] for item in found if item.code in codes), default=0.0)


def overall(addons: Sequence[AddonHealth]) -> tuple[int | None, int]:
    """(score, coverage) of the cluster: the mean, but no more than twenty above the worst."""
    known = [health for health in addons if health.score is not None]
    if not known:
        return None, 0
    scores = [health.score or 0 for health in known]
    coverage = round(sum(health.coverage for health in known) / len(addons))
    return min(round(sum(scores) / len(scores)), min(scores) + 20), coverage
