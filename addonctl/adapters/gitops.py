"""Tells Argo CD and Flux what to do through the objects they work from: ports.GitOpsWriter.

Every patch requires the object that was read (uid and resourceVersion), so that it never overwrites a concurrent
change. Controllers write these objects often, so a patch that conflicts is retried.
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from addonctl import ports
from addonctl.errors import Conflict, Invalid
from addonctl.model import ObjectRef, live
from addonctl.model.live import ARGO, FLUX_KUSTOMIZE, object_of, sync_token
from addonctl.model.owners import ArgoApplication, FluxHelmRelease, FluxKustomization
from addonctl.ports.gitops import Held

_TRIES = 5
_TRACKING = "argocd.argoproj.io/tracking-id"
_RESPECT = "RespectIgnoreDifferences=true"
# What Argo CD gives an automatic synchronisation of an Application that says nothing about it.
_RETRY = {"limit": 5}

_AUTOMATED, _IGNORED = ("syncPolicy", "automated"), ("ignoreDifferences",)
_SUSPEND, _DRIFT = ("suspend",), ("driftDetection", "mode")
_NO_WAIT, _RENDERERS = ("upgrade", "disableWait"), ("postRenderers",)
# What is set for a while, and to what: where a list stands, something is added to it.
_SET: Mapping[type, Mapping[tuple[str, ...], Any]] = {
    ArgoApplication: {_AUTOMATED: None, _IGNORED: []},
    FluxHelmRelease: {_SUSPEND: True, _DRIFT: "disabled", _NO_WAIT: True, _RENDERERS: []},
    FluxKustomization: {_SUSPEND: True},
}
# What says what is applied.
_SOURCES: Mapping[type, tuple[str, ...]] = {
    ArgoApplication: ("source", "sources"),
    FluxHelmRelease: ("chart", "chartRef", "values", "valuesFrom"),
}
# Flux forgets how often it failed where both say the same.
_REQUESTED, _RESET = "reconcile.fluxcd.io/requestedAt", "reconcile.fluxcd.io/resetAt"
_COMPLETED = ("Succeeded", "Failed", "Error")

Document = dict[str, Any]
_T = TypeVar("_T")


class GitOpsObjects:
    """See ports.GitOpsWriter."""

    def __init__(self, reader: ports.ObjectReader, writer: ports.ObjectWriter) -> None:
        self._reader, self._writer = reader, writer

    def suspend(self, owner: live.Reconciled) -> live.Suspension:
        path = _AUTOMATED if isinstance(owner, ArgoApplication) else _SUSPEND

        def suspended(found: live.Object, spec: Document) -> live.Suspension:
            _refuse_what_would_not_last(found, path)
            _put(spec, path, _SET[type(owner)][path])
            return live.Suspension(owner, found)

        return self._changed(owner, suspended)

    def hold(self, owner: ArgoApplication | FluxHelmRelease, held: Held) -> live.Suspension:
        def holding(found: live.Object, spec: Document) -> live.Suspension:
            _refuse_what_would_not_last(found)
            if isinstance(owner, ArgoApplication):
                _put(spec, _AUTOMATED, None)
                _add(spec, _IGNORED, (_ignored(ref, fields) for ref, fields in held.items()))
                return live.Suspension(owner, found)
            if _at(spec, _DRIFT) == "enabled":
                _put(spec, _DRIFT, "disabled")
            _put(spec, _NO_WAIT, True)
            _add(spec, _RENDERERS, (_rendered(ref, fields) for ref, fields in held.items()))
            return live.Suspension(owner, found)

        return self._changed(owner, holding)

    def resume(self, suspension: live.Suspension) -> None:
        was = suspension.was.document.get("spec") or {}

        def resumed(found: live.Object, spec: Document) -> None:
            if found.uid != suspension.was.uid:
                text = f"{found} is another object than the one that was suspended"
                raise Conflict(text, "Look what it is.", reason="Changed")
            for path, ours in _SET[type(suspension.owner)].items():
                if not _is_ours(_at(spec, path), _at(was, path), ours):
                    text = f"{found} was changed while it was suspended"
                    raise Conflict(text, "Resume it by hand, or leave it so.", reason="Changed")
            for path in _SET[type(suspension.owner)]:
                _restore(spec, path, was)

        self._changed(suspension.owner, resumed)

    def set_revision(
        self, owner: ArgoApplication | FluxHelmRelease, revision: str, *, source: int = 0, dry_run: bool = False
    ) -> str:
        def changed(found: live.Object, spec: Document) -> str:
            _refuse_what_would_not_last(found)
            if isinstance(owner, FluxHelmRelease):
                return _set_chart_version(found, spec, revision)
            return _set_target_revision(found, spec, revision, source)

        return self._changed(owner, changed, dry_run=dry_run)

    def put_back(self, owner: ArgoApplication | FluxHelmRelease, was: live.Object, held: Held | None = None) -> None:
        before = was.document.get("spec") or {}

        def changed(found: live.Object, spec: Document) -> None:
            _refuse_what_would_not_last(found)
            for name in _SOURCES[type(owner)]:
                _put(spec, (name,), before.get(name))
            if held and isinstance(owner, FluxHelmRelease):
                _add(spec, _RENDERERS, (_rendered(ref, fields) for ref, fields in held.items()))

        self._changed(owner, changed)

    def retry(self, owner: FluxHelmRelease, token: str) -> None:
        def asked(found: live.Object) -> tuple[None, Document | None]:
            last = (found.metadata.get("annotations") or {}).get(_RESET)
            if last is not None and last != (found.document.get("status") or {}).get("lastHandledResetAt"):
                return None, None
            return None, {"metadata": {"annotations": {_REQUESTED: token, _RESET: token}}}

        self._patched(owner, asked)

    # ── Synchronisations of Argo CD ─────────────────────────────────────────────────────────────────────────────

    def sync(self, owner: ArgoApplication, token: str, *, prune: bool = False, only: Sequence[ObjectRef] = ()) -> None:
        def asked(found: live.Object) -> tuple[None, Document | None]:
            under_way = _under_way(found)
            if token in (sync_token(under_way), sync_token(_last(found))):
                return None, None
            if under_way is not None:
                raise Conflict(f"{found} is being synchronised", "Wait until that has ended.", reason="InProgress")
            state = {"status": {"operationState": None}} if _last(found) is not None else {}
            return None, {"operation": _operation(found, token, prune, only), **state}

        self._patched(owner, asked)

    def end_sync(self, owner: ArgoApplication) -> bool:
        def ended(found: live.Object) -> tuple[bool, Document | None]:
            if not sync_token(_under_way(found)):
                return True, None
            phase = _at(found.document, ("status", "operationState", "phase"))
            if phase in (None, *_COMPLETED):
                return True, {"operation": None}  # nobody has begun it
            terminating = {"status": {"operationState": {"phase": "Terminating"}}}
            return False, terminating if phase == "Running" else None

        return self._patched(owner, ended)

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _changed(
        self, owner: live.Reconciled, change: Callable[[live.Object, Document], _T], *, dry_run: bool = False
    ) -> _T:
        """Changes the object's spec; `change` is given a copy."""

        def decided(found: live.Object) -> tuple[_T, Document | None]:
            before = found.document.get("spec") or {}
            spec = copy.deepcopy(dict(before))
            said = change(found, spec)
            body = _difference(before, spec)
            return said, {"spec": body} if body else None

        return self._patched(owner, decided, dry_run=dry_run)

    def _patched(
        self,
        owner: live.Reconciled,
        decide: Callable[[live.Object], tuple[_T, Document | None]],
        *,
        dry_run: bool = False,
    ) -> _T:
        """Reads, decides what to return and what to patch (None: nothing); repeats on a conflict."""
        for attempt in range(_TRIES):
            found = self._reader.get(object_of(owner))
            said, body = decide(found)
            if body is None:
                return said
            try:
                self._writer.patch(
                    found.ref, body, uid=found.uid, resource_version=found.resource_version, dry_run=dry_run
                )
                return said
            except Conflict:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")


