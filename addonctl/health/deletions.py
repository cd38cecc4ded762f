"""Objects and namespaces that hang in deletion: who holds the finalizer, and whether that is still installed (HLT030).

Decided from deletion times, finalizers and namespaces' conditions. Called by check_health.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from addonctl.catalog import AddOn
from addonctl.findings import finding, makes
from addonctl.health.case import Scene, Told, seen, span_in_words
from addonctl.health.unready import in_one_line
from addonctl.model import (
    Action,
    AddOnRef,
    Evidence,
    Finding,
    Installation,
    InstallationRef,
    KubernetesObject,
    Namespace,
    Note,
    Subject,
)
from addonctl.remediation import install, kubectl

# What is behind a finalizer (a load balancer, a volume, an instance) is gone within minutes.
_HANGS = timedelta(minutes=10)
_SHOWN = 5
_NAMESPACE_TELLS = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceFinalizersRemaining",
    "NamespaceContentRemaining",
)


@makes("HLT030")
def hanging(scene: Scene, told: Told) -> Iterator[Finding]:
    """One finding for each add-on whose finalizers hold objects, one for each object that nobody known holds."""
    held: dict[str, list[KubernetesObject]] = {}
    holders = _Holders(scene)
    for thing in _overdue(scene):
        for addon in dict.fromkeys(filter(None, map(holders.of, thing.finalizers))):
            held.setdefault(addon, []).append(thing)
    with_objects = {thing.namespace for things in held.values() for thing in things}
    for namespace in scene.view.snapshot.namespaces:
        if namespace.name not in with_objects and _is_overdue(scene, namespace):
            for addon in dict.fromkeys(filter(None, map(holders.of, _finalizers_told(namespace)))):
                held.setdefault(addon, []).append(namespace)
    for addon, things in sorted(held.items()):
        yield _held(scene, scene.catalog.addons[addon], things, told)
    explained = {thing.namespace or thing.name for things in held.values() for thing in things}
    for namespace in scene.view.snapshot.namespaces:
        if namespace.name not in explained and _is_overdue(scene, namespace):
            yield from _namespace(scene, namespace, told)


def _overdue(scene: Scene) -> Iterator[KubernetesObject]:
    """Objects other than pods and namespaces that are held by a finalizer for longer than it takes."""
    for thing in scene.view.objects.values():
        if thing.deleting and thing.finalizers and not isinstance(thing, Namespace) and _is_overdue(scene, thing):
            yield thing


def _is_overdue(scene: Scene, thing: KubernetesObject) -> bool:
    return thing.deleted is not None and scene.now - thing.deleted > _HANGS


class _Holders:
    """Which add-on removes a finalizer, by its domain: one of its API groups, its drivers, or what the catalog says."""

    def __init__(self, scene: Scene) -> None:
        self._by_domain: dict[str, str] = {}
        for addon in scene.catalog.addons.values():
            prints = addon.fingerprints
            attachers = (f"external-attacher/{driver.replace('.', '-')}" for driver in prints.csi_drivers)
            for domain in (*prints.finalizers, *prints.crd_groups, *attachers):
                self._by_domain.setdefault(domain, addon.id)

    def of(self, finalizer: str) -> str:
        """Its add-on's id; empty for one of Kubernetes' own, or of nobody known. `a.b.io` holds `x.a.b.io/y`."""
        if finalizer in self._by_domain:
            return self._by_domain[finalizer]
        domain = finalizer.partition("/")[0]
        parts = domain.split(".")
        above = (".".join(parts[n:]) for n in range(max(len(parts) - 1, 0)))
        return next((self._by_domain[each] for each in above if each in self._by_domain), "")


def _held(scene: Scene, addon: AddOn, things: Sequence[KubernetesObject], told: Told) -> Finding:
    row = next((row for row in scene.inventory.installations if row.addon == addon.id and row.workloads), None)
    shown = [seen("deletion", thing, _how_long(scene, thing)) for thing in things[:_SHOWN]]
    if len(things) > _SHOWN:
        shown.append(Evidence(kind="deletion", subject="more", detail=f"and {len(things) - _SHOWN} more objects"))
    namespaces = {namespace.name: namespace for namespace in scene.view.snapshot.namespaces if namespace.deleting}
    for name in sorted({thing.namespace for thing in things} & namespaces.keys()):
        shown.append(seen("deletion", namespaces[name], "it is not gone before these objects are"))
    subject: Subject = InstallationRef(row.id, row.addon, "deletion") if row else AddOnRef(addon.id, part="finalizers")
    if row is None:
        gone = f"{addon.name} removes their finalizers, and is not installed any more"
        shown.append(Evidence(kind="missing", subject=addon.id, detail=gone))
    cause = next((told[ref] for ref in row.workloads if ref in told), None) if row else None
    return finding("HLT030", subject, *shown, fix=_release(scene, addon, row, things), cause=cause)


def _finalizers_told(namespace: Namespace) -> Iterator[str]:
    """Finalizers of objects in a namespace that its conditions name, where the objects themselves were not read."""
    for condition in namespace.conditions:
        if condition.type == "NamespaceFinalizersRemaining" and condition.status == "True":
            yield from (word for word in re.split(r"[\s,]+", condition.message) if "." in word)


def _how_long(scene: Scene, thing: KubernetesObject) -> str:
    since = span_in_words(scene.now - thing.deleted) if thing.deleted else "long"
    if isinstance(thing, Namespace):
        return f"in deletion for {since}; objects in it have finalizers {', '.join(_finalizers_told(thing))}"
    return f"in deletion for {since}, held by finalizer {', '.join(thing.finalizers)}"


def _release(
    scene: Scene, addon: AddOn, row: Installation | None, things: Sequence[KubernetesObject]
) -> tuple[Action, ...]:
    if row is not None:
        return (kubectl("logs", row.workloads[0], why="says what keeps it from finishing:"),)
    eks_name = addon.install.eks.name if addon.install.eks else ""
    return (
        install(addon.name, eks_name, scene.view),
        Note(
            "It removes what it made in AWS, then the finalizers. Do not delete its CRDs before: that would hang too."
        ),
    )


def _namespace(scene: Scene, namespace: Namespace, told: Told) -> Iterator[Finding]:
    """A namespace whose conditions say what is left in it, or that the API server could not ask."""
    said = {condition.type: condition for condition in namespace.conditions if condition.status == "True"}
    conditions = [said[name] for name in _NAMESPACE_TELLS if name in said]
    if not conditions:
        return
    shown = [seen("deletion", namespace, in_one_line(f"{c.reason}: {c.message}")) for c in conditions]
    named = " ".join(condition.message for condition in conditions)
    failing = [api.ref for api in scene.view.snapshot.api_services if f"{api.group}/{api.version}" in named]
    nowhere = {item.subject: item.id for item in scene.inventory.findings if item.code == "INV005"}
    cause = next((id_ for ref in failing if (id_ := nowhere.get(ref) or told.get(ref))), None)
    fix = kubectl("get", namespace.ref, "-o", "jsonpath={.status.conditions}", why="says what is left in it:")
    yield finding("HLT030", namespace.ref, *shown, fix=(fix,), cause=cause)
