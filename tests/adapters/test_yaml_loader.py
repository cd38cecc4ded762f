"""Both loaders read what PyYAML's own reads, but for dates and `=`; what is wrong is wrong for all of them."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from addonctl.adapters import yaml_loader
from addonctl.adapters.yaml_loader import loaded

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_what_was_dumped_is_read(value: Any, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    own = yaml.safe_load(text)  # a NEL comes back as a blank, for one
    assert yaml.load(text, Loader=yaml_loader.plain()) == yaml.load(text, Loader=yaml_loader.usual()) == own


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("at: 2026-11-25T03:00:00Z", {"at": "2026-11-25T03:00:00Z"}),
        ("day: 2026-11-25", {"day": "2026-11-25"}),
        ("operator: =", {"operator": "="}),
        ("{0: a, true: b, 1.5: c, null: d}", {0: "a", True: "b", 1.5: "c", None: "d"}),
        ("n: 0o17\nm: 0x1f\nk: 1_000", {"n": "0o17", "m": 31, "k": 1000}),
        ("a: !!str 1\nb: !!int '2'\nc: ''\nd:", {"a": "1", "b": 2, "c": "", "d": None}),
        ("a: {<<: {b: 1, c: 2}, c: 3}", {"a": {"b": 1, "c": 3}}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: 1\na: 2", {"a": 2}),
        ("", None),
    ],
)
def test_what_is_written_otherwise(text: str, value: Any) -> None:
    assert yaml.load(text, Loader=yaml_loader.usual()) == value
    assert yaml.load(text, Loader=yaml_loader.plain()) == value


@pytest.mark.parametrize("text", ["{[a]: b}", "{!!str {a: b}: c}", "a: !!python/name:os.system x", "a: [", "!!int x"])
def test_what_is_wrong_is_refused(text: str) -> None:
    for loader in (yaml_loader.usual(), yaml_loader.plain()):
        with pytest.raises((yaml.YAMLError, ValueError)):
            yaml.load(text, Loader=loader)


@pytest.mark.parametrize("text", ["a: &x [1]\nb: *x", "[&x [1], *x]", "{a: &x [1], ?*x : 2}", "- &x [1]\n- *x"])
def test_what_is_repeated_is_one_object_so_that_a_bomb_stays_small(text: str) -> None:
    try:
        value = loaded(text.encode())
    except yaml.YAMLError:  # a list is no key
        return
    one, other = value.values() if isinstance(value, dict) else value
    assert one is other
