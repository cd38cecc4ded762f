"""Encodes values that msgspec does not know (versions, ranges, minors, ports) as strings, and decodes them.

One pair of hooks for the packaged facts, snapshots and caches: `shapes.convert(…, dec_hook=decode)`,
`msgspec.json.encode(…, enc_hook=encode)`. Reports show a port without its target, so they write by `str` instead.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from addonctl.errors import BadInput
from addonctl.model import Port
from addonctl.versions import Minor, Version, VersionRange

_FROM_TEXT: Mapping[type, Callable[[str], Any]] = MappingProxyType(
    {Version: Version.of, VersionRange: VersionRange.of, Minor: Minor.of, Port: Port.of}
)


def encode(value: Any) -> str:
    """The string for a value. Raises TypeError, as msgspec expects, for one that cannot be encoded."""
    if type(value) not in _FROM_TEXT:
        raise TypeError(f"{type(value).__name__} cannot be encoded")
    return value.text if isinstance(value, Port) else str(value)


def decode(kind: type, written: Any) -> Any:
    """The value of `kind` for a string. Raises ValueError, which msgspec reports with the path."""
    read = _FROM_TEXT.get(kind)
    if read is None or not isinstance(written, str):
        raise ValueError(f"{kind.__name__} is written as a text, not as {written!r}")
    try:
        return read(written)
    except BadInput as error:
        raise ValueError(error.what) from error
