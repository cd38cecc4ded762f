"""Faults of an add-on reported by others: events, custom resources, probes, EKS (HLT017, HLT018, HLT020, EKS005).

Called by check_health after the checks of the add-on's own objects: events that repeat those are omitted.
"""

from collections import Counter
from collections.abc import Iterator

from addonctl.findings import finding, makes
from addonctl.health.case import Case, Told, seen, seen_event
from addonctl.health.pod_troubles import MOUNT_FAILURES
from addonctl.model import (
    ADDON_IN_FLIGHT,
    Action,
    AddOnRef,
    DeleteAddon,
    EksAddon,
    EksIssue,
    Event,
    Evidence,
    Finding,
    Health,
    InstallationRef,
    Note,
    ObjectHealth,
    owners,
)
from addonctl.remediation import eks_addon, kubectl, update_addon

_TROUBLED = frozenset({"DEGRADED", "CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"})
_TOO_FEW_PODS = "InsufficientNumberOfReplicas"
# Warning events for faults that no status shows; others (Unhealthy, BackOff) repeat the status of pods.
_TELLING_EVENTS = frozenset(
    {
        "FailedCreate",
        "FailedMount",
        "FailedAttachVolume",
        "FailedCreatePodSandBox",
        "ProvisioningFailed",
        "FailedComputeMetricsReplicas",
        "FailedGetResourceMetric",
        "FailedDeployModel",
        "FailedBuildModel",
        "InsufficientFreeAddresses",
        "InsufficientCidrBlocks",
        "FailedToUpdateEndpoint",
        "NetworkNotReady",
    }
)


# ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────


@makes("HLT017")
def events(case: Case, told: Told) -> Iterator[Finding]:
    """Warnings of the last hour about the add-on's objects that nothing else shows; one finding per reason."""
    together: dict[str, list[Evidence]] = {}
    for event in _telling_events(case, told):
        together.setdefault(event.reason, []).append(seen_event(event))
    for reason, shown in sorted(together.items()):
        subject = InstallationRef(case.row.id, case.row.addon, topic=reason)
        yield finding("HLT017", subject, *sorted(shown, key=lambda item: item.subject))


def _telling_events(case: Case, told: Told) -> Iterator[Event]:
    """Whether the workload is known to be down already: events about its pods then add nothing."""
    loud = {ref: ref for ref in (*case.owned_refs, *case.row.workloads)}
    loud |= {maker: ref for ref in case.row.workloads for maker in case.view.makers.get(ref, ())}
    loud |= {pod.ref: ref for ref, pod in case.pods}
    ready = {pod.ref for _, pod in case.pods if pod.ready}
    for ref, whose in loud.items():
        for event in case.scene.warnings(ref) if whose not in told else ():
            late = ref in ready and event.reason in MOUNT_FAILURES  # it got its volume since
            if event.reason in _TELLING_EVENTS and not late:
                yield event


# ── Custom resources ────────────────────────────────────────────────────────────────────────────────────────────


@makes("HLT018")
def custom_resources(case: Case, told: Told) -> Iterator[Finding]:
    """The add-on's custom resources that are degraded; one finding per kind."""
    degraded: dict[tuple[str, str], list[ObjectHealth]] = {}
    for each in health_of_custom_resources(case):
        if each.health is Health.DEGRADED:
            degraded.setdefault((each.ref.group, each.ref.kind), []).append(each)
    namesakes = Counter(kind for _, kind in degraded)
    for (group, kind), found in degraded.items():
        shown = (seen("custom-resource", each.ref, each.reason) for each in found)
        part = kind if namesakes[kind] == 1 else f"{kind}.{group}"
        fix = (kubectl("describe", found[0].ref),)
        yield finding("HLT018", AddOnRef(case.row.addon, part=part), *shown, fix=fix)


def health_of_custom_resources(case: Case) -> Iterator[ObjectHealth]:
    """The health of all custom resources in the add-on's API groups."""
    for group in dict.fromkeys(case.crd_groups):
        yield from case.scene.health_by_group.get(group, ())


# ── Probes ──────────────────────────────────────────────────────────────────────────────────────────────────────


@makes("HLT020")
def probes(case: Case, told: Told) -> Iterator[Finding]:
    """Probes that failed."""
    for probe in case.probes:
        if probe.health is Health.DEGRADED:
            subject = InstallationRef(case.row.id, case.row.addon, topic=probe.name)
            yield finding("HLT020", subject, Evidence(kind="probe", subject=probe.name, detail=probe.detail))


# ── EKS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@makes("EKS005")
def what_eks_reports(case: Case, told: Told) -> Iterator[Finding]:
    """Problems that EKS reports for an add-on that it manages; it does not roll back a failed update."""
    eks = case.view.snapshot.eks
    listed = eks_addon(case.row, eks.addons) if eks else None
    if listed is None or (listed.status not in _TROUBLED and not listed.issues):
        return
    subject = owners.EksAddon(listed.name)
    shown = [Evidence(kind="eks", subject=str(subject), detail=f"status {listed.status}")]
    shown += [Evidence(kind="eks", subject=issue.code, detail=_issue_in_words(issue)) for issue in listed.issues]
    fix = (Note("EKS rolls nothing back: first fix what the issue names."), _once_more(case, listed))
    yield finding("EKS005", subject, *shown, fix=fix, cause=_its_pods(case, listed, told))


def _issue_in_words(issue: EksIssue) -> str:
    """Its message, with the resources that it is about."""
    about = f"({', '.join(issue.resources)})" if issue.resources else ""
    return " ".join(filter(None, (issue.message, about)))


def _once_more(case: Case, listed: EksAddon) -> Action:
    cluster = case.view.snapshot.cluster.name
    if listed.status == "DELETE_FAILED":
        return DeleteAddon(cluster=cluster, addon=listed.name, why="then:")
    return update_addon(cluster, listed.name, listed.version, listed, why="then:")


def _its_pods(case: Case, listed: EksAddon, told: Told) -> str | None:
    """The finding on its pods, if the only problem that EKS reports is missing pods."""
    if not listed.issues or any(issue.code != _TOO_FEW_PODS for issue in listed.issues):
        return None
    return next((told[ref] for ref in case.row.workloads if ref in told), None)


def in_flight(case: Case) -> str:
    """What EKS is doing to an add-on that it keeps, in words; empty where it is at rest, or EKS was not asked."""
    eks = case.view.snapshot.eks
    listed = eks_addon(case.row, eks.addons) if eks else None
    if listed is None or listed.status not in ADDON_IN_FLIGHT:
        return ""
    begun = next((update for update in listed.updates if update.status == "InProgress"), None)
    version = begun.params.get("AddonVersion", "") if begun else ""
    since = f", since {begun.created:%Y-%m-%d %H:%M} UTC" if begun and begun.created else ""
    return f"{owners.EksAddon(listed.name)}: status {listed.status}{f' to {version}' if version else ''}{since}"


def is_kept_by_eks(case: Case) -> bool:
    """Whether EKS claims to manage the add-on, even if others do as well."""
    return any(isinstance(claim.owner, owners.EksAddon) for claim in case.row.claims)
