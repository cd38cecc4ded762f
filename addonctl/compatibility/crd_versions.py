"""CRD versions that block an update: stored versions that a CRD is to drop, and custom resources in dropped versions.
And custom resources in files whose version the installed release of their add-on has dropped already.

Called by check_compatibility.
"""

from collections.abc import Iterator, Mapping

from addonctl.catalog import Catalog, CrdRemoval, plural
from addonctl.findings import finding, makes
from addonctl.model import (
    AddOnRef,
    CommandLine,
    CustomResourceDefinition,
    CustomResources,
    Evidence,
    Finding,
    Installation,
    Inventory,
    Note,
    OtherObject,
    Patch,
    Severity,
    View,
)
from addonctl.versions import Version


@makes("CRD001", "CRD002")
def crd_findings(view: View, inventory: Inventory, catalog: Catalog) -> Iterator[Finding]:
    """Stored versions that block an update of the CRD, and custom resources in versions that are dropped."""
    installed = {row.addon: row.version for row in inventory.installations}
    written = {(each.group, each.kind): each for each in view.snapshot.custom_resources}
    ends: dict[str, list[CrdRemoval]] = {}
    for removal in catalog.kubernetes.crd_removals:
        ends.setdefault(removal.crd, []).append(removal)
    for crd in view.snapshot.crds:
        yield from _stale_stored(crd)
        resources = written.get((crd.group, crd.kind))
        for removal in ends.get(crd.name, ()):
            count = _written_so(removal, resources) if resources else 0
            if count and _still_ahead(removal, installed):
                yield _ending(crd, removal, count)


@makes("CRD003")
def unserved(view: View, inventory: Inventory, catalog: Catalog) -> Iterator[Finding]:
    """Custom resources in files, written in versions that the installed release of their add-on does not serve.

    Those of a live cluster were converted: who wrote one in which version is history there.
    """
    written: dict[tuple[str, str], list[OtherObject]] = {}
    for item in view.snapshot.others:
        if any(applier.operation == "File" for applier in item.appliers):
            for version in (item.api_version.rpartition("/")[2], _WHOLE):
                written.setdefault((f"{plural(item.kind)}.{item.group}", version), []).append(item)
    for row in inventory.installations:
        for removal in catalog.kubernetes.crd_removals:
            found = written.get((removal.crd, removal.version), ()) if removal.addon == row.addon else ()
            dropped = removal.removed_in is not None and row.version is not None
            if found and dropped and not _still_ahead(removal, {row.addon: row.version}):
                shown = (_too_old(each, row, removal) for each in found)
                what = found[0].kind if removal.version == _WHOLE else f"{found[0].kind} in {removal.version}"
                yield finding("CRD003", AddOnRef(row.addon, part=what), *shown)


def _too_old(item: OtherObject, row: Installation, removal: CrdRemoval) -> Evidence:
    last = f", the last that served it was {removal.last_present_in}" if removal.last_present_in else ""
    detail = f"{item.api_version} is not served by {row.addon} {row.version}{last}"
    return Evidence(kind="file", subject=str(item.ref), detail=detail, ref=item.ref)


_WHOLE = "*"  # the CRD itself is removed


def _written_so(removal: CrdRemoval, resources: CustomResources) -> int:
    """How many custom resources a removal affects."""
    if removal.version == _WHOLE:
        return resources.count
    return resources.written_as.get(f"{resources.group}/{removal.version}", 0)


def _storage(crd: CustomResourceDefinition) -> str:
    return next((version.name for version in crd.versions if version.storage), "")


def _stale_stored(crd: CustomResourceDefinition) -> Iterator[Finding]:
    storage = _storage(crd)
    stale = [name for name in crd.stored_versions if name != storage]
    if not stale or not storage:
        return
    served = {version.name for version in crd.versions if version.served}
    unserved = [name for name in stale if name not in served]
    detail = f"storedVersions {', '.join(crd.stored_versions)}; new objects are stored as {storage}"
    if unserved:
        detail += f"; {', '.join(unserved)} is not served any more"
    evidence = Evidence(kind="crd", subject=crd.name, detail=detail, ref=crd.ref)
    rewrite = CommandLine(
        ("kubectl", "get", crd.name, "-A", "-o", "json"),
        pipe=(("kubectl", "replace", "-f", "-"),),
        why=f"writes each object as {storage}:",
    )
    body = {"status": {"storedVersions": [storage]}}
    patch = Patch(target=crd.ref, body=body, subresource="status", why="then, once none is left in the old version:")
    severity = Severity.REQUIRED if unserved else None
    yield finding("CRD001", crd.ref, evidence, fix=(rewrite, patch), severity=severity)


def _still_ahead(removal: CrdRemoval, installed: Mapping[str, Version | None]) -> bool:
    """Whether the installed release still serves the version; one that does not has converted its objects."""
    if removal.addon not in installed or removal.removed_in is None:
        return False
    has, last = installed[removal.addon], removal.last_present_in
    return has is None or not ((last is not None and has > last) or has >= removal.removed_in)


def _ending(crd: CustomResourceDefinition, removal: CrdRemoval, count: int) -> Finding:
    """Custom resources written with a version that a newer release of their add-on does not serve."""
    whole = removal.version == _WHOLE
    what = "of a kind that" if whole else f"written as {removal.version}, which"
    objects = "1 object is" if count == 1 else f"{count} objects are"
    detail = f"{objects} {what} {removal.addon} {removal.removed_in} drops"
    stays = f"Write them in version {_storage(crd)} before the update: manifests, charts and Git alike."
    gone = "Move to what replaces this kind before the update; its release notes say how."
    evidence = Evidence(kind="crd", subject=crd.name, detail=detail, ref=crd.ref)
    return finding("CRD002", crd.ref, evidence, fix=(Note(gone if whole else stays),))
