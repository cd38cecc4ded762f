"""Versions of custom resources that a step drops: stored ones, which block it, and written ones (PRE003, PRE022)."""

from collections.abc import Iterator, Sequence

from addonctl.catalog import CrdRemoval
from addonctl.findings import finding, makes
from addonctl.model import CustomResourceDefinition, Finding, ObjectRef
from addonctl.preflight.case import Case, seen

_WHOLE = "*"  # the CRD itself is removed


@makes("PRE003")
def stored(case: Case) -> Iterator[Finding]:
    """The API server rejects a CRD whose storedVersions it does not have."""
    fresh = case.facts.stored_versions or {}
    for removal, crd in _dropped(case):
        versions = fresh.get(crd.name, crd.stored_versions)
        if removal.version in versions:
            detail = (
                f"storedVersions {', '.join(versions)}; {removal.addon} {removal.removed_in} drops {removal.version}"
            )
            yield finding("PRE003", crd.ref, seen(crd, detail))


@makes("PRE022")
def written(case: Case) -> Iterator[Finding]:
    """Custom resources as they were written last."""
    resources = {(each.group, each.kind): each for each in case.view.snapshot.custom_resources}
    for crd, removals in _by_crd(case):
        found = resources.get((crd.group, crd.kind))
        if found is None:
            continue
        shown = []
        for removal in removals:
            whole = removal.version == _WHOLE
            count = found.count if whole else found.written_as.get(f"{crd.group}/{removal.version}", 0)
            how = "of a kind" if whole else f"written as {removal.version}, a version"
            detail = f"{count} objects {how} that {removal.addon} {removal.removed_in} no longer has"
            shown += [seen(crd, detail)] if count else []
        if shown:
            yield finding("PRE022", crd.ref, *shown)


def _dropped(case: Case) -> Iterator[tuple[CrdRemoval, CustomResourceDefinition]]:
    """What certainly goes in this step, of CRDs that there are."""
    versions = case.versions
    if versions is None or case.counts_by_chart:
        return
    was, to = versions
    crds: dict[ObjectRef, CustomResourceDefinition] = {crd.ref: crd for crd in case.view.snapshot.crds}
    by_name = {crd.name: crd for crd in crds.values()}
    for removal in case.catalog.kubernetes.crd_removals:
        if removal.addon != case.row.addon or removal.removed_in is None or removal.crd not in by_name:
            continue
        if was < removal.removed_in <= to:
            yield removal, by_name[removal.crd]


def _by_crd(case: Case) -> Iterator[tuple[CustomResourceDefinition, Sequence[CrdRemoval]]]:
    found: dict[str, list[CrdRemoval]] = {}
    crds = {}
    for removal, crd in _dropped(case):
        found.setdefault(crd.name, []).append(removal)
        crds[crd.name] = crd
    yield from ((crds[name], removals) for name, removals in found.items())
