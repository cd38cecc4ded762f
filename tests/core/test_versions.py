"""Versions order as their maintainers mean them, and nothing that is typed crashes the parser."""

import copy
import pickle
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import versions
from addonctl.errors import BadInput
from addonctl.versions import Minor, Version, VersionRange, pinned

NUMBERS = st.lists(st.integers(0, 10**19), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("v1.9.3-eksbuild.2", "v1.9.3-eksbuild.11"),
        ("v1.9.3-eksbuild.11", "v1.11.1-eksbuild.4"),
        ("v1.12.4", "v1.12.4-eksbuild.1"),
        ("v1.4.0-eksbuild.preview", "v1.4.0-eksbuild.1"),
        ("1.300059.0b1207", "1.300060.0b1248"),
        ("2.0.0-alpha.2", "2.0.0-beta.1"),
        ("2.0.0-rc.2", "2.0.0-rc.10"),
        ("2.0.0-rc1", "2.0.0"),
        ("2.0.0-prerelease", "2.0.0"),
        ("2.0.0-nightly", "2.0.0"),
        ("2.0.0-nightly.20260801", "2.0.0-nightly.20260802"),
        ("2.0.0-canary", "2.0.0-rc.1"),
        ("v2.63.10000020260801-eksbuild.1", "v2.63.10001020260810-eksbuild.1"),
    ],
)
def test_order(lower: str, higher: str) -> None:
    low, high = versions.parse(lower), versions.parse(higher)
    assert low is not None
    assert high is not None
    assert low < high


@pytest.mark.parametrize("text", ["latest", "stable", "", "v", "main", "sha256:0a1b", "1.2.3 4", "1..2", "a" * 5000])
def test_what_is_no_version_is_none(text: str) -> None:
    assert versions.parse(text) is None


@given(st.text(max_size=300))
def test_any_text_is_taken(text: str) -> None:
    parsed = versions.parse(text)
    assert parsed is None or (parsed.text == text.strip() and versions.parse(str(parsed)) == parsed)
    minor = Minor.read(text)
    assert minor is None or text.strip().removeprefix("v").startswith(f"{minor.major}.")


@given(NUMBERS, NUMBERS)
def test_numbers_decide(left: list[int], right: list[int]) -> None:
    a, b = versions.parse("v" + ".".join(map(str, left))), versions.parse(".".join(map(str, right)))
    assert a is not None
    assert b is not None
    while len(left) > 1 and left[-1] == 0:
        left.pop()
    while len(right) > 1 and right[-1] == 0:
        right.pop()
    assert (a < b) is (left < right)
    assert (a == b) is (left == right)


@pytest.mark.parametrize("text", ["1.5.0-arc1", "1.5.0-search", "1.5.0-predator", "1.5.0-devel"])
def test_a_word_that_only_holds_one_of_a_pre_release_is_none(text: str) -> None:
    assert Version.of(text) == Version.of("1.5.0")


@given(st.lists(st.tuples(NUMBERS, st.sampled_from(["", "-rc.1", "-eksbuild.2", "-nightly"])), min_size=3, max_size=3))
def test_versions_are_totally_ordered(given_as: list[tuple[list[int], str]]) -> None:
    a, b, c = sorted(Version.of(".".join(map(str, numbers)) + rest) for numbers, rest in given_as)
    assert a <= b <= c
    assert a <= c
    assert (a == b) is (not a < b)
    assert (hash(a) == hash(b)) or a != b


def test_a_version_that_a_person_wrote_is_read_or_refused_by_its_text() -> None:
    assert Version.of(" v1.2 ").text == "v1.2"
    with pytest.raises(BadInput, match="'latest' cannot be read as a version"):
        Version.of("latest")


