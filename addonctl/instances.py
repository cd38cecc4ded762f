"""The instances of a step's workloads: which of them run the new version, and how they are made to, or made not to.

A workload's version is its pod template: pods of the template that the checkpoint holds are old, all others are new.
Deployments roll by surge and are paused but for the moments in which one instance follows another, StatefulSets roll
down to a partition, DaemonSets replace a pod only where one is deleted: they are told so before the owner is asked for
its change, by fields that the checkpoint can put back. Called by executor.py.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from addonctl.errors import Conflict, NotFound
from addonctl.frozen import dataclass, replace
from addonctl.leaving import Leaving, is_ready
from addonctl.model import CRASHING, NOT_CREATED, NOT_PULLED, Guard, ObjectRef, live
from addonctl.model.checkpoint import Checkpoint
from addonctl.ports import Clock, ObjectReader, ObjectWriter

_REVISIONS = {
    "Deployment": live.Kind("apps", "ReplicaSet"),
    "StatefulSet": live.Kind("apps", "ControllerRevision"),
    "DaemonSet": live.Kind("apps", "ControllerRevision"),
}
KINDS = frozenset(_REVISIONS)
TEMPORARY = ("paused", "strategy", "minReadySeconds", "updateStrategy")
"""The fields of a workload's spec that `harden` sets and `relax` puts back."""
_PODS = live.Kind("", "Pod")
# Codes of the same findings. A first pull may fail for a moment: kubelets back off when it has failed twice.
_TROUBLES = {
    CRASHING: "HLT001",
    **dict.fromkeys(NOT_PULLED - {"ErrImagePull"}, "HLT002"),
    **dict.fromkeys(NOT_CREATED, "HLT003"),
}
# Pods of a StatefulSet from this ordinal on take a new version up: none has it, however many there will be.
_NONE = 2**31 - 1
# A Deployment by itself ends no old pod before a new one is ready for so long. That is longer than it takes until
# another worker has taken the run over: what nobody holds any more does not roll on before.
_HELD_S = 60
# The controllers take so long to make one instance follow another, at most.
_FOLLOWS_S, _LOOK_S = 5.0, 0.25
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A pod. `new`: of another template than the checkpoint's; `trouble`: why it cannot run, where that is certain."""

    uid: str
    ref: ObjectRef
    new: bool
    ready: bool
    node: str = ""
    ending: bool = False
    trouble: Guard | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The instances of some workloads at one look; `of` are wanted. Those that are on their way out are not counted.

    `as_it_was`: the templates of all workloads are the checkpoint's.
    """

    of: int = 0
    instances: tuple[Instance, ...] = ()
    as_it_was: bool = True

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(self.of + other.of, self.instances + other.instances, self.as_it_was and other.as_it_was)

    def all_new(self) -> "Seen":
        return Seen(self.of, tuple(replace(each, new=True) for each in self.instances), self.as_it_was)

    @property
    def staying(self) -> tuple[Instance, ...]:
        return tuple(each for each in self.instances if not each.ending)

    @property
    def updated(self) -> int:
        return sum(each.new for each in self.staying)

    @property
    def ready(self) -> int:
        return sum(each.ready for each in self.staying)

    @property
    def updated_ready(self) -> int:
        return sum(each.new and each.ready for each in self.staying)


@dataclass(frozen=True, slots=True)
class Instances:
    """Those of one workload. `old` is the workload as the checkpoint holds it."""

    reader: ObjectReader
    writer: ObjectWriter
    old: live.Object

    @property
    def ref(self) -> ObjectRef:
        return self.old.ref

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    def look(self) -> Seen:
        """As the live objects show them now."""
        workload = self.reader.get(self.ref)
        return _seen(self.old, workload, self._selected(workload, self._revisions), self._selected(workload, _PODS))

    @property
    def _revisions(self) -> live.Kind:
        return _REVISIONS[self.ref.kind]

    def _selected(self, workload: live.Object, kind: live.Kind) -> live.Listing:
        """Its pods or revisions: both have the labels of its template."""
        return self.reader.list(kind, self.ref.namespace, _selector(workload.document))

    # ── Changing ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def hardened(self) -> Document:
        """Fields of the spec: nothing is taken up before it is released, no old instance goes before a new serves.

        Two versions of what is to be recreated must not run side by side: it is held, and then goes at once.
        """
        if self.ref.kind == "DaemonSet":
            return {"updateStrategy": {"type": "OnDelete"}}
        if self.ref.kind == "StatefulSet":
            return {"updateStrategy": _down_to(_NONE)}
        if (self.old.document["spec"].get("strategy") or {}).get("type") == "Recreate":
            return {"paused": True}
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        most = self.old.document["spec"].get("progressDeadlineSeconds", 600) - 1
        return {"paused": True, "strategy": rolling, "minReadySeconds": min(self._min_ready_s + _HELD_S, most)}

    @property
    def _min_ready_s(self) -> int:
        """As the add-on wants it."""
        return int(self.old.document["spec"].get("minReadySeconds", 0))

    def harden(self) -> None:
        """Sets them until `relax`."""
        spec = self.hardened
        if self.ref.kind == "DaemonSet":
            spec = {"updateStrategy": {**spec["updateStrategy"], "rollingUpdate": None}}
        self._merge(spec)

    def relax(self) -> None:
        """As it was before `harden`, but for the version, and none of its fields is ours."""
        spec = self.old.document["spec"]
        if self.ref.kind != "Deployment":
            self._merge({"updateStrategy": _whole(spec.get("updateStrategy") or {}, "rollingUpdate")})
        else:
            strategy = _whole(spec.get("strategy") or {}, "rollingUpdate")
            serves_s = spec.get("minReadySeconds")
            self._merge({"paused": spec.get("paused"), "strategy": strategy, "minReadySeconds": serves_s})
        self.disown()

    def relax_to(self, wanted: Document) -> None:
        """The same, but as another document has these fields, those that it has."""
        spec = {name: wanted["spec"][name] for name in TEMPORARY if name in wanted["spec"]}
        old = {**self.old.document, "spec": {**self.old.document["spec"], **spec}}
        replace(self, old=live.Object(old)).relax()

    def disown(self) -> None:
        """Gives up the fields that were changed here: who applies them next would leave what is ours, or be refused."""
        self.writer.disown(self.ref)

    def release(self, seen: Seen, instances: int, nodes: Sequence[str], clock: Clock, *, last: bool) -> bool:
        """Lets so many take the new version up, of a DaemonSet those on `nodes` if any are named; whether that is done.

        `seen` is what the last look at them showed.
        """
        if self.ref.kind == "DaemonSet":
            if last or nodes:
                return self._replace(None if last else frozenset(nodes), new=False)
            return self._replace(None, new=False, staying=max(seen.of - instances, 0))
        if self.ref.kind == "StatefulSet":
            self._merge({"updateStrategy": _down_to(0 if last else max(seen.of - instances, 0))})
            return last or seen.updated >= min(instances, seen.of)
        if "strategy" not in self.hardened:
            self._merge({"paused": False})
            return True
        return self._roll(seen, seen.of if last else min(instances, seen.of), clock, last=last)

    def _roll(self, seen: Seen, instances: int, clock: Clock, *, last: bool) -> bool:
        """One instance of a Deployment more; with the `last` wave, the old ones that are left go as well."""
        old = [each for each in seen.staying if not each.new]
        if seen.updated >= instances and not (last and old):
            if last:
                self._merge({"paused": False})
            return True
        if len(seen.staying) <= seen.of:
            self._unpaused(clock, lambda now: now.updated > seen.updated)
        elif seen.updated_ready == seen.updated:
            self._follow(seen, clock)
        return False

    def _follow(self, seen: Seen, clock: Clock) -> None:
        """An old instance goes for a new one that serves: first out of traffic, then by the hand of the Deployment.

        That ends what is not ready first, also while it is paused if it has all new ones that it wants.
        """
        going = _first_to_go(seen)
        if going and not Leaving(self.reader, self.writer, clock).leave(going.ref):
            return
        held, fewer = self.hardened["minReadySeconds"], len(seen.staying) - 1
        self._merge({"minReadySeconds": self._min_ready_s})
        if not self._until(clock, lambda now: len(now.staying) <= fewer or self._available_new() >= now.updated):
            self._merge({"minReadySeconds": held})
        elif seen.updated < seen.of:
            self._unpaused(clock, lambda now: now.updated > seen.updated, minReadySeconds=held)
        else:
            self._until(clock, lambda now: len(now.staying) <= fewer)

    def _unpaused(self, clock: Clock, until: Callable[[Seen], bool], **spec: int) -> None:
        """Unpauses the Deployment until it has done one thing."""
        self._merge({"paused": False, **spec})
        self._until(clock, until)
        self._merge({"paused": True})

    def _until(self, clock: Clock, so: Callable[[Seen], bool]) -> bool:
        """Waits for what controllers do within a moment; whether they did."""
        for _ in range(round(_FOLLOWS_S / _LOOK_S)):
            if so(self.look()):
                return True
            clock.sleep(_LOOK_S)
        return False

    def _available_new(self) -> int:
        """How many new instances the Deployment counts as available."""
        sets = self._owned(self.reader.get(self.ref).document)
        counts = (
            (each.document.get("status") or {}).get("availableReplicas", 0) for each in sets if self._is_of_new(each)
        )
        return sum(counts)

    def _is_of_new(self, revision: live.Object) -> bool:
        return revision.template != self.old.template

    def revert(self, clock: Clock) -> None:
        """The old template at once; a Deployment's old pods are still there, the others' are made anew."""
        if self.ref.kind == "Deployment":
            self._take_out_of_traffic(clock)
        template = self.old.document["spec"]["template"]
        body: list[Document] = [{"op": "replace", "path": "/spec/template", "value": template}]
        if self.ref.kind == "Deployment":
            body += ({"op": "add", "path": f"/spec/{name}", "value": value} for name, value in self._rolls_back.items())
        if self.ref.kind == "StatefulSet":
            body.append({"op": "add", "path": "/spec/updateStrategy", "value": self._made_anew()})
        self.writer.patch(self.ref, body, form=live.PatchForm.JSON)
        if self.ref.kind != "Deployment":  # a pod of a StatefulSet that does not get ready holds up all others
            self._replace(None, new=True)

    @property
    def _rolls_back(self) -> Document:
        """Fields by which the old version comes back: all of it at once, and no more is down meanwhile than may be."""
        spec = self.old.document["spec"]
        found: dict[str, Any] = {"paused": False, "minReadySeconds": self._min_ready_s}
        strategy = spec.get("strategy") or {}
        if strategy.get("type") == "Recreate":
            return found
        rolling = {"maxUnavailable": "25%", **(strategy.get("rollingUpdate") or {}), "maxSurge": "100%"}
        return {**found, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}

    def _take_out_of_traffic(self, clock: Clock) -> None:
        """New instances that are more than are wanted answer nobody from now on; the Deployment ends them first."""
        seen = self.look()
        serving = [each for each in seen.staying if each.new and each.ready]
        for each in serving[: max(seen.ready - seen.of, 0)]:
            Leaving(self.reader, self.writer, clock).mark(each.ref)

    def _made_anew(self) -> Document:
        """A StatefulSet's strategy by which pods are made of the old revision, even if its owner comes late.

        Below the partition that is the revision of before the update; once all had the new one, it is that.
        """
        workload = self.reader.get(self.ref)
        revisions = self._selected(workload, self._revisions)
        current = (workload.document.get("status") or {}).get("currentRevision", "")
        return _down_to(0 if _versions(self.old, workload, revisions).get(current, False) else _NONE)

    def _replace(self, nodes: frozenset[str] | None, *, new: bool, staying: int = 0) -> bool:
        """Ends the pods of one version on some nodes, or all but those `staying`; whether there was none left.

        Raises TooManyRequests where a PodDisruptionBudget forbids it at present.
        """
        workload = self.reader.get(self.ref)
        versions = _versions(self.old, workload, self._selected(workload, self._revisions))
        found = [
            pod
            for pod in (each.document for each in self._selected(workload, _PODS))
            if (nodes is None or pod["spec"].get("nodeName") in nodes)
            and not _is_ending(pod)
            and _is_new(pod, versions) is new
        ]
        found.sort(key=lambda pod: (is_ready(pod), pod["spec"].get("nodeName", "")))
        going = found[: max(len(found) - staying, 0)]
        for pod in going:
            self._end(pod["metadata"], ready=is_ready(pod))
        return not going

    def _end(self, pod: Document, *, ready: bool) -> None:
        """What serves is evicted, so that its budget is asked; what does not is no loss, if it still does not."""
        ref = ObjectRef(kind="Pod", name=pod["name"], namespace=self.ref.namespace)
        if ready:
            self.writer.evict(ref)
        else:
            with suppress(Conflict):
                self.writer.delete(ref, uid=pod["uid"], resource_version=pod["resourceVersion"])

    def _merge(self, spec: Document) -> None:
        self.writer.patch(self.ref, {"spec": spec})


def of_checkpoint(reader: ObjectReader, writer: ObjectWriter, checkpoint: Checkpoint) -> tuple[Instances, ...]:
    """The workloads that a checkpoint holds."""
    held = (found for found in checkpoint.objects if found.ref.kind in _REVISIONS and found.ref.group == "apps")
    return tuple(Instances(reader, writer, found) for found in held)


def _first_to_go(seen: Seen) -> Instance | None:
    """The ready old instance that leaves next, where most are on one node; None: one that is not ready goes anyway."""
    old = [each for each in seen.staying if not each.new]
    if not all(each.ready for each in old):
        return None
    crowd = Counter(each.node for each in seen.staying)
    return max(old, key=lambda each: (crowd[each.node], each.ref.name), default=None)


def exists(reader: ObjectReader, ref: ObjectRef) -> live.Object | None:
    try:
        return reader.get(ref)
    except NotFound:
        return None


@lru_cache(maxsize=16)
def _seen(old: live.Object, workload: live.Object, revisions: live.Listing, pods: live.Listing) -> Seen:
    """What the same objects show is the same: mostly nothing has changed since the last look."""
    versions = _versions(old, workload, revisions)
    return Seen(
        of=_wanted(workload.document),
        instances=tuple(_instance(pod, _is_new(pod.document, versions)) for pod in pods),
        as_it_was=workload.template == old.template,
    )


def _versions(old: live.Object, workload: live.Object, revisions: live.Listing) -> Mapping[str, bool]:
    """Hash of a pod, or name of its revision → whether its template is another one than the checkpoint's."""
    found: dict[str, bool] = {}
    for revision in _owned(workload, revisions):
        labels = revision.metadata.get("labels") or {}
        hashes = (revision.ref.name, *(labels[name] for name in live.REVISION_HASHES if name in labels))
        found |= dict.fromkeys(hashes, revision.template != old.template)
    return found