# ── Documents ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _at(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = document
    for name in path:
        found = (found or {}).get(name)
    return found


def _put(document: Document, path: tuple[str, ...], value: object) -> None:
    """Sets a field; None: there is none."""
    *above, name = path
    for each in above:
        if value is None and each not in document:
            return
        document = document.setdefault(each, {})
    if value is None:
        document.pop(name, None)
    else:
        document[name] = value


def _restore(document: Document, path: tuple[str, ...], was: Mapping[str, Any]) -> None:
    """A field as it was; what was made to hold it goes with it."""
    _put(document, path, _at(was, path))
    above = path[:-1]
    if above and _at(document, above) == {} and _at(was, above) is None:
        _put(document, above, None)


def _add(document: Document, path: tuple[str, ...], more: Iterator[Document]) -> None:
    present = _at(document, path) or []
    added = [each for each in more if each not in present]
    if added:
        _put(document, path, [*present, *added])


def _is_ours(now: Any, was: Any, ours: Any) -> bool:
    """Whether a field stands as it was before, or as it was set for a while."""
    if isinstance(ours, list):
        return list(now or [])[: len(was or [])] == list(was or [])
    return now in (was, ours)


def _difference(now: Mapping[str, Any], wanted: Mapping[str, Any]) -> Document:
    """A merge patch from one to the other; empty: there is no difference."""
    body: Document = {name: None for name in now if name not in wanted}
    for name, value in wanted.items():
        before = now.get(name)
        if name in now and before == value:
            continue
        nested = isinstance(before, Mapping) and isinstance(value, Mapping)
        body[name] = _difference(before or {}, value) if nested else value
    return body


