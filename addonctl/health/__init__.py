"""How well each add-on is: what is wrong with it now, and a score that says how much of it was looked at.

Decided from a Snapshot, its Inventory, the owners of objects (dependencies.py), verdicts on objects (verdicts.py) and
what probes answered. A part that was not read lowers the coverage, never raises the score. Called by assessment.py.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from shlex import quote

from addonctl import units
from addonctl.catalog import AddOn, Catalog
from addonctl.errors import BadInput
from addonctl.findings import finding
from addonctl.health.nodes import check_nodes
from addonctl.health.scores import AddonHealth, Sight, addon_health, overall
from addonctl.model import (
    ApiService,
    DisruptionBudget,
    Event,
    Evidence,
    Finding,
    Health,
    Installation,
    Inventory,
    ObjectHealth,
    ObjectRef,
    Pod,
    ProbeAnswer,
    Service,
    ServiceTarget,
    Severity,
    Snapshot,
    WebhookConfiguration,
    Workload,
    selects,
)
from addonctl.remediation import command, eks_addon, kubectl, undo, update_addon_command
from addonctl.workloads import pods_by_workload

# A container that restarted this often and last within the hour does more restarting than serving.
_RESTARTS_MAX, _RESTARTED_WITHIN = 3, timedelta(hours=1)
_OOM_WITHIN = timedelta(days=1)
# Shorter than this, a pod may well be waiting for its image or its node; longer where nodes are made for it.
_PENDING_GRACE, _PENDING_GRACE_SCALED = timedelta(seconds=30), timedelta(minutes=3)
_NODE_SCALERS = frozenset({"karpenter", "cluster-autoscaler"})
# A new pod that is not ready after this long holds its rollout up.
_ROLLOUT_GRACE = timedelta(minutes=2)
_EVENT_WITHIN = timedelta(hours=1)
# Certificates: most are renewed a month ahead; some controllers renew their own a day or a week before they end, so
# that nothing is required before it has ended.
_EXPIRES_SOON, _EXPIRES_NOW = timedelta(days=30), timedelta(days=7)
# A leader renews several times within its lease; after three of them nobody leads.
_LEASES_MISSED = 3
# A lease whose holder is no pod any more and which nobody took for this long was left behind by an older version.
_LEASE_LEFT_BEHIND = timedelta(days=1)
# What a pod takes of a quota; of others, an add-on's pods do not run short.
_POD_QUOTAS = re.compile(r"(count/)?pods|((requests|limits)\.)?(cpu|memory|ephemeral-storage)")
_PULL_ERRORS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_TROUBLED = ("DEGRADED", "CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED")
_CONFIG_ERRORS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
# Warning events that name a fault which no status shows; others (Unhealthy, BackOff) repeat what pods say.
_TELLING_EVENTS = frozenset({
    "FailedCreate", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "ProvisioningFailed",
    "FailedComputeMetricsReplicas", "FailedGetResourceMetric", "FailedDeployModel", "FailedBuildModel",
    "InsufficientFreeAddresses", "InsufficientCidrBlocks", "FailedToUpdateEndpoint", "NetworkNotReady",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterHealth:
    """Of the cluster's add-ons together: the score is weighed down by the worst of them."""

    addons: tuple[AddonHealth, ...]
    findings: tuple[Finding, ...]
    score: int | None
    coverage: int


def check_health(
    snapshot: Snapshot,
    inventory: Inventory,
    catalog: Catalog,
    owners: Mapping[ObjectRef, str],
    verdicts: Iterable[ObjectHealth] = (),
    probes: Sequence[ProbeAnswer] = (),
) -> ClusterHealth:
    """Judges every installation as of the time at which the snapshot was taken. `verdicts`: on custom resources."""
    world = _World(snapshot, inventory, owners, verdicts, probes)
    addons, found = [], [*check_nodes(snapshot)]
    for row in inventory.installations:
        case = _Case(world, row, catalog.addons.get(row.addon))
        own = [item for check in CHECKS for item in check(case)]
        found += own
        addons.append(addon_health(_sight(case), own))
    found += [*_orphan_services(world, catalog), *_nobodys(world), *_idle_budgets(world)]
    score, coverage = overall(addons)
    return ClusterHealth(addons=tuple(addons), findings=tuple(found), score=score, coverage=coverage)


