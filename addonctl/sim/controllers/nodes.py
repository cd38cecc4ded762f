"""Nodes: which are there, which take a pod, and what becomes of pods when one is lost.

A node that is lost stops acting at once; that is noticed after 40 s, and its pods are ended after five minutes more, as
Kubernetes has it by default. Pods of DaemonSets stay bound to it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from addonctl.sim.controllers.queue import controller_of
from addonctl.sim.documents import Document, at
from addonctl.sim.kinds import Key
from addonctl.sim.store import POD, Store, Stored

NODE: Key = ("", "Node")
NOTICED_S, EVICTED_S = 40.0, 300.0
_UNREACHABLE = "node.kubernetes.io/unreachable"


class Nodes:
    """The nodes of the cluster, and the controller of their life cycle."""

    def __init__(self, store: Store) -> None:
        self._store, self._world = store, store.world
        self._there: dict[str, int] = {}  # name → how often it came
        self._cut: dict[str, int] = {}  # name → how often it was cut off
        self.when_back: Callable[[str], None] = lambda name: None
        self.before_change: list[Callable[[], None]] = []  # called just before one is lost, or back

    def add(self, name: str, labels: Mapping[str, str] | None = None, pods: int = 110) -> Stored:
        """A new node, ready."""
        self._there[name] = 1
        known = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **(labels or {})}
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": self._world.stamp}
        document = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": known},
            "spec": {},
            "status": {"conditions": [ready], "allocatable": {"pods": str(pods)}},
        }
        return self._store.create(document, "kubelet")

    def is_there(self, name: str) -> bool:
        """Whether the machine runs, whatever the API server says."""
        return name in self._there

    def is_cut_off(self, name: str) -> bool:
        """Whether the machine runs, and so do those on it, without a network."""
        return name in self._cut and not self.is_there(name)

    def lose(self, name: str) -> None:
        """The machine stops answering."""
        self._tell()
        came = self._there.pop(name)

        def still_lost() -> Stored | None:
            return self._store.get(NODE, "", name) if name not in self._there else None

        def notice() -> None:
            if node := still_lost():
                self._unreachable(node)

        def evict() -> None:
            if still_lost():
                self._evict(name)

        self._world.after(NOTICED_S, notice)
        self._world.after(NOTICED_S + EVICTED_S, evict)
        self._world.note(f"node {name} lost {came}")

    def bring_back(self, name: str) -> None:
        """The machine answers again: its kubelet says that it is ready."""
        self._tell()
        self._there[name] = self._there.get(name, 0) + 1
        node = self._store.get(NODE, "", name)
        assert node is not None, f"node {name} was removed"
        taints = [one for one in node.spec.get("taints") or () if one["key"] != _UNREACHABLE]
        spec = {key: value for key, value in node.spec.items() if key != "taints"}
        spec |= {"taints": taints} if taints else {}
        self._set_ready(node, spec, "True", "KubeletReady")
        self.when_back(name)

    def cut_off(self, name: str, seconds: float) -> None:
        """The machine is without a network for so long."""
        if not self.is_there(name):
            return
        self.lose(name)
        came = self._cut.get(name, 0) + 1
        self._cut[name] = came

        def back() -> None:
            if self._cut[name] == came and not self.is_there(name) and self._store.get(NODE, "", name) is not None:
                self.bring_back(name)

        self._world.after(seconds, back)

    def _tell(self) -> None:
        for listener in self.before_change:
            listener()

    def remove(self, name: str) -> None:
        """The node is terminated and gone from the cluster, with its pods."""
        self._tell()
        self._there.pop(name, None)
        if node := self._store.get(NODE, "", name):
            self._store.remove(node)
        for pod in self._on(name):
            self._store.remove(pod)

    def _on(self, name: str) -> list[Stored]:
        return [pod for pod in self._store.rows(POD) if pod.spec.get("nodeName") == name]

    def _unreachable(self, node: Stored) -> None:
        taints = [*(node.spec.get("taints") or ()), {"key": _UNREACHABLE, "effect": "NoExecute"}]
        self._set_ready(node, {**node.spec, "taints": taints}, "Unknown", "NodeStatusUnknown")
        for pod in self._on(node.metadata["name"]):
            conditions = [
                {**one, "status": "False", "lastTransitionTime": self._world.stamp} if one["type"] == "Ready" else one
                for one in pod.status.get("conditions") or ()
            ]
            self._store.set_status(pod, {**pod.status, "conditions": conditions}, "kube-controller-manager")

    def _evict(self, name: str) -> None:
        for pod in self._on(name):
            owner = controller_of(pod)
            if owner is None or owner["kind"] != "DaemonSet":
                self._store.end(pod)

    def _set_ready(self, node: Stored, spec: Document, status: str, reason: str) -> None:
        ready = {"type": "Ready", "status": status, "reason": reason, "lastTransitionTime": self._world.stamp}
        others = [one for one in node.status.get("conditions") or () if one["type"] != "Ready"]
        document = {**node.document, "spec": spec, "status": {**node.status, "conditions": [*others, ready]}}
        self._store.update(node, document)

    # ── Which take a pod ────────────────────────────────────────────────────────────────────────────────────────

    def fitting(self, spec: Document, *, daemon: bool = False) -> Iterator[Stored]:
        """The nodes that a pod may go to by readiness, taints, nodeSelector and required node affinity."""
        for node in self._store.rows(NODE):
            if (daemon or _is_open(node)) and _tolerates(spec, node, daemon) and _selects(spec, node):
                yield node


def _is_open(node: Stored) -> bool:
    conditions = node.status.get("conditions") or ()
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not node.spec.get("unschedulable")


def _tolerates(spec: Document, node: Stored, daemon: bool) -> bool:
    taints = [one for one in node.spec.get("taints") or () if one["effect"] != "PreferNoSchedule"]
    # The DaemonSet controller adds tolerations of what befalls a node.
    taints = [one for one in taints if not (daemon and one["key"].startswith("node.kubernetes.io/"))]
    tolerations = spec.get("tolerations") or ()
    return all(any(_tolerated(taint, one) for one in tolerations) for taint in taints)


def _tolerated(taint: Mapping[str, Any], by: Mapping[str, Any]) -> bool:
    if by.get("effect") and by["effect"] != taint["effect"]:
        return False
    if by.get("operator") == "Exists":
        return not by.get("key") or by["key"] == taint["key"]
    return bool(by.get("key") == taint["key"] and by.get("value", "") == taint.get("value", ""))


def _selects(spec: Document, node: Stored) -> bool:
    labels = node.labels
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    path = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    terms = at(spec, *path)
    return not terms or any(all(_matches(one, labels) for one in term.get("matchExpressions") or ()) for term in terms)


def _matches(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case other:
            raise AssertionError(f"operator {other} of a node affinity is not modelled")