# ── Ranges ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("span", "inside", "outside"),
    [
        ("*", ("0.1", "99.0"), ()),
        ("1.21", ("1.21", "1.21.9", "v1.21.0-rc.1"), ("1.20.9", "1.22", "2.21")),
        ("1.16 - 1.18", ("1.16", "1.17.3", "1.18.99"), ("1.15.9", "1.19.0")),
        ("1.21+", ("1.21", "1.21.0", "2.0"), ("1.20.99",)),
        ("1.16.0+", ("1.16", "1.16.0", "1.17"), ("1.15",)),
        ("26.3.1 - 26.3.2", ("26.3.1", "26.3.2"), ("26.3", "26.3.0", "26.3.3")),
    ],
)
def test_what_a_range_covers(span: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    known = VersionRange.of(span)
    assert [text for text in inside if not known.covers(Version.of(text))] == []
    assert [text for text in outside if known.covers(Version.of(text))] == []


@pytest.mark.parametrize("text", ["", "x", "1.2 - x", "1.9 - 1.8", "+"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        VersionRange.of(text)


@given(st.tuples(st.integers(0, 50), st.integers(0, 50)), st.tuples(st.integers(0, 50), st.integers(0, 50)))
def test_a_range_covers_its_bounds_and_is_above_what_is_below(low: tuple[int, int], high: tuple[int, int]) -> None:
    low, high = min(low, high), max(low, high)
    known = VersionRange.of(f"{low[0]}.{low[1]} - {high[0]}.{high[1]}")
    assert known.covers(Version.of(f"{low[0]}.{low[1]}.0"))
    assert known.covers(Version.of(f"{high[0]}.{high[1]}.99"))
    below = Version.of(f"{low[0]}.{low[1] - 1}" if low[1] else "0.0-rc.1")
    assert known.is_above(below) is (not known.covers(below))


SMALL = st.lists(st.integers(0, 4), min_size=1, max_size=4)


def dotted(numbers: list[int]) -> str:
    return ".".join(map(str, numbers))


def is_within(numbers: list[int], low: list[int] | None, high: list[int] | None) -> bool:
    """By counting: not before the first version that `low` writes, and before the first after all that `high` does."""
    at = [*numbers, 0, 0, 0, 0][:4]
    after = [*high[:-1], high[-1] + 1] if high else []
    begins = low is None or at >= [*low, 0, 0, 0, 0][:4]
    return begins and (not high or at < [*after, 0, 0, 0, 0][:4])


@given(SMALL, SMALL, SMALL, st.sampled_from(["", "v"]), st.sampled_from(["", "-rc.1", "-eksbuild.3"]))
def test_membership_is_what_counting_says(one: list[int], other: list[int], at: list[int], v: str, rest: str) -> None:
    version = Version.of(f"{v}{dotted(at)}{rest}")
    low, high = sorted((one, other))
    spans: list[tuple[str, list[int] | None, list[int] | None]] = [
        ("*", None, None),
        (dotted(one), one, one),
        (f"{dotted(one)}+", one, None),
        (f"{dotted(low)} - {dotted(high)}", low, high),
    ]
    for text, lowest, highest in spans:
        known = VersionRange.of(text)
        assert known.covers(version) is is_within(at, lowest, highest), text
        assert not (known.covers(version) and known.is_above(version)), text
        assert VersionRange.of(str(known)) == known
        assert hash(VersionRange.of(str(known))) == hash(known)


# ── Kubernetes ──────────────────────────────────────────────────────────────────────────────────────────────────────

MINORS = st.builds(Minor, st.integers(0, 9), st.integers(0, 99))


@given(MINORS, st.sampled_from(["", "v"]), st.sampled_from(["", ".0", ".12", ".2-eks-1a2b3c4"]))
def test_a_minor_is_read_again_as_it_is_written(minor: Minor, v: str, patch: str) -> None:
    written = f"{v}{minor}{patch}"
    assert Minor.of(written) == Minor.read(written) == minor
    assert hash(Minor.of(written)) == hash(minor)


@given(st.tuples(st.integers(0, 9), st.integers(0, 99)), st.tuples(st.integers(0, 9), st.integers(0, 99)))
def test_minors_order_as_their_numbers_do(left: tuple[int, int], right: tuple[int, int]) -> None:
    one, other = Minor(*left), Minor(*right)
    assert (one < other, one == other, one > other) == (left < right, left == right, left > right)
    assert (one <= other, one >= other) == (left <= right, left >= right)


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("v1.31.2-eks-94953ac", Minor(1, 31)),
        ("1.35+", Minor(1, 35)),
        ("v1.31.2+k3s1", Minor(1, 31)),
        ("1.9", Minor(1, 9)),
        ("", None),
        ("unknown", None),
    ],
)
def test_the_minor_that_a_program_says(text: str, minor: Minor | None) -> None:
    assert Minor.read(text) == minor


@pytest.mark.parametrize("text", ["1.35", "v1.35", " 1.35 ", "1.35.2", "v1.35.2-eks-1a2b3c4"])
def test_the_minor_that_a_person_writes(text: str) -> None:
    assert Minor.of(text) == Minor(1, 35)


@pytest.mark.parametrize("text", ["1,34", "1", "1.x", "newest", "1.350", "1.100", "", "1.35.x", "1.35 or so"])
def test_what_is_no_minor_is_refused_by_its_own_name(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        Minor.of(text)
    assert repr(text) in refused.value.what


def test_minors_order_by_number() -> None:
    assert [str(minor) for minor in sorted(map(Minor.of, ("1.31", "1.9", "1.10")))] == ["1.9", "1.10", "1.31"]
    assert Minor(1, 35).next == Minor(1, 36)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_way_to_a_minor_is_one_step_after_the_other(start: int, end: int) -> None:
    way = Minor(1, start).up_to(Minor(1, end))
    assert len(way) == max(0, end - start)
    assert all(later == sooner.next for sooner, later in pairwise((Minor(1, start), *way)))


# ── Values ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", [Version.of("v1.2.3-eksbuild.1"), VersionRange.of("1.2+"), Minor(1, 35)])
def test_values_are_frozen_and_survive_a_copy(value: Any) -> None:
    with pytest.raises(AttributeError, match="frozen"):
        value.text = "9"
    with pytest.raises(AttributeError, match="frozen"):
        del value.text
    assert copy.deepcopy(value) is value
    assert pickle.loads(pickle.dumps(value)) == value
    assert str(pickle.loads(pickle.dumps(value))) == str(value)
    assert value != str(value)
    assert repr(value) == f"{type(value).__name__}({str(value)!r})"


def test_only_what_cannot_move_is_pinned() -> None:
    exact = ("1.2.3", "v1.2.3", "v1.12.4-eksbuild.18", "2024.1.0-rc1", "1.2.3+build", "1.2.3.4")
    moving = (
        "",
        "main",
        "1",
        "v1",
        "1.2",
        "1.2.x",
        "0.20.x",
        "1.x",
        "2.*",
        ">=1.2.3",
        "~1.2.3",
        "release-1.2",
        "1234567",
    )
    assert [str(pinned(each)) for each in exact] == list(exact)
    assert {pinned(each) for each in moving} == {None}
