"""Pods of an add-on that cannot start or do not stay up (HLT001 to HLT004, HLT007, HLT025).

Decided from the troubles of its pods (pod_troubles.py). Called by check_health.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from addonctl.catalog import KnownIssue
from addonctl.findings import finding, makes
from addonctl.health.absent import agent_missed_by
from addonctl.health.case import Case, Told, seen_pod
from addonctl.health.identity import role_missed, without_role
from addonctl.health.known import remedies
from addonctl.health.known import shown as known_issues
from addonctl.health.scheduling import what_helps
from addonctl.health.unready import last_exit, unbound_claims, waits_for
from addonctl.model import Action, ContainerStatus, Event, Finding, Note, Pod
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
            issues = _known_of(case, [container for _, container in troubles.crashing])
            fix = (
                *_more_memory(out_of_memory),
                *remedies(issues),
                _log_before(*troubles.crashing[0]),
                *undo(case.row, ref),
            )
            words = [container.last_words for _, container in troubles.crashing]
            cause, role = agent_missed_by(case.scene, ref) or role_missed(case, words), without_role(case, words)
            yield finding("HLT001", ref, *shown, *role, *known_issues(case.addon, issues), fix=fix, cause=cause)


def _known_of(case: Case, crashing: Sequence[ContainerStatus]) -> list[KnownIssue]:
    """Known causes of a crash; those that leave no words only where there are none, and memory did not run out."""
    silent = (each for each in crashing if not each.last_words and each.last_exit != _OOM)
    return case.known_crash(crashing, silent)


def _crashed(container: ContainerStatus) -> str:
    last = f", last exit {last_exit(container)}" if container.last_exit or container.last_words else ""
    return f"container {container.name} crashed, {container.restarts} restarts{last}"


def _more_memory(out_of_memory: bool) -> tuple[Action, ...]:
    return (Note("It ran out of memory: raise its memory limit."),) if out_of_memory else ()


def _log_before(pod: Pod, container: ContainerStatus) -> Action:
    """The log of one container's last run. Others may have none, and kubectl stops at the first that does not."""
    return kubectl("logs", pod.ref, "-c", container.name, "--previous")


@makes("HLT002")
def not_pulled(case: Case, told: Told) -> Iterator[Finding]:
    """Images that cannot be pulled."""
    for ref, troubles in case.pod_troubles.items():
        if troubles.not_pulled:
            shown = [seen_pod(pod, waits_for(case.view, pod, container)) for pod, container in troubles.not_pulled]
            fix = (kubectl("describe", troubles.not_pulled[0][0].ref), *undo(case.row, ref))
            yield finding("HLT002", ref, *shown, fix=fix)


@makes("HLT003")
def not_created(case: Case, told: Told) -> Iterator[Finding]:
    """Containers that cannot be created: something that they refer to is missing, or a volume cannot be mounted."""
    for ref, troubles in case.pod_troubles.items():
        shown = [seen_pod(pod, waits_for(case.view, pod, container)) for pod, container in troubles.not_created]
        shown += [seen_pod(pod, f"{event.reason}: {event.message}") for pod, event in troubles.not_mounted]
        events = [event for _, event in troubles.not_mounted]
        pods = [pod for pod, _ in (*troubles.not_created, *troubles.not_mounted)]
        if pods:
            fix = kubectl("describe", pods[0].ref, why="shows what is missing:")
            yield finding(
                "HLT003", ref, *shown, fix=(fix,), cause=_laid_to(case, () if troubles.not_created else events)
            )


@makes("HLT004")
def unschedulable(case: Case, told: Told) -> Iterator[Finding]:
    """Pods that no node has room for."""
    for ref, troubles in case.pod_troubles.items():
        waiting = troubles.unschedulable
        if waiting:
            shown = [seen_pod(pod, condition.message or condition.reason) for pod, condition in waiting]
            look = kubectl("describe", waiting[0][0].ref, why="says which nodes are kept off, and why:")
            yield finding("HLT004", ref, *shown, fix=(*what_helps(waiting[0][1].message), look))


@makes("HLT025")
def without_volume(case: Case, told: Told) -> Iterator[Finding]:
    """Pods that would be scheduled if the volume that they claim were there."""
    for ref, troubles in case.pod_troubles.items():
        waiting = troubles.without_volume
        if waiting:
            shown = (seen_pod(pod, reason.text) for pod, reason in waiting)
            pod, reason = waiting[0]
            claim = reason.of if reason.of != pod.ref else next(unbound_claims(case.view, pod)).ref
            cause = _laid_to(case, [reason.event for _, reason in waiting])
            yield finding("HLT025", ref, *shown, fix=(kubectl("describe", claim),), cause=cause)


def _laid_to(case: Case, events: Sequence[Event | None]) -> str | None:
    """The finding on the add-on that all of these warnings are laid to."""
    causes = {case.scene.laid_to(event, case.row) for event in events}
    return causes.pop() if len(causes) == 1 else None


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
            issues = case.known_crash([each for _, each in often])
            look = (*remedies(issues), *(_more_memory(out_of_memory) or (_log_before(*often[0]),)))
            yield finding("HLT007", ref, *shown, *known_issues(case.addon, issues), fix=look)


def _restarts(case: Case, container: ContainerStatus) -> bool:
    if container.last_exit_at is None:
        return False
    ago = case.now - container.last_exit_at
    often = container.restarts >= _RESTARTS_MAX and ago < _RESTARTED_WITHIN
    return often or (container.last_exit == _OOM and ago < _OOM_WITHIN)


def _restarted(container: ContainerStatus) -> str:
    detail = f"container {container.name}: {container.restarts} restarts, last {last_exit(container)}"
    return f"{detail} at {container.last_exit_at:%Y-%m-%d %H:%M} UTC"
