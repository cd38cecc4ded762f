"""The health of each add-on: what is wrong with it now, and a score with its coverage.

Decided from a View, its Inventory, the owners of objects (dependencies), the health of custom resources
(object_health.py) and probe results. A part that was not read lowers the coverage and never raises the score.
Called by assessment.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from addonctl.catalog import Catalog, ClusterService
from addonctl.findings import CHECKS
from addonctl.health import (
    absent,
    attachments,
    cloud,
    defaults,
    degraded,
    deletions,
    identity,
    pods,
    reports,
    resilience,
    rollout,
    serving,
)
from addonctl.health.case import Case, Check, Scene, Told
from addonctl.health.nodes import check_nodes, without_network
from addonctl.health.object_health import judge, judge_others
from addonctl.health.scores import COVERAGE_MIN, AddonHealth, Aspect, addon_health, not_seen, overall
from addonctl.model import (
    Finding,
    InstallationRef,
    Inventory,
    MissingRef,
    NodesRef,
    ObjectHealth,
    ObjectRef,
    ProbeAnswer,
    Severity,
    Subject,
    View,
)

__all__ = [
    "COVERAGE_MIN",
    "AddonHealth",
    "Aspect",
    "ClusterHealth",
    "check_health",
    "judge",
    "judge_others",
    "not_seen",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterHealth:
    """The health of all add-ons of a cluster; the worst of them caps the score."""

    addons: tuple[AddonHealth, ...]
    findings: tuple[Finding, ...]
    score: int | None
    coverage: int


@dataclass(frozen=True, slots=True)
class _Stage:
    """The checks of each installation, and those of objects that belong to none."""

    of_each: tuple[Check, ...]
    of_the_rest: tuple[Callable[[Scene, Told], Iterable[Finding]], ...] = ()


# Causes first: pods, then what they serve, then what calls that. Each stage is given what the ones before found down.
_STAGES = (
    _Stage(
        (
            pods.not_pulled,
            pods.crashing,
            pods.not_created,
            pods.without_volume,
            pods.unschedulable,
            rollout.scaled_to_zero,
            rollout.short_of_pods,
        )
    ),
    _Stage((serving.services, serving.certificates), (serving.orphan_services,)),
    _Stage(
        (
            serving.called_by_the_server,
            serving.crds,
            rollout.failed_jobs,
            pods.restarting,
            absent.agents,
            resilience.tight_budgets,
            resilience.single_replicas,
            resilience.unspread_replicas,
            resilience.stale_leases,
            resilience.exhausted_quotas,
            reports.events,
            reports.custom_resources,
            reports.probes,
            reports.what_eks_reports,
            identity.roles,
        ),
        (
            serving.nobodys,
            absent.waited_for,
            attachments.attachments,
            defaults.two_defaults,
            resilience.idle_budgets,
            reports.symptoms_of_the_absent,
        ),
    ),
    _Stage(
        (degraded.degraded_objects,),
        (deletions.hanging, cloud.what_aws_reports, cloud.failed_updates, cloud.used_up_subnets, cloud.crowded_nodes),
    ),
)
# Findings that say that their subject is down, or (HLT013) that it may never be.
_DOWN = frozenset(
    {"HLT013", "HLT001", "HLT002", "HLT003", "HLT004", "HLT005", "HLT006", "HLT008", "HLT010", "HLT021", "HLT025"}
)


def check_health(
    view: View,
    inventory: Inventory,
    catalog: Catalog,
    owners: Mapping[ObjectRef, str],
    object_health: Iterable[ObjectHealth] = (),
    probes: Sequence[ProbeAnswer] = (),
    missing: Sequence[Finding] = (),
) -> ClusterHealth:
    """The health of every installation at the time the snapshot was taken.

    `owners`: object → the id of the installation that it belongs to. `object_health`: that of custom resources.
    `missing`: findings on missing objects, which the scores count; they are not returned again.
    """
    scene = Scene(view, catalog, inventory, owners, tuple(object_health), tuple(probes))
    cases = [Case(scene, row, catalog.addons.get(row.addon)) for row in inventory.installations]
    own: list[list[Finding]] = [[] for _ in cases]
    rest = list(check_nodes(view))
    told = dict(_down(rest))
    for stage in _STAGES:
        made = [[item for check in stage.of_each for item in check(case, told)] for case in cases]
        beside = [item for check in stage.of_the_rest for item in check(scene, told)]
        for mine, items in zip(own, made, strict=True):
            mine.extend(items)
        rest += beside
        if stage is _STAGES[0]:
            rest = list(without_network(rest, view, _network_down(cases, made)))
        told = dict(_down([*(item for items in made for item in items), *beside])) | told
    said = _said_elsewhere(scene, missing)
    addons = tuple(
        addon_health(case, [*mine, *said.get(case.row.id, ())]) for case, mine in zip(cases, own, strict=True)
    )
    score, coverage = overall(addons)
    found = (*(item for mine in own for item in mine), *rest)
    return ClusterHealth(addons=addons, findings=found, score=score, coverage=coverage)


def _network_down(cases: Sequence[Case], made: Sequence[Sequence[Finding]]) -> str | None:
    """The first finding on the pods of the add-on that gives pods their network."""
    for case, found in zip(cases, made, strict=True):
        if found and case.addon is not None and ClusterService.POD_NETWORK in case.addon.provides:
            return found[0].id
    return None


def _down(found: Sequence[Finding]) -> Iterator[tuple[ObjectRef, str]]:
    """What is down → the id of the finding that says so; of several on one object, the first."""
    for item in reversed(found):
        if item.code in _DOWN or (item.code == "HLT012" and item.severity is Severity.REQUIRED):
            match item.subject:
                case ObjectRef() as ref:
                    yield ref, item.id
                case NodesRef(names=names):
                    yield from ((ObjectRef.of("Node", name), item.id) for name in names)


def _said_elsewhere(scene: Scene, missing: Sequence[Finding]) -> Mapping[str, Sequence[Finding]]:
    """Findings of other capabilities that concern health (a webhook whose Service is missing), by installation."""
    found: dict[str, list[Finding]] = {}
    for item in (*scene.inventory.findings, *missing):
        if CHECKS[item.code].aspect is not None:
            found.setdefault(_whose(scene, item.subject), []).append(item)
    return found


def _whose(scene: Scene, subject: Subject) -> str:
    """The id of the installation that a finding is about; empty if it is about none."""
    match subject:
        case ObjectRef():
            return scene.owners.get(subject, "")
        case MissingRef(source=source):
            return _whose(scene, source)
        case InstallationRef(id=row_id):
            return row_id
    return ""
