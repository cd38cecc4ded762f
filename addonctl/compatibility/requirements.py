"""Add-ons whose requirements are not installed, by the catalog. Called by check_compatibility."""

from collections.abc import Iterator

from addonctl.catalog import Catalog, ClusterService, Requirement
from addonctl.findings import finding, makes
from addonctl.model import (
    AddOnRef,
    CreateAddon,
    Evidence,
    Finding,
    Installation,
    InstallationRef,
    Inventory,
    Note,
    ObjectRef,
    View,
)

# Pod Identity associations named in a finding; there may be one for every ServiceAccount.
_NAMED = 5


@makes("CMP003")
def requirement_findings(view: View, inventory: Inventory, catalog: Catalog) -> Iterator[Finding]:
    """Add-ons whose requirements are not installed; only decided if all workloads were read."""
    if view.gap("workloads") is not None or not view.is_whole:
        return  # a file does not show what else runs
    present = {row.addon for row in inventory.installations}
    # Scaled to zero, its state does not show whether something is missing.
    workloads = view.snapshot.workloads
    running = {w.ref for w in workloads if (w.desired and w.available) or w.desired == 0}
    for row in inventory.installations:
        addon = catalog.addons.get(row.addon)
        for need in addon.requires if addon else ():
            if need.hard and need.addon and not _met(need, row, present, running, view, catalog):
                yield _missing(need, row)
    yield from _identity_without_agent(view, present, catalog)


def _met(
    need: Requirement, row: Installation, present: set[str], running: set[ObjectRef], view: View, catalog: Catalog
) -> bool:
    """Whether an add-on that satisfies it is installed, or its API is served by anything, or its dependent works."""
    if present & {need.addon, *need.alternatives}:
        return True
    if need.proven_by_running and running & set(row.workloads):
        return True
    served = (ObjectRef.of("APIService", name) for name in catalog.addons[need.addon].fingerprints.api_services)
    return any(ref in view.objects for ref in served)


def _missing(need: Requirement, row: Installation) -> Finding:
    options = " or ".join((need.addon, *need.alternatives))
    evidence = Evidence(kind="requirement", subject=row.id, detail=f"needs {need.text}; found no {options}")
    fix = (Note(f"Install {options}, or an equivalent."),)
    return finding("CMP003", InstallationRef(row.id, row.addon), evidence, fix=fix)


def _identity_without_agent(view: View, present: set[str], catalog: Catalog) -> Iterator[Finding]:
    """Pod Identity associations whose pods get no credentials, since the agent that provides them does not run."""
    eks, agents = view.snapshot.eks, catalog.providing(ClusterService.POD_IDENTITY)
    if eks is None or not eks.pod_identities or not agents or present & set(agents):
        return
    named = [f"{each.namespace}/{each.service_account}" for each in eks.pod_identities[:_NAMED]]
    more = len(eks.pod_identities) - len(named)
    detail = "; ".join(named) + (f"; and {more} more" if more else "")
    evidence = Evidence(kind="eks", subject="pod identity associations", detail=detail)
    name = catalog.eks_name(agents[0])
    fix = (CreateAddon(cluster=view.snapshot.cluster.eks_name, addon=name),) if name else ()
    yield finding("CMP003", AddOnRef(agents[0]), evidence, fix=fix)
