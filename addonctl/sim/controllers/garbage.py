"""The garbage collector and the end of namespaces: what goes because something else has gone."""

from addonctl.model import live
from addonctl.sim.controllers.queue import Queue
from addonctl.sim.kinds import Key
from addonctl.sim.store import NAMESPACE, Change, Name, Store, Stored

_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"


def _references(stored: Stored) -> object:
    return stored.metadata.get("ownerReferences")


class Garbage:
    """Ends objects whose owners are gone, for the kinds that it was told to listen to, and empties namespaces."""

    def __init__(self, store: Store, kinds: tuple[Key, ...]) -> None:
        self._store = store
        self._by_owner: dict[str, dict[tuple[Key, Name], None]] = {}
        self._holding: dict[str, tuple[Key, Name]] = {}  # objects that wait for their dependents, by uid
        self._gone = Queue(store.world, lambda name: self._end_dependents(name[1]))
        self._held = Queue(store.world, self._release)
        self._namespaces = Queue(store.world, lambda name: self._empty(name[1]))
        for key in kinds:
            store.listen(key, self._changed)
        store.listen(NAMESPACE, self._namespace_changed)

    def _changed(self, change: Change) -> None:
        stored = change.stored
        before, after = change.before, change.after
        place = stored.served.key, stored.name
        owners = [one["uid"] for one in stored.metadata.get("ownerReferences") or ()]
        if before is None or after is None or _references(before) is not _references(after):
            self._note_owners(place, owners, after is not None)
        if change.after is None:
            self._holding.pop(stored.uid, None)
            if self._by_owner.get(stored.uid):
                self._gone.add(("", stored.uid))
            for uid in owners:
                if uid in self._holding:
                    self._held.add(("", uid))
        elif stored.is_ending and stored.metadata.get("finalizers"):
            self._by_owner.setdefault(stored.uid, {})
            self._holding[stored.uid] = place
            self._held.add(("", stored.uid))

    def _note_owners(self, place: tuple[Key, Name], owners: list[str], is_there: bool) -> None:
        for uid in owners:
            there = self._by_owner.setdefault(uid, {})
            if is_there:
                there[place] = None
            else:
                there.pop(place, None)

    def _dependents(self, uid: str) -> list[Stored]:
        found = (self._store.get(key, *name) for key, name in self._by_owner.get(uid, {}))
        return [one for one in found if one is not None]

    def _end_dependents(self, uid: str) -> None:
        for one in self._dependents(uid):
            if not one.is_ending:
                self._store.end(one)
        if not self._by_owner.get(uid):
            self._by_owner.pop(uid, None)

    def _release(self, name: Name) -> None:
        """Goes on with an object that ends in the foreground, or leaves its dependents alone."""
        place = self._holding.get(name[1])
        found = self._store.get(place[0], *place[1]) if place is not None else None
        if found is None:
            return
        finalizers = found.metadata.get("finalizers") or ()
        dependents = self._dependents(found.uid)
        if _ORPHAN in finalizers:
            for one in dependents:
                self._disown(one, found.uid)
            self._without(found, _ORPHAN)
        elif _FOREGROUND in finalizers:
            for one in dependents:
                if not one.is_ending:
                    self._store.end(one, live.Propagation.FOREGROUND)
            if not dependents:
                self._without(found, _FOREGROUND)

    def _disown(self, one: Stored, uid: str) -> None:
        left = [reference for reference in one.metadata["ownerReferences"] if reference["uid"] != uid]
        self._store.update(one, {**one.document, "metadata": {**one.metadata, "ownerReferences": left}})
        self._by_owner[uid].pop((one.served.key, one.name), None)

    def _without(self, found: Stored, finalizer: str) -> None:
        left = [one for one in found.metadata["finalizers"] if one != finalizer]
        self._store.update(found, {**found.document, "metadata": {**found.metadata, "finalizers": left}})

    # ── Namespaces ──────────────────────────────────────────────────────────────────────────────────────────────

    def _namespace_changed(self, change: Change) -> None:
        if change.after is not None and change.after.is_ending:
            self._namespaces.add(("", change.after.metadata["name"]))

    def _empty(self, name: str) -> None:
        namespace = self._store.get(NAMESPACE, "", name)
        if namespace is None or not namespace.is_ending:
            return
        left = [one for key in self._store.stored_kinds() for one in self._store.rows(key, name)]
        for one in left:
            if not one.is_ending:
                self._store.end(one)
        if not any(self._store.get(one.served.key, *one.name) for one in left):
            self._store.remove(namespace)
        else:
            self._namespaces.add_after(("", name), 1.0)
