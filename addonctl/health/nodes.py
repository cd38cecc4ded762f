"""The health of nodes, on which everything else runs (HLT021, HLT024).

Decided from a View alone. Called by check_health.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from addonctl.findings import finding, makes
from addonctl.health.case import seen
from addonctl.model import Finding, Node, NodesRef, View
from addonctl.remediation import kubectl

# A node younger than this is waiting for its CNI.
_JOINS = timedelta(minutes=3)
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


@makes("HLT021", "HLT024")
def check_nodes(view: View) -> Iterator[Finding]:
    """Nodes that are not ready, and those under pressure: their kubelet evicts pods and accepts no new ones."""
    nodes = view.snapshot.nodes
    not_ready = [
        (node, f"Ready {condition.status}: {condition.message or condition.reason}")
        for node in nodes
        for condition in node.conditions
        if condition.type == "Ready" and condition.status != "True" and not _joins(node, view)
    ]
    short = [
        (node, f"{condition.type}: {condition.message or condition.reason}")
        for node in nodes
        for condition in node.conditions
        if condition.type in _PRESSURES and condition.status == "True"
    ]
    yield from _together("HLT021", not_ready, len(nodes))
    yield from _together("HLT024", short, len(nodes))


def _joins(node: Node, view: View) -> bool:
    return node.created is not None and view.snapshot.taken - node.created < _JOINS


def _together(code: str, bad: Sequence[tuple[Node, str]], of: int) -> Iterator[Finding]:
    """One finding for all nodes with the same trouble."""
    if not bad:
        return
    names = tuple(dict.fromkeys(node.name for node, _ in bad))
    first = bad[0][0].ref
    shown = (seen("node", node, detail) for node, detail in bad)
    yield finding(code, first if len(names) == 1 else NodesRef(names, of=of), *shown, fix=(kubectl("describe", first),))
