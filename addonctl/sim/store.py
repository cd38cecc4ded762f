"""The API server of the world: what is stored, what happened to it, and the rules by which it may be changed.

Objects are kept by kind, namespace and name, each state a document that is never changed in place. Every change has the
next resourceVersion and goes into the log, from which watches are told; who listens is called at once. Ports reach it
through objects.SimObjects, controllers call it directly. Errors are those that an adapter makes of a server's answers.

Modelled: server-side apply with managedFields, merge and JSON patches, the status subresource, preconditions,
finalizers, graceful deletion of pods, eviction under budgets, CRDs, defaults of workloads, dry runs. Not modelled:
admission webhooks, RBAC, quotas, schemas below the top of an object, conversion between versions.
"""

import base64
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from addonctl.errors import BadInput, Cause, Conflict, Forbidden, NotFound, TooManyRequests, Unavailable
from addonctl.model import ObjectRef, live
from addonctl.sim import fields, kinds
from addonctl.sim.documents import Document, at, copied, merged, patched
from addonctl.sim.fields import Fields, Managed
from addonctl.sim.kinds import CRD, Key, Served
from addonctl.sim.selectors import selects
from addonctl.sim.world import World

POD: Key = ("", "Pod")
NAMESPACE: Key = ("", "Namespace")
BUDGET: Key = ("policy", "PodDisruptionBudget")
Name = tuple[str, str]
"""(namespace, name)"""

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_UNKNOWN = "before-first-apply"  # the manager of what was there before anything was applied
_LOG_MAX = 1024  # changes kept a kind, as the API server's watch cache keeps a window
_SERVERS_OWN = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")


class Stored:
    """One state of an object."""

    __slots__ = (
        "_fields",
        "_is_ready",
        "_shown",
        "document",
        "labels",
        "managers",
        "metadata",
        "name",
        "served",
        "spec",
        "status",
        "version",
    )

    def __init__(self, served: Served, document: Document, managers: tuple[Managed, ...], version: int) -> None:
        self.served, self.document, self.managers, self.version = served, document, managers, version
        self.metadata: Document = document["metadata"]
        self.name: Name = (self.metadata.get("namespace", ""), self.metadata["name"])
        self.labels: Mapping[str, str] = self.metadata.get("labels") or {}
        self.spec: Document = document.get("spec") or {}
        self.status: Document = document.get("status") or {}
        self._fields: Fields | None = None
        self._is_ready: bool | None = None
        self._shown: dict[str, live.Object] = {}

    @property
    def fields(self) -> Fields:
        """All but those of a status that is a subresource."""
        if self._fields is None:
            self._fields = _fields(self.document, self.served)
        return self._fields

    @property
    def uid(self) -> str:
        return str(self.metadata["uid"])

    @property
    def is_ending(self) -> bool:
        return "deletionTimestamp" in self.metadata

    @property
    def is_ready(self) -> bool:
        """Whether its condition Ready is true."""
        if self._is_ready is None:
            conditions = self.status.get("conditions") or ()
            self._is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        return self._is_ready

    def shown(self, api_version: str) -> live.Object:
        """As the server answers, with managedFields. Everybody is shown the same, which nobody changes."""
        answer = self._shown.get(api_version)
        if answer is None:
            document: Document = {**self.document, "apiVersion": api_version}
            if self.managers:
                document["metadata"] = {**self.metadata, "managedFields": fields.Entries(self.managers)}
            answer = self._shown[api_version] = live.Object(document)
        return answer

    @property
    def ref(self) -> ObjectRef:
        namespace, name = self.name
        return ObjectRef(kind=self.served.kind, name=name, namespace=namespace, group=self.served.group)


class Change(NamedTuple):
    """`before` is None when an object comes into being, `after` when it is gone."""

    version: int
    micros: int
    before: Stored | None
    after: Stored | None

    @property
    def stored(self) -> Stored:
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def counts(self) -> bool:
        """Of a pod: whether controllers count it otherwise than before; being bound or started changes nothing."""
        before, after = self.before, self.after
        if before is None or after is None:
            return True
        return (
            before.is_ready != after.is_ready or before.is_ending != after.is_ending or _ended(before) != _ended(after)
        )


def _ended(pod: Stored) -> bool:
    return pod.status.get("phase") in ("Succeeded", "Failed")


