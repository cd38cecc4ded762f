"""Builds a Snapshot from files that people already have: `kubectl get -o json|yaml`, manifests, support bundles.

Reads JSON and YAML, single objects, Lists, arrays and multi-document files; plain, gzipped, in folders and in tar
archives. What is unknown or broken is named in a gap and skipped. Kinds that the files do not contain are gaps as
well: "no Services in the input" is not "no Services in the cluster".
"""

import codecs
import errno
import gzip
import re
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import msgspec

from addonctl import ports
from addonctl.adapters import redact, shapes, yaml_loader
from addonctl.adapters.decoders import CONFIG_MAPS, KINDS
from addonctl.adapters.decoding import NOT_JSON, Decoder, Kind, Tally, refuse_bombs
from addonctl.adapters.sources import snapshot_file
from addonctl.catalog import plural
from addonctl.errors import BadInput
from addonctl.model import (
    Applier,
    Cluster,
    CustomResources,
    Gap,
    GapReason,
    KubernetesObject,
    OtherObject,
    Snapshot,
    current_releases,
)

_SUFFIXES = (".json", ".yaml", ".yml")
_ARCHIVES = (".tar", ".tgz", ".tar.gz")
# A larger document is not an object list that kubectl would print in one piece.
_FILE_MAX_BYTES = 4 << 30
_FILES_MAX = 100_000
_PIECE_BYTES = 1 << 20
# How many broken documents are named; the rest are counted.
_NAMED_MAX = 20
# What begins with a letter or a dash is found ten times as fast as what begins with `^`, so that comes second.
YAML_MARKER = re.compile(rb"---(?<=^---)(?=\s|$)", re.MULTILINE)
_MAY_BE_ALIAS = re.compile(rb"\*[\w-]")  # libyaml's names of anchors are of these
_ALIAS = re.compile(rb"(?:^|[\s\[,{:-])\*[^\s*\"']", re.MULTILINE)
_IS_CRD = re.compile(rb"kind:(?<=^kind:)[ \t]*[\"']?CustomResourceDefinition\b", re.MULTILINE)
# The schema of a version: its key, and below it every line that is blank or indented deeper.
_SCHEMA = re.compile(rb"^( *)openAPIV3Schema:[ \t]*\r?\n(?:\1 .*(?:\n|\Z)|[ \t\r]*\n)+", re.MULTILINE)
# Former groups of kinds that have moved; files may still use them.
_LEGACY_GROUPS = frozenset({"extensions", ""})
_ALL_KINDS = (*KINDS, CONFIG_MAPS)
_BY_KIND: dict[tuple[str, str], Kind] = {(kind.group, kind.kind): kind for kind in _ALL_KINDS}
_BY_LEGACY: dict[str, Kind] = {kind.kind: kind for kind in reversed(_ALL_KINDS) if not kind.of.optional}
_RELEASES = _BY_KIND["", "Secret"]
_BY_FILE_NAME = {kind.of.plural: kind for kind in reversed(_ALL_KINDS)}
_PARTS = tuple(dict.fromkeys(kind.part for kind in KINDS if not kind.of.optional))


class _Head(msgspec.Struct, rename="camel"):
    """The fields that identify a document."""

    kind: str | None = None
    api_version: str | None = None
    items: list[msgspec.Raw] | None = None
    git_version: str | None = None  # of /version, as in support bundles
    info: dict[str, Any] | None = None


