"""The score of an add-on: how healthy the part that was read is, and how large that part is (the coverage).

Decided from the health findings and from which objects of an aspect were read. A mean would hide a dead webhook behind
nine healthy aspects, so a required finding caps the score. An aspect without objects (no Service, no webhook) does not
apply and is not counted; one whose objects have no state in the input is unknown, never healthy. So is an add-on with
no findings of which most could not be read. Called by check_health.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from addonctl import findings
from addonctl.findings import CHECKS
from addonctl.health.case import Case
from addonctl.health.reports import health_of_custom_resources, in_flight, is_kept_by_eks
from addonctl.health.resilience import REPLICATED, budgets_of, leases_of
from addonctl.health.serving import WEBHOOKS
from addonctl.model import (
    ApiService,
    CustomResourceDefinition,
    Finding,
    Gap,
    Health,
    Installation,
    Method,
    Severity,
    View,
    WebhookConfiguration,
    Workload,
)

_A = findings.Aspect
COVERAGE_MIN = 50
"""In percent. Below it, that nothing was found says little: most of an add-on was not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """One aspect of an add-on's health. `weight` is its share of the score; `health` is unknown if it was not read."""

    name: findings.Aspect
    weight: int
    health: Health
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonHealth:
    """`score`: 0–100 over what was read, None if nothing was; `coverage`: how much that is, in percent.

    `health` is unknown, with `unknown_reason`, if there is no score, or too little coverage without findings.
    `aspects` are those that apply to the add-on.
    """

    id: str
    addon: str
    health: Health
    score: int | None
    coverage: int
    aspects: tuple[Aspect, ...]
    unknown_reason: str = ""


# ── The objects of an aspect ────────────────────────────────────────────────────────────────────────────────────
# One value for each object of the aspect: whether its state was read. No values: the aspect does not apply, as far as
# its parts were read. None instead of values: it would not apply even if they were.

_Objects = Iterable[bool] | None


def _objects(case: Case) -> _Objects:
    """What is missing is not there to be counted; and where the input need not hold all, nothing is known to be."""
    return () if case.view.is_whole else None


def _rollout(case: Case) -> _Objects:
    return [_has_counts(workload) for workload in case.workloads if workload.kind != "Pod"]


def _has_counts(workload: Workload) -> bool:
    """Whether it has a status; a manifest does not."""
    return any(count is not None for count in (workload.available, workload.ready, workload.active))


def _pods(case: Case) -> _Objects:
    if case.pods:
        return [bool(pod.phase) for _, pod in case.pods]
    return [False for workload in case.workloads if workload.desired != 0 and workload.kind not in ("Job", "CronJob")]


def _endpoints(case: Case) -> _Objects:
    owned = (case.view.services.get(ref) for ref in case.owned("Service"))
    return [case.view.backends(service.ref) is not None for service in owned if service and service.selector]


def _admission(case: Case) -> _Objects:
    configurations = (case.view.objects.get(ref) for ref in case.owned(*WEBHOOKS))
    return [_is_answered_for(case.view, each) for each in configurations if isinstance(each, WebhookConfiguration)]


def _is_answered_for(view: View, configuration: WebhookConfiguration) -> bool:
    """Whether the backend of at least one of its webhooks was read."""
    targets = [hook.service for hook in configuration.webhooks]
    return not targets or any(target is None or view.backends(target.ref) is not None for target in targets)


def _apis(case: Case) -> _Objects:
    things = (case.view.objects.get(ref) for ref in case.owned("APIService", "CustomResourceDefinition"))
    return [bool(each.conditions) for each in things if isinstance(each, ApiService | CustomResourceDefinition)]


def _resilience(case: Case) -> _Objects:
    replicas = [workload.desired is not None for workload in case.workloads if workload.kind in REPLICATED]
    return [*replicas, *(budget.disruptions_allowed is not None for budget in budgets_of(case).values())]


def _leadership(case: Case) -> _Objects:
    return [lease.renewed is not None for lease, _ in leases_of(case)]


