"""What is declared: charts and EKS add-ons that Argo CD, Flux, kustomize, charts, eksctl and the GitOps bridge name.

Pure: a parsed document, or the records of a View, in; Declarations out. What stays templated, and ranges, stay as they
are written. Called by the reader of files and by the inventory.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import PurePosixPath
from typing import Any

from addonctl import versions
from addonctl.model import Application, AppSource, Declaration, DeclaredBy, FluxHelmRelease, ObjectRef, Place, View
from addonctl.versions import Version

# Of one ApplicationSet: a matrix of lists grows fast.
_SETS_MAX = 200
_IN_CLUSTER = ("in-cluster", "https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local")
_ARGO = "argoproj.io"
_FLUX = "helm.toolkit.fluxcd.io"

# ── Versions as written ─────────────────────────────────────────────────────────────────────────────────────────────

_TEMPLATED = re.compile(r"\{\{|\$\{|\$\(")
_RANGE = re.compile(r"[<>=~^*|]|\bx\b|\s-\s", re.IGNORECASE)
_NEWEST = frozenset({"", "latest", "default"})


def pinned(written: str) -> Version | None:
    """The one version that is written; None where it may be several, or nobody knows yet."""
    return versions.pinned(written.removeprefix("refs/tags/"))


def why_not_pinned(declared: Declaration) -> str:
    """Why what is written names no version."""
    written = declared.version
    if _TEMPLATED.search(written):
        return f"it is templated: {written}"
    if not (declared.chart or declared.eks_addon):
        return f"it is what the folder {declared.path} of {declared.repository or 'a repository'} holds"
    if written.lower() in _NEWEST:
        return "no version is declared: the newest counts" if not written else f"{written} is declared"
    what = "the range" if _RANGE.search(written) or versions.parse(written) else "the branch or tag"
    return f"{what} {written} is declared"


# ── Records ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def declared(view: View) -> tuple[Declaration, ...]:
    """Everything that is declared. What a folder declares is laid to the Application that applies the folder."""
    snapshot = view.snapshot
    # What an ApplicationSet declares is there as Applications, once it has made them.
    made = {owner.name for app in snapshot.applications for owner in app.owners if owner.kind == "ApplicationSet"}
    told = [each for app in snapshot.applications for each in _of_application(app, view)]
    told += [_of_flux(release, view) for release in snapshot.flux_helm_releases]
    told += [each for each in snapshot.declarations if not _is_made(each, made)]
    return tuple(dict.fromkeys(_with_folders(told)))


def _is_made(each: Declaration, made: set[str]) -> bool:
    return each.by is DeclaredBy.APPLICATION_SET and each.name in made


def _of_application(app: Application, view: View) -> Iterator[Declaration]:
    only = AppSource(repository=app.repository, chart=app.chart, path=app.path, revision=app.target_revision)
    said = Declaration(
        by=DeclaredBy.APPLICATION,
        name=app.name,
        home=app.namespace,
        namespace=app.destination_namespace,
        destination="" if view.deploys_here(app) else app.destination,
        ref=app.ref,
        place=app.place,
    )
    yield from (_from_source(said, source) for source in app.sources or (only,) if source.chart or source.path)


def _from_source(said: Declaration, source: AppSource) -> Declaration:
    chart, path = source.chart, source.path
    if not chart and source.repository.startswith("oci://") and path in ("", "."):
        chart, path = _last(source.repository), ""
    return replace(
        said,
        chart=_last(chart),
        path="" if chart else path,
        repository=source.repository,
        version=source.revision,
        release=source.release or said.name,
    )


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _of_flux(release: FluxHelmRelease, view: View) -> Declaration:
    """With chartRef, the chart and its version are those of an OCIRepository."""
    kind, _, name = release.source.partition("/")
    sources = [each for each in view.snapshot.flux_sources if (each.kind, each.name) == (kind, name)]
    source = next((each for each in sources if each.namespace == release.namespace), next(iter(sources), None))
    chart, version = release.chart, release.chart_version
    if kind == "OCIRepository" and source is not None:
        chart, version = _last(source.url), source.reference.partition(" ")[2]
    in_git = kind in ("GitRepository", "Bucket")
    return Declaration(
        by=DeclaredBy.FLUX,
        name=release.name,
        home=release.namespace,
        chart=_last(chart),
        path=chart if in_git else "",
        repository=source.url if source else "",
        version=version,
        namespace=release.target_namespace,
        release=release.release,
        destination="the cluster of its kubeConfig" if release.elsewhere else "",
        ref=release.ref,
        place=release.place,
    )


_OF_FOLDERS = (DeclaredBy.DEPENDENCY, DeclaredBy.KUSTOMIZE)


def _with_folders(told: Sequence[Declaration]) -> Iterator[Declaration]:
    """What charts and kustomizations declare is by whoever applies their folder; where nobody does, by themselves."""
    folders: dict[str, list[Declaration]] = {}
    for each in told:
        if each.by in _OF_FOLDERS:
            folders.setdefault(_folder(each), []).append(each)
    by_last: dict[str, list[str]] = {}
    for folder in folders:
        by_last.setdefault(_last(folder), []).append(folder)
    applied: set[str] = set()
    for each in told:
        if each.by in _OF_FOLDERS:
            continue
        wanted = str(PurePosixPath(each.path)) if each.path else ""
        theirs = [folder for folder in by_last.get(_last(wanted), ()) if f"/{folder}".endswith(f"/{wanted}")]
        applied.update(theirs if wanted else ())
        if not (wanted and theirs):
            yield each
        yield from (_applied(inner, each) for folder in theirs if wanted for inner in folders[folder])
    for folder, inner in folders.items():
        yield from (each for each in inner if folder not in applied and not is_itself(each))


def _folder(each: Declaration) -> str:
    place = each.place
    return str(PurePosixPath((place.member or place.file) if place else "").parent)


def _applied(inner: Declaration, by: Declaration) -> Declaration:
    return replace(
        inner,
        by=by.by,
        name=by.name,
        home=by.home,
        namespace=inner.namespace or by.namespace,
        destination=by.destination,
        release=by.release,
        path="",
        ref=by.ref,
    )


_ITSELF = "."  # the path of a chart that is in the files, as seen from itself


def is_itself(each: Declaration) -> bool:
    """Whether it is a chart in the files, which nothing there says to be installed."""
    return each.by is DeclaredBy.DEPENDENCY and each.path == _ITSELF


# ── Documents ───────────────────────────────────────────────────────────────────────────────────────────────────────


def of_document(value: Mapping[Any, Any], place: Place) -> tuple[Declaration, ...]:
    """What a parsed document declares that no record has."""
    group, _, _ = str(value.get("apiVersion") or "").partition("/")
    kind = value.get("kind")
    file = PurePosixPath(place.member or place.file).name
    if (group, kind) == (_ARGO, "ApplicationSet"):
        return tuple(islice(dict.fromkeys(_of_application_set(value, place)), _SETS_MAX))
    if (group, kind) == ("eksctl.io", "ClusterConfig"):
        return tuple(_of_eksctl(value, place))
    if file == "Chart.yaml" and isinstance(value.get("name"), str):
        return tuple(_of_chart(value, place))
    if group == "kustomize.config.k8s.io" or file.lower().startswith("kustomization"):
        return tuple(_of_kustomization(value, place))
    return ()


def of_template(value: Mapping[Any, Any], place: Place) -> tuple[Declaration, ...]:
    """What a document of a template declares, once its expressions are filled in: also what would be a record."""
    group, _, _ = str(value.get("apiVersion") or "").partition("/")
    if (group, value.get("kind")) == (_ARGO, "Application"):
        return tuple(_of_spec(_Named.of(value, DeclaredBy.APPLICATION), _mapping(value.get("spec")), {}, place))
    if (group, value.get("kind")) == (_FLUX, "HelmRelease"):
        return tuple(_of_written_release(value, place))
    return of_document(value, place)


def kubernetes_of(value: Mapping[Any, Any]) -> tuple[str, str] | None:
    """(name, Kubernetes) of the cluster that an eksctl file declares; None for any other document."""
    if value.get("kind") != "ClusterConfig" or not str(value.get("apiVersion") or "").startswith("eksctl.io/"):
        return None
    meta = _mapping(value.get("metadata"))
    return _text(meta.get("name")), _text(meta.get("version"))


class _Named:
    """What is the same in all declarations of one object."""

    def __init__(self, by: DeclaredBy, name: str, home: str) -> None:
        self.by, self.name, self.home = by, name, home

    @classmethod
    def of(cls, value: Mapping[Any, Any], by: DeclaredBy) -> "_Named":
        meta = _mapping(value.get("metadata"))
        return cls(by, _text(meta.get("name")), _text(meta.get("namespace")))


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> Sequence[Mapping[Any, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else ()


def _text(value: Any) -> str:
    """A scalar as it is written."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