class _World:
    """A snapshot with the indexes that judging takes."""

    def __init__(
        self, snapshot: Snapshot, inventory: Inventory, owners: Mapping[ObjectRef, str],
        verdicts: Iterable[ObjectHealth], probes: Sequence[ProbeAnswer],
    ) -> None:  # fmt: skip
        self.snapshot, self.now, self.probes = snapshot, snapshot.taken, probes
        self.workloads = {workload.ref: workload for workload in snapshot.workloads}
        self.pods = pods_by_workload(snapshot, [ref for row in inventory.installations for ref in row.workloads])
        self.services = {(service.namespace, service.name): service for service in snapshot.services}
        self.owned: dict[str, list[ObjectRef]] = {}
        for ref, row_id in owners.items():
            self.owned.setdefault(row_id, []).append(ref)
        self.owners = owners
        self.verdicts = {(v.kind, v.namespace, v.name): v for v in verdicts}
        self.warnings: dict[tuple[str, str, str], list[Event]] = {}
        for event in snapshot.events:
            recent = event.last_seen is None or self.now - event.last_seen < _EVENT_WITHIN
            if recent:
                subject = event.subject
                self.warnings.setdefault((subject.kind, subject.namespace, subject.name), []).append(event)
        self.refusals = dict(self._refusals())
        scaled = any(row.addon in _NODE_SCALERS for row in inventory.installations)
        self.pending_grace = _PENDING_GRACE_SCALED if scaled else _PENDING_GRACE
        self.ready_endpoints: dict[tuple[str, str], int] = {}
        self.ready_ports: dict[tuple[str, str], set[str]] = {}  # names of the ports that pods answer at
        for piece in snapshot.endpoint_slices:
            key = (piece.namespace, piece.service)
            self.ready_endpoints[key] = self.ready_endpoints.get(key, 0) + piece.ready
            if piece.ready:
                self.ready_ports.setdefault(key, set()).update(port.partition(":")[0] for port in piece.ports)

    def _refusals(self) -> Iterator[tuple[ObjectRef, list[Event]]]:
        """Events that say why no pod of a workload is made, told of it or of its ReplicaSets."""
        makers = {(ref.kind, ref.namespace, ref.name): ref for ref in self.workloads}
        for revision in self.snapshot.revisions:
            if revision.owners:
                owner = makers.get((revision.owners[0].kind, revision.namespace, revision.owners[0].name))
                if owner is not None:
                    makers[revision.kind, revision.namespace, revision.name] = owner
        found: dict[ObjectRef, list[Event]] = {}
        for key, events in self.warnings.items():
            refused = [event for event in events if event.reason == "FailedCreate"]
            if key in makers and refused:
                found.setdefault(makers[key], []).extend(refused)
        yield from found.items()

    def seen(self, *parts: str) -> bool:
        """Whether all these parts were read."""
        return all(self.snapshot.gap(part) is None for part in parts)

    def endpoints(self, namespace: str, name: str) -> int | None:
        """Ready endpoints of a Service; None where they were not read."""
        elsewhere = self.snapshot.cluster.namespace not in ("", namespace)
        unseen = elsewhere or not self.seen("endpoint_slices", "services")
        return None if unseen else self.ready_endpoints.get((namespace, name), 0)

    def dead_end(self, target: ServiceTarget) -> str:
        """Why calls to a port of a Service reach nobody, in words; empty where they do, or nobody knows."""
        key = (target.namespace, target.name)
        service = self.services.get(key)
        if service is None or self.endpoints(*key) is None:
            return ""
        if self.endpoints(*key) == 0:
            return "has no ready pod"
        ports = {port.partition("/")[0].rpartition(":")[2]: port.partition(":")[0] for port in service.ports}
        if ports and str(target.port) not in ports:
            return f"has no port {target.port}"
        answered = not ports or ports[str(target.port)] in self.ready_ports.get(key, set())
        return "" if answered or not service.selector else f"has a port {target.port} that leads to no port of its pods"


class _Case:
    """One installation under judgement."""

    def __init__(self, world: _World, row: Installation, addon: AddOn | None) -> None:
        self.world, self.row, self.addon = world, row, addon
        self.workloads = [world.workloads[ref] for ref in row.workloads if ref in world.workloads]
        self.matters = bool(addon and addon.system)

    @cached_property
    def pods(self) -> list[tuple[ObjectRef, Pod]]:
        return [(ref, pod) for ref in self.row.workloads for pod in self.world.pods.get(ref, ())]

    def owned(self, *kinds: str) -> list[ObjectRef]:
        return [ref for ref in self.world.owned.get(self.row.id, ()) if ref.kind in kinds]


def _sight(case: _Case) -> Sight:
    return Sight(
        row=case.row, workloads=tuple(case.workloads), saw_pods=bool(case.pods), snapshot=case.world.snapshot,
        probed=any(p.addon == case.row.addon and p.verdict is not Health.UNKNOWN for p in case.world.probes),
    )  # fmt: skip


def _seen(kind: str, subject: object, detail: str) -> Evidence:
    return Evidence(kind=kind, subject=str(subject), detail=detail)


# ── Workloads and pods ──────────────────────────────────────────────────────────────────────────────────────────


