"""The version skew of kubelets and Kubernetes components with the API server and each other, by the skew policy.

Decided from the nodes and installed versions, for the running and the next Kubernetes. Called by check_compatibility.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from addonctl.catalog import API_SERVER, Catalog, Skew
from addonctl.compatibility.installed import update_fix
from addonctl.compatibility.support import KubernetesStatus
from addonctl.findings import finding, makes
from addonctl.model import (
    Action,
    CommandLine,
    Evidence,
    Finding,
    Installation,
    InstallationRef,
    Inventory,
    Node,
    NodesRef,
    Note,
    View,
)
from addonctl.versions import Minor

_KUBELET = "kubelet"
_NODE_GROUP = "eks.amazonaws.com/nodegroup"
# Nodes named in a finding; the others are counted.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Violation:
    """A component outside the policy, and whether it is so already or only after the next upgrade."""

    detail: str
    now: bool
    server: Minor | None  # the Kubernetes minor with which it violates the policy


@makes("SKW001", "SKW002")
def skew_findings(view: View, inventory: Inventory, catalog: Catalog, status: KubernetesStatus) -> Iterator[Finding]:
    """Kubelets and components against the API server, now and after the next upgrade, and against each other."""
    kubelets = _by_minor(view.snapshot.nodes)
    rule = catalog.kubernetes.skew_rule(_KUBELET)
    for minor, nodes in sorted(kubelets.items()) if rule else ():
        found = list(_against_server(_said(nodes, minor), minor, rule, status)) if rule else []
        if found:
            names = tuple(sorted(node.name for node in nodes))
            subject = NodesRef(names, of=len(view.snapshot.nodes), kubelet=str(minor))
            yield _finding(subject, "nodes", found, _node_fix(view, nodes, minor, found))
    for row in inventory.installations:
        found = list(_component(row, kubelets, catalog, status))
        if found:
            fix = update_fix(row, view, catalog, found[0].server or status.oldest)
            yield _finding(InstallationRef(row.id, row.addon), row.addon, found, fix)


def _finding(
    subject: NodesRef | InstallationRef, what: str, found: Sequence[_Violation], fix: tuple[Action, ...]
) -> Finding:
    shown = (Evidence(kind="skew", subject=what, detail=violation.detail) for violation in found)
    return finding("SKW001" if any(each.now for each in found) else "SKW002", subject, *shown, fix=fix)


def _by_minor(nodes: Sequence[Node]) -> Mapping[Minor, list[Node]]:
    found: dict[Minor, list[Node]] = {}
    for node in nodes:
        minor = Minor.read(node.kubelet_version)
        if minor is not None:
            found.setdefault(minor, []).append(node)
    return found


def _said(nodes: Sequence[Node], minor: Minor) -> str:
    names = sorted(node.name for node in nodes)
    some = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return f"{len(names)} node{' runs' if len(names) == 1 else 's run'} kubelet {minor} ({some})"


def _against_server(said: str, has: Minor, rule: Skew, status: KubernetesStatus) -> Iterator[_Violation]:
    """The first minor, of the running one and the next, with which a component violates the policy."""
    if status.running is None:
        return
    for server in (status.running, *status.targets[:1]):
        if not rule.allows(has, server):
            yield _Violation(f"{said}, {_how_far(has, server, rule)}", server == status.running, server)
            return


def _how_far(has: Minor, other: Minor, rule: Skew) -> str:
    behind = other.minor - has.minor
    named = f"Kubernetes {other}" if rule.against == API_SERVER else f"{rule.against} {other}"
    if behind > 0:
        return f"{behind} minors behind {named} (at most {rule.minors_behind})"
    most = f"at most {rule.minors_ahead}" if rule.minors_ahead else "not allowed"
    return f"{-behind} minor{'' if behind == -1 else 's'} newer than {named} ({most})"


def _component(
    row: Installation, kubelets: Mapping[Minor, Sequence[Node]], catalog: Catalog, status: KubernetesStatus
) -> Iterator[_Violation]:
    """A Kubernetes component that is an add-on: against the API server, and against the kubelets on its nodes."""
    addon = catalog.addons.get(row.addon)
    if addon is None or not addon.component or row.version is None:
        return
    has, said = Minor(*row.version.minor), f"{addon.name} {row.version}"
    rule = catalog.kubernetes.skew_rule(addon.component)
    if rule is not None:
        yield from _against_server(said, has, rule, status)
    beside = catalog.kubernetes.skew_rule(addon.component, _KUBELET)
    for minor, nodes in sorted(kubelets.items()) if beside else ():
        if beside is not None and not beside.allows(has, minor):
            yield _Violation(f"{said}, {_how_far(has, minor, beside)} on {len(nodes)} nodes", True, None)


def _node_fix(view: View, nodes: Sequence[Node], has: Minor, found: Sequence[_Violation]) -> tuple[Action, ...]:
    """Nodes that are behind are updated; for those ahead, the control plane is updated or they are replaced."""
    if any(each.server is not None and each.server < has for each in found):
        return ()
    return update_nodes(view, nodes)


def update_nodes(view: View, nodes: Sequence[Node] | None = None, *, wait: bool = False) -> tuple[Action, ...]:
    """How nodes (all of them, if none are given) get to the Kubernetes of the control plane, by who made them.

    With `wait`, one node group after the other.
    """
    cluster, mine = view.snapshot.cluster.eks_name, view.snapshot.nodes if nodes is None else nodes
    groups = sorted({node.labels[_NODE_GROUP] for node in mine if _NODE_GROUP in node.labels})
    named = ("--cluster-name", cluster, "--nodegroup-name")
    updates: list[Action] = []
    for group in groups:
        words = ("aws", "eks", "update-nodegroup-version", *named, group)
        why = "" if wait and updates else "brings its nodes to the cluster's Kubernetes:"
        updates.append(CommandLine(words, why=why))
        if wait:
            updates.append(CommandLine(("aws", "eks", "wait", "nodegroup-active", *named, group)))
    others = {_maker(node) for node in mine if _NODE_GROUP not in node.labels}
    notes = (Note(text) for maker, text in _OTHER_NODES.items() if maker in others)
    return (*updates, *notes)


_KARPENTER = "karpenter.sh/nodepool"
_OTHER_NODES = {
    "auto": "EKS Auto Mode replaces its nodes by itself.",
    _KARPENTER: "Karpenter replaces the nodes of NodePools whose AMI follows the cluster's Kubernetes; pin no other.",
    "fargate": "Restart the pods on Fargate: they keep the kubelet that they began with.",
    "": "Replace the nodes by ones of the cluster's Kubernetes.",
}


def _maker(node: Node) -> str:
    """Who replaces a node outside managed node groups: a key of _OTHER_NODES."""
    if node.compute_type in _OTHER_NODES:
        return node.compute_type
    return _KARPENTER if _KARPENTER in node.labels else ""
