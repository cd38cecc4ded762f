"""Defaults of which there may be one: StorageClass, IngressClass, snapshot class, backup location (HLT031).

With two, the newer one wins, or a request is refused. Decided from a View. Called by check_health.
"""

from collections.abc import Iterator, Sequence

from addonctl.findings import finding, makes
from addonctl.health.case import Scene, Told, seen
from addonctl.model import Action, Finding, KubernetesObject, Together
from addonctl.remediation import change_of, kubectl

_INGRESS_CLASS = "ingressclass.kubernetes.io/is-default-class"
_SNAPSHOT_CLASS = "snapshot.storage.kubernetes.io/is-default-class"
_STORAGE_CLASS = "storageclass.kubernetes.io/is-default-class"
_DEFAULT = "spec.default"
_KINDS_WITH_ONE = (("velero.io", "BackupStorageLocation"),)


@makes("HLT031")
def two_defaults(scene: Scene, told: Told) -> Iterator[Finding]:
    """One finding for each set of defaults that exclude each other."""
    for things, key in _defaults(scene):
        if len(things) > 1:
            names = " and ".join(thing.name for thing in things)
            detail = f"it is marked as the default, as are {len(things)} in all: {names}"
            shown = [seen("default", thing, detail) for thing in things]
            yield finding(
                "HLT031", Together(tuple(str(thing.ref) for thing in things)), *shown, fix=_unset(scene, things, key)
            )


def _unset(scene: Scene, things: Sequence[KubernetesObject], key: str) -> Iterator[Action]:
    """Keeps the newest, which wins anyhow."""
    keeps, *others = sorted(things, key=lambda thing: (thing.created is None, thing.created), reverse=True)
    for other in others:
        row = scene.owner(other.ref)
        why = f"if {keeps.name} is to be the default:"
        by_hand = kubectl("annotate", other.ref, f"{key}-", why=why)
        if key == _DEFAULT:
            by_hand = kubectl("patch", other.ref, "--type=merge", "-p", '{"spec":{"default":false}}', why=why)
        yield from change_of(row.owner if row else None, by_hand, f"{other.ref} is not marked as the default")


def _defaults(scene: Scene) -> Iterator[tuple[Sequence[KubernetesObject], str]]:
    """Objects marked as the default for the same thing, and what marks them."""
    taken = scene.view.snapshot
    yield [each for each in taken.storage_classes if each.is_default], _STORAGE_CLASS
    yield [each for each in taken.ingress_classes if each.annotations.get(_INGRESS_CLASS) == "true"], _INGRESS_CLASS
    by_driver: dict[str, list[KubernetesObject]] = {}
    for each in taken.volume_snapshot_classes:
        if each.annotations.get(_SNAPSHOT_CLASS) == "true":
            by_driver.setdefault(each.driver, []).append(each)
    yield from ((found, _SNAPSHOT_CLASS) for found in by_driver.values())
    by_kind: dict[tuple[str, str, str], list[KubernetesObject]] = {}
    for other in taken.others:
        if (other.group, other.kind) in _KINDS_WITH_ONE and other.fields.get(_DEFAULT) == "true":
            by_kind.setdefault((other.group, other.kind, other.namespace), []).append(other)
    yield from ((found, _DEFAULT) for found in by_kind.values())