def _crashing(case: _Case) -> Iterator[Finding]:
    for ref, pods in _by_workload(case):
        shown = []
        for pod in pods:
            for container in pod.containers:
                if container.waiting == "CrashLoopBackOff" or (container.exit_code or 0) != 0 < container.restarts:
                    last = f", last exit {container.last_exit}" if container.last_exit else ""
                    detail = f"container {container.name} crashed, {container.restarts} restarts{last}"
                    shown.append(_seen("pod", f"{pod.namespace}/{pod.name}", detail))
        if shown:
            fix = kubectl("logs", _pod_of(shown[0]), "--all-containers", "--previous")
            if any("OOMKilled" in item.detail for item in shown):
                fix = f"# it ran out of memory: raise its memory limit\n{fix}"
            yield finding("HLT001", str(ref), *shown, fix=fix + undo(case.row, ref))


def _pod_of(evidence: Evidence) -> ObjectRef:
    namespace, _, name = evidence.subject.partition("/")
    return ObjectRef(kind="Pod", name=name, namespace=namespace)


def _by_workload(case: _Case) -> Iterator[tuple[ObjectRef, list[Pod]]]:
    for ref in case.row.workloads:
        # Evicted pods, and those of a node that was shut down, stay as a record; others are on their way out.
        pods = [
            pod for pod in case.world.pods.get(ref, ()) if not pod.deleting and pod.phase not in ("Failed", "Succeeded")
        ]
        if pods and ref.kind not in ("Job", "CronJob"):
            yield ref, pods


def _waiting(case: _Case, reasons: tuple[str, ...]) -> Iterator[tuple[ObjectRef, list[Evidence]]]:
    for ref, pods in _by_workload(case):
        shown = [
            _seen(
                "pod",
                f"{pod.namespace}/{pod.name}",
                f"{container.waiting}: {container.waits_for or container.image or container.name}",
            )
            for pod in pods
            for container in pod.containers
            if container.waiting in reasons
        ]
        if shown:
            yield ref, shown


def _not_pulled(case: _Case) -> Iterator[Finding]:
    for ref, shown in _waiting(case, _PULL_ERRORS):
        fix = kubectl("describe", _pod_of(shown[0])) + undo(case.row, ref)
        yield finding("HLT002", str(ref), *shown, fix=fix)


def _not_created(case: _Case) -> Iterator[Finding]:
    refused = dict(_waiting(case, _CONFIG_ERRORS))
    for ref, pods in _by_workload(case):
        unmounted = [
            _seen("event", f"{pod.namespace}/{pod.name}", f"{event.reason}: {event.message}")
            for pod in pods
            if pod.phase == "Pending"
            for event in case.world.warnings.get(("Pod", pod.namespace, pod.name), ())
            if event.reason in ("FailedMount", "FailedAttachVolume")
        ]
        if unmounted:
            refused[ref] = [*refused.get(ref, ()), *unmounted]
    for ref, shown in refused.items():
        fix = kubectl("describe", _pod_of(shown[0])) + "  # names what lacks"
        yield finding("HLT003", str(ref), *shown, fix=fix)


def _pending(case: _Case) -> Iterator[Finding]:
    now = case.world.now
    for ref, pods in _by_workload(case):
        shown = []
        for pod in pods:
            scheduled = next((c for c in pod.conditions if c.type == "PodScheduled" and c.status == "False"), None)
            old = pod.created is not None and now - pod.created > case.world.pending_grace
            if pod.phase == "Pending" and scheduled is not None and old:
                shown.append(_seen("pod", f"{pod.namespace}/{pod.name}", scheduled.message or scheduled.reason))
        if shown:
            fix = "# add nodes, or lower requests and affinity\n" + kubectl("describe", _pod_of(shown[0]))
            yield finding("HLT004", str(ref), *shown, fix=fix)


def _short_of_pods(case: _Case) -> Iterator[Finding]:
    """Fewer pods available than wanted, where no pod says why."""
    explained = {found.subject for check in (_crashing, _not_pulled, _not_created, _pending) for found in check(case)}
    for workload in case.workloads:
        if workload.desired is None or workload.kind in ("Job", "CronJob") or str(workload.ref) in explained:
            continue
        available = workload.available if workload.available is not None else workload.ready
        if workload.desired == 0 and not _idles(case, workload):
            yield from _wants_none(case, workload)
        elif available is not None and (available < workload.desired or _stuck(case, workload)):
            yield _unavailable(case, workload, available)
        elif workload.paused and (workload.updated or 0) < workload.desired:
            yield _paused(workload)


def _stuck(case: _Case, workload: Workload) -> bool:
    """Whether a change of it does not get on, though the pods of before still serve."""
    if any((c.type, c.status) in _STUCK for c in workload.conditions):
        return True
    more = workload.total is not None and workload.total > (workload.desired or 0)
    return more and any(
        pod.created is not None and case.world.now - pod.created > _ROLLOUT_GRACE
        for pod in case.world.pods.get(workload.ref, ())
        if not pod.ready and not pod.deleting and pod.phase in ("Pending", "Running")
    )


def _idles(case: _Case, workload: Workload) -> bool:
    """Whether it is kept at no replicas until it is needed."""
    known = case.addon.fingerprints.workloads if case.addon else ()
    return any(each.idle and (each.kind, each.name) == (workload.kind, workload.name) for each in known)


