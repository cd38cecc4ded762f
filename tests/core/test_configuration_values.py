"""Values as Helm's users give them: what `--set` says, what is merged over what, and what of it may be told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.errors import BadInput
from addonctl.model.configuration import KeyChange
from addonctl.values import assigned, changes, laid_over, merged

# What helm 4.3.1 itself makes of these: strvals.Parse.
HELMS: tuple[tuple[str, Any], ...] = (
    ("a=1", {"a": 1}),
    ("a.b.c=x,a.b.d=y", {"a": {"b": {"c": "x", "d": "y"}}}),
    ("a[0]=x,a[2]=y", {"a": ["x", None, "y"]}),
    ("a[0].b=1,a[0].c=2", {"a": [{"b": 1, "c": 2}]}),
    ("a[0][1]=x", {"a": [[None, "x"]]}),
    ("a={x,1,true}", {"a": ["x", 1, True]}),
    ("a={x,y},b=z", {"a": ["x", "y"], "b": "z"}),
    ("a=TRUE,b=False,c=Null,d=0,e=-3", {"a": True, "b": False, "c": None, "d": 0, "e": -3}),
    ("a=007,b=1.5", {"a": "007", "b": "1.5"}),
    ("a=,b=1", {"a": "", "b": 1}),
    ("a=b=c", {"a": "b=c"}),
    (r"a\.b=x\,y", {"a.b": "x,y"}),
    (r"nodeSelector.kubernetes\.io/role=dns", {"nodeSelector": {"kubernetes.io/role": "dns"}}),
    ("a=9223372036854775808", {"a": "9223372036854775808"}),
)


@pytest.mark.parametrize(("line", "values"), HELMS, ids=[line for line, _ in HELMS])
def test_a_line_says_what_it_says_to_helm(line: str, values: Any) -> None:
    assert assigned(line, {}) == values


def test_as_text_nothing_is_a_number() -> None:
    assert assigned("a=1,b={true,2}", {}, as_text=True) == {"a": "1", "b": ["true", "2"]}


def test_a_list_keeps_its_other_elements() -> None:
    there = {"a": [{"b": 1}, {"b": 2}], "c": {"d": 1}}
    assert assigned("a[1].e=3,c.f=2", there) == {"a": [{"b": 1}, {"b": 2, "e": 3}], "c": {"d": 1, "f": 2}}
    assert there == {"a": [{"b": 1}, {"b": 2}], "c": {"d": 1}}


@pytest.mark.parametrize(
    "line",
    ["", "a", "a,b=1", "=1", "a.=1", "a[x]=1", "a[-1]=1", "a[99999]=1", "a[0]", "a[0]b=1", "a={x", "a={}", "a={x}y"],
)
def test_what_says_nothing_clear_is_refused(line: str) -> None:
    with pytest.raises(BadInput):
        assigned(line, {})


def test_what_is_no_mapping_and_no_list_is_not_replaced_by_one() -> None:
    for line in ("a.b=1", "a[0]=1"):
        with pytest.raises(BadInput, match=r"a[.\[]"):
            assigned(line, {"a": "hunter2-hunter2"})


@given(st.text(alphabet="ab.,=[]{}\\01 ", max_size=20))
def test_any_line_is_understood_or_refused(line: str) -> None:
    try:
        found = assigned(line, {})
    except BadInput:
        return
    assert found


def test_the_rest_of_a_value_with_a_comma_in_it_is_not_quoted() -> None:
    with pytest.raises(BadInput) as caught:
        assigned("password=hunter2,hunter3", {})
    assert "hunter" not in str(caught.value)


def test_depth_has_a_bound() -> None:
    with pytest.raises(BadInput, match="too deep"):
        assigned(".".join("a" * 40) + "=1", {})


def test_files_are_laid_over_each_other_and_lists_are_replaced() -> None:
    over = {"a": {"b": None, "c": 2}, "l": [3]}
    assert laid_over({"a": {"b": 1, "d": 1}, "l": [1, 2]}, over) == {"a": {"b": None, "c": 2, "d": 1}, "l": [3]}


def test_null_takes_away_what_is_there_and_stays_where_nothing_is() -> None:
    present = {"a": {"b": 1, "c": 2}, "keep": True, "l": [1, 2]}
    assert merged(present, {"a": {"b": None, "d": None}, "l": [3]}) == {
        "a": {"c": 2, "d": None},
        "keep": True,
        "l": [3],
    }


def test_of_what_changes_only_numbers_and_booleans_are_told() -> None:
    was = {"replicas": 2, "password": "hunter2", "pin": 1234, "tokenLifetime": 60, "on": True, "gone": 1, "l": ["a"]}
    to = {"replicas": 3, "password": "hunter3", "pin": 4321, "tokenLifetime": 90, "on": False, "l": ["a", "b"]}
    assert changes(was, to) == (
        KeyChange("gone", "1", "absent"),
        KeyChange("l[1]", "absent", "text"),
        KeyChange("on", "true", "false"),
        KeyChange("password", "text", "other text"),
        KeyChange("pin", "number", "other number"),
        KeyChange("replicas", "2", "3"),
        KeyChange("tokenLifetime", "number", "other number"),
    )


def test_a_key_is_told_as_set_takes_it() -> None:
    (change,) = changes({}, {"nodeSelector": {"kubernetes.io/role": 1}})
    assert assigned(f"{change.key}=1", {}) == {"nodeSelector": {"kubernetes.io/role": 1}}


def test_true_is_not_one() -> None:
    assert [each.to for each in changes({"a": 1, "b": True}, {"a": True, "b": 1})] == ["true", "1"]
    assert changes({"a": {}, "b": []}, {"a": {}, "b": []}) == ()
