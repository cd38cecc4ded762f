"""Checkpoints in a folder of their own, one file each, readable only by their owner. See ports.Checkpoints.

A file is one line of JSON, its entry, followed by the checkpoint: gzipped JSON, encrypted with AES-256-GCM if the store
has a key. Its name is the SHA-256 of the whole, so that every change is detected; the encryption authenticates the
entry as well. A file is written under a temporary name and renamed when it is on disk, so it is always complete.
"""

import base64
import binascii
import contextlib
import gzip
import hashlib
import os
import secrets
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import msgspec

from addonctl.adapters import codec, shapes, whole_file
from addonctl.errors import BadInput, Broken, NotFound, NotReachable
from addonctl.model.checkpoint import CHECKPOINT_SCHEMA, Checkpoint, CheckpointEntry

_SUFFIX = ".checkpoint"
_KEY_BYTES, _NONCE_BYTES, _SALT_BYTES = 32, 12, 16
# A CRD may have many objects, but a larger file was not written by addonctl.
_FILE_MAX_BYTES, _PLAIN_MAX_BYTES = 256 << 20, 2 << 30
# An entry is a line of some 400 bytes.
_ENTRY_MAX_BYTES = 16 << 10


class CheckpointFolder:
    """A store in `folder`, which is created on the first save; `key_file` is one that `new_key` wrote."""

    def __init__(self, folder: Path, key_file: Path | None = None) -> None:
        self._folder = folder
        self._key = _read_key(key_file) if key_file is not None else b""

    def save(self, checkpoint: Checkpoint) -> CheckpointEntry:
        kept = checkpoint if self._key else checkpoint.without_secrets(secrets.token_hex(_SALT_BYTES))
        body = gzip.compress(msgspec.json.encode(kept), mtime=0)
        entry = CheckpointEntry.of(kept, id="", bytes=len(body), key=_key_name(self._key))
        line = msgspec.json.encode({"schema": CHECKPOINT_SCHEMA, **{f: getattr(entry, f) for f in _LINE}}) + b"\n"
        stored = line + (_encrypt(self._key, body, line) if self._key else body)
        entry = replace(entry, id=hashlib.sha256(stored).hexdigest())
        try:
            self._write(entry.id + _SUFFIX, stored)
        except OSError as error:
            raise NotReachable(f"The checkpoint cannot be stored in {self._folder}: {error.strerror}") from error
        return entry

    def load(self, id: str) -> Checkpoint:
        path = self._path(id)
        try:
            with path.open("rb") as handle:
                stored = handle.read(_FILE_MAX_BYTES + 1)
        except OSError as error:
            raise NotReachable(f"Checkpoint {path.stem} cannot be read: {error.strerror}") from error
        if hashlib.sha256(stored).hexdigest() != path.stem:
            raise Broken(f"Checkpoint {path.stem} is not what was stored", "Somebody changed its file; take another.")
        line, _, body = stored.partition(b"\n")
        entry = _read_entry(path.stem, line)
        try:
            plain = _unpacked(self._opened(entry, body, line + b"\n"))
            found: Checkpoint = codec.decoded(plain, Checkpoint)
        except (Broken, zlib.error, EOFError, ValueError):
            # Not `from` the error: its message may quote secret contents.
            raise Broken(f"Checkpoint {path.stem} is not one that this version writes") from None
        return found

    def entry(self, id: str) -> CheckpointEntry:
        path = self._path(id)
        try:
            with path.open("rb") as handle:
                return _read_entry(path.stem, handle.readline(_ENTRY_MAX_BYTES))
        except OSError as error:
            raise NotReachable(f"Checkpoint {path.stem} cannot be read: {error.strerror}") from error

    def entries(self) -> tuple[CheckpointEntry, ...]:
        return tuple(sorted(self._readable(), key=lambda entry: (entry.taken, entry.id), reverse=True))

    def delete(self, id: str) -> None:
        with contextlib.suppress(NotFound):
            self._path(id).unlink(missing_ok=True)

    def export(self, path: Path, *ids: str) -> None:
        chosen = [self._path(id) for id in ids] or [self._folder / (entry.id + _SUFFIX) for entry in self.entries()]
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError as error:
            raise BadInput(f"{path} exists already", "Name a file that does not.") from error
        except OSError as error:
            raise BadInput(f"{path} cannot be written: {error.strerror}") from error
        with os.fdopen(descriptor, "wb") as handle, tarfile.open(fileobj=handle, mode="w") as tar:
            for one in chosen:
                tar.add(one, arcname=one.name)

    def _readable(self) -> Iterator[CheckpointEntry]:
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError, Broken), path.open("rb") as handle:
                yield _read_entry(path.stem, handle.readline(_ENTRY_MAX_BYTES))

    def _path(self, id: str) -> Path:
        """The only file whose id has this prefix."""
        found = [path for path in self._folder.glob(f"*{_SUFFIX}") if id and path.stem.startswith(id)]
        if len(found) > 1:
            raise BadInput(f"{len(found)} checkpoints begin with {id}", "Give more of the id.")
        if not found:
            raise NotFound(f"There is no checkpoint {id or '(no id)'} in {self._folder}")
        return found[0]

    def _write(self, name: str, stored: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        whole_file.write(self._folder / name, stored)

    def _opened(self, entry: CheckpointEntry, body: bytes, line: bytes) -> bytes:
        if not entry.key:
            return body
        if not self._key:
            raise BadInput(f"Checkpoint {entry.id} is encrypted", f"Give the file of key {entry.key}.")
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self._key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], line)
        except InvalidTag:
            given = _key_name(self._key)
            raise BadInput(
                f"Checkpoint {entry.id} is encrypted with key {entry.key}, and the key given is {given}",
                f"Give the file of key {entry.key}.",
            ) from None


# ── Keys ────────────────────────────────────────────────────────────────────────────────────────────────────────


def new_key(path: Path) -> None:
    """Writes a new key to a new file, readable only by its owner. Raises BadInput when the file exists."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise BadInput(f"The key cannot be written to {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(base64.b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")


def _read_key(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise BadInput(f"The key file {path} can be read by others", f"chmod 600 {path}, if nobody has read it.")
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except OSError as error:
        raise BadInput(f"The key file {path} cannot be read: {error.strerror}") from error
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise BadInput(f"{path} is not a key file", f"It holds {_KEY_BYTES} random bytes in base64.")
    return key


def _key_name(key: bytes) -> str:
    """An id that reveals nothing about the key: 32 random bytes cannot be derived from their hash."""
    return hashlib.sha256(b"addonctl checkpoint key" + key).hexdigest()[:8] if key else ""


def _encrypt(key: bytes, body: bytes, line: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, body, line)


# ── Shapes ──────────────────────────────────────────────────────────────────────────────────────────────────────

_LINE = tuple(one.name for one in fields(CheckpointEntry) if one.name != "id")


def _read_entry(id: str, line: bytes) -> CheckpointEntry:
    try:
        said = shapes.decode(line)
        if said.pop("schema") > CHECKPOINT_SCHEMA:
            raise Broken(f"Checkpoint {id} was written by a newer addonctl", "Upgrade addonctl.")
        return shapes.convert({"id": id, **said}, CheckpointEntry)
    except (msgspec.MsgspecError, AttributeError, KeyError, TypeError):
        raise Broken(f"{id}{_SUFFIX} is not a checkpoint") from None


def _unpacked(body: bytes) -> bytes:
    machine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    plain = machine.decompress(body, _PLAIN_MAX_BYTES)
    if machine.unconsumed_tail or not machine.eof:
        raise ValueError("cut off, or too large")
    return plain
