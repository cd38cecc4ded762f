"""Suspends and resumes Argo CD and Flux through the objects they work from: ports.GitOpsWriter.

Every patch requires the object that was read (uid and resourceVersion), so that it never overwrites a concurrent
change. Controllers write these objects often, so a patch that conflicts is retried.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from addonctl import ports
from addonctl.errors import Conflict, Invalid
from addonctl.model import ObjectRef, live
from addonctl.model.owners import ArgoApplication, FluxHelmRelease, FluxKustomization

_ARGO, _HELM, _KUSTOMIZE = "argoproj.io", "helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"
_TRIES = 5
_AUTOMATED, _SUSPEND = ("spec", "syncPolicy", "automated"), ("spec", "suspend")
_TRACKING = "argocd.argoproj.io/tracking-id"


_T = TypeVar("_T")


class GitOpsObjects:
    """See ports.GitOpsWriter."""

    def __init__(self, reader: ports.ObjectReader, writer: ports.ObjectWriter) -> None:
        self._reader, self._writer = reader, writer

    def suspend(self, owner: live.Reconciled) -> live.Suspension:
        path = _path(owner)

        def suspended(found: live.Object) -> tuple[live.Suspension, dict[str, Any] | None]:
            was = _at(found.document, path)
            _refuse_what_would_not_last(found, path)
            return live.Suspension(owner=owner, uid=found.uid, path=path, was=was), _change(path, was, _off(owner))

        return self._changed(owner, suspended)

    def resume(self, suspension: live.Suspension) -> None:
        def resumed(found: live.Object) -> tuple[None, dict[str, Any] | None]:
            if found.uid != suspension.uid:
                raise Conflict(f"{found} is another object than the one that was suspended", "Look what it is.")
            now, off = _at(found.document, suspension.path), _off(suspension.owner)
            if now not in (off, suspension.was):
                raise Conflict(f"{found} was changed while it was suspended", "Resume it by hand, or leave it so.")
            return None, _change(suspension.path, now, suspension.was)

        self._changed(suspension.owner, resumed)

    def set_revision(self, owner: ArgoApplication | FluxHelmRelease, revision: str, *, source: int = 0) -> str:
        def changed(found: live.Object) -> tuple[str, dict[str, Any] | None]:
            _refuse_what_would_not_last(found, ("spec",))
            spec = found.document.get("spec") or {}
            if isinstance(owner, FluxHelmRelease):
                return _set_chart_version(found, spec, revision)
            return _set_target_revision(found, spec, revision, source)

        return self._changed(owner, changed)

    def _changed(self, owner: live.Reconciled, decide: Callable[[live.Object], tuple[_T, dict[str, Any] | None]]) -> _T:
        """Reads, decides what to return and what to patch (None: nothing); repeats on a conflict."""
        for attempt in range(_TRIES):
            found = self._reader.get(_ref(owner))
            said, body = decide(found)
            if body is None:
                return said
            try:
                self._writer.patch(found.ref, body, uid=found.uid, resource_version=found.resource_version)
                return said
            except Conflict:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")


def _ref(owner: live.Reconciled) -> ObjectRef:
    match owner:
        case ArgoApplication():
            kind, group = "Application", _ARGO
        case FluxHelmRelease():
            kind, group = "HelmRelease", _HELM
        case FluxKustomization():
            kind, group = "Kustomization", _KUSTOMIZE
    return ObjectRef(kind=kind, name=owner.name, namespace=owner.namespace, group=group)


def _path(owner: object) -> tuple[str, ...]:
    return _AUTOMATED if isinstance(owner, ArgoApplication) else _SUSPEND


def _off(owner: object) -> bool | None:
    """The field's value while suspended: for Argo CD, an absent field means no automatic synchronisation."""
    return None if isinstance(owner, ArgoApplication) else True


def _at(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = document
    for name in path:
        found = (found or {}).get(name)
    return found


def _change(path: tuple[str, ...], now: object, wanted: object) -> dict[str, Any] | None:
    """A merge patch that sets the field as wanted; None if it already is."""
    if now == wanted:
        return None
    body: Any = wanted
    for name in reversed(path):
        body = {name: body}
    return dict(body)


def _set_chart_version(found: live.Object, spec: Mapping[str, Any], revision: str) -> tuple[str, dict[str, Any] | None]:
    path = ("spec", "chart", "spec", "version")
    if not _at({"spec": spec}, path[:-1]):
        raise Invalid(f"{found} has no chart of its own", "Change the object that its chartRef names.")
    was = _at({"spec": spec}, path)
    return str(was or ""), _change(path, was, revision or None)


def _set_target_revision(
    found: live.Object, spec: Mapping[str, Any], revision: str, source: int
) -> tuple[str, dict[str, Any] | None]:
    """A merge patch replaces a whole list; its resourceVersion ensures that it is the list that was read."""
    several = [dict(one) for one in spec.get("sources") or ()]
    sources = several or ([dict(spec["source"])] if spec.get("source") else [])
    if not 0 <= source < len(sources):
        raise Invalid(f"{found} has {len(sources)} sources, and none of number {source}", "Count from 0.")
    chosen = sources[source]
    was = chosen.get("targetRevision")
    if (was or "") == revision:
        return revision, None
    if not several:
        return str(was or ""), {"spec": {"source": {"targetRevision": revision or None}}}
    chosen.pop("targetRevision", None)
    chosen |= {"targetRevision": revision} if revision else {}
    return str(was or ""), {"spec": {"sources": several}}


def _refuse_what_would_not_last(found: live.Object, path: tuple[str, ...]) -> None:
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
            return ObjectRef(kind="ApplicationSet", name=str(owner.get("name")), namespace=namespace, group=_ARGO)
    if tracking := (metadata.get("annotations") or {}).get(_TRACKING):
        return ObjectRef.of("Application", str(tracking).partition(":")[0])
    labels = metadata.get("labels") or {}
    if name := labels.get(f"{_KUSTOMIZE}/name"):
        return ObjectRef.of("Kustomization", str(name), str(labels.get(f"{_KUSTOMIZE}/namespace") or ""))
    return None
