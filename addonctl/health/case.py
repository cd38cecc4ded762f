"""The input of the health checks: an installation with everything known about it.

A `Scene` is what all installations of a cluster share; a `Case` is one installation, with the troubles of its pods
computed once. Checks are functions of a Case and of what is already known to be down; none calls another. Used by the
modules of this package.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from addonctl.catalog import AddOn, Catalog, ClusterService, KnownIssue
from addonctl.health.complaints import UNANSWERED, Complaint, complaints
from addonctl.health.known import fitting, general
from addonctl.health.pod_troubles import PodTroubles, troubles_of
from addonctl.health.symptoms import Symptoms
from addonctl.health.unready import recent_warnings
from addonctl.model import (
    ContainerStatus,
    Event,
    Evidence,
    Finding,
    Installation,
    InstallationRef,
    Inventory,
    KubernetesObject,
    ObjectHealth,
    ObjectRef,
    Pod,
    ProbeAnswer,
    View,
    Workload,
)
from addonctl.resources import group_of

# Until then, a pod may just be waiting for its image or its node; the longer one is for clusters that add nodes.
_PENDING_GRACE, _PENDING_GRACE_SCALED = timedelta(seconds=30), timedelta(minutes=3)

_YOUNG = timedelta(minutes=1)
_WARNED = "HLT017"

Told = Mapping[ObjectRef, str]
"""An object that is down → the id of the finding that says so: the cause for whatever depends on it."""


@dataclass(frozen=True)
class Scene:
    """The shared input for one cluster. `owners`: object → the id of the installation that it belongs to."""

    view: View
    catalog: Catalog
    inventory: Inventory
    owners: Mapping[ObjectRef, str]
    object_health: tuple[ObjectHealth, ...] = ()
    probes: tuple[ProbeAnswer, ...] = ()

    @property
    def now(self) -> datetime:
        """The time at which health is assessed: when the snapshot was taken."""
        return self.view.snapshot.taken

    @cached_property
    def rows(self) -> Mapping[str, Installation]:
        return {row.id: row for row in self.inventory.installations}

    def owner(self, ref: ObjectRef) -> Installation | None:
        """The installation that an object belongs to."""
        return self.rows.get(self.owners.get(ref, ""))

    @cached_property
    def owned(self) -> Mapping[str, Sequence[ObjectRef]]:
        """An installation's id → its objects."""
        found: dict[str, list[ObjectRef]] = {}
        for ref, row_id in self.owners.items():
            found.setdefault(row_id, []).append(ref)
        return found

    @cached_property
    def health_by_group(self) -> Mapping[str, Sequence[ObjectHealth]]:
        """The health of custom resources, by API group."""
        found: dict[str, list[ObjectHealth]] = {}
        for each in self.object_health:
            found.setdefault(each.ref.group, []).append(each)
        return found

    def is_young(self, thing: KubernetesObject) -> bool:
        """Whether it was created within a minute: it is on its way."""
        return thing.created is not None and self.now - thing.created < _YOUNG

    @cached_property
    def told_of_installers(self) -> frozenset[ObjectRef]:
        """The objects of Argo CD and Flux that the inventory has findings on, at the add-ons that they keep."""
        found = (item for item in self.inventory.findings if item.code == "INV008")
        return frozenset(seen.ref for item in found for seen in item.evidence if seen.ref is not None)

    @cached_property
    def pending(self) -> tuple[Pod, ...]:
        """All pods that have not started yet, whoever's they are."""
        return tuple(pod for pod in self.view.snapshot.pods if pod.phase == "Pending")

    @cached_property
    def pending_grace(self) -> timedelta:
        """How long a pod may wait for a node before it is unschedulable."""
        scalers = self.catalog.providing(ClusterService.NODE_SCALING)
        scaled = any(row.addon in scalers for row in self.inventory.installations)
        return _PENDING_GRACE_SCALED if scaled else _PENDING_GRACE

    @cached_property
    def symptoms(self) -> Symptoms:
        """The warnings on objects of others that are laid to an add-on."""
        return Symptoms(self.view, self.catalog, self.inventory.installations)

    def laid_to(self, event: Event | None, row: Installation) -> str | None:
        """The finding on the add-on that a warning about `row` is laid to; None if that is itself."""
        symptom = self.symptoms.of_event.get(event.ref) if event is not None else None
        if symptom is None or (isinstance(symptom.subject, InstallationRef) and symptom.subject.id == row.id):
            return None
        return f"{_WARNED} {symptom.subject}"

    @cached_property
    def complaints(self) -> Mapping[str, Sequence[Complaint]]:
        """The name of a webhook → who tells, in conditions or again and again in events, that it does not answer."""
        found: dict[str, list[Complaint]] = {}
        for complaint in complaints(self.view):
            for name in dict.fromkeys(UNANSWERED.findall(complaint.message)):
                found.setdefault(name, []).append(complaint)
        return found

    def warnings(self, ref: ObjectRef) -> list[Event]:
        """Warning events about an object within the last hour, the newest first."""
        return recent_warnings(self.view, ref)


