"""All add-ons of a cluster, however they were installed: one row per installation, with its evidence.

Decided from a View and the Catalog alone. Workloads are recognised (recognition.py), attributed to their owners
(ownership.py) and grouped into installations (grouping.py); each becomes a row (rows.py) with a version
(version_evidence.py). What is declared is joined to them, or is a row of its own (declared.py). Added to these are what
AWS runs outside the cluster (aws_managed.py), system workloads that are not recognised (unrecognised.py), problems of
ownership (ownership_findings.py) and of Helm releases (release_findings.py), what is declared and not what runs
(declared_findings.py), and add-ons of which files show several versions (several_contents.py). Called by manager.py and
by `addonctl snapshot diff`.
"""

from addonctl.catalog import Catalog
from addonctl.findings import by_urgency
from addonctl.inventory.aws_managed import aws_managed, eks_only
from addonctl.inventory.declared import attach_declarations, declared_rows, sort_out
from addonctl.inventory.declared_findings import declared_findings
from addonctl.inventory.gitops_findings import gitops_findings
from addonctl.inventory.grouping import (
    attach_custom_resources,
    attach_eks_addons,
    attach_objects,
    attach_parts,
    attach_releases,
    group_workloads,
    include_parts,
)
from addonctl.inventory.ownership import Ownership
from addonctl.inventory.ownership_findings import ownership_findings
from addonctl.inventory.recognition import Match, Recogniser
from addonctl.inventory.release_findings import release_findings
from addonctl.inventory.rows import in_order, make_rows
from addonctl.inventory.several_contents import several_contents
from addonctl.inventory.unrecognised import unrecognised
from addonctl.model import Inventory, View, Workload

__all__ = ["take_inventory"]


def take_inventory(view: View, catalog: Catalog) -> Inventory:
    """All installations in `view`, system workloads that are not recognised, and findings on ownership."""
    recogniser, ownership = Recogniser(catalog), Ownership(view)
    matches, others = _recognised(view, recogniser)
    groups = group_workloads(matches, view, catalog, ownership)
    include_parts(groups)
    attach_objects(view, catalog, recogniser, ownership, groups)
    attach_releases(view, recogniser, ownership, groups)
    unknown = attach_eks_addons(view, catalog, groups)
    attach_custom_resources(view, groups)
    loose = attach_parts(matches, groups, ownership)
    declared, not_in_catalog = sort_out(view, catalog, recogniser)
    alone = attach_declarations(declared, view, groups)
    rows = make_rows(groups, view, catalog)
    installations = (*(row.installation for row in rows), *map(eks_only, unknown), *aws_managed(view, catalog))
    missing = tuple(declared_rows(alone, catalog, (row.id for row in installations)))
    return Inventory(
        installations=in_order(installations),
        declared=in_order(missing),
        not_in_catalog=not_in_catalog,
        unrecognised=tuple(unrecognised([*others, *(match.workload for match in loose)])),
        findings=by_urgency(
            (
                *ownership_findings(rows, view, catalog, ownership),
                *release_findings(rows, view),
                *gitops_findings(rows, missing, view),
                *declared_findings(rows, catalog),
                *several_contents(rows, view),
            )
        ),
    )


def _recognised(view: View, recogniser: Recogniser) -> tuple[list[Match], list[Workload]]:
    """The workloads that belong to an add-on, and the others."""
    matches: list[Match] = []
    others: list[Workload] = []
    for workload in view.every_workload:
        match = recogniser.match(workload)
        if match is None:
            others.append(workload)
        else:
            matches.append(match)
    return matches, others