class Collection:
    """Objects collected from files for a Snapshot."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._parts: dict[str, list[Any]] = {}
        self._broken: list[str] = []
        self._seen: set[str] = set()
        self.documents = 0
        self.kubernetes = ""

    def add(self, body: bytes, source: str) -> None:
        """Adds a file's text, JSON or YAML."""
        body = _utf_8(body)
        if body.startswith(_ZIP):
            self.cannot_read(source, "zip archives are not read; unpack it")
        elif body.lstrip()[:1] in (b"{", b"["):
            self.add_json(body, source)
        else:
            self.add_yaml(body, source)

    def cannot_read(self, source: str, why: str) -> None:
        """Records a broken document by name; the rest is still read."""
        self._broken.append(f"{source}: {why}")

    def add_json(self, body: bytes, source: str) -> None:
        """One JSON document: an object, a List, an array of objects, or the response of /version."""
        try:
            if body.lstrip()[:1] == b"[":
                self._add_items(shapes.decode(body, list[msgspec.Raw]), source, "")
                return
            head = shapes.decode(body, _Head)
        except NOT_JSON as error:
            self.cannot_read(source, str(error))
            return
        self._note_version(head.git_version or (head.info or {}).get("gitVersion"))
        if head.items is not None:
            self._add_items(head.items, source, (head.kind or "").removesuffix("List"))
        elif snapshot_file.is_one(body):
            self.cannot_read(source, "it is a saved snapshot; read it with --snapshot")
        elif head.kind:
            self._add_one(body, head.kind, head.api_version or "", source)

    def add_yaml(self, body: bytes, source: str) -> None:
        """A stream of YAML documents; only broken ones are skipped."""
        import yaml

        # `---` in the first column ends a document, wherever it is (YAML 1.2, 9.1.2).
        for number, document in enumerate(YAML_MARKER.split(body), start=1):
            try:
                self._add_value(_yaml_value(document), f"{source} document {number}")
            except BadInput as error:
                self._broken.append(f"{source} document {number}: {error.what}")
            except (yaml.YAMLError, ValueError, RecursionError) as error:
                why = " ".join(str(error).split())[:300]
                self._broken.append(f"{source} document {number}: {redact.text(why)}")

    def _add_value(self, value: Any, source: str) -> None:
        if isinstance(value, list):
            for item in value:
                self._add_value(item, source)
        elif isinstance(value, Mapping):
            self._note_version(value.get("gitVersion"))
            items, kind = value.get("items"), value.get("kind")
            if isinstance(items, list):
                for item in items:
                    self._add_value(item, source)
            elif isinstance(kind, str):
                self._add_one(value, kind, str(value.get("apiVersion") or ""), source)
        elif value is not None:
            self._broken.append(f"{source}: neither an object nor a list")

    def _note_version(self, version: Any) -> None:
        if isinstance(version, str) and version:
            self.kubernetes = self.kubernetes or version

    def _add_items(self, items: list[msgspec.Raw], source: str, list_kind: str) -> None:
        for number, raw in enumerate(items, start=1):
            try:
                head = shapes.decode(raw, _Head)
            except NOT_JSON:
                head = _Head()
            kind = head.kind or list_kind or _kind_of_file(source)
            if head.items is not None:
                self._add_items(head.items, source, kind.removesuffix("List"))
            elif kind:
                self._add_one(raw, kind, head.api_version or "", source)
            else:
                self._broken.append(f"{source} item {number}: says no kind")

    def _add_one(self, raw: Any, kind_name: str, api_version: str, source: str) -> None:
        group = api_version.rpartition("/")[0]
        kind = _BY_KIND.get((group, kind_name))
        if kind is None and (group in _LEGACY_GROUPS or not api_version):
            kind = _BY_LEGACY.get(kind_name)
        self.documents += 1
        part = kind.part if kind else "others"
        self._seen.add(part)
        try:
            item = self._decoder.one(kind, raw) if kind else self._decoder.other(api_version, kind_name, raw)
            if item is None and kind is CONFIG_MAPS:  # if Helm is configured to store its records in ConfigMaps
                part, item = _RELEASES.part, self._decoder.one(_RELEASES, raw)
        except BadInput as error:
            self.cannot_read(source, error.what)
            return
        if item is not None:
            self._parts.setdefault(part, []).append(_with_file_version(item, api_version))

    def snapshot(self, cluster: Cluster, taken: datetime) -> Snapshot:
        """The Snapshot, with gaps for what was broken or absent."""
        gaps = [
            Gap(
                part=part,
                reason=GapReason.NOT_IN_INPUT,
                detail=f"the input has no {part.replace('_', ' ')}",
                absent=True,
            )
            for part in _PARTS
            if part not in self._seen
        ]
        if self._broken:
            more = f" … and {len(self._broken) - _NAMED_MAX} more" if len(self._broken) > _NAMED_MAX else ""
            detail = "; ".join(self._broken[:_NAMED_MAX]) + more
            gaps.append(Gap(part="documents", reason=GapReason.BROKEN, detail=detail))
        self._parts["custom_resources"] = list(self._tallied())
        self._parts["helm_releases"] = list(current_releases(self._parts.get("helm_releases", ())))
        parts: dict[str, Any] = {part: tuple(items) for part, items in self._parts.items()}
        known = replace(cluster, kubernetes=cluster.kubernetes or self.kubernetes)
        return Snapshot(taken=taken, cluster=known, gaps=tuple(gaps), **parts)

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


def _with_file_version(item: Any, api_version: str) -> Any:
    """A manifest will be applied with its own API version; the writers of a dumped object are in its managedFields."""
    if not isinstance(item, KubernetesObject) or item.uid or item.appliers or not api_version:
        return item
    return replace(item, appliers=(Applier(manager="file", api_version=api_version, operation="File"),))


def _kind_of_file(source: str) -> str:
    """The kind by file name: support bundles have `Pods.json`, `core_v1_pods.json` or `pods/default.json`."""
    path = Path(source)
    for word in (path.stem.lower().rpartition("_")[2], path.parent.name.lower()):
        kind = _BY_FILE_NAME.get(word.replace("-", ""))
        if kind is not None:
            return kind.kind
    return ""


def _yaml_value(document: bytes) -> Any:
    """Parses a document without the schemas of CRDs: nothing uses them, and they are nine tenths of all YAML.

    Raises YAMLError, ValueError, RecursionError, and BadInput for a bomb.
    """
    import yaml

    short = _SCHEMA.sub(rb"\1openAPIV3Schema: {}\n", document) if _IS_CRD.search(document) else document
    try:
        return loaded(short)
    except yaml.YAMLError:  # a schema may be written in ways that only a YAML parser handles
        if short is document:
            raise
        return loaded(document)