# ── What is left alone ──────────────────────────────────────────────────────────────────────────────────────────────


def _ignored(ref: ObjectRef, fields: Mapping[str, Any]) -> Document:
    """An entry of an Application's ignoreDifferences."""
    place = {"namespace": ref.namespace} if ref.namespace else {}
    pointers = [f"/spec/{name}" for name in fields]
    return {"group": ref.group, "kind": ref.kind, "name": ref.name, **place, "jsonPointers": pointers}


def _rendered(ref: ObjectRef, fields: Mapping[str, Any]) -> Document:
    """A post-renderer of Flux. Charts may leave out the namespace, so it is not asked for."""
    patch = [{"op": "add", "path": f"/spec/{name}", "value": value} for name, value in fields.items()]
    target = {"group": ref.group, "kind": ref.kind, "name": ref.name}
    return {"kustomize": {"patches": [{"target": target, "patch": json.dumps(patch)}]}}


# ── Revisions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _set_chart_version(found: live.Object, spec: Document, revision: str) -> str:
    chart = _at(spec, ("chart", "spec"))
    if not chart:
        raise Invalid(f"{found} has no chart of its own", "Change the object that its chartRef names.")
    was = str(chart.get("version") or "")
    _put(chart, ("version",), revision or None)
    return was


def _set_target_revision(found: live.Object, spec: Document, revision: str, source: int) -> str:
    sources = spec.get("sources") or ([spec["source"]] if spec.get("source") else [])
    if not 0 <= source < len(sources):
        raise Invalid(f"{found} has {len(sources)} sources, and none of number {source}", "Count from 0.")
    was = str(sources[source].get("targetRevision") or "")
    if was != revision:
        _put(sources[source], ("targetRevision",), revision or None)
    return was


# ── Operations of Argo CD ───────────────────────────────────────────────────────────────────────────────────────────


def _operation(found: live.Object, token: str, prune: bool, only: Sequence[ObjectRef]) -> Document:
    """What Argo CD would do by itself; the whole of it leaves what is to be ignored."""
    policy = _at(found.document, ("spec", "syncPolicy")) or {}
    options = list(policy.get("syncOptions") or ())
    options += [_RESPECT] if not only and _RESPECT not in options else []
    sync: Document = ({"syncOptions": options} if options else {}) | ({"prune": True} if prune else {})
    if only:
        named = ({"group": ref.group, "kind": ref.kind, "name": ref.name, "namespace": ref.namespace} for ref in only)
        sync["resources"] = [{name: value for name, value in each.items() if value} for each in named]
    return {
        "sync": sync,
        "initiatedBy": {"username": live.FIELD_MANAGER},
        "info": [{"name": live.FIELD_MANAGER, "value": token}],
        "retry": policy.get("retry") or _RETRY,
    }


def _under_way(found: live.Object) -> Mapping[str, Any] | None:
    """The operation that was asked for and has not ended."""
    asked: Mapping[str, Any] | None = found.document.get("operation")
    state = _at(found.document, ("status", "operationState")) or {}
    running = state.get("phase") not in (None, *_COMPLETED)
    return asked or (state.get("operation") or {} if running else None)


def _last(found: live.Object) -> Mapping[str, Any] | None:
    last: Mapping[str, Any] | None = _at(found.document, ("status", "operationState", "operation"))
    return last


# ── Who keeps these objects ─────────────────────────────────────────────────────────────────────────────────────────


def _refuse_what_would_not_last(found: live.Object, path: tuple[str, ...] = ()) -> None:
    """Raises Conflict when another controller manages the object and would undo the change."""
    keeper = _keeper(found)
    # Flux only sets fields in its source, which rarely has `suspend`: suspending by hand lasts, and is the usual way.
    if keeper and not (path == _SUSPEND and keeper.kind == "Kustomization"):
        raise Conflict(f"{found} is managed by {keeper}, which would revert the change", "Change it there.")


def _keeper(found: live.Object) -> ObjectRef | None:
    """The object of a GitOps controller that manages this one; None if there is none."""
    metadata = found.metadata
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") == "ApplicationSet":
            namespace = str(metadata.get("namespace") or "")
            return ObjectRef(kind="ApplicationSet", name=str(owner.get("name")), namespace=namespace, group=ARGO)
    if tracking := (metadata.get("annotations") or {}).get(_TRACKING):
        return ObjectRef.of("Application", str(tracking).partition(":")[0])
    labels = metadata.get("labels") or {}
    if name := labels.get(f"{FLUX_KUSTOMIZE}/name"):
        return ObjectRef.of("Kustomization", str(name), str(labels.get(f"{FLUX_KUSTOMIZE}/namespace") or ""))
    return None
