"""Frozen dataclasses that a process makes four times as fast: for the modules that hold most of the values.

A command that starts pays for every class that it imports, and dataclasses compiles six methods for each of them, one
by one: a third of the time that `addonctl findings` takes. Here one piece of source holds a class's methods, and its
`__init__` sets slots without the detour that dataclasses takes for frozen classes. What they do is the same: `fields`,
`replace`, `match`, comparison, hashes, pickles. Subclasses use this decorator as well.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from functools import cache
from operator import attrgetter
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass", "replace"]

if TYPE_CHECKING:
    from dataclasses import dataclass, replace
else:
    from dataclasses import replace as described_replace

    def dataclass(*, frozen: bool, slots: bool = False, kw_only: bool = False) -> Callable[[type], Any]:
        """The decorator: dataclasses' own of that name, for classes that are frozen."""
        from dataclasses import dataclass as described

        assert frozen

        def made(cls: type) -> Any:
            cls.__doc__ = cls.__doc__ or cls.__name__  # or dataclasses works out a signature to put there
            return _with_methods(described(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls))

        return made

    def replace(value: Any, /, **changes: Any) -> Any:
        """dataclasses' own of that name, three times as fast where a class has nothing to check or to work out."""
        shape = _shape(type(value))
        if shape is None:
            return described_replace(value, **changes)
        read, setters, by_name = shape
        new = object.__new__(type(value))
        for put, held in zip(setters, read(value), strict=True):
            put(new, held)
        for name, held in changes.items():
            by_name[name](new, held)
        return new


Setter = Callable[[Any, Any], None]


@cache
def _shape(cls: Any) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[Setter, ...], dict[str, Setter]] | None:
    """How a value of a class is read and set as a whole; None where `__init__` does more than that."""
    own = fields(cls)
    slots = {field.name: getattr(cls, field.name, None) for field in own if field.init}
    setters = {name: slot.__set__ for name, slot in slots.items() if isinstance(slot, MemberDescriptorType)}
    if not 2 <= len(setters) == len(own) or hasattr(cls, "__post_init__"):
        return None
    return attrgetter(*setters), tuple(setters.values()), setters


def _with_methods(cls: Any) -> Any:
    own = fields(cls)
    known: dict[str, Any] = {"MISSING": MISSING, **dict(_known(cls, own))}
    exec("\n".join(_source(cls, own)), known)
    for name in ("__init__", "__repr__", "__eq__", "__hash__"):
        if cls.__dict__.get(name) is None:  # what a class says itself stands
            known[name].__qualname__ = f"{cls.__qualname__}.{name}"
            setattr(cls, name, known[name])
    cls.__setattr__, cls.__delattr__ = _refuse, _refuse
    cls.__getstate__, cls.__setstate__ = _state, _set_state
    return cls


def _known(cls: Any, own: Iterable[Field[Any]]) -> Iterator[tuple[str, Any]]:
    """What the source refers to: how each field is set, and defaults."""
    for field in own:
        slot = getattr(cls, field.name, None)
        yield f"set_{field.name}", slot.__set__ if isinstance(slot, MemberDescriptorType) else _setter(field.name)
        yield f"default_{field.name}", field.default
        yield f"made_{field.name}", field.default_factory


def _setter(name: str) -> Callable[[Any, Any], None]:
    def of_a_class_without_slots(self: Any, value: Any) -> None:
        self.__dict__[name] = value

    return of_a_class_without_slots


def _source(cls: type, own: tuple[Field[Any], ...]) -> Iterator[str]:
    yield f"def __init__(self{''.join(_parameters(own))}):"
    yield from (line for field in own if (line := _set(field)))
    yield " self.__post_init__()" if hasattr(cls, "__post_init__") else " pass"
    shown = ", ".join(f"{field.name}={{self.{field.name}!r}}" for field in own if field.repr)
    yield f"def __repr__(self):\n return f'{{self.__class__.__qualname__}}({shown})'"
    compared = [field.name for field in own if field.compare]
    mine, other = (f"({''.join(f'{one}.{name}, ' for name in compared)})" for one in ("self", "other"))
    yield f"def __eq__(self, other):\n return {mine} == {other} if other.__class__ is type(self) else NotImplemented"
    yield f"def __hash__(self):\n return hash({mine})"


def _parameters(own: Iterable[Field[Any]]) -> Iterator[str]:
    taken = [field for field in own if field.init]
    yield from (f", {_parameter(field)}" for field in taken if not field.kw_only)
    named = [f", {_parameter(field)}" for field in taken if field.kw_only]
    yield from (", *", *named) if named else ()


def _parameter(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return f"{field.name}=default_{field.name}"
    return field.name if field.default_factory is MISSING else f"{field.name}=MISSING"


def _set(field: Field[Any]) -> str:
    """The line of `__init__` that sets a field; none for one that has no value yet."""
    name, is_made = field.name, field.default_factory is not MISSING
    if field.init:
        value = f"made_{name}() if {name} is MISSING else {name}" if is_made else name
    elif is_made or field.default is not MISSING:
        value = f"made_{name}()" if is_made else f"default_{name}"
    else:
        return ""
    return f" set_{name}(self, {value})"


def _refuse(self: object, name: str, *_: object) -> NoReturn:
    raise FrozenInstanceError(f"{type(self).__name__}.{name} is frozen")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in fields(self)]


def _set_state(self: Any, state: Iterable[Any]) -> None:
    for field, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