def _owned(workload: live.Object, revisions: live.Listing) -> Iterator[live.Object]:
    for revision in revisions:
        if any(owner.get("uid") == workload.uid for owner in revision.metadata.get("ownerReferences") or ()):
            yield revision


def _is_new(pod: Document, versions: Mapping[str, bool]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return any(versions.get(labels.get(name, ""), False) for name in live.REVISION_HASHES)


def _selector(workload: Document) -> str:
    """A workload's selector in kubectl's syntax."""
    selector = workload["spec"]["selector"]
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        among = f"({','.join(each.get('values') or ())})"
        words = {"In": f"{each['key']} in {among}", "NotIn": f"{each['key']} notin {among}", "Exists": each["key"]}
        terms.append(words.get(each["operator"], f"!{each['key']}"))
    return ",".join(terms)


def _wanted(workload: Document) -> int:
    if workload["kind"] == "DaemonSet":
        return int((workload.get("status") or {}).get("desiredNumberScheduled", 0))
    return int(workload["spec"].get("replicas", 1))


def _instance(found: live.Object, new: bool) -> Instance:
    pod = found.document
    return Instance(
        uid=found.uid,
        ref=found.ref,
        new=new,
        ready=is_ready(pod),
        node=pod["spec"].get("nodeName", ""),
        ending=_is_ending(pod),
        trouble=next(_troubles(pod), None),
    )


def _troubles(pod: Document) -> Iterator[Guard]:
    """Containers that no working add-on has: they end again and again, or cannot be started at all."""
    status, metadata = pod.get("status") or {}, pod["metadata"]
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        code = _TROUBLES.get(waiting.get("reason", ""))
        if code:
            detail = ": ".join(filter(None, (waiting["reason"], waiting.get("message", ""))))
            ref = ObjectRef.of("Pod", metadata["name"], metadata.get("namespace", ""))
            yield Guard(code=code, subject=f"{container.get('name', '')} of {metadata['name']}", detail=detail, ref=ref)


def _is_ending(pod: Document) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _down_to(partition: int) -> Document:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}


def _whole(strategy: Document, detail: str) -> Document:
    """A strategy for a merge patch: what it does not have is taken away."""
    return {"type": strategy.get("type"), detail: strategy.get(detail)}
