"""Whether a pod more fits (PRE009): Deployments surge by one pod each while they are updated.

A pod fits a node by requests against what is allocatable and not requested, the number of pods, its nodeSelector, and
taints against tolerations; where these were not read, by taints of nodes that its pods are on. Affinity and spread are
not known in full, so what is found has no room for certain, and what is not may have none either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from addonctl.catalog import ClusterService
from addonctl.findings import finding, makes
from addonctl.model import Evidence, Finding, Node, Severity, Taint, Workload
from addonctl.model.plan import Rollout
from addonctl.preflight.case import Case, seen

_ENDED = ("Succeeded", "Failed")
_KEEPS_OFF = ("NoSchedule", "NoExecute")
_FARGATE = "fargate"


@dataclass(slots=True)
class _Free:
    """What is left of a node."""

    node: Node
    cpu_millicores: int
    memory_bytes: int
    pods: int

    def fits(self, cpu_millicores: int, memory_bytes: int) -> bool:
        room = self.cpu_millicores >= cpu_millicores and self.memory_bytes >= memory_bytes
        return room and self.pods > 0

    def take(self, cpu_millicores: int, memory_bytes: int) -> None:
        self.cpu_millicores -= cpu_millicores
        self.memory_bytes -= memory_bytes
        self.pods -= 1


@makes("PRE009")
def no_room(case: Case) -> Iterator[Finding]:
    """All surging Deployments of a step together, as they are rolled at the same time."""
    snapshot = case.view.snapshot
    known = all(node.cpu_millicores and node.max_pods for node in snapshot.nodes)
    whole = case.view.is_whole and case.view.gap("nodes", "pods") is None
    if not (snapshot.nodes and known and whole):
        return
    left = _left(case)
    for target, workload in case.targets:
        if target.rollout is not Rollout.SURGE or _on_fargate(case, workload):
            continue
        if workload.template.claims:
            detail = f"mounts {', '.join(workload.template.claims)}: if one node at a time may, no second pod starts"
            yield finding("PRE009", workload.ref, seen(workload, detail), severity=Severity.RECOMMENDED)
        cpu, memory = _requests(case, workload)
        allowed = [free for free in left if _is_allowed(case, workload, free.node)]
        fitting = next((free for free in allowed if free.fits(cpu, memory)), None)
        if fitting is None:
            severity = Severity.RECOMMENDED if _grows(case) else None
            yield finding("PRE009", workload.ref, *_why(workload, cpu, memory, allowed), severity=severity)
        else:
            fitting.take(cpu, memory)


def _left(case: Case) -> list[_Free]:
    """Of every node that takes pods."""
    nodes = {node.name: _Free(node, node.cpu_millicores, node.memory_bytes, node.max_pods) for node in _open(case)}
    for pod in case.view.snapshot.pods:
        if pod.node in nodes and pod.phase not in _ENDED:
            nodes[pod.node].take(pod.cpu_request_millicores, pod.memory_request_bytes)
    return list(nodes.values())


def _open(case: Case) -> Iterator[Node]:
    for node in case.view.snapshot.nodes:
        ready = all(each.status == "True" for each in node.conditions if each.type == "Ready")
        if ready and not node.unschedulable and node.compute_type != _FARGATE:
            yield node


def _on_fargate(case: Case, workload: Workload) -> bool:
    """Fargate brings a node for every pod."""
    nodes = {node.name: node.compute_type for node in case.view.snapshot.nodes}
    return any(nodes.get(pod.node) == _FARGATE for pod in case.view.pods.get(workload.ref, ()))


def _requests(case: Case, workload: Workload) -> tuple[int, int]:
    """CPU in millicores and memory in bytes of one pod: as its template says, or more, as its pods have it."""
    own = [container for container in workload.template.containers if not container.init]
    pods = case.view.pods.get(workload.ref, ())
    cpu = max((pod.cpu_request_millicores for pod in pods), default=0)
    memory = max((pod.memory_request_bytes for pod in pods), default=0)
    return (
        max(cpu, sum(container.cpu_request_millicores or 0 for container in own)),
        max(memory, sum(container.memory_request_bytes or 0 for container in own)),
    )


def _is_allowed(case: Case, workload: Workload, node: Node) -> bool:
    template, mine = workload.template, {pod.node for pod in case.view.pods.get(workload.ref, ())}
    if any(node.labels.get(key) != value for key, value in template.node_selector.items()):
        return False
    ports = [port for container in template.containers for port in container.ports]
    if template.host_network and ports and node.name in mine:
        return False  # its ports on this node are taken
    if node.operating_system == "windows" and node.name not in mine and not template.node_selector:
        return False
    borne = {taint for each in case.view.snapshot.nodes if each.name in mine for taint in _taints(each)}
    tolerations = template.tolerations or ()
    return all(taint in borne or any(each.tolerates(taint) for each in tolerations) for taint in _taints(node))


def _taints(node: Node) -> Iterator[Taint]:
    yield from (taint for taint in node.taints if taint.effect in _KEEPS_OFF)


def _grows(case: Case) -> bool:
    """Whether nodes come by themselves."""
    scalers = case.catalog.providing(ClusterService.NODE_SCALING)
    eks = case.view.snapshot.eks
    auto = eks is not None and eks.cluster.auto_mode
    return auto or any(row.addon in scalers for row in case.assessment.inventory.installations)


def _why(workload: Workload, cpu: int, memory: int, allowed: Sequence[_Free]) -> Iterator[Evidence]:
    wanted = f"requests {cpu}m CPU and {memory // 2**20} MiB"
    if not allowed:
        yield seen(workload, f"{wanted}; no node that takes pods is one that it may run on")
        return
    yield seen(workload, f"{wanted}; none of {len(allowed)} nodes that it may run on has as much left")
    for free in sorted(allowed, key=lambda each: -each.cpu_millicores):
        cpu, memory, pods = (max(each, 0) for each in (free.cpu_millicores, free.memory_bytes // 2**20, free.pods))
        yield seen(free.node, f"{cpu}m CPU, {memory} MiB, {pods} pods left")