def _events(case: Case) -> _Objects:
    return [True]  # the absence of warnings is a result, too


def _custom_resources(case: Case) -> _Objects:
    if not case.crd_groups:
        return None
    return [each.health is not Health.UNKNOWN for each in health_of_custom_resources(case)]


def _probe(case: Case) -> _Objects:
    """Whether there is a probe for an add-on is only known once probes ran."""
    if not case.scene.probes:
        return [False]
    return [probe.health is not Health.UNKNOWN for probe in case.probes]


def _eks(case: Case) -> _Objects:
    return [case.view.snapshot.eks is not None] if is_kept_by_eks(case) else None


@dataclass(frozen=True, slots=True)
class _Side:
    """How an aspect counts: its weight, its objects, and the reason given if none of them was read."""

    weight: int
    objects: Callable[[Case], _Objects]
    unread: str = "the input has no state for it"


_SIDES: Mapping[findings.Aspect, _Side] = MappingProxyType(
    {
        _A.OBJECTS: _Side(10, _objects),
        _A.ROLLOUT: _Side(30, _rollout),
        _A.PODS: _Side(20, _pods),
        _A.ENDPOINTS: _Side(10, _endpoints),
        _A.ADMISSION: _Side(10, _admission),
        _A.APIS: _Side(10, _apis),
        _A.RESILIENCE: _Side(5, _resilience),
        _A.LEADERSHIP: _Side(5, _leadership),
        _A.EVENTS: _Side(5, _events),
        _A.CUSTOM_RESOURCES: _Side(5, _custom_resources),
        _A.PROBE: _Side(10, _probe, unread="not probed"),
        _A.EKS: _Side(20, _eks, unread="AWS was not read"),
    }
)
# A required finding costs an aspect all of its weight, a recommended one half.
_LOSS = {Severity.REQUIRED: 1.0, Severity.RECOMMENDED: 0.5, Severity.INFO: 0.0}
# An add-on with a required finding is not healthy, however healthy the rest is.
_CAPS = {Severity.REQUIRED: 49, Severity.RECOMMENDED: 89}


@cache
def _parts(aspect: findings.Aspect) -> tuple[str, ...]:
    """The parts of a Snapshot that the checks of an aspect read."""
    return tuple(dict.fromkeys(part for check in CHECKS.values() if check.aspect is aspect for part in check.parts))


# ── The score ───────────────────────────────────────────────────────────────────────────────────────────────────


def addon_health(case: Case, found: Sequence[Finding]) -> AddonHealth:
    """The health of an installation, by its findings."""
    if case.row.method is Method.BUILT_IN:
        return _unknown(case, (), "AWS runs it outside the cluster")
    aspects = tuple(_aspects(case, found))
    known = [aspect for aspect in aspects if aspect.health is not Health.UNKNOWN]
    if not known:
        why = "the input has no state of its workloads" if case.workloads else "none of its workloads was read"
        return _unknown(case, aspects, why)
    weight = sum(aspect.weight for aspect in known)
    coverage = round(100 * weight / sum(aspect.weight for aspect in aspects))
    kept = sum(aspect.weight * _kept(found, aspect.name) for aspect in known)
    worst = max((item.severity for item in found), key=lambda severity: severity.rank, default=Severity.INFO)
    score = min(round(100 * kept / weight), _CAPS.get(worst, 100))
    assert 0 <= score <= 100, (case.row.id, score, kept, weight)
    assert 0 < coverage <= 100, (case.row.id, coverage)
    health = _health(case, found, worst)
    guessed = health is Health.HEALTHY and coverage < COVERAGE_MIN
    return AddonHealth(
        id=case.row.id,
        addon=case.row.addon,
        health=Health.UNKNOWN if guessed else health,
        score=score,
        coverage=coverage,
        aspects=aspects,
        unknown_reason=f"only {coverage} % of it could be read" if guessed else "",
    )


