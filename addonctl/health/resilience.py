"""What an add-on would not survive or could not replace: budgets, replicas, leaders, quotas (HLT013-016, 019, 022).

Decided from specs and counts, not from faults that already show. Called by check_health.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from addonctl import units
from addonctl.errors import BadInput
from addonctl.findings import finding, makes
from addonctl.health.case import Case, Scene, Told, labels_in_words, seen, span_in_words
from addonctl.model import DisruptionBudget, Finding, Lease, ObjectRef, ResourceQuota, Severity
from addonctl.remediation import change, kubectl

# A leader renews several times within its lease duration; after three durations it no longer leads.
_LEASES_MISSED = 3
_LEASE_GRACE = timedelta(seconds=30)
# A lease whose holder is not an existing pod, and that nothing took over for this long, is left from an older version.
_LEASE_LEFT_BEHIND = timedelta(days=1)
# The resources of a quota that creating a pod uses.
_POD_QUOTAS = re.compile(r"(count/)?pods|((requests|limits)\.)?(cpu|memory|ephemeral-storage)")
REPLICATED = ("Deployment", "StatefulSet")


# ── Disruption budgets ──────────────────────────────────────────────────────────────────────────────────────────


def budgets_of(case: Case) -> Mapping[ObjectRef, DisruptionBudget]:
    """The PodDisruptionBudgets that select pods of an installation."""
    return {budget.ref: budget for workload in case.workloads for budget in case.view.budgets_of.get(workload.ref, ())}


@makes("HLT013")
def tight_budgets(case: Case, told: Told) -> Iterator[Finding]:
    """Budgets that never allow an eviction. That one allows none while a pod is not ready is as intended."""
    for budget in budgets_of(case).values():
        if budget.disruptions_allowed == 0 and budget.pods and (budget.healthy or 0) >= budget.pods:
            minimum, maximum = budget.min_available, budget.max_unavailable
            rule = f"minAvailable {minimum}" if minimum else f"maxUnavailable {maximum}"
            detail = f"{rule} with {budget.pods} pods: no pod may be evicted"
            yield finding("HLT013", budget.ref, seen("budget", budget, detail))


@makes("HLT022")
def idle_budgets(scene: Scene, told: Told) -> Iterator[Finding]:
    """Budgets in the add-ons' namespaces that match no pod, unless their workload is scaled to zero."""
    namespaces = {ref.namespace for ref in scene.owners}
    for budget in scene.view.snapshot.disruption_budgets:
        if budget.namespace not in namespaces or budget.pods != 0 or budget.disruptions_allowed is None:
            continue
        if not any(workload.desired == 0 for workload in scene.view.guarded.get(budget.ref, ())):
            yield _idle_budget(scene, budget)


def _idle_budget(scene: Scene, budget: DisruptionBudget) -> Finding:
    """Worth fixing if a workload of its name is unprotected; otherwise it is left over."""
    wanted = labels_in_words(budget.selector or {})
    shown = seen("budget", budget, f"no pod matches {wanted or 'its selector'}")
    refs = (ObjectRef.of(kind, budget.name, budget.namespace) for kind in (*REPLICATED, "DaemonSet"))
    meant = next((scene.view.workloads[ref] for ref in refs if ref in scene.view.workloads), None)
    if meant is None:
        return finding("HLT022", budget.ref, shown)
    said = f"the pods of {meant.ref} have the labels {labels_in_words(meant.template.labels)}: fix the selector"
    owner = scene.owner(budget.ref) or scene.owner(meant.ref)
    fix = change(owner, kubectl("edit", budget.ref, why=said), f"{said} of {budget.ref}")
    return finding("HLT022", budget.ref, shown, fix=fix, severity=Severity.RECOMMENDED)


# ── Replicas ────────────────────────────────────────────────────────────────────────────────────────────────────


