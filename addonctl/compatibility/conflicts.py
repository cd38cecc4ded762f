"""Add-ons that conflict, if the cluster shows that they do.

The catalog says what conflicts and how to detect it (`ConflictSign`). Called by check_compatibility.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from addonctl import images
from addonctl.catalog import Catalog, Conflict, ConflictSign
from addonctl.findings import finding, makes
from addonctl.model import (
    ConfigMap,
    Evidence,
    Finding,
    Installation,
    Inventory,
    ObjectRef,
    Together,
    View,
    Workload,
)


@makes("CMP004")
def conflict_findings(view: View, inventory: Inventory, catalog: Catalog) -> Iterator[Finding]:
    """One finding per pair, even if the catalog entries of both name the conflict."""
    rows: dict[str, Installation] = {}
    for row in inventory.installations:
        rows.setdefault(row.addon, row)
    said: set[frozenset[str]] = set()
    for row in rows.values():
        addon = catalog.addons.get(row.addon)
        for conflict in addon.conflicts if addon else ():
            other, pair = rows.get(conflict.addon), frozenset((row.addon, conflict.addon))
            if other is None or conflict.seen is None or pair in said:
                continue
            seen = _seen(conflict.seen, _Pair(view, row, other))
            if seen:
                said.add(pair)
                yield _finding(row, other, conflict, seen)


def _finding(row: Installation, other: Installation, conflict: Conflict, seen: str) -> Finding:
    evidence = (
        Evidence(kind="conflict", subject=f"{row.id} and {other.id}", detail=seen),
        Evidence(kind="source", subject=conflict.source or "catalog", detail=conflict.why),
    )
    return finding("CMP004", Together((row.addon, other.addon)), *evidence)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two installations, of which one conflicts with the other under some condition."""

    view: View
    row: Installation
    other: Installation

    def workloads(self, row: Installation) -> list[Workload]:
        return [self.view.workloads[ref] for ref in row.workloads if ref in self.view.workloads]

    @property
    def all_workloads(self) -> list[Workload]:
        return [*self.workloads(self.row), *self.workloads(self.other)]


def _seen(sign: ConflictSign, pair: _Pair) -> str:
    """The evidence in words; empty if the conflict does not apply or cannot be detected."""
    shown = []
    if sign.setting:
        shown.append(_setting(sign, pair))
    if sign.init_image:
        shown.append(_init_image(sign.init_image, pair))
    if sign.workload:
        shown.append(_workload(sign.workload, pair))
    if sign.both_scaled:
        shown.append(_both_scaled(pair))
    if not shown:
        return f"both run: {str(pair.row.owner) or pair.row.id} and {str(pair.other.owner) or pair.other.id}"
    return "; ".join(shown) if all(shown) else ""


def _setting(sign: ConflictSign, pair: _Pair) -> str:
    namespace, name, key = sign.setting.split("/", 2)
    found = pair.view.objects.get(ObjectRef.of("ConfigMap", name, namespace))
    if not isinstance(found, ConfigMap):
        return ""
    value = found.data.get(key, "")
    if (sign.values and value not in sign.values) or value in sign.unless:
        return ""
    return f"{name} sets {key}={value}" if value else f"{name} sets no {key}"


def _init_image(path: str, pair: _Pair) -> str:
    for workload in pair.all_workloads:
        for container in workload.template.containers:
            if container.init and images.parse(container.image).path.endswith(path):
                return f"{workload.ref} runs {path} before its pods (container {container.name})"
    return ""


def _workload(part: str, pair: _Pair) -> str:
    running = (w for w in pair.all_workloads if part in w.name and w.desired)
    return next((f"{workload.ref} runs on {workload.desired} nodes" for workload in running), "")


def _both_scaled(pair: _Pair) -> str:
    counts = [sum(w.desired or 0 for w in pair.workloads(row)) for row in (pair.row, pair.other)]
    return "both have replicas, and may answer for the same pods" if all(counts) else ""
