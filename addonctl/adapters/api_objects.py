"""Objects of one cluster, losslessly, over its API: ports.ObjectReader and ports.ObjectWriter.

Paths come from the server's own discovery, so custom resources need no table. A watch reconnects where it broke off,
requests bookmarks so that it never falls far behind, and lists again when its position has expired.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import msgspec

from addonctl.adapters import api_errors, shapes
from addonctl.adapters.api_protocol import ApiConnection
from addonctl.errors import (
    AddonctlError,
    BadInput,
    Broken,
    Conflict,
    Expired,
    Invalid,
    NotFound,
    NotServed,
    Unavailable,
)
from addonctl.model import ObjectRef, live

_PAGE = 500  # as kubectl does: a page of large objects is a few MB
_PAGES_MAX = 4000  # two million objects: more than etcd can hold
# The server ends a watch after this long, with a bookmark shortly before; silence beyond it is a lost connection. It
# is short, since a closed watch waits for the next line; an idle one costs a request each time.
_WATCH_S, _SILENCE_S = 12, 20.0
_PAUSE_S, _PAUSE_MAX_S = 0.5, 30.0
_FAILURES_MAX = 15  # in a row: some five minutes
# Somebody may write in between; not for ever.
_DISOWNINGS = 10
_OUR_PATCHES = (live.FIELD_MANAGER, "Update")
_MERGE, _JSON_PATCH, _APPLY = (
    {"Content-Type": f"application/{form}"} for form in ("merge-patch+json", "json-patch+json", "apply-patch+yaml")
)

_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_ACCESS_REVIEW = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}

# The message of server-side apply for a field that is not in the schema; it returns 500.
_UNKNOWN_FIELD = "failed to create typed patch object"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Served:
    """The endpoint of a kind."""

    root: str  # /api/v1, /apis/apps/v1
    plural: str
    namespaced: bool
    kind: live.Kind

    def path(self, namespace: str, name: str = "") -> str:
        where = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.root}{where}/{self.plural}" + (f"/{name}" if name else "")

    def path_of(self, ref: ObjectRef) -> str:
        """Raises BadInput when the name or the namespace is missing."""
        if not ref.name:
            raise BadInput(f"An object of kind {ref.kind} has no name", "Give metadata.name.")
        if self.namespaced and not ref.namespace:
            raise BadInput(f"{ref} has no namespace", "Give metadata.namespace.")
        return self.path(ref.namespace, ref.name)


@dataclass
class ApiObjects:
    """Both ports. `apply` and merge patches annotate objects with `run`. Safe to use from several threads."""

    connection: ApiConnection
    run: str = ""
    _served: dict[live.Kind, _Served] = field(default_factory=dict)

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, ref: ObjectRef, version: str = "") -> live.Object:
        return self._object("GET", ref, version)

    def list(self, kind: live.Kind, namespace: str = "", labels: str = "") -> live.Listing:
        def pages(served: _Served) -> live.Listing:
            return self._pages(served, namespace, labels)

        try:
            return self._at(kind, pages)
        except Expired:
            return self._at(kind, pages)  # once: reading the pages took longer than etcd keeps the history

    def allowed(self, right: live.Right) -> bool:
        ref = right.ref
        plural = self._at(live.Kind(ref.group, ref.kind), lambda served: served.plural)
        asked = {"verb": right.verb, "group": ref.group, "resource": plural, "subresource": right.subresource}
        attributes = asked | {"namespace": ref.namespace, "name": ref.name}
        review = {**_ACCESS_REVIEW, "spec": {"resourceAttributes": {k: v for k, v in attributes.items() if v}}}
        return bool((self._ask("POST", _ACCESS_REVIEWS, None, review).get("status") or {}).get("allowed"))

    def watch(
        self, kind: live.Kind, namespace: str = "", labels: str = "", since: live.Listing | None = None
    ) -> "ApiWatch":
        return ApiWatch(self, kind, namespace, labels, since)

    def _pages(self, served: _Served, namespace: str, labels: str) -> live.Listing:
        query = {"limit": str(_PAGE)} | ({"labelSelector": labels} if labels else {})
        found: list[live.Object] = []
        for _ in range(_PAGES_MAX):
            page = self._ask("GET", served.path(namespace), query)
            # The items of a list omit apiVersion and kind, which the list has.
            kind = {"apiVersion": page.get("apiVersion"), "kind": served.kind.kind}
            found += (live.Object({**kind, **item}) for item in page.get("items") or ())
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return live.Listing(tuple(found), str(metadata.get("resourceVersion", "")))
            query["continue"] = metadata["continue"]
        raise Broken(f"The list of {served.kind} has no end", "Narrow it to a namespace.")

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def apply(
        self,
        document: Mapping[str, Any],
        *,
        manager: str = live.FIELD_MANAGER,
        force: bool = False,
        dry_run: bool = False,
    ) -> live.Object:
        wanted = live.Object(document)
        version = str(document.get("apiVersion", "")).rpartition("/")[2]
        query = {"fieldManager": manager, "force": str(force).lower()} | _dry(dry_run)
        try:
            return self._object("PATCH", wanted.ref, version, "", query, self._noted(document), _APPLY)
        except Unavailable as error:
            if _UNKNOWN_FIELD not in error.what:
                raise
            raise Invalid(error.what, "Correct the field, or its apiVersion.", reason=error.reason) from error

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
        # Otherwise the server drops unknown fields and reports success.
        query = {"fieldManager": live.FIELD_MANAGER, "fieldValidation": "Strict"} | _dry(dry_run)
        # Setting these makes them preconditions: the server refuses to change them.
        held = _preconditions(uid, resource_version)
        headers = _MERGE
        if isinstance(body, Mapping) is not (form is live.PatchForm.MERGE):
            raise BadInput(f"This is no {form} patch", "A merge patch is a mapping, a JSON patch a list of operations.")
        if isinstance(body, Mapping):
            body = self._noted({**body, "metadata": {**(body.get("metadata") or {}), **held}} if held else body)
        else:
            headers = _JSON_PATCH
            body = [{"op": "add", "path": f"/metadata/{name}", "value": held[name]} for name in held] + list(body)
        try:
            return self._object("PATCH", ref, "", subresource, query, body, headers)
        except Invalid as error:
            if not uid or all(cause.field != "metadata.uid" for cause in error.causes):
                raise
            raise Conflict(f"{ref} is another object than the one of uid {uid}", "Read it again.") from error

    def disown(self, ref: ObjectRef) -> None:
        for _ in range(_DISOWNINGS - 1):
            try:
                return self._disown(ref)
            except Conflict:
                continue
        self._disown(ref)

    def _disown(self, ref: ObjectRef) -> None:
        found = self.get(ref)
        owners: list[Mapping[str, Any]] = found.metadata.get("managedFields") or []
        others = [each for each in owners if (each.get("manager"), each.get("operation")) != _OUR_PATCHES]
        if len(others) < len(owners):
            # An empty list would change nothing, one of an empty entry is how all are taken away.
            body = [{"op": "replace", "path": "/metadata/managedFields", "value": others or [{}]}]
            self.patch(ref, body, form=live.PatchForm.JSON, resource_version=found.resource_version)

    def delete(
        self,
        ref: ObjectRef,
        *,
        propagation: live.Propagation = live.Propagation.BACKGROUND,
        uid: str = "",
        resource_version: str = "",
        dry_run: bool = False,
    ) -> None:
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation.value}
        if held := _preconditions(uid, resource_version):
            options["preconditions"] = held
        if dry_run:  # with options in the body, the server ignores those in the query, and would delete
            options["dryRun"] = ["All"]
        try:
            self._object("DELETE", ref, "", "", None, options)
        except (NotFound, NotServed):
            return  # if the kind does not exist, neither does the object

    def evict(self, pod: ObjectRef, *, dry_run: bool = False) -> None:
        metadata = {"name": pod.name, "namespace": pod.namespace}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/eviction"
        try:
            self._ask("POST", path, _dry(dry_run), eviction)
        except NotFound:
            return

    def _noted(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self.run:
            return body
        metadata = body.get("metadata") or {}
        notes = {**(metadata.get("annotations") or {}), live.RUN_ANNOTATION: self.run}
        return {**body, "metadata": {**metadata, "annotations": notes}}

    # ── Discovery ───────────────────────────────────────────────────────────────────────────────────────────────

    def _at(self, kind: live.Kind, ask: Callable[[_Served], _T]) -> _T:
        """The response from the endpoint of a kind, which is cached, and discovered again when it no longer exists."""
        remembered = self._served.get(kind)
        if remembered is not None:
            try:
                return ask(remembered)
            except NotServed:
                self._served.pop(kind, None)
        served = self._discovered(kind)
        self._served[kind] = served
        return ask(served)

    def _discovered(self, kind: live.Kind) -> _Served:
        for version in (kind.version,) if kind.version else self._versions(kind.group):
            root = f"/apis/{kind.group}/{version}" if kind.group else f"/api/{version}"
            for one in self._ask("GET", root).get("resources") or ():
                if one.get("kind") == kind.kind and "/" not in one["name"]:
                    named = live.Kind(kind.group, kind.kind, version)
                    return _Served(root, one["name"], bool(one.get("namespaced")), named)
        raise NotServed(f"{self.connection.server} serves no {kind}", "Install its CRDs, or check group and version.")

    def _versions(self, group: str) -> tuple[str, ...]:
        if not group:
            return ("v1",)
        said = self._ask("GET", f"/apis/{group}")
        preferred = (said.get("preferredVersion") or {}).get("version", "")
        others = [one["version"] for one in said.get("versions") or () if one["version"] != preferred]
        return (preferred, *others)

    # ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────

    def _object(
        self,
        method: str,
        ref: ObjectRef,
        version: str = "",
        subresource: str = "",
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> live.Object:
        def ask(served: _Served) -> live.Object:
            path = served.path_of(ref) + (f"/{subresource}" if subresource else "")
            return live.Object(self._ask(method, path, query, body, headers))

        return self._at(live.Kind(ref.group, ref.kind, version), ask)

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        sent = msgspec.json.encode(body) if body is not None else None
        answer = self.connection.request(method, path, query, sent, headers)
        return _decoded(answer.body, path)


def _decoded(body: bytes, path: str) -> dict[str, Any]:
    try:
        found = shapes.decode(body)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        raise Broken(f"The response to {path} is not an object")
    return found


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _preconditions(uid: str, resource_version: str) -> dict[str, str]:
    return {name: value for name, value in (("uid", uid), ("resourceVersion", resource_version)) if value}


# ── Watching ────────────────────────────────────────────────────────────────────────────────────────────────────


class ApiWatch:
    """See ports.Watch. Ends within _WATCH_S of being closed."""

    def __init__(
        self, objects: ApiObjects, kind: live.Kind, namespace: str, labels: str, since: live.Listing | None
    ) -> None:
        self._objects, self._what = objects, (kind, namespace, labels)
        self._known = {found.ref: found for found in since or ()}
        self._since = since.resource_version if since is not None else ""
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[live.WatchEvent]:
        failures = 0
        while not self._closed.is_set():
            try:
                for event in self._session():
                    failures = 0
                    yield event
                    if self._closed.is_set():
                        return
            except Expired:
                self._since = ""
            except AddonctlError as error:
                failures += 1
                if error.retry_after_s is None or failures > _FAILURES_MAX:
                    self._objects._served.pop(self._what[0], None)
                    raise
            self._closed.wait(min(_PAUSE_S * 2**failures, _PAUSE_MAX_S))

    def _listed(self) -> Iterator[live.WatchEvent]:
        """Delivers the differences of a new list. `_since` is set last, so that an interrupted one is repeated."""
        listing = self._objects.list(*self._what)
        there = {found.ref: found for found in listing}
        for ref in [ref for ref in self._known if ref not in there]:
            yield live.Deleted(self._known.pop(ref))
        for found in listing:
            yield from self._told(found)
        self._since = listing.resource_version

    def _told(self, found: live.Object) -> Iterator[live.WatchEvent]:
        before = self._known.get(found.ref)
        if before is not None and before.uid != found.uid:
            yield live.Deleted(self._known.pop(found.ref))
            before = None
        if before is None or before.resource_version != found.resource_version:
            self._known[found.ref] = found
            yield live.Added(found) if before is None else live.Modified(found)

    def _session(self) -> Iterator[live.WatchEvent]:
        if not self._since:
            yield from self._listed()
        kind, namespace, labels = self._what
        path = self._objects._at(kind, lambda served: served.path(namespace))
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(_WATCH_S)}
        query |= {"resourceVersion": self._since} | ({"labelSelector": labels} if labels else {})
        with self._objects.connection.lines(path, query, _SILENCE_S) as lines:
            for line in lines:
                if line.strip():
                    yield from self._event(_decoded(line, path), path)

    def _event(self, said: dict[str, Any], path: str) -> Iterator[live.WatchEvent]:
        """The position advances before the event is delivered, so that it is not delivered twice."""
        document = said.get("object") or {}
        if said.get("type") == "ERROR":
            body = msgspec.json.encode(document)
            raise api_errors.refusal(self._objects.connection.server, path, int(document.get("code") or 500), {}, body)
        found = live.Object(document)
        self._since = found.resource_version
        match said.get("type"):
            case "BOOKMARK":
                yield live.Bookmark(found.resource_version)
            case "DELETED":
                self._known.pop(found.ref, None)
                yield live.Deleted(found)
            case _:
                yield from self._told(found)
