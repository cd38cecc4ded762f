"""The instances of a workload: which of them run the new version, how each is, and what is set for a while.

A workload's version is its pod template: pods of the template that the checkpoint holds are old, all others are new.
How they take a version up differs by kind and is in rollouts.py. Called by executor.py and the hands.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from addonctl.errors import NotFound
from addonctl.leaving import is_ready
from addonctl.model import CRASHING, NOT_CREATED, NOT_PULLED, Guard, ObjectRef, live
from addonctl.ports import Clock, ObjectReader, ObjectWriter

TEMPORARY = ("paused", "strategy", "minReadySeconds", "updateStrategy")
"""The fields of a workload's spec that `harden` sets and `relax` puts back."""
PODS = live.Kind("", "Pod")
# Codes of the same findings. A first pull may fail for a moment: kubelets back off when it has failed twice.
_TROUBLES = {
    CRASHING: "HLT001",
    **dict.fromkeys(NOT_PULLED - {"ErrImagePull"}, "HLT002"),
    **dict.fromkeys(NOT_CREATED, "HLT003"),
}
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A pod. `new`: of another template than the checkpoint's; `trouble`: why it cannot run, where that is certain;
    `killed`: the names of its containers that ended for want of memory, and may run again.

    `ready_since`: None where it is not, or nobody says.
    """

    uid: str
    ref: ObjectRef
    new: bool
    ready: bool
    ready_since: datetime | None = None
    node: str = ""
    ending: bool = False
    trouble: Guard | None = None
    killed: tuple[str, ...] = ()


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
    def old(self) -> tuple[Instance, ...]:
        return tuple(each for each in self.staying if not each.new)

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
    """Those of one workload, which `old` is as the checkpoint holds it; rollouts.py has a class for each kind."""

    reader: ObjectReader
    writer: ObjectWriter
    clock: Clock
    old: live.Object

    @property
    def ref(self) -> ObjectRef:
        return self.old.ref

    @property
    def revisions(self) -> live.Kind:
        """What keeps the templates that its pods are of."""
        return live.Kind("apps", "ControllerRevision")

    @property
    def hardened(self) -> Document:
        """Fields of the spec: nothing is taken up before it is released, no old instance goes before a new serves."""
        raise NotImplementedError

    def release(self, now: Seen, instances: int, nodes: Sequence[str], *, last: bool) -> bool:
        """Lets so many take the new version up, of a DaemonSet those on `nodes` if any are named; whether that is done.

        `now` is what the last look at them showed.
        """
        raise NotImplementedError

    def revert(self) -> bool:
        """The old template at once; whether no instance of the new one was left to be ended."""
        raise NotImplementedError

    def look(self) -> Seen:
        """As the live objects show them now."""
        workload = self.reader.get(self.ref)
        return _seen(self.old, workload, self.selected(workload, self.revisions), self.selected(workload, PODS))

    def selected(self, workload: live.Object, kind: live.Kind) -> live.Listing:
        """Its pods or revisions: both have the labels of its template."""
        return self.reader.list(kind, self.ref.namespace, selector(workload.document))

    # ── Temporary settings ──────────────────────────────────────────────────────────────────────────────────────

    def harden(self) -> None:
        """Sets them until `relax`."""
        self.merge(self.hardened)

    def relax(self) -> None:
        """As it was before `harden`, but for the version, and none of its fields is ours."""
        raise NotImplementedError

    @property
    def is_untouched(self) -> bool:
        """Whether it is as it was before `harden` already, and none of its fields is ours."""
        now = self.reader.get(self.ref)
        owners = now.metadata.get("managedFields") or ()
        ours = any((each.get("manager"), each.get("operation")) == (live.FIELD_MANAGER, "Update") for each in owners)
        return not ours and _temporary(now) == _temporary(self.old)

    def relax_to(self, wanted: Document) -> None:
        """The same, but as another document has these fields, those that it has."""
        spec = {name: wanted["spec"][name] for name in TEMPORARY if name in wanted["spec"]}
        old = {**self.old.document, "spec": {**self.old.document["spec"], **spec}}
        replace(self, old=live.Object(old)).relax()

    def disown(self) -> None:
        """Gives up the fields that were changed here: who applies them next would leave what is ours, or be refused."""
        self.writer.disown(self.ref)

    def merge(self, spec: Document) -> None:
        self.writer.patch(self.ref, {"spec": spec})

    def put_back(self, **spec: Any) -> None:
        """The old template, and these fields of the spec."""
        body = [{"op": "replace", "path": "/spec/template", "value": self.old.document["spec"]["template"]}]
        body += ({"op": "add", "path": f"/spec/{name}", "value": value} for name, value in spec.items())
        self.writer.patch(self.ref, body, form=live.PatchForm.JSON)


def _temporary(workload: live.Object) -> Document:
    return {name: workload.document["spec"].get(name) for name in TEMPORARY}


def whole(strategy: Document) -> Document:
    """A strategy for a merge patch: what it does not have is taken away."""
    return {"type": strategy.get("type"), "rollingUpdate": strategy.get("rollingUpdate")}


def exists(reader: ObjectReader, ref: ObjectRef) -> live.Object | None:
    try:
        return reader.get(ref)
    except NotFound:
        return None


@lru_cache(maxsize=16)
def _seen(old: live.Object, workload: live.Object, revisions: live.Listing, pods: live.Listing) -> Seen:
    """What the same objects show is the same: mostly nothing has changed since the last look."""
    versions = versions_of(old, workload, revisions)
    return Seen(
        of=_wanted(workload.document),
        instances=tuple(_instance(pod, is_new(pod.document, versions)) for pod in pods),
        as_it_was=workload.template == old.template,
    )


def versions_of(old: live.Object, workload: live.Object, revisions: live.Listing) -> Mapping[str, bool]:
    """Hash of a pod, or name of its revision → whether its template is another one than the checkpoint's."""
    found: dict[str, bool] = {}
    for revision in owned(workload, revisions):
        labels = revision.metadata.get("labels") or {}
        hashes = (revision.ref.name, *(labels[name] for name in live.REVISION_HASHES if name in labels))
        found |= dict.fromkeys(hashes, revision.template != old.template)
    return found


def owned(workload: live.Object, revisions: live.Listing) -> Iterator[live.Object]:
    for revision in revisions:
        if any(owner.get("uid") == workload.uid for owner in revision.metadata.get("ownerReferences") or ()):
            yield revision


def is_new(pod: Document, versions: Mapping[str, bool]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return any(versions.get(labels.get(name, ""), False) for name in live.REVISION_HASHES)


def selector(workload: Document) -> str:
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
        ready_since=_ready_since(pod),
        node=pod["spec"].get("nodeName", ""),
        ending=is_ending(pod),
        trouble=next(_troubles(pod), None),
        killed=tuple(_killed(pod)),
    )


def _ready_since(pod: Document) -> datetime | None:
    for each in (pod.get("status") or {}).get("conditions") or ():
        if (each.get("type"), each.get("status")) == ("Ready", "True") and each.get("lastTransitionTime"):
            return datetime.fromisoformat(each["lastTransitionTime"])
    return None


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


def _killed(pod: Document) -> Iterator[str]:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        for state in (container.get("state"), container.get("lastState")):
            if ((state or {}).get("terminated") or {}).get("reason") == "OOMKilled":
                yield str(container.get("name", ""))


def is_ending(pod: Document) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))
