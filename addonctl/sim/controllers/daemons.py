"""DaemonSets: a pod on every node that takes it; updated node by node, by surge, or only where pods are deleted."""

from collections.abc import Iterable

from addonctl.sim.controllers.nodes import NODE, Nodes
from addonctl.sim.controllers.pods import is_active
from addonctl.sim.controllers.queue import Hashes, Owned, Queue, changed, reference_to, share
from addonctl.sim.controllers.replicas import MANAGER, is_available, pod_of, ready_for_s, suffix
from addonctl.sim.documents import Document, at
from addonctl.sim.kinds import Key
from addonctl.sim.readiness import DAEMON_SET
from addonctl.sim.store import Change, Name, Store, Stored, is_ready

REVISIONS: Key = ("apps", "ControllerRevision")
HASH = "controller-revision-hash"
# StatefulSets label pods with the name of their revision, and the revision with its hash under another name.
_STATEFUL_HASH = "controller.kubernetes.io/hash"


class Revisions:
    """The ControllerRevision of each template that a DaemonSet or StatefulSet has had."""

    def __init__(self, store: Store) -> None:
        self._store, self._hashes, self._owned = store, Hashes(), Owned(store, REVISIONS)

    def current(self, workload: Stored) -> str:
        """The hash of the present template, whose revision is there and the newest."""
        digest = self._hashes.of(workload)
        revisions = self._owned.of(workload)
        newest = max((one.document["revision"] for one in revisions), default=0)
        name = f"{workload.metadata['name']}-{digest}"
        mine = next((one for one in revisions if one.metadata["name"] == name), None)
        if mine is None:
            self._store.create(self._document(workload, digest, newest + 1), MANAGER)
        elif mine.document["revision"] < newest:
            self._store.update(mine, {**mine.document, "revision": newest + 1})
        return digest

    def template(self, workload: Stored, name: str) -> Document:
        """The template of the revision with a name; the present one where it is forgotten."""
        held = (one.document["data"] for one in self._owned.of(workload) if one.metadata["name"] == name)
        found: Document = next(held, workload.document)["spec"]["template"]
        return found

    def _document(self, workload: Stored, digest: str, number: int) -> Document:
        """Labelled as the pods of its template are, so that the selector of its workload finds it."""
        hashed = _STATEFUL_HASH if workload.served.kind == "StatefulSet" else HASH
        return {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": f"{workload.metadata['name']}-{digest}",
                "namespace": workload.name[0],
                "labels": {**(at(workload.spec, "template", "metadata", "labels") or {}), hashed: digest},
                "ownerReferences": [reference_to(workload)],
            },
            "data": {"spec": {"template": workload.spec["template"]}},
            "revision": number,
        }


