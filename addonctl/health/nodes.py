"""How the nodes are, on which everything else runs.

Decided from a Snapshot alone. Called by health.py.
"""

from collections.abc import Iterator
from datetime import timedelta

from addonctl.findings import finding
from addonctl.model import Evidence, Finding, Node, Snapshot
from addonctl.remediation import kubectl

# A node that was made this lately waits for its CNI.
_JOINS = timedelta(minutes=3)
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def check_nodes(snapshot: Snapshot) -> Iterator[Finding]:
    """Nodes that are not ready, and those that run short: their kubelet evicts pods, and takes no new ones."""
    troubles: dict[str, list[tuple[Node, str]]] = {"HLT021": [], "HLT024": []}
    for node in snapshot.nodes:
        joins = node.created is not None and snapshot.taken - node.created < _JOINS
        for condition in node.conditions:
            said = condition.message or condition.reason
            if condition.type == "Ready" and condition.status != "True" and not joins:
                troubles["HLT021"].append((node, f"Ready {condition.status}: {said}"))
            elif condition.type in _PRESSURES and condition.status == "True":
                troubles["HLT024"].append((node, f"{condition.type}: {said}"))
    for code, bad in troubles.items():
        if bad:
            names = dict.fromkeys(node.name for node, _ in bad)
            subject = f"Node/{bad[0][0].name}" if len(names) == 1 else f"{len(names)} of {len(snapshot.nodes)} nodes"
            shown = (Evidence(kind="node", subject=f"Node/{node.name}", detail=detail) for node, detail in bad)
            yield finding(code, subject, *shown, fix=kubectl("describe", "node", bad[0][0].name))
