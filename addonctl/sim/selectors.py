"""Label selectors: as kubectl writes them (`app in (a,b),!canary`), and as objects hold them (matchLabels …)."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from addonctl.errors import Invalid

Labels = Mapping[str, str]
Test = Callable[[Labels], bool]

_TERM = re.compile(
    r"\s*(?:(?P<set>[^\s,!=()]+)\s+(?P<how>in|notin)\s*\((?P<among>[^)]*)\)"
    r"|(?P<key>[^\s,!=()]+)\s*(?P<is>==|=|!=)\s*(?P<value>[^\s,()]*)"
    r"|(?P<absent>!)\s*(?P<name>[^\s,!=()]+)"
    r"|(?P<there>[^\s,!=()]+))\s*(?:,|$)"
)


@lru_cache(maxsize=1024)
def parsed(text: str) -> Test:
    """The test that a selector is; an empty one takes everything. Raises Invalid where it is none."""
    tests: list[Test] = []
    equal: dict[str, str] = {}
    place = 0
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None:
            raise Invalid(f"{text[:80]!r} is no label selector", "Write it as kubectl does: `app in (a,b)`.")
        if term["is"] in ("=", "==") and term["key"] not in equal:
            equal[term["key"]] = term["value"]
        else:
            tests.append(_test(term))
        place = term.end()
    if not tests:  # as most are
        return lambda labels: labels.items() >= equal.items()
    return lambda labels: labels.items() >= equal.items() and all(test(labels) for test in tests)


def _test(term: re.Match[str]) -> Test:
    if term["set"]:
        among = frozenset(word.strip() for word in term["among"].split(","))
        return _one(term["set"], "In" if term["how"] == "in" else "NotIn", among)
    if term["key"]:
        return _one(term["key"], "NotIn" if term["is"] == "!=" else "In", frozenset({term["value"]}))
    if term["absent"]:
        return _one(term["name"], "DoesNotExist", frozenset())
    return _one(term["there"], "Exists", frozenset())


def _one(key: str, operator: str, among: frozenset[str]) -> Test:
    match operator:
        case "In":
            return lambda labels: labels.get(key) in among
        case "NotIn":
            return lambda labels: labels.get(key) not in among
        case "Exists":
            return lambda labels: key in labels
        case _:
            return lambda labels: key not in labels


def selects(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Whether a LabelSelector of an object takes these labels; none takes nothing, an empty one everything."""
    if selector is None:
        return False
    if not labels.items() >= (selector.get("matchLabels") or {}).items():
        return False
    expressions = selector.get("matchExpressions")
    return not expressions or all(
        _one(one["key"], one["operator"], frozenset(one.get("values") or ()))(labels) for one in expressions
    )
