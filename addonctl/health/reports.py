"""Faults of an add-on reported by others: events, custom resources, probes, EKS (HLT017, HLT018, HLT020, EKS005).

Called by check_health after the checks of the add-on's own objects: events that repeat those are omitted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from addonctl.catalog import AddOn, ClusterService, KnownIssue
from addonctl.findings import finding, makes
from addonctl.health.case import Case, Scene, Told, seen, seen_event
from addonctl.health.cloud import without_addresses
from addonctl.health.identity import role_missed, without_role
from addonctl.health.known import fitting, remedies
from addonctl.health.known import shown as known_issues
from addonctl.health.pod_troubles import MOUNT_FAILURES
from addonctl.health.symptoms import Symptom, objects_in_short
from addonctl.health.unready import in_one_line
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
    Severity,
    Subject,
    View,
    owners,
)
from addonctl.remediation import eks_addon, install, kubectl, update_addon

_TROUBLED = frozenset({"DEGRADED", "CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"})
_SHOWN = 5  # objects of one symptom
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


def events(case: Case, told: Told) -> Iterator[Finding]:
    """Warnings of the last hour about its objects that nothing else shows, and what is laid to it; one per reason."""
    together: dict[str, list[Event]] = {}
    for event in _telling_events(case, told):
        together.setdefault(event.reason, []).append(event)
    laid: dict[Subject, Symptom] = {
        symptom.subject: symptom for symptom in case.scene.symptoms.of_row.get(case.row.id, ())
    }
    own: dict[Subject, list[Event]] = {
        InstallationRef(case.row.id, case.row.addon, topic=reason): found for reason, found in together.items()
    }
    for subject in sorted({*own, *laid}, key=str):
        symptom = laid.get(subject)
        warned = (*(symptom.events if symptom else ()), *own.get(subject, ()))
        issues = case.known(event.message for event in warned)
        words = [event.message for event in warned]
        cause = _own_trouble(case, symptom, told) or _without_addresses(case, symptom) or role_missed(case, words)
        more = tuple(without_role(case, words))
        yield _warned(subject, warned, symptom, case.addon, issues, more=more, cause=cause)


def symptoms_of_the_absent(scene: Scene, told: Told) -> Iterator[Finding]:
    """What is laid to add-ons that are not installed."""
    for symptom in scene.symptoms.of_row.get("", ()):
        addon = scene.catalog.addons[symptom.subject.addon]
        issues = fitting(addon, None, (event.message for event in symptom.events))
        yield _warned(symptom.subject, symptom.events, symptom, addon, issues, absent=scene.view)


def _own_trouble(case: Case, symptom: Symptom | None, told: Told) -> str | None:
    """The finding on the add-on's own pods or Services, which is why others wait for it."""
    own = (*case.row.workloads, *case.owned("Service", "APIService")) if symptom is not None else ()
    return next((told[ref] for ref in own if ref in told), None)


def _without_addresses(case: Case, symptom: Symptom | None) -> str | None:
    """The finding on what has no address left for pods that wait for one: their subnet, or their nodes."""
    if symptom is None or case.addon is None or ClusterService.POD_NETWORK not in case.addon.provides:
        return None
    pods = {pod.ref: pod.node for pod in case.scene.pending}
    return without_addresses(case.scene, [pods[event.subject] for event in symptom.events if event.subject in pods])


@makes("HLT017")
def _warned(
    subject: Subject,
    seen_here: Sequence[Event],
    symptom: Symptom | None,
    addon: AddOn | None,
    issues: Sequence[KnownIssue],
    absent: View | None = None,
    more: Sequence[Evidence] = (),
    cause: str | None = None,
) -> Finding:
    """`absent`: the add-on is not installed in this cluster."""
    listed = sorted(seen_here, key=lambda event: str(event.subject))
    shown = [*_in_short(symptom, listed)] if symptom is not None else [*map(seen_event, listed)]
    look = () if symptom is None else (kubectl("describe", listed[0].subject),)
    add = (
        (install(addon.name, addon.install.eks.name if addon.install.eks else "", absent),) if absent and addon else ()
    )
    return finding(
        "HLT017",
        subject,
        *shown,
        *more,
        *known_issues(addon, issues),
        fix=(*add, *remedies(issues), *look),
        severity=Severity.REQUIRED if symptom is not None and symptom.severe else None,
        cause=cause,
    )


def _in_short(symptom: Symptom, listed: Sequence[Event]) -> Iterator[Evidence]:
    """How many objects are warned about, since when, in which words; then some of them by name."""
    newest = max(symptom.events, key=lambda event: (event.last_seen is not None, event.last_seen, str(event.ref)))
    begun = min((event.first_seen for event in symptom.events if event.first_seen), default=None)
    since = f" since {begun:%Y-%m-%d %H:%M} UTC" if begun else ""
    subjects = list(dict.fromkeys(event.subject for event in listed))
    several = f" on {objects_in_short(subjects)}" if len(subjects) > 1 else ""
    count = sum(event.count for event in listed)
    detail = in_one_line(f"{newest.reason} ×{count}{several}{since}: {newest.message}")
    ref = None if several else subjects[0]
    yield Evidence(kind="symptom", subject=objects_in_short(subjects), detail=detail, ref=ref)
    for subject in subjects[:_SHOWN] if len(subjects) > 1 else ():
        yield seen("event", subject, newest.reason)