def loaded(document: bytes) -> Any:
    import yaml

    if not _MAY_BE_ALIAS.search(document):
        return yaml.load(document, Loader=yaml_loader.plain())
    value = yaml.load(document, Loader=yaml_loader.usual())
    if _ALIAS.search(document):
        refuse_bombs(value)
    return value


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────


def read(
    paths: Iterable[str],
    decoder: Decoder,
    *,
    taken: datetime,
    name: str = "",
    kubernetes: str = "",
    progress: ports.Progress = ports.silent,
) -> Snapshot:
    """The objects in `paths`: files, folders, archives, and `-` for standard input.

    What cannot be read is named in the gap `documents`, and the rest is still read. Raises BadInput when a path does
    not exist or when there is no Kubernetes object in any of them.
    """
    collection, given = Collection(decoder), list(paths)
    for number, (source, load) in enumerate(files(given), start=1):
        progress(source, number, 0)
        try:
            collection.add(load(), source)
        except UNREADABLE as error:
            collection.cannot_read(source, _why(error))
    progress("", 1, 1)
    snapshot = collection.snapshot(Cluster(name=name or _named(given), kubernetes=kubernetes, source="files"), taken)
    if not collection.documents:
        broken = snapshot.gap("documents")
        what = f"{', '.join(given)}: no Kubernetes object in it" + (f" ({broken.detail})" if broken else "")
        raise BadInput(what, "Give JSON or YAML of Kubernetes objects: a file, a folder, a tar archive or - .")
    return snapshot


def _named(given: list[str]) -> str:
    """The name of a cluster that is known only from files."""
    return given[0] if len(given) == 1 else f"{len(given)} files and folders"


_ZIP = b"PK\x03\x04"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _utf_8(body: bytes) -> bytes:
    """Decodes byte order marks; PowerShell writes UTF-16 when output is redirected to a file."""
    if body.startswith(_UTF_16):
        return body.decode("utf-16", errors="replace").encode()
    return body.removeprefix(codecs.BOM_UTF8)


_Load = Callable[[], bytes]
UNREADABLE = (OSError, EOFError, zlib.error, tarfile.TarError, MemoryError)


def _why(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory to read it"
    return (isinstance(error, OSError) and error.strerror) or str(error)


def files(paths: list[str]) -> Iterator[tuple[str, _Load]]:
    """Each file by name, with a function that reads it."""
    count = 0
    for given in paths:
        for found in _of_path(given):
            count += 1
            if count > _FILES_MAX:
                raise BadInput(f"{given}: more than {_FILES_MAX} files", "Give the folder that holds the objects.")
            yield found


def _of_path(given: str) -> Iterator[tuple[str, _Load]]:
    path = Path(given)
    if given == "-":
        yield "standard input", partial(_plain, sys.stdin.buffer)
    elif path.is_dir():
        for inner in sorted(path.rglob("*")):
            if _readable(inner.name) and not inner.is_dir():
                yield from _of_file(inner) if inner.is_file() or not inner.exists() else _no_file(inner)
    elif path.exists():
        yield from _of_file(path)
    else:
        web = given.startswith(("http://", "https://"))
        fix = "addonctl fetches nothing: pipe it in with `curl -sL URL |` and -f -." if web else "Check the path."
        raise BadInput(f"{given} cannot be read: No such file or directory", fix)


def _readable(name: str) -> bool:
    return name.removesuffix(".gz").endswith((*_SUFFIXES, *_ARCHIVES)) or name.endswith(_ARCHIVES)


def _of_file(path: Path) -> Iterator[tuple[str, _Load]]:
    if not path.name.endswith(_ARCHIVES):
        yield str(path), partial(_of_disk, path)
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and member.name.removesuffix(".gz").endswith(_SUFFIXES):
                    yield member.name, partial(_plain, cast("IO[bytes]", archive.extractfile(member)))
    except UNREADABLE as error:  # probably cut off: the members before that still count
        yield str(path), partial(_fail, error)


def _no_file(path: Path) -> Iterator[tuple[str, _Load]]:
    """A pipe, socket or device in a folder: reading one might never end. Given by its own name, a pipe is read."""
    yield str(path), partial(_fail, OSError(errno.EINVAL, "it is not a regular file"))


def _fail(error: BaseException) -> NoReturn:
    raise error


def _of_disk(path: Path) -> bytes:
    with path.open("rb") as handle:
        return _plain(handle)


def _plain(handle: IO[bytes]) -> bytes:
    """A file's bytes, unpacked if gzipped."""
    body = _whole(handle)
    if not body.startswith(b"\x1f\x8b"):
        return body
    import io

    with gzip.open(io.BytesIO(body)) as unpacked:
        return _whole(cast("IO[bytes]", unpacked))


def _whole(handle: IO[bytes]) -> bytes:
    """Reads in chunks: reading n bytes at once allocates n bytes, however few there are."""
    body = bytearray()
    while piece := handle.read(_PIECE_BYTES):
        body += piece
        if len(body) > _FILE_MAX_BYTES:
            raise OSError(f"it is larger than {_FILE_MAX_BYTES >> 30} GiB")
    return bytes(body)
