"""StatefulSets: numbered pods, made in order and updated from the last to the first."""

from addonctl.sim.controllers.daemons import HASH, Revisions, ordinal, partition_of
from addonctl.sim.controllers.pods import is_active
from addonctl.sim.controllers.queue import Owned, Queue, changed
from addonctl.sim.controllers.replicas import MANAGER, is_available, pod_of
from addonctl.sim.readiness import STATEFUL_SET
from addonctl.sim.store import Change, Name, Store, Stored, is_ready


class StatefulSets:
    """Keeps pods 0 to replicas - 1. Claims of volumes are not made."""

    def __init__(self, store: Store, pods: Owned, revisions: Revisions) -> None:
        self._store, self._world, self._pods, self._revisions = store, store.world, pods, revisions
        self._queue = Queue(store.world, self._reconcile)
        pods.tell("StatefulSet", self._pod_changed)
        store.listen(STATEFUL_SET, self._set_changed)

    def _set_changed(self, change: Change) -> None:
        before, after = change.before, change.after
        if after is not None and (before is None or changed(before, after)):
            self._queue.add(after.name)

    def _pod_changed(self, name: str, change: Change) -> None:
        self._queue.add((change.stored.name[0], name))

    def _reconcile(self, name: Name) -> None:
        found = self._store.get(STATEFUL_SET, *name)
        if found is None or found.is_ending:
            return
        digest = f"{found.metadata['name']}-{self._revisions.current(found)}"  # pods bear the name of their revision
        pods = {ordinal(pod): pod for pod in self._pods.of(found)}
        if self._keep_number(found, digest, pods) and found.spec["updateStrategy"]["type"] == "RollingUpdate":
            self._roll(found, digest, pods)
        self._set_status(found, digest)

    def _keep_number(self, found: Stored, digest: str, pods: dict[int, Stored]) -> bool:
        """Makes and ends pods, in order unless they may come at once; whether all are there and ready."""
        at_once = found.spec["podManagementPolicy"] == "Parallel"
        wanted = found.spec["replicas"]
        for number in range(wanted):
            pod = pods.get(number)
            if pod is None:
                self._create(found, self._revision_for(found, digest, number), number)
            if (pod is None or pod.is_ending or not is_ready(pod)) and not at_once:
                return False
        beyond = sorted((number for number in pods if number >= wanted and is_active(pods[number])), reverse=True)
        for number in beyond if at_once else beyond[:1]:
            self._store.end(pods[number])
        return not beyond and all(number in pods and is_ready(pods[number]) for number in range(wanted))

    def _revision_for(self, found: Stored, digest: str, number: int) -> str:
        """Below the partition pods keep the revision that the set has at present."""
        return digest if number >= partition_of(found.spec) else found.status.get("currentRevision", digest)

    def _create(self, found: Stored, digest: str, number: int) -> None:
        name = f"{found.metadata['name']}-{number}"
        labels = {HASH: digest, "statefulset.kubernetes.io/pod-name": name}
        template = self._revisions.template(found, digest)
        self._store.create(pod_of(found, template, name, labels), MANAGER, complete=True)

    def _roll(self, found: Stored, digest: str, pods: dict[int, Stored]) -> None:
        """Ends the last pod of an older revision, while all are ready."""
        if any(pod.is_ending for pod in pods.values()):
            return
        for number in sorted(pods, reverse=True):
            if number >= partition_of(found.spec) and pods[number].labels.get(HASH) != digest:
                self._store.end(pods[number])
                return

    def _set_status(self, found: Stored, digest: str) -> None:
        pods = [pod for pod in self._pods.of(found) if is_active(pod)]
        updated = sum(1 for pod in pods if pod.labels.get(HASH) == digest)
        done = updated == len(pods) == found.spec["replicas"] and partition_of(found.spec) == 0
        current = digest if done else found.status.get("currentRevision", digest)
        status = {
            "observedGeneration": found.metadata["generation"],
            "replicas": len(pods),
            "readyReplicas": sum(1 for pod in pods if is_ready(pod)),
            "availableReplicas": sum(
                1 for pod in pods if is_available(pod, found.spec.get("minReadySeconds", 0), self._world)
            ),
            "currentReplicas": sum(1 for pod in pods if pod.labels.get(HASH) == current),
            "updatedReplicas": updated,
            "currentRevision": current,
            "updateRevision": digest,
        }
        self._store.set_status(found, status, MANAGER)
