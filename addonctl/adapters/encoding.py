"""How the values of addonctl that msgspec does not know are written and read: versions, ranges, minors, ports, as text.

One pair of hooks, for the packaged facts, snapshots and caches: `shapes.convert(…, dec_hook=decode)`,
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
    """The text of a value. Raises TypeError for one that has none: msgspec's own word for what cannot be encoded."""
    if type(value) not in _FROM_TEXT:
        raise TypeError(f"{type(value).__name__} cannot be encoded")
    return value.text if isinstance(value, Port) else str(value)


def decode(kind: type, written: Any) -> Any:
    """The value of `kind` that a text writes. Raises ValueError, which msgspec reports with the path."""
    read = _FROM_TEXT.get(kind)
    if read is None or not isinstance(written, str):
        raise ValueError(f"{kind.__name__} is written as a text, not as {written!r}")
    try:
        return read(written)
    except BadInput as error:
        raise ValueError(error.what) from error