def _telling_events(case: Case, told: Told) -> Iterator[Event]:
    """Whether the workload is known to be down already: events about its pods then add nothing."""
    loud = {ref: ref for ref in (*case.owned_refs, *case.row.workloads)}
    loud |= {maker: ref for ref in case.row.workloads for maker in case.view.makers.get(ref, ())}
    loud |= {pod.ref: ref for ref, pod in case.pods}
    ready = {pod.ref for _, pod in case.pods if pod.ready}
    laid = case.scene.symptoms.of_event
    for ref, whose in loud.items():
        for event in case.scene.warnings(ref) if whose not in told else ():
            late = ref in ready and event.reason in MOUNT_FAILURES  # it got its volume since
            if event.reason in _TELLING_EVENTS and not late and event.ref not in laid:
                yield event


# ── Custom resources ────────────────────────────────────────────────────────────────────────────────────────────


@makes("HLT018")
def custom_resources(case: Case, told: Told) -> Iterator[Finding]:
    """The add-on's custom resources that are degraded; one finding per kind."""
    degraded: dict[tuple[str, str], list[ObjectHealth]] = {}
    for each in health_of_custom_resources(case):
        if each.health is Health.DEGRADED and each.ref not in case.scene.told_of_installers:
            degraded.setdefault((each.ref.group, each.ref.kind), []).append(each)
    namesakes = Counter(kind for _, kind in degraded)
    for (group, kind), found in degraded.items():
        shown = [seen("custom-resource", each.ref, each.reason) for each in found]
        part = kind if namesakes[kind] == 1 else f"{kind}.{group}"
        issues = case.known(each.reason for each in found)
        leans = case.addon.leans_on.get(kind, ()) if case.addon else ()
        below = next((each for each in leans if namesakes[each] == 1), None)
        yield finding(
            "HLT018",
            AddOnRef(case.row.addon, part=part),
            *shown,
            *known_issues(case.addon, issues),
            fix=(*remedies(issues), kubectl("describe", found[0].ref)),
            cause=f"HLT018 {AddOnRef(case.row.addon, part=below)}" if below else None,
        )


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
    shown += [Evidence(kind="eks", subject=issue.code, detail=_issue_in_words(issue)) for issue in _all_said(listed)]
    cause = _its_pods(case, listed, told)
    yield finding("EKS005", subject, *shown, fix=_after(case, listed, cause), cause=cause)


# What helps by the code of an issue or of an error of an update. Source: EKS API reference, AddonIssue and ErrorDetail.
_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "AccessDenied": "Give EKS its rights in the cluster back: ClusterRoleBinding eks:addon-cluster-admin.",
        "AddonPermissionFailure": "Give the add-on's role the permissions that the issue names.",
        "AddonSubscriptionNeeded": "Subscribe to the add-on in AWS Marketplace.",
        "AdmissionRequestDenied": "A webhook or policy denies what EKS applies: exempt the add-on's objects from it.",
        "ClusterUnreachable": "EKS does not reach the API server: see the cluster's own health.",
        "ConfigurationConflict": "Somebody else set these fields: put them into the add-on's configuration, or update "
        "it with --resolve-conflicts OVERWRITE.",
        "K8sResourceNotFound": "An object that the add-on needs was deleted: apply it again.",
        "UnsupportedAddonModification": "Undo the change of its objects that EKS does not support.",
    }
)


def _after(case: Case, listed: EksAddon, cause: str | None) -> tuple[Action, ...]:
    """What fits the issues: pods that are missing are not mended by the version that is installed."""
    codes = {issue.code for issue in listed.issues}
    if codes == {_TOO_FEW_PODS} and listed.status != "DELETE_FAILED":
        place = listed.namespace or next(iter(case.row.namespaces), "kube-system")
        why = "see the finding on its pods; EKS reports it healthy once they are:" if cause else "its pods say why:"
        return (kubectl("get", "pods", "-n", place, why=why),)
    notes = [Note(_REMEDIES[code]) for code in sorted(codes) if code in _REMEDIES]
    first = notes or [Note("EKS rolls nothing back: first fix what the issue names.")]
    return (*first, _once_more(case, listed))


def _all_said(listed: EksAddon) -> list[EksIssue]:
    """Its issues, and the errors of its newest update if that failed and says more."""
    failed = (update for update in listed.updates[:1] if update.status == "Failed")
    known = {(issue.code, issue.message) for issue in listed.issues}
    errors = (error for update in failed for error in update.errors if (error.code, error.message) not in known)
    return [*listed.issues, *errors]


def _issue_in_words(issue: EksIssue) -> str:
    """Its message, with the resources that it is about."""
    about = f"({', '.join(issue.resources)})" if issue.resources else ""
    return " ".join(filter(None, (issue.message, about)))


def _once_more(case: Case, listed: EksAddon) -> Action:
    cluster = case.view.snapshot.cluster.eks_name
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
