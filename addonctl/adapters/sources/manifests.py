"""Builds a Snapshot from files that people already have: `kubectl get -o json|yaml`, manifests, support bundles.

Each document is in one of four buckets (model/intake.py), by classification.py. Kinds that the files do not contain
are gaps as well: "no Services in the input" is not "no Services in the cluster".
"""

import copy
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any

import msgspec

from addonctl import classification, declarations, ports, terraform
from addonctl.adapters import shapes, texts
from addonctl.adapters.cli_answers import Answers
from addonctl.adapters.decoders import CONFIG_MAPS, KINDS
from addonctl.adapters.decoding import NOT_JSON, Decoder, Kind, Tally
from addonctl.adapters.files import TERRAFORM, File, files
from addonctl.adapters.sources import snapshot_file
from addonctl.catalog import plural
from addonctl.classification import Kustomization, Listed, Lost, Other, Single, Template
from addonctl.errors import BadInput
from addonctl.model import (
    Applier,
    Cluster,
    CustomResources,
    Declaration,
    Gap,
    GapReason,
    Intake,
    KubernetesObject,
    OtherObject,
    Place,
    Renderer,
    Snapshot,
    Unrendered,
    current_releases,
)

# How many lost documents are named where none was read, and folders that are not rendered.
_NAMED_MAX, _FOLDERS_MAX = 20, 4
# How many fields of an object may be unreadable before the object is.
_FIELDS_MAX = 20
# Former groups of kinds that have moved; files may still use them.
_LEGACY_GROUPS = frozenset({"extensions", ""})
_ALL_KINDS = (*KINDS, CONFIG_MAPS)
_BY_KIND: dict[tuple[str, str], Kind] = {(kind.group, kind.kind): kind for kind in _ALL_KINDS}
_BY_LEGACY: dict[str, Kind] = {kind.kind: kind for kind in reversed(_ALL_KINDS) if not kind.of.optional}
_RELEASES = _BY_KIND["", "Secret"]
_BY_FILE_NAME = {kind.of.plural: kind for kind in reversed(_ALL_KINDS)}
_PARTS = tuple(dict.fromkeys(kind.part for kind in KINDS if not kind.of.optional))
_CHART, _VALUES, _SET = "Chart.yaml", "values.yaml", "ApplicationSet"
# Templates of charts that may hold what declares an add-on.
_DECLARING = re.compile(rb"argoproj\.io/|helm\.toolkit\.fluxcd\.io/")


class _Head(msgspec.Struct, rename="camel"):
    """The fields that identify a document, and those of /version, as in support bundles."""

    kind: str | None = None
    api_version: str | None = None
    items: list[msgspec.Raw] | None | msgspec.UnsetType | None = msgspec.UNSET


