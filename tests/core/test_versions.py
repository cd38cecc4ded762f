"""Versions order as their maintainers mean them, and nothing that is typed crashes the parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import versions
from addonctl.errors import BadInput

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


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("v1.12.4-eksbuild.3", "1.12.4", True),
        ("1.2", "v1.2.0", True),
        ("1.2.1", "1.2.0", False),
        ("1.2.0-rc.1", "1.2.0", False),
        ("latest", "latest", True),
    ],
)
def test_same_release(left: str, right: str, same: bool) -> None:
    assert versions.same_release(left, right) is same


@given(st.text(max_size=300))
def test_any_text_is_taken(text: str) -> None:
    parsed = versions.parse(text)
    assert parsed is None or parsed.text == text.strip()
    versions.kubernetes_minor(text)


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


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("v1.31.2-eks-94953ac", "1.31"),
        ("1.35+", "1.35"),
        ("v1.31.2+k3s1", "1.31"),
        ("1.9", "1.9"),
        ("", None),
        ("unknown", None),
    ],
)
def test_kubernetes_minor(text: str, minor: str | None) -> None:
    assert versions.kubernetes_minor(text) == minor


def test_minors_order_by_number() -> None:
    assert sorted(["1.31", "1.9", "1.10"], key=versions.minor_key) == ["1.9", "1.10", "1.31"]
    assert versions.next_minor("1.35") == "1.36"
    with pytest.raises(BadInput, match="not a Kubernetes version"):
        versions.minor_key("one")
