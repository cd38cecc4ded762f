"""The troubles of the pods of one workload, computed once for all checks.

Decided from the pods, their claims and the warning events about both. Used by case.py.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from addonctl.health.unready import Reason, crashes, recent_warnings, unbound_claims, why_not_ready
from addonctl.model import NOT_CREATED, NOT_PULLED, Condition, ContainerStatus, Event, Pod, View

MOUNT_FAILURES = frozenset({"FailedMount", "FailedAttachVolume"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTroubles:
    """Containers, events and conditions, each with its pod, by what they mean; `living` are the pods considered."""

    living: tuple[Pod, ...] = ()
    crashing: tuple[tuple[Pod, ContainerStatus], ...] = ()
    not_pulled: tuple[tuple[Pod, ContainerStatus], ...] = ()
    not_created: tuple[tuple[Pod, ContainerStatus], ...] = ()
    not_mounted: tuple[tuple[Pod, Event], ...] = ()
    without_volume: tuple[tuple[Pod, Reason], ...] = ()
    unschedulable: tuple[tuple[Pod, Condition], ...] = ()

    @property
    def explain_a_shortage(self) -> bool:
        return bool(
            self.crashing
            or self.not_pulled
            or self.not_created
            or self.not_mounted
            or self.without_volume
            or self.unschedulable
        )


def troubles_of(pods: Iterable[Pod], view: View, pending_grace: timedelta) -> PodTroubles:
    """Not: evicted pods and those of a shut-down node, which remain as a record, and pods that are being deleted."""
    living = tuple(pod for pod in pods if not pod.deleting and pod.phase not in ("Failed", "Succeeded"))
    containers = [(pod, container) for pod in living for container in pod.containers]
    pending = [pod for pod in living if pod.phase == "Pending"]
    unscheduled = tuple(_unscheduled(pending, view, pending_grace))
    without_volume = {pod.ref: (pod, why_not_ready(view, pod)) for pod, _ in unscheduled if _lacks_volume(view, pod)}
    return PodTroubles(
        living=living,
        crashing=tuple((pod, each) for pod, each in containers if crashes(each)),
        not_pulled=tuple((pod, each) for pod, each in containers if each.waiting in NOT_PULLED),
        not_created=tuple((pod, each) for pod, each in containers if each.waiting in NOT_CREATED),
        not_mounted=tuple(
            (pod, event)
            for pod in pending
            for event in recent_warnings(view, pod.ref)
            if event.reason in MOUNT_FAILURES
        ),
        without_volume=tuple(without_volume.values()),
        unschedulable=tuple((pod, condition) for pod, condition in unscheduled if pod.ref not in without_volume),
    )


def _unscheduled(pending: Iterable[Pod], view: View, grace: timedelta) -> Iterator[tuple[Pod, Condition]]:
    """The pods that have waited for a node for longer than `grace`, each with the condition that says so."""
    for pod in pending:
        if pod.created is not None and view.snapshot.taken - pod.created > grace:
            yield from ((pod, c) for c in pod.conditions if (c.type, c.status) == ("PodScheduled", "False"))


# What the scheduler says of a pod that would fit, but for a volume that does not come.
_VOLUME_BINDING = ("unbound", "VolumeBinding", "binding volumes", "persistentvolumeclaim")


def _lacks_volume(view: View, pod: Pod) -> bool:
    """Whether it is a volume that keeps it from a node, not room.

    A claim that waits for its pod has no volume either; so its own warnings, or the scheduler, have to say so.
    """
    waiting = tuple(unbound_claims(view, pod))
    said = " ".join(condition.message for condition in pod.conditions)
    return bool(waiting) and (
        any(recent_warnings(view, claim.ref) for claim in waiting) or any(word in said for word in _VOLUME_BINDING)
    )