# ── ApplicationSets ─────────────────────────────────────────────────────────────────────────────────────────────────

_Parameters = Mapping[str, str]
_SELECTED = " selected"  # the key of what a cluster generator selects, in words; no parameter is called that


def _of_application_set(value: Mapping[Any, Any], place: Place) -> Iterator[Declaration]:
    named, spec = _Named.of(value, DeclaredBy.APPLICATION_SET), _mapping(value.get("spec"))
    template = _mapping(spec.get("template"))
    for generator in _mappings(spec.get("generators")):
        own = _mapping(next((_mapping(each).get("template") for each in generator.values()), None))
        inner = {**_mapping(template.get("spec")), **_mapping(own.get("spec"))}
        for parameters in islice(_sets(generator), _SETS_MAX):
            yield from _of_spec(named, inner, parameters, place)


def _sets(generator: Mapping[Any, Any]) -> Iterator[_Parameters]:
    """The parameters that a generator makes, as far as they are written in it; those of others are unknown."""
    if "list" in generator:
        elements = _mappings(_mapping(generator["list"]).get("elements"))
        yield from (dict(_flat(each)) for each in elements)
    elif "clusters" in generator:
        clusters = _mapping(generator["clusters"])
        values = {f"values.{key}": value for key, value in _flat(_mapping(clusters.get("values")))}
        yield {**values, _SELECTED: _selected(_mapping(clusters.get("selector")))}
    elif "matrix" in generator:
        generators = _mappings(_mapping(generator["matrix"]).get("generators"))
        inner = [list(islice(_sets(each), _SETS_MAX)) for each in generators]
        yield from (_joined(each) for each in product(*inner))
    elif "merge" in generator:
        first, *others = _mappings(_mapping(generator["merge"]).get("generators")) or ({},)
        over = [each for other in others for each in islice(_sets(other), _SETS_MAX)]
        for base in _sets(first):
            yield base
            changed = (each for each in over if any(base.get(key) != each[key] for key in each if key != _SELECTED))
            yield from ({**base, **each, _SELECTED: each.get(_SELECTED) or base.get(_SELECTED, "")} for each in changed)
    else:
        yield {}


