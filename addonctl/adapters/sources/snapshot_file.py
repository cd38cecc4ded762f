"""Snapshots on disk: one compressed file, versioned, written atomically.

The file is gzipped JSON that starts with `{"schema": N, …}`, so that any tool can open it and a later addonctl can
check the schema. Fields that are missing from an older schema get their defaults.
"""

import gc
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from addonctl.adapters import encoding, shapes, whole_file
from addonctl.errors import BadInput, NotReachable
from addonctl.model import SNAPSHOT_SCHEMA, Snapshot

# Level 1: a tenth of the time of level 9 for a quarter more bytes; Kubernetes' JSON shrinks tenfold either way.
_GZIP_LEVEL = 1
# More than the largest cluster that EKS supports needs; a guard against decompression bombs.
_DECOMPRESSED_MAX_BYTES = 4 << 30
_GZIP_MAGIC = b"\x1f\x8b"


_SCHEMA_FIRST = re.compile(rb'\{"schema":(\d{1,9}),')


class _Header(msgspec.Struct):
    schema: int


def is_one(body: bytes) -> bool:
    """Whether an unpacked file starts like a saved snapshot."""
    return _SCHEMA_FIRST.match(body) is not None


def save(snapshot: Snapshot, path: Path) -> None:
    """Writes a snapshot, readable only by its owner. Raises NotReachable when it cannot be written."""
    body = packed(snapshot)
    try:
        whole_file.write(path, body)
    except OSError as error:
        raise NotReachable(
            f"{path} cannot be written: {error.strerror}", "Check free space and permissions, or give another path."
        ) from error


def packed(snapshot: Snapshot) -> bytes:
    """The contents of a snapshot file; equal snapshots give equal bytes."""
    return gzip.compress(encode(snapshot), compresslevel=_GZIP_LEVEL, mtime=0)


def default_name(snapshot: Snapshot) -> str:
    """The default file name of a snapshot: cluster and day."""
    cluster = re.sub(r"[^A-Za-z0-9._-]+", "-", snapshot.cluster.name).strip("-.") or "cluster"
    return f"{cluster}-{snapshot.taken:%Y-%m-%d}.snap"


def encode(snapshot: Snapshot) -> bytes:
    """The snapshot as JSON."""
    return msgspec.json.encode(snapshot, enc_hook=encoding.encode)


def load(path: Path) -> Snapshot:
    """Reads a snapshot. Raises BadInput when the file is not one, or was written by a newer addonctl."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", "Check the path.") from error
    return decode(_decompressed(body, path), str(path))


def _decompressed(body: bytes, path: Path) -> bytes:
    if not body.startswith(_GZIP_MAGIC):
        return body
    try:
        machine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        plain = machine.decompress(body, _DECOMPRESSED_MAX_BYTES)
    except zlib.error as error:
        raise BadInput(f"{path} is damaged: {error}", "Take the snapshot again.") from error
    if not machine.eof:
        why = "larger than any cluster's" if machine.unconsumed_tail else "cut off"
        raise BadInput(f"{path} is {why}", "Take the snapshot again.")
    return plain


def decode(body: bytes, name: str) -> Snapshot:
    """Parses a snapshot's JSON; `name` is its name in errors."""
    fix = "Give a file that `addonctl snapshot save` wrote; for manifests and dumps use -f."
    try:
        schema = _schema(body)
        if schema > SNAPSHOT_SCHEMA:
            newer = f"{name} was written by a newer addonctl (schema {schema}, this one reads {SNAPSHOT_SCHEMA})"
            raise BadInput(newer, "Update addonctl.")
        with without_collector():
            return shapes.decode(body, Snapshot, dec_hook=encoding.decode)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{name} is not a snapshot: {error}", fix) from error


def _schema(body: bytes) -> int:
    """The schema number, which we write first; if it is elsewhere, the whole document is parsed for it."""
    first = _SCHEMA_FIRST.match(body)
    return int(first[1]) if first else shapes.decode(body, _Header).schema


@contextmanager
def without_collector() -> Iterator[None]:
    """Pauses Python's cycle collector while many objects are created, none of them garbage: it would traverse all of
    them repeatedly, for half of the decoding time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
