"""How things are before a plan starts: another change under way, what is unhealthy, a cluster not at rest (PRE001,
PRE006, PRE007, PRE021), what needs it (PRE025), and whether this is a time for changes (PRE024).
"""

from collections.abc import Iterator, Sequence

from addonctl.assessment import Assessment
from addonctl.findings import CHECKS, Aspect, finding, makes
from addonctl.model import ADDON_IN_FLIGHT, ClusterRef, Evidence, Finding, InstallationRef, Severity, Strength
from addonctl.model.plan import Rollout
from addonctl.preflight.case import Case, told

_PENDING = "pending-"  # of Helm's states; and:
_UNINSTALLING = "uninstalling"
# Of another capability than health, yet in the way of any update. A version that does not fit is what updates are for.
_HANGS = "INV007"
_ALSO = frozenset({"CMP003", "CMP004", _HANGS})


@makes("PRE001")
def busy(case: Case) -> Iterator[Finding]:
    """EKS, or Helm, is changing it. A release that hangs for long is none: it is unhealthy, and can be got out of."""
    eks, release = case.eks, case.release
    shown = []
    if eks is not None and eks.status in ADDON_IN_FLIGHT:
        shown.append(Evidence(kind="eks", subject=eks.name, detail=f"EKS says {eks.status}"))
    for update in eks.updates if eks is not None and not shown else ():
        if update.status == "InProgress":
            shown.append(Evidence(kind="eks", subject=eks.name if eks else "", detail=f"update {update.id} goes on"))
    hangs = any(each.code == _HANGS for each in case.assessment.concerning(case.row.id))
    pending = release is not None and (release.status.startswith(_PENDING) or release.status == _UNINSTALLING)
    if release is not None and pending and not hangs:
        detail = f"revision {release.revision} is {release.status}"
        shown.append(Evidence(kind="helm", subject=f"{release.namespace}/{release.name}", detail=detail))
    if shown:
        yield finding("PRE001", case.subject, *shown)


@makes("PRE024")
def closed(cluster: str, why: str) -> Iterator[Finding]:
    """The settings allow no change at this time."""
    if why:
        yield finding("PRE024", ClusterRef(cluster), Evidence(kind="settings", subject=cluster, detail=why))


@makes("PRE006")
def unhealthy(case: Case) -> Iterator[Finding]:
    """REQUIRED findings on it, but for those about versions, which an update may well be meant to resolve."""
    in_the_way = [each for each in case.required(case.row.id) if _is_of_health(each)]
    shown = [told(each, CHECKS[each.code].title) for each in in_the_way]
    eks = case.eks
    if eks is not None and eks.status not in ("ACTIVE", "", *ADDON_IN_FLIGHT) and not shown:
        shown.append(Evidence(kind="eks", subject=eks.name, detail=f"EKS says {eks.status}"))
    if shown:
        yield finding("PRE006", case.subject, *shown)


def _is_of_health(found: Finding) -> bool:
    aspect = CHECKS[found.code].aspect
    return found.code in _ALSO or (aspect is not None and aspect is not Aspect.NODES)


@makes("PRE021")
def needs(case: Case) -> Iterator[Finding]:
    """What it cannot run without, and that is unhealthy."""
    for dependency in case.assessment.dependencies.addons:
        if dependency.source != case.row.id or dependency.strength is not Strength.HARD:
            continue
        broken = [each for each in case.required(dependency.target) if _is_of_health(each)]
        if broken:
            subject = InstallationRef(case.row.id, case.row.addon, topic=f"needs {dependency.target}")
            yield finding("PRE021", subject, *(told(each, CHECKS[each.code].title) for each in broken))


@makes("PRE025")
def needed(case: Case) -> Iterator[Finding]:
    """What cannot run without what is to be deleted."""
    found = case.assessment.dependencies.addons if case.step.removes else ()
    shown = [
        Evidence(kind="add-on", subject=each.source, detail=f"needs {each.target}")
        for each in found
        if each.target == case.row.id and each.strength is Strength.HARD
    ]
    if shown:
        yield finding("PRE025", case.subject, *shown)


@makes("PRE007")
def cluster(cases: Sequence[Case], assessment: Assessment) -> Iterator[Finding]:
    """Nodes that are not ready, and a control plane that is being changed."""
    down = [each for each in assessment.findings if each.code == "HLT021"]
    shown = [told(each, CHECKS[each.code].title) for each in down]
    eks = assessment.snapshot.eks
    if eks is not None and eks.cluster.status not in ("ACTIVE", ""):
        shown.append(Evidence(kind="eks", subject=eks.cluster.name, detail=f"EKS says {eks.cluster.status}"))
    by_node = any(each.rollout is Rollout.NODE_BY_NODE for case in cases for each, _ in case.targets)
    if shown:
        severity = Severity.REQUIRED if down and by_node else None
        yield finding("PRE007", ClusterRef(assessment.cluster.name), *shown, severity=severity)
