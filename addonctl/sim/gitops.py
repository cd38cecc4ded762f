"""Argo CD and Flux in the world: they reconcile Applications, HelmReleases and Kustomizations, and put changes back.

ports.GitOpsWriter changes nothing but their objects, so it needs no simulated side: the adapter that serves it works on
simulated objects as on real ones, and here is who acts on what it wrote. Both look at an object soon after its spec
changed and again and again after an interval; Argo CD also watches what it keeps.

`Sources` says what a source's revision holds. Argo CD's sync is modelled as a forced server-side apply; of Flux's
post-renderers, JSON patches. Not modelled: sync waves and hooks, ApplicationSets, projects, health of other kinds than
workloads, Flux's own source objects.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from addonctl.errors import AddonctlError, NotFound
from addonctl.sim.controllers.queue import Queue, condition
from addonctl.sim.documents import Document, at, copied, patched
from addonctl.sim.helm import SimHelm
from addonctl.sim.kinds import Key
from addonctl.sim.readiness import is_rolled_out, serves_nothing, workloads
from addonctl.sim.store import Change, Name, Store, Stored

Sources = Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]]
"""An Application's `source` or a Kustomization's `spec` → manifests. Raises NotFound where there is none such."""
Place = tuple[Key, str, str]

APPLICATION: Key = ("argoproj.io", "Application")
HELM_RELEASE: Key = ("helm.toolkit.fluxcd.io", "HelmRelease")
KUSTOMIZATION: Key = ("kustomize.toolkit.fluxcd.io", "Kustomization")
_KINDS = (
    (APPLICATION, "v1alpha1", "applications", False),
    (HELM_RELEASE, "v2", "helmreleases", True),
    (KUSTOMIZATION, "v1", "kustomizations", True),
)
_SOON_S = (0.2, 1.0)
_ARGO_EVERY_S = (180.0, 240.0)  # timeout.reconciliation, and its jitter
_HEAL_AGAIN_S = 5.0  # --self-heal-timeout-seconds
_OPERATES_S, _RETRY_S = (0.3, 2.0), 5.0
_TRACKING = "argocd.argoproj.io/tracking-id"
_CASCADE = "resources-finalizer.argocd.argoproj.io"


def crds() -> list[Document]:
    """The definitions of the kinds that are reconciled here."""
    return [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
                "versions": [
                    {"name": version, "served": True, "storage": True, "subresources": {"status": {}} if status else {}}
                ],
            },
        }
        for (group, kind), version, plural, status in _KINDS
    ]


def _seconds(text: str) -> float:
    """A duration of Go's: 1h30m, 10m, 30s."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", text))


class _Keeper:
    """What Argo CD and Flux's kustomize-controller share: to apply documents, and know what they keep."""

    def __init__(self, store: Store, manager: str) -> None:
        self._store, self._world, self._manager = store, store.world, manager
        self._kept: dict[Name, dict[Place, None]] = {}
        self._random = store.world.stream("gitops")

    def _place(self, document: Mapping[str, Any], namespace: str) -> Place:
        served = self._store.kinds.of(document)
        metadata = document["metadata"]
        return served.key, (metadata.get("namespace") or namespace) if served.namespaced else "", metadata["name"]

    def _apply(self, name: Name, documents: Iterable[tuple[Place, Document]], prune: bool) -> None:
        kept = self._kept.setdefault(name, {})
        before = dict(kept)
        for place, document in documents:
            self._store.apply(document, self._manager, force=True)
            kept[place] = None
            before.pop(place, None)
        for place in reversed(before) if prune else ():
            kept.pop(place, None)
            if (found := self._store.get(*place)) is not None:
                self._store.end(found)


# ── Argo CD ─────────────────────────────────────────────────────────────────────────────────────────────────────