class Collection:
    """Objects collected from files for a Snapshot."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._parts: dict[str, list[Any]] = {}
        self._lost: list[Gap] = []
        self._seen: set[str] = set()
        self._answers = Answers()
        self._kinds: Counter[str] = Counter()
        self._others: Counter[str] = Counter()
        self._templates: Counter[tuple[Renderer, str]] = Counter()
        self._charts: set[str] = set()
        self._kustomizations: list[Kustomization] = []
        self._fields_lost = 0
        self._passed_over: Counter[str] = Counter()
        self._declarations: list[Declaration] = []
        self._declaring: list[tuple[File, str]] = []  # templates of objects that declare something, with their chart
        self._values: dict[str, Mapping[Any, Any]] = {}  # of charts, by their folder
        self._clusters: dict[str, str] = {}  # declared clusters and their Kubernetes
        self._modules: Counter[str] = Counter()
        self._bridges: list[tuple[Mapping[Any, Any], Place]] = []
        self._switched_on: dict[str, set[str]] = {}  # by the name of a file: a bridge's values stand in several of it
        self.roots: Sequence[str] = ()  # the folders that were given: names in them are shorter without
        self.files = 0
        self.kubernetes = ""

    # ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, file: File) -> None:
        """Adds the documents of a file."""
        self.files += 1
        path = PurePosixPath(file.path)
        if path.name == _CHART:
            self._charts.add(str(path.parent))
        chart = _chart_of(path)
        if file.error:
            self.lose(file.place, file.error)
        elif snapshot_file.is_one(file.body):
            self.lose(file.place, "it is a saved snapshot; read it with --snapshot")
        elif classification.is_pointer(file.body):
            self.lose(file.place, "it is a pointer of Git LFS, not the file: `git lfs pull`")
        elif chart is not None and (chart in self._charts or b"{{" in file.body):
            self._templates[Renderer.HELM, _in_archive(file, chart)] += 1
            if _DECLARING.search(file.body):
                self._declaring.append((file, chart))
        elif path.name.endswith(TERRAFORM):
            self._add_terraform(file)
        elif b"\0" in file.body:
            self._others["binary files"] += 1
        else:
            for document in texts.documents(file.body):
                self._add_document(document, file)

    def pass_over(self, what: str) -> None:
        """Counts what is not looked at."""
        self._passed_over[what] += 1

    def lose(self, place: Place, why: str) -> None:
        """Records a document that could not be read; the rest still is."""
        self._lost.append(Gap(part="documents", reason=GapReason.BROKEN, detail=why, place=place))

    def _add_document(self, document: texts.Document, file: File) -> None:
        match document:
            case texts.Lines(count=count):
                self._others["logs"] += count
            case texts.Json(body=body, line=line, number=number):
                self._add_json(body, replace(file.place, line=line, document=number), file)
            case texts.Yaml():
                self._add_yaml(document, file)
            case texts.Unparsed():
                self._add_text(document, file)

    def _add_text(self, found: texts.Unparsed, file: File) -> None:
        """A text that is neither JSON nor YAML: a template, an object that was lost, or nobody's."""
        place = replace(file.place, line=found.line, document=found.number)
        if classification.has_conflict(found.text):
            self.lose(place, "it has the markers of a merge conflict")
        elif texts.is_template(found.text):
            self._templates[Renderer.OTHER, _in_archive(file, str(PurePosixPath(file.path).parent))] += 1
        elif classification.is_meant_as_object(found.text):
            self.lose(place, found.why)
        else:
            self._others["files that are neither YAML nor JSON"] += 1

    # ── Values ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _add_yaml(self, document: texts.Yaml, file: File) -> None:
        parsed = document.parsed
        place = replace(file.place, line=document.line + parsed.line, document=document.number)
        lines = [document.line + line for line in parsed.items]
        objects = self._kinds.total()
        self._add_value(parsed.value, place, file, lines)
        if self._kinds.total() > objects:
            self._fields_lost += document.repairs
            for key, line in parsed.twice:
                why = f"the key {key[:100]!r} is there twice, and the last one counts"
                self.lose(replace(place, line=document.line + line), why)

    def _add_value(self, value: Any, place: Place, file: File, lines: Sequence[int] = ()) -> None:
        """A parsed document; `lines` are those of its items."""
        if not self._is_known_otherwise(value, place, file):
            self._sort(value, place, file, lines)

    def _sort(
        self, value: Any, place: Place, file: File, lines: Sequence[int] = (), inherited: Single | None = None
    ) -> None:
        match classification.classify(value, inherited):
            case Listed(items=items) as listed:
                inner = self._inherited(listed, file)
                for item, line in zip_longest(items, lines[: len(items)]):
                    self._sort(item, replace(place, line=line) if line else place, file, inherited=inner)
            case Single() as single:
                if single.kind == _SET:
                    self._declarations += declarations.of_document(value, place)
                self._add_one(value, single, place)
            case Other(what=what):
                self._others[what] += 1
            case Template():
                self._templates[Renderer.OTHER, _in_archive(file, str(PurePosixPath(file.path).parent))] += 1
            case Lost(why=why):
                self.lose(place, why)

    def _is_known_otherwise(self, value: Any, place: Place, file: File) -> bool:
        """Whether a document is no object, but says something: a kustomization, an answer of AWS or Helm."""
        if isinstance(value, Mapping):
            self._note_version(value)
            found = self._declares(value, place, file)
            built = classification.kustomization(value, file.path)
            if built is not None:
                self._kustomizations.append(built)
                self._others["kustomizations"] += 1
                return True
            if found:
                return True
        try:
            return self._answers.take(value)
        except BadInput as error:
            self.lose(place, error.what)
            return True

    def _declares(self, value: Mapping[Any, Any], place: Place, file: File) -> bool:
        """Whether a document, no object itself, declares something; values of charts are kept for their templates."""
        path = PurePosixPath(file.path)
        if path.name == _VALUES:
            self._values.setdefault(str(path.parent), value)
        cluster = declarations.kubernetes_of(value)
        found = declarations.of_document(value, place) if value.get("kind") != _SET else ()
        self._declarations += found
        if cluster is not None:
            self._clusters[cluster[0]] = cluster[1]
        what = "clusters of eksctl" if cluster else ""
        self._switched_on.setdefault(path.name, set()).update(declarations.enabled(value))
        if declarations.is_bridge(value):
            what = "GitOps bridges"
            self._bridges.append((value, place))
        self._others[what] += bool(what)
        return bool(what)

    def _add_terraform(self, file: File) -> None:
        text = file.body.decode(errors="replace")
        self._modules.update(terraform.modules(text))
        self._declarations += terraform.declared(text, file.place)
        self._others["Terraform files"] += 1

    def _read_what_needs_others(self) -> None:
        """What values of a bridge declare, as far as any file switches it on; and what the templates of charts declare,
        with the values that the charts have."""
        for value, place in self._bridges:
            switched_on = self._switched_on[PurePosixPath(place.member or place.file).name]
            self._declarations += declarations.of_bridge(value, place, switched_on)
        for file, chart in self._declaring:
            filled = classification.filled(file.body.decode(errors="replace"), self._values.get(chart, {}))
            for document in texts.documents(filled.encode()):
                if isinstance(document, texts.Yaml) and isinstance(document.parsed.value, Mapping):
                    place = replace(file.place, line=document.line + document.parsed.line, document=document.number)
                    self._declarations += declarations.of_template(document.parsed.value, place)

    def _note_version(self, value: Mapping[Any, Any]) -> None:
        """The server's version, as `kubectl version -o json`, /version and support bundles have it."""
        for inner in (value, value.get("serverVersion"), value.get("info")):
            version = inner.get("gitVersion") if isinstance(inner, Mapping) else None
            if isinstance(version, str):
                self.kubernetes = self.kubernetes or version

    def _inherited(self, listed: Listed, file: File) -> Single:
        """What the items of a list may leave out, as it says itself, or as the name of its file does."""
        named = Single(listed.kind, listed.api_version) if listed.kind else _of_file_name(file.path)
        if named is None:
            return classification.ANY_KIND if listed.array else classification.NO_KIND
        kind = self._kind(named)
        self._seen.add(kind.part if kind else "others")
        return named

    # ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _add_json(self, body: bytes, place: Place, file: File) -> None:
        """A JSON document. The items of a list are decoded one by one: none costs another one."""
        listed = _list_in(body)
        if listed is None:
            self._add_raw(body, place, file)
            return
        inherited = self._inherited(listed, file)
        at, line = 0, place.line
        for item in map(bytes, listed.items):
            begin = body.find(item, at)
            line += body.count(b"\n", at, begin)
            at = begin
            self._add_raw(item, replace(place, line=line), file, inherited)

    def _add_raw(self, raw: bytes, place: Place, file: File, inherited: Single | None = None) -> None:
        """One object: decoded at once if its head says plainly what it is, else looked at whole."""
        plain = _head(raw, inherited)
        if plain is not None and self._kind(plain) is not None:
            self._add_one(raw, plain, place)
            return
        try:
            value = shapes.decode(raw)
        except NOT_JSON as error:
            self.lose(place, f"an object cannot be read: {error}")
            return
        if inherited is None:
            self._add_value(value, place, file)
        else:
            self._sort(value, place, file, inherited=inherited)

    # ── Objects ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _kind(self, single: Single) -> Kind | None:
        group = single.api_version.rpartition("/")[0]
        kind = _BY_KIND.get((group, single.kind))
        if kind is None and (group in _LEGACY_GROUPS or not single.api_version):
            kind = _BY_LEGACY.get(single.kind)
        return kind

    def _add_one(self, raw: Any, single: Single, place: Place) -> None:
        kind = self._kind(single)
        part = kind.part if kind else "others"
        self._seen.add(part)
        try:
            item = self._decoded(kind, single, raw, place)
            if item is None and kind is CONFIG_MAPS:  # if Helm is configured to store its records in ConfigMaps
                part, item = _RELEASES.part, self._decoder.one(_RELEASES, raw, place)
        except BadInput as error:
            self.lose(place, error.what)
            return
        self._kinds[single.kind] += 1
        if item is not None:
            self._parts.setdefault(part, []).append(_with_file_version(item, single.api_version))

    def _decoded(self, kind: Kind | None, single: Single, raw: Any, place: Place) -> Any:
        """The object; a field that cannot be read is left out of it. Raises BadInput when that does not help."""
        for lost in range(_FIELDS_MAX + 1):
            try:
                if kind is not None:
                    return self._decoder.one(kind, raw, place)
                return self._decoder.other(single.api_version, single.kind, raw, place)
            except BadInput as error:
                shorter = _without_field(raw, error.__cause__) if lost < _FIELDS_MAX else None
                if shorter is None:
                    raise
                raw = shorter
                self._fields_lost += 1
        raise AssertionError("the last attempt returns or raises")

    # ── The snapshot ────────────────────────────────────────────────────────────────────────────────────────────

    def snapshot(self, cluster: Cluster, taken: datetime) -> Snapshot:
        """The Snapshot, with gaps for what was lost, is not rendered, or is not in the input."""
        self._leave_out_patches()
        self._read_what_needs_others()
        eks, eks_gaps = self._answers.eks()
        releases = (*self._parts.get("helm_releases", ()), *self._answers.helm_releases())
        if releases:
            self._seen.add("helm_releases")
        self._parts["custom_resources"] = list(self._tallied())
        self._parts["helm_releases"] = list(current_releases(releases))
        unrendered = tuple(self._unrendered())
        gaps = (*self._lost, *_not_rendered(unrendered, self.roots), *self._absent(), *eks_gaps)
        parts: dict[str, Any] = {part: tuple(items) for part, items in self._parts.items()}
        declared = next(iter(self._clusters.items())) if len(self._clusters) == 1 else ("", "")
        version = cluster.kubernetes or self.kubernetes or declared[1]
        name = cluster.name or (eks.cluster.name if eks else "") or declared[0]
        known = replace(cluster, kubernetes=version, name=name)
        intake = Intake(
            files=self.files,
            objects=self._kinds.total(),
            kinds=dict(self._kinds.most_common()),
            answers=self._answers.count,
            not_kubernetes=dict(self._others.most_common()),
            unrendered=unrendered,
            passed_over=dict(self._passed_over.most_common()),
            fields_lost=self._fields_lost,
            modules=dict(self._modules.most_common()),
        )
        return Snapshot(
            taken=_last_moment(self._parts, taken),
            cluster=known,
            gaps=gaps,
            intake=intake,
            eks=eks,
            declarations=tuple(self._declarations),
            **parts,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing of a cluster is in the files."""
        return not (self._kinds or self._answers.count or self._declarations or self._modules or self._clusters)

    def _leave_out_patches(self) -> None:
        """Takes out what kustomizations name as patches, settings or plug-ins: no API server ever sees those."""
        left_out = {path for each in self._kustomizations for path in each.no_objects}
        for part, items in self._parts.items():
            kept = [item for item in items if not _is_at(item, left_out)]
            self._others["patches of kustomizations"] += len(items) - len(kept)
            self._kinds["patches"] -= len(items) - len(kept)
            self._parts[part] = kept
        self._lost = [gap for gap in self._lost if not _is_at(gap, left_out)]
        self._others, self._kinds = +self._others, +self._kinds

    def _unrendered(self) -> Iterator[Unrendered]:
        for (renderer, folder), count in sorted(self._templates.items()):
            yield Unrendered(renderer=renderer, folder=folder, count=count)
        for folder in sorted(classification.to_be_built(self._kustomizations)):
            yield Unrendered(renderer=Renderer.KUSTOMIZE, folder=folder, count=1)

    def _absent(self) -> Iterator[Gap]:
        for part in _PARTS:
            if part not in self._seen:
                yield Gap(part=part, reason=GapReason.NOT_IN_INPUT, detail="the input has none", absent=True)

    def _tallied(self) -> Iterator[CustomResources]:
        """The counts of the add-ons' custom resources."""
        by_kind: dict[tuple[str, str], list[OtherObject]] = {}
        for item in self._parts.get("others", ()):
            if item.group in self._decoder.crd_groups:
                by_kind.setdefault((item.group, item.kind), []).append(item)
        for (group, kind), items in sorted(by_kind.items()):
            tally = Tally(group, kind, plural(kind))
            tally.add(items)
            yield tally.sum()


def _last_moment(parts: Mapping[str, Iterable[Any]], now: datetime) -> datetime:
    """When a dump was taken: the newest time in it; now, where nothing in it ticks, as leases and events do."""
    ticks = [each.renewed for each in parts.get("leases", ())] + [each.last_seen for each in parts.get("events", ())]
    if not any(ticks):
        return now
    things = [each for items in parts.values() for each in items if getattr(each, "uid", "")]
    moments: list[datetime | None] = [*ticks, *(each.created for each in things), *(each.deleted for each in things)]
    moments += [condition.changed for each in things for condition in getattr(each, "conditions", ())]
    return min(max(filter(None, moments)), now)


def _chart_of(path: PurePosixPath) -> str | None:
    """The folder of the chart whose template a path may be: the one above the outermost `templates`."""
    parts = path.parts[:-1]
    return str(PurePosixPath(*parts[: parts.index("templates")])) if "templates" in parts else None


def _in_archive(file: File, folder: str) -> str:
    return f"{file.name}: {folder}" if file.member else folder


def _is_at(item: Any, paths: set[str]) -> bool:
    place = getattr(item, "place", None)
    return place is not None and (place.member or place.file).removeprefix("./") in paths


def _within(folder: str, roots: Iterable[str]) -> str:
    """A folder's path within the one that was given."""
    for root in roots:
        path, given = PurePosixPath(folder), PurePosixPath(root)
        if path != given and path.is_relative_to(given):
            return str(path.relative_to(given))
    return folder


def _not_rendered(unrendered: Iterable[Unrendered], roots: Sequence[str]) -> Iterator[Gap]:
    parts = {Renderer.HELM: "templates", Renderer.OTHER: "templates", Renderer.KUSTOMIZE: "kustomizations"}
    for renderer, part in parts.items():
        found = [each for each in unrendered if each.renderer is renderer]
        if found:
            folders = ", ".join(_within(each.folder, roots) for each in found[:_FOLDERS_MAX])
            more = f" and {len(found) - _FOLDERS_MAX} more" if len(found) > _FOLDERS_MAX else ""
            yield Gap(part=part, reason=GapReason.NOT_RENDERED, detail=f"{folders}{more}: {_HOW[renderer]}")


_HOW = {
    Renderer.HELM: "templates are not rendered; render them: `helm template FOLDER | addonctl … -f -`",
    Renderer.KUSTOMIZE: "kustomizations are not built; build them: `kubectl kustomize FOLDER | addonctl … -f -`",
    Renderer.OTHER: "templates are not rendered; give what is made of them",
}


def _list_in(body: bytes) -> Listed | None:
    """The list of objects that a JSON text is, with its items undecoded; None if it is none."""
    try:
        if _ARRAY.match(body):
            items = shapes.decode(body, list[msgspec.Raw])
            objects = any(classification.classify([shapes.decode(item)]) != _NO_OBJECTS for item in items[:1])
            return Listed(items, array=True) if objects else None
        head = shapes.decode(body, _Head)
    except NOT_JSON:
        return None
    of = (head.kind or "").removesuffix("List")
    if head.items is msgspec.UNSET or (head.kind and of == head.kind):
        return None
    return Listed(head.items or (), of, (head.api_version or "") if of else "")


_ARRAY = re.compile(rb"\s*\[")
_NO_OBJECTS = classification.classify([])


def _head(raw: bytes, inherited: Single | None) -> Single | None:
    """The kind and version of a JSON object that says both plainly, or inherits them; None for all others."""
    try:
        head = shapes.decode(raw, _Head)
    except NOT_JSON:
        return None
    kind, api_version = head.kind or "", head.api_version or ""
    if inherited is not None:
        kind, api_version = kind or inherited.kind, api_version or inherited.api_version
    elif not api_version:
        return None
    return Single(kind, api_version) if kind and head.items is msgspec.UNSET else None


def _with_file_version(item: Any, api_version: str) -> Any:
    """A manifest will be applied with its own API version; the writers of a dumped object are in its managedFields."""
    if not isinstance(item, KubernetesObject) or item.uid or item.appliers or not api_version:
        return item
    return replace(item, appliers=(Applier(manager="file", api_version=api_version, operation="File"),))


def _of_file_name(name: str) -> Single | None:
    """The kind by file name: support bundles have `Pods.json`, `core_v1_pods.json` or `pods/default.json`."""
    path = PurePosixPath(name)
    for word in (path.stem.lower().rpartition("_")[2], path.parent.name.lower()):
        kind = _BY_FILE_NAME.get(word.replace("-", ""))
        if kind is not None:
            return Single(kind.kind, "")
    return None


_PATH = re.compile(r" - at `\$((?:\.\w+|\[[^\]]*\])+)`")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


def _without_field(raw: Any, error: BaseException | None) -> Mapping[str, Any] | None:
    """The object without the field that a decoder could not read; None if that is no plain value inside another field.

    Nothing else is left out: without its name, or its spec, it would not be the object that was meant.
    """
    found = _PATH.search(str(error)) if isinstance(error, msgspec.ValidationError) else None
    if found is None:
        return None
    steps: list[str | int] = [key or int(index) for key, index in _STEP.findall(found[1])]
    if len(steps) < _DEEP or "[...]" in found[1]:
        return None
    whole = shapes.decode(raw) if isinstance(raw, bytes) else copy.deepcopy(raw)
    try:
        inner = whole
        for step in steps[:-1]:
            inner = inner[step]
        if isinstance(inner[steps[-1]], Mapping | list) or steps[-1] in _IDENTIFYING:
            return None
        inner[steps[-1]] = None
    except (KeyError, IndexError, TypeError):
        return None
    return whole if isinstance(whole, Mapping) else None


_DEEP = 2
_IDENTIFYING = ("name", "generateName", "namespace", "uid")


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def read(
    paths: Iterable[str],
    decoder: Decoder,
    *,
    taken: datetime,
    name: str = "",
    kubernetes: str = "",
    as_of: datetime | None = None,
    progress: ports.Progress = ports.silent,
) -> Snapshot:
    """The objects in `paths`: files, folders, archives, addresses of https, and `-` for standard input.

    `taken` is now; `as_of` is the time to judge by instead of the newest in a dump. What cannot be read is a gap of the
    part `documents`, and the rest is still read. Raises BadInput when a path does not exist or when there is nothing of
    a cluster in any of them.
    """
    collection, given = Collection(decoder), list(paths)
    collection.roots = given
    for number, file in enumerate(files(given, collection.pass_over), start=1):
        progress(str(file.place), number, 0)
        try:
            collection.add(file)
        except MemoryError:
            collection.lose(file.place, "there is not enough memory to read it")
    progress("", 1, 1)
    snapshot = collection.snapshot(Cluster(name=name, kubernetes=kubernetes, source="files"), taken)
    if collection.is_empty:
        raise _nothing(given, snapshot)
    unnamed = not snapshot.cluster.name
    cluster = replace(snapshot.cluster, name=snapshot.cluster.name or _named(given), unnamed=unnamed)
    return replace(snapshot, cluster=cluster, taken=as_of or snapshot.taken)


def _nothing(given: list[str], snapshot: Snapshot) -> BadInput:
    """The error for files without anything of a cluster, with why."""
    told = [gap for gap in snapshot.gaps if not gap.absent]
    why = "; ".join(f"{gap.place}: {gap.detail}" if gap.place else gap.detail for gap in told[:_NAMED_MAX])
    more = f" … and {len(told) - _NAMED_MAX} more" if len(told) > _NAMED_MAX else ""
    what = f"{', '.join(given)}: no Kubernetes object in it" + (f" ({why}{more})" if why else "")
    return BadInput(what, "Give JSON or YAML of Kubernetes objects: a file, a folder, an archive or - .")


def _named(given: list[str]) -> str:
    """The name of a cluster that is known only from files."""
    return given[0] if len(given) == 1 else f"{len(given)} files and folders"
