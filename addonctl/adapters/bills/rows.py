"""The rows of a bill's file, whatever it is written as: CSV, CSV in gzip, or Parquet. Told by its first bytes.

Rows come one after the other, as the texts of the columns that are asked for. Nothing is held but one row of CSV, or
one batch of Parquet; a line, and what a file grows to when it is unpacked, are bounded.
"""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from addonctl.errors import BadInput

LINE_CHARACTERS = 1_000_000  # of CSV; a row with all tags of an account is some 10,000
_RATIO = 200  # bills shrink to a twentieth; gzip can do a thousandth, with nothing in it
_BEFORE_RATIO = 64 << 20  # bytes, before which a ratio says nothing
_BATCH = 10_000  # rows of Parquet
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_EXPORT_AGAIN = "Download it again, or give the file as AWS delivered it."

Row = Sequence[str]


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file, or BadInput."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", "Check the path.") from error


class Table:
    """A file's columns and rows; `digest` is that of its content, once all rows were read.

    Raises BadInput for what is no table, or not a whole one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hash = hashlib.blake2b(digest_size=16)

    @property
    def digest(self) -> bytes:
        return self._hash.digest()

    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        with opened(self.path) as file:
            if _magic(file) == _PARQUET:
                with self._whole():
                    return tuple(_pyarrow(self.path).ParquetFile(file).schema_arrow.names)
            with self._whole():
                return tuple(next(self._csv(file), ()))

    def rows(self, wanted: Sequence[str]) -> Iterator[Row]:
        """The rows, of each the fields of these columns, in this order."""
        self._hash = hashlib.blake2b(digest_size=16)
        with opened(self.path) as file:
            if _magic(file) == _PARQUET:
                yield from self._parquet(file, wanted)
            else:
                yield from self._chosen(self._csv(file), wanted)

    def _chosen(self, reader: Iterator[list[str]], wanted: Sequence[str]) -> Iterator[Row]:
        with self._whole():
            header = next(reader, [])
            place_of = {name: place for place, name in enumerate(header)}
            places = [place_of[name] for name in wanted]
            for number, row in enumerate(reader, start=2):
                if len(row) != len(header):
                    raise self._broken(f"row {number} has {len(row)} fields, not {len(header)}")
                yield [row[place] for place in places]

    @contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, zlib.error, ValueError, csv.Error) as error:
            raise self._broken(" ".join(str(error).split())) from error

    def _csv(self, file: BinaryIO) -> Iterator[list[str]]:
        return csv.reader(self._lines(file), strict=True)

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        zipped = _magic(file).startswith(_GZIP)
        content: Any = gzip.GzipFile(fileobj=file) if zipped else file
        text, size = io.TextIOWrapper(content, "utf-8-sig", newline=""), 0
        try:
            while line := text.readline(LINE_CHARACTERS):
                if len(line) == LINE_CHARACTERS:
                    raise self._broken(f"a line is longer than {LINE_CHARACTERS:,} characters")
                size += len(line)
                if zipped and size > max(_BEFORE_RATIO, _RATIO * file.tell()):
                    raise self._broken(f"it unpacks to more than {_RATIO} times its size")
                self._hash.update(line.encode())
                yield line
        finally:
            if not file.closed:
                text.detach()  # or it would close the file, which is not its own

    def _parquet(self, file: BinaryIO, wanted: Sequence[str]) -> Iterator[Row]:
        while block := file.read(1 << 20):
            self._hash.update(block)
        file.seek(0)
        with self._whole():
            table = _pyarrow(self.path).ParquetFile(file)
            for batch in table.iter_batches(_BATCH, columns=list(wanted)):
                columns = [[_text(value) for value in batch.column(name).to_pylist()] for name in wanted]
                yield from zip(*columns, strict=True)

    def _broken(self, why: str) -> BadInput:
        return BadInput(f"{self.path} is no whole bill: {why}", _EXPORT_AGAIN)


def _magic(file: BinaryIO) -> bytes:
    found = file.read(4)
    file.seek(0)
    return found


def _pyarrow(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise BadInput(
            f"{path} is Parquet, which takes pyarrow to read", "pip install 'addonctl[parquet]', or export it as CSV."
        ) from error
    return parquet


def _text(value: Any) -> str:
    """A value of Parquet as CSV has it: nothing is empty, maps and lists of pairs are JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        import json

        pairs = dict(value) if isinstance(value, dict) else dict(map(_pair, value))
        return json.dumps(pairs)
    return value.isoformat() if hasattr(value, "isoformat") else repr(value) if isinstance(value, float) else str(value)


def _pair(value: Any) -> tuple[str, Any]:
    """One pair of a map: pyarrow gives a tuple, exports of AWS also structs of key and value."""
    return (value["key"], value["value"]) if isinstance(value, dict) else tuple(value)
