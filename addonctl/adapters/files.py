"""The bytes of the files that people give: files, folders, archives, standard input, addresses.

What is an archive is told by its content. A file or archive that cannot be read costs itself: it comes with the reason.
"""

import bz2
import codecs
import gzip
import io
import lzma
import os
import stat
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from addonctl.errors import BadInput
from addonctl.model import Place

TERRAFORM = ".tf"
SUFFIXES = (".json", ".yaml", ".yml", TERRAFORM)
_PACKED = (".gz", ".bz2", ".xz", ".zst")
_ARCHIVES = (".tar", ".tgz", ".tar.gz", ".tbz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip", ".tar.zst", ".tzst")
# More than any list that kubectl prints in one piece.
_FILE_MAX_BYTES = 2 << 30
_FILES_MAX = 100_000
_PIECE_BYTES = 1 << 20
# Kubernetes' JSON shrinks to a tenth, at most to a fiftieth; what grows by more than this is a bomb.
_GROWTH_MAX, _GROWTH_FREE_BYTES = 200, 8 << 20
_FETCH_TIMEOUT_S = 30
# Folders of what others made: their files are not this cluster's.
_VENDORED = frozenset({"node_modules", "site-packages", "__pycache__", "bower_components"})

UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, MemoryError)
_REFUSED = (*UNREADABLE, NotImplementedError, RuntimeError)  # zipfile's words for methods and passwords

PassedOver = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class File:
    """A file, or a member of an archive, with its bytes, unpacked; or why they cannot be read."""

    name: str
    member: str = ""
    body: bytes = b""
    error: str = ""

    @property
    def place(self) -> Place:
        return Place(self.name, self.member)

    @property
    def path(self) -> str:
        """Its path, within the archive if it is in one."""
        return self.member or self.name


def no_word(what: str) -> None:
    """Nobody wants to know what is passed over."""


def files(paths: list[str], passed_over: PassedOver = no_word) -> Iterator[File]:
    """Each file with its bytes; `passed_over` is told what is left out: hidden and vendored folders, other files.

    Raises BadInput for a path that does not exist, and for an address that nothing can be fetched from.
    """
    count = 0
    for given in paths:
        for found in _of_path(given, passed_over):
            count += 1
            if count > _FILES_MAX:
                raise BadInput(f"{given}: more than {_FILES_MAX} files", "Give the folder that holds the objects.")
            yield found


def _of_path(given: str, passed_over: PassedOver) -> Iterator[File]:
    path = Path(given)
    if given == "-":
        yield from _contents("standard input", lambda: _whole(sys.stdin.buffer), passed_over)
    elif given.startswith(("http://", "https://")):
        yield from _contents(given, lambda: _fetched(given), passed_over)
    elif path.is_dir():
        yield from _of_folder(path, passed_over)
    elif path.exists():
        yield from _of_file(path, passed_over, given=True)
    else:
        raise BadInput(f"{given} cannot be read: No such file or directory", "Check the path.")


def _of_folder(path: Path, passed_over: PassedOver) -> Iterator[File]:
    for folder, folders, names in os.walk(path):
        for name in folders:
            if _is_foreign(name):
                passed_over("vendored folders" if name in _VENDORED else "hidden folders")
        folders[:] = sorted(name for name in folders if not _is_foreign(name))
        for name in sorted(names):
            if name.startswith("."):
                passed_over("hidden files")
            elif not _is_readable(name):
                passed_over("other files")
            else:
                yield from _of_file(Path(folder) / name, passed_over)


def _is_foreign(name: str) -> bool:
    return name.startswith(".") or name in _VENDORED


def _is_readable(name: str) -> bool:
    lower = name.lower()
    return _plain_name(lower).endswith(SUFFIXES) or lower.endswith(_ARCHIVES)


def _plain_name(name: str) -> str:
    """The name without what says that it is packed."""
    return next((name.removesuffix(each) for each in _PACKED if name.endswith(each)), name)


def _of_file(path: Path, passed_over: PassedOver, *, given: bool = False) -> Iterator[File]:
    """`given`: by its own name, so that a pipe is read; one that is met in a folder might never end."""
    name = str(path)
    if name.lower().endswith(_ARCHIVES):
        try:
            with _opened(path, given) as handle:
                yield from _of_archive(name, handle, path.stat().st_size, passed_over)
        except _REFUSED as error:
            yield File(name, error=_why(error))
    else:
        yield from _contents(name, lambda: _of_disk(path, given), passed_over)


def _of_disk(path: Path, given: bool) -> bytes:
    with _opened(path, given) as handle:
        return _whole(handle)


def _opened(path: Path, given: bool) -> IO[bytes]:
    found = path.stat()
    if stat.S_ISREG(found.st_mode):
        _check_size(found.st_size)
    elif not given:
        raise OSError("it is not a regular file")
    return path.open("rb")


def _check_size(size: int) -> None:
    if size > _FILE_MAX_BYTES:
        raise OSError(f"it is larger than {_FILE_MAX_BYTES >> 30} GiB")