Listener = Callable[[Change], None]


def _fields(document: Document, served: Served) -> Fields:
    return fields.fields_of(document, custom=served.custom, status=False if served.has_status else None)


class Store:
    """All objects of one cluster."""

    def __init__(self, world: World, name: str = "cluster") -> None:
        self.world, self.name = world, name
        self.kinds = kinds.Kinds()
        self.version = 0
        self._rows: dict[Key, dict[Name, Stored]] = {}
        self._names: dict[Key, list[Name]] = {}  # of the rows, in order, until one comes or goes
        self._log: dict[Key, list[Change]] = {}
        self._forgotten: dict[Key, int] = {}
        self._forgotten_all = 0
        self._listeners: dict[Key, list[Listener]] = {}
        self._listeners_to_all: list[Listener] = []
        for namespace in _NAMESPACES:
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, "kube-apiserver")

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, key: Key, namespace: str, name: str) -> Stored | None:
        """The present state."""
        rows = self._rows.get(key)
        return rows.get((namespace, name)) if rows is not None else None

    def differs(self, document: Document, place: tuple[Key, str, str]) -> bool:
        """Whether a field of a document stands otherwise at its place, or no such object is there."""
        there = self.get(*place)
        if there is None or there.is_ending:
            return True
        wanted, live = _fields(document, there.served), there.fields
        return any(path not in live or live[path] != value for path, value in wanted.items() if value not in ({}, []))

    def rows(self, key: Key, namespace: str = "") -> list[Stored]:
        """All present states of a kind, in the order in which the server lists them."""
        rows = self._rows.get(key)
        if not rows:
            return []
        names = self._names.get(key)
        if names is None:
            names = self._names[key] = sorted(rows)
        return [rows[name] for name in names if not namespace or name[0] == namespace]

    def stored_kinds(self) -> list[Key]:
        """The kinds of which there are objects."""
        return [key for key, rows in self._rows.items() if rows]

    def found(self, ref: ObjectRef) -> Stored:
        """Raises NotFound, NotServed, BadInput."""
        served = self.kinds.find(ref.group, ref.kind)
        namespace = _named(served, ref.namespace, ref.name, ref)
        stored = self.get(served.key, namespace, ref.name)
        if stored is None:
            raise NotFound(f'{served.plural} "{ref.name}" not found ({ref})', reason="NotFound")
        return stored

    def shown(self, stored: Stored, version: str = "") -> live.Object:
        """As the server answers: in that version of the API or the preferred one."""
        served = self.kinds.served(stored.served.key) or stored.served
        return stored.shown(served.api_version(version))

    def listen(self, key: Key, listener: Listener) -> None:
        """Calls `listener` on every change of a kind, while it is made: it may read, and say what happens later."""
        self._listeners.setdefault(key, []).append(listener)

    def listen_to_all(self, listener: Listener) -> None:
        """Calls `listener` on every change of any kind."""
        self._listeners_to_all.append(listener)

    def end_all(self) -> None:
        """Nobody listens any more, and nothing is stored."""
        for held in (self._listeners, self._listeners_to_all, self._rows, self._log):
            held.clear()

    def changes(self, key: Key, since: int) -> Sequence[Change] | None:
        """What happened to a kind after a version, in order; None when that is no longer known."""
        log = self._log.get(key) or []
        if since < max(self._forgotten.get(key, 0), self._forgotten_all):
            return None
        return log[bisect_right(log, since, key=lambda change: change.version) :]

    def compact(self, version: int) -> None:
        """Forgets what happened up to a version."""
        self._forgotten_all = max(self._forgotten_all, version)
        for log in self._log.values():
            del log[: bisect_right(log, version, key=lambda change: change.version)]

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, document: Document, manager: str, *, complete: bool = False) -> Stored:
        """A new object, as a controller makes one: its document is taken as it is, so must not be changed afterwards.

        `complete`: it is made from one that has its defaults already. Raises Conflict (AlreadyExists), NotFound where
        there is no such namespace.
        """
        served = self.kinds.of(document)
        metadata = document["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if self.get(served.key, namespace, name) is not None:
            raise Conflict(f'{served.plural} "{name}" already exists', reason="AlreadyExists")
        self._check_namespace(served, namespace)
        managers = (Managed(manager, "Update", served.stored_as, self.world.stamp, source=(document, served.custom)),)
        return self._stored(served, None, document if complete else kinds.defaulted(document, served), managers)

    def update(self, stored: Stored, document: Document, manager: str = "") -> Stored:
        """The object in another state, as a controller writes it; without `manager`, nobody's ownership changes."""
        managers = stored.managers
        if manager:
            managers = self._taken_over(stored, document, manager, "")
        return self._stored(stored.served, self._present(stored), document, managers)

    def set_status(self, stored: Stored, status: Document, manager: str) -> Stored:
        """The object with another status; nothing happens where it is the present one."""
        present = self._present(stored)
        if present.document.get("status") == status:
            return present
        document = {**present.document, "status": status}
        entry = Managed(
            manager,
            "Update",
            stored.served.stored_as,
            self.world.stamp,
            source=({"status": status}, stored.served.custom),
            subresource="status",
        )
        kept = tuple(one for one in present.managers if one.subresource != "status")
        return self._stored(stored.served, present, document, (*kept, entry))

    def apply(
        self,
        given: Mapping[str, Any],
        manager: str,
        *,
        force: bool = False,
        dry_run: bool = False,
        only: "Callable[[fields.FieldConflict], bool] | None" = None,
    ) -> Stored:
        """Server-side apply. See ports.ObjectWriter.apply.

        `only`: fields in conflict for which it is false are left to their owners instead, as EKS's PRESERVE does.
        """
        served = self.kinds.of(given)
        wanted = _wanted(given, served)
        namespace, name = wanted["metadata"].get("namespace", ""), wanted["metadata"]["name"]
        self._check_namespace(served, namespace)
        present = self.get(served.key, namespace, name)
        _check_held(present, served, given.get("metadata") or {})
        wanted_fields = _fields(wanted, served)
        if present is not None and only is not None:
            wanted, wanted_fields = _yielding(present, wanted, wanted_fields, manager, served, only)
        managers, dropped = self._managers_after_apply(present, served, wanted_fields, manager, force)
        before = present.document if present is not None else {"metadata": {}}
        document = fields.applied(before, wanted, dropped, custom=served.custom)
        kinds.check(document, served)
        document = kinds.defaulted(document, served, before)
        return self._stored(served, present, document, managers, dry_run=dry_run)

    def _managers_after_apply(
        self, present: Stored | None, served: Served, wanted: Fields, manager: str, force: bool
    ) -> tuple[tuple[Managed, ...], list[fields.Path]]:
        """Who owns what, and what is dropped. Raises Conflict."""
        mine = Managed(manager, "Apply", served.stored_as, self.world.stamp, frozenset(wanted))
        if present is None:
            return (mine,), []
        if not present.managers:  # nobody knows whose its fields are
            earlier = Managed(_UNKNOWN, "Update", served.stored_as, self.world.stamp, frozenset(present.fields))
            present = Stored(served, present.document, (earlier,), present.version)
        against = fields.conflicts(wanted, present.fields, present.managers, manager)
        if against and not force:
            raise conflict(against)
        lost = frozenset(one.path for one in against)
        others = [one for one in present.managers if not one.is_of(manager, "Apply")]
        kept = [one.keeping(one.fields - lost) if lost & one.fields else one for one in others]
        had = next((one.fields for one in present.managers if one.is_of(manager, "Apply")), frozenset[fields.Path]())
        managers = sorted((*(one for one in kept if one.fields), mine), key=_in_order)
        return tuple(managers), fields.dropped(had, mine.fields, kept)

    def patch(
        self,
        ref: ObjectRef,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        manager: str = live.FIELD_MANAGER,
        uid: str = "",
        resource_version: str = "",
        subresource: str = "",
        dry_run: bool = False,
    ) -> Stored:
        """A merge patch (a mapping) or a JSON patch (a sequence). See ports.ObjectWriter.patch."""
        stored = self.found(ref)
        _check_held(stored, stored.served, {"uid": uid, "resourceVersion": resource_version})
        given = copied(body)
        document = merged(stored.document, given) if isinstance(given, dict) else patched(stored.document, given)
        before, document = _with_managers_of(stored, document)
        document = _within(stored, document, subresource)
        kinds.check(document, stored.served)
        document = kinds.defaulted(document, stored.served, stored.document)
        managers = self._taken_over(before, document, manager, "status" if subresource == "status" else "")
        return self._stored(stored.served, stored, document, managers, dry_run=dry_run)

    def _taken_over(self, stored: Stored, document: Document, manager: str, under: str) -> tuple[Managed, ...]:
        """Who owns what after an update: what was changed is the writer's, what is gone is nobody's."""
        if under:
            custom = stored.served.custom
            before = fields.fields_of(stored.document, custom=custom, status=True)
            after = fields.fields_of(document, custom=custom, status=True)
        else:
            before, after = stored.fields, _fields(document, stored.served)
        changed = frozenset(
            path for path, value in after.items() if path not in before or not _same(before[path], value)
        )
        gone = before.keys() - after.keys()
        if not changed and not gone:
            return stored.managers
        kept, mine = [], changed
        for one in stored.managers:
            if one.is_of(manager, "Update", under):
                mine |= one.fields - gone
            elif left := one.fields - changed - gone:
                kept.append(one if len(left) == len(one.fields) else one.keeping(left))
        entry = Managed(manager, "Update", stored.served.stored_as, self.world.stamp, mine, subresource=under)
        return tuple(sorted((*kept, entry) if mine else kept, key=_in_order))

    def disown(self, ref: ObjectRef, manager: str) -> Stored:
        """What `manager` owns by updates is nobody's any more, unless another one owns it as well."""
        stored = self.found(ref)
        others = tuple(one for one in stored.managers if (one.manager, one.operation) != (manager, "Update"))
        if len(others) == len(stored.managers):
            return stored
        return self._stored(stored.served, stored, stored.document, others)

    # ── Ending ──────────────────────────────────────────────────────────────────────────────────────────────────

    def delete(
        self,
        ref: ObjectRef,
        *,
        propagation: live.Propagation = live.Propagation.BACKGROUND,
        uid: str = "",
        resource_version: str = "",
        dry_run: bool = False,
    ) -> None:
        """Asks for an object's end. Raises NotFound, NotServed, Conflict."""
        stored = self.found(ref)
        _check_held(stored, stored.served, {"uid": uid, "resourceVersion": resource_version})
        if not dry_run:
            self.end(stored, propagation)

    def end(self, stored: Stored, propagation: live.Propagation = live.Propagation.BACKGROUND) -> None:
        """The object goes, or is marked as going where something holds it: finalizers, a kubelet, a namespace's own."""
        metadata = stored.metadata
        finalizers = list(metadata.get("finalizers") or ())
        if mark := _FINALIZERS.get(propagation):
            finalizers += [mark] if mark not in finalizers else []
        grace = _grace(stored)
        if not finalizers and grace == 0 and not _is_held_namespace(stored):
            self.remove(stored)
            return
        if stored.is_ending and finalizers == list(metadata.get("finalizers") or ()):
            return
        changed = {**metadata, "deletionTimestamp": self.world.stamp, "deletionGracePeriodSeconds": grace}
        changed |= {"finalizers": finalizers} if finalizers else {}
        document = {**stored.document, "metadata": changed}
        if stored.served.key == NAMESPACE:
            document["status"] = {**stored.status, "phase": "Terminating"}
        self._stored(stored.served, self._present(stored), document, stored.managers)

    def remove(self, stored: Stored) -> None:
        """The object is gone, whatever held it."""
        present = self._present(stored)
        del self._rows[stored.served.key][stored.name]
        self._names.pop(stored.served.key, None)
        self.version += 1
        metadata = {**present.metadata, "resourceVersion": str(self.version)}
        last = Stored(present.served, {**present.document, "metadata": metadata}, present.managers, self.version)
        self._happened(Change(self.version, self.world.micros, last, None))
        if stored.served.key == CRD:
            self._undefine(stored.metadata["name"])

    def _undefine(self, crd: str) -> None:
        key = self.kinds.forget(crd)
        if key is not None:
            for row in self.rows(key):
                self.remove(row)
            # Who watches the kind is told that it is no longer there, by its log being so.
            self._log.pop(key, None)

    def evict(self, ref: ObjectRef, *, dry_run: bool = False) -> None:
        """Ends a pod where its budget allows it. Raises NotFound, TooManyRequests, Unavailable."""
        pod = self.found(ref)
        budgets = [
            one
            for one in self.rows(BUDGET, ref.namespace)
            if selects(one.spec.get("selector"), pod.labels) and not pod.is_ending
        ]
        if len(budgets) > 1:
            text = f"{ref} has more than one PodDisruptionBudget, which the eviction subresource does not support"
            raise Unavailable(text, reason="InternalError")
        if budgets and _counts(pod, budgets[0]):
            _check_allowed(budgets[0])
            if not dry_run:
                self._spend(budgets[0], pod)
        if not dry_run:
            self.end(pod)

    def _spend(self, budget: Stored, pod: Stored) -> None:
        status = budget.status
        disrupted = {**(status.get("disruptedPods") or {}), pod.metadata["name"]: self.world.stamp}
        spent = {**status, "disruptionsAllowed": status["disruptionsAllowed"] - 1, "disruptedPods": disrupted}
        self.set_status(budget, spent, "kube-apiserver")

    # ── Storing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _present(self, stored: Stored) -> Stored:
        """The state that a write replaces. A controller acts within one moment, so nobody can have come between."""
        present = self.get(stored.served.key, *stored.name)
        assert present is not None, f"{stored.ref} is gone"
        assert present.uid == stored.uid, f"{stored.ref} is another object"
        return present

    def _stored(
        self,
        served: Served,
        present: Stored | None,
        document: Document,
        managers: tuple[Managed, ...],
        *,
        dry_run: bool = False,
    ) -> Stored:
        """Makes a document the present state; where it says what the present one says, nothing happens."""
        document = self._bookkept(served, present, document)
        if present is not None and document == present.document and managers == present.managers:
            return present
        if dry_run:
            return Stored(served, document, managers, self.version)
        if "deletionTimestamp" in document["metadata"] and self._is_let_go(served, document):
            ended = Stored(served, document, managers, self.version)
            self.remove(ended)
            return ended
        self.version += 1
        document["metadata"]["resourceVersion"] = str(self.version)
        stored = Stored(served, document, managers, self.version)
        self._rows.setdefault(served.key, {})[stored.name] = stored
        if present is None:
            self._names.pop(served.key, None)
        if served.key == CRD:
            stored = self._defined(stored, present)
        self._happened(Change(self.version, self.world.micros, present, stored))
        return stored

    def _bookkept(self, served: Served, present: Stored | None, document: Document) -> Document:
        """With uid, times and generation as the server keeps them; metadata are new, so that they may be changed."""
        metadata = dict(document["metadata"])
        if present is None:
            metadata["uid"] = self.world.uid()
            metadata["creationTimestamp"] = self.world.stamp
            if served.has_generation:
                metadata["generation"] = 1
        else:
            was = present.metadata
            metadata["uid"], metadata["creationTimestamp"] = was["uid"], was["creationTimestamp"]
            metadata["resourceVersion"] = was["resourceVersion"]
            if served.has_generation:
                metadata["generation"] = was["generation"] + _says_otherwise(present.document, document)
        return {**document, "apiVersion": served.stored_as, "metadata": metadata}

    def _is_let_go(self, served: Served, document: Document) -> bool:
        """Whether nothing holds an object any longer that was to end before this write."""
        metadata = document["metadata"]
        ending = self.get(served.key, metadata.get("namespace", ""), metadata["name"])
        if ending is None or not ending.is_ending or not ending.metadata.get("finalizers"):
            return False
        held = Stored(served, document, (), 0)
        return not metadata.get("finalizers") and not _is_held_namespace(held) and _grace(held) == 0

    def _defined(self, stored: Stored, present: Stored | None) -> Stored:
        """A CRD is served at once, and its status says in which versions objects may be stored."""
        self.kinds.define(stored.document)
        storage = next(one["name"] for one in stored.spec["versions"] if one.get("storage"))
        versions = list(at(present.document, "status", "storedVersions") or ()) if present is not None else []
        if storage not in versions:
            versions.append(storage)
        served = [{"type": kind, "status": "True"} for kind in ("NamesAccepted", "Established")]
        status = {
            "conditions": served,
            "acceptedNames": stored.spec["names"],
            **stored.status,
            "storedVersions": versions,
        }
        if stored.status == status:
            return stored
        changed = Stored(stored.served, {**stored.document, "status": status}, stored.managers, stored.version)
        self._rows[CRD][stored.name] = changed
        return changed

    def _happened(self, change: Change) -> None:
        stored = change.stored
        key = stored.served.key
        log = self._log.setdefault(key, [])
        log.append(change)
        if len(log) > 2 * _LOG_MAX:
            self._forgotten[key] = log[-_LOG_MAX - 1].version
            del log[:-_LOG_MAX]
        metadata = stored.document["metadata"]
        verb = "add" if change.before is None else "end" if change.after is None else "set"
        self.world.note(f"{change.version} {verb} {key[1]} {metadata.get('namespace', '')}/{metadata['name']}")
        for listener in (*self._listeners.get(key, ()), *self._listeners_to_all):
            listener(change)

    def _check_namespace(self, served: Served, namespace: str) -> None:
        if not served.namespaced:
            return
        found = self.get(NAMESPACE, "", namespace)
        if found is None:
            raise NotFound(f'namespaces "{namespace}" not found', "Create it first.", reason="NotFound")
        if found.is_ending:
            cause = Cause(reason="NamespaceTerminating", message=f"namespace {namespace} is being terminated")
            raise Forbidden(f"Nothing can be created in {namespace}: it is being terminated", causes=(cause,))


_FINALIZERS = {live.Propagation.FOREGROUND: "foregroundDeletion", live.Propagation.ORPHAN: "orphan"}


def _in_order(one: Managed) -> tuple[str, str, str]:
    return one.operation, one.manager, one.subresource


def _same(one: object, other: object) -> bool:
    return one is other or one == other


def _named(served: Served, namespace: str, name: str, what: object) -> str:
    """The namespace under which an object is kept. Raises BadInput where a part of its name is missing."""
    if not name:
        raise BadInput(f"An object of kind {served.kind} has no name", "Give metadata.name.")
    if served.namespaced and not namespace:
        raise BadInput(f"{what} has no namespace", "Give metadata.namespace.")
    return namespace if served.namespaced else ""


def _wanted(given: Mapping[str, Any], served: Served) -> Document:
    """A document as it is applied: without what is the server's own to say. Raises BadInput where it is not named."""
    document: Document = copied(given)
    metadata = document.setdefault("metadata", {}) or {}
    name = str(metadata.get("name") or "")
    namespace = _named(served, str(metadata.get("namespace") or ""), name, f"{served.kind}/{name}")
    document["metadata"] = {key: value for key, value in metadata.items() if key not in _SERVERS_OWN}
    if not namespace:
        document["metadata"].pop("namespace", None)
    document["apiVersion"] = served.stored_as
    if served.has_status:
        document.pop("status", None)
    if served.kind == "Secret" and "stringData" in document:
        text = document.pop("stringData") or {}
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in text.items()}
        document["data"] = {**(document.get("data") or {}), **encoded}
    return document


