"""Decoding with msgspec, safe in threads: what a shape looks like is worked out by one thread at a time.

msgspec describes a Struct or dataclass to itself when it is first decoded, and other threads find that description
while it is half finished: one that decodes with it ends the process with a segmentation fault. So nothing else calls
msgspec's decoders (ruff refuses it); a description is finished here, under a lock, before anybody decodes with it.
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
    """The decoder of JSON into `shape`, any type that msgspec takes; made once."""
    with _describing:
        return msgspec.json.Decoder(shape, strict=strict, dec_hook=dec_hook)


@overload
def decode(body: _Body, shape: type[T], *, strict: bool = True, dec_hook: _Hook | None = None) -> T: ...
@overload
def decode(body: _Body, shape: Any = Any, *, strict: bool = True, dec_hook: _Hook | None = None) -> Any: ...
def decode(body: _Body, shape: Any = Any, *, strict: bool = True, dec_hook: _Hook | None = None) -> Any:
    """The value of `shape` that a JSON text holds. Raises msgspec.DecodeError, UnicodeDecodeError, RecursionError."""
    return decoder(shape, strict=strict, dec_hook=dec_hook).decode(body)


@overload
def convert(value: Any, shape: type[T], *, strict: bool = True, dec_hook: _Hook | None = None) -> T: ...
@overload
def convert(value: Any, shape: Any, *, strict: bool = True, dec_hook: _Hook | None = None) -> Any: ...
def convert(value: Any, shape: Any, *, strict: bool = True, dec_hook: _Hook | None = None) -> Any:
    """The value of `shape` that plain data (of YAML, say) holds. Raises msgspec.ValidationError."""
    decoder(shape)
    return msgspec.convert(value, shape, strict=strict, dec_hook=dec_hook)