def not_seen(row: Installation) -> AddonHealth:
    """The health of what is only declared: it is never healthy, and counts in no score."""
    why = f"it is declared for {row.destination}" if row.destination else "it is declared; nothing of it was found"
    return AddonHealth(
        id=row.id, addon=row.addon, health=Health.UNKNOWN, score=None, coverage=0, aspects=(), unknown_reason=why
    )


def _unknown(case: Case, aspects: tuple[Aspect, ...], why: str) -> AddonHealth:
    return AddonHealth(
        id=case.row.id,
        addon=case.row.addon,
        health=Health.UNKNOWN,
        score=None,
        coverage=0,
        aspects=aspects,
        unknown_reason=why,
    )


def _health(case: Case, found: Sequence[Finding], worst: Severity) -> Health:
    """The overall health of an installation of which something was read."""
    if worst is Severity.REQUIRED:
        return Health.DEGRADED
    if case.workloads and all(each.desired == 0 and each.kind != "DaemonSet" for each in case.workloads):
        return Health.SUSPENDED
    coming = any(item.code == "HLT005" for item in found) or in_flight(case)
    return Health.PROGRESSING if coming else Health.HEALTHY


def _aspects(case: Case, found: Sequence[Finding]) -> Iterable[Aspect]:
    stateless = _is_stateless(case)
    for name, side in _SIDES.items():
        objects = side.objects(case)
        wrong = [item for item in found if CHECKS[item.code].aspect is name]
        gap = _gap(case, name)
        if objects is None or not (gap or wrong or any(True for _ in objects)):
            continue
        if gap is not None:
            yield Aspect(name=name, weight=side.weight, health=Health.UNKNOWN, reason=f"{gap.part}: {gap.reason.value}")
        elif (stateless and name is not _A.EKS) or not (wrong or any(objects)):
            yield Aspect(name=name, weight=side.weight, health=Health.UNKNOWN, reason=side.unread)
        elif name is _A.EKS and not wrong and (under_way := in_flight(case)):
            yield Aspect(name=name, weight=side.weight, health=Health.PROGRESSING, reason=under_way)
        else:
            yield _judged(name, side, wrong)


def _is_stateless(case: Case) -> bool:
    """Whether neither its workloads nor their pods have a state: nothing is known to be healthy in a manifest."""
    return not any(_rollout(case) or ()) and not any(bool(pod.phase) for _, pod in case.pods)


def _gap(case: Case, name: findings.Aspect) -> Gap | None:
    """The parts of an aspect that could not be read."""
    if name is _A.EKS:
        return case.view.gap("eks", *_parts(name))
    if name is _A.CUSTOM_RESOURCES:
        unread = (case.view.gap_of_group(group) for group in case.crd_groups)
        return case.view.gap(*_parts(name)) or next((gap for gap in unread if gap is not None), None)
    return case.view.gap(*_parts(name))


def _judged(name: findings.Aspect, side: _Side, wrong: Sequence[Finding]) -> Aspect:
    worst = max(wrong, key=lambda item: item.severity.rank, default=None)
    if worst is None or worst.severity is Severity.INFO:
        return Aspect(name=name, weight=side.weight, health=Health.HEALTHY)
    health = Health.DEGRADED if worst.severity is Severity.REQUIRED else Health.PROGRESSING
    detail = worst.evidence[0].detail if worst.evidence else ""
    return Aspect(name=name, weight=side.weight, health=health, reason=f"{worst.subject}: {detail}")


def _kept(found: Sequence[Finding], name: findings.Aspect) -> float:
    return 1.0 - max((_LOSS[item.severity] for item in found if CHECKS[item.code].aspect is name), default=0.0)


def overall(addons: Sequence[AddonHealth]) -> tuple[int | None, int]:
    """(score, coverage) of the cluster: the mean, at most twenty points above the worst."""
    scores = [health.score for health in addons if health.score is not None]
    if not scores:
        return None, 0
    coverage = round(sum(health.coverage for health in addons) / len(addons))
    return min(round(sum(scores) / len(scores)), min(scores) + 20), coverage
