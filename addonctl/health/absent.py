"""Objects that wait for an add-on that is not there, or for its agent on their node (HLT027, HLT028).

No event has to say so: a claim names a class and so a driver, an Ingress a class and so a controller, a pod a node.
Decided from the objects of a View, the installations, and what the Catalog knows of drivers and controllers. Called by
check_health.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from addonctl.catalog import AddOn, ClusterService
from addonctl.findings import finding, makes
from addonctl.health.case import Case, Scene, Told, seen, seen_pod, span_in_words
from addonctl.model import (
    Action,
    AddOnRef,
    Evidence,
    Finding,
    Ingress,
    KubernetesObject,
    Node,
    Note,
    ObjectRef,
    Pod,
    Service,
    StorageClass,
    Toleration,
    VolumeClaim,
    Workload,
)
from addonctl.remediation import change, install, kubectl

# What an add-on that works does within a minute or two; a load balancer takes some minutes.
_WAITED, _WAITED_FOR_ADDRESS = timedelta(minutes=5), timedelta(minutes=10)
_STARTS = timedelta(minutes=3)
_SHOWN = 5
_SERVICE = "service"  # the part of an add-on that is waited for
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_PROVISIONERS = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
_BALANCER_TYPE = "service.beta.kubernetes.io/aws-load-balancer-type"
_KEEPS_PODS_OFF = ("NoSchedule", "NoExecute")


# ── Add-ons that are not installed ──────────────────────────────────────────────────────────────────────────────


@makes("HLT027")
def waited_for(scene: Scene, told: Told) -> Iterator[Finding]:
    """One finding for each add-on that is not installed and that objects wait for."""
    if scene.view.gap("workloads") is not None or scene.view.snapshot.cluster.namespace or not _is_live(scene):
        return
    there = {row.addon for row in scene.inventory.installations}
    waiting: dict[str, list[Evidence]] = {}
    waits = (_claims, _inline_volumes, _addresses, _associations, _nodes)
    for addon, shown in (each for of_kind in waits for each in of_kind(scene)):
        if addon not in there:
            waiting.setdefault(addon, []).append(shown)
    for addon, found in sorted(waiting.items()):
        entry = scene.catalog.addons[addon]
        eks_name = entry.install.eks.name if entry.install.eks else ""
        shown_here = (_how_many(entry, found), *found[:_SHOWN]) if len(found) > 1 else found
        fix = install(entry.name, eks_name, scene.view)
        yield finding("HLT027", AddOnRef(addon, part=_SERVICE), *shown_here, fix=(fix,))


def _is_live(scene: Scene) -> bool:
    """Whether it is the state of a cluster: manifests wait for nothing."""
    return any(pod.phase for pod in scene.view.snapshot.pods)


def _how_many(entry: AddOn, found: Sequence[Evidence]) -> Evidence:
    return Evidence(kind="missing", subject=entry.id, detail=f"{len(found)} objects wait for it; it is not installed")


def _makers(scene: Scene) -> dict[str, str]:
    """CSI driver → the add-on that it is of."""
    return {driver: addon.id for addon in scene.catalog.addons.values() for driver in addon.fingerprints.csi_drivers}


def _inline_volumes(scene: Scene) -> Iterator[tuple[str, Evidence]]:
    """Pods that do not start, each with the add-on whose driver mounts a volume that they need no claim for."""
    makers, there = _makers(scene), {driver.name for driver in scene.view.snapshot.csi_drivers}
    for pod in scene.pending:
        missing = next((each for each in pod.csi_drivers if each in makers and each not in there), "")
        if missing and not pod.deleting and _has_waited(scene, pod, _STARTS):
            yield makers[missing], seen_pod(pod, f"it waits for a volume of {missing}, which is not installed")


def _claims(scene: Scene) -> Iterator[tuple[str, Evidence]]:
    """Claims that wait for a volume, each with the add-on whose driver makes it."""
    makers = _makers(scene)
    used = {(pod.namespace, name) for pod in scene.pending for name in pod.claims}
    for claim in scene.view.snapshot.volume_claims:
        if claim.phase != "Pending" or claim.deleting or not _has_waited(scene, claim, _WAITED):
            continue
        kind = scene.view.objects.get(ObjectRef.of("StorageClass", claim.storage_class))
        at_once = isinstance(kind, StorageClass) and kind.binding_mode == "Immediate"
        awaited = at_once or _SELECTED_NODE in claim.annotations or (claim.namespace, claim.name) in used
        driver = _driver(scene, claim, kind)
        if awaited and driver in makers:
            named = f" of class {claim.storage_class}" if claim.storage_class else ""
            detail = f"it waits for a volume{named} since {_age(scene, claim)}; its driver {driver} is not installed"
            yield makers[driver], seen("claim", claim, detail)


def _driver(scene: Scene, claim: VolumeClaim, kind: KubernetesObject | None) -> str:
    """The CSI driver that makes a claim's volume, also where its class has the name that it had within Kubernetes."""
    named = next((claim.annotations[key] for key in _PROVISIONERS if key in claim.annotations), "")
    provisioner = named or (kind.provisioner if isinstance(kind, StorageClass) else "")
    return scene.catalog.kubernetes.in_tree_drivers.get(provisioner, provisioner)


