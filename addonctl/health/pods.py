"""Pods of an add-on that cannot start or do not stay up (HLT001 to HLT004, HLT007).

Decided from the troubles of its pods (pod_troubles.py). Called by check_health.
"""

from collections.abc import Iterator
from datetime import timedelta

from addonctl.findings import finding, makes
from addonctl.health.case import Case, Told, seen_pod
from addonctl.model import Action, ContainerStatus, Finding, Note, Pod
from addonctl.remediation import kubectl, undo

# A container with this many restarts, the last within the hour, restarts more than it serves.
_RESTARTS_MAX, _RESTARTED_WITHIN = 3, timedelta(hours=1)
_OOM_WITHIN = timedelta(days=1)
_OOM = "OOMKilled"


@makes("HLT001")
def crashing(case: Case, told: Told) -> Iterator[Finding]:
    """Containers in a crash loop."""
    for ref, troubles in case.pod_troubles.items():
        if troubles.crashing:
            shown = (seen_pod(pod, _crashed(container)) for pod, container in troubles.crashing)
            out_of_memory = any(container.last_exit == _OOM for _, container in troubles.crashing)
            fix = (*(_more_memory(out_of_memory)), _log_before(*troubles.crashing[0]), *undo(case.row, ref))
            yield finding("HLT001", ref, *shown, fix=fix)


def _crashed(container: ContainerStatus) -> str:
    last = f", last exit {container.last_exit}" if container.last_exit else ""
    return f"container {container.name} crashed, {container.restarts} restarts{last}"


def _more_memory(out_of_memory: bool) -> tuple[Action, ...]:
    return (Note("It ran out of memory: raise its memory limit."),) if out_of_memory else ()


def _log_before(pod: Pod, container: ContainerStatus) -> Action:
    """The log of one container's last run. Others may have none, and kubectl stops at the first that does not."""
    return kubectl("logs", pod.ref, "-c", container.name, "--previous")


def _waits(container: ContainerStatus) -> str:
    return f"{container.waiting}: {container.waits_for or container.image or container.name}"


@makes("HLT002")
def not_pulled(case: Case, told: Told) -> Iterator[Finding]:
    """Images that cannot be pulled."""
    for ref, troubles in case.pod_troubles.items():
        if troubles.not_pulled:
            shown = [seen_pod(pod, _waits(container)) for pod, container in troubles.not_pulled]
            fix = (kubectl("describe", troubles.not_pulled[0][0].ref), *undo(case.row, ref))
            yield finding("HLT002", ref, *shown, fix=fix)


@makes("HLT003")
def not_created(case: Case, told: Told) -> Iterator[Finding]:
    """Containers that cannot be created: something that they refer to is missing, or a volume cannot be mounted."""
    for ref, troubles in case.pod_troubles.items():
        shown = [seen_pod(pod, _waits(container)) for pod, container in troubles.not_created]
        shown += [seen_pod(pod, f"{event.reason}: {event.message}") for pod, event in troubles.not_mounted]
        pods = [pod for pod, _ in (*troubles.not_created, *troubles.not_mounted)]
        if pods:
            fix = kubectl("describe", pods[0].ref, why="shows what is missing:")
            yield finding("HLT003", ref, *shown, fix=(fix,))


@makes("HLT004")
def unschedulable(case: Case, told: Told) -> Iterator[Finding]:
    """Pods that no node has room for."""
    for ref, troubles in case.pod_troubles.items():
        waiting = troubles.unschedulable
        if waiting:
            shown = [seen_pod(pod, condition.message or condition.reason) for pod, condition in waiting]
            fix = kubectl("describe", waiting[0][0].ref, why="add nodes, or lower requests and affinity:")
            yield finding("HLT004", ref, *shown, fix=(fix,))


@makes("HLT007")
def restarting(case: Case, told: Told) -> Iterator[Finding]:
    """Restarts that are not, or no longer, a crash loop."""
    for ref, troubles in case.pod_troubles.items():
        often = [
            (pod, container)
            for pod in troubles.living
            for container in pod.containers
            if not container.waiting and _restarts(case, container)
        ]
        if often:
            shown = (seen_pod(pod, _restarted(container)) for pod, container in often)
            out_of_memory = any(container.last_exit == _OOM for _, container in often)
            yield finding("HLT007", ref, *shown, fix=_more_memory(out_of_memory) or (_log_before(*often[0]),))


def _restarts(case: Case, container: ContainerStatus) -> bool:
    if container.last_exit_at is None:
        return False
    ago = case.now - container.last_exit_at
    often = container.restarts >= _RESTARTS_MAX and ago < _RESTARTED_WITHIN
    return often or (container.last_exit == _OOM and ago < _OOM_WITHIN)


def _restarted(container: ContainerStatus) -> str:
    detail = f"container {container.name}: {container.restarts} restarts, last {container.last_exit}"
    return f"{detail} at {container.last_exit_at:%Y-%m-%d %H:%M} UTC"