class ArgoCd(_Keeper):
    """Applications: compared always, synchronised where they are automated, healed where selfHeal says so.

    `by_itself` counts synchronisations that nobody asked for.
    """

    def __init__(self, store: Store, sources: Sources) -> None:
        super().__init__(store, "argocd-controller")
        self._sources = sources
        self.queue = Queue(store.world, self._reconcile, _SOON_S)
        self._keeper: dict[Place, Name] = {}
        self._synced: dict[Name, tuple[str, int]] = {}  # what was synchronised last, and when
        self.by_itself = 0
        store.listen(APPLICATION, self._application_changed)
        store.listen_to_all(self._anything_changed)

    def _application_changed(self, change: Change) -> None:
        before, after = change.before, change.after
        if after is None:
            for place in self._kept.pop(change.stored.name, {}):
                self._keeper.pop(place, None)
        elif before is None or before.spec != after.spec or after.is_ending or _asks(before) != _asks(after):
            self.queue.add(after.name)

    def _anything_changed(self, change: Change) -> None:
        stored = change.stored
        if name := self._keeper.get((stored.served.key, *stored.name)):
            self.queue.add(name)

    def _reconcile(self, name: Name) -> None:
        found = self._store.get(APPLICATION, *name)
        if found is None:
            return
        if found.is_ending:
            self._cascade(found)
            return
        self.queue.add_after(name, self._random.uniform(*_ARGO_EVERY_S))
        try:
            wanted = self._wanted(found)
        except AddonctlError as error:
            said = error.what
            message = {"type": "ComparisonError", "message": said}
            self._set_status(found, {**found.status, "sync": {"status": "Unknown"}, "conditions": [message]})
            self._operate(name, lambda _: ("Error", said))
            return
        for place, _ in wanted:
            self._keeper[place] = name
        if not self._operate(name, lambda operation: self._as_asked(name, wanted, operation)):
            ignored = _ignored(found)
            compared = [(place, _without(document, ignored(place))) for place, document in wanted]
            if self._is_out_of_sync(name, compared) and self._may_sync(found):
                self._sync(found, wanted)
        self._tell(name, wanted)

    def _wanted(self, found: Stored) -> list[tuple[Place, Document]]:
        spec = found.spec
        namespace = at(spec, "destination", "namespace") or "default"
        result = []
        for source in spec.get("sources") or [spec.get("source") or {}]:
            for given in self._sources(source):
                document: Document = copied(given)
                place = self._place(document, namespace)
                metadata = document["metadata"]
                metadata |= {"namespace": place[1]} if place[1] else {}
                (group, kind), where, name = place
                note = f"{found.metadata['name']}:{group}/{kind}:{where}/{name}"
                metadata["annotations"] = {**(metadata.get("annotations") or {}), _TRACKING: note}
                result.append((place, document))
        return result

    def _is_out_of_sync(self, name: Name, wanted: list[tuple[Place, Document]]) -> bool:
        places = {place for place, _ in wanted}
        left = any(place not in places and self._store.get(*place) for place in self._kept.get(name, {}))
        return left or any(self._store.differs(document, place) for place, document in wanted)

    def _may_sync(self, found: Stored) -> bool:
        """A new revision at once; what others changed only with selfHeal, and not again within seconds."""
        automated = at(found.spec, "syncPolicy", "automated")
        if automated is None or automated.get("enabled") is False:
            return False
        digest, when = self._synced.get(found.name, ("", 0))
        if digest != _digest(found):
            return True
        if not automated.get("selfHeal"):
            return False
        left = _HEAL_AGAIN_S - (self._world.micros - when) / 1e6
        if left > 0:
            self.queue.add_after(found.name, left)
        return left <= 0

    def _sync(self, found: Stored, wanted: list[tuple[Place, Document]]) -> None:
        """By itself."""
        self.by_itself += 1
        prune = bool(at(found.spec, "syncPolicy", "automated", "prune"))
        phase, message = self._synchronised(found, wanted, prune)
        present = self._store.get(APPLICATION, *found.name)
        assert present is not None
        operation = {"phase": phase, "message": message, "finishedAt": self._world.stamp}
        self._set_status(present, {**present.status, "operationState": operation})

    def _synchronised(self, found: Stored, wanted: list[tuple[Place, Document]], prune: bool) -> tuple[str, str]:
        self._synced[found.name] = _digest(found), self._world.micros
        phase, message = "Succeeded", ""
        try:
            self._apply(found.name, wanted, prune)
        except AddonctlError as error:
            phase, message = "Failed", error.what
        self._world.note(f"argocd {found.metadata['name']} {phase}")
        return phase, message

    # ── Operations that somebody asked for ──────────────────────────────────────────────────────────────────────

    def _operate(self, name: Name, do: Callable[[Document], tuple[str, str]]) -> bool:
        """Goes on with the operation, if there is one: it begins, runs for a while, and ends or is tried again."""
        found = self._store.get(APPLICATION, *name)
        operation = found.document.get("operation") if found else None
        if found is None or not operation:
            return False
        state = found.status.get("operationState") or {}
        if state.get("phase") == "Terminating":
            self._say(found, {**state, "phase": "Failed", "message": "Operation terminated"})
        elif state.get("phase") != "Running":
            self._say(found, {"operation": operation, "phase": "Running", "startedAt": self._world.stamp})
            self.queue.add_after(name, self._random.uniform(*_OPERATES_S))
        else:
            phase, message = do(operation)
            tries = state.get("retryCount", 0)
            present = self._store.get(APPLICATION, *name)
            assert present is not None
            if phase != "Succeeded" and tries < at(operation, "retry", "limit"):
                self._say(present, {**state, "message": message, "retryCount": tries + 1})
                self.queue.add_after(name, _RETRY_S * 2**tries)
            else:
                self._say(present, {**state, "phase": phase, "message": message})
        return True

    def _say(self, found: Stored, state: Document) -> None:
        ended = state["phase"] not in ("Running", "Terminating")
        document = {**found.document, "status": {**found.status, "operationState": state}}
        if ended:
            document.pop("operation")
        self._store.update(found, document, self._manager)

    def _as_asked(self, name: Name, wanted: list[tuple[Place, Document]], operation: Document) -> tuple[str, str]:
        found = self._store.get(APPLICATION, *name)
        assert found is not None
        sync = operation["sync"]
        only = {(one.get("group", ""), one["kind"], one["name"]) for one in sync.get("resources") or ()}
        chosen = [(place, document) for place, document in wanted if not only or (*place[0], place[2]) in only]
        if "RespectIgnoreDifferences=true" in (sync.get("syncOptions") or ()):
            ignored = _ignored(found)
            chosen = [(place, self._respecting(place, document, ignored(place))) for place, document in chosen]
        return self._synchronised(found, chosen, bool(sync.get("prune")) and not only)

    def _respecting(self, place: Place, document: Document, pointers: list[str]) -> Document:
        """The document with what is live where that is to be ignored."""
        there = self._store.get(*place)
        document = _without(document, pointers)
        for pointer in pointers if there else ():
            assert there is not None
            *above, field = pointer.strip("/").split("/")
            if (value := at(there.document, *above, field)) is not None:
                held = document
                for step in above:
                    held = held.setdefault(step, {})
                held[field] = copied(value)
        return document

    def _tell(self, name: Name, wanted: list[tuple[Place, Document]]) -> None:
        found = self._store.get(APPLICATION, *name)
        assert found is not None
        mine = workloads(self._store, (place for place, _ in wanted))
        ready = all(map(is_rolled_out, mine))
        health = "Healthy" if ready else "Degraded" if any(map(serves_nothing, mine)) else "Progressing"
        ignored = _ignored(found)
        compared = [(place, _without(document, ignored(place))) for place, document in wanted]
        sync = {"status": "OutOfSync" if self._is_out_of_sync(name, compared) else "Synced"}
        sync |= {"revision": str(at(found.spec, "source", "targetRevision") or "HEAD")}
        told = {"sync": sync, "health": {"status": health}, "conditions": [], "resources": self._listed(name, wanted)}
        self._set_status(found, {**found.status, **told})

    def _listed(self, name: Name, wanted: list[tuple[Place, Document]]) -> list[Document]:
        """What it has synchronised, or is to."""
        places = dict.fromkeys((*(place for place, _ in wanted), *self._kept.get(name, {})))
        there = [place for place in places if self._store.get(*place)]
        return [{"group": g, "kind": kind, "namespace": where, "name": one} for (g, kind), where, one in there]

    def _set_status(self, found: Stored, status: Document) -> None:
        """An Application has no status subresource: every write of it is one of the object."""
        if found.document.get("status") != status:
            self._store.update(found, {**found.document, "status": status}, self._manager)

    def _cascade(self, found: Stored) -> None:
        finalizers = found.metadata.get("finalizers") or []
        if _CASCADE not in finalizers:
            return
        for place in reversed(self._kept.get(found.name, {})):
            if (kept := self._store.get(*place)) is not None:
                self._store.end(kept)
        left = [one for one in finalizers if one != _CASCADE]
        self._store.update(found, {**found.document, "metadata": {**found.metadata, "finalizers": left}})


