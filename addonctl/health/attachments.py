"""Volumes that cannot be attached, or stay attached to nodes that are gone (HLT029).

Kubernetes detaches from a node that is gone by itself after six minutes, unless the driver fails. Decided from
VolumeAttachments, nodes and pods that wait. Called by check_health.
"""

from collections.abc import Iterator
from datetime import timedelta

from addonctl.findings import finding, makes
from addonctl.health.case import Scene, Told, seen
from addonctl.health.known import fitting, remedies
from addonctl.health.known import shown as known_issues
from addonctl.health.unready import in_one_line
from addonctl.model import (
    Action,
    AddOnRef,
    Evidence,
    Finding,
    InstallationRef,
    Note,
    ObjectRef,
    Severity,
    Subject,
    VolumeAttachment,
)
from addonctl.remediation import kubectl

# The attach-detach controller's own limit is six minutes.
_DETACHES = timedelta(minutes=10)
_SHOWN = 5


@makes("HLT029")
def attachments(scene: Scene, told: Told) -> Iterator[Finding]:
    """One finding for each driver."""
    by_driver: dict[str, list[tuple[VolumeAttachment, str, bool]]] = {}
    nodes = {node.name for node in scene.view.snapshot.nodes}
    wanted = {pod.namespace + "/" + name for pod in scene.view.snapshot.pods if not pod.ready for name in pod.claims}
    for each in scene.view.snapshot.volume_attachments:
        why = _trouble(scene, each, nodes)
        if why:
            by_driver.setdefault(each.attacher, []).append((each, why, _claim(scene, each) in wanted))
    for driver, found in sorted(by_driver.items()):
        yield _of_driver(scene, driver, found)


def _trouble(scene: Scene, each: VolumeAttachment, nodes: set[str]) -> str:
    """What is wrong with an attachment, in words; empty if nothing is, or it may just be under way."""
    young = each.created is not None and scene.now - each.created < _DETACHES
    if nodes and each.node not in nodes and scene.view.gap("nodes") is None and not young:
        return f"its node {each.node} is gone"
    if each.detach_error:
        return in_one_line(f"it cannot be detached from {each.node}: {each.detach_error}")
    return in_one_line(f"it cannot be attached to {each.node}: {each.attach_error}") if each.attach_error else ""


def _claim(scene: Scene, each: VolumeAttachment) -> str:
    volume = scene.view.volumes.get(each.volume)
    return f"{volume.claim.namespace}/{volume.claim.name}" if volume is not None and volume.claim else ""


def _of_driver(scene: Scene, driver: str, found: list[tuple[VolumeAttachment, str, bool]]) -> Finding:
    addon = next((a for a in scene.catalog.addons.values() if driver in a.fingerprints.csi_drivers), None)
    row = next((row for row in scene.inventory.installations if addon and row.addon == addon.id), None)
    subject: Subject = found[0][0].ref
    if row is not None:
        subject = InstallationRef(row.id, row.addon, topic="attachments")
    elif addon is not None:
        subject = AddOnRef(addon.id, part="attachments")
    issues = fitting(addon, row.version if row else None, (why for _, why, _ in found))
    some_wait = any(waits for *_, waits in found)
    return finding(
        "HLT029",
        subject,
        *_shown(found),
        *known_issues(addon, issues),
        fix=(*remedies(issues), *_detach(found)),
        severity=Severity.REQUIRED if some_wait else None,
    )


def _shown(found: list[tuple[VolumeAttachment, str, bool]]) -> Iterator[Evidence]:
    for each, why, waits in found[:_SHOWN]:
        volume = ObjectRef.of("PersistentVolume", each.volume)
        yield seen("attachment", each, f"{volume}: {why}" + ("; a pod waits for it" if waits else ""))
    if len(found) > _SHOWN:
        yield Evidence(kind="attachment", subject="more", detail=f"and {len(found) - _SHOWN} more")


def _detach(found: list[tuple[VolumeAttachment, str, bool]]) -> tuple[Action, ...]:
    gone = [each for each, why, _ in found if why.endswith("is gone")]
    if not gone:
        return (kubectl("describe", found[0][0].ref),)
    return (
        Note("Make sure that the instance is terminated: a volume in use would be taken from it."),
        *(kubectl("delete", each.ref) for each in gone[:_SHOWN]),
    )
