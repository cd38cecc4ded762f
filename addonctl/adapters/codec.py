"""Values to JSON and back, without loss: runs with their plans, requests, checkpoints.

A class of a union is named by its `type`, by its own name where it has none. Numbers that JSON has no word for, such
as the log of nothing, are texts. What is unknown is refused rather than dropped: who stored it meant something by it.
"""

import math
from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec
from cattrs import Converter
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError, StructureHandlerNotFoundError

from addonctl.adapters import encoding, shapes
from addonctl.errors import BadInput, Broken
from addonctl.model.run import Run
from addonctl.versions import Minor, Version, VersionRange

T = TypeVar("T")

RUN_SCHEMA = 1
"""Raised when runs that were stored before can no longer be read; a new field that has a default needs no new one."""


def encoded(value: Any) -> str:
    """The JSON of a value; its class must be known to who reads it."""
    return msgspec.json.encode(_converter().unstructure(value)).decode()


def encoded_of(union: Any, value: Any) -> str:
    """The JSON of a value that is one of a union, with its class in it."""
    return msgspec.json.encode(_converter().unstructure(value, union)).decode()


def decoded(body: str | bytes, shape: Any) -> Any:
    """The value of `shape`, a class or a union, in JSON that `encoded` wrote. Raises Broken for anything else."""
    try:
        return structured(shapes.decode(body), shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Broken("What was stored is damaged: it is no JSON") from None


def structured(said: Any, shape: Any) -> Any:
    """The value of `shape` in plain data. Raises Broken, which quotes nothing: it may be secret."""
    try:
        return _converter().structure(said, shape)
    except (
        BaseValidationError,
        ForbiddenExtraKeysError,
        StructureHandlerNotFoundError,
        BadInput,
        AssertionError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise Broken(f"What was stored is not what this version writes ({type(error).__name__})") from None


def run(id: str, body: str, schema: int) -> Run:
    """A stored run. Raises BadInput for another schema, Broken for what is damaged."""
    if schema != RUN_SCHEMA:
        other = "a newer" if schema > RUN_SCHEMA else "an older"
        raise BadInput(
            f"Run {id} was stored by {other} addonctl (schema {schema}, this one has {RUN_SCHEMA})",
            f"Use {'that version or a later one' if schema > RUN_SCHEMA else 'that version'} for it.",
        )
    try:
        found: Run = decoded(body, Run)
    except Broken as error:
        raise Broken(f"Run {id} cannot be read. {error.what}", "Use the version of addonctl that began it.") from None
    return found


# ── How ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _converter() -> Converter:
    made = Converter(detailed_validation=False, forbid_extra_keys=True)
    made.register_unstructure_hook(datetime, datetime.isoformat)
    made.register_structure_hook(datetime, lambda said, _: datetime.fromisoformat(said))
    made.register_unstructure_hook(float, lambda value: value if math.isfinite(value) else str(value))
    made.register_structure_hook_func(lambda shape: shape is object, lambda said, _: said)
    for kind in (Version, VersionRange, Minor):
        made.register_unstructure_hook(kind, encoding.encode)
        made.register_structure_hook(kind, lambda said, kind: encoding.decode(kind, said))
    made.register_unstructure_hook_factory(_is_tagged, lambda union: _tagging(made))
    made.register_structure_hook_factory(_is_tagged, lambda union: _tagged(made, union))
    return made


def _is_tagged(shape: Any) -> bool:
    """Whether it is a union of classes, of which None may be one."""
    classes = [each for each in get_args(shape) if each is not NoneType]
    return get_origin(shape) in (Union, UnionType) and len(classes) > 1 and all(map(is_dataclass, classes))


def _tag(kind: type) -> str:
    own = getattr(kind, "__dataclass_fields__", {}).get("type")
    return str(own.default) if own else kind.__name__


def _tagging(converter: Converter) -> Callable[[Any], Any]:
    def tagging(value: Any) -> Any:
        return value if value is None else {"type": _tag(type(value)), **converter.unstructure(value)}

    return tagging


def _tagged(converter: Converter, union: Any) -> Callable[[Any, Any], Any]:
    classes = {_tag(each): each for each in get_args(union) if each is not NoneType}
    optional = NoneType in get_args(union)

    def tagged(said: Any, _: Any) -> Any:
        if said is None and optional:
            return None
        return converter.structure({key: value for key, value in said.items() if key != "type"}, classes[said["type"]])

    return tagged