def _asks(found: Stored) -> tuple[bool, bool]:
    """Whether an operation is asked for, and whether its end is."""
    return bool(found.document.get("operation")), at(found.status, "operationState", "phase") == "Terminating"


def _ignored(found: Stored) -> Callable[[Place], list[str]]:
    """Which fields of an object are not compared."""

    def pointers(place: Place) -> list[str]:
        (group, kind), namespace, name = place
        return [
            pointer
            for each in found.spec.get("ignoreDifferences") or ()
            if each.get("group", "") == group
            and each["kind"] == kind
            and each.get("name", name) == name
            and each.get("namespace", namespace) == namespace
            for pointer in each.get("jsonPointers") or ()
        ]

    return pointers


def _without(document: Document, pointers: Iterable[str]) -> Document:
    """A copy without the fields at these pointers."""
    result: Document = copied(document)
    for pointer in pointers:
        *above, field = pointer.strip("/").split("/")
        held = at(result, *above)
        if isinstance(held, dict):
            held.pop(field, None)
    return result


def _digest(found: Stored) -> str:
    return json.dumps([found.spec.get("source"), found.spec.get("sources")], sort_keys=True)


# ── Flux ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Kustomizer(_Keeper):
    """Flux's kustomize-controller."""

    def __init__(self, store: Store, sources: Sources) -> None:
        super().__init__(store, "kustomize-controller")
        self._sources = sources
        self.queue = Queue(store.world, self._reconcile, _SOON_S)
        store.listen(KUSTOMIZATION, lambda change: _look_if_changed(change, self.queue))

    def _reconcile(self, name: Name) -> None:
        found = self._store.get(KUSTOMIZATION, *name)
        if found is None or found.is_ending or found.spec.get("suspend"):
            return
        self.queue.add_after(name, _seconds(found.spec.get("interval", "10m")))
        try:
            self._apply(name, self._wanted(found), bool(found.spec.get("prune")))
        except AddonctlError as error:
            _say_ready(self._store, found, False, "ReconciliationFailed", error.what)
            return
        _say_ready(self._store, found, True, "ReconciliationSucceeded", "")

    def _wanted(self, found: Stored) -> list[tuple[Place, Document]]:
        result = []
        for given in self._sources(found.spec):
            document: Document = copied(given)
            place = self._place(document, found.spec.get("targetNamespace") or "default")
            metadata = document["metadata"]
            metadata |= {"namespace": place[1]} if place[1] else {}
            group = KUSTOMIZATION[0]
            whose = {f"{group}/name": found.metadata["name"], f"{group}/namespace": found.name[0]}
            metadata["labels"] = {**(metadata.get("labels") or {}), **whose}
            result.append((place, document))
        return result


