"""Thread-safe decoding with msgspec: the type information of a shape is built by one thread at a time.

msgspec builds the type information of a Struct or dataclass when it is first decoded, and publishes it before it is
complete: another thread that decodes with it crashes the process with a segmentation fault. So nothing else calls
msgspec's decoders (ruff forbids it); the information is completed here, under a lock, before anything decodes with it.
"""

import threading
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")
_Hook = Callable[[type, Any], Any]
_Body = bytes | str | msgspec.Raw
_describing = threading.Lock()


@cache
def decoder(shape: Any, *, strict: bool = True, dec_hook: _Hook | None = None) -> msgspec.json.Decoder[Any]:
    """The JSON decoder for `shape`, any type that msgspec supports; created once."""
    with _describing:
        return msgspec.json.Decoder(shape, strict=strict, dec_hook=dec_hook)


@overload
def decode(body: _Body, shape: type[T], *, strict: bool = True, dec_hook: _Hook | None = None) -> T: ...
@overload
def decode(body: _Body, shape: Any = Any, *, strict: bool = True, dec_hook: _Hook | None = None) -> Any: ...
def decode(body: _Body, shape: Any = Any, *, strict: bool = True, dec_hook: _Hook | None = None) -> Any:
    """Decodes JSON into `shape`. Raises msgspec.DecodeError, UnicodeDecodeError, RecursionError."""
    return decoder(shape, strict=strict, dec_hook=dec_hook).decode(body)


@overload
def convert(value: Any, shape: type[T], *, strict: bool = True, dec_hook: _Hook | None = None) -> T: ...
@overload
def convert(value: Any, shape: Any, *, strict: bool = True, dec_hook: _Hook | None = None) -> Any: ...
def convert(value: Any, shape: Any, *, strict: bool = True, dec_hook: _Hook | None = None) -> Any:
    """Converts plain data (from YAML, for example) into `shape`. Raises msgspec.ValidationError."""
    decoder(shape)
    return msgspec.convert(value, shape, strict=strict, dec_hook=dec_hook)
