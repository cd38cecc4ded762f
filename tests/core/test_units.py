"""Quantities are read as the API server reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import units
from addonctl.errors import BadInput


@pytest.mark.parametrize(
    ("text", "millicores"), [("250m", 250), ("1", 1000), ("0.5", 500), ("1e3", 1_000_000), ("1n", 1), ("100u", 1)]
)
def test_cpu_is_rounded_up_to_millicores(text: str, millicores: int) -> None:
    assert units.cpu_millicores(text) == millicores


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("128Mi", 128 << 20),
        ("1G", 10**9),
        ("1.5Gi", 3 << 29),
        ("128974848", 128974848),
        ("1E", 10**18),
        ("12E", 2**63 - 1),
        ("9Ei", 2**63 - 1),
        ("-12E", 1 - 2**63),
    ],
)
def test_bytes(text: str, size: int) -> None:
    assert units.whole(text) == size


@pytest.mark.parametrize("text", ["", "Mi", "1Xi", "1 Gi", "NaN", "1e999999", "9" * 100, "0x10", "1mi", "Infinity"])
def test_what_is_no_quantity_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadInput, match="is not a Kubernetes quantity"):
        units.quantity(text)


@given(st.integers(0, 2**40), st.sampled_from(["Ki", "Mi", "k", "M", ""]))
def test_whole_numbers_with_suffix_are_exact(number: int, suffix: str) -> None:
    factor = {"Ki": 1 << 10, "Mi": 1 << 20, "k": 10**3, "M": 10**6, "": 1}[suffix]
    assert units.whole(f"{number}{suffix}") == number * factor


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        units.quantity(text)
    except BadInput:
        return