_ASKED = ("requestedAt", "resetAt")


class HelmController:
    """Flux's helm-controller: upgrades a release when its HelmRelease says otherwise, and remedies as it is told."""

    def __init__(self, store: Store, helm: SimHelm) -> None:
        self._store, self._world, self._helm = store, store.world, helm
        self.queue = Queue(store.world, self._reconcile, _SOON_S)
        self._done: dict[Name, str] = {}  # what was deployed last, or given up
        self._failures: dict[Name, int] = {}
        self._at_work: set[Name] = set()
        self.by_itself = 0  # corrections of drift
        store.listen(HELM_RELEASE, lambda change: _look_if_changed(change, self.queue))

    def _reconcile(self, name: Name) -> None:
        found = self._store.get(HELM_RELEASE, *name)
        if found is None or found.is_ending or found.spec.get("suspend") or name in self._at_work:
            return
        self.queue.add_after(name, _seconds(found.spec.get("interval", "10m")))
        found = self._reset(found)
        wanted = self._wanted(found)
        if self._done.get(name) == wanted:
            if at(found.spec, "driftDetection", "mode") == "enabled":
                self.by_itself += self._helm.correct(*self._release(found))
            seen = {**found.status, "observedGeneration": found.metadata["generation"]}
            self._store.set_status(found, seen, "flux")
            return
        self._at_work.add(name)
        self._deploy(found, wanted)

    def _reset(self, found: Stored) -> Stored:
        """Forgets its failures where it is asked to, and has not yet."""
        asked = {key: (found.metadata.get("annotations") or {}).get(f"reconcile.fluxcd.io/{key}") for key in _ASKED}
        token = asked["resetAt"]
        if token is None or token != asked["requestedAt"] or token == found.status.get("lastHandledResetAt"):
            return found
        self._failures[found.name] = 0
        if any(each["type"] == "Ready" and each["status"] == "False" for each in found.status.get("conditions") or ()):
            self._done.pop(found.name, None)
        self._store.set_status(found, {**found.status, "lastHandledResetAt": token}, "flux")
        return self._store.get(HELM_RELEASE, *found.name) or found

    def _wanted(self, found: Stored) -> str:
        said = [at(found.spec, "chart", "spec"), found.spec.get("values"), found.spec.get("postRenderers")]
        return json.dumps(said, sort_keys=True)

    def _release(self, found: Stored) -> Name:
        target = found.spec.get("targetNamespace")
        own = f"{target}-{found.metadata['name']}" if target else found.metadata["name"]
        return target or found.name[0], found.spec.get("releaseName") or own

    def _deploy(self, found: Stored, wanted: str) -> None:
        namespace, release = self._release(found)
        chart = at(found.spec, "chart", "spec") or {}
        _say_ready(self._store, found, False, "Progressing", "")
        self._helm.deploy_in_background(
            namespace,
            release,
            chart=chart.get("chart", ""),
            version=chart.get("version", ""),
            values=found.spec.get("values") or {},
            timeout_s=round(_seconds(found.spec.get("timeout", "5m"))),
            then=lambda error: self._ended(found, wanted, error),
            wait=not at(found.spec, "upgrade", "disableWait"),
            post_render=lambda document: _post_rendered(found, document),
        )

    def _ended(self, was: Stored, wanted: str, error: AddonctlError | None) -> None:
        name = was.name
        self._at_work.discard(name)
        found = self._store.get(HELM_RELEASE, *name)
        if found is None:
            return
        self._world.note(f"flux {name[1]} {'failed' if error else 'deployed'}")
        self._failures[name] = self._failures.get(name, 0) + 1 if error else 0
        remediation = at(found.spec, "upgrade", "remediation") or {}
        if error is None or self._failures[name] > int(remediation.get("retries", 0)):
            self._done[name] = wanted
            self._failures[name] = 0
        if error is not None and remediation and remediation.get("remediateLastFailure", True):
            self._roll_back(found)
        reason = "UpgradeSucceeded" if error is None else "UpgradeFailed"
        namespace, release = self._release(found)
        newest = {"namespace": namespace, "name": release, "version": self._helm.revision(namespace, release)}
        noted = {"storageNamespace": namespace, "history": [newest]}
        _say_ready(self._store, found, error is None, reason, error.what if error else "", noted)
        self.queue.add(name)

    def _roll_back(self, found: Stored) -> None:
        """To the newest revision that was deployed, where there is one; nobody waits for it."""
        namespace, release = self._release(found)
        try:
            self._helm.put_back(namespace, release)
        except NotFound:
            return


