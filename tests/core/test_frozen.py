"""addonctl.frozen.dataclass: what its classes do is what those of dataclasses do."""

import copy
import dataclasses
import pickle
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import frozen

Decorator = Callable[..., Callable[[type], Any]]


@frozen.dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    name: str
    count: int = 0
    parts: tuple[int, ...] = ()


def classes(decorator: Decorator) -> tuple[Any, Any, Any]:
    """The same three with one decorator or the other: with slots, a subclass of it, and one without slots."""

    @decorator(frozen=True, slots=True, kw_only=True)
    class Row:
        KIND: ClassVar[str] = "row"

        name: str
        count: int = 0
        labels: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
        type: str = field(default="row", init=False)

        def __post_init__(self) -> None:
            assert self.count >= 0

    @decorator(frozen=True, slots=True, kw_only=True)
    class Wide(Row):
        width: tuple[int, ...] = ()

        def __repr__(self) -> str:
            return f"wide {self.name}"

    @decorator(frozen=True)
    class Open:
        """Holds what was worked out, and takes its fields by place."""

        name: str
        parts: tuple[str, ...] = ()
        more: str = field(default="", kw_only=True)

        @cached_property
        def length(self) -> int:
            return len(self.name)

    return Row, Wide, Open


OURS, THEIRS = classes(frozen.dataclass), classes(dataclasses.dataclass)
Row, Wide, Open = OURS
VALUES = st.fixed_dictionaries(
    {"name": st.sampled_from("ab")},
    optional={"count": st.integers(0, 1), "labels": st.just({"a": "b"}), "width": st.sampled_from([(), (1,)])},
)


@given(VALUES, VALUES)
def test_they_are_told_compared_hashed_and_replaced_as_those_of_dataclasses(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    ours, theirs = ([kind(**one), kind(**other)] for kind in (Wide, THEIRS[1]))
    assert [repr(each) for each in ours] == [repr(each) for each in theirs]
    assert [hash(each) for each in ours] == [hash(each) for each in theirs]
    assert (ours[0] == ours[1]) == (theirs[0] == theirs[1])
    assert dataclasses.asdict(replace(ours[0], count=7)) == dataclasses.asdict(replace(theirs[0], count=7))


@pytest.mark.parametrize(("ours", "theirs"), list(zip(OURS, THEIRS, strict=True)))
def test_they_are_made_alike(ours: Any, theirs: Any) -> None:
    assert [each.name for each in fields(ours)] == [each.name for each in fields(theirs)]
    assert ours.__match_args__ == theirs.__match_args__
    assert ours("a").name == "a" if ours is Open else ours(name="a").type == "row"
    assert repr(ours(name="a")) == repr(theirs(name="a"))
    assert hasattr(ours(name="a"), "__dict__") == hasattr(theirs(name="a"), "__dict__")


@pytest.mark.parametrize("wrong", [{}, {"name": "a", "size": 1}, {"name": "a", "type": "b"}])
def test_what_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    for kind in (Row, THEIRS[0]):
        with pytest.raises(TypeError):
            kind(**wrong)
    with pytest.raises(TypeError, match="positional"):
        Row("a")
    with pytest.raises(AssertionError):
        Row(name="a", count=-1)


@pytest.mark.parametrize("made", [Row(name="a"), Wide(name="a"), Open("a")])
def test_nothing_of_them_changes(made: Any) -> None:
    for name in ("name", "new"):
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, "b")
    with pytest.raises(FrozenInstanceError):
        del made.name
    assert made.name == "a"


def test_two_kinds_are_never_equal_and_a_default_is_made_for_each() -> None:
    assert Row(name="a") != THEIRS[0](name="a")
    assert Row(name="a") != Wide(name="a")
    assert Row(name="a").labels is not Row(name="b").labels
    assert Open("abc").length == 3


@frozen.dataclass(frozen=True, slots=True)
class Kept:
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


def test_they_can_be_copied_and_pickled() -> None:
    made = Kept("a", {"b": "c"})
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == copy.copy(made) == made
    assert copy.deepcopy(made).labels is not made.labels
    match made:
        case Kept(name, labels):
            assert (name, labels) == ("a", {"b": "c"})


def test_replacing_is_as_dataclasses_have_it() -> None:
    for one in (Plain(name="a", parts=(1,)), classes(frozen.dataclass)[0](name="a")):
        assert frozen.replace(one, count=2) == replace(one, count=2) != one
        assert frozen.replace(one) == one
        assert frozen.replace(one) is not one


def test_what_a_class_checks_is_checked_when_its_values_are_replaced() -> None:
    with pytest.raises(AssertionError):
        frozen.replace(classes(frozen.dataclass)[0](name="a"), count=-1)