def _check_held(present: Stored | None, served: Served, held: Mapping[str, Any]) -> None:
    """Raises Conflict where the object is not the one, or not in the state, that was asked for."""
    uid, version = held.get("uid"), held.get("resourceVersion")
    if not uid and not version:
        return
    if present is None:
        raise Conflict(f"There is no {served.kind} of uid {uid} and resourceVersion {version}", reason="Conflict")
    if uid and uid != present.uid:
        raise Conflict(f"{present.ref} is another object than the one of uid {uid}", "Read it again.")
    if version and version != present.metadata["resourceVersion"]:
        text = f"{present.ref}: the object has been modified; apply your changes to the latest version"
        raise Conflict(text, "Read it again.", reason="Conflict")


def conflict(against: Iterable[fields.FieldConflict]) -> Conflict:
    """The refusal of a server-side apply."""
    causes = tuple(
        Cause(reason="FieldManagerConflict", message=f"conflict with {one.owner}", field=fields.words(one.path))
        for one in against
    )
    named = "; ".join(f"{cause.message}: {cause.field}" for cause in causes)
    text = f"Apply failed with {len(causes)} conflict{'s' if len(causes) > 1 else ''}: {named}"
    return Conflict(text, "Agree on one manager, or force it.", reason="Conflict", causes=causes)