_STUCK = (("Progressing", "False"), ("ReplicaFailure", "True"))


def _paused(workload: Workload) -> Finding:
    detail = f"its rollout is paused: {workload.updated} of {workload.desired} replicas are updated"
    evidence = _seen("workload", workload.ref, detail)
    return finding("HLT005", str(workload.ref), evidence, fix=kubectl("rollout", "resume", workload.ref))


def _wants_none(case: _Case, workload: Workload) -> Iterator[Finding]:
    """Scaled to zero; or a DaemonSet that no node is good for, where every cluster has this add-on."""
    if workload.kind != "DaemonSet":
        yield _scaled_to_zero(case, workload)
    elif (
        case.matters
        and any(node.compute_type == "ec2" for node in case.world.snapshot.nodes)  # elsewhere AWS has it built in
        and all(not w.desired for w in case.workloads)
    ):
        evidence = _seen("workload", workload.ref, "no node fits its selector and affinity: it runs nowhere")
        fix = kubectl("get", workload.ref, "-o", "jsonpath={.spec.template.spec.nodeSelector}")
        yield finding("HLT006", str(workload.ref), evidence, fix=fix, severity=Severity.REQUIRED)


def _scaled_to_zero(case: _Case, workload: Workload) -> Finding:
    evidence = _seen("workload", workload.ref, "replicas: 0")
    severity = Severity.REQUIRED if case.matters else None
    fix = "# if it should run:\n" + kubectl("scale", workload.ref, "--replicas=2")
    return finding("HLT006", str(workload.ref), evidence, fix=fix, severity=severity)


def _unavailable(case: _Case, workload: Workload, available: int) -> Finding:
    shown = [_seen("workload", workload.ref, f"{available} of {workload.desired} pods available")]
    shown += [
        _seen("condition", condition.type, condition.message or condition.reason)
        for condition in workload.conditions
        if (condition.type, condition.status) in _STUCK
    ]
    shown += [_event(event) for event in case.world.refusals.get(workload.ref, ())]
    shown += [
        _seen("pod", f"{pod.namespace}/{pod.name}", _why_not_ready(pod))
        for pod in case.world.pods.get(workload.ref, ())
        if not pod.ready and pod.phase not in ("Succeeded",)
    ]
    stuck = any(item.kind == "condition" for item in shown)
    severity = Severity.REQUIRED if available == 0 or stuck else None
    fix = f"{kubectl('rollout', 'status', workload.ref)}\n{kubectl('get', 'events', '-n', workload.namespace)}"
    return finding("HLT005", str(workload.ref), *shown, fix=fix + undo(case.row, workload.ref), severity=severity)


def _why_not_ready(pod: Pod) -> str:
    """The condition that holds a pod back, in its own words; what comes first of them."""
    for wanted in ("Initialized", "Ready"):
        for condition in pod.conditions:
            if condition.type == wanted and condition.status == "False":
                return condition.message or condition.reason or "not ready"
    return pod.reason or pod.phase or "not ready"


def _failed_jobs(case: _Case) -> Iterator[Finding]:
    """Jobs of the add-on that gave up: hooks of its chart, migrations, certificates. Those of CronJobs come again."""
    for job in case.workloads:
        failed = next((c for c in job.conditions if (c.type, c.status) == ("Failed", "True")), None)
        if job.kind == "Job" and failed is not None and not any(owner.kind == "CronJob" for owner in job.owners):
            detail = f"{failed.reason}: {failed.message}".strip(": ")
            fix = f"{kubectl('logs', job.ref)}\n# then run it again, as its installer does"
            yield finding("HLT023", str(job.ref), _seen("condition", job.ref, detail), fix=fix)


def _restarting(case: _Case) -> Iterator[Finding]:
    """Restarts that are not (any more) a crash loop."""
    now = case.world.now
    for ref, pods in _by_workload(case):
        shown = []
        for pod in pods:
            for container in pod.containers:
                last = container.last_exit_at
                if container.waiting or last is None:
                    continue
                often = container.restarts >= _RESTARTS_MAX and now - last < _RESTARTED_WITHIN
                if often or (container.last_exit == "OOMKilled" and now - last < _OOM_WITHIN):
                    detail = f"container {container.name}: {container.restarts} restarts, last {container.last_exit}"
                    shown.append(_seen("pod", f"{pod.namespace}/{pod.name}", f"{detail} at {last:%Y-%m-%d %H:%M} UTC"))
        if shown:
            out_of_memory = any("OOMKilled" in item.detail for item in shown)
            log = kubectl("logs", _pod_of(shown[0]), "--all-containers", "--previous")
            fix = "Raise its memory limit." if out_of_memory else log
            yield finding("HLT007", str(ref), *shown, fix=fix)