def _fetched(address: str) -> bytes:
    """What an address answers. Raises BadInput where nothing can be fetched."""
    from urllib.error import URLError
    from urllib.request import HTTPRedirectHandler, build_opener

    class OnlyHttps(HTTPRedirectHandler):
        """Follows to https alone, so that nothing is asked for in the clear."""

        def redirect_request(self, request: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
            if not newurl.startswith("https://"):
                raise BadInput(f"{address} leads to {newurl}, which is not https", "Give another address.")
            return super().redirect_request(request, fp, code, msg, headers, newurl)

    if not address.startswith("https://"):
        raise BadInput(f"{address} is not fetched: it is not https", "Give an address of https, or pipe it in.")
    try:
        with build_opener(OnlyHttps).open(address, timeout=_FETCH_TIMEOUT_S) as answer:
            return _whole(answer)
    except (URLError, OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise BadInput(
            f"{address} cannot be fetched: {why}", "Check the address; or pipe it in, with -f - ."
        ) from error


# ── Contents ────────────────────────────────────────────────────────────────────────────────────────────────────────

_TAR_MAGIC, _TAR_AT = b"ustar", 257
_OPENERS: dict[bytes, Callable[[Any], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def _contents(name: str, load: Callable[[], bytes], passed_over: PassedOver) -> Iterator[File]:
    """A file's text, or the members of the archive that it is."""
    try:
        packed = load()
        body = _unpacked(packed)
        if body.startswith(_ZIP) or body[_TAR_AT : _TAR_AT + len(_TAR_MAGIC)] == _TAR_MAGIC:
            yield from _of_archive(name, io.BytesIO(body), len(packed), passed_over)
        else:
            yield File(name, body=_utf_8(body))
    except _REFUSED as error:
        yield File(name, error=_why(error))


def _unpacked(body: bytes) -> bytes:
    opener = next((opener for magic, opener in _OPENERS.items() if body.startswith(magic)), None)
    if opener is None:
        return _of_zstd(io.BytesIO(body), len(body)) if body.startswith(_ZSTD) else body
    packed = io.BytesIO(body)
    with opener(packed) as unpacked:
        return _whole(cast("IO[bytes]", unpacked), packed.tell)


def _of_zstd(packed: IO[bytes], size: int) -> bytes:
    """Unpacks what Python of this age cannot, by the program. Raises OSError where that is not there, or fails."""
    import shutil
    import subprocess
    import tempfile

    program = shutil.which("zstd")
    if program is None:
        raise OSError("it is packed with zstd, and that program is not here: unpack it with `zstd -d`")
    with tempfile.TemporaryFile() as given:
        shutil.copyfileobj(packed, given, _PIECE_BYTES)
        given.seek(0)
        with subprocess.Popen([program, "-dcq"], stdin=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            try:
                body = _whole(cast("IO[bytes]", run.stdout), lambda: size)
            except BaseException:
                run.kill()
                raise
    if run.returncode:
        raise OSError("it cannot be unpacked by zstd: it is cut off or damaged")
    return body


def _of_archive(name: str, handle: IO[bytes], size: int, passed_over: PassedOver) -> Iterator[File]:
    """The members of an archive. Raises what its module raises where it is broken: those before that still count."""
    start = handle.read(_TAR_AT + len(_TAR_MAGIC))
    handle.seek(0)
    if start.startswith(_ZIP):
        yield from _of_zip(name, handle, passed_over)
        return
    if start.startswith(_ZSTD):
        handle = io.BytesIO(_of_zstd(handle, size))
    with tarfile.open(fileobj=handle) as archive:
        for member in archive:
            if member.isfile() and _is_wanted(member.name, passed_over):
                reader = cast("IO[bytes]", archive.extractfile(member))
                yield _member(name, member.name, member.size, size, lambda reader=reader: reader)


def _of_zip(name: str, handle: IO[bytes], passed_over: PassedOver) -> Iterator[File]:
    with zipfile.ZipFile(handle) as archive:
        for member in archive.infolist():
            if not member.is_dir() and _is_wanted(member.filename, passed_over):
                packed = member.compress_size
                yield _member(name, member.filename, member.file_size, packed, lambda m=member: archive.open(m))


def _is_wanted(member: str, passed_over: PassedOver) -> bool:
    parts = PurePosixPath(member).parts
    if any(_is_foreign(part) and part not in (".", "..") for part in parts[:-1]):
        passed_over("files in hidden or vendored folders")
        return False
    if not parts or parts[-1].startswith(".") or not _plain_name(member.lower()).endswith(SUFFIXES):
        passed_over("other files")
        return False
    return True


def _member(archive: str, name: str, size: int, packed: int, opened: Callable[..., IO[bytes]]) -> File:
    try:
        _check_size(size)
        body = _unpacked(_whole(opened(), lambda: packed))
    except tarfile.ReadError:
        raise  # the archive is cut off
    except _REFUSED as error:
        return File(archive, name, error=_why(error))
    return File(archive, name, _utf_8(body))


def _whole(handle: IO[bytes], packed: Callable[[], int] | None = None) -> bytes:
    """All bytes, read in pieces: reading n bytes at once allocates n bytes, however few there are.

    `packed` says how many packed bytes these were so far. Raises OSError for what is too large, or a bomb.
    """
    body = bytearray()
    while piece := handle.read(_PIECE_BYTES):
        body += piece
        _check_size(len(body))
        if packed and len(body) > max(_GROWTH_FREE_BYTES, packed() * _GROWTH_MAX):
            raise OSError(f"it unpacks to more than {_GROWTH_MAX} times its size")
    return bytes(body)


_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def _utf_8(body: bytes) -> bytes:
    """The text in UTF-8, by its byte order mark; PowerShell writes UTF-16 when output is redirected to a file."""
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            rest = body[len(mark) :]
            return rest if encoding == "utf-8" else rest.decode(encoding, errors="replace").encode()
    return body


def _why(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory to read it"
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
