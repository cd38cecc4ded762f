"""How the instances of each kind of workload take a new version up, wave by wave, and give it back.

Deployments roll by surge and are paused but for the moments in which one instance follows another, StatefulSets roll
down to a partition, DaemonSets replace a pod only where one is deleted: they are told so before the owner is asked for
its change, by fields that the checkpoint can put back. Called by executor.py and the hands.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from addonctl.errors import Conflict
from addonctl.instances import PODS, Document, Instance, Instances, Seen, is_ending, is_new, owned, versions_of, whole
from addonctl.leaving import Leaving, is_ready
from addonctl.model import ObjectRef, live
from addonctl.model.checkpoint import Checkpoint
from addonctl.ports import Clock, ObjectReader, ObjectWriter

# Pods of a StatefulSet from this ordinal on take a new version up: none has it, however many there will be.
_NONE = 2**31 - 1
# A Deployment by itself ends no old pod before a new one is ready for so long. That is longer than it takes until
# another worker has taken the run over: what nobody holds any more does not roll on before.
_HELD_S = 60
# The controllers take so long to make one instance follow another, at most.
_FOLLOWS_S, _LOOK_S = 5.0, 0.25


# ── Deployments ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Surging(Instances):
    """A Deployment's: a new one serves before an old one goes."""

    @property
    def revisions(self) -> live.Kind:
        return live.Kind("apps", "ReplicaSet")

    @property
    def hardened(self) -> Document:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        return {"paused": True, "strategy": rolling, "minReadySeconds": min(self._serves_s + _HELD_S, self._longest_s)}

    def _held_s(self, now: Seen) -> int:
        """So long the next new pod is ready before the Deployment may by itself end an old one.

        It does so, paused or not, where all that it wants are new: where that is one, for as long as it can be held. Of
        several none is held so long: a Deployment that misses the moment in which it was to end an old one may end it
        once the new ones count again.
        """
        return self._longest_s if now.of == 1 else min(self._serves_s + _HELD_S, self._longest_s)

    @property
    def _longest_s(self) -> int:
        return int(self.old.document["spec"].get("progressDeadlineSeconds", 600)) - 1

    @property
    def _serves_s(self) -> int:
        """So long a new pod is to be ready before it counts, as the add-on wants it."""
        return int(self.old.document["spec"].get("minReadySeconds", 0))

    def relax(self) -> None:
        spec = self.old.document["spec"]
        serves_s = spec.get("minReadySeconds")
        self.merge({"paused": spec.get("paused"), "strategy": whole(spec["strategy"]), "minReadySeconds": serves_s})
        self.disown()

    def release(self, now: Seen, instances: int, nodes: Sequence[str], *, last: bool) -> bool:
        """One instance more at each call; with the `last` wave, the old ones that are left go as well."""
        wanted = now.of if last else min(instances, now.of)
        if now.updated >= wanted and not (last and now.old):
            self.merge({"paused": not last})  # a worker that died may have left it unpaused
            return True
        if len(now.staying) <= now.of:
            self._unpaused(lambda after: after.updated > now.updated, minReadySeconds=self._held_s(now))
        elif now.updated_ready == now.updated:
            self._follow(now)
        return False

    def _follow(self, now: Seen) -> None:
        """An old instance goes for a new one that serves: first out of traffic, then by the hand of the Deployment.

        That ends what is not ready first, also while it is paused if it has all new ones that it wants.
        """
        going = _first_to_go(now)
        if going and not Leaving(self.reader, self.writer, self.clock).leave(going.ref):
            return
        fewer = len(now.staying) - 1
        self.merge({"paused": True, "minReadySeconds": self._serves_s})  # a worker that died may have left it unpaused
        if not self._until(lambda after: len(after.staying) <= fewer or self._available_new() >= after.updated):
            self.merge({"minReadySeconds": self._held_s(now)})
        elif now.updated < now.of:
            self._unpaused(lambda after: after.updated > now.updated, minReadySeconds=self._held_s(now))
        else:
            self._until(lambda after: len(after.staying) <= fewer)

    def _unpaused(self, until: Callable[[Seen], bool], **spec: int) -> None:
        """Unpauses the Deployment until it has done one thing."""
        self.merge({"paused": False, **spec})
        self._until(until)
        self.merge({"paused": True})

    def _until(self, so: Callable[[Seen], bool]) -> bool:
        """Waits for what controllers do within a moment; whether they did."""
        for _ in range(round(_FOLLOWS_S / _LOOK_S)):
            if so(self.look()):
                return True
            self.clock.sleep(_LOOK_S)
        return False

    def _available_new(self) -> int:
        """How many new instances the Deployment counts as available."""
        workload = self.reader.get(self.ref)
        sets = owned(workload, self.selected(workload, self.revisions))
        of_new = (each.document.get("status") or {} for each in sets if each.template != self.old.template)
        return sum(status.get("availableReplicas", 0) for status in of_new)

    def revert(self) -> bool:
        """All old instances come back at once, and no more is down meanwhile than may be."""
        self._take_out_of_traffic()
        rolling = self.old.document["spec"]["strategy"].get("rollingUpdate") or {}
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", **rolling, "maxSurge": "100%"}}
        self.put_back(paused=False, minReadySeconds=self._serves_s, strategy=strategy)
        return True

    def _take_out_of_traffic(self) -> None:
        """New instances that are more than are wanted answer nobody from now on; the Deployment ends them first.

        One that were ended at once would answer on by the flows that it has, until its process is gone.
        """
        now = self.look()
        serving = [each.ref for each in now.staying if each.new and each.ready]
        if bad := serving[: max(now.ready - now.of, 0)]:
            Leaving(self.reader, self.writer, self.clock).left(*bad)


