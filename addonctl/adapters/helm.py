"""Decodes Helm's release records, in its Secrets or ConfigMaps, without templates and secrets.

A record is JSON, gzipped and base64-encoded by Helm, and base64-encoded once more by Kubernetes in a Secret. Helm 3
and 4 write the same `helm.sh/release.v1` format. Of the manifest only the names of its objects are kept; values, notes,
hooks and templates are not.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from addonctl.adapters import shapes
from addonctl.errors import BadInput
from addonctl.model import HelmObject, HelmRelease

# etcd limits objects to 1.5 MiB and gzip shrinks a chart some tenfold; anything larger is a decompression bomb.
_RECORD_MAX_BYTES = 64 << 20
# A status in Helm's terms.
DEPLOYED = "deployed"
_GZIP_MAGIC = b"\x1f\x8b"


class _ChartMetadata(msgspec.Struct, rename="camel"):
    name: str | None = None
    version: str | None = None
    app_version: str | None = None


class _Chart(msgspec.Struct):
    metadata: _ChartMetadata | None = None


class _Info(msgspec.Struct):
    status: str | None = None
    last_deployed: str | None = None


class _Release(msgspec.Struct):
    name: str = ""
    namespace: str | None = None
    version: int | None = None
    info: _Info | None = None
    chart: _Chart | None = None
    manifest: str | None = None


_records = shapes.decoder(_Release)


def release_from_secret_data(encoded: bytes | str, *, namespace: str) -> HelmRelease:
    """The release in `data.release` of a Secret (base64, once or twice). Raises BadInput when it is broken."""
    try:
        record = _records.decode(unpacked(encoded))
    except (msgspec.DecodeError, binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise BadInput(
            f"a Helm release record in {namespace} cannot be read: {error}", "See `helm history`."
        ) from error
    return _release(record, namespace)


def release(record: Mapping[str, object]) -> HelmRelease:
    """The release in what `helm status` and `helm get all` print. Raises BadInput when it is broken."""
    try:
        return _release(shapes.convert(record, _Release, strict=False), "")
    except msgspec.ValidationError as error:
        raise BadInput(f"a Helm release cannot be read: {error}") from error


def unpacked(encoded: bytes | str) -> bytes:
    """The record's JSON: a Secret's data is base64 of what Helm stored, which is base64 of gzip, or plain JSON."""
    stored = base64.b64decode(encoded, validate=True)
    if not stored.startswith((_GZIP_MAGIC, b"{")):
        stored = base64.b64decode(stored, validate=True)
    if not stored.startswith(_GZIP_MAGIC):
        return stored
    machine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    plain = machine.decompress(stored, _RECORD_MAX_BYTES)
    if machine.unconsumed_tail:
        raise ValueError(f"it unpacks to more than {_RECORD_MAX_BYTES >> 20} MiB")
    return plain


def _release(record: _Release, namespace: str) -> HelmRelease:
    info, chart = record.info or _Info(), (record.chart.metadata if record.chart else None) or _ChartMetadata()
    where = record.namespace or namespace
    return HelmRelease(
        name=record.name,
        namespace=where,
        chart=chart.name or "",
        chart_version=chart.version or "",
        app_version=chart.app_version or "",
        revision=record.version or 0,
        status=info.status or "",
        updated=when(info.last_deployed),
        deployed_revision=record.version if info.status == DEPLOYED else None,
        objects=tuple(_objects(record.manifest or "")),
    )


def when(text: str | None) -> datetime | None:
    """Helm writes RFC 3339 with nanoseconds, in the time zone where it ran; an empty or zero time is None."""
    try:
        when = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text or "")) if text else None
    except ValueError:
        return None
    return when.astimezone(UTC) if when is not None and when.tzinfo is not None and when.year > 1 else None


_DOCUMENT = re.compile(r"^---[ \t]*(?:#.*)?$", re.MULTILINE)
_TOP_LEVEL = re.compile(r"^(apiVersion|kind|metadata):[ \t]*([^\s#]*)", re.MULTILINE)
_NAMES = re.compile(r"^[ \t]+(name|namespace):[ \t]*(\S+)", re.MULTILINE)


def _objects(manifest: str) -> Iterator[HelmObject]:
    """The objects of a rendered manifest, by scanning its lines; a document that defies this is parsed as YAML."""
    for document in _DOCUMENT.split(manifest):
        if not document.strip():
            continue
        found = _scanned(document)
        yield from (found,) if found is not None else _parsed(document)


def _scanned(document: str) -> HelmObject | None:
    top = {match[1]: match for match in _TOP_LEVEL.finditer(document)}
    if len(top) < len(("apiVersion", "kind", "metadata")) or top["metadata"][2]:
        return None
    body = document[top["metadata"].end() :].lstrip("\r\n")
    indent = len(body) - len(body.lstrip(" "))
    if indent == 0:
        return None
    block = body[: end.start()] if (end := re.search(r"^[^\s#]", body, re.MULTILINE)) else body
    names = dict(re.findall(rf"^ {{{indent}}}(name|namespace):[ \t]*(\S+)", block, re.MULTILINE))
    if "name" not in names or top["kind"][2] == "List":
        return None
    plain = {key: value.strip("\"'") for key, value in names.items()}
    return HelmObject(
        api_version=top["apiVersion"][2].strip("\"'"),
        kind=top["kind"][2].strip("\"'"),
        name=plain["name"],
        namespace=plain.get("namespace", ""),
    )


def _parsed(document: str) -> Iterator[HelmObject]:
    import yaml

    try:
        value = yaml.load(document, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    # Charts may wrap objects in a List; Kubernetes has no nested Lists.
    listed = value.get("items") if isinstance(value, Mapping) else None
    for item in listed if isinstance(listed, list) else (value,):
        meta = item.get("metadata") if isinstance(item, Mapping) else None
        if isinstance(meta, Mapping) and _word(meta.get("name")):
            yield HelmObject(
                api_version=_word(item.get("apiVersion")),
                kind=_word(item.get("kind")),
                name=_word(meta.get("name")),
                namespace=_word(meta.get("namespace")),
            )


def _word(value: object) -> str:
    """A scalar as text; empty for a list or a mapping (which may expand without end)."""
    return str(value) if isinstance(value, str | int | float) else ""
