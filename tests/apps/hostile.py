"""Values in which every text that a cluster may have chosen is an attack on whoever shows it."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import TypeVar

ATTACK = (
    "<script>alert('x')</script>\"&|`a``b]]>\x1b[31mred\x1b[0m\x1b]0;title\x07\x00\x9b\u202e[text](javascript:x) "
    "![i](http://evil.example/x)@team{0}<!--\ud800\ufffe"
)
# What comes from addonctl's own tables, or selects among them.
_OWN = frozenset(
    {
        "Finding.code",
        "Waiver.code",
        "Dependency.hurts",
        "Check.kubernetes",
        "KubernetesStatus.running",
        "KubernetesStatus.target",
        "KubernetesStatus.targets",
        "KubernetesStatus.reason",
        "Assessment.stale",
        "Assessment.since",
        "Resource.name",
    }
)
_T = TypeVar("_T")


def poisoned(value: _T, attack: str = ATTACK) -> _T:
    """With the attack behind every text, the same text always becoming the same."""
    return _poison(value, attack)


def _poison(value: _T, attack: str) -> _T:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return value + attack if value else value  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(_poison(item, attack) for item in value)  # type: ignore[return-value]
    if isinstance(value, Mapping):
        return {_poison(key, attack): _poison(item, attack) for key, item in value.items()}  # type: ignore[return-value]
    if is_dataclass(value) and not isinstance(value, type):
        own = type(value).__name__
        return replace(
            value,
            **{
                each.name: _poison(getattr(value, each.name), attack)
                for each in fields(value)
                if each.init and f"{own}.{each.name}" not in _OWN
            },
        )
    return value
