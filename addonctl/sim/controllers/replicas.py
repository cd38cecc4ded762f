"""Deployments and ReplicaSets: rolling updates by surge and unavailability, as Kubernetes' controllers do them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from addonctl.sim.controllers.pods import is_active
from addonctl.sim.controllers.queue import Hashes, Owned, Queue, changed, condition, controller_of, reference_to, share
from addonctl.sim.documents import Document
from addonctl.sim.kinds import Key
from addonctl.sim.readiness import DEPLOYMENT
from addonctl.sim.store import Change, Name, Store, Stored, is_ready
from addonctl.sim.world import World

REPLICA_SET: Key = ("apps", "ReplicaSet")
MANAGER = "kube-controller-manager"
HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_ANEW_S = 0.02
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def suffix(world: World) -> str:
    """Five letters, as Kubernetes ends the names that it makes."""
    chosen = world.random.getrandbits(40)
    return "".join(_LETTERS[(chosen >> shift & 255) % len(_LETTERS)] for shift in range(0, 40, 8))


def pod_of(owner: Stored, template: Document, name: str, labels: Document, node: str = "") -> Document:
    """A pod by a template. The spec is shared with the template, which nobody changes in place."""
    metadata: Document = template.get("metadata") or {}
    spec = template["spec"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **{key: value for key, value in metadata.items() if key in ("annotations",)},
            "name": name,
            "namespace": owner.name[0],
            "labels": {**(metadata.get("labels") or {}), **labels},
            "ownerReferences": [reference_to(owner)],
        },
        "spec": {**spec, "nodeName": node} if node else spec,
        "status": {"phase": "Pending"},
    }


def is_available(pod: Stored, min_ready_s: int, world: World) -> bool:
    """Whether a pod has been ready for long enough."""
    if not is_ready(pod):
        return False
    return min_ready_s <= 0 or ready_for_s(pod, world) >= min_ready_s


def ready_for_s(pod: Stored, world: World) -> float:
    since = next(one["lastTransitionTime"] for one in pod.status["conditions"] if one["type"] == "Ready")
    return (world.now - datetime.fromisoformat(since)).total_seconds()


class ReplicaSets:
    """Keeps so many pods."""

    def __init__(self, store: Store, pods: Owned) -> None:
        self._store, self._world, self._pods = store, store.world, pods
        self._queue = Queue(store.world, self._reconcile)
        pods.tell("ReplicaSet", self._pod_changed)
        store.listen(REPLICA_SET, self._set_changed)

    def _pod_changed(self, name: str, change: Change) -> None:
        if change.counts:
            self._queue.add((change.stored.name[0], name))

    def _set_changed(self, change: Change) -> None:
        before, after = change.before, change.after
        if after is not None and (before is None or changed(before, after)):
            self._queue.add(after.name)

    def _reconcile(self, name: Name) -> None:
        found = self._store.get(REPLICA_SET, *name)
        if found is None or found.is_ending:
            return
        pods = [pod for pod in self._pods.of(found) if is_active(pod)]
        more = found.spec["replicas"] - len(pods)
        for _ in range(more):
            document = pod_of(found, found.spec["template"], f"{name[1]}-{suffix(self._world)}", {})
            self._store.create(document, MANAGER, complete=True)
        for pod in sorted(pods, key=_first_to_go)[: max(-more, 0)]:
            self._store.end(pod)
        self._set_status(found)

    def _set_status(self, found: Stored) -> None:
        pods = [pod for pod in self._pods.of(found) if is_active(pod)]
        least = found.spec.get("minReadySeconds", 0)
        ready = [pod for pod in pods if is_ready(pod)]
        available = [pod for pod in ready if is_available(pod, least, self._world)]
        status = {
            "replicas": len(pods),
            "readyReplicas": len(ready),
            "availableReplicas": len(available),
            "observedGeneration": found.metadata["generation"],
        }
        self._store.set_status(found, status, MANAGER)
        if len(available) < len(ready):
            wait = min(least - ready_for_s(pod, self._world) for pod in ready if pod not in available)
            self._queue.add_after(found.name, wait + 0.01)


def _first_to_go(pod: Stored) -> tuple[bool, bool, int]:
    """Pods without a node, then those that are not ready, then the newest."""
    return bool(pod.spec.get("nodeName")), is_ready(pod), -pod.version


class Deployments:
    """Moves replicas from the ReplicaSets of older templates to that of the present one."""

    def __init__(self, store: Store, pods: Owned) -> None:
        self._store, self._world, self._pods = store, store.world, pods
        self._sets = Owned(store, REPLICA_SET)
        self._sets.tell("Deployment", self._set_changed)
        self._queue = Queue(store.world, self._reconcile)
        self._hashes = Hashes()
        self._progressed: dict[Name, int] = {}  # when it last got on
        store.listen(DEPLOYMENT, self._deployment_changed)
        pods.tell("ReplicaSet", self._pod_changed)

    def _pod_changed(self, name: str, change: Change) -> None:
        """Recreate waits for the last pod to be gone, which no status of a ReplicaSet tells."""
        if change.after is None:
            one = self._store.get(REPLICA_SET, change.stored.name[0], name)
            above = controller_of(one) if one is not None else None
            if above is not None and above["kind"] == "Deployment":
                self._queue.add((change.stored.name[0], above["name"]))

    def _set_changed(self, name: str, change: Change) -> None:
        """What is told of a ReplicaSet by its status, its observedGeneration included."""
        before, after = change.before, change.after
        same = before is not None and after is not None and before.status is after.status
        if not same:
            self._queue.add((change.stored.name[0], name))

    def _deployment_changed(self, change: Change) -> None:
        before, after = change.before, change.after
        if after is None:
            self._progressed.pop(change.stored.name, None)
        elif before is None or changed(before, after):
            self._progressed[after.name] = self._world.micros
            self._queue.add(after.name)

    def _reconcile(self, name: Name) -> None:
        found = self._store.get(DEPLOYMENT, *name)
        if found is None or found.is_ending:
            return
        sets = self._sets.of(found)
        digest = self._hashes.of(found)
        new = next((one for one in sets if one.labels.get(HASH) == digest), None)
        old = [one for one in sets if one is not new]
        if new is not None and new.spec.get("minReadySeconds", 0) != found.spec.get("minReadySeconds", 0):
            new = self._with_min_ready(new, found.spec.get("minReadySeconds", 0))
            if not found.spec.get("paused"):
                # Kubernetes meets its own write here, and begins anew: by then the set has counted its pods anew.
                return self._queue.add_after(name, _ANEW_S)
        if found.spec.get("paused"):
            self._scale_paused(found, new, old)
        elif found.spec["strategy"]["type"] == "Recreate":
            self._recreate(found, new, old, digest)
        else:
            self._roll(found, self._current(found, new, old, digest), old)
        self._finish(name)

    def _with_min_ready(self, one: Stored, seconds: int) -> Stored:
        rest = {name: value for name, value in one.spec.items() if name != "minReadySeconds"}
        spec = {**rest, "minReadySeconds": seconds} if seconds else rest
        return self._store.update(one, {**one.document, "spec": spec})

    def _current(self, found: Stored, new: Stored | None, old: Sequence[Stored], digest: str) -> Stored:
        """The ReplicaSet of the present template, with the newest revision."""
        newest = max((int(_revision(one)) for one in old), default=0) + 1
        if new is not None:
            if int(_revision(new)) < newest:
                new = self._store.update(new, _annotated(new, str(newest)))
            self._note_revision(found, _revision(new))
            return new
        self._note_revision(found, str(newest))
        return self._store.create(_set_of(found, digest, newest), MANAGER, complete=True)

    def _note_revision(self, found: Stored, revision: str) -> None:
        if _revision(found) != revision:
            self._store.update(found, _annotated(found, revision))

    def _scale(self, one: Stored, replicas: int) -> None:
        if one.spec["replicas"] != replicas:
            document = {**one.document, "spec": {**one.spec, "replicas": replicas}}
            self._store.update(one, document)

    def _roll(self, found: Stored, new: Stored, old: Sequence[Stored]) -> None:
        wanted = found.spec["replicas"]
        rolling = found.spec["strategy"].get("rollingUpdate") or {}
        surge = share(rolling.get("maxSurge"), wanted, up=True)
        unavailable = share(rolling.get("maxUnavailable"), wanted, up=False)
        unavailable = 1 if surge == 0 and unavailable == 0 else min(unavailable, wanted)
        total, has = sum(one.spec["replicas"] for one in (new, *old)), new.spec["replicas"]
        if has > wanted:
            self._scale(new, wanted)
        elif has < wanted and (more := min(wanted + surge - total, wanted - has)) > 0:
            self._scale(new, has + more)
        else:
            self._scale_down(new, [one for one in old if one.spec["replicas"]], wanted - unavailable)

    def _scale_down(self, new: Stored, old: Sequence[Stored], least: int) -> None:
        """Takes replicas from older sets: those that are not available first, never below the least."""
        sets = (new, *old)
        total = sum(one.spec["replicas"] for one in sets)
        room = total - least - (new.spec["replicas"] - _available(new))
        if room <= 0:
            return
        keeps = {one.name: one.spec["replicas"] for one in old}
        for one in old:
            broken = min(max(one.spec["replicas"] - _available(one), 0), room)
            keeps[one.name] -= broken
            room -= broken
        spare = sum(map(_available, sets)) - least
        for one in old:
            go = min(keeps[one.name], max(spare, 0), max(room, 0))
            keeps[one.name] -= go
            spare, room = spare - go, room - go
            self._scale(one, keeps[one.name])

    def _recreate(self, found: Stored, new: Stored | None, old: Sequence[Stored], digest: str) -> None:
        """The new only when the last pod of the old is gone."""
        for one in old:
            self._scale(one, 0)
        if not any(self._pods.of(one) for one in old):
            self._scale(self._current(found, new, old, digest), found.spec["replicas"])

    def _scale_paused(self, found: Stored, new: Stored | None, old: Sequence[Stored]) -> None:
        """A paused Deployment stays as it is between its sets, and is scaled, surge included, in the largest of them.

        Once all of the new are available the old ones go, though it is paused.

        Kubernetes scales all of them in proportion; with sets as small as these that is the same but for one pod.
        """
        active = [one for one in (*([new] if new else ()), *old) if one.spec["replicas"]]
        if not active:
            return
        wanted, total = found.spec["replicas"], sum(one.spec["replicas"] for one in active)
        if new is not None and len(active) > 1 and new.spec["replicas"] == wanted == _available(new):
            for one in old:
                self._scale(one, 0)
            return
        if len(active) > 1:
            wanted += share((found.spec["strategy"].get("rollingUpdate") or {}).get("maxSurge"), wanted, up=True)
        largest = max(active, key=lambda one: one.spec["replicas"])
        if total > wanted or len(active) == 1:
            self._scale(largest, max(largest.spec["replicas"] + wanted - total, 0))

    # ── Status ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _finish(self, name: Name) -> None:
        found = self._store.get(DEPLOYMENT, *name)
        assert found is not None
        sets, digest = self._sets.of(found), self._hashes.of(found)
        new = next((one for one in sets if one.labels.get(HASH) == digest), None)
        self._clean_up(found, [one for one in sets if one is not new])
        counts = self._counts(found, sets, new)
        if _got_on(found.status, counts):
            self._progressed[name] = self._world.micros
        conditions = self._conditions(found, counts)
        self._store.set_status(found, {**counts, "conditions": conditions}, MANAGER)

    def _counts(self, found: Stored, sets: Iterable[Stored], new: Stored | None) -> Document:
        available = sum(map(_available, sets))
        return {
            "observedGeneration": found.metadata["generation"],
            "replicas": sum(one.status.get("replicas", 0) for one in sets),
            "updatedReplicas": new.status.get("replicas", 0) if new is not None else 0,
            "readyReplicas": sum(one.status.get("readyReplicas", 0) for one in sets),
            "availableReplicas": available,
            "unavailableReplicas": max(found.spec["replicas"] - available, 0),
        }

    def _conditions(self, found: Stored, counts: Document) -> list[Document]:
        wanted, was, stamp = found.spec["replicas"], found.status.get("conditions"), self._world.stamp
        rolling = found.spec["strategy"].get("rollingUpdate") or {}
        least = wanted - share(rolling.get("maxUnavailable"), wanted, up=False)
        enough = counts["availableReplicas"] >= least
        reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
        available = condition("Available", enough, reason, was, stamp)
        done = counts["updatedReplicas"] == counts["replicas"] == counts["availableReplicas"] == wanted
        late = not done and not found.spec.get("paused") and self._is_late(found)
        why = "NewReplicaSetAvailable" if done else "ProgressDeadlineExceeded" if late else "ReplicaSetUpdated"
        return [available, condition("Progressing", not late, why, was, stamp)]

    def _is_late(self, found: Stored) -> bool:
        """Whether it has not got on within its deadline; else it is looked at again then."""
        since = (self._world.micros - self._progressed.get(found.name, 0)) / 1e6
        left = found.spec.get("progressDeadlineSeconds", 600) - since
        if left > 0:
            self._queue.add_after(found.name, left + 0.01)
        return bool(left <= 0)

    def _clean_up(self, found: Stored, old: Sequence[Stored]) -> None:
        """Old sets without replicas, beyond the history that is kept."""
        idle = [one for one in old if not one.spec["replicas"] and not one.status.get("replicas")]
        keep = found.spec.get("revisionHistoryLimit", 10)
        if len(idle) > keep:
            for one in sorted(idle, key=lambda one: int(_revision(one)))[: len(idle) - keep]:
                self._store.end(one)


def _set_of(found: Stored, digest: str, revision: int) -> Document:
    """The ReplicaSet of a Deployment's present template, without replicas as yet."""
    template, selector = found.spec["template"], found.spec["selector"]
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), HASH: digest}
    spec = {
        "replicas": 0,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: digest}},
        "template": {**template, "metadata": {**metadata, "labels": labels}},
    }
    if least := found.spec.get("minReadySeconds"):
        spec["minReadySeconds"] = least
    named = {
        "name": f"{found.metadata['name']}-{digest}",
        "namespace": found.name[0],
        "labels": labels,
        "annotations": {REVISION: str(revision)},
        "ownerReferences": [reference_to(found)],
    }
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": named, "spec": spec}


def _available(one: Stored) -> int:
    return int(one.status.get("availableReplicas", 0))


def _revision(one: Stored) -> str:
    return str((one.metadata.get("annotations") or {}).get(REVISION, "0"))


def _annotated(one: Stored, revision: str) -> Document:
    annotations = {**(one.metadata.get("annotations") or {}), REVISION: revision}
    return {**one.document, "metadata": {**one.metadata, "annotations": annotations}}


def _got_on(before: Document, now: Document) -> bool:
    """More that is new, ready or available, or fewer that are old."""
    if any(now[name] > before.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "availableReplicas")):
        return True
    old = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    return bool(now["replicas"] - now["updatedReplicas"] < old)