def _yielding(
    present: Stored,
    wanted: Document,
    wanted_fields: Fields,
    manager: str,
    served: Served,
    only: Callable[[fields.FieldConflict], bool],
) -> tuple[Document, Fields]:
    """What is wanted, without the fields that are left to their owners."""
    against = fields.conflicts(wanted_fields, present.fields, present.managers, manager)
    left = [one.path for one in against if not only(one)]
    if not left:
        return wanted, wanted_fields
    document = fields.applied(wanted, {}, left, custom=served.custom)
    return document, _fields(document, served)


def _with_managers_of(stored: Stored, document: Document) -> tuple[Stored, Document]:
    """The state that a patch starts from, with the managers that it sets, and its document without them."""
    metadata = document.get("metadata") or {}
    if "managedFields" not in metadata:
        return stored, document
    said = tuple(Managed.of(entry) for entry in metadata["managedFields"] if entry)
    rest = {name: value for name, value in metadata.items() if name != "managedFields"}
    return Stored(stored.served, stored.document, said, stored.version), {**document, "metadata": rest}


def _within(stored: Stored, document: Document, subresource: str) -> Document:
    """What of a patch counts under a subresource. Raises Invalid where it would make it another object."""
    was, says = stored.metadata, document.get("metadata") or {}
    for name in ("name", "namespace", "uid"):
        if says.get(name) != was.get(name):
            raise kinds.invalid(stored.served, was["name"], f"metadata.{name}", "field is immutable")
    if not subresource:
        return _with_status(document, stored) if stored.served.has_status else document
    if subresource == "status" and stored.served.has_status:
        return {**stored.document, "status": document.get("status") or {}}
    if subresource == "scale" and "replicas" in stored.spec:
        return {**stored.document, "spec": {**stored.spec, "replicas": at(document, "spec", "replicas")}}
    raise NotFound(f"{stored.ref} has no subresource {subresource}", reason="NotFound")