# ── What is served: Services, webhooks, APIs ────────────────────────────────────────────────────────────────────


def _no_endpoints(case: _Case) -> Iterator[Finding]:
    """Services of the add-on that lead nowhere."""
    for ref in case.owned("Service"):
        service = case.world.services.get((ref.namespace, ref.name))
        if service is not None and service.selector:
            yield from _leads_nowhere(case.world, service, case.matters, case.workloads)


def _leads_nowhere(world: _World, service: Service, matters: bool, near: Sequence[Workload]) -> Iterator[Finding]:
    if world.endpoints(service.namespace, service.name) != 0:
        yield from _dead_ports(world, service, matters)
        return
    selected = [
        workload
        for workload in world.workloads.values()
        if workload.namespace == service.namespace and selects(service.selector, (), workload.template.labels)
    ]
    if selected and all(workload.desired == 0 for workload in selected):
        return  # said of the workload already
    labels = ",".join(f"{key}={value}" for key, value in service.selector.items())
    detail = "no pod behind it is ready" if selected else f"its selector {labels} selects no workload"
    used = any(
        target == (service.namespace, service.name)
        for target, fails in _users_of_services(world.snapshot)
        if fails
    )  # fmt: skip
    severity = Severity.REQUIRED if matters or used else None
    ref = ObjectRef(kind="Service", name=service.name, namespace=service.namespace)
    fix = kubectl("get", "pods", "-n", service.namespace, "-l", labels)
    near = near or _alike(world, service)
    if not selected and near:
        wanted = ",".join(f"{key}={value}" for key, value in near[0].template.labels.items())
        fix = f"# the pods of {near[0].ref} carry {wanted}: fix the selector\n{kubectl('edit', ref)}"
    yield finding("HLT008", str(ref), _seen("service", ref, detail), fix=fix, severity=severity)


def _dead_ports(world: _World, service: Service, matters: bool) -> Iterator[Finding]:
    """Ports of a Service that lead to no port of its pods: all of them, or any where the cluster lives on it."""
    key = (service.namespace, service.name)
    if world.endpoints(*key) is None:
        return
    dead = [port for port in service.ports if port.partition(":")[0] not in world.ready_ports.get(key, set())]
    if dead and (matters or len(dead) == len(service.ports)):
        ref = ObjectRef(kind="Service", name=service.name, namespace=service.namespace)
        detail = f"no port of its pods is what {', '.join(dead)} leads to"
        fix = f"# name a port of its pods as targetPort:\n{kubectl('edit', ref)}"
        severity = Severity.REQUIRED if matters else None
        yield finding("HLT008", str(ref), _seen("service", ref, detail), fix=fix, severity=severity)


def _alike(world: _World, service: Service) -> list[Workload]:
    """Workloads that share most of a selector with a Service that selects none: whose it probably is."""
    wanted = set(service.selector.items())
    here = [workload for workload in world.workloads.values() if workload.namespace == service.namespace]
    shared = {workload.ref: len(wanted & set(workload.template.labels.items())) for workload in here}
    return sorted(
        (workload for workload in here if shared[workload.ref]), key=lambda workload: -shared[workload.ref]
    )  # fmt: skip


def _users_of_services(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], bool]]:
    """(namespace, name) of Services that the API server calls, and whether their silence refuses requests."""
    for configuration in snapshot.webhook_configurations:
        for hook in configuration.webhooks:
            if hook.service is not None:
                yield (hook.service.namespace, hook.service.name), hook.failure_policy == "Fail"
    for api in snapshot.api_services:
        if api.service is not None:
            yield (api.service.namespace, api.service.name), True


def _orphan_services(world: _World, catalog: Catalog) -> Iterator[Finding]:
    """Services that lead nowhere and are no add-on's: those that the API server calls, and the cluster's DNS."""
    called = {target for target, _ in _users_of_services(world.snapshot)}
    system = {
        (namespace, name)
        for addon in catalog.addons.values() if addon.system
        for kind, namespace, name in addon.own_objects() if kind == "Service"
    }  # fmt: skip
    for key in sorted(called | system):
        service = world.services.get(key)
        ref = ObjectRef(kind="Service", name=key[1], namespace=key[0])
        if service is not None and service.selector and ref not in world.owners:
            yield from _leads_nowhere(world, service, key not in called, ())


def _webhooks_unanswered(world: _World, configuration: WebhookConfiguration) -> Iterator[Finding]:
    shown, fails = [], False
    for hook in configuration.webhooks:
        target = hook.service
        why = world.dead_end(target) if target is not None else ""
        if target is not None and why:
            fails = fails or hook.failure_policy == "Fail"
            detail = f"Service {target.namespace}/{target.name} {why}, failurePolicy {hook.failure_policy}"
            shown.append(_seen("webhook", hook.name, detail))
    if shown:
        ref = ObjectRef(kind=configuration.kind, name=configuration.name)
        yield finding(
            "HLT009", str(ref), *shown, severity=Severity.REQUIRED if fails else Severity.RECOMMENDED,
            fix="# bring its pods back (above); if requests are refused and nothing else helps, save and delete it:\n"
                 f"{kubectl('get', ref, '-o', 'yaml')} > {quote(configuration.name)}.yaml\n{kubectl('delete', ref)}",
        )  # fmt: skip


