"""Compatibility: of each installation with the running Kubernetes, with the next minors, and with other add-ons.

AWS's table decides for add-ons that AWS lists, upstream's published ranges for the others; an answer is yes, no, or
unknown with the reason. Also the skew of nodes and kube-proxy, the end of support and of maintenance, API removals, and
EKS insights that add to these. Called by assessment.py, and by `addonctl compat` and `matrix`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from addonctl.catalog import Answer, Catalog, Cell
from addonctl.compatibility.api_deprecations import api_findings, webhook_findings
from addonctl.compatibility.conflicts import conflict_findings
from addonctl.compatibility.crd_versions import crd_findings, unserved
from addonctl.compatibility.end_of_life import end_of_life_findings, fixes_until, migration_steps
from addonctl.compatibility.insights import insight_findings
from addonctl.compatibility.installed import cells_of, update_fix, version_findings
from addonctl.compatibility.matrix import matrix, matrix_minors
from addonctl.compatibility.requirements import requirement_findings
from addonctl.compatibility.skew import skew_findings, update_nodes
from addonctl.compatibility.support import (
    KubernetesStatus,
    Support,
    is_upgraded_by_aws,
    kubernetes_status,
    on_eks,
    support_findings,
)
from addonctl.model import Finding, Gap, GapReason, Inventory, View
from addonctl.versions import Minor

__all__ = [
    "Compatibility",
    "KubernetesStatus",
    "Support",
    "check_compatibility",
    "fixes_until",
    "is_upgraded_by_aws",
    "kubernetes_status",
    "matrix",
    "matrix_minors",
    "migration_steps",
    "on_eks",
    "update_fix",
    "update_nodes",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compatibility:
    """`cells`: for every installation (by id) one answer per minor of `kubernetes.minors`, oldest first.

    `gaps`: what could not be checked because something was not read.
    """

    kubernetes: KubernetesStatus
    cells: Mapping[str, tuple[Cell, ...]]
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...] = ()

    def running(self, installation: str) -> Cell:
        """The answer for the running Kubernetes; if that is unknown, the answer that holds for every possible one."""
        cells = self.cells[installation]
        if self.kubernetes.running is not None:
            return cells[0]
        alike = len({cell.answer for cell in cells}) == 1
        answer = cells[0].answer if alike else Answer.UNKNOWN
        reason = cells[-1].reason if alike else f"It depends on which Kubernetes runs: {self.kubernetes.reason}."
        return replace(cells[-1], kubernetes=None, answer=answer, reason=reason)

    def target(self, installation: str) -> Cell:
        """The answer for the target; without a target, for the newest minor that is checked."""
        return self.cells[installation][-1]


def check_compatibility(
    view: View,
    inventory: Inventory,
    catalog: Catalog,
    day: date,
    kubernetes: Minor | None = None,
    target: Minor | None = None,
) -> Compatibility:
    """Checks as of `day`; `kubernetes` overrides the version that was read, `target` is the minor to prepare for.

    Raises BadInput for a target that cannot be reached by an upgrade.
    """
    status = kubernetes_status(view, catalog, day, kubernetes, target)
    rows = inventory.rows
    cells = {row.id: cells_of(row, catalog, status) for row in rows}
    found = [
        *support_findings(view, catalog, status, day),
        *(item for row in rows for item in version_findings(row, cells[row.id], view, catalog, status)),
        *(item for row in rows for item in end_of_life_findings(row, cells[row.id], view, catalog, status, day)),
        *api_findings(view, catalog, status),
        *crd_findings(view, inventory, catalog),
        *unserved(view, inventory, catalog),
        *webhook_findings(view, catalog, status),
        *skew_findings(view, inventory, catalog, status),
        *requirement_findings(view, inventory, catalog),
        *conflict_findings(view, inventory, catalog),
    ]
    found += tuple(insight_findings(view, found, checked=bool(cells)))
    return Compatibility(kubernetes=status, cells=cells, findings=tuple(found), gaps=_gaps(status))


def _gaps(status: KubernetesStatus) -> tuple[Gap, ...]:
    if not status.assumed:
        return ()
    minors = " and ".join(map(str, status.assumed))
    which = ", the oldest and the newest that it may be" if len(status.assumed) > 1 else ""
    detail = f"{status.reason}; judged against Kubernetes {minors}{which}"
    return (Gap(part="kubernetes", reason=GapReason.NOT_IN_INPUT, detail=detail),)
