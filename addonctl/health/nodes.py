"""The health of nodes, on which everything else runs (HLT021, HLT024).

Decided from a View alone. Called by check_health.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from addonctl.findings import finding, makes
from addonctl.health.case import seen
from addonctl.model import Finding, Node, NodesRef, View
from addonctl.remediation import kubectl

# A node younger than this is waiting for its CNI.
_JOINS = timedelta(minutes=3)
# What agents say of a node: AWS's node monitoring agent of its parts, the node problem detector of its problems.
_PARTS = ("KernelReady", "NetworkingReady", "StorageReady", "ContainerRuntimeReady", "AcceleratedHardwareReady")
# What the kubelet says before a CNI plugin has left its configuration on the node.
_NO_NETWORK = re.compile(
    r"NetworkPluginNotReady|network plugin (is )?not ready|cni (plugin|config) (not |un)initialized", re.I
)
_PRESSURES = (
    *("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"),
    *("KernelDeadlock", "ReadonlyFilesystem", "FrequentKubeletRestart", "FrequentContainerdRestart"),
)


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
        if (condition.type in _PRESSURES and condition.status == "True")
        or (condition.type in _PARTS and condition.status == "False")
    ]
    yield from _together("HLT021", not_ready, len(nodes))
    yield from _together("HLT024", short, len(nodes))


def without_network(found: Iterable[Finding], view: View, network: str | None) -> Iterator[Finding]:
    """The same findings; nodes that all wait for the pod network have the finding on that as their cause."""
    waiting = {
        node.name
        for node in view.snapshot.nodes
        for condition in node.conditions
        if condition.type == "Ready" and _NO_NETWORK.search(condition.message)
    }
    for item in found:
        names = set(item.subject.names if isinstance(item.subject, NodesRef) else (getattr(item.subject, "name", ""),))
        yield replace(item, cause=network) if item.code == "HLT021" and names <= waiting else item


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