@makes("HLT014")
def single_replicas(case: Case, told: Told) -> Iterator[Finding]:
    """Add-ons that serve the whole cluster from a single pod."""
    for workload in case.workloads:
        if workload.kind in REPLICATED and workload.desired == 1 and _answers(case, workload.ref):
            yield finding("HLT014", workload.ref, seen("workload", workload, "replicas: 1"))


def _answers(case: Case, ref: ObjectRef) -> bool:
    """Whether requests of the cluster depend on it."""
    called = case.view.called_by_server
    return case.is_system or any(service.ref in called for service in case.view.services_of.get(ref, ()))


@makes("HLT015")
def unspread_replicas(case: Case, told: Told) -> Iterator[Finding]:
    """Add-ons that every cluster needs whose replicas may all run on one node."""
    for workload in case.workloads if case.is_system else ():
        several = workload.kind in REPLICATED and (workload.desired or 0) > 1
        if several and not (workload.template.has_pod_anti_affinity or workload.template.has_topology_spread):
            detail = f"{workload.desired} replicas without anti-affinity or topologySpreadConstraints"
            yield finding("HLT015", workload.ref, seen("workload", workload, detail))


# ── Leaders ─────────────────────────────────────────────────────────────────────────────────────────────────────


def leases_of(case: Case) -> Iterator[tuple[Lease, ObjectRef]]:
    """The leases held by pods of an installation, each with the workload whose name best matches its holder."""
    led: dict[ObjectRef, tuple[Lease, list[ObjectRef]]] = {}
    for workload in case.workloads:
        for lease in case.view.leases_by_holder.get(workload.name, ()) if workload.desired != 0 else ():
            near = lease.namespace in (workload.namespace, "kube-system")
            if near or _is_held(case, lease):
                led.setdefault(lease.ref, (lease, []))[1].append(workload.ref)
    for lease, fits in led.values():
        yield lease, max(fits, key=lambda ref: len(ref.name))


def _is_held(case: Case, lease: Lease) -> bool:
    """Whether its holder is an existing pod, whatever suffix follows the pod's name."""
    return any(lease.holder[:length] in case.pod_names for length in range(1, len(lease.holder) + 1))


@makes("HLT016")
def stale_leases(case: Case, told: Told) -> Iterator[Finding]:
    """Leaders of the add-on that stopped renewing."""
    for lease, leader in leases_of(case):
        if lease.renewed is None or not lease.duration_s:
            continue
        late = case.now - lease.renewed
        if late > _LEASE_LEFT_BEHIND and not _is_held(case, lease):
            continue
        if late > timedelta(seconds=_LEASES_MISSED * lease.duration_s) + _LEASE_GRACE:
            detail = f"{lease.holder} renewed it last {span_in_words(late)} ago (lease of {lease.duration_s} s)"
            fix = (
                kubectl("get", "pods", "-n", leader.namespace),
                kubectl("rollout", "restart", leader, why="if its leader is stuck:"),
            )
            yield finding("HLT016", lease.ref, seen("lease", lease, detail), fix=fix)


# ── Quotas ──────────────────────────────────────────────────────────────────────────────────────────────────────


@makes("HLT019")
def exhausted_quotas(case: Case, told: Told) -> Iterator[Finding]:
    """Exhausted quotas in the add-on's namespaces: its pods cannot be replaced."""
    for namespace in sorted({ref.namespace for ref in case.row.workloads}):
        for quota in case.view.quotas.get(namespace, ()):
            shown = [seen("quota", quota, detail) for detail in _used_up(quota)]
            if shown:
                yield finding("HLT019", quota.ref, *shown)


def _used_up(quota: ResourceQuota) -> Sequence[str]:
    return [
        f"{resource}: {quota.used[resource]} of {hard} used"
        for resource, hard in quota.hard.items()
        if resource in quota.used and _POD_QUOTAS.fullmatch(resource) and _is_full(quota.used[resource], hard)
    ]


def _is_full(used: str, hard: str) -> bool:
    try:
        return units.quantity(used) >= units.quantity(hard) > 0
    except BadInput:
        return False