def _api_unavailable(api: ApiService) -> Iterator[Finding]:
    available = next((c for c in api.conditions if c.type == "Available"), None)
    # Its Service being gone is said of the inventory.
    if available is not None and available.status != "True" and available.reason != "ServiceNotFound":
        evidence = _seen("apiservice", api.name, f"{available.reason}: {available.message}")
        fix = "# bring the pods behind its Service back\n" + kubectl("describe", "apiservice", api.name)
        yield finding("HLT010", f"APIService/{api.name}", evidence, fix=fix)


def _asked_by_the_server(case: _Case) -> Iterator[Finding]:
    """Webhooks and aggregated APIs that the add-on serves, and does not answer for."""
    mine = {(ref.kind, ref.name) for ref in case.world.owned.get(case.row.id, ())}
    yield from _unanswered(case.world, lambda kind, name: (kind, name) in mine)


def _unanswered(world: _World, wanted: Callable[[str, str], bool]) -> Iterator[Finding]:
    for configuration in world.snapshot.webhook_configurations:
        if wanted(configuration.kind, configuration.name):
            yield from _webhooks_unanswered(world, configuration)
    for api in world.snapshot.api_services:
        if wanted("APIService", api.name):
            yield from _api_unavailable(api)


def _nobodys(world: _World) -> Iterator[Finding]:
    """Likewise, of add-ons of which nothing else is left, or that were not recognised."""
    owned = {(ref.kind, ref.name) for ref in world.owners}
    yield from _unanswered(world, lambda kind, name: (kind, name) not in owned)


def _crds_not_established(case: _Case) -> Iterator[Finding]:
    names = {ref.name for ref in case.owned("CustomResourceDefinition")}
    for crd in case.world.snapshot.crds if names else ():
        wrong = [
            condition
            for condition in crd.conditions
            if (condition.type, condition.status) in (
                ("Established", "False"), ("NamesAccepted", "False"), ("Terminating", "True"))
        ]  # fmt: skip
        if crd.name in names and wrong:
            shown = (_seen("crd", crd.name, f"{c.type} {c.status}: {c.message or c.reason}") for c in wrong)
            yield finding("HLT011", f"CustomResourceDefinition/{crd.name}", *shown)


def _certificates(case: _Case) -> Iterator[Finding]:
    """CA bundles of webhooks, APIServices and conversions that end soon."""
    snapshot, now = case.world.snapshot, case.world.now
    owned = {(ref.kind, ref.name) for ref in case.world.owned.get(case.row.id, ())}
    ends: list[tuple[str, str, datetime]] = [
        (configuration.kind, configuration.name, hook.ca_expires)
        for configuration in snapshot.webhook_configurations
        for hook in configuration.webhooks
        if hook.ca_expires
    ]
    ends += [("APIService", api.name, api.ca_expires) for api in snapshot.api_services if api.ca_expires]
    ends += [
        ("CustomResourceDefinition", crd.name, crd.conversion_ca_expires)
        for crd in snapshot.crds
        if crd.conversion_ca_expires
    ]
    soonest: dict[tuple[str, str], datetime] = {}
    for kind, name, when in ends:
        if (kind, name) in owned and when - now < _EXPIRES_SOON:
            soonest[kind, name] = min(when, soonest.get((kind, name), when))
    for (kind, name), when in soonest.items():
        verb = "ended" if when < now else "ends"
        evidence = _seen("certificate", f"{kind}/{name}", f"its CA bundle {verb} on {when:%Y-%m-%d %H:%M} UTC")
        severity = Severity.REQUIRED if when < now else Severity.INFO if when - now > _EXPIRES_NOW else None
        yield finding("HLT012", f"{kind}/{name}", evidence, severity=severity)


# ── Resilience ──────────────────────────────────────────────────────────────────────────────────────────────────


def _budgets(case: _Case) -> Iterator[Finding]:
    """Disruption budgets that allow nothing, or guard nothing."""
    for budget in case.world.snapshot.disruption_budgets:
        ref = ObjectRef(kind="PodDisruptionBudget", name=budget.name, namespace=budget.namespace)
        guarded = [
            workload
            for workload in case.workloads
            if workload.namespace == budget.namespace
            and budget.selector is not None
            and selects(budget.selector, budget.expressions, workload.template.labels)
        ]
        if not guarded or budget.disruptions_allowed is None:
            continue
        # With a pod that is not ready, none other may go: that is as it should be.
        if budget.disruptions_allowed == 0 and budget.pods and (budget.healthy or 0) >= budget.pods:
            rule = f"minAvailable {budget.min_available}" if budget.min_available else (
                f"maxUnavailable {budget.max_unavailable}")  # fmt: skip
            detail = f"{rule} with {budget.pods} pods: no pod may be evicted"
            yield finding("HLT013", str(ref), _seen("budget", ref, detail))


