"""Objects of the world's cluster through the ports: ports.ObjectReader and ports.ObjectWriter over store.Store.

Each client has a SimObjects of its own, with its own weather. A watch tells what is due: when nothing is, it calls
`idle`, and ends where that says that nothing more will come. Nothing needs a thread for that:

- by default `idle` says so at once: iterating takes what there is, and iterating again goes on from there;
- `idle=world.step` lets the world go on until something comes, which is what blocking is in virtual time;
- a test that does iterate in a thread gives an `idle` that waits a little and says that more will come.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from addonctl.errors import BadInput, NotFound, NotServed
from addonctl.model import ObjectRef, live
from addonctl.sim.kinds import Served
from addonctl.sim.selectors import Test, parsed
from addonctl.sim.store import Change, Store, Stored
from addonctl.sim.weather import Call, Calm, Weather

# A quiet watch is told this often how far it is, as kube-apiserver does about once a minute.
BOOKMARK_S = 60
_SECOND = 1_000_000
_T = TypeVar("_T")


def nothing_more() -> bool:
    """The `idle` of a watch that ends when nothing is due."""
    return False


@dataclass
class SimObjects:
    """Both ports. `run` is noted on what `apply` and a merge patch write; `idle` and the watch: see above."""

    store: Store
    run: str = ""
    weather: Weather = field(default_factory=Calm)
    idle: Callable[[], bool] = nothing_more

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, ref: ObjectRef, version: str = "") -> live.Object:
        def got() -> live.Object:
            self.store.kinds.find(ref.group, ref.kind, version)
            return self.store.shown(self.store.found(ref), version)

        return self._asked(Call("objects", "get", str(ref)), got)

    def list(self, kind: live.Kind, namespace: str = "", labels: str = "") -> live.Listing:
        def listed() -> live.Listing:
            served = self.store.kinds.find(kind.group, kind.kind, kind.version)
            matches = parsed(labels)
            rows = self.store.rows(served.key, namespace)
            found = tuple(self.store.shown(row, kind.version) for row in rows if matches(row.labels))
            return live.Listing(found, str(self.store.version))

        return self._asked(Call("objects", "list", str(kind)), listed)

    def allowed(self, right: live.Right) -> bool:
        """Everything is: the world has no RBAC."""

        def asked() -> bool:
            self.store.kinds.find(right.ref.group, right.ref.kind)
            return True

        return self._asked(Call("objects", "get", str(right.ref)), asked)

    def watch(
        self, kind: live.Kind, namespace: str = "", labels: str = "", since: live.Listing | None = None
    ) -> "SimWatch":
        return SimWatch(self, kind, namespace, labels, since)

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def apply(
        self,
        document: Mapping[str, Any],
        *,
        manager: str = live.FIELD_MANAGER,
        force: bool = False,
        dry_run: bool = False,
    ) -> live.Object:
        ref = live.Object(document).ref
        version = str(document.get("apiVersion", "")).rpartition("/")[2]

        def applied() -> live.Object:
            done = self.store.apply(self._noted(document), manager, force=force, dry_run=dry_run)
            return self.store.shown(done, version)

        return self._asked(Call("objects", "apply", str(ref), not dry_run), applied)

    def patch(
        self,
        ref: ObjectRef,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        form: live.PatchForm = live.PatchForm.MERGE,
        uid: str = "",
        resource_version: str = "",
        subresource: str = "",
        dry_run: bool = False,
    ) -> live.Object:
        if isinstance(body, Mapping) is not (form is live.PatchForm.MERGE):
            raise BadInput(f"This is no {form} patch", "A merge patch is a mapping, a JSON patch a list of operations.")
        said = self._noted(body) if isinstance(body, Mapping) else body
        held = {"uid": uid, "resource_version": resource_version, "subresource": subresource}

        def done() -> live.Object:
            return self.store.shown(self.store.patch(ref, said, dry_run=dry_run, **held))

        return self._asked(Call("objects", "patch", str(ref), not dry_run), done)

    def disown(self, ref: ObjectRef) -> None:
        call = Call("objects", "patch", str(ref), True)
        self._asked(call, lambda: self.store.disown(ref, live.FIELD_MANAGER))

    def delete(
        self,
        ref: ObjectRef,
        *,
        propagation: live.Propagation = live.Propagation.BACKGROUND,
        uid: str = "",
        resource_version: str = "",
        dry_run: bool = False,
    ) -> None:
        def done() -> None:
            held = {"uid": uid, "resource_version": resource_version}
            self.store.delete(ref, propagation=propagation, dry_run=dry_run, **held)

        try:
            self._asked(Call("objects", "delete", str(ref), not dry_run), done)
        except (NotFound, NotServed):
            return

    def evict(self, pod: ObjectRef, *, dry_run: bool = False) -> None:
        try:
            self._asked(Call("objects", "evict", str(pod), not dry_run), lambda: self.store.evict(pod, dry_run=dry_run))
        except NotFound:
            return

    def _asked(self, call: Call, ask: Callable[[], _T]) -> _T:
        self.weather.before(call)
        answer = ask()
        self.weather.after(call)
        return answer

    def _noted(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self.run:
            return body
        metadata = body.get("metadata") or {}
        notes = {**(metadata.get("annotations") or {}), live.RUN_ANNOTATION: self.run}
        return {**body, "metadata": {**metadata, "annotations": notes}}


# ── Watching ────────────────────────────────────────────────────────────────────────────────────────────────────


class SimWatch:
    """See ports.Watch, and the module for when it ends. Iterating again goes on from where the last one stopped."""

    def __init__(
        self, objects: SimObjects, kind: live.Kind, namespace: str, labels: str, since: live.Listing | None
    ) -> None:
        self._objects, self._kind, self._namespace, self._labels = objects, kind, namespace, labels
        self._known = {found.ref: found for found in since or ()}
        self._since: int | None = int(since.resource_version) if since is not None else None
        self._told_up_to, self._bookmarked = self._since or 0, objects.store.world.micros
        self._closed = False

    def close(self) -> None:
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[live.WatchEvent]:
        while not self._is_closed():
            told = False
            for event in self._due():
                told = True
                yield event
                if self._is_closed():
                    return
            if not told and not self._objects.idle():
                return

    def _is_closed(self) -> bool:
        """Asked anew each time: whoever is told may close."""
        return self._closed

    def _due(self) -> Iterator[live.WatchEvent]:
        """What can be told now. Raises NotServed when the kind is gone."""
        store = self._objects.store
        served = store.kinds.find(self._kind.group, self._kind.kind, self._kind.version)
        changes = store.changes(served.key, self._since) if self._since is not None else None
        if changes is None:
            yield from self._listed()
            return
        visible = store.world.micros - round(self._objects.weather.watch_lag_s() * _SECOND)
        matches = parsed(self._labels)
        for change in changes:
            if change.micros > visible:
                return
            # The position moves before the event is told: whoever stops here has had it.
            self._since = change.version
            yield from self._told(served, change, matches)
        yield from self._bookmark(store.version)

    def _listed(self) -> Iterator[live.WatchEvent]:
        """Tells what a new list has that was not known."""
        listing = self._objects.list(self._kind, self._namespace, self._labels)
        there = {found.ref: found for found in listing}
        for ref in [ref for ref in self._known if ref not in there]:
            yield live.Deleted(self._known.pop(ref))
        for found in listing:
            yield from self._known_anew(found)
        self._since = self._told_up_to = int(listing.resource_version)

    def _known_anew(self, found: live.Object) -> Iterator[live.WatchEvent]:
        before = self._known.get(found.ref)
        if before is not None and before.uid != found.uid:
            yield live.Deleted(self._known.pop(found.ref))
            before = None
        if before is None or before.resource_version != found.resource_version:
            self._known[found.ref] = found
            yield live.Added(found) if before is None else live.Modified(found)

    def _told(self, served: Served, change: Change, matches: Test) -> Iterator[live.WatchEvent]:
        if self._namespace and served.namespaced and change.stored.name[0] != self._namespace:
            return
        if change.after is not None and matches(change.after.labels):
            self._told_up_to = change.version
            yield from self._known_anew(self._shown(change.after))
        elif change.before is not None and (ref := change.before.ref) in self._known:
            del self._known[ref]
            self._told_up_to = change.version
            yield live.Deleted(self._shown(change.after or change.before))

    def _shown(self, stored: Stored) -> live.Object:
        return self._objects.store.shown(stored, self._kind.version)

    def _bookmark(self, version: int) -> Iterator[live.WatchEvent]:
        """How far it is, where other objects have moved on meanwhile."""
        now = self._objects.store.world.micros
        if version > self._told_up_to and now - self._bookmarked >= BOOKMARK_S * _SECOND:
            self._since = self._told_up_to = version
            self._bookmarked = now
            yield live.Bookmark(str(version))
