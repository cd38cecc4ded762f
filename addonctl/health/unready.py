"""Why a pod is not ready: the best answer at hand, in one place, for every check and for the health of objects.

Asked for in this order: what the kubelet says of a container that waits, the last words of one that ended, the claim
that the pod waits for, the newest warning about the pod, its node, its conditions. Decided from a View alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from addonctl.model import (
    CRASHING,
    NOT_CREATED,
    NOT_PULLED,
    ContainerStatus,
    Event,
    KubernetesObject,
    Node,
    ObjectRef,
    Pod,
    View,
    VolumeClaim,
)

WARNED_WITHIN = timedelta(hours=1)
"""Older warnings are history. What a controller fails at again and again, it tells of again."""
# Warnings that repeat what the status of a pod says, and better: they are the last to be asked.
_REPEATING = ("BackOff", "FailedScheduling", "Failed", "NodeNotReady", "FailedSync")
_PULL_FAILED = "Failed to pull image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a pod is not ready, in the words of whoever knows, and the object that says so: the pod, its claim, its node.

    `event` is the warning that the words are from, if they are from one.
    """

    text: str
    of: ObjectRef
    event: Event | None = None


def recent_warnings(view: View, ref: ObjectRef) -> list[Event]:
    """Warning events about an object within an hour before the snapshot, the newest first."""
    taken = view.snapshot.taken
    recent = [
        event
        for event in view.warnings.get(ref, ())
        if event.last_seen is None or taken - event.last_seen < WARNED_WITHIN
    ]
    return sorted(recent, key=lambda event: event.last_seen or datetime.min.replace(tzinfo=taken.tzinfo), reverse=True)


def in_one_line(text: str) -> str:
    """A text of several lines on one."""
    return " ".join(text.split())


def crashes(container: ContainerStatus) -> bool:
    """Whether it is waiting to be restarted, or is down between two restarts."""
    return container.waiting == CRASHING or (container.exit_code or 0) != 0 < container.restarts


def last_exit(container: ContainerStatus) -> str:
    """How a container ended last, with its last words: "Error: no route to host"; empty if it never ended."""
    code = f"exit code {container.exit_code}" if container.exit_code else ""
    return in_one_line(": ".join(filter(None, (container.last_exit or code, container.last_words))))


def waits_for(view: View, pod: Pod, container: ContainerStatus) -> str:
    """What a container waits for, as the kubelet says; where it only says that it pauses, as its event does."""
    said = container.waits_for
    if container.waiting in NOT_PULLED and not said.startswith(_PULL_FAILED):
        pulls = (e.message for e in recent_warnings(view, pod.ref) if e.message.startswith(_PULL_FAILED))
        said = next((message for message in pulls if not container.image or container.image in message), said)
    return in_one_line(f"{container.waiting}: {said or container.image or container.name}")


def why_not_ready(view: View, pod: Pod) -> Reason:
    """The best answer; it is never empty."""
    return next(_answers(view, pod))


def _answers(view: View, pod: Pod) -> Iterator[Reason]:
    for container in pod.containers:
        if container.waiting in NOT_PULLED or container.waiting in NOT_CREATED:
            yield Reason(text=f"container {container.name}: {waits_for(view, pod, container)}", of=pod.ref)
        elif crashes(container) and (ended := last_exit(container)):
            yield Reason(text=f"container {container.name} ended: {ended}", of=pod.ref)
    yield from _of_claims(view, pod)
    warned = recent_warnings(view, pod.ref)
    yield from (_told(event) for event in warned if event.reason not in _REPEATING)
    yield from _of_conditions(pod, "PodScheduled", "Initialized")
    yield from _of_node(view, pod)
    yield from (_told(event) for event in warned)
    for container in pod.containers:
        if not container.ready and container.last_words:
            yield Reason(text=f"container {container.name} says: {in_one_line(container.last_words)}", of=pod.ref)
    yield from _of_conditions(pod, *(condition.type for condition in pod.conditions))
    yield Reason(text=pod.reason or pod.phase or "not ready", of=pod.ref)


def _told(event: Event, about: str = "") -> Reason:
    return Reason(text=about + in_one_line(f"{event.reason}: {event.message}"), of=event.subject, event=event)


def unbound_claims(view: View, pod: Pod) -> Iterator[VolumeClaim]:
    """The claims that a pod waits for: those without a volume yet."""
    for name in pod.claims:
        claim = view.objects.get(ObjectRef.of("PersistentVolumeClaim", name, pod.namespace))
        if isinstance(claim, VolumeClaim) and claim.phase in ("Pending", "Lost"):
            yield claim


def _of_claims(view: View, pod: Pod) -> Iterator[Reason]:
    """What is wrong with a claim; without a warning about it, it may just wait for the pod to be scheduled."""
    for claim in unbound_claims(view, pod):
        yield from (_told(event, f"claim {claim.name}: ") for event in recent_warnings(view, claim.ref))
        if claim.phase == "Lost":
            yield Reason(text=f"claim {claim.name} has lost its volume", of=claim.ref)


def _of_node(view: View, pod: Pod) -> Iterator[Reason]:
    node: KubernetesObject | None = view.objects.get(ObjectRef.of("Node", pod.node)) if pod.node else None
    for condition in node.conditions if isinstance(node, Node) else ():
        if condition.type == "Ready" and condition.status != "True":
            said = in_one_line(condition.message) or condition.reason
            yield Reason(text=f"its node {pod.node} is not ready: {said}", of=ObjectRef.of("Node", pod.node))


def _of_conditions(pod: Pod, *types: str) -> Iterator[Reason]:
    """Conditions in the order of `types`; only those that are False say what is missing."""
    for wanted in types:
        for condition in pod.conditions:
            said = in_one_line(condition.message) or condition.reason
            if condition.type == wanted and condition.status == "False" and said:
                yield Reason(text=said, of=pod.ref)


def explained(view: View, pods: Sequence[Pod]) -> list[tuple[Pod, Reason]]:
    """Each pod with why it is not ready."""
    return [(pod, why_not_ready(view, pod)) for pod in pods]
