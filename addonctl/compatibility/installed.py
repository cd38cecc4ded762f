"""Whether each installation supports the Kubernetes minors in question, and how to update it if it does not.

Decided from the catalog; by the name of the EKS add-on if EKS manages the installation. Called by check_compatibility.
"""

from collections.abc import Iterator

from addonctl.catalog import Answer, Catalog, Cell, EksAddonVersions
from addonctl.compatibility.support import KubernetesStatus
from addonctl.findings import finding, makes
from addonctl.model import (
    Action,
    Evidence,
    Finding,
    Installation,
    InstallationRef,
    Note,
    View,
    owners,
)
from addonctl.remediation import eks_addon, to_a_version, update_addon
from addonctl.versions import Minor, Version


def cells_of(row: Installation, catalog: Catalog, status: KubernetesStatus) -> tuple[Cell, ...]:
    """One answer per minor."""
    return tuple(_cell(row, catalog, minor) for minor in status.minors)


def _cell(row: Installation, catalog: Catalog, minor: Minor) -> Cell:
    if isinstance(row.owner, owners.AwsManaged):
        return _say(row, minor, Answer.YES, "AWS runs it and keeps it in step with the cluster.")
    if row.destination:
        return _say(
            row, minor, Answer.UNKNOWN, f"It is declared for {row.destination}, whose Kubernetes is not known here."
        )
    if row.version is None:
        return _say(row, minor, Answer.UNKNOWN, f"Its version is unknown: {row.version_unknown_reason}.")
    name = _known_as(row, catalog)
    if not name:
        return _say(row, minor, Answer.UNKNOWN, f"AWS's table of {catalog.eks.as_of} has no add-on {row.addon}.")
    return catalog.check(name, row.version, minor)


def _known_as(row: Installation, catalog: Catalog) -> str:
    """The name to look up in the catalog: that of the EKS add-on, which may be a variant; empty if there is none."""
    names = (row.eks_addon, row.addon)
    return next((name for name in names if name and (catalog.find(name) or catalog.eks_name(name))), "")


def _say(row: Installation, minor: Minor, answer: Answer, reason: str) -> Cell:
    return Cell(addon=row.addon, version=row.version, kubernetes=minor, answer=answer, reason=reason)


@makes("EKS001", "EKS002", "CMP001", "CMP002")
def version_findings(
    row: Installation, cells: tuple[Cell, ...], view: View, catalog: Catalog, status: KubernetesStatus
) -> Iterator[Finding]:
    """The first minor that an installation does not support; later ones are not reported."""
    cell, now = _refused(row, cells, catalog, status)
    if cell is None or cell.kubernetes is None:
        return
    listed = isinstance(row.owner, owners.EksAddon)
    code = ("EKS001" if listed else "CMP001") if now else ("EKS002" if listed else "CMP002")
    evidence = Evidence(kind="compatibility", subject=f"as of {cell.as_of}", detail=cell.reason)
    fix = update_fix(row, view, catalog, cell.kubernetes)
    yield finding(code, InstallationRef(row.id, row.addon), evidence, fix=fix)


def _refused(
    row: Installation, cells: tuple[Cell, ...], catalog: Catalog, status: KubernetesStatus
) -> tuple[Cell | None, bool]:
    """The first answer that is no, and whether it holds for every possible running Kubernetes."""
    if status.running is not None:
        cell = next((cell for cell in cells if cell.answer is Answer.NO), None)
        return cell, cell is cells[0]
    if cells[-1].answer is not Answer.NO:
        return None, False  # too new for the oldest possible one, which may not be the running one
    between = (_cell(row, catalog, minor) for minor in status.oldest.up_to(status.newest))
    return cells[-1], all(cell.answer is Answer.NO for cell in (cells[0], *between))


# ── How to update ───────────────────────────────────────────────────────────────────────────────────────────────────


def update_fix(row: Installation, view: View, catalog: Catalog, minor: Minor) -> tuple[Action, ...]:
    """How to update an installation to a version for Kubernetes `minor`, in its installer's terms."""
    eks_name = row.eks_addon or catalog.eks_name(row.addon) or ""
    listed = catalog.eks.addons.get(eks_name)
    goal = _goal(listed, minor)
    wanted = f"that supports Kubernetes {minor}"
    published = catalog.published_for(row.addon, minor)
    wanted += f" (EKS offers {goal} for it)" if goal else f" ({published} does)" if published else ""
    if isinstance(row.owner, owners.EksAddon) and goal is not None and listed is not None:
        return _eks_update(row, row.owner.name, goal, _first_stop(row, listed, goal, catalog, minor), view)
    return to_a_version(row, wanted)


def _eks_update(row: Installation, name: str, goal: Version, first: Version, view: View) -> tuple[Action, ...]:
    eks = view.snapshot.eks
    update = update_addon(view.snapshot.cluster.eks_name, name, str(first), eks_addon(row, eks.addons) if eks else None)
    return (update,) if first == goal else (update, Note(f"Then one minor at a time to {goal}."))


def _goal(listed: EksAddonVersions | None, minor: Minor) -> Version | None:
    """EKS's default version for a minor, or else the newest that it offers for it; None if there is none."""
    return listed.preferred(listed.offered(minor), minor) if listed else None


def _first_stop(row: Installation, listed: EksAddonVersions, goal: Version, catalog: Catalog, minor: Minor) -> Version:
    """The version to update to first: not the goal if the add-on must be updated one minor at a time."""
    addon, now = catalog.find(row.addon), row.version
    if addon is None or now is None or not addon.one_minor_at_a_time:
        return goal
    following = (now.minor[0], now.minor[1] + 1)
    if goal.minor <= following:
        return goal
    return max((version for version in listed.offered(minor) if version.minor == following), default=goal)
