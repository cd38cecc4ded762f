"""All add-ons of a cluster, however they were installed: one row an installation, with the evidence for each.

Decided from a View and the Catalog alone. Workloads are recognised (recognition.py), attributed to who manages them
(ownership.py) and grouped into installations (grouping.py); each becomes a row (rows.py) with a version
(version_evidence.py). What AWS runs outside is added (aws_managed.py), then what belongs to none (unrecognised.py) and
what is wrong with who owns what (ownership_findings.py) and with how Helm left it (release_findings.py). Called by the
manager and by `addonctl inventory`.
"""

from addonctl.catalog import Catalog
from addonctl.findings import by_urgency
from addonctl.inventory.aws_managed import aws_managed, eks_only
from addonctl.inventory.grouping import (
    attach_custom_resources,
    attach_eks_addons,
    attach_objects,
    attach_parts,
    attach_releases,
    group_workloads,
)
from addonctl.inventory.ownership import Ownership
from addonctl.inventory.ownership_findings import ownership_findings
from addonctl.inventory.recognition import Match, Recogniser
from addonctl.inventory.release_findings import release_findings
from addonctl.inventory.rows import in_order, make_rows
from addonctl.inventory.unrecognised import unrecognised
from addonctl.model import Inventory, View, Workload

__all__ = ["take_inventory"]


def take_inventory(view: View, catalog: Catalog) -> Inventory:
    """All installations in `view`, what looks like an add-on and is unknown, and what is wrong with ownership."""
    recogniser, ownership = Recogniser(catalog), Ownership(view)
    matches, others = _recognised(view, recogniser)
    groups = group_workloads(matches, view, catalog, ownership)
    attach_objects(view, catalog, recogniser, ownership, groups)
    attach_releases(view, recogniser, ownership, groups)
    unknown = attach_eks_addons(view, catalog, groups)
    attach_custom_resources(view, groups)
    loose = attach_parts(matches, groups, ownership)
    rows = make_rows(groups, view, catalog)
    installations = (*(row.installation for row in rows), *map(eks_only, unknown), *aws_managed(view, catalog))
    return Inventory(
        installations=in_order(installations),
        unrecognised=tuple(unrecognised([*others, *(match.workload for match in loose)])),
        findings=by_urgency((*ownership_findings(rows, view, catalog, ownership), *release_findings(rows, view))),
    )


def _recognised(view: View, recogniser: Recogniser) -> tuple[list[Match], list[Workload]]:
    """The workloads that are of an add-on, and the others."""
    matches: list[Match] = []
    others: list[Workload] = []
    for workload in view.every_workload:
        match = recogniser.match(workload)
        if match is None:
            others.append(workload)
        else:
            matches.append(match)
    return matches, others