def _with_status(document: Document, of: Stored) -> Document:
    if document.get("status") == of.document.get("status"):
        return document
    rest = {key: value for key, value in document.items() if key != "status"}
    return rest | ({"status": of.document["status"]} if "status" in of.document else {})


def _says_otherwise(before: Document, after: Document) -> bool:
    """Whether a document differs in more than metadata and status."""
    apart = ("metadata", "status", "apiVersion")
    names = (before.keys() | after.keys()).difference(apart)
    return any(not _same(before.get(name), after.get(name)) for name in names)


def _grace(stored: Stored) -> int:
    """Seconds that a kubelet gives a pod to end; 0 where no kubelet has it, or it has ended."""
    if stored.served.key != POD or not stored.spec.get("nodeName"):
        return 0
    if stored.status.get("phase") in ("Succeeded", "Failed"):
        return 0
    return int(stored.spec.get("terminationGracePeriodSeconds", 30))


def _is_held_namespace(stored: Stored) -> bool:
    return stored.served.key == NAMESPACE and bool(stored.spec.get("finalizers"))


# ── Eviction ────────────────────────────────────────────────────────────────────────────────────────────────────


def is_ready(pod: Stored) -> bool:
    """Whether a pod's condition Ready is true."""
    return pod.is_ready


def _counts(pod: Stored, budget: Stored) -> bool:
    """Whether a budget has a say in a pod's eviction: not for pods that do not run yet, or have ended."""
    if pod.status.get("phase") in ("Pending", "Succeeded", "Failed"):
        return False
    if is_ready(pod):
        return True
    if budget.spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return False
    status = budget.status
    return not (0 < status.get("desiredHealthy", 0) <= status.get("currentHealthy", 0))


def _check_allowed(budget: Stored) -> None:
    status, name = budget.status, budget.metadata["name"]
    if status.get("observedGeneration", 0) < budget.metadata["generation"]:
        cause = Cause(reason="DisruptionBudget", message=f"The disruption budget {name} is still being processed")
        text = f"Cannot evict a pod: the disruption budget {name} is still being processed by the server"
        raise TooManyRequests(text, reason="TooManyRequests", causes=(cause,), retry_after_s=10)
    if status.get("disruptionsAllowed", 0) <= 0:
        needs, has = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        said = f"The disruption budget {name} needs {needs} healthy pods and has {has} currently"
        cause = Cause(reason="DisruptionBudget", message=said)
        text = "Cannot evict a pod as it would violate its disruption budget"
        raise TooManyRequests(text, reason="TooManyRequests", causes=(cause,))
