"""How the instances of each kind of workload take a new version up, wave by wave, and give it back.

Deployments roll by surge and are paused but for the moments in which one instance follows another, StatefulSets roll
down to a partition, DaemonSets replace a pod only where one is deleted: they are told so before the owner is asked for
its change, by fields that the checkpoint can put back. Called by executor.py and the hands.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from addonctl.errors import Conflict
from addonctl.instances import PODS, Document, Instance, Instances, Seen, is_ending, is_new, owned, versions_of, whole
from addonctl.leaving import Leaving, is_ready
from addonctl.model import ObjectRef, live
from addonctl.model.checkpoint import Checkpoint
from addonctl.ports import Clock, ObjectReader, ObjectWriter

# Pods of a StatefulSet from this ordinal on take a new version up: none has it, however many there will be.
_NONE = 2**31 - 1
# The controllers take so long to make one instance follow another, at most.
_FOLLOWS_S, _LOOK_S = 5.0, 0.25
# Clocks of two machines differ by no more than this, unless one of them is wrong.
_CLOCKS_DIFFER = timedelta(seconds=60)


# ── Deployments ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Surging(Instances):
    """A Deployment's: a new one serves before an old one goes.

    New ones do not count as available for as long as that can be: the Deployment ends no old one for them by itself,
    paused or not, and so does not roll on while nobody holds it. Where one is to go, so many may be unavailable as do
    not count. What counts does not change in that moment: the controller would begin anew, and count by what is new.
    """

    @property
    def revisions(self) -> live.Kind:
        return live.Kind("apps", "ReplicaSet")

    @property
    def hardened(self) -> Document:
        return _HELD

    @property
    def _serves_s(self) -> int:
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
            # In the end owners wait until all are available.
            self.merge({**_HELD, "paused": False, "minReadySeconds": self._serves_s} if last else _HELD)
            return True
        if len(now.staying) <= now.of:
            self._move_on(now)
        elif now.updated_ready == now.updated and self._have_served(now):
            self._follow(now)
        return False

    def _have_served(self, now: Seen) -> bool:
        """Whether new instances, which are ready, have been so for as long as the add-on wants.

        By two clocks: a time far in the future says that one of them is wrong, and nothing else.
        """
        at = self.clock.now()
        young = at - timedelta(seconds=self._serves_s), at + _CLOCKS_DIFFER
        since = (each.ready_since for each in now.staying if each.new and each.ready_since)
        return not self._serves_s or not any(young[0] < each < young[1] for each in since)

    def _follow(self, now: Seen) -> None:
        """An old instance goes for a new one that serves: first out of traffic, then by the hand of the Deployment.

        That ends what is not ready first.
        """
        going = _first_to_go(now)
        self.merge(_HELD)  # a worker that died may have left it unpaused
        if not going or Leaving(self.reader, self.writer, self.clock).leave(going.ref):
            self._move_on(now, unavailable=self._not_available())

    def _move_on(self, now: Seen, unavailable: int = 0) -> None:
        """Unpauses the Deployment until there is one new instance more, or if there are all one old one fewer."""
        longest_s = int(self.old.document["spec"].get("progressDeadlineSeconds", 600)) - 1
        self.merge({"paused": False, "minReadySeconds": longest_s, "strategy": _surge(unavailable)})
        for _ in range(round(_FOLLOWS_S / _LOOK_S)):
            after = self.look()
            if after.updated > now.updated or (now.updated == now.of and len(after.old) < len(now.old)):
                break
            self.clock.sleep(_LOOK_S)
        self.merge(_HELD)

    def _not_available(self) -> int:
        """How many new instances the Deployment does not count as available."""
        workload = self.reader.get(self.ref)
        sets = owned(workload, self.selected(workload, self.revisions))
        new = [each.document for each in sets if each.template != self.old.template]
        counted = sum(int((each.get("status") or {}).get("availableReplicas", 0)) for each in new)
        return sum(int(each["spec"]["replicas"]) for each in new) - counted

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


def _surge(unavailable: int = 0) -> Document:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": unavailable}}


_HELD: Document = {"paused": True, "strategy": _surge()}


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
