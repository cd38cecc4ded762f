"""The troubles of the pods of one workload, computed once for all checks.

Decided from the pods and the warning events about them. Used by case.py.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from addonctl.model import CRASHING, NOT_CREATED, NOT_PULLED, Condition, ContainerStatus, Event, ObjectRef, Pod

MOUNT_FAILURES = frozenset({"FailedMount", "FailedAttachVolume"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTroubles:
    """Containers, events and conditions, each with its pod, by what they mean; `living` are the pods considered."""

    living: tuple[Pod, ...] = ()
    crashing: tuple[tuple[Pod, ContainerStatus], ...] = ()
    not_pulled: tuple[tuple[Pod, ContainerStatus], ...] = ()
    not_created: tuple[tuple[Pod, ContainerStatus], ...] = ()
    not_mounted: tuple[tuple[Pod, Event], ...] = ()
    unschedulable: tuple[tuple[Pod, Condition], ...] = ()

    @property
    def explain_a_shortage(self) -> bool:
        return bool(self.crashing or self.not_pulled or self.not_created or self.not_mounted or self.unschedulable)


def troubles_of(
    pods: Iterable[Pod], now: datetime, pending_grace: timedelta, warnings: Callable[[ObjectRef], Iterable[Event]]
) -> PodTroubles:
    """Not: evicted pods and those of a shut-down node, which remain as a record, and pods that are being deleted."""
    living = tuple(pod for pod in pods if not pod.deleting and pod.phase not in ("Failed", "Succeeded"))
    containers = [(pod, container) for pod in living for container in pod.containers]
    pending = [pod for pod in living if pod.phase == "Pending"]
    return PodTroubles(
        living=living,
        crashing=tuple((pod, each) for pod, each in containers if _crashes(each)),
        not_pulled=tuple((pod, each) for pod, each in containers if each.waiting in NOT_PULLED),
        not_created=tuple((pod, each) for pod, each in containers if each.waiting in NOT_CREATED),
        not_mounted=tuple(
            (pod, event) for pod in pending for event in warnings(pod.ref) if event.reason in MOUNT_FAILURES
        ),
        unschedulable=tuple(
            (pod, condition)
            for pod in pending
            if pod.created is not None and now - pod.created > pending_grace
            for condition in pod.conditions
            if (condition.type, condition.status) == ("PodScheduled", "False")
        ),
    )


def _crashes(container: ContainerStatus) -> bool:
    """Whether it is waiting to be restarted, or is down between two restarts."""
    return container.waiting == CRASHING or (container.exit_code or 0) != 0 < container.restarts
