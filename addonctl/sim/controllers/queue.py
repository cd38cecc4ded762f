"""What all controllers of the world are built from: a queue of names to look at, and indexes kept by listening."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from addonctl.sim.documents import Document
from addonctl.sim.kinds import Key
from addonctl.sim.store import Change, Name, Store, Stored
from addonctl.sim.world import Later, World

# How long after a change a controller acts on it: its informer's way, its queue.
_SOON_S = (0.005, 0.06)


class Queue:
    """Names to be looked at, each once, however often it is added before it is its turn."""

    def __init__(self, world: World, reconcile: Callable[[Name], None], soon_s: tuple[float, float] = _SOON_S) -> None:
        self._world, self._reconcile, self.soon_s = world, reconcile, soon_s
        self._random = world.stream("controllers")
        self._waiting: dict[Name, Later] = {}

    def add(self, name: Name) -> None:
        """Looks at it soon."""
        self.add_after(name, self._random.uniform(*self.soon_s))

    def add_after(self, name: Name, seconds: float) -> None:
        """Looks at it in so many seconds, or sooner where that was said before."""
        waiting = self._waiting.get(name)
        if waiting is not None:
            if waiting.due <= self._world.micros + seconds * 1e6:
                return
            waiting.cancel()
        self._waiting[name] = self._world.after(seconds, lambda: self._look(name))

    def _look(self, name: Name) -> None:
        del self._waiting[name]
        self._reconcile(name)


class Owned:
    """The objects of a kind by the controller that owns them, in the order in which they came into being."""

    def __init__(self, store: Store, key: Key) -> None:
        self._by_owner: dict[str, dict[Name, Stored]] = {}
        self._told: dict[str, list[Callable[[str, Change], None]]] = {}
        store.listen(key, self._note)

    def of(self, owner: Stored) -> list[Stored]:
        return list(self._by_owner.get(owner.uid, {}).values())

    def tell(self, kind: str, listener: Callable[[str, Change], None]) -> None:
        """Calls `listener` with the name of the owner on each change, where the owner is of that kind."""
        self._told.setdefault(kind, []).append(listener)

    def _note(self, change: Change) -> None:
        stored = change.stored
        reference = controller_of(stored)
        if reference is None:
            return
        owned = self._by_owner.setdefault(reference["uid"], {})
        if change.after is None:
            owned.pop(stored.name, None)
        else:
            owned[stored.name] = stored
        for listener in self._told.get(reference["kind"], ()):
            listener(reference["name"], change)


class InNamespace:
    """The objects of a kind by namespace."""

    def __init__(self, store: Store, key: Key) -> None:
        self._by_namespace: dict[str, dict[Name, Stored]] = {}
        store.listen(key, self._note)

    def of(self, namespace: str) -> Iterable[Stored]:
        return self._by_namespace.get(namespace, {}).values()

    def _note(self, change: Change) -> None:
        name = change.stored.name
        there = self._by_namespace.setdefault(name[0], {})
        if change.after is None:
            there.pop(name, None)
        else:
            there[name] = change.after


def controller_of(stored: Stored) -> Document | None:
    """The reference to the controller that owns an object."""
    for reference in stored.metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            found: Document = reference
            return found
    return None


def reference_to(owner: Stored) -> Document:
    return {
        "apiVersion": owner.document["apiVersion"],
        "kind": owner.served.kind,
        "name": owner.metadata["name"],
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def changed(before: Stored, after: Stored) -> bool:
    """Whether something other than status and metadata is said."""
    return bool(before.metadata["generation"] != after.metadata["generation"])


def share(value: int | str | None, of: int, *, up: bool) -> int:
    """A number of pods, or a percentage of them rounded up or down."""
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * of / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value or 0)


class Hashes:
    """The hash of a workload's pod template, worked out once a generation."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, str]] = {}

    def of(self, workload: Stored) -> str:
        generation = workload.metadata["generation"]
        known = self._known.get(workload.uid)
        if known is None or known[0] != generation:
            text = json.dumps(workload.spec["template"], sort_keys=True).encode()
            known = self._known[workload.uid] = generation, hashlib.blake2b(text, digest_size=5).hexdigest()
        return known[1]


def condition(kind: str, status: bool, reason: str, was: Iterable[Mapping[str, Any]] | None, stamp: str) -> Document:
    """A condition; its time is kept while its status is."""
    said = "True" if status else "False"
    before = next((one for one in was or () if one["type"] == kind), None)
    since = before["lastTransitionTime"] if before is not None and before["status"] == said else stamp
    return {"type": kind, "status": said, "reason": reason, "lastTransitionTime": since}