def _addresses(scene: Scene) -> Iterator[tuple[str, Evidence]]:
    """Ingresses and Services without an address, each with the add-on that would give it one."""
    prints = [(addon.id, addon.fingerprints) for addon in scene.catalog.addons.values()]
    by_controller = {name: addon for addon, each in prints for name in each.ingress_controllers}
    by_balancer = {name: addon for addon, each in prints for name in each.load_balancers}
    classes = {each.name: each.controller for each in scene.view.snapshot.ingress_classes}
    things: tuple[tuple[Ingress | Service, str], ...] = (
        *((it, by_controller.get(classes.get(it.ingress_class, ""), "")) for it in scene.view.snapshot.ingresses),
        *((it, by_balancer.get(_balancer(it), "")) for it in scene.view.snapshot.services if it.type == "LoadBalancer"),
    )
    for thing, addon in things:
        if addon and not thing.load_balancers and not thing.deleting and _has_waited(scene, thing, _WAITED_FOR_ADDRESS):
            detail = f"it waits for an address since {_age(scene, thing)}; what gives it one is not installed"
            yield addon, seen("address", thing, detail)


def _balancer(service: Service) -> str:
    return service.load_balancer_class or service.annotations.get(_BALANCER_TYPE, "")


def _associations(scene: Scene) -> Iterator[tuple[str, Evidence]]:
    """Associations of roles with ServiceAccounts, for which no agent hands out credentials."""
    eks = scene.view.snapshot.eks
    agents = [*scene.catalog.providing(ClusterService.POD_IDENTITY)]
    if eks is None or eks.cluster.auto_mode or not agents or not _has_own_nodes(scene):
        return
    for each in eks.pod_identities:
        subject = ObjectRef.of("ServiceAccount", each.service_account, each.namespace)
        yield agents[0], seen("pod-identity", subject, "no agent hands out the credentials of the role that it has")


def _nodes(scene: Scene) -> Iterator[tuple[str, Evidence]]:
    """Nodes with a taint that keeps pods off until an agent takes it away, each with the agent's add-on."""
    agents = {key: addon.id for addon in scene.catalog.addons.values() for key in addon.fingerprints.startup_taints}
    for node in scene.view.snapshot.nodes:
        for taint in node.taints:
            if taint.key in agents and _has_waited(scene, node, _WAITED):
                yield agents[taint.key], seen("node", node, f"its taint {taint.key} stays until an agent takes it away")


def agent_missed_by(scene: Scene, workload: ObjectRef) -> str | None:
    """The finding that no agent hands out credentials to a workload whose ServiceAccount has an association."""
    template = scene.view.workloads[workload].template if workload in scene.view.workloads else None
    account = ObjectRef.of("ServiceAccount", template.service_account, workload.namespace) if template else None
    there = {row.addon for row in scene.inventory.installations}
    for agent, shown in _associations(scene):
        if shown.ref == account and agent not in there:
            return f"HLT027 {AddOnRef(agent, part=_SERVICE)}"
    return None


def _has_own_nodes(scene: Scene) -> bool:
    return any(node.compute_type == "ec2" for node in scene.view.snapshot.nodes)


def _has_waited(scene: Scene, thing: KubernetesObject, span: timedelta) -> bool:
    return thing.created is not None and scene.now - thing.created > span


def _age(scene: Scene, thing: KubernetesObject) -> str:
    return span_in_words(scene.now - thing.created) if thing.created else "some time"


# ── Agents that do not run where they are needed ────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Need:
    """A pod that needs the agent of an add-on on its node."""

    pod: Pod
    what: str


