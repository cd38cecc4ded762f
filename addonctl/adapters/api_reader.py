"""Reads a live cluster into a Snapshot, and derives the RBAC rules that this needs.

One list per kind (adapters/decoders.py), in pages, a few at once; each page is decoded as it arrives and its bytes are
dropped. Only API versions that Kubernetes has not deprecated are requested. A part that cannot be read becomes a gap,
and the rest is read all the same.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from addonctl import ports
from addonctl.adapters import api_errors, shapes
from addonctl.adapters.api_connection import Connection, connect
from addonctl.adapters.decoders import CONFIG_MAPS, HELM_CONFIG_MAPS, KINDS
from addonctl.adapters.decoding import NOT_JSON, Decoder, Kind, Tally
from addonctl.catalog import Catalog, Kubernetes, plural
from addonctl.errors import AddonctlError, Broken, Expired, NotFound, NotReachable, NotServed, Unavailable
from addonctl.model import (
    Cluster,
    CrdVersion,
    CustomResourceDefinition,
    CustomResources,
    Gap,
    GapReason,
    OtherObject,
    Snapshot,
    current_releases,
)
from addonctl.versions import Minor

__all__ = ["Connection", "cluster_role_yaml", "connect", "may_list", "read", "version"]

# Concurrent lists. API Priority and Fairness gives one client few seats; more would only queue at the server.
PARALLEL = 4
# A page: large enough that a cluster of 150,000 pods takes 300 requests, small enough to stay below 10 MB.
PAGE = 500
# Restarts of a list whose continue token expired; a list that takes longer is unlikely to ever complete.
RESTARTS = 1
_BROKEN_NAMED = 5
# The part of Helm's releases that is unknown where ConfigMaps may not be listed; most clusters have none there.
_HELM_IN_CONFIG_MAPS = "helm_releases:configmaps"
_NOT_KUBERNETES = "Check the address in the kubeconfig, VPN and proxy: no Kubernetes API answers there."
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_AGGREGATED = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)


_Shape = TypeVar("_Shape")
_Resources = dict[tuple[str, str, str], tuple[str, bool]]
"""(group, version, plural) → (kind, namespaced)."""


@dataclass(frozen=True, slots=True)
class Served:
    """The resources that the API server serves."""

    resources: _Resources

    def version(self, kind: Kind) -> str | None:
        """The first version of `kind` that is served and that we can decode."""
        return next((v for v in kind.of.versions if (kind.group, v, kind.of.plural) in self.resources), None)

    def plurals(self, group: str, kind: str) -> dict[str, list[str]]:
        """The resources that serve `kind` of `group`, each with its versions, the preferred first."""
        found: dict[str, list[str]] = {}
        for (served_group, version, name), (served_kind, _) in self.resources.items():
            if (served_group, served_kind) == (group, kind) and "/" not in name:
                found.setdefault(name, []).append(version)
        return found


_Read = Callable[[], tuple[list[Any], list[str]]]
"""Runs one read: (objects, descriptions of broken ones)."""


@dataclass(slots=True)
class _Parts:
    """The results of the workers."""

    items: dict[str, list[Any]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


def read(
    connection: Connection,
    decoder: Decoder,
    *,
    now: datetime,
    progress: ports.Progress = ports.silent,
    namespace: str | None = None,
) -> Snapshot:
    """All of KINDS, as far as it can be read; `namespace` limits namespaced kinds to one namespace.

    Raises NotReachable or NotAllowed only when not even the server's version can be read.
    """
    progress(f"from {connection.server}", 0, 0)
    kubernetes = _ask(connection, "/version", _Version).gitVersion
    served = discover(connection)
    parts, jobs = _Parts(), list(_jobs(connection, decoder, served, namespace))
    _run(jobs, parts, progress)
    parts.gaps += _not_served(served)
    crds: list[CustomResourceDefinition] = parts.items.get("crds", [])
    minor = Minor.read(kubernetes)
    more = [
        *_custom_jobs(connection, decoder, crds, namespace),
        *_changing_jobs(connection, decoder, served, minor, namespace),
    ]
    parts.gaps += [one for one in more if isinstance(one, Gap)]
    _run([one for one in more if isinstance(one, _Job)], parts, progress)
    cluster = Cluster(
        name=connection.name,
        kubernetes=kubernetes,
        server=connection.server,
        context=connection.context,
        namespace=namespace or "",
    )
    return Snapshot(taken=now, cluster=cluster, gaps=tuple(_merged(parts.gaps)), **_whole(parts, crds))


def _whole(parts: _Parts, crds: Iterable[CustomResourceDefinition]) -> dict[str, Any]:
    """What a Snapshot holds, by part: custom resources are counted, of a Helm release one revision stays."""
    items = dict(parts.items)
    counted = _tallied(crds, items.get("others", ()))
    items["custom_resources"] = [*items.get("custom_resources", ()), *counted]
    items["helm_releases"] = list(current_releases(items.get("helm_releases", ())))
    return {part: tuple(found) for part, found in items.items()}


def _not_served(served: Served) -> Iterator[Gap]:
    for kind in KINDS:
        if served.version(kind) is None and not kind.of.optional:
            detail = f"the API server serves no {kind.of.name} in {', '.join(kind.of.versions)}"
            yield Gap(part=kind.part, reason=GapReason.NOT_SERVED, detail=detail)


def _tallied(crds: Iterable[CustomResourceDefinition], others: Iterable[OtherObject]) -> Iterator[CustomResources]:
    """The counts of the custom resources that were read in full."""
    by_kind: dict[tuple[str, str], list[OtherObject]] = {}
    for item in others:
        by_kind.setdefault((item.group, item.kind), []).append(item)
    for crd in crds:
        found = by_kind.get((crd.group, crd.kind))
        if found:
            tally = Tally(crd.group, crd.kind, crd.plural)
            tally.add(found)
            yield tally.sum()


# ── Discovery ───────────────────────────────────────────────────────────────────────────────────────────────────


class _Version(msgspec.Struct):
    gitVersion: str = ""


class _Kind(msgspec.Struct):
    kind: str = ""


class _Resource(msgspec.Struct):
    """One resource, from aggregated discovery or from the list of one group version (by `name`)."""

    resource: str = ""
    name: str = ""
    scope: str = ""
    namespaced: bool = False
    kind: str = ""
    responseKind: _Kind | None = None


class _GroupVersion(msgspec.Struct):
    version: str
    resources: list[_Resource] | None = None


class _Named(msgspec.Struct):
    name: str | None = ""


class _Group(msgspec.Struct):
    name: str = ""
    metadata: _Named | None = None
    versions: list[_GroupVersion] | None = None


class _Discovery(msgspec.Struct):
    """The response of /api and /apis: aggregated (`items`), or only the names of groups and versions."""

    kind: str = ""
    items: list[_Group] | None = None
    groups: list[_Group] | None = None
    versions: list[str] | None = None


class _Listed(msgspec.Struct):
    resources: list[_Resource] | None = None


def discover(connection: Connection) -> Served:
    """What is served, in two requests (aggregated discovery), or in one per group version on servers before 1.26."""
    resources: _Resources = {}
    for root in ("/api", "/apis"):
        document = _ask(connection, root, _Discovery, accept=f"{_AGGREGATED},application/json")
        if document.kind == "APIGroupDiscoveryList":
            resources |= _aggregated(document)
        else:
            resources |= _one_by_one(connection, root, document)
    return Served(resources)


def _ask(connection: Connection, path: str, shape: type[_Shape], *, accept: str = "application/json") -> _Shape:
    """The response to a GET, decoded. Raises Broken when it has another shape."""
    return _decoded(connection, path, shape, connection.get(path, accept=accept))


def _decoded(connection: Connection, path: str, shape: type[_Shape], body: bytes) -> _Shape:
    try:
        return shapes.decode(body, shape)
    except NOT_JSON as error:
        why = api_errors.described(body, {}) if body.lstrip()[:1] != b"{" else f"JSON of another shape: {error}"
        raise Broken(f"{connection.server}{path} answered with {why}", _NOT_KUBERNETES) from error


def _aggregated(document: _Discovery) -> _Resources:
    return {
        ((group.metadata and group.metadata.name) or "", version.version, one.resource): (
            one.responseKind.kind if one.responseKind else "",
            one.scope == "Namespaced",
        )
        for group in document.items or ()
        for version in group.versions or ()
        for one in version.resources or ()
    }


def _one_by_one(connection: Connection, root: str, document: _Discovery) -> _Resources:
    wanted = {(kind.group, version) for kind in KINDS for version in kind.of.versions}
    found = [("", version) for version in document.versions or ()]
    for group in document.groups or ():
        found += [(group.name, version.version) for version in group.versions or ()]
    resources: _Resources = {}
    for group_name, version_name in found:
        if (group_name, version_name) not in wanted:
            continue
        path = f"{root}/{group_name}/{version_name}" if group_name else f"{root}/{version_name}"
        try:
            listed = _ask(connection, path, _Listed).resources or ()
        except (NotServed, NotFound, NotReachable, Unavailable, Broken):
            continue  # a group whose backend is down: its kinds become gaps
        resources |= {(group_name, version_name, item.name): (item.kind, item.namespaced) for item in listed}
    return resources


# ── Lists ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Job:
    """One read: the part it fills, what it reads, how to run it, and the verb that RBAC must allow."""

    part: str
    what: str
    run: _Read
    verb: str = "list"
    missing_is_gap: bool = True
    gap_part: str = ""  # what is unknown without it, if less than the whole part

    @property
    def permission(self) -> str:
        return f"{self.verb} {self.what}"


def _jobs(connection: Connection, decoder: Decoder, served: Served, namespace: str | None) -> Iterator[_Job]:
    for kind in (*KINDS, HELM_CONFIG_MAPS):
        version = served.version(kind)
        if version is None:
            continue
        narrowed = namespace if served.resources[kind.group, version, kind.of.plural][1] else None
        path = _path(kind.group, version, kind.of.plural, narrowed)
        gap_part = _HELM_IN_CONFIG_MAPS if kind is HELM_CONFIG_MAPS else ""
        yield _Job(kind.part, kind.of.name, _lister(connection, decoder, kind, path), gap_part=gap_part)
    for name in sorted(decoder.config_maps):
        where, _, config_map = name.partition("/")
        path = f"{_path('', 'v1', 'configmaps', where)}/{config_map}"
        what, run = f"configmaps {config_map} in {where}", _getter(connection, decoder, path)
        yield _Job("config_maps", what, run, verb="get", missing_is_gap=False)


def _path(group: str, version: str, plural: str, namespace: str | None = None) -> str:
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def _lister(connection: Connection, decoder: Decoder, kind: Kind, path: str) -> _Read:
    def run() -> tuple[list[Any], list[str]]:
        items: list[Any] = []
        broken: list[str] = []

        def take(body: bytes) -> str:
            page = decoder.page(kind, body)
            items.extend(page.items)
            broken.extend(page.skipped)
            return page.next

        def restart() -> None:
            items.clear()
            broken.clear()

        _pages(connection, path, dict(kind.of.selector), take, restart)
        return items, broken

    return run


def _pages(
    connection: Connection,
    path: str,
    query: dict[str, str],
    take: Callable[[bytes], str],
    restart: Callable[[], None],
    accept: str = "application/json",
) -> None:
    """Passes every page of a list to `take`, which returns the next page's token.

    Lists are read at the newest resourceVersion on purpose: with resourceVersion=0 older servers ignore the limit and
    return one body of any size, and newer ones serve consistent lists from their cache anyway.
    """
    restarts, token = 0, ""
    while True:
        paged = query | {"limit": str(PAGE)} | ({"continue": token} if token else {})
        try:
            token = take(connection.get(path, paged, accept))
        except Expired:
            restarts += 1
            if restarts > RESTARTS:
                raise
            restart()
            token = ""
            continue
        if not token:
            return


def _getter(connection: Connection, decoder: Decoder, path: str) -> _Read:
    def run() -> tuple[list[Any], list[str]]:
        item = decoder.one(CONFIG_MAPS, connection.get(path))
        return ([item] if item is not None else []), []

    return run


def _custom_jobs(
    connection: Connection, decoder: Decoder, crds: Iterable[CustomResourceDefinition], namespace: str | None
) -> Iterator[_Job | Gap]:
    """Custom resources of add-ons: read in full if they have a status to assess, otherwise only counted.

    Each resource is a part of its own among the gaps: that one cannot be listed says nothing about the others.
    """
    for crd in crds:
        if crd.group not in decoder.crd_groups:
            continue
        resource, version = f"{crd.plural}.{crd.group}", _version_to_read(crd)
        gap_part = f"custom_resources:{resource}"
        if version is None:
            yield _deprecated_only(gap_part, resource, [version.name for version in crd.versions if version.served])
            continue
        path = _path(crd.group, version.name, crd.plural, namespace if crd.namespaced else None)
        whole, api_version = decoder.reads_whole(crd, version), f"{crd.group}/{version.name}"
        run = (_other_lister if whole else _counter)(connection, decoder, api_version, crd.kind, path)
        yield _Job("others" if whole else "custom_resources", resource, run, gap_part=gap_part)


def _deprecated_only(part: str, resource: str, versions: list[str]) -> Gap:
    said = f"is served in deprecated versions only ({', '.join(versions)})" if versions else "is served in no version"
    return Gap(part=part, reason=GapReason.NOT_SERVED, detail=f"{resource} {said}; not read")


def _version_to_read(crd: CustomResourceDefinition) -> CrdVersion | None:
    """A served version that is not deprecated, preferably the stored one, which needs no conversion."""
    fit = [version for version in crd.versions if version.served and not version.deprecated]
    return next(iter(sorted(fit, key=lambda version: not version.storage)), None)


# Groups whose kinds are requests that are not stored, or that the API server does not serve.
_NOT_STORED = frozenset(
    """
    admission.k8s.io apidiscovery.k8s.io audit.k8s.io authentication.k8s.io authorization.k8s.io
    extensions kubeadm.k8s.io
    """.split()
)


def _changing(kubernetes: Kubernetes) -> list[tuple[str, str]]:
    """(group, kind) of which Kubernetes removes a version and which are not read otherwise."""
    known = {(kind.group, kind.kind) for kind in KINDS}
    found = {(removal.group, removal.kind) for removal in kubernetes.removals}
    return sorted(key for key in found - known if key[0] not in _NOT_STORED and key[1] != "Eviction")


def _changing_jobs(
    connection: Connection, decoder: Decoder, served: Served, minor: Minor | None, namespace: str | None
) -> Iterator[_Job | Gap]:
    """Objects whose API version may be removed: their metadata, which shows who wrote them."""
    for group, kind in _changing(decoder.kubernetes):
        for name, versions in served.plurals(group, kind).items():
            gap_part = f"others:{name}.{group}"
            good = next((v for v in versions if not decoder.kubernetes.deprecated(group, v, kind, minor)), None)
            if good is None:
                yield _deprecated_only(gap_part, f"{name}.{group}", versions)
                continue
            path = _path(group, good, name, namespace if served.resources[group, good, name][1] else None)
            run = _other_lister(connection, decoder, f"{group}/{good}", kind, path, _METADATA_ONLY)
            yield _Job("others", f"{name}.{group}", run, gap_part=gap_part)


def _other_lister(
    connection: Connection, decoder: Decoder, api_version: str, kind: str, path: str, accept: str = "application/json"
) -> _Read:
    def run() -> tuple[list[Any], list[str]]:
        items: list[Any] = []
        broken: list[str] = []

        def take(body: bytes) -> str:
            page = decoder.others(api_version, kind, body)
            items.extend(page.items)
            broken.extend(page.skipped)
            return page.next

        def restart() -> None:
            items.clear()
            broken.clear()

        _pages(connection, path, {}, take, restart, accept)
        return items, broken

    return run


def _counter(connection: Connection, decoder: Decoder, api_version: str, kind: str, path: str) -> _Read:
    """Only their number and the API versions they were written with: there may be one for every pod."""

    def run() -> tuple[list[Any], list[str]]:
        tally = Tally(api_version.rpartition("/")[0], kind, path.rpartition("/")[2])
        broken: list[str] = []

        def take(body: bytes) -> str:
            page = decoder.others(api_version, kind, body)
            tally.add(page.items)
            broken.extend(page.skipped)
            return page.next

        def restart() -> None:
            tally.clear()
            broken.clear()

        _pages(connection, path, {}, take, restart, _METADATA_ONLY)
        return ([tally.sum()] if tally.count else []), broken

    return run


# ── Running ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _run(jobs: list[_Job], parts: _Parts, progress: ports.Progress) -> None:
    """Runs jobs a few at a time; one that fails becomes a gap. Ctrl-C cancels those that have not started."""
    pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="addonctl-read")
    try:
        running: list[tuple[_Job, Future[tuple[list[Any], list[str]]]]] = [(job, pool.submit(job.run)) for job in jobs]
        for done, (job, future) in enumerate(running, start=1):
            progress(job.what, done, len(jobs))
            try:
                items, broken = future.result()
            except (AddonctlError, *NOT_JSON) as error:
                gap = _gap(job, error)
                parts.gaps += [gap] if gap else []
                continue
            parts.items.setdefault(job.part, []).extend(items)
            if broken:
                named = "; ".join(broken[:_BROKEN_NAMED])
                detail = f"{len(broken)} objects could not be read: {named}"
                parts.gaps.append(Gap(part=job.gap_part or job.part, reason=GapReason.BROKEN, detail=detail))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _gap(job: _Job, error: Exception) -> Gap | None:
    if isinstance(error, NotFound | NotServed) and not job.missing_is_gap:
        return None
    if not isinstance(error, AddonctlError):
        error = Broken(f"the answer is not what the API promises: {error}")
    return api_errors.gap(job.gap_part or job.part, error, job.permission)


def _merged(gaps: Iterable[Gap]) -> Iterator[Gap]:
    """One gap per part and reason: twelve forbidden ConfigMaps are one line."""
    by_part: dict[tuple[str, GapReason], list[Gap]] = {}
    for gap in gaps:
        by_part.setdefault((gap.part, gap.reason), []).append(gap)
    for (part, reason), same in sorted(by_part.items()):
        more = f" (and {len(same) - 1} more)" if len(same) > 1 else ""
        permissions = ", ".join(dict.fromkeys(gap.permission for gap in same if gap.permission))
        yield Gap(part=part, reason=reason, detail=same[0].detail + more, permission=permissions)


# ── Permissions ─────────────────────────────────────────────────────────────────────────────────────────────────

_ROLE_HEAD = """\
# The least ClusterRole that reading needs, and how to bind it. Discovery (/api, /apis, /version) is granted to every
# authenticated user by system:discovery.
# secrets: only Helm's release records (type helm.sh/release.v1) are asked for, but RBAC cannot narrow a list by type.
#   Leave the rule out if you prefer: Helm releases are then found by labels alone.
# configmaps: only Helm's release records (label owner=helm) are listed, where HELM_DRIVER=configmap keeps them there.
"""


# The groups that the roles are bound to, for want of knowing who asks.
_GROUPS = {"addonctl-read": "addonctl-readers", "addonctl-update": "addonctl-updaters"}


def cluster_role_yaml(
    kinds: Iterable[Kind],
    catalog: Catalog,
    more: Iterable[dict[str, Any]] = (),
    verbs: Sequence[str] = ("list",),
    name: str = "addonctl-read",
) -> str:
    """The ClusterRole for exactly these verbs on `kinds` and the rules in `more`, with a binding, as YAML."""
    import yaml

    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [*_rules(kinds, catalog, verbs), *more],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": _GROUPS[name]}],
    }
    return _ROLE_HEAD + yaml.safe_dump_all([role, binding], sort_keys=False, default_flow_style=None, width=120)


def _rules(kinds: Iterable[Kind], catalog: Catalog, verbs: Sequence[str]) -> Iterator[dict[str, Any]]:
    by_group: dict[str, list[str]] = {}
    for kind in (*kinds, HELM_CONFIG_MAPS):
        by_group.setdefault(kind.group, []).append(kind.of.plural)
    custom = {group for addon in catalog.addons.values() for group in addon.fingerprints.crd_groups}
    for group, kind_name in _changing(catalog.kubernetes):
        by_group.setdefault(group, []).append(plural(kind_name))
    for group, plurals in by_group.items():
        if group not in custom:
            yield {"apiGroups": [group], "resources": sorted(set(plurals)), "verbs": [*verbs]}
    names = {name.partition("/")[2] for addon in catalog.addons.values() for name in addon.config_maps}
    yield {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": sorted(names), "verbs": ["get"]}
    yield {"apiGroups": sorted(custom), "resources": ["*"], "verbs": [*verbs]}


class _Allowed(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _Allowed


def version(connection: Connection) -> str:
    """The version that the API server reports, such as v1.34.1-eks-1a2b3c4."""
    return _ask(connection, "/version", _Version).gitVersion


def may_list(connection: Connection, kinds: Iterable[Kind], namespace: str = "") -> list[tuple[Kind, bool]]:
    """For each kind that is served, whether listing it is allowed, by access reviews; nothing is read.

    `namespace`: for namespaced kinds whether it is there, as a report of one namespace reads them.
    """
    served = discover(connection)
    wanted = [kind for kind in (*kinds, HELM_CONFIG_MAPS) if served.version(kind)]
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(zip(wanted, pool.map(lambda kind: _may_list(connection, kind, namespace), wanted), strict=True))


class _SelfReview(msgspec.Struct):
    class _Status(msgspec.Struct):
        class _User(msgspec.Struct):
            username: str = ""
            groups: list[str] | None = None

        userInfo: _User = msgspec.field(default_factory=_User)

    status: _Status = msgspec.field(default_factory=_Status)


def identity(connection: Connection) -> tuple[str, tuple[str, ...]]:
    """The user that the API server takes us for, and its groups. Raises NotServed before Kubernetes 1.28."""
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    asked = b'{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}'
    user = _decoded(connection, path, _SelfReview, connection.review(path, asked)).status.userInfo
    return user.username, tuple(user.groups or ())


def _may_list(connection: Connection, kind: Kind, namespace: str) -> bool:
    where = {"namespace": namespace} if namespace and kind.of.namespaced else {}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "list", "group": kind.group, "resource": kind.of.plural, **where}},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer = connection.review(path, json.dumps(review).encode())
    return _decoded(connection, path, _Review, answer).status.allowed
