"""Workloads of add-ons that stand in several files with other images each: the files are of several clusters (INV009).

Decided from where the objects of a row stand. Called by the inventory.
"""

from collections.abc import Iterable, Iterator

from addonctl.findings import finding, makes
from addonctl.inventory.rows import Row
from addonctl.model import Evidence, Finding, InstallationRef, ObjectRef, View, Workload


@makes("INV009")
def several_contents(rows: Iterable[Row], view: View) -> Iterator[Finding]:
    """One finding an installation, with each place and what stands there."""
    standing: dict[ObjectRef, list[Workload]] = {}
    for workload in view.snapshot.workloads if view.places else ():
        standing.setdefault(workload.ref, []).append(workload)
    for row in rows:
        shown = [each for ref in row.installation.workloads for each in _differing(standing.get(ref, ()))]
        if shown:
            yield finding("INV009", InstallationRef(row.installation.id, row.installation.addon), *map(_seen, shown))


def _differing(found: Iterable[Workload]) -> list[Workload]:
    """One workload of each content, if there are several in several files; an object is live once only."""
    of: dict[tuple[str, ...], Workload] = {}
    for workload in found:
        of.setdefault(_images(workload), workload)
    files = {each.place and (each.place.file, each.place.member) for each in of.values()}
    return list(of.values()) if len(of) > 1 and len(files) > 1 else []


def _images(workload: Workload) -> tuple[str, ...]:
    return tuple(container.image for container in workload.template.containers)


def _seen(workload: Workload) -> Evidence:
    return Evidence(kind="file", subject=str(workload.place), detail=", ".join(_images(workload)), ref=workload.ref)