def _joined(parts: Iterable[_Parameters]) -> _Parameters:
    joined: dict[str, str] = {}
    for each in parts:
        joined |= {key: value for key, value in each.items() if value or key not in joined}
    return joined


def _flat(value: Mapping[Any, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, inner in value.items():
        name = f"{path}{key}"
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{name}.")
        else:
            yield name, _text(inner)


def _selected(selector: Mapping[Any, Any]) -> str:
    """`environment=prod`; of expressions, their keys and values."""
    labels = [f"{key}={value}" for key, value in _mapping(selector.get("matchLabels")).items()]
    for each in _mappings(selector.get("matchExpressions")):
        chosen = each.get("values")
        values = ",".join(map(str, chosen)) if isinstance(chosen, list) else ""
        labels.append(" ".join(filter(None, (str(each.get("key")), str(each.get("operator")), values))))
    return "; ".join(labels)


_PARAMETER = re.compile(r"\{\{-?\s*\.?([\w./-]+)\s*-?\}\}")


def _filled(text: Any, parameters: _Parameters) -> str:
    return _PARAMETER.sub(lambda found: parameters.get(found[1]) or found[0], _text(text))


def _of_spec(named: _Named, spec: Mapping[Any, Any], parameters: _Parameters, place: Place) -> Iterator[Declaration]:
    """What the spec of an Application declares, with parameters filled in."""
    to = _mapping(spec.get("destination"))
    said = Declaration(
        by=named.by,
        name=named.name,
        home=named.home,
        namespace=_known(_filled(to.get("namespace"), parameters)),
        destination=_destination(named, to, parameters),
        ref=ObjectRef(group=_ARGO, kind=_KINDS[named.by], namespace=named.home, name=named.name),
        place=place,
    )
    for source in [_mapping(spec.get("source")), *_mappings(spec.get("sources"))]:
        written = AppSource(
            repository=_filled(source.get("repoURL"), parameters),
            chart=_filled(source.get("chart"), parameters),
            path=_filled(source.get("path"), parameters),
            revision=_filled(source.get("targetRevision"), parameters),
            release=_known(_filled(_mapping(source.get("helm")).get("releaseName"), parameters)),
        )
        if written.chart or written.path or written.repository.startswith("oci://"):
            yield _from_source(said, written)


_KINDS = {DeclaredBy.APPLICATION: "Application", DeclaredBy.APPLICATION_SET: "ApplicationSet"}


def _known(text: str) -> str:
    return "" if _TEMPLATED.search(text) else text


def _destination(named: _Named, to: Mapping[Any, Any], parameters: _Parameters) -> str:
    """Empty for the cluster of Argo CD itself; otherwise which cluster, or which ones."""
    written = _filled(to.get("server") or to.get("name"), parameters)
    if not written or written.rstrip("/") in _IN_CLUSTER:
        return ""
    if not _TEMPLATED.search(written):
        return _without_credentials(written)
    chosen = parameters.get(_SELECTED)
    return f"clusters with {chosen}" if chosen else f"clusters of {named.name}"


def _without_credentials(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//", address)


# ── Flux, kustomize, charts, eksctl, the bridge ─────────────────────────────────────────────────────────────────────


def _of_written_release(value: Mapping[Any, Any], place: Place) -> Iterator[Declaration]:
    named, spec = _Named.of(value, DeclaredBy.FLUX), _mapping(value.get("spec"))
    chart = _mapping(_mapping(spec.get("chart")).get("spec"))
    if chart.get("chart"):
        yield Declaration(
            by=named.by,
            name=named.name,
            home=named.home,
            chart=_last(_text(chart.get("chart"))),
            version=_text(chart.get("version")),
            namespace=_known(_text(spec.get("targetNamespace")) or named.home),
            release=_text(spec.get("releaseName")) or named.name,
            place=place,
        )


def _of_kustomization(value: Mapping[Any, Any], place: Place) -> Iterator[Declaration]:
    for each in (*_mappings(value.get("helmCharts")), *_mappings(value.get("helmChartInflationGenerator"))):
        name = _text(each.get("name") or each.get("chartName"))
        if name:
            yield Declaration(
                by=DeclaredBy.KUSTOMIZE,
                name=_last(str(PurePosixPath(place.member or place.file).parent)) or name,
                chart=_last(name),
                repository=_without_credentials(_text(each.get("repo") or each.get("chartRepo"))),
                version=_text(each.get("version") or each.get("chartVersion")),
                namespace=_text(each.get("namespace") or each.get("releaseNamespace") or value.get("namespace")),
                release=_text(each.get("releaseName")) or name,
                place=place,
            )


def _of_chart(value: Mapping[Any, Any], place: Place) -> Iterator[Declaration]:
    """The dependencies of a chart, and the chart itself where none of them has its name: who wraps one calls it so."""
    named = Declaration(by=DeclaredBy.DEPENDENCY, name=_text(value.get("name")), place=place)
    wanted = [each for each in _mappings(value.get("dependencies")) if not _is_local(each)]
    if all(_text(each.get("name")) != named.name for each in wanted):
        yield replace(named, chart=named.name, path=_ITSELF, version=_text(value.get("version")))
    for each in wanted:
        yield replace(
            named,
            chart=_text(each.get("name")),
            version=_text(each.get("version")),
            repository=_without_credentials(_text(each.get("repository"))),
        )


def _is_local(dependency: Mapping[Any, Any]) -> bool:
    return _text(dependency.get("repository")).startswith("file:") or not _text(dependency.get("name"))


def _of_eksctl(value: Mapping[Any, Any], place: Place) -> Iterator[Declaration]:
    cluster = _text(_mapping(value.get("metadata")).get("name"))
    named = Declaration(by=DeclaredBy.EKSCTL, name=cluster, place=place)
    for each in _mappings(value.get("addons")):
        if _text(each.get("name")):
            yield replace(named, eks_addon=_text(each.get("name")), version=_text(each.get("version")))
    karpenter = _mapping(value.get("karpenter")).get("version")
    if karpenter:
        yield replace(named, chart="karpenter", version=_text(karpenter), release="karpenter")


_BRIDGE_VERSIONS = ("defaultVersion", "chartVersion", "addonChartVersion", "targetRevision", "version")


def is_bridge(value: Mapping[Any, Any]) -> bool:
    """Whether a document is the values of a GitOps bridge, which name the chart of each add-on."""
    return "apiVersion" not in value and any(map(_repository, value.values()))


def enabled(value: Mapping[Any, Any]) -> Iterator[str]:
    """What values switch on: those of an environment need not repeat the chart."""
    return (key for key, one in value.items() if isinstance(key, str) and _mapping(one).get("enabled") is True)


def _repository(entry: Any) -> str:
    one = _mapping(entry)
    return _text(one.get("chartRepository") or one.get("addonChartRepository"))


def of_bridge(value: Mapping[Any, Any], place: Place, switched_on: Collection[str]) -> Iterator[Declaration]:
    """The add-ons of a GitOps bridge's values: each with its chart, where that is from, and the usual version."""
    for key, each in value.items():
        one, repository = _mapping(each), _repository(each)
        version = next((_text(one[name]) for name in _BRIDGE_VERSIONS if name in one), "")
        off = one.get("enabled") is False and key not in switched_on
        if not repository or not isinstance(key, str) or off:
            continue
        yield Declaration(
            by=DeclaredBy.BRIDGE,
            name=key,
            chart=_last(_text(one.get("chartName") or one.get("addonChart")) or key),
            repository=_without_credentials(repository),
            version=version,
            namespace=_known(_text(one.get("namespace"))),
            destination=f"clusters with {chosen}" if (chosen := _selected(_mapping(one.get("selector")))) else "",
            place=place,
        )
