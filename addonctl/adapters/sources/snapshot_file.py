"""Snapshots on disk: one compressed file, versioned, written whole or not at all.

The file is gzip of JSON, `{"schema": N, …}` first, so that anything can open it and a later addonctl can tell what it
reads. Fields that a snapshot of an older schema lacks take their defaults.
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

# Level 1: a tenth of the time of level 9 for a quarter more bytes; JSON of Kubernetes shrinks tenfold either way.
_GZIP_LEVEL = 1
# More than the largest cluster EKS supports would need; a guard against a decompression bomb.
_DECOMPRESSED_MAX_BYTES = 4 << 30
_GZIP_MAGIC = b"\x1f\x8b"


_SCHEMA_FIRST = re.compile(rb'\{"schema":(\d{1,9}),')


class _Header(msgspec.Struct):
    schema: int


def is_one(body: bytes) -> bool:
    """Whether an unpacked file begins as a saved snapshot does."""
    return _SCHEMA_FIRST.match(body) is not None


def save(snapshot: Snapshot, path: Path) -> None:
    """Writes a snapshot, readable by its owner only. Raises NotReachable when the disk refuses."""
    body = packed(snapshot)
    try:
        whole_file.write(path, body)
    except OSError as error:
        raise NotReachable(
            f"{path} cannot be written: {error.strerror}", "Check free space and permissions, or give another path."
        ) from error


def packed(snapshot: Snapshot) -> bytes:
    """The bytes of a snapshot's file; equal snapshots give equal bytes."""
    return gzip.compress(encode(snapshot), compresslevel=_GZIP_LEVEL, mtime=0)


def default_name(snapshot: Snapshot) -> str:
    """A name for the file of a snapshot: cluster and day."""
    cluster = re.sub(r"[^A-Za-z0-9._-]+", "-", snapshot.cluster.name).strip("-.") or "cluster"
    return f"{cluster}-{snapshot.taken:%Y-%m-%d}.snap"


def encode(snapshot: Snapshot) -> bytes:
    """The snapshot as JSON."""
    return msgspec.json.encode(snapshot, enc_hook=encoding.encode)


def load(path: Path) -> Snapshot:
    """Reads a snapshot. Raises BadInput when the file is none, or is of a newer addonctl."""
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
    """A snapshot out of its JSON; `name` is what errors call it."""
    fix = "Give a file that `addonctl snapshot save` wrote; for manifests and dumps use -f."
    try:
        schema = _schema(body)
        if schema > SNAPSHOT_SCHEMA:
            newer = f"{name} was written by a newer addonctl (schema {schema}, this one reads {SNAPSHOT_SCHEMA})"
            raise BadInput(newer, "Update addonctl.")
        with without_collector():
            return shapes.decode(body, Snapshot, dec_hook=encoding.decode)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{name} is no snapshot: {error}", fix) from error


def _schema(body: bytes) -> int:
    """The schema number, which we write first; wherever else it stands, the whole document is searched for it."""
    first = _SCHEMA_FIRST.match(body)
    return int(first[1]) if first else shapes.decode(body, _Header).schema


@contextmanager
def without_collector() -> Iterator[None]:
    """Pauses Python's cycle collector while many objects are made, none of them garbage: it would walk them all,
    again and again, for half of the time that decoding takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