@makes("HLT028")
def agents(case: Case, told: Told) -> Iterator[Finding]:
    """Nodes on which pods wait for an agent of the add-on that does not run there."""
    daemons = [workload for workload in case.workloads if workload.kind == "DaemonSet"]
    if not daemons or case.view.gap("pods", "nodes") is not None or not any(case.view.pods.get(d.ref) for d in daemons):
        return
    running = {pod.node for daemon in daemons for pod in case.view.pods.get(daemon.ref, ())}
    lacking: dict[str, list[_Need]] = {}
    for need in _needs(case):
        if need.pod.node and need.pod.node not in running:
            lacking.setdefault(need.pod.node, []).append(need)
    nodes = [node for node in case.view.snapshot.nodes if node.name in lacking and node.compute_type == "ec2"]
    if nodes:
        daemon = max(daemons, key=lambda each: each.desired or 0)
        shown = [_lack(daemon, node, lacking[node.name]) for node in nodes]
        users = [seen_pod(need.pod, need.what) for node in nodes for need in lacking[node.name]]
        yield finding("HLT028", daemon.ref, *shown[:_SHOWN], *users[:_SHOWN], fix=_let_it_run(case, daemon, nodes))
    elif kept := list(_still_tainted(case)):
        daemon = max(daemons, key=lambda each: each.desired or 0)
        shown = [seen("node", node, f"its taint {key} stays, and keeps pods off") for node, key in kept]
        yield finding("HLT028", daemon.ref, *shown[:_SHOWN], fix=_take_taints(case, daemon, [node for node, _ in kept]))


def _still_tainted(case: Case) -> Iterator[tuple[Node, str]]:
    """Nodes that have not lost the taint that the add-on's agent takes away, each with its key."""
    keys = case.addon.fingerprints.startup_taints if case.addon else ()
    for node in case.view.snapshot.nodes:
        key = next((taint.key for taint in node.taints if taint.key in keys), "")
        if key and not node.deleting and _has_waited(case.scene, node, _WAITED):
            yield node, key


def _take_taints(case: Case, daemon: Workload, nodes: Sequence[Node]) -> tuple[Action, ...]:
    """A new pod tries once more; where there is none, the DaemonSet says why."""
    names = {node.name for node in nodes}
    pods = [pod for pod in case.view.pods.get(daemon.ref, ()) if pod.node in names]
    if not pods:
        return (kubectl("describe", daemon.ref, why="says why it has no pod there:"),)
    why = "its agent takes the taint away when it starts: start it again:"
    return tuple(kubectl("delete", pod.ref, why=why) for pod in pods[:_SHOWN])


def _needs(case: Case) -> Iterator[_Need]:
    """Pods that were given a node and do not start, and what they need of the add-on there."""
    drivers = set(case.addon.fingerprints.csi_drivers if case.addon else ())
    if not drivers:
        return
    for pod in _not_starting(case):
        wanted = [driver for driver in _drivers_of(case, pod) if driver in drivers]
        if wanted:
            yield _Need(pod, f"it waits for a volume of {wanted[0]} on {pod.node}")


def _drivers_of(case: Case, pod: Pod) -> Iterator[str]:
    yield from pod.csi_drivers
    for name in pod.claims:
        claim = case.view.objects.get(ObjectRef.of("PersistentVolumeClaim", name, pod.namespace))
        volume = case.view.volumes.get(claim.volume) if isinstance(claim, VolumeClaim) else None
        if volume is not None:
            yield volume.driver


def _lack(daemon: Workload, node: Node, needs: Sequence[_Need]) -> Evidence:
    kept_off = list(_not_tolerated(daemon, node))
    why = f", whose taint {kept_off[0]} it does not tolerate" if kept_off else ""
    pods = f"{len(needs)} pod{'s' * (len(needs) > 1)}"
    return seen("node", node, f"no pod of {daemon.ref} runs there{why}; {pods} on it wait for one")


def _not_tolerated(daemon: Workload, node: Node) -> Iterator[str]:
    """The taints that keep a DaemonSet's pods off a node, as kubectl writes them."""
    tolerations: Iterable[Toleration] = daemon.template.tolerations or ()
    for taint in node.taints if daemon.template.tolerations is not None else ():
        if taint.effect in _KEEPS_PODS_OFF and not any(each.tolerates(taint) for each in tolerations):
            yield f"{taint.key}{f'={taint.value}' if taint.value else ''}:{taint.effect}"


def _let_it_run(case: Case, daemon: Workload, nodes: Sequence[Node]) -> tuple[Action, ...]:
    taints = list(dict.fromkeys(taint for node in nodes for taint in _not_tolerated(daemon, node)))
    if not taints:
        return (kubectl("describe", daemon.ref, why="says why it has no pod there:"),)
    said = f"let it tolerate {', '.join(taints)}"
    return (
        Note("Its installer's values have tolerations; all taints: `operator: Exists`."),
        *change(case.row, kubectl("edit", daemon.ref, why=f"{said}:"), f"{said} ({daemon.ref})"),
    )


def _not_starting(case: Case) -> Iterator[Pod]:
    """Pods that have a node and still have not started after some minutes."""
    for pod in case.scene.pending:
        if pod.node and not pod.deleting and _has_waited(case.scene, pod, _STARTS):
            yield pod