@dataclass(frozen=True)
class Case:
    """One installation to check. `addon` is its catalog entry."""

    scene: Scene
    row: Installation
    addon: AddOn | None

    @property
    def view(self) -> View:
        return self.scene.view

    @property
    def now(self) -> datetime:
        return self.scene.now

    @property
    def is_system(self) -> bool:
        """Whether every cluster needs it."""
        return self.addon is not None and self.addon.system

    @property
    def crd_groups(self) -> tuple[str, ...]:
        return self.addon.fingerprints.crd_groups if self.addon else ()

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        return tuple(self.view.workloads[ref] for ref in self.row.workloads if ref in self.view.workloads)

    @cached_property
    def pods(self) -> tuple[tuple[ObjectRef, Pod], ...]:
        """Its pods, each with its workload."""
        return tuple((ref, pod) for ref in self.row.workloads for pod in self.view.pods.get(ref, ()))

    @cached_property
    def pod_names(self) -> frozenset[str]:
        return frozenset(pod.name for _, pod in self.pods)

    @cached_property
    def pod_troubles(self) -> Mapping[ObjectRef, PodTroubles]:
        """The troubles of each workload's pods; Jobs are omitted, since their pods may fail."""
        scene = self.scene
        return {
            ref: troubles_of(self.view.pods.get(ref, ()), self.view, scene.pending_grace)
            for ref in self.row.workloads
            if ref.kind not in ("Job", "CronJob")
        }

    def known(self, texts: Iterable[str], silent: Iterable[ContainerStatus] = ()) -> list[KnownIssue]:
        """The known issues of its version that fit what is said, or what ends without a word."""
        return fitting(self.addon, self.row.version, texts, silent)

    def known_crash(
        self, containers: Sequence[ContainerStatus], silent: Iterable[ContainerStatus] = ()
    ) -> list[KnownIssue]:
        """The same by the last words of containers; else what ends those of any add-on."""
        said = [each.last_words for each in containers]
        return self.known(said, silent) or general(self.scene.catalog.kubernetes, said)

    @property
    def owned_refs(self) -> Sequence[ObjectRef]:
        return self.scene.owned.get(self.row.id, ())

    def owned(self, *kinds: str) -> list[ObjectRef]:
        """Its objects of some kinds of the table in resources.py."""
        return [ref for ref in self.owned_refs if ref.kind in kinds and ref.group == group_of(ref.kind)]

    @property
    def probes(self) -> list[ProbeAnswer]:
        """The results of its probes."""
        return [probe for probe in self.scene.probes if probe.addon == self.row.addon]


Check = Callable[[Case, Told], Iterable[Finding]]


def seen(kind: str, thing: KubernetesObject | ObjectRef, detail: str) -> Evidence:
    """An observation of an object."""
    ref = thing if isinstance(thing, ObjectRef) else thing.ref
    return Evidence(kind=kind, subject=str(ref), detail=detail, ref=ref)


def seen_pod(pod: Pod, detail: str) -> Evidence:
    """An observation of a pod, labelled NAMESPACE/NAME."""
    return Evidence(kind="pod", subject=f"{pod.namespace}/{pod.name}", detail=detail, ref=pod.ref)


def seen_event(event: Event) -> Evidence:
    """An event's reason and message, and how often it occurred."""
    return seen("event", event.subject, f"{event.reason} ×{event.count}: {event.message}")


def span_in_words(span: timedelta) -> str:
    """A span of time in the largest unit of which it has two or more: 45 s, 5 min, 7 h, 3 d."""
    seconds = int(span.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def labels_in_words(labels: Mapping[str, str]) -> str:
    """Labels in kubectl's selector syntax."""
    return ",".join(f"{key}={value}" for key, value in labels.items())
