"""Whose fault a warning on somebody else's object is: that of the add-on that reports it, or that its words name.

A pod that gets no address, a claim that no volume comes for, an Ingress without a load balancer: where the add-on that
they wait for is healthy by its own pods, nothing else tells of its fault. Decided from the warnings of a View, what the
Catalog knows of each add-on, and whether what was warned about still waits. Used by case.py.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from addonctl.catalog import AddOn, Catalog
from addonctl.health.reaching import is_unanswered
from addonctl.health.unready import WARNED_WITHIN
from addonctl.model import (
    AddOnRef,
    Autoscaler,
    Event,
    Ingress,
    Installation,
    InstallationRef,
    ObjectRef,
    Pod,
    Service,
    View,
    VolumeClaim,
)

_VOLUME_FAILURES = frozenset({"FailedAttachVolume", "FailedMount", "FailedMapVolume"})
# A component adds its pod's name or its instance to its own.
_ENDS_NAME = re.compile(r"[_/ ]")
_GATES = "ReadinessGatesNotReady"
# What was warned about only once may work the second time; so may all that began this recently.
_TIMES, _GRACE = 3, timedelta(minutes=3)
_MENDED: Mapping[type, Callable[..., bool]] = {
    Pod: lambda it: it.ready or it.deleting or it.phase in ("Succeeded", "Failed"),
    VolumeClaim: lambda it: it.phase == "Bound" or it.deleting,
    Autoscaler: lambda it: not any(c.type == "ScalingActive" and c.status == "False" for c in it.conditions),
}
"""Kinds of which a status says whether they still wait for something."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """Warnings of one reason that are laid to one add-on; `severe`: some of what they are about still waits."""

    subject: InstallationRef | AddOnRef
    events: tuple[Event, ...]
    severe: bool


@dataclass(frozen=True)
class Symptoms:
    """All warnings on objects that are laid to an add-on, installed or not."""

    view: View
    catalog: Catalog
    rows: Sequence[Installation]

    @cached_property
    def all(self) -> tuple[Symptom, ...]:
        """One for each add-on and reason."""
        found: dict[tuple[str, str], list[tuple[Event, bool]]] = {}
        for event in (*self.view.snapshot.events, *self._conditions()):
            addon = self._whose(event)
            waits = self._waits(event) if addon else False
            if waits or (waits is None and event.count >= _TIMES):
                found.setdefault((addon, event.reason), []).append((event, bool(waits)))
        return tuple(
            Symptom(self._subject(addon, reason), tuple(event for event, _ in seen), any(waits for _, waits in seen))
            for (addon, reason), seen in sorted(found.items())
        )

    @cached_property
    def of_event(self) -> Mapping[ObjectRef, Symptom]:
        """A warning → the symptom that it is one of."""
        return {event.ref: symptom for symptom in self.all for event in symptom.events}

    @cached_property
    def of_row(self) -> Mapping[str, Sequence[Symptom]]:
        """The id of an installation → its symptoms; those of add-ons that are not installed are under no id."""
        found: dict[str, list[Symptom]] = {}
        for symptom in self.all:
            found.setdefault(symptom.subject.id if isinstance(symptom.subject, InstallationRef) else "", []).append(
                symptom
            )
        return found

    def _subject(self, addon: str, reason: str) -> InstallationRef | AddOnRef:
        row = self._installed.get(addon)
        return InstallationRef(row.id, addon, topic=reason) if row else AddOnRef(addon, part=reason)

    @cached_property
    def _installed(self) -> Mapping[str, Installation]:
        return {row.addon: row for row in reversed(self.rows)}

    def _conditions(self) -> Iterator[Event]:
        """Conditions of pods that are not ready, as warnings: a readiness gate names what it waits for."""
        for pod in self.view.snapshot.pods:
            for condition in () if pod.ready or pod.phase != "Running" else pod.conditions:
                if condition.reason == _GATES and condition.status == "False":
                    yield Event(
                        name=f"{pod.name}.{condition.type}",
                        namespace=pod.namespace,
                        subject=pod.ref,
                        reason=_GATES,
                        message=condition.message,
                        first_seen=condition.changed,
                    )

    # ── Whose it is ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _whose(self, event: Event) -> str:
        """The id of the add-on that a warning is laid to; empty if it is laid to none, or does not count any more."""
        if not self._is_recent(event) or is_unanswered(event.message):
            return ""
        parts = _ENDS_NAME.split(event.reporter)
        reported = next((self._reporters[part] for part in parts if part in self._reporters), None)
        if reported is not None:
            return "" if event.reason in reported.symptoms.harmless else reported.id
        named = next((addon for word, addon in self._words if word in event.message), "")
        return named or self._of_volume(event)

    def _of_volume(self, event: Event) -> str:
        """The add-on behind a volume of a pod that a warning names; what attaches volumes does not name the driver."""
        pod = self._pods.get(event.subject)
        if pod is None or event.reason not in _VOLUME_FAILURES:
            return ""
        for name in pod.claims:
            claim = self.view.objects.get(ObjectRef.of("PersistentVolumeClaim", name, pod.namespace))
            volume = self.view.volumes.get(claim.volume) if isinstance(claim, VolumeClaim) else None
            if volume is not None and volume.name in event.message and volume.driver in self._reporters:
                return self._reporters[volume.driver].id
        return ""

    def _is_recent(self, event: Event) -> bool:
        return event.last_seen is None or self.view.snapshot.taken - event.last_seen < WARNED_WITHIN

    @cached_property
    def _reporters(self) -> Mapping[str, AddOn]:
        addons = self.catalog.addons.values()
        return {
            name: addon for addon in addons for name in (*addon.symptoms.reporters, *addon.fingerprints.csi_drivers)
        }

    @cached_property
    def _words(self) -> Sequence[tuple[str, str]]:
        """The longest first: a name may be part of a longer one."""
        named = (
            (word, addon.id)
            for addon in self.catalog.addons.values()
            for word in (*addon.symptoms.words, *addon.fingerprints.csi_drivers)
        )
        return sorted(named, key=lambda pair: -len(pair[0]))

    # ── Whether it still hurts ──────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _pods(self) -> Mapping[ObjectRef, Pod]:
        return {pod.ref: pod for pod in self.view.snapshot.pods}

    def _waits(self, event: Event) -> bool | None:
        """Whether what a warning is about still waits for what failed; None if nothing shows it."""
        thing = self._pods.get(event.subject) or self.view.objects.get(event.subject)
        mended = _MENDED.get(type(thing))
        if thing is not None and mended is not None:
            young = thing.created is not None and self.view.snapshot.taken - thing.created < _GRACE
            return not mended(thing) and not (young and event.count < _TIMES)
        if isinstance(thing, Ingress | Service):
            return None if thing.load_balancers else True
        was_read = event.subject.kind in ("Pod", "PersistentVolumeClaim") and self._kind_was_read(event.subject.kind)
        return False if thing is None and was_read else None

    def _kind_was_read(self, kind: str) -> bool:
        return self.view.gap("pods" if kind == "Pod" else "volume_claims") is None


def objects_in_short(refs: Iterable[ObjectRef]) -> str:
    """How many objects of which kinds: "12 Pods, 1 PersistentVolumeClaim"; one by its name."""
    distinct = list(dict.fromkeys(refs))
    if len(distinct) == 1:
        return str(distinct[0])
    counts: dict[str, int] = {}
    for ref in distinct:
        counts[ref.kind] = counts.get(ref.kind, 0) + 1
    return ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items())