class DaemonSets:
    """Keeps a pod on each node."""

    def __init__(self, store: Store, pods: Owned, nodes: Nodes, revisions: Revisions) -> None:
        self._store, self._world, self._pods, self._nodes = store, store.world, pods, nodes
        self._revisions = revisions
        self._queue = Queue(store.world, self._reconcile)
        pods.tell("DaemonSet", self._pod_changed)
        store.listen(DAEMON_SET, self._set_changed)
        store.listen(NODE, lambda change: self._all())

    def _set_changed(self, change: Change) -> None:
        before, after = change.before, change.after
        if after is not None and (before is None or changed(before, after)):
            self._queue.add(after.name)

    def _pod_changed(self, name: str, change: Change) -> None:
        self._queue.add((change.stored.name[0], name))

    def _all(self) -> None:
        for found in self._store.rows(DAEMON_SET):
            self._queue.add(found.name)

    def _reconcile(self, name: Name) -> None:
        found = self._store.get(DAEMON_SET, *name)
        if found is None or found.is_ending:
            return
        digest = self._revisions.current(found)
        nodes = [node.metadata["name"] for node in self._nodes.fitting(found.spec["template"]["spec"], daemon=True)]
        by_node = self._by_node(found, nodes)
        for node in nodes:
            if not by_node[node]:
                self._create(found, digest, node)
        if found.spec["updateStrategy"]["type"] == "RollingUpdate":
            self._roll(found, digest, by_node)
        self._set_status(found, digest, nodes)

    def _by_node(self, found: Stored, nodes: Iterable[str]) -> dict[str, list[Stored]]:
        """The pods of each node that is to have one; others go."""
        result: dict[str, list[Stored]] = {node: [] for node in nodes}
        for pod in self._pods.of(found):
            if is_active(pod):
                there = result.get(pod.spec.get("nodeName", ""))
                if there is None:
                    self._store.end(pod)
                else:
                    there.append(pod)
        return result

    def _create(self, found: Stored, digest: str, node: str) -> None:
        name = f"{found.metadata['name']}-{suffix(self._world)}"
        document = pod_of(found, found.spec["template"], name, {HASH: digest}, node)
        self._store.create(document, MANAGER, complete=True)

    def _is_available(self, found: Stored, pod: Stored) -> bool:
        return is_available(pod, found.spec.get("minReadySeconds", 0), self._world)

    def _roll(self, found: Stored, digest: str, by_node: dict[str, list[Stored]]) -> None:
        rolling = found.spec["updateStrategy"].get("rollingUpdate") or {}
        surge = share(rolling.get("maxSurge"), len(by_node), up=True)
        if surge:
            self._roll_by_surge(found, digest, by_node, surge)
        else:
            most = max(share(rolling.get("maxUnavailable", 1), len(by_node), up=True), 1)
            self._roll_by_absence(found, digest, by_node, most)

    def _roll_by_absence(self, found: Stored, digest: str, by_node: dict[str, list[Stored]], most: int) -> None:
        """Ends old pods, those that are not available at once, the others while not too many nodes are without."""
        without, candidates = 0, []
        for pods in by_node.values():
            available = any(self._is_available(found, pod) for pod in pods)
            old = [pod for pod in pods if pod.labels.get(HASH) != digest]
            if not available:
                without += 1
                for pod in old:
                    self._store.end(pod)
            elif old:
                candidates += old
        for pod in candidates[: max(most - without, 0)]:
            self._store.end(pod)

    def _roll_by_surge(self, found: Stored, digest: str, by_node: dict[str, list[Stored]], most: int) -> None:
        """Starts new pods beside the old, which end when the new are available."""
        beside = 0
        waiting = []
        for node, pods in by_node.items():
            new = [pod for pod in pods if pod.labels.get(HASH) == digest]
            old = [pod for pod in pods if pod.labels.get(HASH) != digest]
            if not old:
                continue
            if any(self._is_available(found, pod) for pod in new):
                for pod in old:
                    self._store.end(pod)
            elif new:
                beside += 1
            else:
                waiting.append(node)
        for node in waiting[: max(most - beside, 0)]:
            self._create(found, digest, node)

    def _set_status(self, found: Stored, digest: str, nodes: list[str]) -> None:
        by_node = self._by_node(found, nodes)
        pods = [pod for there in by_node.values() for pod in there]
        ready = {pod.spec["nodeName"] for pod in pods if is_ready(pod)}
        available = {pod.spec["nodeName"] for pod in pods if self._is_available(found, pod)}
        updated = {pod.spec["nodeName"] for pod in pods if pod.labels.get(HASH) == digest}
        status = {
            "observedGeneration": found.metadata["generation"],
            "desiredNumberScheduled": len(nodes),
            "currentNumberScheduled": sum(1 for there in by_node.values() if there),
            "numberMisscheduled": 0,
            "numberReady": len(ready),
            "numberAvailable": len(available),
            "numberUnavailable": len(nodes) - len(available),
            "updatedNumberScheduled": len(updated),
        }
        self._store.set_status(found, status, MANAGER)
        if len(available) < len(ready):
            least = found.spec.get("minReadySeconds", 0)
            waits = [least - ready_for_s(pod, self._world) for pod in pods if is_ready(pod)]
            self._queue.add_after(found.name, min(wait for wait in waits if wait > 0) + 0.01)


def ordinal(pod: Stored) -> int:
    """The number of a StatefulSet's pod."""
    return int(pod.metadata["name"].rpartition("-")[2])


def partition_of(spec: Document) -> int:
    return int(at(spec, "updateStrategy", "rollingUpdate", "partition") or 0)