def _idle_budgets(world: _World) -> Iterator[Finding]:
    """Budgets in the add-ons' namespaces that no pod belongs to."""
    namespaces = {ref.namespace for refs in world.owned.values() for ref in refs}
    for budget in world.snapshot.disruption_budgets:
        if any(
            workload.desired == 0 and workload.namespace == budget.namespace
            and budget.selector is not None
            and selects(budget.selector, budget.expressions, workload.template.labels)
            for workload in world.workloads.values()
        ):  # fmt: skip
            continue  # it guards what is scaled to zero
        if budget.namespace in namespaces and budget.pods == 0 and budget.disruptions_allowed is not None:
            yield _idle_budget(world, budget)


def _idle_budget(world: _World, budget: DisruptionBudget) -> Finding:
    """Worth fixing where a workload of its name goes without; else it was left over."""
    ref = ObjectRef(kind="PodDisruptionBudget", name=budget.name, namespace=budget.namespace)
    wanted = ",".join(f"{key}={value}" for key, value in (budget.selector or {}).items())
    evidence = _seen("budget", ref, f"no pod carries {wanted or 'its labels'}")
    meant = next((w for w in world.workloads.values() if (w.namespace, w.name) == (ref.namespace, ref.name)), None)
    if meant is None:
        return finding("HLT022", str(ref), evidence)
    labels = ",".join(f"{key}={value}" for key, value in meant.template.labels.items())
    fix = f"# the pods of {meant.ref} carry {labels}: fix the selector\n{kubectl('edit', ref)}"
    return finding("HLT022", str(ref), evidence, fix=fix, severity=Severity.RECOMMENDED)


def _single_replicas(case: _Case) -> Iterator[Finding]:
    """Add-ons that answer requests from a single pod, or from several that may share a node."""
    serving = {
        (edge_ref.namespace, edge_ref.name)
        for edge_ref in case.owned("Service")
        if any(target == (edge_ref.namespace, edge_ref.name) for target, _ in _users_of_services(case.world.snapshot))
    }
    for workload in case.workloads:
        if workload.kind not in ("Deployment", "StatefulSet") or not workload.desired:
            continue
        answers = case.matters or any(
            selects(service.selector, (), workload.template.labels)
            for key in serving
            if (service := case.world.services.get(key)) is not None and service.selector
            and service.namespace == workload.namespace
        )  # fmt: skip
        if answers and workload.desired == 1:
            yield finding("HLT014", str(workload.ref), _seen("workload", workload.ref, "replicas: 1"))
        elif case.matters and not (workload.template.has_pod_anti_affinity or workload.template.has_topology_spread):
            detail = f"{workload.desired} replicas without anti-affinity or topologySpreadConstraints"
            yield finding("HLT015", str(workload.ref), _seen("workload", workload.ref, detail))


def _leases(case: _Case) -> Iterator[Finding]:
    """Leaders of the add-on that stopped renewing."""
    running = [workload.ref for workload in case.workloads if workload.desired != 0]
    pods = [pod.name for _, pod in case.pods]
    for lease in case.world.snapshot.leases:
        if not lease.holder or lease.renewed is None or not lease.duration_s or lease.namespace == "kube-node-lease":
            continue
        held = any(lease.holder.startswith(name) for name in pods)
        fits = [
            ref
            for ref in running
            if lease.holder.startswith(f"{ref.name}-") and (held or lease.namespace in (ref.namespace, "kube-system"))
        ]
        leads = max(fits, key=lambda ref: len(ref.name), default=None)
        late = case.world.now - lease.renewed
        if late > _LEASE_LEFT_BEHIND and not held:
            continue
        if leads is not None and late > timedelta(seconds=_LEASES_MISSED * lease.duration_s + 30):
            detail = f"{lease.holder} renewed it last {int(late.total_seconds())} s ago (lease of {lease.duration_s} s)"
            ref = ObjectRef(kind="Lease", name=lease.name, namespace=lease.namespace)
            restart = kubectl("rollout", "restart", leads)
            fix = f"{kubectl('get', 'pods', '-n', leads.namespace)}\n# if its leader hangs:\n{restart}"
            yield finding("HLT016", str(ref), _seen("lease", ref, detail), fix=fix)


# ── Around it ───────────────────────────────────────────────────────────────────────────────────────────────────