def _post_rendered(found: Stored, document: Document) -> Document:
    group = document["apiVersion"].rpartition("/")[0]
    for renderer in found.spec.get("postRenderers") or ():
        for each in at(renderer, "kustomize", "patches") or ():
            target = each["target"]
            named = (target.get("group", ""), target["kind"], target["name"])
            if named == (group, document["kind"], document["metadata"]["name"]):
                document = patched(document, json.loads(each["patch"]))
    return document


def _look_if_changed(change: Change, queue: Queue) -> None:
    before, after = change.before, change.after
    if after is None:
        return
    asked = [each.metadata.get("annotations") for each in (before, after) if each is not None]
    if before is None or before.metadata["generation"] != after.metadata["generation"] or asked[0] != asked[-1]:
        queue.add(after.name)


def _say_ready(
    store: Store, found: Stored, ready: bool, reason: str, message: str, noted: Mapping[str, Any] = MappingProxyType({})
) -> None:
    present = store.get(found.served.key, *found.name)
    if present is None:
        return
    said = condition("Ready", ready, reason, present.status.get("conditions"), store.world.stamp)
    status = {
        **present.status,
        **noted,
        "observedGeneration": present.metadata["generation"],
        "conditions": [{**said, "message": message}],
    }
    store.set_status(present, status, "flux")