def _first_to_go(now: Seen) -> Instance | None:
    """The ready old instance that leaves next, where most are on one node; None: one that is not ready goes anyway."""
    if not all(each.ready for each in now.old):
        return None
    crowd = Counter(each.node for each in now.staying)
    return max(now.old, key=lambda each: (crowd[each.node], each.ref.name), default=None)


@dataclass(frozen=True, slots=True)
class Recreated(Instances):
    """Those of a Deployment of which two versions must not run side by side: it is held, and then all go at once."""

    @property
    def revisions(self) -> live.Kind:
        return live.Kind("apps", "ReplicaSet")

    @property
    def hardened(self) -> Document:
        return {"paused": True}

    def relax(self) -> None:
        self.merge({"paused": self.old.document["spec"].get("paused")})
        self.disown()

    def release(self, now: Seen, instances: int, nodes: Sequence[str], *, last: bool) -> bool:
        self.merge({"paused": False})
        return True

    def revert(self) -> bool:
        self.put_back(paused=False)
        return True


# ── StatefulSets and DaemonSets ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Ended(Instances):
    """Those of which somebody ends the old one before the new one begins."""

    def relax(self) -> None:
        self.merge({"updateStrategy": whole(self.old.document["spec"].get("updateStrategy") or {})})
        self.disown()

    def _end(self, nodes: frozenset[str] | None, *, new: bool, staying: int = 0) -> bool:
        """Ends the pods of one version on some nodes, or all but those `staying`; whether there was none left.

        Raises TooManyRequests where a PodDisruptionBudget forbids it at present.
        """
        workload = self.reader.get(self.ref)
        versions = versions_of(self.old, workload, self.selected(workload, self.revisions))
        found = [
            pod
            for pod in (each.document for each in self.selected(workload, PODS))
            if (nodes is None or pod["spec"].get("nodeName") in nodes)
            and not is_ending(pod)
            and is_new(pod, versions) is new
        ]
        found.sort(key=lambda pod: (is_ready(pod), pod["spec"].get("nodeName", "")))
        going = found[: max(len(found) - staying, 0)]
        for pod in going:
            self._end_one(pod["metadata"], ready=is_ready(pod))
        return not going

    def _end_one(self, pod: Document, *, ready: bool) -> None:
        """What serves is evicted, so that its budget is asked; what does not is no loss, if it still does not."""
        ref = ObjectRef(kind="Pod", name=pod["name"], namespace=self.ref.namespace)
        if ready:
            self.writer.evict(ref)
        else:
            with suppress(Conflict):
                self.writer.delete(ref, uid=pod["uid"], resource_version=pod["resourceVersion"])


@dataclass(frozen=True, slots=True)
class Partitioned(Ended):
    """A StatefulSet's."""

    @property
    def hardened(self) -> Document:
        return {"updateStrategy": _down_to(_NONE)}

    def release(self, now: Seen, instances: int, nodes: Sequence[str], *, last: bool) -> bool:
        self.merge({"updateStrategy": _down_to(0 if last else max(now.of - instances, 0))})
        return last or now.updated >= min(instances, now.of)

    def revert(self) -> bool:
        """A pod that does not get ready holds up all others, so those of the new version are ended."""
        self.put_back(updateStrategy=self._made_anew())
        return self._end(None, new=True)

    def _made_anew(self) -> Document:
        """A strategy by which pods are made of the old revision, even if its owner comes late.

        Below the partition that is the revision of before the update; once all had the new one, it is that.
        """
        workload = self.reader.get(self.ref)
        versions = versions_of(self.old, workload, self.selected(workload, self.revisions))
        current = (workload.document.get("status") or {}).get("currentRevision", "")
        return _down_to(0 if versions.get(current, False) else _NONE)


def _down_to(partition: int) -> Document:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}


@dataclass(frozen=True, slots=True)
class NodeByNode(Ended):
    """A DaemonSet's."""

    @property
    def hardened(self) -> Document:
        return {"updateStrategy": {"type": "OnDelete"}}

    def harden(self) -> None:
        self.merge({"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}})

    def release(self, now: Seen, instances: int, nodes: Sequence[str], *, last: bool) -> bool:
        if last or nodes:
            return self._end(None if last else frozenset(nodes), new=False)
        return self._end(None, new=False, staying=max(now.of - instances, 0))

    def revert(self) -> bool:
        self.put_back()
        return self._end(None, new=True)


# ── Of a checkpoint ─────────────────────────────────────────────────────────────────────────────────────────────────

_BY_KIND = {"Deployment": Surging, "StatefulSet": Partitioned, "DaemonSet": NodeByNode}
KINDS = frozenset(_BY_KIND)


def instances_of(reader: ObjectReader, writer: ObjectWriter, clock: Clock, old: live.Object) -> Instances:
    """Those of a workload as a checkpoint holds it."""
    recreated = (old.document["spec"].get("strategy") or {}).get("type") == "Recreate"
    kind = Recreated if recreated else _BY_KIND[old.ref.kind]
    return kind(reader, writer, clock, old)


def of_checkpoint(
    reader: ObjectReader, writer: ObjectWriter, clock: Clock, checkpoint: Checkpoint
) -> tuple[Instances, ...]:
    """Those of the workloads that a checkpoint holds."""
    held = (found for found in checkpoint.objects if found.ref.kind in KINDS and found.ref.group == "apps")
    return tuple(instances_of(reader, writer, clock, found) for found in held)