def _events(case: _Case) -> Iterator[Finding]:
    """Warnings about the add-on's objects of the last hour that nothing else shows."""
    told = {found.subject for check in (_not_created, _short_of_pods) for found in check(case)}
    keys = {(ref.kind, ref.namespace, ref.name): str(ref) for ref in case.world.owned.get(case.row.id, ())}
    keys |= {(ref.kind, ref.namespace, ref.name): str(ref) for ref in case.row.workloads}
    keys |= {("Pod", pod.namespace, pod.name): str(ref) for ref, pod in case.pods}
    ready = {("Pod", pod.namespace, pod.name) for _, pod in case.pods if pod.ready}
    for revision in case.world.snapshot.revisions:
        owner = revision.owners[0] if revision.owners else None
        if owner is not None and (owner.kind, revision.namespace, owner.name) in keys:
            whose = keys[owner.kind, revision.namespace, owner.name]
            keys[revision.kind, revision.namespace, revision.name] = whose
    together: dict[str, list[Evidence]] = {}
    for key, whose in keys.items():
        for event in case.world.warnings.get(key, ()) if whose not in told else ():
            late = key in ready and event.reason in ("FailedMount", "FailedAttachVolume")  # it got its volume since
            if event.reason in _TELLING_EVENTS and not late:
                together.setdefault(event.reason, []).append(_event(event))
    for reason, shown in sorted(together.items()):
        yield finding("HLT017", f"{case.row.id}: {reason}", *sorted(shown, key=lambda item: item.subject))


def _event(event: Event) -> Evidence:
    return _seen("event", event.subject, f"{event.reason} ×{event.count}: {event.message}")


def _custom_resources(case: _Case) -> Iterator[Finding]:
    """The add-on's custom resources that are not well, one finding a kind."""
    if case.addon is None:
        return
    groups = set(case.addon.fingerprints.crd_groups)
    bad: dict[tuple[str, str], list[Evidence]] = {}
    for other in case.world.snapshot.others:
        verdict = case.world.verdicts.get((other.kind, other.namespace, other.name)) if other.group in groups else None
        if verdict is not None and verdict.verdict is Health.DEGRADED and other.api_version == verdict.api_version:
            bad.setdefault((other.group, other.kind), []).append(_seen("custom-resource", other.ref, verdict.reason))
    for (group, kind), shown in bad.items():
        _, *namespace, name = shown[0].subject.split("/")
        fix = kubectl("describe", f"{kind.lower()}.{group}", *(["-n", namespace[0]] if namespace else []), name)
        yield finding("HLT018", f"{kind} of {case.row.addon}", *shown, fix=fix)


def _quotas(case: _Case) -> Iterator[Finding]:
    """Quotas that are used up in the add-on's namespaces: its pods cannot be replaced."""
    for quota in case.world.snapshot.quotas:
        if quota.namespace not in {ref.namespace for ref in case.row.workloads}:
            continue
        full = []
        for resource, hard in quota.hard.items():
            used = quota.used.get(resource)
            if used is not None and _POD_QUOTAS.fullmatch(resource) and _used_up(used, hard):
                full.append(f"{resource}: {used} of {hard} used")
        if full:
            ref = ObjectRef(kind="ResourceQuota", name=quota.name, namespace=quota.namespace)
            yield finding("HLT019", str(ref), *(_seen("quota", ref, detail) for detail in full))


def _used_up(used: str, hard: str) -> bool:
    try:
        return units.quantity(used) >= units.quantity(hard) > 0
    except BadInput:
        return False


def _probed(case: _Case) -> Iterator[Finding]:
    for probe in case.world.probes:
        if probe.addon == case.row.addon and probe.verdict is Health.DEGRADED:
            yield finding("HLT020", f"{case.row.id}: {probe.name}", _seen("probe", probe.name, probe.detail))


def _eks_reports(case: _Case) -> Iterator[Finding]:
    """What EKS says of an add-on that it keeps: a failed update stays as it failed."""
    eks = case.world.snapshot.eks
    listed = eks_addon(case.row, eks.addons) if eks else None
    if listed is None or (listed.status not in _TROUBLED and not listed.issues):
        return
    shown = [_seen("eks", f"eks add-on {listed.name}", f"status {listed.status}")]
    shown += [
        _seen("eks", issue.code, f"{issue.message} {', '.join(issue.resources)}".strip()) for issue in listed.issues
    ]
    cluster = case.world.snapshot.cluster.name
    again = update_addon_command(cluster, listed.name, listed.version, listed)
    if listed.status == "DELETE_FAILED":
        again = command("aws", "eks", "delete-addon", "--cluster-name", cluster, "--addon-name", listed.name)
    fix = f"# EKS rolls nothing back; fix what the issue names, then:\n{again}"
    yield finding("EKS005", f"eks add-on {listed.name}", *shown, fix=fix)


CHECKS: tuple[Callable[[_Case], Iterable[Finding]], ...] = (
    _crashing, _not_pulled, _not_created, _pending, _short_of_pods, _failed_jobs, _restarting, _no_endpoints,
    _asked_by_the_server, _crds_not_established, _certificates, _budgets, _single_replicas, _leases, _events,
    _custom_resources, _quotas, _probed, _eks_reports,
)  # fmt: skip
