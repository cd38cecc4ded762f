"""Who tells that the API server got no answer: conditions of what makes pods, and warnings that come again and again.

Decided from a View. Used by case.py, for webhooks whose pods are ready and that still do not answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from addonctl.health.reaching import is_unanswered
from addonctl.model import Event, ObjectRef, Revision, View, Workload

UNANSWERED = re.compile(r'failed calling webhook "([^"]{1,253})"')
"""What the API server answers where a webhook that fails closed gave no answer."""
# One call that fails while a pod is replaced is no fault; a controller that meets one tries again at once.
_TIMES, _WITHIN = 3, timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What an object tells of a call without an answer."""

    subject: ObjectRef
    message: str


def complaints(view: View) -> Iterator[Complaint]:
    """All of them, the conditions first: those are true at the time of the snapshot."""
    makers: tuple[Workload | Revision, ...] = (*view.snapshot.workloads, *view.snapshot.revisions)
    for maker in makers:
        for condition in maker.conditions:
            if (condition.type, condition.status) == ("ReplicaFailure", "True") and is_unanswered(condition.message):
                yield Complaint(subject=maker.ref, message=condition.message)
    for event in view.snapshot.events:
        if is_unanswered(event.message) and _insists(view, event):
            yield Complaint(subject=event.subject, message=event.message)


def _insists(view: View, event: Event) -> bool:
    late = event.last_seen is not None and view.snapshot.taken - event.last_seen > _WITHIN
    return event.count >= _TIMES and not late
